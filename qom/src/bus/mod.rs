//! Buses: what devices are plugged into.
//!
//! A bus is an object. It is a child of the device (or board) that owns it, and it knows the devices on it as the links
//! `child[0]`, `child[1]`, …; those hang elsewhere in the composition tree and are kept alive there. A bus has a
//! name of its own, by which `device_add` finds it ([`find_bus`]). A device's class says on which type of bus its devices go
//! ([`DeviceClass::bus_type`](crate::DeviceClass::bus_type)).
//!
//! A bus is realized with the device that owns it, after it, and unrealized before it. As in the reference,
//! realizing a bus realizes no device on it (who puts a device there does), while unrealizing it unrealizes them all, the
//! newest first. A bus that leaves the tree takes the devices on it along.
//!
//! This module knows no type of bus but the main system bus; which devices fit where on a bus is for that bus's class
//! to say.

mod find;

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use qom_derive::Object;
use thiserror::Error as ThisError;

pub use find::{FindBusError, SYSTEM_BUS_PATH, find_bus, find_bus_of_type};

use crate::class::ClassInit;
use crate::device::{Device, State};
use crate::error::{Error, PropertyError, TreeError};
use crate::field::{Field, Link};
use crate::hotplug::HotplugHandler;
use crate::object::{Instance, Obj, Object, ObjectCore};
use crate::property::Property;
use crate::reset::{self, ResetPhase, ResetPhases, ResetState, ResetType, Resettable};
use crate::type_info::TypeInfo;

/// The class data that `bus` introduces.
#[derive(Debug, Clone)]
pub struct BusClass {
    /// How many devices fit; none for any number.
    pub max_devices: Option<usize>,
    /// Whether a device may go on the bus as it is configured: refuses a taken or impossible address.
    pub check_address: fn(&Obj<Bus>, &Obj<Device>) -> Result<(), Error>,
    /// The path by which the bus's own standard names a device on it (a PCI address, for example), if it has one.
    pub device_path: fn(&Obj<Bus>, &Obj<Device>) -> Option<String>,
    /// Puts the bus to work, with the device that owns it. It undoes its own work when it fails.
    pub realize: fn(&Obj<Bus>) -> Result<(), Error>,
    /// Undoes `realize`. It cannot fail.
    pub unrealize: fn(&Obj<Bus>),
    /// The methods of a reset.
    pub reset: ResetPhases<Bus>,
}

impl Default for BusClass {
    fn default() -> Self {
        Self {
            max_devices: None,
            check_address: |_, _| Ok(()),
            device_path: |_, _| None,
            realize: |_| Ok(()),
            unrealize: |_| (),
            reset: ResetPhases::default(),
        }
    }
}

/// Why a device cannot go on a bus; then it is where it was.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum BusError {
    /// The device's class wants another type of bus, or none.
    #[error("Device '{device}' can't go on {bus_type} bus")]
    WrongType {
        /// The device's type.
        device: String,
        /// The bus's type.
        bus_type: String,
    },
    /// No more fit.
    #[error("Bus '{0}' is full")]
    Full(String),
    /// A device moves only while it is not at work.
    #[error("device '{0}' is realized or being realized")]
    Realized(String),
    /// The bus is the device's own, or behind a device on such a bus.
    #[error("device '{0}' cannot go on a bus behind itself")]
    Cycle(String),
    /// Device and bus belong to two systems.
    #[error("device '{device}' and bus '{bus}' belong to different systems")]
    OtherSystem {
        /// The device's name.
        device: String,
        /// The bus's name.
        bus: String,
    },
    /// The bus's class refuses the device's address.
    #[error(transparent)]
    Address(Error),
}

/// The devices on a bus, oldest first, each with its number.
#[derive(Debug, Default)]
struct Slots {
    next: usize,
    devices: Vec<(usize, Weak<dyn Object>)>,
}

/// The abstract type of all buses.
#[derive(Debug, Object)]
#[object(name = "bus", abstract, interfaces(dyn Resettable), class_init = Bus::class_init)]
pub struct Bus {
    parent: ObjectCore,
    name: Field<Option<String>>,
    hotplug_handler: Link,
    #[object(default = Mutex::new(State::Unrealized))]
    state: Mutex<State>,
    #[object(default = Mutex::default())]
    slots: Mutex<Slots>,
    #[object(default = ResetState::default())]
    reset: ResetState,
}

impl Bus {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<BusClass>();
        class.add_property(Property::of::<Self, bool>("realized", Self::is_realized).set(|object, input| {
            let wanted = <bool as crate::PropertyValue>::read("realized", input)?;
            match object.core().upgrade().and_then(|object| Obj::<Self>::new(object).ok()) {
                Some(bus) if wanted => Self::realize(&bus).map_err(crate::device::refusal),
                Some(bus) => {
                    Self::unrealize(&bus);
                    Ok(())
                }
                None => Err(PropertyError::Refused("the bus is being dropped".to_owned())),
            }
        }));
        class.add_property(Property::link::<Self>("hotplug-handler", "hotplug-handler", |bus| {
            &bus.hotplug_handler
        }));
    }

    /// Puts a new bus below the device or board that owns it. Without a name of its own it is called after the owner's
    /// id (`ID.0`, `ID.1`, …), or after its type (`pci.0`, `pci.1`, … throughout the system) if the owner has none. The name
    /// is also that of the child. A bus below a realized device is the caller's to realize.
    ///
    /// # Errors
    /// [`TreeError`]; then the bus hangs nowhere.
    pub fn place(bus: &Obj<Self>, owner: &Arc<dyn Object>, name: Option<&str>) -> Result<(), TreeError> {
        let id = owner.downcast_ref::<Device>().and_then(Device::id);
        let name = match (name, id) {
            (Some(name), _) => name.to_owned(),
            (None, Some(id)) => format!("{id}.{}", child_buses(&**owner).len()),
            (None, None) => {
                let core = bus.core();
                let type_name = core.class().name();
                format!("{}.{}", type_name.to_lowercase(), core.shared().next_bus_number(type_name))
            }
        };
        owner.add_child(&name, bus.as_object())?;
        bus.name.set(Some(name));
        Ok(())
    }

    /// The bus's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.get().unwrap_or_else(|| self.core().class().name().to_owned())
    }

    /// Names a bus that is not put in its place by [`place`](Self::place).
    pub fn set_name(&self, name: &str) {
        self.name.set(Some(name.to_owned()));
    }

    pub(crate) fn class_data(&self) -> Option<&BusClass> {
        self.core().class().data()
    }

    /// The device that owns the bus, if one does.
    #[must_use]
    pub fn owner(&self) -> Option<Obj<Device>> {
        self.core().parent().and_then(|(owner, _)| Obj::new(owner).ok())
    }

    /// Whether the bus is at work.
    #[must_use]
    pub fn is_realized(&self) -> bool {
        *self.state.lock() == State::Realized
    }

    /// Who looks after devices that come to the bus and go.
    #[must_use]
    pub fn hotplug_handler(&self) -> Option<Arc<dyn Object>> {
        self.hotplug_handler.get()
    }

    /// Says who looks after devices that come to the bus and go. What does not implement `hotplug-handler` looks after
    /// nothing.
    pub fn set_hotplug_handler(&self, handler: Option<&Arc<dyn Object>>) {
        self.hotplug_handler.set(handler);
    }

    /// Whether devices can come to the bus and go while the machine runs.
    #[must_use]
    pub fn is_hotpluggable(&self) -> bool {
        self.hotplug_handler().is_some_and(|handler| {
            handler.interface::<dyn HotplugHandler>().is_some_and(|handler| handler.is_hotpluggable_bus(self))
        })
    }

    /// The devices on the bus, oldest first.
    #[must_use]
    pub fn devices(&self) -> Vec<Obj<Device>> {
        self.links().into_iter().filter_map(|(_, device)| Obj::new(device).ok()).collect()
    }

    fn links(&self) -> Vec<(usize, Arc<dyn Object>)> {
        let slots = self.slots.lock();
        slots.devices.iter().filter_map(|(number, device)| Some((*number, device.upgrade()?))).collect()
    }

    /// The devices on the bus with the names of their links, oldest first.
    pub(crate) fn named_links(&self) -> impl Iterator<Item = (String, Arc<dyn Object>)> {
        self.links().into_iter().map(|(number, device)| (format!("child[{number}]"), device))
    }

    /// The device behind a link.
    pub(crate) fn link(&self, name: &str) -> Option<Arc<dyn Object>> {
        let text = name.strip_prefix("child[")?.strip_suffix(']')?;
        let number: usize = text.parse().ok()?;
        // `child[07]` and `child[+7]` are no names.
        if number.to_string() != text {
            return None;
        }
        self.links().into_iter().find_map(|(at, device)| (at == number).then_some(device))
    }

    /// Whether no more devices fit.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let max = self.class_data().and_then(|class| class.max_devices);
        max.is_some_and(|max| self.slots.lock().live() >= max)
    }

    /// Puts the bus to work; no device on it. Realizing a bus that is realized, or that is being changed, does nothing.
    ///
    /// # Errors
    /// The class's; then nothing happened.
    pub fn realize(bus: &Obj<Self>) -> Result<(), Error> {
        if !Self::begin(bus, State::Unrealized) {
            return Ok(());
        }
        let class = bus.core().class().clone();
        let result = class.data::<BusClass>().map_or(Ok(()), |class| (class.realize)(bus));
        let ok = result.is_ok();
        if ok {
            let owner = bus.owner();
            reset::attach(bus.as_object(), owner.as_ref().map(|owner| &**owner.as_object()));
        }
        *bus.state.lock() = if ok { State::Realized } else { State::Unrealized };
        result
    }

    /// Unrealizes the devices on the bus, the newest first, and puts the bus out of work. No hotplug handler's refusal is
    /// heard. Unrealizing a bus that is not realized does nothing.
    pub fn unrealize(bus: &Obj<Self>) {
        Self::unrealize_steps(bus, true);
    }

    /// Unrealizes, the devices on it only `with_devices`.
    pub(crate) fn unrealize_steps(bus: &Obj<Self>, with_devices: bool) {
        if !Self::begin(bus, State::Realized) {
            return;
        }
        if with_devices {
            bus.retire_devices();
        }
        reset::detach(&**bus.as_object());
        let class = bus.core().class().clone();
        if let Some(class) = class.data::<BusClass>() {
            (class.unrealize)(bus);
        }
        *bus.state.lock() = State::Unrealized;
    }

    /// Unrealizes the devices on the bus, the newest first.
    pub(crate) fn retire_devices(&self) {
        for device in self.devices().into_iter().rev() {
            crate::device::retire(device.into_object());
        }
    }

    fn begin(bus: &Obj<Self>, from: State) -> bool {
        let mut state = bus.state.lock();
        let begins = *state == from;
        if begins {
            *state = State::Changing;
        }
        begins
    }

    /// Takes a device off the bus. Called with the tree lock held.
    fn forget(&self, device: *const ()) {
        self.slots.lock().devices.retain(|(_, one)| one.as_ptr().cast::<()>() != device);
    }
}

impl Slots {
    fn live(&self) -> usize {
        self.devices.iter().filter(|(_, device)| device.strong_count() > 0).count()
    }
}

/// The buses that an object owns, oldest first.
pub(crate) fn child_buses(owner: &dyn Object) -> Vec<Obj<Bus>> {
    owner.core().children().into_iter().filter_map(|(_, child)| Obj::new(child).ok()).collect()
}

/// Puts a device that is not realized on a bus, or on none.
pub(crate) fn move_to(device: &Obj<Device>, bus: Option<&Obj<Bus>>) -> Result<(), BusError> {
    let device_name = || device.id().unwrap_or_else(|| device.core().class().name().to_owned());
    if !device.is_unrealized() {
        return Err(BusError::Realized(device_name()));
    }
    if let Some(bus) = bus {
        if !Arc::ptr_eq(device.core().shared(), bus.core().shared()) {
            return Err(BusError::OtherSystem { device: device_name(), bus: bus.name() });
        }
        let wanted = device.device_class().and_then(|class| class.bus_type);
        if !wanted.is_some_and(|wanted| bus.core().class().is_a(wanted)) {
            return Err(BusError::WrongType {
                device: device.core().class().name().to_owned(),
                bus_type: bus.core().class().name().to_owned(),
            });
        }
        if let Some(class) = bus.class_data() {
            (class.check_address)(bus, device).map_err(BusError::Address)?;
        }
    }
    // What comes up under the lock is let go of after it.
    let mut held = Vec::new();
    let changing = device.core().shared().tree_lock();
    let result = move_locked(device, bus, &mut held);
    drop(changing);
    result.map_err(|refusal| match (refusal, bus) {
        (Refusal::Full, Some(bus)) => BusError::Full(bus.name()),
        _ => BusError::Cycle(device_name()),
    })
}

enum Refusal {
    Full,
    Cycle,
}

fn move_locked(
    device: &Obj<Device>,
    bus: Option<&Obj<Bus>>,
    held: &mut Vec<Arc<dyn Object>>,
) -> Result<(), Refusal> {
    let old = device.parent_bus();
    if let (Some(old), Some(bus)) = (&old, bus)
        && Arc::ptr_eq(old.as_object(), bus.as_object())
    {
        held.extend(Some(old.as_object().clone()));
        return Ok(());
    }
    if let Some(bus) = bus {
        if is_behind(bus.as_object(), device.as_object(), held) {
            held.extend(old.map(Obj::into_object));
            return Err(Refusal::Cycle);
        }
        let mut slots = bus.slots.lock();
        slots.devices.retain(|(_, device)| device.strong_count() > 0);
        if bus.class_data().and_then(|class| class.max_devices).is_some_and(|max| slots.devices.len() >= max)
        {
            drop(slots);
            held.extend(old.map(Obj::into_object));
            return Err(Refusal::Full);
        }
        let number = slots.next;
        slots.next += 1;
        slots.devices.push((number, Arc::downgrade(device.as_object())));
    }
    if let Some(old) = old {
        old.forget(Arc::as_ptr(device.as_object()).cast());
        held.push(old.into_object());
    }
    device.link_parent_bus().set(bus.map(Obj::as_object));
    Ok(())
}

/// Whether the way up from `from`, through owners and through the buses that devices are on, leads to `to`.
fn is_behind(from: &Arc<dyn Object>, to: &Arc<dyn Object>, held: &mut Vec<Arc<dyn Object>>) -> bool {
    let mut seen = HashSet::new();
    let mut waiting = vec![from.clone()];
    while let Some(at) = waiting.pop() {
        if Arc::ptr_eq(&at, to) {
            held.push(at);
            held.append(&mut waiting);
            return true;
        }
        if seen.insert(Arc::as_ptr(&at).cast::<()>()) {
            waiting.extend(at.core().parent().map(|(owner, _)| owner));
            waiting.extend(at.downcast_ref::<Device>().and_then(Device::parent_bus).map(Obj::into_object));
        }
        held.push(at);
    }
    false
}

impl Resettable for Bus {
    fn reset_state(&self) -> &ResetState {
        &self.reset
    }

    /// The newest first, as in the reference.
    fn reset_children(&self) -> Vec<Arc<dyn Object>> {
        self.links().into_iter().rev().map(|(_, device)| device).collect()
    }

    fn reset_enter(&self, kind: ResetType) {
        self.run_phase(kind, self.class_data().map(|class| class.reset.enter));
    }

    fn reset_hold(&self, kind: ResetType) {
        self.run_phase(kind, self.class_data().map(|class| class.reset.hold));
    }

    fn reset_exit(&self, kind: ResetType) {
        self.run_phase(kind, self.class_data().map(|class| class.reset.exit));
    }
}

impl Bus {
    fn run_phase(&self, kind: ResetType, phase: Option<ResetPhase<Self>>) {
        let this = self.core().upgrade().and_then(|this| Obj::new(this).ok());
        if let (Some(this), Some(phase)) = (this, phase) {
            phase(&this, kind);
        }
    }
}

/// The type of the main system bus, `System`: devices that the processor reaches directly.
pub(crate) fn system_bus_type() -> TypeInfo {
    TypeInfo::new("System", Bus::TYPE_NAME, crate::site!()).construct(|seed| seed.finish::<Bus>())
}
