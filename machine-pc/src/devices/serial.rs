//! `isa-serial`: a serial port, COM1 to COM4 unless it is told to be elsewhere.

use std::sync::Arc;

use parking_lot::Mutex;
use qom::{ClassInit, Device, DeviceClass, Error, Field, Instance, Obj};
use qom_derive::Object;

use super::chardev_ends::InputTaker;
use super::connected::Connected;
use super::fixed::{ON_OFF, fixed};
use super::{DeviceCategory, IsaDevice, board, machine, need_board};
use crate::machine::board::ISA_IRQS;
use crate::serial::{COM_PORTS, ComPort, SERIAL_LEN, SerialPort};

/// Says that a property is for the device to fill in.
const UNSET: u32 = u32::MAX;

/// The state of an `isa-serial`.
#[derive(Debug, Object)]
#[object(name = "isa-serial", class_init = IsaSerial::class_init)]
pub struct IsaSerial {
    parent: IsaDevice,
    #[property(get, set, default = UNSET)]
    index: Field<u32>,
    #[property(get, set, default = UNSET)]
    iobase: Field<u32>,
    #[property(get, set, default = UNSET)]
    irq: Field<u32>,
    connected: Connected,
    port: Mutex<Option<Arc<SerialPort>>>,
}

qom::register_types!(<IsaSerial as Instance>::type_info);

/// The highest address that a port can begin at.
const LAST_BASE: u32 = 0x1_0000 - SERIAL_LEN as u32;

impl IsaSerial {
    fn class_init(class: &mut ClassInit<'_>) {
        *class.data_mut::<DeviceCategory>() = DeviceCategory::Input;
        let methods = class.data_mut::<DeviceClass>();
        methods.realize = |device| Self::with(device, |this| this.realize(device)).unwrap_or(Ok(()));
        methods.unrealize = |device| {
            Self::with(device, |this| this.unrealize(device));
        };
        // Its interrupt falls, so it is no work of the first phase.
        methods.reset.hold = |device, _| {
            Self::with(device, |this| this.port.lock().as_ref().map(|port| port.reset()));
        };
        class.add_property(Connected::property::<Self>("serial", |this| &this.connected).of_part());
        class.add_property(fixed("baudbase", 115_200_u32, "characters take no time on the line").of_part());
        class.add_property(
            fixed("wakeup", false, "nothing wakes a guest up, as none is suspended to RAM")
                .description(ON_OFF)
                .of_part(),
        );
    }

    fn with<R>(device: &Obj<Device>, act: impl FnOnce(&Self) -> R) -> Option<R> {
        device.as_object().downcast_ref::<Self>().map(act)
    }

    /// The lowest index that no other port has.
    fn free_index(device: &Obj<Device>) -> u32 {
        let others = device.parent_bus().map(|bus| bus.devices()).unwrap_or_default();
        let taken: Vec<u32> = others
            .iter()
            .filter(|other| other.is_realized())
            .filter_map(|other| Self::with(other, |other| other.index.get()))
            .collect();
        (0..).find(|index| !taken.contains(index)).unwrap_or(UNSET)
    }

    fn realize(&self, device: &Obj<Device>) -> Result<(), Error> {
        let board = need_board(device)?;
        let index = match self.index.get() {
            UNSET => Self::free_index(device),
            index => index,
        };
        let Some(usual) = COM_PORTS.get(index as usize) else {
            let text = format!("Max. supported number of ISA serial ports is {}.", COM_PORTS.len());
            return Err(Error::msg(text));
        };
        let or = |asked: u32, usual: u32| if asked == UNSET { usual } else { asked };
        let (base, irq) = (or(self.iobase.get(), usual.base.into()), or(self.irq.get(), usual.irq.into()));
        let place = u16::try_from(base).ok().filter(|_| base <= LAST_BASE).ok_or_else(|| {
            Error::msg(format!("Parameter 'iobase' expects an I/O port from 0 to {LAST_BASE:#x}"))
        })?;
        let number = u8::try_from(irq).unwrap_or(u8::MAX);
        let line = board.isa_irq(number).ok_or_else(|| {
            Error::msg(format!("Parameter 'irq' expects an interrupt from 0 to {}", ISA_IRQS - 1))
        })?;
        let on_room = machine(&**device.as_object())
            .and_then(|machine| Some(machine.chardevs()?.on_room()))
            .unwrap_or_else(|| Arc::new(|| ()));
        let port = Arc::new(SerialPort::new(self.connected.take_output(), line, on_room.clone()));
        if let Err(error) = board.pio().insert("serial", base.into(), SERIAL_LEN, port.clone()) {
            self.connected.give_back(port.disconnect());
            return Err(Error::new(error));
        }
        self.connected.set_input(Some(InputTaker::Port(port.clone())));
        board.show_serial(index as usize, ComPort { name: usual.name, base: place, irq: number });
        self.index.set(index);
        self.iobase.set(base);
        self.irq.set(irq);
        *self.port.lock() = Some(port);
        // For what waits since before.
        on_room();
        Ok(())
    }

    /// Nothing of it stays on the board, and it can be put to work again.
    fn unrealize(&self, device: &Obj<Device>) {
        let base = self.iobase.get();
        if let Some(board) = board(&**device.as_object()) {
            board.pio().remove(base.into());
            board.hide_serial(base);
        }
        self.connected.set_input(None);
        if let Some(port) = self.port.lock().take() {
            self.connected.give_back(port.disconnect());
        }
    }
}
