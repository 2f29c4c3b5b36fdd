//! One chardev in the loop: its backend, who is connected, and who uses it.
//!
//! With one frontend, bytes go straight between it and the backend. Where several share a chardev, output goes
//! through a [`Mixer`], and a key begins a command to the chardev itself.

use std::io::{self, IsTerminal};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use qmp::{Context, Event, RunControl, ShutdownCause};

mod naming;
mod users;

pub use users::MAX_USERS;
pub(super) use users::room_for_one_more;

use super::ChardevInfo;
use super::descriptors::Descriptors;
use super::escape_key::EscapeKey;
use super::frontend::Frontend;
use super::mixer::Mixer;
use crate::chardev::object::Connection;
use crate::chardev::spec::{ChardevBackend, ChardevSpec};
use crate::chardev::{Endpoint, Keyboard, LogFile, OpenError, Ring, Stream, open};

/// A chardev with its backend and frontends.
#[derive(Debug)]
pub(super) struct Port {
    spec: ChardevSpec,
    /// What clients come to; none for a chardev that is connected once, or connects itself.
    endpoint: Option<Endpoint>,
    /// Who is connected.
    stream: Option<Stream>,
    /// The same, for everybody to see.
    connection: Connection,
    /// What is shown of it, once somebody has asked.
    infos: Option<Arc<[ChardevInfo]>>,
    first_token: usize,
    /// Where its descriptors are watched.
    registry: Arc<Registry>,
    frontends: Vec<Frontend>,
    focus: usize,
    log: Option<LogFile>,
    /// Something happened.
    due: bool,
    acceptable: bool,
    readable: bool,
    /// The other end has closed: what is left is to be read up to its end.
    hung_up: bool,
    /// The backend cannot be polled, as a file; it is always readable.
    always_readable: bool,
    /// The backend took less than it was given, so that room for more is watched for; at all other times it is not, because each
    /// reply that a client takes would be reported.
    blocked: bool,
    /// The first client is waited for at the start.
    waits: bool,
    /// Input that its frontend had no room for.
    pending: Vec<u8>,
    /// Output of several frontends.
    mixer: Mixer,
    /// When to connect again.
    reconnect_at: Option<Instant>,
    /// What its clients passed.
    descriptors: Descriptors,
    /// What begins a command to the chardev itself.
    escape: EscapeKey,
    /// The last byte was that.
    escaped: bool,
    exit_requested: bool,
    /// The user's terminal, while it gives keys.
    keyboard: Option<Keyboard>,
}

impl Port {
    /// A port for an opened backend, watched from now on.
    pub(super) fn new(
        spec: ChardevSpec,
        endpoint: Endpoint,
        first_token: usize,
        escape: EscapeKey,
        registry: Arc<Registry>,
    ) -> Result<Self, OpenError> {
        let log = match &spec.logfile {
            None => None,
            Some(log) => Some(LogFile::open(log)?),
        };
        let waits = matches!(&spec.backend, ChardevBackend::Socket(socket) if socket.server && socket.wait);
        let mut port = Self {
            spec,
            endpoint: None,
            stream: None,
            connection: Connection::default(),
            infos: None,
            first_token,
            registry,
            frontends: Vec::new(),
            focus: 0,
            log,
            due: true,
            acceptable: true,
            readable: false,
            hung_up: false,
            always_readable: false,
            blocked: false,
            waits,
            pending: Vec::new(),
            mixer: Mixer::default(),
            reconnect_at: None,
            descriptors: Descriptors::default(),
            escape,
            escaped: false,
            exit_requested: false,
            keyboard: None,
        };
        match endpoint {
            Endpoint::Connected(stream) => port.connected(stream)?,
            Endpoint::Pty { control, name, link } => {
                crate::report::info(format_args!(
                    "char device redirected to {} (label {})",
                    name.display(),
                    port.spec.id
                ));
                port.endpoint = Some(Endpoint::Pty { control: Stream::pair(None, None), name, link });
                port.connected(control)?;
            }
            Endpoint::Listening { listener, file } => {
                port.registry.register(
                    &mut SourceFd(&listener.fd()),
                    Token(first_token),
                    Interest::READABLE,
                )?;
                port.endpoint = Some(Endpoint::Listening { listener, file });
            }
            Endpoint::Disconnected(why) => {
                let id = &port.spec.id;
                crate::report::error(format_args!("Unable to connect character device {id}: {why}"));
                port.plan_reconnect();
            }
        }
        Ok(port)
    }

    pub(super) fn id(&self) -> &str {
        &self.spec.id
    }

    /// Ends the connection, which is then found out as if the other end had.
    pub(super) fn shut_down(&self) {
        if let Some(stream) = &self.stream {
            stream.shut_down();
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn backend(&self) -> &ChardevBackend {
        &self.spec.backend
    }

    /// Whether standard input is a terminal, and this.
    fn is_terminal(&self) -> bool {
        matches!(self.spec.backend, ChardevBackend::Stdio { .. }) && io::stdin().is_terminal()
    }

    /// Whether a user sits at the backend, whose keys come one by one and are not echoed.
    pub(super) fn is_interactive(&self) -> bool {
        match &self.spec.backend {
            ChardevBackend::Pty { .. } => true,
            ChardevBackend::Socket(socket) => socket.telnet,
            _ => self.is_terminal(),
        }
    }

    /// What its clients passed.
    pub(super) fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    /// Whether several users may share it.
    pub(super) fn is_shared(&self) -> bool {
        self.spec.mux
    }

    /// The memory that it writes to, if it is that.
    pub(super) fn ring(&self) -> Option<&Ring> {
        self.stream.as_ref()?.ring()
    }

    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// The kernel reports something: on the listener (0), the input (1) or the output (2).
    pub(super) fn note(&mut self, source: usize, event: &mio::event::Event) {
        self.due = true;
        match source {
            0 => self.acceptable = true,
            _ => {
                self.readable |= event.is_readable() || event.is_read_closed();
                self.hung_up |= source == 1 && event.is_read_closed();
                // A pipe whose reader has left says only that; the next write finds it out.
                if event.is_writable() || event.is_write_closed() || event.is_error() {
                    self.set_blocked(false);
                }
            }
        }
    }

    /// Notes whether the backend takes more, and watches for it while it does not.
    fn set_blocked(&mut self, blocked: bool) {
        if std::mem::replace(&mut self.blocked, blocked) == blocked {
            return;
        }
        let Some(stream) = &self.stream else { return };
        let result = match (stream.output_fd(), stream.input_fd()) {
            (Some(output), _) if blocked => self.watch(output, 2, Interest::WRITABLE),
            (Some(output), _) => self.registry.deregister(&mut SourceFd(&output)),
            (None, Some(both)) => {
                let room = blocked.then_some(Interest::WRITABLE);
                let interest = room.map_or(Interest::READABLE, |room| room | Interest::READABLE);
                self.registry.reregister(&mut SourceFd(&both), Token(self.first_token + 1), interest)
            }
            (None, None) => Ok(()),
        };
        if let Err(error) = result {
            // Nobody would tell when there is room again.
            tracing::warn!("chardev '{}': {error}", self.spec.id);
            self.disconnected();
        }
    }

    /// Whether there may be something to do.
    pub(super) fn is_due(&self) -> bool {
        self.due || self.deadline().is_some_and(|deadline| deadline <= Instant::now())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.mixer.deadline(), self.reconnect_at].into_iter().flatten().min()
    }

    fn watch(&mut self, fd: RawFd, token: usize, interest: Interest) -> io::Result<()> {
        match self.registry.register(&mut SourceFd(&fd), Token(self.first_token + token), interest) {
            // A file cannot be polled and never blocks.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                self.always_readable |= interest.is_readable();
                Ok(())
            }
            result => result,
        }
    }

    fn connected(&mut self, stream: Stream) -> io::Result<()> {
        self.always_readable = false;
        if let Some(input) = stream.input_fd() {
            self.watch(input, 1, Interest::READABLE)?;
        }
        self.stream = Some(stream);
        self.connection.set(true);
        self.infos = None;
        self.hung_up = false;
        self.waits = false;
        self.blocked = false;
        self.readable = true;
        self.due = true;
        self.reconnect_at = None;
        self.frontends.iter_mut().for_each(Frontend::opened);
        Ok(())
    }

    /// Takes what is connected out of the poll. Closing it would not where somebody else has the same open file, whose descriptor
    /// it was or who passed it.
    fn unwatch(&self) {
        let Some(stream) = &self.stream else { return };
        let output = stream.output_fd().filter(|_| self.blocked);
        for fd in stream.input_fd().into_iter().chain(output) {
            // Files are not there.
            let _ = self.registry.deregister(&mut SourceFd(&fd));
        }
    }

    fn disconnected(&mut self) {
        self.unwatch();
        self.stream = None;
        self.connection.set(false);
        self.infos = None;
        self.readable = false;
        self.blocked = false;
        self.pending.clear();
        self.mixer.clear();
        self.escaped = false;
        self.descriptors.client_gone();
        self.frontends.iter_mut().for_each(Frontend::closed);
        self.plan_reconnect();
    }

    fn plan_reconnect(&mut self) {
        if let ChardevBackend::Socket(socket) = &self.spec.backend
            && !socket.server
            && socket.reconnect_ms > 0
        {
            self.reconnect_at = Some(Instant::now() + Duration::from_millis(socket.reconnect_ms));
        }
    }

    /// Takes the next client, if there is none and one waits.
    pub(super) fn accept(&mut self) {
        if self.stream.is_some() || !self.acceptable {
            return;
        }
        let Some(Endpoint::Listening { listener, .. }) = &self.endpoint else { return };
        match listener.accept() {
            Ok(None) => self.acceptable = false,
            Ok(Some(stream)) => {
                if let Err(error) = self.connected(stream) {
                    tracing::warn!("chardev '{}': {error}", self.spec.id);
                    self.disconnected();
                }
            }
            Err(error) => {
                // Out of descriptors, or the client has gone already; the next event tries again.
                tracing::warn!("chardev '{}' cannot accept a client: {error}", self.spec.id);
                self.acceptable = false;
            }
        }
    }

    fn reconnect(&mut self) {
        self.reconnect_at = None;
        match open(&self.spec.backend) {
            Ok(Endpoint::Connected(stream)) => {
                if let Err(error) = self.connected(stream) {
                    tracing::warn!("chardev '{}': {error}", self.spec.id);
                    self.disconnected();
                }
            }
            Ok(_) | Err(_) => self.plan_reconnect(),
        }
    }

    /// Does what there is to do, with at most one read.
    pub(super) fn serve(&mut self, context: &mut Context, buffer: &mut [u8], emitted: &mut Vec<Event>) {
        self.due = false;
        let now = Instant::now();
        if self.reconnect_at.is_some_and(|at| at <= now) {
            self.reconnect();
        }
        self.accept();
        self.flush();
        self.frontends.iter_mut().for_each(Frontend::feed_waiting);
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.take_input(&pending, context, emitted);
        } else if self.reads() {
            match self.stream.as_ref().map(|stream| stream.read(buffer)) {
                None => self.readable = false,
                Some(Ok(0)) => self.end_of_input(context, emitted),
                Some(Ok(count)) => {
                    // A short read emptied the source: whatever comes then is reported anew. Only its end may
                    // have been reported already.
                    self.readable = self.always_readable || self.hung_up || count == buffer.len();
                    self.descriptors
                        .receive(self.stream.as_ref().map(Stream::take_passed).unwrap_or_default());
                    self.take_input(&buffer[..count], context, emitted);
                }
                Some(Err(error)) => self.input_error(&error),
            }
        }
        self.flush();
        if self.stream.is_none() {
            self.accept();
        }
        let can_feed = self.pending.is_empty() && self.reads();
        let can_go_on = !self.pending.is_empty() && self.focused_has_room();
        self.due = can_feed || can_go_on || (self.stream.is_some() && self.due);
    }

    /// Whether there may be input for somebody. What comes while nobody uses the chardev waits in the backend, until that is at its end.
    fn reads(&self) -> bool {
        self.readable && (self.has_frontend() || self.hung_up)
    }

    /// Whether input that was left over has a chance now: after its client has read replies. A console says so itself.
    fn focused_has_room(&self) -> bool {
        match self.frontends.get(self.focus) {
            Some(Frontend::Qmp { session: Some(session), .. }) => !session.is_full(),
            Some(Frontend::Hmp { session: Some(session), .. }) => !session.is_full(),
            _ => false,
        }
    }

    fn input_error(&mut self, error: &io::Error) {
        self.readable = false;
        self.hung_up = false;
        let pty = matches!(self.endpoint, Some(Endpoint::Pty { .. }));
        match error.raw_os_error() {
            _ if error.kind() == io::ErrorKind::WouldBlock => {}
            // Nobody has the other end of the terminal open.
            Some(libc::EIO) if pty => {}
            _ => self.disconnected(),
        }
    }

    fn end_of_input(&mut self, context: &mut Context, emitted: &mut Vec<Event>) {
        self.readable = false;
        match (&mut self.stream, &self.spec.backend) {
            // What is written still arrives; a line without an end is a line.
            (
                Some(stream),
                ChardevBackend::Stdio { .. }
                | ChardevBackend::File { .. }
                | ChardevBackend::Null
                | ChardevBackend::Ringbuf { .. },
            ) => {
                if let (Some(input), Some(_)) = (stream.input_fd(), stream.output_fd()) {
                    let _ = self.registry.deregister(&mut SourceFd(&input));
                }
                stream.close_input();
                if let Some(Frontend::Hmp { session: Some(session), .. }) = self.frontends.get_mut(self.focus)
                {
                    session.end_of_input(context, emitted);
                }
            }
            _ => self.disconnected(),
        }
    }

    /// Hands input to the frontend in focus; what it does not take waits.
    fn take_input(&mut self, input: &[u8], context: &mut Context, emitted: &mut Vec<Event>) {
        if !self.spec.mux {
            let taken = match self.frontends.get_mut(self.focus) {
                Some(frontend) => frontend.feed(input, context, emitted),
                None => input.len(),
            };
            self.pending.extend_from_slice(&input[taken..]);
            return;
        }
        let mut rest = input;
        while let Some((&first, after)) = rest.split_first() {
            if self.escaped {
                self.escaped = false;
                rest = after;
                if !self.escape.is(first) {
                    self.command(first);
                    continue;
                }
                // Twice means once, to the frontend.
                self.feed_focused(&[first], context, emitted);
                continue;
            }
            if self.escape.is(first) {
                self.escaped = true;
                rest = after;
                continue;
            }
            let end = self.escape.find(rest);
            let taken = self.feed_focused(&rest[..end], context, emitted);
            if taken < end {
                self.pending.extend_from_slice(&rest[taken..]);
                return;
            }
            rest = &rest[end..];
        }
    }

    fn feed_focused(&mut self, input: &[u8], context: &mut Context, emitted: &mut Vec<Event>) -> usize {
        self.frontends
            .get_mut(self.focus)
            .map_or(input.len(), |frontend| frontend.feed(input, context, emitted))
    }

    /// What follows the key.
    fn command(&mut self, key: u8) {
        match key {
            b'c' if self.frontends.len() > 1 => self.set_focus((self.focus + 1) % self.frontends.len()),
            b'x' => {
                self.mixer.say(b"\r\nterminated\r\n");
                self.exit_requested = true;
            }
            b'h' | b'?' => self.mixer.say(self.escape.help().as_bytes()),
            _ => {}
        }
    }

    /// Ends the program if the user asked for it here; whether the loop is to stop because nobody else can.
    pub(super) fn take_exit_request(&mut self, context: &mut Context) -> bool {
        if !std::mem::take(&mut self.exit_requested) {
            return false;
        }
        match context.get_mut::<Box<dyn RunControl>>() {
            Some(control) => {
                control.shutdown(ShutdownCause::HostUi);
                false
            }
            None => true,
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        self.frontends.iter_mut().for_each(|frontend| frontend.event(event));
    }

    /// The guest wrote to a console.
    pub(super) fn console_output(&mut self) {
        if self.frontends.iter().any(Frontend::is_console) {
            self.flush();
        }
    }

    /// The guest took input.
    pub(super) fn console_has_room(&mut self) {
        self.due |= !self.pending.is_empty() || self.frontends.iter().any(Frontend::has_waiting);
    }

    /// Writes what waits, as far as the backend takes it.
    pub(super) fn flush(&mut self) {
        loop {
            self.frontends.iter_mut().for_each(Frontend::console_output);
            let shared = self.frontends.len() > 1 || self.spec.mux;
            if shared {
                let terminal = self.is_interactive();
                self.mixer.mix(&mut self.frontends, self.focus, terminal);
            }
            let output = if shared {
                self.mixer.output()
            } else {
                self.frontends.first().map_or(&[][..], Frontend::output)
            };
            if output.is_empty() || self.blocked {
                return;
            }
            // Nobody is there to read: a console's output is lost, as on an unplugged wire.
            let written = match &self.stream {
                None => Ok(output.len()),
                Some(stream) => stream.write(output),
            };
            match written {
                Ok(count) => {
                    if let Some(log) = &mut self.log
                        && let Err(error) = log.write(&output[..count])
                    {
                        tracing::warn!("chardev '{}': log file: {error}", self.spec.id);
                        self.log = None;
                    }
                    if shared {
                        self.mixer.sent(count);
                    } else if let Some(frontend) = self.frontends.first_mut() {
                        frontend.sent(count);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.set_blocked(true);
                    return;
                }
                Err(_) => {
                    self.disconnected();
                    self.due = true;
                    return;
                }
            }
        }
    }

    /// Writes the last of it; nothing is held back any more.
    pub(super) fn finish(&mut self) {
        self.mixer.end_line();
        self.flush();
    }

    /// Whether output waits for somebody who may still read it.
    pub(super) fn has_output(&self) -> bool {
        let waiting = !self.mixer.output().is_empty()
            || self.frontends.iter().any(|frontend| !frontend.output().is_empty());
        self.stream.is_some() && waiting
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.unwatch();
        if let Some(Endpoint::Listening { listener, .. }) = &self.endpoint {
            let _ = self.registry.deregister(&mut SourceFd(&listener.fd()));
        }
        if let Some(Endpoint::Pty { link: Some(link), .. }) = &self.endpoint {
            // It points to a terminal that is going away; somebody may have removed it already.
            let _ = std::fs::remove_file(link);
        }
    }
}
