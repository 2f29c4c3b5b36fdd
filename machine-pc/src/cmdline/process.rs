//! Options about the process and about what it does when something happens: `-action`, `-sandbox`, `-add-fd`,
//! `-overcommit`, `-run-with`, `-d`, `-D`, `-trace`.
//!
//! Most of them are only noted while options are read and judged when all are known, in the order in which QEMU does.

use qom::text::ParameterError;
use qom::text::opts::{OptDescription, OptKind, Opts};

use super::build::{Builder, Step};
use super::error::{ErrorKind, Failure};
use super::help::{log_items_help, parameter, parameters_help};
use super::{AddFd, CommandLine, MemoryLock, Request, Sandbox};
use crate::trace;

/// Options about the process on the way.
#[derive(Debug, Default)]
pub(super) struct ProcessOptions {
    sandboxes: Vec<(Opts, String)>,
    /// Event, action.
    actions: Vec<(String, String)>,
    /// The first option that says an action: QEMU places errors of all there.
    actions_at: String,
    add_fds: Vec<(Opts, String)>,
    /// `-d`.
    log_items: Option<String>,
}

pub(super) const ACTION_OPTIONS: &[OptDescription] = &[
    parameter("shutdown", OptKind::String, ""),
    parameter("reboot", OptKind::String, ""),
    parameter("panic", OptKind::String, ""),
    parameter("watchdog", OptKind::String, ""),
];

pub(super) const SANDBOX_OPTIONS: &[OptDescription] = &[
    parameter("enable", OptKind::Bool, ""),
    parameter("obsolete", OptKind::String, ""),
    parameter("elevateprivileges", OptKind::String, ""),
    parameter("spawn", OptKind::String, ""),
    parameter("resourcecontrol", OptKind::String, ""),
];

pub(super) const ADD_FD_OPTIONS: &[OptDescription] = &[
    parameter("fd", OptKind::Number, "the inherited descriptor"),
    parameter("set", OptKind::Number, "the set that gets a duplicate of it"),
    parameter("opaque", OptKind::String, "a text that describes it"),
];

pub(super) const OVERCOMMIT_OPTIONS: &[OptDescription] =
    &[parameter("mem-lock", OptKind::String, ""), parameter("cpu-pm", OptKind::Bool, "")];

pub(super) const RUN_WITH_OPTIONS: &[OptDescription] = &[
    parameter("async-teardown", OptKind::Bool, ""),
    parameter("chroot", OptKind::String, ""),
    parameter("exit-with-parent", OptKind::Bool, ""),
    parameter("user", OptKind::String, ""),
];

pub(super) const TRACE_OPTIONS: &[OptDescription] = &[
    parameter("enable", OptKind::String, ""),
    parameter("events", OptKind::String, ""),
    parameter("file", OptKind::String, ""),
];

/// The help of an option of which nothing else can be done then: the program ends with status 1.
pub(super) fn help_of(group: &str, table: &[OptDescription]) -> Option<Request> {
    Some(Request::PrintAndFail(parameters_help(group, table)))
}

impl Builder {
    pub(super) fn action(&mut self, argument: &str, location: &str) -> Step {
        let opts = self.common_options(argument, None, ACTION_OPTIONS, location)?;
        if opts.help {
            return Ok(help_of("action", ACTION_OPTIONS));
        }
        self.action_opts(opts, location);
        Ok(None)
    }

    pub(super) fn action_opts(&mut self, opts: Opts, location: &str) {
        for (event, action) in opts.pairs {
            self.note_action(&event, &action, location);
        }
    }

    /// One event's action.
    pub(super) fn note_action(&mut self, event: &str, action: &str, location: &str) {
        let process = &mut self.process;
        if process.actions_at.is_empty() {
            location.clone_into(&mut process.actions_at);
        }
        process.actions.push((event.to_owned(), action.to_owned()));
    }

    pub(super) fn sandbox(&mut self, argument: &str, location: &str) -> Step {
        let opts = self.options(argument, Some("enable"), SANDBOX_OPTIONS, location)?;
        if opts.help {
            return Ok(help_of("sandbox", SANDBOX_OPTIONS));
        }
        self.sandbox_opts(opts, location);
        Ok(None)
    }

    pub(super) fn sandbox_opts(&mut self, opts: Opts, location: &str) {
        self.process.sandboxes.push((opts, location.to_owned()));
    }

    pub(super) fn add_fd(&mut self, argument: &str, location: &str) -> Step {
        let opts = self.options(argument, None, ADD_FD_OPTIONS, location)?;
        if opts.help {
            return Ok(help_of("add-fd", ADD_FD_OPTIONS));
        }
        self.add_fd_opts(opts, location);
        Ok(None)
    }

    pub(super) fn add_fd_opts(&mut self, opts: Opts, location: &str) {
        self.process.add_fds.push((opts, location.to_owned()));
    }

    pub(super) fn overcommit(&mut self, argument: &str, location: &str) -> Step {
        let opts = self.options(argument, None, OVERCOMMIT_OPTIONS, location)?;
        if opts.help {
            return Ok(help_of("overcommit", OVERCOMMIT_OPTIONS));
        }
        self.overcommit_opts(&opts, location)?;
        Ok(None)
    }

    pub(super) fn overcommit_opts(&mut self, opts: &Opts, location: &str) -> Result<(), Failure> {
        if let Some(text) = opts.get("mem-lock") {
            self.line.memory_lock = match text {
                "on" => MemoryLock::On,
                "off" => MemoryLock::Off,
                "on-fault" => MemoryLock::OnFault,
                _ => return Err(Failure::at(location, ErrorKind::InvalidMemoryLock)),
            };
        }
        if let Ok(Some(true)) = opts.get_bool("cpu-pm") {
            let reason = "the guest cannot control the power states of the host's CPUs";
            return Err(Failure::at(location, ErrorKind::NotSupported { reason }));
        }
        Ok(())
    }

    pub(super) fn run_with(&mut self, argument: &str, location: &str) -> Step {
        let opts = self.options(argument, None, RUN_WITH_OPTIONS, location)?;
        if opts.help {
            return Ok(help_of("run-with", RUN_WITH_OPTIONS));
        }
        if opts.get("chroot").is_some() || opts.get("user").is_some() {
            let reason = "the program keeps the root directory and user that it was started with";
            return Err(Failure::at(location, ErrorKind::NotSupported { reason }));
        }
        if let Ok(Some(true)) = opts.get_bool("async-teardown") {
            let reason = "memory is given back at once";
            return Err(Failure::at(location, ErrorKind::NotSupported { reason }));
        }
        if let Ok(Some(with_parent)) = opts.get_bool("exit-with-parent") {
            self.line.exit_with_parent = with_parent;
        }
        Ok(None)
    }

    pub(super) fn trace(&mut self, argument: &str, location: &str) -> Step {
        let opts = self.options(argument, Some("enable"), TRACE_OPTIONS, location)?;
        if opts.help || opts.get("enable").is_some_and(qom::text::keyval::is_help) {
            return Ok(Some(Request::Print(trace::help())));
        }
        self.trace_opts(&opts, location)?;
        Ok(None)
    }

    pub(super) fn trace_opts(&mut self, opts: &Opts, location: &str) -> Result<(), Failure> {
        if let Some(pattern) = opts.get("enable") {
            self.enable_trace(pattern, Some(location));
        }
        if let Some(path) = opts.get("events") {
            let patterns = self.read_file(path.as_ref()).map_err(|source| {
                let reason = crate::os_error::text(&source);
                Failure::nowhere(ErrorKind::TraceEvents { path: path.to_owned(), reason })
            })?;
            for pattern in patterns.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                self.enable_trace(pattern, Some(location));
            }
        }
        if let Some(path) = opts.get("file") {
            self.line.log.trace_file = Some(path.into());
        }
        Ok(())
    }

    /// Adds a pattern of trace events; one without a wildcard must name an event.
    fn enable_trace(&mut self, pattern: &str, location: Option<&str>) {
        if pattern.is_empty() {
            return;
        }
        match trace::missing(pattern) {
            Some(name) => self.warn_at(location, trace::missing_text(name)),
            None => self.line.log.patterns.push(pattern.to_owned()),
        }
    }

    pub(super) fn log_items(&mut self, argument: &str) {
        self.process.log_items = Some(argument.to_owned());
    }

    /// Judges what was noted, as QEMU does before it looks at the machine.
    pub(super) fn finish_process(&mut self) -> Step {
        for (opts, location) in std::mem::take(&mut self.process.sandboxes) {
            if let Ok(Some(true)) = opts.get_bool("enable") {
                let sandbox = sandbox(&opts)
                    .map_err(|name| Failure::at(&location, ErrorKind::InvalidSandboxArgument { name }))?;
                self.line.sandboxes.push(sandbox);
            }
        }
        let actions = std::mem::take(&mut self.process.actions);
        for (at, (event, action)) in actions.iter().enumerate() {
            // What a later option says otherwise is not looked at.
            if actions[at + 1..].iter().any(|(later, _)| later == event) {
                continue;
            }
            if !self.line.actions.set(event, action) {
                let error = ParameterError::NotAccepted { name: event.clone(), value: action.clone() };
                return Err(Failure::at(&self.process.actions_at, error));
            }
        }
        for (opts, location) in std::mem::take(&mut self.process.add_fds) {
            let added = add_fd(&opts, &location).map_err(|error| Failure::at(&location, error))?;
            self.line.add_fds.push(added);
        }
        match self.process.log_items.take() {
            Some(items) => self.finish_log_items(&items),
            None => Ok(None),
        }
    }

    fn finish_log_items(&mut self, items: &str) -> Step {
        let usage = || Ok(Some(Request::PrintAndFail(format!("{}\n", log_items_help("-d")))));
        if items.is_empty() {
            return usage();
        }
        for item in items.split(',') {
            if item == "trace:help" {
                return Ok(Some(Request::Print(trace::help())));
            }
            match item.strip_prefix("trace:") {
                Some("") => return usage(),
                Some(pattern) => self.enable_trace(pattern, None),
                None if trace::OTHER_ITEMS.contains(&item) => {
                    let reason = "no guest code is translated here, and nothing of its devices logged";
                    let location = format!("-d {item}");
                    return Err(Failure::at(&location, ErrorKind::NotSupported { reason }));
                }
                None => return usage(),
            }
        }
        Ok(None)
    }
}

/// Reads which system calls are to be refused; the name of the argument that is wrong.
fn sandbox(opts: &Opts) -> Result<Sandbox, &'static str> {
    let denied = |name: &'static str, default: bool| match opts.get(name) {
        None => Ok(default),
        Some("deny") => Ok(true),
        Some("allow") => Ok(false),
        // Children cannot get privileges, which holds for every sandbox.
        Some("children") if name == "elevateprivileges" => Ok(false),
        Some(_) => Err(name),
    };
    Ok(Sandbox {
        obsolete: denied("obsolete", true)?,
        elevate_privileges: denied("elevateprivileges", false)?,
        spawn: denied("spawn", false)?,
        resource_control: denied("resourcecontrol", false)?,
    })
}

/// Standard input, output and error.
const STANDARD_STREAMS: std::ops::RangeInclusive<i32> = 0..=2;

fn add_fd(opts: &Opts, location: &str) -> Result<AddFd, ErrorKind> {
    // QEMU cuts them to 32 bits.
    #[expect(clippy::cast_possible_truncation, reason = "the reference reads them into an int")]
    let number = |name: &str| opts.get_number(name).map(|number| number.map_or(-1, |number| number as i32));
    let fd = number("fd")?;
    if fd < 0 {
        return Err(ErrorKind::FdRequired);
    }
    if STANDARD_STREAMS.contains(&fd) {
        return Err(ErrorKind::StandardFd);
    }
    let set = u32::try_from(number("set")?).ok();
    Ok(AddFd { fd, set, opaque: opts.get("opaque").map(str::to_owned), location: location.to_owned() })
}

impl CommandLine {
    /// Whether anything is to be logged.
    #[must_use]
    pub fn logs(&self) -> bool {
        !self.log.patterns.is_empty()
    }
}
