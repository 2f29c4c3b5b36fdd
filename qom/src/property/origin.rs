//! Where a value came from: who set it, in which words, and what it replaced.
//!
//! Each object keeps, for every property that somebody set, the last setting of each [`Origin`], in the order in
//! which they were made. So the memory that it takes is bounded however often a client sets a property. It
//! is a record for people and never decides anything.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::global::GlobalProperty;
use crate::value::{Input, Value};

/// Who set a value, in the order of strength.
///
/// Global properties are applied in this order when an object is made; everything after them comes later in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The class's default.
    Default,
    /// A compat property of the machine version.
    MachineCompat,
    /// `-global`.
    Global,
    /// A feature of `-cpu`.
    Cpu,
    /// `-device`, `-machine` or `-object` on the command line.
    CommandLine,
    /// The machine's own code.
    Machine,
    /// A QMP or HMP command.
    Monitor,
}

impl Origin {
    /// The origin's name on the wire: `default`, `machine-compat`, `global`, `cpu`, `command-line`, `machine`, `monitor`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::MachineCompat => "machine-compat",
            Self::Global => "global",
            Self::Cpu => "cpu",
            Self::CommandLine => "command-line",
            Self::Machine => "machine",
            Self::Monitor => "monitor",
        }
    }

    /// Whether it is a person or a client, not the program itself.
    #[must_use]
    pub fn is_user(self) -> bool {
        matches!(self, Self::Global | Self::Cpu | Self::CommandLine | Self::Monitor)
    }
}

/// One setting of a property.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Who made it.
    pub origin: Origin,
    /// The value as it was given: text stays text.
    pub value: Value,
    /// The global property that it was, if it was one.
    pub global: Option<Arc<GlobalProperty>>,
}

/// What is known about a property's value and how it came to be.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The property's type, as `qom-list` names it.
    pub type_name: String,
    /// The value now; none if the property cannot be read.
    pub value: Option<Value>,
    /// The setting that counts, made last; [`Origin::Default`] with the class's default if nobody set it.
    pub setting: Setting,
    /// The settings that it replaced, the latest first; the class's default is the last where there is one.
    pub overrode: Vec<Setting>,
}

/// The settings of an object's properties.
#[derive(Debug, Default)]
pub(crate) struct Settings(IndexMap<Box<str>, Vec<Setting>>);

impl Settings {
    /// Remembers a setting; a former one of the same origin is forgotten.
    pub(crate) fn note(&mut self, property: &str, setting: Setting) {
        let made = match self.0.get_mut(property) {
            Some(made) => made,
            None => self.0.entry(property.into()).or_default(),
        };
        made.retain(|former| former.origin != setting.origin);
        made.push(setting);
    }

    /// Forgets what is known of a property that is gone.
    pub(crate) fn forget(&mut self, property: &str) {
        self.0.shift_remove(property);
    }

    /// A property's settings in the order in which they were made.
    pub(crate) fn of(&self, property: &str) -> &[Setting] {
        self.0.get(property).map_or(&[], Vec::as_slice)
    }
}

/// The value of an input as it is remembered.
pub(crate) fn as_given(input: &Input<'_>) -> Value {
    match *input {
        Input::Json(value) | Input::KeyvalTree(value) => value.clone(),
        Input::Keyval(text) | Input::Text(text) => Value::from(text),
    }
}
