//! DSDT, the Differentiated System Description Table: the devices of the board, in AML.
//!
//! Names, IDs and resources are the reference's. There is no PCI root: what lies below it there lies below `\_SB` here.
//! There is no sleep but soft-off: nothing could wake the machine.

use acpi_tables::Aml;
use acpi_tables::aml::{Device, EISAName, IO, Name, Package, ResourceTemplate, Scope, ZERO};

use super::aml::{Irq, Raw};
use super::cpus;
use super::tables::{AcpiCpu, AcpiDescription};
use crate::serial::ComPort;

/// Revision 1: integers have 32 bits.
const REVISION: u8 = 1;
/// `_STA`: present, enabled, shown, working.
pub(super) const PRESENT: u8 = 0xf;

/// The table, for these of the description's CPUs.
pub(super) fn dsdt(description: &AcpiDescription, cpus: &[AcpiCpu]) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(base) = description.cpu_hotplug {
        cpus::append(&mut body, base, cpus);
    }
    let mut devices = Vec::new();
    if description.i8042 {
        keyboard(&mut devices);
    }
    for (number, port) in (1..).zip(description.serials) {
        if let Some(port) = port {
            serial(&mut devices, number, port);
        }
    }
    rtc(&mut devices);
    Scope::new("\\_SB_".into(), vec![&Raw(&devices)]).to_aml_bytes(&mut body);
    // Sleep type 0 of both chipsets' PM1 control registers turns the machine off.
    Name::new("\\_S5_".into(), &Package::new(vec![&ZERO, &ZERO, &ZERO, &ZERO])).to_aml_bytes(&mut body);
    description.oem.table(*b"DSDT", REVISION, &body)
}

fn keyboard(to: &mut Vec<u8>) {
    let (data, status) = (IO::new(0x60, 0x60, 1, 1), IO::new(0x64, 0x64, 1, 1));
    let resources = ResourceTemplate::new(vec![&data, &status, &Irq::Edge(1)]);
    let names: [&dyn Aml; 3] = [
        &Name::new("_HID".into(), &EISAName::new("PNP0303")),
        &Name::new("_STA".into(), &PRESENT),
        &Name::new("_CRS".into(), &resources),
    ];
    Device::new("KBD_".into(), names.to_vec()).to_aml_bytes(to);
}

fn serial(to: &mut Vec<u8>, number: u8, port: ComPort) {
    let ports = IO::new(port.base, port.base, 0, 8);
    let irq = Irq::SharedLevel(port.irq);
    let resources = ResourceTemplate::new(vec![&ports, &irq]);
    let names: [&dyn Aml; 4] = [
        &Name::new("_HID".into(), &EISAName::new("PNP0501")),
        &Name::new("_UID".into(), &number),
        &Name::new("_STA".into(), &PRESENT),
        &Name::new("_CRS".into(), &resources),
    ];
    Device::new(port.name.into(), names.to_vec()).to_aml_bytes(to);
}

fn rtc(to: &mut Vec<u8>) {
    let ports = IO::new(0x70, 0x70, 1, 8);
    let resources = ResourceTemplate::new(vec![&ports, &Irq::Edge(8)]);
    let names: [&dyn Aml; 2] =
        [&Name::new("_HID".into(), &EISAName::new("PNP0B00")), &Name::new("_CRS".into(), &resources)];
    Device::new("RTC_".into(), names.to_vec()).to_aml_bytes(to);
}
