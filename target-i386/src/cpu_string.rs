//! The text of `-cpu`: `NAME[,+FEATURE][,-FEATURE][,PROPERTY[=VALUE]]…`.
//!
//! `+` and `-` win over `name=value` wherever they stand, and `-` over `+`. A string that uses
//! both forms for one feature is ambiguous and gets a warning if the signed form stands first:
//! that is how QEMU looks at it.

use crate::config::{CpuConfig, PropertyError};
use crate::provenance::Setter;

/// The parts of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuString {
    /// Model name; may be empty.
    pub model: String,
    /// The rest, in order.
    pub settings: Vec<Setting>,
    /// What is odd about the text, in words for a person.
    pub warnings: Vec<String>,
    /// How many settings had been read before each warning but the closing one.
    warned_after: Vec<usize>,
}

/// One part after the model's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// `+name` (`true`) or `-name` (`false`); applied when the CPU is expanded.
    Force(String, bool),
    /// `name=text`, or `name` alone for `name=on`; `_` in names is `-`.
    Assign(String, String),
}

impl CpuString {
    /// Splits the text. Every text has parts: whether they make sense is seen when they are used.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (model, rest) = text.split_once(',').unwrap_or((text, ""));
        let mut parsed = Self {
            model: model.to_owned(),
            settings: Vec::new(),
            warnings: Vec::new(),
            warned_after: Vec::new(),
        };
        for part in rest.split(',').filter(|part| !part.is_empty()) {
            if let Some(name) = part.strip_prefix('+') {
                parsed.settings.push(Setting::Force(name.to_owned(), true));
            } else if let Some(name) = part.strip_prefix('-') {
                parsed.settings.push(Setting::Force(name.to_owned(), false));
            } else {
                let (name, value) = part.split_once('=').unwrap_or((part, "on"));
                let name = name.replace('_', "-");
                for (on, sign) in [(true, '+'), (false, '-')] {
                    let forced = |s: &Setting| matches!(s, Setting::Force(n, o) if *n == name && *o == on);
                    if parsed.settings.iter().any(forced) {
                        parsed.warned_after.push(parsed.settings.len());
                        parsed.warnings.push(format!(
                            "Ambiguous CPU model string. Don't mix both \"{sign}{name}\" and \"{name}={value}\""
                        ));
                    }
                }
                parsed.settings.push(Setting::Assign(name, value.to_owned()));
            }
        }
        if !parsed.warnings.is_empty() {
            parsed.warnings.push(
                "Compatibility of ambiguous CPU model strings won't be kept on future QEMU versions"
                    .to_owned(),
            );
        }
        parsed
    }

    /// The warnings that come before the setting at this place, counted from 0, is found wrong.
    pub fn warnings_until(&self, setting: usize) -> impl Iterator<Item = &str> {
        let before = self.warned_after.iter().filter(move |after| **after <= setting).count();
        self.warnings[..before].iter().map(String::as_str)
    }

    /// Applies the settings to a configuration.
    ///
    /// # Errors
    ///
    /// The first setting that the CPU does not take; those before it are applied.
    pub fn apply(&self, config: &mut CpuConfig) -> Result<(), SettingError> {
        config.history.set_setter(Setter::CpuOption);
        let outcome = self.apply_each(config);
        config.history.set_setter(Setter::Program);
        outcome
    }

    fn apply_each(&self, config: &mut CpuConfig) -> Result<(), SettingError> {
        for setting in &self.settings {
            match setting {
                Setting::Force(name, on) => config.force(name.clone(), *on),
                Setting::Assign(name, text) if name == "tsc-freq" => {
                    config.set_tsc_freq(text).map_err(SettingError::Bare)?;
                }
                Setting::Assign(name, text) => {
                    config.set_text(name, text).map_err(|reason| SettingError::Assign {
                        model: config.model_name.to_owned(),
                        name: name.clone(),
                        text: text.clone(),
                        reason,
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// A setting of a `-cpu` text cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// `name=text` is refused.
    #[error("can't apply global {model}-x86_64-cpu.{name}={text}: {reason}")]
    Assign {
        /// The model.
        model: String,
        /// The property.
        name: String,
        /// The text.
        text: String,
        /// Why.
        reason: PropertyError,
    },
    /// A value is refused before it becomes a setting.
    #[error("{0}")]
    Bare(PropertyError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The reference reads from left to right and warns as it reads.
    #[test]
    fn warnings_come_before_the_mistakes_that_follow_them() {
        let parsed = CpuString::parse("qemu64,-ace2,ace2=off,tsc-freq=x,-fma,fma=on");
        let told = |setting| parsed.warnings_until(setting).collect::<Vec<_>>();
        assert_eq!(told(0), [""; 0]);
        assert_eq!(told(2), ["Ambiguous CPU model string. Don't mix both \"-ace2\" and \"ace2=off\""]);
        assert_eq!((told(4).len(), parsed.warnings.len()), (2, 3));
    }

    #[test]
    fn parts() {
        let parsed = CpuString::parse("Haswell,+avx2,-hle,sse4_1=off,check");
        assert_eq!(parsed.model, "Haswell");
        assert_eq!(
            parsed.settings,
            [
                Setting::Force("avx2".into(), true),
                Setting::Force("hle".into(), false),
                Setting::Assign("sse4-1".into(), "off".into()),
                Setting::Assign("check".into(), "on".into()),
            ]
        );
        assert!(parsed.warnings.is_empty());
    }

    /// The texts are the reference's, version 11.1.2.
    #[test]
    fn ambiguity_is_seen_when_the_sign_stands_first() {
        let warned = CpuString::parse("base,-avx,avx=on").warnings;
        assert_eq!(
            warned,
            [
                "Ambiguous CPU model string. Don't mix both \"-avx\" and \"avx=on\"",
                "Compatibility of ambiguous CPU model strings won't be kept on future QEMU versions",
            ]
        );
        assert!(CpuString::parse("base,avx=off,+avx").warnings.is_empty());
        assert!(CpuString::parse("base,+avx,-avx").warnings.is_empty());
    }

    #[test]
    fn odd_texts() {
        assert_eq!(CpuString::parse("").model, "");
        assert_eq!(CpuString::parse(",base").model, "");
        assert_eq!(CpuString::parse("base,,").settings, []);
        assert_eq!(CpuString::parse("base,a=b=c").settings, [Setting::Assign("a".into(), "b=c".into())]);
        assert_eq!(CpuString::parse("base,+").settings, [Setting::Force(String::new(), true)]);
    }

    proptest! {
        #[test]
        fn any_text(text in ".{0,60}") {
            let parsed = CpuString::parse(&text);
            prop_assert!(parsed.settings.len() <= text.len());
        }
    }
}
