//! Trace events and the log while the machine runs: QMP and the human monitor.

use std::path::Path;

use qmp::{Context, Empty, Error, command, hmp_command};
use serde::{Deserialize, Serialize};

use crate::cmdline::log_items_help;
use crate::trace;

/// Whether a trace event is on (QAPI `TraceEventState`), of what can be: every event can be had.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum TraceEventState {
    /// Nothing of it is logged.
    Disabled,
    /// It is logged.
    Enabled,
}

/// A trace event (QAPI `TraceEventInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct TraceEventInfo {
    /// Its name.
    name: String,
    /// Whether it is on.
    state: TraceEventState,
}

/// What `trace-event-get-state` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct TraceEventGetState {
    /// An event's name, or a pattern: one with a `*`, which stands for any text; a `?` in it stands for one character.
    name: String,
}

/// What `trace-event-set-state` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct TraceEventSetState {
    /// An event's name, or a pattern: one with a `*`, which stands for any text; a `?` in it stands for one character.
    name: String,
    /// Whether they are to be on.
    enable: bool,
    /// Whether events that this program was built without are passed over; accepted, and makes no difference as there are none.
    #[expect(dead_code, reason = "no event is unavailable")]
    ignore_unavailable: Option<bool>,
}

command! {
    /// Returns which trace events of a name or pattern are on. One event is all that one part of the program logs (`-trace help`
    /// lists them).
    ///
    /// Fails for a name of none (`unknown event "NAME"`); a pattern may fit none.
    "trace-event-get-state" =>
    fn trace_event_get_state(_context: &mut Context, arguments: TraceEventGetState) -> Result<Vec<TraceEventInfo>, Error> {
        let states = trace::states(&arguments.name).map_err(Error::generic)?;
        let state = |on| if on { TraceEventState::Enabled } else { TraceEventState::Disabled };
        Ok(states.into_iter().map(|(name, on)| TraceEventInfo { name: name.to_owned(), state: state(on) }).collect())
    }
}

command! {
    /// Switches trace events of a name or pattern on or off. Lines go to standard error, or where `-D` or `-trace file=` say.
    ///
    /// Fails for a name of none (`unknown event "NAME"`); a pattern may fit none.
    "trace-event-set-state" =>
    fn trace_event_set_state(_context: &mut Context, arguments: TraceEventSetState) -> Result<Empty, Error> {
        trace::set(&arguments.name, arguments.enable).map_err(Error::generic)?;
        Ok(Empty)
    }
}

hmp_command! {
    "trace-event", "name:s,option:b", "name on|off", "changes status of a specific trace event" =>
    fn trace_event(monitor, arguments) {
        let (name, on) = (arguments.str("name").unwrap_or_default(), arguments.bool("option") == Some(true));
        if let Err(refusal) = trace::set(name, on) {
            monitor.print(format_args!("{refusal}\n"));
        }
        Ok(())
    }
}

hmp_command! {
    info "trace-events", "name:s?", "[name]", "show available trace-events & their state (name: event name pattern)" =>
    fn info_trace_events(monitor, arguments) {
        match trace::states(arguments.str("name").unwrap_or("*")) {
            Ok(states) => {
                for (name, on) in states {
                    monitor.print(format_args!("{name} : state {}\n", u8::from(on)));
                }
            }
            Err(refusal) => monitor.print(format_args!("{refusal}\n")),
        }
        Ok(())
    }
}

/// What a list of log items asks for.
#[derive(Debug, PartialEq, Eq)]
enum LogItems<'a> {
    /// Patterns of events.
    Events(Vec<&'a str>),
    /// What events there are.
    EventHelp,
    /// It is none, or asks what items there are.
    Usage,
    /// An item that the reference has.
    Absent(&'a str),
}

impl<'a> LogItems<'a> {
    fn read(text: &'a str) -> Self {
        let mut events = Vec::new();
        // No items but events can be on, so that none are to be switched off.
        if text == "none" {
            return Self::Events(events);
        }
        for item in text.split(',') {
            match item.strip_prefix("trace:") {
                Some("") => return Self::Usage,
                Some("help") => return Self::EventHelp,
                Some(pattern) => events.push(pattern),
                None if trace::OTHER_ITEMS.contains(&item) => return Self::Absent(item),
                None => return Self::Usage,
            }
        }
        Self::Events(events)
    }
}

hmp_command! {
    "log", "items:s", "item1[,...]", "activate logging of the specified items" =>
    fn log(monitor, arguments) {
        match LogItems::read(arguments.str("items").unwrap_or_default()) {
            LogItems::Events(patterns) => {
                for pattern in patterns {
                    match trace::missing(pattern) {
                        Some(name) => monitor.print(format_args!("warning: {}\n", trace::missing_text(name))),
                        None => trace::apply(pattern).map_err(Error::generic)?,
                    }
                }
            }
            LogItems::EventHelp => monitor.print(format_args!("{}", trace::help())),
            LogItems::Usage => monitor.print(format_args!("{}", log_items_help("log"))),
            LogItems::Absent(item) => {
                let reason = "no guest code is translated here, and nothing of its devices logged";
                return Err(Error::generic(format_args!("{item}: not supported: {reason}")));
            }
        }
        Ok(())
    }
}

hmp_command! {
    "logfile", "filename:F", "filename", "output logs to 'filename'" =>
    fn logfile(monitor, arguments) {
        if let Err(refusal) = trace::set_file(Path::new(arguments.str("filename").unwrap_or_default())) {
            monitor.print(format_args!("{refusal}\n"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_events_or_nothing() {
        let events = |patterns: &[&'static str]| LogItems::Events(patterns.to_vec());
        for (text, items) in [
            ("none", events(&[])),
            ("trace:kvm", events(&["kvm"])),
            ("trace:-k*,trace:vm", events(&["-k*", "vm"])),
            ("none,trace:kvm", LogItems::Usage),
            ("trace:kvm,", LogItems::Usage),
            ("trace:kvm,vm", LogItems::Usage),
            ("trace:", LogItems::Usage),
            ("", LogItems::Usage),
            ("help", LogItems::Usage),
            ("trace:help", LogItems::EventHelp),
            ("trace:kvm,cpu", LogItems::Absent("cpu")),
        ] {
            assert_eq!(LogItems::read(text), items, "{text}");
        }
    }
}
