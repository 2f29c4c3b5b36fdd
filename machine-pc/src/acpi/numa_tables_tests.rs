//! SRAT, SLIT and HMAT against those that the reference gives to a guest, byte for byte.

use std::collections::HashMap;

use acpi_tables::sdt::Sdt;
use serde_json::Value;
use target_i386::topology::CacheSharing;

use super::{OemIds, hmat, slit, srat};
use crate::cmdline::CommandLine;
use crate::machine::possible_cpus::{PossibleCpu, PossibleCpus};
use crate::memory::RamLayout;
use crate::numa::{Memdev, NumaOptions, NumaState};
use crate::smp::SmpLimits;

/// The tables of a command line, in hexadecimal.
fn tables(arguments: &[String]) -> HashMap<&'static str, String> {
    let line = CommandLine::parse(arguments.iter().cloned()).unwrap();
    let q35 = line.machine.type_name.as_deref() == Some("q35");
    let smp = line.smp.resolve(&SmpLimits::pc("pc", if q35 { 4096 } else { 255 }, false)).unwrap();
    let cpus = PossibleCpus::new(smp, CacheSharing::AS_MODEL).unwrap();
    let enabled = line.machine.properties.get("hmat").is_some_and(|on| on == "on");
    let mut state = NumaState::new(cpus.iter().map(PossibleCpu::numa_slot).collect(), false, enabled);
    let memory = |name: &str| {
        let object = line.objects.iter().find(|object| object.values["id"] == name)?;
        let size = qom::text::parse_size(object.values["size"].as_str()?)?;
        Some(Memdev { path: name.to_owned(), id: name.to_owned(), size })
    };
    for option in &line.numa {
        state.apply(&NumaOptions::from_pairs(&option.pairs).unwrap(), memory).unwrap();
    }
    let ram = line.memory_size.unwrap_or(128 << 20);
    let numa = state.complete(ram).unwrap();
    let layout = if q35 { RamLayout::q35(ram, None) } else { RamLayout::i440fx(ram, None) };
    let oem = OemIds::default();
    let made = [
        ("SRAT", srat(&numa, cpus.iter().map(|cpu| cpu.apic_id), layout, oem)),
        ("SLIT", slit(&numa, oem)),
        ("HMAT", hmat(&numa, oem)),
    ];
    let hex = |table: Vec<u8>| table.iter().map(|byte| format!("{byte:02x}")).collect();
    made.into_iter().filter_map(|(name, table)| Some((name, hex(table?)))).collect()
}

#[test]
fn tables_are_the_references() {
    let mut count = HashMap::new();
    for line in include_str!("fixtures/numa-tables.jsonl").lines().filter(|line| !line.starts_with('#')) {
        let case: Value = serde_json::from_str(line).unwrap();
        let arguments: Vec<String> = serde_json::from_value(case["arguments"].clone()).unwrap();
        let made = tables(&arguments);
        for name in ["SRAT", "SLIT", "HMAT"] {
            let expected = case.get(name).and_then(Value::as_str);
            assert_eq!(made.get(name).map(String::as_str), expected, "{name} of {arguments:?}");
            *count.entry(name).or_insert(0) += usize::from(expected.is_some());
        }
    }
    assert!(count["SRAT"] >= 43 && count["SLIT"] >= 10 && count["HMAT"] >= 28, "{count:?}");
}

/// The sum of a table's bytes is 0, and its length is in its header.
#[test]
fn tables_are_whole() {
    let table = OemIds::default().table(*b"TEST", 3, &[1, 2, 3]);
    assert_eq!(table.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
    assert_eq!((&table[..4], table[4], table[8]), (&b"TEST"[..], 39, 3));
    // What the crate makes without our names differs in nothing else.
    let mut plain = Sdt::new(*b"TEST", 36, 3, *b"BOCHS ", *b"BXPC    ", 1);
    plain.append_slice(&[1, 2, 3]);
    assert_eq!((&table[10..28], &table[36..]), (&plain.as_slice()[10..28], &plain.as_slice()[36..]));
}

#[test]
fn a_machine_without_nodes_has_no_tables() {
    assert!(tables(&[]).is_empty());
    assert!(tables(&["-machine".to_owned(), "hmat=on".to_owned()]).is_empty());
}
