//! `isa-debugcon`: a port that a guest writes text to and recognises by what it reads there.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use qom::{ClassInit, Device, DeviceClass, Error, Field, Instance, Obj, Property};
use qom_derive::Object;

use super::chardev_ends::InputTaker;
use super::connected::Connected;
use super::{IsaDevice, board, need_board};
use crate::io_bus::IoDevice;

/// The usual port, and what it reads as.
const PORT: u32 = 0xe9;

/// The state of an `isa-debugcon`.
#[derive(Debug, Object)]
#[object(name = "isa-debugcon", class_init = DebugConsole::class_init)]
pub struct DebugConsole {
    parent: IsaDevice,
    #[property(get, set, default = PORT)]
    iobase: Field<u32>,
    connected: Connected,
    #[object(default = Field::new(PORT))]
    readback: Field<u32>,
    port: Mutex<Option<Arc<Port>>>,
}

qom::register_types!(<DebugConsole as Instance>::type_info);

/// The port.
struct Port {
    output: Mutex<Box<dyn Write + Send>>,
    readback: u32,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("readback", &self.readback).finish_non_exhaustive()
    }
}

impl Port {
    /// Takes its output away. An access that is still under way writes to nowhere.
    fn disconnect(&self) -> Box<dyn Write + Send> {
        std::mem::replace(&mut *self.output.lock(), Box::new(std::io::sink()))
    }
}

impl IoDevice for Port {
    fn max_access(&self) -> u8 {
        1
    }

    fn read(&self, _offset: u64, _size: u8) -> u64 {
        (self.readback & 0xff).into()
    }

    fn write(&self, _offset: u64, _size: u8, value: u64) {
        let mut output = self.output.lock();
        // What the console cannot take is lost, as on a wire.
        let _ = output.write_all(&[value as u8]).and_then(|()| output.flush());
    }
}

impl DebugConsole {
    fn class_init(class: &mut ClassInit<'_>) {
        let methods = class.data_mut::<DeviceClass>();
        methods.realize = |device| match device.as_object().downcast_ref::<Self>() {
            Some(this) => this.realize(device),
            None => Ok(()),
        };
        methods.unrealize = |device| {
            if let Some(this) = device.as_object().downcast_ref::<Self>() {
                this.unrealize(device);
            }
        };
        class.add_property(Connected::property::<Self>("isa-debugcon", |this| &this.connected));
        class.add_property(
            Property::of::<Self, u32>("readback", |this| this.readback.get())
                .settable::<Self, u32>(|this, value| {
                    this.readback.set(value);
                    Ok(())
                })
                .default(PORT),
        );
    }

    fn realize(&self, device: &Obj<Device>) -> Result<(), Error> {
        let board = need_board(device)?;
        if !self.connected.is_connected() {
            return Err(Error::msg("Can't create debugcon device, empty char device"));
        }
        let base = self.iobase.get();
        if base > u16::MAX.into() {
            return Err(Error::msg("Parameter 'iobase' expects an I/O port from 0 to 0xffff"));
        }
        let output = Mutex::new(self.connected.take_output());
        let port = Arc::new(Port { output, readback: self.readback.get() });
        if let Err(error) = board.pio().insert("isa-debugcon", base.into(), 1, port.clone()) {
            self.connected.give_back(port.disconnect());
            return Err(Error::new(error));
        }
        self.connected.set_input(Some(InputTaker::Nobody));
        *self.port.lock() = Some(port);
        Ok(())
    }

    /// Nothing of it stays on the board, and it can be put to work again.
    fn unrealize(&self, device: &Obj<Device>) {
        if let Some(board) = board(&**device.as_object()) {
            board.pio().remove(self.iobase.get().into());
        }
        if let Some(port) = self.port.lock().take() {
            self.connected.give_back(port.disconnect());
        }
    }
}
