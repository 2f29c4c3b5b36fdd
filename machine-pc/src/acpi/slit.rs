//! SLIT, the System Locality Information Table (ACPI 6.5, 5.2.17): how far NUMA nodes are from each other.
//!
//! `acpi_tables` has one too, whose distances are the same both ways; ours need not be.

use super::table::OemIds;
use crate::numa::Completed;

/// The table, if distances are known.
pub fn slit(numa: &Completed, oem: OemIds) -> Option<Vec<u8>> {
    let rows = numa.distances.as_ref()?;
    let mut body = (rows.len() as u64).to_le_bytes().to_vec();
    body.extend(rows.iter().flatten());
    Some(oem.table(*b"SLIT", 1, &body))
}
