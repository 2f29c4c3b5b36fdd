//! One stream out of several frontends' output.
//!
//! The frontend in focus writes as it likes. A console beside a monitor in focus writes whole lines: if the
//! monitor's prompt stands on the line, a terminal erases it first (`\r`, `ESC [ K`), anything else gets a new
//! line; after the console's lines the prompt is written again, with what was typed behind it where the monitor edits lines.
//! Elsewhere what a user has typed and not ended is still taken, although it no longer stands behind the prompt. A console's line that does not end is written
//! as one after [`LINE_WAIT`].

use std::time::{Duration, Instant};

use super::frontend::Frontend;

/// How long a console's line that does not end is held back.
const LINE_WAIT: Duration = Duration::from_millis(100);

/// A console's line that is longer is written in pieces.
const LINE_BYTES: usize = 4096;

/// Collects output.
#[derive(Debug, Default)]
pub(super) struct Mixer {
    mixed: Vec<u8>,
    /// A console's unfinished line, and until when it waits for its end.
    line: Vec<u8>,
    line_until: Option<Instant>,
}

impl Mixer {
    /// What is to be written.
    pub(super) fn output(&self) -> &[u8] {
        &self.mixed
    }

    /// Forgets what was written.
    pub(super) fn sent(&mut self, count: usize) {
        self.mixed.drain(..count);
    }

    /// Nobody is there any more to read it.
    pub(super) fn clear(&mut self) {
        self.mixed.clear();
    }

    /// Adds a text of the chardev's own.
    pub(super) fn say(&mut self, text: &[u8]) {
        self.mixed.extend_from_slice(text);
    }

    /// When an unfinished line has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.line_until
    }

    /// An unfinished line waits no longer.
    pub(super) fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.line_until = Some(Instant::now());
        }
    }

    /// Takes the output of all frontends, once what was taken before is written.
    pub(super) fn mix(&mut self, frontends: &mut [Frontend], focus: usize, terminal: bool) {
        if !self.mixed.is_empty() {
            return;
        }
        for (at, frontend) in frontends.iter_mut().enumerate() {
            let output = frontend.output();
            let beside = frontend.is_console() && at != focus;
            if beside { &mut self.line } else { &mut self.mixed }.extend_from_slice(output);
            let count = output.len();
            frontend.sent(count);
        }
        let now = Instant::now();
        let overdue = self.line_until.is_some_and(|until| until <= now);
        let whole = match self.line.iter().rposition(|&byte| byte == b'\n') {
            _ if overdue || self.line.len() > LINE_BYTES => self.line.len(),
            Some(end) => end + 1,
            None => 0,
        };
        if whole > 0 {
            let prompt = frontends.get(focus).and_then(Frontend::prompt);
            if prompt.is_some() {
                let erase: &[u8] = if terminal { b"\r\x1b[K" } else { b"\r\n" };
                self.mixed.extend_from_slice(erase);
            }
            self.mixed.extend(self.line.drain(..whole));
            if !self.mixed.ends_with(b"\n") {
                self.mixed.extend_from_slice(b"\r\n");
            }
            self.mixed.extend_from_slice(prompt.unwrap_or_default().as_bytes());
        }
        self.line_until = match self.line_until {
            _ if self.line.is_empty() => None,
            Some(until) if !overdue => Some(until),
            _ => Some(now + LINE_WAIT),
        };
    }
}
