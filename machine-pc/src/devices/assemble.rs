//! Makes the devices of a board, each in its place.
//!
//! The order is the reference's, and so is the place wherever the tree has it: the clock and power management below the south
//! bridge, the ISA bus too; the others are numbered in `/machine/unattached`, after the CPUs.

use qom::{Bus, Device, Error, Input, Instance, Obj, Origin, Qom, Value};

use super::serial::IsaSerial;
use super::south_bridge::{Ich9Lpc, PIIX3, PIIX4_PM};
use crate::machine::{Chipset, PcMachine};
use crate::serial::COM_PORTS;

/// What a device's properties are set to.
type Values<'a> = &'a [(&'a str, Value)];

/// The two interrupt controllers: port, port and mask of the edge/level register, and who is asked first.
const PICS: [(u32, u32, u8, bool); 2] = [(0x20, 0x4d0, 0xf8, true), (0xa0, 0x4d1, 0xde, false)];
const PIT_BASE: u32 = 0x40;

/// A place for devices.
struct Bench<'a> {
    qom: &'a Qom,
    system_bus: &'a Obj<Bus>,
}

impl Bench<'_> {
    /// Makes a device on a bus, below `home` under a name if it is told one.
    fn add(
        &self,
        type_name: &str,
        bus: &Obj<Bus>,
        home: Option<(&Obj<Device>, &str)>,
        values: Values<'_>,
    ) -> Result<Obj<Device>, Error> {
        let device = self.new_device(type_name)?;
        if let Some((home, name)) = home {
            home.as_object().add_child(name, device.as_object())?;
        }
        for (name, value) in values {
            device.as_object().set(name, &Input::Json(value), Origin::Machine)?;
        }
        Device::set_parent_bus(&device, Some(bus)).map_err(Error::new)?;
        Device::realize(&device)?;
        Ok(device)
    }

    fn new_device(&self, type_name: &str) -> Result<Obj<Device>, Error> {
        let object = self.qom.create(type_name).map_err(|error| Error::Create(Box::new(error)))?;
        Obj::new(object).map_err(|_| Error::msg(format!("'{type_name}' is no type of device")))
    }

    /// The south bridge with the ISA bus.
    fn add_bridge(&self, type_name: &str) -> Result<(Obj<Device>, Obj<Bus>), Error> {
        let bridge = self.new_device(type_name)?;
        let isa = self.qom.create("ISA").map_err(|error| Error::Create(Box::new(error)))?;
        let isa = Obj::<Bus>::new(isa).map_err(|_| Error::msg("'ISA' is no type of bus"))?;
        Bus::place(&isa, bridge.as_object(), None)?;
        Device::set_parent_bus(&bridge, Some(self.system_bus)).map_err(Error::new)?;
        Device::realize(&bridge)?;
        Ok((bridge, isa))
    }
}

/// Makes them, for a machine whose hardware is there, and `rtc-time` of the machine. `serials` names the chardevs of the
/// serial ports that there are.
///
/// # Errors
/// A device's, for example a global property that asks of it what it cannot be.
pub fn add_devices(
    qom: &Qom,
    machine: &Obj<PcMachine>,
    system_bus: &Obj<Bus>,
    chipset: Chipset,
    serials: &[Option<String>; COM_PORTS.len()],
) -> Result<(), Error> {
    let Some(board) = machine.board() else { return Ok(()) };
    let bench = Bench { qom, system_bus };
    let bridge = match chipset {
        Chipset::I440fx => PIIX3,
        Chipset::Q35 => Ich9Lpc::TYPE_NAME,
    };
    let (bridge, isa) = bench.add_bridge(bridge)?;
    let clock = bench.add("mc146818rtc", &isa, Some((&bridge, "rtc")), &[("base_year", 0.into())])?;
    machine.set_clock(clock.as_object())?;
    if chipset == Chipset::I440fx && board.pm().is_some() {
        bench.add(PIIX4_PM, system_bus, Some((&bridge, "pm")), &[])?;
    }
    if board.vm().is_some() {
        for (iobase, elcr_addr, elcr_mask, master) in PICS {
            bench.add(
                "kvm-i8259",
                &isa,
                None,
                &[
                    ("iobase", iobase.into()),
                    ("elcr_addr", elcr_addr.into()),
                    ("elcr_mask", elcr_mask.into()),
                    ("master", master.into()),
                ],
            )?;
        }
        bench.add("kvm-ioapic", system_bus, None, &[])?;
        bench.add("kvm-pit", &isa, None, &[("iobase", PIT_BASE.into())])?;
    }
    for (index, chardev) in serials.iter().enumerate() {
        if let Some(chardev) = chardev {
            let values = [("index", index.into()), ("chardev", chardev.as_str().into())];
            bench.add(IsaSerial::TYPE_NAME, &isa, None, &values)?;
        }
    }
    if machine.has_i8042() {
        bench.add("i8042", &isa, None, &[])?;
    }
    bench.add("port92", &isa, None, &[])?;
    Ok(())
}
