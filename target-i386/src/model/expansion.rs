//! What `query-cpu-model-expansion` says of a model: its properties after expansion.
//!
//! A *static* expansion speaks in terms of `base`, which never changes: identity, least levels and every
//! feature. It keeps its meaning in other versions of the program. What has no property (caches of the model's
//! own, bits without names) is not part of it. A *full* one gives all properties of the model as it is named.
//!
//! Nothing is filtered here: an expansion says what the model asks for, whatever the accelerator supports, as a
//! manager that compares hosts wants it.

use crate::config::{CpuConfig, PROPERTIES, Value, property::Scope};
use crate::expand::ExpandError;
use crate::feature::{ALIASES, WORDS};
use crate::model::ModelKind;
use crate::source::CpuidSource;
use crate::topology::CpuTopology;

/// How far to expand (QAPI `CpuModelExpansionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpansionType {
    /// To `base` and what it takes to be the model.
    Static,
    /// To the model with the values of all its properties.
    Full,
}

/// A model in terms of properties.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelExpansion {
    /// The model that the properties are set on: `base` where the expansion is static.
    pub name: &'static str,
    /// The properties and their values, each once. Those that every device has (`realized` and the like) are
    /// not among them.
    pub props: Vec<(&'static str, Value)>,
}

/// The properties of a static expansion that are no features.
const STATIC: [&str; 8] =
    ["min-level", "min-xlevel", "family", "model", "stepping", "model-id", "vendor", "lmce"];

impl ModelExpansion {
    /// Reads the properties off settings that are expanded already.
    #[must_use]
    pub fn of(expanded: &CpuConfig, kind: ExpansionType) -> Self {
        let features = WORDS.iter().flat_map(|def| def.bits).filter(|bit| !bit.hidden && !bit.repeated);
        let features = features.map(|bit| bit.name);
        let (name, names): (_, Vec<_>) = match kind {
            ExpansionType::Static => ("base", STATIC.into_iter().chain(features).collect()),
            ExpansionType::Full => {
                let max = matches!(expanded.kind, ModelKind::Max | ModelKind::Host);
                let own = PROPERTIES.iter().filter(|def| max || def.scope == Scope::All).map(|def| def.name);
                let spellings = ALIASES.iter().map(|(spelling, _)| *spelling).chain(["lbr_fmt"]);
                (expanded.model_name, own.chain(features).chain(spellings).collect())
            }
        };
        let props = names.into_iter().filter_map(|name| Some((name, expanded.get(name)?))).collect();
        Self { name, props }
    }
}

impl CpuConfig {
    /// Expands the settings of a CPU that is alone in its machine and writes them down as properties.
    ///
    /// ```
    /// use target_i386::config::{CpuConfig, Value};
    /// use target_i386::model::{Catalogue, ExpansionType};
    /// use target_i386::source::Tcg;
    ///
    /// let catalogue = Catalogue::builtin();
    /// let haswell = CpuConfig::new(catalogue.find("Haswell")?, &Tcg).expansion(ExpansionType::Static, &Tcg)?;
    /// assert_eq!(haswell.name, "base");
    /// assert!(haswell.props.contains(&("avx2", Value::Bool(true))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`expand`](Self::expand).
    pub fn expansion(
        &self,
        kind: ExpansionType,
        source: &dyn CpuidSource,
    ) -> Result<ModelExpansion, ExpandError> {
        let expanded = self.expand(&CpuTopology::single(), source)?;
        Ok(ModelExpansion::of(&expanded.config, kind))
    }
}
