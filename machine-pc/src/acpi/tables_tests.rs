//! All tables of a machine: against those that the reference gives to a guest, and as a whole for any set of CPUs.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::Value;
use target_i386::topology::CacheSharing;

use super::tables::{MAX_CPUS, build};
use super::{AcpiCpu, AcpiDescription, AcpiTables, OemIds};
use crate::cmdline::CommandLine;
use crate::machine::Chipset;
use crate::machine::possible_cpus::{PossibleCpu, PossibleCpus};
use crate::memory::RamLayout;
use crate::numa::{NumaOptions, NumaState};
use crate::serial::COM_PORTS;
use crate::smp::SmpLimits;

const AT: u64 = 0xe_0000;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

fn description(chipset: Chipset, cpus: Vec<AcpiCpu>) -> AcpiDescription {
    let cpu_hotplug = Some(match chipset {
        Chipset::I440fx => 0xaf00,
        Chipset::Q35 => 0xcd8,
    });
    let ram = RamLayout { below_4g: 128 << 20, above_4g: 0 };
    let oem = OemIds::default();
    AcpiDescription {
        chipset,
        cpus,
        numa: None,
        ram,
        cpu_hotplug,
        i8042: true,
        serials: [Some(COM_PORTS[0]), None, None, None],
        oem,
    }
}

/// The table at an address, whole and right.
fn table_at(tables: &AcpiTables, at: u64, address: u64) -> &[u8] {
    let from = usize::try_from(address.checked_sub(at).expect("before the tables")).unwrap();
    let rest = &tables.tables[from..];
    let table = &rest[..u32_at(rest, 4) as usize];
    assert!(&table[..4] == b"FACS" || sum(table) == 0, "{:?}", &table[..4]);
    table
}

/// All tables by their names, found as an operating system finds them: by the XSDT, and the RSDT where there is one.
fn walk(tables: &AcpiTables, at: u64) -> HashMap<String, Vec<u8>> {
    let rsdp = &tables.rsdp;
    assert_eq!((&rsdp[..8], rsdp[15], u32_at(rsdp, 20)), (&b"RSD PTR "[..], 2, 36));
    assert_eq!((sum(&rsdp[..20]), sum(rsdp)), (0, 0));
    let xsdt = table_at(tables, at, u64_at(rsdp, 24));
    assert_eq!(&xsdt[..4], b"XSDT");
    let entries: Vec<u64> = xsdt[36..].chunks(8).map(|entry| u64_at(entry, 0)).collect();
    match u32_at(rsdp, 16) {
        0 => assert!(at + tables.tables.len() as u64 > 1 << 32, "no RSDT"),
        rsdt => {
            let rsdt = table_at(tables, at, rsdt.into());
            assert_eq!(&rsdt[..4], b"RSDT");
            let short: Vec<u64> = rsdt[36..].chunks(4).map(|entry| u32_at(entry, 0).into()).collect();
            assert_eq!(short, entries);
        }
    }
    let mut found = HashMap::new();
    let mut add = |address| {
        let table = table_at(tables, at, address);
        let name = String::from_utf8(table[..4].to_vec()).unwrap();
        assert!(found.insert(name, table.to_vec()).is_none(), "twice");
    };
    entries.iter().copied().for_each(&mut add);
    let fadt = table_at(tables, at, entries[0]);
    assert_eq!(&fadt[..4], b"FACP", "the first");
    let address = |short: usize, long: usize| match u32_at(fadt, short) {
        0 => u64_at(fadt, long),
        address => address.into(),
    };
    let facs = address(36, 132);
    assert!(facs.is_multiple_of(64));
    add(facs);
    add(address(40, 140));
    // Nothing lies beyond the tables but what aligns the end.
    assert!(tables.tables.len().is_multiple_of(64));
    found
}

/// A recorded machine's description, and its tables.
fn recorded() -> Vec<(AcpiDescription, HashMap<String, Vec<u8>>)> {
    let lines = include_str!("fixtures/acpi-tables.jsonl").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let case: Value = serde_json::from_str(line).unwrap();
            let arguments: Vec<String> = serde_json::from_value(case["arguments"].clone()).unwrap();
            let present: Vec<usize> = serde_json::from_value(case["present"].clone()).unwrap();
            let machine = &arguments[1];
            let chipset = if machine.starts_with("q35") { Chipset::Q35 } else { Chipset::I440fx };
            let line = CommandLine::parse(["-smp".to_owned(), arguments[3].clone()]).unwrap();
            let smp = line.smp.resolve(&SmpLimits::pc("pc", 4096, false)).unwrap();
            let cpus = PossibleCpus::new(smp, CacheSharing::AS_MODEL).unwrap();
            let cpu = |(slot, cpu): (usize, &PossibleCpu)| AcpiCpu {
                apic_id: cpu.apic_id.0,
                present: present.contains(&slot),
                node: None,
            };
            let mut description = description(chipset, cpus.iter().enumerate().map(cpu).collect());
            let serials = arguments.iter().filter(|argument| *argument == "-serial").count();
            description.serials = [0, 1, 2, 3].map(|number| (number < serials).then(|| COM_PORTS[number]));
            description.i8042 = !machine.contains("i8042=off");
            if machine.contains("x-oem-id=AB,x-oem-table-id=CD") {
                description.oem = OemIds { oem_id: *b"AB\0\0\0\0", oem_table_id: *b"CD\0\0\0\0\0\0" };
            }
            let bytes = |hex: &str| {
                let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                (0..hex.len()).step_by(2).map(byte).collect()
            };
            let table = |name: &str| Some((name.to_owned(), bytes(case.get(name)?.as_str()?)));
            (description, ["FACP", "APIC", "WAET", "DSDT"].into_iter().filter_map(table).collect())
        })
        .collect()
}

/// A FADT without what tells where the other tables are, and the checksum over it.
fn without_addresses(mut fadt: Vec<u8>) -> Vec<u8> {
    fadt[9] = 0;
    fadt[36..44].fill(0);
    if let Some(x_dsdt) = fadt.get_mut(140..148) {
        x_dsdt.fill(0);
    }
    fadt
}

#[test]
fn fadt_madt_and_waet_are_the_references() {
    let recorded = recorded();
    assert!(recorded.len() >= 12);
    for (description, theirs) in recorded {
        let ours = walk(&build(&description, AT), AT);
        assert_eq!(ours["APIC"], theirs["APIC"], "MADT of {description:?}");
        assert_eq!(ours["WAET"], theirs["WAET"]);
        let (ours, theirs) = (ours["FACP"].clone(), theirs["FACP"].clone());
        assert_eq!(without_addresses(ours), without_addresses(theirs), "FADT of {description:?}");
    }
}

/// Whether `part` is somewhere in `whole`.
fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

/// The object that begins with `operator` and `name` after its length of one byte.
fn object<'a>(dsdt: &'a [u8], operator: &[u8], name: &[u8; 4]) -> &'a [u8] {
    let start = (0..dsdt.len())
        .find(|at| {
            let at_name = at + operator.len() + 1;
            dsdt[*at..].starts_with(operator) && dsdt.get(at_name..at_name + 4) == Some(name)
        })
        .unwrap_or_else(|| panic!("no {}", String::from_utf8_lossy(name)));
    let length = usize::from(dsdt[start + operator.len()]);
    assert!(length < 0x40);
    &dsdt[start..start + operator.len() + length]
}

/// The devices are declared as there, but for where they are; so are the fields of the CPU hotplug registers.
#[test]
fn devices_are_the_references() {
    let mut count = 0;
    for (description, theirs) in recorded() {
        let Some(theirs) = theirs.get("DSDT") else { continue };
        let ours = &walk(&build(&description, AT), AT)["DSDT"];
        let serials = [b"COM1", b"COM2", b"COM3", b"COM4"].into_iter().zip(description.serials);
        let serials = serials.filter_map(|(name, port)| port.map(|_| name));
        let names = [b"KBD_", b"RTC_"].into_iter().chain(serials);
        let mut whole: Vec<&[u8]> = names.map(|name| object(ours, &[0x5b, 0x82], name)).collect();
        let at = ours.windows(5).position(|window| window == b"\x08_S5_" || window == b"\\_S5_").unwrap();
        whole.push(&ours[at + 1..]);
        // From the mutex to the end of the device.
        let registers = ours.windows(4).position(|window| window == b"CPLK").unwrap();
        let cpus = ours.windows(9).position(|window| window == b"_SB_CPUS\x08").unwrap();
        whole.push(&ours[registers..cpus - 6]);
        for part in whole {
            assert!(contains(theirs, part), "{}", String::from_utf8_lossy(part));
            count += 1;
        }
    }
    assert_eq!(count, 18);
}

#[test]
fn what_is_not_there_is_not_declared() {
    let mut description = description(Chipset::Q35, vec![AcpiCpu { apic_id: 0, present: true, node: None }]);
    let names: [&[u8]; 7] = [b"KBD_", b"COM1", b"PRES", b"CPUS", b"_E02", b"_PXM", b"_EJ0"];
    let declared = |description: &AcpiDescription| {
        let dsdt = &walk(&build(description, AT), AT)["DSDT"];
        names.map(|name| contains(dsdt, name))
    };
    assert_eq!(declared(&description), [true, true, true, true, true, false, false]);
    description.i8042 = false;
    description.serials[0] = None;
    description.cpus.push(AcpiCpu { apic_id: 1, present: false, node: Some(0) });
    assert_eq!(declared(&description), [false, false, true, true, true, true, true]);
    description.cpu_hotplug = None;
    assert_eq!(declared(&description), [false; 7]);
}

#[test]
fn numa_tables_are_among_the_others() {
    let smp = CommandLine::parse(["-smp", "2"].map(str::to_owned)).unwrap().smp;
    let cpus =
        PossibleCpus::new(smp.resolve(&SmpLimits::pc("pc", 255, false)).unwrap(), CacheSharing::AS_MODEL);
    let cpus = cpus.unwrap();
    let mut state = NumaState::new(cpus.iter().map(PossibleCpu::numa_slot).collect(), true, true);
    for option in ["node,mem=64M", "node,mem=64M", "dist,src=0,dst=1,val=20"] {
        let line = CommandLine::parse(["-numa", option].map(str::to_owned)).unwrap();
        state.apply(&NumaOptions::from_pairs(&line.numa[0].pairs).unwrap(), |_| None).unwrap();
    }
    let cpus = cpus.iter().map(|cpu| AcpiCpu { apic_id: cpu.apic_id.0, present: true, node: Some(0) });
    let mut description = description(Chipset::I440fx, cpus.collect());
    let mut plain: Vec<String> = walk(&build(&description, AT), AT).into_keys().collect();
    plain.sort();
    assert_eq!(plain, ["APIC", "DSDT", "FACP", "FACS", "WAET"]);
    let numa = state.complete(128 << 20).unwrap();
    description.numa = Some(numa.clone());
    let found = walk(&build(&description, AT), AT);
    let apic_ids = [0, 1].map(target_i386::topology::ApicId);
    let oem = description.oem;
    assert_eq!(Some(&found["SRAT"]), super::srat(&numa, apic_ids, description.ram, oem).as_ref());
    assert_eq!(Some(&found["SLIT"]), super::slit(&numa, oem).as_ref());
    assert_eq!(Some(&found["HMAT"]), super::hmat(&numa, oem).as_ref());
}

/// Pointers of 32 bits are not cut: what needs 64 has them.
#[test]
fn tables_beyond_4_gib_are_found() {
    let cpus = vec![AcpiCpu { apic_id: 0, present: true, node: None }];
    for chipset in [Chipset::I440fx, Chipset::Q35] {
        for at in [1 << 32, (1 << 32) - 64, (1 << 40) + 64] {
            let found = walk(&build(&description(chipset, cpus.clone()), at), at);
            assert_eq!((found["FACP"].len(), found["FACP"][8]), (244, 3));
        }
    }
}

#[test]
fn cpus_beyond_the_last_name_are_left_out() {
    let cpu = |apic_id| AcpiCpu { apic_id, present: false, node: Some(7) };
    let tables = |count: usize| build(&description(Chipset::Q35, (0..count as u32).map(cpu).collect()), AT);
    let most = tables(MAX_CPUS);
    assert!(contains(&walk(&most, AT)["DSDT"], b"CFFF"));
    assert_eq!(most, tables(MAX_CPUS + 1));
}

fn any_cpus() -> impl Strategy<Value = Vec<AcpiCpu>> {
    let cpu = (any::<u32>(), 0..300u32, any::<bool>(), any::<bool>(), any::<Option<u32>>());
    let cpu = cpu.prop_map(|(high, low, near, present, node)| AcpiCpu {
        apic_id: if near { low } else { high },
        present,
        node,
    });
    prop::collection::vec(cpu, 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any CPUs, in any order, even with the same IDs: checksums, lengths and pointers hold, each CPU is in the MADT once
    /// with its state, and the size grows by a bounded piece a CPU.
    #[test]
    fn any_cpus_make_whole_tables(
        cpus in any_cpus(),
        q35 in any::<bool>(),
        at in prop_oneof![Just(AT), 0..u64::from(u32::MAX) / 64 - 1000, 1u64 << 26..1 << 40],
    ) {
        let chipset = if q35 { Chipset::Q35 } else { Chipset::I440fx };
        let at = if at == AT { at } else { at * 64 };
        let tables = build(&description(chipset, cpus.clone()), at);
        let found = walk(&tables, at);
        let mut entries = &found["APIC"][44..];
        for (slot, cpu) in (0..).zip(&cpus) {
            let (length, uid, apic_id, flags) = match entries[0] {
                0 => (8, entries[2].into(), entries[3].into(), u32_at(entries, 4)),
                9 => (16, u32_at(entries, 12), u32_at(entries, 4), u32_at(entries, 8)),
                other => panic!("entry of type {other}"),
            };
            prop_assert_eq!(usize::from(entries[1]), length);
            prop_assert_eq!((uid, apic_id, flags), (slot, cpu.apic_id, u32::from(cpu.present)));
            entries = &entries[length..];
        }
        prop_assert_eq!(entries[0], 1, "the I/O APIC follows");
        // A CPU's objects take at most 140 bytes, its MADT entry 16; the rest is some hundred bytes.
        prop_assert!(tables.tables.len() <= 2500 + 160 * cpus.len(), "{}", tables.tables.len());
    }
}
