//! What all tables have in common: the header, and the checksum over all of it (ACPI 6.5, 5.2.6).

use acpi_tables::sdt::Sdt;

/// Of the tables and of who made them.
const OEM_REVISION: u32 = 1;
const CREATOR_ID: [u8; 4] = *b"BXPC";

const CREATOR_AT: usize = 28;

/// Length in bytes of a table's header.
pub(super) const HEADER_LEN: usize = 36;

/// Whom the tables name as their maker. A name that is shorter than its field ends with zeros, as in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OemIds {
    /// The maker: the machine's property `x-oem-id`.
    pub oem_id: [u8; 6],
    /// The maker's name of the tables: the machine's property `x-oem-table-id`.
    pub oem_table_id: [u8; 8],
}

impl Default for OemIds {
    /// The names that the reference's tables have.
    fn default() -> Self {
        Self { oem_id: *b"BOCHS ", oem_table_id: *b"BXPC    " }
    }
}

impl OemIds {
    /// A whole table.
    pub(super) fn table(self, signature: [u8; 4], revision: u8, body: &[u8]) -> Vec<u8> {
        // Its header's length in bytes, which fits.
        let header = HEADER_LEN as u32;
        let mut sdt = Sdt::new(signature, header, revision, self.oem_id, self.oem_table_id, OEM_REVISION);
        sdt.write_bytes(CREATOR_AT, &CREATOR_ID);
        sdt.write_u32(CREATOR_AT + CREATOR_ID.len(), OEM_REVISION);
        sdt.append_slice(body);
        sdt.as_slice().to_vec()
    }
}
