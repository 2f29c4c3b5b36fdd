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
use std::path::PathBuf;
use std::sync::Arc;

use qom::{Bootstrap, Bus, Device, GlobalProperty, Input, Instance, Obj, Origin, Qom};
use serde_json::{Map, Value};
use target_i386::cpu::{CpuOptionError, X86Cpu, apply_cpu_option};
use target_i386::feature::feature;
use target_i386::realize::RealizedCpu;
use target_i386::topology::{CacheSharing, Placement, TopologyError};
use thiserror::Error;
use vm_memory::MmapRegion;

use crate::accel::{self, AccelChoice, AccelError, KvmAccel};
use crate::acpi::{AcpiCpu, AcpiDescription, OemIds};
use crate::backends::memory::MemoryBackend;
use crate::cmdline::NumaOption;
use crate::devices;
use crate::devices::chardev_ends::ChardevSource;
use crate::machine::address_space::AddressSpaceError;
use crate::machine::board::{self, Board, BoardConfig, BoardError, BootRom, RamConfig};
use crate::machine::boot_configuration::BootConfiguration;
use crate::machine::cpu_plug::CpuPlugError;
use crate::machine::pc::PcParts;
use crate::machine::possible_cpus::{PossibleCpu, PossibleCpus};
use crate::machine::reset::MachineReset;
use crate::machine::{
    Chipset, Machine, MachineClass, PcMachine, TYPE_SUFFIX, address_space, default_machine, find_machine,
    smp_cache, versions,
};
use crate::numa::{Completed, Memdev, NumaError, NumaOptions, NumaState};
use crate::rtc::RtcConfig;
use crate::rtc::cmos::{BootOrder, BootOrderError, DEFAULT_BOOT_ORDER};
use crate::serial::COM_PORTS;
use crate::smp::{SmpConfiguration, SmpError};
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
    #[error("unsupported machine type: \"{0}\"\nUse -machine help to list supported machines")]
    UnknownMachine(String),
    /// `-cpu`.
    #[error(transparent)]
    Cpu(#[from] CpuOptionError),
    /// A machine without CPUs was given some.
    #[error("machine '{0}' does not take CPU models")]
    NoCpus(String),
    /// `-smp`.
    #[error(transparent)]
    Smp(#[from] SmpError),
    /// `-smp` gives APIC IDs that do not fit 32 bits.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// `smp-cache`.
    #[error(transparent)]
    SmpCache(#[from] smp_cache::SmpCacheError),
    /// `memory-backend` names no memory.
    #[error("Memory backend '{0}' not found")]
    NoMemoryBackend(String),
    /// `-m` and `memory-backend` contradict each other.
    #[error("Machine memory size does not match the size of the memory backend")]
    MemoryBackendSize,
    /// The machine's RAM is one object, and its nodes' are others.
    #[error("'-machine memory-backend' and '-numa memdev' properties are mutually exclusive")]
    TwoMemories,
    /// Another option; the text names it.
    #[error("{0}")]
    Late(String),
    /// `-boot once` of a machine that boots from nothing.
    #[error("no function defined to set boot device list for this architecture")]
    NoBootOrder,
    /// `-boot order` or `once`.
    #[error(transparent)]
    BootOrder(#[from] BootOrderError),
    /// `-boot splash-time`, which firmware takes in 16 bits.
    #[error("splash-time is invalid,it should be a value between 0 and 65535")]
    SplashTime,
    /// `-boot reboot-timeout`, likewise; -1 is for never.
    #[error("reboot timeout is invalid,it should be a value between -1 and 65535")]
    RebootTimeout,
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
    /// Firmware has nothing to load the kernel from.
    #[error("-kernel and -bios are mutually exclusive: a kernel is booted with no firmware")]
    KernelAndFirmware,
    /// A kernel for a machine without hardware. The text is the reference's.
    #[error("The -kernel parameter is not supported (use the generic 'loader' device instead).")]
    NoKernelHere,
    /// The hardware.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// An object: a global property, a CPU that cannot be realized.
    #[error(transparent)]
    Object(#[from] qom::Error),
    /// A CPU that has no place on the machine.
    #[error("{source}{}", crate::report::hint(source.hint()))]
    CpuPlug {
        /// Why.
        source: CpuPlugError,
    },
    /// CPUs whose addresses are too short.
    #[error(transparent)]
    AddressSpace(#[from] AddressSpaceError),
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
    /// What is wrong with other options, in the order of telling; there is then no machine.
    pub late: Vec<String>,
    /// `-rtc`.
    pub rtc: RtcConfig,
    /// `-boot`.
    pub boot: BootConfiguration,
    /// `-numa`.
    pub numa: Vec<NumaOption>,
    /// `-global`: driver, property, value.
    pub globals: Vec<(String, String, String)>,
}

/// What the machine's hardware is connected to.
pub struct Connections {
    /// The chardevs of COM1 to COM4, of those that are there.
    pub serials: [Option<String>; COM_PORTS.len()],
    /// The chardevs that devices can be connected to.
    pub chardevs: Arc<ChardevSource>,
    /// Where guests' requests go.
    pub events: EventSink,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

/// Makes `/machine` with its boot CPUs, as [`PreparedMachine::build`] does. A machine without hardware gives none.
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
    /// What is wrong with it, to be told when it is built: as in the reference, NUMA nodes are looked at before.
    wrong: Option<StartError>,
}

/// What a machine with hardware is built from.
#[derive(Debug)]
struct Planned {
    chipset: Chipset,
    ram: RamConfig,
    system_bus: Obj<Bus>,
    numa: NumaState,
    /// The nodes' memory by path; held from here on, so that it cannot be removed.
    memory: HashMap<String, Arc<MmapRegion>>,
    rtc: RtcConfig,
    boot: BootConfiguration,
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

    /// Adds what the command line says of NUMA nodes.
    fn with_numa(mut self, qom: &Qom, options: Vec<NumaOption>) -> Result<Self, StartError> {
        for NumaOption { pairs, location } in options {
            let read = NumaOptions::from_pairs(&pairs).map_err(NumaError::from);
            read.and_then(|options| self.set_numa(qom, &options))
                .map_err(|source| StartError::NumaOption { location, source })?;
        }
        Ok(self)
    }

    /// Makes the hardware and the boot CPUs. A machine without hardware gives none. A kernel is not in memory yet: that is the last step
    /// ([`Board::load_kernel`]), when all devices are there of which it is told.
    ///
    /// # Errors
    /// [`StartError`]; the program then ends.
    pub fn build(
        self,
        qom: &Arc<Qom>,
        connections: Connections,
    ) -> Result<Option<Obj<PcMachine>>, StartError> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        let (Some(machine), Some(planned)) = (&self.machine, self.planned) else { return Ok(self.machine) };
        let Some(cpus) = machine.possible_cpus() else { return Ok(self.machine) };
        let Planned { chipset, mut ram, system_bus, numa, memory, .. } = planned;
        let numa = numa.complete(ram.size)?;
        numa.warnings.iter().for_each(crate::report::warning);
        cpus.set_nodes(numa.cpu_nodes.iter().copied().map(Some));
        let memdevs = numa.nodes.iter().filter_map(|node| node.memdev.as_ref());
        let memory: Vec<_> = memdevs.filter_map(|memdev| memory.get(&memdev.path)).map(Arc::clone).collect();
        if !memory.is_empty() {
            if !ram.backends.is_empty() {
                return Err(StartError::TwoMemories);
            }
            ram.backends.clone_from(&memory);
        }
        ram.max_below_4g = machine.max_ram_below_4g();
        if let Some(advice) = chipset.ram_advice(ram.size, ram.max_below_4g) {
            crate::report::warning(advice);
        }
        let board = Board::new(BoardConfig {
            chipset,
            kvm: runs_guests(qom),
            idle_threads: if qom.accel().class().name() == "qtest-accel" { "DUMMY" } else { "TCG" },
            ram,
            acpi: machine.has_acpi_device(),
            i8042: machine.has_i8042(),
            rtc: planned.rtc,
            boot_order: BootOrder::read(planned.boot.order.as_deref().unwrap_or(DEFAULT_BOOT_ORDER))?,
            boot_once: planned.boot.once.as_deref().map(BootOrder::read).transpose()?,
            rom: boot_rom(machine.machine())?,
            tables: acpi_description(machine, chipset, &numa),
            apic_ids: cpus.iter().map(|cpu| cpu.apic_id.0).collect(),
            events: connections.events,
        })?;
        if let (Some(kvm), Some(vm)) = (qom.accel().downcast_ref::<KvmAccel>(), board.vm()) {
            kvm.learn_from(vm);
        }
        let board = Arc::new(board);
        let reset = MachineReset::new(qom, &system_bus, &board)?;
        machine.build(PcParts { numa, memory, board, reset, chardevs: connections.chardevs });
        for slot in 0..cpus.smp().cpus() {
            create_boot_cpu(qom, machine, &machine.cpu_type(), slot)?;
        }
        devices::add_devices(qom, machine, &system_bus, chipset, &connections.serials)?;
        if let Some(first) = first_cpu(machine) {
            machine.machine().settle_smp_cache(&first.cache_sharing);
            check_address_space(machine, chipset, &first)?;
            let kernel = machine.board().and_then(|board| board.kernel());
            kernel
                .map_or(Ok(()), |kernel| kernel.check_cpu(has_long_mode(&first)))
                .map_err(BoardError::from)?;
        }
        if planned.boot.splash_time.is_some_and(|time| !(0..=0xffff).contains(&time)) {
            return Err(StartError::SplashTime);
        }
        if planned.boot.reboot_timeout.is_some_and(|time| !(-1..=0xffff).contains(&time)) {
            return Err(StartError::RebootTimeout);
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
    for compat in &class.compat {
        let versions::CompatProperty { driver, property, value } = *compat;
        qom.add_global(GlobalProperty::new(driver, property, value, Origin::MachineCompat));
    }
    for (driver, property, value) in &spec.globals {
        qom.add_global(GlobalProperty::new(driver, property, value, Origin::Global));
    }
    let object = qom.create(&format!("{}{TYPE_SUFFIX}", class.name))?;
    qom.root().add_child("machine", &object)?;
    for container in ["unattached", "peripheral", "peripheral-anon"] {
        qom.container(&format!("/machine/{container}"))?;
    }
    let system_bus = create_system_bus(qom)?;
    for container in ["/objects", "/chardevs", "/backend", "/audiodevs"] {
        qom.container(container)?;
    }
    // As in the reference the topology is judged before the other properties.
    let mut topology = spec.smp.resolve(&class.smp_limits())?;
    for (name, value) in &spec.properties {
        let input = value.as_str().map_or(Input::KeyvalTree(value), Input::Keyval);
        object.set(name, &input, Origin::CommandLine)?;
    }
    if let Some(path) = &spec.firmware {
        object.set_value("firmware", &path.display().to_string())?;
    }
    let asked = object.downcast_ref::<Machine>().map(Machine::asked).unwrap_or_default();
    if spec.smp == SmpConfiguration::default() {
        topology = asked.smp.resolve(&class.smp_limits())?;
    }
    let ram_size = spec.ram_size.or(asked.ram_size);
    if let Some(kvm) = qom.accel().downcast_ref::<KvmAccel>() {
        kvm.check_cpus(topology.cpus(), topology.max_cpus(), crate::report::error)?;
    }
    // A test harness that names `qtest` knows.
    if class.deprecated && qom.accel().class().name() != "qtest-accel" {
        crate::report::warning(format_args!(
            "Machine type '{}' is deprecated: machines more than 3 years old are subject to deletion after 6 years",
            class.name
        ));
    }
    let caches = match object.downcast_ref::<Machine>() {
        Some(machine) => smp_cache::sharing(&class, &machine.smp_cache())?,
        None => CacheSharing::AS_MODEL,
    };
    let mut late = spec.late;
    if let Some(last) = late.pop() {
        late.iter().for_each(crate::report::error);
        return Err(StartError::Late(last));
    }
    let has_kernel = object.downcast_ref::<Machine>().is_some_and(|machine| machine.kernel().is_some());
    let asked_cpu = match &spec.cpu {
        Some(text) => Some(apply_cpu_option(qom, text)?.class.name().to_owned()),
        None => None,
    };
    let mut ram = RamConfig { size: ram_size.unwrap_or(class.default_ram_size), ..RamConfig::default() };
    let mut wrong = None;
    if let Some(machine) = object.downcast_ref::<Machine>() {
        (ram.dump, ram.merge) = (machine.dump_guest_core(), machine.mem_merge());
        advise_memory(qom, machine, topology.cpus())?;
        if let Some(backend) = ram_backend(qom, machine)? {
            ram.size = backend.size() as u64;
            ram.backends = vec![backend];
            wrong = ram_size.filter(|asked| *asked != ram.size).map(|_| StartError::MemoryBackendSize);
        }
        let boot = spec.boot.clone();
        machine.set_boot(if class.chipset.is_some() { boot.of_pc() } else { boot });
        machine.configure(ram.size, ram.backends.first().cloned(), topology);
    }
    let mut prepared =
        PreparedMachine { machine: Obj::<PcMachine>::new(object).ok(), planned: None, wrong: None };
    if let Some(machine) = &prepared.machine
        && let (Some(chipset), Some(cpu_type)) =
            (class.chipset, asked_cpu.clone().or_else(|| class.default_cpu_type.map(str::to_owned)))
    {
        let cpus = PossibleCpus::new(topology, caches)?;
        let slots = cpus.iter().map(PossibleCpu::numa_slot).collect();
        let numa = NumaState::new(slots, class.numa_mem_supported, machine.hmat());
        machine.plan(cpu_type, cpus);
        prepared.planned = Some(Planned {
            chipset,
            ram,
            system_bus,
            numa,
            memory: HashMap::new(),
            rtc: spec.rtc,
            boot: machine.machine().boot(),
        });
    }
    let prepared = prepared.with_numa(qom, spec.numa)?;
    if prepared.planned.is_none() && wrong.is_none() {
        wrong = match &asked_cpu {
            Some(cpu_type) => Some(cpu_without_board(qom, cpu_type, class.name.into_owned())),
            None if has_kernel => Some(StartError::NoKernelHere),
            None => spec.boot.once.map(|_| StartError::NoBootOrder),
        };
    }
    Ok(PreparedMachine { wrong, ..prepared })
}

/// Why a machine without hardware cannot have the CPU that `-cpu` asks for: what is wrong with it, else that it has no place.
fn cpu_without_board(qom: &Qom, cpu_type: &str, machine: String) -> StartError {
    let realize = || {
        let cpu = qom.create(cpu_type)?;
        if let Ok(device) = Obj::<Device>::new(cpu) {
            Device::realize(&device)?;
        }
        Ok::<(), StartError>(())
    };
    realize().err().unwrap_or(StartError::NoCpus(machine))
}

/// Whether memory is dumped and merged, and by how many threads it is touched: where the user says nothing of one in `/objects`,
/// the machine says it, of those that are there and of those to come.
fn advise_memory(qom: &Qom, machine: &Machine, cpus: u32) -> Result<(), StartError> {
    let switch = |on: bool| (if on { "on" } else { "off" }.to_owned(), Value::from(on));
    for (name, (text, value)) in [
        ("dump", switch(machine.dump_guest_core())),
        ("merge", switch(machine.mem_merge())),
        ("prealloc-threads", (cpus.to_string(), cpus.into())),
    ] {
        qom.add_global(GlobalProperty::new(MemoryBackend::TYPE_NAME, name, &text, Origin::MachineCompat));
        for (_, object) in qom.container("/objects")?.core().children() {
            if object.class().is_a(MemoryBackend::TYPE_NAME) && object.origin_of(name) == Origin::Default {
                object.set(name, &Input::Json(&value), Origin::Machine)?;
            }
        }
    }
    Ok(())
}

/// The memory that the user named as the machine's RAM.
fn ram_backend(qom: &Qom, machine: &Machine) -> Result<Option<Arc<MmapRegion>>, StartError> {
    let Some(id) = machine.memory_backend() else { return Ok(None) };
    let object = qom.container("/objects")?.core().child(&id);
    let region = object
        .as_ref()
        .and_then(|object| object.downcast_ref::<MemoryBackend>())
        .and_then(MemoryBackend::region);
    region.map(Some).ok_or(StartError::NoMemoryBackend(id))
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
        Ok(device) => Device::realize(&device).map_err(|error| {
            let plug = match &error {
                qom::Error::Object { source, .. } => source.downcast_ref::<CpuPlugError>().cloned(),
                _ => None,
            };
            plug.map_or_else(|| error.into(), |source| StartError::CpuPlug { source })
        }),
        Err(_) => Ok(()),
    }
}

/// What the first CPU has become.
fn first_cpu(machine: &PcMachine) -> Option<Arc<RealizedCpu>> {
    machine.possible_cpus()?.get(0)?.cpu()?.downcast_ref::<X86Cpu>()?.realized()
}

fn has_long_mode(cpu: &RealizedCpu) -> bool {
    cpu.config.features.has(const { feature("lm") })
}

/// What the machine's first CPU runs first.
fn boot_rom(machine: &Machine) -> Result<BootRom, StartError> {
    match (machine.kernel(), machine.firmware()) {
        (Some(_), Some(_)) => Err(StartError::KernelAndFirmware),
        (Some(kernel), None) => Ok(BootRom::Kernel(kernel)),
        (None, Some(path)) => Ok(BootRom::File(path.into())),
        (None, None) => Ok(BootRom::BuiltIn),
    }
}

/// The machine as its ACPI tables show it, if it has any.
fn acpi_description(machine: &PcMachine, chipset: Chipset, numa: &Completed) -> Option<AcpiDescription> {
    let cpus = machine.possible_cpus().filter(|_| machine.has_acpi_tables())?;
    let cpu = |cpu: &PossibleCpu| AcpiCpu {
        apic_id: cpu.apic_id.0,
        present: false,
        node: cpu.node().map(u32::from),
    };
    Some(AcpiDescription {
        chipset,
        cpus: cpus.iter().map(cpu).collect(),
        numa: (!numa.nodes.is_empty()).then(|| numa.clone()),
        ram: chipset.ram_layout(machine.machine().ram_size(), machine.max_ram_below_4g()),
        cpu_hotplug: machine.has_acpi_device().then(|| board::cpu_hotplug_base(chipset)),
        i8042: machine.has_i8042(),
        // They show themselves.
        serials: Default::default(),
        oem: OemIds::default(),
    })
}

/// The first CPU must reach all that the machine has.
fn check_address_space(machine: &PcMachine, chipset: Chipset, first: &RealizedCpu) -> Result<(), StartError> {
    // Not from the table: a CPU without the leaf reads another one there.
    let long_mode = has_long_mode(first);
    let class = crate::machine::machine_class(qom::Object::core(machine).class());
    if !long_mode && class.is_some_and(|class| class.broken_32bit_mem_addr_check) {
        return Ok(());
    }
    let layout = chipset.ram_layout(machine.machine().ram_size(), machine.max_ram_below_4g());
    Ok(address_space::check(chipset, layout, first.phys_bits, long_mode)?)
}
