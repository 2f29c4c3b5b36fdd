//! Global properties: values that every new object of a type gets.
//!
//! `-global`, the features of `-cpu` and a machine version's compat properties are all of this one kind and
//! differ only in [`Origin`], that is in strength: weaker ones are applied first and so are overridden.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::CreateError;
use crate::object::Object;
use crate::property::Origin;
use crate::value::Input;

/// One global property.
#[derive(Debug)]
pub struct GlobalProperty {
    /// The type it is for, or one of its ancestors.
    pub driver: String,
    /// The property.
    pub property: String,
    /// The value, as text.
    pub value: String,
    /// Whose it is.
    pub origin: Origin,
    used: AtomicBool,
}

impl GlobalProperty {
    /// A global property.
    pub fn new(
        driver: impl Into<String>,
        property: impl Into<String>,
        value: impl Into<String>,
        origin: Origin,
    ) -> Self {
        Self {
            driver: driver.into(),
            property: property.into(),
            value: value.into(),
            origin,
            used: AtomicBool::new(false),
        }
    }

    /// Whether it was applied to an object.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Sets the property if the object is of the type that is meant.
    pub(crate) fn apply(self: &Arc<Self>, object: &dyn Object) -> Result<(), CreateError> {
        if !object.class().is_a(&self.driver) {
            return Ok(());
        }
        self.used.store(true, Ordering::Relaxed);
        object
            .set(&self.property, &Input::Text(&self.value), self.origin)
            .map_err(|source| CreateError::Global { global: self.clone(), source: Box::new(source) })
    }
}
