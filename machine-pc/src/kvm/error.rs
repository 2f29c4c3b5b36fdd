//! Errors of the KVM module, one enum an operation.

use std::io;

use thiserror::Error;
use vmm_sys_util::errno;

use super::tsc::TscMismatch;
use super::vcpu::VcpuId;
use crate::memory::MemoryError;
use crate::os_error;

/// Why there is no VM.
#[derive(Debug, Error)]
pub enum KvmError {
    /// `/dev/kvm` cannot be opened. The text is the reference's.
    #[error("Could not access KVM kernel module: {}", os_error::text(.0))]
    Open(io::Error),
    /// The kernel speaks another version of the interface than 12.
    #[error("kvm version not supported: the kernel has {0}, 12 is needed")]
    ApiVersion(i32),
    /// Something that nothing can stand in for.
    #[error("KVM lacks {0}, which is needed")]
    MissingCapability(&'static str),
    /// APIC IDs above 254 cannot be addressed. The text is the reference's.
    #[error("current -smp configuration requires kernel irqchip and X2APIC API support.")]
    NoX2Apic,
    /// An ioctl failed.
    #[error("{what} failed: {}", os_error::text(source))]
    Ioctl {
        /// The ioctl's name.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The buses were attached before.
    #[error("the VM has its buses already")]
    BusesAttached,
    /// The ROM could not be written again at reset.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A vCPU did not follow.
    #[error(transparent)]
    Vcpu(#[from] VcpuError),
}

impl KvmError {
    /// Makes a closure for `map_err`.
    pub(super) fn ioctl(what: &'static str) -> impl Fn(errno::Error) -> Self {
        move |e| Self::Ioctl { what, source: io::Error::from_raw_os_error(e.errno()) }
    }
}

/// Why a vCPU was not plugged. Nothing of it remains.
#[derive(Debug, Error)]
pub enum PlugError {
    /// The VM has no buses yet.
    #[error("vCPU {0}: the VM's buses are not attached")]
    NoBuses(VcpuId),
    /// A vCPU with this id runs.
    #[error("vCPU {0} exists")]
    Exists(VcpuId),
    /// KVM does not make it. The text is the reference's.
    #[error("kvm_init_vcpu: kvm_get_vcpu failed ({id}): {}", os_error::text(source))]
    Create {
        /// Its id.
        id: VcpuId,
        /// What the kernel said.
        source: io::Error,
    },
    /// Its time stamp counter cannot have the frequency that was asked for. The texts are the reference's, which
    /// says the mismatch in a warning.
    #[error("kvm_init_vcpu: kvm_arch_init_vcpu failed ({id}): {}", os_error::text(source))]
    Tsc {
        /// Its id.
        id: VcpuId,
        /// The frequencies.
        mismatch: TscMismatch,
        /// Why there is no other.
        source: io::Error,
    },
    /// Its machine check architecture was refused.
    #[error(
        "vCPU {id}: KVM refuses the machine check capabilities {capabilities:#x}: {}",
        os_error::text(source)
    )]
    MachineCheck {
        /// Its id.
        id: VcpuId,
        /// IA32_MCG_CAP as it was asked for.
        capabilities: u64,
        /// What the kernel said.
        source: io::Error,
    },
    /// The CPUID table was refused.
    #[error("vCPU {id}: KVM refuses the CPUID table: {}", os_error::text(source))]
    Cpuid {
        /// Its id.
        id: VcpuId,
        /// What the kernel said.
        source: io::Error,
    },
    /// The CPUID table differs from the one that a parked vCPU ran with, and this kernel does not
    /// change it after the first run.
    #[error(
        "vCPU {id} ran with another CPUID table before it was unplugged, and KVM does not change the \
         table of a vCPU that has run: plug the same CPU model with the same features again"
    )]
    CpuidFixed {
        /// Its id.
        id: VcpuId,
    },
    /// Initial state was refused.
    #[error(transparent)]
    State(#[from] VcpuError),
    /// The host gives no thread.
    #[error("vCPU {id}: cannot start a thread: {}", os_error::text(source))]
    Thread {
        /// Its id.
        id: VcpuId,
        /// What the host said.
        source: io::Error,
    },
}

/// Why a vCPU did not do as it was told.
#[derive(Debug, Error)]
pub enum VcpuError {
    /// There is none with this id.
    #[error("there is no vCPU {0}")]
    NotPlugged(VcpuId),
    /// Its thread has ended.
    #[error("the thread of vCPU {0} has ended")]
    Ended(VcpuId),
    /// Its own thread asked for what only another may do.
    #[error("the thread of vCPU {0} cannot wait for itself")]
    OwnThread(VcpuId),
    /// An ioctl failed.
    #[error("vCPU {id}: {what} failed: {}", os_error::text(source))]
    Ioctl {
        /// Its id.
        id: VcpuId,
        /// The ioctl's name.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// KVM does not take the value of a model-specific register.
    #[error("vCPU {id}: KVM refuses MSR {index:#x} = {value:#x}")]
    Msr {
        /// Its id.
        id: VcpuId,
        /// The register.
        index: u32,
        /// The value.
        value: u64,
    },
}

impl VcpuError {
    /// Makes a closure for `map_err`.
    pub(crate) fn ioctl(id: VcpuId, what: &'static str) -> impl Fn(errno::Error) -> Self {
        move |e| Self::Ioctl { id, what, source: io::Error::from_raw_os_error(e.errno()) }
    }
}
