//! `-chardev`, `-serial`, `-monitor`, `-qmp`, `-mon`: who speaks over which character device.
//!
//! While options are read, character devices are only noted, in the order in which they are to be opened:
//! those of `-chardev`, `-monitor` and `-qmp` as they come, then those of `-serial`. When all are known they
//! are judged, so that an ID may be used before it is defined: character devices, monitors, serial ports, in
//! this order.

use std::collections::HashSet;

use qom::text::keyval;
use qom::text::opts::{OptDescription, OptKind, Opts};
use qom::text::parameter::ParameterError;

use super::build::Builder;
use super::chardev::{self, CHARDEV_HELP, CHARDEV_OPTIONS, ChardevError};
use super::defaults::stdio_conflict;
use super::error::{ErrorKind, Failure};
use super::help::parameter;
use super::{ChardevPlace, DeviceProperties, Request, SerialSpec};
use crate::chardev::spec::{ChardevBackend, ChardevSpec, MonitorMode, MonitorSpec};

/// A character device that was described.
#[derive(Debug)]
struct ChardevOption {
    id: Option<String>,
    opts: Opts,
    location: String,
}

/// A monitor that was asked for.
#[derive(Debug)]
pub(super) struct MonitorOption {
    pub(super) id: Option<String>,
    pub(super) chardev: String,
    pub(super) mode: MonitorMode,
    /// The option; none for `-object`, whose later troubles QEMU does not place.
    pub(super) location: Option<String>,
}

/// The ID of the device that `-debugcon` makes, and of its character device.
const DEBUG_CONSOLE: &str = "debugcon";

/// An option's argument and where it stands.
#[derive(Debug)]
struct Located {
    text: String,
    location: String,
}

/// Character devices, monitors and serial ports on the way.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    chardevs: Vec<ChardevOption>,
    chardev_ids: HashSet<String>,
    chardev_help: bool,
    serials: Vec<Located>,
    debug_consoles: Vec<Located>,
    monitors: Vec<MonitorOption>,
    mons: Vec<(Opts, String)>,
    monitor_ids: HashSet<String>,
    /// Character devices that have a user.
    used: HashSet<String>,
    /// How many monitors have a made-up name.
    compat_monitors: usize,
    /// `-monitor` was given, or another option that puts a human monitor somewhere, or none.
    pub(super) monitor_option: bool,
    /// `-mon` was given.
    mon_option: bool,
    /// `-serial` was given.
    pub(super) serial_option: bool,
    /// `-serial mon:…` was given.
    pub(super) muxed_serial: bool,
    /// `-qmp` was given.
    pub(super) qmp_option: bool,
}

impl Monitors {
    pub(super) fn help(&self) -> Option<Request> {
        self.chardev_help.then(|| Request::Print(CHARDEV_HELP.to_owned()))
    }

    pub(super) fn next_monitor_name(&mut self) -> String {
        let name = format!("compat_monitor{}", self.compat_monitors);
        self.compat_monitors += 1;
        name
    }

    fn name_monitor(&mut self, id: &str) -> Result<(), ErrorKind> {
        if self.monitor_ids.insert(id.to_owned()) {
            Ok(())
        } else {
            Err(ErrorKind::DuplicateId { id: id.to_owned(), group: "mon" })
        }
    }

    /// Makes somebody a user of a character device; only a multiplexed one has several.
    fn take(&mut self, chardevs: &[ChardevSpec], id: &str) -> Result<(), ErrorKind> {
        let mux = chardevs.iter().any(|chardev| chardev.id == id && chardev.mux);
        if self.used.insert(id.to_owned()) || mux {
            Ok(())
        } else {
            Err(ErrorKind::ChardevInUse { id: id.to_owned() })
        }
    }

    /// Sets an option of the character device of an ID; whether there is one.
    pub(super) fn set_chardev(&mut self, id: &str, key: &str, value: &str) -> Result<bool, ParameterError> {
        let chardev = self.chardevs.iter_mut().find(|chardev| chardev.id.as_deref() == Some(id));
        chardev.map_or(Ok(false), |chardev| set(&mut chardev.opts, key, value, CHARDEV_OPTIONS))
    }

    /// Sets an option of the `-mon` of an ID; whether there is one.
    pub(super) fn set_mon(&mut self, id: &str, key: &str, value: &str) -> Result<bool, ParameterError> {
        let mon = self.mons.iter_mut().find(|(opts, _)| opts.id.as_deref() == Some(id));
        mon.map_or(Ok(false), |(opts, _)| set(opts, key, value, MON_OPTIONS))
    }

    fn add_chardev(&mut self, id: &str, opts: Opts, location: &str) -> Result<(), ErrorKind> {
        if !self.chardev_ids.insert(id.to_owned()) {
            return Err(ErrorKind::DuplicateId { id: id.to_owned(), group: "chardev" });
        }
        self.chardevs.push(ChardevOption { id: Some(id.to_owned()), opts, location: location.to_owned() });
        Ok(())
    }
}

/// Sets one option, if its table has it and the value fits.
fn set(opts: &mut Opts, key: &str, value: &str, table: &[OptDescription]) -> Result<bool, ParameterError> {
    let pair = (key.to_owned(), value.to_owned());
    let added = Opts { pairs: vec![pair.clone()], ..Opts::default() };
    added.check(table).map_err(|error| error.error)?;
    opts.pairs.push(pair);
    Ok(true)
}

pub(super) const MON_OPTIONS: &[OptDescription] = &[
    parameter("mode", OptKind::String, ""),
    parameter("chardev", OptKind::String, ""),
    parameter("pretty", OptKind::Bool, ""),
];

impl Builder {
    pub(super) fn chardev(&mut self, argument: &str, location: &str) -> Result<(), Failure> {
        let opts = self.options(argument, Some("backend"), CHARDEV_OPTIONS, location)?;
        if opts.help || opts.get("backend").is_some_and(keyval::is_help) {
            self.monitors.chardev_help = true;
            return Ok(());
        }
        self.chardev_opts(opts, location).map_err(|error| Failure::at(location, error))
    }

    pub(super) fn chardev_opts(&mut self, opts: Opts, location: &str) -> Result<(), ErrorKind> {
        let Some(id) = opts.id.clone() else {
            self.monitors.chardevs.push(ChardevOption { id: None, opts, location: location.to_owned() });
            return Ok(());
        };
        self.monitors.add_chardev(&id, opts, location)
    }

    pub(super) fn serial(&mut self, argument: &str, location: &str) {
        self.monitors.serial_option = true;
        self.monitors.muxed_serial |= argument.starts_with("mon:");
        self.monitors.serials.push(Located { text: argument.to_owned(), location: location.to_owned() });
    }

    pub(super) fn qmp(&mut self, argument: &str, location: &str, pretty: bool) -> Result<(), Failure> {
        self.monitors.qmp_option = true;
        self.short_monitor(argument, location, MonitorMode::Control { pretty })
    }

    pub(super) fn monitor(
        &mut self,
        argument: &str,
        location: &str,
        mode: MonitorMode,
    ) -> Result<(), Failure> {
        self.monitors.monitor_option = true;
        if argument == "none" { Ok(()) } else { self.short_monitor(argument, location, mode) }
    }

    fn short_monitor(&mut self, argument: &str, location: &str, mode: MonitorMode) -> Result<(), Failure> {
        let name = match argument.strip_prefix("chardev:") {
            Some(id) => id.to_owned(),
            None => {
                let name = self.monitors.next_monitor_name();
                let useless = |failure: Option<Failure>| {
                    let kind = ErrorKind::MonitorBackend { text: argument.to_owned() };
                    match failure {
                        Some(failure) => failure.therefore(kind),
                        None => Failure::at(location, kind),
                    }
                };
                let form = chardev::short_form(argument, true);
                let opts = form.map_err(|error| useless(Some(Failure::at(location, error))))?;
                let opts = opts.ok_or_else(|| useless(None))?;
                let added = self.monitors.add_chardev(&name, opts, location);
                added.map_err(|error| useless(Some(Failure::at(location, error))))?;
                name
            }
        };
        let location = Some(location.to_owned());
        self.add_monitor(MonitorOption { id: Some(name.clone()), chardev: name, mode, location })
    }

    pub(super) fn add_monitor(&mut self, monitor: MonitorOption) -> Result<(), Failure> {
        if let Some(id) = &monitor.id {
            self.monitors
                .name_monitor(id)
                .map_err(|error| Failure::perhaps_at(monitor.location.as_deref(), error))?;
        }
        match monitor.mode {
            MonitorMode::Readline => self.monitors.monitor_option = true,
            MonitorMode::Control { .. } => self.monitors.qmp_option = true,
        }
        self.monitors.monitors.push(monitor);
        Ok(())
    }

    pub(super) fn mon(&mut self, argument: &str, location: &str) -> Result<(), Failure> {
        let advice = "'-mon' is deprecated, use '-object' with 'monitor-hmp' or 'monitor-qmp' types instead";
        // Once is enough.
        if !std::mem::replace(&mut self.monitors.mon_option, true) {
            self.warn(location, advice.to_owned());
        }
        let opts = self.options(argument, Some("chardev"), MON_OPTIONS, location)?;
        self.mon_opts(opts, location)
    }

    pub(super) fn mon_opts(&mut self, opts: Opts, location: &str) -> Result<(), Failure> {
        self.monitors.monitor_option = true;
        if let Some(id) = &opts.id {
            self.monitors.name_monitor(id).map_err(|error| Failure::at(location, error))?;
        }
        self.monitors.mons.push((opts, location.to_owned()));
        Ok(())
    }

    /// Judges the character devices that were described in full.
    pub(super) fn finish_chardevs(&mut self) -> Result<(), Failure> {
        for ChardevOption { id, opts, location } in std::mem::take(&mut self.monitors.chardevs) {
            let at = |error: ErrorKind| Failure::at(&location, error);
            let id = id.ok_or_else(|| at(ChardevError::NoId.into()))?;
            let spec = chardev::from_opts(&id, &opts).map_err(|error| at(error.into()))?;
            let place = ChardevPlace { location: location.clone(), consequence: None };
            self.line.chardev_places.insert(id, place);
            self.open(spec).map_err(at)?;
        }
        Ok(())
    }

    /// Adds a character device, which is the only one on standard input and output.
    pub(super) fn open(&mut self, spec: ChardevSpec) -> Result<(), ErrorKind> {
        if self.line.daemonize && matches!(spec.backend, ChardevBackend::Stdio { .. }) {
            return Err(ErrorKind::StdioWithDaemonize);
        }
        self.line.chardevs.push(spec);
        match stdio_conflict(&self.line.chardevs) {
            Some(_) => Err(ErrorKind::StdioTaken),
            None => Ok(()),
        }
    }

    /// Judges monitors: objects, then the others in order.
    pub(super) fn finish_monitors(&mut self) -> Result<(), Failure> {
        let (objects, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.monitors.monitors)
            .into_iter()
            .partition(|monitor| monitor.location.is_none());
        for monitor in objects.into_iter().chain(others) {
            self.attach(monitor)?;
        }
        for (opts, location) in std::mem::take(&mut self.monitors.mons) {
            let mut monitor = mon_option(&opts).map_err(|error| Failure::at(&location, error))?;
            monitor.id = opts.id.or_else(|| Some(self.monitors.next_monitor_name()));
            monitor.location = Some(location);
            self.attach(monitor)?;
        }
        Ok(())
    }

    fn attach(&mut self, monitor: MonitorOption) -> Result<(), Failure> {
        let MonitorOption { id, chardev, mode, location } = monitor;
        let failed = |error| Failure::perhaps_at(location.as_deref(), error);
        if !self.line.chardevs.iter().any(|known| known.id == chardev) {
            return Err(failed(ErrorKind::ChardevNotFound { id: chardev }));
        }
        self.monitors.take(&self.line.chardevs, &chardev).map_err(failed)?;
        self.line.monitors.push(MonitorSpec { id, chardev, mode });
        Ok(())
    }

    /// Judges serial ports.
    pub(super) fn finish_serials(&mut self) -> Result<(), Failure> {
        for (index, serial) in std::mem::take(&mut self.monitors.serials).into_iter().enumerate() {
            let spec = self.serial_port(index, &serial)?;
            if let SerialSpec::Chardev(id) = &spec {
                self.monitors.take(&self.line.chardevs, id).map_err(Failure::nowhere)?;
            }
            self.line.serials.push(spec);
        }
        Ok(())
    }

    fn serial_port(&mut self, index: usize, serial: &Located) -> Result<SerialSpec, Failure> {
        if serial.text == "none" {
            return Ok(SerialSpec::None);
        }
        let useless = ErrorKind::SerialBackend { text: serial.text.clone() };
        self.short_chardev(format!("serial{index}"), serial, useless).map(SerialSpec::Chardev)
    }

    pub(super) fn debugcon(&mut self, argument: &str, location: &str) {
        self.monitors
            .debug_consoles
            .push(Located { text: argument.to_owned(), location: location.to_owned() });
    }

    /// Judges debug consoles, and makes them devices.
    pub(super) fn finish_debug_consoles(&mut self) -> Result<(), Failure> {
        for console in std::mem::take(&mut self.monitors.debug_consoles) {
            let useless = ErrorKind::InvalidBackend { text: console.text.clone() };
            let chardev = self.short_chardev(DEBUG_CONSOLE.to_owned(), &console, useless)?;
            if !self.devices.add_id(DEBUG_CONSOLE) {
                return Err(Failure::at(&console.location, ErrorKind::SecondDebugConsole));
            }
            let properties = DeviceProperties::Text(vec![("chardev".to_owned(), chardev)]);
            let (driver, id) = ("isa-debugcon".to_owned(), DEBUG_CONSOLE.to_owned());
            self.add_device(Some(driver), Some(id), properties, &console.location);
        }
        Ok(())
    }

    /// The character device that a short form means: the one that it names, or a new one of that ID. What is wrong with it
    /// makes the option `useless`.
    fn short_chardev(&mut self, id: String, option: &Located, useless: ErrorKind) -> Result<String, Failure> {
        let Located { text, location } = option;
        if let Some(id) = text.strip_prefix("chardev:") {
            return if self.line.chardevs.iter().any(|chardev| chardev.id == id) {
                Ok(id.to_owned())
            } else {
                Err(Failure::at(location, useless))
            };
        }
        let consequence = Some(useless.to_string());
        let opened = (|| {
            if !self.monitors.chardev_ids.insert(id.clone()) {
                return Err(ErrorKind::DuplicateId { id: id.clone(), group: "chardev" });
            }
            let Some(opts) = chardev::short_form(text, true)? else { return Ok(false) };
            let spec = chardev::from_opts(&id, &opts)?;
            let place = ChardevPlace { location: location.clone(), consequence };
            self.line.chardev_places.insert(id.clone(), place);
            self.open(spec)?;
            Ok(true)
        })();
        match opened {
            Ok(true) => {}
            Ok(false) => return Err(Failure::at(location, useless)),
            Err(error) => return Err(Failure::at(location, error).therefore(useless)),
        }
        if text.starts_with("mon:") {
            let monitor =
                MonitorOption { id: None, chardev: id.clone(), mode: MonitorMode::Readline, location: None };
            self.attach(monitor)?;
        }
        Ok(id)
    }
}

/// Reads what `-mon` says, but for names.
fn mon_option(opts: &Opts) -> Result<MonitorOption, ErrorKind> {
    let pretty = opts.get_bool("pretty")?.unwrap_or(false);
    let mode = match opts.get("mode") {
        None | Some("readline") if pretty => return Err(ErrorKind::PrettyHmp),
        None | Some("readline") => MonitorMode::Readline,
        Some("control") => MonitorMode::Control { pretty },
        Some(mode) => {
            return Err(
                ParameterError::NotAccepted { name: "mode".to_owned(), value: mode.to_owned() }.into()
            );
        }
    };
    let chardev =
        opts.get("chardev").ok_or_else(|| ParameterError::Missing { name: "chardev".to_owned() })?;
    Ok(MonitorOption { id: None, chardev: chardev.to_owned(), mode, location: None })
}
