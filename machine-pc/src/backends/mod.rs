//! Objects of the host's side that users make by name: memory, secrets, threads, sources of randomness.
//!
//! Each type is a file. They are made with `object-add` or `-object` (see [`qom::user_creatable`]), before the machine
//! where the command line names them, and know nothing of machines: who uses one finds it by its id.
//!
//! What a property says is either done or refused. Where the reference takes a change that comes too late to have an
//! effect, such as another `file` for a secret that is loaded, it is refused here.

pub mod event_loop;
pub mod iothread;
pub mod memory;
pub mod memory_file;
pub mod memory_ram;
pub mod rng;
pub mod secret;

use qom::{Object, Property, PropertyError, PropertyValue};

/// A property of objects with a part `O`, of the Rust type `T`, under a type name of its own: the reference calls most
/// types of these objects otherwise than those of devices.
fn property<O: Object, T: PropertyValue>(
    name: &'static str,
    type_name: &'static str,
    get: fn(&O) -> T,
    set: fn(&O, T) -> Result<(), PropertyError>,
) -> Property {
    Property::new(name, type_name)
        .get(move |object| Ok(get(part(object)?).to_value()))
        .set(move |object, input| set(part(object)?, T::read(name, input)?))
}

fn part<O: Object>(object: &dyn Object) -> Result<&O, PropertyError> {
    object.downcast_ref::<O>().ok_or_else(|| {
        PropertyError::Refused(format!("'{}' has no state of the property's type", object.class().name()))
    })
}

/// The refusal of a change that comes too late.
fn too_late() -> PropertyError {
    PropertyError::Refused("cannot change property value".to_owned())
}

/// The name that the object's parent knows it by; empty outside of the tree.
fn id(object: &dyn Object) -> String {
    object.core().parent().map(|(_, name)| name.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
