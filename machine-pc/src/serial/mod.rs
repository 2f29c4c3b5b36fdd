//! COM1 to COM4: 16550As, each with its line and its console.
//!
//! Output goes to the console on the vCPU thread that writes it, byte by byte: the console must
//! not wait for a slow reader. What the console cannot take is lost, as on a wire. Input comes
//! from the main loop and is bounded: what the port has no room for stays with the caller.
//!
//! [`uart`] has the registers. They are our own because of the interrupt: vm-superio's port gives a pulse for an event whose
//! cause is already known to the guest never again, and has neither FIFO control nor line errors; a guest that misses one
//! pulse then waits for ever. Here the line is a level, as in the data sheet and in QEMU.

pub mod uart;

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::io_bus::IoDevice;
use crate::irq::IrqLine;

use uart::Uart;

/// Where a PC's serial ports are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComPort {
    /// The name that ACPI has for it, and its place on the port bus.
    pub name: &'static str,
    /// First I/O port.
    pub base: u16,
    /// Interrupt. Two ports share one.
    pub irq: u8,
}

/// COM1 to COM4.
pub const COM_PORTS: [ComPort; 4] = [
    ComPort { name: "COM1", base: 0x3f8, irq: 4 },
    ComPort { name: "COM2", base: 0x2f8, irq: 3 },
    ComPort { name: "COM3", base: 0x3e8, irq: 4 },
    ComPort { name: "COM4", base: 0x2e8, irq: 3 },
];
/// Length in bytes of a serial port's range.
pub const SERIAL_LEN: u64 = 8;

struct Port {
    uart: Uart,
    console: Box<dyn Write + Send>,
    /// The level that the line has.
    level: bool,
}

/// A serial port.
pub struct SerialPort {
    port: Mutex<Port>,
    line: Arc<dyn IrqLine>,
    on_room: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for SerialPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SerialPort").finish_non_exhaustive()
    }
}

impl SerialPort {
    /// A port that writes to `console` and interrupts on `line`. `on_room` is called on a vCPU
    /// thread, with the port locked, when the guest has read all input: it must only wake the
    /// main loop.
    pub fn new(
        console: Box<dyn Write + Send>,
        line: Arc<dyn IrqLine>,
        on_room: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        let port = Port { uart: Uart::default(), console, level: false };
        Self { port: Mutex::new(port), line, on_room }
    }

    fn lock(&self) -> MutexGuard<'_, Port> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drives the line as the registers want it.
    fn update(&self, port: &mut Port) {
        let level = port.uart.interrupts();
        if level != port.level {
            port.level = level;
            self.line.set_level(level);
        }
    }

    /// Gives input to the guest; returns how many bytes were taken, from the first on.
    pub fn receive(&self, input: &[u8]) -> usize {
        let mut port = self.lock();
        let taken = input.len().min(port.uart.room());
        for byte in &input[..taken] {
            port.uart.receive(*byte);
        }
        self.update(&mut port);
        taken
    }

    /// How many bytes of input the port can take now.
    pub fn room(&self) -> usize {
        self.lock().uart.room()
    }

    /// Machine reset: registers at their power-on values, input dropped, same console.
    pub fn reset(&self) {
        let mut port = self.lock();
        port.uart = Uart::default();
        self.update(&mut port);
        (self.on_room)();
    }

    /// Takes the console away, and the line goes low: the device is no more. An access that is still under way finds registers at their
    /// power-on values, and writes to nowhere.
    pub fn disconnect(&self) -> Box<dyn Write + Send> {
        let mut port = self.lock();
        port.uart = Uart::default();
        self.update(&mut port);
        std::mem::replace(&mut port.console, Box::new(std::io::sink()))
    }

    fn write_byte(&self, port: &mut Port, offset: u8, value: u8) {
        if port.uart.sends(offset) {
            port.uart.hold();
            self.update(port);
            if let Some(byte) = port.uart.sent(value) {
                // An error is a byte that the console could not take: it is lost, as on a wire.
                let _ = port.console.write_all(&[byte]).and_then(|()| port.console.flush());
            }
        } else {
            port.uart.write(offset, value);
        }
        self.update(port);
    }
}

impl IoDevice for SerialPort {
    fn read(&self, offset: u64, size: u8) -> u64 {
        let mut port = self.lock();
        let before = port.uart.room();
        let mut value = [0; 8];
        // Registers are bytes; a wider access reads several, as the reference's bus does.
        for (i, byte) in value.iter_mut().enumerate().take(size.into()) {
            *byte = port.uart.read(offset as u8 + i as u8);
            self.update(&mut port);
        }
        if port.uart.room() > before {
            (self.on_room)();
        }
        u64::from_le_bytes(value)
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let mut port = self.lock();
        let before = port.uart.room();
        for (i, byte) in value.to_le_bytes().into_iter().enumerate().take(size.into()) {
            self.write_byte(&mut port, offset as u8 + i as u8, byte);
        }
        if port.uart.room() > before {
            (self.on_room)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irq::tests::RecordedLine;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Clone, Default)]
    struct Console(Arc<Mutex<Vec<u8>>>);

    impl Write for Console {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(buf);
            Ok(buf.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_go_out_and_come_in_with_an_interrupt() {
        let (console, line) = (Console::default(), Arc::new(RecordedLine::default()));
        let room = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&room);
        let on_room = Arc::new(move || {
            seen.fetch_add(1, Ordering::Relaxed);
        });
        let port = SerialPort::new(Box::new(console.clone()), line.clone(), on_room);
        for byte in b"ok\n" {
            port.write(0, 1, u64::from(*byte));
        }
        assert_eq!(*console.0.lock().unwrap(), b"ok\n");
        assert_eq!(port.read(5, 1) & 0x21, 0x20, "can send, nothing received");
        port.write(1, 1, 1);
        assert_eq!(port.receive(b"v"), 1);
        assert_eq!(line.rises.load(Ordering::Relaxed), 1);
        assert_eq!(port.read(5, 1) & 1, 1);
        assert_eq!((port.read(0, 1), port.read(5, 1) & 1), (u64::from(b'v'), 0));
        assert_eq!(room.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn input_is_bounded_and_a_reset_drops_it_but_not_the_console() {
        let console = Console::default();
        let line = Arc::new(RecordedLine::default());
        let port = SerialPort::new(Box::new(console.clone()), line, Arc::new(|| {}));
        assert_eq!(port.receive(b"ab"), 1, "without FIFOs");
        port.write(2, 1, 1);
        let taken = port.receive(&[b'x'; 100_000]);
        assert_eq!(taken, uart::FIFO_LEN);
        assert_eq!((port.room(), port.receive(b"y")), (0, 0));
        port.reset();
        assert_eq!((port.room(), port.read(5, 1) & 1), (1, 0));
        port.write(0, 1, u64::from(b'z'));
        assert_eq!(*console.0.lock().unwrap(), b"z");
    }
    /// What a device leaves behind when it goes: nothing on the line, and its console for whoever has it next.
    #[test]
    fn a_port_that_is_disconnected_is_low_and_writes_to_nowhere() {
        let (console, line) = (Console::default(), Arc::new(RecordedLine::default()));
        let port = SerialPort::new(Box::new(console.clone()), line.clone(), Arc::new(|| {}));
        port.write(1, 1, 2);
        assert!(line.is_high(), "it can send");
        let mut taken = port.disconnect();
        assert!(!line.is_high());
        port.write(0, 1, u64::from(b'x'));
        assert_eq!(*console.0.lock().unwrap(), b"");
        taken.write_all(b"y").unwrap();
        assert_eq!(*console.0.lock().unwrap(), b"y");
    }
}
