//! The board's hardware as devices: types, properties, places in the tree, resets.
//!
//! A device stands for a part of the [board](crate::machine::board), which it finds through the machine above it. What
//! the guest reaches is the part, which knows no objects: a vCPU thread never comes here. What the board always has it
//! makes itself, before there is a device; a serial port or a debug console is made by its device when that is realized,
//! and then put on the port bus.
//!
//! A property reads as the hardware is. Where the hardware has no choice, the property takes that one value and
//! refuses the others (module `fixed`).
//!
//! There is no PCI yet. So what is a PCI device in the reference, the south bridge with power management, is on the main
//! system bus here, and the ISA bus hangs where it does there, below the bridge.

mod assemble;
pub mod chardev_ends;
mod chips;
mod connected;
mod debug_console;
mod fixed;
mod keyboard;
mod port92;
mod real_time_clock;
mod serial;
mod south_bridge;

use std::sync::Arc;

use qom::{Bus, ClassInit, Device, DeviceClass, Instance, Obj, Object, PropertyError, TypeInfo};
use qom_derive::Object;

pub use assemble::add_devices;
pub use debug_console::DebugConsole;
pub use serial::IsaSerial;

use crate::machine::PcMachine;
use crate::machine::board::Board;

/// Where `-device help` lists a type: class data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum DeviceCategory {
    /// Input devices, serial ports among them.
    Input,
    /// What fits nowhere else.
    #[default]
    Misc,
}

/// What a device on the main system bus shows of its registers in memory: class data.
#[derive(Debug, Clone, Default)]
pub struct SystemBusClass {
    /// First address and length in bytes of each range.
    pub mmio: Vec<(u64, u64)>,
}

/// The bus of what a PC has had since 1981.
fn isa_bus() -> TypeInfo {
    TypeInfo::new("ISA", Bus::TYPE_NAME, qom::site!())
}

/// The abstract type of devices on the ISA bus.
#[derive(Debug, Object)]
#[object(name = "isa-device", abstract, class_init = IsaDevice::class_init)]
pub struct IsaDevice {
    parent: Device,
}

impl IsaDevice {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<DeviceClass>().bus_type = Some("ISA");
    }
}

/// The abstract type of devices on the main system bus.
#[derive(Debug, Object)]
#[object(name = "sys-bus-device", abstract, class_init = SysBusDevice::class_init)]
pub struct SysBusDevice {
    parent: Device,
}

impl SysBusDevice {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<SystemBusClass>();
        let methods = class.data_mut::<DeviceClass>();
        methods.bus_type = Some("System");
        methods.user_creatable = false;
    }
}

qom::register_types!(isa_bus, <IsaDevice as Instance>::type_info, <SysBusDevice as Instance>::type_info);

/// The machine that an object is part of.
fn machine(object: &dyn Object) -> Option<Obj<PcMachine>> {
    Obj::new(object.core().root()?.core().child("machine")?).ok()
}

/// The hardware of the machine that an object is part of.
fn board(object: &dyn Object) -> Option<Arc<Board>> {
    machine(object)?.board().cloned()
}

/// The same where it must be there.
fn need_board(device: &Obj<Device>) -> Result<Arc<Board>, qom::Error> {
    board(&**device.as_object()).ok_or_else(|| qom::Error::msg("the machine has no hardware"))
}

fn refused(text: impl std::fmt::Display) -> PropertyError {
    PropertyError::Refused(text.to_string())
}

#[cfg(test)]
mod tests;
