//! Hotplug handlers: who looks after devices that come and go.
//!
//! A device's handler is the machine where that handles its class, else the one of its bus.

use crate::bus::Bus;
use crate::device::Device;
use crate::error::Error;
use crate::interface::Interface;
use crate::object::{Obj, Object};

/// The side that a device is plugged into: a board or a bus controller. All methods are called on the thread
/// that realizes the device, without a lock of the object model held.
pub trait HotplugHandler: Object {
    /// Whether this handler, as the machine, looks after that device. What is not the machine is not asked: it looks
    /// after the devices on the buses whose `hotplug-handler` it is.
    fn handles(&self, device: &Obj<Device>) -> bool;

    /// Whether devices can come to that bus, whose handler this is, and go while the machine runs.
    fn is_hotpluggable_bus(&self, _bus: &Bus) -> bool {
        true
    }

    /// Checks and assigns what the device needs before it is realized. Must leave nothing behind on failure.
    ///
    /// # Errors
    /// Why the device cannot be plugged.
    fn pre_plug(&self, device: &Obj<Device>) -> Result<(), Error>;

    /// Takes the realized device in. On failure the device is unrealized again.
    ///
    /// # Errors
    /// Why the device cannot be plugged.
    fn plug(&self, device: &Obj<Device>) -> Result<(), Error>;

    /// Asks for the removal of a device. The handler calls [`Device::unplug`] when its guest let go of it,
    /// which may be at once, later or never.
    ///
    /// # Errors
    /// Why the device cannot be unplugged.
    fn unplug_request(&self, device: &Obj<Device>) -> Result<(), Error>;

    /// Lets a device go that is about to be unrealized.
    ///
    /// # Errors
    /// Why it cannot be let go; then nothing happened.
    fn unplug(&self, device: &Obj<Device>) -> Result<(), Error>;
}

impl Interface for dyn HotplugHandler {
    const NAME: &'static str = "hotplug-handler";
}
