//! Properties, lists and messages against those of QEMU 11.1.2.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use target_i386::config::{CpuConfig, PROPERTIES, Value, property::Scope};
use target_i386::cpu_string::CpuString;
use target_i386::feature::{ALIASES, FeatureWord};
use target_i386::model::{AliasPolicy, Catalogue};
use target_i386::source::Tcg;
use target_i386::topology::{CpuTopology, Placement};

fn parse(text: &str) -> Json {
    serde_json::from_str(text).expect("fixtures are JSON")
}

/// Properties that belong to every device rather than to CPUs.
fn elsewhere(name: &str) -> bool {
    matches!(name, "realized" | "start-powered-off" | "memory")
}

#[test]
fn definitions_are_the_same() {
    let fixture = parse(include_str!("fixtures/cpu-definitions-tcg.json"));
    let catalogue = Catalogue::builtin();
    for (machine, list) in fixture.as_object().unwrap() {
        let ours: BTreeMap<_, _> = catalogue
            .definitions(AliasPolicy::default(), &Tcg)
            .into_iter()
            .map(|d| {
                let mut json = serde_json::json!({
                    "name": d.name, "typename": d.typename, "unavailable-features": d.unavailable_features,
                    "static": d.is_static, "migration-safe": d.migration_safe, "deprecated": d.deprecated,
                });
                if let Some(target) = d.alias_of {
                    json["alias-of"] = target.into();
                }
                (d.name, json)
            })
            .collect();
        let theirs: BTreeMap<_, _> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|d| (d["name"].as_str().unwrap().to_owned(), d.clone()))
            .collect();
        assert_eq!(ours, theirs, "{machine}");
    }
}

#[test]
fn help_is_the_same() {
    let help = Catalogue::builtin().help(AliasPolicy::default());
    assert_eq!(help, include_str!("fixtures/cpu-help.txt"));
}

#[test]
fn names_mean_the_same_versions() {
    let fixture = parse(include_str!("fixtures/cpu-aliases.json"));
    let machines = fixture.as_object().unwrap();
    assert_eq!(machines.len(), 39);
    for (machine, theirs) in machines {
        let policy = match machine.as_str() {
            "microvm" => AliasPolicy::Latest,
            "isapc" => AliasPolicy::Unversioned,
            _ => AliasPolicy::default(),
        };
        let ours: BTreeMap<_, _> = Catalogue::builtin()
            .entries()
            .into_iter()
            .map(|entry| entry.clone().under(policy))
            // A machine without versions reports no aliases at all.
            .filter(|_| policy != AliasPolicy::Unversioned)
            .filter_map(|entry| Some((entry.name().to_owned(), entry.alias_of()?)))
            .collect();
        let theirs: BTreeMap<String, String> = serde_json::from_value(theirs.clone()).unwrap();
        assert_eq!(ours, theirs, "{machine}");
    }
}

#[test]
fn properties_are_the_same() {
    let fixture = parse(include_str!("fixtures/cpu-properties.json"));
    for (typename, scopes) in
        [("base-x86_64-cpu", &[Scope::All][..]), ("max-x86_64-cpu", &[Scope::All, Scope::Max])]
    {
        // What has no setting: reports of the CPU, and properties of every CPU of any kind.
        let reports = [
            "crash-information",
            "feature-words",
            "filtered-features",
            "unavailable-features",
            "start-powered-off",
        ];
        let mut theirs = BTreeMap::new();
        for p in fixture[typename].as_array().unwrap() {
            let name = p["name"].as_str().unwrap();
            if !elsewhere(name) && !reports.contains(&name) {
                theirs.insert(
                    name.to_owned(),
                    (p["type"].as_str().unwrap().to_owned(), p.get("default-value").cloned()),
                );
            }
        }
        let mut ours = BTreeMap::new();
        for p in PROPERTIES.iter().filter(|p| scopes.contains(&p.scope)) {
            let default = p.default.map(|d| Json::from(Value::from(d)));
            ours.insert(p.name.to_owned(), (p.kind.name().to_owned(), default));
        }
        let features = FeatureWord::all().flat_map(|w| w.def().bits).filter(|b| !b.hidden).map(|b| b.name);
        for name in features.chain(ALIASES.iter().map(|(spelling, _)| *spelling)) {
            ours.insert(name.to_owned(), ("bool".to_owned(), None));
        }
        ours.insert("lbr_fmt".into(), ("uint64".into(), None));
        let keys = |m: &BTreeMap<_, _>| m.keys().cloned().collect::<BTreeSet<String>>();
        assert_eq!(keys(&ours), keys(&theirs), "{typename}");
        assert_eq!(ours, theirs, "{typename}");
    }
}

/// What a person sees on standard error, and whether the program goes on.
fn messages(text: &str) -> Vec<String> {
    let mut said = Vec::new();
    let parsed = CpuString::parse(text);
    let catalogue = Catalogue::builtin();
    let entry = match catalogue.find(&parsed.model) {
        Ok(entry) => entry,
        Err(error) => return vec![error.to_string()],
    };
    said.extend(parsed.warnings.iter().map(|w| format!("warning: {w}")));
    let mut config = CpuConfig::new(entry, &Tcg);
    if let Err(error) = parsed.apply(&mut config) {
        said.push(error.to_string());
        return said;
    }
    let mut warnings = Vec::new();
    let outcome = config.realize(Placement::boot(CpuTopology::single()), &Tcg, &mut warnings);
    said.extend(warnings.iter().map(|w| format!("warning: {w}")));
    if let Err(error) = outcome {
        said.push(error.to_string());
    }
    said
}

#[test]
fn messages_are_the_same() {
    let fixture: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("fixtures/messages-tcg.json")).unwrap();
    assert!(fixture.len() > 100);
    let mut differing = Vec::new();
    for (text, expected) in fixture {
        let ours = messages(&text);
        if ours != expected {
            differing.push(format!("{text}:\n  ours   {ours:#?}\n  theirs {expected:#?}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Names, places, order and TCG's share of all features at once.
#[test]
fn all_features_at_once() {
    let expected: Vec<_> = include_str!("fixtures/all-features-tcg.txt").lines().collect();
    let names: BTreeSet<_> = target_i386::feature::recognized_flags().into_iter().collect();
    let text = names.iter().fold("base".to_owned(), |text, name| format!("{text},+{name}"));
    let ours: Vec<_> =
        messages(&text).into_iter().map(|m| m.strip_prefix("warning: ").unwrap_or(&m).to_owned()).collect();
    assert_eq!(ours, expected);
}

/// What comparing random CPUs with the reference brought to light; the answers are the reference's.
#[test]
fn odd_corners_are_the_same() {
    let cpu = |text: &str| {
        target_i386::describe(text, Placement::boot(CpuTopology::single()), &Tcg).expect("a CPU").cpu
    };
    let number = |text: &str| cpu(text).config.get("model").map(Json::from);
    // Families before 6 have no extended model, though the signature keeps its bits.
    assert_eq!(number("base,family=5,model=175"), Some(15.into()));
    assert_eq!(number("base,family=6,model=175"), Some(175.into()));
    assert_eq!(cpu("base,family=5,model=175,level=1").table.stored(1, 0).eax, 0x000a_05f0);
    // Bits without a name are empty texts in the list.
    assert_eq!(
        cpu("base,pmu=on,+pdcm,+vmx,lbr-fmt=63").unavailable_features(),
        ["vmx", "pdcm", "", "", "", "", "", ""]
    );
    assert_eq!(cpu("qemu32,lbr-fmt=62,pmu=on").unavailable_features(), ["", "", "", "", ""]);
    // An empty vendor is not the default one.
    assert_eq!(cpu("base,hv-vendor-id=").config.get("hv-vendor-id").map(Json::from), Some("".into()));
    assert_eq!(cpu("base").config.get("hv-vendor-id").map(Json::from), Some("Microsoft Hv".into()));
}
