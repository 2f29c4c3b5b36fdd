//! What is wrong with a command line, and how it is said.
//!
//! A report is one line for a person: the program, the option at fault with its argument, the trouble.
//! Some troubles have a consequence, which is a report of its own. Warnings that were due before the
//! error go with it, so that nothing is lost.

use std::fmt::{self, Display};

use qmp::json::JsonError;
use qom::text::ParameterError;
use qom::text::keyval::KeyvalError;

use super::MessageOptions;
use super::chardev::ChardevError;

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No such option.
    #[error("invalid option")]
    InvalidOption,
    /// The last word is an option that takes an argument.
    #[error("requires an argument")]
    RequiresArgument,
    /// QEMU has it and this program does not.
    #[error("not supported: {reason}")]
    NotSupported {
        /// What is missing, in words.
        reason: &'static str,
    },
    /// A parameter of the option's argument.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The argument is not keyval text.
    #[error(transparent)]
    Keyval(#[from] KeyvalError),
    /// The argument is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Something follows the JSON object.
    #[error("Expecting at most one JSON value")]
    TrailingJson,
    /// The character device cannot be what is asked for.
    #[error(transparent)]
    Chardev(#[from] ChardevError),
    /// A machine property with underscores and with dashes.
    #[error("Conflict between '{written}' and '{property}'")]
    TwoSpellings {
        /// As it was written.
        written: String,
        /// Its name.
        property: String,
    },
    /// A second object of one kind with the same ID.
    #[error("Duplicate ID '{id}' for {group}")]
    DuplicateId {
        /// The ID.
        id: String,
        /// `chardev`, `mon`, `device`.
        group: &'static str,
    },
    /// `-global` with a part missing.
    #[error("options 'driver', 'property', and 'value' are required")]
    IncompleteGlobal,
    /// `-seed` with something else.
    #[error("Invalid seed number: {text}")]
    InvalidSeed {
        /// What was given.
        text: String,
    },
    /// `-uuid` with something else.
    #[error("failed to parse UUID string: wrong format")]
    InvalidUuid,
    /// Accelerators were named in both ways.
    #[error("The -accel and \"-machine accel=\" options are incompatible")]
    AcceleratorTwice,
    /// `-machine accel=` with no name.
    #[error("no accelerator found")]
    NoAccelerator,
    /// More memory than an address can reach.
    #[error("ram size too large")]
    MemoryTooLarge,
    /// A graphics card that QEMU has.
    #[error("{card} not available")]
    VgaNotAvailable {
        /// The card's name.
        card: &'static str,
    },
    /// A graphics card that nobody has.
    #[error("unknown vga type: {name}")]
    UnknownVga {
        /// The name given.
        name: String,
    },
    /// The monitor's character device does not exist.
    #[error("chardev \"{id}\" not found")]
    ChardevNotFound {
        /// Its ID.
        id: String,
    },
    /// A character device that is not multiplexed has two users.
    #[error("chardev '{id}' is already in use")]
    ChardevInUse {
        /// Its ID.
        id: String,
    },
    /// Two character devices on standard input and output.
    #[error("cannot use stdio by multiple character devices")]
    StdioTaken,
    /// A daemon has no standard input and output.
    #[error("cannot use stdio with -daemonize")]
    StdioWithDaemonize,
    /// A daemon has no terminal.
    #[error("-nographic cannot be used with -daemonize")]
    NographicWithDaemonize,
    /// HMP has no pretty form.
    #[error("'pretty' is not compatible with HMP monitors")]
    PrettyHmp,
    /// The argument of `-monitor` or `-qmp` is of no use.
    #[error("parse error: {text}")]
    MonitorBackend {
        /// The argument.
        text: String,
    },
    /// `-overcommit mem-lock=` with something else.
    #[error("parameter 'mem-lock' expects one of 'on', 'off', 'on-fault'")]
    InvalidMemoryLock,
    /// A set of system calls that is neither refused nor allowed.
    #[error("invalid argument for {name}")]
    InvalidSandboxArgument {
        /// The set.
        name: &'static str,
    },
    /// `-add-fd` without a descriptor.
    #[error("fd option is required and must be non-negative")]
    FdRequired,
    /// `-add-fd` of what the program uses itself.
    #[error("fd cannot be a standard I/O stream")]
    StandardFd,
    /// What goes with a kernel, without one.
    #[error("{option} only allowed with -kernel option")]
    OnlyWithKernel {
        /// The option.
        option: &'static str,
    },
    /// A value that `-rtc` does not know.
    #[error("invalid option value '{value}'")]
    InvalidOptionValue {
        /// The value given.
        value: String,
    },
    /// `-rtc base=` is no date.
    #[error("invalid datetime format\nvalid formats: '2006-06-17T16:01:21' or '2006-06-17'")]
    InvalidDate,
    /// `-boot` with a letter that is no device.
    #[error("Invalid boot device '{device}'")]
    InvalidBootDevice {
        /// The letter.
        device: char,
    },
    /// `-boot` with a letter twice.
    #[error("Boot device '{device}' was given twice")]
    BootDeviceTwice {
        /// The letter.
        device: char,
    },
    /// `-D` with a percent sign that is not the process's number.
    #[error("Bad logfile template: {path}")]
    LogTemplate {
        /// The argument.
        path: String,
    },
    /// `-trace events=` of a file that cannot be read.
    #[error("{path}: {reason}")]
    TraceEvents {
        /// The file.
        path: String,
        /// What the host said.
        reason: String,
    },
    /// A display that QEMU has.
    #[error("Display '{name}' is not available.")]
    DisplayNotAvailable {
        /// The display.
        name: String,
    },
    /// `-display none,gl=on`.
    #[error("OpenGL is not supported by display backend 'none'")]
    NoOpenGl,
    /// Two of `-audiodev` with one ID.
    #[error("attempt to add duplicate property '{id}' to object (type 'container')")]
    DuplicateAudiodev {
        /// The ID.
        id: String,
    },
    /// A configuration file that cannot be opened.
    #[error("Could not open '{path}': {reason}")]
    ConfigOpen {
        /// The file.
        path: String,
        /// What the host said.
        reason: String,
    },
    /// A configuration file that cannot be read.
    #[error("Cannot read config file: {reason}")]
    ConfigRead {
        /// What the host said.
        reason: String,
    },
    /// A line of a configuration file that is nothing.
    #[error("parse error")]
    ConfigSyntax,
    /// An argument in front of the first heading.
    #[error("no group defined")]
    NoConfigGroup,
    /// A group that is a list.
    #[error("Lists cannot be at top level of a configuration section")]
    ConfigList,
    /// An argument that is both a value and a structure.
    #[error("Cannot mix scalar and non-scalar keys")]
    ConfigMixed,
    /// Some arguments are elements of a list, and others are not.
    #[error("Cannot mix list and non-list keys")]
    ConfigMixedList,
    /// No such group.
    #[error("There is no option group '{group}'")]
    NoOptionGroup {
        /// The name given.
        group: String,
    },
    /// `-set` with something else.
    #[error("can't parse: \"{text}\"")]
    SetSyntax {
        /// The argument.
        text: String,
    },
    /// `-set` of an argument that the option does not take. QEMU leaves out what it otherwise adds for a person.
    #[error(transparent)]
    SetParameter(ParameterError),
    /// `-set` of what is not flat.
    #[error("-set is not supported with {group}")]
    SetNotSupported {
        /// The group.
        group: String,
    },
    /// `-set` of what was not given.
    #[error("there is no {group} \"{id}\" defined")]
    NothingToSet {
        /// The group.
        group: String,
        /// The ID.
        id: String,
    },
    /// The argument of `-debugcon` is of no use.
    #[error("invalid character backend '{text}'")]
    InvalidBackend {
        /// The argument.
        text: String,
    },
    /// The ID of a debug console is taken.
    #[error("already have a debugcon device")]
    SecondDebugConsole,
    /// The argument of `-serial` is of no use.
    #[error("could not connect serial device to character backend '{text}'")]
    SerialBackend {
        /// The argument.
        text: String,
    },
}

impl ErrorKind {
    /// Further lines for a person.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Parameter(error) => error.hint(),
            _ => None,
        }
    }
}

/// One trouble and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The option as it was written, with its argument; none if no single option is at fault.
    pub location: Option<String>,
    /// The trouble.
    pub kind: ErrorKind,
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{}", self.kind)?;
        match self.kind.hint() {
            Some(hint) => write!(f, "\n{hint}"),
            None => Ok(()),
        }
    }
}

/// Something to say that does not stop the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The option as it was written, with its argument; none if no single option is meant.
    pub location: Option<String>,
    /// The text; may have several lines.
    pub text: String,
}

impl Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "warning: {}", self.text)
    }
}

/// A command line that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLineError {
    /// Warnings that were due before.
    pub warnings: Vec<Warning>,
    /// The trouble, then its consequences; never empty.
    pub reports: Vec<Report>,
    /// What `-msg` said before.
    pub messages: MessageOptions,
}

impl CommandLineError {
    /// All of it as it goes to standard error: lines that start with the program's name, a line end
    /// after each. The program then exits with status 1 and nothing on standard output.
    #[must_use]
    pub fn report(&self, program: &str) -> String {
        let warnings = self.warnings.iter().map(|warning| format!("{program}: {warning}\n"));
        warnings.chain(self.reports.iter().map(|report| format!("{program}: {report}\n"))).collect()
    }
}

impl Display for CommandLineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, report) in self.reports.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{report}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CommandLineError {}

/// Troubles on their way up, before the warnings join them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure(pub(super) Vec<Report>);

impl Failure {
    /// Trouble with one option.
    pub(super) fn at(location: &str, kind: impl Into<ErrorKind>) -> Self {
        Self::perhaps_at(Some(location), kind)
    }

    /// Trouble with no single option.
    pub(super) fn nowhere(kind: impl Into<ErrorKind>) -> Self {
        Self::perhaps_at(None, kind)
    }

    pub(super) fn perhaps_at(location: Option<&str>, kind: impl Into<ErrorKind>) -> Self {
        Self(vec![Report { location: location.map(str::to_owned), kind: kind.into() }])
    }

    /// Adds what follows from it, at the same place.
    pub(super) fn therefore(mut self, kind: ErrorKind) -> Self {
        let location = self.0.last().and_then(|report| report.location.clone());
        self.0.push(Report { location, kind });
        self
    }
}
