//! `docs/qmp-reference.md` is what the types of commands and events say, and they say something of everything.
//!
//! `UPDATE=1 cargo test -p tests --test qmp_reference` writes it anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use machine_pc::accel::AccelChoice;
use machine_pc::startup;
use qmp::Commands;
use qmp::schema::{Builtin, Definition, EnumValue, Member, Members, Shape, TypeRef, Types, reference};
use qom::Qom;

const HEAD: &str = "\
# QMP reference

The commands and events that clients of a machine's QMP monitor have, and the types of what they send and get. Commands that QEMU has too do what
they do there; [differences.md](differences.md) has the exceptions, and [limits.md](limits.md) what a client can have the program hold. Those whose
names begin with `x-` are in QEMU's words unstable.

What is not marked as optional is always there: a command without it fails (`Parameter 'NAME' is missing`). What is optional and left out has the
meaning that is told of it; `null` does not stand for that, and is refused as a wrong type (`Invalid parameter type for 'NAME', expected: string`).
A member that is not named here is refused (`Parameter 'NAME' is unexpected`), and so is a value that an enumeration does not have (`Parameter
'NAME' does not accept value 'VALUE'`). A command that returns nothing answers `{}`.

An error has a class, for programs, and a text, for people. The class is `GenericError` where nothing else is said; it is
`CommandNotFound` for a command that there is not (`The command NAME has not been found`), and `DeviceNotFound` where an argument names an object, a
device or a bus by a path or an id that leads nowhere and the command says no more of that. A command that fails has changed nothing but what it tells of.

`query-qmp-schema` returns the same for programs. Both are made from the Rust types that carry the commands out, so this file is not
edited: `UPDATE=1 cargo test -p tests --test qmp_reference` writes it anew.

";

/// The program's commands and events, and the classes that some of their types depend on.
fn program() -> (Commands, Arc<Qom>) {
    let accel = AccelChoice { name: "tcg".to_owned(), properties: Vec::new(), location: None };
    let qom = startup::accel_ready(&[accel], drop).expect("an accelerator");
    (Commands::linked().expect("commands"), qom)
}

fn text() -> String {
    let (commands, qom) = program();
    format!("{HEAD}{}", reference(&commands, qom))
}

#[test]
fn the_reference_is_that_of_the_types() {
    let text = text();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/qmp-reference.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).expect("the file");
    }
    let kept = std::fs::read_to_string(&path).expect("the file");
    let differs = kept.lines().zip(text.lines()).find(|(kept, made)| kept != made);
    assert_eq!(differs, None, "UPDATE=1 writes the file anew");
    assert_eq!(kept.len(), text.len());
    // Features are words that no type lists.
    let commands = Commands::linked().expect("commands");
    for feature in commands.qmp().iter().flat_map(qmp::CommandEntry::features) {
        assert!(text.contains(&format!("`{feature}`")), "{feature}");
    }
}

/// What has no documentation, among all that commands and events reach.
#[derive(Default)]
struct Undocumented {
    seen: BTreeSet<usize>,
    found: BTreeSet<String>,
}

impl Undocumented {
    fn check(&mut self, place: &str, doc: &str) {
        if doc.trim().is_empty() {
            self.found.insert(place.to_owned());
        }
    }

    /// A type that is used at a place. If it has a section it must say what it is.
    fn named(&mut self, types: &Types, place: &str, ty: &TypeRef) {
        match ty {
            TypeRef::Array(element) => self.named(types, place, element),
            _ => {
                if let Some(definition) = types.get(ty).filter(|definition| has_section(definition)) {
                    self.check(definition.rust_name, definition.doc);
                }
                self.parts(types, place, ty);
            }
        }
    }

    /// What a type is made of.
    fn parts(&mut self, types: &Types, place: &str, ty: &TypeRef) {
        let TypeRef::Defined(number) = ty else { return };
        if !self.seen.insert(*number) {
            return;
        }
        let Definition { rust_name, shape, .. } = types.get(ty).expect("a type that was described");
        let place = if rust_name.is_empty() { place } else { rust_name };
        match shape {
            Shape::Object(members) => self.members(types, place, members),
            // A list of names that stands within a member's documentation is explained there.
            Shape::Enum(_) if rust_name.is_empty() => {}
            Shape::Enum(values) => {
                for value in values {
                    self.check(&format!("{place}: value {}", value.name), value.doc);
                }
            }
            Shape::Alternate(others) => others.iter().for_each(|other| self.named(types, place, other)),
        }
    }

    fn members(&mut self, types: &Types, place: &str, members: &Members) {
        for member in &members.members {
            let place = format!("{place}: member {}", member.name);
            self.check(&place, member.doc);
            self.named(types, &place, &member.ty);
        }
        let Some((tag, variants)) = &members.variants else { return };
        let kind = members.members.iter().find(|member| member.name == *tag).expect("the tag");
        let Some(Definition { shape: Shape::Enum(values), .. }) = types.get(&kind.ty) else {
            panic!("{place}: the tag is no enumeration");
        };
        for (case, own) in variants {
            // Its value says what the case is, in a section of the values or beside the members.
            let value = values.iter().find(|value| value.name == *case).expect("a value of the tag");
            self.check(&format!("{place}: {tag} {case}"), value.doc);
            self.parts(types, &format!("{place}: {tag} {case}"), own);
        }
    }
}

/// Whether the reference has a section for the type; all others stand where they are used.
fn has_section(definition: &Definition) -> bool {
    definition.rust_name.rsplit("::").next().is_some_and(|name| name.starts_with(char::is_uppercase))
}

/// Each command, event and type is documented, and so are all members, all values of enumerations that have a section, and all values
/// that decide on members. Values in a list within a member's documentation are explained by that.
#[test]
fn everything_is_documented() {
    let (commands, qom) = program();
    let mut types = Types::new(qom);
    let mut missing = Undocumented::default();
    let described: Vec<_> =
        commands.qmp().iter().map(|command| (command, command.describe(&mut types))).collect();
    let events: Vec<_> = commands.events().iter().map(|event| (event, event.describe(&mut types))).collect();
    for (command, ends) in &described {
        missing.check(command.name, command.doc);
        // What a command takes has no section: its members stand in the command's.
        missing.parts(&types, command.name, &ends.arguments);
        missing.named(&types, command.name, &ends.returned);
    }
    for (event, data) in &events {
        missing.check(event.name, types.get(data).map_or("", |data| data.doc));
        missing.parts(&types, event.name, data);
    }
    assert!(missing.seen.len() > 150, "{} types", missing.seen.len());
    assert!(missing.found.is_empty(), "{:#?}", missing.found);
}

#[test]
fn what_is_not_documented_is_found() {
    let mut types = Types::default();
    let member = |name, doc, ty| Member { name, doc, ty, optional: false };
    let thing = types.define("a::Thing", " ", |types| {
        let values = [("one", ""), ("two", "Two.")].map(|(name, doc)| EnumValue { name: name.into(), doc });
        let names = types.enumeration(values.clone());
        let level = types.define("a::Level", "A level.", |_| Shape::Enum(values.to_vec()));
        let kind = types.enumeration(values);
        let inner = types.object(Members {
            members: vec![member("deep", "", TypeRef::Builtin(Builtin::Str))],
            variants: None,
        });
        let variants = vec![("one".into(), types.empty()), ("two".into(), inner)];
        let mut members = Members::union("kind", kind, variants);
        members.members.push(member("names", "Some.", TypeRef::Array(Box::new(names))));
        members.members.push(member("level", "Its level.", level));
        members.members.push(member("bare", "", TypeRef::Builtin(Builtin::Int)));
        Shape::Object(members)
    });
    let mut missing = Undocumented::default();
    missing.named(&types, "query-things", &TypeRef::Array(Box::new(thing)));
    let found: Vec<&str> = missing.found.iter().map(String::as_str).collect();
    let expected = [
        "a::Level: value one",
        "a::Thing",
        "a::Thing: kind one",
        "a::Thing: kind two: member deep",
        "a::Thing: member bare",
    ];
    assert_eq!(found, expected);
}

/// The anchor that a heading has on the pages that show Markdown: letters, digits, `-` and `_`, and hyphens for spaces.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|one| one.is_alphanumeric() || matches!(one, '-' | '_' | ' '));
    kept.map(|one| if one == ' ' { '-' } else { one.to_ascii_lowercase() }).collect()
}

#[test]
fn links_lead_to_headings_and_headings_are_sorted() {
    let text = text();
    let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let anchors: BTreeSet<String> = headings.iter().map(|heading| anchor(heading)).collect();
    assert_eq!(anchors.len(), headings.len(), "two headings have one anchor");
    let links: BTreeSet<&str> =
        text.split("](#").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link).collect();
    let dead: Vec<_> = links.iter().filter(|link| !anchors.contains(**link)).collect();
    assert!(dead.is_empty(), "{dead:?}");
    // Each type is there because something leads to it.
    let orphan: Vec<_> = anchors
        .iter()
        .filter(|anchor| anchor.starts_with("type-") && !links.contains(anchor.as_str()))
        .collect();
    assert!(orphan.is_empty(), "{orphan:?}");
    for group in text.split("\n## ").skip(1) {
        let names: Vec<String> = group
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            // By the last part of a Rust path.
            .map(|heading| {
                heading.trim_matches('`').rsplit([':', '`']).next().unwrap_or_default().to_lowercase()
            })
            .collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
