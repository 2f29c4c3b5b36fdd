//! The command line: from words to one typed [`CommandLine`].
//!
//! Reading has three steps, so that the order of options matters only where it has to (devices, globals,
//! and the last of several values):
//!
//! 1. every word is found in the table of options (`table.rs`); an unknown one ends it all;
//! 2. each option's argument is read, in order, into plain values;
//! 3. character devices, serial ports and monitors are brought together, and the defaults worked out.
//!
//! Nothing is done here: no file is opened, no accelerator tried, no type looked up, nothing printed. What
//! to do is in [`CommandLine::request`]; a request for help wins over errors of the third step, as in QEMU.
//!
//! # The terminal
//!
//! Where QEMU would open a window, this program has the terminal:
//!
//! * With none of `-monitor`, `-mon`, `-serial`, `-nodefaults`, `-display none`, `-nographic` and
//!   `-daemonize`, a human monitor is on standard input and output, unless something else is.
//! * The first serial port, if no `-serial` says otherwise, is the guest's console. If a human monitor is on
//!   standard output, so is the console's output ([`SerialSpec::OutputOf`]), and input is the monitor's. If
//!   nothing is there, the port has standard input and output for itself. If something else is, or with
//!   `-display none` or `-daemonize`, it is connected to `null`. With `-nodefaults` there is no port.
//! * `-nographic` is QEMU's: serial port and monitor share standard input and output through a
//!   multiplexer.

mod build;
mod chardev;
mod defaults;
mod device;
mod error;
mod help;
mod json;
mod machine;
mod monitor;
mod numa;
mod object;
mod table;

use std::path::PathBuf;

use serde_json::{Map, Value};

pub use chardev::ChardevError;
pub use defaults::stdio_conflict;
pub use error::{CommandLineError, ErrorKind, Report, Warning};
pub use help::{help_text, version_text};
pub(crate) use object::MONITOR_TYPES;

use crate::chardev::spec::{ChardevSpec, MonitorSpec};
use crate::smp::SmpConfiguration;

/// What the command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// What is to be done.
    pub request: Request,
    /// The machine type and its properties.
    pub machine: MachineOptions,
    /// Accelerators to try, in order. Empty: KVM where it is usable, else TCG.
    pub accelerators: Vec<AcceleratorOption>,
    /// `-smp`, not yet held against the machine.
    pub smp: SmpConfiguration,
    /// Size of guest memory in bytes, a multiple of 8 KiB; none for the machine's default.
    pub memory_size: Option<u64>,
    /// `-cpu`, as it was written.
    pub cpu: Option<String>,
    /// Devices in the order in which they are to be made: those in text, then those in JSON.
    pub devices: Vec<DeviceOption>,
    /// Objects that are no monitors, in the order in which they are to be made: before the machine.
    pub objects: Vec<ObjectOption>,
    /// NUMA nodes and what belongs to them, in order.
    pub numa: Vec<NumaOption>,
    /// Global properties, in order; a later one wins.
    pub globals: Vec<GlobalOption>,
    /// Character devices, in the order in which they are to be opened.
    pub chardevs: Vec<ChardevSpec>,
    /// Serial ports, the first one being COM1.
    pub serials: Vec<SerialSpec>,
    /// Monitors, in order.
    pub monitors: Vec<MonitorSpec>,
    /// Firmware image.
    pub bios: Option<PathBuf>,
    /// `-name`.
    pub name: NameOptions,
    /// `-uuid`, its bytes in the order of the text.
    pub uuid: Option<[u8; 16]>,
    /// `-S`: CPUs wait for a monitor's `cont`.
    pub stopped: bool,
    /// `-preconfig`: the machine is made when a monitor says so.
    pub preconfig: bool,
    /// `-no-shutdown`: stop where the guest's power-off would end the program.
    pub no_shutdown: bool,
    /// `-no-reboot`: exit where the guest would be reset.
    pub no_reboot: bool,
    /// `-nodefaults`.
    pub no_defaults: bool,
    /// `-daemonize`.
    pub daemonize: bool,
    /// `-pidfile`.
    pub pidfile: Option<PathBuf>,
    /// `-msg`.
    pub messages: MessageOptions,
    /// What to say on standard error before anything else.
    pub warnings: Vec<Warning>,
}

/// What a command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Request {
    /// Run a machine.
    #[default]
    Run,
    /// Print [`help_text`].
    Help,
    /// Print [`version_text`].
    Version,
    /// Print this text.
    Print(String),
    /// Write the host file of this machine here; `-` is standard output.
    DumpHost(PathBuf),
    /// List the accelerators.
    AcceleratorHelp,
    /// List the machine types.
    MachineHelp,
    /// List the properties of [`MachineOptions::type_name`].
    MachineTypeHelp,
    /// List the CPU models.
    CpuHelp,
    /// List the types of objects.
    ObjectHelp,
    /// List what objects of a type are made with.
    ObjectTypeHelp {
        /// The type.
        type_name: String,
        /// The option for messages.
        location: String,
    },
    /// List the devices.
    DeviceHelp,
    /// List the properties of a device.
    DeviceTypeHelp {
        /// Its type.
        driver: String,
    },
}

/// `-machine`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineOptions {
    /// The type's name or alias; none for the default one.
    pub type_name: Option<String>,
    /// Properties as a keyval tree, without `type`, `accel`, `smp` and `memory`.
    pub properties: Map<String, Value>,
}

/// One accelerator to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceleratorOption {
    /// Its name (`kvm`, `tcg`, `qtest`, or one that does not exist).
    pub name: String,
    /// Its properties, in order.
    pub properties: Vec<(String, String)>,
    /// The option for messages; none if it came from `-machine accel=`.
    pub location: Option<String>,
}

/// One `-device`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceOption {
    /// Its type.
    pub driver: String,
    /// Its ID, well formed and the only one among devices.
    pub id: Option<String>,
    /// Its other properties.
    pub properties: DeviceProperties,
    /// The option for messages.
    pub location: String,
}

/// One `-object`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectOption {
    /// Its type as `qom-type`, its ID as `id`, and what it is made with; not yet held against its type.
    pub values: Map<String, Value>,
    /// How it was written.
    pub form: qom::user_creatable::Form,
    /// The option for messages.
    pub location: String,
}

/// One `-numa`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumaOption {
    /// Keys and values in order, repeated keys included, the kind as `type`.
    pub pairs: Vec<(String, String)>,
    /// The option for messages.
    pub location: String,
}

/// Properties of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceProperties {
    /// Text, in order, each key once, with the last value given.
    Text(Vec<(String, String)>),
    /// JSON.
    Json(Map<String, Value>),
}

/// One `-global`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalOption {
    /// The type.
    pub driver: String,
    /// Its property.
    pub property: String,
    /// The value, as text.
    pub value: String,
    /// The option for messages.
    pub location: String,
}

/// What a serial port is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SerialSpec {
    /// The port does not exist.
    None,
    /// A character device, by [`ChardevSpec::id`].
    Chardev(String),
    /// The port's output goes where this character device's goes; its input stays with the device's user.
    OutputOf(String),
}

/// `-name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameOptions {
    /// The guest's name.
    pub guest: Option<String>,
    /// The process's name.
    pub process: Option<String>,
}

/// `-msg`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageOptions {
    /// Put the time in front of messages.
    pub timestamp: bool,
    /// Put the guest's name in front of messages.
    pub guest_name: bool,
}

impl CommandLine {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// [`CommandLineError`], to be shown with [`CommandLineError::report`]; the exit status is then 1.
    pub fn parse<I>(words: I) -> Result<Self, CommandLineError>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        build::parse(&words)
    }
}

#[cfg(test)]
mod tests;
