//! QMP: which machines there are, and which CPU models.

use qmp::{Context, Error, command};
use serde::{Deserialize, Serialize};

use crate::machine::{MachineClass, machine_classes};

/// What is set on objects of an older machine (QAPI `CompatProperty`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct CompatProperty {
    qom_type: &'static str,
    property: &'static str,
    value: &'static str,
}

/// A machine type (QAPI `MachineInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct MachineInfo {
    hotpluggable_cpus: bool,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    compat_props: Option<Vec<CompatProperty>>,
    numa_mem_supported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_cpu_type: Option<&'static str>,
    acpi: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_default: Option<bool>,
    cpu_max: u32,
    deprecated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_ram_id: Option<&'static str>,
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

#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct QueryMachines {
    compat_props: Option<bool>,
}

command! {
    /// Returns the machine types; with `compat-props` also the properties by which each differs from the newest.
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
    name: String,
    typename: String,
    unavailable_features: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_of: Option<String>,
    #[serde(rename = "static")]
    is_static: bool,
    migration_safe: bool,
    deprecated: bool,
}

command! {
    /// Returns the CPU models, with the features that keep each from running under this accelerator.
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
