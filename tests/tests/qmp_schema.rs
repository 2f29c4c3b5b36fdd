//! What `query-qmp-schema` says: by QEMU's rules for it, of this program, and in agreement with the reference's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::Program;

type Schema = BTreeMap<String, Value>;

fn by_name(entries: &[Value]) -> Schema {
    let name = |entry: &Value| entry["name"].as_str().expect("a name").to_owned();
    let schema: Schema = entries.iter().map(|entry| (name(entry), entry.clone())).collect();
    assert_eq!(schema.len(), entries.len(), "each name once");
    schema
}

fn ours() -> Schema {
    let program = Program::start(&["-M", "none", "-accel", "tcg"]);
    let mut qmp = program.qmp();
    by_name(qmp.execute("query-qmp-schema", &json!({}))["return"].as_array().expect("an array"))
}

/// The entries of the commands and events that both have; `tests/differential/record_schema.py` recorded them.
fn theirs() -> Schema {
    by_name(&serde_json::from_str::<Vec<Value>>(include_str!("../fixtures/qmp/schema.json")).expect("JSON"))
}

fn list<'a>(entry: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    entry[key].as_array().into_iter().flatten()
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap_or_default()
}

/// The types that an entry names.
fn named(entry: &Value) -> Vec<&str> {
    let own = ["arg-type", "ret-type", "element-type"].map(|key| text(entry, key));
    let parts = list(entry, "members").chain(list(entry, "variants")).map(|part| text(part, "type"));
    own.into_iter().chain(parts).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_schema_is_one_by_the_rules() {
    let schema = ours();
    let mut reached = BTreeSet::new();
    for (name, entry) in &schema {
        for ty in named(entry) {
            let kind = text(schema.get(ty).unwrap_or_else(|| panic!("{name} names {ty}")), "meta-type");
            assert!(!["command", "event"].contains(&kind), "{name} names {ty}");
            reached.insert(ty);
        }
        match text(entry, "meta-type") {
            "command" | "event" => {
                assert_eq!(text(&schema[text(entry, "arg-type")], "meta-type"), "object", "{name}");
                let unstable = list(entry, "features").any(|feature| feature == "unstable");
                assert_eq!(unstable, name.starts_with("x-"), "{name}");
            }
            "object" => {
                let members: Vec<_> = list(entry, "members").map(|member| text(member, "name")).collect();
                assert_eq!(
                    members.iter().collect::<BTreeSet<_>>().len(),
                    members.len(),
                    "{name}: {members:?}"
                );
                if let Some(tag) = entry["tag"].as_str() {
                    let tag = list(entry, "members").find(|member| member["name"] == tag).expect("the tag");
                    let values: BTreeSet<_> = list(&schema[text(tag, "type")], "members")
                        .map(|value| text(value, "name"))
                        .collect();
                    let cases = list(entry, "variants").map(|variant| text(variant, "case")).collect();
                    assert_eq!(values, cases, "{name}");
                }
            }
            "enum" => {
                let members: Vec<_> = list(entry, "members").map(|value| &value["name"]).collect();
                assert_eq!(members, list(entry, "values").collect::<Vec<_>>(), "{name}");
                assert!(!members.is_empty(), "{name}");
            }
            "array" => assert_eq!(*name, format!("[{}]", text(entry, "element-type"))),
            "builtin" => {
                let names = ["str", "int", "number", "bool", "null", "any"];
                assert!(names.contains(&name.as_str()), "{name}");
            }
            "alternate" => assert!(list(entry, "members").count() > 1, "{name}"),
            other => panic!("{name} is a {other}"),
        }
    }
    for (name, entry) in &schema {
        let is_type = !["command", "event"].contains(&text(entry, "meta-type"));
        assert!(!is_type || reached.contains(name.as_str()), "{name} is named by nothing");
    }
}

#[test]
fn the_schema_tells_of_every_command() {
    let program = Program::start(&["-M", "none", "-accel", "tcg"]);
    let mut qmp = program.qmp();
    let commands = qmp.execute("query-commands", &json!({}))["return"].clone();
    let listed: BTreeSet<_> = commands
        .as_array()
        .expect("an array")
        .iter()
        .map(|command| text(command, "name").to_owned())
        .collect();
    let schema = ours();
    let told: BTreeSet<_> = schema
        .iter()
        .filter(|(_, entry)| entry["meta-type"] == "command")
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(listed, told);
    let rest = ["BLOCK_JOB_READY", "block-stream", "netdev_add"];
    assert!(rest.iter().all(|name| !schema.contains_key(*name)), "what is not there is not told of");
    for event in ["SHUTDOWN", "RESET", "STOP", "RESUME", "DEVICE_DELETED", "ACPI_DEVICE_OST"] {
        assert_eq!(schema[event]["meta-type"], "event");
    }
}

/// Commands that return lists which are always empty here, so that nobody gets to see an entry.
const EMPTY: [&str; 11] = [
    "query-block",
    "query-block-jobs",
    "query-blockstats",
    "query-jobs",
    "query-memory-devices",
    "query-mice",
    "query-named-block-nodes",
    "query-pci",
    "query-tpm",
    "query-tpm-models",
    "query-tpm-types",
];

/// Where the types of a command differ from the reference's in a way that a client can meet.
struct Comparison {
    theirs: Schema,
    ours: Schema,
    seen: BTreeSet<(String, String)>,
    found: Vec<String>,
}

/// Which way values go.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    /// From the client.
    Taken,
    /// To the client.
    Given,
}

impl Comparison {
    fn types(&mut self, theirs: &str, ours: &str, place: &str, direction: Direction) {
        if !self.seen.insert((theirs.to_owned(), ours.to_owned())) {
            return;
        }
        let (a, b) = (self.theirs[theirs].clone(), self.ours[ours].clone());
        if a["meta-type"] != b["meta-type"] {
            self.found.push(format!("{place}: {} here {}", a["meta-type"], b["meta-type"]));
            return;
        }
        match text(&a, "meta-type") {
            "builtin" if theirs != ours => self.found.push(format!("{place}: {theirs} here {ours}")),
            "array" => {
                self.types(
                    text(&a, "element-type"),
                    text(&b, "element-type"),
                    &format!("{place}[]"),
                    direction,
                );
            }
            "enum" => {
                // A value that the reference does not know is one that no client understands. One that begins with `x-` is our own,
                // and only taken.
                let own = |value: &Value| {
                    direction == Direction::Taken
                        && value.as_str().is_some_and(|value| value.starts_with("x-"))
                };
                let unknown = |value: &&Value| !list(&a, "values").any(|one| one == *value) && !own(value);
                for value in list(&b, "values").filter(unknown) {
                    self.found.push(format!("{place}: {value}"));
                }
            }
            "object" => self.objects(&a, &b, place, direction),
            _ => {}
        }
    }

    fn objects(&mut self, theirs: &Value, ours: &Value, place: &str, direction: Direction) {
        let optional = |member: &Value| member.get("default").is_some();
        for mine in list(ours, "members") {
            let place = format!("{place}.{}", text(mine, "name"));
            let Some(member) = list(theirs, "members").find(|member| member["name"] == mine["name"]) else {
                self.found.push(format!("{place} is not there"));
                continue;
            };
            if direction == Direction::Taken && optional(member) && !optional(mine) {
                self.found.push(format!("{place} is asked for"));
            }
            self.types(text(member, "type"), text(mine, "type"), &place, direction);
        }
        // What clients count on is there; what they may send is taken, or refused as the reference refuses what it lacks.
        for member in list(theirs, "members").filter(|member| !optional(member)) {
            if !list(ours, "members").any(|mine| mine["name"] == member["name"]) {
                self.found.push(format!("{place}.{} is missing", text(member, "name")));
            }
        }
        if theirs["tag"] != ours["tag"] && !ours["tag"].is_null() {
            self.found.push(format!("{place}: tag {} here {}", theirs["tag"], ours["tag"]));
        }
        for mine in list(ours, "variants") {
            let place = format!("{place}({})", text(mine, "case"));
            match list(theirs, "variants").find(|variant| variant["case"] == mine["case"]) {
                Some(variant) => self.types(text(variant, "type"), text(mine, "type"), &place, direction),
                None => self.found.push(format!("{place} is not there")),
            }
        }
    }
}

#[test]
fn the_schema_agrees_with_the_references() {
    let mut comparison =
        Comparison { theirs: theirs(), ours: ours(), seen: BTreeSet::new(), found: Vec::new() };
    let mut compared = 0;
    for (name, entry) in comparison.theirs.clone() {
        if !["command", "event"].contains(&text(&entry, "meta-type")) {
            continue;
        }
        let mine = comparison.ours[&name].clone();
        let directions = if mine["meta-type"] == "event" { Direction::Given } else { Direction::Taken };
        comparison.types(text(&entry, "arg-type"), text(&mine, "arg-type"), &name, directions);
        if mine["meta-type"] == "command" && !EMPTY.contains(&name.as_str()) {
            let place = format!("{name}()");
            comparison.types(text(&entry, "ret-type"), text(&mine, "ret-type"), &place, Direction::Given);
        }
        // Snapshots are not there.
        let features = list(&entry, "features").filter(|feature| *feature != "savevm-monitor-nodes");
        assert_eq!(features.collect::<Vec<_>>(), list(&mine, "features").collect::<Vec<_>>(), "{name}");
        compared += 1;
    }
    assert_eq!(comparison.found, [""; 0]);
    assert!(compared > 50, "{compared}");
}
