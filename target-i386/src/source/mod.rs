//! What an accelerator can do: the outside facts that a CPU's description depends on.
//!
//! Implementations: [`Tcg`], QEMU's emulator with a fixed set of features; and [`Kvm`], which
//! works from a recorded [`HostCpuid`], so that all of it can be tried without the hardware, and asks a [`LiveHost`] for the
//! rest where there is one.
//!
//! Forbidden here: opening devices, and asking the processor but in `record`.

mod host;
#[cfg(all(feature = "kvm", target_arch = "x86_64"))]
mod hyperv_caps;
mod kvm;
mod live;
#[cfg(all(feature = "kvm", target_arch = "x86_64"))]
mod record;
mod tcg;

pub use host::{CpuidEntry, HostCpuid, HostFileError, HostOrigin};
pub use kvm::Kvm;
pub use live::LiveHost;
#[cfg(all(feature = "kvm", target_arch = "x86_64"))]
pub use record::{RecordError, native_cpuid};
pub use tcg::Tcg;

use crate::cpuid::CpuidRegs;
use crate::feature::FeatureWord;
use crate::vendor::{Signature, Vendor};
use crate::xsave::{COMPONENTS, XsaveComponent};

/// Kinds of accelerators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// Emulation; also stands for `qtest`.
    Tcg,
    /// Linux KVM.
    Kvm,
}

/// Where interrupt controllers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Irqchip {
    /// All in the accelerator (`kernel-irqchip=on`).
    #[default]
    Kernel,
    /// Local APICs in the accelerator, the others in the program (`kernel-irqchip=split`).
    Split,
    /// All in the program (`kernel-irqchip=off`).
    User,
}

/// Who the host's processor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostIdentity {
    /// Vendor.
    pub vendor: Vendor,
    /// Family, model and stepping.
    pub signature: Signature,
    /// Brand string.
    pub model_id: [u8; 48],
    /// Width of physical addresses.
    pub phys_bits: u32,
}

/// What an accelerator supports on its host.
pub trait CpuidSource {
    /// The kind of accelerator.
    fn accelerator(&self) -> Accelerator;

    /// The bits of a feature word that guests can have.
    fn supported(&self, word: FeatureWord) -> u64;

    /// A leaf as the accelerator reports it for guests; zeros where it reports none.
    fn supported_cpuid(&self, leaf: u32, subleaf: u32) -> CpuidRegs;

    /// A leaf as the host's processor itself answers it; zeros where there is no host.
    fn host_cpuid(&self, leaf: u32, subleaf: u32) -> CpuidRegs;

    /// The host's processor; `None` where guests do not run on it.
    fn host_identity(&self) -> Option<HostIdentity>;

    /// Size and place of the XSAVE components that guests can have.
    fn xsave_components(&self) -> [XsaveComponent; COMPONENTS];

    /// A leaf of Hyper-V's interface as the accelerator offers it, zeros where it has none; `None` where
    /// it has no Hyper-V at all.
    fn hyperv_cpuid(&self, _leaf: u32) -> Option<CpuidRegs> {
        None
    }

    /// Where interrupt controllers are.
    fn irqchip(&self) -> Irqchip;

    /// Whether local machine check exceptions are supported.
    fn lmce(&self) -> bool;

    /// Frequency of a guest's time stamp counter in kHz where nobody asks for another; `None` where it is not known.
    fn tsc_khz(&self) -> Option<u32> {
        None
    }

    /// Microcode revision to show; 0 for the default.
    fn microcode_revision(&self) -> u64;
}
