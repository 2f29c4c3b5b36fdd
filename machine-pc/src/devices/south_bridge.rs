//! The south bridges: `PIIX3` with `PIIX4_PM` on an i440FX, `ICH9-LPC` on a Q35. The ISA bus is below the bridge, the
//! reset control register and power management are in it.
//!
//! Where the ports of power management are, `pm_io_base` says; here they are there from reset on.

use qom::{ClassInit, Device, DeviceClass, Field, Instance, Property, PropertyValue, TypeInfo};
use qom_derive::Object;

use super::fixed::fixed;
use super::{SysBusDevice, board};
use crate::acpi::gpe::{ICH9_GPE0_LEN, PIIX4_GPE0_LEN};
use crate::machine::board::{ICH9_GPE0_BASE, PIIX4_GPE0_BASE, SCI_IRQ};
use crate::pm::PM_BASE;

pub(super) const PIIX3: &str = "PIIX3";
pub(super) const PIIX4_PM: &str = "PIIX4_PM";

/// What a bridge says of its power management.
struct PowerManagementPlace {
    gpe0: u64,
    gpe0_len: u8,
    /// What turns system management mode's part off and on at the command port, where there is one.
    acpi_enable: u8,
    acpi_disable: u8,
}

const PIIX4: PowerManagementPlace = PowerManagementPlace {
    gpe0: PIIX4_GPE0_BASE,
    gpe0_len: PIIX4_GPE0_LEN,
    acpi_enable: 0xf1,
    acpi_disable: 0xf0,
};
const ICH9: PowerManagementPlace =
    PowerManagementPlace { gpe0: ICH9_GPE0_BASE, gpe0_len: ICH9_GPE0_LEN, acpi_enable: 2, acpi_disable: 3 };

/// The sleep type that means suspension to disk, on both.
const S4_TYPE: u8 = 2;

fn read_only<T: PropertyValue>(name: &'static str, is: &T) -> Property {
    let value = is.to_value();
    Property::typed::<T>(name).get(move |_| Ok(value.clone()))
}

fn on_bridge(class: &mut ClassInit<'_>) {
    class.data_mut::<DeviceClass>().hotpluggable = false;
}

/// Its reset control register is the bridge's.
fn reset_bridge(device: &qom::Obj<Device>) {
    if let Some(board) = board(&**device.as_object()) {
        board.reset_control().reset();
    }
}

fn reset_power_management(device: &qom::Obj<Device>) {
    if let Some(board) = board(&**device.as_object()) {
        board.gpe().reset();
        if let Some(pm) = board.pm() {
            pm.reset();
        }
    }
}

/// What both say of sleep: the guest is told of none but soft-off.
fn add_sleep(class: &mut ClassInit<'_>) {
    class.add_property(fixed("disable_s3", 1_u8, "a guest cannot be suspended to RAM"));
    class.add_property(fixed("disable_s4", 1_u8, "the guest is not told of suspension to disk"));
    class.add_property(fixed("s4_val", S4_TYPE, "it is the chip's sleep type for suspension to disk"));
}

fn add_places(class: &mut ClassInit<'_>, place: &PowerManagementPlace) {
    class.add_property(read_only("pm_io_base", &(PM_BASE as u32)));
    class.add_property(read_only("gpe0_blk", &(place.gpe0 as u32)));
    class.add_property(read_only("gpe0_blk_len", &u32::from(place.gpe0_len)));
    class.add_property(read_only("acpi_enable_cmd", &place.acpi_enable));
    class.add_property(read_only("acpi_disable_cmd", &place.acpi_disable));
}

fn piix3() -> TypeInfo {
    TypeInfo::new(PIIX3, "sys-bus-device", qom::site!()).class_init(|class| {
        on_bridge(class);
        class.data_mut::<DeviceClass>().reset.hold = |device, _| reset_bridge(device);
    })
}

fn piix4_pm() -> TypeInfo {
    TypeInfo::new(PIIX4_PM, "sys-bus-device", qom::site!()).class_init(|class| {
        on_bridge(class);
        class.data_mut::<DeviceClass>().reset.hold = |device, _| reset_power_management(device);
        add_sleep(class);
        add_places(class, &PIIX4);
        class.add_property(read_only("sci_int", &u16::from(SCI_IRQ)));
    })
}

/// The state of an `ICH9-LPC`.
#[derive(Debug, Object)]
#[object(name = "ICH9-LPC", class_init = Ich9Lpc::class_init)]
pub(super) struct Ich9Lpc {
    parent: SysBusDevice,
    // The strap on the board by which the watchdog resets nothing. There is no watchdog, so nothing comes of it.
    #[property(get, set, default = false, description = "on/off")]
    noreboot: Field<bool>,
}

impl Ich9Lpc {
    fn class_init(class: &mut ClassInit<'_>) {
        on_bridge(class);
        class.data_mut::<DeviceClass>().reset.hold = |device, _| {
            reset_bridge(device);
            reset_power_management(device);
        };
        add_sleep(class);
        add_places(class, &ICH9);
        class.add_property(read_only("sci_int", &SCI_IRQ));
    }
}

qom::register_types!(piix3, piix4_pm, <Ich9Lpc as Instance>::type_info);
