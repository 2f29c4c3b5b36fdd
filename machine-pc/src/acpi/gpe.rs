//! General-purpose event block 0 (ACPI 6.5, 4.8.4.1): status bits, enable bits, and the SCI.
//!
//! The block's first half holds status bits, which are cleared by writing ones; the second half
//! holds enable bits. The SCI is asserted while an enabled event of the first byte is pending,
//! as on the reference's boards, whose events all lie there. Nothing here knows what an
//! event means.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::io_bus::IoDevice;
use crate::irq::IrqLine;

/// The event that tells the operating system to look at the CPU hotplug registers.
pub const GPE_CPU_HOTPLUG: u8 = 2;

/// Length in bytes of GPE0 on the i440FX board (PIIX4), at port 0xafe0.
pub const PIIX4_GPE0_LEN: u8 = 4;
/// Length in bytes of GPE0 on the Q35 board (ICH9), at the power-management base + 0x20.
pub const ICH9_GPE0_LEN: u8 = 16;

#[derive(Debug)]
struct Registers {
    status: Vec<u8>,
    enable: Vec<u8>,
}

/// The event block, as a device.
pub struct Gpe {
    registers: Mutex<Registers>,
    sci: Arc<dyn IrqLine>,
}

impl fmt::Debug for Gpe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpe").field("registers", &self.registers).finish_non_exhaustive()
    }
}

impl Gpe {
    /// A block of `len` bytes (status and enable together), all clear, on the line `sci`.
    pub fn new(len: u8, sci: Arc<dyn IrqLine>) -> Self {
        let half = usize::from(len / 2).max(1);
        let registers = Registers { status: vec![0; half], enable: vec![0; half] };
        Self { registers: Mutex::new(registers), sci }
    }

    /// Length in bytes of the range the block takes on the port bus.
    pub fn len(&self) -> u64 {
        (self.lock().status.len() * 2) as u64
    }

    /// Never: a block has at least one status and one enable byte.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Sets the status bit of event `number`; numbers beyond the block have no effect.
    pub fn raise(&self, number: u8) {
        let mut registers = self.lock();
        if let Some(byte) = registers.status.get_mut(usize::from(number / 8)) {
            *byte |= 1 << (number % 8);
        }
        self.update_sci(&registers);
    }

    /// The state after power-on and reset: nothing pending, nothing enabled.
    pub fn reset(&self) {
        let mut registers = self.lock();
        registers.status.fill(0);
        registers.enable.fill(0);
        self.update_sci(&registers);
    }

    fn lock(&self) -> MutexGuard<'_, Registers> {
        self.registers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called with the registers locked, so that the line follows them in order.
    fn update_sci(&self, registers: &Registers) {
        self.sci.set_level(registers.status[0] & registers.enable[0] != 0);
    }
}

impl IoDevice for Gpe {
    fn read(&self, offset: u64, size: u8) -> u64 {
        let registers = self.lock();
        let bytes = registers.status.iter().chain(&registers.enable);
        let mut value = [0; 8];
        for (to, from) in value.iter_mut().zip(bytes.skip(offset as usize)).take(size.into()) {
            *to = *from;
        }
        u64::from_le_bytes(value)
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let mut registers = self.lock();
        let half = registers.status.len();
        for (i, byte) in value.to_le_bytes().into_iter().enumerate().take(size.into()) {
            let at = offset as usize + i;
            if at < half {
                registers.status[at] &= !byte;
            } else if at < 2 * half {
                registers.enable[at - half] = byte;
            }
        }
        self.update_sci(&registers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irq::tests::RecordedLine;

    fn gpe(len: u8) -> (Gpe, Arc<RecordedLine>) {
        let line = Arc::new(RecordedLine::default());
        (Gpe::new(len, line.clone()), line)
    }

    #[test]
    fn the_sci_follows_status_and_enable() {
        let (gpe, line) = gpe(PIIX4_GPE0_LEN);
        gpe.raise(GPE_CPU_HOTPLUG);
        assert_eq!(gpe.read(0, 4), 4);
        assert!(!line.is_high(), "not enabled");
        gpe.write(2, 1, 4);
        assert!(line.is_high());
        gpe.write(0, 1, !4 & 0xff);
        assert!(line.is_high(), "only ones clear");
        gpe.write(0, 1, 4);
        assert!(!line.is_high());
    }

    /// Values read from the reference: outw 0xafe2 0xffff, then inl 0xafe0; outb 0xafe2 4.
    #[test]
    fn wide_accesses_are_bytes_in_a_row() {
        let (gpe, _) = gpe(PIIX4_GPE0_LEN);
        gpe.write(2, 2, 0xffff);
        assert_eq!(gpe.read(0, 4), 0xffff_0000);
        gpe.write(2, 1, 4);
        assert_eq!(gpe.read(0, 4), 0xff04_0000);
    }

    #[test]
    fn reset_lowers_the_line_and_clears_all() {
        let (gpe, line) = gpe(ICH9_GPE0_LEN);
        assert_eq!(gpe.len(), 16);
        gpe.write(8, 1, 4);
        gpe.raise(GPE_CPU_HOTPLUG);
        gpe.raise(200);
        assert!(line.is_high());
        gpe.reset();
        assert!(!line.is_high());
        assert_eq!(gpe.read(0, 4) | gpe.read(8, 4), 0);
    }
}
