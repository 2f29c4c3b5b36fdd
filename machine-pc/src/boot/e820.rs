//! The memory map that a guest is given, as BIOS function E820h would.

use std::ops::Range;

use super::layout::{HIGH_START, LOW_END};
use crate::memory::RamLayout;

/// What a range of guest-physical addresses is. The numbers are those of ACPI 6.5, 15 (table 15.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// RAM.
    Ram = 1,
    /// Nothing for the operating system.
    Reserved = 2,
    /// RAM that holds ACPI tables, and is free once they were read.
    Acpi = 3,
}

/// A range of guest-physical addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// First address.
    pub start: u64,
    /// Length in bytes, not 0.
    pub len: u64,
    /// What it is.
    pub kind: Kind,
}

/// Where a BIOS has its code and its data, which some guests look at: the RSDP is here.
const BIOS_AREA: Range<u64> = 0xf_0000..HIGH_START;
/// Extended BIOS data.
const EBDA: Range<u64> = LOW_END..0xa_0000;
/// Pages of KVM's own; see `kvm::vm`.
const KVM_PAGES: Range<u64> = 0xfeff_c000..0xff00_0000;
const FOUR_GIB: u64 = 4 << 30;

/// The map of a machine whose ACPI tables (none: an empty range) lie at the end of the RAM below 4 GiB. Entries rise and do
/// not overlap.
pub fn map(ram: RamLayout, acpi: &Range<u64>) -> Vec<Entry> {
    let acpi_start = if acpi.is_empty() { ram.below_4g } else { acpi.start };
    let ranges = [
        (0..LOW_END, Kind::Ram),
        (EBDA, Kind::Reserved),
        (BIOS_AREA, Kind::Reserved),
        (HIGH_START..acpi_start, Kind::Ram),
        (acpi_start..ram.below_4g, Kind::Acpi),
        (KVM_PAGES, Kind::Reserved),
        (FOUR_GIB..FOUR_GIB.saturating_add(ram.above_4g), Kind::Ram),
    ];
    ranges
        .into_iter()
        .filter(|(range, _)| !range.is_empty())
        .map(|(range, kind)| Entry { start: range.start, len: range.end - range.start, kind })
        .collect()
}
