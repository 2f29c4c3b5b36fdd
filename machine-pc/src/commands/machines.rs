//! QMP: which machines there are, and which CPU models.

use qmp::{Context, Error, command};
use serde::{Deserialize, Serialize};

use crate::machine::{MachineClass, machine_classes};

/// A property that an older version of a machine sets (QAPI `CompatProperty`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct CompatProperty {
    /// The type of the objects that it is set on.
    qom_type: &'static str,
    /// The property's name.
    property: &'static str,
    /// The value, as `-global` takes it.
    value: &'static str,
}

/// A machine type (QAPI `MachineInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct MachineInfo {
    /// Whether CPUs can be plugged in and out.
    hotpluggable_cpus: bool,
    /// Its name, as `-machine` takes it.
    name: String,
    /// By which properties it differs from the newest version; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    compat_props: Option<Vec<CompatProperty>>,
    /// Whether NUMA nodes can be given memory by its size (`-numa node,mem=`).
    numa_mem_supported: bool,
    /// The class of its CPUs where `-cpu` names none; absent if it has no CPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_cpu_type: Option<&'static str>,
    /// Whether it can have ACPI.
    acpi: bool,
    /// True for the machine that is made where `-machine` names none; absent for all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_default: Option<bool>,
    /// How many CPUs it can have at most.
    cpu_max: u32,
    /// Whether it is not to be used for anything new.
    deprecated: bool,
    /// The name of the memory that `-m` makes; absent if it makes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_ram_id: Option<&'static str>,
    /// Another name for it, which means the newest version; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<&'static str>,
}

impl MachineInfo {
    fn new(class: &MachineClass, compat_props: bool) -> Self {
        let compat = class.compat.iter().map(|compat| CompatProperty {
            qom_type: compat.driver,
            property: compat.property,
            value: compat.value,
        });
        Self {
            hotpluggable_cpus: class.hotpluggable_cpus,
            name: class.name.to_string(),
            compat_props: compat_props.then(|| compat.collect()),
            numa_mem_supported: class.numa_mem_supported,
            default_cpu_type: class.default_cpu_type,
            acpi: class.acpi,
            is_default: class.is_default.then_some(true),
            cpu_max: class.max_cpus,
            deprecated: class.deprecated,
            default_ram_id: class.default_ram_id,
            alias: class.alias,
        }
    }
}

/// What `query-machines` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct QueryMachines {
    /// Whether to tell by which properties machines differ from the newest version; false by default.
    compat_props: Option<bool>,
}

command! {
    /// Returns the machine types.
    "query-machines" =>
    fn query_machines(context: &mut Context, arguments: QueryMachines) -> Result<Vec<MachineInfo>, Error> {
        let compat_props = arguments.compat_props.unwrap_or(false);
        Ok(machine_classes(context.qom()).into_iter().map(|class| MachineInfo::new(class, compat_props)).collect())
    }
}

/// A CPU model (QAPI `CpuDefinitionInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct CpuDefinitionInfo {
    /// Its name, as `-cpu` takes it.
    name: String,
    /// Its class.
    typename: String,
    /// The features that keep it from running under this accelerator; empty if it runs. `kvm` or `type` stands for what is no
    /// feature.
    unavailable_features: Vec<&'static str>,
    /// The model of a certain version that the name means on this machine; absent for a name that is no alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_of: Option<String>,
    /// Whether it is the same on every host and in every version of the program.
    #[serde(rename = "static")]
    is_static: bool,
    /// Whether it is the same in every program with the same machine type.
    migration_safe: bool,
    /// Whether it is not to be used for anything new.
    deprecated: bool,
}

command! {
    /// Returns the CPU models, with the features that keep each from running under this accelerator. `host` is among them exactly
    /// under KVM.
    "query-cpu-definitions" =>
    fn query_cpu_definitions(context: &mut Context, (): ()) -> Result<Vec<CpuDefinitionInfo>, Error> {
        let models = target_i386::cpu::cpu_models(context.qom())
            .ok_or_else(|| Error::generic("this machine has no x86 CPU models"))?;
        let info = |model: target_i386::model::CpuDefinition| CpuDefinitionInfo {
            name: model.name,
            typename: model.typename,
            unavailable_features: model.unavailable_features,
            alias_of: model.alias_of,
            is_static: model.is_static,
            migration_safe: model.migration_safe,
            deprecated: model.deprecated,
        };
        Ok(models.definitions(context.qom()).into_iter().map(info).collect())
    }
}
