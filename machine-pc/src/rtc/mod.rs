//! The real-time clock and its memory (CMOS): an MC146818 on ports 0x70 and 0x71, interrupt 8.
//!
//! What the chip is lies in [`registers`], a state machine of values; this is where it meets a clock, a line and the guest.
//! Interrupts come from the board's [timers](crate::timer), which are set only while the guest has enabled one. Ticks of the
//! periodic interrupt that come while the last one is not acknowledged are one.

pub mod calendar;
pub mod cmos;
pub mod registers;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use jiff::ZonedDateTime;
use parking_lot::Mutex;

use crate::clock::{GuestClock, NANOS_PER_SECOND};
use crate::io_bus::IoDevice;
use crate::irq::IrqLine;
use crate::timer::{Timer, Timers};
use crate::vm_event::{EventSink, VmEvent};
use calendar::CivilTime;
use registers::Registers;

/// First of the two ports.
pub const RTC_BASE: u64 = 0x70;
/// Length in bytes of the range.
pub const RTC_LEN: u64 = 2;
/// The interrupt.
pub const RTC_IRQ: u8 = 8;

/// What the clock shows at first (`-rtc base=`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RtcBase {
    /// The host's time in UTC.
    #[default]
    Utc,
    /// The host's time in its zone.
    LocalTime,
    /// That many seconds after 1970-01-01.
    At(i64),
}

/// What moves the clock (`-rtc clock=`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RtcClock {
    /// The host's clock, with every change that somebody makes to it.
    #[default]
    Host,
    /// The host's time since its start, whatever its clock shows.
    RealTime,
    /// The guest's time: it stands while the machine is stopped.
    Guest,
}

/// What the user says of the clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RtcConfig {
    /// What it shows at first.
    pub base: RtcBase,
    /// What moves it.
    pub clock: RtcClock,
}

/// The host's time in nanoseconds since 1970.
fn host_nanos() -> i64 {
    let nanos = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()),
        Err(before) => i64::try_from(before.duration().as_nanos()).map(|nanos| -nanos),
    };
    nanos.unwrap_or(i64::MAX)
}

impl RtcBase {
    /// The time to begin with, in seconds since 1970.
    fn seconds(self) -> i64 {
        match self {
            Self::Utc => host_nanos().div_euclid(NANOS_PER_SECOND),
            Self::LocalTime => {
                let now = ZonedDateTime::now().datetime();
                let [month, day, hour, minute, second] =
                    [now.month(), now.day(), now.hour(), now.minute(), now.second()].map(i64::from);
                CivilTime { year: now.year().into(), month, day, hour, minute, second }.seconds()
            }
            Self::At(seconds) => seconds,
        }
    }
}

/// What the chip's nanoseconds are.
#[derive(Debug)]
enum Source {
    Host,
    Since(Instant),
    Guest(Arc<GuestClock>),
}

impl Source {
    fn now(&self) -> i64 {
        match self {
            Self::Host => host_nanos(),
            Self::Since(start) => i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX),
            Self::Guest(clock) => clock.nanos(),
        }
    }

    /// When it will show `nanos`, as far as can be told.
    fn when(&self, nanos: i64) -> Option<Instant> {
        if let Self::Guest(clock) = self {
            return clock.when(nanos);
        }
        let ahead = u64::try_from(nanos.saturating_sub(self.now())).unwrap_or(0);
        Instant::now().checked_add(Duration::from_nanos(ahead))
    }
}

/// The chip, as a device.
pub struct Rtc {
    registers: Mutex<Registers>,
    source: Source,
    /// What it showed at first, and when that was: by that it is told how far the guest set it off.
    start: (i64, i64),
    line: Arc<dyn IrqLine>,
    timer: Timer,
    events: EventSink,
}

impl fmt::Debug for Rtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rtc").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Rtc {
    /// The chip after power-on. `clock` is the guest's, `line` its interrupt; that the guest set it goes to `events`.
    pub fn new(
        config: RtcConfig,
        clock: Arc<GuestClock>,
        line: Arc<dyn IrqLine>,
        timers: &Timers,
        events: EventSink,
    ) -> Arc<Self> {
        let source = match config.clock {
            RtcClock::Host => Source::Host,
            RtcClock::RealTime => Source::Since(Instant::now()),
            RtcClock::Guest => Source::Guest(clock),
        };
        let start = (config.base.seconds(), source.now());
        Arc::new_cyclic(|this: &Weak<Self>| {
            let this = this.clone();
            let timer = timers.add(move || {
                if let Some(this) = this.upgrade() {
                    this.update(Registers::advance);
                }
            });
            let registers = Mutex::new(Registers::new(start.0, start.1));
            Self { registers, source, start, line, timer, events }
        })
    }

    /// Changes registers; line and timer follow while they are locked.
    fn update<R>(&self, change: impl FnOnce(&mut Registers, i64) -> R) -> R {
        let mut registers = self.registers.lock();
        let was_high = registers.interrupts();
        let result = change(&mut registers, self.source.now());
        let is_high = registers.interrupts();
        if is_high != was_high {
            self.line.set_level(is_high);
        }
        let next = registers.next_interrupt();
        self.timer.set(next.and_then(|nanos| self.source.when(nanos)));
        result
    }

    /// The time that it shows, in seconds since 1970.
    #[must_use]
    pub fn time(&self) -> i64 {
        self.update(Registers::time)
    }

    /// A byte of its memory.
    #[must_use]
    pub fn memory(&self, at: u8) -> u8 {
        self.registers.lock().memory(at)
    }

    /// Writes a byte of its memory; registers stay.
    pub fn set_memory(&self, at: u8, value: u8) {
        self.registers.lock().set_memory(at, value);
    }

    /// The guest's clock was started or stopped.
    pub fn clock_changed(&self) {
        self.update(Registers::advance);
    }

    /// Machine reset: no interrupt is enabled or pending; time and memory stay.
    pub fn reset(&self) {
        self.update(Registers::reset);
        self.line.set_level(false);
    }

    /// By how many seconds the guest set it off from what it would show.
    fn offset(&self, time: i64, now: i64) -> i64 {
        time - (self.start.0 + now.saturating_sub(self.start.1).div_euclid(NANOS_PER_SECOND))
    }
}

impl IoDevice for Rtc {
    fn max_access(&self) -> u8 {
        1
    }

    fn read(&self, offset: u64, _size: u8) -> u64 {
        if offset == 0 {
            return 0xff;
        }
        self.update(|registers, now| registers.read(offset, now)).into()
    }

    fn write(&self, offset: u64, _size: u8, value: u64) {
        let set = self.update(|registers, now| {
            registers.write(offset, value as u8, now).then(|| self.offset(registers.time(now), now))
        });
        if let Some(offset) = set {
            (self.events)(VmEvent::RtcChange { offset });
        }
    }
}

#[cfg(test)]
mod tests;
