//! Events: what a client is told without having asked.
//!
//! An event is a type; it is emitted through an [`EventSender`], which any thread may hold. Events wait in
//! the [`EventQueue`] that the sender belongs to until the thread that serves the sessions takes them, so
//! emitting never blocks on a client and never runs code of a session.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;

use crate::json::{self, WriterError};
use crate::schema::{QapiType, TypeRef, Types};

/// A kind of event. The type itself is what is sent as `data`; a unit struct sends none.
///
/// ```
/// #[derive(serde::Serialize, qmp::QapiType)]
/// struct DeviceDeleted { device: Option<String>, path: String }
///
/// impl qmp::EventType for DeviceDeleted {
///     const NAME: &str = "DEVICE_DELETED";
/// }
///
/// let queue = qmp::EventQueue::new();
/// queue.sender().emit(&DeviceDeleted { device: None, path: "/machine/peripheral/cpu1".to_owned() });
/// let event = queue.take().remove(0);
/// assert!(event.text(false).ends_with(r#""event": "DEVICE_DELETED", "data": {"path": "/machine/peripheral/cpu1"}}"#));
/// ```
pub trait EventType: Serialize + QapiType {
    /// The name on the wire: upper case, with underscores.
    const NAME: &'static str;
}

/// A kind of event as the table has it.
#[derive(Debug, Clone, Copy)]
pub struct EventInfo {
    /// The name on the wire.
    pub name: &'static str,
    /// Who declared it: module, file and line.
    pub declared_at: &'static str,
    describe: fn(&mut Types) -> TypeRef,
}

impl EventInfo {
    /// The entry of an event that is declared at `declared_at`.
    #[must_use]
    pub const fn of<E: EventType>(declared_at: &'static str) -> Self {
        Self { name: E::NAME, declared_at, describe: E::describe }
    }

    /// Describes its data.
    #[must_use]
    pub fn describe(&self, types: &mut Types) -> TypeRef {
        (self.describe)(types)
    }

    /// What clients are told of it, in QEMU's words.
    #[must_use]
    pub fn features(&self) -> Vec<&'static str> {
        if self.name.starts_with("x-") { vec!["unstable"] } else { Vec::new() }
    }
}

/// The events that the program's crates add to those of this one, in no order.
/// [`Commands::linked`](crate::Commands::linked) joins, sorts and checks them.
#[linkme::distributed_slice]
pub static EVENTS: [EventInfo];

/// Registers a kind of event, so that the schema tells of it. One that is emitted must be registered.
///
/// ```
/// #[derive(serde::Serialize, qmp::QapiType)]
/// struct FanStopped { fan: u32 }
///
/// impl qmp::EventType for FanStopped {
///     const NAME: &str = "FAN_STOPPED";
/// }
/// qmp::register_event!(FanStopped);
///
/// assert!(qmp::EVENTS.iter().any(|event| event.name == "FAN_STOPPED"));
/// ```
#[macro_export]
macro_rules! register_event {
    ($Event:ty) => {
        const _: () = {
            #[$crate::__private::linkme::distributed_slice($crate::EVENTS)]
            #[linkme(crate = $crate::__private::linkme)]
            static ENTRY: $crate::EventInfo =
                $crate::EventInfo::of::<$Event>(concat!(module_path!(), " (", file!(), ":", line!(), ")"));
        };
    };
}

/// An event that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    name: &'static str,
    since_epoch: std::time::Duration,
    /// Compact and pretty text of `data`; empty where there is none.
    data: Option<Value>,
}

impl Event {
    fn new<E: EventType>(event: &E) -> Result<Self, WriterError> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // An event is rare; its text is made per session form only when there is a session.
        let text = json::to_string(event)?;
        let data =
            serde_json::from_str(&text).ok().filter(|data| *data != Value::Object(serde_json::Map::new()));
        Ok(Self { name: E::NAME, since_epoch, data })
    }

    /// The name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is one that QEMU does not have: its name begins with `x-`. It is sent only to clients that enable the
    /// capability `x-events`.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.name.starts_with("x-")
    }

    /// What happened in particular, if anything.
    #[must_use]
    pub fn data(&self) -> Option<&Value> {
        self.data.as_ref()
    }

    /// The message, without its line end.
    #[must_use]
    pub fn text(&self, pretty: bool) -> String {
        let mut writer = json::Writer::new(pretty);
        let message = Message {
            timestamp: Timestamp {
                seconds: self.since_epoch.as_secs(),
                microseconds: self.since_epoch.subsec_micros(),
            },
            event: self.name,
            data: self.data.as_ref(),
        };
        match message.serialize(&mut writer) {
            Ok(()) => String::from_utf8_lossy(writer.text()).into_owned(),
            Err(error) => unreachable!("a value that came from JSON text has a JSON text: {error}"),
        }
    }
}

#[derive(Serialize)]
struct Timestamp {
    seconds: u64,
    microseconds: u32,
}

#[derive(Serialize)]
struct Message<'a> {
    timestamp: Timestamp,
    event: &'static str,
    data: Option<&'a Value>,
}

type Wake = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Shared {
    events: Mutex<VecDeque<Event>>,
    wake: Mutex<Option<Wake>>,
}

impl Shared {
    fn events(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Most events that wait to be taken; the oldest go first when nobody takes them.
const QUEUE_LENGTH: usize = 16 * 1024;

/// Emits events, from any thread.
#[derive(Clone)]
pub struct EventSender {
    shared: Arc<Shared>,
}

impl fmt::Debug for EventSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSender").finish_non_exhaustive()
    }
}

impl EventSender {
    /// Emits an event, stamped with this moment.
    pub fn emit<E: EventType>(&self, event: &E) {
        let event = match Event::new(event) {
            Ok(event) => event,
            Err(error) => {
                tracing::error!("event {} has no JSON form: {error}", E::NAME);
                return;
            }
        };
        let was_empty = {
            let mut events = self.shared.events();
            if events.len() == QUEUE_LENGTH {
                events.pop_front();
            }
            events.push_back(event);
            events.len() == 1
        };
        if was_empty && let Some(wake) = &*self.shared.wake.lock().unwrap_or_else(PoisonError::into_inner) {
            wake();
        }
    }
}

/// Where emitted events wait.
#[derive(Default)]
pub struct EventQueue {
    shared: Arc<Shared>,
}

impl fmt::Debug for EventQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventQueue").field("waiting", &self.shared.events().len()).finish()
    }
}

impl EventQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A way to emit into this queue.
    #[must_use]
    pub fn sender(&self) -> EventSender {
        EventSender { shared: self.shared.clone() }
    }

    /// What to call when the queue stops being empty; it runs on the emitting thread and must not block.
    pub fn set_wake(&self, wake: impl Fn() + Send + Sync + 'static) {
        *self.shared.wake.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(wake));
    }

    /// Takes what waits.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        let mut events = self.shared.events();
        events.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Serialize, QapiType)]
    struct Stop;

    impl EventType for Stop {
        const NAME: &'static str = "STOP";
    }

    #[derive(Serialize, QapiType)]
    struct Shutdown {
        guest: bool,
        reason: &'static str,
    }

    impl EventType for Shutdown {
        const NAME: &'static str = "SHUTDOWN";
    }

    #[test]
    fn events_have_the_references_form() {
        let queue = EventQueue::new();
        queue.sender().emit(&Stop);
        queue.sender().emit(&Shutdown { guest: false, reason: "host-qmp-quit" });
        let texts: Vec<String> = queue.take().iter().map(|event| event.text(false)).collect();
        let after_timestamp = |text: &str| {
            assert!(text.starts_with(r#"{"timestamp": {"seconds": "#), "{text}");
            text.split_once("}, ").unwrap().1.to_owned()
        };
        assert_eq!(after_timestamp(&texts[0]), r#""event": "STOP"}"#);
        assert_eq!(
            after_timestamp(&texts[1]),
            r#""event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}"#
        );
    }

    #[test]
    fn an_untaken_queue_is_bounded_and_wakes_once() {
        let woken = Arc::new(AtomicUsize::new(0));
        let queue = EventQueue::new();
        let count = woken.clone();
        queue.set_wake(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let sender = queue.sender();
        std::thread::spawn(move || (0..QUEUE_LENGTH + 10).for_each(|_| sender.emit(&Stop))).join().unwrap();
        assert_eq!(queue.take().len(), QUEUE_LENGTH);
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert_eq!(queue.take(), []);
    }
}
