//! The steps of reading, and the options that need no more than a few lines.

use std::collections::{HashMap, HashSet};

use qom::text::opts::{self, OptDescription, OptKind, Opts, OptsError};
use qom::text::parameter::ParameterError;
use qom::text::{keyval, number};

use super::config::FileReader;
use super::defaults::Terminal;
use super::device::Devices;
use super::error::{CommandLineError, ErrorKind, Failure, Warning};
use super::help::parameter;
use super::machine::MachineTree;
use super::monitor::Monitors;
use super::numa::NumaIds;
use super::object::Objects;
use super::process::{ProcessOptions, help_of};
use super::table::{self, OptionId, Support};
use super::{CommandLine, Request, compat};
use crate::chardev::spec::MonitorMode;
use crate::main_loop::EscapeKey;

/// One option as it was written.
struct Written<'a> {
    support: Support,
    /// Empty if the option takes none.
    argument: &'a str,
    location: String,
}

/// Everything on the way to a [`CommandLine`].
#[derive(Debug, Default)]
pub(super) struct Builder {
    pub(super) line: CommandLine,
    pub(super) machine: MachineTree,
    pub(super) monitors: Monitors,
    pub(super) devices: Devices,
    pub(super) objects: Objects,
    pub(super) numa_ids: NumaIds,
    pub(super) terminal: Terminal,
    pub(super) process: ProcessOptions,
    /// `-shim`, as it was written.
    pub(super) shim: Option<String>,
    /// `-rtc`, all of them.
    pub(super) rtc: Opts,
    /// IDs of audio that nothing is played on.
    pub(super) audiodevs: HashSet<String>,
    /// `-accel` with an ID: its place among the accelerators.
    pub(super) accelerator_ids: HashMap<String, usize>,
    pub(super) files: FileReader,
    /// What is wrong with the last `-vga`.
    vga: Option<ErrorKind>,
    /// What is wrong with the first `-net` or `-nic` that is.
    network: Option<Failure>,
}

/// `Some` ends the reading: there is something to print at once.
pub(super) type Step = Result<Option<Request>, Failure>;

pub(super) fn parse(words: &[String], files: FileReader) -> Result<CommandLine, CommandLineError> {
    let mut builder = Builder { files, ..Builder::default() };
    match builder.run(words) {
        Ok(()) => Ok(builder.line),
        Err(Failure(reports)) => {
            let CommandLine { warnings, messages, .. } = builder.line;
            Err(CommandLineError { warnings, reports, messages })
        }
    }
}

/// Finds every option in the table.
fn split(words: &[String]) -> Result<Vec<Written<'_>>, Failure> {
    let mut options = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(name) = word.strip_prefix('-') else {
            let support = Support::Refused("there are no disks");
            options.push(Written { support, argument: "", location: word.clone() });
            continue;
        };
        let name = name.strip_prefix('-').unwrap_or(name);
        let (support, takes_argument) =
            table::look_up(name).ok_or_else(|| Failure::at(word, ErrorKind::InvalidOption))?;
        options.push(if takes_argument {
            let argument = words.next().ok_or_else(|| Failure::at(word, ErrorKind::RequiresArgument))?;
            Written { support, argument, location: format!("{word} {argument}") }
        } else {
            Written { support, argument: "", location: word.clone() }
        });
    }
    Ok(options)
}

pub(super) const NAME_OPTIONS: &[OptDescription] = &[
    parameter("guest", OptKind::String, ""),
    parameter("process", OptKind::String, ""),
    parameter("debug-threads", OptKind::Bool, ""),
];

pub(super) const MESSAGE_OPTIONS: &[OptDescription] = &[
    parameter("timestamp", OptKind::Bool, "Puts the time in front of messages"),
    parameter("guest-name", OptKind::Bool, "Puts the guest's name in front of messages, if it has one"),
];

impl Builder {
    fn run(&mut self, words: &[String]) -> Result<(), Failure> {
        for option in split(words)? {
            let request = match option.support {
                Support::Provided(id) => self.option(id, option.argument, &option.location)?,
                Support::Refused(reason) => {
                    return Err(Failure::at(&option.location, ErrorKind::NotSupported { reason }));
                }
            };
            if let Some(request) = request {
                self.line.request = request;
                return Ok(());
            }
        }
        // The order is that in which QEMU finds errors.
        self.check_kernel()?;
        if let Some(request) = self.finish_process()? {
            self.line.request = request;
            return Ok(());
        }
        // Help about the machine comes first, then about CPUs, devices and character devices.
        let cpu_help = self.line.cpu.as_deref().is_some_and(keyval::is_help).then_some(Request::CpuHelp);
        let help =
            self.machine.help().or(cpu_help).or_else(|| self.devices.help()).or_else(|| self.monitors.help());
        if let Some(request) = help {
            self.line.request = request;
            self.machine.finish_for_help(&mut self.line);
            return Ok(());
        }
        self.finish_rtc()?;
        self.check_nographic()?;
        if let Some(error) = self.vga.take() {
            return Err(Failure::nowhere(error));
        }
        self.finish_chardevs()?;
        self.machine.finish(&mut self.line)?;
        // QEMU comes to these once there is a machine.
        let network = self.network.take().map_or(Ok(()), Err);
        let late = network
            .and_then(|()| self.finish_monitors())
            .and_then(|()| self.finish_serials())
            .and_then(|()| self.finish_debug_consoles());
        if let Err(Failure(reports)) = late {
            self.line.late = reports;
            self.line.monitors.clear();
            self.line.serials.clear();
            return Ok(());
        }
        self.devices.finish(&mut self.line);
        self.add_defaults()
    }

    fn option(&mut self, id: OptionId, argument: &str, location: &str) -> Step {
        let line = &mut self.line;
        match id {
            OptionId::Help => return Ok(Some(Request::Help)),
            OptionId::DumpHost => return Ok(Some(Request::DumpHost(argument.into()))),
            OptionId::Version => return Ok(Some(Request::Version)),
            OptionId::Machine => self.machine.machine(argument, location)?,
            OptionId::Smp => return self.machine.smp(argument, location),
            OptionId::Memory => return self.memory(argument, location),
            OptionId::EnableKvm => self.machine.enable_kvm(),
            OptionId::Accel => return self.accelerator(argument, location),
            OptionId::Cpu => line.cpu = Some(argument.to_owned()),
            OptionId::Device => self.device(argument, location)?,
            OptionId::Object => return self.object(argument, location),
            OptionId::Numa => self.numa(argument, location)?,
            OptionId::Global => return self.global(argument, location),
            OptionId::Name => self.name(argument, location)?,
            OptionId::Uuid => {
                line.uuid =
                    Some(uuid(argument).ok_or_else(|| Failure::at(location, ErrorKind::InvalidUuid))?);
            }
            OptionId::Bios => line.bios = Some(argument.into()),
            OptionId::Chardev => self.chardev(argument, location)?,
            OptionId::Serial => self.serial(argument, location),
            OptionId::Debugcon => self.debugcon(argument, location),
            OptionId::Monitor => {
                self.monitor(argument, location, MonitorMode::Readline)?;
            }
            OptionId::Qmp => self.qmp(argument, location, false)?,
            OptionId::QmpPretty => self.qmp(argument, location, true)?,
            OptionId::Mon => self.mon(argument, location)?,
            OptionId::Stopped => line.stopped = true,
            OptionId::NoShutdown => self.note_action("shutdown", "pause", location),
            OptionId::NoReboot => self.note_action("reboot", "shutdown", location),
            OptionId::Action => return self.action(argument, location),
            OptionId::WatchdogAction => self.note_action("watchdog", argument, location),
            OptionId::AddFd => return self.add_fd(argument, location),
            OptionId::Append => self.machine.property("append", argument),
            OptionId::Initrd => self.machine.property("initrd", argument),
            OptionId::Shim => self.shim = Some(location.to_owned()),
            OptionId::Kernel => self.machine.property("kernel", argument),
            OptionId::Audio => return self.audio(argument, location),
            OptionId::Audiodev => return self.audiodev(argument, location),
            OptionId::Boot => return self.machine.boot(argument, location),
            OptionId::LogFile => {
                if !is_log_file(argument) {
                    return Err(Failure::nowhere(ErrorKind::LogTemplate { path: argument.to_owned() }));
                }
                line.log.file = Some(argument.into());
            }
            OptionId::LogItems => self.log_items(argument),
            OptionId::DataDirectory if keyval::is_help(argument) => {
                let directories: String =
                    line.data_directories.iter().map(|path| format!("{}\n", path.display())).collect();
                return Ok(Some(Request::Print(directories)));
            }
            OptionId::DataDirectory => line.data_directories.push(argument.into()),
            OptionId::Overcommit => return self.overcommit(argument, location),
            OptionId::ReadConfig => self.read_config(argument, location)?,
            OptionId::Rtc => return self.rtc(argument, location),
            OptionId::RunWith => return self.run_with(argument, location),
            OptionId::Sandbox => return self.sandbox(argument, location),
            OptionId::Set => self.set(argument, location)?,
            OptionId::Trace => return self.trace(argument, location),
            OptionId::Preconfig => line.preconfig = true,
            OptionId::NoDefaults => line.no_defaults = true,
            OptionId::NoUserConfig => {}
            OptionId::Nographic => self.terminal.nographic = true,
            OptionId::Daemonize => line.daemonize = true,
            OptionId::Pidfile => line.pidfile = Some(argument.into()),
            OptionId::Message => return self.message(argument, location),
            OptionId::Echr => line.escape = EscapeKey::from_text(argument),
            OptionId::Compat => {
                compat::check(argument).map_err(|error| Failure::at(location, error))?;
            }
            OptionId::Seed => check_seed(argument).map_err(|error| Failure::at(location, error))?,
            OptionId::Display => return self.display(argument, location),
            OptionId::Vga if keyval::is_help(argument) => {
                return Ok(Some(Request::Print("none                 no graphic card\n".to_owned())));
            }
            OptionId::Vga => self.vga = vga(argument),
            OptionId::Parallel => {
                self.terminal.parallel_option = true;
                only_none(argument, location, "there is no parallel port")?;
            }
            OptionId::Net | OptionId::Nic => {
                if let Err(failure) = self.network(argument, location) {
                    self.network.get_or_insert(failure);
                }
            }
        }
        Ok(None)
    }

    /// Reads options whose keys are in a table, and keeps their warnings.
    pub(super) fn options(
        &mut self,
        argument: &str,
        implied_key: Option<&str>,
        table: &[OptDescription],
        location: &str,
    ) -> Result<Opts, Failure> {
        let opts = opts::parse(argument, implied_key);
        let checked = opts.check(table);
        self.warn_of(&opts, checked.as_ref().err(), location);
        checked.map_err(|error| Failure::at(location, error.error))?;
        Ok(opts)
    }

    /// Reads options of which there is one set for the whole command line, and so no ID.
    pub(super) fn common_options(
        &mut self,
        argument: &str,
        implied_key: Option<&str>,
        table: &[OptDescription],
        location: &str,
    ) -> Result<Opts, Failure> {
        if opts::parse(argument, implied_key).id.is_some() {
            return Err(Failure::at(location, ParameterError::Invalid { name: "id".to_owned() }));
        }
        self.options(argument, implied_key, table, location)
    }

    /// Keeps the warnings of options that have, or have not, an error.
    pub(super) fn warn_of(&mut self, opts: &Opts, error: Option<&OptsError>, location: &str) {
        for deprecation in opts.deprecations_before(error) {
            self.warn(location, deprecation.to_string());
        }
    }

    pub(super) fn warn(&mut self, location: &str, text: String) {
        self.warn_at(Some(location), text);
    }

    pub(super) fn warn_at(&mut self, location: Option<&str>, text: String) {
        self.line.warnings.push(Warning { location: location.map(str::to_owned), text });
    }

    fn name(&mut self, argument: &str, location: &str) -> Result<(), Failure> {
        let opts = self.common_options(argument, Some("guest"), NAME_OPTIONS, location)?;
        self.name_opts(&opts, location);
        Ok(())
    }

    pub(super) fn name_opts(&mut self, opts: &Opts, location: &str) {
        let name = &mut self.line.name;
        let given = |key: &str, old: Option<String>| opts.get(key).map(str::to_owned).or(old);
        name.guest = given("guest", name.guest.take());
        name.process = given("process", name.process.take());
        if let Ok(Some(false)) = opts.get_bool("debug-threads") {
            let text =
                "Ignoring deprecated 'debug-threads=no' option, thread naming is unconditionally enabled";
            self.warn(location, text.to_owned());
        }
    }

    fn message(&mut self, argument: &str, location: &str) -> Step {
        let opts = self.options(argument, None, MESSAGE_OPTIONS, location)?;
        if opts.help {
            return Ok(help_of("msg", MESSAGE_OPTIONS));
        }
        self.message_opts(&opts);
        Ok(None)
    }

    pub(super) fn message_opts(&mut self, opts: &Opts) {
        let messages = &mut self.line.messages;
        if let Ok(Some(timestamp)) = opts.get_bool("timestamp") {
            messages.timestamp = timestamp;
        }
        if let Ok(Some(guest_name)) = opts.get_bool("guest-name") {
            messages.guest_name = guest_name;
        }
    }
}

/// Judges `-seed`. Random numbers that it could fix are given to no guest.
fn check_seed(text: &str) -> Result<(), ErrorKind> {
    if text.trim_ascii_start().starts_with('-') || number::unsigned(text).is_err() {
        return Err(ErrorKind::InvalidSeed { text: text.to_owned() });
    }
    Ok(())
}

/// Whether a log file's name has at most one place for the process's number, and no other.
fn is_log_file(name: &str) -> bool {
    match name.split_once('%') {
        None => true,
        Some((_, rest)) => rest.strip_prefix('d').is_some_and(|rest| !rest.contains('%')),
    }
}

fn only_none(argument: &str, location: &str, reason: &'static str) -> Result<(), Failure> {
    if argument == "none" { Ok(()) } else { Err(Failure::at(location, ErrorKind::NotSupported { reason })) }
}

/// Graphics cards that QEMU has, by option and by name.
const CARDS: &[(&str, &str)] = &[
    ("std", "standard VGA"),
    ("cirrus", "Cirrus VGA"),
    ("vmware", "VMWare SVGA"),
    ("virtio", "Virtio VGA"),
    ("qxl", "QXL VGA"),
    ("tcx", "TCX framebuffer"),
    ("cg3", "CG3 framebuffer"),
];

fn vga(argument: &str) -> Option<ErrorKind> {
    if argument == "none" {
        return None;
    }
    let card = CARDS.iter().find(|(name, _)| *name == argument);
    Some(match card {
        Some((_, card)) => ErrorKind::VgaNotAvailable { card },
        None => ErrorKind::UnknownVga { name: argument.to_owned() },
    })
}

/// Reads `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
fn uuid(text: &str) -> Option<[u8; 16]> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    let text = text.as_bytes();
    if text.len() != 36 || DASHES.iter().any(|&place| text[place] != b'-') {
        return None;
    }
    let mut digits =
        text.iter().enumerate().filter(|(place, _)| !DASHES.contains(place)).map(|(_, digit)| *digit);
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        let mut digit = || char::from(digits.next()?).to_digit(16);
        *byte = u8::try_from(digit()? * 16 + digit()?).ok()?;
    }
    Some(bytes)
}
