//! Tells clients that the guest set its clock: `RTC_CHANGE`.
//!
//! As in the reference one is told at once and then none for a [time](INTERVAL), after which the last is told that came
//! meanwhile: a guest that sets its clock without end makes an event a second.

use std::cell::RefCell;
use std::time::Duration;

use qmp::{EventSender, EventType};
use serde::Serialize;

use crate::main_loop::Handle;
use crate::vm::Vm;

/// The least time between two events.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// The guest set its clock (QAPI `RTC_CHANGE`). At most one a second is told, and the last one always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RtcChange {
    /// By how many seconds the clock is ahead of what it would show if nobody had set it (`-rtc base=`).
    pub(crate) offset: i64,
    /// The clock's path.
    pub(crate) qom_path: String,
}

impl EventType for RtcChange {
    const NAME: &'static str = "RTC_CHANGE";
}
qmp::register_event!(RtcChange);

/// What was told lately.
#[derive(Debug, Default, PartialEq, Eq)]
enum Lately {
    #[default]
    Nothing,
    /// One was told; this came since.
    Told(Option<RtcChange>),
}

impl Lately {
    /// A change comes; whether it is to be told now. Then an interval begins.
    fn come(&mut self, change: &RtcChange) -> bool {
        match self {
            Self::Nothing => {
                *self = Self::Told(None);
                true
            }
            Self::Told(last) => {
                *last = Some(change.clone());
                false
            }
        }
    }

    /// The interval is over; what is to be told now. Then another begins.
    fn pass(&mut self) -> Option<RtcChange> {
        let next = match self {
            Self::Told(next @ Some(_)) => next.take(),
            _ => None,
        };
        if next.is_none() {
            *self = Self::Nothing;
        }
        next
    }
}

/// Tells clients, on the main loop's thread.
#[derive(Debug)]
pub(crate) struct RtcWatch {
    events: EventSender,
    timers: Handle,
    lately: RefCell<Lately>,
}

impl RtcWatch {
    /// A watch that emits to `events` and posts to the loop of `timers`.
    pub(crate) fn new(events: EventSender, timers: Handle) -> Self {
        Self { events, timers, lately: RefCell::default() }
    }

    /// The guest set its clock.
    pub(crate) fn changed(&self, change: &RtcChange) {
        if self.lately.borrow_mut().come(change) {
            self.tell(change);
        }
    }

    /// An interval is over.
    pub(crate) fn interval_is_over(&self) {
        let next = self.lately.borrow_mut().pass();
        if let Some(change) = next {
            self.tell(&change);
        }
    }

    fn tell(&self, change: &RtcChange) {
        self.events.emit(change);
        self.timers.post_after(INTERVAL, |context| {
            if let Some(vm) = context.get::<Vm>() {
                vm.rtc_watch().interval_is_over();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_an_interval_is_told() {
        let change = |offset| RtcChange { offset, qom_path: String::new() };
        let mut lately = Lately::default();
        assert!(lately.come(&change(1)));
        assert!(!lately.come(&change(2)) && !lately.come(&change(3)));
        assert_eq!(lately.pass(), Some(change(3)));
        assert!(!lately.come(&change(4)));
        assert_eq!((lately.pass(), lately.pass()), (Some(change(4)), None));
        assert!(lately.come(&change(5)));
        assert_eq!((lately.pass(), lately), (None, Lately::Nothing));
    }
}
