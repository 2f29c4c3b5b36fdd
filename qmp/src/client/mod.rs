//! A small client of the protocol: it connects, executes commands by their types, and waits for events.
//!
//! It speaks to this program and to QEMU alike. A command is executed by its type ([`commands`](crate::commands)), so its arguments and
//! what it returns are checked by the compiler; a command that has no type here is called by name ([`Client::call`]), with whatever types
//! one reads and writes its JSON with. One request is under way at a time. What arrives beside its reply are events; they are kept, in
//! order, until somebody waits for them.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use qmp::client::{Client, Config};
//! use qmp::commands::{DeviceDel, QomGet, device_del, qom_get, query_status};
//! use serde_json::{Value, json};
//!
//! # fn main() -> Result<(), qmp::client::ClientError> {
//! let mut client = Client::unix("/tmp/qmp-sock", Config::default())?;
//! println!("{}", client.greeting().version.package);
//!
//! // By type: what is returned is known from the command.
//! assert!(client.execute(query_status, &())?.running);
//! let kind = QomGet { path: "/machine".to_owned(), property: "type".to_owned() };
//! let machine: Value = client.execute(qom_get, &kind)?;
//!
//! // By name, with a type of one's own.
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "kebab-case")]
//! struct Cpu { cpu_index: u32, qom_path: String }
//! let cpus: Vec<Cpu> = client.call("query-cpus-fast", &())?;
//!
//! // A refusal is an error with a class and a sentence; the session goes on.
//! match client.execute(device_del, &DeviceDel { id: "cpu1".to_owned() }) {
//!     Err(error) if error.refusal().is_some_and(|refusal| refusal.class == qmp::ErrorClass::DeviceNotFound) => {}
//!     outcome => {
//!         outcome?;
//!         let deleted = client.wait_event("DEVICE_DELETED", Duration::from_secs(30))?;
//!         println!("{} is gone", deleted.data["path"]);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it forbids
//!
//! Memory that the other side can make grow without bound: a message has [`Config::limits`], and of events that nobody waits for the
//! latest [`Config::events`] are kept, in [`Config::event_bytes`] of memory. It has no thread; while nobody calls it, what arrives waits
//! in the socket.
//!
//! A session that goes on where the two sides no longer agree where a message begins: after half a request, or after something that is
//! no message, the connection is closed, and whatever is asked then is refused with the reason ([`ClientError::Unusable`]). Events that
//! had arrived can still be had.

mod error;
mod kept;
mod socket;

use std::collections::VecDeque;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json::{self, Limits, Reader};
use crate::session::{Capability, Negotiation};
use crate::version::VersionInfo;
use crate::{Command, ErrorClass, EventType};
pub use error::ClientError;
use kept::Kept;
use socket::{Deadline, Socket};

/// Size of one read.
const READ_BYTES: usize = 16 << 10;

/// How a session is to be.
#[derive(Debug, Clone)]
pub struct Config {
    /// Capabilities to enable. One that the greeting does not list is refused by the other side.
    pub enable: Vec<Capability>,
    /// How long the greeting and each reply may take.
    pub patience: Duration,
    /// How much one message may hold.
    pub limits: Limits,
    /// How many events are kept for [`Client::wait_event`]; with more, the oldest are dropped.
    pub events: usize,
    /// How much memory they may take, in bytes, about; with more, the oldest are dropped, and one that is larger by itself is too.
    pub event_bytes: usize,
}

impl Default for Config {
    /// No capability, thirty seconds for a reply, QEMU's own limits for a message, 4,096 events of 16 MiB.
    fn default() -> Self {
        Self {
            enable: Vec::new(),
            patience: Duration::from_secs(30),
            limits: Limits::default(),
            events: 4096,
            event_bytes: 16 << 20,
        }
    }
}

/// What the other side says first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Greeting {
    /// Its version.
    pub version: VersionInfo,
    /// What can be enabled.
    pub capabilities: Vec<String>,
}

/// An event that arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedEvent {
    /// Its name.
    pub name: String,
    /// What happened in particular; an empty object if there is no more to say.
    pub data: Value,
    /// When it happened, since 1970 by the clock of the other side; none where that has no clock.
    pub since_epoch: Option<Duration>,
}

/// A session, after negotiation.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    reader: Reader,
    /// What was read and not yet looked at.
    input: VecDeque<u8>,
    config: Config,
    events: Kept,
    last_id: u64,
    greeting: Greeting,
    /// Why the connection is of no further use, once it is not.
    closed: Option<String>,
}

impl Client {
    /// Connects to a unix socket and negotiates.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn unix(path: impl AsRef<Path>, config: Config) -> Result<Self, ClientError> {
        Self::over_unix(UnixStream::connect(path)?, config)
    }

    /// Connects to a TCP socket and negotiates.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn tcp(address: impl ToSocketAddrs, config: Config) -> Result<Self, ClientError> {
        Self::over_tcp(TcpStream::connect(address)?, config)
    }

    /// Negotiates over a socket that is connected: one end of a pair, or one that a monitor connected to.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn over_unix(socket: UnixStream, config: Config) -> Result<Self, ClientError> {
        Self::negotiate(Socket::Unix(socket), config)
    }

    /// The same over TCP.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn over_tcp(socket: TcpStream, config: Config) -> Result<Self, ClientError> {
        socket.set_nodelay(true)?;
        Self::negotiate(Socket::Tcp(socket), config)
    }

    fn negotiate(socket: Socket, config: Config) -> Result<Self, ClientError> {
        let version = crate::VERSION;
        let mut client = Self {
            socket,
            reader: Reader::with_limits(config.limits),
            input: VecDeque::new(),
            config,
            events: Kept::default(),
            last_id: 0,
            greeting: Greeting { version, capabilities: Vec::new() },
            closed: None,
        };
        let mut deadline = Deadline::after(client.config.patience);
        let message = client.message(&mut deadline)?.ok_or_else(|| client.late("greeting"))?;
        let greeting = message.get("QMP").ok_or_else(|| ClientError::Protocol(shortened(&message)))?;
        client.greeting = read("the greeting", greeting.clone())?;
        let enable = Some(client.config.enable.clone()).filter(|enable| !enable.is_empty());
        client.call::<Value>("qmp_capabilities", &Negotiation { enable })?;
        Ok(client)
    }

    /// What the other side said first.
    #[must_use]
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Executes a command and returns what it gives.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if the other side refuses it, others if there is no reply.
    pub fn execute<C: Command>(&mut self, _: C, arguments: &C::Arguments) -> Result<C::Return, ClientError>
    where
        C::Arguments: Serialize,
        C::Return: DeserializeOwned,
    {
        self.call(C::NAME, arguments)
    }

    /// Executes a command by its name. `arguments` is `&()` for none; what is returned is read as the type that is asked for, which can
    /// be a [`Value`].
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn call<R: DeserializeOwned>(
        &mut self,
        command: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<R, ClientError> {
        self.request("execute", command, arguments)
    }

    /// Executes a command out of band. [`Capability::OutOfBand`] must be enabled.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub fn call_out_of_band<R: DeserializeOwned>(
        &mut self,
        command: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<R, ClientError> {
        self.request("exec-oob", command, arguments)
    }

    fn request<R: DeserializeOwned>(
        &mut self,
        how: &str,
        command: &str,
        arguments: &(impl Serialize + ?Sized),
    ) -> Result<R, ClientError> {
        let written = |source| ClientError::Arguments { command: command.to_owned(), source };
        let arguments = json::to_string(arguments).map_err(written)?;
        let name = json::to_string(command).map_err(written)?;
        let arguments = match arguments.as_str() {
            "null" | "{}" => String::new(),
            arguments => format!(", \"arguments\": {arguments}"),
        };
        self.last_id += 1;
        let id = self.last_id;
        let text = format!("{{\"{how}\": {name}{arguments}, \"id\": {id}}}\r\n");
        let value = self.guarded(|this| {
            let mut deadline = Deadline::after(this.config.patience);
            match this.socket.write_until(text.as_bytes(), &deadline)? {
                0 => return Err(this.late(&format!("room for the request {command}"))),
                sent if sent < text.len() => {
                    // Half a request stands on the wire; nothing can follow it.
                    let why = format!(
                        "the monitor does not read: {sent} of the {} bytes of {command} were sent",
                        text.len()
                    );
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why).into());
                }
                _ => {}
            }
            let mut reply = this.reply(id, command, &mut deadline)?;
            match reply.get_mut("return") {
                Some(value) => Ok(value.take()),
                None => Err(ClientError::Refused(refusal(&reply)?)),
            }
        })?;
        read(command, value)
    }

    /// Uses the connection, and closes it where it can be of no further use.
    fn guarded<T>(
        &mut self,
        action: impl FnOnce(&mut Self) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        if let Some(why) = &self.closed {
            return Err(ClientError::Unusable { why: why.clone() });
        }
        let outcome = action(self);
        if let Err(error) = &outcome
            && let Some(why) = error.ends_the_session()
        {
            self.socket.close();
            self.input = VecDeque::new();
            self.closed = Some(why);
        }
        outcome
    }

    /// The reply with that id. Replies to requests that were given up are passed over.
    fn reply(
        &mut self,
        id: u64,
        command: &str,
        deadline: &mut Deadline,
    ) -> Result<Map<String, Value>, ClientError> {
        loop {
            let message = self.message(deadline)?.ok_or_else(|| self.late(&format!("reply to {command}")))?;
            match message.get("id").map(Value::as_u64) {
                _ if message.contains_key("event") => self.keep(event(message)?),
                Some(Some(got)) if got == id => return Ok(message),
                Some(Some(got)) if got < id => {}
                // A request that was no JSON has no id; ours are.
                _ => return Err(ClientError::Protocol(shortened(&message))),
            }
        }
    }

    fn late(&self, awaited: &str) -> ClientError {
        ClientError::Timeout { awaited: awaited.to_owned(), after: self.config.patience }
    }

    fn keep(&mut self, event: ReceivedEvent) {
        self.events.keep(event, self.config.events.max(1), self.config.event_bytes);
    }

    /// The next message; `None` when none is whole at the deadline.
    fn message(&mut self, deadline: &mut Deadline) -> Result<Option<Map<String, Value>>, ClientError> {
        loop {
            while !self.input.is_empty() {
                let (used, item) = self.reader.feed(self.input.as_slices().0);
                self.input.drain(..used);
                match item.transpose()? {
                    None => {}
                    Some(Value::Object(members)) => return Ok(Some(members)),
                    Some(other) => return Err(ClientError::Protocol(shortened(&other))),
                }
            }
            let mut buffer = [0; READ_BYTES];
            match self.socket.read_until(&mut buffer, deadline)? {
                None => return Ok(None),
                Some(0) => return Err(ClientError::Closed),
                Some(count) => self.input.extend(&buffer[..count]),
            }
        }
    }

    /// Waits for the next event, whatever it is. What has arrived when the patience ends is looked at, so `Duration::ZERO` is for one
    /// that has arrived already.
    ///
    /// # Errors
    /// [`ClientError::Timeout`], or that the connection is at its end.
    pub fn next_event(&mut self, patience: Duration) -> Result<ReceivedEvent, ClientError> {
        self.wait_for("event", patience, |_| true)
    }

    /// Waits for an event of that name. Others that come before it are kept.
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event).
    pub fn wait_event(&mut self, name: &str, patience: Duration) -> Result<ReceivedEvent, ClientError> {
        self.wait_for(name, patience, |event| event.name == name)
    }

    /// Waits for an event of a type and returns its data.
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event), or [`ClientError::Type`].
    pub fn wait<E: EventType + DeserializeOwned>(&mut self, patience: Duration) -> Result<E, ClientError> {
        read(E::NAME, self.wait_event(E::NAME, patience)?.data)
    }

    /// Waits for the first event that `is_it` says yes to; `awaited` says what that is, for the error. Others are kept.
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event).
    pub fn wait_for(
        &mut self,
        awaited: &str,
        patience: Duration,
        mut is_it: impl FnMut(&ReceivedEvent) -> bool,
    ) -> Result<ReceivedEvent, ClientError> {
        if let Some(event) = self.events.take(&mut is_it) {
            return Ok(event);
        }
        self.guarded(|this| {
            let mut deadline = Deadline::after(patience);
            loop {
                let Some(message) = this.message(&mut deadline)? else {
                    return Err(ClientError::Timeout { awaited: awaited.to_owned(), after: patience });
                };
                if message.contains_key("event") {
                    let event = event(message)?;
                    if is_it(&event) {
                        return Ok(event);
                    }
                    this.keep(event);
                } else if message.get("id").and_then(Value::as_u64).is_none_or(|id| id > this.last_id) {
                    return Err(ClientError::Protocol(shortened(&message)));
                }
            }
        })
    }

    /// Events that were dropped because nobody waited for them: beyond [`Config::events`] or [`Config::event_bytes`].
    #[must_use]
    pub fn dropped_events(&self) -> u64 {
        self.events.dropped()
    }
}

/// The beginning of a message, for an error's text.
fn shortened(message: &(impl Serialize + ?Sized)) -> String {
    const SHOWN: usize = 200;
    let text = json::to_string(message).unwrap_or_default();
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn read<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, ClientError> {
    serde_json::from_value(value).map_err(|source| ClientError::Type { name: name.to_owned(), source })
}

/// The error of a reply. A class that is not known is one that nobody decides by.
fn refusal(reply: &Map<String, Value>) -> Result<crate::Error, ClientError> {
    #[derive(Deserialize)]
    struct Refusal {
        class: String,
        desc: String,
    }
    let refusal = reply.get("error").and_then(|error| Refusal::deserialize(error).ok());
    let Refusal { class, desc } = refusal.ok_or_else(|| ClientError::Protocol(shortened(reply)))?;
    let class = serde_json::from_value(Value::String(class)).unwrap_or(ErrorClass::GenericError);
    Ok(crate::Error::new(class, desc))
}

/// The event that a message tells of. What makes it none is the protocol's, not the event's: who waits for something else sees it too.
fn event(mut message: Map<String, Value>) -> Result<ReceivedEvent, ClientError> {
    #[derive(Deserialize)]
    struct Timestamp {
        seconds: i64,
        microseconds: i64,
    }
    let name = message.get("event").and_then(Value::as_str).map(str::to_owned);
    let timestamp = message.get("timestamp").map(Timestamp::deserialize).transpose();
    let (Some(name), Ok(timestamp)) = (name, timestamp) else {
        return Err(ClientError::Protocol(shortened(&message)));
    };
    let data = message.shift_remove("data").unwrap_or_else(|| Value::Object(Map::new()));
    let since_epoch = timestamp.and_then(|Timestamp { seconds, microseconds }| {
        // Both are -1 where the clock cannot be read.
        let seconds = u64::try_from(seconds).ok()?;
        let microseconds = u64::try_from(microseconds).ok()?;
        Some(Duration::from_secs(seconds) + Duration::from_micros(microseconds))
    });
    Ok(ReceivedEvent { name, data, since_epoch })
}

#[cfg(test)]
mod tests;
