//! The main loop: one thread that serves all clients and runs all commands.
//!
//! It waits for input of [chardevs](crate::chardev), for signals, and for what other threads post, and acts on
//! one at a time. Commands run on this thread, between reading their request and writing their reply, so they
//! need no lock against each other. Whoever else has something for the machine to do *posts* it
//! ([`Handle::post`], or [`Handle::post_after`] for later) and goes on: a vCPU thread never waits for the main loop, and so the main loop may wait for vCPU
//! threads.
//!
//! # Clients that do not behave
//!
//! Nothing here blocks on a client. A request is read when there is room for its reply; a client that does
//! not read gets no further request served beyond [`qmp::session::HIGH_WATER`] bytes of replies and no events beyond
//! [`qmp::session::EVENT_LIMIT`]. A listening socket has one client at a time; others wait in the
//! kernel's queue until it has gone.
//!
//! # One terminal, two users
//!
//! A chardev that is shared (`mux`) has one frontend in focus, which gets the input. The console's output
//! beside a monitor comes in whole lines, each on a line of its own, and the monitor's prompt is repeated after
//! them; the module `mixer` has the rules. Ctrl-A C moves the focus, Ctrl-A H tells what else there is; `-echr` gives another key than
//! Ctrl-A.

mod console;
mod descriptors;
mod escape_key;
mod frontend;
mod mixer;
mod port;
mod queue;
mod signals;
mod table;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use qmp::hmp::Echo;
use qmp::{Context, Event, RunControl, ShutdownCause};

use crate::chardev::object::Connection;
use crate::chardev::spec::{
    ChardevBackend, ChardevSpec, MonitorMode, MonitorSpec, SocketAddress, SocketSpec,
};
use crate::chardev::{ConsoleSink, OpenError};
pub use console::{Attachment, ConsoleInput, Consoles};
pub use descriptors::Descriptors;
pub use escape_key::EscapeKey;
use frontend::Frontend;
pub use port::MAX_USERS;
use port::Port;
use queue::Queue;
pub use queue::{Handle, Timer};
use signals::Signals;
pub use table::{ChangeError, Chardevs, RemoveError, RingError};

/// Tokens of what is no chardev.
const WAKE: Token = Token(0);
const SIGNAL: Token = Token(1);
/// Each chardev has three tokens from here on: its listener, its input, its output.
const FIRST_PORT: usize = 3;
const TOKENS_PER_PORT: usize = 3;

/// Size of one read: what a client may send before another gets its turn.
const READ_BYTES: usize = 64 << 10;

/// How long output may take that is left when the program ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A chardev as `query-chardev` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChardevInfo {
    /// Its name.
    pub label: String,
    /// What it is connected to, and how.
    pub filename: String,
    /// A frontend uses it.
    pub frontend_open: bool,
}

/// The main loop with its chardevs.
#[derive(Debug)]
pub struct MainLoop {
    poll: Poll,
    queue: Arc<Queue>,
    signals: Signals,
    chardevs: Chardevs,
    stopping: bool,
}

impl MainLoop {
    /// A loop without chardevs. From here on SIGTERM, SIGINT and SIGHUP end the loop and not the process.
    ///
    /// # Errors
    /// The system's, for want of descriptors.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let signals = Signals::new(poll.registry(), SIGNAL)?;
        let chardevs = Chardevs::new(poll.registry())?;
        Ok(Self { poll, queue: Queue::new(waker), signals, chardevs, stopping: false })
    }

    /// Says what begins a command to a shared chardev; to those that are added from here on.
    pub fn set_escape_key(&mut self, key: EscapeKey) {
        self.chardevs.set_escape_key(key);
    }

    /// A way to reach the loop from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(self.queue.clone())
    }

    /// Opens a chardev. Clients are served when [`run`](Self::run) runs. Returns where it tells whether it is connected.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn add_chardev(&mut self, spec: &ChardevSpec) -> Result<Connection, OpenError> {
        self.chardevs.add(spec)
    }

    /// Puts a monitor on a chardev.
    ///
    /// # Errors
    /// [`OpenError::NotFound`]; [`OpenError::InUse`] for a second frontend of one that is not shared, [`OpenError::TooManyUsers`] for
    /// one too many of one that is.
    pub fn add_monitor(&mut self, spec: &MonitorSpec) -> Result<(), OpenError> {
        self.port(&spec.chardev, |port| {
            let frontend = match spec.mode {
                MonitorMode::Control { pretty } => Frontend::qmp(pretty),
                MonitorMode::Readline => {
                    Frontend::hmp(if port.is_interactive() { Echo::Terminal } else { Echo::Lines })
                }
            };
            port.attach(frontend);
            if let ChardevBackend::Socket(SocketSpec {
                address: SocketAddress::Tcp { host, port, .. },
                server: true,
                ..
            }) = port.backend()
            {
                crate::report::warning(format_args!(
                    "monitor on TCP {host}:{port}: whoever can reach that address controls this machine"
                ));
            }
            // A client that is connected already (standard input, an inherited socket) is greeted at once, as in the reference:
            // it learns the version while the machine is being made.
            if matches!(spec.mode, MonitorMode::Control { .. }) {
                port.flush();
            }
        })
    }

    /// Puts a guest's console on a chardev ([`Consoles::attach`]) for as long as the loop runs.
    ///
    /// # Errors
    /// As [`add_monitor`](Self::add_monitor).
    pub fn add_console(&mut self, chardev: &str, input: ConsoleInput) -> Result<ConsoleSink, OpenError> {
        let (sink, attachment) = self.consoles().attach(chardev, input)?;
        attachment.keep();
        Ok(sink)
    }

    /// A way to put consoles on chardevs, from any thread.
    #[must_use]
    pub fn consoles(&self) -> Consoles {
        Consoles::new(self.queue.clone(), self.chardevs.clone())
    }

    /// Does something with a chardev that takes a user.
    fn port<R>(&mut self, chardev: &str, act: impl FnOnce(&mut Port) -> R) -> Result<R, OpenError> {
        let acted = self.chardevs.named(chardev, |port| port.accepts_frontend().map(|()| act(port)));
        acted.ok_or_else(|| OpenError::NotFound(chardev.to_owned()))?
    }

    /// All chardevs.
    #[must_use]
    pub fn chardevs(&self) -> Vec<ChardevInfo> {
        self.chardevs.infos()
    }

    /// Blocks until every chardev with `wait` has its first client, as the start of the program does. `announce` is
    /// told each one that is waited for, in the form `disconnected:unix:PATH,server=on`. A signal ends the wait.
    ///
    /// # Errors
    /// The system's.
    pub fn wait_for_clients(&mut self, mut announce: impl FnMut(&str)) -> io::Result<()> {
        let mut events = Events::with_capacity(16);
        for at in 0..self.chardevs.places() {
            let waits = |this: &Self| this.chardevs.at(at, |port| port.waits()) == Some(true);
            if !waits(self) {
                continue;
            }
            self.chardevs.at(at, |port| announce(&port.filename()));
            while waits(self) {
                self.poll(&mut events, None)?;
                self.chardevs.each(|_, port| {
                    port.accept();
                    port.flush();
                });
                if self.signals.pending().is_some() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Waits for something to happen and notes it.
    fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in events.iter() {
            let Some(at) = event.token().0.checked_sub(FIRST_PORT) else {
                if event.token() == SIGNAL {
                    self.signals.arrived();
                }
                continue;
            };
            self.chardevs.at(at / TOKENS_PER_PORT, |port| port.note(at % TOKENS_PER_PORT, event));
        }
        Ok(())
    }

    /// Serves until the machine's [`RunControl`] is shutting down, or [`Handle::stop`]. What is left to write then
    /// gets a second to go out.
    ///
    /// # Errors
    /// The system's, of waiting. A failing client is no error.
    pub fn run(&mut self, context: &mut Context) -> io::Result<()> {
        let wake = self.handle();
        context.event_queue().set_wake(move || wake.wake());
        context.insert(self.chardevs.clone());
        let mut events = Events::with_capacity(64);
        let mut buffer = vec![0; READ_BYTES];
        self.serve_posted(context);
        while !self.stopping && !context.is_shutting_down() {
            // A chardev that is a file is never reported, and can have input from the start.
            let timeout = if self.is_due() { Some(Duration::ZERO) } else { self.next_deadline() };
            self.poll(&mut events, timeout)?;
            if let Some(signal) = self.signals.take() {
                self.on_signal(signal, context);
            }
            self.serve_posted(context);
            for at in 0..self.chardevs.places() {
                self.serve(at, context, &mut buffer);
            }
            self.deliver(&context.event_queue().take(), None);
        }
        self.finish(context)
    }

    /// When a chardev wants to be served without input, or something posted is due, from now.
    fn next_deadline(&self) -> Option<Duration> {
        let mut deadlines = Vec::new();
        self.chardevs.each(|_, port| deadlines.extend(port.deadline()));
        let now = Instant::now();
        let ports = deadlines.into_iter().min().map(|deadline| deadline.saturating_duration_since(now));
        ports.into_iter().chain(self.queue.next_timer()).min()
    }

    /// Whether a chardev has something to do at once.
    fn is_due(&self) -> bool {
        let mut due = false;
        self.chardevs.each(|_, port| due |= port.is_due());
        due
    }

    /// Serves one chardev, if it has something to do.
    fn serve(&mut self, at: usize, context: &mut Context, buffer: &mut [u8]) {
        if self.chardevs.at(at, |port| port.is_due()) != Some(true) {
            return;
        }
        let Some(mut port) = self.chardevs.take(at) else { return };
        let mut emitted = Vec::new();
        context.insert(port.descriptors().clone());
        port.serve(context, buffer, &mut emitted);
        self.stopping |= port.take_exit_request(context);
        self.chardevs.put(at, port);
        self.deliver(&emitted, Some(at));
    }

    /// Gives events to all sessions but the one that has them already.
    fn deliver(&mut self, events: &[Event], except: Option<usize>) {
        if events.is_empty() {
            return;
        }
        self.chardevs.each(|at, port| {
            if except != Some(at) {
                events.iter().for_each(|event| port.event(event));
                port.flush();
            }
        });
    }

    fn serve_posted(&mut self, context: &mut Context) {
        for request in self.queue.take() {
            request(context);
        }
        self.deliver(&context.event_queue().take(), None);
        if self.queue.take_console_output() {
            self.chardevs.each(|_, port| port.console_output());
        }
        if self.queue.take_console_room() {
            self.chardevs.each(|_, port| port.console_has_room());
        }
        self.stopping |= self.queue.is_stopping();
    }

    fn on_signal(&mut self, signal: i32, context: &mut Context) {
        crate::report::error(format_args!("terminating on signal {signal}"));
        match context.get_mut::<Box<dyn RunControl>>() {
            Some(control) => control.shutdown(ShutdownCause::HostSignal),
            None => self.stopping = true,
        }
    }

    /// The last output, within [`LAST_WORDS`].
    fn finish(&mut self, context: &mut Context) -> io::Result<()> {
        self.serve_posted(context);
        self.chardevs.each(|_, port| port.console_output());
        let end = Instant::now() + LAST_WORDS;
        let mut events = Events::with_capacity(16);
        loop {
            let mut more = false;
            self.chardevs.each(|_, port| {
                port.finish();
                more |= port.has_output();
            });
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !more {
                return Ok(());
            }
            self.poll(&mut events, Some(left))?;
        }
    }
}

impl Drop for MainLoop {
    fn drop(&mut self) {
        // Commands may still have the table; the chardevs end with the loop.
        self.chardevs.close();
    }
}

#[cfg(test)]
mod tests;
