//! All pages that a CPU's tables map: `info tlb` and `info mem`.
//!
//! A guest can map a table into itself, and so the same pages without end. Both how many tables are read and how much is shown
//! have a bound; what is beyond it is said to be missing.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use super::paging::{LARGE, Mode, PAGE_BITS, PRESENT, Paging};
use super::physical::PhysicalMemory;

/// Most tables that one command reads: those of 32 GiB in the smallest pages.
const TABLES: usize = 16_384;
/// Most lines that one command shows.
const LINES: usize = 65_536;

const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
/// What the reference takes from an entry as the address of a page: bits 12 to 49.
const LONG_FRAME: u64 = 0x3_ffff_ffff_f000;

/// A page.
struct Page {
    /// Linear address, not yet canonical.
    linear: u64,
    /// Bytes, a power of two.
    size: u64,
    /// Its entry, without the bit that says that it is large if it cannot be.
    entry: u64,
    /// What all tables above allow: bits of an entry.
    rights: u64,
}

/// What a walk needs on its way.
struct Walk<'a> {
    memory: &'a PhysicalMemory,
    /// Tables that may still be read.
    left: usize,
    visit: &'a mut dyn FnMut(&Page) -> ControlFlow<()>,
}

/// A table to go through.
struct Table {
    at: u64,
    /// Levels of tables below.
    level: u32,
    /// Linear address of its first entry.
    linear: u64,
    rights: u64,
}

impl Walk<'_> {
    /// Goes through a table, and those below it, in rising order of address.
    fn table(&mut self, form: &Form, table: &Table) -> ControlFlow<()> {
        let Some(left) = self.left.checked_sub(1) else { return ControlFlow::Break(()) };
        self.left = left;
        let Table { at, level, linear, rights } = *table;
        let (shift, count) = form.entries(level);
        let mut bytes = vec![0; count * form.width];
        if !self.memory.read(at, &mut bytes) {
            return ControlFlow::Continue(());
        }
        for (index, bytes) in (0..).zip(bytes.chunks_exact(form.width)) {
            let mut entry = [0; 8];
            entry[..form.width].copy_from_slice(bytes);
            let entry = u64::from_le_bytes(entry);
            if entry & PRESENT == 0 {
                continue;
            }
            let linear = linear + (index << shift);
            // The four entries at the top of PAE have no rights.
            let rights = if form.mode == Mode::Pae && level == 2 { rights } else { rights & entry };
            if level == 0 || (entry & LARGE != 0 && form.can_be_large(level)) {
                let entry = if level == 0 { entry & !LARGE } else { entry };
                (self.visit)(&Page { linear, size: 1 << shift, entry, rights })?;
            } else {
                let at = entry & form.frame();
                self.table(form, &Table { at, level: level - 1, linear, rights })?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// How tables look in a mode.
struct Form {
    mode: Mode,
    /// Bytes of an entry.
    width: usize,
}

impl Form {
    /// By how many bits the entries of a level are apart, and how many there are.
    fn entries(&self, level: u32) -> (u32, usize) {
        match (self.width, self.mode, level) {
            (4, ..) => (PAGE_BITS + 10 * level, 1024),
            (_, Mode::Pae, 2) => (PAGE_BITS + 9 * level, 4),
            _ => (PAGE_BITS + 9 * level, 512),
        }
    }

    fn can_be_large(&self, level: u32) -> bool {
        match self.mode {
            Mode::Bits32 { large_pages } => large_pages && level == 1,
            Mode::Pae => level == 1,
            _ => level <= 2,
        }
    }

    fn frame(&self) -> u64 {
        if self.width == 4 { 0xffff_f000 } else { LONG_FRAME }
    }

    /// The bits of a page's entry that the reference shows as its address.
    fn shown_frame(&self, page: &Page) -> u64 {
        let small = page.size == 1 << PAGE_BITS;
        match self.mode {
            Mode::Long { .. } => LONG_FRAME & !(page.size - 1),
            _ if small => !0xfff,
            Mode::Pae => !0xf_ffff,
            _ => !0x1f_ffff,
        }
    }
}

/// Goes through all pages in rising order of address; whether all tables were read and `visit` never ended it.
fn walk(
    paging: &Paging,
    memory: &PhysicalMemory,
    visit: &mut dyn FnMut(&Form, &Page) -> ControlFlow<()>,
) -> bool {
    let (level, at, width) = match paging.mode {
        Mode::Off => return true,
        Mode::Bits32 { .. } => (1, paging.cr3 & 0xffff_f000, 4),
        Mode::Pae => (2, paging.cr3 & 0xffff_ffe0, 8),
        Mode::Long { levels } => (levels - 1, paging.cr3 & LONG_FRAME, 8),
    };
    let form = Form { mode: paging.mode, width };
    let mut visit = |page: &Page| visit(&form, page);
    let mut walk = Walk { memory, left: TABLES, visit: &mut visit };
    walk.table(&form, &Table { at, level, linear: 0, rights: u64::MAX }).is_continue()
}

/// With the bits above those that are translated as the CPU wants them.
fn canonical(paging: &Paging, linear: u64) -> u64 {
    let unused = match paging.mode {
        Mode::Long { levels } => 64 - (PAGE_BITS + 9 * levels),
        _ => return linear,
    };
    if linear >> (63 - unused) & 1 == 0 { linear } else { linear | u64::MAX << (64 - unused) }
}

fn cut_off(text: &mut String) {
    let _ = writeln!(text, "No more than {LINES} mappings are shown, and {TABLES} tables read, at once");
}

const OFF: &str = "PG disabled\n";

/// Each page in a line: its address, where it lies, and its attributes.
pub(crate) fn pages(paging: &Paging, memory: &PhysicalMemory) -> String {
    if paging.mode == Mode::Off {
        return OFF.to_owned();
    }
    let (mut text, mut lines) = (String::new(), 0);
    let whole = walk(paging, memory, &mut |form, page| {
        if lines == LINES {
            return ControlFlow::Break(());
        }
        lines += 1;
        let (linear, frame) = (canonical(paging, page.linear), page.entry & form.shown_frame(page));
        let _ = write!(text, "{linear:016x}: {frame:016x} ");
        for (bit, letter) in
            [(63, 'X'), (8, 'G'), (7, 'P'), (6, 'D'), (5, 'A'), (4, 'C'), (3, 'T'), (2, 'U'), (1, 'W')]
        {
            text.push(if page.entry >> bit & 1 == 0 { '-' } else { letter });
        }
        text.push('\n');
        ControlFlow::Continue(())
    });
    if !whole {
        cut_off(&mut text);
    }
    text
}

/// Neighbouring pages of the same rights in a line: from, to, length, rights.
pub(crate) fn ranges(paging: &Paging, memory: &PhysicalMemory) -> String {
    if paging.mode == Mode::Off {
        return OFF.to_owned();
    }
    let (mut text, mut lines) = (String::new(), 0);
    // From, to, rights.
    let mut range: Option<(u64, u64, u64)> = None;
    let mut tell = |(from, to, rights): (u64, u64, u64)| {
        let [from, to, len] = [from, to, to - from].map(|address| canonical(paging, address));
        let letter = |bit, letter| if rights & bit == 0 { '-' } else { letter };
        let _ = writeln!(
            text,
            "{from:016x}-{to:016x} {len:016x} {}r{}",
            letter(USER, 'u'),
            letter(WRITABLE, 'w')
        );
        lines += 1;
        // The last one is told when the walk has ended.
        if lines + 1 == LINES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let whole = walk(paging, memory, &mut |_, page| {
        let (rights, end) = (page.rights & (USER | WRITABLE), page.linear + page.size);
        match &mut range {
            Some((_, to, same)) if *to == page.linear && *same == rights => *to = end,
            _ => {
                let before = range.replace((page.linear, end, rights));
                if let Some(before) = before {
                    return tell(before);
                }
            }
        }
        ControlFlow::Continue(())
    });
    if let Some(last) = range {
        let _ = tell(last);
    }
    if !whole {
        cut_off(&mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use vm_memory::{Bytes, GuestAddress};

    use super::*;
    use crate::memory::{GuestMemory, RamLayout};

    /// Tables with those entries, each at an address and of `width` bytes.
    fn shown(mode: Mode, width: usize, entries: &[(u64, u64)]) -> [String; 2] {
        let memory = GuestMemory::new(RamLayout::q35(2 << 20, None), None).unwrap();
        for (at, entry) in entries {
            memory.ram().write_slice(&entry.to_le_bytes()[..width], GuestAddress(*at)).unwrap();
        }
        let (memory, paging) = (PhysicalMemory::new(&memory), Paging { mode, cr3: 0x1000 });
        [ranges(&paging, &memory), pages(&paging, &memory)]
    }

    /// What QEMU 11.1 showed under TCG of a guest that had written these entries, and had touched its first page.
    #[test]
    fn older_modes_are_shown_as_by_the_reference() {
        let two_levels = [
            (0x1000, 0xa3),
            (0x1004, 0x2027),
            (0x1008, 0xc0_20e7),
            (0x1ffc, 0x83),
            (0x2000, 0x5163),
            (0x2004, 0x60e5),
            (0x2ffc, 0x7003),
        ];
        let expected = [
            "0000000000000000-0000000000401000 0000000000401000 -rw\n\
             0000000000401000-0000000000402000 0000000000001000 ur-\n\
             00000000007ff000-0000000000800000 0000000000001000 -rw\n\
             0000000000800000-0000000000c00000 0000000000400000 urw\n\
             00000000ffc00000-0000000100000000 0000000000400000 -rw\n",
            "0000000000000000: 0000000000000000 --P-A---W\n\
             0000000000400000: 0000000000005000 -G-DA---W\n\
             0000000000401000: 0000000000006000 ---DA--U-\n\
             00000000007ff000: 0000000000007000 --------W\n\
             0000000000800000: 0000000000c00000 --PDA--UW\n\
             00000000ffc00000: 0000000000000000 --P-----W\n",
        ];
        assert_eq!(shown(Mode::Bits32 { large_pages: true }, 4, &two_levels), expected);
        let pae = [
            (0x1000, 0x2001),
            (0x1008, 0x3001),
            (0x2000, 0xe7),
            (0x2008, 0x4007),
            (0x2ff8, 0x20_0083),
            (0x3000, 0x30_0085),
            (0x4000, 0x5163),
            (0x4008, 0x60e5),
            (0x4018, 0x7003),
        ];
        let expected = [
            "0000000000000000-0000000000200000 0000000000200000 urw\n\
             0000000000200000-0000000000201000 0000000000001000 -rw\n\
             0000000000201000-0000000000202000 0000000000001000 ur-\n\
             0000000000203000-0000000000204000 0000000000001000 -rw\n\
             000000003fe00000-0000000040000000 0000000000200000 -rw\n\
             0000000040000000-0000000040200000 0000000000200000 ur-\n",
            "0000000000000000: 0000000000000000 --PDA--UW\n\
             0000000000200000: 0000000000005000 -G-DA---W\n\
             0000000000201000: 0000000000006000 ---DA--U-\n\
             0000000000203000: 0000000000007000 --------W\n\
             000000003fe00000: 0000000000200000 --P-----W\n\
             0000000040000000: 0000000000300000 --P----U-\n",
        ];
        assert_eq!(shown(Mode::Pae, 8, &pae), expected);
    }

    /// A table whose entries are itself maps itself, again and again.
    #[test]
    fn tables_without_end_are_cut_off() {
        let guest = GuestMemory::new(RamLayout::q35(2 << 20, None), None).unwrap();
        let put = |entry: u64| guest.ram().write_obj(0x1003_u64, GuestAddress(0x1000 + 8 * entry)).unwrap();
        // Every second one, so that no pages are neighbours.
        (0..512).step_by(2).for_each(put);
        let memory = PhysicalMemory::new(&guest);
        let paging = Paging { mode: Mode::Long { levels: 5 }, cr3: 0x1000 };
        let end = "No more than 65536 mappings are shown, and 16384 tables read, at once\n";
        for text in [pages(&paging, &memory), ranges(&paging, &memory)] {
            assert!(text.ends_with(end));
            assert_eq!(text.lines().count(), LINES + 1);
        }
        // One range without end, until no more tables are read.
        (0..512).for_each(put);
        let text = ranges(&paging, &memory);
        assert!(text.ends_with(end) && text.lines().count() == 2, "{text}");
    }
}
