//! The users of a chardev: a monitor or the guest's console.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use qmp::hmp::{Echo, HmpSession};
use qmp::{Context, Event, Session};

use super::console::ConsoleInput;
use crate::chardev::ConsoleBuffer;

/// Most bytes of input that wait for a guest to read them. They are taken so that the keys behind them, which may be meant
/// for a shared chardev itself, are seen even if the guest reads nothing.
const WAITING_BYTES: usize = 4096;

/// One user of a chardev. Monitors have a session while somebody is connected.
pub(super) enum Frontend {
    Qmp { pretty: bool, session: Option<Box<Session>> },
    Hmp { echo: Echo, session: Option<Box<HmpSession>> },
    Console { buffer: Arc<ConsoleBuffer>, input: ConsoleInput, waiting: Vec<u8>, output: Vec<u8> },
}

impl fmt::Debug for Frontend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qmp { .. } => "Qmp",
            Self::Hmp { .. } => "Hmp",
            Self::Console { .. } => "Console",
        })
    }
}

impl Frontend {
    pub(super) fn qmp(pretty: bool) -> Self {
        Self::Qmp { pretty, session: None }
    }

    pub(super) fn hmp(echo: Echo) -> Self {
        Self::Hmp { echo, session: None }
    }

    pub(super) fn console(buffer: Arc<ConsoleBuffer>, input: ConsoleInput) -> Self {
        Self::Console { buffer, input, waiting: Vec::new(), output: Vec::new() }
    }

    pub(super) fn is_console(&self) -> bool {
        matches!(self, Self::Console { .. })
    }

    /// Whether it is the console that writes there.
    pub(super) fn is_console_of(&self, of: &Arc<ConsoleBuffer>) -> bool {
        matches!(self, Self::Console { buffer, .. } if Arc::ptr_eq(buffer, of))
    }

    /// Whether it wants keys one by one, from a terminal.
    pub(super) fn takes_keys(&self) -> bool {
        matches!(self, Self::Console { .. } | Self::Hmp { echo: Echo::Terminal, .. })
    }

    /// Somebody connected.
    pub(super) fn opened(&mut self) {
        match self {
            Self::Qmp { pretty, session } => *session = Some(Box::new(Session::new(*pretty))),
            Self::Hmp { echo, session } => *session = Some(Box::new(HmpSession::new(*echo))),
            Self::Console { .. } => {}
        }
    }

    /// They went.
    pub(super) fn closed(&mut self) {
        match self {
            Self::Qmp { session, .. } => *session = None,
            Self::Hmp { session, .. } => *session = None,
            Self::Console { .. } => {}
        }
    }

    /// Takes input; returns how much.
    pub(super) fn feed(&mut self, input: &[u8], context: &mut Context, emitted: &mut Vec<Event>) -> usize {
        match self {
            Self::Qmp { session, .. } => {
                session.as_mut().map_or(input.len(), |session| session.feed(input, context, emitted))
            }
            Self::Hmp { session, .. } => {
                session.as_mut().map_or(input.len(), |session| session.feed(input, context, emitted))
            }
            Self::Console { input: receive, waiting, .. } => {
                let taken = if waiting.is_empty() { receive(input) } else { 0 };
                let kept = (input.len() - taken).min(WAITING_BYTES - waiting.len());
                waiting.extend_from_slice(&input[taken..taken + kept]);
                taken + kept
            }
        }
    }

    /// Gives a guest what it has room for of the input that waits for it.
    pub(super) fn feed_waiting(&mut self) {
        if let Self::Console { input: receive, waiting, .. } = self
            && !waiting.is_empty()
        {
            let taken = receive(waiting);
            waiting.drain(..taken);
        }
    }

    /// Whether input waits for a guest to read it.
    pub(super) fn has_waiting(&self) -> bool {
        matches!(self, Self::Console { waiting, .. } if !waiting.is_empty())
    }

    pub(super) fn event(&mut self, event: &Event) {
        if let Self::Qmp { session: Some(session), .. } = self {
            session.event(event);
        }
    }

    /// What is to be written.
    pub(super) fn output(&self) -> &[u8] {
        match self {
            Self::Qmp { session, .. } => session.as_ref().map_or(&[], |session| session.output()),
            Self::Hmp { session, .. } => session.as_ref().map_or(&[], |session| session.output()),
            Self::Console { output, .. } => output,
        }
    }

    pub(super) fn sent(&mut self, count: usize) {
        match self {
            Self::Qmp { session: Some(session), .. } => session.sent(count),
            Self::Hmp { session: Some(session), .. } => session.sent(count),
            Self::Console { output, .. } => {
                output.drain(..count.min(output.len()));
            }
            _ => {}
        }
    }

    /// Fetches what the guest wrote.
    pub(super) fn console_output(&mut self) {
        if let Self::Console { buffer, output, .. } = self {
            // As long as the last is not written, the rest waits in the bounded buffer.
            if output.is_empty() {
                buffer.take(output);
            }
        }
    }

    /// Whether what the frontend shows while it waits for input can be erased from one row.
    pub(super) fn is_in_one_row(&self) -> bool {
        match self {
            Self::Hmp { session: Some(session), .. } => session.is_in_one_row(),
            _ => true,
        }
    }

    /// What it writes again, in a row of its own, when something came in between.
    pub(super) fn prompt(&mut self) -> Option<Cow<'static, str>> {
        match self {
            Self::Hmp { session: Some(session), .. } => Some(session.prompt()),
            _ => None,
        }
    }
}
