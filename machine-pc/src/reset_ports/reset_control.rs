//! The chipset's reset control register, port 0xcf9: bit 2 resets, the type bits read back.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::io_bus::IoDevice;
use crate::vm_event::{EventSink, ResetCause, VmEvent};

const RESET_CPU: u8 = 1 << 2;

/// Bits that the i440FX board's register keeps: the reset type.
pub const PIIX_KEPT_BITS: u8 = 0x02;
/// Bits that the Q35 board's register keeps: the reset type and full reset.
pub const ICH9_KEPT_BITS: u8 = 0x0a;

/// Port 0xcf9, one byte.
pub struct ResetControl {
    value: AtomicU8,
    kept: u8,
    events: EventSink,
}

impl fmt::Debug for ResetControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResetControl").field("value", &self.value).finish_non_exhaustive()
    }
}

impl ResetControl {
    /// The register after power-on, 0; `kept` are the bits that a write without reset stores.
    pub fn new(kept: u8, events: EventSink) -> Self {
        Self { value: AtomicU8::new(0), kept, events }
    }

    /// Machine reset: back to 0.
    pub fn reset(&self) {
        self.value.store(0, Ordering::Relaxed);
    }
}

impl IoDevice for ResetControl {
    fn read(&self, _offset: u64, _size: u8) -> u64 {
        self.value.load(Ordering::Relaxed).into()
    }

    fn write(&self, _offset: u64, _size: u8, value: u64) {
        let value = value as u8;
        if value & RESET_CPU != 0 {
            (self.events)(VmEvent::ResetRequest(ResetCause::ResetPort));
        } else {
            self.value.store(value & self.kept, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::i8042::tests::counting_sink;
    use super::*;

    /// The reference: outb 0xcf9 0xfb reads 2 on pc and 0xa on q35; 6 and 0xff reset.
    #[test]
    fn bit_two_resets_and_type_bits_read_back() {
        for kept in [PIIX_KEPT_BITS, ICH9_KEPT_BITS] {
            let (sink, count) = counting_sink();
            let register = ResetControl::new(kept, sink);
            register.write(0, 1, 0xfb);
            assert_eq!((register.read(0, 1), count()), (u64::from(kept), 0));
            register.write(0, 1, 0x06);
            register.write(0, 1, 0xff);
            assert_eq!((register.read(0, 1), count()), (u64::from(kept), 2));
            register.reset();
            assert_eq!(register.read(0, 1), 0);
        }
    }
}
