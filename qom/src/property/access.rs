//! Reading, writing and listing the properties of an object: the one place that checks permission and
//! remembers who set a value.
//!
//! A name is looked for on the class, then among the object's own properties, then among its children.
//! No lock is held while a getter or a setter runs.

use std::ops::Deref;
use std::sync::Arc;

use super::origin::{Explanation, Origin, Setting, as_given};
use super::{Alias, Property, PropertyEntry};
use crate::bus::Bus;
use crate::device::Device;
use crate::error::PropertyError;
use crate::global::GlobalProperty;
use crate::object::Object;
use crate::value::{Input, Value};

/// A declaration, found on the class (borrowed) or on the object (counted).
pub(crate) enum Declared<'a> {
    Class(&'a Property),
    Own(Arc<Property>),
}

impl Deref for Declared<'_> {
    type Target = Property;

    fn deref(&self) -> &Property {
        match self {
            Self::Class(property) => property,
            Self::Own(property) => property,
        }
    }
}

/// The declaration of a property that is not a child.
pub(crate) fn declared<'a>(object: &'a dyn Object, name: &str) -> Option<Declared<'a>> {
    match object.class().property(name) {
        Some(property) => Some(Declared::Class(property)),
        None => object.core().own_property(name).map(Declared::Own),
    }
}

/// What a link of that name points to.
pub(crate) fn link_target(object: &dyn Object, name: &str) -> Option<Arc<dyn Object>> {
    let Some(property) = declared(object, name) else { return bus_link(object, name) };
    if let Some(alias) = &property.alias {
        let (target, alias) = end_of(alias, object, name).ok()?;
        return target.core().child(&alias.name).or_else(|| link_target(&*target, &alias.name));
    }
    property.target.as_ref().and_then(|target| target(object))
}

/// The device behind a link of a bus.
fn bus_link(object: &dyn Object, name: &str) -> Option<Arc<dyn Object>> {
    object.downcast_ref::<Bus>()?.link(name)
}

fn not_found(object: &dyn Object, name: &str) -> PropertyError {
    PropertyError::NotFound { type_name: object.class().name().to_owned(), property: name.to_owned() }
}

/// The most aliases in a row: properties can be removed and added again, so aliases can come to form a circle.
const MAX_ALIASES: usize = 16;

/// The object and the property at the end of a row of aliases, the first of which `object` has as `name`.
fn end_of(first: &Alias, object: &dyn Object, name: &str) -> Result<(Arc<dyn Object>, Alias), PropertyError> {
    let broken = || PropertyError::BrokenAlias {
        type_name: object.class().name().to_owned(),
        property: name.to_owned(),
    };
    let mut at = first.clone();
    for _ in 0..MAX_ALIASES {
        let target = at.target.upgrade().ok_or_else(broken)?;
        match declared(&*target, &at.name).and_then(|property| property.alias.clone()) {
            Some(next) => at = next,
            None => return Ok((target, at)),
        }
    }
    Err(broken())
}

/// Reads a property. A child, and a device on a bus, reads as its canonical path.
pub(crate) fn get(object: &dyn Object, name: &str) -> Result<Value, PropertyError> {
    if let Some(property) = declared(object, name) {
        if let Some(alias) = &property.alias {
            let (target, alias) = end_of(alias, object, name)?;
            return get(&*target, &alias.name);
        }
        let get = property.get.as_ref().ok_or_else(|| PropertyError::NotReadable {
            type_name: object.class().name().to_owned(),
            property: name.to_owned(),
        })?;
        return get(object);
    }
    match object.core().child(name).or_else(|| bus_link(object, name)) {
        Some(child) => Ok(Value::from(child.canonical_path())),
        None => Err(not_found(object, name)),
    }
}

/// Writes a property and remembers who did.
pub(crate) fn set(
    object: &dyn Object,
    name: &str,
    input: &Input<'_>,
    origin: Origin,
    global: Option<&Arc<GlobalProperty>>,
) -> Result<(), PropertyError> {
    let not_writable = || PropertyError::NotWritable {
        type_name: object.class().name().to_owned(),
        property: name.to_owned(),
    };
    let property = match declared(object, name) {
        Some(property) if property.internal && origin.is_user() => return Err(not_found(object, name)),
        Some(property) => property,
        None if object.core().child(name).or_else(|| bus_link(object, name)).is_some() => {
            return Err(not_writable());
        }
        None => return Err(not_found(object, name)),
    };
    if let Some(alias) = &property.alias {
        let (target, alias) = end_of(alias, object, name)?;
        return set(&*target, &alias.name, input, origin, global);
    }
    let set = property.set.as_ref().ok_or_else(not_writable)?;
    if !property.settable_after_realize
        && let Some(device) = object.downcast_ref::<Device>()
        && device.is_realized()
    {
        return Err(PropertyError::AfterRealize {
            device: device.id().map_or_else(|| "anonymous device".to_owned(), |id| format!("device '{id}'")),
            type_name: object.class().name().to_owned(),
            property: name.to_owned(),
        });
    }
    set(object, input)?;
    if let Some(reason) = &property.deprecated
        && origin.is_user()
    {
        object
            .core()
            .shared()
            .warn(&format!("Property '{}.{name}' is deprecated: {reason}", object.class().name()));
    }
    let setting = Setting { origin, value: as_given(input), global: global.cloned() };
    object.core().note_setting(&property.name, setting);
    Ok(())
}

/// Remembers a setting that somebody made without [`set`].
pub(crate) fn note(
    object: &dyn Object,
    name: &str,
    value: Value,
    origin: Origin,
) -> Result<(), PropertyError> {
    let property = declared(object, name).ok_or_else(|| not_found(object, name))?;
    if let Some(alias) = &property.alias {
        let (target, alias) = end_of(alias, object, name)?;
        return note(&*target, &alias.name, value, origin);
    }
    object.core().note_setting(&property.name, Setting { origin, value, global: None });
    Ok(())
}

/// All properties of an object but internal ones: its class's, its own, its children, a bus's links to its devices.
pub(crate) fn list(object: &dyn Object) -> Vec<PropertyEntry> {
    let entry = |property: &Arc<Property>| {
        (!property.internal)
            .then(|| PropertyEntry { name: property.name.clone(), type_name: property.type_name.clone() })
    };
    let (declared, own, children) =
        (object.class().properties(), object.core().own_properties(), object.core().children());
    let mut entries = Vec::with_capacity(declared.len() + own.len() + children.len());
    entries.extend(declared.chain(&own).filter_map(entry));
    entries.extend(children.into_iter().map(|(name, child)| PropertyEntry {
        name: name.to_string().into(),
        type_name: format!("child<{}>", child.class().name()).into(),
    }));
    let devices = object.downcast_ref::<Bus>().into_iter().flat_map(Bus::named_links);
    entries.extend(devices.map(|(name, device)| PropertyEntry {
        name: name.into(),
        type_name: format!("link<{}>", device.class().name()).into(),
    }));
    entries
}

/// Tells where a property's value came from.
pub(crate) fn explain(object: &dyn Object, name: &str) -> Result<Explanation, PropertyError> {
    let Some(property) = declared(object, name) else {
        let child = object.core().child(name);
        let kind = if child.is_some() { "child" } else { "link" };
        let there = child.or_else(|| bus_link(object, name)).ok_or_else(|| not_found(object, name))?;
        let value = Value::from(there.canonical_path());
        return Ok(Explanation {
            type_name: format!("{kind}<{}>", there.class().name()),
            value: Some(value.clone()),
            setting: Setting { origin: Origin::Machine, value, global: None },
            overrode: Vec::new(),
        });
    };
    if let Some(alias) = &property.alias {
        let (target, alias) = end_of(alias, object, name)?;
        return explain(&*target, &alias.name);
    }
    let value = property.get.as_ref().map(|get| get(object)).transpose()?;
    let mut made = object.core().settings_of(name);
    let default = match &property {
        Declared::Class(_) => object.class().default_value(name).cloned(),
        Declared::Own(property) => property.default.clone(),
    };
    // A class's override of a default is set like any value; the class is asked for it here.
    made.retain(|setting| setting.origin != Origin::Default);
    if let Some(value) = default {
        made.insert(0, Setting { origin: Origin::Default, value, global: None });
    }
    let setting = made.pop().unwrap_or_else(|| Setting {
        origin: Origin::Default,
        value: value.clone().unwrap_or_default(),
        global: None,
    });
    made.reverse();
    Ok(Explanation { type_name: property.type_name.to_string(), value, setting, overrode: made })
}
