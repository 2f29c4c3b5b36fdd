//! The time stamp counter's frequency and the machine check architecture of CPUs under KVM, against what QEMU 11.1.2
//! said and its guest read (`fixtures/kvm-tsc.json`).

use std::collections::BTreeMap;

use serde::Deserialize;
use target_i386::source::{CpuidSource, HostCpuid, Irqchip, Kvm, Tcg};
use target_i386::topology::{CpuTopology, Placement};
use target_i386::{DescribeError, describe};

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Case {
    /// `tsc-frequency` of the realized CPU, in Hz.
    frequency: i64,
    /// Highest leaf of the range from 4000_0000h (EAX there).
    highest: u32,
    /// EAX and EBX of leaf 4000_0010h.
    timing: [u32; 2],
    /// IA32_MCG_CAP.
    mcg_cap: u64,
}

/// IA32_MCG_CAP of a vCPU that nobody told another: KVM's 32 banks.
const KVMS_OWN: u64 = 0x20;

/// The host of the fixture: a KVM of the kind that this file was recorded on, where it ran at that frequency.
fn host() -> HostCpuid {
    let mut host =
        HostCpuid::from_json(include_str!("../hosts/software-kvm-epyc.json")).expect("a host file");
    host.tsc_khz = Some(2_596_146);
    host
}

fn boot() -> Placement {
    Placement::boot(CpuTopology::single())
}

#[test]
fn guests_find_the_same() {
    let cases: BTreeMap<String, Case> =
        serde_json::from_str(include_str!("fixtures/kvm-tsc.json")).expect("a fixture");
    assert_eq!(cases.len(), 12);
    let source = Kvm::new(host(), Irqchip::Kernel);
    for (text, expected) in cases {
        let cpu = describe(&text, boot(), &source).expect("a CPU").cpu;
        let timing = cpu.table.read_at_reset(0x4000_0010, 0);
        let ours = Case {
            frequency: cpu.config.tsc_khz * 1000,
            highest: cpu.table.read_at_reset(0x4000_0000, 0).eax,
            // Beyond the highest leaf a guest reads something else.
            timing: if expected.highest < 0x4000_0010 { [0, 0] } else { [timing.eax, timing.ebx] },
            mcg_cap: cpu.machine_check.unwrap_or(KVMS_OWN),
        };
        assert_eq!(ours, expected, "{text}");
        assert_eq!(cpu.wanted_tsc_khz().is_some(), text.contains("tsc-frequency"), "{text}");
    }
}

/// As on a host whose file does not tell, and on none.
#[test]
fn an_unknown_frequency_stays_unknown() {
    let untold = Kvm::new(HostCpuid { tsc_khz: None, ..host() }, Irqchip::Kernel);
    for source in [&untold as &dyn CpuidSource, &Tcg] {
        let cpu = describe("qemu64,+invtsc", boot(), source).expect("a CPU").cpu;
        assert_eq!(cpu.config.tsc_khz, 0);
        assert!(cpu.table.limits().of(0x4000_0000) < 0x4000_0010);
    }
}

#[test]
fn local_machine_checks_need_a_host_that_has_them() {
    const LMCE: u64 = 1 << 27;
    let source = |lmce| Kvm::new(HostCpuid { lmce, ..host() }, Irqchip::Kernel);
    let machine_check = |text, source: &dyn CpuidSource| {
        describe(text, boot(), source).map(|described| described.cpu.machine_check)
    };
    let refused = machine_check("qemu64,lmce=on", &source(false));
    assert!(
        matches!(&refused, Err(error @ DescribeError::Realize(_)) if error.to_string() == "kvm: LMCE not supported")
    );
    assert_eq!(machine_check("qemu64,lmce=on", &source(true)), Ok(Some(0x0100_010a | LMCE)));
    // `host` has them where the host does.
    assert_eq!(machine_check("host", &source(true)), Ok(Some(0x0100_010a | LMCE)));
    assert_eq!(machine_check("host", &source(false)), Ok(Some(0x0100_010a)));
    assert_eq!(machine_check("qemu64,lmce=on,-mca", &source(false)), Ok(None));
    assert_eq!(machine_check("qemu64,lmce=on", &Tcg), Ok(Some(0x0100_010a | LMCE)));
}
