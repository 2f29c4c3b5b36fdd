//! Devices: objects that are configured first and then realized.
//!
//! A device goes on a bus of the type that its class wants ([`DeviceClass::bus_type`]), if it wants one, and may own
//! buses itself; see [`bus`]. Who looks after its coming and going is the machine if that handles
//! the device's class, else the hotplug handler of the bus that it is on.
//!
//! How it is put to work and out of it is in [`Device::realize`] and [`Device::unrealize`]: a transaction that leaves nothing
//! behind when it fails. A device that leaves the tree by itself or with something above it is unrealized first, leaves
//! its bus, and takes the devices on its own buses along. In a system with a machine no device is realized outside the
//! tree: what leaves it is unrealized, what hangs outside it is refused. This module knows no type of device.

mod realize;

use std::sync::Arc;

use parking_lot::Mutex;
use qom_derive::Object;
use thiserror::Error as ThisError;

use crate::bus::{self, Bus, BusClass, BusError};
use crate::class::ClassInit;
use crate::error::{Error, PropertyError};
use crate::field::{Field, Link};
use crate::hotplug::HotplugHandler;
use crate::object::{Obj, Object, ObjectCore};
use crate::property::Property;
use crate::reset::{ResetPhase, ResetPhases, ResetState, ResetType, Resettable};
use crate::text::identifier;

pub(crate) use realize::{leave_tree, retire, unrealize_below};

/// The class data that `device` introduces.
#[derive(Debug, Clone)]
pub struct DeviceClass {
    /// One line for people.
    pub description: Option<&'static str>,
    /// Whether `device_add` and `-device` may make it.
    pub user_creatable: bool,
    /// Whether it can come and go while the machine runs.
    pub hotpluggable: bool,
    /// The type of bus that its devices go on; none for devices without a bus.
    pub bus_type: Option<&'static str>,
    /// The virtual method that puts the configured device to work. An override that needs its parent's
    /// finds it with [`Class::parent_of`](crate::Class::parent_of). It undoes its own work when it fails.
    pub realize: fn(&Obj<Device>) -> Result<(), Error>,
    /// The virtual method that undoes `realize`. It cannot fail.
    pub unrealize: fn(&Obj<Device>),
    /// The methods of a reset.
    pub reset: ResetPhases<Device>,
}

impl Default for DeviceClass {
    fn default() -> Self {
        Self {
            description: None,
            user_creatable: true,
            hotpluggable: true,
            bus_type: None,
            realize: |_| Ok(()),
            unrealize: |_| (),
            reset: ResetPhases::default(),
        }
    }
}

/// What the setter of `realized` says of a failure.
pub(crate) fn refusal(error: Error) -> PropertyError {
    match error {
        Error::Property(error) => error,
        error => PropertyError::Refused(error.to_string()),
    }
}

/// Why a device could not be realized or removed, apart from its own reasons.
#[derive(Debug, Clone, ThisError)]
pub enum DeviceError {
    /// An id that is not a letter followed by letters, digits, `-`, `.`, `_`.
    #[error("Invalid qdev ID '{0}'")]
    BadId(String),
    /// The class can neither be plugged into a running machine nor taken out of one.
    #[error("Device '{0}' does not support hotplugging")]
    NotHotpluggable(String),
    /// Devices cannot come to the bus or go while the machine runs.
    #[error("Bus '{0}' does not support hotplugging")]
    BusNotHotpluggable(String),
    /// The device has no bus, and the machine does not look after its class.
    #[error("Device '{0}' can not be hotplugged on this machine")]
    NoHandler(String),
    /// The device is on no bus, and its class wants one.
    #[error("No '{bus_type}' bus found for device '{device}'")]
    NeedsBus {
        /// The type of bus.
        bus_type: &'static str,
        /// The device's type.
        device: String,
    },
    /// A change of `realized` from within one.
    #[error("device '{0}' is being realized or unrealized")]
    Busy(String),
    /// The device hangs below something that is outside the tree of a system with a machine, or left the tree while it
    /// was being realized.
    #[error("device '{0}' is outside the tree")]
    OutsideTree(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Unrealized,
    Changing,
    Realized,
}

/// The abstract type of all devices.
#[derive(Debug, Object)]
#[object(name = "device", abstract, interfaces(dyn Resettable), class_init = Device::class_init)]
pub struct Device {
    parent: ObjectCore,
    id: Field<Option<String>>,
    parent_bus: Link,
    hotplugged: Field<bool>,
    #[object(default = Mutex::new(State::Unrealized))]
    state: Mutex<State>,
    #[object(default = ResetState::default())]
    reset: ResetState,
}

impl Device {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<DeviceClass>();
        class.add_property(
            Property::link::<Self>("parent_bus", "bus", |device| &device.parent_bus).read_only(),
        );
        class.add_property(
            Property::of::<Self, bool>("realized", Self::is_realized)
                .set(|object, input| {
                    let wanted = <bool as crate::PropertyValue>::read("realized", input)?;
                    let device = object.core().upgrade().and_then(|object| Obj::<Device>::new(object).ok());
                    match device {
                        Some(device) if wanted => Device::realize(&device).map_err(refusal),
                        Some(device) => Device::unrealize(&device).map_err(refusal),
                        None => Err(PropertyError::Refused("the device is being dropped".to_owned())),
                    }
                })
                .settable_after_realize(),
        );
        class.add_property(Property::of::<Self, bool>("hotpluggable", |device| {
            device.device_class().is_some_and(|class| class.hotpluggable)
                && device.parent_bus().is_none_or(|bus| bus.is_hotpluggable())
        }));
        class.add_property(Property::of::<Self, bool>("hotplugged", Self::is_hotplugged));
    }

    pub(crate) fn device_class(&self) -> Option<&DeviceClass> {
        self.core().class().data()
    }

    fn name(&self) -> String {
        self.id().unwrap_or_else(|| self.core().class().name().to_owned())
    }

    /// The user's id.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.id.get()
    }

    /// Names the device as the user does, before it is put in the tree.
    ///
    /// # Errors
    /// [`DeviceError::BadId`].
    pub fn set_id(&self, id: &str) -> Result<(), DeviceError> {
        if !identifier::is_well_formed(id) {
            return Err(DeviceError::BadId(id.to_owned()));
        }
        self.id.set(Some(id.to_owned()));
        Ok(())
    }

    /// Whether the device is at work.
    #[must_use]
    pub fn is_realized(&self) -> bool {
        *self.state.lock() == State::Realized
    }

    /// Whether the device came while the machine was running.
    #[must_use]
    pub fn is_hotplugged(&self) -> bool {
        self.hotplugged.get()
    }

    /// Marks the device as one that comes while the machine is running; called before it is realized.
    pub fn set_hotplugged(&self) {
        self.hotplugged.set(true);
    }

    pub(crate) fn is_unrealized(&self) -> bool {
        *self.state.lock() == State::Unrealized
    }

    /// The bus that the device is on.
    #[must_use]
    pub fn parent_bus(&self) -> Option<Obj<Bus>> {
        self.parent_bus.get().and_then(|bus| Obj::new(bus).ok())
    }

    pub(crate) fn link_parent_bus(&self) -> &Link {
        &self.parent_bus
    }

    /// Puts the device on a bus, or on none, before it is realized.
    ///
    /// # Errors
    /// [`BusError`]; then the device is where it was.
    pub fn set_parent_bus(device: &Obj<Self>, bus: Option<&Obj<Bus>>) -> Result<(), BusError> {
        bus::move_to(device, bus)
    }

    /// The buses that the device owns, oldest first.
    #[must_use]
    pub fn child_buses(&self) -> Vec<Obj<Bus>> {
        bus::child_buses(self)
    }

    /// The path by which the standard of the device's bus names it, if there is one.
    #[must_use]
    pub fn bus_path(device: &Obj<Self>) -> Option<String> {
        let bus = device.parent_bus()?;
        let class = bus.core().class().clone();
        (class.data::<BusClass>()?.device_path)(&bus, device)
    }

    /// The machine, if it looks after this device.
    fn machine_handler(device: &Obj<Self>) -> Option<Arc<dyn Object>> {
        let machine = device.core().root()?.core().child("machine")?;
        machine.interface::<dyn HotplugHandler>()?.handles(device).then_some(machine)
    }

    /// Who looks after the device: the machine, else the handler of its bus.
    #[must_use]
    pub fn hotplug_handler(device: &Obj<Self>) -> Option<Arc<dyn Object>> {
        Self::machine_handler(device).or_else(|| device.parent_bus()?.hotplug_handler())
    }

    fn with_handler<R>(device: &Obj<Self>, with: impl FnOnce(&dyn HotplugHandler) -> R) -> Option<R> {
        Self::hotplug_handler(device)?.interface::<dyn HotplugHandler>().map(with)
    }

    /// Checks that the device may come to `bus` (or to no bus), or go from there, while the machine runs.
    ///
    /// # Errors
    /// [`DeviceError::NotHotpluggable`], [`DeviceError::BusNotHotpluggable`], [`DeviceError::NoHandler`].
    pub fn check_hotplug(device: &Obj<Self>, bus: Option<&Obj<Bus>>) -> Result<(), DeviceError> {
        let type_name = || device.core().class().name().to_owned();
        if !device.device_class().is_some_and(|class| class.hotpluggable) {
            return Err(DeviceError::NotHotpluggable(type_name()));
        }
        match bus {
            Some(bus) if bus.is_hotpluggable() => Ok(()),
            Some(bus) => Err(DeviceError::BusNotHotpluggable(bus.name())),
            None if Self::machine_handler(device).is_some() => Ok(()),
            None => Err(DeviceError::NoHandler(type_name())),
        }
    }

    /// Asks the device's handler to remove it, as `device_del` does. The removal itself may come later.
    ///
    /// # Errors
    /// [`check_hotplug`](Self::check_hotplug)'s, or the handler's refusal.
    pub fn request_unplug(device: &Obj<Self>) -> Result<(), Error> {
        Self::check_hotplug(device, device.parent_bus().as_ref()).map_err(Error::new)?;
        let type_name = device.core().class().name();
        Self::with_handler(device, |handler| handler.unplug_request(device))
            .unwrap_or_else(|| Err(Error::new(DeviceError::NoHandler(type_name.to_owned()))))
    }

    /// Takes the device out: the handler's `unplug`, unrealize, and out of the tree.
    ///
    /// # Errors
    /// The handler's refusal; then nothing happened.
    pub fn unplug(device: &Obj<Self>) -> Result<(), Error> {
        Self::unrealize(device)?;
        device.as_object().unparent();
        Ok(())
    }
}

/// The device class data of any class, if it is a device's.
#[must_use]
pub fn device_class(class: &Arc<crate::Class>) -> Option<&DeviceClass> {
    class.data()
}

impl Resettable for Device {
    fn reset_state(&self) -> &ResetState {
        &self.reset
    }

    /// The newest first, as in the reference.
    fn reset_children(&self) -> Vec<Arc<dyn Object>> {
        self.child_buses().into_iter().rev().map(Obj::into_object).collect()
    }

    fn reset_enter(&self, kind: ResetType) {
        self.run_phase(kind, self.device_class().map(|class| class.reset.enter));
    }

    fn reset_hold(&self, kind: ResetType) {
        self.run_phase(kind, self.device_class().map(|class| class.reset.hold));
    }

    fn reset_exit(&self, kind: ResetType) {
        self.run_phase(kind, self.device_class().map(|class| class.reset.exit));
    }
}

impl Device {
    fn run_phase(&self, kind: ResetType, phase: Option<ResetPhase<Self>>) {
        let this = self.core().upgrade().and_then(|this| Obj::new(this).ok());
        if let (Some(this), Some(phase)) = (this, phase) {
            phase(&this, kind);
        }
    }
}
