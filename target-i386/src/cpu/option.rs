//! The option `-cpu`: which class a machine's CPUs are of, and what is set on all of them.
//!
//! `name=value` becomes a global property of the class, stronger than a machine type's and `-global`'s, and
//! is checked when the first CPU is made. `+name` and `-name` are kept aside, win over all properties of
//! every CPU, and are checked when the first CPU is realized. So a wrong name is reported differently in
//! the two forms, as the reference does.

use std::sync::Arc;

use qom::{Class, GlobalProperty, Origin, Qom};

use super::models::{CpuClassError, cpu_class_by_name, cpu_models};
use crate::config::{PropertyError, frequency};
use crate::cpu_string::{CpuString, Setting};

/// What `-cpu` names.
#[derive(Debug, Clone)]
pub struct CpuOption {
    /// The class of the machine's CPUs.
    pub class: Arc<Class>,
}

/// The text of `-cpu` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpuOptionError {
    /// There is none.
    #[error("-cpu option cannot be empty")]
    Empty,
    /// The model.
    #[error(transparent)]
    Class(#[from] CpuClassError),
    /// A value that is converted before it becomes a property.
    #[error(transparent)]
    Value(#[from] PropertyError),
}

/// Applies the text of `-cpu` to a system, before its first CPU is made. What is odd about the text
/// goes where the system's warnings go, up to the mistake if there is one.
///
/// # Errors
///
/// [`CpuOptionError`]; the system is as it was before.
pub fn apply_cpu_option(qom: &Qom, text: &str) -> Result<CpuOption, CpuOptionError> {
    if text.is_empty() {
        return Err(CpuOptionError::Empty);
    }
    let parsed = CpuString::parse(text);
    let class = cpu_class_by_name(qom, &parsed.model)?;
    let mut globals = Vec::new();
    let mut forced = Vec::new();
    for (at, setting) in parsed.settings.iter().enumerate() {
        match setting {
            Setting::Force(name, on) => forced.push((name.clone(), *on)),
            Setting::Assign(name, value) if name == "tsc-freq" => {
                let hertz = frequency(value).inspect_err(|_| {
                    for warning in parsed.warnings_until(at) {
                        cpu_models(qom).inspect(|models| models.warn_text(warning));
                    }
                })?;
                globals.push(("tsc-frequency".to_owned(), hertz.to_string()));
            }
            Setting::Assign(name, value) => globals.push((name.clone(), value.clone())),
        }
    }
    for (name, value) in globals {
        qom.add_global(GlobalProperty::new(class.name(), name, value, Origin::Cpu));
    }
    if let Some(models) = cpu_models(qom) {
        for (name, on) in forced {
            models.force(name, on);
        }
        for warning in &parsed.warnings {
            models.warn_text(warning);
        }
    }
    Ok(CpuOption { class: class.clone() })
}
