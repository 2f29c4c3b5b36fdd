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
    /// The device's id, or its path.
    pub id: String,
}

/// What `device-list-properties` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct DeviceListProperties {
    /// The class.
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
            members.add::<String>(types, "driver", false, "Its class.");
            members.add::<String>(types, "bus", true, "The bus that it goes to, where there is a choice.");
            members.add::<String>(types, "id", true, "Its name.");
            Shape::Object(members)
        })
    }
}

/// Properties of any device that are about its place and state, not about how to make one.
const NOT_LISTED: [&str; 5] = ["type", "parent_bus", "realized", "hotplugged", "hotpluggable"];

commands! {
    /// Adds a device to the running machine. `driver` is its class, `id` its name; all others are its properties.
    "device_add" (json_cli) => fn device_add(context: &mut Context, arguments: DeviceAdd) -> Result<Empty, Error> {
        device::add(context.qom(), arguments.0, AddDevice::hotplug(Form::Json))?;
        Ok(Empty)
    }

    /// Asks for the removal of a device, by its id or its path. The event `DEVICE_DELETED` tells when it is gone;
    /// the guest may take its time or refuse.
    "device_del" => fn device_del(context: &mut Context, arguments: DeviceDel) -> Result<Empty, Error> {
        device::delete(context.qom(), &arguments.id)?;
        Ok(Empty)
    }

    /// Returns the properties that a device of a class is made with.
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
