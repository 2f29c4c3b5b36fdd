//! The data of models that one look at a guest's tables does not show: VMX controls and caches, against
//! QEMU 11.1.2 (`fixtures/cpu-expansion-vmx.json`, `fixtures/guest-cpuid-caches.json`).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use target_i386::config::{CpuConfig, Value};
use target_i386::describe;
use target_i386::feature::FeatureWord;
use target_i386::model::Catalogue;
use target_i386::source::Tcg;
use target_i386::topology::{CpuTopology, Placement};

#[test]
fn vmx_controls_are_the_same() {
    let fixture: BTreeMap<String, BTreeSet<String>> =
        serde_json::from_str(include_str!("fixtures/cpu-expansion-vmx.json")).unwrap();
    assert_eq!(fixture.len(), 123);
    let catalogue = Catalogue::builtin();
    let names: BTreeSet<&str> = FeatureWord::all()
        .flat_map(|word| word.def().bits)
        .filter(|bit| !bit.hidden && bit.name.starts_with("vmx-"))
        .map(|bit| bit.name)
        .collect();
    for (model, expected) in &fixture {
        let mut config = CpuConfig::new(catalogue.find(model).unwrap(), &Tcg);
        config.set_text("vmx", "on").unwrap();
        let expanded = config.expand(&CpuTopology::single(), &Tcg).unwrap().config;
        let ours: BTreeSet<String> = names
            .iter()
            .filter(|name| expanded.get(name) == Some(Value::Bool(true)))
            .map(|name| (*name).to_owned())
            .collect();
        assert_eq!(&ours, expected, "{model}");
    }
}

/// Rows of leaf, sub-leaf and the four registers.
#[derive(Deserialize)]
struct Case {
    cpu: String,
    /// Counts of `-smp`; those not given are 1.
    smp: String,
    rows: Vec<[u32; 6]>,
}

fn topology(smp: &str) -> CpuTopology {
    let count = |name: &str| {
        smp.split(',')
            .filter_map(|part| part.split_once('='))
            .find(|(key, _)| *key == name)
            .map_or(1, |(_, n)| n.parse().expect("a count"))
    };
    CpuTopology::new(count("dies"), count("modules"), count("cores"), count("threads")).expect("a topology")
}

#[test]
fn caches_are_the_same() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/guest-cpuid-caches.json")).unwrap();
    assert!(cases.len() > 100, "{}", cases.len());
    let mut differing = Vec::new();
    for Case { cpu, smp, rows } in &cases {
        let text = format!("{cpu},x-force-features=on");
        let table = describe(&text, Placement::boot(topology(smp)), &Tcg).unwrap().cpu.table;
        for row in rows {
            let r = table.read_at_reset(row[0], row[1]);
            let ours = [row[0], row[1], r.eax, r.ebx, r.ecx, r.edx];
            if ours != *row {
                differing.push(format!("{cpu} {smp}:\n  ours   {ours:x?}\n  theirs {row:x?}"));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
