//! The PC's keyboard controller with nothing plugged into it, ports 0x60 and 0x64.
//!
//! Operating systems reset a PC by its pulse command (0xfe), and probe it for a keyboard and a
//! mouse at start. The controller's own commands answer as the reference's do; bytes for a
//! keyboard or a mouse get no answer, which is how an operating system finds that there is none.
//! It raises no interrupt, as only its devices do.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::io_bus::IoDevice;
use crate::vm_event::{EventSink, ResetCause, VmEvent};

const STATUS_OUTPUT_FULL: u8 = 1 << 0;
const STATUS_SELFTEST: u8 = 1 << 2;
const STATUS_COMMAND: u8 = 1 << 3;
const STATUS_UNLOCKED: u8 = 1 << 4;

const MODE_KEYBOARD_INTERRUPT: u8 = 1 << 0;
const MODE_MOUSE_INTERRUPT: u8 = 1 << 1;
const MODE_DISABLE_KEYBOARD: u8 = 1 << 4;
const MODE_DISABLE_MOUSE: u8 = 1 << 5;

/// Output port: reset line (low resets), A20, and three pull-ups.
const OUTPUT_RESET: u8 = 1 << 0;
const OUTPUT_AT_RESET: u8 = 0xcf;

/// What the next byte at port 0x60 is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DataTarget {
    Keyboard,
    Mode,
    OutputPort,
    /// Discarded: a byte for a device that is not there.
    Nobody,
}

#[derive(Debug)]
struct State {
    status: u8,
    mode: u8,
    output_port: u8,
    data: u8,
    target: DataTarget,
}

impl State {
    fn new() -> Self {
        Self {
            status: STATUS_COMMAND | STATUS_UNLOCKED,
            mode: MODE_KEYBOARD_INTERRUPT | MODE_MOUSE_INTERRUPT,
            output_port: OUTPUT_AT_RESET,
            data: 0,
            target: DataTarget::Keyboard,
        }
    }

    fn answer(&mut self, value: u8) {
        self.data = value;
        self.status |= STATUS_OUTPUT_FULL;
    }

    /// Runs a controller command; true if it asks for a reset.
    fn command(&mut self, command: u8) -> bool {
        match command {
            0x20 => self.answer(self.mode),
            0x60 => self.target = DataTarget::Mode,
            0xa7 => self.mode |= MODE_DISABLE_MOUSE,
            0xa8 => self.mode &= !MODE_DISABLE_MOUSE,
            0xa9 | 0xab => self.answer(0x00),
            0xaa => {
                self.status |= STATUS_SELFTEST;
                self.answer(0x55);
            }
            0xad => self.mode |= MODE_DISABLE_KEYBOARD,
            0xae => self.mode &= !MODE_DISABLE_KEYBOARD,
            0xc0 => self.answer(0x80),
            0xd0 => self.answer(self.output_port),
            0xd1 => self.target = DataTarget::OutputPort,
            0xd2..=0xd4 => self.target = DataTarget::Nobody,
            // Pulses output port bits that are 0 in the command; bit 0 is the reset line.
            0xf0..=0xff => return command & OUTPUT_RESET == 0,
            _ => {}
        }
        false
    }

    /// Takes a data byte; true if it asks for a reset.
    fn write_data(&mut self, value: u8) -> bool {
        match std::mem::replace(&mut self.target, DataTarget::Keyboard) {
            DataTarget::Mode => self.mode = value,
            DataTarget::OutputPort => {
                self.output_port = value;
                return value & OUTPUT_RESET == 0;
            }
            DataTarget::Keyboard | DataTarget::Nobody => {}
        }
        false
    }

    fn read_data(&mut self) -> u8 {
        self.status &= !STATUS_OUTPUT_FULL;
        self.data
    }
}

/// The controller; [`I8042::data_port`] and [`I8042::command_port`] go on the bus.
pub struct I8042 {
    state: Mutex<State>,
    events: EventSink,
}

impl fmt::Debug for I8042 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("I8042").field("state", &self.state).finish_non_exhaustive()
    }
}

impl I8042 {
    /// A controller after power-on.
    pub fn new(events: EventSink) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new()), events })
    }

    /// Machine reset.
    pub fn reset(&self) {
        *self.lock() = State::new();
    }

    /// Port 0x60.
    pub fn data_port(self: &Arc<Self>) -> Arc<dyn IoDevice> {
        Arc::new(DataPort(Arc::clone(self)))
    }

    /// Port 0x64.
    pub fn command_port(self: &Arc<Self>) -> Arc<dyn IoDevice> {
        Arc::new(CommandPort(Arc::clone(self)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, reset: bool) {
        if reset {
            (self.events)(VmEvent::ResetRequest(ResetCause::ResetPort));
        }
    }
}

struct DataPort(Arc<I8042>);

impl IoDevice for DataPort {
    fn read(&self, _offset: u64, _size: u8) -> u64 {
        self.0.lock().read_data().into()
    }
    fn write(&self, _offset: u64, _size: u8, value: u64) {
        let reset = self.0.lock().write_data(value as u8);
        self.0.report(reset);
    }
}

struct CommandPort(Arc<I8042>);

impl IoDevice for CommandPort {
    fn read(&self, _offset: u64, _size: u8) -> u64 {
        self.0.lock().status.into()
    }
    fn write(&self, _offset: u64, _size: u8, value: u64) {
        let reset = self.0.lock().command(value as u8);
        self.0.report(reset);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A sink that counts what it gets.
    pub(in super::super) fn counting_sink() -> (EventSink, impl Fn() -> u32) {
        let count = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&count);
        let sink: EventSink = Arc::new(move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
        });
        (sink, move || count.load(Ordering::Relaxed))
    }

    /// The dialogue was held with the reference over qtest.
    #[test]
    fn answers_as_the_reference() {
        let (sink, resets) = counting_sink();
        let chip = I8042::new(sink);
        let (data, command) = (chip.data_port(), chip.command_port());
        assert_eq!((command.read(0, 1), data.read(0, 1)), (0x18, 0));
        let ask = |c| {
            command.write(0, 1, c);
            assert_eq!(command.read(0, 1), 0x1d, "command {c:#x}");
            data.read(0, 1)
        };
        assert_eq!(ask(0xaa), 0x55);
        assert_eq!(ask(0x20), 0x03);
        assert_eq!(ask(0xab), 0x00);
        assert_eq!(ask(0xd0), 0xcf);
        assert_eq!(ask(0xc0), 0x80);
        command.write(0, 1, 0x60);
        data.write(0, 1, 0x45);
        assert_eq!(ask(0x20), 0x45);
        command.write(0, 1, 0xa7);
        assert_eq!(ask(0x20), 0x65);
        command.write(0, 1, 0xad);
        assert_eq!(ask(0x20), 0x75);
        assert_eq!(command.read(0, 1), 0x1c);
        assert_eq!(resets(), 0);
    }

    #[test]
    fn pulses_and_the_output_port_reset() {
        let (sink, resets) = counting_sink();
        let chip = I8042::new(sink);
        let (data, command) = (chip.data_port(), chip.command_port());
        command.write(0, 1, 0xff);
        assert_eq!(resets(), 0);
        command.write(0, 1, 0xfe);
        assert_eq!(resets(), 1);
        command.write(0, 1, 0xf0);
        assert_eq!(resets(), 2);
        command.write(0, 1, 0xd1);
        data.write(0, 1, 0xcf);
        assert_eq!(resets(), 2);
        command.write(0, 1, 0xd1);
        data.write(0, 1, 0xce);
        assert_eq!(resets(), 3);
        data.write(0, 1, 0);
        assert_eq!(resets(), 3, "a byte for the keyboard");
        chip.reset();
        assert_eq!(command.read(0, 1), 0x18);
    }
}
