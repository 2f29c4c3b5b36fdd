//! HMAT, the Heterogeneous Memory Attribute Table (ACPI 6.5, 5.2.29): how fast the CPUs of a NUMA node reach the memory of
//! another, and what caches stand before it.
//!
//! Of the structures that `acpi_tables` has, the one for caches is used. Its one for proximity domains always has an
//! initiator, and its one for latencies mixes up entries where there are more targets than initiators.

use acpi_tables::hmat::{self, CacheLevel, MemorySideCache};
use acpi_tables::{Aml, AmlSink};

use super::table::OemIds;
use crate::numa::hmat::{Associativity, DataType, Hierarchy, Hmat, LbTable, WritePolicy};
use crate::numa::{Completed, HmatCacheOptions, MAX_NODES};

/// Memory Proximity Domain Attributes (5.2.29.3).
struct ProximityDomain {
    initiator: Option<u16>,
    node: u16,
}

impl Aml for ProximityDomain {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.word(0);
        sink.word(0);
        sink.dword(40);
        // Bit 0: there is an initiator. The reference names one all the same, which no node can be.
        sink.word(u16::from(self.initiator.is_some()));
        sink.word(0);
        sink.dword(self.initiator.unwrap_or(MAX_NODES).into());
        sink.dword(self.node.into());
        sink.dword(0);
        sink.qword(0);
        sink.qword(0);
    }
}

/// System Locality Latency and Bandwidth Information (5.2.29.4).
struct Locality<'a> {
    hierarchy: Hierarchy,
    data_type: DataType,
    figures: &'a LbTable,
    initiators: &'a [u16],
    targets: u16,
}

impl Aml for Locality<'_> {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        // At most 128 each.
        let initiators = u32::try_from(self.initiators.len()).unwrap_or(u32::MAX);
        let targets = u32::from(self.targets);
        sink.word(1);
        sink.word(0);
        sink.dword(32 + 4 * initiators + 4 * targets + 2 * initiators * targets);
        sink.byte(hierarchy_number(self.hierarchy));
        sink.byte(data_type_number(self.data_type));
        // Least transfer size, reserved.
        sink.word(0);
        sink.dword(initiators);
        sink.dword(targets);
        sink.dword(0);
        sink.qword(self.figures.base_unit().into());
        self.initiators.iter().for_each(|initiator| sink.dword((*initiator).into()));
        (0..targets).for_each(|target| sink.dword(target));
        for initiator in self.initiators {
            (0..self.targets).for_each(|target| sink.word(self.figures.entry(*initiator, target)));
        }
    }
}

fn hierarchy_number(hierarchy: Hierarchy) -> u8 {
    match hierarchy {
        Hierarchy::Memory => 0,
        Hierarchy::FirstLevel => 1,
        Hierarchy::SecondLevel => 2,
        Hierarchy::ThirdLevel => 3,
    }
}

fn data_type_number(data_type: DataType) -> u8 {
    match data_type {
        DataType::AccessLatency => 0,
        DataType::ReadLatency => 1,
        DataType::WriteLatency => 2,
        DataType::AccessBandwidth => 3,
        DataType::ReadBandwidth => 4,
        DataType::WriteBandwidth => 5,
    }
}

fn level(number: usize) -> CacheLevel {
    match number {
        0 => CacheLevel::None,
        1 => CacheLevel::One,
        2 => CacheLevel::Two,
        _ => CacheLevel::Three,
    }
}

fn cache(cache: &HmatCacheOptions, levels: usize) -> MemorySideCache {
    let associativity = match cache.associativity {
        Associativity::None => hmat::Associativity::None,
        Associativity::Direct => hmat::Associativity::DirectMapped,
        Associativity::Complex => hmat::Associativity::Complex,
    };
    let policy = match cache.policy {
        WritePolicy::None => hmat::WritePolicy::None,
        WritePolicy::WriteBack => hmat::WritePolicy::Writeback,
        WritePolicy::WriteThrough => hmat::WritePolicy::Writethrough,
    };
    let own = level(cache.level.into());
    MemorySideCache::new(cache.node_id, cache.size, level(levels), own, associativity, policy, cache.line)
}

/// The table, if there are nodes and the machine's property `hmat` is on.
pub fn hmat(numa: &Completed, oem: OemIds) -> Option<Vec<u8>> {
    let known: &Hmat = numa.hmat.as_ref()?;
    let targets = u16::try_from(numa.nodes.len()).unwrap_or(MAX_NODES);
    let nodes = || (0..targets).zip(&numa.nodes);
    let mut body = Vec::new();
    body.dword(0);
    for (node, view) in nodes() {
        ProximityDomain { initiator: view.initiator, node }.to_aml_bytes(&mut body);
    }
    let initiators: Vec<u16> = nodes().filter(|(_, view)| view.has_cpu).map(|(node, _)| node).collect();
    for (hierarchy, data_type, figures) in known.tables() {
        Locality { hierarchy, data_type, figures, initiators: &initiators, targets }.to_aml_bytes(&mut body);
    }
    for (node, _) in nodes() {
        let levels = known.caches(node).count();
        known.caches(node).for_each(|known| cache(known, levels).to_aml_bytes(&mut body));
    }
    Some(oem.table(*b"HMAT", 2, &body))
}
