//! The row constructors that the word tables are written with.
//!
//! All are `const fn`: the tables, and every mask computed from them, exist at compile time.

use super::FeatureWord;
use crate::cpuid::Register;

/// Where the bits of a feature word are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordSource {
    /// A register of a CPUID leaf.
    Cpuid {
        /// Leaf (EAX on input).
        leaf: u32,
        /// Sub-leaf (ECX on input), where the leaf looks at it.
        subleaf: Option<u32>,
        /// Register that holds the word; bits 32 to 63 of the word do not exist.
        register: Register,
    },
    /// A 64-bit model-specific register.
    Msr {
        /// MSR number.
        index: u32,
    },
}

/// One bit of a feature word.
#[derive(Debug, Clone, Copy)]
pub struct BitDef {
    /// Position, 0 to 31 for CPUID registers and 0 to 63 for MSRs.
    pub bit: u8,
    /// Name: QEMU's property name, or a name of our own where [`hidden`](Self::hidden).
    pub name: &'static str,
    /// No property: the bit follows from others and cannot be asked for by name.
    pub hidden: bool,
    /// A guest that uses the bit can be moved to another host of the same kind.
    pub migratable: bool,
    /// `-cpu max` and `-cpu host` switch the bit on where the accelerator has it.
    pub automatic: bool,
    /// QEMU's TCG emulates the bit.
    pub tcg: bool,
    /// The second bit that a name of the same word governs (`kvmclock`).
    pub repeated: bool,
}

impl BitDef {
    pub(super) const fn tcg(mut self) -> Self {
        self.tcg = true;
        self
    }

    pub(super) const fn unmigratable(mut self) -> Self {
        self.migratable = false;
        self
    }

    pub(super) const fn migratable(mut self) -> Self {
        self.migratable = true;
        self
    }

    pub(super) const fn manual(mut self) -> Self {
        self.automatic = false;
        self
    }

    pub(super) const fn repeated(mut self) -> Self {
        self.repeated = true;
        self
    }

    /// The bit as a mask of its word.
    #[must_use]
    pub const fn mask(&self) -> u64 {
        1 << self.bit
    }
}

/// A feature word: its place and the bits that have a name.
#[derive(Debug, Clone, Copy)]
pub struct WordDef {
    /// The word.
    pub word: FeatureWord,
    /// Where it is read from.
    pub source: WordSource,
    /// Named bits, in ascending order.
    pub bits: &'static [BitDef],
}

pub(super) const fn word(word: FeatureWord, source: WordSource, bits: &'static [BitDef]) -> WordDef {
    WordDef { word, source, bits }
}

pub(super) const fn leaf(leaf: u32, register: Register) -> WordSource {
    WordSource::Cpuid { leaf, subleaf: None, register }
}

pub(super) const fn subleaf(leaf: u32, subleaf: u32, register: Register) -> WordSource {
    WordSource::Cpuid { leaf, subleaf: Some(subleaf), register }
}

pub(super) const fn msr(index: u32) -> WordSource {
    WordSource::Msr { index }
}

/// A bit with a property.
pub(super) const fn n(bit: u8, name: &'static str) -> BitDef {
    BitDef { bit, name, hidden: false, migratable: true, automatic: true, tcg: false, repeated: false }
}

/// A bit with a property that TCG emulates.
pub(super) const fn t(bit: u8, name: &'static str) -> BitDef {
    n(bit, name).tcg()
}

/// A bit without a property.
pub(super) const fn h(bit: u8, name: &'static str) -> BitDef {
    BitDef { hidden: true, migratable: false, ..n(bit, name) }
}
