//! Putting a device to work and out of it.
//!
//! Realizing is a transaction: checks, the hotplug handler's `pre_plug`, the class's `realize`, the device's buses, a
//! cold reset where the device was hot-plugged, the handler's `plug`. On a failure all that was done is undone in
//! reverse: what was realized below the device is unrealized, what was put there is taken out. *Below* a device are its
//! children, the devices on its buses, and what is below those.
//!
//! Nothing here holds a lock while a class's or a handler's method runs; a device that is being realized or unrealized
//! says so by its state.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Device, DeviceClass, DeviceError, State};
use crate::bus::{Bus, move_to};
use crate::error::Error;
use crate::object::{Obj, Object};
use crate::reset::{self, ResetType};

impl Device {
    fn begin(&self, from: State) -> Result<bool, Error> {
        let mut state = self.state.lock();
        match *state {
            State::Changing => Err(Error::new(DeviceError::Busy(self.name()))),
            at if at == from => {
                *state = State::Changing;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Puts the device to work, and then its buses. A device without a parent gets a place below
    /// `/machine/unattached`. Realizing a realized device does nothing. Where there is no `/machine/unattached`, there is
    /// no machine, and a device is realized where it is.
    ///
    /// # Errors
    /// The handler's, the device's own, or a [`DeviceError`]; then nothing is left behind.
    pub fn realize(device: &Obj<Self>) -> Result<(), Error> {
        if !device.begin(State::Unrealized)? {
            return Ok(());
        }
        let result = Self::realize_steps(device);
        *device.state.lock() = if result.is_ok() { State::Realized } else { State::Unrealized };
        result?;
        // Whoever took it out of the tree meanwhile found it neither realized nor unrealized, and left it alone.
        if home(device).is_some() && !device.as_object().is_in_tree() {
            let _ = Self::unrealize_steps(device, false);
            return Err(Error::new(DeviceError::OutsideTree(device.name())));
        }
        Ok(())
    }

    fn realize_steps(device: &Obj<Self>) -> Result<(), Error> {
        let class = device.core().class().clone();
        let Some(methods) = class.data::<DeviceClass>() else { return Ok(()) };
        if device.is_hotplugged() && !methods.hotpluggable {
            return Err(Error::new(DeviceError::NotHotpluggable(class.name().to_owned())));
        }
        if let Some(bus_type) = methods.bus_type
            && device.parent_bus().is_none()
        {
            return Err(Error::new(DeviceError::NeedsBus { bus_type, device: class.name().to_owned() }));
        }
        let before = Before::of(device.as_object());
        let mut placed_here = false;
        if let Some(home) = home(device) {
            if device.core().parent().is_none() {
                home.add_child("device[*]", device.as_object())?;
                placed_here = true;
            } else if !device.as_object().is_in_tree() {
                return Err(Error::new(DeviceError::OutsideTree(device.name())));
            }
        }
        let result = (|| {
            Self::with_handler(device, |handler| handler.pre_plug(device)).transpose()?;
            (methods.realize)(device)?;
            if let Err(error) = Self::after_realize(device) {
                before.unrealize_rest(device.as_object());
                reset::detach(&**device.as_object());
                (methods.unrealize)(device);
                return Err(error);
            }
            Ok(())
        })();
        if result.is_err() {
            before.restore(device.as_object());
            if placed_here {
                // It stays on its bus: it was there before.
                device.as_object().take_out();
            }
        }
        result
    }

    /// What follows the class's `realize`. The caller undoes it.
    fn after_realize(device: &Obj<Self>) -> Result<(), Error> {
        let object = device.as_object();
        for bus in device.child_buses() {
            Bus::realize(&bus)?;
        }
        let bus = device.parent_bus();
        let parent = bus.as_ref().map(|bus| &**bus.as_object());
        if device.is_hotplugged() {
            // In this order, so that a device which comes to a bus in reset stays in it.
            reset::assert_reset(object, ResetType::Cold).map_err(Error::new)?;
            reset::attach(object, parent);
            reset::release_reset(object, ResetType::Cold).map_err(Error::new)?;
        } else {
            reset::attach(object, parent);
        }
        Self::with_handler(device, |handler| handler.plug(device)).transpose()?;
        Ok(())
    }

    /// Puts the device out of work: the handler's `unplug`, then what is below it in reverse order, then
    /// the class's `unrealize`. Unrealizing an unrealized device does nothing.
    ///
    /// # Errors
    /// The handler's refusal or [`DeviceError::Busy`]; then nothing happened.
    pub fn unrealize(device: &Obj<Self>) -> Result<(), Error> {
        Self::unrealize_steps(device, true)
    }

    /// Unrealizes; where the handler `may_refuse`, its refusal is the end of it.
    fn unrealize_steps(device: &Obj<Self>, may_refuse: bool) -> Result<(), Error> {
        if !device.begin(State::Realized)? {
            return Ok(());
        }
        if let Err(error) = Self::with_handler(device, |handler| handler.unplug(device)).transpose()
            && may_refuse
        {
            *device.state.lock() = State::Realized;
            return Err(error);
        }
        unrealize_children(&**device.as_object());
        reset::detach(&**device.as_object());
        let class = device.core().class().clone();
        if let Some(methods) = class.data::<DeviceClass>() {
            (methods.unrealize)(device);
        }
        *device.state.lock() = State::Unrealized;
        Ok(())
    }
}

/// Where devices without a parent of their own are put, if there is a machine.
fn home(device: &Obj<Device>) -> Option<Arc<dyn Object>> {
    device.core().root()?.core().child("machine")?.core().child("unattached")
}

/// One object as it was before an attempt to realize something above it.
struct Was {
    object: Arc<dyn Object>,
    realized: bool,
    /// It had a place in the composition tree.
    placed: bool,
}

/// What lay below a device before an attempt to realize it, and what of it was at work.
struct Before(Vec<Was>);

impl Before {
    fn of(object: &Arc<dyn Object>) -> Self {
        let was = |object: Arc<dyn Object>| {
            let realized = object.downcast_ref::<Device>().is_some_and(Device::is_realized)
                || object.downcast_ref::<Bus>().is_some_and(Bus::is_realized);
            let placed = object.core().parent().is_some();
            Was { object, realized, placed }
        };
        Self(below(object).into_iter().map(was).collect())
    }

    fn find(&self, object: &Arc<dyn Object>) -> Option<&Was> {
        self.0.iter().find(|was| Arc::ptr_eq(&was.object, object))
    }

    /// Unrealizes what was not realized before, last things first.
    fn unrealize_rest(&self, object: &Arc<dyn Object>) {
        for one in below(object).into_iter().rev() {
            if self.find(&one).is_some_and(|was| was.realized) {
                continue;
            }
            match Obj::<Bus>::new(one) {
                // What is at work on it still was so before it.
                Ok(bus) => Bus::unrealize_steps(&bus, false),
                Err(one) => retire(one),
            }
        }
    }

    /// Unrealizes what was not realized before and takes out what was not there, last things first.
    fn restore(&self, object: &Arc<dyn Object>) {
        self.unrealize_rest(object);
        for one in below(object).into_iter().rev() {
            match self.find(&one) {
                None => {
                    if !one.unparent() {
                        // It hangs nowhere, but is on a bus.
                        leave_bus(one);
                    }
                }
                Some(was) if !was.placed => {
                    one.take_out();
                }
                Some(_) => {}
            }
        }
    }
}

/// All that is below an object, what is above before what is below it.
fn below(object: &Arc<dyn Object>) -> Vec<Arc<dyn Object>> {
    let mut all = Vec::new();
    let mut seen = HashSet::from([Arc::as_ptr(object).cast::<()>()]);
    let mut waiting: Vec<Arc<dyn Object>> = Vec::new();
    let push = |waiting: &mut Vec<Arc<dyn Object>>, object: &dyn Object| {
        if let Some(bus) = object.downcast_ref::<Bus>() {
            waiting.extend(bus.devices().into_iter().rev().map(Obj::into_object));
        }
        waiting.extend(object.core().children().into_iter().rev().map(|(_, child)| child));
    };
    push(&mut waiting, &**object);
    while let Some(at) = waiting.pop() {
        if seen.insert(Arc::as_ptr(&at).cast::<()>()) {
            push(&mut waiting, &*at);
            all.push(at);
        }
    }
    all
}

/// Unrealizes an object if it is a realized device or bus, and hears no refusal: it goes away in any case.
pub(crate) fn retire(object: Arc<dyn Object>) {
    match Obj::<Device>::new(object) {
        Ok(device) => {
            // Busy is a device that is already on its way out (or whose realize is just being undone).
            let _ = Device::unrealize_steps(&device, false);
        }
        Err(object) => {
            if let Ok(bus) = Obj::<Bus>::new(object) {
                Bus::unrealize(&bus);
            }
        }
    }
}

/// Unrealizes what is below an object, last things first.
fn unrealize_children(object: &dyn Object) {
    for (_, child) in object.core().children().into_iter().rev() {
        unrealize_below(&*child);
    }
}

/// Unrealizes an object, if it is a device or bus, and what is below it.
pub(crate) fn unrealize_below(object: &dyn Object) {
    if let Some(this) = object.core().upgrade() {
        retire(this);
    }
    // A bus that is not realized itself can have realized devices on it.
    if let Some(bus) = object.downcast_ref::<Bus>() {
        bus.retire_devices();
    }
    unrealize_children(object);
}

/// Prepares an object and what is below it for leaving the tree: no realized device is ever outside it, devices leave
/// buses that stay, and the devices on buses that go leave the tree too.
pub(crate) fn leave_tree(object: &Arc<dyn Object>) {
    unrealize_below(&**object);
    let going = below(object);
    let pointer = |one: &Arc<dyn Object>| Arc::as_ptr(one).cast::<()>();
    let goes: HashSet<*const ()> = going.iter().chain([object]).map(pointer).collect();
    for one in going.iter().rev() {
        // What hangs below something that goes stays there.
        if one.core().parent().is_none_or(|(parent, _)| !goes.contains(&pointer(&parent))) {
            one.take_out();
            leave_bus(one.clone());
        }
    }
    for one in going.iter().chain([object]) {
        let bus = one.downcast_ref::<Device>().and_then(Device::parent_bus);
        if bus.is_some_and(|bus| !goes.contains(&pointer(bus.as_object()))) {
            leave_bus(one.clone());
        }
    }
}

fn leave_bus(object: Arc<dyn Object>) {
    if let Ok(device) = Obj::<Device>::new(object) {
        // Refused only to a device that somebody is just realizing again; it stays where that one wants it.
        let _ = move_to(&device, None);
    }
}
