//! What KVM offers of Hyper-V, concluded from its capabilities and MSRs.
//!
//! `KVM_GET_SUPPORTED_HV_CPUID` would say it, but has no safe wrapper, and kernels before 5.11 give it to a
//! vCPU alone. This is what QEMU concludes on old kernels; it misses what came later (`hv-xmm-input`,
//! `hv-tlbflush-ext`, `hv-emsr-bitmap`, `hv-tlbflush-direct`, `hv-avic`). A program that can ask KVM
//! replaces the field [`HostCpuid::hyperv`](super::HostCpuid::hyperv).

use kvm_ioctls::{Cap, Kvm as Device};

use super::host::CpuidEntry;
use crate::cpuid::{CpuidRegs, Register};
use crate::hyperv::{
    Enlightenment as E, Enlightenments, LEAF_FEATURES, LEAF_INTERFACE, LEAF_NESTED, LEAF_RECOMMENDATIONS,
    LEAF_VENDOR,
};

/// The MSR whose presence shows the enlightenment.
const BY_MSR: [(E, u32); 8] = [
    (E::Frequencies, 0x4000_0022),
    (E::Crash, 0x4000_0105),
    (E::Reenlightenment, 0x4000_0106),
    (E::Reset, 0x4000_0003),
    (E::Vpindex, 0x4000_0002),
    (E::Runtime, 0x4000_0010),
    (E::Stimer, 0x4000_00b0),
    (E::Syndbg, 0x4000_00ff),
];

const SYNIC_CONTROL: u32 = 0x4000_0080;

/// The capability that shows the enlightenment (`linux/kvm.h`).
const BY_CAPABILITY: [(E, u32); 4] = [
    (E::Time, kvm_bindings::KVM_CAP_HYPERV_TIME),
    (E::Tlbflush, kvm_bindings::KVM_CAP_HYPERV_TLBFLUSH),
    (E::Evmcs, kvm_bindings::KVM_CAP_HYPERV_ENLIGHTENED_VMCS),
    (E::Ipi, kvm_bindings::KVM_CAP_HYPERV_SEND_IPI),
];

/// The leaves; `None` where KVM has no Hyper-V.
pub(super) fn leaves(kvm: &Device, guest_msrs: &[u32]) -> Option<Vec<CpuidEntry>> {
    if !kvm.check_extension(Cap::Hyperv) {
        return None;
    }
    let mut all = Enlightenments::default();
    all.assign(E::Vapic, true);
    all.assign(E::Relaxed, true);
    for (which, msr) in BY_MSR {
        all.assign(which, guest_msrs.contains(&msr));
    }
    for (which, capability) in BY_CAPABILITY {
        all.assign(which, kvm.check_extension_raw(capability.into()) > 0);
    }
    all.assign(E::Synic, guest_msrs.contains(&SYNIC_CONTROL) && kvm.check_extension(Cap::HypervSynic2));
    let leaf = |leaf| CpuidEntry {
        leaf,
        subleaf: 0,
        regs: CpuidRegs {
            eax: all.bits(leaf, Register::Eax),
            ebx: 0,
            ecx: 0,
            edx: all.bits(leaf, Register::Edx),
        },
    };
    Some([LEAF_VENDOR, LEAF_INTERFACE, LEAF_FEATURES, LEAF_RECOMMENDATIONS, LEAF_NESTED].map(leaf).into())
}
