//! `-boot`, `-rtc`, `-kernel` and what goes with it.

use qom::text::ParameterError;
use qom::text::opts::{OptDescription, OptKind, Opts};
use qom::text::{boolean, number};
use serde_json::{Map, Value};

use super::build::{Builder, Step};
use super::error::{ErrorKind, Failure};
use super::help::{parameter, parameters_help};
use super::process::help_of;
use super::{BootOptions, Request};
use crate::rtc::calendar::CivilTime;
use crate::rtc::{RtcBase, RtcClock, RtcConfig};

/// A shim checks signatures for firmware, and there is none when a kernel is booted directly.
const NO_SHIM: &str = "there is no firmware that would start a shim";

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
        if !self.machine.has_text("kernel") {
            let given = [
                ("-append", self.machine.has_text("append")),
                ("-initrd", self.machine.has_text("initrd")),
                ("-shim", self.shim.is_some()),
            ];
            return match given.into_iter().find(|(_, given)| *given) {
                Some((option, _)) => Err(Failure::nowhere(ErrorKind::OnlyWithKernel { option })),
                None => Ok(()),
            };
        }
        match &self.shim {
            Some(location) => Err(Failure::at(location, ErrorKind::NotSupported { reason: NO_SHIM })),
            None => Ok(()),
        }
    }

    /// Judges `-rtc`.
    pub(super) fn finish_rtc(&mut self) -> Result<(), Failure> {
        let opts = &self.rtc;
        let invalid =
            |value: &str| Failure::nowhere(ErrorKind::InvalidOptionValue { value: value.to_owned() });
        let base = match opts.get("base") {
            None | Some("utc") => RtcBase::Utc,
            Some("localtime") => RtcBase::LocalTime,
            Some(date) => {
                RtcBase::At(seconds_of_date(date).ok_or_else(|| Failure::nowhere(ErrorKind::InvalidDate))?)
            }
        };
        let clock = match opts.get("clock") {
            None | Some("host") => RtcClock::Host,
            Some("rt") => RtcClock::RealTime,
            Some("vm") => RtcClock::Guest,
            Some(value) => return Err(invalid(value)),
        };
        match opts.get("driftfix") {
            None | Some("none" | "slew") => {}
            Some(value) => return Err(invalid(value)),
        }
        self.line.rtc = RtcConfig { base, clock };
        Ok(())
    }
}

/// Reads `2006-06-17T16:01:21` or `2006-06-17` as seconds since 1970. As in QEMU numbers may have a sign and blanks before them,
/// are held against no calendar, and what follows does not matter; a time that is not whole is none.
fn seconds_of_date(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut number = |before: &str| {
        let text = rest.strip_prefix(before)?.trim_ascii_start();
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
        let end = text.len() - unsigned.len() + digits;
        let value: i32 = text[..end].parse().ok()?;
        rest = &text[end..];
        Some(i64::from(value))
    };
    let date = [number("")?, number("-")?, number("-")?];
    let time = (|| Some([number("T")?, number(":")?, number(":")?]))().unwrap_or_default();
    let ([year, month, day], [hour, minute, second]) = (date, time);
    Some(CivilTime { year, month, day, hour, minute, second }.seconds())
}

/// The letters of devices to boot from: as many as a PC's firmware can tell apart.
const BOOT_DEVICES: std::ops::RangeInclusive<char> = 'a'..='p';

/// Whether these are letters of devices to boot from, each once.
///
/// # Errors
/// [`ErrorKind::InvalidBootDevice`], [`ErrorKind::BootDeviceTwice`].
pub(crate) fn check_devices(devices: &str) -> Result<(), ErrorKind> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the reference's clock shows for each, in seconds since 1970 (its property `rtc-time`).
    #[test]
    fn dates_are_read_as_the_reference_reads_them() {
        for (text, seconds) in [
            ("2006-06-17T16:01:21", Some(1_150_560_081)),
            ("2006-06-17", Some(1_150_502_400)),
            ("2006-06-17T16", Some(1_150_502_400)),
            ("2006-06-17T16:01:21Z", Some(1_150_560_081)),
            ("2024-02-29", Some(1_709_164_800)),
            ("2024-02-30", Some(1_709_251_200)),
            ("2024-13-01", Some(1_735_689_600)),
            ("2024-2-3", Some(1_706_918_400)),
            ("1950-02-03", Some(-628_300_800)),
            ("2024-02", None),
            ("2024-02-", None),
            ("today", None),
            ("99999999999-1-1", None),
        ] {
            assert_eq!(seconds_of_date(text), seconds, "{text}");
        }
    }
}
