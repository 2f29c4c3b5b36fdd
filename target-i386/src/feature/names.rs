//! From names to bits, at compile time and at run time.

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

/// An entry of the index of names.
#[derive(Clone, Copy)]
struct Slot {
    feature: Feature,
    hidden: bool,
}

/// Size of the index; more than twice the number of names, so that most are found at once.
const SLOTS: usize = 1024;

/// Names by their hash, with linear probing. Models name some thousand features in constants, and comparing
/// each with all the names would take the compiler longer than the rest of the crate.
static INDEX: [Option<Slot>; SLOTS] = index();

const fn slot_of(name: &str) -> usize {
    let bytes = name.as_bytes();
    let mut hash = 0usize;
    let mut i = 0;
    while i < bytes.len() {
        hash = hash.wrapping_mul(31).wrapping_add(bytes[i] as usize);
        i += 1;
    }
    hash % SLOTS
}

/// Builds the index, and checks that a name stands once, but for declared repetitions in one word.
const fn index() -> [Option<Slot>; SLOTS] {
    let mut index: [Option<Slot>; SLOTS] = [None; SLOTS];
    let words = &WORD_TABLE;
    let mut w = 0;
    while w < WORD_COUNT {
        let bits = words[w].bits;
        let mut i = 0;
        while i < bits.len() {
            let bit = &bits[i];
            let mut at = slot_of(bit.name);
            let mut known = None;
            while let Some(slot) = index[at] {
                if same(slot.feature.name, bit.name) {
                    known = Some(slot);
                    break;
                }
                at = (at + 1) % SLOTS;
            }
            let feature = match known {
                Some(Slot { feature, .. }) => {
                    assert!(feature.word as usize == w, "the name is in two words");
                    assert!(bit.repeated, "the name is in the word twice without being declared so");
                    Feature { mask: feature.mask | bit.mask(), ..feature }
                }
                None => {
                    assert!(!bit.repeated, "the name is declared to be repeated but is not");
                    Feature { name: bit.name, word: words[w].word, mask: bit.mask() }
                }
            };
            index[at] = Some(Slot { feature, hidden: bit.hidden });
            i += 1;
        }
        w += 1;
    }
    index
}

/// The feature of a canonical name, for use in constants: an unknown name does not compile.
///
/// Hidden bits can be named here, as models need to set them.
///
/// ```compile_fail,E0080
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
    let mut at = slot_of(name);
    while let Some(slot) = &INDEX[at] {
        if same(slot.feature.name, name) {
            return slot.feature;
        }
        at = (at + 1) % SLOTS;
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
    let name =
        ALIASES.iter().find(|(spelling, _)| *spelling == name).map_or(name, |(_, canonical)| canonical);
    let mut at = slot_of(name);
    while let Some(Slot { feature, hidden }) = INDEX[at] {
        if feature.name == name {
            return (!hidden).then_some(feature);
        }
        at = (at + 1) % SLOTS;
    }
    None
}

/// All property names of features in alphabetical order, one for each bit: a name that governs
/// two bits stands twice, as in QEMU's `-cpu help`.
#[must_use]
pub fn recognized_flags() -> Vec<&'static str> {
    let mut names: Vec<_> =
        WORDS.iter().flat_map(|def| def.bits).filter(|bit| !bit.hidden).map(|bit| bit.name).collect();
    names.sort_unstable();
    names
}

// The tables are sound: bits ascend and fit, names stand once (see `index`), and an alias is no name and
// leads to one.
const _: () = {
    let words = &WORD_TABLE;
    let mut w = 0;
    while w < WORD_COUNT {
        let bits = words[w].bits;
        let width = match words[w].source {
            super::WordSource::Cpuid { .. } => 32,
            super::WordSource::Msr { .. } => 64,
        };
        let mut i = 0;
        while i < bits.len() {
            assert!(bits[i].bit < width, "the bit is outside the word");
            assert!(i == 0 || bits[i - 1].bit < bits[i].bit, "bits must ascend");
            i += 1;
        }
        w += 1;
    }
    let mut i = 0;
    while i < ALIAS_TABLE.len() {
        let (spelling, name) = ALIAS_TABLE[i];
        let _ = feature(name);
        let mut at = slot_of(spelling);
        while let Some(slot) = &INDEX[at] {
            assert!(!same(slot.feature.name, spelling), "the spelling is a name");
            at = (at + 1) % SLOTS;
        }
        i += 1;
    }
};
