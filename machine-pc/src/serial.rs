//! COM1: a 16550-compatible serial port (vm-superio's), with its line and its console.
//!
//! Output goes to the console on the vCPU thread that writes it, byte by byte: the console must
//! not wait for a slow reader. What the console cannot take is lost, as on a wire. Input comes
//! from the main loop and is bounded: what the port has no room for stays with the caller.

use std::convert::Infallible;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vm_superio::serial::SerialEvents;
use vm_superio::{Serial, Trigger};

use crate::io_bus::IoDevice;
use crate::irq::IrqLine;

/// First port of COM1.
pub const COM1_BASE: u64 = 0x3f8;
/// Interrupt of COM1.
pub const COM1_IRQ: u32 = 4;
/// Length in bytes of a serial port's range.
pub const SERIAL_LEN: u64 = 8;

/// An edge on an interrupt line, which is what a 16550 on the ISA bus gives.
struct Edge(Arc<dyn IrqLine>);

impl Trigger for Edge {
    type E = Infallible;

    fn trigger(&self) -> Result<(), Infallible> {
        self.0.set_level(true);
        self.0.set_level(false);
        Ok(())
    }
}

/// Tells the main loop that the guest took all input.
struct RoomNotifier(Arc<dyn Fn() + Send + Sync>);

impl SerialEvents for RoomNotifier {
    fn buffer_read(&self) {}
    fn out_byte(&self) {}
    fn tx_lost_byte(&self) {}
    fn in_buffer_empty(&self) {
        (self.0)();
    }
}

type Port = Serial<Edge, RoomNotifier, Box<dyn Write + Send>>;

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

/// A console that takes everything and keeps nothing, for a moment between two ports.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
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
        let port = Self::power_on(console, &line, &on_room);
        Self { port: Mutex::new(port), line, on_room }
    }

    fn power_on(
        console: Box<dyn Write + Send>,
        line: &Arc<dyn IrqLine>,
        on_room: &Arc<dyn Fn() + Send + Sync>,
    ) -> Port {
        Serial::with_events(Edge(Arc::clone(line)), RoomNotifier(Arc::clone(on_room)), console)
    }

    fn lock(&self) -> MutexGuard<'_, Port> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives input to the guest; returns how many bytes were taken, from the first on.
    pub fn receive(&self, input: &[u8]) -> usize {
        let mut port = self.lock();
        let room = port.fifo_capacity();
        let input = &input[..input.len().min(room)];
        match port.enqueue_raw_bytes(input) {
            Ok(taken) => taken,
            // In loopback mode the line to the outside is cut, and input with it.
            Err(_) => input.len(),
        }
    }

    /// How many bytes of input the port can take now.
    pub fn room(&self) -> usize {
        self.lock().fifo_capacity()
    }

    /// Machine reset: registers at their power-on values, input dropped, same console.
    pub fn reset(&self) {
        let mut port = self.lock();
        let console = std::mem::replace(port.writer_mut(), Box::new(Nowhere));
        *port = Self::power_on(console, &self.line, &self.on_room);
    }
}

impl IoDevice for SerialPort {
    fn read(&self, offset: u64, size: u8) -> u64 {
        let mut port = self.lock();
        let mut value = [0; 8];
        // Registers are bytes; a wider access reads several, as the reference's bus does.
        for (i, byte) in value.iter_mut().enumerate().take(size.into()) {
            *byte = port.read(offset as u8 + i as u8);
        }
        u64::from_le_bytes(value)
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let mut port = self.lock();
        for (i, byte) in value.to_le_bytes().into_iter().enumerate().take(size.into()) {
            // An error is a byte that the console could not take: it is lost, as on a wire.
            let _ = port.write(offset as u8 + i as u8, byte);
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
        let taken = port.receive(&[b'x'; 100_000]);
        assert!((1..100).contains(&taken));
        assert_eq!((port.room(), port.receive(b"y")), (0, 0));
        port.reset();
        assert_eq!((port.room(), port.read(5, 1) & 1), (taken, 0));
        port.write(0, 1, u64::from(b'z'));
        assert_eq!(*console.0.lock().unwrap(), b"z");
    }
}
