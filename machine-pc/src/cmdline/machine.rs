//! `-machine`, `-smp`, `-m`, `-accel`: one tree of machine properties.
//!
//! `-smp` and `-m` are short for `-machine smp.…` and `memory.…`; so all of them go into one keyval tree, in
//! the order written, and conflicts show where they arise. What `-m` says wins.

use qom::text::keyval::{self, KeyvalError};
use qom::text::opts::{OptDescription, OptKind, Opts};
use qom::text::parameter::ParameterError;
use qom::text::{identifier, opts, size};
use serde_json::{Map, Value};

use super::boot::{boot_help, boot_options};
use super::build::{Builder, Step};
use super::error::{ErrorKind, Failure};
use super::help::{parameter, smp_help};
use super::{AcceleratorOption, CommandLine, Request};
use crate::smp::SmpConfiguration;

/// Machine properties on the way.
#[derive(Debug, Default)]
pub(super) struct MachineTree {
    tree: Map<String, Value>,
    help: bool,
    /// The size that the last `-m` gives.
    memory: Option<String>,
}

pub(super) const MEMORY_OPTIONS: &[OptDescription] = &[
    parameter("size", OptKind::Size, ""),
    parameter("slots", OptKind::Number, ""),
    parameter("maxmem", OptKind::Size, ""),
];

const NO_MEMORY_HOTPLUG: ErrorKind =
    ErrorKind::NotSupported { reason: "memory cannot be added while the guest runs" };

/// Guest memory comes in pieces of this many bytes.
const MEMORY_GRANULE: u64 = 8192;

impl MachineTree {
    pub(super) fn machine(&mut self, argument: &str, location: &str) -> Result<(), Failure> {
        let help = keyval::parse_into(&mut self.tree, argument, Some("type"));
        self.help |= help.map_err(|error| Failure::at(location, error))?;
        Ok(())
    }

    pub(super) fn smp(&mut self, argument: &str, location: &str) -> Step {
        let at = |error: KeyvalError| Failure::at(location, error);
        let smp = keyval::parse_with_help(argument, Some("cpus")).map_err(at)?;
        if smp.help {
            return Ok(Some(Request::Print(smp_help())));
        }
        self.merge("smp", smp.tree).map_err(at)?;
        Ok(None)
    }

    pub(super) fn boot(&mut self, argument: &str, location: &str) -> Step {
        let at = |error: KeyvalError| Failure::at(location, error);
        let boot = keyval::parse_with_help(argument, Some("order")).map_err(at)?;
        if boot.help {
            return Ok(Some(boot_help()));
        }
        self.merge("boot", boot.tree).map_err(at)?;
        Ok(None)
    }

    /// Machine properties from a configuration file.
    pub(super) fn machine_tree(&mut self, tree: Map<String, Value>, location: &str) -> Result<(), Failure> {
        keyval::merge(&mut self.tree, tree).map_err(|error| Failure::at(location, error))
    }

    /// A machine property that is a structure, from a configuration file.
    pub(super) fn property_tree(
        &mut self,
        property: &str,
        tree: Map<String, Value>,
        location: &str,
    ) -> Result<(), Failure> {
        self.merge(property, tree).map_err(|error| Failure::at(location, error))
    }

    pub(super) fn enable_kvm(&mut self) {
        self.tree.insert("accel".to_owned(), Value::from("kvm"));
    }

    /// A property that has an option of its own; what is said last counts.
    pub(super) fn property(&mut self, name: &str, value: &str) {
        self.tree.insert(name.to_owned(), Value::from(value));
    }

    /// Whether a property was given a text.
    pub(super) fn has_text(&self, name: &str) -> bool {
        self.tree.get(name).is_some_and(Value::is_string)
    }

    fn merge(&mut self, key: &str, members: Map<String, Value>) -> Result<(), KeyvalError> {
        let mut added = Map::new();
        added.insert(key.to_owned(), Value::Object(members));
        keyval::merge(&mut self.tree, added)
    }

    /// A property may be written with underscores for dashes. Its members may not.
    fn dashify(&mut self) -> Result<(), Failure> {
        let written: Vec<String> = self.tree.keys().filter(|key| key.contains('_')).cloned().collect();
        for key in written {
            let property = key.replace('_', "-");
            if self.tree.contains_key(&property) {
                return Err(Failure::nowhere(ErrorKind::TwoSpellings { written: key, property }));
            }
            if let Some(value) = self.tree.shift_remove(&key) {
                self.tree.insert(property, value);
            }
        }
        Ok(())
    }

    /// What help was asked for.
    pub(super) fn help(&self) -> Option<Request> {
        if self.tree.get("type").and_then(Value::as_str).is_some_and(keyval::is_help) {
            return Some(Request::MachineHelp);
        }
        self.help.then(|| {
            if self.tree.contains_key("type") { Request::MachineTypeHelp } else { Request::MachineHelp }
        })
    }

    /// Hands over what help depends on: the type, and the accelerators as far as they make sense.
    pub(super) fn finish_for_help(&mut self, line: &mut CommandLine) {
        line.machine.type_name = take_text(&mut self.tree, "type");
        // Help is given also where a machine could not be made.
        if line.accelerators.is_empty()
            && let Some(names) = take_text(&mut self.tree, "accel")
        {
            line.accelerators = accelerators(&names);
        }
    }

    /// Hands over everything.
    pub(super) fn finish(&mut self, line: &mut CommandLine) -> Result<(), Failure> {
        line.machine.type_name = take_text(&mut self.tree, "type");
        self.dashify()?;
        if let Some(boot) = take_object(&mut self.tree, "boot")? {
            line.boot = boot_options(&boot).map_err(Failure::nowhere)?;
        }
        if let Some(smp) = take_object(&mut self.tree, "smp")? {
            line.smp = SmpConfiguration::from_properties(&smp).map_err(Failure::nowhere)?;
        }
        if let Some(memory) = self.tree.shift_remove("memory") {
            // QEMU merges the default size of memory into the tree, which conflicts with a scalar.
            let Value::Object(mut memory) = memory else {
                return Err(Failure::nowhere(KeyvalError::MergeConflict { key: "memory".to_owned() }));
            };
            // Whichever came first.
            memory.extend(self.memory.take().map(|size| ("size".to_owned(), Value::from(size))));
            line.memory_size = memory_size(&memory)?;
        }
        if let Some(names) = take_text(&mut self.tree, "accel") {
            if !line.accelerators.is_empty() {
                return Err(Failure::nowhere(ErrorKind::AcceleratorTwice));
            }
            line.accelerators = accelerators(&names);
            if line.accelerators.is_empty() {
                return Err(Failure::nowhere(ErrorKind::NoAccelerator));
            }
        }
        line.machine.properties = std::mem::take(&mut self.tree);
        Ok(())
    }
}

/// Splits `kvm:tcg`.
fn accelerators(names: &str) -> Vec<AcceleratorOption> {
    let names = names.split(':').filter(|name| !name.is_empty());
    names
        .map(|name| AcceleratorOption { name: name.to_owned(), properties: Vec::new(), location: None })
        .collect()
}

/// Takes a text out. A structure stays, and is wrong as a property of the machine.
fn take_text(tree: &mut Map<String, Value>, key: &str) -> Option<String> {
    let text = tree.get(key)?.as_str()?.to_owned();
    tree.shift_remove(key);
    Some(text)
}

fn take_object(tree: &mut Map<String, Value>, key: &str) -> Result<Option<Map<String, Value>>, Failure> {
    match tree.shift_remove(key) {
        None => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => {
            Err(Failure::nowhere(ParameterError::WrongKind { name: key.to_owned(), expected: "object" }))
        }
    }
}

fn memory_size(memory: &Map<String, Value>) -> Result<Option<u64>, Failure> {
    for key in memory.keys() {
        match key.as_str() {
            "size" => {}
            "slots" | "max-size" => return Err(Failure::nowhere(NO_MEMORY_HOTPLUG)),
            _ => return Err(Failure::nowhere(ParameterError::Unexpected { name: format!("memory.{key}") })),
        }
    }
    let bytes = match memory.get("size") {
        None => return Ok(None),
        Some(Value::String(text)) => size::parse(text).ok(),
        Some(_) => None,
    };
    let expects_size = || ParameterError::Expects { name: "memory.size".to_owned(), expected: "size" };
    let bytes = bytes.ok_or_else(|| Failure::nowhere(expects_size()))?;
    let rounded = bytes.checked_next_multiple_of(MEMORY_GRANULE);
    let rounded = rounded.ok_or_else(|| Failure::nowhere(ErrorKind::MemoryTooLarge))?;
    // Zero asks for the machine's default.
    Ok((rounded > 0).then_some(rounded))
}

impl Builder {
    pub(super) fn memory(&mut self, argument: &str, location: &str) -> Step {
        let opts = self.common_options(argument, Some("size"), MEMORY_OPTIONS, location)?;
        self.memory_opts(&opts, location)?;
        Ok(None)
    }

    pub(super) fn memory_opts(&mut self, opts: &Opts, location: &str) -> Result<(), Failure> {
        if opts.get("slots").is_some() || opts.get("maxmem").is_some() {
            return Err(Failure::at(location, NO_MEMORY_HOTPLUG));
        }
        if let Some(text) = opts.get("size") {
            // A number alone is one of mebibytes.
            let unit = if text.ends_with(|last: char| last.is_ascii_digit()) { "M" } else { "" };
            let size = format!("{text}{unit}");
            // No size is the machine's default, or what `-M memory.size=` says.
            if size::parse(&size) == Ok(0) {
                return Ok(());
            }
            let members = Map::from_iter([("size".to_owned(), Value::from(size.as_str()))]);
            self.machine.merge("memory", members).map_err(|error| Failure::at(location, error))?;
            self.machine.memory = Some(size);
        }
        Ok(())
    }

    pub(super) fn accelerator(&mut self, argument: &str, location: &str) -> Step {
        self.accelerator_opts(opts::parse(argument, Some("accel")), location)
    }

    pub(super) fn accelerator_opts(&mut self, opts: Opts, location: &str) -> Step {
        if let Some(id) = &opts.id {
            identifier::check(id).map_err(|error| Failure::at(location, error))?;
        }
        self.warn_of(&opts, None, location);
        let name = opts.get("accel").unwrap_or_default();
        if opts.help || opts.get("accel").is_none() || keyval::is_help(name) {
            return Ok(Some(Request::AcceleratorHelp));
        }
        let name = name.to_owned();
        if let Some(id) = opts.id {
            let place = self.line.accelerators.len();
            if self.accelerator_ids.insert(id.clone(), place).is_some() {
                return Err(Failure::at(location, ErrorKind::DuplicateId { id, group: "accel" }));
            }
        }
        let properties = opts.pairs.into_iter().filter(|(key, _)| key != "accel").collect();
        self.line.accelerators.push(AcceleratorOption {
            name,
            properties,
            location: Some(location.to_owned()),
        });
        Ok(None)
    }

    /// Sets a property of the accelerator of an ID; whether there is one.
    pub(super) fn set_accelerator(&mut self, id: &str, key: &str, value: &str) -> bool {
        let place = self.accelerator_ids.get(id).copied();
        let Some(accelerator) = place.and_then(|place| self.line.accelerators.get_mut(place)) else {
            return false;
        };
        if key == "accel" {
            value.clone_into(&mut accelerator.name);
        } else {
            accelerator.properties.push((key.to_owned(), value.to_owned()));
        }
        true
    }
}
