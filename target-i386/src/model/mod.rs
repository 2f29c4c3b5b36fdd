//! CPU models: their data, versions and names.
//!
//! A *model* is a named set of data ([`CpuModelDef`]). It has numbered *versions*; each changes a
//! few properties of the one before. Three kinds of names denote models: `Haswell-v3` one
//! version; `Haswell-IBRS` an alias of one version; `Haswell` whichever version the machine type
//! says. `base`, `max` and `host` have no data: they are computed.
//!
//! Models of one vendor are in one file, as pure data in terms of feature names. A model is a unit
//! struct with `#[derive(CpuModel)]`, which writes its [`CpuModelDef`] and, with the feature `qom`, registers
//! it at link time; the [`Catalogue`] is a value filled with any of them.
//!
//! ```
//! use target_i386::Vendor;
//! use target_i386::model::CpuModel;
//!
//! #[derive(CpuModel)]
//! #[cpu_model(name = "Example", vendor = Vendor::INTEL, signature(6, 1, 0), levels(1, 0), model_id = "Example")]
//! #[cpu_model(features("fpu", "tsc"))]
//! #[version(2, alias = "Example-PAE", on("pae"), stepping(1))]
//! struct Example;
//!
//! assert_eq!(Example::DEF.versions[1].alias, Some("Example-PAE"));
//! ```
//!
//! A feature that does not exist does not compile:
//!
//! ```compile_fail,E0080
//! #[derive(target_i386::model::CpuModel)]
//! #[cpu_model(name = "Wrong", vendor = target_i386::Vendor::INTEL, features("avx3"))]
//! struct Wrong;
//! ```

pub mod amd;
mod catalogue;
mod expansion;
pub mod generic;
pub mod hygon;
pub mod intel;
pub mod zhaoxin;

pub use catalogue::{
    AliasPolicy, Catalogue, CatalogueError, CpuDefinition, ModelEntry, ModelKind, TYPE_SUFFIX, UnknownModel,
};
pub use expansion::{ExpansionType, ModelExpansion};

pub use qom_derive::CpuModel;

use crate::cache::Caches;
use crate::feature::{Feature, FeatureSet, feature};
use crate::vendor::Vendor;

/// A type that stands for a CPU model; derived.
pub trait CpuModel {
    /// The model's data.
    const DEF: CpuModelDef;
}

/// The data of a CPU model.
#[derive(Debug, Clone, Copy)]
pub struct CpuModelDef {
    /// Name without version.
    pub name: &'static str,
    /// Vendor, unless the accelerator or the user say otherwise.
    pub vendor: Vendor,
    /// Family, extended part included.
    pub family: u16,
    /// Model number.
    pub model: u8,
    /// Stepping.
    pub stepping: u8,
    /// Least highest basic leaf.
    pub level: u32,
    /// Least highest extended leaf; 0 for none.
    pub xlevel: u32,
    /// Brand string, at most 48 bytes.
    pub model_id: &'static str,
    /// Features of version 1.
    pub features: FeatureSet,
    /// Caches, if the model brings its own.
    pub caches: Option<&'static Caches>,
    /// Versions from 1; empty means version 1 alone, without changes.
    pub versions: &'static [ModelVersion],
    /// Why the model should not be used any more.
    pub deprecation_note: Option<&'static str>,
    /// AVX10 version; 0 for none.
    pub avx10_version: u8,
    /// Shows leaf 1Fh whatever the topology.
    pub cpuid_0x1f: bool,
}

/// A version of a model.
#[derive(Debug, Clone, Copy)]
pub struct ModelVersion {
    /// Number, from 1 without gaps.
    pub number: u16,
    /// Another name of this version.
    pub alias: Option<&'static str>,
    /// What is new, for lists.
    pub note: Option<&'static str>,
    /// What differs from the version before.
    pub changes: &'static [Change],
    /// Caches from this version on.
    pub caches: Option<&'static Caches>,
}

/// A change of a version.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// A feature switched on.
    On(Feature),
    /// A feature switched off.
    Off(Feature),
    /// Another brand string.
    ModelId(&'static str),
    /// Another family.
    Family(u16),
    /// Another model number.
    Model(u8),
    /// Another stepping.
    Stepping(u8),
    /// Another `min-level`.
    MinLevel(u32),
    /// Another `min-xlevel`.
    MinXlevel(u32),
    /// A fixed `level`.
    Level(u32),
    /// A fixed `xlevel`.
    Xlevel(u32),
    /// Another `x-force-cpuid-0x1f`.
    ForceCpuid0x1f(bool),
    /// Another AVX10 version.
    Avx10Version(u8),
}

/// A feature switched on by a version; an unknown name does not compile in a constant.
///
/// # Panics
///
/// If no feature has the name.
#[must_use]
pub const fn on(name: &'static str) -> Change {
    Change::On(feature(name))
}

/// A feature switched off by a version; as [`on`].
///
/// # Panics
///
/// If no feature has the name.
#[must_use]
pub const fn off(name: &'static str) -> Change {
    Change::Off(feature(name))
}

/// A brand string changed by a version.
///
/// # Panics
///
/// If it is longer than CPUID can hold.
#[must_use]
pub const fn model_id(id: &'static str) -> Change {
    assert!(id.len() <= 48, "a brand string has at most 48 bytes");
    Change::ModelId(id)
}

impl ModelVersion {
    /// A version without changes.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self { number, alias: None, note: None, changes: &[], caches: None }
    }

    /// With another name.
    #[must_use]
    pub const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// With a note.
    #[must_use]
    pub const fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// With changes.
    #[must_use]
    pub const fn changes(mut self, changes: &'static [Change]) -> Self {
        self.changes = changes;
        self
    }

    /// With caches.
    #[must_use]
    pub const fn caches(mut self, caches: &'static Caches) -> Self {
        self.caches = Some(caches);
        self
    }
}

impl CpuModelDef {
    /// A model without features, of one version.
    #[must_use]
    pub const fn new(name: &'static str, vendor: Vendor) -> Self {
        Self {
            name,
            vendor,
            family: 0,
            model: 0,
            stepping: 0,
            level: 0,
            xlevel: 0,
            model_id: "",
            features: FeatureSet::EMPTY,
            caches: None,
            versions: &[],
            deprecation_note: None,
            avx10_version: 0,
            cpuid_0x1f: false,
        }
    }

    /// With family, model number and stepping.
    #[must_use]
    pub const fn signature(mut self, family: u16, model: u8, stepping: u8) -> Self {
        assert!(family <= 0xff + 0xf && stepping <= 0xf, "CPUID cannot express this signature");
        self.family = family;
        self.model = model;
        self.stepping = stepping;
        self
    }

    /// With least highest basic and extended leaves.
    #[must_use]
    pub const fn levels(mut self, level: u32, xlevel: u32) -> Self {
        self.level = level;
        self.xlevel = xlevel;
        self
    }

    /// With a brand string.
    ///
    /// # Panics
    ///
    /// If it is longer than CPUID can hold.
    #[must_use]
    pub const fn model_id(mut self, id: &'static str) -> Self {
        assert!(id.len() <= 48, "a brand string has at most 48 bytes");
        self.model_id = id;
        self
    }

    /// With features; may be called several times, for names in groups.
    ///
    /// # Panics
    ///
    /// If a name is unknown or listed twice.
    #[must_use]
    pub const fn features(mut self, names: &[&'static str]) -> Self {
        self.features = self.features.and(names);
        self
    }

    /// With caches.
    #[must_use]
    pub const fn caches(mut self, caches: &'static Caches) -> Self {
        self.caches = Some(caches);
        self
    }

    /// With versions.
    ///
    /// # Panics
    ///
    /// If they are not numbered from 1 without gaps.
    #[must_use]
    pub const fn versions(mut self, versions: &'static [ModelVersion]) -> Self {
        let mut i = 0;
        while i < versions.len() {
            assert!(versions[i].number as usize == i + 1, "versions are numbered from 1");
            i += 1;
        }
        self.versions = versions;
        self
    }

    /// With a reason not to use it.
    #[must_use]
    pub const fn deprecated(mut self, note: &'static str) -> Self {
        self.deprecation_note = Some(note);
        self
    }

    /// With an AVX10 version.
    #[must_use]
    pub const fn avx10(mut self, version: u8) -> Self {
        self.avx10_version = version;
        self
    }

    /// With leaf 1Fh whatever the topology.
    #[must_use]
    pub const fn cpuid_0x1f(mut self) -> Self {
        self.cpuid_0x1f = true;
        self
    }

    /// Number of the last version.
    #[must_use]
    pub fn last_version(&self) -> u16 {
        self.versions.last().map_or(1, |v| v.number)
    }

    /// The versions up to one; none of them for `None`, the model as it was before versions.
    pub(crate) fn until(&self, version: Option<u16>) -> impl Iterator<Item = &'static ModelVersion> {
        self.versions.iter().take_while(move |v| version.is_some_and(|last| v.number <= last))
    }

    /// What a version changes, from the first version on.
    pub(crate) fn changes_of(&self, version: Option<u16>) -> impl Iterator<Item = &'static Change> {
        self.until(version).flat_map(|v| v.changes)
    }

    /// The caches of a version.
    pub(crate) fn caches_of(&self, version: Option<u16>) -> Option<&'static Caches> {
        self.until(version).filter_map(|v| v.caches).last().or(self.caches)
    }
}

/// The models of this crate.
pub static BUILTIN: &[&CpuModelDef] = &[
    &generic::Qemu64::DEF,
    &generic::Qemu32::DEF,
    &generic::Kvm64::DEF,
    &generic::Kvm32::DEF,
    &intel::I486::DEF,
    &intel::Pentium::DEF,
    &intel::Pentium2::DEF,
    &intel::Pentium3::DEF,
    &intel::CoreDuo::DEF,
    &intel::N270::DEF,
    &intel::Core2Duo::DEF,
    &intel::Conroe::DEF,
    &intel::Penryn::DEF,
    &intel::Nehalem::DEF,
    &intel::Westmere::DEF,
    &intel::SandyBridge::DEF,
    &intel::IvyBridge::DEF,
    &intel::Haswell::DEF,
    &intel::Broadwell::DEF,
    &intel::SkylakeClient::DEF,
    &intel::SkylakeServer::DEF,
    &intel::CascadelakeServer::DEF,
    &intel::Cooperlake::DEF,
    &intel::KnightsMill::DEF,
    &intel::IcelakeServer::DEF,
    &intel::SapphireRapids::DEF,
    &intel::GraniteRapids::DEF,
    &intel::DiamondRapids::DEF,
    &intel::Denverton::DEF,
    &intel::Snowridge::DEF,
    &intel::SierraForest::DEF,
    &intel::ClearwaterForest::DEF,
    &amd::Athlon::DEF,
    &amd::Phenom::DEF,
    &amd::OpteronG1::DEF,
    &amd::OpteronG2::DEF,
    &amd::OpteronG3::DEF,
    &amd::OpteronG4::DEF,
    &amd::OpteronG5::DEF,
    &amd::Epyc::DEF,
    &amd::EpycRome::DEF,
    &amd::EpycMilan::DEF,
    &amd::EpycGenoa::DEF,
    &amd::EpycTurin::DEF,
    &hygon::Dhyana::DEF,
    &zhaoxin::YongFeng::DEF,
];
