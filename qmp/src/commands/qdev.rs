//! Devices: adding, removing, and what properties they have.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::qom::{ObjectPropertyInfo, property_infos};
use crate::device::{self, AddDevice, Form};
use crate::schema::{Members, QapiType, Shape, TypeRef, Types};
use crate::{Context, Empty, Error};
use ::qom::{Device, Instance};

/// What `device_del` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct DeviceDel {
    /// The device's id, or its path, which begins with `/`.
    pub id: String,
}

/// What `device-list-properties` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct DeviceListProperties {
    /// The class of devices.
    pub typename: String,
}

/// What `device_add` takes: these members, and those properties of the class that are to be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceAdd(pub Map<String, Value>);

impl QapiType for DeviceAdd {
    fn describe(types: &mut Types) -> TypeRef {
        types.define("DeviceAdd", "", |types| {
            let mut members = Members::default();
            members.add::<String>(types, "driver", false, "The class of the device.");
            members.add::<String>(
                types,
                "bus",
                true,
                "The path or name of the bus that it goes to; by default the first that has a place for it.",
            );
            members.add::<String>(
                types,
                "id",
                true,
                "A name, by which `device_del` finds it; none by default.",
            );
            Shape::Object(members)
        })
    }
}

/// Properties of any device that are about its place and state, not about how to make one.
const NOT_LISTED: [&str; 5] = ["type", "parent_bus", "realized", "hotplugged", "hotpluggable"];

commands! {
    /// Adds a device to the running machine. All but `driver`, `bus` and `id` are properties that it is made with, as
    /// `device-list-properties` lists them; those of CPUs are in `query-hotpluggable-cpus`. The device is below
    /// `/machine/peripheral` under its id, or without one below `/machine/peripheral-anon`.
    ///
    /// Fails if there is no such class (`'NAME' is not a valid device model name`), if it cannot be added while the machine runs
    /// (`Parameter 'driver' expects a pluggable device type`), if the id is taken (`Duplicate device ID 'ID'`), if there is no
    /// place for it, and if a property is unknown or does not take its value; then nothing is left of it. That the guest has taken
    /// a CPU in is told by `ACPI_DEVICE_OST`.
    "device_add" (json_cli) => fn device_add(context: &mut Context, arguments: DeviceAdd) -> Result<Empty, Error> {
        device::add(context.qom(), arguments.0, AddDevice::hotplug(Form::Json))?;
        Ok(Empty)
    }

    /// Asks for the removal of a device. `DEVICE_DELETED` tells that it is gone, `DEVICE_UNPLUG_GUEST_ERROR` that the guest refused
    /// or did not answer in time; it can be asked again. A device that no guest has to let go of is gone before the reply.
    ///
    /// Fails with class `DeviceNotFound` if there is none (`Device 'ID' not found`), and with `GenericError` if it cannot go, as
    /// the boot CPU (`Boot CPU is unpluggable`).
    "device_del" => fn device_del(context: &mut Context, arguments: DeviceDel) -> Result<Empty, Error> {
        device::delete(context.qom(), &arguments.id)?;
        Ok(Empty)
    }

    /// Returns the properties that a device of a class is made with.
    ///
    /// Fails with class `DeviceNotFound` if there is no such class (`Device 'NAME' not found`), and with `GenericError` if no
    /// devices are made of it (`Parameter 'typename' expects a non-abstract device type`).
    "device-list-properties" kept while crate::forever =>
    fn device_list_properties(context: &mut Context, arguments: DeviceListProperties)
        -> Result<Vec<ObjectPropertyInfo>, Error>
    {
        let name = arguments.typename;
        let class = context.qom().class(&name).map_err(|_| Error::device_not_found(&name))?;
        if !class.is_a(Device::TYPE_NAME) || class.is_abstract() {
            return Err(Error::generic("Parameter 'typename' expects a non-abstract device type"));
        }
        let properties = property_infos(class);
        Ok(properties.into_iter().filter(|property| !NOT_LISTED.contains(&property.name.as_str())).collect())
    }
}
