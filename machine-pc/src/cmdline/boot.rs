//! `-boot`, `-rtc`, `-kernel` and what goes with it.

use qom::text::ParameterError;
use qom::text::opts::{OptDescription, OptKind, Opts};
use qom::text::{boolean, number};
use serde_json::{Map, Value};

use super::build::{Builder, Step};
use super::error::{ErrorKind, Failure};
use super::help::{parameter, parameters_help};
use super::process::help_of;
use super::table::NO_LINUX_BOOT;
use super::{BootOptions, Request};

/// What was said of a kernel: the option as it was written.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    pub(super) kernel: Option<String>,
    pub(super) initrd: bool,
    pub(super) append: bool,
    pub(super) shim: bool,
}

pub(super) const BOOT_OPTIONS: &[OptDescription] = &[
    parameter("order", OptKind::String, ""),
    parameter("once", OptKind::String, ""),
    parameter("menu", OptKind::Bool, ""),
    parameter("splash", OptKind::String, ""),
    parameter("splash-time", OptKind::Number, ""),
    parameter("reboot-timeout", OptKind::Number, ""),
    parameter("strict", OptKind::Bool, ""),
];

pub(super) const RTC_OPTIONS: &[OptDescription] = &[
    parameter("base", OptKind::String, ""),
    parameter("clock", OptKind::String, ""),
    parameter("driftfix", OptKind::String, ""),
];

/// The answer to `-boot help`.
pub(super) fn boot_help() -> Request {
    Request::Print(parameters_help("boot-opts", BOOT_OPTIONS))
}

impl Builder {
    pub(super) fn rtc(&mut self, argument: &str, location: &str) -> Step {
        let opts = self.common_options(argument, None, RTC_OPTIONS, location)?;
        if opts.help {
            return Ok(help_of("rtc", RTC_OPTIONS));
        }
        self.rtc_opts(opts);
        Ok(None)
    }

    pub(super) fn rtc_opts(&mut self, opts: Opts) {
        self.rtc.pairs.extend(opts.pairs);
    }

    /// What a kernel needs, before anything else is looked at.
    pub(super) fn check_kernel(&self) -> Result<(), Failure> {
        let given =
            [("-append", self.kernel.append), ("-initrd", self.kernel.initrd), ("-shim", self.kernel.shim)];
        match &self.kernel.kernel {
            Some(location) => Err(Failure::at(location, ErrorKind::NotSupported { reason: NO_LINUX_BOOT })),
            None => match given.into_iter().find(|(_, given)| *given) {
                Some((option, _)) => Err(Failure::nowhere(ErrorKind::OnlyWithKernel { option })),
                None => Ok(()),
            },
        }
    }

    /// Judges `-rtc`. There is no clock that could show anything but what the default says.
    pub(super) fn finish_rtc(&self) -> Result<(), Failure> {
        let opts = &self.rtc;
        let invalid =
            |value: &str| Failure::nowhere(ErrorKind::InvalidOptionValue { value: value.to_owned() });
        let absent = || Failure::nowhere(ErrorKind::NotSupported { reason: "there is no real-time clock" });
        let mut asks_for_one = false;
        match opts.get("base") {
            None | Some("utc") => {}
            Some("localtime") => asks_for_one = true,
            Some(date) if starts_with_date(date) => asks_for_one = true,
            Some(_) => return Err(Failure::nowhere(ErrorKind::InvalidDate)),
        }
        match opts.get("clock") {
            None | Some("host") => {}
            Some("rt" | "vm") => asks_for_one = true,
            Some(value) => return Err(invalid(value)),
        }
        match opts.get("driftfix") {
            None | Some("none" | "slew") => {}
            Some(value) => return Err(invalid(value)),
        }
        if asks_for_one { Err(absent()) } else { Ok(()) }
    }
}

/// Whether the text starts with three numbers as `scanf` reads `%d-%d-%d`; QEMU looks no further at the form.
fn starts_with_date(text: &str) -> bool {
    let number = |text: &str| {
        let digits = text.trim_ascii_start().trim_start_matches(['+', '-']);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut parts = text.splitn(3, '-');
    let mut next = || parts.next().unwrap_or_default();
    number(next())
        && number(next())
        && next().trim_ascii_start().starts_with(|first: char| first.is_ascii_digit())
}

/// The letters of devices to boot from: as many as a PC's firmware can tell apart.
const BOOT_DEVICES: std::ops::RangeInclusive<char> = 'a'..='p';

fn check_devices(devices: &str) -> Result<(), ErrorKind> {
    let mut seen = String::new();
    for device in devices.chars() {
        if !BOOT_DEVICES.contains(&device) {
            return Err(ErrorKind::InvalidBootDevice { device });
        }
        if seen.contains(device) {
            return Err(ErrorKind::BootDeviceTwice { device });
        }
        seen.push(device);
    }
    Ok(())
}

/// Reads the machine property `boot` from its tree.
pub(super) fn boot_options(tree: &Map<String, Value>) -> Result<BootOptions, ErrorKind> {
    let mut boot = BootOptions::default();
    for (key, value) in tree {
        let name = || format!("boot.{key}");
        let known = BOOT_OPTIONS.iter().find(|known| known.name == *key);
        let Some(known) = known else { return Err(ParameterError::Unexpected { name: name() }.into()) };
        let Value::String(text) = value else {
            return Err(ParameterError::UnexpectedMembers { name: name() }.into());
        };
        let expects = |expected| ErrorKind::from(ParameterError::Expects { name: name(), expected });
        match known.kind {
            OptKind::Bool => {
                let state = boolean::parse_bool(text).ok_or_else(|| expects("'on' or 'off'"))?;
                *(if key == "menu" { &mut boot.menu } else { &mut boot.strict }) = Some(state);
            }
            OptKind::Number => {
                let time = number::signed(text).map_err(|_| expects("integer"))?;
                *(if key == "splash-time" { &mut boot.splash_time } else { &mut boot.reboot_timeout }) =
                    Some(time);
            }
            OptKind::String | OptKind::Size => {
                let place = match key.as_str() {
                    "order" => &mut boot.order,
                    "once" => &mut boot.once,
                    _ => &mut boot.splash,
                };
                *place = Some(text.clone());
            }
        }
    }
    for devices in [&boot.order, &boot.once].into_iter().flatten() {
        check_devices(devices)?;
    }
    Ok(boot)
}
