//! The code of the example `kvm_vcpus`, as it stands, where `/dev/kvm` can be used.

use kvm_ioctls::Kvm;
use target_i386::topology::CpuTopology;

#[path = "../examples/kvm_vcpus.rs"]
#[expect(dead_code, reason = "the example's main is for people")]
mod example;

#[test]
fn a_model_and_a_topology_become_vcpus() {
    let kvm = match Kvm::new() {
        Ok(kvm) => kvm,
        Err(error) => {
            eprintln!("SKIPPED a_model_and_a_topology_become_vcpus: /dev/kvm cannot be used: {error}");
            return;
        }
    };
    // Three cores need two bits above the thread's, so the IDs of the first six are 0 to 5.
    let topology = CpuTopology::new(1, 1, 3, 2).expect("a topology");
    let vcpus = example::vcpus(&kvm, "Haswell,-hle,-rtm", topology).expect("vCPUs");
    assert_eq!(vcpus.len(), 6);
    for (vcpu, apic_id) in vcpus.iter().zip(0..) {
        let table = vcpu.get_cpuid2(kvm_bindings::KVM_MAX_CPUID_ENTRIES).expect("a table");
        let find = |leaf, index| {
            *table.as_slice().iter().find(|e| e.function == leaf && e.index == index).expect("an entry")
        };
        // Leaf 0Bh: EDX is the x2APIC ID, EBX of sub-leaf 1 counts the threads of the package.
        assert_eq!(find(0xb, 0).edx, apic_id);
        assert_eq!((find(0xb, 1).eax & 0x1f, find(0xb, 1).ebx & 0xffff), (3, 6));
    }
    let error = example::vcpus(&kvm, "nothing", topology).map(drop).expect_err("no such model");
    assert_eq!(error.to_string(), "unable to find CPU model 'nothing'");
}
