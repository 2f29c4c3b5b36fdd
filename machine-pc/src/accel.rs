//! The `kvm` accelerator as a type, and the choice of an accelerator.
//!
//! An accelerator is initialised before any CPU class exists: what it supports decides which CPU classes there are and
//! what their defaults are. `tcg` and `qtest` are in `target-i386`: they give TCG's CPU features and run no guest.

use std::sync::{Arc, OnceLock};

use qom::{Bootstrap, Input, Instance, Object, Origin};
use qom_derive::Object;
use target_i386::cpu::{Accel, SharedSource, X86Accel};
use target_i386::source::{HostCpuid, Irqchip, Kvm as KvmSource};
use thiserror::Error;

/// `kvm-accel`: CPUs as the host's KVM has them.
#[derive(Debug, Object)]
#[object(name = "kvm-accel", interfaces(dyn X86Accel))]
pub struct KvmAccel {
    parent: Accel,
    source: OnceLock<Arc<KvmSource>>,
}

impl KvmAccel {
    /// Asks the host what it supports.
    fn init(&self) -> Result<(), AccelError> {
        let kvm = kvm_ioctls::Kvm::new()
            .map_err(|error| AccelError::Kvm { source: std::io::Error::from_raw_os_error(error.errno()) })?;
        let host = HostCpuid::record(&kvm).map_err(|error| AccelError::Record(error.to_string()))?;
        // Initialised once, right after it was made.
        let _ = self.source.set(Arc::new(KvmSource::new(host, Irqchip::Kernel)));
        Ok(())
    }
}

impl X86Accel for KvmAccel {
    fn source(&self) -> SharedSource {
        match self.source.get() {
            Some(source) => source.clone(),
            None => unreachable!("an accelerator is initialised before it is used"),
        }
    }
}

qom::register_types!(<KvmAccel as Instance>::type_info);

/// Why no accelerator could be had.
#[derive(Debug, Error)]
pub enum AccelError {
    /// There is no such accelerator.
    #[error("invalid accelerator {0}")]
    Unknown(String),
    /// `/dev/kvm` is not usable.
    #[error("Could not access KVM kernel module: {}", crate::os_error::text(source))]
    Kvm {
        /// What the host said.
        source: std::io::Error,
    },
    /// KVM does not tell what it supports.
    #[error("KVM: {0}")]
    Record(String),
    /// A property that it does not have or take.
    #[error("{place}{source}")]
    Property {
        /// The option that set it, with a colon; empty if it was none.
        place: String,
        /// Why.
        source: qom::PropertyError,
    },
    /// None of those that the user named works; why was reported one by one.
    #[error("no accelerator found")]
    None,
}

/// An accelerator to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccelChoice {
    /// `kvm`, `tcg`, `qtest`, or a name that does not exist.
    pub name: String,
    /// Its properties, in order: name and text.
    pub properties: Vec<(String, String)>,
    /// The option that named it, for messages.
    pub location: Option<String>,
}

/// Makes the first of `choices` that works; why the others do not goes to `report`. With no choice it is KVM where it is
/// usable, else TCG, without a word.
///
/// # Errors
/// [`AccelError::None`] if none works.
pub fn initialise(
    types: &Bootstrap,
    choices: &[AccelChoice],
    mut report: impl FnMut(String),
) -> Result<Arc<dyn Object>, AccelError> {
    if choices.is_empty() {
        return attempt(types, "kvm").or_else(|_| attempt(types, "tcg"));
    }
    for (at, choice) in choices.iter().enumerate() {
        let AccelChoice { name, properties, location } = choice;
        let place = location.as_ref().map(|location| format!("{location}: ")).unwrap_or_default();
        match attempt(types, name) {
            Ok(accel) => {
                for (property, value) in properties {
                    accel
                        .set(property, &Input::Keyval(value), Origin::CommandLine)
                        .map_err(|source| AccelError::Property { place: place.clone(), source })?;
                }
                if at > 0 {
                    report(format!("falling back to {name}"));
                }
                return Ok(accel);
            }
            Err(AccelError::Kvm { source }) => {
                let reason = crate::os_error::text(&source);
                report(format!("{place}{}", AccelError::Kvm { source }));
                report(format!("{place}failed to initialize {name}: {reason}"));
            }
            Err(error) => report(format!("{place}{error}")),
        }
    }
    Err(AccelError::None)
}

fn attempt(types: &Bootstrap, name: &str) -> Result<Arc<dyn Object>, AccelError> {
    let accel = types.create(&format!("{name}-accel")).map_err(|_| AccelError::Unknown(name.to_owned()))?;
    if let Some(kvm) = accel.downcast_ref::<KvmAccel>() {
        kvm.init()?;
    }
    Ok(accel)
}
