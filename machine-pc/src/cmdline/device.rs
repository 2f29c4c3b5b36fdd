//! `-device`, `-global`.
//!
//! Types and properties are not looked up here: that a driver exists is for the object model to say, which
//! words its errors itself. The location that goes with each option is for those.

use std::collections::HashSet;

use qom::text::keyval;
use qom::text::opts::{self, OptDescription, OptKind, Opts};
use qom::text::{ParameterError, identifier};
use serde_json::Value;

use super::build::{Builder, Step};
use super::error::{ErrorKind, Failure};
use super::help::parameter;
use super::process::help_of;
use super::{CommandLine, DeviceOption, DeviceProperties, GlobalOption, Request, json};

/// Devices on the way.
#[derive(Debug, Default)]
pub(super) struct Devices {
    options: Vec<DeviceOption>,
    ids: HashSet<String>,
    drivers: HashSet<String>,
    help: Option<Request>,
}

impl Devices {
    pub(super) fn help(&mut self) -> Option<Request> {
        self.help.take()
    }

    /// Takes an ID; whether it was free.
    pub(super) fn add_id(&mut self, id: &str) -> bool {
        self.ids.insert(id.to_owned())
    }

    /// Whether there is a device of that ID.
    pub(super) fn has_id(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Whether a device of that type is asked for.
    pub(super) fn has_driver(&self, driver: &str) -> bool {
        self.drivers.contains(driver)
    }

    /// Hands over the devices: those in text first, then those in JSON, as QEMU makes them.
    pub(super) fn finish(&mut self, line: &mut CommandLine) {
        line.devices = std::mem::take(&mut self.options);
        line.devices.sort_by_key(|device| matches!(device.properties, DeviceProperties::Json(_)));
    }

    /// Sets a property of the device of an ID that was described in text; whether there is one.
    pub(super) fn set(&mut self, id: &str, key: &str, value: &str) -> bool {
        for device in &mut self.options {
            if let DeviceOption { id: Some(known), properties: DeviceProperties::Text(properties), .. } =
                device
                && known == id
            {
                if key == "driver" {
                    device.driver = Some(value.to_owned());
                    self.drivers.insert(value.to_owned());
                } else {
                    put(properties, key.to_owned(), value.to_owned());
                }
                return true;
            }
        }
        false
    }

    fn ask(&mut self, request: Request) {
        self.help.get_or_insert(request);
    }
}

pub(super) const GLOBAL_OPTIONS: &[OptDescription] = &[
    parameter("driver", OptKind::String, ""),
    parameter("property", OptKind::String, ""),
    parameter("value", OptKind::String, ""),
];

/// Sets the value of a key, which stays in its place.
fn put(properties: &mut Vec<(String, String)>, key: String, value: String) {
    match properties.iter_mut().find(|(known, _)| *known == key) {
        Some((_, old)) => *old = value,
        None => properties.push((key, value)),
    }
}

pub(super) fn missing(name: &str) -> ParameterError {
    ParameterError::Missing { name: name.to_owned() }
}

impl Builder {
    pub(super) fn device(&mut self, argument: &str, location: &str) -> Result<(), Failure> {
        if json::is_json(argument) {
            return self.json_device(argument, location);
        }
        self.device_opts(opts::parse(argument, Some("driver")), location)
    }

    pub(super) fn device_opts(&mut self, opts: Opts, location: &str) -> Result<(), Failure> {
        if let Some(id) = &opts.id {
            identifier::check(id).map_err(|error| Failure::at(location, error))?;
        }
        let taken = opts.id.as_ref().filter(|id| !opts.help && !self.devices.ids.insert((*id).clone()));
        if let Some(id) = taken {
            return Err(Failure::at(location, ErrorKind::DuplicateId { id: id.clone(), group: "device" }));
        }
        self.warn_of(&opts, None, location);
        let driver = opts.get("driver").map(str::to_owned);
        match driver.as_deref() {
            Some(driver) if keyval::is_help(driver) => self.devices.ask(Request::DeviceHelp),
            Some(driver) if opts.help => {
                self.devices.ask(Request::DeviceTypeHelp { driver: driver.to_owned() });
            }
            None if opts.help => self.devices.ask(Request::DeviceHelp),
            _ => {}
        }
        if opts.help {
            return Ok(());
        }
        let mut properties: Vec<(String, String)> = Vec::new();
        for (key, value) in opts.pairs.into_iter().filter(|(key, _)| key != "driver") {
            put(&mut properties, key, value);
        }
        self.add_device(driver, opts.id, DeviceProperties::Text(properties), location);
        Ok(())
    }

    /// A driver or an ID that is no text stays among the properties: what is wrong with it is found when the device is made,
    /// and so is an ID that is taken.
    fn json_device(&mut self, argument: &str, location: &str) -> Result<(), Failure> {
        let mut members = json::object(argument).map_err(|error| Failure::at(location, error))?;
        let mut text = |key: &str| match members.get(key) {
            Some(Value::String(text)) => {
                let text = text.clone();
                members.shift_remove(key);
                Some(text)
            }
            _ => None,
        };
        let (driver, id) = (text("driver"), text("id"));
        self.add_device(driver, id, DeviceProperties::Json(members), location);
        Ok(())
    }

    pub(super) fn add_device(
        &mut self,
        driver: Option<String>,
        id: Option<String>,
        properties: DeviceProperties,
        location: &str,
    ) {
        self.devices.drivers.extend(driver.clone());
        self.devices.options.push(DeviceOption { driver, id, properties, location: location.to_owned() });
    }

    pub(super) fn global(&mut self, argument: &str, location: &str) -> Step {
        let location = location.to_owned();
        if let Some((driver, property, value)) = short_global(argument) {
            let [driver, property, value] = [driver, property, value].map(str::to_owned);
            self.line.globals.push(GlobalOption { driver, property, value, location });
            return Ok(None);
        }
        let opts = self.options(argument, None, GLOBAL_OPTIONS, &location)?;
        if opts.help {
            return Ok(help_of("global", GLOBAL_OPTIONS));
        }
        self.global_opts(&opts, &location)?;
        Ok(None)
    }

    pub(super) fn global_opts(&mut self, opts: &Opts, location: &str) -> Result<(), Failure> {
        let (Some(driver), Some(property), Some(value)) =
            (opts.get("driver"), opts.get("property"), opts.get("value"))
        else {
            return Err(Failure::at(location, ErrorKind::IncompleteGlobal));
        };
        let [driver, property, value] = [driver, property, value].map(str::to_owned);
        let location = location.to_owned();
        self.line.globals.push(GlobalOption { driver, property, value, location });
        Ok(())
    }
}

pub(super) fn wrong_kind(name: &str) -> ParameterError {
    ParameterError::WrongKind { name: name.to_owned(), expected: "string" }
}

/// Longest driver and property of `driver.property=value`; longer ones need the long form.
const MAX_GLOBAL_NAME: usize = 63;

/// Splits `driver.property=value`. The property may have dots.
fn short_global(text: &str) -> Option<(&str, &str, &str)> {
    let (name, value) = text.split_once('=')?;
    let (driver, property) = name.split_once('.')?;
    let fits = |name: &str| (1..=MAX_GLOBAL_NAME).contains(&name.len());
    (fits(driver) && fits(property)).then_some((driver, property, value))
}
