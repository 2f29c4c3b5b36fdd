//! Finding a bus by what a user wrote: its name, or a path of devices and buses.
//!
//! The search begins at the main system bus, and goes down through the devices on a bus to their buses; a bus that
//! cannot be reached that way is not found. The texts are the reference's.

use std::sync::Arc;

use thiserror::Error as ThisError;

use super::{Bus, child_buses};
use crate::device::Device;
use crate::error::ErrorClass;
use crate::object::{Obj, Object};

/// Where a machine has its main system bus, the one that no device owns.
pub const SYSTEM_BUS_PATH: &str = "/machine/unattached/sysbus";

/// Why no bus was found.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum FindBusError {
    /// No bus of that name (at that point of the path).
    #[error("Bus '{0}' not found")]
    NoBus(String),
    /// No device of that id or type on the bus.
    #[error("Device '{0}' not found")]
    NoDevice(String),
    /// The path ends at a device with several buses.
    #[error("Device '{0}' has multiple child buses")]
    SeveralBuses(String),
    /// The path ends at a device without a bus.
    #[error("Device '{0}' has no child bus")]
    NoChildBus(String),
    /// No more devices fit.
    #[error("Bus '{0}' is full")]
    Full(String),
    /// There is no bus of the type that a device needs.
    #[error("No '{bus_type}' bus found for device '{device}'")]
    NoneOfType {
        /// The type of bus.
        bus_type: String,
        /// The device's type.
        device: String,
    },
    /// On all buses of the type that a device needs no more devices fit.
    #[error("A '{bus_type}' bus was found but is full")]
    AllFull {
        /// The type of bus.
        bus_type: String,
    },
}

impl FindBusError {
    /// The class on the wire.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoDevice(_) => ErrorClass::DeviceNotFound,
            _ => ErrorClass::GenericError,
        }
    }
}

fn system_bus(root: &Arc<dyn Object>) -> Option<Obj<Bus>> {
    Obj::new(crate::tree::resolve(root, SYSTEM_BUS_PATH).ok()?).ok()
}

/// The first bus that `fits` and is not full, from `top` downwards; else the first that fits. The newest devices and buses
/// are looked at first, as in the reference.
fn search(top: Obj<Bus>, fits: impl Fn(&Bus) -> bool) -> Option<Obj<Bus>> {
    let mut full = None;
    let mut waiting = vec![top];
    let mut seen = std::collections::HashSet::new();
    while let Some(bus) = waiting.pop() {
        if !seen.insert(Arc::as_ptr(bus.as_object()).cast::<()>()) {
            continue;
        }
        for device in bus.devices() {
            waiting.extend(child_buses(&**device.as_object()));
        }
        if fits(&bus) {
            if !bus.is_full() {
                return Some(bus);
            }
            full.get_or_insert(bus);
        }
    }
    full
}

/// The bus that `bus=` names, with room for a device: a bus's name, then any number of `/DEVICE/BUS`, where a device is
/// named by its id or its type; or that without a name in front, from the main system bus. A path may end at a device that
/// has exactly one bus.
///
/// # Errors
/// [`FindBusError`].
pub fn find_bus(root: &Arc<dyn Object>, path: &str) -> Result<Obj<Bus>, FindBusError> {
    let mut steps = path.split('/').filter(|step| !step.is_empty());
    let mut bus = if path.starts_with('/') {
        system_bus(root).ok_or_else(|| FindBusError::NoBus(path.to_owned()))?
    } else {
        let name = steps.next().unwrap_or_default();
        system_bus(root)
            .and_then(|top| search(top, |bus| bus.name() == name))
            .ok_or_else(|| FindBusError::NoBus(name.to_owned()))?
    };
    while let Some(step) = steps.next() {
        let device = device_on(&bus, step).ok_or_else(|| FindBusError::NoDevice(step.to_owned()))?;
        let mut buses = child_buses(&**device.as_object());
        bus = match steps.next() {
            Some(name) => {
                let found = buses.into_iter().rev().find(|bus| bus.name() == name);
                found.ok_or_else(|| FindBusError::NoBus(name.to_owned()))?
            }
            None => match (buses.pop(), buses.is_empty()) {
                (Some(only), true) => only,
                (Some(_), false) => return Err(FindBusError::SeveralBuses(step.to_owned())),
                (None, _) => return Err(FindBusError::NoChildBus(step.to_owned())),
            },
        };
    }
    if bus.is_full() { Err(FindBusError::Full(path.to_owned())) } else { Ok(bus) }
}

/// A bus of a type with room for a device of type `device`, where the user names none.
///
/// # Errors
/// [`FindBusError::NoneOfType`], [`FindBusError::AllFull`].
pub fn find_bus_of_type(
    root: &Arc<dyn Object>,
    bus_type: &str,
    device: &str,
) -> Result<Obj<Bus>, FindBusError> {
    match system_bus(root).and_then(|top| search(top, |bus| bus.core().class().is_a(bus_type))) {
        Some(bus) if bus.is_full() => Err(FindBusError::AllFull { bus_type: bus_type.to_owned() }),
        Some(bus) => Ok(bus),
        None => Err(FindBusError::NoneOfType { bus_type: bus_type.to_owned(), device: device.to_owned() }),
    }
}

/// The device on a bus that has that id, else the newest of that type.
fn device_on(bus: &Bus, name: &str) -> Option<Obj<Device>> {
    let mut devices = bus.devices();
    devices.reverse();
    let by_id = devices.iter().find(|device| device.id().as_deref() == Some(name));
    by_id.or_else(|| devices.iter().find(|device| device.core().class().name() == name)).cloned()
}
