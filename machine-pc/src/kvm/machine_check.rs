//! Machine checks that a user gives to a vCPU (`KVM_X86_SET_MCE`).
//!
//! KVM says nothing when the guest has not set itself up for what it is told, and shuts the vCPU down where the architecture does. So
//! that is looked at here first, in the order in which the reference looks at it: on the vCPU's thread, so that the guest changes
//! nothing in between. Source: Intel SDM vol. 3, chapter 17.

use kvm_bindings::{Msrs, kvm_msr_entry, kvm_x86_mce};

use super::error::VcpuError;
use super::vcpu::Vcpu;
use crate::raw::RawVcpu;

const IA32_MCG_CAP: u32 = 0x179;
const IA32_MCG_STATUS: u32 = 0x17a;
const IA32_MCG_CTL: u32 = 0x17b;
/// IA32_MC0_CTL. Each bank has four registers: CTL, STATUS, ADDR, MISC.
const IA32_MC0_CTL: u32 = 0x400;

/// IA32_MCG_CTL is there.
const MCG_CTL_P: u64 = 1 << 8;
/// The number of banks.
const MCG_COUNT: u64 = 0xff;
/// A machine check is being handled.
const MCG_STATUS_MCIP: u64 = 1 << 2;
/// The guest takes machine checks.
const CR4_MCE: u64 = 1 << 6;

/// What a bank is to report, as its registers and IA32_MCG_STATUS will say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineCheck {
    /// The bank.
    pub bank: u8,
    /// IA32_MCi_STATUS.
    pub status: u64,
    /// IA32_MCG_STATUS.
    pub mcg_status: u64,
    /// IA32_MCi_ADDR.
    pub address: u64,
    /// IA32_MCi_MISC.
    pub misc: u64,
}

impl MachineCheck {
    /// IA32_MCi_STATUS: the register says something.
    pub const VALID: u64 = 1 << 63;
    /// IA32_MCi_STATUS: the hardware did not correct it.
    pub const UNCORRECTED: u64 = 1 << 61;
    /// IA32_MCi_STATUS: software has to act.
    pub const ACTION_REQUIRED: u64 = 1 << 55;
    /// IA32_MCG_STATUS: the program can go on.
    pub const RESTART_VALID: u64 = 1;
    /// IA32_MCG_STATUS: a machine check is being handled.
    pub const IN_PROGRESS: u64 = MCG_STATUS_MCIP;
}

/// What became of it. The vCPU has it in the first case only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineCheckOutcome {
    /// The bank reports it, and the guest is interrupted if it was not corrected.
    Given,
    /// Nothing: IA32_MCG_CTL says that no uncorrected errors are reported.
    NotReported,
    /// Nothing: the bank's IA32_MCi_CTL says so.
    NotReportedByBank,
    /// The processor would shut down: the guest does not take machine checks.
    NotTaken,
    /// The processor would shut down: one is being handled already.
    StillInProgress,
}

/// A register's value; 0 where KVM has none.
fn msr(vcpu: &RawVcpu, index: u32) -> u64 {
    let mut msrs = Msrs::from_entries(&[kvm_msr_entry { index, ..Default::default() }]).ok();
    let read = msrs.as_mut().and_then(|msrs| {
        let count = vcpu.fd().get_msrs(msrs).ok()?;
        msrs.as_slice().get(..count)?.first().map(|msr| msr.data)
    });
    read.unwrap_or(0)
}

impl Vcpu {
    /// How many banks it has; none if it has no machine check architecture.
    ///
    /// # Errors
    /// The vCPU has ended.
    pub fn machine_check_banks(&self) -> Result<Option<u8>, VcpuError> {
        if self.config().machine_check.is_none() {
            return Ok(None);
        }
        self.on_thread(|raw| Some((msr(raw, IA32_MCG_CAP) & MCG_COUNT) as u8))
    }

    /// Gives it a machine check, of one of its banks; whether one was being handled, and what became of it.
    ///
    /// # Errors
    /// The vCPU has ended, or KVM refuses.
    pub fn give_machine_check(&self, check: MachineCheck) -> Result<(bool, MachineCheckOutcome), VcpuError> {
        let id = self.config().id;
        self.on_thread(move |raw| {
            let in_progress = msr(raw, IA32_MCG_STATUS) & MCG_STATUS_MCIP != 0;
            if check.status & MachineCheck::UNCORRECTED != 0 {
                let system = raw.fd().get_sregs().map_err(VcpuError::ioctl(id, "KVM_GET_SREGS"))?;
                let has_control = msr(raw, IA32_MCG_CAP) & MCG_CTL_P != 0;
                let refused = if has_control && msr(raw, IA32_MCG_CTL) != u64::MAX {
                    Some(MachineCheckOutcome::NotReported)
                } else if msr(raw, IA32_MC0_CTL + 4 * u32::from(check.bank)) != u64::MAX {
                    Some(MachineCheckOutcome::NotReportedByBank)
                } else if system.cr4 & CR4_MCE == 0 {
                    Some(MachineCheckOutcome::NotTaken)
                } else {
                    in_progress.then_some(MachineCheckOutcome::StillInProgress)
                };
                if let Some(outcome) = refused {
                    return Ok((in_progress, outcome));
                }
            }
            let MachineCheck { bank, status, mcg_status, address: addr, misc } = check;
            let check = kvm_x86_mce { bank, status, mcg_status, addr, misc, ..kvm_x86_mce::default() };
            raw.give_machine_check(&check).map_err(VcpuError::ioctl(id, "KVM_X86_SET_MCE"))?;
            Ok((in_progress, MachineCheckOutcome::Given))
        })?
    }
}
