//! Devices: objects that are configured first and then realized.
//!
//! [`Device::realize`] is a transaction: checks, the hotplug handler's `pre_plug`, the class's `realize`, the
//! handler's `plug`; on a failure all that was done is undone in reverse (what was realized below the device is
//! unrealized, what was put there is taken out), and the device can be configured and realized again or dropped.
//! [`Device::unplug`] is the way back. A device that leaves the tree by itself or with something above it is unrealized first.

use std::sync::Arc;

use parking_lot::Mutex;
use qom_derive::Object;
use thiserror::Error as ThisError;

use crate::class::ClassInit;
use crate::error::{Error, PropertyError};
use crate::field::Field;
use crate::hotplug::HotplugHandler;
use crate::object::{Obj, Object, ObjectCore};
use crate::property::Property;

/// The class data that `device` introduces.
#[derive(Debug, Clone)]
pub struct DeviceClass {
    /// One line for people.
    pub description: Option<&'static str>,
    /// Whether `device_add` and `-device` may make it.
    pub user_creatable: bool,
    /// Whether it can come and go while the machine runs.
    pub hotpluggable: bool,
    /// The virtual method that puts the configured device to work. An override that needs its parent's
    /// finds it with [`Class::parent_of`](crate::Class::parent_of). It undoes its own work when it fails.
    pub realize: fn(&Obj<Device>) -> Result<(), Error>,
    /// The virtual method that undoes `realize`. It cannot fail.
    pub unrealize: fn(&Obj<Device>),
}

impl Default for DeviceClass {
    fn default() -> Self {
        Self {
            description: None,
            user_creatable: true,
            hotpluggable: true,
            realize: |_| Ok(()),
            unrealize: |_| (),
        }
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
    /// Nobody looks after the removal of that device.
    #[error("Bus does not support hotplugging")]
    NoHandler,
    /// A change of `realized` from within one.
    #[error("device '{0}' is being realized or unrealized")]
    Busy(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unrealized,
    Changing,
    Realized,
}

/// The abstract type of all devices.
#[derive(Debug, Object)]
#[object(name = "device", abstract, class_init = Device::class_init)]
pub struct Device {
    parent: ObjectCore,
    id: Field<Option<String>>,
    hotplugged: Field<bool>,
    #[object(default = Mutex::new(State::Unrealized))]
    state: Mutex<State>,
}

impl Device {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<DeviceClass>();
        class.add_property(
            Property::of::<Self, bool>("realized", Self::is_realized)
                .set(|object, input| {
                    let wanted = <bool as crate::PropertyValue>::read("realized", input)?;
                    let refused = |error: Error| match error {
                        Error::Property(error) => error,
                        error => PropertyError::Refused(error.to_string()),
                    };
                    let device = object.core().upgrade().and_then(|object| Obj::<Device>::new(object).ok());
                    match device {
                        Some(device) if wanted => Device::realize(&device).map_err(refused),
                        Some(device) => Device::unrealize(&device).map_err(refused),
                        None => Err(PropertyError::Refused("the device is being dropped".to_owned())),
                    }
                })
                .settable_after_realize(),
        );
        class.add_property(Property::of::<Self, bool>("hotpluggable", |device| {
            device.device_class().is_some_and(|class| class.hotpluggable)
        }));
        class.add_property(Property::of::<Self, bool>("hotplugged", Self::is_hotplugged));
    }

    fn device_class(&self) -> Option<&DeviceClass> {
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
        let mut bytes = id.bytes();
        let well_formed = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !well_formed {
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

    /// The board, if it looks after this device.
    fn with_handler<R>(device: &Obj<Self>, with: impl FnOnce(&dyn HotplugHandler) -> R) -> Option<R> {
        let machine = device.core().root()?.core().child("machine")?;
        let handler = machine.interface::<dyn HotplugHandler>()?;
        handler.handles(device).then(|| with(handler))
    }

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

    /// Puts the device to work. A device without a place in the tree gets one below `/machine/unattached`.
    /// Realizing a realized device does nothing.
    ///
    /// # Errors
    /// The handler's, the device's own, or a [`DeviceError`]; then nothing is left behind.
    pub fn realize(device: &Obj<Self>) -> Result<(), Error> {
        if !device.begin(State::Unrealized)? {
            return Ok(());
        }
        let result = Self::realize_steps(device);
        *device.state.lock() = if result.is_ok() { State::Realized } else { State::Unrealized };
        result
    }

    fn realize_steps(device: &Obj<Self>) -> Result<(), Error> {
        let class = device.core().class().clone();
        let Some(methods) = class.data::<DeviceClass>() else { return Ok(()) };
        if device.is_hotplugged() && !methods.hotpluggable {
            return Err(Error::new(DeviceError::NotHotpluggable(class.name().to_owned())));
        }
        let before = Before::of(&**device.as_object());
        let mut placed_here = false;
        if device.core().parent().is_none()
            && let Some(home) =
                device.core().root().and_then(|root| crate::tree::resolve(&root, "/machine/unattached").ok())
        {
            home.add_child("device[*]", device.as_object())?;
            placed_here = true;
        }
        let result = (|| {
            Self::with_handler(device, |handler| handler.pre_plug(device)).transpose()?;
            (methods.realize)(device)?;
            if let Err(error) = Self::with_handler(device, |handler| handler.plug(device)).transpose() {
                before.unrealize_rest(&**device.as_object());
                (methods.unrealize)(device);
                return Err(error);
            }
            Ok(())
        })();
        if result.is_err() {
            before.restore(&**device.as_object());
            if placed_here {
                device.as_object().unparent();
            }
        }
        result
    }

    /// Puts the device out of work: the handler's `unplug`, then the devices below it in reverse order, then
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
        let class = device.core().class().clone();
        if let Some(methods) = class.data::<DeviceClass>() {
            (methods.unrealize)(device);
        }
        *device.state.lock() = State::Unrealized;
        Ok(())
    }

    /// Asks the device's handler to remove it, as `device_del` does. The removal itself may come later.
    ///
    /// # Errors
    /// [`DeviceError`], or the handler's refusal.
    pub fn request_unplug(device: &Obj<Self>) -> Result<(), Error> {
        if !device.device_class().is_some_and(|class| class.hotpluggable) {
            return Err(Error::new(DeviceError::NotHotpluggable(device.core().class().name().to_owned())));
        }
        Self::with_handler(device, |handler| handler.unplug_request(device))
            .unwrap_or_else(|| Err(Error::new(DeviceError::NoHandler)))
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

/// What lay below a device before an attempt to realize it, and what of it was at work.
struct Before(Vec<(Arc<dyn Object>, bool)>);

impl Before {
    fn of(object: &dyn Object) -> Self {
        let is_realized =
            |object: &Arc<dyn Object>| object.downcast_ref::<Device>().is_some_and(Device::is_realized);
        Self(
            descendants(object)
                .into_iter()
                .map(|object| {
                    let realized = is_realized(&object);
                    (object, realized)
                })
                .collect(),
        )
    }

    fn find(&self, object: &Arc<dyn Object>) -> Option<bool> {
        self.0.iter().find(|(other, _)| Arc::ptr_eq(other, object)).map(|(_, realized)| *realized)
    }

    /// Unrealizes what was not realized before, last things first.
    fn unrealize_rest(&self, object: &dyn Object) {
        for below in descendants(object).into_iter().rev() {
            if self.find(&below) != Some(true) {
                retire(below);
            }
        }
    }

    /// Unrealizes what was not realized before and takes out what was not there, last things first.
    fn restore(&self, object: &dyn Object) {
        self.unrealize_rest(object);
        for below in descendants(object).into_iter().rev() {
            if self.find(&below).is_none() {
                below.unparent();
            }
        }
    }
}

/// All objects below this one, parents before their children.
fn descendants(object: &dyn Object) -> Vec<Arc<dyn Object>> {
    let mut all = Vec::new();
    let mut waiting: Vec<Arc<dyn Object>> = Vec::new();
    let push = |waiting: &mut Vec<Arc<dyn Object>>, object: &dyn Object| {
        waiting.extend(object.core().children().into_iter().rev().map(|(_, child)| child));
    };
    push(&mut waiting, object);
    while let Some(at) = waiting.pop() {
        push(&mut waiting, &*at);
        all.push(at);
    }
    all
}

/// Unrealizes an object if it is a realized device, and hears no refusal: it goes away in any case.
fn retire(object: Arc<dyn Object>) {
    if let Ok(device) = Obj::<Device>::new(object) {
        // Busy is a device that is already on its way out (or whose realize is just being undone).
        let _ = Device::unrealize_steps(&device, false);
    }
}

/// Unrealizes the devices below an object, last things first.
fn unrealize_children(object: &dyn Object) {
    for (_, child) in object.core().children().into_iter().rev() {
        unrealize_below(&*child);
    }
}

/// Unrealizes an object that is about to leave the tree, if it is a device, and the devices below it: no realized device
/// is ever outside the tree.
pub(crate) fn unrealize_below(object: &dyn Object) {
    if let Some(this) = object.core().upgrade() {
        retire(this);
    }
    unrealize_children(object);
}

/// The device class data of any class, if it is a device's.
#[must_use]
pub fn device_class(class: &Arc<crate::Class>) -> Option<&DeviceClass> {
    class.data()
}
