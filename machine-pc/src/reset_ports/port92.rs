//! System control port A, port 0x92: bit 0 resets when it rises, bit 1 is the A20 gate.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::io_bus::IoDevice;
use crate::vm_event::{EventSink, ResetCause, VmEvent};

const FAST_RESET: u8 = 1 << 0;

/// Port 0x92, one byte.
pub struct Port92 {
    value: AtomicU8,
    events: EventSink,
}

impl fmt::Debug for Port92 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port92").field("value", &self.value).finish_non_exhaustive()
    }
}

impl Port92 {
    /// The port after power-on: 0.
    pub fn new(events: EventSink) -> Self {
        Self { value: AtomicU8::new(0), events }
    }

    /// Machine reset: the reset bit goes, the others stay.
    pub fn reset(&self) {
        self.value.fetch_and(!FAST_RESET, Ordering::Relaxed);
    }
}

impl IoDevice for Port92 {
    fn read(&self, _offset: u64, _size: u8) -> u64 {
        self.value.load(Ordering::Relaxed).into()
    }

    fn write(&self, _offset: u64, _size: u8, value: u64) {
        let before = self.value.swap(value as u8, Ordering::Relaxed);
        if value as u8 & !before & FAST_RESET != 0 {
            (self.events)(VmEvent::ResetRequest(ResetCause::ResetPort));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::i8042::tests::counting_sink;
    use super::*;

    /// The reference: outb 3 resets once and then reads 2; 0xfd resets, then reads 0xfc.
    #[test]
    fn only_the_rising_reset_bit_resets() {
        let (sink, count) = counting_sink();
        let port = Port92::new(sink);
        port.write(0, 1, 2);
        assert_eq!((port.read(0, 1), count()), (2, 0));
        port.write(0, 1, 3);
        port.write(0, 1, 3);
        assert_eq!(count(), 1);
        port.reset();
        assert_eq!(port.read(0, 1), 2);
        port.write(0, 1, 0xfd);
        port.reset();
        assert_eq!((port.read(0, 1), count()), (0xfc, 2));
    }
}
