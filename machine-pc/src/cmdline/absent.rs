//! Options about what this program has none of: graphics, audio, network. What asks for nothing is accepted.

use qom::text::opts;
use qom::text::{ParameterError, identifier, keyval, number, parse_bool};
use serde_json::{Map, Value};

use super::build::{Builder, Step};
use super::device::{missing, wrong_kind};
use super::error::{ErrorKind, Failure};
use super::table::NO_AUDIO;
use super::{Request, json};

/// Audio drivers that QEMU can be built with.
const AUDIO_DRIVERS: &[&str] =
    &["alsa", "coreaudio", "dbus", "dsound", "jack", "oss", "pa", "pipewire", "sdl", "sndio", "spice", "wav"];

/// Displays that QEMU can be built with, `none` left out.
const DISPLAYS: &[&str] =
    &["default", "gtk", "sdl", "egl-headless", "curses", "cocoa", "spice-app", "dbus", "vnc"];

/// Types of network backends.
const NETWORKS: &[&str] = &[
    "nic",
    "user",
    "tap",
    "l2tpv3",
    "socket",
    "stream",
    "dgram",
    "vde",
    "bridge",
    "hubport",
    "netmap",
    "vhost-user",
    "vhost-vdpa",
    "passt",
    "af-xdp",
];

/// What a member of a driver's settings is.
enum Setting {
    Number,
    Bool,
    Format,
    Direction,
}

const DIRECTION: &[(&str, Setting)] = &[
    ("mixing-engine", Setting::Bool),
    ("fixed-settings", Setting::Bool),
    ("frequency", Setting::Number),
    ("channels", Setting::Number),
    ("voices", Setting::Number),
    ("format", Setting::Format),
    ("buffer-length", Setting::Number),
];

const NONE_DRIVER: &[(&str, Setting)] =
    &[("timer-period", Setting::Number), ("in", Setting::Direction), ("out", Setting::Direction)];

const FORMATS: &[&str] = &["u8", "s8", "u16", "s16", "u32", "s32", "f32"];

/// Reads an option's argument, which is JSON or keyval text; whether it is JSON.
fn tree(argument: &str, implied_key: &str) -> Result<(Map<String, Value>, bool), ErrorKind> {
    if json::is_json(argument) {
        return Ok((json::object(argument)?, true));
    }
    Ok((keyval::parse(argument, Some(implied_key))?, false))
}

fn take_name(tree: &mut Map<String, Value>, key: &str) -> Result<String, ErrorKind> {
    match tree.shift_remove(key) {
        None => Err(missing(key).into()),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Object(_)) => Err(ParameterError::UnexpectedMembers { name: key.to_owned() }.into()),
        Some(_) => Err(wrong_kind(key).into()),
    }
}

fn not_accepted(name: &str, value: &str) -> ErrorKind {
    ParameterError::NotAccepted { name: name.to_owned(), value: value.to_owned() }.into()
}

/// A text, or what is said of anything else in its place.
fn text_of<'a>(name: &str, value: &'a Value, json: bool, kind: &'static str) -> Result<&'a str, ErrorKind> {
    let name = || name.to_owned();
    match value {
        Value::String(text) => Ok(text),
        Value::Object(_) if !json => Err(ParameterError::UnexpectedMembers { name: name() }.into()),
        _ => Err(ParameterError::WrongKind { name: name(), expected: kind }.into()),
    }
}

fn check_bool(name: &str, value: &Value, json: bool) -> Result<(), ErrorKind> {
    if json && value.is_boolean() {
        return Ok(());
    }
    let kind = if json { "boolean" } else { "string" };
    match text_of(name, value, json, kind) {
        Ok(text) if !json && parse_bool(text).is_some() => Ok(()),
        Ok(_) if json => Err(ParameterError::WrongKind { name: name.to_owned(), expected: kind }.into()),
        Ok(_) => Err(ParameterError::Expects { name: name.to_owned(), expected: "'on' or 'off'" }.into()),
        Err(error) => Err(error),
    }
}

/// A number of 32 bits. QEMU names one that is too large without the structures around it.
fn check_number(name: &str, key: &str, value: &Value, json: bool) -> Result<(), ErrorKind> {
    let expects = |name: &str, expected| ParameterError::Expects { name: name.to_owned(), expected };
    let number = match value {
        Value::Number(number) if json => number.as_i64(),
        _ if json => return Err(expects(name, "uint64").into()),
        value => {
            let text = text_of(name, value, json, "string")?;
            Some(number::signed(text).map_err(|_| expects(name, "integer"))?)
        }
    };
    match number.map(u32::try_from) {
        Some(Ok(_)) => Ok(()),
        _ => Err(expects(key, "uint32_t").into()),
    }
}

/// Holds settings against their table.
fn check_settings(
    settings: &Map<String, Value>,
    table: &[(&str, Setting)],
    prefix: &str,
    json: bool,
) -> Result<(), ErrorKind> {
    for (key, value) in settings {
        let name = format!("{prefix}{key}");
        match table.iter().find(|(known, _)| known == key).map(|(_, setting)| setting) {
            None => return Err(ParameterError::Unexpected { name }.into()),
            Some(Setting::Number) => check_number(&name, key, value, json)?,
            Some(Setting::Bool) => check_bool(&name, value, json)?,
            Some(Setting::Format) => {
                let format = text_of(&name, value, json, "string")?;
                if !FORMATS.contains(&format) {
                    return Err(not_accepted(key, format));
                }
            }
            Some(Setting::Direction) => match value {
                Value::Object(members) => check_settings(members, DIRECTION, &format!("{name}."), json)?,
                _ => return Err(ParameterError::WrongKind { name, expected: "object" }.into()),
            },
        }
    }
    Ok(())
}

/// Looks at audio that is asked for, and says no to all that could be heard.
fn check_driver(tree: &mut Map<String, Value>, json: bool) -> Result<(), ErrorKind> {
    let driver = take_name(tree, "driver")?;
    match driver.as_str() {
        "none" => check_settings(tree, NONE_DRIVER, "", json),
        name if AUDIO_DRIVERS.contains(&name) => Err(ErrorKind::NotSupported { reason: NO_AUDIO }),
        name => Err(not_accepted("driver", name)),
    }
}

const AUDIO_HELP: &str = "Available audio drivers:\nnone\n";

impl Builder {
    pub(super) fn audio(&mut self, argument: &str, location: &str) -> Step {
        if keyval::is_help(argument) {
            return Ok(Some(Request::Print(AUDIO_HELP.to_owned())));
        }
        let at = |error: ErrorKind| Failure::at(location, error);
        let mut tree = keyval::parse(argument, Some("driver")).map_err(|error| at(error.into()))?;
        // A name for the driver: nothing can refer to it.
        tree.shift_remove("id");
        if tree.contains_key("model") {
            return Err(at(ErrorKind::NotSupported { reason: NO_AUDIO }));
        }
        check_driver(&mut tree, false).map_err(at)?;
        Ok(None)
    }

    pub(super) fn audiodev(&mut self, argument: &str, location: &str) -> Step {
        if keyval::is_help(argument) {
            return Ok(Some(Request::Print(AUDIO_HELP.to_owned())));
        }
        let at = |error: ErrorKind| Failure::at(location, error);
        let (tree, json) = tree(argument, "driver").map_err(at)?;
        self.audiodev_tree(tree, json, location)?;
        Ok(None)
    }

    pub(super) fn audiodev_tree(
        &mut self,
        mut tree: Map<String, Value>,
        json: bool,
        location: &str,
    ) -> Result<(), Failure> {
        let at = |error: ErrorKind| Failure::at(location, error);
        let id = take_name(&mut tree, "id").map_err(at)?;
        check_driver(&mut tree, json).map_err(at)?;
        if !self.audiodevs.insert(id.clone()) {
            // QEMU names no option, and what it says is of its container.
            return Err(Failure::nowhere(ErrorKind::DuplicateAudiodev { id }));
        }
        Ok(())
    }

    pub(super) fn display(&mut self, argument: &str, location: &str) -> Step {
        if keyval::is_help(argument) {
            return Ok(Some(Request::Print("Available display backend types:\nnone\n".to_owned())));
        }
        let at = |error: ErrorKind| Failure::at(location, error);
        let (mut tree, json) = tree(argument, "type").map_err(at)?;
        let kind = take_name(&mut tree, "type").map_err(at)?;
        if kind != "none" {
            return Err(if DISPLAYS.contains(&kind.as_str()) {
                Failure::nowhere(ErrorKind::DisplayNotAvailable { name: kind })
            } else {
                at(not_accepted("type", &kind))
            });
        }
        for (key, value) in &tree {
            self.display_setting(key, value, json).map_err(|error| match error {
                ErrorKind::NoOpenGl => Failure::nowhere(error),
                error => at(error),
            })?;
        }
        self.terminal.display_none = true;
        Ok(None)
    }

    /// What all displays can be told; only OpenGL would be missed.
    fn display_setting(&mut self, key: &str, value: &Value, json: bool) -> Result<(), ErrorKind> {
        match key {
            "full-screen" | "window-close" | "show-cursor" => {
                check_bool(key, value, json)?;
                if key == "window-close" {
                    let text = "window-close is only valid for GTK and SDL, ignoring option";
                    self.warn_at(None, text.to_owned());
                }
                Ok(())
            }
            "gl" => match text_of(key, value, json, "string")? {
                "off" => Ok(()),
                "on" | "core" | "es" => Err(ErrorKind::NoOpenGl),
                text => Err(not_accepted("gl", text)),
            },
            _ => Err(ParameterError::Unexpected { name: key.to_owned() }.into()),
        }
    }

    pub(super) fn network(&mut self, argument: &str, location: &str) -> Result<(), Failure> {
        self.network_opts(&opts::parse(argument, Some("type")), location)
    }

    pub(super) fn network_opts(&mut self, opts: &opts::Opts, location: &str) -> Result<(), Failure> {
        let at = |error: ErrorKind| Failure::at(location, error);
        if let Some(id) = &opts.id {
            identifier::check(id).map_err(|error| at(error.into()))?;
        }
        match opts.get("type") {
            Some("none") => Ok(()),
            None => Err(at(missing("type").into())),
            Some(kind) if !NETWORKS.contains(&kind) => Err(at(not_accepted("type", kind))),
            Some(_) => Err(at(ErrorKind::NotSupported { reason: "there is no network" })),
        }
    }
}
