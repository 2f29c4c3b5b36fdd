//! A set of features: the words of one CPU.

use super::names::{Feature, UnknownFeature, feature, find};
use super::{FeatureWord, WORD_COUNT};

/// The feature words of a CPU, or of what an accelerator supports, or any other set of bits of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureSet {
    words: [u64; WORD_COUNT],
}

impl Default for FeatureSet {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl FeatureSet {
    /// No bit set.
    pub const EMPTY: Self = Self { words: [0; WORD_COUNT] };

    /// The set of the named features, for use in constants: an unknown or repeated name does
    /// not compile.
    ///
    /// ```compile_fail,E0080
    /// const TWICE: target_i386::feature::FeatureSet = target_i386::feature::FeatureSet::of(&["avx", "avx"]);
    /// assert!(!TWICE.is_empty());
    /// ```
    ///
    /// # Panics
    ///
    /// If a name is unknown or listed twice.
    #[must_use]
    pub const fn of(names: &[&'static str]) -> Self {
        Self::EMPTY.and(names)
    }

    /// This set with the named features added; as [`of`](Self::of).
    ///
    /// # Panics
    ///
    /// If a name is unknown, listed twice or already in the set.
    #[must_use]
    pub const fn and(mut self, names: &[&'static str]) -> Self {
        let mut i = 0;
        while i < names.len() {
            let f = feature(names[i]);
            assert!(self.words[f.word as usize] & f.mask == 0, "a feature is listed twice");
            self.words[f.word as usize] |= f.mask;
            i += 1;
        }
        self
    }

    /// The bits of a word.
    #[must_use]
    pub const fn word(&self, word: FeatureWord) -> u64 {
        self.words[word as usize]
    }

    /// The low 32 bits of a word: the value of the CPUID register that it describes.
    #[must_use]
    pub const fn register(&self, word: FeatureWord) -> u32 {
        let [a, b, c, d, ..] = self.words[word as usize].to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Replaces the bits of a word.
    pub const fn set_word(&mut self, word: FeatureWord, bits: u64) {
        self.words[word as usize] = bits;
    }

    /// Adds bits to a word.
    pub const fn insert(&mut self, word: FeatureWord, bits: u64) {
        self.words[word as usize] |= bits;
    }

    /// Takes bits from a word.
    pub const fn remove(&mut self, word: FeatureWord, bits: u64) {
        self.words[word as usize] &= !bits;
    }

    /// Whether all bits of a feature are set.
    #[must_use]
    pub const fn has(&self, f: Feature) -> bool {
        self.words[f.word as usize] & f.mask == f.mask
    }

    /// Sets or clears a feature.
    pub const fn assign(&mut self, f: Feature, on: bool) {
        if on {
            self.insert(f.word, f.mask);
        } else {
            self.remove(f.word, f.mask);
        }
    }

    /// Whether the named feature is set.
    ///
    /// # Errors
    ///
    /// If no feature has the name.
    pub fn test(&self, name: &str) -> Result<bool, UnknownFeature> {
        find(name).map(|f| self.has(f)).ok_or_else(|| UnknownFeature(name.to_owned()))
    }

    /// Sets or clears the named feature.
    ///
    /// # Errors
    ///
    /// If no feature has the name; the set is unchanged then.
    pub fn assign_name(&mut self, name: &str, on: bool) -> Result<(), UnknownFeature> {
        let f = find(name).ok_or_else(|| UnknownFeature(name.to_owned()))?;
        self.assign(f, on);
        Ok(())
    }

    /// Whether no bit is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The bits in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self { words: std::array::from_fn(|i| self.words[i] & other.words[i]) }
    }

    /// The bits in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { words: std::array::from_fn(|i| self.words[i] | other.words[i]) }
    }

    /// The bits of this set that are not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self { words: std::array::from_fn(|i| self.words[i] & !other.words[i]) }
    }

    /// The set bits, in the order in which QEMU reports them.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { set: self, word: 0, bit: 0 }
    }
}

impl<'a> IntoIterator for &'a FeatureSet {
    type Item = (FeatureWord, u32);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Iterator over set bits as word and bit number.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    set: &'a FeatureSet,
    word: usize,
    bit: u32,
}

impl Iterator for Iter<'_> {
    type Item = (FeatureWord, u32);

    fn next(&mut self) -> Option<Self::Item> {
        while self.word < WORD_COUNT {
            let rest = if self.bit < 64 { self.set.words[self.word] >> self.bit << self.bit } else { 0 };
            if rest != 0 {
                let bit = rest.trailing_zeros();
                self.bit = bit + 1;
                return Some((super::WORDS[self.word].word, bit));
            }
            self.word += 1;
            self.bit = 0;
        }
        None
    }
}
