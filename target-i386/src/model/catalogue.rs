//! The models by name: look-up, lists, and what `-cpu help` and `query-cpu-definitions` say.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

use super::{BUILTIN, CpuModelDef, ModelVersion};
use crate::config::CpuConfig;
use crate::feature;
use crate::realize::unavailable_features;
use crate::source::CpuidSource;

/// Suffix of the type names of CPU models.
pub const TYPE_SUFFIX: &str = "-x86_64-cpu";

/// What sort of model a name denotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// A model with data.
    Defined,
    /// `base`: nothing.
    Base,
    /// `max`: all that the accelerator supports.
    Max,
    /// `host`: `max`, where there is a host.
    Host,
}

/// Which version a name without one means; machine types say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasPolicy {
    /// This version: 1 for all PC machine types.
    Version(u16),
    /// The last one (`microvm`).
    Latest,
    /// The model as it was before there were versions, and no aliases in lists (`isapc`).
    Unversioned,
}

impl Default for AliasPolicy {
    fn default() -> Self {
        Self::Version(1)
    }
}

#[derive(Debug, Clone, Copy)]
enum Selected {
    Exactly(&'static ModelVersion),
    Alias(u16),
    ByMachine,
}

/// A name of a model.
#[derive(Debug, Clone)]
pub struct ModelEntry {
    name: &'static str,
    kind: ModelKind,
    selected: Option<(&'static CpuModelDef, Selected)>,
    policy: AliasPolicy,
}

/// No model has the name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unable to find CPU model '{0}'")]
pub struct UnknownModel(pub String);

/// Models cannot be put into one catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Two models have one name.
    #[error("the CPU model name '{name}' is used by '{first}' and by '{second}'")]
    Duplicate {
        /// The name.
        name: String,
        /// Model that had it.
        first: &'static str,
        /// Model that also wants it.
        second: &'static str,
    },
}

/// What `query-cpu-definitions` says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuDefinition {
    /// The name.
    pub name: String,
    /// The QOM type.
    pub typename: String,
    /// Features that keep the model from running; `kvm` or `type` where something else does.
    pub unavailable_features: Vec<&'static str>,
    /// The versioned model that the name means, if it is an alias.
    pub alias_of: Option<String>,
    /// Stays the same in all versions of the program.
    pub is_static: bool,
    /// A guest can be migrated to another program with the same name.
    pub migration_safe: bool,
    /// Should not be used any more.
    pub deprecated: bool,
}

impl ModelEntry {
    pub(crate) const fn computed(name: &'static str, kind: ModelKind) -> Self {
        Self { name, kind, selected: None, policy: AliasPolicy::Version(1) }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What sort of model it is.
    #[must_use]
    pub const fn kind(&self) -> ModelKind {
        self.kind
    }

    /// The name of the QOM type.
    #[must_use]
    pub fn typename(&self) -> String {
        [self.name, TYPE_SUFFIX].concat()
    }

    /// The entry as a machine type with this policy sees it. Only names without version differ.
    #[must_use]
    pub fn under(mut self, policy: AliasPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The model's data and the version that the name means: `None` for the model as it was
    /// before versions. No data for computed models.
    #[must_use]
    pub fn definition(&self) -> Option<(&'static CpuModelDef, Option<u16>)> {
        let (def, selected) = self.selected?;
        let version = match selected {
            Selected::Exactly(version) => Some(version.number),
            Selected::Alias(number) => Some(number),
            Selected::ByMachine => match self.policy {
                AliasPolicy::Version(number) => Some(number.min(def.last_version())),
                AliasPolicy::Latest => Some(def.last_version()),
                AliasPolicy::Unversioned => None,
            },
        };
        Some((def, version))
    }

    /// The versioned name that this one means, if it is an alias.
    #[must_use]
    pub fn alias_of(&self) -> Option<String> {
        let (def, version) = self.definition()?;
        let (_, selected) = self.selected?;
        (!matches!(selected, Selected::Exactly(_))).then_some(())?;
        Some(format!("{}-v{}", def.name, version?))
    }

    /// Whether the name means whatever the machine type says.
    #[must_use]
    pub fn is_configured_by_machine(&self) -> bool {
        matches!(self.selected, Some((_, Selected::ByMachine)))
    }

    /// Reason not to use the model any more.
    #[must_use]
    pub fn deprecation_note(&self) -> Option<&'static str> {
        self.selected.and_then(|(def, _)| def.deprecation_note)
    }

    /// Whether the model stays the same in all versions of the program: `base` alone.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.kind == ModelKind::Base
    }

    /// Whether a guest can be migrated to another program with the same model and machine type.
    #[must_use]
    pub fn is_migration_safe(&self) -> bool {
        matches!(self.kind, ModelKind::Defined | ModelKind::Base)
    }

    /// What `-cpu help` says of the model.
    #[must_use]
    pub fn description(&self) -> String {
        let mut text = String::new();
        self.describe(&mut text);
        text
    }

    /// Appends what `-cpu help` says of the model.
    fn describe(&self, text: &mut String) {
        match self.kind {
            ModelKind::Base => text.push_str("base CPU model type with no features enabled"),
            // The blank at the end is the reference's.
            ModelKind::Host => text.push_str("processor with all supported host features "),
            ModelKind::Max => {
                text.push_str("Enables all features supported by the accelerator in the current host");
            }
            ModelKind::Defined => {
                if let (Some((_, selected)), Some((def, version))) = (self.selected, self.definition()) {
                    describe_version(def, selected, version, text);
                }
            }
        }
        if self.deprecation_note().is_some() {
            text.push_str(" (deprecated)");
        }
    }

    /// Place in lists: computed models come last, `max` at the very end.
    fn rank(&self) -> u8 {
        match self.kind {
            ModelKind::Defined => 0,
            ModelKind::Base | ModelKind::Host => 8,
            ModelKind::Max => 9,
        }
    }
}

/// The models that a program has.
#[derive(Debug, Clone)]
pub struct Catalogue {
    entries: BTreeMap<&'static str, ModelEntry>,
}

/// How wide the column of names is in `-cpu help`.
const NAME_COLUMN: usize = 20;

static SOLE_VERSION: ModelVersion = ModelVersion::new(1);

/// Names of the versions of models that are versioned implicitly or explicitly. They live as
/// long as the program, as models do; a model is put into a catalogue a few times at most.
fn versioned_name(def: &'static CpuModelDef, version: u16) -> &'static str {
    use std::sync::Mutex;
    // By the model's address: it says as much as the name, and is shorter to compare.
    static NAMES: Mutex<BTreeMap<(usize, u16), &'static str>> = Mutex::new(BTreeMap::new());
    let mut names = NAMES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    names
        .entry((std::ptr::from_ref(def).addr(), version))
        .or_insert_with(|| Box::leak(format!("{}-v{version}", def.name).into_boxed_str()))
}

impl Catalogue {
    /// The catalogue of the models of this crate.
    #[must_use]
    pub fn builtin() -> Self {
        Self::with_models(BUILTIN.iter().copied()).unwrap_or_else(|_| Self::computed())
    }

    /// `base` and `max` and `host`, and no others.
    fn computed() -> Self {
        let entries = [("base", ModelKind::Base), ("max", ModelKind::Max), ("host", ModelKind::Host)];
        Self { entries: entries.into_iter().map(|(n, kind)| (n, ModelEntry::computed(n, kind))).collect() }
    }

    /// A catalogue of the computed models and the given ones.
    ///
    /// # Errors
    ///
    /// If two models, versions or aliases have one name.
    pub fn with_models(
        models: impl IntoIterator<Item = &'static CpuModelDef>,
    ) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::computed();
        for def in models {
            catalogue.add(def)?;
        }
        Ok(catalogue)
    }

    /// The catalogue without `host`: for an accelerator that runs guests on no real processor.
    #[must_use]
    pub fn without_host(mut self) -> Self {
        self.entries.retain(|_, entry| entry.kind != ModelKind::Host);
        self
    }

    /// All names that a model brings: its own, its versions' and their aliases.
    #[must_use]
    pub fn names_of(def: &'static CpuModelDef) -> Vec<&'static str> {
        let versions = (1..=def.last_version()).map(|version| versioned_name(def, version));
        let aliases = def.versions.iter().filter_map(|version| version.alias);
        std::iter::once(def.name).chain(versions).chain(aliases).collect()
    }

    fn add(&mut self, def: &'static CpuModelDef) -> Result<(), CatalogueError> {
        self.insert(def, def.name, Selected::ByMachine)?;
        if def.versions.is_empty() {
            self.insert(def, versioned_name(def, 1), Selected::Exactly(&SOLE_VERSION))?;
        }
        for version in def.versions {
            self.insert(def, versioned_name(def, version.number), Selected::Exactly(version))?;
            if let Some(alias) = version.alias {
                self.insert(def, alias, Selected::Alias(version.number))?;
            }
        }
        Ok(())
    }

    fn insert(
        &mut self,
        def: &'static CpuModelDef,
        name: &'static str,
        selected: Selected,
    ) -> Result<(), CatalogueError> {
        match self.entries.entry(name) {
            Entry::Vacant(place) => {
                place.insert(ModelEntry {
                    name,
                    kind: ModelKind::Defined,
                    selected: Some((def, selected)),
                    policy: AliasPolicy::default(),
                });
                Ok(())
            }
            Entry::Occupied(old) => {
                let first = old.get().selected.map_or(name, |(def, _)| def.name);
                Err(CatalogueError::Duplicate { name: name.to_owned(), first, second: def.name })
            }
        }
    }

    /// The entry of a name.
    ///
    /// # Errors
    ///
    /// If no model has the name.
    pub fn find(&self, name: &str) -> Result<&ModelEntry, UnknownModel> {
        self.entries.get(name).ok_or_else(|| UnknownModel(name.to_owned()))
    }

    /// All names, in the order of `-cpu help`.
    #[must_use]
    pub fn entries(&self) -> Vec<&ModelEntry> {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_by_key(|entry| entry.rank());
        entries
    }

    /// The text of `-cpu help`.
    #[must_use]
    pub fn help(&self, policy: AliasPolicy) -> String {
        let mut text = String::from("Available CPUs:\n");
        for entry in self.entries() {
            text.push_str("  ");
            text.push_str(entry.name);
            // Two blanks at least, as names are ASCII and may be longer than their column.
            text.extend(std::iter::repeat_n(' ', NAME_COLUMN.saturating_sub(entry.name.len()) + 2));
            entry.clone().under(policy).describe(&mut text);
            text.push('\n');
        }
        text.push_str("\nRecognized CPUID flags:\n");
        text.push_str(&flag_lines());
        text.push('\n');
        text
    }

    /// What `query-cpu-definitions` says, in the order of `-cpu help`.
    #[must_use]
    pub fn definitions(&self, policy: AliasPolicy, source: &dyn CpuidSource) -> Vec<CpuDefinition> {
        let missing = |entry: &ModelEntry| {
            if entry.kind == ModelKind::Host && source.host_identity().is_none() {
                vec!["kvm"]
            } else {
                unavailable_features(&CpuConfig::new(entry, source), source)
            }
        };
        self.definitions_with(policy, missing)
    }

    /// The same, where somebody else knows which features keep a model from running.
    pub(crate) fn definitions_with(
        &self,
        policy: AliasPolicy,
        missing: impl Fn(&ModelEntry) -> Vec<&'static str>,
    ) -> Vec<CpuDefinition> {
        let entries = self.entries().into_iter().map(|entry| entry.clone().under(policy));
        entries.map(|entry| definition(&entry, missing(&entry))).collect()
    }
}

/// Appends what lists say of a name of a model with data, and of the version that it means.
fn describe_version(def: &CpuModelDef, selected: Selected, version: Option<u16>, text: &mut String) {
    match (selected, version) {
        (Selected::ByMachine, Some(_)) => text.push_str("(alias configured by machine type)"),
        // Writing to a string cannot fail.
        (Selected::Alias(_), Some(version)) => {
            let _ = write!(text, "(alias of {}-v{version})", def.name);
        }
        _ => {
            text.push_str(def.changes_of(version).fold(def.model_id, |id, change| match change {
                super::Change::ModelId(id) => id,
                _ => id,
            }));
            if let Selected::Exactly(ModelVersion { note: Some(note), .. }) = selected {
                let _ = write!(text, " [{note}]");
            }
        }
    }
}

fn definition(entry: &ModelEntry, unavailable_features: Vec<&'static str>) -> CpuDefinition {
    CpuDefinition {
        name: entry.name.to_owned(),
        typename: entry.typename(),
        unavailable_features,
        alias_of: entry.alias_of(),
        is_static: entry.is_static(),
        migration_safe: entry.is_migration_safe(),
        deprecated: entry.deprecation_note().is_some(),
    }
}

/// The flag names in lines of at most 75 columns.
fn flag_lines() -> String {
    let mut text = String::new();
    let mut column = 0;
    for name in feature::recognized_flags() {
        if column + name.len() + 1 >= 75 {
            text.push('\n');
            column = 0;
        }
        text.push_str(if column == 0 { "  " } else { " " });
        text.push_str(name);
        column += name.len() + 1;
    }
    text.push('\n');
    text
}
