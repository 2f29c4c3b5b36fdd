//! From linear to physical addresses, by a CPU's page tables.
//!
//! The tables are read as they lie in memory. Rights are not checked, no accessed or dirty bit is set, and what a TLB may still
//! hold is not known. Source: Intel SDM vol. 3, chapter 5 (32-bit, PAE, 4-level and 5-level paging).

use kvm_bindings::kvm_sregs;

use super::physical::PhysicalMemory;

const CR0_PG: u64 = 1 << 31;
const CR4_PSE: u64 = 1 << 4;
const CR4_PAE: u64 = 1 << 5;
const CR4_LA57: u64 = 1 << 12;
const EFER_LMA: u64 = 1 << 10;
pub(super) const PRESENT: u64 = 1;
pub(super) const LARGE: u64 = 1 << 7;
/// Bits 12 to 51 of an entry: where a table or page lies.
const FRAME: u64 = 0x000f_ffff_ffff_f000;
/// The bits that a physical address can have.
const PHYSICAL: u64 = 0x000f_ffff_ffff_ffff;
/// Bits of a linear address within a page of 4 KiB.
pub(super) const PAGE_BITS: u32 = 12;

/// The form of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Off,
    /// Two levels of 1,024 entries of four bytes.
    Bits32 {
        large_pages: bool,
    },
    /// Four entries, then two levels of 512 entries of eight bytes.
    Pae,
    /// Levels of 512 entries of eight bytes.
    Long {
        levels: u32,
    },
}

/// A CPU's paging at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    pub(super) mode: Mode,
    pub(super) cr3: u64,
}

impl Paging {
    /// As the system registers say.
    pub(crate) fn of(system: &kvm_sregs) -> Self {
        let mode = if system.cr0 & CR0_PG == 0 {
            Mode::Off
        } else if system.efer & EFER_LMA != 0 {
            Mode::Long { levels: if system.cr4 & CR4_LA57 != 0 { 5 } else { 4 } }
        } else if system.cr4 & CR4_PAE != 0 {
            Mode::Pae
        } else {
            Mode::Bits32 { large_pages: system.cr4 & CR4_PSE != 0 }
        };
        Self { mode, cr3: system.cr3 }
    }

    /// The physical address that a linear one means; none if no page is there.
    pub(crate) fn translate(&self, memory: &PhysicalMemory, linear: u64) -> Option<u64> {
        match self.mode {
            Mode::Off => Some(linear & PHYSICAL),
            Mode::Bits32 { large_pages } => Self::translate_32(memory, self.cr3, linear, large_pages),
            Mode::Pae => {
                let linear = linear & 0xffff_ffff;
                let entry = memory.read_u64((self.cr3 & 0xffff_ffe0) + (linear >> 30) * 8)?;
                (entry & PRESENT != 0).then_some(())?;
                Self::walk(memory, entry & FRAME, linear, 2)
            }
            Mode::Long { levels } => {
                // Bits above the last level's repeat its highest one.
                let unused = 64 - (PAGE_BITS + 9 * levels);
                if ((linear << unused).cast_signed() >> unused).cast_unsigned() != linear {
                    return None;
                }
                Self::walk(memory, self.cr3 & FRAME, linear, levels)
            }
        }
    }

    fn translate_32(memory: &PhysicalMemory, cr3: u64, linear: u64, large_pages: bool) -> Option<u64> {
        let linear = linear & 0xffff_ffff;
        let directory = u64::from(memory.read_u32((cr3 & 0xffff_f000) + (linear >> 22) * 4)?);
        if directory & PRESENT == 0 {
            return None;
        }
        if large_pages && directory & LARGE != 0 {
            // PSE-36: bits 13 to 20 are bits 32 to 39 of the address.
            let frame = (directory & 0xffc0_0000) | ((directory >> 13) & 0xff) << 32;
            return Some(frame | (linear & 0x3f_ffff));
        }
        let table = (directory & 0xffff_f000) + ((linear >> PAGE_BITS) & 0x3ff) * 4;
        let entry = u64::from(memory.read_u32(table)?);
        (entry & PRESENT != 0).then_some((entry & 0xffff_f000) | (linear & 0xfff))
    }

    /// Goes down from a table of `levels` levels of eight-byte entries.
    fn walk(memory: &PhysicalMemory, mut table: u64, linear: u64, levels: u32) -> Option<u64> {
        for level in (0..levels).rev() {
            let shift = PAGE_BITS + 9 * level;
            let entry = memory.read_u64(table + ((linear >> shift) & 0x1ff) * 8)?;
            if entry & PRESENT == 0 {
                return None;
            }
            // Pages of 4 KiB, 2 MiB and 1 GiB; in entries above, the bit is reserved.
            if level == 0 || (entry & LARGE != 0 && level <= 2) {
                let within = (1 << shift) - 1;
                return Some((entry & FRAME & !within) | (linear & within));
            }
            table = entry & FRAME;
        }
        None
    }

    /// Reads bytes at a linear address, page by page; whether all of them are there.
    pub(crate) fn read(&self, memory: &PhysicalMemory, mut linear: u64, mut to: &mut [u8]) -> bool {
        while !to.is_empty() {
            let left = 0x1000 - (linear & 0xfff);
            let len = usize::try_from(left).map_or(to.len(), |left| left.min(to.len()));
            let (part, rest) = to.split_at_mut(len);
            match self.translate(memory, linear) {
                Some(physical) if memory.read(physical, part) => {}
                _ => return false,
            }
            (linear, to) = (linear.wrapping_add(len as u64), rest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use vm_memory::{Bytes, GuestAddress};

    use super::*;
    use crate::memory::{GuestMemory, RamLayout};

    struct Tables(GuestMemory);

    impl Tables {
        fn new() -> Self {
            Self(GuestMemory::new(RamLayout::q35(16 << 20, None), None).unwrap())
        }

        fn put64(&self, at: u64, values: &[u64]) {
            for (index, value) in (0..).zip(values) {
                self.0.ram().write_obj(*value, GuestAddress(at + index * 8)).unwrap();
            }
        }

        fn put32(&self, at: u64, value: u32) {
            self.0.ram().write_obj(value, GuestAddress(at)).unwrap();
        }

        fn translate(&self, system: kvm_sregs, linear: u64) -> Option<u64> {
            Paging::of(&system).translate(&PhysicalMemory::new(&self.0), linear)
        }
    }

    #[test]
    fn without_paging_addresses_are_physical() {
        let tables = Tables::new();
        assert_eq!(tables.translate(kvm_sregs::default(), 0x1234_5678_9abc), Some(0x1234_5678_9abc));
        // As the reference answers `gva2gpa 0xffffffffffffffff`.
        assert_eq!(tables.translate(kvm_sregs::default(), u64::MAX), Some(0xf_ffff_ffff_ffff));
    }

    #[test]
    fn long_mode_has_pages_of_three_sizes() {
        let tables = Tables::new();
        tables.put64(0x1000, &[0x2003]);
        tables.put64(0x1ff8, &[0x2003]);
        tables.put64(0x2000, &[0x3003, 0x4000_0083]);
        tables.put64(0x3000, &[0x4003, 0x80_0083]);
        tables.put64(0x4000, &[0, 0x5003, 0x8000_0000_0000_6003]);
        let four = kvm_sregs { cr0: CR0_PG, cr3: 0x1000, efer: EFER_LMA, ..kvm_sregs::default() };
        for (linear, physical) in [
            (0x123, None),
            (0x1123, Some(0x5123)),
            (0x2fff, Some(0x6fff)),
            (0x20_1234, Some(0x80_1234)),
            (0x4001_2345, Some(0x4001_2345)),
            (0xffff_ff80_0000_1004, Some(0x5004)),
            // Not canonical.
            (0x0000_ff80_0000_1004, None),
            (0x8000_0000, None),
        ] {
            assert_eq!(tables.translate(four, linear), physical, "{linear:#x}");
        }
        tables.put64(0x8000, &[0x1003]);
        let five = kvm_sregs { cr3: 0x8000, cr4: CR4_LA57, ..four };
        assert_eq!(tables.translate(five, 0x1123), Some(0x5123));
        assert_eq!(tables.translate(five, 0x0000_ff80_0000_1004), Some(0x5004));
    }

    #[test]
    fn older_modes() {
        let tables = Tables::new();
        tables.put64(0x1020, &[0x2001]);
        tables.put64(0x2000, &[0x3003, 0x80_0083]);
        tables.put64(0x3008, &[0x5003]);
        let pae = kvm_sregs { cr0: CR0_PG, cr3: 0x1020, cr4: CR4_PAE, ..kvm_sregs::default() };
        assert_eq!(tables.translate(pae, 0x1fff), Some(0x5fff));
        assert_eq!(tables.translate(pae, 0x20_0001), Some(0x80_0001));
        assert_eq!(tables.translate(pae, 0x4000_0000), None);
        tables.put32(0x6000, 0x7003);
        tables.put32(0x6004, 0x80_2083);
        tables.put32(0x7004, 0x9003);
        let plain = kvm_sregs { cr0: CR0_PG, cr3: 0x6000, ..kvm_sregs::default() };
        assert_eq!(tables.translate(plain, 0x1234), Some(0x9234));
        assert_eq!(tables.translate(plain, 0x2234), None);
        let large = kvm_sregs { cr4: CR4_PSE, ..plain };
        assert_eq!(tables.translate(large, 0x40_0004), Some(0x1_0080_0004));
    }

    #[test]
    fn tables_that_lie_nowhere_end_the_walk() {
        let tables = Tables::new();
        for cr4 in [0, CR4_PAE, CR4_PSE] {
            let lost = kvm_sregs { cr0: CR0_PG, cr3: 0xffff_f000, cr4, ..kvm_sregs::default() };
            assert_eq!(tables.translate(lost, 0), None);
        }
        tables.put64(0x1000, &[u64::MAX]);
        let lost = kvm_sregs { cr0: CR0_PG, cr3: 0x1000, efer: EFER_LMA, ..kvm_sregs::default() };
        assert_eq!(tables.translate(lost, 0), None);
    }
}
