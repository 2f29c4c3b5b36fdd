//! The CPUs that a machine can ever have: which they are, what they are called, which of them are there.
//!
//! The list is fixed when the machine is made. A *slot* is an index in it; identity is the APIC ID (the *arch id*),
//! so the order of plugging is free. The list knows no accelerator and no guest; it is told what was plugged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::RwLock;
use qom::Object;
use serde::Serialize;
use target_i386::topology::{ApicId, CacheSharing, CpuIds, CpuTopology, TopologyError};

use super::vcpu_life::VcpuState;
use crate::numa::CpuSlot;

/// A CPU's place as `query-hotpluggable-cpus` and `query-cpus-fast` show it (QAPI `CpuInstanceProperties`). Levels that the
/// machine's topology has only one of and that older clients do not know (dies, modules) are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct CpuInstanceProperties {
    /// The core in its module, from 0.
    pub core_id: u32,
    /// The thread in its core, from 0.
    pub thread_id: u32,
    /// The NUMA node; absent if it is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<u16>,
    /// The die in its socket, from 0; absent where sockets have one die.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub die_id: Option<u32>,
    /// The socket in the machine, from 0.
    pub socket_id: u32,
    /// The module in its die, from 0; absent where dies have one module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<u32>,
}

/// One CPU that there can be.
#[derive(Debug)]
pub struct PossibleCpu {
    /// Its APIC ID.
    pub apic_id: ApicId,
    /// Its place.
    pub ids: CpuIds,
    /// What a client is told of the place, but for the node.
    place: CpuInstanceProperties,
    node: RwLock<Option<u16>>,
    /// The object, while one is plugged. The tree owns it.
    cpu: RwLock<Option<Weak<dyn Object>>>,
    /// What its vCPU is; none where there is none.
    state: RwLock<Option<VcpuState>>,
}

impl PossibleCpu {
    /// What a client is told of the place.
    pub fn props(&self) -> CpuInstanceProperties {
        CpuInstanceProperties { node_id: self.node(), ..self.place }
    }

    /// Its place as NUMA options name it.
    pub fn numa_slot(&self) -> CpuSlot {
        let CpuInstanceProperties { core_id, thread_id, die_id, socket_id, module_id, .. } = self.place;
        CpuSlot { socket: socket_id, die: die_id, module: module_id, core: core_id, thread: thread_id }
    }

    /// Its NUMA node, if it is in one.
    pub fn node(&self) -> Option<u16> {
        *self.node.read()
    }

    /// The CPU that is there.
    pub fn cpu(&self) -> Option<Arc<dyn Object>> {
        self.cpu.read().as_ref().and_then(Weak::upgrade)
    }

    /// What the vCPU that is there is to a client; none if there is none.
    pub fn state(&self) -> Option<VcpuState> {
        *self.state.read()
    }

    /// Notes what the vCPU has become.
    pub(super) fn set_state(&self, state: Option<VcpuState>) {
        *self.state.write() = state;
    }
}

/// All CPUs that there can be, in order of their slots.
#[derive(Debug)]
pub struct PossibleCpus {
    topology: CpuTopology,
    smp: crate::smp::CpuTopology,
    cpus: Vec<PossibleCpu>,
    /// Slots with a CPU, in the order in which they were plugged.
    plugged: RwLock<Vec<usize>>,
    /// How often something changed that lists of CPUs show.
    revision: AtomicU64,
}

impl PossibleCpus {
    /// The CPUs that `-smp` allows, with caches shared as the machine says.
    ///
    /// # Errors
    /// [`TopologyError`] if an APIC ID would not fit 32 bits.
    pub fn new(smp: crate::smp::CpuTopology, caches: CacheSharing) -> Result<Self, TopologyError> {
        let topology = CpuTopology::new(smp.dies(), smp.modules(), smp.cores(), smp.threads())?;
        let topology = topology.with_caches(caches);
        let cpus: Vec<_> = (0..smp.max_cpus())
            .filter_map(|index| {
                let ids = topology.ids_of_index(index);
                let place = CpuInstanceProperties {
                    core_id: ids.core,
                    thread_id: ids.thread,
                    node_id: None,
                    die_id: (smp.dies() > 1).then_some(ids.die),
                    socket_id: ids.socket,
                    module_id: (smp.modules() > 1).then_some(ids.module),
                };
                let apic_id = topology.encode(ids)?;
                Some(PossibleCpu {
                    apic_id,
                    ids,
                    place,
                    node: RwLock::default(),
                    cpu: RwLock::default(),
                    state: RwLock::default(),
                })
            })
            .collect();
        Ok(Self { topology, smp, cpus, plugged: RwLock::default(), revision: AtomicU64::new(0) })
    }

    /// The topology of a socket.
    pub fn topology(&self) -> CpuTopology {
        self.topology
    }

    /// The machine's topology.
    pub fn smp(&self) -> crate::smp::CpuTopology {
        self.smp
    }

    /// The slots in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, PossibleCpu> {
        self.cpus.iter()
    }

    /// How many CPUs there can be.
    pub fn len(&self) -> usize {
        self.cpus.len()
    }

    /// Whether there can be no CPU at all.
    pub fn is_empty(&self) -> bool {
        self.cpus.is_empty()
    }

    /// A slot.
    pub fn get(&self, slot: usize) -> Option<&PossibleCpu> {
        self.cpus.get(slot)
    }

    /// The slot of an APIC ID. IDs rise with the slots.
    pub fn slot_of(&self, apic_id: ApicId) -> Option<usize> {
        self.cpus.binary_search_by_key(&apic_id, |cpu| cpu.apic_id).ok()
    }

    /// Notes the NUMA node of each slot, in order, as far as it is known.
    pub fn set_nodes(&self, nodes: impl IntoIterator<Item = Option<u16>>) {
        for (possible, node) in self.cpus.iter().zip(nodes) {
            *possible.node.write() = node;
        }
        self.changed();
    }

    /// Notes who is in a slot now, if anybody.
    pub fn occupy(&self, slot: usize, cpu: Option<&Arc<dyn Object>>) {
        if let Some(possible) = self.cpus.get(slot) {
            let mut plugged = self.plugged.write();
            let before = std::mem::replace(&mut *possible.cpu.write(), cpu.map(Arc::downgrade));
            // One that was free is not in the list.
            if before.is_some() {
                plugged.retain(|other| *other != slot);
            }
            if cpu.is_some() {
                plugged.push(slot);
            }
            self.changed();
        }
    }

    fn changed(&self) {
        self.revision.fetch_add(1, Ordering::Release);
    }

    /// A number that changes whenever a CPU comes or goes, or nodes are noted: what a list of slots shows is the same for as long as it is.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// The slots with a CPU, in the order in which they were plugged: that of lists of CPUs.
    pub fn plugged(&self) -> Vec<usize> {
        self.plugged.read().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smp::{SmpConfiguration, SmpLimits};

    #[test]
    fn slots_and_apic_ids_map_both_ways() {
        // 3 cores take two bits: APIC IDs have gaps, slots do not.
        let smp =
            SmpConfiguration { sockets: Some(2), cores: Some(3), threads: Some(2), ..Default::default() };
        let smp = smp.resolve(&SmpLimits::pc("test", 255, false)).unwrap();
        let cpus = PossibleCpus::new(smp, CacheSharing::AS_MODEL).unwrap();
        let ids: Vec<u32> = cpus.iter().map(|cpu| cpu.apic_id.0).collect();
        assert_eq!(ids, [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]);
        for (slot, cpu) in cpus.iter().enumerate() {
            assert_eq!(cpus.slot_of(cpu.apic_id), Some(slot));
        }
        assert_eq!(cpus.slot_of(ApicId(6)), None);
        assert_eq!(
            serde_json::to_value(cpus.get(7).unwrap().props()).unwrap(),
            serde_json::json!({"core-id": 0, "thread-id": 1, "socket-id": 1})
        );
    }
}
