//! All tables of a machine, in one piece of memory, from a description of the machine in plain values.
//!
//! The tables and their order are the reference's, without those of hardware that is not there (HPET, MCFG). The RSDP is of
//! revision 2 and there is an XSDT beside the RSDT: the reference has an RSDP of ACPI 1.0. There is no SPCR: the
//! reference's PCs have none, and Linux finds COM1 by itself.

use acpi_tables::rsdp::Rsdp;
use acpi_tables::{Aml, AmlSink};
use target_i386::topology::ApicId;

use super::dsdt::dsdt;
use super::fadt::Fadt;
use super::madt::madt;
use super::table::OemIds;
use super::{hmat, slit, srat};
use crate::machine::Chipset;
use crate::memory::RamLayout;
use crate::numa::Completed;
use crate::serial::{COM_PORTS, ComPort};

/// How many CPUs are told of: more than any machine type allows. Their names in the namespace have three hexadecimal digits.
pub const MAX_CPUS: usize = 4096;

/// To what the FACS is aligned, and with it the whole (ACPI 6.5, 5.2.10).
const ALIGNMENT: usize = 64;
const FACS_LEN: u8 = 64;
/// WAET: a read of the power management timer can be relied on at once.
const WAET_PM_TIMER_GOOD: u32 = 1 << 1;

/// A CPU that there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcpiCpu {
    /// Its APIC ID.
    pub apic_id: u32,
    /// It is there from the start.
    pub present: bool,
    /// Its NUMA node.
    pub node: Option<u32>,
}

/// A machine as its tables show it.
#[derive(Debug, Clone)]
pub struct AcpiDescription {
    /// The chipset.
    pub chipset: Chipset,
    /// The CPUs by slot; APIC IDs rise. Those beyond the first [`MAX_CPUS`] are left out.
    pub cpus: Vec<AcpiCpu>,
    /// The NUMA nodes, if there are any.
    pub numa: Option<Completed>,
    /// Where the RAM lies that the nodes share.
    pub ram: RamLayout,
    /// First port of the CPU hotplug registers, if there are any.
    pub cpu_hotplug: Option<u16>,
    /// There is a keyboard controller.
    pub i8042: bool,
    /// Which serial ports there are, COM1 first.
    pub serials: [Option<ComPort>; COM_PORTS.len()],
    /// Whom the tables name as their maker.
    pub oem: OemIds,
}

/// A machine's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcpiTables {
    /// The root pointer, which may lie wherever the operating system looks for it.
    pub rsdp: [u8; 36],
    /// All other tables, as they lie from the address on that they were built for.
    pub tables: Vec<u8>,
}

/// Tables as they are put one after the other.
struct Blob {
    at: u64,
    bytes: Vec<u8>,
}

impl Blob {
    /// Adds a table; where it lies.
    fn push(&mut self, table: &[u8]) -> u64 {
        let address = self.at.saturating_add(self.bytes.len() as u64);
        self.bytes.extend_from_slice(table);
        address
    }
}

/// The FACS, which has no common header and is all zero but for that.
fn facs() -> Vec<u8> {
    let mut facs = b"FACS".to_vec();
    facs.dword(FACS_LEN.into());
    facs.resize(FACS_LEN.into(), 0);
    facs
}

fn waet(oem: OemIds) -> Vec<u8> {
    oem.table(*b"WAET", 1, &WAET_PM_TIMER_GOOD.to_le_bytes())
}

/// The tables of a machine for guest physical address `at`, which is a multiple of 64. Beyond 4 GiB there is no RSDT.
pub fn build(description: &AcpiDescription, at: u64) -> AcpiTables {
    let AcpiDescription { chipset, cpus, numa, ram, i8042, oem, .. } = description;
    let cpus = cpus.get(..MAX_CPUS).unwrap_or(cpus);
    let (chipset, i8042, oem) = (*chipset, *i8042, *oem);

    let mut blob = Blob { at, bytes: Vec::new() };
    let facs = blob.push(&facs());
    let dsdt = blob.push(&dsdt(description, cpus));
    let mut entries = vec![
        blob.push(&Fadt { chipset, cpus: cpus.len(), i8042, facs, dsdt }.table(oem)),
        blob.push(&madt(cpus, oem)),
    ];
    if let Some(numa) = numa {
        let apic_ids = cpus.iter().map(|cpu| ApicId(cpu.apic_id));
        let tables = [srat(numa, apic_ids, *ram, oem), slit(numa, oem), hmat(numa, oem)];
        entries.extend(tables.iter().flatten().map(|table| blob.push(table)));
    }
    entries.push(blob.push(&waet(oem)));

    let short: Result<Vec<u32>, _> = entries.iter().map(|entry| u32::try_from(*entry)).collect();
    let rsdt = short.ok().and_then(|entries| {
        let body: Vec<u8> = entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        u32::try_from(blob.push(&oem.table(*b"RSDT", 1, &body))).ok()
    });
    let body: Vec<u8> = entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    let xsdt = blob.push(&oem.table(*b"XSDT", 1, &body));
    blob.bytes.resize(blob.bytes.len().next_multiple_of(ALIGNMENT), 0);
    AcpiTables { rsdp: rsdp(oem, rsdt.unwrap_or(0), xsdt), tables: blob.bytes }
}

/// The root pointer. The crate's has no RSDT: its address is added, and the two checksums made anew.
fn rsdp(oem: OemIds, rsdt: u32, xsdt: u64) -> [u8; 36] {
    let mut bytes = Vec::new();
    Rsdp::new(oem.oem_id, xsdt).to_aml_bytes(&mut bytes);
    let mut rsdp = [0; 36];
    rsdp.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    rsdp[16..20].copy_from_slice(&rsdt.to_le_bytes());
    for (checksum, len) in [(8, 20), (32, 36)] {
        rsdp[checksum] = 0;
        rsdp[checksum] = rsdp[..len].iter().fold(0, |sum: u8, byte| sum.wrapping_sub(*byte));
    }
    rsdp
}
