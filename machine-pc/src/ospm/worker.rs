//! The thread of a scripted guest.
//!
//! It sleeps until the SCI rises, its manner changes, the machine begins to run, or an answer is due, and then gives the
//! guest a turn. A turn is short and holds one lock, for which whoever stops or resets the machine waits: after that
//! the guest does nothing. The thread never waits for the main loop.
//!
//! Delays are in the guest's time, which stands still while the machine is stopped.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::guest::Guest;
use super::policy::Manner;
use super::seat::{OperatingSystem, Seat};

/// The guest's time.
#[derive(Debug, Default)]
struct Clock {
    /// What has passed before the machine began to run last.
    passed: Duration,
    /// When it did; none while it is stopped.
    since: Option<Instant>,
}

impl Clock {
    fn now(&self) -> Duration {
        self.passed + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn run(&mut self, running: bool) {
        self.passed = self.now();
        self.since = running.then(Instant::now);
    }
}

/// What the thread is told.
#[derive(Debug)]
struct Told {
    clock: Clock,
    running: bool,
    /// Not held in reset.
    powered: bool,
    ending: bool,
    manner: Manner,
    /// Something has happened since the last turn.
    news: bool,
    /// When the guest wants a turn anyway, in its time.
    due: Option<Duration>,
}

impl Told {
    fn may_act(&self) -> bool {
        self.running && self.powered && !self.ending
    }

    fn has_turn(&self) -> bool {
        self.may_act() && (self.news || self.due.is_some_and(|due| due <= self.clock.now()))
    }
}

/// What the thread and its owner share. Locks are taken in the order of the fields.
struct Shared {
    guest: Mutex<Guest>,
    told: Mutex<Told>,
    wake: Condvar,
}

impl Shared {
    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock());
        self.wake.notify_one();
    }

    /// Waits for the end of the turn that is under way.
    fn settle(&self) {
        drop(self.guest.lock());
    }

    fn live(&self) {
        loop {
            {
                let mut told = self.told.lock();
                while !told.has_turn() {
                    if told.ending {
                        return;
                    }
                    match told.due.filter(|_| told.may_act()) {
                        Some(due) => {
                            let left = due.saturating_sub(told.clock.now());
                            self.wake.wait_for(&mut told, left);
                        }
                        None => self.wake.wait(&mut told),
                    }
                }
            }
            self.turn();
        }
    }

    fn turn(&self) {
        let mut guest = self.guest.lock();
        let (manner, now) = {
            let mut told = self.told.lock();
            // Whoever said so has waited for the lock of the guest since, or waits now.
            if !told.may_act() {
                return;
            }
            told.news = false;
            (told.manner, told.clock.now())
        };
        let due = guest.turn(manner, now);
        self.told.lock().due = due;
    }
}

impl OperatingSystem for Shared {
    fn interrupt(&self) {
        self.tell(|told| told.news = true);
    }

    fn run(&self, running: bool) {
        self.tell(|told| {
            told.clock.run(running);
            told.running = running;
            told.news |= running;
        });
        if !running {
            self.settle();
        }
    }
}

/// A guest at work; dropping it ends it.
pub(super) struct Worker {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("told", &self.shared.told).finish_non_exhaustive()
    }
}

/// Why a guest cannot be put to work.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    /// There is one.
    #[error(transparent)]
    Seat(#[from] super::SeatError),
    /// The host has no thread for it.
    #[error("no thread for the scripted guest: {}", crate::os_error::text(.0))]
    Thread(io::Error),
}

impl Worker {
    /// Puts a guest on a seat. One that is not `powered` waits for [`power_on`](Self::power_on).
    pub(super) fn start(
        guest: Guest,
        seat: &Arc<Seat>,
        manner: Manner,
        powered: bool,
    ) -> Result<Self, WorkerError> {
        let told = Told {
            clock: Clock::default(),
            running: false,
            powered,
            ending: false,
            manner,
            news: true,
            due: None,
        };
        let shared =
            Arc::new(Shared { guest: Mutex::new(guest), told: Mutex::new(told), wake: Condvar::new() });
        let who: Arc<dyn OperatingSystem> = shared.clone();
        seat.sit(&who)?;
        // From here on a failure gets up again.
        let mut this = Self { shared: shared.clone(), seat: seat.clone(), thread: None };
        let thread = std::thread::Builder::new().name("ospm-guest".to_owned()).spawn(move || shared.live());
        this.thread = Some(thread.map_err(WorkerError::Thread)?);
        Ok(this)
    }

    /// From the next event on the guest behaves like that; what it has not answered yet it looks at again.
    pub(super) fn set_manner(&self, manner: Manner) {
        self.shared.tell(|told| {
            told.manner = manner;
            told.news = true;
        });
    }

    /// Takes the guest's power; it does nothing when this has returned.
    pub(super) fn power_off(&self) {
        self.shared.tell(|told| told.powered = false);
        self.shared.guest.lock().power_off();
        self.shared.told.lock().due = None;
    }

    /// Gives the guest power: it boots when the machine runs.
    pub(super) fn power_on(&self) {
        self.shared.tell(|told| {
            told.powered = true;
            told.news = true;
        });
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.seat.leave();
        self.shared.tell(|told| told.ending = true);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}
