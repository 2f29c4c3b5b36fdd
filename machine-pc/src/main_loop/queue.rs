//! What other threads want of the main loop.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mio::Waker;
use qmp::Context;

/// Something to be done on the loop's thread.
pub(super) type Request = Box<dyn FnOnce(&mut Context) + Send>;

/// Names something that is to be done later ([`Handle::post_after`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    at: Instant,
    number: u64,
}

/// Requests and flags on their way to the loop.
pub(super) struct Queue {
    waker: Waker,
    requests: Mutex<Vec<Request>>,
    /// What is to be done later, the first to come first.
    timers: Mutex<BTreeMap<Timer, Request>>,
    timers_made: AtomicU64,
    console_output: AtomicBool,
    console_room: AtomicBool,
    stop: AtomicBool,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Self {
            waker,
            requests: Mutex::default(),
            timers: Mutex::default(),
            timers_made: AtomicU64::new(0),
            console_output: AtomicBool::new(false),
            console_room: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        })
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("cannot wake the main loop: {error}");
        }
    }

    fn raise(&self, flag: &AtomicBool) {
        if !flag.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    pub(super) fn console_output(&self) {
        self.raise(&self.console_output);
    }

    /// What was posted, and after it what is due by now.
    pub(super) fn take(&self) -> Vec<Request> {
        let mut taken = std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner));
        let mut timers = self.timers();
        if timers.is_empty() {
            return taken;
        }
        let now = Instant::now();
        while let Some(due) = timers.first_entry().filter(|first| first.key().at <= now) {
            taken.push(due.remove());
        }
        taken
    }

    /// How long until something is due.
    pub(super) fn next_timer(&self) -> Option<Duration> {
        let first = self.timers().first_key_value().map(|(timer, _)| timer.at)?;
        Some(first.saturating_duration_since(Instant::now()))
    }

    fn timers(&self) -> MutexGuard<'_, BTreeMap<Timer, Request>> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_console_output(&self) -> bool {
        self.console_output.swap(false, Ordering::AcqRel)
    }

    pub(super) fn take_console_room(&self) -> bool {
        self.console_room.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// The way to the main loop, from any thread. No method waits.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Queue>);

impl Handle {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self(queue)
    }

    /// Has something done on the loop's thread, after what was posted before it.
    pub fn post(&self, request: impl FnOnce(&mut Context) + Send + 'static) {
        let was_empty = {
            let mut requests = self.0.requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(Box::new(request));
            requests.len() == 1
        };
        if was_empty {
            self.0.wake();
        }
    }

    /// Has something done on the loop's thread when that time has passed. The loop's time goes on while the machine is stopped.
    pub fn post_after(&self, delay: Duration, request: impl FnOnce(&mut Context) + Send + 'static) -> Timer {
        let number = self.0.timers_made.fetch_add(1, Ordering::Relaxed);
        let timer = Timer { at: Instant::now() + delay, number };
        let is_first = {
            let mut timers = self.0.timers();
            timers.insert(timer, Box::new(request));
            timers.first_key_value().is_some_and(|(first, _)| *first == timer)
        };
        // The loop may be asleep until a later one.
        if is_first {
            self.0.wake();
        }
        timer
    }

    /// Drops what was to be done later, if it was not done yet.
    pub fn cancel(&self, timer: Timer) {
        // Dropped without the lock: it may own anything.
        let request = self.0.timers().remove(&timer);
        drop(request);
    }

    /// Says that a console can take input again, after it took less than it was offered.
    pub fn console_has_room(&self) {
        self.0.raise(&self.0.console_room);
    }

    /// Ends the loop, with no event and no cause.
    pub fn stop(&self) {
        self.0.raise(&self.0.stop);
    }

    /// Has the loop look for events.
    pub(super) fn wake(&self) {
        self.0.wake();
    }
}
