//! Expansion: from a model's data and the user's wishes to the full set of settings.
//!
//! In this order:
//!
//! 1. `+name`, then `-name`;
//! 2. `max` and `host` take what the accelerator supports, except what the user set, what needs
//!    asking for, and, with `migratable=on`, what cannot be migrated;
//! 3. HT and CMP_LEGACY where a socket holds several threads; PDCM and architectural LBR go
//!    without a PMU;
//! 4. features that depend on absent ones go ([`DEPENDENCIES`]);
//! 5. KVM's paravirtual features go where there is no KVM, or it is hidden;
//! 6. XSAVE components follow from features;
//! 7. automatic levels rise to what the features need;
//! 8. under KVM, Hyper-V enlightenments are taken from it or checked against it.
//!
//! What an accelerator lacks is not taken away here but by [`realize`](crate::realize).

use std::fmt;

use crate::config::{AUTOMATIC, CpuConfig, PropertyError, Value};
use crate::cpuid::Register;
use crate::feature::{DEPENDENCIES, Feature, FeatureSet, FeatureWord, WordSource, feature};
use crate::hyperv::HypervError;
use crate::model::ModelKind;
use crate::provenance::{Cause, Setter};
use crate::source::{Accelerator, CpuidSource};
use crate::topology::{CpuTopology, Level};
use crate::vendor::Vendor;
use crate::xsave::enable_components;

/// Why a bit was taken away or reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The accelerator does not support it.
    Unsupported(Accelerator),
    /// It needs other features.
    Dependency,
    /// It cannot go together with APX.
    ConflictsWithApx,
    /// It cannot go together with MPX.
    ConflictsWithMpx,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsupported(Accelerator::Tcg) => "TCG doesn't support requested feature",
            Self::Unsupported(Accelerator::Kvm) => "host doesn't support requested feature",
            Self::Dependency => "This feature depends on other features that were not requested",
            Self::ConflictsWithApx => "this feature conflicts with APX",
            Self::ConflictsWithMpx => "this feature conflicts with MPX",
        })
    }
}

/// Settings cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A `+name` or `-name` cannot be applied.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// Hyper-V enlightenments.
    #[error(transparent)]
    Hyperv(#[from] HypervError),
}

/// Something that a person should know of a CPU that is nevertheless usable.
///
/// `Display` gives the reference's text, without its `warning: `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A feature that was asked for is not there.
    Feature {
        /// Why.
        reason: Reason,
        /// Word of the bit.
        word: FeatureWord,
        /// The bit.
        bit: u32,
    },
    /// The AVX10 version is too high for the accelerator.
    Avx10 {
        /// The accelerator.
        accelerator: Accelerator,
        /// The version that was asked for.
        wanted: u8,
        /// The version used instead, if another one is.
        used: Option<u8>,
    },
    /// An AMD CPU has several threads in a core but no `topoext`.
    Hyperthreading {
        /// Threads in a core.
        threads: u32,
    },
    /// `hv-vendor-id` is longer than CPUID shows.
    HypervVendor,
    /// `phys-bits` is not what the host has.
    PhysBits {
        /// The host's.
        host: u32,
        /// The property's.
        property: u32,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feature { reason, word, bit } => {
                write!(f, "{reason}: {word}")?;
                if let Some(name) = word.bit_name(*bit) {
                    write!(f, ".{name}")?;
                }
                write!(f, " [bit {bit}]")
            }
            Self::Avx10 { accelerator, wanted, used } => {
                write!(f, "{}: avx10.{wanted}.", Reason::Unsupported(*accelerator))?;
                used.map_or(Ok(()), |used| write!(f, " Adjust to avx10.{used}"))
            }
            Self::Hyperthreading { threads } => write!(
                f,
                "This family of AMD CPU doesn't support hyperthreading({threads}). Please configure -smp options \
                 properly or try enabling topoext feature."
            ),
            Self::HypervVendor => f.write_str("hv-vendor-id truncated to 12 characters"),
            Self::PhysBits { host, property } => {
                write!(f, "Host physical bits ({host}) does not match phys-bits property ({property})")
            }
        }
    }
}

/// The result of expansion.
#[derive(Debug, Clone, PartialEq)]
pub struct Expanded {
    /// All settings.
    pub config: CpuConfig,
    /// Bits that were asked for and cannot be.
    pub filtered: FeatureSet,
    /// What to tell a person.
    pub warnings: Vec<Warning>,
}

impl Expanded {
    /// Takes bits away, unless they are forced, and remembers them.
    pub(crate) fn mark_unavailable(
        &mut self,
        word: FeatureWord,
        mask: u64,
        cause: Cause,
        reason: Option<Reason>,
    ) {
        if !self.config.force_features {
            self.config.features.remove(word, mask);
            self.config.history.note(cause, word, 0, mask);
        }
        self.filtered.insert(word, mask);
        if let Some(reason) = reason {
            let bits = (0..64).filter(|bit| mask >> bit & 1 == 1);
            self.warnings.extend(bits.map(|bit| Warning::Feature { reason, word, bit }));
        }
    }
}

/// What a CPU of these settings may have of a word: less than the accelerator supports where the
/// vendor does not fit or migration forbids it.
fn offered(source: &dyn CpuidSource, config: &CpuConfig, word: FeatureWord) -> u64 {
    let mut bits = available(source, word);
    match word {
        // The machine check architecture of AMD.
        FeatureWord::Leaf80000007Ebx if !config.vendor.is_amd() => bits = 0,
        // KVM emulates the MSR on AMD too, where some systems stumble over it.
        FeatureWord::Leaf7Sub0Edx if config.vendor.is_amd() && !config.arch_cap_always_on => {
            bits &= !const { feature("arch-capabilities").mask };
        }
        _ => {}
    }
    if config.migratable {
        let mut migratable = word.migratable();
        if word == FeatureWord::Leaf80000007Edx && config.user_tsc_khz != 0 {
            migratable |= const { feature("invtsc").mask };
        }
        bits &= migratable;
    }
    bits
}

/// What the accelerator and this program support of a word. SGX is left out: it needs memory of
/// its own kind, which machines do not have.
pub(crate) fn available(source: &dyn CpuidSource, word: FeatureWord) -> u64 {
    const SGX: Feature = feature("sgx");
    const SGX_LC: Feature = feature("sgxlc");
    let bits = source.supported(word);
    match word {
        FeatureWord::Leaf7Sub0Ebx => bits & !SGX.mask,
        FeatureWord::Leaf7Sub0Ecx => bits & !SGX_LC.mask,
        _ => bits,
    }
}

/// Words whose leaf raises the levels when the word is not zero.
const LEVEL_WORDS: [FeatureWord; 16] = [
    FeatureWord::Leaf7Sub0Ebx,
    FeatureWord::Leaf1Edx,
    FeatureWord::Leaf1Ecx,
    FeatureWord::Leaf6Eax,
    FeatureWord::Leaf7Sub0Ecx,
    FeatureWord::Leaf7Sub1Eax,
    FeatureWord::Leaf7Sub1Ecx,
    FeatureWord::Leaf7Sub1Edx,
    FeatureWord::Leaf7Sub2Edx,
    FeatureWord::Leaf80000001Edx,
    FeatureWord::Leaf80000001Ecx,
    FeatureWord::Leaf80000007Edx,
    FeatureWord::Leaf80000008Ebx,
    FeatureWord::LeafC0000001Edx,
    FeatureWord::Leaf8000000AEdx,
    FeatureWord::LeafDSub1Eax,
];

impl CpuConfig {
    /// Expands the settings.
    ///
    /// # Errors
    ///
    /// If a `+name` or `-name` names no property or one that is not boolean, or Hyper-V enlightenments
    /// contradict each other or KVM.
    pub fn expand(&self, topology: &CpuTopology, source: &dyn CpuidSource) -> Result<Expanded, ExpandError> {
        let mut config = self.clone();
        config.history.set_setter(Setter::Sign);
        for wanted in [true, false] {
            for (name, on) in &self.forced {
                if *on == wanted {
                    config.set(name, Value::Bool(*on))?;
                }
            }
        }
        if matches!(config.kind, ModelKind::Max | ModelKind::Host) {
            config.take_all(source)?;
        }
        config.noting(Cause::Topology, |config| config.adjust_to_topology(topology));
        config.noting(Cause::NoPmu, Self::adjust_to_pmu);
        let mut expanded = Expanded { config, filtered: FeatureSet::EMPTY, warnings: Vec::new() };
        expanded.drop_dependents();
        if source.accelerator() != Accelerator::Kvm || !expanded.config.expose_kvm {
            expanded.config.noting(Cause::KvmHidden, |config| {
                config.features.set_word(FeatureWord::KvmFeatures, 0);
            });
        }
        expanded.drop_conflicts();
        expanded.config.noting(Cause::XsaveComponents, |config| {
            enable_components(&mut config.features, &source.xsave_components());
        });
        expanded.config.compute_levels(topology);
        expanded.config.hyperv.expand(source)?;
        Ok(expanded)
    }

    /// Changes feature words and notes what changed.
    pub(crate) fn noting<R>(&mut self, cause: Cause, change: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.features;
        let outcome = change(self);
        self.history.compare(cause, &before, &self.features);
        outcome
    }

    fn take_all(&mut self, source: &dyn CpuidSource) -> Result<(), PropertyError> {
        let before = self.features;
        for word in FeatureWord::all() {
            let bits = offered(source, self, word) & !self.user_features.word(word) & !word.manual();
            self.features.insert(word, bits);
        }
        let offered = Cause::Offered(source.accelerator());
        self.history.compare(offered, &before, &self.features);
        if self.features.has(const { feature("avx10") }) && self.avx10_version == 0 {
            let [version, ..] = source.supported_cpuid(0x24, 0).ebx.to_le_bytes();
            self.set("avx10-version", Value::Uint(version.into()))?;
        }
        Ok(())
    }

    fn adjust_to_topology(&mut self, topology: &CpuTopology) {
        if topology.threads_per(Level::Socket) > 1 {
            self.features.assign(const { feature("ht") }, true);
            // Linux discards the threads of an Intel CPU that sets it.
            if !self.vendor.is_intel_like() {
                self.features.assign(const { feature("cmp-legacy") }, true);
            }
        }
    }

    fn adjust_to_pmu(&mut self) {
        if !self.pmu {
            if !self.pdcm_without_pmu {
                self.features.assign(const { feature("pdcm") }, false);
            }
            self.features.assign(const { feature("arch-lbr") }, false);
        }
    }

    fn compute_levels(&mut self, topology: &CpuTopology) {
        const INTEL_PT: Feature = feature("intel-pt");
        const AVX10: Feature = feature("avx10");
        const APXF: Feature = feature("apxf");
        const SVM: Feature = feature("svm");
        const SGX: Feature = feature("sgx");
        for word in LEVEL_WORDS {
            if self.features.word(word) == 0 {
                continue;
            }
            let WordSource::Cpuid { leaf, subleaf, .. } = word.def().source else { continue };
            let level = match leaf >> 28 {
                0 => &mut self.min_level,
                8 => &mut self.min_xlevel,
                0xc => &mut self.min_xlevel2,
                _ => continue,
            };
            *level = leaf.max(*level);
            if leaf == 7 {
                self.min_level_func7 = self.min_level_func7.max(subleaf.unwrap_or(0));
            }
        }
        let leaf_1f = self.force_cpuid_0x1f || topology.is_extended();
        for (needed, level) in [
            (self.features.has(INTEL_PT), 0x14),
            // AMD systems look at leaf 0Bh.
            (leaf_1f && (self.vendor == Vendor::INTEL || !self.vendor_cpuid_only), 0x1f),
            (self.features.has(AVX10), 0x24),
            (self.features.has(APXF), 0x29),
            (self.features.has(SGX), 0x12),
        ] {
            if needed {
                self.min_level = self.min_level.max(level);
            }
        }
        for (needed, level) in [
            (self.features.has(SVM), 0x8000_000a),
            (self.features.word(FeatureWord::Leaf80000021Eax) != 0, 0x8000_0021),
        ] {
            if needed {
                self.min_xlevel = self.min_xlevel.max(level);
            }
        }
        for (level, min) in [
            (&mut self.level_func7, self.min_level_func7),
            (&mut self.level, self.min_level),
            (&mut self.xlevel, self.min_xlevel),
            (&mut self.xlevel2, self.min_xlevel2),
        ] {
            if *level == AUTOMATIC {
                *level = min;
            }
        }
    }
}

impl Expanded {
    fn drop_dependents(&mut self) {
        for rule in DEPENDENCIES {
            if self.config.features.word(rule.needs.word) & rule.needs.mask != 0 {
                continue;
            }
            let orphans = self.config.features.word(rule.word) & rule.mask;
            let wanted = orphans & self.config.user_features.word(rule.word);
            let cause = Cause::Needs(rule.needs);
            self.mark_unavailable(rule.word, wanted, cause, Some(Reason::Dependency));
            self.config.noting(cause, |config| config.features.remove(rule.word, orphans));
        }
    }

    /// APX uses the place of MPX in the XSAVE area.
    fn drop_conflicts(&mut self) {
        const MPX: Feature = feature("mpx");
        const APXF: Feature = feature("apxf");
        if self.config.features.has(MPX) && self.config.features.has(APXF) {
            for (f, reason) in [(MPX, Reason::ConflictsWithApx), (APXF, Reason::ConflictsWithMpx)] {
                self.mark_unavailable(f.word, f.mask, Cause::Conflict(reason), Some(reason));
            }
        }
    }

    /// Takes away what the accelerator lacks. Doing it again changes nothing.
    ///
    /// Returns whether any wish remains unfulfilled.
    pub fn filter(&mut self, source: &dyn CpuidSource, verbose: bool) -> bool {
        let accelerator = source.accelerator();
        let reason = verbose.then_some(Reason::Unsupported(accelerator));
        for word in FeatureWord::all() {
            let missing = self.config.features.word(word) & !available(source, word);
            self.mark_unavailable(word, missing, Cause::Unsupported(accelerator), reason);
        }
        self.filter_intel_pt(source, reason);
        let mut unfulfilled = !self.filtered.is_empty();
        unfulfilled |= self.filter_avx10(source, verbose);
        unfulfilled
    }

    /// Processor trace is described by constants, which the host must offer whole.
    fn filter_intel_pt(&mut self, source: &dyn CpuidSource, reason: Option<Reason>) {
        const PT: Feature = feature("intel-pt");
        const LIP: u32 = 1 << 31;
        if !self.config.features.has(PT) || source.accelerator() != Accelerator::Kvm {
            return;
        }
        let (first, second) = (source.supported_cpuid(0x14, 0), source.supported_cpuid(0x14, 1));
        let covers = |have: u32, wanted: u32| have & wanted == wanted;
        let lip = self.config.features.register(FeatureWord::Leaf14Sub0Ecx) & LIP;
        let offered = first[Register::Eax] != 0
            && covers(first.ebx, 0xf)
            && covers(first.ecx, 0x7)
            && covers(second.eax, 0x0249 << 16)
            && second.eax & 0b11 >= 2
            && covers(second.ebx, 0x003f << 16 | 0x1fff)
            && first.ecx & LIP == lip;
        if !offered {
            self.mark_unavailable(PT.word, PT.mask, Cause::Unsupported(source.accelerator()), reason);
        }
    }

    fn filter_avx10(&mut self, source: &dyn CpuidSource, verbose: bool) -> bool {
        let accelerator = source.accelerator();
        let wanted = self.config.avx10_version;
        let used = if self.config.features.has(const { feature("avx10") }) {
            let [version, ..] = source.supported_cpuid(0x24, 0).ebx.to_le_bytes();
            if version >= wanted {
                return false;
            }
            if self.config.force_features {
                None
            } else {
                self.config.avx10_version = version;
                Some(version)
            }
        } else if wanted != 0 {
            None
        } else {
            return false;
        };
        if verbose {
            self.warnings.push(Warning::Avx10 { accelerator, wanted, used });
        }
        true
    }
}
