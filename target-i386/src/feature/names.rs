//! From names to bits, at compile time and at run time.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{FeatureWord, WORD_COUNT, WORD_TABLE, WORDS};

/// What one name governs: one or two bits of one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Canonical name.
    pub name: &'static str,
    /// The word that holds the bits.
    pub word: FeatureWord,
    /// The bits.
    pub mask: u64,
}

/// Other spellings of features: spelling, canonical name.
///
/// Any other `_` in a name is no spelling of ours: the command line turns `_` into `-` in
/// `name=value` before the look-up, but not in `+name`.
pub static ALIASES: &[(&str, &str)] = ALIAS_TABLE;

const ALIAS_TABLE: &[(&str, &str)] = &[
    ("sse3", "pni"),
    ("pclmuldq", "pclmulqdq"),
    ("sse4-1", "sse4.1"),
    ("sse4-2", "sse4.2"),
    ("xd", "nx"),
    ("ffxsr", "fxsr-opt"),
    ("i64", "lm"),
    ("ds_cpl", "ds-cpl"),
    ("tsc_adjust", "tsc-adjust"),
    ("fxsr_opt", "fxsr-opt"),
    ("lahf_lm", "lahf-lm"),
    ("cmp_legacy", "cmp-legacy"),
    ("nodeid_msr", "nodeid-msr"),
    ("perfctr_core", "perfctr-core"),
    ("perfctr_nb", "perfctr-nb"),
    ("kvm_nopiodelay", "kvm-nopiodelay"),
    ("kvm_mmu", "kvm-mmu"),
    ("kvm_asyncpf", "kvm-asyncpf"),
    ("kvm_asyncpf_int", "kvm-asyncpf-int"),
    ("kvm_steal_time", "kvm-steal-time"),
    ("kvm_pv_eoi", "kvm-pv-eoi"),
    ("kvm_pv_unhalt", "kvm-pv-unhalt"),
    ("kvm_poll_control", "kvm-poll-control"),
    ("svm_lock", "svm-lock"),
    ("nrip_save", "nrip-save"),
    ("tsc_scale", "tsc-scale"),
    ("vmcb_clean", "vmcb-clean"),
    ("pause_filter", "pause-filter"),
    ("sse4_1", "sse4.1"),
    ("sse4_2", "sse4.2"),
];

/// No feature has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of a CPU feature")]
pub struct UnknownFeature(pub String);

pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// The feature of a canonical name, for use in constants: an unknown name does not compile.
///
/// Hidden bits can be named here, as models need to set them.
///
/// ```compile_fail
/// const MISSPELT: target_i386::feature::Feature = target_i386::feature::feature("avx3");
/// assert_eq!(MISSPELT.name, "avx3");
/// ```
///
/// ```
/// const AVX: target_i386::feature::Feature = target_i386::feature::feature("avx");
/// assert_eq!(AVX.mask, 1 << 28);
/// ```
///
/// # Panics
///
/// If no bit has the name.
#[must_use]
pub const fn feature(name: &'static str) -> Feature {
    let mut w = 0;
    while w < WORD_COUNT {
        let bits = WORD_TABLE[w].bits;
        let mut mask = 0;
        let mut i = 0;
        while i < bits.len() {
            if same(bits[i].name, name) {
                mask |= bits[i].mask();
            }
            i += 1;
        }
        if mask != 0 {
            return Feature { name, word: WORD_TABLE[w].word, mask };
        }
        w += 1;
    }
    panic!("no CPU feature has this name")
}

/// The mask of some names of one word, for use in constants.
///
/// # Panics
///
/// If a name is unknown, of another word, or listed twice.
#[must_use]
pub(crate) const fn mask_in(word: FeatureWord, names: &[&'static str]) -> u64 {
    let mut mask = 0;
    let mut i = 0;
    while i < names.len() {
        let f = feature(names[i]);
        assert!(f.word as usize == word as usize, "the feature is in another word");
        assert!(mask & f.mask == 0, "the feature is listed twice");
        mask |= f.mask;
        i += 1;
    }
    mask
}

/// The feature that a name or another spelling of it denotes; `None` for hidden bits.
#[must_use]
pub fn find(name: &str) -> Option<Feature> {
    INDEX.get(name).copied()
}

/// Every spelling with its feature, for look-ups by the thousand; made at the first one.
static INDEX: LazyLock<HashMap<&str, Feature>> = LazyLock::new(|| {
    let mut index: HashMap<&str, Feature> = HashMap::new();
    for def in WORDS {
        for bit in def.bits.iter().filter(|bit| !bit.hidden) {
            let new = Feature { name: bit.name, word: def.word, mask: 0 };
            let found = index.entry(bit.name).or_insert(new);
            // A name is of the first word that has it.
            if found.word == def.word {
                found.mask |= bit.mask();
            }
        }
    }
    let aliases: Vec<_> =
        ALIASES.iter().filter_map(|(spelling, name)| Some((*spelling, *index.get(name)?))).collect();
    index.extend(aliases);
    index
});

/// All property names of features in alphabetical order, one for each bit: a name that governs
/// two bits stands twice, as in QEMU's `-cpu help`.
#[must_use]
pub fn recognized_flags() -> Vec<&'static str> {
    let mut names: Vec<_> =
        WORDS.iter().flat_map(|def| def.bits).filter(|bit| !bit.hidden).map(|bit| bit.name).collect();
    names.sort_unstable();
    names
}

// The tables are sound: names are unique but for declared repetitions, bits ascend and fit,
// and an alias is no name and leads to one.
const _: () = {
    let mut w = 0;
    while w < WORD_COUNT {
        let bits = WORD_TABLE[w].bits;
        let width = match WORD_TABLE[w].source {
            super::WordSource::Cpuid { .. } => 32,
            super::WordSource::Msr { .. } => 64,
        };
        let mut i = 0;
        while i < bits.len() {
            assert!(bits[i].bit < width, "the bit is outside the word");
            assert!(i == 0 || bits[i - 1].bit < bits[i].bit, "bits must ascend");
            let owner = feature(bits[i].name);
            assert!(owner.word as usize == w, "the name is in two words");
            assert!(
                bits[i].repeated == (owner.mask.trailing_zeros() < bits[i].bit as u32),
                "the name is in the word twice without being declared so"
            );
            i += 1;
        }
        w += 1;
    }
    let mut i = 0;
    while i < ALIAS_TABLE.len() {
        let _ = feature(ALIAS_TABLE[i].1);
        i += 1;
    }
};
