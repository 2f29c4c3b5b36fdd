//! The program: from its arguments to its exit status.
//!
//! The order is that of [`crate::startup`]. Nothing is printed on standard output but what was asked for; everything else goes to
//! standard error after the program's name. Errors end the program with status 1.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use qmp::device::{AddDevice, Form};
use qom::user_creatable::NewObject;
use qom::{Origin, Qom};
use serde_json::{Map, Value};
use target_i386::cpu::{CpuModels, cpu_models};

use crate::accel::{AccelChoice, AccelError};
use crate::chardev::{OpenError, fd_set};
use crate::cmdline::{
    ChardevPlace, CommandLine, DeviceOption, DeviceProperties, MONITOR_TYPES, ObjectOption, Request,
    help_text, version_text,
};
use crate::process::{Process, ProcessError};
use crate::report::{self, PROGRAM};
use crate::startup::{self, MachineSpec, StartError};
use crate::{listings, run};

/// The version of QEMU that the program answers as.
const QEMU_VERSION: &str = "11.1.2";

/// Runs the program with the words after its name.
pub fn main(words: impl IntoIterator<Item = String>) -> ExitCode {
    let line = match CommandLine::parse(words) {
        Ok(line) => line,
        Err(error) => {
            let _ = write!(std::io::stderr(), "{}", error.report(PROGRAM));
            return ExitCode::FAILURE;
        }
    };
    for warning in &line.warnings {
        report::error(warning);
    }
    match execute(line) {
        Ok(()) => ExitCode::SUCCESS,
        // Why was reported for each accelerator on its own.
        Err(Failure::Start(StartError::Accel(AccelError::None))) => ExitCode::FAILURE,
        Err(Failure::Help) => ExitCode::FAILURE,
        Err(failure) => {
            report::error(failure);
            ExitCode::FAILURE
        }
    }
}

/// Why the program ends with status 1.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The machine cannot be made.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An option that asks for something that is not there, or a device that cannot be made.
    #[error("{location}: {reason}")]
    Option {
        /// The option as it was written.
        location: String,
        /// Why.
        reason: String,
    },
    /// An object of `-object` that cannot be made. As in the reference, the option is not named.
    #[error("{source}{}", report::hint(source.hint()))]
    Object {
        /// Why.
        source: qom::user_creatable::AddError,
    },
    /// The process cannot be what is asked for.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Nothing can be logged.
    #[error(transparent)]
    Log(#[from] crate::trace::LogError),
    /// Help was printed, and that is all that can be done.
    #[error("nothing but help was asked for")]
    Help,
    /// A file or socket.
    #[error("{what}: {}", crate::os_error::text(source))]
    Io {
        /// What was to be done.
        what: String,
        /// What the host said.
        source: std::io::Error,
    },
    /// A character device, or a user of one.
    #[error(transparent)]
    Chardev(OpenError),
    /// Two monitor commands of one name: a mistake in the program.
    #[error(transparent)]
    Commands(#[from] qmp::DuplicateCommand),
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|source| Failure::Io { what: "standard output".to_owned(), source })
}

/// Writes what this machine's KVM supports.
fn dump_host(path: &Path) -> Result<(), Failure> {
    let host = crate::accel::record_host().map_err(StartError::Accel)?;
    let failed = |source| Failure::Io { what: path.display().to_string(), source };
    let text = host.to_json().map_err(|error| failed(error.into()))? + "\n";
    if path.as_os_str() == "-" { print(&text) } else { std::fs::write(path, text).map_err(failed) }
}

/// Which accelerators to try, in order.
fn accelerators(line: &CommandLine) -> Vec<AccelChoice> {
    // Machine types are the same under all of them, so the host is not asked and a wrong one does not matter.
    if matches!(line.request, Request::MachineHelp | Request::MachineTypeHelp) {
        return vec![tcg()];
    }
    line.accelerators
        .iter()
        .map(|accel| AccelChoice {
            name: accel.name.clone(),
            properties: accel.properties.clone(),
            location: accel.location.clone(),
        })
        .collect()
}

/// The types under the accelerator that is asked for. Where only help is wanted and that one is of no use, the types that
/// there are without: QEMU prints help before it looks at accelerators.
fn object_system(line: &CommandLine) -> Result<Arc<Qom>, StartError> {
    let choices = accelerators(line);
    if line.request == Request::Run {
        return startup::accel_ready(&choices, report::error);
    }
    match startup::accel_ready(&choices, |_| ()) {
        Err(StartError::Accel(AccelError::None | AccelError::Property { .. })) => {
            startup::accel_ready(&[tcg()], report::error)
        }
        outcome => outcome,
    }
}

fn tcg() -> AccelChoice {
    AccelChoice { name: "tcg".to_owned(), properties: Vec::new(), location: None }
}

fn execute(line: CommandLine) -> Result<(), Failure> {
    match &line.request {
        Request::Help => return print(&help_text(PROGRAM, QEMU_VERSION)),
        Request::Version => return print(&version_text(PROGRAM, QEMU_VERSION)),
        Request::Print(text) => return print(text),
        Request::PrintAndFail(text) => return print(text).and(Err(Failure::Help)),
        Request::DumpHost(path) => return dump_host(path),
        Request::AcceleratorHelp => return print(&listings::accelerators()),
        _ => {}
    }
    add_fds(&line)?;
    crate::trace::start(&line.log)?;
    let mut process = match line.request {
        Request::Run => Some(Process::start(&line)?),
        _ => None,
    };
    let qom = object_system(&line)?;
    if let Some(models) = cpu_models(&qom) {
        models.set_warning_sink(Arc::new(|text| report::warning(text)));
    }
    let listed = match &line.request {
        Request::CpuHelp => print(&cpu_models(&qom).map(CpuModels::help).unwrap_or_default()),
        Request::MachineHelp => print(&listings::machines(&qom)),
        Request::MachineTypeHelp => {
            let name = line.machine.type_name.as_deref().unwrap_or("pc");
            match listings::machine_properties(&qom, name) {
                Some(text) => print(&text),
                None => Err(StartError::UnknownMachine(name.to_owned()).into()),
            }
        }
        Request::ObjectHelp => print(&qmp::object::types_help(&qom, &MONITOR_TYPES)),
        Request::ObjectTypeHelp { type_name, location } => match qmp::object::type_help(&qom, type_name) {
            Some(text) => print(&text),
            None => Err(Failure::Option {
                location: location.clone(),
                reason: format!("Parameter 'qom-type' does not accept value '{type_name}'"),
            }),
        },
        Request::DeviceHelp => print(&listings::devices(&qom, listings::Listed::UserCreatable)),
        Request::DeviceTypeHelp { driver } => match listings::device_properties(&qom, driver) {
            Some(text) => print(&text),
            None => Err(Failure::Option {
                location: format!("-device {driver},help"),
                reason: format!("'{driver}' is not a valid device model name"),
            }),
        },
        _ => {
            return match &mut process {
                Some(process) => run::run(&qom, line, process),
                None => Ok(()),
            };
        }
    };
    // The process ends: to take all types apart would be a fifth of its time.
    std::mem::forget(qom);
    listed
}

/// A character device cannot be opened. If more follows from that, it is the failure, and the reason is told at once.
pub(crate) fn chardev_failure(error: OpenError, place: Option<&ChardevPlace>) -> Failure {
    let Some(ChardevPlace { location, consequence }) = place else { return Failure::Chardev(error) };
    let failure = |reason| Failure::Option { location: location.clone(), reason };
    match consequence {
        None => failure(error.to_string()),
        Some(consequence) => {
            report::error(failure(error.to_string()));
            failure(consequence.clone())
        }
    }
}

/// Puts inherited descriptors into their sets.
fn add_fds(line: &CommandLine) -> Result<(), Failure> {
    for added in &line.add_fds {
        fd_set::add(added.fd, added.set, added.opaque.clone()).map_err(|error| Failure::Option {
            location: added.location.clone(),
            reason: error.to_string(),
        })?;
    }
    fd_set::close_originals(line.add_fds.iter().map(|added| added.fd));
    Ok(())
}

/// The firmware image of `-bios`: the file of that path, or the first of that name in the directories of `-L`.
fn firmware(line: &CommandLine) -> Option<PathBuf> {
    let path = line.bios.as_ref()?;
    if path.exists() {
        return Some(path.clone());
    }
    let found = line.data_directories.iter().map(|directory| directory.join(path)).find(|path| path.exists());
    Some(found.unwrap_or_else(|| path.clone()))
}

/// The part of the command line that the machine is made from.
pub(crate) fn machine_spec(line: &CommandLine) -> MachineSpec {
    MachineSpec {
        machine: line.machine.type_name.clone(),
        properties: line.machine.properties.clone(),
        cpu: line.cpu.clone(),
        smp: line.smp.clone(),
        ram_size: line.memory_size,
        firmware: firmware(line),
        late: line.late.iter().map(ToString::to_string).collect(),
        rtc: line.rtc,
        boot: (&line.boot).into(),
        numa: line.numa.clone(),
        globals: line
            .globals
            .iter()
            .map(|global| (global.driver.clone(), global.property.clone(), global.value.clone()))
            .collect(),
    }
}

/// Holds the objects of the command line against their types.
///
/// # Errors
/// The first that is wrong, with its option.
pub(crate) fn read_objects(qom: &Qom, objects: Vec<ObjectOption>) -> Result<Vec<NewObject>, Failure> {
    let read = |ObjectOption { values, form, location }| {
        NewObject::read(qom, values, form).map_err(|error| {
            let reason = format!("{error}{}", report::hint(error.hint()));
            Failure::Option { location, reason }
        })
    };
    objects.into_iter().map(read).collect()
}

/// Makes the devices of the command line.
///
/// # Errors
/// The first that cannot be made, with its option.
pub(crate) fn add_devices(qom: &Qom, devices: Vec<DeviceOption>) -> Result<(), Failure> {
    for device in devices {
        let mut members = Map::new();
        for (name, text) in [("driver", device.driver), ("id", device.id)] {
            members.extend(text.map(|text| (name.to_owned(), Value::from(text))));
        }
        let form = match device.properties {
            DeviceProperties::Text(properties) => {
                members.extend(properties.into_iter().map(|(name, value)| (name, Value::from(value))));
                Form::Keyval
            }
            DeviceProperties::Json(properties) => {
                members.extend(properties);
                Form::Json
            }
        };
        let how = AddDevice { form, origin: Origin::CommandLine, hotplug: false };
        report::at(&device.location, || qmp::device::add(qom, members, how))
            .map_err(|error| Failure::Option { location: device.location, reason: error.to_string() })?;
    }
    Ok(())
}

/// Warns of global properties that concern no device that there is.
pub(crate) fn warn_of_unused_globals(qom: &Qom) {
    for warning in qom.global_warnings() {
        report::warning(warning);
    }
}
