//! Devices that come and go by command: `device_add` and `device_del`, for any class of device.

use std::sync::Arc;

use qom::bus::{self, FindBusError};
use qom::device::device_class;
use qom::{Bus, BusError, Device, DeviceError, ErrorClass, Input, Instance, Obj, Object, Origin, Qom};
use serde_json::{Map, Value};

use crate::Error;

/// In which form the properties of a new device were written; the reference words its errors by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON values: QMP, `-device {…}`.
    Json,
    /// Texts: `driver,key=value,…`.
    Keyval,
}

/// Whose wish a new device is, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddDevice {
    /// The form of the properties' values.
    pub form: Form,
    /// Who sets the properties.
    pub origin: Origin,
    /// The machine is running: the device and the machine must allow it.
    pub hotplug: bool,
}

impl AddDevice {
    /// `device_add` on a running machine.
    #[must_use]
    pub fn hotplug(form: Form) -> Self {
        Self { form, origin: Origin::Monitor, hotplug: true }
    }
}

fn check_class(qom: &Qom, driver: &str, hotplug: bool) -> Result<(), Error> {
    let unknown = || Error::generic(format_args!("'{driver}' is not a valid device model name"));
    let class = qom.class(driver).map_err(|_| unknown())?;
    if !class.is_a(Device::TYPE_NAME) {
        return Err(unknown());
    }
    if class.is_abstract() {
        return Err(Error::generic("Parameter 'driver' expects a non-abstract device type"));
    }
    let pluggable =
        device_class(class).is_some_and(|data| data.user_creatable && (!hotplug || data.hotpluggable));
    if !pluggable {
        return Err(Error::generic("Parameter 'driver' expects a pluggable device type"));
    }
    Ok(())
}

/// The bus for a new device: the one that is named, else one of the type that the class needs, if it needs one.
fn find_bus(qom: &Qom, driver: &str, named: Option<Value>) -> Result<Option<Obj<Bus>>, Error> {
    let not_found = |error: FindBusError| Error::new(error.class(), error);
    let wanted = device_class(qom.class(driver)?).and_then(|class| class.bus_type);
    // As in the reference, a bus that is not text names nothing.
    if let Some(Value::String(path)) = named {
        let bus = bus::find_bus(qom.root(), &path).map_err(not_found)?;
        let bus_type = bus.as_object().class();
        if !wanted.is_some_and(|wanted| bus_type.is_a(wanted)) {
            let (device, bus_type) = (driver.to_owned(), bus_type.name().to_owned());
            return Err(Error::generic(BusError::WrongType { device, bus_type }));
        }
        return Ok(Some(bus));
    }
    wanted.map(|wanted| bus::find_bus_of_type(qom.root(), wanted, driver).map_err(not_found)).transpose()
}

/// Makes a device and puts it to work: `members` holds its class as `driver`, its name as `id`, its bus as `bus`, and
/// its properties. It hangs in `/machine/peripheral` under its id, or without one in `/machine/peripheral-anon`.
///
/// # Errors
/// In the reference's words; then nothing is left of the device.
pub fn add(qom: &Qom, mut members: Map<String, Value>, how: AddDevice) -> Result<Obj<Device>, Error> {
    let Some(Value::String(driver)) = members.shift_remove("driver") else {
        return Err(Error::generic("Parameter 'driver' is missing"));
    };
    check_class(qom, &driver, how.hotplug)?;
    let bus = find_bus(qom, &driver, members.shift_remove("bus"))?;
    if how.hotplug
        && let Some(bus) = bus.as_ref().filter(|bus| !bus.is_hotpluggable())
    {
        return Err(Error::generic(DeviceError::BusNotHotpluggable(bus.name())));
    }
    let not_a_device = |_| Error::generic(format_args!("'{driver}' is not a valid device model name"));
    let device = Obj::<Device>::new(qom.create(&driver)?).map_err(not_a_device)?;
    if how.hotplug {
        Device::check_hotplug(&device, bus.as_ref()).map_err(Error::generic)?;
        device.set_hotplugged();
    }
    // As in the reference, an id that is not text names nothing.
    match members.shift_remove("id") {
        Some(Value::String(id)) => {
            device.set_id(&id).map_err(Error::generic)?;
            qom.container("/machine/peripheral")?
                .add_child(&id, device.as_object())
                .map_err(|_| Error::generic(format_args!("Duplicate device ID '{id}'")))?;
        }
        _ => {
            qom.container("/machine/peripheral-anon")?.add_child("device[*]", device.as_object())?;
        }
    }
    let result = set_all(&device, &members, how).and_then(|()| {
        if let Some(bus) = &bus {
            Device::set_parent_bus(&device, Some(bus)).map_err(|error| match error {
                BusError::Address(error) => error.into(),
                error => Error::generic(error),
            })?;
        }
        Ok(Device::realize(&device)?)
    });
    if let Err(error) = result {
        device.as_object().unparent();
        return Err(error);
    }
    Ok(device)
}

fn set_all(device: &Obj<Device>, members: &Map<String, Value>, how: AddDevice) -> Result<(), Error> {
    for (name, value) in members {
        let input = match (how.form, value) {
            (Form::Keyval, Value::String(text)) => Input::Keyval(text),
            _ => Input::Json(value),
        };
        device.as_object().set(name, &input, how.origin)?;
    }
    Ok(())
}

/// Finds a device by its id, or by its path in the composition tree.
///
/// # Errors
/// [`ErrorClass::DeviceNotFound`], or that it is something else.
pub fn find(qom: &Qom, id: &str) -> Result<Obj<Device>, Error> {
    let missing = || Error::new(ErrorClass::DeviceNotFound, format_args!("Device '{id}' not found"));
    let object: Arc<dyn Object> = if id.starts_with('/') {
        qom.resolve(id).map_err(|_| missing())?
    } else {
        let home = qom.resolve("/machine/peripheral").map_err(|_| missing())?;
        // A path relative to that container; the empty one is the container.
        if id.is_empty() { home } else { home.core().child(id).ok_or_else(missing)? }
    };
    Obj::new(object).map_err(|_| Error::generic(format_args!("{id} is not a device")))
}

/// Asks for the removal of a device; it is gone when `DEVICE_DELETED` says so.
///
/// # Errors
/// [`find`]'s, or why it cannot be removed.
pub fn delete(qom: &Qom, id: &str) -> Result<(), Error> {
    Ok(Device::request_unplug(&find(qom, id)?)?)
}
