//! What a reset of the machine resets: the devices on the main system bus and all below them, what is no device, the CPUs.
//!
//! All of it goes through the three phases of [`qom::reset`], from one container that hangs in no tree (as the
//! reference's). The board stops its vCPUs before and lets them run after; nothing here does.

use std::sync::{Arc, OnceLock};

use qom::reset::{ResetError, ResetState, reset};
use qom::{
    Bus, Device, Error, Instance, Obj, Object, ObjectCore, Qom, ResetType, Resettable, ResettableContainer,
};
use qom_derive::Object;
use target_i386::cpu::{Cpu, CpuRunner};

use super::board::Board;

/// Resets by a function what is no device: the chips inside KVM, all at once, the kernel in memory, and what firmware boots from.
#[derive(Debug, Object)]
#[object(name = "legacy-reset", interfaces(dyn Resettable))]
pub struct LegacyReset {
    parent: ObjectCore,
    board: OnceLock<Arc<Board>>,
    #[object(default = ResetState::default())]
    state: ResetState,
}

impl Resettable for LegacyReset {
    fn reset_state(&self) -> &ResetState {
        &self.state
    }

    fn reset_children(&self) -> Vec<Arc<dyn Object>> {
        Vec::new()
    }

    fn reset_enter(&self, _: ResetType) {}

    fn reset_hold(&self, _: ResetType) {
        if let Some(board) = self.board.get() {
            board.reset_rest();
        }
    }

    fn reset_exit(&self, _: ResetType) {}
}

/// The root of what is reset with the machine.
#[derive(Debug)]
pub struct MachineReset {
    root: Obj<ResettableContainer>,
    /// Members are not kept alive by the container.
    _hardware: Obj<LegacyReset>,
}

impl MachineReset {
    /// The devices on the main system bus and the board's hardware; CPUs come as they are plugged.
    ///
    /// # Errors
    /// A type that is not registered: a mistake in the program.
    pub fn new(qom: &Qom, system_bus: &Obj<Bus>, board: &Arc<Board>) -> Result<Self, Error> {
        let root = qom.create_of::<ResettableContainer>()?;
        let hardware = qom.create_of::<LegacyReset>()?;
        // It is new, so nothing is there.
        let _ = hardware.board.set(board.clone());
        for member in [system_bus.as_object(), hardware.as_object()] {
            ResettableContainer::add(&root, member).map_err(Error::new)?;
        }
        Ok(Self { root, _hardware: hardware })
    }

    /// A CPU was plugged: it is reset with the machine, by the board's vCPU.
    ///
    /// # Errors
    /// The CPU is on a bus; then nothing changed.
    pub fn add_cpu(&self, cpu: &Obj<Cpu>, board: &Arc<Board>, apic_id: u32) -> Result<(), ResetError> {
        cpu.set_runner(Some(Arc::new(Runner { board: board.clone(), apic_id })));
        let added = ResettableContainer::add(&self.root, cpu.as_object());
        if added.is_err() {
            cpu.set_runner(None);
        }
        added
    }

    /// A CPU is unplugged.
    pub fn remove_cpu(&self, cpu: &Obj<Cpu>) {
        ResettableContainer::remove(&self.root, cpu.as_object());
        cpu.set_runner(None);
    }

    /// A device without a bus is reset with the machine.
    ///
    /// # Errors
    /// The device is on a bus; then nothing changed.
    pub fn add_device(&self, device: &Obj<Device>) -> Result<(), ResetError> {
        ResettableContainer::add(&self.root, device.as_object())
    }

    /// A device without a bus goes.
    pub fn remove_device(&self, device: &Obj<Device>) {
        ResettableContainer::remove(&self.root, device.as_object());
    }

    /// Runs the phases.
    pub(super) fn reset(&self) {
        if let Err(error) = reset(self.root.as_object(), ResetType::Cold) {
            // No method of a phase here resets anything else.
            tracing::error!("reset of the machine: {error}");
        }
    }
}

/// The vCPU of a CPU.
#[derive(Debug)]
struct Runner {
    board: Arc<Board>,
    apic_id: u32,
}

impl CpuRunner for Runner {
    fn reset(&self) {
        self.board.reset_vcpu(self.apic_id);
    }
}

qom::register_types!(<LegacyReset as Instance>::type_info);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::accel::AccelChoice;
    use crate::machine::PcMachine;
    use crate::smp::SmpConfiguration;
    use crate::startup::{Connections, MachineSpec, accel_ready, build_machine};

    #[derive(Debug, Default)]
    struct Counted(AtomicUsize);

    impl CpuRunner for Counted {
        fn reset(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn machine(cpus: i64) -> (Arc<Qom>, Obj<PcMachine>) {
        let accel = AccelChoice { name: "tcg".to_owned(), properties: Vec::new(), location: None };
        let qom = accel_ready(&[accel], |_| ()).unwrap();
        let smp =
            SmpConfiguration { cpus: Some(cpus), maxcpus: Some(cpus + 1), ..SmpConfiguration::default() };
        let connections = Connections {
            serials: Default::default(),
            chardevs: Default::default(),
            events: Arc::new(|_| ()),
        };
        let spec = MachineSpec { smp, ..MachineSpec::default() };
        let machine = build_machine(&qom, spec, connections).unwrap().unwrap();
        (qom, machine)
    }

    fn watch(qom: &Qom, path: &str) -> (Obj<Cpu>, Arc<Counted>) {
        let cpu = Obj::<Cpu>::new(qom.resolve(path).unwrap()).unwrap();
        let counted = Arc::new(Counted::default());
        cpu.set_runner(Some(counted.clone()));
        (cpu, counted)
    }

    #[test]
    fn each_plugged_cpu_is_reset_once_with_the_machine() {
        let (qom, machine) = machine(3);
        let watched: Vec<_> =
            (0..3).map(|n| watch(&qom, &format!("/machine/unattached/device[{n}]"))).collect();
        let counts = || watched.iter().map(|(_, one)| one.0.load(Ordering::Relaxed)).collect::<Vec<_>>();
        machine.reset().unwrap();
        assert_eq!(counts(), [1, 1, 1]);
        // One that goes is reset no longer, and is in no reset.
        let cpu = &watched[1].0;
        Device::unplug(&cpu.cast().unwrap()).unwrap();
        cpu.set_runner(Some(watched[1].1.clone()));
        machine.reset().unwrap();
        assert_eq!(counts(), [2, 1, 2]);
        // A device's own reset goes the same way.
        reset(watched[2].0.as_object(), ResetType::Cold).unwrap();
        assert_eq!(counts(), [2, 1, 3]);
    }
}
