//! The memory that the program holds for a guest, block by block: `info ramblock`.
//!
//! A block is one mapping: what the machine made itself (`pc.ram`), a user's object, firmware (`pc.bios`).

use std::fmt::Write as _;
use std::sync::Arc;

use qmp::Context;
use qom::user_creatable::CONTAINER;
use vm_memory::MmapRegion;

use crate::backends::memory::MemoryBackend;
use crate::backends::memory_file;
use crate::memory::GuestMemory;

/// What offsets of blocks are multiples of, in the reference.
const OFFSET_ALIGN: u64 = 256 << 10;

/// One block.
#[derive(Debug, Clone)]
pub(crate) struct RamBlock {
    /// Its name: that of the user's object, or of the board.
    pub name: String,
    /// Where the user's object is in the tree.
    pub object: Option<String>,
    /// The memory.
    pub region: Arc<MmapRegion>,
    /// The guest does not write it.
    pub read_only: bool,
}

impl RamBlock {
    fn len(&self) -> u64 {
        self.region.size() as u64
    }

    /// The size of the pages that it is made of, in bytes.
    fn page_bytes(&self) -> u64 {
        self.region.file_offset().map_or(memory_file::PAGE, |place| memory_file::page_size(place.file()))
    }
}

/// The users' blocks, in the order in which they came.
fn objects(context: &Context) -> Vec<RamBlock> {
    let Ok(home) = context.qom().resolve(CONTAINER) else { return Vec::new() };
    let block = |object: &Arc<dyn qom::Object>| {
        let backend = object.downcast_ref::<MemoryBackend>()?;
        let region = backend.region()?;
        let read_only = region.prot() & libc::PROT_WRITE == 0;
        Some(RamBlock {
            name: backend.memory_name(),
            object: Some(object.canonical_path()),
            region,
            read_only,
        })
    };
    home.core().children().iter().filter_map(|(_, object)| block(object)).collect()
}

/// What a guest has, by address, then firmware, then what no guest has.
pub(crate) fn of(context: &Context, memory: Option<&GuestMemory>) -> Vec<RamBlock> {
    let mut others = objects(context);
    let mut blocks = Vec::new();
    for region in memory.map(GuestMemory::mappings).unwrap_or_default() {
        let at = others.iter().position(|other| Arc::ptr_eq(&other.region, &region));
        blocks.push(at.map(|at| others.remove(at)).unwrap_or_else(|| RamBlock {
            name: "pc.ram".to_owned(),
            object: None,
            region,
            read_only: false,
        }));
    }
    if let Some(rom) = memory.and_then(GuestMemory::rom) {
        let region = Arc::clone(rom.region());
        blocks.push(RamBlock { name: "pc.bios".to_owned(), object: None, region, read_only: true });
    }
    blocks.append(&mut others);
    blocks
}

/// Bytes, a power of two, in the largest unit.
fn size_text(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB"];
    let unit = (bytes.max(1).ilog2() / 10).min(3);
    format!("{} {}", bytes >> (10 * unit), units[unit as usize])
}

/// The blocks as a table, the largest first. They have no addresses of their own, so offsets are as if each began after the one
/// before in `blocks`.
pub(crate) fn text(blocks: &[RamBlock]) -> String {
    let mut text = format!(
        "{:>24} {:>8}  {:>18} {:>18} {:>18} {:>18} {:>3}\n",
        "Block Name", "PSize", "Offset", "Used", "Total", "HVA", "RO"
    );
    let mut offset = 0_u64;
    let mut placed = Vec::new();
    for block in blocks {
        placed.push((offset, block));
        offset = offset.saturating_add(block.len()).next_multiple_of(OFFSET_ALIGN);
    }
    placed.sort_by_key(|(_, block)| std::cmp::Reverse(block.len()));
    for (offset, block) in placed {
        let (len, host) = (block.len(), block.region.as_ptr().addr());
        let access = if block.read_only { "ro" } else { "rw" };
        let page = size_text(block.page_bytes());
        let _ = writeln!(
            text,
            "{:>24} {page:>8}  {offset:#018x} {len:#018x} {len:#018x} {host:#018x} {access:>3}",
            block.name
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_largest_unit() {
        let sizes = [4 << 10, 64 << 10, 2 << 20, 1 << 30, 16 << 30].map(size_text);
        assert_eq!(sizes, ["4 KiB", "64 KiB", "2 MiB", "1 GiB", "16 GiB"]);
    }

    #[test]
    fn the_largest_block_comes_first() {
        let block = |name: &str, len| RamBlock {
            name: name.to_owned(),
            object: None,
            region: Arc::new(MmapRegion::new(len).unwrap()),
            read_only: name == "rom",
        };
        let text = text(&[block("small", 4096), block("rom", 8192), block("alike", 8192)]);
        let shown: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let names: Vec<&str> = shown.iter().map(|line| line[0]).collect();
        assert_eq!(names, ["Block", "rom", "alike", "small"]);
        assert_eq!(
            (shown[1][3], shown[2][3], shown[3][3]),
            ("0x0000000000040000", "0x0000000000080000", "0x0000000000000000")
        );
        assert_eq!((shown[1].last(), shown[2].last()), (Some(&"ro"), Some(&"rw")));
    }
}
