//! What all tables have in common: the header, and the checksum over all of it (ACPI 6.5, 5.2.6).

use acpi_tables::sdt::Sdt;

/// The names that the reference's tables have.
const OEM_ID: [u8; 6] = *b"BOCHS ";
const OEM_TABLE_ID: [u8; 8] = *b"BXPC    ";
const CREATOR_ID: [u8; 4] = *b"BXPC";
/// Of the tables and of who made them.
const OEM_REVISION: u32 = 1;

const HEADER_LEN: u32 = 36;
const CREATOR_AT: usize = 28;

/// A whole table.
pub(super) fn table(signature: [u8; 4], revision: u8, body: &[u8]) -> Vec<u8> {
    let mut sdt = Sdt::new(signature, HEADER_LEN, revision, OEM_ID, OEM_TABLE_ID, OEM_REVISION);
    sdt.write_bytes(CREATOR_AT, &CREATOR_ID);
    sdt.write_u32(CREATOR_AT + CREATOR_ID.len(), OEM_REVISION);
    sdt.append_slice(body);
    sdt.as_slice().to_vec()
}
