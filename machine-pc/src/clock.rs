//! The guest's time: nanoseconds since the machine was made, as long as it ran.
//!
//! It stands while the machine is stopped, so a guest that was stopped for an hour sees no jump. What the guest sees of
//! the world's time is the [real-time clock](crate::rtc)'s.

use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

#[derive(Debug, Default)]
struct State {
    /// How long it ran before it was last started.
    before: Duration,
    /// Since when it runs; none while it stands.
    since: Option<Instant>,
}

/// The clock; it stands at first.
#[derive(Default)]
pub struct GuestClock(Mutex<State>);

impl fmt::Debug for GuestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GuestClock").field(&self.nanos()).finish()
    }
}

impl GuestClock {
    /// The time in nanoseconds.
    #[must_use]
    pub fn nanos(&self) -> i64 {
        let state = self.0.lock();
        let elapsed = state.before + state.since.map_or(Duration::ZERO, |since| since.elapsed());
        i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
    }

    /// When it will show `nanos`, if it goes on; none while it stands.
    #[must_use]
    pub fn when(&self, nanos: i64) -> Option<Instant> {
        let state = self.0.lock();
        let ahead = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)).saturating_sub(state.before);
        state.since?.checked_add(ahead)
    }

    /// Lets it go, or go on.
    pub fn start(&self) {
        self.0.lock().since.get_or_insert_with(Instant::now);
    }

    /// Stops it.
    pub fn stop(&self) {
        let mut state = self.0.lock();
        if let Some(since) = state.since.take() {
            state.before += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_only_while_the_machine_runs() {
        let clock = GuestClock::default();
        assert_eq!((clock.nanos(), clock.when(5)), (0, None));
        clock.start();
        let second = clock.when(NANOS_PER_SECOND).unwrap();
        assert!(second > Instant::now());
        std::thread::sleep(Duration::from_millis(2));
        clock.stop();
        let stood = clock.nanos();
        assert!(stood >= 2_000_000);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(clock.nanos(), stood);
        clock.start();
        assert!(clock.nanos() >= stood);
        // What it stood is not lost.
        assert!(clock.when(NANOS_PER_SECOND).unwrap() >= second + Duration::from_millis(2));
    }
}
