//! From what the user asked for to a machine that can run, in the order that the phases of the registry give.
//!
//! 1. Types register at link time ([`qom::Bootstrap`]).
//! 2. The accelerator is chosen and initialised ([`accel_ready`]).
//! 3. The CPU classes register, and the registry is sealed ([`qom::Qom`]).
//! 4. The machine is made ([`prepare_machine`]); with `-preconfig` a monitor can still say what belongs to which NUMA node.
//! 5. Its hardware is, and its CPUs are created by type name and realized ([`PreparedMachine::build`]).
//!
//! So every look at the CPU classes, `-cpu help` included, sees one set of classes, whatever the order of the options.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use qom::{Bootstrap, Bus, Device, GlobalProperty, Input, Instance, Obj, Origin, Qom};
use serde_json::{Map, Value};
use target_i386::cpu::{CpuOptionError, X86Cpu, apply_cpu_option};
use target_i386::topology::{Placement, TopologyError};
use thiserror::Error;
use vm_memory::MmapRegion;

use crate::accel::{self, AccelChoice, AccelError, KvmAccel};
use crate::backends::memory::MemoryBackend;
use crate::cmdline::NumaOption;
use crate::machine::board::{Board, BoardConfig, BoardError, BootRom};
use crate::machine::pc::PcParts;
use crate::machine::possible_cpus::{PossibleCpu, PossibleCpus};
use crate::machine::reset::MachineReset;
use crate::machine::{Chipset, Machine, MachineClass, PcMachine, TYPE_SUFFIX, default_machine, find_machine};
use crate::numa::{Memdev, NumaError, NumaOptions, NumaState};
use crate::smp::{SmpConfiguration, SmpError, SmpLimits};
use crate::vm_event::EventSink;

/// Why the program cannot start. Each text stands alone after the program's name.
#[derive(Debug, Error)]
pub enum StartError {
    /// The types that were linked in do not fit each other: a mistake in the program.
    #[error(transparent)]
    Registry(#[from] qom::RegistryError),
    /// No accelerator.
    #[error(transparent)]
    Accel(#[from] AccelError),
    /// No such machine type.
    #[error("unsupported machine type: \"{0}\"")]
    UnknownMachine(String),
    /// `-cpu`.
    #[error(transparent)]
    Cpu(#[from] CpuOptionError),
    /// A machine without CPUs was given some.
    #[error("machine '{0}' does not take CPU models")]
    NoCpus(&'static str),
    /// `-smp`.
    #[error(transparent)]
    Smp(#[from] SmpError),
    /// `-smp` gives APIC IDs that do not fit 32 bits.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// `-numa`: one option.
    #[error("{location}: {source}{}", crate::report::hint(source.hint()))]
    NumaOption {
        /// The option as it was written.
        location: String,
        /// What is wrong with it.
        source: NumaError,
    },
    /// The NUMA nodes as a whole.
    #[error(transparent)]
    Numa(#[from] NumaError),
    /// The hardware.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// An object: a global property, a CPU that cannot be realized.
    #[error(transparent)]
    Object(#[from] qom::Error),
    /// Making an object.
    #[error(transparent)]
    Create(#[from] qom::CreateError),
    /// Setting a property.
    #[error(transparent)]
    Property(#[from] qom::PropertyError),
    /// The object tree.
    #[error(transparent)]
    Tree(#[from] qom::TreeError),
}

/// Goes through the first two phases and seals: all types that there are under the first of `accels` that works.
///
/// # Errors
/// [`StartError::Registry`], [`StartError::Accel`].
pub fn accel_ready(accels: &[AccelChoice], report: impl FnMut(String)) -> Result<Arc<Qom>, StartError> {
    let types = Bootstrap::from_link_time()?;
    let accel = accel::initialise(&types, accels, report)?;
    let qom = types.accel_ready(accel)?.seal()?;
    qom.on_warning(|text| crate::report::warning(text));
    Ok(qom)
}

/// Whether guests run in a system: under KVM, unless it is one that a host file describes.
pub fn runs_guests(qom: &Qom) -> bool {
    qom.accel().downcast_ref::<KvmAccel>().is_some_and(|kvm| kvm.host_file().is_none())
}

/// The machine that is asked for.
#[derive(Debug, Default)]
pub struct MachineSpec {
    /// `-machine NAME`.
    pub machine: Option<String>,
    /// The machine's properties, as text.
    pub properties: Map<String, Value>,
    /// `-cpu`, as it stands.
    pub cpu: Option<String>,
    /// `-smp`.
    pub smp: SmpConfiguration,
    /// `-m`, in bytes.
    pub ram_size: Option<u64>,
    /// `-bios`.
    pub firmware: Option<PathBuf>,
    /// `-numa`.
    pub numa: Vec<NumaOption>,
    /// `-global`: driver, property, value.
    pub globals: Vec<(String, String, String)>,
}

/// What the machine's hardware is connected to.
pub struct Connections {
    /// Where COM1 writes.
    pub console: Option<Box<dyn Write + Send>>,
    /// Called on a vCPU thread when COM1's input was read.
    pub on_console_room: Arc<dyn Fn() + Send + Sync>,
    /// Where guests' requests go.
    pub events: EventSink,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

/// Makes `/machine` with its boot CPUs. A machine without hardware gives none.
///
/// # Errors
/// [`StartError`]; the program then ends.
pub fn build_machine(
    qom: &Arc<Qom>,
    spec: MachineSpec,
    connections: Connections,
) -> Result<Option<Obj<PcMachine>>, StartError> {
    prepare_machine(qom, spec)?.build(qom, connections)
}

/// A machine that is there as an object and has no hardware yet: the state of `-preconfig`.
#[derive(Debug)]
pub struct PreparedMachine {
    machine: Option<Obj<PcMachine>>,
    planned: Option<Planned>,
}

/// What a machine with hardware is built from.
#[derive(Debug)]
struct Planned {
    chipset: Chipset,
    ram_size: u64,
    firmware: Option<PathBuf>,
    system_bus: Obj<Bus>,
    numa: NumaState,
    /// The nodes' memory by path; held from here on, so that it cannot be removed.
    memory: HashMap<String, Arc<MmapRegion>>,
}

impl PreparedMachine {
    /// The machine, if it is a PC.
    pub fn machine(&self) -> Option<&Obj<PcMachine>> {
        self.machine.as_ref()
    }

    /// Adds what one option says of NUMA nodes.
    ///
    /// # Errors
    /// [`NumaError`]; nothing has changed.
    pub fn set_numa(&mut self, qom: &Qom, options: &NumaOptions) -> Result<(), NumaError> {
        let (Some(machine), Some(planned)) = (&self.machine, &mut self.planned) else {
            return Err(NumaError::NotSupported);
        };
        let mut found = None;
        planned.numa.apply(options, |name| {
            let (memdev, region) = memdev(qom, name)?;
            found = Some((memdev.path.clone(), region));
            Some(memdev)
        })?;
        planned.memory.extend(found);
        if let Some(cpus) = machine.possible_cpus() {
            cpus.set_nodes(planned.numa.cpu_nodes().iter().copied());
        }
        Ok(())
    }

    /// Makes the hardware and the boot CPUs. A machine without hardware gives none.
    ///
    /// # Errors
    /// [`StartError`]; the program then ends.
    pub fn build(
        self,
        qom: &Arc<Qom>,
        connections: Connections,
    ) -> Result<Option<Obj<PcMachine>>, StartError> {
        let (Some(machine), Some(planned)) = (&self.machine, self.planned) else { return Ok(self.machine) };
        let Some(cpus) = machine.possible_cpus() else { return Ok(self.machine) };
        let numa = planned.numa.complete(planned.ram_size)?;
        numa.warnings.iter().for_each(crate::report::warning);
        cpus.set_nodes(numa.cpu_nodes.iter().copied().map(Some));
        let memdevs = numa.nodes.iter().filter_map(|node| node.memdev.as_ref());
        let memory: Vec<_> =
            memdevs.filter_map(|memdev| planned.memory.get(&memdev.path)).map(Arc::clone).collect();
        let board = Board::new(BoardConfig {
            chipset: planned.chipset,
            kvm: runs_guests(qom),
            ram_size: planned.ram_size,
            ram: memory.clone(),
            rom: planned.firmware.map_or(BootRom::BuiltIn, BootRom::File),
            apic_ids: cpus.iter().map(|cpu| cpu.apic_id.0).collect(),
            console: connections.console,
            on_console_room: connections.on_console_room,
            events: connections.events,
        })?;
        let board = Arc::new(board);
        let reset = MachineReset::new(qom, &planned.system_bus, &board)?;
        machine.build(PcParts { numa, memory, board, reset });
        for slot in 0..cpus.smp().cpus() {
            create_boot_cpu(qom, machine, &machine.cpu_type(), slot)?;
        }
        Ok(self.machine)
    }
}

/// The memory backend of a name or path.
fn memdev(qom: &Qom, name: &str) -> Option<(Memdev, Arc<MmapRegion>)> {
    let object = qom::resolve_type(qom.root(), name, MemoryBackend::TYPE_NAME).ok()?;
    let backend = object.downcast_ref::<MemoryBackend>()?;
    let info = backend.info()?;
    Some((Memdev { path: object.canonical_path(), id: info.id, size: info.size }, backend.region()?))
}

/// Makes `/machine` without hardware and CPUs.
///
/// # Errors
/// [`StartError`]; the program then ends.
pub fn prepare_machine(qom: &Arc<Qom>, spec: MachineSpec) -> Result<PreparedMachine, StartError> {
    let class = machine_class(qom, spec.machine.as_deref())?.clone();
    for (driver, property, value) in &spec.globals {
        qom.add_global(GlobalProperty::new(driver, property, value, Origin::Global));
    }
    let object = qom.create(&format!("{}{TYPE_SUFFIX}", class.name))?;
    qom.root().add_child("machine", &object)?;
    for container in ["unattached", "peripheral", "peripheral-anon"] {
        qom.container(&format!("/machine/{container}"))?;
    }
    let system_bus = create_system_bus(qom)?;
    for container in ["/objects", "/chardevs", "/backend"] {
        qom.container(container)?;
    }
    for (name, value) in &spec.properties {
        let input = value.as_str().map_or(Input::Json(value), Input::Keyval);
        object.set(name, &input, Origin::CommandLine)?;
    }
    let topology = spec.smp.resolve(&SmpLimits::pc(class.name, class.max_cpus, false))?;
    let ram_size = spec.ram_size.unwrap_or(class.default_ram_size);
    if let Some(machine) = object.downcast_ref::<Machine>() {
        machine.configure(ram_size, topology);
    }
    let mut prepared = PreparedMachine { machine: Obj::<PcMachine>::new(object).ok(), planned: None };
    if let Some(machine) = &prepared.machine {
        if let Some(path) = &spec.firmware {
            machine.as_object().set_value("firmware", &path.display().to_string())?;
        }
        let cpu_type = match &spec.cpu {
            Some(text) => Some(apply_cpu_option(qom, text)?.class.name().to_owned()),
            None => class.default_cpu_type.map(str::to_owned),
        };
        if let (Some(cpu_type), Some(chipset)) = (cpu_type, class.chipset) {
            let cpus = PossibleCpus::new(topology)?;
            let slots = cpus.iter().map(PossibleCpu::numa_slot).collect();
            let numa = NumaState::new(slots, class.numa_mem_supported, machine.hmat());
            prepared.planned = Some(Planned {
                chipset,
                ram_size,
                firmware: spec.firmware,
                system_bus,
                numa,
                memory: HashMap::new(),
            });
            machine.plan(cpu_type, cpus);
        }
    } else if spec.cpu.is_some() {
        return Err(StartError::NoCpus(class.name));
    }
    for NumaOption { pairs, location } in spec.numa {
        let read = NumaOptions::from_pairs(&pairs).map_err(NumaError::from);
        read.and_then(|options| prepared.set_numa(qom, &options))
            .map_err(|source| StartError::NumaOption { location, source })?;
    }
    Ok(prepared)
}

/// The class of the machine that is asked for, or of the default one.
///
/// # Errors
/// [`StartError::UnknownMachine`].
pub(crate) fn machine_class<'a>(qom: &'a Qom, name: Option<&str>) -> Result<&'a MachineClass, StartError> {
    match name {
        Some(name) => find_machine(qom, name).ok_or_else(|| StartError::UnknownMachine(name.to_owned())),
        None => default_machine(qom).ok_or_else(|| StartError::UnknownMachine(String::new())),
    }
}

/// The main system bus, which every machine has. As in the reference it is not realized: nothing owns it.
fn create_system_bus(qom: &Qom) -> Result<Obj<Bus>, StartError> {
    let object = qom.create("System")?;
    qom.container("/machine/unattached")?.add_child("sysbus", &object)?;
    let bus = Obj::<Bus>::new(object).map_err(|_| qom::Error::msg("'System' is no type of bus"))?;
    bus.set_name("main-system-bus");
    Ok(bus)
}

/// A CPU that is there from the start: made by its type's name, told its APIC ID, realized.
fn create_boot_cpu(qom: &Qom, machine: &PcMachine, cpu_type: &str, slot: u32) -> Result<(), StartError> {
    let object = qom.create(cpu_type)?;
    let slot = usize::try_from(slot).unwrap_or(usize::MAX);
    if let (Some(cpus), Some(cpu)) = (machine.possible_cpus(), object.downcast_ref::<X86Cpu>())
        && let Some(possible) = cpus.get(slot)
    {
        let placement = Placement { topology: cpus.topology(), apic_id: possible.apic_id };
        cpu.set_placement(placement, cpu.place());
    }
    match Obj::<Device>::new(object) {
        Ok(device) => Ok(Device::realize(&device)?),
        Err(_) => Ok(()),
    }
}
