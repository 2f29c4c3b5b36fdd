//! The human monitor: a line in, text for a person out.
//!
//! A command has *names* (`quit|q`), an *argument specification* in QEMU's notation, the parameters and the
//! help text that `help` shows, and a function. The topics of `info` are commands of a table of their own.
//!
//! The argument specification lists `name:type` separated by commas; `?` after the type makes it optional:
//!
//! | type | takes |
//! | --- | --- |
//! | `s` | a word, or a string in double quotes |
//! | `F` | the same, which is a file's name |
//! | `S` | the rest of the line |
//! | `O` | a word of options, as on the command line |
//! | `i`, `l` | a number or an expression (32, 64 bits) |
//! | `i.` | a number if a dot is before it |
//! | `/` | how to show numbers: `/4xb`; always optional |
//! | `b` | `on` or `off` |
//! | `-x` | the flag `-x`, always optional |
//!
//! Everything a command prints ends its lines with `\n`; the terminal's `\r\n` is made where text leaves.

mod arguments;
pub(crate) mod commands;
mod complete;
mod editor;
mod expression;
mod format;
mod session;

use std::fmt;

pub use arguments::HmpArguments;
pub use complete::{HMP_COMPLETIONS, HmpCompletion};
pub use format::{Format, Notation};
pub use session::{Echo, HmpSession, PROMPT, banner};

use arguments::Surroundings;

use crate::{Context, Error};

/// The function of a monitor command.
type Run = fn(&mut Monitor<'_>, &HmpArguments) -> Result<(), Error>;

/// A command of the human monitor, or a topic of its `info`.
#[derive(Debug, Clone, Copy)]
pub struct HmpEntry {
    /// Its names, separated by `|`; the first is the one it is sorted by.
    pub names: &'static str,
    /// The argument specification.
    pub arguments: &'static str,
    /// The arguments as `help` shows them.
    pub parameters: &'static str,
    /// What it does, as `help` shows it.
    pub help: &'static str,
    /// It works before the machine is built (`-preconfig`).
    pub allow_preconfig: bool,
    /// Who declared it: module, file and line.
    pub declared_at: &'static str,
    /// Does it.
    pub run: Run,
}

/// A topic of `info`.
pub type InfoEntry = HmpEntry;

/// The monitor commands that the program's crates add to those of this one, in no order.
#[linkme::distributed_slice]
pub static HMP_COMMANDS: [HmpEntry];

/// The `info` topics that the program's crates add to those of this one, in no order.
#[linkme::distributed_slice]
pub static INFO_TOPICS: [InfoEntry];

/// Declares a command of the human monitor, or with `info` before its names a topic of `info`, and
/// registers it. The strings are its names, argument specification, parameters and help; `(allow_preconfig)` after them
/// makes it work before the machine is built.
///
/// ```
/// use std::fmt::Write;
///
/// qmp::hmp_command! {
///     "x-fan|xf", "speed:i?", "[speed]", "show or set the fan's speed" =>
///     fn x_fan(monitor, arguments) {
///         match arguments.int("speed") {
///             Some(speed) => writeln!(monitor, "speed is now {speed}").map_err(qmp::Error::generic),
///             None => Err(qmp::Error::generic("there is no fan")),
///         }
///     }
/// }
///
/// qmp::hmp_command! {
///     info "x-fan", "", "", "show the fan" =>
///     fn info_x_fan(monitor, _arguments) {
///         monitor.print(format_args!("turning\n"));
///         Ok(())
///     }
/// }
/// ```
#[macro_export]
macro_rules! hmp_command {
    (info $($rest:tt)*) => { $crate::hmp_command! { @ INFO_TOPICS; $($rest)* } };
    (@ $table:ident; $names:literal, $arguments:literal, $parameters:literal, $help:literal $(($flag:ident))? =>
        fn $ident:ident($monitor:ident, $args:ident) $body:block) => {
        fn $ident(
            $monitor: &mut $crate::hmp::Monitor<'_>,
            $args: &$crate::hmp::HmpArguments,
        ) -> ::std::result::Result<(), $crate::Error> $body

        const _: () = {
            #[$crate::__private::linkme::distributed_slice($crate::hmp::$table)]
            #[linkme(crate = $crate::__private::linkme)]
            static ENTRY: $crate::hmp::HmpEntry =
                $crate::__hmp_entry!($names, $arguments, $parameters, $help, $ident $(, $flag)?);
        };
    };
    ($names:literal $($rest:tt)*) => { $crate::hmp_command! { @ HMP_COMMANDS; $names $($rest)* } };
}

/// The table entry of a monitor command, declared here.
#[doc(hidden)]
#[macro_export]
macro_rules! __hmp_entry {
    ($names:literal, $arguments:literal, $parameters:literal, $help:literal, $ident:ident) => {
        $crate::__hmp_entry!(@ $names, $arguments, $parameters, $help, $ident, false)
    };
    ($names:literal, $arguments:literal, $parameters:literal, $help:literal, $ident:ident, allow_preconfig) => {
        $crate::__hmp_entry!(@ $names, $arguments, $parameters, $help, $ident, true)
    };
    (@ $names:literal, $arguments:literal, $parameters:literal, $help:literal, $ident:ident, $preconfig:literal) => {
        $crate::hmp::HmpEntry {
            names: $names,
            arguments: $arguments,
            parameters: $parameters,
            help: $help,
            allow_preconfig: $preconfig,
            declared_at: concat!(module_path!(), " (", file!(), ":", line!(), ")"),
            run: $ident,
        }
    };
}

/// What one session's commands leave for the next ones.
#[derive(Debug, Default)]
pub struct MonitorState {
    /// Index of the CPU that the user looks at; the first one if they chose none.
    pub cpu: Option<usize>,
    /// The lines that were entered, where they can be edited.
    lines: editor::Lines,
}

/// The CPUs of the guest, as far as the monitor's language speaks of them. The program provides it as a service of the context.
#[derive(Debug, Clone, Copy)]
pub struct GuestCpus {
    /// Whether there is a CPU of that index.
    pub exists: fn(&Context, usize) -> bool,
    /// What a register of a CPU holds (the first one's, if none is named), if it has one of that name.
    pub register: fn(&Context, Option<usize>, &str) -> Option<i64>,
}

/// The format of the command before, of whichever session.
#[derive(Debug, Clone, Copy, Default)]
struct FormatBefore(Format);

/// What a monitor command acts on and prints to.
#[derive(Debug)]
pub struct Monitor<'a> {
    /// What the command can reach; the same that QMP commands have.
    pub context: &'a mut Context,
    /// What the session remembers.
    pub state: &'a mut MonitorState,
    text: String,
}

impl fmt::Write for Monitor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.push_str(text);
        Ok(())
    }
}

impl Monitor<'_> {
    /// Prints; lines end with `\n`.
    pub fn print(&mut self, text: fmt::Arguments<'_>) {
        // Appending to a String cannot fail.
        let _ = fmt::Write::write_fmt(self, text);
    }
}

/// Runs one line and returns what it printed, lines ended with `\r\n`. Nothing is remembered for a next one.
pub fn execute(line: &str, context: &mut Context) -> String {
    execute_in(line, context, &mut MonitorState::default())
}

/// The same, within a session.
pub fn execute_in(line: &str, context: &mut Context, state: &mut MonitorState) -> String {
    let mut monitor = Monitor { context, state, text: String::new() };
    dispatch(&mut monitor, line);
    monitor.text.replace('\n', "\r\n")
}

/// Whether one of the names separated by `|` is `name`.
fn is_named(names: &str, name: &str) -> bool {
    names.split('|').any(|known| known == name)
}

fn find(table: &[HmpEntry], name: &str) -> Option<HmpEntry> {
    table.iter().find(|entry| is_named(entry.names, name)).copied()
}

/// Splits a command's name off a line. A `/` ends a name too; what follows it is a format.
fn split_name(line: &str) -> (&str, &str) {
    let line = line.trim_start();
    line.split_at(line.find(|c: char| c == '/' || c.is_ascii_whitespace()).unwrap_or(line.len()))
}

fn dispatch(monitor: &mut Monitor<'_>, line: &str) {
    let (name, rest) = split_name(line);
    if line.trim_start().is_empty() {
        return;
    }
    let Some(mut entry) = find(monitor.context.commands().hmp(), name) else {
        return monitor.print(format_args!("unknown command: '{name}'\n"));
    };
    let mut path = line.trim_start()[..name.len()].to_owned();
    let mut rest = rest;
    if is_named(entry.names, "info") && !rest.trim_start().is_empty() {
        let (topic, after) = split_name(rest);
        path = format!("{path} {topic}");
        rest = after;
        match find(monitor.context.commands().info(), topic) {
            Some(found) => entry = found,
            None => return monitor.print(format_args!("unknown command: '{path}'\n")),
        }
    }
    if monitor.context.is_preconfig() && !entry.allow_preconfig {
        let refusal = "not available until machine initialization has completed";
        return monitor.print(format_args!("Command '{path}' {refusal}.\n"));
    }
    let (context, cpu) = (&*monitor.context, monitor.state.cpu);
    let register = |name: &str| (context.get::<GuestCpus>()?.register)(context, cpu, name);
    let format = context.get::<FormatBefore>().copied().unwrap_or_default().0;
    let surroundings = Surroundings { registers: &register, format };
    match arguments::parse(entry.arguments, rest, entry.names, surroundings) {
        Err(problem) => {
            monitor.print(format_args!("{problem}\nTry \"help {path}\" for more information\n"));
        }
        Ok(arguments) => {
            if entry.arguments.contains(":/") {
                monitor.context.insert(FormatBefore(arguments.format()));
            }
            if let Err(error) = (entry.run)(monitor, &arguments) {
                monitor.print(format_args!("Error: {error}\n"));
            }
        }
    }
}
