//! Global properties: values that every new object of a type gets.
//!
//! `-global`, the features of `-cpu` and a machine version's compat properties are all of this one kind and
//! differ only in [`Origin`], that is in strength: weaker ones are applied first and so are overridden.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::class::Class;
use crate::device::{Device, DeviceClass};
use crate::error::CreateError;
use crate::object::{Instance, Object};
use crate::property::{Origin, access};
use crate::value::Input;

/// One global property.
#[derive(Debug)]
pub struct GlobalProperty {
    /// The type whose objects it is for, descendants' included. A user's (not a machine's) reaches devices only.
    pub driver: String,
    /// The property.
    pub property: String,
    /// The value, as text.
    pub value: String,
    /// Whose it is.
    pub origin: Origin,
    optional: bool,
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
            optional: false,
            used: AtomicBool::new(false),
        }
    }

    /// Types that do not have the property are passed over, instead of being an error: for compat properties of an
    /// ancestor that only some descendants have.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Whether it was applied to an object.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether it comes from a user, who then is told if it is of no use, and who can mean devices only.
    fn is_users(&self) -> bool {
        self.origin != Origin::MachineCompat
    }

    /// What there is to say to the user about a global property that had no effect, in the reference's words.
    pub(crate) fn warning(&self, class: Option<&Class>) -> Option<String> {
        if !self.is_users() || self.is_used() {
            return None;
        }
        let Self { driver, property, value, .. } = self;
        match class.and_then(|class| class.data::<DeviceClass>()) {
            None => Some(format!("global {driver}.{property} has invalid class name")),
            // It may still be of use to a device that is plugged in later.
            Some(class) if class.hotpluggable => None,
            Some(_) => Some(format!("global {driver}.{property}={value} not used")),
        }
    }

    /// Sets the property if the object is of the type that is meant.
    pub(crate) fn apply(self: &Arc<Self>, object: &dyn Object) -> Result<(), CreateError> {
        let class = object.class();
        if !class.is_a(&self.driver)
            || (self.is_users() && !class.is_a(Device::TYPE_NAME))
            || (self.optional && access::declared(object, &self.property).is_none())
        {
            return Ok(());
        }
        self.used.store(true, Ordering::Relaxed);
        access::set(object, &self.property, &Input::Text(&self.value), self.origin, Some(self))
            .map_err(|source| CreateError::Global { global: self.clone(), source: Box::new(source) })
    }
}
