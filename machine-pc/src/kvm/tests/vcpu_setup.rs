//! What a vCPU is told before it runs, beyond its CPUID table: the frequency of its time stamp counter, and its machine
//! check architecture.

use super::board::{cpuid, need_kvm};
use crate::io_bus::IoBus;
use crate::kvm::{KvmVm, PlugError, VcpuConfig, VcpuId, VmBuses, VmOptions};
use kvm_bindings::{Msrs, kvm_msr_entry};
use kvm_ioctls::Cap;
use std::sync::Arc;

const IA32_MCG_CAP: u32 = 0x179;

fn vm() -> KvmVm {
    let vm = KvmVm::new(VmOptions::default()).unwrap();
    let events = Arc::new(|_| {});
    vm.attach(VmBuses { pio: IoBus::pio().into(), mmio: IoBus::mmio().into(), events }).unwrap();
    vm
}

fn config(tsc_khz: Option<i64>, machine_check: Option<u64>) -> VcpuConfig {
    VcpuConfig {
        id: VcpuId(0),
        index: 0,
        boot: true,
        cpuid: cpuid(0, false),
        tsc_khz,
        machine_check,
        capabilities: Vec::new(),
        msrs: Vec::new(),
    }
}

fn frequency(vm: &KvmVm) -> i64 {
    let vcpu = vm.vcpu(VcpuId(0)).unwrap();
    vcpu.on_thread(|raw| raw.fd().get_tsc_khz()).unwrap().unwrap().into()
}

#[test]
fn the_counter_has_the_frequency_asked_for_or_there_is_no_vcpu() {
    need_kvm!();
    let vm = vm();
    vm.plug(config(None, None)).unwrap();
    let host = frequency(&vm);
    assert!(host > 0);
    vm.unplug(VcpuId(0)).unwrap();
    // Its own, and one that is as good as its own.
    for near in [host, host + host / 10_000] {
        vm.plug(config(Some(near), None)).unwrap();
        assert_eq!(frequency(&vm), near);
        vm.unplug(VcpuId(0)).unwrap();
    }
    // The next one does not find it.
    vm.plug(config(None, None)).unwrap();
    assert_eq!(frequency(&vm), host);
    vm.unplug(VcpuId(0)).unwrap();
    let far = host / 2;
    match vm.plug(config(Some(far), None)) {
        Ok(_) => {
            assert!(vm.capabilities().has(Cap::TscControl));
            assert_eq!(frequency(&vm), far);
        }
        Err(error) => {
            assert!(!vm.capabilities().has(Cap::TscControl), "{error}");
            let text = "kvm_init_vcpu: kvm_arch_init_vcpu failed (0): Operation not supported";
            assert_eq!(error.to_string(), text);
            let PlugError::Tsc { mismatch, .. } = error else { panic!("{error:?}") };
            assert_eq!((mismatch.wanted, mismatch.host), (far, host));
            assert!(vm.vcpu(VcpuId(0)).is_none());
            assert_eq!(vm.parked(), 1);
        }
    }
}

#[test]
fn a_frequency_that_kvm_has_no_number_for_is_refused() {
    need_kvm!();
    let vm = vm();
    for khz in [i64::MAX / 1000, i64::from(u32::MAX) + 1] {
        assert!(matches!(vm.plug(config(Some(khz), None)), Err(PlugError::Tsc { .. })), "{khz}");
    }
    assert!(vm.vcpus().is_empty());
}

#[test]
fn machine_check_capabilities_are_those_of_the_cpu() {
    need_kvm!();
    let vm = vm();
    let Some(supported) = vm.capabilities().machine_check() else { return };
    // 10 banks, a control register, recovery and local exceptions.
    let wanted = 10 | 1 << 8 | 1 << 24 | 1 << 27;
    let vcpu = vm.plug(config(None, Some(wanted))).unwrap();
    let read = vcpu.on_thread(|raw| {
        let mut msrs =
            Msrs::from_entries(&[kvm_msr_entry { index: IA32_MCG_CAP, ..Default::default() }]).unwrap();
        assert_eq!(raw.fd().get_msrs(&mut msrs), Ok(1));
        msrs.as_slice()[0].data
    });
    let (read, expected) = (read.unwrap(), wanted & (supported | 0xff));
    // AMD has nothing above bit 8, and there KVM leaves it out, which it does not say of itself.
    assert_eq!(read & 0x1ff, expected & 0x1ff);
    assert!(read == expected || read >> 9 == 0, "{read:#x}");
}
