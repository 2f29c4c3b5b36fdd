//! What the guest on a hot-added CPU reads from CPUID is what the pure function computes.
//!
//! The guest prints its rows on request (`v` on its console). The expectation comes from `target-i386` alone, which knows
//! nothing of the program, given a recording of this host's KVM. Some KVMs show a guest other bits than they were
//! given; which, is asked of a bare vCPU of the test's own, and only those bits are left out of the comparison.

#![expect(clippy::unwrap_used, reason = "in a test, what is not as expected fails it")]

use std::collections::BTreeMap;

use kvm_bindings::CpuId;
use serde_json::json;
use target_i386::source::{HostCpuid, Irqchip, Kvm as KvmSource};
use target_i386::topology::{ApicId, CpuTopology, Placement};
use tests::{Program, kvm_or_skip};

type Rows = BTreeMap<(u32, u32), [u32; 4]>;

/// The rows that the guest printed for a CPU: `cpu N: cpuid LEAF:SUBLEAF EAX EBX ECX EDX`.
fn printed_rows(console: &str, cpu: u32) -> Rows {
    let prefix = format!("cpu {cpu}: cpuid ");
    let hex = |text: &str| u32::from_str_radix(text, 16);
    console
        .lines()
        .filter_map(|line| line.trim_end().strip_prefix(prefix.as_str()))
        .filter_map(|row| {
            let (index, registers) = row.split_once(' ')?;
            let (leaf, subleaf) = index.split_once(':')?;
            let registers: Vec<u32> =
                registers.split(' ').filter_map(|register| hex(register).ok()).collect();
            Some(((hex(leaf).ok()?, hex(subleaf).ok()?), registers.try_into().ok()?))
        })
        .collect()
}

/// The bits that this KVM changes in a table that it is given.
fn forced_bits(table: &CpuId) -> Rows {
    let kvm = kvm_ioctls::Kvm::new().unwrap();
    let vm = kvm.create_vm().unwrap();
    vm.create_irq_chip().unwrap();
    let vcpu = vm.create_vcpu(1).unwrap();
    vcpu.set_cpuid2(table).unwrap();
    let shown = vcpu.get_cpuid2(kvm_bindings::KVM_MAX_CPUID_ENTRIES).unwrap();
    let shown: BTreeMap<_, _> =
        shown.as_slice().iter().map(|e| ((e.function, e.index), [e.eax, e.ebx, e.ecx, e.edx])).collect();
    table
        .as_slice()
        .iter()
        .filter_map(|e| {
            let given = [e.eax, e.ebx, e.ecx, e.edx];
            let shown = shown.get(&(e.function, e.index))?;
            Some(((e.function, e.index), std::array::from_fn(|i| given[i] ^ shown[i])))
        })
        .collect()
}

fn compare(cpu: &str) {
    let program = Program::start(&["-accel", "kvm", "-cpu", cpu, "-smp", "1,maxcpus=4,cores=2,threads=2"]);
    let mut qmp = program.qmp();
    let _ = program.wait_console("cpu 0: up", 1);
    program.type_on_console("v");
    let _ = program.wait_console("cpu 0: cpuid end", 1);
    let _ = qmp.ok("cpu-add", &json!({"id": 3}));
    let _ = program.wait_console("cpu 3: cpuid end", 1);
    let printed = printed_rows(&program.console(), 3);
    assert!(printed.len() > 10, "{printed:?}");

    let host = HostCpuid::record(&kvm_ioctls::Kvm::new().unwrap()).unwrap();
    let source = KvmSource::new(host, Irqchip::Kernel);
    let topology = CpuTopology::new(1, 1, 2, 2).unwrap();
    let placement = Placement { topology, apic_id: ApicId(3) };
    let described = target_i386::describe(cpu, placement, &source).unwrap();
    let table = &described.cpu.table;
    let forced = forced_bits(&table.to_kvm().unwrap());
    for (&(leaf, subleaf), got) in &printed {
        let expected = table.read_at_reset(leaf, subleaf);
        let expected = [expected.eax, expected.ebx, expected.ecx, expected.edx];
        let ignored =
            forced.get(&(leaf, subleaf)).or_else(|| forced.get(&(leaf, 0))).copied().unwrap_or_default();
        for i in 0..4 {
            let differing = (got[i] ^ expected[i]) & !ignored[i];
            assert_eq!(
                differing, 0,
                "{cpu}: leaf {leaf:#x}:{subleaf:#x}, register {i}: the guest read {:#010x}, computed is {:#010x}, \
                 this KVM forces {:#010x}",
                got[i], expected[i], ignored[i]
            );
        }
    }
    // Identity and topology are never a matter of the host's KVM.
    let row = |leaf, subleaf| printed.get(&(leaf, subleaf)).copied().unwrap_or_default();
    assert_eq!(row(1, 0)[1] >> 24, 3, "initial APIC ID");
    assert_eq!(row(0xb, 0)[3], 3, "x2APIC ID");
    assert_eq!(
        row(0, 0)[1..],
        [table.read_at_reset(0, 0).ebx, table.read_at_reset(0, 0).ecx, table.read_at_reset(0, 0).edx]
    );
}

#[test]
fn qemu64() {
    if kvm_or_skip("guest_cpuid::qemu64") {
        compare("qemu64");
    }
}

#[test]
fn host() {
    if kvm_or_skip("guest_cpuid::host") {
        compare("host");
    }
}

#[test]
fn haswell_with_another_vendor() {
    if kvm_or_skip("guest_cpuid::haswell_with_another_vendor") {
        compare("Haswell,vendor=GenuineIntel");
    }
}

#[test]
fn epyc_without_svm() {
    if kvm_or_skip("guest_cpuid::epyc_without_svm") {
        compare("EPYC,-svm");
    }
}
