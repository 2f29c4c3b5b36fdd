//! A machine's life: connections are opened, the machine is made, the main loop runs, everything is closed.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use qmp::{Commands, Context, RunControl, ShutdownCause};
use qom::{Origin, Qom};

use crate::accel::KvmAccel;
use crate::chardev::{self, OpenError};
use crate::cmdline::{CommandLine, DeviceOption, SerialSpec};
use crate::commands::about::Identity;
use crate::commands::preconfig::Preconfig;
use crate::commands::registers::GUEST_CPUS;
use crate::devices::chardev_ends::{ChardevEnds, ChardevSource, ConnectError, InputSlot};
use crate::event_queue::EventQueue;
use crate::main_loop::{Consoles, MainLoop};
use crate::process::Process;
use crate::program::{
    Failure, add_devices, chardev_failure, machine_spec, read_objects, warn_of_unused_globals,
};
use crate::report::{self, Prefix};
use crate::serial::COM_PORTS;
use crate::startup::{self, Connections, PreparedMachine, StartError};
use crate::vm::Vm;

/// The chardevs of COM1 to COM4, from the serial ports that were asked for.
fn serial_chardevs(line: &CommandLine) -> Result<[Option<String>; COM_PORTS.len()], Failure> {
    let mut chardevs = [const { None }; COM_PORTS.len()];
    for (number, port) in line.serials.iter().enumerate() {
        let (SerialSpec::Chardev(id) | SerialSpec::OutputOf(id)) = port else { continue };
        match chardevs.get_mut(number) {
            Some(chardev) => *chardev = Some(id.clone()),
            None => {
                return Err(Failure::Option {
                    location: format!("-serial chardev:{id}"),
                    reason: "this board has four serial ports, COM1 to COM4".to_owned(),
                });
            }
        }
    }
    Ok(chardevs)
}

/// Puts a guest's console on a chardev.
fn connect(consoles: &Consoles, chardev: &str) -> Result<ChardevEnds, OpenError> {
    let input = InputSlot::default();
    let port = input.clone();
    let (output, attachment) = consoles.attach(chardev, Box::new(move |bytes| port.receive(bytes)))?;
    Ok(ChardevEnds { output: Box::new(output), input, attachment: Some(attachment) })
}

/// What a prepared machine is built with.
struct Building {
    connections: Connections,
    devices: Vec<DeviceOption>,
}

impl Building {
    /// Builds the machine with its devices.
    fn build(self, qom: &Arc<Qom>, prepared: PreparedMachine) -> Result<(), Failure> {
        let machine = prepared.build(qom, self.connections)?;
        add_devices(qom, self.devices)?;
        // Not before: it is told of all that the machine has.
        let board = machine.as_ref().and_then(|machine| machine.board());
        board.map_or(Ok(()), |board| board.load_kernel()).map_err(StartError::from)?;
        warn_of_unused_globals(qom);
        qom.pass_over_globals();
        if machine.is_some() && !startup::runs_guests(qom) {
            let accel = qom.accel().class().name().trim_end_matches("-accel").to_owned();
            let features = match qom.accel().downcast_ref::<KvmAccel>().and_then(KvmAccel::host_file) {
                Some(path) => format!("that the host file '{path}' gives"),
                None => "of TCG".to_owned(),
            };
            report::info(format_args!(
                "{accel}: CPUs have the features {features}, and no guest code is run"
            ));
        }
        Ok(())
    }
}

/// Starts a machine.
fn start(mut vm: Vm) {
    if let Err(error) = vm.cont() {
        report::error(error);
    }
}

/// Makes and runs the machine of a command line until it ends.
///
/// # Errors
/// [`Failure`]: why there is no machine. The end of a machine that ran is no failure.
pub(crate) fn run(qom: &Arc<Qom>, mut line: CommandLine, process: &mut Process) -> Result<(), Failure> {
    report::set_prefix(Prefix {
        timestamp: line.messages.timestamp,
        guest_name: line.name.guest.clone().filter(|_| line.messages.guest_name),
    });
    // All are looked at before the machine type is, and made after it is known, as in the reference.
    let objects = read_objects(qom, std::mem::take(&mut line.objects))?;
    startup::machine_class(qom, line.machine.type_name.as_deref())?;
    for object in objects {
        object.add(qom, Origin::CommandLine).map_err(|source| Failure::Object { source })?;
    }
    let io = |what: &str| {
        let what = what.to_owned();
        move |source| Failure::Io { what, source }
    };
    let mut main_loop = MainLoop::new().map_err(io("main loop"))?;
    main_loop.set_escape_key(line.escape);
    for asked in &line.chardevs {
        let mut chardev = asked.clone();
        // A console that shares a monitor's terminal: the monitor is attached last and so has the keys.
        chardev.mux |= line.serials.contains(&SerialSpec::OutputOf(chardev.id.clone()));
        let connection = main_loop
            .add_chardev(&chardev)
            .map_err(|error| chardev_failure(error, line.chardev_places.get(&asked.id)))?;
        chardev::object::show(qom, asked, connection).map_err(StartError::Object)?;
    }
    let (consoles, handle) = (main_loop.consoles(), main_loop.handle());
    let of_devices = consoles.clone();
    let chardevs = Arc::new(ChardevSource::new(
        Box::new(move |chardev| {
            connect(&of_devices, chardev).map_err(|error| match error {
                OpenError::InUse(_) => ConnectError::InUse,
                OpenError::TooManyUsers(_) => ConnectError::TooMany,
                _ => ConnectError::NotFound,
            })
        }),
        Arc::new(move || handle.console_has_room()),
    ));
    let serials = serial_chardevs(&line)?;
    for chardev in serials.iter().flatten() {
        chardevs.add(chardev, connect(&consoles, chardev).map_err(Failure::Chardev)?);
    }
    for monitor in &line.monitors {
        main_loop.add_monitor(monitor).map_err(Failure::Chardev)?;
    }
    let announce = |name: &str| report::info(format_args!("waiting for connection on: {name}"));
    main_loop.wait_for_clients(announce).map_err(io("waiting for a client"))?;

    let handle = main_loop.handle();
    let events = Arc::new(EventQueue::new(handle.clone()));
    let connections = Connections { serials, chardevs, events: Arc::new(move |event| events.push(event)) };
    let prepared = startup::prepare_machine(qom, machine_spec(&line))?;
    let mut context = Context::new(qom.clone(), Commands::linked()?);
    let kvm = startup::runs_guests(qom);
    let (machine, sender) = (prepared.machine().cloned(), context.events().clone());
    let vm = Vm::new(machine, kvm, line.actions, sender, main_loop.handle());
    context.insert::<Box<dyn RunControl>>(Box::new(vm.clone()));
    context.insert(vm.clone());
    context.insert(GUEST_CPUS);
    context.insert(Identity { name: line.name.guest.clone(), uuid: line.uuid.unwrap_or_default() });
    let devices = std::mem::take(&mut line.devices);
    let building = Building { connections, devices };
    let to_start = (!line.stopped).then(|| vm.clone());
    let failure: Rc<Cell<Option<Failure>>> = Rc::default();
    let start_now = if line.preconfig {
        let (failure, mut vm) = (failure.clone(), vm);
        context.set_preconfig(true);
        context.insert(Preconfig::new(prepared, move |context, prepared| {
            let qom = context.qom().clone();
            if let Err(error) = building.build(&qom, prepared) {
                let text = error.to_string();
                failure.set(Some(error));
                vm.shutdown(ShutdownCause::HostError);
                return Err(text);
            }
            if let Some(vm) = to_start {
                start(vm);
            }
            Ok(())
        }));
        None
    } else {
        building.build(qom, prepared)?;
        to_start
    };
    if let Some(vm) = start_now {
        start(vm);
    }
    process.ready(line.logs() && line.log.file.is_none())?;
    let outcome = main_loop.run(&mut context).map_err(io("main loop"));
    match failure.take() {
        Some(failure) => Err(failure),
        None => outcome,
    }
}
