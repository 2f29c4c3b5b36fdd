//! The state in which the boot CPU enters a kernel: registers, and the tables in memory that they refer to.
//!
//! Interrupts are off and what is not named here is as after a reset.

use kvm_bindings::{kvm_regs, kvm_segment, kvm_sregs};

use super::layout::{GDT, PAGE_TABLES};

const CR0_PE: u64 = 1;
const CR0_ET: u64 = 1 << 4;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;
/// Bit 1 of the flags is always set.
const FLAGS: u64 = 1 << 1;

/// Page table entries: present and writable; a page of 2 MiB.
const TABLE: u64 = 0b11;
const LARGE_PAGE: u64 = 0b1000_0011;
const PAGE: u64 = 4096;

/// Segment types: execute and read, read and write, both accessed; a busy task of 32 bits.
const CODE: u8 = 0xb;
const DATA: u8 = 0x3;
const TASK: u8 = 0xb;

/// Linux's boot protocol names these two selectors.
const CODE_INDEX: u16 = 2;
const DATA_INDEX: u16 = 3;
const TASK_INDEX: u16 = 4;

/// How the kernel is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// 64-bit mode, the first 4 GiB mapped one to one.
    Long,
    /// 32-bit protected mode without paging.
    Protected,
}

/// The boot CPU's registers when it enters the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuEntry {
    mode: Mode,
    rip: u64,
    rbx: u64,
    rsi: u64,
}

impl CpuEntry {
    /// Linux's 64-bit boot protocol.
    pub const fn long_mode(rip: u64, zero_page: u64) -> Self {
        Self { mode: Mode::Long, rip, rbx: 0, rsi: zero_page }
    }

    /// Linux's 32-bit boot protocol.
    pub const fn linux_32(rip: u64, zero_page: u64) -> Self {
        Self { mode: Mode::Protected, rip, rbx: 0, rsi: zero_page }
    }

    /// The PVH protocol.
    pub const fn pvh(rip: u64, start_info: u64) -> Self {
        Self { mode: Mode::Protected, rip, rbx: start_info, rsi: 0 }
    }

    /// General registers, from those after a reset.
    pub fn general(&self, reset: &kvm_regs) -> kvm_regs {
        kvm_regs { rip: self.rip, rbx: self.rbx, rsi: self.rsi, rflags: FLAGS, ..*reset }
    }

    /// System registers, from those after a reset.
    pub fn system(&self, reset: &kvm_sregs) -> kvm_sregs {
        let mut sregs = *reset;
        sregs.cs = self.code();
        for data in [&mut sregs.ds, &mut sregs.es, &mut sregs.fs, &mut sregs.gs, &mut sregs.ss] {
            *data = DATA_SEGMENT;
        }
        sregs.tr = TASK_SEGMENT;
        sregs.gdt.base = GDT;
        sregs.gdt.limit = (self.gdt().len() * 8 - 1) as u16;
        sregs.cr0 = CR0_PE | CR0_ET;
        if self.mode == Mode::Long {
            sregs.cr0 |= CR0_PG;
            sregs.cr3 = PAGE_TABLES;
            sregs.cr4 = CR4_PAE;
            sregs.efer = EFER_LME | EFER_LMA;
        }
        sregs
    }

    fn code(&self) -> kvm_segment {
        let long = self.mode == Mode::Long;
        kvm_segment { selector: CODE_INDEX << 3, type_: CODE, l: long.into(), db: (!long).into(), ..FLAT }
    }

    fn gdt(&self) -> [u64; 5] {
        [0, 0, descriptor(&self.code()), descriptor(&DATA_SEGMENT), descriptor(&TASK_SEGMENT)]
    }

    /// What the registers refer to: address and bytes of each.
    pub fn tables(&self) -> Vec<(u64, Vec<u8>)> {
        let bytes = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut tables = vec![(GDT, bytes(&self.gdt()))];
        if self.mode == Mode::Long {
            tables.push((PAGE_TABLES, bytes(&page_tables())));
        }
        tables
    }
}

/// A flat segment of 4 GiB.
const FLAT: kvm_segment = kvm_segment {
    base: 0,
    limit: 0xffff_ffff,
    selector: 0,
    type_: 0,
    present: 1,
    dpl: 0,
    db: 1,
    s: 1,
    l: 0,
    g: 1,
    avl: 0,
    unusable: 0,
    padding: 0,
};

const DATA_SEGMENT: kvm_segment = kvm_segment { selector: DATA_INDEX << 3, type_: DATA, ..FLAT };
const TASK_SEGMENT: kvm_segment =
    kvm_segment { selector: TASK_INDEX << 3, type_: TASK, limit: 0x67, s: 0, g: 0, db: 0, ..FLAT };

/// A segment as the GDT holds it (Intel SDM vol. 3, 3.4.5).
fn descriptor(segment: &kvm_segment) -> u64 {
    let limit = u64::from(if segment.g == 1 { segment.limit >> 12 } else { segment.limit });
    let bit = |value: u8, at: u32| u64::from(value) << at;
    (limit & 0xffff)
        | (segment.base & 0xff_ffff) << 16
        | bit(segment.type_, 40)
        | bit(segment.s, 44)
        | bit(segment.dpl, 45)
        | bit(segment.present, 47)
        | (limit >> 16 & 0xf) << 48
        | bit(segment.avl, 52)
        | bit(segment.l, 53)
        | bit(segment.db, 54)
        | bit(segment.g, 55)
        | (segment.base >> 24 & 0xff) << 56
}

/// Six tables, as they lie at [`PAGE_TABLES`]: the root, the 512 GiB below it, four GiB of pages of 2 MiB.
fn page_tables() -> Vec<u64> {
    const ENTRIES: usize = 512;
    let table = |number: u64| (PAGE_TABLES + number * PAGE) | TABLE;
    let mut words = vec![0; 2 * ENTRIES];
    words[0] = table(1);
    for gib in 0..4 {
        words[ENTRIES + gib as usize] = table(2 + gib);
    }
    words.extend((0..4 * ENTRIES as u64).map(|page| page << 21 | LARGE_PAGE));
    words
}
