//! The PC machine types: two chipsets, each in every version of [`versions`](super::versions).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use qom::{
    ClassInit, Field, HotplugHandler, Instance, Link, OnOffAuto, Property, PropertyError, PropertyValue,
    Size, TypeInfo,
};
use qom_derive::Object;
use vm_memory::MmapRegion;

use super::absent;
use super::board::{Board, BoardError};
use super::possible_cpus::PossibleCpus;
use super::reset::MachineReset;
use super::vcpu_lives::LifeWatcher;
use super::versions::{PC_VERSIONS, PcVersion, compat_properties};
use super::{Chipset, Machine, MachineClass, SmpRules, TYPE_SUFFIX};
use crate::devices::chardev_ends::ChardevSource;
use crate::numa::Completed;

/// The state of all PCs.
#[derive(Debug, Object)]
#[object(
    name = "generic-pc-machine",
    abstract,
    class_init = PcMachine::class_init,
    interfaces(dyn HotplugHandler)
)]
pub struct PcMachine {
    parent: Machine,
    #[object(default = Field::new(OnOffAuto::Auto))]
    acpi: Field<OnOffAuto>,
    #[object(default = Field::new(true))]
    i8042: Field<bool>,
    /// In bytes; 0 where the user says nothing.
    max_ram_below_4g: Field<u64>,
    /// The CPU type that it takes, as the user chose it.
    cpu_type: Field<String>,
    possible_cpus: OnceLock<PossibleCpus>,
    board: OnceLock<Arc<Board>>,
    reset: OnceLock<MachineReset>,
    chardevs: OnceLock<Arc<ChardevSource>>,
    clock: Link,
    numa: OnceLock<Completed>,
    /// Keeps the objects that it is from being removed.
    memory: OnceLock<Vec<Arc<MmapRegion>>>,
    /// Milliseconds within which a guest takes in a CPU or lets go of one, else it is given up; 0: never
    #[property(get, set, name = "x-cpu-unplug-timeout-ms")]
    #[object(default = Field::new(30_000))]
    cpu_unplug_timeout_ms: Field<u32>,
    life_watcher: OnceLock<Arc<dyn LifeWatcher>>,
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
    /// The chardevs that its devices can be connected to.
    pub chardevs: Arc<ChardevSource>,
}

/// The highest that RAM below 4 GiB can reach.
const FOUR_GIB: u64 = 4 << 30;
/// How far it reaches on an i440FX for which nobody says so.
const I440FX_MAX_BELOW_4G: u64 = 0xe000_0000;

impl PcMachine {
    fn class_init(class: &mut ClassInit<'_>) {
        absent::declare_pc(class);
        class.add_property(
            Property::of::<Self, OnOffAuto>("acpi", |this| this.acpi.get())
                .settable::<Self, OnOffAuto>(|this, on| this.before_it_is_built().map(|()| this.acpi.set(on)))
                .description("Enable ACPI"),
        );
        class.add_property(
            Property::of::<Self, bool>("i8042", |this| this.i8042.get())
                .settable::<Self, bool>(|this, on| this.before_it_is_built().map(|()| this.i8042.set(on)))
                .description("Enable/disable Intel 8042 PS/2 controller emulation"),
        );
        class.add_property(
            Property::new("max-ram-below-4g", "size")
                .description("Maximum ram below the 4G boundary (32bit boundary)")
                .get(|object| Ok(object.downcast_ref::<Self>().map_or(0, Self::max_ram_below_4g).into()))
                .set(|object, input| {
                    let Size(size) = Size::read("max-ram-below-4g", input)?;
                    let Some(this) = object.downcast_ref::<Self>() else { return Err(super::too_late()) };
                    this.before_it_is_built()?;
                    if size > FOUR_GIB {
                        return Err(PropertyError::Refused(format!(
                            "Machine option 'max-ram-below-4g={size}' expects size less than or equal to 4G"
                        )));
                    }
                    if size < 1 << 20 {
                        crate::report::warning(format_args!(
                            "Only {size} bytes of RAM below the 4GiB boundary,BIOS may not work with less than 1MiB"
                        ));
                    }
                    this.max_ram_below_4g.set(size);
                    Ok(())
                }),
        );
    }

    fn before_it_is_built(&self) -> Result<(), PropertyError> {
        if self.board.get().is_some() { Err(super::too_late()) } else { Ok(()) }
    }

    /// Whether it has the ACPI device, with the registers through which the guest learns of CPUs that come and go. ICH9 has
    /// it whatever `acpi` says, which then is about tables only.
    pub fn has_acpi_device(&self) -> bool {
        self.acpi.get() != OnOffAuto::Off || self.chipset() == Some(Chipset::Q35)
    }

    /// Whether it has a keyboard controller.
    pub fn has_i8042(&self) -> bool {
        self.i8042.get()
    }

    /// Whether guests are told of the machine by ACPI tables.
    pub fn has_acpi_tables(&self) -> bool {
        self.acpi.get() != OnOffAuto::Off
    }

    fn chipset(&self) -> Option<Chipset> {
        super::machine_class(qom::Object::core(self).class())?.chipset
    }

    /// How far RAM below 4 GiB may reach, in bytes: where the user says nothing, as far as the chipset's.
    pub fn max_ram_below_4g(&self) -> u64 {
        match (self.max_ram_below_4g.get(), self.chipset()) {
            (0, Some(Chipset::I440fx)) => I440FX_MAX_BELOW_4G,
            (0, _) => FOUR_GIB,
            (asked, _) => asked,
        }
    }

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
        let _ = self.chardevs.set(parts.chardevs);
    }

    /// Its NUMA nodes; none before it is built.
    pub fn numa(&self) -> Option<&Completed> {
        self.numa.get()
    }

    /// Whether guests are told of the latencies and bandwidths of NUMA nodes (ACPI's HMAT).
    pub fn hmat(&self) -> bool {
        self.hmat.get()
    }

    /// How long a guest has to answer; none for any time.
    pub fn cpu_unplug_timeout(&self) -> Option<Duration> {
        let milliseconds = self.cpu_unplug_timeout_ms.get();
        (milliseconds != 0).then(|| Duration::from_millis(milliseconds.into()))
    }

    /// Says who is told what its vCPUs become; once.
    pub fn watch_lives(&self, watcher: Arc<dyn LifeWatcher>) {
        let _ = self.life_watcher.set(watcher);
    }

    /// Who is told what its vCPUs become.
    pub(super) fn life_watcher(&self) -> Option<&Arc<dyn LifeWatcher>> {
        self.life_watcher.get()
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
    /// KVM's, or a kernel's that cannot be loaded again; the vCPUs are then stopped.
    pub fn reset(&self) -> Result<(), BoardError> {
        let (Some(board), Some(tree)) = (self.board(), self.reset_tree()) else { return Ok(()) };
        let was_running = board.begin_reset()?;
        tree.reset();
        self.vcpus_reset();
        board.end_reset(was_running)
    }

    /// The chardevs that its devices can be connected to; none before it is built.
    pub fn chardevs(&self) -> Option<&Arc<ChardevSource>> {
        self.chardevs.get()
    }

    /// Says which device its real-time clock is, and shows the clock's time as its own.
    ///
    /// # Errors
    /// It shows one already.
    pub fn set_clock(&self, clock: &Arc<dyn qom::Object>) -> Result<(), qom::Error> {
        let this: &dyn qom::Object = self;
        this.add_property(Property::alias("rtc-time", clock, "date")?)?;
        self.clock.set(Some(clock));
        Ok(())
    }

    /// Its real-time clock, as a device; none before it is built.
    pub fn clock(&self) -> Option<Arc<dyn qom::Object>> {
        self.clock.get()
    }

    /// Its hardware; none before it is built.
    pub fn board(&self) -> Option<&Arc<Board>> {
        self.board.get()
    }
}

/// What sets a chipset's machines apart.
struct Family {
    /// What the names of its types begin with.
    prefix: &'static str,
    /// Under which lists of machines sort it.
    name: &'static str,
    /// The alias of the newest version.
    alias: &'static str,
    description: &'static str,
    chipset: Chipset,
    /// The newest version is used where the user names no machine.
    is_default: bool,
}

const FAMILIES: [Family; 2] = [
    Family {
        prefix: "pc-i440fx-",
        name: "pc_piix",
        alias: "pc",
        description: "Standard PC (i440FX + PIIX, 1996)",
        chipset: Chipset::I440fx,
        is_default: true,
    },
    Family {
        prefix: "pc-q35-",
        name: "pc_q35",
        alias: "q35",
        description: "Standard PC (Q35 + ICH9, 2009)",
        chipset: Chipset::Q35,
        is_default: false,
    },
];

/// How many CPUs an i440FX machine takes at most: as many as have APIC IDs of 8 bits but the broadcast's.
const I440FX_MAX_CPUS: u32 = 255;

/// The class data of a version of a family. Source: `query-machines` of QEMU 11.1.
fn machine_class(family: &Family, version: &PcVersion) -> MachineClass {
    let newest = version.version == PC_VERSIONS[0].version;
    MachineClass {
        name: format!("{}{}", family.prefix, version.version).into(),
        family: Some(family.name),
        alias: newest.then_some(family.alias),
        description: family.description,
        is_default: newest && family.is_default,
        deprecated: version.deprecated,
        max_cpus: match family.chipset {
            Chipset::I440fx => I440FX_MAX_CPUS,
            Chipset::Q35 => version.q35_max_cpus,
        },
        default_cpu_type: Some("qemu64-x86_64-cpu"),
        default_ram_id: Some("pc.ram"),
        default_ram_size: 128 << 20,
        hotpluggable_cpus: true,
        numa_mem_supported: false,
        acpi: true,
        smp: SmpRules { prefer_sockets: version.prefer_sockets, dies: true, modules: true, caches: true },
        chipset: Some(family.chipset),
        broken_32bit_mem_addr_check: version.broken_32bit_mem_addr_check,
        compat: compat_properties(version.version),
    }
}

/// The type of every version of both families.
fn types() -> Vec<TypeInfo> {
    let versions = |family: &'static Family| PC_VERSIONS.iter().map(move |version| (family, version));
    FAMILIES
        .iter()
        .flat_map(versions)
        .map(|(family, version)| {
            let name = format!("{}{}{TYPE_SUFFIX}", family.prefix, version.version);
            TypeInfo::new(name, PcMachine::TYPE_NAME, qom::site!()).class_init(move |class| {
                *class.data_mut() = machine_class(family, version);
                if family.chipset == Chipset::Q35 {
                    absent::declare_q35(class);
                }
            })
        })
        .collect()
}

qom::register_types!(<PcMachine as Instance>::type_info);
qom::register_type_tables!(types);
