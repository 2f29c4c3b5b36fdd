//! The PC machine types.

use std::sync::{Arc, OnceLock};

use qom::{Field, HotplugHandler, Instance, TypeInfo};
use qom_derive::Object;
use vm_memory::MmapRegion;

use super::board::Board;
use super::possible_cpus::PossibleCpus;
use super::reset::MachineReset;
use super::{Chipset, Machine, MachineClass};
use crate::kvm::KvmError;
use crate::numa::Completed;

/// The state of all PCs.
#[derive(Debug, Object)]
#[object(name = "generic-pc-machine", abstract, interfaces(dyn HotplugHandler))]
pub struct PcMachine {
    parent: Machine,
    /// The CPU type that it takes, as the user chose it.
    cpu_type: Field<String>,
    possible_cpus: OnceLock<PossibleCpus>,
    board: OnceLock<Arc<Board>>,
    reset: OnceLock<MachineReset>,
    numa: OnceLock<Completed>,
    /// Keeps the objects that it is from being removed.
    memory: OnceLock<Vec<Arc<MmapRegion>>>,
    /// Set on/off to enable/disable ACPI Heterogeneous Memory Attribute Table (HMAT)
    #[property(get, set)]
    hmat: Field<bool>,
}

/// What a machine is built from, after it is planned.
#[derive(Debug)]
pub struct PcParts {
    /// Its NUMA nodes.
    pub numa: Completed,
    /// The nodes' memory, where it was made as objects.
    pub memory: Vec<Arc<MmapRegion>>,
    /// Its hardware.
    pub board: Arc<Board>,
    /// What is reset with it.
    pub reset: MachineReset,
}

impl PcMachine {
    /// Says which CPUs there can be, and of which type. A machine is planned once, before it is built.
    pub fn plan(&self, cpu_type: String, possible_cpus: PossibleCpus) {
        self.cpu_type.set(cpu_type);
        let _ = self.possible_cpus.set(possible_cpus);
    }

    /// Puts the parts in. A machine is built once; parts for one that is built are dropped.
    pub fn build(&self, parts: PcParts) {
        let _ = self.numa.set(parts.numa);
        let _ = self.memory.set(parts.memory);
        let _ = self.board.set(parts.board);
        let _ = self.reset.set(parts.reset);
    }

    /// Its NUMA nodes; none before it is built.
    pub fn numa(&self) -> Option<&Completed> {
        self.numa.get()
    }

    /// Whether guests are told of the latencies and bandwidths of NUMA nodes (ACPI's HMAT).
    pub fn hmat(&self) -> bool {
        self.hmat.get()
    }

    /// What is common to all machines.
    pub fn machine(&self) -> &Machine {
        &self.parent
    }

    /// The type of its CPUs; empty before it is planned.
    pub fn cpu_type(&self) -> String {
        self.cpu_type.get()
    }

    /// The CPUs that there can be; none before it is planned.
    pub fn possible_cpus(&self) -> Option<&PossibleCpus> {
        self.possible_cpus.get()
    }

    /// What is reset with it; none before it is built.
    pub fn reset_tree(&self) -> Option<&MachineReset> {
        self.reset.get()
    }

    /// Brings the machine to its power-on state. CPUs stay plugged. A machine that is not built has nothing to reset.
    ///
    /// # Errors
    /// KVM's; the vCPUs are then stopped.
    pub fn reset(&self) -> Result<(), KvmError> {
        let (Some(board), Some(tree)) = (self.board(), self.reset_tree()) else { return Ok(()) };
        let was_running = board.begin_reset()?;
        tree.reset();
        board.end_reset(was_running)
    }

    /// Its hardware; none before it is built.
    pub fn board(&self) -> Option<&Arc<Board>> {
        self.board.get()
    }
}

/// What both chipsets' machines have in common. Source: `query-machines` of QEMU 11.1.
fn pc_class() -> MachineClass {
    MachineClass {
        default_cpu_type: Some("qemu64-x86_64-cpu"),
        default_ram_id: Some("pc.ram"),
        default_ram_size: 128 << 20,
        hotpluggable_cpus: true,
        acpi: true,
        ..MachineClass::default()
    }
}

fn i440fx_11_1() -> TypeInfo {
    TypeInfo::new("pc-i440fx-11.1-machine", PcMachine::TYPE_NAME, qom::site!()).class_init(|class| {
        *class.data_mut() = MachineClass {
            name: "pc-i440fx-11.1",
            alias: Some("pc"),
            description: "Standard PC (i440FX + PIIX, 1996)",
            is_default: true,
            max_cpus: 255,
            chipset: Some(Chipset::I440fx),
            ..pc_class()
        };
    })
}

fn q35_11_1() -> TypeInfo {
    TypeInfo::new("pc-q35-11.1-machine", PcMachine::TYPE_NAME, qom::site!()).class_init(|class| {
        *class.data_mut() = MachineClass {
            name: "pc-q35-11.1",
            alias: Some("q35"),
            description: "Standard PC (Q35 + ICH9, 2009)",
            max_cpus: 4096,
            chipset: Some(Chipset::Q35),
            ..pc_class()
        };
    })
}

qom::register_types!(<PcMachine as Instance>::type_info, i440fx_11_1, q35_11_1);
