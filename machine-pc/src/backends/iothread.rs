//! `iothread`: a thread of its own with an event loop, which lives as long as its object.
//!
//! The thread sleeps until somebody [posts](IoThread::post) work to it. How it polls before it sleeps is a matter of what
//! it serves; nothing that can be polled is served yet, so the four polling figures are kept and shown, and it
//! sleeps at once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use mio::{Events, Poll, Token, Waker};
use qom::user_creatable::{Member, MemberType, UserCreatableClass};
use qom::{ClassInit, Error, Field, Instance, Object, PropertyError};
use qom_derive::Object;

use super::event_loop::{EventLoopBase, EventLoopClass, EventLoopError, in_range};
use super::{id, property};
use crate::os_error;

/// How long a loop polls at most before it sleeps, in nanoseconds, where nobody says.
const DEFAULT_POLL_MAX_NS: i64 = 32_768;
/// By how much polling time is multiplied and divided, where nobody says.
const DEFAULT_POLL_FACTOR: i64 = 2;
/// How much of a new measurement counts, as a shift, where nobody says.
const DEFAULT_POLL_WEIGHT: i64 = 3;
/// More is no shift of 64 bits.
const MAX_POLL_WEIGHT: i64 = 63;

const WAKE: Token = Token(0);

/// A piece of work for the thread.
type Work = Box<dyn FnOnce() + Send>;

/// What the thread and its owner share.
struct Shared {
    work: Mutex<Vec<Work>>,
    stop: AtomicBool,
    waker: Waker,
}

/// A running thread; dropping it ends the thread after the work that was posted before.
struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    thread_id: u32,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("thread_id", &self.thread_id).finish_non_exhaustive()
    }
}

impl Worker {
    fn start(name: &str) -> io::Result<Self> {
        let mut poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let shared = Arc::new(Shared { work: Mutex::default(), stop: AtomicBool::new(false), waker });
        let (tell_id, told_id) = mpsc::channel();
        let inner = shared.clone();
        let thread = std::thread::Builder::new().name(format!("IO {name}")).spawn(move || {
            // The owner waits for it.
            let _ = tell_id.send(crate::raw::gettid());
            inner.run(&mut poll);
        })?;
        let thread_id = told_id.recv().map_err(io::Error::other)?;
        Ok(Self { shared, thread: Some(thread), thread_id })
    }
}

impl Shared {
    fn run(&self, poll: &mut Poll) {
        let mut events = Events::with_capacity(1);
        loop {
            // Read before the work is taken: what was posted before the end is done.
            let stopping = self.stop.load(Ordering::Acquire);
            let work = std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner));
            let idle = work.is_empty();
            work.into_iter().for_each(|work| work());
            if stopping {
                return;
            }
            if idle
                && let Err(error) = poll.poll(&mut events, None)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!("event loop of an iothread: {error}");
                return;
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Err(error) = self.shared.waker.wake() {
            tracing::error!("an iothread cannot be woken and stays: {error}");
            return;
        }
        // The last reference may be let go of by work on the thread itself, which then ends after it.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // Work that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// The state of an `iothread`.
#[derive(Debug, Object)]
#[object(name = "iothread", class_init = IoThread::class_init)]
pub struct IoThread {
    parent: EventLoopBase,
    #[object(default = Field::new(DEFAULT_POLL_MAX_NS))]
    poll_max_ns: Field<i64>,
    #[object(default = Field::new(DEFAULT_POLL_FACTOR))]
    poll_grow: Field<i64>,
    #[object(default = Field::new(DEFAULT_POLL_FACTOR))]
    poll_shrink: Field<i64>,
    #[object(default = Field::new(DEFAULT_POLL_WEIGHT))]
    poll_weight: Field<i64>,
    worker: Mutex<Option<Worker>>,
}

qom::register_types!(<IoThread as Instance>::type_info);

/// What there is to tell of an `iothread`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoThreadInfo {
    /// Its id.
    pub id: String,
    /// Linux's id of its thread.
    pub thread_id: u32,
    /// Polling time at most, in nanoseconds.
    pub poll_max_ns: i64,
    /// Factor by which polling time grows.
    pub poll_grow: i64,
    /// Divisor by which it shrinks.
    pub poll_shrink: i64,
    /// How much of a new measurement counts, as a shift.
    pub poll_weight: i64,
    /// Requests of a batch that are submitted at once.
    pub aio_max_batch: i64,
}

/// Zero stands for the default.
fn or_default(value: i64, default: i64) -> i64 {
    if value == 0 { default } else { value }
}

impl IoThread {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<EventLoopClass>().start = |base| {
            let object = Object::core(base).upgrade();
            object.as_deref().and_then(<dyn Object>::downcast_ref::<Self>).map_or(Ok(()), Self::start)
        };
        class.add_property(property::<Self, i64>(
            "poll-max-ns",
            "int",
            |this| this.poll_max_ns.get(),
            |this, value| {
                this.poll_max_ns.set(in_range("poll-max-ns", value, i64::MAX)?);
                Ok(())
            },
        ));
        class.add_property(property::<Self, i64>(
            "poll-grow",
            "int",
            |this| this.poll_grow.get(),
            |this, value| {
                let value = in_range("poll-grow", value, i64::MAX)?;
                this.poll_grow.set(or_default(value, DEFAULT_POLL_FACTOR));
                Ok(())
            },
        ));
        class.add_property(property::<Self, i64>(
            "poll-shrink",
            "int",
            |this| this.poll_shrink.get(),
            |this, value| {
                let value = in_range("poll-shrink", value, i64::MAX)?;
                this.poll_shrink.set(or_default(value, DEFAULT_POLL_FACTOR));
                Ok(())
            },
        ));
        class.add_property(property::<Self, i64>(
            "poll-weight",
            "int",
            |this| this.poll_weight.get(),
            Self::set_weight,
        ));
        let user_creatable = class.data_mut::<UserCreatableClass>();
        user_creatable.doc = "A thread with an event loop, for the work of devices.";
        user_creatable.members.extend([
            Member::optional("poll-max-ns", MemberType::Int)
                .doc("The longest time that it polls before it sleeps, in nanoseconds; 32768 by default, and 0 for never."),
            Member::optional("poll-grow", MemberType::Int)
                .doc("By what the polling time is multiplied when it was too short; 2 by default, for which 0 stands too."),
            Member::optional("poll-shrink", MemberType::Int)
                .doc("By what the polling time is divided when it was too long; 2 by default, for which 0 stands too."),
            Member::optional("poll-weight", MemberType::Int)
                .doc("How much a new measurement counts: 1 to 2 to the power of this, at most 63; 3 by default, for which 0 stands too."),
        ]);
    }

    fn set_weight(&self, value: i64) -> Result<(), PropertyError> {
        let value = in_range("poll-weight", value, MAX_POLL_WEIGHT)?;
        self.poll_weight.set(or_default(value, DEFAULT_POLL_WEIGHT));
        Ok(())
    }

    fn start(&self) -> Result<(), Error> {
        let id = id(&*self.upgraded()?);
        let worker = Worker::start(&id)
            .map_err(|error| Error::new(EventLoopError::Thread { id, reason: os_error::text(&error) }))?;
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
        Ok(())
    }

    fn upgraded(&self) -> Result<Arc<dyn Object>, Error> {
        self.core().upgrade().ok_or_else(|| Error::msg("the object is being dropped"))
    }

    /// Has the thread do a piece of work, after what was posted before. Returns whether there is a thread: it is started
    /// when the object is complete.
    pub fn post(&self, work: impl FnOnce() + Send + 'static) -> bool {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(worker) = &*worker else { return false };
        worker.shared.work.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(work));
        worker.shared.waker.wake().is_ok()
    }

    /// What there is to tell of it; none before its thread runs.
    pub fn info(&self) -> Option<IoThreadInfo> {
        let thread_id =
            self.worker.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|w| w.thread_id)?;
        Some(IoThreadInfo {
            id: id(&*self.core().upgrade()?),
            thread_id,
            poll_max_ns: self.poll_max_ns.get(),
            poll_grow: self.poll_grow.get(),
            poll_shrink: self.poll_shrink.get(),
            poll_weight: self.poll_weight.get(),
            aio_max_batch: self.parent.aio_max_batch(),
        })
    }
}
