//! CPUID tables for topologies, old machine types and unusual properties, against what the first
//! CPU of QEMU 11.1.2 reads (`fixtures/guest-cpuid-topology.json`, `fixtures/guest-cpuid-models-topology.json`).
//!
//! The guest program is a boot sector that walks, in real mode, the leaves from 0, 4000_0000h and
//! 8000_0000h to the last one that the first of each range gives, with 6 sub-leaves (32 of leaf
//! 0Dh: the reference stops itself when a guest asks for more of leaf 1Fh), and writes leaf,
//! sub-leaf and the four registers to the debug port.

use std::collections::BTreeMap;

use serde::Deserialize;
use target_i386::config::CpuConfig;
use target_i386::cpu_string::CpuString;
use target_i386::cpuid::{CpuidRegs, CpuidTable};
use target_i386::model::{Catalogue, TYPE_SUFFIX};
use target_i386::realize::RealizedCpu;
use target_i386::source::Tcg;
use target_i386::topology::{CpuTopology, Placement};

#[derive(Deserialize)]
struct Case {
    cpu: String,
    smp: String,
    machine: String,
    rows: Vec<[u32; 6]>,
}

/// What each machine type sets on CPUs, in this order: type, property and value.
type Compat = BTreeMap<String, Vec<[String; 3]>>;

fn compat() -> Compat {
    serde_json::from_str(include_str!("fixtures/cpu-compat.json")).expect("fixtures are JSON")
}

fn set_compat(config: &mut CpuConfig, properties: &[[String; 3]]) {
    let model = format!("{}{TYPE_SUFFIX}", config.model_name);
    for [of, name, value] in properties {
        if of == "x86_64-cpu" || *of == model {
            config.set_text(name, value).expect("a property");
        }
    }
}

/// The topology of `-smp` with all counts but that of sockets given or 1; without any, CPUs are
/// cores of one socket.
fn topology(smp: &str) -> CpuTopology {
    let mut counts = [1u32; 4];
    for part in smp.split(',') {
        let (name, n) = part.split_once('=').unwrap_or(("cpus", part));
        let n: u32 = n.parse().expect("a count");
        match name {
            "cpus" if !smp.contains('=') => counts[2] = n,
            "cpus" | "sockets" => {}
            "dies" => counts[0] = n,
            "modules" => counts[1] = n,
            "cores" => counts[2] = n,
            "threads" => counts[3] = n,
            other => panic!("unknown count {other}"),
        }
    }
    CpuTopology::new(counts[0], counts[1], counts[2], counts[3]).expect("a topology")
}

fn realize(case: &Case, compat: &Compat) -> RealizedCpu {
    let text = CpuString::parse(&case.cpu);
    let catalogue = Catalogue::builtin();
    let mut config = CpuConfig::new(catalogue.find(&text.model).expect("a model"), &Tcg);
    let machine = if case.machine == "pc" { "pc-i440fx-11.1" } else { &case.machine };
    set_compat(&mut config, &compat[machine]);
    text.apply(&mut config).expect("settings");
    let place = Placement::boot(topology(&case.smp));
    config.realize(place, &Tcg, &mut Vec::new()).expect("a CPU")
}

fn subleaves(leaf: u32) -> u32 {
    match leaf {
        0xb => 4,
        0xd => 32,
        0x4 | 0x7 | 0x12 | 0x14 | 0x1d | 0x1e | 0x1f | 0x24 | 0x29 | 0x8000_001d => 6,
        _ => 1,
    }
}

fn listing(table: &CpuidTable) -> Vec<[u32; 6]> {
    let mut rows = Vec::new();
    for base in [0u32, 0x4000_0000, 0x8000_0000] {
        let last = table.read_at_reset(base, 0).eax;
        let last = if (base..base + 0x1000).contains(&last) { last } else { base };
        for leaf in base..=last {
            for subleaf in 0..subleaves(leaf) {
                let r = table.read_at_reset(leaf, subleaf);
                if r != CpuidRegs::ZERO {
                    rows.push([leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx]);
                }
            }
        }
    }
    rows
}

fn hex(rows: &[[u32; 6]]) -> Vec<String> {
    rows.iter()
        .map(|r| format!("{:8x} {:2x}: {:08x} {:08x} {:08x} {:08x}", r[0], r[1], r[2], r[3], r[4], r[5]))
        .collect()
}

fn compare(cases: &[Case], looked_at: impl Fn(&[u32; 6]) -> bool) {
    let (compat, mut failures) = (compat(), Vec::new());
    for case in cases {
        let mut rows = listing(&realize(case, &compat).table);
        rows.retain(&looked_at);
        let (ours, theirs) = (hex(&rows), hex(&case.rows));
        if ours != theirs {
            let only = |a: &[String], b: &[String]| {
                a.iter().filter(|row| !b.contains(row)).cloned().collect::<Vec<_>>().join("\n    ")
            };
            failures.push(format!(
                "{} -smp {} -M {}\n  ours\n    {}\n  theirs\n    {}",
                case.cpu,
                case.smp,
                case.machine,
                only(&ours, &theirs),
                only(&theirs, &ours)
            ));
        }
    }
    assert!(failures.is_empty(), "{} differ\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn guests_read_the_same() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/guest-cpuid-topology.json")).unwrap();
    assert!(cases.len() >= 70, "{}", cases.len());
    compare(&cases, |_| true);
}

/// Models with caches of their own and models of all vendors; of most leaves with sub-leaves only the first four.
/// The level is one at which no guest makes the reference stop itself (see above).
#[test]
fn guests_of_other_models_read_the_same() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("fixtures/guest-cpuid-models-topology.json")).unwrap();
    assert_eq!(cases.len(), 90);
    compare(&cases, |[leaf, subleaf, ..]| *leaf == 0xd || *subleaf < 4);
}

#[test]
fn every_machine_type_has_every_model() {
    let (compat, catalogue) = (compat(), Catalogue::builtin());
    assert_eq!(compat.len(), 41);
    for properties in compat.values() {
        for entry in catalogue.entries() {
            let mut config = CpuConfig::new(entry, &Tcg);
            set_compat(&mut config, properties);
            assert!(config.expand(&CpuTopology::single(), &Tcg).is_ok(), "{}", entry.name());
        }
    }
}
