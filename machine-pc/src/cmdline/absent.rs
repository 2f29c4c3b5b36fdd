//! Options about what this program has none of: graphics, audio, network. What asks for nothing is accepted.

use qom::text::opts;
use qom::text::{ParameterError, identifier, keyval, parse_bool};
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

/// Holds settings against their table.
fn check_settings(
    settings: &Map<String, Value>,
    table: &[(&str, Setting)],
    prefix: &str,
    json: bool,
) -> Result<(), ErrorKind> {
    for (key, value) in settings {
        let name = format!("{prefix}{key}");
        let Some((_, setting)) = table.iter().find(|(known, _)| known == key) else {
            return Err(ParameterError::Unexpected { name }.into());
        };
        let text = value.as_str();
        let fits = match setting {
            Setting::Direction => match value {
                Value::Object(members) => {
                    check_settings(members, DIRECTION, &format!("{name}."), json)?;
                    true
                }
                _ => return Err(ParameterError::WrongKind { name, expected: "object" }.into()),
            },
            Setting::Format => match text {
                Some(text) if !FORMATS.contains(&text) => return Err(not_accepted(key, text)),
                text => text.is_some(),
            },
            Setting::Bool if json => value.is_boolean(),
            Setting::Bool => text.is_some_and(|text| parse_bool(text).is_some()),
            Setting::Number if json => value.as_u64().is_some_and(|number| u32::try_from(number).is_ok()),
            Setting::Number => {
                text.and_then(qom::text::parse_u64).is_some_and(|number| u32::try_from(number).is_ok())
            }
        };
        if !fits {
            let expected = match setting {
                Setting::Bool if json => "boolean",
                Setting::Bool => "'on' or 'off'",
                Setting::Number if json => "uint64",
                Setting::Number => "integer",
                Setting::Format | Setting::Direction => "string",
            };
            return Err(ParameterError::Expects { name, expected }.into());
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
        if !tree.contains_key("driver") {
            return Err(at(missing("driver").into()));
        }
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
        let name = key.to_owned();
        match key {
            "full-screen" | "window-close" | "show-cursor" => {
                let (fits, expected) = if json {
                    (value.is_boolean(), "boolean")
                } else {
                    (value.as_str().is_some_and(|text| parse_bool(text).is_some()), "'on' or 'off'")
                };
                if !fits {
                    return Err(if json {
                        ParameterError::WrongKind { name, expected }.into()
                    } else {
                        ParameterError::Expects { name, expected }.into()
                    });
                }
                if key == "window-close" {
                    let text = "window-close is only valid for GTK and SDL, ignoring option";
                    self.warn_at(None, text.to_owned());
                }
                Ok(())
            }
            "gl" => match value.as_str() {
                Some("off") => Ok(()),
                Some("on" | "core" | "es") => Err(ErrorKind::NoOpenGl),
                Some(text) => Err(not_accepted("gl", text)),
                None => Err(wrong_kind("gl").into()),
            },
            _ => Err(ParameterError::Unexpected { name }.into()),
        }
    }

    pub(super) fn network(&mut self, argument: &str, location: &str) -> Step {
        let opts = opts::parse(argument, Some("type"));
        self.network_opts(&opts, location)?;
        Ok(None)
    }

    pub(super) fn network_opts(&mut self, opts: &opts::Opts, location: &str) -> Result<(), Failure> {
        let at = |error: ErrorKind| Failure::at(location, error);
        if let Some(id) = &opts.id {
            identifier::check(id).map_err(|error| at(error.into()))?;
        }
        match opts.get("type") {
            Some("none") => Ok(()),
            Some(kind) if !NETWORKS.contains(&kind) => Err(at(not_accepted("type", kind))),
            _ => Err(at(ErrorKind::NotSupported { reason: "there is no network" })),
        }
    }
}
