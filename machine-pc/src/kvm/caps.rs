//! What the host's KVM can do, and what its gaps mean.
//!
//! Only the in-kernel interrupt controllers and user memory are needed, as nothing else here can
//! start an application processor. Every other gap degrades one thing, which its text names.

use kvm_ioctls::{Cap, Kvm};

use super::error::KvmError;
use crate::raw;

/// A capability that this program can do without, and what is lost then.
struct Optional {
    cap: Cap,
    name: &'static str,
    loss: &'static str,
}

const fn optional(cap: Cap, name: &'static str, loss: &'static str) -> Optional {
    Optional { cap, name, loss }
}

const OPTIONAL: &[Optional] = &[
    optional(Cap::SetTssAddr, "SET_TSS_ADDR", "real mode may fail on old Intel hosts"),
    optional(
        Cap::SetIdentityMapAddr,
        "SET_IDENTITY_MAP_ADDR",
        "firmware is limited to 256 KiB on old Intel hosts",
    ),
    optional(Cap::Pit2, "PIT2", "the guest has no interval timer"),
    optional(Cap::ReadonlyMem, "READONLY_MEM", "the guest can write to its ROM until the next reset"),
    optional(Cap::ImmediateExit, "IMMEDIATE_EXIT", "stopping a vCPU may take some milliseconds"),
    optional(Cap::X2ApicApi, "X2APIC_API", "APIC IDs above 254 are refused"),
    optional(Cap::Xsave, "XSAVE", "vector registers survive a reset"),
    optional(Cap::Xcrs, "XCRS", "XCR0 survives a reset"),
    optional(Cap::Debugregs, "DEBUGREGS", "debug registers survive a reset"),
    optional(Cap::VcpuEvents, "VCPU_EVENTS", "pending exceptions survive a reset"),
    optional(Cap::X86Smm, "X86_SMM", "the guest has no system management mode"),
    optional(Cap::AdjustClock, "ADJUST_CLOCK", "the guest's clock goes on while it is stopped"),
    optional(Cap::TscControl, "TSC_CONTROL", "a time stamp counter has the host's frequency"),
    optional(Cap::Mce, "MCE", "the guest has KVM's machine check banks instead of the PC's"),
    optional(Cap::KvmclockCtrl, "KVMCLOCK_CTRL", "a stopped guest may report soft lockups"),
];

/// What was found on this host.
#[derive(Debug, Clone)]
pub struct Capabilities {
    present: Vec<Cap>,
    missing: Vec<(&'static str, &'static str)>,
    max_vcpus: u32,
    max_vcpu_id: u32,
    machine_check: Option<u64>,
}

impl Capabilities {
    /// Asks the kernel; an error names what cannot be done without.
    pub(super) fn probe(kvm: &Kvm) -> Result<Self, KvmError> {
        let version = kvm.get_api_version();
        if version != 12 {
            return Err(KvmError::ApiVersion(version));
        }
        for (cap, name) in [(Cap::UserMemory, "KVM_CAP_USER_MEMORY"), (Cap::Irqchip, "KVM_CAP_IRQCHIP")] {
            if !kvm.check_extension(cap) {
                return Err(KvmError::MissingCapability(name));
            }
        }
        let machine_check = match kvm.check_extension(Cap::Mce) {
            true => Some(
                raw::machine_check_capabilities(kvm)
                    .map_err(KvmError::ioctl("KVM_X86_GET_MCE_CAP_SUPPORTED"))?,
            ),
            false => None,
        };
        let (have, lack): (Vec<_>, Vec<_>) = OPTIONAL.iter().partition(|o| kvm.check_extension(o.cap));
        Ok(Self {
            present: have.iter().map(|o| o.cap).collect(),
            missing: lack.iter().map(|o| (o.name, o.loss)).collect(),
            max_vcpus: u32::try_from(kvm.get_max_vcpus()).unwrap_or(u32::MAX),
            max_vcpu_id: u32::try_from(kvm.get_max_vcpu_id()).unwrap_or(u32::MAX),
            machine_check,
        })
    }

    /// The host has `cap`, one of those that are optional.
    pub(super) fn has(&self, cap: Cap) -> bool {
        self.present.iter().any(|c| *c as u32 == cap as u32)
    }

    /// What the host lacks: the capability's name without `KVM_CAP_`, and what is lost by it.
    pub fn missing(&self) -> &[(&'static str, &'static str)] {
        &self.missing
    }

    /// How many vCPUs a VM can have (`KVM_CAP_MAX_VCPUS`).
    pub fn max_vcpus(&self) -> u32 {
        self.max_vcpus
    }

    /// What KVM has of IA32_MCG_CAP (`KVM_X86_GET_MCE_CAP_SUPPORTED`); `None` where vCPUs cannot be told theirs.
    pub fn machine_check(&self) -> Option<u64> {
        self.machine_check
    }

    /// APIC IDs must be below this (`KVM_CAP_MAX_VCPU_ID`).
    pub fn max_vcpu_id(&self) -> u32 {
        self.max_vcpu_id
    }
}
