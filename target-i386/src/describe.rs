//! The whole pipeline in one call, for users of the library.

use crate::config::CpuConfig;
use crate::cpu_string::{CpuString, SettingError};
use crate::expand::Warning;
use crate::model::{AliasPolicy, Catalogue, UnknownModel};
use crate::realize::{RealizeError, RealizedCpu};
use crate::source::CpuidSource;
use crate::topology::Placement;

/// A CPU that cannot be described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescribeError {
    /// No model has the name.
    #[error(transparent)]
    Model(#[from] UnknownModel),
    /// A setting is refused.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The settings do not make a CPU.
    #[error(transparent)]
    Realize(#[from] RealizeError),
}

/// A described CPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The CPU.
    pub cpu: RealizedCpu,
    /// What is odd about the text.
    pub text_warnings: Vec<String>,
    /// What is odd about the CPU.
    pub warnings: Vec<Warning>,
}

/// Describes the CPU that a `-cpu` text means, with the models of this crate and version 1 of
/// those named without version, as on PC machines.
///
/// # Errors
///
/// If the text names no model, sets what cannot be set, or the result is no CPU.
pub fn describe(
    text: &str,
    placement: Placement,
    source: &dyn CpuidSource,
) -> Result<Described, DescribeError> {
    let text = CpuString::parse(text);
    let catalogue = Catalogue::builtin();
    let entry = catalogue.find(&text.model)?.clone().under(AliasPolicy::default());
    let mut config = CpuConfig::new(&entry, source);
    text.apply(&mut config)?;
    let mut warnings = Vec::new();
    let cpu = config.realize(placement, source, &mut warnings)?;
    Ok(Described { cpu, text_warnings: text.warnings, warnings })
}
