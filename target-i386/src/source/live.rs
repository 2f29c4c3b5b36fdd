//! A host that is asked while the program runs.
//!
//! A record is complete, and making one takes time: CPUID traps inside a virtual machine, and a frequency takes a VM to
//! know. A program that runs on the host wants few of these answers, so it asks for each when it needs it, once.
//!
//! Forbidden here: asking. Who answers is given.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cpuid::CpuidRegs;

/// A host that answers.
pub trait LiveHost: Send + Sync {
    /// What the processor answers to CPUID; never for a leaf above those that it says it has.
    fn cpuid(&self, leaf: u32, subleaf: u32) -> CpuidRegs;

    /// Frequency of a new vCPU's time stamp counter in kHz; `None` where KVM does not tell.
    fn tsc_khz(&self) -> Option<u32>;
}

/// The host, and what it has answered so far.
#[derive(Clone)]
pub(super) struct Live {
    host: Arc<dyn LiveHost>,
    answers: Arc<Mutex<BTreeMap<(u32, u32), CpuidRegs>>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

impl Live {
    pub(super) fn new(host: Arc<dyn LiveHost>) -> Self {
        Self { host, answers: Arc::default() }
    }

    /// A leaf as the processor answers it; zeros for one that it does not have.
    pub(super) fn processor(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        let base = leaf & 0xffff_0000;
        let last = self.answer(base, 0).eax;
        // A processor without a range answers for some other leaf.
        let has = last >> 16 == base >> 16 && leaf <= last;
        if has { self.answer(leaf, subleaf) } else { CpuidRegs::ZERO }
    }

    pub(super) fn tsc_khz(&self) -> Option<u32> {
        self.host.tsc_khz()
    }

    fn answer(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((leaf, subleaf)).or_insert_with(|| self.host.cpuid(leaf, subleaf))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A processor with the leaves 0 to 7 that has no extended ones, as early ones are.
    #[derive(Default)]
    struct Early {
        asked: AtomicU32,
    }

    impl LiveHost for Early {
        fn cpuid(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match leaf {
                0 => CpuidRegs { eax: 7, ..CpuidRegs::ZERO },
                // What is out of range is answered as the last leaf is.
                _ => CpuidRegs { eax: 3, ebx: leaf, ecx: subleaf, edx: 0 },
            }
        }

        fn tsc_khz(&self) -> Option<u32> {
            None
        }
    }

    #[test]
    fn asked_once_and_never_beyond_the_last() {
        let early = Arc::new(Early::default());
        let live = Live::new(early.clone());
        for _ in 0..3 {
            assert_eq!(live.processor(7, 1), CpuidRegs { eax: 3, ebx: 7, ecx: 1, edx: 0 });
            assert_eq!(live.processor(8, 0), CpuidRegs::ZERO);
            assert_eq!(live.processor(0x8000_0008, 0), CpuidRegs::ZERO);
        }
        // Leaves 0, 7 and 8000_0000h.
        assert_eq!(early.asked.load(Ordering::Relaxed), 3);
    }
}
