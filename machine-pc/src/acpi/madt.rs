//! MADT, the Multiple APIC Description Table (ACPI 6.5, 5.2.12): the interrupt controllers, every CPU that there can be, and
//! how the ISA interrupts reach the I/O APIC.
//!
//! As in the reference a CPU that is not there yet is a disabled entry without the flag *online capable*: revision 3 of the
//! table does not have it, and an operating system that finds a FADT before 6.3 counts such an entry as a place for a CPU.
//!
//! The crate's own `MADT` has revision 1 and no x2APIC; its entries are used where it has them.

use acpi_tables::madt::{EnabledStatus, IoApic, ProcessorLocalApic};
use acpi_tables::{Aml, AmlSink};

use super::table::OemIds;
use super::tables::AcpiCpu;

const REVISION: u8 = 3;
const LOCAL_APIC_BASE: u32 = 0xfee0_0000;
const IO_APIC_BASE: u32 = 0xfec0_0000;
/// There are two 8259s as well.
const PCAT_COMPAT: u32 = 1;
/// The first APIC ID, and the first processor UID, that the short entry cannot hold: 255 stands for all CPUs there.
const FIRST_X2APIC_ID: u32 = 255;
/// Interrupts of PCI devices and the SCI: level-triggered, active high.
const LEVEL_HIGH: u16 = 0b11_01;
const PCI_INTERRUPTS: [u8; 4] = [5, 9, 10, 11];
/// NMIs reach the CPUs there.
const NMI_LINT: u8 = 1;

/// A CPU: Processor Local APIC or, where its ID needs it, Processor Local x2APIC. Also what its `_MAT` gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalApic {
    /// The UID that its object in the namespace has too.
    pub(super) uid: u32,
    pub(super) apic_id: u32,
    pub(super) enabled: bool,
}

impl LocalApic {
    /// Both IDs, if they fit the short entry, and a `Processor` object.
    pub(super) fn short(self) -> Option<(u8, u8)> {
        let fits = |id| u8::try_from(id).ok().filter(|_| id < FIRST_X2APIC_ID);
        Some((fits(self.uid)?, fits(self.apic_id)?))
    }
}

impl Aml for LocalApic {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        match self.short() {
            Some((uid, apic_id)) => {
                let status = if self.enabled { EnabledStatus::Enabled } else { EnabledStatus::Disabled };
                ProcessorLocalApic::new(uid, apic_id, status).to_aml_bytes(sink);
            }
            None => {
                sink.vec(&[9, 16, 0, 0]);
                sink.dword(self.apic_id);
                sink.dword(self.enabled.into());
                sink.dword(self.uid);
            }
        }
    }
}

/// An ISA interrupt that reaches another pin, or another way, than the pin of its number as an edge.
struct InterruptSourceOverride {
    source: u8,
    pin: u32,
    flags: u16,
}

impl Aml for InterruptSourceOverride {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        // The bus is ISA, 0.
        sink.vec(&[2, 10, 0, self.source]);
        sink.dword(self.pin);
        sink.word(self.flags);
    }
}

/// NMIs of all CPUs, in the form of the CPUs' entries.
struct LocalApicNmi {
    x2apic: bool,
}

impl Aml for LocalApicNmi {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        if self.x2apic {
            sink.vec(&[10, 12, 0, 0]);
            sink.dword(u32::MAX);
            sink.vec(&[NMI_LINT, 0, 0, 0]);
        } else {
            sink.vec(&[4, 6, u8::MAX, 0, 0, NMI_LINT]);
        }
    }
}

/// The table.
pub(super) fn madt(cpus: &[AcpiCpu], oem: OemIds) -> Vec<u8> {
    let mut body = Vec::new();
    body.dword(LOCAL_APIC_BASE);
    body.dword(PCAT_COMPAT);
    let mut x2apic = false;
    for (uid, cpu) in (0..).zip(cpus) {
        let entry = LocalApic { uid, apic_id: cpu.apic_id, enabled: cpu.present };
        x2apic |= entry.short().is_none();
        entry.to_aml_bytes(&mut body);
    }
    IoApic::new(0, IO_APIC_BASE, 0).to_aml_bytes(&mut body);
    // The timer of the 8254 is on pin 2.
    InterruptSourceOverride { source: 0, pin: 2, flags: 0 }.to_aml_bytes(&mut body);
    for source in PCI_INTERRUPTS {
        InterruptSourceOverride { source, pin: source.into(), flags: LEVEL_HIGH }.to_aml_bytes(&mut body);
    }
    LocalApicNmi { x2apic }.to_aml_bytes(&mut body);
    oem.table(*b"APIC", REVISION, &body)
}
