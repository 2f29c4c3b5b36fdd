//! The command line: from words to one typed [`CommandLine`].
//!
//! Reading has three steps, so that the order of options matters only where it has to (devices, globals,
//! and the last of several values):
//!
//! 1. every word is found in the table of options (`table.rs`); an unknown one ends it all;
//! 2. each option's argument is read, in order, into plain values;
//! 3. character devices, serial ports and monitors are brought together, and the defaults worked out.
//!
//! Nothing is done here: no file is opened but one that has options in it (`-readconfig`), no accelerator tried, no type looked up, nothing printed. What
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

mod absent;
mod boot;
mod build;
pub(crate) mod chardev;
mod compat;
mod config;
mod defaults;
mod device;
mod error;
pub(crate) mod groups;
mod help;
mod json;
mod machine;
mod monitor;
mod numa;
mod object;
mod process;
mod table;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

pub(crate) use boot::check_devices;
pub use chardev::ChardevError;
pub use defaults::stdio_conflict;
pub use error::{CommandLineError, ErrorKind, Report, Warning};
pub(crate) use help::log_items_help;
pub use help::{help_text, version_text};
pub(crate) use object::MONITOR_TYPES;

use crate::chardev::spec::{ChardevSpec, MonitorSpec};
use crate::main_loop::EscapeKey;
use crate::rtc::RtcConfig;
use crate::run_actions::RunActions;
use crate::smp::SmpConfiguration;
use crate::trace::LogOptions;

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
    /// Where each of them was asked for, by ID; those that nobody asked for have no place.
    pub chardev_places: HashMap<String, ChardevPlace>,
    /// Serial ports, the first one being COM1.
    pub serials: Vec<SerialSpec>,
    /// What begins a command to a shared character device: `-echr`.
    pub escape: EscapeKey,
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
    /// What happens when the guest powers off, resets, …: `-action`, `-no-shutdown`, `-no-reboot`.
    pub actions: RunActions,
    /// `-rtc`.
    pub rtc: RtcConfig,
    /// `-boot`.
    pub boot: BootOptions,
    /// Descriptors to put into sets, in order: `-add-fd`.
    pub add_fds: Vec<AddFd>,
    /// System calls to be refused: one for each `-sandbox on`.
    pub sandboxes: Vec<Sandbox>,
    /// `-overcommit mem-lock=`.
    pub memory_lock: MemoryLock,
    /// `-run-with exit-with-parent=`.
    pub exit_with_parent: bool,
    /// `-d`, `-D`, `-trace`.
    pub log: LogOptions,
    /// `-L`: where to look for firmware images, in order.
    pub data_directories: Vec<PathBuf>,
    /// `-preconfig`: the machine is made when a monitor says so.
    pub preconfig: bool,
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
    /// What is wrong with monitors, serial ports or a network, to be told once the machine's own options are judged: the
    /// trouble, then its consequences. If there is any, there is nothing in [`Self::monitors`] and [`Self::serials`], and the
    /// program does not start.
    pub late: Vec<Report>,
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
    /// Print this text and end with status 1, as QEMU does after the help of some options.
    PrintAndFail(String),
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
    /// Its type, if one is named.
    pub driver: Option<String>,
    /// Its ID. Of a device that is described in text it is well formed, and the only one among those.
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

/// Where a character device was asked for, for messages about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChardevPlace {
    /// The option as it was written.
    pub location: String,
    /// What follows if it cannot be opened, in words.
    pub consequence: Option<String>,
}

/// `-boot`: firmware is told the order, in the clock's memory; the rest is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootOptions {
    /// Devices to boot from, a letter each, none twice.
    pub order: Option<String>,
    /// The same, for the first boot only.
    pub once: Option<String>,
    /// Show a menu.
    pub menu: Option<bool>,
    /// A picture to show.
    pub splash: Option<String>,
    /// How long to show it, in milliseconds.
    pub splash_time: Option<i64>,
    /// When to boot again after a failure, in milliseconds; -1 for never.
    pub reboot_timeout: Option<i64>,
    /// Boot from nothing else.
    pub strict: Option<bool>,
}

/// `-add-fd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddFd {
    /// The descriptor's number, above 2. That it was inherited is not known yet.
    pub fd: i32,
    /// The set that gets a duplicate; none if it was left out, which is an error.
    pub set: Option<u32>,
    /// A text that describes it.
    pub opaque: Option<String>,
    /// The option for messages.
    pub location: String,
}

/// `-sandbox on`: which system calls are refused besides those that no emulator has a use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sandbox {
    /// Those that exist for old programs.
    pub obsolete: bool,
    /// Those that change the process's user and group.
    pub elevate_privileges: bool,
    /// Those that make processes and run programs.
    pub spawn: bool,
    /// Those that change priorities and affinities.
    pub resource_control: bool,
}

/// `-overcommit mem-lock=`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MemoryLock {
    /// Memory may be swapped.
    #[default]
    Off,
    /// All memory stays in RAM.
    On,
    /// All memory stays in RAM once it was touched.
    OnFault,
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
        Self::parse_with(words, config::read)
    }

    /// The same, with another way to read the files that options name (`-readconfig`, `-trace events=`).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with<I>(
        words: I,
        read: fn(&Path) -> std::io::Result<Vec<u8>>,
    ) -> Result<Self, CommandLineError>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        build::parse(&words, config::FileReader(read))
    }
}

#[cfg(test)]
mod tests;
