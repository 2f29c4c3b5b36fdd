//! Power management of PIIX4 and ICH9, as far as an operating system uses it through ACPI: the PM1 registers with power
//! button and sleep type, the PM timer, and the APM ports (ACPI 6.5, 4.8).
//!
//! On a PC it is firmware that chooses the base of these ports, in PCI configuration space. There is neither here; so they are
//! from reset on where the reference's firmware puts them, at 0x600, and the tables for the guest say so.
//!
//! There is no system management mode. So the chip is in ACPI mode from reset on (`SCI_EN` is set), as the reference's is with
//! `smm=off`, and the command port only keeps what is written. Suspension to RAM is not there: the sleep type for it reads back and does
//! nothing. General-purpose events are [`crate::acpi::gpe`]'s, which shares the interrupt.

mod pm1;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use crate::clock::GuestClock;
use crate::io_bus::IoDevice;
use crate::irq::IrqLine;
use crate::timer::{Timer, Timers};
use crate::vm_event::{EventSink, VmEvent};
pub use pm1::{Pm1, SOFT_OFF, Sleep, TIMER_HZ, timer_ticks};

/// First port of the power management registers: `PMBASE` as the reference's firmware sets it, on both chipsets.
pub const PM_BASE: u64 = 0x600;
/// First of the two APM ports: command, then status.
pub const APM_BASE: u64 = 0xb2;
/// Offset from [`PM_BASE`] and length in bytes of PM1 status and enable.
pub const EVENT_BLOCK: (u64, u64) = (0, 4);
/// Of PM1 control.
pub const CONTROL_BLOCK: (u64, u64) = (4, 2);
/// Of the PM timer.
pub const TIMER_BLOCK: (u64, u64) = (8, 4);

/// The registers, as devices.
pub struct PowerManagement {
    pm1: Mutex<Pm1>,
    apm: [AtomicU8; 2],
    clock: Arc<GuestClock>,
    sci: Arc<dyn IrqLine>,
    timer: Timer,
    events: EventSink,
}

impl fmt::Debug for PowerManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PowerManagement").field("pm1", &self.pm1).finish_non_exhaustive()
    }
}

impl PowerManagement {
    /// The registers after power-on. `sci` is their input to the SCI; what the guest asks for goes to `events`.
    pub fn new(
        clock: Arc<GuestClock>,
        sci: Arc<dyn IrqLine>,
        timers: &Timers,
        events: EventSink,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this: &std::sync::Weak<Self>| {
            let this = this.clone();
            let timer = timers.add(move || {
                if let Some(this) = this.upgrade() {
                    this.update(|_, _| ());
                }
            });
            let apm = [const { AtomicU8::new(0) }; 2];
            Self { pm1: Mutex::new(Pm1::default()), apm, clock, sci, timer, events }
        })
    }

    /// Changes registers; the SCI and the timer follow while they are locked.
    fn update<R>(&self, change: impl FnOnce(&mut Pm1, u64) -> R) -> R {
        let mut pm1 = self.pm1.lock();
        let result = change(&mut pm1, timer_ticks(self.clock.nanos()));
        let ticks = timer_ticks(self.clock.nanos());
        self.sci.set_level(pm1.wants_interrupt(ticks));
        let next = pm1.next_interrupt(ticks);
        self.timer.set(next.and_then(|ticks| self.clock.when(pm1::nanos(ticks))));
        result
    }

    /// Presses the power button.
    pub fn press_power_button(&self) {
        self.update(|pm1, _| pm1.press_power_button());
    }

    /// The guest's clock was started or stopped.
    pub fn clock_changed(&self) {
        self.update(|_, _| ());
    }

    /// The state after power-on and reset.
    pub fn reset(&self) {
        self.update(|pm1, _| *pm1 = Pm1::default());
        self.apm.iter().for_each(|register| register.store(0, Ordering::Relaxed));
    }

    /// PM1 status and enable.
    pub fn event_block(self: &Arc<Self>) -> Arc<dyn IoDevice> {
        Arc::new(EventBlock(self.clone()))
    }

    /// PM1 control.
    pub fn control_block(self: &Arc<Self>) -> Arc<dyn IoDevice> {
        Arc::new(ControlBlock(self.clone()))
    }

    /// The PM timer.
    pub fn timer_block(self: &Arc<Self>) -> Arc<dyn IoDevice> {
        Arc::new(TimerBlock(self.clone()))
    }

    /// The APM ports.
    pub fn apm_ports(self: &Arc<Self>) -> Arc<dyn IoDevice> {
        Arc::new(ApmPorts(self.clone()))
    }
}

/// Registers of 16 bits. As in the reference an access to one byte is one to the word that begins there, so the second byte of a
/// register cannot be reached alone.
struct EventBlock(Arc<PowerManagement>);

impl IoDevice for EventBlock {
    fn max_access(&self) -> u8 {
        2
    }

    fn read(&self, offset: u64, size: u8) -> u64 {
        let pm1 = &self.0;
        let value = match offset {
            0 => pm1.update(Pm1::status),
            2 => pm1.pm1.lock().enabled(),
            _ => 0,
        };
        low(value.into(), size)
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        match offset {
            0 => self.0.update(|pm1, ticks| pm1.clear_status(value as u16, ticks)),
            2 => self.0.update(|pm1, _| pm1.enable(value as u16)),
            _ => {}
        }
    }
}

struct ControlBlock(Arc<PowerManagement>);

impl IoDevice for ControlBlock {
    fn max_access(&self) -> u8 {
        2
    }

    fn read(&self, offset: u64, size: u8) -> u64 {
        let value = self.0.pm1.lock().control();
        low(u64::from(value) >> (8 * offset.min(7)), size)
    }

    /// A write of the first byte alone clears the second, as in the reference.
    fn write(&self, offset: u64, _size: u8, value: u64) {
        let sleep = {
            let mut pm1 = self.0.pm1.lock();
            let value = value as u16;
            let value = if offset == 1 { value << 8 | pm1.control() & 0xff } else { value };
            pm1.set_control(value)
        };
        match sleep {
            Some(Sleep::Off) => (self.0.events)(VmEvent::ShutdownRequest),
            Some(Sleep::ToDisk) => (self.0.events)(VmEvent::SuspendToDisk),
            None => {}
        }
    }
}

struct TimerBlock(Arc<PowerManagement>);

impl IoDevice for TimerBlock {
    fn max_access(&self) -> u8 {
        4
    }

    /// A shorter access reads the timer's low bytes, wherever it is.
    fn read(&self, _offset: u64, size: u8) -> u64 {
        low(timer_ticks(self.0.clock.nanos()) & pm1::TIMER_MASK, size)
    }

    fn write(&self, _offset: u64, _size: u8, _value: u64) {}
}

/// The command port asks for a system management interrupt where there is one; here it and the status port keep what is written.
struct ApmPorts(Arc<PowerManagement>);

impl IoDevice for ApmPorts {
    fn max_access(&self) -> u8 {
        1
    }

    fn read(&self, offset: u64, _size: u8) -> u64 {
        self.0.apm[usize::from(offset & 1 == 1)].load(Ordering::Relaxed).into()
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        self.0.apm[usize::from(offset & 1 == 1)].store(value as u8, Ordering::Relaxed);
    }
}

/// The low `size` bytes.
fn low(value: u64, size: u8) -> u64 {
    if size >= 8 { value } else { value & ((1 << (8 * size)) - 1) }
}

#[cfg(test)]
mod tests;
