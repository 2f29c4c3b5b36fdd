//! CPU features: words, names, sets and dependencies.
//!
//! A *feature word* is one register of 32 or 64 bits that announces features: a register of a
//! CPUID leaf, or an MSR. A *feature* is what one name governs: nearly always one bit of one
//! word, for a few names two bits. A [`FeatureSet`] holds all words of one CPU.
//!
//! A bit is named once, in the tables of this module; everything else (models, dependencies,
//! accelerators) lists names, and masks are computed from them at compile time. An unknown or
//! repeated name in such a list does not compile.
//!
//! Forbidden here: anything about one CPU model or one host.

mod deps;
mod names;
mod row;
mod set;
mod words_cpuid;
mod words_cpuid_late;
mod words_msr;

pub use deps::{DEPENDENCIES, Dependency};
pub use names::{ALIASES, Feature, UnknownFeature, feature, find, recognized_flags};
pub use row::{BitDef, WordDef, WordSource};
pub use set::{FeatureSet, Iter};

use std::fmt;

/// Number of feature words.
pub const WORD_COUNT: usize = 48;

/// A feature word, in the order in which QEMU reports them.
///
/// Named after its place: `Leaf7Sub0Ebx` is EBX of CPUID leaf 7, sub-leaf 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each variant names its place; WordDef gives it in numbers")]
pub enum FeatureWord {
    Leaf1Edx,
    Leaf1Ecx,
    Leaf7Sub0Ebx,
    Leaf7Sub0Ecx,
    Leaf7Sub0Edx,
    Leaf7Sub1Eax,
    Leaf80000001Edx,
    Leaf80000001Ecx,
    Leaf80000007Ebx,
    Leaf80000007Edx,
    Leaf80000008Ebx,
    Leaf80000021Eax,
    Leaf80000021Ebx,
    Leaf80000021Ecx,
    Leaf80000022Eax,
    LeafC0000001Edx,
    KvmFeatures,
    KvmHints,
    Leaf8000000AEdx,
    LeafDSub1Eax,
    Leaf6Eax,
    Xcr0Low,
    Xcr0High,
    ArchCapabilities,
    CoreCapability,
    PerfCapabilities,
    VmxProcbasedCtls,
    VmxSecondaryCtls,
    VmxPinbasedCtls,
    VmxExitCtls,
    VmxEntryCtls,
    VmxMisc,
    VmxEptVpidCaps,
    VmxBasic,
    VmxVmfunc,
    Leaf14Sub0Ecx,
    Leaf12Sub0Eax,
    Leaf12Sub0Ebx,
    Leaf12Sub1Eax,
    XssLow,
    XssHigh,
    Leaf7Sub1Ecx,
    Leaf7Sub1Edx,
    Leaf7Sub2Edx,
    Leaf24Sub0Ebx,
    Leaf29Sub0Ebx,
    Leaf1ESub1Eax,
    Leaf24Sub1Ecx,
}

const fn assemble() -> [WordDef; WORD_COUNT] {
    let mut all = [words_cpuid::WORDS[0]; WORD_COUNT];
    let parts = [words_cpuid::WORDS, words_msr::WORDS, words_cpuid_late::WORDS];
    let mut at = 0;
    let mut part = 0;
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            all[at] = parts[part][i];
            assert!(all[at].word as usize == at, "the tables must follow the order of FeatureWord");
            at += 1;
            i += 1;
        }
        part += 1;
    }
    assert!(at == WORD_COUNT, "a feature word has no table row");
    all
}

/// All feature words with their bits, indexed by [`FeatureWord`].
pub static WORDS: [WordDef; WORD_COUNT] = WORD_TABLE;

pub(crate) const WORD_TABLE: [WordDef; WORD_COUNT] = assemble();

/// Which bits of a word a mask is asked for.
#[derive(Clone, Copy)]
enum Pick {
    Tcg,
    Migratable,
    Manual,
}

const fn pick(word: FeatureWord, what: Pick) -> u64 {
    let bits = WORD_TABLE[word as usize].bits;
    let mut mask = 0;
    let mut i = 0;
    while i < bits.len() {
        let wanted = match what {
            Pick::Tcg => bits[i].tcg,
            Pick::Migratable => bits[i].migratable,
            Pick::Manual => !bits[i].automatic,
        };
        if wanted {
            mask |= bits[i].mask();
        }
        i += 1;
    }
    mask
}

impl FeatureWord {
    /// Every word, in order.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        WORDS.iter().map(|def| def.word)
    }

    /// The word's place and bits.
    #[must_use]
    pub fn def(self) -> &'static WordDef {
        &WORDS[self as usize]
    }

    /// Bits that QEMU's TCG emulates.
    ///
    /// Beyond the named bits these are the ones that AMD repeats from leaf 1 in leaf 8000_0001h,
    /// and the lower half of IA32_ARCH_CAPABILITIES, which only says what needs no mitigation.
    #[must_use]
    pub const fn tcg(self) -> u64 {
        match self {
            Self::Leaf80000001Edx => pick(self, Pick::Tcg) | pick(Self::Leaf1Edx, Pick::Tcg) & AMD_SHARED,
            Self::ArchCapabilities => 0xffff_ffff,
            _ => pick(self, Pick::Tcg),
        }
    }

    /// Bits with which a guest can be migrated to another host.
    #[must_use]
    pub const fn migratable(self) -> u64 {
        pick(self, Pick::Migratable)
    }

    /// Bits that `max` and `host` leave off although the accelerator has them.
    #[must_use]
    pub const fn manual(self) -> u64 {
        match self {
            // Hints are a promise of the person who runs the VM, never a property of the host.
            Self::KvmHints => 0xffff_ffff,
            _ => pick(self, Pick::Manual),
        }
    }

    /// Property name of a bit, if it has one.
    #[must_use]
    pub fn bit_name(self, bit: u32) -> Option<&'static str> {
        self.def().bits.iter().find(|b| u32::from(b.bit) == bit && !b.hidden).map(|b| b.name)
    }
}

/// Bits of CPUID leaf 1 EDX that AMD processors repeat in leaf 8000_0001h EDX.
pub const AMD_SHARED: u64 = names::mask_in(
    FeatureWord::Leaf1Edx,
    &[
        "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "mtrr", "pge", "mca", "cmov",
        "pat", "pse36", "mmx", "fxsr",
    ],
);

/// Writes the word's place as QEMU's messages do: `CPUID[eax=07h,ecx=00h].EBX`, `MSR(10Ah)`.
impl fmt::Display for FeatureWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.def().source {
            WordSource::Cpuid { leaf, subleaf: None, register } => {
                write!(f, "CPUID[eax={leaf:02X}h].{register}")
            }
            WordSource::Cpuid { leaf, subleaf: Some(subleaf), register } => {
                write!(f, "CPUID[eax={leaf:02X}h,ecx={subleaf:02X}h].{register}")
            }
            WordSource::Msr { index } => write!(f, "MSR({index:02X}h)"),
        }
    }
}

#[cfg(test)]
mod tests;
