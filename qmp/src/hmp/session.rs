//! One person's conversation: keys or a script in, text out.
//!
//! On a terminal the session is an editor: it takes keys one by one and shows what becomes of the line. Anywhere else (a pipe,
//! a socket) a line is taken when its end (`\r` or `\n`) is there, backspace and Ctrl-U edit it, escape sequences and other
//! control characters are passed over, and the line is echoed when it is taken, so that a transcript reads like a session.
//! (The reference echoes every key with cursor movements, also into pipes.)

use std::borrow::Cow;

use super::complete::completions;
use super::editor::{Editor, Request};
use super::{MonitorState, execute_in};
use crate::version::VERSION;
use crate::{Context, Event};

/// What asks for a line. Programs that drive QEMU's monitor wait for it.
pub const PROMPT: &str = "(qemu) ";

/// Longest line in bytes; what goes beyond is dropped, as the reference does.
const LINE_BYTES: usize = 4095;

/// With this many bytes of output waiting, no further line is taken.
const HIGH_WATER: usize = 256 << 10;

/// The first line of a session, with its end.
#[must_use]
pub fn banner() -> String {
    format!("{} monitor - type 'help' for more information\r\n", VERSION.package)
}

/// Who shows the user what they type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// This session, key by key: a terminal that neither echoes nor edits by itself.
    Terminal,
    /// This session, a line at a time.
    Lines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// After ESC.
    Begun,
    /// After ESC `[`, up to a letter or `~`.
    Sequence,
}

/// A human monitor session, from banner to hang-up.
#[derive(Debug)]
pub struct HmpSession {
    /// On a terminal.
    editor: Option<Editor>,
    line: Vec<u8>,
    escape: Escape,
    /// The last byte was `\r`, so that a `\n` belongs to it.
    after_return: bool,
    output: Vec<u8>,
    state: MonitorState,
}

impl HmpSession {
    /// A session whose first output is the banner and the prompt.
    #[must_use]
    pub fn new(echo: Echo) -> Self {
        let output = [banner().as_bytes(), PROMPT.as_bytes()].concat();
        let editor = (echo == Echo::Terminal).then(|| Editor::new(LINE_BYTES));
        Self {
            editor,
            line: Vec::new(),
            escape: Escape::None,
            after_return: false,
            output,
            state: MonitorState::default(),
        }
    }

    /// What is to be sent.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Forgets the first `sent` bytes of the output.
    pub fn sent(&mut self, sent: usize) {
        self.output.drain(..sent.min(self.output.len()));
    }

    /// Whether so much output waits that [`feed`](Self::feed) takes nothing.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.output.len() >= HIGH_WATER
    }

    /// Whether what the session shows while it waits for input stands in one row of any terminal, so that one can erase it. A long line
    /// that was echoed as it was typed does not.
    #[must_use]
    pub fn is_in_one_row(&self) -> bool {
        self.editor.as_ref().is_none_or(|editor| editor.is_in_one_row(PROMPT))
    }

    /// What is to be written in a row of its own when something else was written while the session waits for input: the prompt, and the
    /// line or the part of it that one row can show. The session takes it for written.
    #[must_use]
    pub fn prompt(&mut self) -> Cow<'static, str> {
        match &mut self.editor {
            Some(editor) => format!("{PROMPT}{}", editor.shown(PROMPT)).into(),
            None => PROMPT.into(),
        }
    }

    /// Takes lines from `input` and runs them; returns how many bytes it took: less than all only when it
    /// [is full](Self::is_full) or when the machine is shutting down. Events that the commands emit are left in `emitted`.
    pub fn feed(&mut self, input: &[u8], context: &mut Context, emitted: &mut Vec<Event>) -> usize {
        for (at, &byte) in input.iter().enumerate() {
            if self.is_full() || context.is_shutting_down() {
                return at;
            }
            if self.editor.is_some() {
                self.edit(byte, context, emitted);
            } else if self.takes(byte) {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                self.output.extend_from_slice(line.as_bytes());
                self.output.extend_from_slice(b"\r\n");
                self.run(&line, context, emitted);
            }
        }
        input.len()
    }

    /// Gives a key to the editor and does what it asks for.
    fn edit(&mut self, byte: u8, context: &mut Context, emitted: &mut Vec<Event>) {
        let Some(editor) = &mut self.editor else { return };
        let mut screen = String::new();
        let request = editor.feed(byte, PROMPT, &mut self.state.lines, &mut screen);
        match &request {
            Some(Request::Complete) => {
                let words = completions(context, editor.before_cursor());
                editor.complete(&words, PROMPT, &mut screen);
            }
            Some(Request::Prompt) => screen.push_str(PROMPT),
            _ => {}
        }
        self.output.extend_from_slice(screen.as_bytes());
        if let Some(Request::Run(line)) = request {
            self.run(&line, context, emitted);
        }
    }

    fn run(&mut self, line: &str, context: &mut Context, emitted: &mut Vec<Event>) {
        let text = execute_in(line, context, &mut self.state);
        self.output.extend_from_slice(text.as_bytes());
        emitted.extend(context.event_queue().take());
        if !context.is_shutting_down() {
            self.output.extend_from_slice(PROMPT.as_bytes());
        }
    }

    /// Input has ended; a line that was begun is taken as it is.
    pub fn end_of_input(&mut self, context: &mut Context, emitted: &mut Vec<Event>) {
        if !self.line.is_empty() || self.editor.as_ref().is_some_and(Editor::has_text) {
            self.feed(b"\n", context, emitted);
        }
    }

    /// Takes a key; whether it ended a line.
    fn takes(&mut self, byte: u8) -> bool {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        match (self.escape, byte) {
            (_, b'\n') if after_return => {}
            (_, b'\r' | b'\n') => {
                self.escape = Escape::None;
                return true;
            }
            (Escape::Begun, b'[' | b'O') => self.escape = Escape::Sequence,
            (Escape::Begun, _) => self.escape = Escape::None,
            (Escape::Sequence, 0x40..=0x7e) => self.escape = Escape::None,
            (Escape::Sequence, _) => {}
            (Escape::None, 0x1b) => self.escape = Escape::Begun,
            (Escape::None, 0x08 | 0x7f) => {
                // A whole character: its first byte and what continues it.
                while self.line.pop().is_some_and(|last| last & 0xc0 == 0x80) {}
            }
            (Escape::None, 0x15) => self.line.clear(),
            (Escape::None, b'\t') => self.line.push(b' '),
            (Escape::None, 0..=0x1f) => {}
            (Escape::None, _) if self.line.len() < LINE_BYTES => self.line.push(byte),
            (Escape::None, _) => {}
        }
        false
    }
}
