//! Machines as types of the object model.
//!
//! `machine` is the abstract root; `none-machine` has nothing on it; a PC's type is made of data: the chipset, the
//! version and its limits ([`MachineClass`]). [`PcMachine`] is the state of all PCs.
//!
//! A machine type is named `NAME-machine` and chosen by `-machine NAME`, by NAME or by its alias. What a machine does
//! with its CPUs is in [`cpu_plug`]; what it has of real hardware, in [`board`]; how it is reset, in
//! [`reset`].

pub mod board;
pub mod cpu_plug;
pub mod pc;
pub mod possible_cpus;
pub mod reset;
pub mod versions;

use std::borrow::Cow;

use qom::{Class, Field, ObjectCore, Qom};
use qom_derive::Object;

pub use pc::PcMachine;

use crate::smp::SmpLimits;
use versions::CompatProperty;

/// What every machine type's name ends in.
pub const TYPE_SUFFIX: &str = "-machine";

/// The PC chipsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chipset {
    /// Intel 440FX with PIIX4 power management.
    I440fx,
    /// Intel Q35 with ICH9.
    Q35,
}

/// The class data that `machine` introduces.
#[derive(Debug, Clone, Default)]
pub struct MachineClass {
    /// The name for `-machine`, without the type's suffix.
    pub name: Cow<'static, str>,
    /// What it is a version of; lists sort by it.
    pub family: Option<&'static str>,
    /// Another name.
    pub alias: Option<&'static str>,
    /// One line for people.
    pub description: &'static str,
    /// Used where the user names none.
    pub is_default: bool,
    /// Will go in a later version, or should not be used.
    pub deprecated: bool,
    /// How many CPUs it takes at most.
    pub max_cpus: u32,
    /// The CPU where the user names none.
    pub default_cpu_type: Option<&'static str>,
    /// The id of the RAM's memory backend.
    pub default_ram_id: Option<&'static str>,
    /// RAM where the user says nothing, in bytes.
    pub default_ram_size: u64,
    /// CPUs come and go while it runs.
    pub hotpluggable_cpus: bool,
    /// RAM belongs to NUMA nodes by size (`-numa node,mem=`).
    pub numa_mem_supported: bool,
    /// It offers ACPI.
    pub acpi: bool,
    /// What it makes of `-smp`.
    pub smp: SmpRules,
    /// Its chipset; a machine without one has no hardware.
    pub chipset: Option<Chipset>,
    /// What is set on objects so that they are as they were in its version, in the order of setting.
    pub compat: Vec<CompatProperty>,
}

/// What a machine type makes of `-smp`, but for how many CPUs it takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SmpRules {
    /// Sockets are computed before cores.
    pub prefer_sockets: bool,
    /// Sockets have dies.
    pub dies: bool,
    /// Dies have modules.
    pub modules: bool,
}

impl MachineClass {
    /// What `-smp` may say.
    pub fn smp_limits(&self) -> SmpLimits<'_> {
        let SmpRules { prefer_sockets, dies, modules } = self.smp;
        SmpLimits { machine: &self.name, min_cpus: 1, max_cpus: self.max_cpus, prefer_sockets, dies, modules }
    }
}

/// The abstract type of all machines.
#[derive(Debug, Object)]
#[object(name = "machine", abstract, class_init = Machine::class_init)]
pub struct Machine {
    parent: ObjectCore,
    /// RAM in bytes.
    ram_size: Field<u64>,
    smp: Field<Option<crate::smp::CpuTopology>>,
    /// Firmware image.
    #[property(get, set)]
    firmware: Field<Option<String>>,
}

impl Machine {
    fn class_init(class: &mut qom::ClassInit<'_>) {
        class.data_mut::<MachineClass>();
        class.add_property(
            qom::Property::new("smp", "SMPConfiguration")
                .description("CPU topology")
                .get(|object| Ok(object.downcast_ref::<Self>().map_or(qom::Value::Null, Self::smp_value))),
        );
    }

    /// The topology as the property `smp` shows it.
    fn smp_value(&self) -> qom::Value {
        self.smp.get().map_or(qom::Value::Null, |smp| {
            serde_json::json!({
                "modules": smp.modules(), "cpus": smp.cpus(), "maxcpus": smp.max_cpus(), "books": 1,
                "threads": smp.threads(), "cores": smp.cores(), "dies": smp.dies(), "sockets": smp.sockets(),
                "clusters": 1, "drawers": 1,
            })
        })
    }

    /// Says how much RAM (bytes) and which CPUs it has. Called once, before the machine is built.
    pub fn configure(&self, ram_size: u64, smp: crate::smp::CpuTopology) {
        self.ram_size.set(ram_size);
        self.smp.set(Some(smp));
    }

    /// RAM in bytes.
    pub fn ram_size(&self) -> u64 {
        self.ram_size.get()
    }

    /// The CPU topology, once it is configured.
    pub fn smp(&self) -> Option<crate::smp::CpuTopology> {
        self.smp.get()
    }

    /// The firmware image's path, if the user named one.
    pub fn firmware(&self) -> Option<String> {
        self.firmware.get().filter(|path| !path.is_empty())
    }
}

/// The machine without anything on it.
#[derive(Debug, Object)]
#[object(name = "none-machine", class_init = NoneMachine::class_init)]
pub struct NoneMachine {
    parent: Machine,
}

impl NoneMachine {
    fn class_init(class: &mut qom::ClassInit<'_>) {
        *class.data_mut::<MachineClass>() = MachineClass {
            name: "none".into(),
            description: "empty machine",
            default_ram_id: Some("ram"),
            max_cpus: 1,
            ..MachineClass::default()
        };
    }
}

qom::register_types!(<Machine as qom::Instance>::type_info, <NoneMachine as qom::Instance>::type_info,);

/// A machine's class data; `class` must be a machine's.
pub fn machine_class(class: &Class) -> Option<&MachineClass> {
    class.data()
}

/// All machine classes in the order of their type names.
pub fn machine_classes(qom: &Qom) -> Vec<&MachineClass> {
    qom.type_names(Some("machine"), false)
        .into_iter()
        .filter_map(|name| qom.class(name).ok())
        .filter_map(|class| class.data())
        .collect()
}

/// The type name of the machine that `-machine NAME` means.
pub fn find_machine<'a>(qom: &'a Qom, name: &str) -> Option<&'a MachineClass> {
    let by_name = qom.class(&format!("{name}{TYPE_SUFFIX}")).ok().filter(|class| !class.is_abstract());
    by_name
        .and_then(|class| machine_class(class))
        .or_else(|| machine_classes(qom).into_iter().find(|class| class.alias == Some(name)))
}

/// The machine that is used where the user names none.
pub fn default_machine(qom: &Qom) -> Option<&MachineClass> {
    machine_classes(qom).into_iter().find(|class| class.is_default)
}
