//! Where in guest memory everything lies that a kernel is booted with.
//!
//! | address | what |
//! | --- | --- |
//! | 0x500 | GDT |
//! | 0x6000 | PVH: start info, list of modules, memory map |
//! | 0x7000 | Linux: zero page |
//! | 0x9000 to 0xf000 | page tables, the first 4 GiB one to one |
//! | 0x20000 to 0x30000 | command line |
//! | 0x9fc00 to 0xa0000 | extended BIOS data, reserved |
//! | 0xf0000 | RSDP |
//! | 0x100000 on | the kernel |
//! | below the ACPI tables | initial RAM disk |
//! | end of the RAM below 4 GiB | ACPI tables |

use std::ops::Range;

use thiserror::Error;
use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use super::image::{Initrd, Kernel};
use crate::memory::{Ram, RamLayout};

/// The GDT.
pub const GDT: u64 = 0x500;
/// PVH's start info.
pub const START_INFO: u64 = 0x6000;
/// PVH's list of modules: the initial RAM disk.
pub const MODULES: u64 = 0x6080;
/// PVH's memory map.
pub const MEMORY_MAP: u64 = 0x6100;
/// Linux's `boot_params`.
pub const ZERO_PAGE: u64 = 0x7000;
/// Six pages of page tables.
pub const PAGE_TABLES: u64 = 0x9000;
/// The kernel's command line.
pub const COMMAND_LINE: u64 = 0x2_0000;
/// How long the command line may be with the zero at its end, whatever the kernel takes.
const COMMAND_LINE_MAX: u64 = 0x1_0000;
/// First address of the extended BIOS data, at the end of conventional memory.
pub const LOW_END: u64 = 0x9_fc00;
/// The root of the ACPI tables, where guests look that are not told.
pub const RSDP: u64 = 0xf_0000;
/// First address above the BIOS.
pub const HIGH_START: u64 = 0x10_0000;
/// Where the protected-mode part of a bzImage is loaded.
pub const KERNEL_LINUX: u64 = HIGH_START;
/// RAM that is kept for ACPI tables, in bytes, more only if they need it: as much as the reference keeps.
pub const ACPI_MIN: u64 = 0x2_8000;

const PAGE: u64 = 4096;

/// Why a kernel does not fit a machine.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// The initial RAM disk. The text is the reference's.
    #[error("initrd is too large, cannot support.(max: {max}, need {need})")]
    InitrdTooLarge {
        /// What there is room for, in bytes.
        max: u64,
        /// Its size in bytes.
        need: u64,
    },
    /// The kernel needs RAM where none is for it.
    #[error(
        "the kernel needs memory from {start:#x} to {end:#x}; there is some for it from {HIGH_START:#x} to {ram_end:#x}"
    )]
    Kernel {
        /// First address that it needs.
        start: u64,
        /// Address after the last that it needs.
        end: u64,
        /// Address after the last that there is.
        ram_end: u64,
    },
    /// The command line.
    #[error("the kernel's command line has {len} bytes, it takes at most {max}")]
    CommandLine {
        /// Length in bytes.
        len: u64,
        /// What the kernel says that it takes.
        max: u64,
    },
    /// The ACPI tables.
    #[error("ACPI tables of {len} bytes do not fit the machine's memory")]
    Tables {
        /// Their length in bytes.
        len: u64,
    },
}

/// Where those things lie whose place depends on the machine and the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The initial RAM disk; empty without one.
    pub initrd: Range<u64>,
    /// The ACPI tables; empty without them.
    pub acpi: Range<u64>,
}

/// Up to which address the initial RAM disk may reach, as the reference reckons it.
pub fn initrd_limit(kernel: &Kernel, ram: RamLayout, acpi_len: u64) -> u64 {
    let free = ram.below_4g.saturating_sub(acpi_len).saturating_sub(1);
    kernel.initrd_max().min(free)
}

impl Layout {
    /// Lays out. `command_line` ends with a zero, `acpi_len` is the length of the tables in bytes, 0 for none.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn new(
        kernel: &Kernel,
        initrd: &Initrd,
        command_line: &[u8],
        ram: RamLayout,
        acpi_len: u64,
    ) -> Result<Self, LayoutError> {
        let max = kernel.command_line_max().min(COMMAND_LINE_MAX - 1);
        let len = (command_line.len() as u64).saturating_sub(1);
        if len > max {
            return Err(LayoutError::CommandLine { len, max });
        }
        let kept = match acpi_len {
            0 => 0,
            len => len.next_multiple_of(PAGE).max(ACPI_MIN),
        };
        let no_room = LayoutError::Tables { len: acpi_len };
        let ram_end = ram.below_4g.checked_sub(kept).filter(|end| *end > HIGH_START || kept == 0);
        let ram_end = ram_end.ok_or(no_room)?;
        let acpi = ram_end..ram.below_4g;

        let mut kernel_end = HIGH_START;
        for Range { start, end } in kernel.ranges() {
            if start < HIGH_START || end > ram_end {
                return Err(LayoutError::Kernel { start, end, ram_end });
            }
            kernel_end = kernel_end.max(end);
        }
        let need = initrd.bytes().len() as u64;
        let limit = initrd_limit(kernel, ram, kept);
        let start = limit.checked_sub(need).map(|start| start & !(PAGE - 1));
        let initrd = match start.filter(|start| need == 0 || *start >= kernel_end) {
            _ if need == 0 => 0..0,
            Some(start) => start..start + need,
            None if need >= limit => return Err(LayoutError::InitrdTooLarge { max: limit, need }),
            None => {
                let max = limit.saturating_sub(kernel_end.next_multiple_of(PAGE));
                return Err(LayoutError::InitrdTooLarge { max, need });
            }
        };
        Ok(Self { initrd, acpi })
    }
}

/// Fills a range of memory with zeros.
///
/// # Errors
/// There is no RAM.
pub(super) fn zero(memory: &Ram, range: Range<u64>) -> Result<(), GuestMemoryError> {
    const ZEROES: [u8; 4096] = [0; 4096];
    let mut at = range.start;
    while at < range.end {
        let len = (range.end - at).min(PAGE);
        memory.write_slice(&ZEROES[..usize::try_from(len).unwrap_or(0)], GuestAddress(at))?;
        at += len;
    }
    Ok(())
}
