//! The frequency of a vCPU's time stamp counter.
//!
//! KVM gives a new vCPU the host's. Another one takes a processor that scales the counter
//! (`KVM_CAP_TSC_CONTROL`), or one so near that it counts as the same. What KVM cannot give is refused: a guest
//! that is told a frequency keeps time by it.

use std::io;

use kvm_ioctls::{Cap, Kvm};
use thiserror::Error;
use vmm_sys_util::errno;

use super::caps::Capabilities;
use super::error::PlugError;
use super::vcpu::VcpuId;
use crate::raw::{GuestVm, RawVcpu};

/// How far a frequency may be off, in millionths: as far as NTP corrects a clock. KVM itself tolerates as much.
const TOLERANCE_PPM: i64 = 250;

/// What was asked for and what there is. `Display` gives the reference's warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "TSC frequency mismatch between VM ({wanted} kHz) and host ({host} kHz), and TSC scaling unavailable"
)]
pub struct TscMismatch {
    /// The frequency asked for, in kHz.
    pub wanted: i64,
    /// The vCPU's, in kHz; a negative error number where KVM does not tell.
    pub host: i64,
}

/// Whether a frequency counts as another one, both in kHz.
fn is_near(host: i64, wanted: i64) -> bool {
    let off = host * TOLERANCE_PPM / 1_000_000;
    (host - off..=host + off).contains(&wanted)
}

/// The frequency that KVM gives the vCPUs of a VM, in kHz; `None` where the VM does not tell.
pub(super) fn own_frequency(vm: &GuestVm) -> Option<u32> {
    // A kernel whose counter is not steady has no frequency to tell.
    vm.tsc_khz().ok().filter(|khz| *khz > 0)
}

/// The same where there is no VM yet: one is made for it, and a vCPU where only that tells.
///
/// # Errors
/// KVM's, and which request.
pub(crate) fn frequency_of(kvm: &Kvm) -> Result<Option<u32>, (&'static str, errno::Error)> {
    if !kvm.check_extension(Cap::GetTscKhz) {
        return Ok(None);
    }
    let fd = loop {
        match kvm.create_vm() {
            // A signal during the making of a VM: the kernel wants to be asked again.
            Err(error) if error.errno() == libc::EINTR => {}
            other => break other.map_err(|error| ("KVM_CREATE_VM", error))?,
        }
    };
    let vm = GuestVm::new(fd);
    if let Some(khz) = own_frequency(&vm) {
        return Ok(Some(khz));
    }
    let vcpu = vm.create_vcpu(0).map_err(|error| ("KVM_CREATE_VCPU", error))?;
    Ok(vcpu.fd().get_tsc_khz().ok().filter(|khz| *khz > 0))
}

/// Gives a parked vCPU KVM's own frequency again, as a new one has it.
pub(super) fn reset_frequency(vcpu: &RawVcpu) {
    // 0 stands for it. A kernel that does not take it did not give another one either.
    if let Err(error) = vcpu.fd().set_tsc_khz(0) {
        tracing::debug!("KVM_SET_TSC_KHZ 0: {error}");
    }
}

/// Gives a vCPU that does not run the frequency that was asked for, in kHz.
///
/// # Errors
/// [`PlugError::Tsc`] if KVM cannot, and the vCPU has another one.
pub(super) fn set_frequency(
    vcpu: &RawVcpu,
    id: VcpuId,
    wanted: i64,
    caps: &Capabilities,
) -> Result<(), PlugError> {
    let scales = caps.has(Cap::TscControl);
    let current = || match vcpu.fd().get_tsc_khz() {
        Ok(khz) => i64::from(khz),
        Err(error) => -i64::from(error.errno()),
    };
    let host = current();
    let refusal = match u32::try_from(wanted) {
        Ok(khz) if scales || host > 0 && is_near(host, wanted) => match vcpu.fd().set_tsc_khz(khz) {
            Ok(()) => return Ok(()),
            Err(error) => error.errno(),
        },
        _ => libc::EOPNOTSUPP,
    };
    let host = current();
    if host > 0 && host == wanted {
        return Ok(());
    }
    Err(PlugError::Tsc {
        id,
        mismatch: TscMismatch { wanted, host },
        source: io::Error::from_raw_os_error(refusal),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_what_ntp_corrects() {
        let host = 2_596_146;
        for (wanted, near) in [
            (host, true),
            (host + 649, true),
            (host - 649, true),
            (host + 650, false),
            (host - 650, false),
            (0, false),
            (i64::MAX, false),
        ] {
            assert_eq!(is_near(host, wanted), near, "{wanted}");
        }
    }
}
