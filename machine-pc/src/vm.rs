//! The virtual machine as the main loop and the monitors see it: its run state, and what happens when a guest asks
//! for something.
//!
//! Everything here runs on the main loop's thread. vCPU threads report [`VmEvent`]s; [`Vm::handle`] acts on them. The
//! state changes and their events (`STOP`, `RESUME`, `RESET`, `SHUTDOWN`) happen in this one place, whoever caused them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use qmp::{EventSender, EventType, KvmInfo, RunControl, RunState, ShutdownCause, events};
use qom::{Device, Obj};
use serde::Serialize;

use crate::machine::PcMachine;
use crate::machine::board::Board;
use crate::main_loop::Handle;
use crate::rtc_watch::{RtcChange, RtcWatch};
use crate::run_actions::{RebootAction, RunActions, ShutdownAction};
use crate::vcpu_watch::VcpuWatch;
use crate::vm_event::VmEvent;

#[derive(Debug)]
struct Inner {
    machine: Option<Obj<PcMachine>>,
    kvm: bool,
    actions: Cell<RunActions>,
    events: EventSender,
    state: Cell<RunState>,
    shutdown: Cell<Option<ShutdownCause>>,
    vcpus: Arc<VcpuWatch>,
    rtc: RtcWatch,
    main_loop: Handle,
}

/// A handle on the virtual machine; clones are of the same one.
#[derive(Debug, Clone)]
pub struct Vm(Rc<Inner>);

/// The guest's operating system has reported on a CPU that was plugged or is to go: it has executed the method `_OST` of its slot
/// (QAPI `ACPI_DEVICE_OST`). At most 1,000 a second are told.
#[derive(Debug, Serialize, qmp::QapiType)]
struct AcpiDeviceOst {
    /// What it has reported.
    info: OstInfo,
}

impl EventType for AcpiDeviceOst {
    const NAME: &'static str = "ACPI_DEVICE_OST";
}
qmp::register_event!(AcpiDeviceOst);

/// What the guest reported last on a slot (QAPI `ACPIOSTInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
pub struct OstInfo {
    /// The id of the CPU in the slot; absent if there is none or it has no id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// What it reports on: ACPI's source event (ACPI 6.5, 6.3.5), 0 if it has reported nothing.
    pub source: u32,
    /// How that went: ACPI's status code, 0 for success or if it has reported nothing.
    pub status: u32,
    /// The slot's number, as text.
    pub slot: String,
    /// What stands in the slot: always `CPU`.
    #[serde(rename = "slot-type")]
    pub slot_type: AcpiSlotType,
}

/// What stands in a slot (QAPI `ACPISlotType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
pub enum AcpiSlotType {
    /// Memory; no machine here has such slots.
    #[serde(rename = "DIMM")]
    Dimm,
    /// A CPU.
    #[serde(rename = "CPU")]
    Cpu,
}

/// Says why the machine could not be stopped.
fn report_stop<T>(stopped: Result<T, qmp::Error>) -> Option<T> {
    stopped.map_err(|error| crate::report::error(format_args!("cannot stop the machine: {error}"))).ok()
}

impl Vm {
    /// A machine that has not run, served by the loop of `main_loop`. Without `machine` there is nothing to run.
    pub fn new(
        machine: Option<Obj<PcMachine>>,
        kvm: bool,
        actions: RunActions,
        events: EventSender,
        main_loop: Handle,
    ) -> Self {
        let vcpus = Arc::new(VcpuWatch::new(events.clone(), main_loop.clone()));
        if let Some(machine) = &machine {
            machine.watch_lives(vcpus.clone());
        }
        Self(Rc::new(Inner {
            vcpus,
            rtc: RtcWatch::new(events.clone(), main_loop.clone()),
            main_loop,
            machine,
            kvm,
            actions: Cell::new(actions),
            events,
            state: Cell::new(RunState::Prelaunch),
            shutdown: Cell::new(None),
        }))
    }

    fn board(&self) -> Option<&Board> {
        self.0.machine.as_ref()?.board().map(|board| &**board)
    }

    /// The PC, if the machine is one.
    pub fn machine(&self) -> Option<&Obj<PcMachine>> {
        self.0.machine.as_ref()
    }

    /// Who tells of changes of the clock.
    pub(crate) fn rtc_watch(&self) -> &RtcWatch {
        &self.0.rtc
    }

    /// Why the program is to end, once it is.
    pub fn shutdown_cause(&self) -> Option<ShutdownCause> {
        self.0.shutdown.get()
    }

    /// What was reported last for a slot.
    pub fn ost_info(&self, slot: u32) -> OstInfo {
        let status = self.board().and_then(|board| board.cpu_hotplug().status(slot)).unwrap_or_default();
        OstInfo {
            device: self.cpu_in(slot).and_then(|cpu| cpu.id()),
            source: status.ost_event,
            status: status.ost_status,
            slot: slot.to_string(),
            slot_type: AcpiSlotType::Cpu,
        }
    }

    fn cpu_in(&self, slot: u32) -> Option<Obj<Device>> {
        let cpus = self.0.machine.as_ref()?.possible_cpus()?;
        Obj::new(cpus.get(usize::try_from(slot).ok()?)?.cpu()?).ok()
    }

    /// Holds the guest, if it runs; whether it did.
    fn hold(&self) -> Result<bool, qmp::Error> {
        if self.0.state.get() != RunState::Running {
            return Ok(false);
        }
        if let Some(board) = self.board() {
            board.pause().map_err(qmp::Error::generic)?;
        }
        if let Some(seat) = self.board().and_then(Board::seat) {
            seat.set_running(false);
        }
        Ok(true)
    }

    /// Stops a machine that runs. Another stays as it is.
    fn pause(&self, state: RunState) -> Result<(), qmp::Error> {
        if self.hold()? {
            self.0.events.emit(&events::Stop);
            self.0.state.set(state);
        }
        Ok(())
    }

    /// What is done where the user has a choice.
    pub fn actions(&self) -> RunActions {
        self.0.actions.get()
    }

    /// Says what is to be done from now on.
    pub fn set_actions(&self, actions: RunActions) {
        self.0.actions.set(actions);
    }

    /// Whether what a guest asked for comes too late: the program ends, or the guest has switched the machine off before.
    fn is_too_late(&self, event: &VmEvent) -> bool {
        let of_a_running_guest = matches!(
            event,
            VmEvent::ResetRequest(_)
                | VmEvent::ShutdownRequest
                | VmEvent::SuspendToDisk
                | VmEvent::InternalError { .. }
        );
        self.0.shutdown.get().is_some() || (self.0.state.get() == RunState::Shutdown && of_a_running_guest)
    }

    /// Acts on what a vCPU reported, unless it has been decided meanwhile that the machine is off.
    pub fn handle(&self, event: VmEvent) {
        if self.is_too_late(&event) {
            tracing::debug!(?event, "too late");
            return;
        }
        match event {
            VmEvent::ResetRequest(cause) => {
                tracing::debug!(?cause, "the guest resets the machine");
                self.reset_or_shut_down(ShutdownCause::GuestReset);
            }
            VmEvent::ShutdownRequest => self.shut_down(ShutdownCause::GuestShutdown),
            VmEvent::SuspendToDisk => {
                self.0.events.emit(&events::SuspendDisk);
                self.shut_down(ShutdownCause::GuestShutdown);
            }
            VmEvent::RtcChange { offset } => {
                tracing::debug!(offset, "the guest sets the clock");
                if let Some(clock) = self.machine().and_then(|machine| machine.clock()) {
                    self.0.rtc.changed(&RtcChange { offset, qom_path: clock.canonical_path() });
                }
            }
            VmEvent::InternalError { cpu_index, detail } => {
                crate::report::error(format_args!("CPU {cpu_index}: KVM internal error: {detail}"));
                self.fail();
            }
            VmEvent::CpuEject { slot } => self.eject(slot),
            VmEvent::CpuOst { slot, source_event, status } => {
                let info = OstInfo { source: source_event, status, ..self.ost_info(slot) };
                self.0.events.emit(&AcpiDeviceOst { info });
                if let Some(machine) = self.machine() {
                    machine.vcpu_reported(slot, source_event, status);
                }
            }
            VmEvent::CpuSeen { slot } => {
                if let Some(machine) = self.machine() {
                    machine.vcpu_seen(slot);
                }
            }
            VmEvent::CpuStarted { slot } => {
                if let Some(machine) = self.machine() {
                    machine.vcpu_started(slot);
                }
            }
        }
    }

    /// A vCPU's state has lasted for `wait`, which is as long as it is waited for.
    pub(crate) fn vcpu_wait_is_over(&self, slot: u32, wait: Duration) {
        if self.0.state.get() != RunState::Running {
            self.0.vcpus.hold(slot, wait);
        } else if let Some(machine) = self.machine() {
            machine.vcpu_timeout(slot);
        }
    }

    /// The guest cannot go on, whether it runs or not.
    fn fail(&self) {
        let _ = report_stop(self.pause(RunState::InternalError));
        self.0.state.set(RunState::InternalError);
    }

    /// Ends the program, or stops the machine where the user wants that.
    fn shut_down(&self, cause: ShutdownCause) {
        self.0.events.emit(&events::Shutdown::new(cause));
        match self.0.actions.get().shutdown {
            ShutdownAction::Pause => {
                let _ = report_stop(self.pause(RunState::Shutdown));
            }
            ShutdownAction::Poweroff => {
                // Nobody is told of a stop: what is told last is why the program ends.
                if report_stop(self.hold()) == Some(true) {
                    self.0.state.set(RunState::Shutdown);
                }
                self.0.shutdown.set(Some(cause));
            }
        }
    }

    /// Resets the machine, or shuts it down where the user wants that.
    fn reset_or_shut_down(&self, cause: ShutdownCause) {
        match self.0.actions.get().reboot {
            RebootAction::Reset => self.reset(cause),
            RebootAction::Shutdown => self.shut_down(cause),
        }
    }

    fn reset(&self, cause: ShutdownCause) {
        let result = self.0.machine.as_ref().map_or(Ok(()), |machine| machine.reset());
        self.0.events.emit(&events::Reset::new(cause));
        if let Err(error) = result {
            crate::report::error(format_args!("cannot reset the machine: {error}"));
            self.fail();
            return;
        }
        // One that stands is as before its start, and can go on where it could only be reset.
        if self.0.state.get() != RunState::Running {
            self.0.state.set(RunState::Prelaunch);
        }
    }

    /// The guest let go of the CPU in a slot.
    fn eject(&self, slot: u32) {
        let Some(cpu) = self.cpu_in(slot) else { return };
        let (device, path) = (cpu.id(), cpu.as_object().canonical_path());
        match Device::unplug(&cpu) {
            Ok(()) => {
                self.0.events.emit(&events::DeviceDeleted { device, path });
                self.reap_later();
            }
            Err(error) => crate::report::error(format_args!("cannot remove {path}: {error}")),
        }
    }
}

impl Vm {
    /// Has vCPU threads that end waited for when clients have been told that their CPUs are gone, and before the next command.
    fn reap_later(&self) {
        self.0.main_loop.post(|context| {
            if let Some(vm) = context.get::<Vm>().and_then(|vm| vm.board()?.vm()) {
                vm.reap();
            }
        });
    }
}

impl RunControl for Vm {
    fn state(&self) -> RunState {
        self.0.state.get()
    }

    fn stop(&mut self) -> Result<(), qmp::Error> {
        self.pause(RunState::Paused)
    }

    fn cont(&mut self) -> Result<(), qmp::Error> {
        match self.0.state.get() {
            RunState::Running => return Ok(()),
            RunState::InternalError | RunState::Shutdown => {
                return Err(qmp::Error::generic("Resetting the Virtual Machine is required"));
            }
            _ => {}
        }
        self.0.state.set(RunState::Running);
        self.0.events.emit(&events::Resume);
        self.0.vcpus.release();
        if let Some(board) = self.board() {
            board.resume();
        }
        if let Some(seat) = self.board().and_then(Board::seat) {
            seat.set_running(true);
        }
        Ok(())
    }

    fn reset(&mut self, cause: ShutdownCause) {
        self.reset_or_shut_down(cause);
    }

    fn powerdown(&mut self) {
        self.0.events.emit(&events::Powerdown);
        if let Some(board) = self.board() {
            board.powerdown();
        }
    }

    fn shutdown(&mut self, cause: ShutdownCause) {
        if self.0.shutdown.get().is_none() {
            // Who says so means the program, whatever a guest's shutdown does.
            self.0.actions.set(RunActions { shutdown: ShutdownAction::Poweroff, ..self.0.actions.get() });
            self.shut_down(cause);
        }
    }

    fn is_shutting_down(&self) -> bool {
        self.0.shutdown.get().is_some()
    }

    fn kvm(&self) -> KvmInfo {
        KvmInfo { enabled: self.0.kvm, present: true }
    }
}

#[cfg(test)]
mod tests {
    use qmp::{Commands, Context};

    use super::*;
    use crate::main_loop::MainLoop;
    use crate::vm_event::ResetCause;

    /// A machine without hardware that runs, and where its events come out.
    fn running(actions: RunActions) -> (MainLoop, Context, Vm) {
        let types = qom::Bootstrap::empty();
        let accel = types.create("container").unwrap();
        let qom = types.accel_ready(accel).unwrap().seal().unwrap();
        let context = Context::new(qom, Commands::linked().unwrap());
        let main_loop = MainLoop::new().unwrap();
        let mut vm = Vm::new(None, false, actions, context.events().clone(), main_loop.handle());
        vm.cont().unwrap();
        let _ = context.event_queue().take();
        (main_loop, context, vm)
    }

    fn told(context: &Context) -> Vec<&'static str> {
        context.event_queue().take().iter().map(qmp::Event::name).collect()
    }

    /// All that a guest can say that changes the state, as it may stand in the queue.
    fn everything() -> [VmEvent; 5] {
        [
            VmEvent::ShutdownRequest,
            VmEvent::ResetRequest(ResetCause::TripleFault),
            VmEvent::SuspendToDisk,
            VmEvent::InternalError { cpu_index: 0, detail: String::new() },
            VmEvent::RtcChange { offset: 1 },
        ]
    }

    #[test]
    fn what_comes_after_the_decision_to_end_changes_nothing() {
        let no_reboot = RunActions { reboot: RebootAction::Shutdown, ..RunActions::default() };
        let reset = VmEvent::ResetRequest(ResetCause::ResetPort);
        for (actions, first, cause) in [
            (RunActions::default(), VmEvent::ShutdownRequest, ShutdownCause::GuestShutdown),
            (no_reboot, reset, ShutdownCause::GuestReset),
        ] {
            let (_main_loop, context, vm) = running(actions);
            vm.handle(first);
            assert_eq!(told(&context), ["SHUTDOWN"]);
            for late in everything() {
                vm.handle(late);
            }
            assert_eq!(told(&context), [""; 0]);
            assert_eq!((vm.state(), vm.shutdown_cause()), (RunState::Shutdown, Some(cause)));
        }
    }

    #[test]
    fn a_machine_that_stays_off_is_off() {
        let stays = RunActions { shutdown: ShutdownAction::Pause, ..RunActions::default() };
        let (_main_loop, context, mut vm) = running(stays);
        vm.handle(VmEvent::ShutdownRequest);
        assert_eq!(told(&context), ["SHUTDOWN", "STOP"]);
        for late in everything() {
            vm.handle(late);
        }
        assert_eq!(told(&context), [""; 0]);
        assert_eq!((vm.state(), vm.shutdown_cause()), (RunState::Shutdown, None));
        // A reset by the user is none of the guest's, and after it the guest is heard again.
        RunControl::reset(&mut vm, ShutdownCause::HostQmpSystemReset);
        vm.cont().unwrap();
        vm.handle(VmEvent::ShutdownRequest);
        assert_eq!(told(&context), ["RESET", "RESUME", "SHUTDOWN", "STOP"]);
    }
}
