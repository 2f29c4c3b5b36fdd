//! The clock chip as a state machine of values: no lock, no line. Time comes in as nanoseconds of some clock that never stands.
//!
//! Nothing runs by itself: every access, and the timer at the times that [`Registers::next_interrupt`] gives, first does what the
//! time since the last one has brought (the update cycles, the periodic interrupts), however many that were. What a guest sees,
//! and when, is the reference's; register names are those of the data sheet (Motorola MC146818).

use super::calendar::{CivilTime, weekday};
use crate::clock::NANOS_PER_SECOND;

/// How many bytes of CMOS RAM there are, registers included.
pub const CMOS_LEN: usize = 128;

const SECONDS: usize = 0;
const SECONDS_ALARM: usize = 1;
const MINUTES: usize = 2;
const MINUTES_ALARM: usize = 3;
const HOURS: usize = 4;
const HOURS_ALARM: usize = 5;
const DAY_OF_WEEK: usize = 6;
const DAY_OF_MONTH: usize = 7;
const MONTH: usize = 8;
const YEAR: usize = 9;
const REGISTER_A: usize = 10;
const REGISTER_B: usize = 11;
const REGISTER_C: usize = 12;
const REGISTER_D: usize = 13;
const SHUTDOWN_STATUS: usize = 15;
const CENTURY: usize = 0x32;
/// Where the PS/2 has the century: the same byte.
const CENTURY_PS2: usize = 0x37;

const A_UPDATE_IN_PROGRESS: u8 = 0x80;
/// The divider counts at 32768 Hz with 2 here, and is held in reset with 6 and 7.
const A_DIVIDER: u8 = 0x70;
const A_DIVIDER_RESET: u8 = 0x60;
const A_DIVIDER_HIGHEST_RUNNING: u8 = 0x20;
const A_RATE: u8 = 0x0f;

const B_SET: u8 = 0x80;
const B_PERIODIC: u8 = 0x40;
const B_ALARM: u8 = 0x20;
const B_UPDATE_ENDED: u8 = 0x10;
const B_SQUARE_WAVE: u8 = 0x08;
const B_BINARY: u8 = 0x04;
const B_24_HOURS: u8 = 0x02;

const C_INTERRUPT: u8 = 0x80;
const C_PERIODIC: u8 = B_PERIODIC;
const C_ALARM: u8 = B_ALARM;
const C_UPDATE_ENDED: u8 = B_UPDATE_ENDED;

const D_VALID: u8 = 0x80;

const PM: u8 = 0x80;
/// An alarm byte with both bits set matches every value.
const ALARM_ANY: u8 = 0xc0;

const HERTZ: i64 = 32768;
/// An update is in progress for the last 8 ticks of a second.
const UPDATE_LENGTH: i64 = 8 * NANOS_PER_SECOND / HERTZ;

const SECONDS_PER_DAY: i64 = 86400;

/// The chip. `now` in its methods is in nanoseconds and never falls by much: a host's clock may be set.
#[derive(Debug, Clone)]
pub struct Registers {
    cmos: [u8; CMOS_LEN],
    index: usize,
    /// The time that it showed at `since`, in seconds since 1970, and how far into that second it was.
    base: i64,
    since: i64,
    into_second: i64,
    /// When an update cycle ends that sets a flag; none as long as no flag can change.
    next_update: Option<i64>,
    /// When the alarm's time comes; none if it never does.
    next_alarm: Option<i64>,
    next_periodic: Option<i64>,
}

/// How a byte is written: two decimal digits, or binary.
fn encode(value: i64, binary: bool) -> u8 {
    (if binary { value } else { value.div_euclid(10) << 4 | value.rem_euclid(10) }) as u8
}

impl Registers {
    /// The chip after power-on, which shows `time`: seconds since 1970.
    #[must_use]
    pub fn new(time: i64, now: i64) -> Self {
        let mut cmos = [0; CMOS_LEN];
        cmos[REGISTER_A] = A_DIVIDER_HIGHEST_RUNNING | 6;
        cmos[REGISTER_B] = B_24_HOURS;
        cmos[REGISTER_D] = D_VALID;
        let mut this = Self {
            cmos,
            index: 0,
            base: time,
            since: now,
            into_second: 0,
            next_update: None,
            next_alarm: None,
            next_periodic: None,
        };
        this.show_time(now);
        this.schedule_update(now);
        this
    }

    /// Machine reset: no interrupt is enabled or pending. Time and memory stay.
    pub fn reset(&mut self, now: i64) {
        self.advance(now);
        self.cmos[SHUTDOWN_STATUS] = 0;
        self.cmos[REGISTER_B] &= !(B_PERIODIC | B_ALARM | B_SQUARE_WAVE);
        self.cmos[REGISTER_C] = 0;
        self.next_periodic = None;
        self.schedule_update(now);
    }

    /// A byte of memory as the guest would read it, registers left out.
    #[must_use]
    pub fn memory(&self, at: u8) -> u8 {
        self.cmos[usize::from(at) % CMOS_LEN]
    }

    /// Writes a byte of memory that is no register.
    pub fn set_memory(&mut self, at: u8, value: u8) {
        let at = usize::from(at);
        if at > REGISTER_D && at < CMOS_LEN {
            self.cmos[at] = value;
        }
    }

    /// Whether the interrupt line is high.
    #[must_use]
    pub fn interrupts(&self) -> bool {
        self.cmos[REGISTER_C] & C_INTERRUPT != 0
    }

    /// When the line may rise next without an access.
    #[must_use]
    pub fn next_interrupt(&self) -> Option<i64> {
        let listens = self.cmos[REGISTER_B] & (B_ALARM | B_UPDATE_ENDED) != 0;
        let update = self.next_update.filter(|_| listens);
        [update, self.next_periodic].into_iter().flatten().min()
    }

    /// The time that it shows, in seconds since 1970.
    #[must_use]
    pub fn time(&mut self, now: i64) -> i64 {
        self.advance(now);
        if self.runs() {
            self.show_time(now);
        }
        self.civil_time().seconds()
    }

    /// Does what time has brought up to `now`.
    pub fn advance(&mut self, now: i64) {
        if self.next_periodic.is_some_and(|at| at <= now) {
            self.flag(C_PERIODIC);
            self.next_periodic = self.period().map(|period| self.periodic_after(now, period));
        }
        if self.next_update.is_some_and(|at| at <= now) {
            self.show_time(now);
            let alarm = self.next_alarm.is_some_and(|at| at <= now);
            self.flag(C_UPDATE_ENDED | if alarm { C_ALARM } else { 0 });
            self.schedule_update(now);
        }
    }

    /// Sets flags; those that are new interrupt where that is enabled.
    fn flag(&mut self, flags: u8) {
        let new = flags & !self.cmos[REGISTER_C];
        self.cmos[REGISTER_C] |= flags;
        if new & self.cmos[REGISTER_B] != 0 {
            self.cmos[REGISTER_C] |= C_INTERRUPT;
        }
    }

    fn runs(&self) -> bool {
        self.cmos[REGISTER_B] & B_SET == 0 && self.cmos[REGISTER_A] & A_DIVIDER <= A_DIVIDER_HIGHEST_RUNNING
    }

    fn is_binary(&self) -> bool {
        self.cmos[REGISTER_B] & B_BINARY != 0
    }

    /// The seconds since 1970 that it would show if it were not stopped, and the nanoseconds into them.
    fn clock(&self, now: i64) -> (i64, i64) {
        let elapsed = now.saturating_sub(self.since).saturating_add(self.into_second);
        (self.base + elapsed.div_euclid(NANOS_PER_SECOND), elapsed.rem_euclid(NANOS_PER_SECOND))
    }

    /// A byte's value; none for one that matches everything in an alarm and is no time.
    fn decode(&self, byte: u8) -> Option<i64> {
        if byte & ALARM_ANY == ALARM_ANY {
            return None;
        }
        let byte = i64::from(byte);
        Some(if self.is_binary() { byte } else { (byte >> 4) * 10 + (byte & 0xf) })
    }

    fn decode_hour(&self, byte: u8) -> Option<i64> {
        if byte & ALARM_ANY == ALARM_ANY {
            return None;
        }
        let hour = self.decode(byte & !PM)?;
        if self.cmos[REGISTER_B] & B_24_HOURS != 0 {
            return Some(hour);
        }
        Some(hour % 12 + if byte & PM != 0 { 12 } else { 0 })
    }

    /// The time in the registers. What is no number there counts as -1, as in the reference.
    fn civil_time(&self) -> CivilTime {
        let value = |at: usize| self.decode(self.cmos[at]).unwrap_or(-1);
        let hours = self.cmos[HOURS];
        // Not an alarm: both bits may be set by an afternoon hour.
        let hour = self.decode(hours & !PM).unwrap_or(-1);
        let hour = if self.cmos[REGISTER_B] & B_24_HOURS != 0 {
            hour
        } else {
            hour % 12 + if hours & PM != 0 { 12 } else { 0 }
        };
        CivilTime {
            year: value(YEAR) + value(CENTURY) * 100,
            month: value(MONTH),
            day: value(DAY_OF_MONTH),
            hour,
            minute: value(MINUTES),
            second: value(SECONDS),
        }
    }

    /// Puts the time into the registers, unless the guest is setting them.
    fn show_time(&mut self, now: i64) {
        if self.cmos[REGISTER_B] & B_SET != 0 {
            return;
        }
        let seconds = self.clock(now).0;
        let time = CivilTime::from_seconds(seconds);
        let binary = self.is_binary();
        let mut put = |at: usize, value: i64| self.cmos[at] = encode(value, binary);
        put(SECONDS, time.second);
        put(MINUTES, time.minute);
        put(DAY_OF_WEEK, weekday(seconds) + 1);
        put(DAY_OF_MONTH, time.day);
        put(MONTH, time.month);
        put(YEAR, time.year.rem_euclid(100));
        put(CENTURY, time.year.div_euclid(100));
        if self.cmos[REGISTER_B] & B_24_HOURS != 0 {
            self.cmos[HOURS] = encode(time.hour, binary);
        } else {
            let hour = (time.hour + 11) % 12 + 1;
            self.cmos[HOURS] = encode(hour, binary) | if time.hour >= 12 { PM } else { 0 };
        }
    }

    /// The time in the registers is the time from now on.
    fn take_time(&mut self, now: i64) {
        self.base = self.civil_time().seconds();
        self.since = now;
    }

    /// Seconds until the alarm's time, at least 1; none if there is no such time.
    fn seconds_to_alarm(&mut self, now: i64) -> Option<i64> {
        if self.runs() {
            self.show_time(now);
        }
        let time = self.civil_time();
        let at = (time.hour * 3600 + time.minute * 60 + time.second).rem_euclid(SECONDS_PER_DAY);
        let wanted_hour = self.decode_hour(self.cmos[HOURS_ALARM]);
        let wanted_minute = self.decode(self.cmos[MINUTES_ALARM]);
        let wanted_second = self.decode(self.cmos[SECONDS_ALARM]);
        let never = |wanted: Option<i64>, count| wanted.is_some_and(|wanted| wanted >= count);
        if never(wanted_hour, 24) || never(wanted_minute, 60) || never(wanted_second, 60) {
            return None;
        }
        // The first second that fits, from the next on: whole hours and minutes that do not fit are skipped.
        let mut after = 1;
        while after <= SECONDS_PER_DAY {
            let then = (at + after) % SECONDS_PER_DAY;
            let (hour, minute, second) = (then / 3600, then / 60 % 60, then % 60);
            after += if wanted_hour.is_some_and(|wanted| wanted != hour) {
                3600 - then % 3600
            } else if wanted_minute.is_some_and(|wanted| wanted != minute) {
                60 - second
            } else {
                match wanted_second {
                    None => return Some(after),
                    Some(wanted) if wanted == second => return Some(after),
                    Some(wanted) if wanted > second => wanted - second,
                    Some(_) => 60 - second,
                }
            };
        }
        None
    }

    /// Finds out when an update cycle changes a flag next.
    fn schedule_update(&mut self, now: i64) {
        if self.cmos[REGISTER_A] & A_DIVIDER_RESET == A_DIVIDER_RESET {
            self.next_update = None;
            return;
        }
        let end_of_second = now + NANOS_PER_SECOND - self.clock(now).1;
        self.next_alarm =
            self.seconds_to_alarm(now).map(|after| end_of_second + (after - 1) * NANOS_PER_SECOND);
        let flags = self.cmos[REGISTER_C];
        self.next_update = if flags & C_UPDATE_ENDED == 0 {
            Some(end_of_second)
        } else if flags & C_ALARM != 0 || self.cmos[REGISTER_B] & B_SET != 0 {
            None
        } else {
            self.next_alarm
        };
    }

    /// Ticks of 32768 Hz from one periodic interrupt to the next; none where there are none.
    fn period(&self) -> Option<i64> {
        if self.cmos[REGISTER_B] & B_PERIODIC == 0 {
            return None;
        }
        match self.cmos[REGISTER_A] & A_RATE {
            0 => None,
            // The two that the divider cannot give are the next slower ones.
            rate @ 1..=2 => Some(1 << (rate + 6)),
            rate => Some(1 << (rate - 1)),
        }
    }

    /// The end of the first period after `now`, counted from the last one's in whole ticks.
    fn periodic_after(&self, now: i64, period: i64) -> i64 {
        const NANOS: i128 = NANOS_PER_SECOND as i128;
        const TICKS: i128 = HERTZ as i128;
        let ticks = |nanos: i64| (i128::from(nanos) * TICKS).div_euclid(NANOS);
        let period = i128::from(period);
        let from = ticks(self.next_periodic.unwrap_or(now));
        let next = from + ((ticks(now) - from).div_euclid(period) + 1) * period;
        // The first nanosecond that is not before that tick.
        i64::try_from((next * NANOS + TICKS - 1).div_euclid(TICKS)).unwrap_or(i64::MAX)
    }

    fn restart_periodic(&mut self, now: i64) {
        self.next_periodic = None;
        self.next_periodic = self.period().map(|period| self.periodic_after(now, period));
    }

    /// Reads a port: 0 is the index, 1 the data.
    pub fn read(&mut self, port: u64, now: i64) -> u8 {
        if port & 1 == 0 {
            return 0xff;
        }
        self.advance(now);
        if self.index == CENTURY_PS2 {
            self.index = CENTURY;
        }
        match self.index {
            SECONDS | MINUTES | HOURS | DAY_OF_WEEK..=YEAR | CENTURY => {
                if self.runs() {
                    self.show_time(now);
                }
                self.cmos[self.index]
            }
            REGISTER_A => {
                let updating = self.runs() && self.clock(now).1 >= NANOS_PER_SECOND - UPDATE_LENGTH;
                self.cmos[REGISTER_A] | if updating { A_UPDATE_IN_PROGRESS } else { 0 }
            }
            REGISTER_C => {
                let flags = std::mem::take(&mut self.cmos[REGISTER_C]);
                if flags & (C_UPDATE_ENDED | C_ALARM) != 0 {
                    self.schedule_update(now);
                }
                flags
            }
            other => self.cmos[other],
        }
    }

    /// Writes a port; whether the guest set the time.
    #[must_use]
    pub fn write(&mut self, port: u64, value: u8, now: i64) -> bool {
        if port & 1 == 0 {
            self.index = usize::from(value) % CMOS_LEN;
            return false;
        }
        self.advance(now);
        if self.index == CENTURY_PS2 {
            self.index = CENTURY;
        }
        match self.index {
            SECONDS_ALARM | MINUTES_ALARM | HOURS_ALARM => {
                self.cmos[self.index] = value;
                self.schedule_update(now);
                false
            }
            SECONDS | MINUTES | HOURS | DAY_OF_WEEK..=YEAR | CENTURY => {
                self.cmos[self.index] = value;
                let sets = self.runs();
                if sets {
                    self.take_time(now);
                    self.schedule_update(now);
                }
                sets
            }
            REGISTER_A => self.write_a(value, now),
            REGISTER_B => self.write_b(value, now),
            REGISTER_C | REGISTER_D => false,
            other => {
                self.cmos[other] = value;
                false
            }
        }
    }

    fn write_a(&mut self, value: u8, now: i64) -> bool {
        let before = self.cmos[REGISTER_A];
        let mut sets = false;
        if value & A_DIVIDER_RESET == A_DIVIDER_RESET {
            if self.runs() {
                self.show_time(now);
            }
        } else if before & A_DIVIDER_RESET == A_DIVIDER_RESET
            && value & A_DIVIDER <= A_DIVIDER_HIGHEST_RUNNING
            && self.cmos[REGISTER_B] & B_SET == 0
        {
            // The first update comes half a second after the divider was let go.
            self.into_second = NANOS_PER_SECOND / 2;
            self.take_time(now);
            sets = true;
        }
        self.cmos[REGISTER_A] = value & !A_UPDATE_IN_PROGRESS;
        if (before ^ value) & A_RATE != 0 {
            self.restart_periodic(now);
        }
        self.schedule_update(now);
        sets
    }

    fn write_b(&mut self, value: u8, now: i64) -> bool {
        let before = self.cmos[REGISTER_B];
        let (mut value, mut sets) = (value, false);
        if value & B_SET != 0 {
            if self.runs() {
                self.show_time(now);
            }
            value &= !B_UPDATE_ENDED;
        } else if before & B_SET != 0 && self.cmos[REGISTER_A] & A_DIVIDER <= A_DIVIDER_HIGHEST_RUNNING {
            self.into_second = self.clock(now).1;
            self.take_time(now);
            sets = true;
        }
        // A flag that is set interrupts as soon as that is enabled.
        let pending = value & self.cmos[REGISTER_C] & (C_PERIODIC | C_ALARM | C_UPDATE_ENDED) != 0;
        self.cmos[REGISTER_C] = self.cmos[REGISTER_C] & !C_INTERRUPT | if pending { C_INTERRUPT } else { 0 };
        self.cmos[REGISTER_B] = value;
        if (before ^ value) & B_PERIODIC != 0 {
            self.restart_periodic(now);
        }
        self.schedule_update(now);
        sets
    }
}
