//! Timers of devices: one thread that calls a device when its time has come.
//!
//! A device says when it wants to be called next, as often as that changes, from any thread; an earlier time that it said is then
//! forgotten. The thread is there from the first time on that anything is wanted, so a machine whose guest uses no timer has
//! none. It calls without a lock of its own held; a device that was just told another time may be called once too often and looks at its own
//! clock.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long the thread sleeps at most. Devices whose clock is the host's look at it again then: it may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

type Call = Arc<dyn Fn() + Send + Sync>;

struct Entry {
    due: Option<Instant>,
    call: Call,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    started: bool,
    ended: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The timers of a machine. When it goes, so does its thread.
#[derive(Default)]
pub struct Timers(Arc<Shared>);

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("count", &self.0.state.lock().entries.len()).finish()
    }
}

/// One device's timer.
#[derive(Clone)]
pub struct Timer {
    shared: Weak<Shared>,
    index: usize,
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timer").field(&self.index).finish()
    }
}

impl Timers {
    /// A new timer, which wants nothing yet and calls `call` when its time has come.
    pub fn add(&self, call: impl Fn() + Send + Sync + 'static) -> Timer {
        let mut state = self.0.state.lock();
        state.entries.push(Entry { due: None, call: Arc::new(call) });
        Timer { shared: Arc::downgrade(&self.0), index: state.entries.len() - 1 }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        self.0.state.lock().ended = true;
        self.0.changed.notify_one();
    }
}

impl Timer {
    /// Says when it wants to be called, or that it does not. Costs a system call only where the thread must wake earlier than
    /// it would.
    pub fn set(&self, due: Option<Instant>) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut state = shared.state.lock();
        let earliest = state.entries.iter().filter_map(|entry| entry.due).min();
        let Some(entry) = state.entries.get_mut(self.index) else { return };
        entry.due = due;
        let Some(due) = due else { return };
        if !state.started {
            let of_thread = shared.clone();
            let started =
                std::thread::Builder::new().name("timers".to_owned()).spawn(move || run(&of_thread));
            match started {
                Ok(_) => state.started = true,
                Err(error) => tracing::error!("no thread for timers: {error}"),
            }
        } else if earliest.is_none_or(|earliest| due < earliest) {
            drop(state);
            shared.changed.notify_one();
        }
    }
}

fn run(shared: &Shared) {
    let mut state = shared.state.lock();
    while !state.ended {
        let now = Instant::now();
        let due: Vec<Call> = state
            .entries
            .iter_mut()
            .filter(|entry| entry.due.is_some_and(|due| due <= now))
            .map(|entry| {
                entry.due = None;
                entry.call.clone()
            })
            .collect();
        if !due.is_empty() {
            drop(state);
            due.into_iter().for_each(|call| call());
            state = shared.state.lock();
            continue;
        }
        let next = state.entries.iter().filter_map(|entry| entry.due).min();
        let longest = now + LONGEST_SLEEP;
        let timed_out = shared.changed.wait_until(&mut state, next.map_or(longest, |next| next.min(longest)));
        if timed_out.timed_out() && next.is_some_and(|next| next > longest) {
            let calls: Vec<Call> = state
                .entries
                .iter()
                .filter(|entry| entry.due.is_some())
                .map(|entry| entry.call.clone())
                .collect();
            drop(state);
            calls.into_iter().for_each(|call| call());
            state = shared.state.lock();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn calls_come_in_order_of_their_times_and_a_later_word_counts() {
        let timers = Timers::default();
        let (sender, calls) = channel();
        let [a, b, c] = ["a", "b", "c"].map(|name| {
            let sender = sender.clone();
            timers.add(move || sender.send((name, Instant::now())).unwrap())
        });
        let now = Instant::now();
        let after = |millis| Some(now + Duration::from_millis(millis));
        a.set(after(60_000));
        b.set(after(30));
        c.set(after(5));
        c.set(None);
        a.set(after(10));
        let wait = Duration::from_secs(20);
        let (name, at) = calls.recv_timeout(wait).unwrap();
        assert!(name == "a" && at >= now + Duration::from_millis(10));
        let (name, at) = calls.recv_timeout(wait).unwrap();
        assert!(name == "b" && at >= now + Duration::from_millis(30));
        assert!(calls.recv_timeout(Duration::from_millis(20)).is_err(), "each time is for once");
        // The thread goes with the timers, and what it calls with it.
        drop((timers, sender));
        assert!(matches!(calls.recv_timeout(wait), Err(std::sync::mpsc::RecvTimeoutError::Disconnected)));
        a.set(Some(now));
    }
}
