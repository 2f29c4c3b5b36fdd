//! What AML takes that the crate `acpi_tables` does not have.

use acpi_tables::aml::{Device, Path};
use acpi_tables::{Aml, AmlSink};

/// An interrupt of the 8259s as a resource (ACPI 6.5, 6.4.2.1).
#[derive(Debug, Clone, Copy)]
pub(super) enum Irq {
    /// An edge, active high, of one device: the form without flags.
    Edge(u8),
    /// Level-triggered, active low, shared.
    SharedLevel(u8),
}

impl Irq {
    const LEVEL_LOW_SHARED: u8 = 1 << 4 | 1 << 3;
}

impl Aml for Irq {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        // Small resource 4 with a mask of interrupts, and a byte of flags where there is one.
        let mask = |number: u8| 1u16.checked_shl(number.into()).unwrap_or(0);
        match *self {
            Self::Edge(number) => {
                sink.byte(0x22);
                sink.word(mask(number));
            }
            Self::SharedLevel(number) => {
                sink.byte(0x23);
                sink.word(mask(number));
                sink.byte(Self::LEVEL_LOW_SHARED);
            }
        }
    }
}

/// Leaves the innermost loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Break;

impl Aml for Break {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.byte(0xa5);
    }
}

/// Bytes that were made before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl Aml for Raw<'_> {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.vec(self.0);
    }
}

/// A processor as ACPI 1.0 declares it, without a register block (ACPI 5.1, 19.5.102; gone since 6.4).
pub(super) struct Processor<'a> {
    pub(super) path: Path,
    /// Its UID.
    pub(super) id: u8,
    pub(super) children: Vec<&'a dyn Aml>,
}

impl Processor<'_> {
    pub(super) fn append(self, to: &mut Vec<u8>) {
        // A device, but for the operator and what follows the name.
        const PROCESSOR_OP: u8 = 0x83;
        let head = [self.id, 0, 0, 0, 0, 0];
        let head = Raw(&head);
        let children = std::iter::once(&head as &dyn Aml).chain(self.children).collect();
        let operator = to.len() + 1;
        Device::new(self.path, children).to_aml_bytes(to);
        to[operator] = PROCESSOR_OP;
    }
}
