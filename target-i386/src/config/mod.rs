//! The configuration of one CPU before and after expansion: everything its CPUID table depends on.
//!
//! A [`CpuConfig`] starts as the data of a model ([`CpuConfig::new`]), takes properties from
//! machine types and users ([`CpuConfig::set`] and relatives, in [`property`]), and is then
//! expanded and realized. Fields are public, as they are plain settings without invariants among
//! them; what must hold is checked by expansion and realization, which report it.
//!
//! Two kinds of user's settings must be told apart. `name=value` sets a property at once. `+name`
//! and `-name` are remembered and win over everything, first all `+`, then all `-`.

mod parse;
pub mod property;
mod value;

#[cfg(feature = "qom")]
pub(crate) use property::frequency;
pub use property::{PROPERTIES, PropertyDef, PropertyError, Value, ValueKind};

use crate::cache::Caches;
use crate::feature::{FeatureSet, feature};
use crate::hyperv;
use crate::model::{Change, CpuModelDef, ModelEntry, ModelKind};
use crate::provenance::{Cause, History};
use crate::source::{Accelerator, CpuidSource, Irqchip};
use crate::vendor::{Signature, Vendor};

/// A level, or address width, that is computed.
pub const AUTOMATIC: u32 = u32::MAX;

/// `apic-id` of a CPU that has none yet.
pub const UNASSIGNED_APIC_ID: u32 = u32::MAX;

/// The format of last-branch records is not set by the user: all bits that no format can have.
pub const LBR_FORMAT_UNSET: u64 = !LBR_FORMAT_MASK;

/// IA32_PERF_CAPABILITIES.LBR_FMT.
pub const LBR_FORMAT_MASK: u64 = 0x3f;

/// Where a CPU sits, as its properties say; -1: not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceIds {
    /// `socket-id`
    pub socket: i32,
    /// `die-id`
    pub die: i32,
    /// `module-id`
    pub module: i32,
    /// `core-id`
    pub core: i32,
    /// `thread-id`
    pub thread: i32,
    /// `node-id`: NUMA node.
    pub node: i32,
}

/// The settings of one CPU. Fields are QEMU's properties of the name in their description.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuConfig {
    /// Name of the model as it was asked for: `Haswell`, `Haswell-v4`, `max`.
    pub model_name: &'static str,
    /// What sort of model it is.
    pub kind: ModelKind,
    /// Caches that the model (in its version) brings.
    pub model_caches: Option<&'static Caches>,

    /// Feature words.
    pub features: FeatureSet,
    /// Bits that the user set or cleared by name.
    pub user_features: FeatureSet,
    /// `+name` and `-name` in order, with `true` for `+`.
    pub forced: Vec<(String, bool)>,

    /// `vendor`
    pub vendor: Vendor,
    /// `family`, `model`, `stepping`
    pub signature: Signature,
    /// `model-id`: the brand string, padded with zeros.
    pub model_id: [u8; 48],
    /// `level`: highest basic leaf, or [`AUTOMATIC`].
    pub level: u32,
    /// `level-func7`: highest sub-leaf of leaf 7, or [`AUTOMATIC`].
    pub level_func7: u32,
    /// `xlevel`: highest leaf from 8000_0000h, or [`AUTOMATIC`].
    pub xlevel: u32,
    /// `xlevel2`: highest leaf from C000_0000h, or [`AUTOMATIC`].
    pub xlevel2: u32,
    /// `min-level`: lower bound of an automatic level.
    pub min_level: u32,
    /// Lower bound of an automatic `level-func7`; no property.
    pub min_level_func7: u32,
    /// `min-xlevel`
    pub min_xlevel: u32,
    /// `min-xlevel2`
    pub min_xlevel2: u32,
    /// `avx10-version`
    pub avx10_version: u8,

    /// `phys-bits`: width of physical addresses, 0 for the default.
    pub phys_bits: u32,
    /// `guest-phys-bits`: width that the guest can map, or [`AUTOMATIC`].
    pub guest_phys_bits: u32,
    /// `host-phys-bits`: take the host's width.
    pub host_phys_bits: bool,
    /// `host-phys-bits-limit`: upper bound for it, 0 for none.
    pub host_phys_bits_limit: u8,
    /// `fill-mtrr-mask`
    pub fill_mtrr_mask: bool,

    /// `check`: warn about features that the accelerator lacks.
    pub check: bool,
    /// `enforce`: refuse them.
    pub enforce: bool,
    /// `x-force-features`: keep them.
    pub force_features: bool,
    /// `migratable` (`max` and `host`): leave out what cannot be migrated.
    pub migratable: bool,
    /// `host-cache-info` (`max` and `host`): pass the host's cache leaves through.
    pub host_cache_info: bool,

    /// `kvm`: announce KVM's paravirtual interface.
    pub expose_kvm: bool,
    /// `kvm-pv-enforce-cpuid`
    pub kvm_pv_enforce_cpuid: bool,
    /// `tcg-cpuid`: announce TCG.
    pub expose_tcg: bool,
    /// `vmware-cpuid-freq`: announce the TSC's frequency in leaf 4000_0010h.
    pub vmware_cpuid_freq: bool,
    /// `pmu`
    pub pmu: bool,
    /// `lbr-fmt`: see [`LBR_FORMAT_UNSET`].
    pub lbr_format: u64,
    /// `lmce`: local machine check exceptions.
    pub lmce: bool,
    /// `xen-vapic`
    pub xen_vapic: bool,
    /// `tsc-frequency` in kHz: the user's, or after realization what the accelerator gives; 0 where neither is known.
    pub tsc_khz: i64,
    /// The same as the user gave it, or 0.
    pub user_tsc_khz: i64,
    /// `ucode-rev`: microcode revision, 0 for the default.
    pub ucode_rev: u64,

    /// `hv-*`: Hyper-V enlightenments.
    pub hyperv: hyperv::Settings,

    /// `l3-cache`
    pub l3_cache: bool,
    /// `legacy-cache`: ignore the model's caches.
    pub legacy_cache: bool,
    /// `x-consistent-cache`: leaf 2 refers to leaf 4.
    pub consistent_cache: bool,
    /// `x-l1-cache-per-thread`: threads of a core share its level 1 caches.
    pub l1_cache_per_core: bool,
    /// `legacy-multi-node`: count dies as nodes in leaf 8000_001Eh.
    pub legacy_multi_node: bool,
    /// `cpuid-0xb`: show leaf 0Bh.
    pub cpuid_0xb: bool,
    /// `x-force-cpuid-0x1f`: show leaf 1Fh whatever the topology.
    pub force_cpuid_0x1f: bool,
    /// `x-vendor-cpuid-only`: leave out leaves that the vendor does not have.
    pub vendor_cpuid_only: bool,
    /// `x-vendor-cpuid-only-v2`: also fields of leaves.
    pub vendor_cpuid_only_v2: bool,
    /// `x-amd-topoext-features-only`: leave reserved bits of leaf 8000_001Dh clear.
    pub amd_topoext_features_only: bool,
    /// `x-arch-cap-always-on`: announce IA32_ARCH_CAPABILITIES on AMD too.
    pub arch_cap_always_on: bool,
    /// `x-pdcm-on-even-without-pmu`
    pub pdcm_without_pmu: bool,
    /// `x-migrate-smi-count`
    pub migrate_smi_count: bool,
    /// `x-migrate-error-code`
    pub migrate_error_code: bool,

    /// How the feature words came to be.
    pub history: History,

    /// `apic-id`, or [`UNASSIGNED_APIC_ID`].
    pub apic_id: u32,
    /// The place in the machine.
    pub place: PlaceIds,
}

/// `model-id` as the CPUID leaves hold it: cut or padded to 48 bytes.
pub(crate) fn pad_model_id(text: &[u8]) -> [u8; 48] {
    let mut padded = [0; 48];
    for (to, from) in padded.iter_mut().zip(text) {
        *to = *from;
    }
    padded
}

impl CpuConfig {
    /// The settings of a CPU with no features: what `base` is.
    fn bare(entry: &ModelEntry) -> Self {
        Self {
            model_name: entry.name(),
            kind: entry.kind(),
            model_caches: None,
            features: FeatureSet::EMPTY,
            user_features: FeatureSet::EMPTY,
            forced: Vec::new(),
            vendor: Vendor::NONE,
            signature: Signature::default(),
            model_id: [0; 48],
            level: AUTOMATIC,
            level_func7: AUTOMATIC,
            xlevel: AUTOMATIC,
            xlevel2: AUTOMATIC,
            min_level: 0,
            min_level_func7: 0,
            min_xlevel: 0,
            min_xlevel2: 0,
            avx10_version: 0,
            phys_bits: 0,
            guest_phys_bits: AUTOMATIC,
            host_phys_bits: false,
            host_phys_bits_limit: 0,
            fill_mtrr_mask: true,
            check: true,
            enforce: false,
            force_features: false,
            migratable: false,
            host_cache_info: false,
            expose_kvm: true,
            kvm_pv_enforce_cpuid: false,
            expose_tcg: true,
            vmware_cpuid_freq: true,
            pmu: false,
            lbr_format: LBR_FORMAT_UNSET,
            lmce: false,
            xen_vapic: false,
            tsc_khz: 0,
            user_tsc_khz: 0,
            ucode_rev: 0,
            hyperv: hyperv::Settings::default(),
            l3_cache: true,
            legacy_cache: true,
            consistent_cache: true,
            l1_cache_per_core: true,
            legacy_multi_node: false,
            cpuid_0xb: true,
            force_cpuid_0x1f: false,
            vendor_cpuid_only: true,
            vendor_cpuid_only_v2: true,
            amd_topoext_features_only: true,
            arch_cap_always_on: false,
            pdcm_without_pmu: false,
            migrate_smi_count: true,
            migrate_error_code: true,
            history: History::default(),
            apic_id: UNASSIGNED_APIC_ID,
            place: PlaceIds { socket: -1, die: -1, module: -1, core: -1, thread: -1, node: -1 },
        }
    }

    /// The settings of a CPU that is of no model yet.
    #[cfg(feature = "qom")]
    pub(crate) fn nothing() -> Self {
        Self::bare(&ModelEntry::computed("base", ModelKind::Base))
    }

    /// The settings of a model under an accelerator: the model's data, its version's changes,
    /// and what the accelerator sets for all models.
    ///
    /// Under KVM the vendor is the host's, for every model.
    #[must_use]
    pub fn new(entry: &ModelEntry, source: &dyn CpuidSource) -> Self {
        let mut config = Self::bare(entry);
        if let Some((def, version)) = entry.definition() {
            config.load(def, version);
            let before = config.features;
            config.apply_accelerator_defaults(source);
            let cause = Cause::AcceleratorDefault(source.accelerator());
            config.history.compare(cause, &before, &config.features);
        }
        if let Some(identity) = source.host_identity() {
            config.vendor = identity.vendor;
        }
        if matches!(config.kind, ModelKind::Max | ModelKind::Host) {
            config.load_max(source);
        }
        config
    }

    fn load(&mut self, def: &'static CpuModelDef, version: Option<u16>) {
        self.vendor = def.vendor;
        self.signature = Signature::new(def.family, def.model, def.stepping);
        self.model_id = pad_model_id(def.model_id.as_bytes());
        self.min_level = def.level;
        self.min_xlevel = def.xlevel;
        self.features = def.features;
        self.features.assign(feature("hypervisor"), true);
        self.model_caches = def.caches_of(version);
        self.legacy_cache = self.model_caches.is_none();
        if def.avx10_version != 0 {
            self.enable_avx10(def.avx10_version);
        }
        self.force_cpuid_0x1f = def.cpuid_0x1f;
        self.history.compare(Cause::Model(def.name), &FeatureSet::EMPTY, &self.features);
        for version in def.until(version) {
            let before = self.features;
            for change in version.changes {
                self.apply(change);
            }
            self.history.compare(Cause::Version(version.number), &before, &self.features);
        }
    }

    fn apply(&mut self, change: &Change) {
        match *change {
            Change::On(f) => self.features.assign(f, true),
            Change::Off(f) => self.features.assign(f, false),
            Change::ModelId(id) => self.model_id = pad_model_id(id.as_bytes()),
            Change::Family(family) => self.signature = self.signature.with_family(family),
            Change::Model(model) => self.signature = self.signature.with_model(model),
            Change::Stepping(stepping) => self.signature = self.signature.with_stepping(stepping),
            Change::MinLevel(level) => self.min_level = level,
            Change::MinXlevel(level) => self.min_xlevel = level,
            Change::Level(level) => self.level = level,
            Change::Xlevel(level) => self.xlevel = level,
            Change::ForceCpuid0x1f(on) => self.force_cpuid_0x1f = on,
            Change::Avx10Version(version) => self.enable_avx10(version),
        }
    }

    /// Sets what an AVX10 version implies; higher versions imply the lower ones' features.
    pub(crate) fn enable_avx10(&mut self, version: u8) {
        self.avx10_version = version;
        if version >= 1 {
            for f in
                const { [feature("avx10"), feature("avx10-128"), feature("avx10-256"), feature("avx10-512")] }
            {
                self.features.assign(f, true);
            }
        }
        if version >= 2 {
            self.features.assign(const { feature("avx10-vnni-int") }, true);
        }
    }

    fn apply_accelerator_defaults(&mut self, source: &dyn CpuidSource) {
        match source.accelerator() {
            Accelerator::Tcg => self.features.assign(const { feature("vme") }, false),
            Accelerator::Kvm => {
                let irqchip = source.irqchip();
                for (f, on) in const {
                    [
                        (feature("kvmclock"), true),
                        (feature("kvm-nopiodelay"), true),
                        (feature("kvm-asyncpf"), true),
                        (feature("kvm-steal-time"), true),
                        (feature("kvm-pv-eoi"), true),
                        (feature("kvmclock-stable-bit"), true),
                        (feature("acpi"), false),
                        (feature("monitor"), false),
                        (feature("svm"), false),
                    ]
                } {
                    self.features.assign(f, on);
                }
                self.features.assign(const { feature("x2apic") }, irqchip != Irqchip::User);
                self.features.assign(const { feature("kvm-msi-ext-dest-id") }, irqchip == Irqchip::Split);
            }
        }
    }

    fn load_max(&mut self, source: &dyn CpuidSource) {
        self.migratable = true;
        if let Some(host) = source.host_identity() {
            self.host_phys_bits = true;
            self.vendor = host.vendor;
            self.signature = host.signature;
            self.model_id = host.model_id;
            self.pmu = true;
            self.lmce = source.lmce();
            self.min_level = source.supported_cpuid(0, 0).eax;
            self.min_xlevel = source.supported_cpuid(0x8000_0000, 0).eax;
            self.min_xlevel2 = source.supported_cpuid(0xc000_0000, 0).eax;
        }
        if self.vendor == Vendor::NONE {
            self.vendor = Vendor::AMD;
        }
        if self.model_id[..4] == [0; 4] {
            self.model_id = pad_model_id(b"QEMU TCG CPU version 2.5+");
        }
    }

    /// `model-id` up to the first zero byte.
    #[must_use]
    pub fn model_id_text(&self) -> String {
        let end = self.model_id.iter().position(|b| *b == 0).unwrap_or(48);
        String::from_utf8_lossy(&self.model_id[..end]).into_owned()
    }

    /// Remembers `+name` or `-name`: applied at expansion, over every other setting.
    pub fn force(&mut self, name: impl Into<String>, on: bool) {
        self.forced.push((name.into(), on));
    }
}
