//! Leaves that tell a CPU its place: 0Bh, 1Fh and 8000_001Eh.

use super::build::{BuildInput, plain};
use super::{Beyond, CpuidRegs, Leaf, SubLeaves};
use crate::config::CpuConfig;
use crate::topology::{CpuTopology, Level};

/// Whether the CPU shows leaf 1Fh.
pub(crate) fn has_leaf_1f(config: &CpuConfig, topology: &CpuTopology) -> bool {
    config.force_cpuid_0x1f || topology.is_extended()
}

pub(super) fn leaves(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let mut all = Vec::new();
    if input.config.cpuid_0xb {
        all.push((0xb, levels(input, &[Level::Thread, Level::Core])));
    }
    let topology = &input.placement.topology;
    if has_leaf_1f(input.config, topology) {
        let shown: Vec<_> = [Level::Thread, Level::Core, Level::Module, Level::Die]
            .into_iter()
            .filter(|level| topology.has(*level))
            .collect();
        all.push((0x1f, levels(input, &shown)));
    }
    all.push((0x8000_001e, node_ids(input)));
    all
}

/// Level type of ECX bits 15 to 8 (Intel SDM volume 2A, leaf 1Fh).
const fn level_type(level: Level) -> u32 {
    match level {
        Level::Thread => 1,
        Level::Core => 2,
        Level::Module => 3,
        Level::Die => 5,
        Level::Socket => 0,
    }
}

/// One sub-leaf a level. Each describes the unit that holds the level's: the width of IDs in
/// it and its threads.
fn levels(input: &BuildInput<'_>, shown: &[Level]) -> Leaf {
    let topology = &input.placement.topology;
    let apic_id = input.placement.apic_id;
    let outer = shown.iter().skip(1).chain([&Level::Socket]);
    let mut subleaves = (0..).zip(shown.iter().zip(outer)).map(|(i, (level, outer))| CpuidRegs {
        eax: topology.offset(*outer),
        ebx: topology.threads_per(*outer) & 0xffff,
        ecx: i | level_type(*level) << 8,
        edx: apic_id.0,
    });
    let first = subleaves.next().unwrap_or_default();
    Leaf::Indexed(SubLeaves::new(first, subleaves.collect(), Beyond::Topology(apic_id)))
}

/// Leaf 8000_001Eh: the core's and the node's number. It has 8 bits for the core.
fn node_ids(input: &BuildInput<'_>) -> Leaf {
    let topology = &input.placement.topology;
    let apic_id = input.placement.apic_id.0;
    let core = input.ids().core;
    if core > 255 {
        return plain(0, 0, 0, 0);
    }
    let ebx = (topology.threads_per_core() - 1) << 8 | core;
    let ecx = if input.config.legacy_multi_node {
        (topology.dies_per_socket() - 1) << 8 | apic_id >> topology.offset(Level::Die) & 0xff
    } else {
        apic_id >> topology.offset(Level::Socket) & 0xff
    };
    plain(apic_id, ebx, ecx, 0)
}
