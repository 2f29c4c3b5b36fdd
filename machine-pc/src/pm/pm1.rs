//! PM1 as a state machine of values: no lock, no clock, no line. Time comes in as ticks of the PM timer.

/// Frequency of the PM timer.
pub const TIMER_HZ: u64 = 3_579_545;
/// The timer has 24 bits.
pub(super) const TIMER_MASK: u64 = 0xff_ffff;
/// Its status bit is set each time bit 23 changes.
const TIMER_HALF: u64 = 1 << 23;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

const TIMER_STATUS: u16 = 1 << 0;
const GLOBAL_STATUS: u16 = 1 << 5;
const POWER_BUTTON_STATUS: u16 = 1 << 8;
const RTC_STATUS: u16 = 1 << 10;
/// Events that interrupt where they are enabled.
const INTERRUPTING: u16 = TIMER_STATUS | GLOBAL_STATUS | POWER_BUTTON_STATUS | RTC_STATUS;

const SCI_ENABLE: u16 = 1 << 0;
const SLEEP_ENABLE: u16 = 1 << 13;
const SLEEP_TYPE_SHIFT: u16 = 10;
const SLEEP_TYPE_MASK: u16 = 7;

/// The sleep types that the reference's tables give to the guest; this one is soft off (S5).
pub const SOFT_OFF: u8 = 0;
const SLEEP_OFF: u16 = SOFT_OFF as u16;
const SLEEP_TO_DISK: u16 = 2;

/// Ticks of the PM timer in that many nanoseconds.
#[must_use]
pub fn timer_ticks(nanos: i64) -> u64 {
    let ticks = u128::try_from(nanos).unwrap_or(0) * u128::from(TIMER_HZ) / NANOS_PER_SECOND;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The first nanosecond at which the timer shows `ticks`.
pub(super) fn nanos(ticks: u64) -> i64 {
    let nanos = (u128::from(ticks) * NANOS_PER_SECOND).div_ceil(TIMER_HZ.into());
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

/// What the guest goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    /// S5: power off.
    Off,
    /// S4: its memory is on its disk; power off.
    ToDisk,
}

/// Status, enable and control registers. The default is the state after power-on.
#[derive(Debug)]
pub struct Pm1 {
    status: u16,
    enabled: u16,
    control: u16,
    /// From when on, in ticks, the timer's status is set.
    overflow: u64,
}

impl Default for Pm1 {
    fn default() -> Self {
        Self { status: 0, enabled: 0, control: SCI_ENABLE, overflow: 0 }
    }
}

impl Pm1 {
    /// The status register.
    pub fn status(&mut self, ticks: u64) -> u16 {
        if ticks >= self.overflow {
            self.status |= TIMER_STATUS;
        }
        self.status
    }

    /// Clears the bits that are set in `bits`.
    pub fn clear_status(&mut self, bits: u16, ticks: u64) {
        let cleared = self.status(ticks) & bits;
        if cleared & TIMER_STATUS != 0 {
            self.overflow = (ticks / TIMER_HALF + 1) * TIMER_HALF;
        }
        self.status &= !cleared;
    }

    /// The enable register.
    #[must_use]
    pub fn enabled(&self) -> u16 {
        self.enabled
    }

    /// Writes the enable register.
    pub fn enable(&mut self, bits: u16) {
        self.enabled = bits;
    }

    /// Somebody presses the power button. As in the reference the guest finds out only if it had enabled that.
    pub fn press_power_button(&mut self) {
        self.status |= self.enabled & POWER_BUTTON_STATUS;
    }

    /// The control register.
    #[must_use]
    pub fn control(&self) -> u16 {
        self.control
    }

    /// Writes the control register; what the guest goes to by that.
    #[must_use]
    pub fn set_control(&mut self, value: u16) -> Option<Sleep> {
        self.control = value & !SLEEP_ENABLE;
        if value & SLEEP_ENABLE == 0 {
            return None;
        }
        match value >> SLEEP_TYPE_SHIFT & SLEEP_TYPE_MASK {
            SLEEP_OFF => Some(Sleep::Off),
            SLEEP_TO_DISK => Some(Sleep::ToDisk),
            _ => None,
        }
    }

    /// Whether an enabled event is pending.
    pub fn wants_interrupt(&mut self, ticks: u64) -> bool {
        self.status(ticks) & self.enabled & INTERRUPTING != 0
    }

    /// When, in ticks, the timer interrupts next without anything else happening.
    pub fn next_interrupt(&mut self, ticks: u64) -> Option<u64> {
        let waits = self.enabled & TIMER_STATUS != 0 && self.status(ticks) & TIMER_STATUS == 0;
        waits.then_some(self.overflow)
    }
}
