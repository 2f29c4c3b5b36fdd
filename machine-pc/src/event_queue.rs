//! What vCPU threads want of the main loop, on its way there.
//!
//! It is bounded: a CPU is seen, started and ejected once until the main loop acts, requests for a reset or shutdown are one
//! however often they are made, and of changes of the clock the last counts. `_OST` reports a guest can make without end, and each becomes an event that clients read;
//! so there is an [`Allowance`] of them, and the main loop acts on a portion at a time, with clients served in between. A
//! guest that hammers its registers holds up nobody but itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::main_loop::Handle;
use crate::vm::Vm;
use crate::vm_event::VmEvent;

/// How much is acted on before clients get their turn.
const EVENTS_AT_ONCE: usize = 64;

/// How many `_OST` reports a guest may make at once: some for each CPU of a large machine. As events they fit the output that a
/// session keeps without refusing requests.
const REPORTS_AT_ONCE: u32 = 1024;
/// How long one more takes to be allowed: a thousand a second.
const REPORT_INTERVAL: Duration = Duration::from_millis(1);

/// Lets so many pass at once, and then one in every interval.
#[derive(Debug)]
struct Allowance {
    left: u32,
    /// The time to which `left` refers.
    at: Instant,
}

impl Allowance {
    /// A whole one.
    fn new(now: Instant) -> Self {
        Self { left: REPORTS_AT_ONCE, at: now }
    }

    /// Takes one, if one is left by now.
    fn take(&mut self, now: Instant) -> bool {
        let intervals = now.saturating_duration_since(self.at).as_millis() / REPORT_INTERVAL.as_millis();
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(intervals);
        if self.left >= REPORTS_AT_ONCE {
            *self = Self::new(now);
        } else {
            self.at += REPORT_INTERVAL * intervals;
        }
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        taken
    }
}

#[derive(Debug)]
struct Waiting {
    events: VecDeque<VmEvent>,
    reports: Allowance,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct EventQueue {
    waiting: Mutex<Waiting>,
    main_loop: Handle,
}

impl EventQueue {
    /// An empty one, to the loop of `main_loop`.
    pub(crate) fn new(main_loop: Handle) -> Self {
        let waiting = Waiting { events: VecDeque::new(), reports: Allowance::new(Instant::now()) };
        Self { waiting: Mutex::new(waiting), main_loop }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the main loop act on it. A report beyond the allowance is lost; it stays readable in `query-acpi-ospm-status`.
    pub(crate) fn push(self: &Arc<Self>, event: VmEvent) {
        let mut waiting = self.waiting();
        if matches!(event, VmEvent::RtcChange { .. }) {
            waiting.events.retain(|other| !matches!(other, VmEvent::RtcChange { .. }));
        }
        let surplus = match event {
            VmEvent::CpuOst { .. } => !waiting.reports.take(Instant::now()),
            // Once until the main loop has acted, by themselves.
            VmEvent::CpuEject { .. }
            | VmEvent::CpuSeen { .. }
            | VmEvent::CpuStarted { .. }
            | VmEvent::RtcChange { .. } => false,
            VmEvent::ResetRequest(_)
            | VmEvent::ShutdownRequest
            | VmEvent::SuspendToDisk
            | VmEvent::InternalError { .. } => waiting.events.contains(&event),
        };
        if surplus {
            return;
        }
        let was_empty = waiting.events.is_empty();
        waiting.events.push_back(event);
        drop(waiting);
        if was_empty {
            self.post();
        }
    }

    fn post(self: &Arc<Self>) {
        let queue = self.clone();
        self.main_loop.post(move |context| {
            let (events, more) = queue.portion();
            if let Some(vm) = context.get::<Vm>().cloned() {
                events.into_iter().for_each(|event| vm.handle(event));
            }
            if more {
                queue.post();
            }
        });
    }

    /// What is acted on next, and whether there is more.
    fn portion(&self) -> (Vec<VmEvent>, bool) {
        let waiting = &mut self.waiting().events;
        let count = waiting.len().min(EVENTS_AT_ONCE);
        (waiting.drain(..count).collect(), !waiting.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::main_loop::MainLoop;
    use crate::vm_event::ResetCause;

    #[test]
    fn an_allowance_comes_back_with_time() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut allowance = Allowance::new(start);
        let passed = |allowance: &mut Allowance, now| (0..5000).filter(|_| allowance.take(now)).count();
        assert_eq!(passed(&mut allowance, start), 1024);
        assert_eq!(passed(&mut allowance, at(7)), 7);
        assert_eq!(passed(&mut allowance, at(7)), 0);
        assert_eq!(passed(&mut allowance, at(100_000)), 1024, "it does not pile up");
        // Asked more often than the interval, it loses no time.
        let late = at(200_000);
        assert_eq!(passed(&mut allowance, late), 1024);
        let asked = (1..=10_000).filter(|tick| allowance.take(late + Duration::from_micros(tick * 100)));
        assert_eq!(asked.count(), 1000);
        assert!(!allowance.take(start), "a time of before is no gain");
    }

    #[test]
    fn the_queue_is_bounded_and_keeps_its_order() {
        let main_loop = MainLoop::new().unwrap();
        let queue = Arc::new(EventQueue::new(main_loop.handle()));
        for slot in 0..2000 {
            queue.push(VmEvent::ResetRequest(ResetCause::ResetPort));
            queue.push(VmEvent::CpuOst { slot, source_event: 3, status: 0x84 });
        }
        queue.push(VmEvent::CpuEject { slot: 1 });
        let mut events = Vec::new();
        loop {
            let (portion, more) = queue.portion();
            assert!(portion.len() <= EVENTS_AT_ONCE);
            events.extend(portion);
            if !more {
                break;
            }
        }
        assert_eq!(events[0], VmEvent::ResetRequest(ResetCause::ResetPort));
        assert_eq!(events[2], VmEvent::CpuOst { slot: 1, source_event: 3, status: 0x84 });
        assert_eq!(events.last(), Some(&VmEvent::CpuEject { slot: 1 }));
        // As many as the clock has allowed meanwhile, and far from all.
        assert!((1026..1500).contains(&events.len()), "{}", events.len());
    }
}
