//! How far a PC's addresses reach, against how far its CPUs' do.
//!
//! Behind the RAM above 4 GiB a PC keeps room for 64-bit PCI devices, whether there are any or not; a guest on a CPU with long
//! mode may use it. A machine whose CPUs could not address all of it is refused. Sizes and texts are the reference's.

use thiserror::Error;

use super::Chipset;
use crate::memory::RamLayout;

const GIB: u64 = 1 << 30;
const FOUR_GIB: u64 = 4 * GIB;

/// Physical addresses of the CPUs are too short for the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Address space limit {limit:#x} < {needed:#x} phys-bits too low ({phys_bits})")]
pub struct AddressSpaceError {
    /// The highest address that the CPUs have.
    pub limit: u64,
    /// The highest that the machine uses.
    pub needed: u64,
    /// How many bits a physical address of the CPUs has.
    pub phys_bits: u32,
}

/// The highest address that a machine uses.
fn highest(chipset: Chipset, ram: RamLayout, long_mode: bool) -> u64 {
    let end = FOUR_GIB.saturating_add(ram.above_4g);
    let pci_hole = match chipset {
        Chipset::I440fx => 2 * GIB,
        Chipset::Q35 => 32 * GIB,
    };
    let end = if long_mode { end.next_multiple_of(GIB).saturating_add(pci_hole) } else { end };
    end - 1
}

/// Holds the machine against a CPU's `phys_bits`.
///
/// # Errors
/// [`AddressSpaceError`].
pub fn check(
    chipset: Chipset,
    ram: RamLayout,
    phys_bits: u32,
    long_mode: bool,
) -> Result<(), AddressSpaceError> {
    let limit = 1u64.checked_shl(phys_bits).map_or(u64::MAX, |end| end - 1);
    let needed = highest(chipset, ram, long_mode);
    if limit < needed { Err(AddressSpaceError { limit, needed, phys_bits }) } else { Ok(()) }
}
