//! QEMU's emulator: a fixed set of features, the same on every host.

use super::{Accelerator, CpuidSource, HostIdentity, Irqchip};
use crate::cpuid::CpuidRegs;
use crate::feature::FeatureWord;
use crate::xsave::{ARCHITECTURAL, COMPONENTS, XsaveComponent};

/// TCG's features.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcg;

impl CpuidSource for Tcg {
    fn accelerator(&self) -> Accelerator {
        Accelerator::Tcg
    }

    fn supported(&self, word: FeatureWord) -> u64 {
        word.tcg()
    }

    fn supported_cpuid(&self, _leaf: u32, _subleaf: u32) -> CpuidRegs {
        CpuidRegs::default()
    }

    fn host_cpuid(&self, _leaf: u32, _subleaf: u32) -> CpuidRegs {
        CpuidRegs::default()
    }

    fn host_identity(&self) -> Option<HostIdentity> {
        None
    }

    /// Components that TCG does not save keep their place, with size 0: guests see it so.
    fn xsave_components(&self) -> [XsaveComponent; COMPONENTS] {
        let supported = FeatureWord::Xcr0Low.tcg();
        let mut components = ARCHITECTURAL;
        for (i, component) in components.iter_mut().enumerate().skip(2) {
            if supported >> i & 1 == 0 {
                component.size = 0;
            }
        }
        components
    }

    fn irqchip(&self) -> Irqchip {
        Irqchip::User
    }

    fn lmce(&self) -> bool {
        false
    }

    fn microcode_revision(&self) -> u64 {
        0
    }
}
