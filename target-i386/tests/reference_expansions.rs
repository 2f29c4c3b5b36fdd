//! Expansions of every model against those of QEMU 11.1.2, and the bits behind the names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use target_i386::config::{CpuConfig, Value};
use target_i386::cpu_string::CpuString;
use target_i386::expand::{Reason, Warning};
use target_i386::feature::{DEPENDENCIES, FeatureWord, WordSource, find, recognized_flags};
use target_i386::model::{Catalogue, ExpansionType, ModelExpansion};
use target_i386::source::Tcg;
use target_i386::topology::{CpuTopology, Placement};

fn parse(text: &str) -> Json {
    serde_json::from_str(text).expect("fixtures are JSON")
}

fn value(json: &Json) -> Value {
    match json {
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => n.as_i64().map(Value::Int).expect("small numbers"),
        Json::String(s) => Value::Str(s.clone()),
        other => panic!("no property has the value {other}"),
    }
}

fn expand(model: &str, kind: ExpansionType, set: &Json) -> ModelExpansion {
    let catalogue = Catalogue::builtin();
    let mut config = CpuConfig::new(catalogue.find(model).expect("a model"), &Tcg);
    for (name, json) in set.as_object().into_iter().flatten() {
        config.set(name, value(json)).expect("a property");
    }
    config.expansion(kind, &Tcg).expect("an expansion")
}

fn props(expansion: ModelExpansion) -> BTreeMap<String, Json> {
    let count = expansion.props.len();
    let props: BTreeMap<_, _> =
        expansion.props.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    assert_eq!(props.len(), count, "each property is there once");
    props
}

/// A fixture's base with one of its differences.
fn expected(base: &Json, delta: &Json) -> BTreeMap<String, Json> {
    let both = [base, delta].into_iter().flat_map(|json| json.as_object().expect("an object"));
    both.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[test]
fn static_expansions_are_the_same() {
    let fixture = parse(include_str!("fixtures/cpu-expansion-static.json"));
    let deltas = fixture["delta"].as_object().unwrap();
    assert_eq!(deltas.len(), 124);
    for (model, delta) in deltas {
        let ours = expand(model, ExpansionType::Static, &Json::Null);
        assert_eq!(ours.name, "base", "{model}");
        assert_eq!(props(ours), expected(&fixture["base"], delta), "{model}");
    }
    for case in fixture["cases"].as_array().unwrap() {
        let model = case["model"].as_str().unwrap();
        let ours = props(expand(model, ExpansionType::Static, &case["props"]));
        assert_eq!(ours, expected(&fixture["base"], &case["delta"]), "{model} with {}", case["props"]);
    }
}

/// Properties of every device, which are not the models'.
fn elsewhere(name: &str) -> bool {
    matches!(name, "realized" | "start-powered-off" | "memory")
}

#[test]
fn full_expansions_have_the_same_properties() {
    let fixture = parse(include_str!("fixtures/cpu-expansion-full.json"));
    assert_eq!(fixture["delta"].as_object().unwrap().len(), 189);
    for (model, delta) in fixture["delta"].as_object().unwrap() {
        let mut theirs = expected(&fixture["base"], delta);
        theirs.retain(|name, _| !elsewhere(name));
        let ours = expand(model, ExpansionType::Full, &Json::Null);
        assert_eq!(ours.name, model);
        assert_eq!(props(ours), theirs, "{model}");
    }
}

/// Every bit of every version, the VMX controls and bits without a name included: what TCG lacks of it is
/// what the reference says that it lacks.
#[test]
fn every_bit_of_every_version() {
    let fixture = parse(include_str!("fixtures/cpu-words-tcg-lacks.json"));
    let set = fixture["set"].as_str().unwrap();
    let versions = fixture["lacks"].as_object().unwrap();
    assert_eq!(versions.len(), 123);
    let catalogue = Catalogue::builtin();
    let mut differing = Vec::new();
    for (model, expected) in versions {
        let text = CpuString::parse(&format!("{model}{set}"));
        let mut config = CpuConfig::new(catalogue.find(model).unwrap(), &Tcg);
        text.apply(&mut config).unwrap();
        let mut warnings = Vec::new();
        config.realize(Placement::boot(CpuTopology::single()), &Tcg, &mut warnings).unwrap();
        let mut ours = BTreeMap::<String, u64>::new();
        for warning in warnings {
            if let Warning::Feature { reason: Reason::Unsupported(_), word, bit } = warning {
                *ours.entry(word.to_string()).or_default() |= 1 << bit;
            }
        }
        let ours: BTreeMap<_, _> = ours.into_iter().map(|(word, mask)| (word, format!("{mask:x}"))).collect();
        let theirs: BTreeMap<String, String> = serde_json::from_value(expected.clone()).unwrap();
        for word in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            let (ours, theirs) = (ours.get(word), theirs.get(word));
            if ours != theirs {
                differing.push(format!("{model}: {word}: ours {ours:?}, theirs {theirs:?}"));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// A property sets the bits that the reference says, for all that can be set alone.
#[test]
fn names_set_the_same_bits() {
    let fixture = parse(include_str!("fixtures/feature-bits.json"));
    let mut seen = BTreeSet::new();
    for (name, bits) in fixture.as_object().unwrap() {
        let f = find(name).unwrap_or_else(|| panic!("no feature {name}"));
        seen.insert(f.name);
        let WordSource::Cpuid { leaf, subleaf, register } = f.word.def().source else {
            panic!("{name} is in no CPUID register")
        };
        let mut mask = 0u64;
        // `xsave` brings state components with it, which are no feature of their own.
        for bit in bits
            .as_array()
            .unwrap()
            .iter()
            .filter(|bit| (&bit["eax"], &bit["ecx"]) != (&13.into(), &0.into()))
        {
            assert_eq!(bit["eax"], leaf, "{name}");
            assert_eq!(bit["ecx"].as_u64(), subleaf.map(u64::from), "{name}");
            assert_eq!(bit["reg"], register.to_string(), "{name}");
            mask |= 1 << bit["bit"].as_u64().unwrap();
        }
        assert_eq!(f.mask, mask, "{name}");
    }
    // The fixture was made by setting one property of `base` at a time, which shows neither what needs another
    // one nor what is KVM's.
    for name in recognized_flags().into_iter().filter(|name| !seen.contains(name)) {
        let f = find(name).unwrap();
        let dependent = DEPENDENCIES.iter().any(|rule| rule.word == f.word && rule.mask & f.mask != 0);
        let kvm = matches!(f.word, FeatureWord::KvmFeatures | FeatureWord::KvmHints);
        assert!(dependent || kvm || matches!(name, "pdcm" | "arch-lbr"), "{name} is not in the fixture");
    }
}
