//! QMP: which CPUs there are, may be, and could be.

use std::sync::Arc;

use qmp::{Context, Error, command};
use qom::Obj;
use serde::Serialize;

use crate::machine::PcMachine;
use crate::machine::possible_cpus::{CpuInstanceProperties, PossibleCpus};
use crate::machine::vcpu_life::VcpuState;
use crate::vm::{OstInfo, Vm};

/// The machine, if it has CPUs.
pub(super) fn pc(context: &Context) -> Result<Option<Obj<PcMachine>>, Error> {
    Ok(context.require::<Vm>()?.machine().cloned())
}

/// A slot for a CPU, empty or taken (QAPI `HotpluggableCPU`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub(super) struct HotpluggableCpu {
    /// For people; clients read the CPU's property.
    #[serde(skip)]
    pub(super) state: Option<VcpuState>,
    /// Where the slot is: the properties to give to `device_add` besides `driver`.
    pub(super) props: CpuInstanceProperties,
    /// How many vCPUs plugging it adds: always 1.
    pub(super) vcpus_count: u32,
    /// The path of the CPU in it; absent while the slot is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) qom_path: Option<String>,
    /// The `driver` to give to `device_add`: the machine's CPU type.
    #[serde(rename = "type")]
    pub(super) cpu_type: Arc<str>,
}

/// Every possible CPU, the last slot first, as the reference lists them.
pub(super) fn hotpluggable_cpus(machine: &PcMachine) -> Vec<HotpluggableCpu> {
    let Some(possible) = machine.possible_cpus() else { return Vec::new() };
    let cpu_type: Arc<str> = machine.cpu_type().into();
    let slots = possible.iter().rev();
    slots
        .map(|slot| HotpluggableCpu {
            state: slot.state(),
            props: slot.props(),
            vcpus_count: 1,
            qom_path: slot.cpu().map(|cpu| cpu.canonical_path()),
            cpu_type: cpu_type.clone(),
        })
        .collect()
}

/// The revision of the list of slots.
fn slots_stay(context: &Context) -> Option<u64> {
    Some(context.get::<Vm>()?.machine()?.possible_cpus()?.revision())
}

command! {
    /// Returns the slots for CPUs, the last one first: what to give to `device_add` to fill each, and which CPU is in it.
    ///
    /// Fails on a machine without CPUs (`machine does not support hot-plugging CPUs`).
    "query-hotpluggable-cpus" (allow_preconfig) kept while slots_stay =>
    fn query_hotpluggable_cpus(context: &mut Context, (): ()) -> Result<Vec<HotpluggableCpu>, Error> {
        match pc(context)? {
            Some(machine) => Ok(hotpluggable_cpus(&machine)),
            None => Err(Error::generic("machine does not support hot-plugging CPUs")),
        }
    }
}

/// A CPU that is there (QAPI `CpuInfoFast`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CpuInfoFast {
    /// The host's number of the CPU's thread (TID), by which a manager pins it; that of the program where the CPU has none.
    pub(super) thread_id: u32,
    /// Its class.
    pub(super) qom_type: String,
    /// Its place.
    pub(super) props: CpuInstanceProperties,
    /// Its path.
    qom_path: String,
    /// Its slot's number, 0 to maxcpus - 1.
    pub(super) cpu_index: usize,
    /// What it is a CPU of: always `x86_64`.
    target: SysEmuTarget,
}

/// An architecture (QAPI `SysEmuTarget`), of those that are emulated.
#[derive(Debug, Serialize, qmp::QapiType)]
pub(super) enum SysEmuTarget {
    /// PCs of 64 bits.
    #[serde(rename = "x86_64")]
    X86_64,
}

/// The CPUs that are there, in the order in which they were plugged. A CPU for which the host has no
/// thread shows the program's main thread.
pub(super) fn cpus(machine: &PcMachine) -> Vec<CpuInfoFast> {
    let Some(possible) = machine.possible_cpus() else { return Vec::new() };
    let slots = possible.plugged();
    slots
        .into_iter()
        .filter_map(|index| {
            let slot = possible.get(index)?;
            let cpu = slot.cpu()?;
            let thread = machine.board().and_then(|board| board.thread_id(slot.apic_id.0, index));
            Some(CpuInfoFast {
                thread_id: thread.unwrap_or_else(std::process::id),
                qom_type: cpu.class().name().to_owned(),
                props: slot.props(),
                qom_path: cpu.canonical_path(),
                cpu_index: index,
                target: SysEmuTarget::X86_64,
            })
        })
        .collect()
}

command! {
    /// Returns the CPUs that are there, in the order in which they were plugged, without stopping any. Empty on a machine without
    /// CPUs.
    "query-cpus-fast" => fn query_cpus_fast(context: &mut Context, (): ()) -> Result<Vec<CpuInfoFast>, Error> {
        Ok(pc(context)?.map(|machine| cpus(&machine)).unwrap_or_default())
    }
}

command! {
    /// Returns for each slot what the guest's operating system reported last about it (`_OST`). Each report was also told by the
    /// event `ACPI_DEVICE_OST`.
    ///
    /// Fails on a machine without CPUs or without ACPI (`command is not supported, missing ACPI device`).
    "query-acpi-ospm-status" =>
    fn query_acpi_ospm_status(context: &mut Context, (): ()) -> Result<Vec<OstInfo>, Error> {
        let vm = context.require::<Vm>()?.clone();
        let machine = vm
            .machine()
            .filter(|machine| machine.has_acpi_device())
            .ok_or_else(|| Error::generic("command is not supported, missing ACPI device"))?;
        let slots = machine.possible_cpus().map_or(0, PossibleCpus::len);
        Ok((0..slots).filter_map(|slot| u32::try_from(slot).ok()).map(|slot| vm.ost_info(slot)).collect())
    }
}

/// A CPU's own view: its model's short name.
pub(super) fn model_name(qom_type: &str) -> &str {
    qom_type.strip_suffix(target_i386::model::TYPE_SUFFIX).unwrap_or(qom_type)
}
