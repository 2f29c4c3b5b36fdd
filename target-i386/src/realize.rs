//! Realization: from expanded settings to the final description of a CPU.
//!
//! Filters against the accelerator, then settles what depends on the outcome: AMD's repeated
//! bits, address widths, caches, microcode revision. The result is immutable.

use crate::cache::{Caches, LEGACY_AMD, LEGACY_INTEL, LEGACY_INTEL_LEAF_2};
use crate::config::{AUTOMATIC, CpuConfig, LBR_FORMAT_MASK, LBR_FORMAT_UNSET};
use crate::cpuid::{BuildInput, CacheLeaves, CpuidTable, TableError, build};
use crate::expand::{ExpandError, Expanded, Warning, available};
use crate::feature::{AMD_SHARED, Feature, FeatureSet, FeatureWord, WordSource, feature};
use crate::hyperv::{Enlightenment, MSR_VP_INDEX};
use crate::model::ModelKind;
use crate::provenance::{Cause, Explanation};
use crate::source::{Accelerator, CpuidSource};
use crate::topology::{CacheSharing, CacheSharingError, CpuTopology, Placement};
use crate::vendor::Signature;
use crate::xsave::enablers;

/// Width of physical addresses where nothing says otherwise.
const DEFAULT_PHYS_BITS: u32 = 40;

/// Widest physical address that page tables hold.
const MAX_PHYS_BITS: u32 = 52;

const LM: Feature = feature("lm");

/// A CPU cannot be realized. The texts are the reference's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RealizeError {
    /// Expansion.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// `enforce` is on and features are missing; the warnings say which.
    #[error("{} doesn't support requested features", match .0 { Accelerator::Tcg => "TCG", Accelerator::Kvm => "Host" })]
    Enforced(Accelerator),
    /// `x-vendor-cpuid-only-v2` without `x-vendor-cpuid-only`.
    #[error("x-vendor-cpuid-only-v2 property depends on x-vendor-cpuid-only")]
    VendorCpuidOnly,
    /// The model needs a host.
    #[error("CPU model '{0}' requires KVM or HVF")]
    NeedsHost(&'static str),
    /// `legacy-cache=off` for a model that brings no caches.
    #[error("CPU model '{0}' doesn't support legacy-cache=off")]
    NoCaches(&'static str),
    /// A last-branch record format without a PMU.
    #[error("vPMU: LBR is unsupported without pmu=on")]
    LbrWithoutPmu,
    /// A last-branch record format that is not the host's.
    #[error("vPMU: the lbr-fmt value (0x{wanted:x}) does not match the host value (0x{host:x}).")]
    LbrFormat {
        /// The value asked for.
        wanted: u64,
        /// The host's value.
        host: u64,
    },
    /// `phys-bits` is too small.
    #[error("phys-bits should be at least 32 (but is {0})")]
    PhysBitsTooSmall(u32),
    /// `phys-bits` is more than hosts can do.
    #[error("phys-bits should be between 32 and {MAX_PHYS_BITS}  (but is {0})")]
    PhysBits(u32),
    /// `guest-phys-bits` does not fit `phys-bits`.
    #[error("guest-phys-bits should be between 32 and {max}  (but is {value})")]
    GuestPhysBits {
        /// `phys-bits`.
        max: u32,
        /// The value.
        value: u32,
    },
    /// `phys-bits` of a CPU without long mode.
    #[error("phys-bits is not user-configurable in 32 bit")]
    PhysBits32,
    /// `guest-phys-bits` of a CPU without long mode.
    #[error("guest-phys-bits is not user-configurable in 32 bit")]
    GuestPhysBits32,
    /// `lmce` where the accelerator has no local machine check exceptions.
    #[error("kvm: LMCE not supported")]
    Lmce,
    /// Caches cannot be shared as the machine says.
    #[error(transparent)]
    SmpCache(#[from] CacheSharingError),
    /// The CPUID table is inconsistent.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Why a guest has no performance counters under KVM. The texts are the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PmuProblem {
    /// The host's processor, of another vendor, has no such counters.
    #[error("host doesn't support requested feature: vPMU")]
    OtherVendor,
    /// A CPU of AMD's without counters.
    #[error("AMD performance-monitoring is supported from K7 and later")]
    BeforeK7,
}

/// A CPU's final description.
#[derive(Debug, Clone, PartialEq)]
pub struct RealizedCpu {
    /// The settings after expansion and filtering: what properties read now.
    pub config: CpuConfig,
    /// Bits that were asked for and are missing (`filtered-features`).
    pub filtered: FeatureSet,
    /// What the guest reads from CPUID.
    pub table: CpuidTable,
    /// The place that the table tells of.
    pub placement: Placement,
    /// Which level of the topology shares each cache.
    pub cache_sharing: CacheSharing,
    /// Width of physical addresses.
    pub phys_bits: u32,
    /// The guest sees Hyper-V.
    pub shows_hyperv: bool,
    /// Microcode revision, as IA32_BIOS_SIGN_ID holds it.
    pub microcode_revision: u64,
    /// IA32_MCG_CAP as it is asked of the accelerator; `None` for a CPU without a machine check architecture.
    pub machine_check: Option<u64>,
    /// Why KVM gives the guest no performance counters though `pmu` is on; `None` where it does.
    pub pmu_problem: Option<PmuProblem>,
}

/// Names of bits as lists of missing features give them: XSAVE components go by the feature that
/// brings them, and a bit without a name is there as an empty text, as in the reference.
fn names(set: &FeatureSet) -> Vec<&'static str> {
    set.iter()
        .map(|(word, bit)| match word {
            FeatureWord::Xcr0Low => enablers(bit as usize).first().map(|f| f.name),
            _ => word.bit_name(bit),
        })
        .map(Option::unwrap_or_default)
        .collect()
}

/// The features that an accelerator lacks to run a model, in the order of the words.
pub(crate) fn unavailable_features(config: &CpuConfig, source: &dyn CpuidSource) -> Vec<&'static str> {
    match config.expand(&CpuTopology::single(), source) {
        Ok(expanded) => missing(expanded, source),
        Err(_) => vec!["type"],
    }
}

/// The features that an accelerator lacks of what the settings ask for, in the order of the words.
pub(crate) fn missing(mut expanded: Expanded, source: &dyn CpuidSource) -> Vec<&'static str> {
    expanded.filter(source, false);
    names(&expanded.filtered)
}

/// Something that KVM does for a vCPU only when asked (`KVM_ENABLE_CAP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VcpuCapability {
    /// The synthetic interrupt controller without its old message page (`KVM_CAP_HYPERV_SYNIC2`).
    HypervSynic,
    /// The enlightened VMCS, version 1 (`KVM_CAP_HYPERV_ENLIGHTENED_VMCS`; the argument is the address of
    /// a 16-bit number that KVM writes the versions to).
    HypervEvmcs,
    /// Hyper-V's interface is limited to what CPUID shows (`KVM_CAP_HYPERV_ENFORCE_CPUID`, argument 1).
    HypervEnforceCpuid,
    /// KVM's own interface is (`KVM_CAP_ENFORCE_PV_FEATURE_CPUID`, argument 1).
    EnforcePvCpuid,
}

impl RealizedCpu {
    /// The chain of causes that made a feature what it is. Reads what was noted; computes nothing again.
    #[must_use]
    pub fn explain(&self, f: Feature) -> Explanation {
        Explanation::of(f.word, f.mask, &self.config.features, &self.filtered, &self.config.history)
    }

    /// The chain of causes of one bit; an unknown bit is one that nothing touched.
    #[must_use]
    pub fn explain_bit(&self, word: FeatureWord, bit: u32) -> Explanation {
        let mask = 1u64.checked_shl(bit).unwrap_or(0);
        Explanation::of(word, mask, &self.config.features, &self.filtered, &self.config.history)
    }

    /// Frequency in kHz that the user asked for the time stamp counter to have; `None` where it is the accelerator's choice.
    #[must_use]
    pub fn wanted_tsc_khz(&self) -> Option<i64> {
        Some(self.config.user_tsc_khz).filter(|khz| *khz != 0)
    }

    /// What a vCPU needs of KVM beyond its CPUID table, to be asked for before it runs.
    #[must_use]
    pub fn capabilities(&self) -> Vec<VcpuCapability> {
        let hyperv = &self.config.hyperv;
        let has = |one| self.shows_hyperv && hyperv.features.has(one);
        [
            (has(Enlightenment::Synic), VcpuCapability::HypervSynic),
            (has(Enlightenment::Evmcs), VcpuCapability::HypervEvmcs),
            (self.shows_hyperv && hyperv.enforce_cpuid, VcpuCapability::HypervEnforceCpuid),
            (self.config.kvm_pv_enforce_cpuid, VcpuCapability::EnforcePvCpuid),
        ]
        .into_iter()
        .filter_map(|(wanted, capability)| wanted.then_some(capability))
        .collect()
    }

    /// The MSR that tells the guest the CPU's number in Hyper-V's terms, and its value for the `index`th
    /// CPU of the machine; none where the guest sees no such MSR.
    #[must_use]
    pub fn vp_index_msr(&self, index: u32) -> Option<(u32, u64)> {
        let shown = self.shows_hyperv && self.config.hyperv.features.has(Enlightenment::Vpindex);
        shown.then_some((MSR_VP_INDEX, index.into()))
    }

    /// Names of the features that were asked for and are missing (`unavailable-features`).
    #[must_use]
    pub fn unavailable_features(&self) -> Vec<&'static str> {
        names(&self.filtered)
    }

    /// Feature MSRs that describe the CPU to the guest, with their values: IA32_ARCH_CAPABILITIES,
    /// IA32_CORE_CAPABILITIES and IA32_PERF_CAPABILITIES, where the CPU announces them.
    ///
    /// The VMX capability MSRs are not among them: their values encode more than features.
    #[must_use]
    pub fn feature_msrs(&self) -> Vec<(u32, u64)> {
        [
            ("arch-capabilities", FeatureWord::ArchCapabilities),
            ("core-capability", FeatureWord::CoreCapability),
            ("pdcm", FeatureWord::PerfCapabilities),
        ]
        .into_iter()
        .filter(|(name, _)| self.config.features.test(name).unwrap_or(false))
        .filter_map(|(_, word)| match word.def().source {
            WordSource::Msr { index } => Some((index, self.config.features.word(word))),
            WordSource::Cpuid { .. } => None,
        })
        .collect()
    }
}

impl CpuConfig {
    /// Realizes a CPU at a place. Warnings are added to `warnings` also when it fails.
    ///
    /// # Errors
    ///
    /// If settings contradict each other or the accelerator, or with `enforce` if features are
    /// missing.
    pub fn realize(
        &self,
        placement: Placement,
        source: &dyn CpuidSource,
        warnings: &mut Vec<Warning>,
    ) -> Result<RealizedCpu, RealizeError> {
        let mut config = self.clone();
        config.settle_signature();
        if !config.vendor_cpuid_only && config.vendor_cpuid_only_v2 {
            return Err(RealizeError::VendorCpuidOnly);
        }
        if config.hyperv.settle_vendor() {
            warnings.push(Warning::HypervVendor);
        }
        let mut expanded = config.expand(&placement.topology, source)?;
        let outcome = expanded.finish(placement, source);
        warnings.append(&mut expanded.warnings);
        outcome
    }

    /// `max` without a host has a signature of its own. It looks at long mode before expansion,
    /// so that it is a 32-bit CPU's unless the user asked for `lm`, as in QEMU.
    fn settle_signature(&mut self) {
        let computed = matches!(self.kind, ModelKind::Max | ModelKind::Host);
        if computed && self.signature.family() == 0 {
            self.signature =
                if self.features.has(LM) { Signature::new(15, 107, 1) } else { Signature::new(6, 6, 3) };
        }
    }
}

impl Expanded {
    fn finish(
        &mut self,
        placement: Placement,
        source: &dyn CpuidSource,
    ) -> Result<RealizedCpu, RealizeError> {
        self.check_lbr(source)?;
        let verbose = self.config.check || self.config.enforce;
        if self.filter(source, verbose) && self.config.enforce {
            return Err(RealizeError::Enforced(source.accelerator()));
        }
        if self.config.vendor.is_amd() {
            self.config.noting(Cause::AmdRepeats, |config| {
                let shared = config.features.word(FeatureWord::Leaf1Edx) & AMD_SHARED;
                config.features.remove(FeatureWord::Leaf80000001Edx, AMD_SHARED);
                config.features.insert(FeatureWord::Leaf80000001Edx, shared);
            });
        }
        if self.config.kind == ModelKind::Host && source.host_identity().is_none() {
            return Err(RealizeError::NeedsHost(self.config.model_name));
        }
        self.take_host_widths(source)?;
        let threads = placement.topology.threads_per_core();
        if self.config.vendor.is_amd()
            && threads > 1
            && !self.config.features.has(const { feature("topoext") })
        {
            self.warnings.push(Warning::Hyperthreading { threads });
        }
        self.check_widths()?;
        let caches = self.caches()?.shared(&placement.topology.caches())?;
        self.settle_microcode(source);
        if self.config.tsc_khz == 0 {
            self.config.tsc_khz = source.tsc_khz().unwrap_or(0).into();
        }
        let machine_check = self.machine_check(source)?;
        let pmu_problem = self.pmu_problem(source);
        let config = self.config.clone();
        let table = build(&BuildInput {
            config: &config,
            placement,
            caches,
            phys_bits: config.phys_bits,
            guest_phys_bits: config.guest_phys_bits,
            source,
            components: source.xsave_components(),
        })?;
        Ok(RealizedCpu {
            filtered: self.filtered,
            table,
            placement,
            cache_sharing: CacheSharing::of(&caches.leaf_1d),
            phys_bits: config.phys_bits,
            shows_hyperv: config.hyperv.active(source),
            microcode_revision: config.ucode_rev,
            machine_check,
            pmu_problem,
            config,
        })
    }

    fn pmu_problem(&self, source: &dyn CpuidSource) -> Option<PmuProblem> {
        /// The Athlon's, the first with counters.
        const K7: u32 = 6;
        let CpuConfig { pmu, vendor, signature, .. } = self.config;
        let host = source.host_identity().filter(|_| pmu)?;
        if !host.vendor.has_counters_of(vendor) {
            return Some(PmuProblem::OtherVendor);
        }
        (vendor.is_amd() && signature.family() < K7).then_some(PmuProblem::BeforeK7)
    }

    fn check_lbr(&mut self, source: &dyn CpuidSource) -> Result<(), RealizeError> {
        let word = FeatureWord::PerfCapabilities;
        if self.config.lbr_format != LBR_FORMAT_UNSET {
            self.config.noting(Cause::LbrFormat, |config| {
                config.features.remove(word, LBR_FORMAT_MASK);
                config.features.insert(word, config.lbr_format);
            });
        }
        let wanted = self.config.features.word(word) & LBR_FORMAT_MASK;
        if wanted != 0 && source.accelerator() == Accelerator::Kvm {
            if !self.config.pmu {
                return Err(RealizeError::LbrWithoutPmu);
            }
            let host = available(source, word) & LBR_FORMAT_MASK;
            if wanted != host {
                return Err(RealizeError::LbrFormat { wanted, host });
            }
        }
        Ok(())
    }

    /// Takes address widths from the host, where there is one.
    fn take_host_widths(&mut self, source: &dyn CpuidSource) -> Result<(), RealizeError> {
        let config = &mut self.config;
        if !config.features.has(LM) {
            return Ok(());
        }
        let Some(host) = source.host_identity() else { return Ok(()) };
        if config.phys_bits != 0 && config.phys_bits != host.phys_bits {
            self.warnings.push(Warning::PhysBits { host: host.phys_bits, property: config.phys_bits });
        }
        let limit = |bits: u32| match u32::from(config.host_phys_bits_limit) {
            0 => bits,
            limit => bits.min(limit),
        };
        if config.host_phys_bits {
            config.phys_bits = limit(host.phys_bits);
        }
        if config.phys_bits > MAX_PHYS_BITS {
            return Err(RealizeError::PhysBits(config.phys_bits));
        }
        if config.guest_phys_bits == AUTOMATIC {
            let mappable = source.supported_cpuid(0x8000_0008, 0).eax >> 16 & 0xff;
            if mappable != 0 {
                let bits = mappable.min(config.phys_bits);
                config.guest_phys_bits = if config.host_phys_bits { limit(bits) } else { bits };
            }
        }
        Ok(())
    }

    fn check_widths(&mut self) -> Result<(), RealizeError> {
        const PSE36: Feature = feature("pse36");
        const PAE: Feature = feature("pae");
        let config = &mut self.config;
        if config.guest_phys_bits == AUTOMATIC {
            config.guest_phys_bits = 0;
        }
        if config.features.has(LM) {
            match config.phys_bits {
                0 => config.phys_bits = DEFAULT_PHYS_BITS,
                bits @ ..32 => return Err(RealizeError::PhysBitsTooSmall(bits)),
                _ => {}
            }
            let (max, value) = (config.phys_bits, config.guest_phys_bits);
            if value != 0 && !(32..=max).contains(&value) {
                return Err(RealizeError::GuestPhysBits { max, value });
            }
            return Ok(());
        }
        if config.phys_bits != 0 {
            return Err(RealizeError::PhysBits32);
        }
        if config.guest_phys_bits != 0 {
            return Err(RealizeError::GuestPhysBits32);
        }
        let wide = config.features.has(PSE36) || config.features.has(PAE);
        config.phys_bits = if wide { 36 } else { 32 };
        Ok(())
    }

    /// The caches that each leaf shows. Old machine types show legacy caches differently in
    /// leaf 2, and one vendor's in the other's leaves.
    fn caches(&self) -> Result<CacheLeaves, RealizeError> {
        let config = &self.config;
        if !config.legacy_cache {
            let own: Caches = *config.model_caches.ok_or(RealizeError::NoCaches(config.model_name))?;
            return Ok(CacheLeaves { leaf_2: own, leaf_4: own, amd: own, leaf_1d: own });
        }
        let own = if config.vendor.is_amd() { LEGACY_AMD } else { LEGACY_INTEL };
        let by_leaf = !config.vendor_cpuid_only_v2;
        let intel = if by_leaf { LEGACY_INTEL } else { own };
        Ok(CacheLeaves {
            leaf_2: if config.consistent_cache { intel } else { LEGACY_INTEL_LEAF_2 },
            leaf_4: intel,
            amd: if by_leaf { LEGACY_AMD } else { own },
            leaf_1d: own,
        })
    }

    /// What the CPU has of the machine check architecture: 10 banks, a control register and recovery (Intel SDM
    /// volume 3, 17.3.1.1), for families from 6 on that announce it.
    fn machine_check(&self, source: &dyn CpuidSource) -> Result<Option<u64>, RealizeError> {
        const MCE: Feature = feature("mce");
        const MCA: Feature = feature("mca");
        const BANKS: u64 = 10;
        const CTL_P: u64 = 1 << 8;
        const SER_P: u64 = 1 << 24;
        const LMCE_P: u64 = 1 << 27;
        let config = &self.config;
        let family = config.signature.eax() >> 8 & 0xf;
        if family < 6 || !config.features.has(MCE) || !config.features.has(MCA) {
            return Ok(None);
        }
        if !config.lmce {
            return Ok(Some(BANKS | CTL_P | SER_P));
        }
        if source.accelerator() == Accelerator::Kvm && !source.lmce() {
            return Err(RealizeError::Lmce);
        }
        Ok(Some(BANKS | CTL_P | SER_P | LMCE_P))
    }

    fn settle_microcode(&mut self, source: &dyn CpuidSource) {
        let config = &mut self.config;
        if config.ucode_rev == 0 && matches!(config.kind, ModelKind::Max | ModelKind::Host) {
            config.ucode_rev = source.microcode_revision();
        }
        if config.ucode_rev == 0 {
            // KVM's own defaults.
            config.ucode_rev = if config.vendor.is_amd() { 0x0100_0065 } else { 0x1_0000_0000 };
        }
    }
}
