//! Properties of hardware that has no choice.

use qom::{OnOffAuto, Property, PropertyEnum, PropertyValue, Value};

use super::refused;

/// A property that reads as `is` and takes no other value; `why` ends the refusal.
pub(super) fn fixed<T: PropertyValue + PartialEq>(name: &'static str, is: T, why: &'static str) -> Property {
    let value = is.to_value();
    let default = value.clone();
    Property::typed::<T>(name).default(default).get(move |_| Ok(value.clone())).set(move |_, input| {
        let asked = T::read(name, input)?;
        if asked == is {
            return Ok(());
        }
        let asked = match asked.to_value() {
            Value::Bool(true) => OnOffAuto::On.name().to_owned(),
            Value::Bool(false) => OnOffAuto::Off.name().to_owned(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        Err(refused(format_args!("Parameter '{name}' does not accept value '{asked}': {why}")))
    })
}

/// The reference describes all its booleans so.
pub(super) const ON_OFF: &str = "on/off";
