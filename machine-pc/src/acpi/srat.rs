//! SRAT, the System Resource Affinity Table (ACPI 6.5, 5.2.16): which NUMA node each CPU and each piece of RAM is in.

use acpi_tables::srat::MemoryAffinity;
use acpi_tables::{Aml, AmlSink};
use target_i386::topology::ApicId;

use super::table::OemIds;
use crate::memory::RamLayout;
use crate::numa::Completed;

/// The first APIC ID that the short structure cannot hold: 255 stands for all CPUs there.
const FIRST_X2APIC_ID: u32 = 255;
/// Where video memory and firmware hide the RAM.
const LOW_HOLE: std::ops::Range<u64> = 0xa_0000..0x10_0000;
const FOUR_GIB: u64 = 1 << 32;
/// Bit 0 of a structure's flags.
const ENABLED: u32 = 1;

/// A CPU's node, as Processor Local APIC Affinity or, where its ID needs it, as Processor Local x2APIC Affinity.
struct ProcessorAffinity {
    apic_id: ApicId,
    node: u16,
}

impl Aml for ProcessorAffinity {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let Self { apic_id: ApicId(apic_id), node } = *self;
        match u8::try_from(apic_id) {
            Ok(short) if apic_id < FIRST_X2APIC_ID => {
                let [low, high] = node.to_le_bytes();
                sink.vec(&[0, 16, low, short]);
                sink.dword(ENABLED);
                // Local SAPIC EID, the node's upper 24 bits, clock domain.
                sink.vec(&[0, high, 0, 0]);
                sink.dword(0);
            }
            _ => {
                sink.vec(&[2, 24, 0, 0]);
                sink.dword(node.into());
                sink.dword(apic_id);
                sink.dword(ENABLED);
                // Clock domain, reserved.
                sink.dword(0);
                sink.dword(0);
            }
        }
    }
}

/// The pieces of RAM of nodes with `sizes` bytes, one after the other: node, address, length. A hole in a node's memory
/// splits it. Of the hole below 1 MiB the RAM under it is lost, of the one below 4 GiB none is.
fn pieces(sizes: impl Iterator<Item = u64>, ram: RamLayout) -> Vec<(u32, u64, u64)> {
    let mut pieces = Vec::new();
    let mut next = 0u64;
    for (node, size) in (0u32..).zip(sizes) {
        let (mut base, mut end) = (next, next.saturating_add(size));
        next = end;
        if base <= LOW_HOLE.start && end > LOW_HOLE.start {
            pieces.push((node, base, LOW_HOLE.start - base));
            if end <= LOW_HOLE.end {
                next = LOW_HOLE.end;
                continue;
            }
            base = LOW_HOLE.end;
        }
        if base <= ram.below_4g && end > ram.below_4g {
            pieces.push((node, base, ram.below_4g - base));
            end = FOUR_GIB.saturating_add(end - ram.below_4g);
            base = FOUR_GIB;
            next = end;
        }
        pieces.push((node, base, end - base));
    }
    pieces.retain(|(_, _, length)| *length > 0);
    pieces
}

/// The table, if there are nodes. `apic_ids` are those of the CPU slots in order.
pub fn srat(
    numa: &Completed,
    apic_ids: impl IntoIterator<Item = ApicId>,
    ram: RamLayout,
    oem: OemIds,
) -> Option<Vec<u8>> {
    if numa.nodes.is_empty() {
        return None;
    }
    let mut body = Vec::new();
    // Reserved: 1, and 8 bytes of 0.
    body.dword(1);
    body.qword(0);
    for (apic_id, node) in apic_ids.into_iter().zip(numa.cpu_nodes.iter().copied()) {
        ProcessorAffinity { apic_id, node }.to_aml_bytes(&mut body);
    }
    let pieces = pieces(numa.nodes.iter().map(|node| node.mem), ram);
    for (node, base, length) in &pieces {
        MemoryAffinity::new(*node, *base, *length).enabled().to_aml_bytes(&mut body);
    }
    // The reference's table has as many as the nodes could need; those that they don't are not enabled.
    for _ in pieces.len()..numa.nodes.len() + 2 {
        MemoryAffinity::new(0, 0, 0).to_aml_bytes(&mut body);
    }
    Some(oem.table(*b"SRAT", 1, &body))
}
