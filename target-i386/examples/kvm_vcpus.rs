//! From a model's name and a topology to vCPUs: `cargo run -p target-i386 --no-default-features --features kvm
//! --example kvm_vcpus -- 'Skylake-Server-v4,-hle' 2 2`. Without arguments: `qemu64` with two cores of one thread.

use std::error::Error;

use kvm_ioctls::{Kvm, VcpuFd};
use target_i386::source::{HostCpuid, Irqchip, Kvm as KvmSource};
use target_i386::topology::{CpuTopology, Placement};

/// The vCPUs of one socket, with the CPUID table of each set.
pub(crate) fn vcpus(kvm: &Kvm, text: &str, topology: CpuTopology) -> Result<Vec<VcpuFd>, Box<dyn Error>> {
    let source = KvmSource::new(HostCpuid::record(kvm)?, Irqchip::Kernel);
    let vm = kvm.create_vm()?;
    vm.create_irq_chip()?;
    let count = topology.cores_per_module() * topology.threads_per_core();
    let mut vcpus = Vec::new();
    for index in 0..count {
        let apic_id = topology.encode(topology.ids_of_index(index)).ok_or("too many CPUs")?;
        let described = target_i386::describe(text, Placement { topology, apic_id }, &source)?;
        for warning in described.warnings.iter().filter(|_| index == 0) {
            eprintln!("warning: {warning}");
        }
        // KVM's number of a vCPU is its APIC ID.
        let vcpu = vm.create_vcpu(apic_id.0.into())?;
        vcpu.set_cpuid2(&described.cpu.table.to_kvm()?)?;
        vcpus.push(vcpu);
    }
    Ok(vcpus)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let text = words.next().unwrap_or_else(|| "qemu64".to_owned());
    let mut count = |default| words.next().map_or(Ok(default), |word| word.parse());
    let topology = CpuTopology::new(1, 1, count(2)?, count(1)?)?;
    for vcpu in vcpus(&Kvm::new()?, &text, topology)? {
        let table = vcpu.get_cpuid2(kvm_bindings::KVM_MAX_CPUID_ENTRIES)?;
        println!("{} CPUID entries", table.as_slice().len());
    }
    Ok(())
}
