//! What other threads want of the main loop.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;
use qmp::Context;

/// Something to be done on the loop's thread.
pub(super) type Request = Box<dyn FnOnce(&mut Context) + Send>;

/// Requests and flags on their way to the loop.
pub(super) struct Queue {
    waker: Waker,
    requests: Mutex<Vec<Request>>,
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

    pub(super) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
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
