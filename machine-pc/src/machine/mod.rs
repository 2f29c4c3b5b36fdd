//! Machines as types of the object model.
//!
//! `machine` is the abstract root; `none-machine` has nothing on it; a PC's type is made of data: the chipset, the
//! version and its limits ([`MachineClass`]). [`PcMachine`] is the state of all PCs.
//!
//! A machine type is named `NAME-machine` and chosen by `-machine NAME`, by NAME or by its alias. What a machine does
//! with its CPUs is in [`cpu_plug`]; what it has of real hardware, in [`board`]; how it is reset, in
//! [`reset`]; how its versions differ, in [`versions`].
//!
//! What a user says of a machine is a property. It is noted, and done when the machine is made ([`crate::startup`]); a change
//! after that is refused. About what is not there at all, [`absent`] speaks.

pub mod absent;
pub mod address_space;
pub mod board;
pub mod boot_configuration;
pub mod cpu_plug;
#[cfg(test)]
mod hotplug_dialogue;
mod idle_threads;
pub mod pc;
pub mod possible_cpus;
pub mod reset;
pub mod smp_cache;
pub mod vcpu_life;
pub mod vcpu_lives;
pub mod versions;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use qom::{
    Class, Field, Input, Object, ObjectCore, Property, PropertyError, PropertyValue, Qom, Size, Value,
    ValueError, property_struct,
};
use qom_derive::Object;
use serde_json::json;
use target_i386::topology::CacheSharing;
use vm_memory::MmapRegion;

pub use pc::PcMachine;

use smp_cache::SmpCacheProperties;

use self::boot_configuration::BootConfiguration;
use crate::boot::KernelOptions;
use crate::memory::RamLayout;
use crate::smp::{SmpConfiguration, SmpLimits};
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

impl Chipset {
    /// How it splits RAM (bytes) at 4 GiB; below it RAM reaches up to `max_below_4g` (bytes) at most.
    pub fn ram_layout(self, ram: u64, max_below_4g: u64) -> RamLayout {
        match self {
            Self::I440fx => RamLayout::i440fx(ram, Some(max_below_4g)),
            Self::Q35 => RamLayout::q35(ram, Some(max_below_4g)),
        }
    }

    /// What there is to warn of in such a split.
    pub fn ram_advice(self, ram: u64, max_below_4g: u64) -> Option<String> {
        match self {
            Self::I440fx => RamLayout::i440fx_advice(ram, max_below_4g),
            Self::Q35 => RamLayout::q35_advice(ram, max_below_4g),
        }
    }
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
    /// RAM may lie beyond the addresses of CPUs without long mode.
    pub broken_32bit_mem_addr_check: bool,
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
    /// It says who shares its CPUs' caches.
    pub caches: bool,
}

impl MachineClass {
    /// What `-smp` may say.
    pub fn smp_limits(&self) -> SmpLimits<'_> {
        let SmpRules { prefer_sockets, dies, modules, .. } = self.smp;
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
    smp_cache: Field<Vec<SmpCacheProperties>>,
    /// The firmware image's path; empty for none.
    firmware: Field<String>,
    asked: Field<Asked>,
    /// The kernel that is booted directly, and what goes with it; empty for none.
    kernel: Field<String>,
    initrd: Field<String>,
    append: Field<String>,
    #[object(default = Field::new(true))]
    dump_guest_core: Field<bool>,
    #[object(default = Field::new(true))]
    mem_merge: Field<bool>,
    boot: Field<BootConfiguration>,
    /// The id of the object in `/objects` that is its RAM.
    memory_backend: Field<Option<String>>,
    /// The memory of that object, which cannot go as long as it is held.
    ram: OnceLock<Arc<MmapRegion>>,
}

/// What the user says of a machine's size.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// RAM in bytes, not 0.
    pub ram_size: Option<u64>,
    /// The CPUs.
    pub smp: SmpConfiguration,
}

property_struct! {
    /// RAM, now and later.
    struct MemorySizeConfiguration("MemorySizeConfiguration") {
        /// At start.
        optional size: Size = "size",
        /// With all that can be added.
        optional max_size: Size = "max-size",
        /// How many pieces can be added.
        optional slots: u64 = "slots",
    }
}

/// What it is made from cannot be said once it is made.
fn too_late() -> PropertyError {
    PropertyError::Refused("cannot change property value".to_owned())
}

impl Machine {
    fn class_init(class: &mut qom::ClassInit<'_>) {
        class.data_mut::<MachineClass>();
        absent::declare(class);
        class.add_property(
            Property::new("smp", "SMPConfiguration")
                .description("CPU topology")
                .get(|object| Ok(object.downcast_ref::<Self>().map_or(Value::Null, Self::smp_value)))
                .set(|object, input| {
                    let (Input::Json(Value::Object(members)) | Input::KeyvalTree(Value::Object(members))) =
                        *input
                    else {
                        return Err(ValueError::Kind { name: "smp".to_owned(), expected: "object" }.into());
                    };
                    let smp = SmpConfiguration::from_properties(members)
                        .map_err(|error| PropertyError::Refused(error.to_string()))?;
                    Self::ask(object, |asked| asked.smp = smp)
                }),
        );
        class.add_property(
            Property::new("memory", "MemorySizeConfiguration")
                .description("Memory size configuration")
                .get(|object| Ok(json!({"size": object.downcast_ref::<Self>().map_or(0, Self::ram_size)})))
                .set(|object, input| {
                    let memory = MemorySizeConfiguration::read("memory", input)?;
                    if memory.max_size.is_some() || memory.slots.is_some() {
                        let why = "memory cannot be added while the guest runs";
                        return Err(PropertyError::Refused(why.to_owned()));
                    }
                    Self::ask(object, |asked| {
                        asked.ram_size = memory.size.map(|Size(size)| size).filter(|n| *n > 0);
                    })
                }),
        );
        class.add_property(
            Property::new("firmware", "string")
                .description("Firmware image")
                .get(|object| Ok(object.downcast_ref::<Self>().map(|this| this.firmware.get()).into()))
                .set(|object, input| {
                    let path = String::read("firmware", input)?;
                    let Some(this) = object.downcast_ref::<Self>() else { return Err(too_late()) };
                    this.before_it_is_made().map(|()| this.firmware.set(path))
                }),
        );
        Self::add_kernel_properties(class);
        class.add_property(
            Property::of::<Self, BootConfiguration>("boot", |this| this.boot.get())
                .settable::<Self, BootConfiguration>(|this, boot| {
                    this.before_it_is_made().map(|()| this.boot.set(boot))
                })
                .description("Boot configuration"),
        );
        class.add_property(
            Property::new("smp-cache", "SmpCachePropertiesWrapper")
                .description("Cache properties list for SMP machine")
                .get(|object| {
                    let list = object.downcast_ref::<Self>().map(|this| this.smp_cache.get());
                    Ok(smp_cache::all(&list.unwrap_or_default()).to_value())
                })
                .set(|object, input| {
                    let list = Vec::<SmpCacheProperties>::read("smp-cache", input)?;
                    let (Some(this), Some(class)) =
                        (object.downcast_ref::<Self>(), machine_class(object.class()))
                    else {
                        return Err(too_late());
                    };
                    smp_cache::sharing(class, &list)
                        .map_err(|error| PropertyError::Refused(error.to_string()))?;
                    this.before_it_is_made()?;
                    this.smp_cache.set(list);
                    Ok(())
                }),
        );
        class.add_property(
            Property::of::<Self, bool>("dump-guest-core", |this| this.dump_guest_core.get())
                .settable::<Self, bool>(|this, on| {
                    this.before_it_is_made().map(|()| this.dump_guest_core.set(on))
                })
                .description("Include guest memory in a core dump"),
        );
        class.add_property(
            Property::of::<Self, bool>("mem-merge", |this| this.mem_merge.get())
                .settable::<Self, bool>(|this, on| this.before_it_is_made().map(|()| this.mem_merge.set(on)))
                .description("Enable/disable memory merge support"),
        );
        class.add_property(
            Property::new("memory-backend", "link<memory-backend>")
                // The reference's text.
                .description("Set RAM backendValid value is ID of hostmem based backend")
                .get(|object| {
                    let id = object.downcast_ref::<Self>().and_then(Self::memory_backend);
                    Ok(id.map(|id| format!("/objects/{id}")).unwrap_or_default().into())
                })
                .set(|object, input| {
                    let id = String::read("memory-backend", input)?;
                    let Some(this) = object.downcast_ref::<Self>() else { return Err(too_late()) };
                    this.before_it_is_made()?;
                    this.memory_backend.set(Some(id));
                    Ok(())
                }),
        );
    }

    fn add_kernel_properties(class: &mut qom::ClassInit<'_>) {
        type Place = fn(&Machine) -> &Field<String>;
        let properties: [(&str, &str, Place); 3] = [
            ("kernel", "Linux kernel image file", |this| &this.kernel),
            ("initrd", "Linux initial ramdisk file", |this| &this.initrd),
            ("append", "Linux kernel command line", |this| &this.append),
        ];
        for (name, description, place) in properties {
            class.add_property(
                Property::new(name, "string")
                    .description(description)
                    .get(move |object| Ok(object.downcast_ref::<Self>().map(|this| place(this).get()).into()))
                    .set(move |object, input| {
                        let text = String::read(name, input)?;
                        let Some(this) = object.downcast_ref::<Self>() else { return Err(too_late()) };
                        this.before_it_is_made().map(|()| place(this).set(text))
                    }),
            );
        }
    }

    /// What is booted with no firmware, if the user named a kernel.
    pub fn kernel(&self) -> Option<KernelOptions> {
        let path =
            |field: &Field<String>| Some(field.get()).filter(|path| !path.is_empty()).map(PathBuf::from);
        let (initrd, append) = (path(&self.initrd), self.append.get());
        path(&self.kernel).map(|kernel| KernelOptions { kernel, initrd, append })
    }

    /// Notes what the user says.
    fn ask(object: &dyn Object, note: impl FnOnce(&mut Asked)) -> Result<(), PropertyError> {
        let Some(this) = object.downcast_ref::<Self>() else { return Err(too_late()) };
        this.before_it_is_made().map(|()| this.asked.update(note))
    }

    /// What the user said of its size.
    pub fn asked(&self) -> Asked {
        self.asked.get()
    }

    /// Refuses what comes too late.
    fn before_it_is_made(&self) -> Result<(), PropertyError> {
        if self.smp.get().is_some() { Err(too_late()) } else { Ok(()) }
    }

    /// The id of the object in `/objects` that is its RAM, if the user named one.
    pub fn memory_backend(&self) -> Option<String> {
        self.memory_backend.get()
    }

    /// Whether guest memory is part of a core dump of the program.
    pub fn dump_guest_core(&self) -> bool {
        self.dump_guest_core.get()
    }

    /// Whether the host may merge equal pages of guest memory.
    pub fn mem_merge(&self) -> bool {
        self.mem_merge.get()
    }

    /// How it boots.
    pub fn boot(&self) -> BootConfiguration {
        self.boot.get()
    }

    /// Says how it boots.
    pub fn set_boot(&self, boot: BootConfiguration) {
        self.boot.set(boot);
    }

    /// Who shares the CPUs' caches.
    pub fn smp_cache(&self) -> Vec<SmpCacheProperties> {
        self.smp_cache.get()
    }

    /// Notes who shares the caches of the machine's CPUs, where the user said so of some; `smp-cache` then tells of all.
    pub fn settle_smp_cache(&self, model: &CacheSharing) {
        self.smp_cache.update(|list| {
            if !list.is_empty() {
                *list = smp_cache::settled(list, model);
            }
        });
    }

    /// The topology as the property `smp` shows it.
    fn smp_value(&self) -> Value {
        self.smp.get().map_or(Value::Null, |smp| {
            serde_json::json!({
                "modules": smp.modules(), "cpus": smp.cpus(), "maxcpus": smp.max_cpus(), "books": 1,
                "threads": smp.threads(), "cores": smp.cores(), "dies": smp.dies(), "sockets": smp.sockets(),
                "clusters": 1, "drawers": 1,
            })
        })
    }

    /// Says how much RAM (bytes) it has, whose memory that is where it is an object's, and which CPUs. Called once, before
    /// the machine is built.
    pub fn configure(&self, ram_size: u64, ram: Option<Arc<MmapRegion>>, smp: crate::smp::CpuTopology) {
        self.ram_size.set(ram_size);
        if let Some(ram) = ram {
            // A second one would be a machine that is made twice.
            let _ = self.ram.set(ram);
        }
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
        Some(self.firmware.get()).filter(|path| !path.is_empty())
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
    classes(qom).collect()
}

/// The same, each built when it is reached.
fn classes(qom: &Qom) -> impl Iterator<Item = &MachineClass> {
    qom.type_names(Some("machine"), false)
        .into_iter()
        .filter_map(|name| qom.class(name).ok())
        .filter_map(|class| class.data())
}

/// The type name of the machine that `-machine NAME` means.
pub fn find_machine<'a>(qom: &'a Qom, name: &str) -> Option<&'a MachineClass> {
    let by_name = qom.class(&format!("{name}{TYPE_SUFFIX}")).ok().filter(|class| !class.is_abstract());
    by_name
        .and_then(|class| machine_class(class))
        .or_else(|| classes(qom).find(|class| class.alias == Some(name)))
}

/// The machine that is used where the user names none.
pub fn default_machine(qom: &Qom) -> Option<&MachineClass> {
    classes(qom).find(|class| class.is_default)
}
