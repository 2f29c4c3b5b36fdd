//! `-object`.
//!
//! Types and members are not looked up here: that is for the object model, once the types are known. Monitors are the
//! exception. The reference makes them as objects too; here they are part of the main loop, so that what wires them up is
//! known before anything is made.

use std::collections::HashSet;

use qom::text::keyval;
use qom::text::opts;
use qom::text::{ParameterError, identifier, parse_bool};
use qom::user_creatable::Form;
use serde_json::{Map, Value};

use super::build::{Builder, Step};
use super::device::{missing, wrong_kind};
use super::error::{ErrorKind, Failure};
use super::monitor::MonitorOption;
use super::{ObjectOption, Request, json};
use crate::chardev::spec::MonitorMode;

/// The types of objects that are made here.
pub(crate) const MONITOR_TYPES: [&str; 2] = ["monitor-hmp", "monitor-qmp"];

/// Objects on the way.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// IDs of those in text. That one in JSON is taken is found out when it is made.
    ids: HashSet<String>,
}

impl Builder {
    pub(super) fn object(&mut self, argument: &str, location: &str) -> Step {
        let at = |error: ErrorKind| Failure::at(location, error);
        if json::is_json(argument) {
            let values = json::object(argument).map_err(at)?;
            return self.add_object(values, Form::Json, location);
        }
        let opts = opts::parse(argument, Some("qom-type"));
        if let Some(id) = &opts.id {
            identifier::check(id).map_err(|error| at(error.into()))?;
        }
        self.warn_of(&opts, None, location);
        let type_name = opts.get("qom-type").map(str::to_owned);
        match type_name {
            Some(name) if keyval::is_help(&name) => return Ok(Some(Request::ObjectHelp)),
            None if opts.help && opts.id.is_none() && opts.pairs.is_empty() => {
                return Ok(Some(Request::ObjectHelp));
            }
            Some(type_name) if opts.help => {
                let location = location.to_owned();
                return Ok(Some(Request::ObjectTypeHelp { type_name, location }));
            }
            _ => {}
        }
        if let Some(id) = &opts.id
            && !self.objects.ids.insert(id.clone())
        {
            return Err(at(ErrorKind::DuplicateId { id: id.clone(), group: "object" }));
        }
        let id = opts.id.map(|id| ("id".to_owned(), id));
        let values = id.into_iter().chain(opts.pairs).map(|(key, value)| (key, Value::String(value)));
        self.add_object(values.collect(), Form::Options, location)
    }

    pub(super) fn add_object(&mut self, mut values: Map<String, Value>, form: Form, location: &str) -> Step {
        let monitor = values.get("qom-type").and_then(Value::as_str).map(str::to_owned);
        match monitor.filter(|name| MONITOR_TYPES.contains(&name.as_str())) {
            Some(kind) => {
                values.shift_remove("qom-type");
                let monitor = monitor_object(&kind, &mut values, form == Form::Json)
                    .map_err(|error| Failure::at(location, error))?;
                self.add_monitor(monitor)?;
            }
            None => self.line.objects.push(ObjectOption { values, form, location: location.to_owned() }),
        }
        Ok(None)
    }
}

/// Reads the properties of a monitor object.
fn monitor_object(
    kind: &str,
    members: &mut Map<String, Value>,
    json: bool,
) -> Result<MonitorOption, ErrorKind> {
    let id = take_text(members, "id")?.ok_or_else(|| missing("id"))?;
    identifier::check(&id)?;
    let chardev = take_text(members, "chardev")?.ok_or_else(|| missing("chardev"))?;
    let mut flag = |name: &'static str| match members.shift_remove(name) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(value)),
        Some(Value::String(text)) => match parse_bool(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(ParameterError::Expects { name: name.to_owned(), expected: "'on' or 'off'" }),
        },
        Some(_) => Err(ParameterError::WrongKind { name: name.to_owned(), expected: "boolean" }),
    };
    let mode = if kind == "monitor-qmp" {
        MonitorMode::Control { pretty: flag("pretty")?.unwrap_or(false) }
    } else {
        if flag("readline")? == Some(false) {
            return Err(ErrorKind::NotSupported { reason: "a human monitor always edits its line" });
        }
        MonitorMode::Readline
    };
    match members.keys().next() {
        Some(name) if json => Err(ParameterError::Unexpected { name: name.clone() }.into()),
        Some(name) => Err(ParameterError::Invalid { name: name.clone() }.into()),
        None => Ok(MonitorOption { id: Some(id), chardev, mode, location: None }),
    }
}

fn take_text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, ParameterError> {
    match members.shift_remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong_kind(name)),
    }
}
