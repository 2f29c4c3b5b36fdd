//! One client's conversation: bytes in, replies and events out.
//!
//! A session begins with the greeting and refuses everything but `qmp_capabilities` until that was said.
//! It does no input or output: the caller hands it what arrived and sends what it collected. It stops taking
//! requests while much output waits ([`HIGH_WATER`]), so a client that does not read cannot make it grow.

use std::collections::VecDeque;

use qom::ErrorClass;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::json::{self, JsonError, Reader, Writer};
use crate::log_text::{ReplySecrets, Shown};
use crate::outgoing::{Outgoing, kept};
use crate::schema::QapiType;
use crate::version::{VERSION, VersionInfo};
use crate::{Context, Error, Event};

/// With this many bytes of output waiting, a session takes no further requests.
pub const HIGH_WATER: usize = 256 << 10;

/// With this many bytes of output waiting, a session drops events: its client does not read.
pub const EVENT_LIMIT: usize = 4 << 20;

/// In-band requests that may wait for out-of-band ones to overtake them; the reference's number.
const QUEUE_LENGTH: usize = 8;

#[derive(Serialize)]
struct Greeting {
    version: VersionInfo,
    capabilities: [&'static str; 2],
}

/// Capabilities that a client may ask for (QAPI `QMPCapability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, QapiType)]
pub enum Capability {
    /// Requests with `exec-oob` overtake those with `execute`.
    #[serde(rename = "oob")]
    OutOfBand,
    /// Events that are not QEMU's (`x-VCPU_STATE`) are sent. Some clients end their session over an event that they do not know.
    #[serde(rename = "x-events")]
    OwnEvents,
}

/// What `qmp_capabilities` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, QapiType)]
pub struct Negotiation {
    /// The capabilities to enable.
    pub enable: Option<Vec<Capability>>,
}

/// A request whose form is right: what is asked for, and with what.
struct Request {
    command: String,
    arguments: Map<String, Value>,
}

/// What waits for its turn.
#[derive(Debug)]
enum Waiting {
    Message(Value),
    Broken(JsonError),
}

/// A QMP session, from greeting to hang-up.
#[derive(Debug)]
pub struct Session {
    reader: Reader,
    pretty: bool,
    negotiated: bool,
    out_of_band: bool,
    own_events: bool,
    queue: VecDeque<Waiting>,
    /// The reply that is being made; it follows the events that its command emitted.
    reply: Writer,
    output: Outgoing,
    dropped_events: u64,
}

impl Session {
    /// A session whose first output is the greeting. `pretty` indents all that it writes.
    #[must_use]
    pub fn new(pretty: bool) -> Self {
        let mut session = Self {
            reader: Reader::new(),
            pretty,
            negotiated: false,
            out_of_band: false,
            own_events: false,
            queue: VecDeque::new(),
            reply: Writer::new(pretty),
            output: Outgoing::default(),
            dropped_events: 0,
        };
        session.reply.member("QMP", &Greeting { version: VERSION, capabilities: ["oob", "x-events"] });
        session.finish_reply();
        session
    }

    /// What is to be sent.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    /// Forgets the first `sent` bytes of the output.
    pub fn sent(&mut self, sent: usize) {
        self.output.sent(sent);
    }

    /// Whether so much output waits that [`feed`](Self::feed) takes nothing.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.output.waiting().len() >= HIGH_WATER
    }

    /// Takes requests from `input` and runs them. Returns how many bytes it took: less than all only when
    /// it [is full](Self::is_full) or the program is about to end. Events that the commands emit are written here before the reply, and left in
    /// `emitted` for the other sessions.
    pub fn feed(&mut self, input: &[u8], context: &mut Context, emitted: &mut Vec<Event>) -> usize {
        let mut taken = 0;
        while !context.is_shutting_down() {
            // Out-of-band requests are run as they are read, past in-band ones that wait.
            while taken < input.len() && self.queue.len() < self.queue_length() && !self.is_full() {
                let (used, item) = self.reader.feed(&input[taken..]);
                taken += used;
                match item {
                    None => {}
                    Some(Err(error)) => self.queue.push_back(Waiting::Broken(error)),
                    Some(Ok(message)) if self.out_of_band && is_out_of_band(&message) => {
                        self.answer(message, context, emitted);
                    }
                    Some(Ok(message)) => self.queue.push_back(Waiting::Message(message)),
                }
            }
            if self.is_full() {
                return taken;
            }
            match self.queue.pop_front() {
                Some(Waiting::Message(message)) => self.answer(message, context, emitted),
                Some(Waiting::Broken(error)) => {
                    self.reply.error(None, &Error::generic(error));
                    self.finish_reply();
                }
                None if taken == input.len() => return taken,
                None => {}
            }
        }
        taken
    }

    /// Without the capability `oob`, one request is read and answered at a time.
    fn queue_length(&self) -> usize {
        if self.out_of_band { QUEUE_LENGTH } else { 1 }
    }

    /// Writes an event that others caused. One to a client that has not negotiated, that has not asked for events of its
    /// [kind](Event::is_own), or that has long stopped reading, is dropped.
    pub fn event(&mut self, event: &Event) {
        if !self.negotiated || (event.is_own() && !self.own_events) {
            return;
        }
        if self.output.waiting().len() >= EVENT_LIMIT {
            self.dropped_events += 1;
            return;
        }
        push_lines(self.output.end(), event.text(self.pretty).as_bytes());
    }

    /// Events that were dropped because the client does not read.
    #[must_use]
    pub fn dropped_events(&self) -> u64 {
        self.dropped_events
    }

    fn finish_reply(&mut self) {
        self.finish_reply_with(ReplySecrets::None);
    }

    fn finish_reply_with(&mut self, secrets: ReplySecrets) {
        tracing::debug!(reply = %Shown::reply(self.reply.text(), secrets));
        let kept = kept(self.reply.text().len());
        if self.pretty {
            push_lines(self.output.end(), self.reply.text());
        } else {
            self.reply.put(b"\r\n");
            self.output.append(self.reply.text_mut());
        }
        self.reply.clear(kept);
    }

    fn answer(&mut self, message: Value, context: &mut Context, emitted: &mut Vec<Event>) {
        tracing::debug!(request = %Shown::value(&message));
        let is_logged = tracing::enabled!(tracing::Level::DEBUG);
        let secrets = if is_logged { ReplySecrets::of(&message) } else { ReplySecrets::None };
        let Value::Object(mut members) = message else {
            self.reply.error(None, &Error::generic("QMP input must be a JSON object"));
            return self.finish_reply();
        };
        let id = members.shift_remove("id");
        let result = self.run(members, context, id.as_ref());
        for event in context.event_queue().take() {
            self.event(&event);
            emitted.push(event);
        }
        if let Err(error) = result {
            self.reply.clear(kept(0));
            self.reply.error(id.as_ref(), &error);
        }
        self.finish_reply_with(secrets);
    }

    /// Runs a request; on success the reply is written.
    fn run(
        &mut self,
        members: Map<String, Value>,
        context: &mut Context,
        id: Option<&Value>,
    ) -> Result<(), Error> {
        let out_of_band =
            self.out_of_band && members.contains_key("exec-oob") && !members.contains_key("execute");
        let request = check(members, self.out_of_band)?;
        if request.command == "qmp_capabilities" && !out_of_band {
            self.negotiate(request.arguments)?;
            self.reply.success(id, |reply| crate::Empty.serialize(reply).map_err(Error::generic))
        } else if self.negotiated {
            let entry = find(context, &request.command)?;
            if out_of_band && !entry.flags.allow_oob {
                return Err(Error::generic(format_args!("The command {} does not support OOB", entry.name)));
            }
            if context.is_preconfig() && !entry.flags.allow_preconfig {
                return Err(Error::generic(format_args!(
                    "The command '{}' is permitted only after machine initialization has completed",
                    entry.name
                )));
            }
            self.reply.success(id, |reply| entry.run(context, request.arguments, reply))
        } else {
            let desc = "Expecting capabilities negotiation with 'qmp_capabilities'";
            Err(Error::new(ErrorClass::CommandNotFound, desc))
        }
    }

    fn negotiate(&mut self, arguments: Map<String, Value>) -> Result<(), Error> {
        let negotiation: Negotiation = crate::arguments::from_members(arguments)?;
        if self.negotiated {
            let desc = "Capabilities negotiation is already complete, command ignored";
            return Err(Error::new(ErrorClass::CommandNotFound, desc));
        }
        let enabled = negotiation.enable.unwrap_or_default();
        self.out_of_band = enabled.contains(&Capability::OutOfBand);
        self.own_events = enabled.contains(&Capability::OwnEvents);
        self.negotiated = true;
        Ok(())
    }
}

/// Appends a message with the protocol's ends of lines. Only a pretty one has line feeds; strings have them escaped.
fn push_lines(output: &mut Vec<u8>, text: &[u8]) {
    for line in text.split(|&byte| byte == b'\n') {
        output.extend_from_slice(line);
        output.extend_from_slice(b"\r\n");
    }
}

fn find(context: &Context, name: &str) -> Result<crate::CommandEntry, Error> {
    context.commands().find(name).copied().ok_or_else(|| {
        Error::new(ErrorClass::CommandNotFound, format_args!("The command {name} has not been found"))
    })
}

fn is_out_of_band(message: &Value) -> bool {
    message.get("exec-oob").is_some() && message.get("execute").is_none()
}

/// Checks the form of a request, without its `id`. Of several mistakes, the reference reports the one that
/// its hash table has first, whatever the order in the text.
fn check(members: Map<String, Value>, allow_oob: bool) -> Result<Request, Error> {
    let mut command: Option<(String, String)> = None;
    let mut arguments = Map::new();
    let mut members: Vec<(String, Value)> = members.into_iter().collect();
    members.sort_by_key(|(name, _)| json::bucket(name.as_bytes()));
    for (name, value) in members {
        match (name.as_str(), value) {
            ("execute", value) => set_command(&mut command, name, value)?,
            ("exec-oob", value) if allow_oob => set_command(&mut command, name, value)?,
            ("arguments", Value::Object(members)) => arguments = members,
            ("arguments", _) => return Err(Error::generic("QMP input member 'arguments' must be an object")),
            _ => return Err(Error::generic(format_args!("QMP input member '{name}' is unexpected"))),
        }
    }
    match command {
        Some((_, command)) => Ok(Request { command, arguments }),
        None => Err(Error::generic("QMP input lacks member 'execute'")),
    }
}

fn set_command(command: &mut Option<(String, String)>, member: String, value: Value) -> Result<(), Error> {
    let Value::String(name) = value else {
        return Err(Error::generic(format_args!("QMP input member '{member}' must be a string")));
    };
    if let Some((other, _)) = command {
        return Err(Error::generic(format_args!("QMP input member '{member}' clashes with '{other}'")));
    }
    *command = Some((member, name));
    Ok(())
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    class: &'static str,
    desc: &'a str,
}

#[derive(Serialize)]
struct ErrorReply<'a> {
    id: Option<&'a Value>,
    error: ErrorObject<'a>,
}

impl Writer {
    /// `{"return": …, "id": …}`; the members are in the reference's order already.
    fn success(
        &mut self,
        id: Option<&Value>,
        value: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.begin("return");
        value(self)?;
        if let Some(id) = id {
            self.next("id");
            id.serialize(&mut *self).map_err(Error::generic)?;
        }
        self.end();
        Ok(())
    }

    fn error(&mut self, id: Option<&Value>, error: &Error) {
        let error = ErrorObject { class: error.class.as_str(), desc: &error.desc };
        let reply = ErrorReply { id, error };
        if let Err(error) = reply.serialize(self) {
            unreachable!("an error is text, and an id came from JSON: {error}");
        }
    }

    fn member(&mut self, name: &str, value: &impl Serialize) {
        self.begin(name);
        if let Err(error) = value.serialize(&mut *self) {
            unreachable!("the greeting is text and integers: {error}");
        }
        self.end();
    }
}
