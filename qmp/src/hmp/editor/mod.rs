//! The line that a user edits on a terminal, and what the terminal shows of it.
//!
//! Keys are those of Emacs and readline. The buffer, the history and the common start of completions are `rustyline`'s; its
//! editor is not used, as that waits for a terminal, and nothing here does input or output.
//!
//! The screen is changed as little as possible: what is typed at the end of the line is echoed and nothing else, so that
//! what a program reads from a pseudo-terminal is what it wrote.
//!
//! How wide the terminal is is not known here, and a cursor does not go back over the end of a row. So a line that may not fit into
//! [`COLUMNS`] is echoed as it is typed, wherever the terminal breaks it; once something else is done with it, it stands in a row of its
//! own, as a [part](window) around the cursor.

mod keys;
mod window;

use std::fmt::Write as _;

use rustyline::completion::longest_common_prefix;
use rustyline::config::Builder;
use rustyline::history::{History as _, MemHistory, SearchDirection};
use rustyline::line_buffer::{ChangeListener, DeleteListener, Direction, LineBuffer};
use rustyline::{At, Config, Movement, Word};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use self::keys::{Key, Keys};
use self::window::{fits, width, window};

/// Lines that are remembered, as many as the reference remembers.
const HISTORY: usize = 64;
/// Columns that terminals have at least.
const COLUMNS: usize = 80;
/// The least that a completion takes in a list.
const COLUMN: usize = 10;
/// Most completions that are listed.
const LISTED: usize = 1000;

/// What may stand in the place of a word that was begun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Completions {
    /// Where in the line the word begins.
    pub(super) start: usize,
    /// What it may be, sorted.
    pub(super) words: Vec<String>,
}

/// The lines that were entered, the oldest first.
pub(super) struct Lines(MemHistory);

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Default for Lines {
    fn default() -> Self {
        let config = Config::builder().max_history_size(HISTORY).map(Builder::build);
        Self(MemHistory::with_config(&config.unwrap_or_default()))
    }
}

impl Lines {
    fn add(&mut self, line: &str) {
        // A line that repeats the last one is not kept twice. Memory has no errors.
        let _ = self.0.add(line);
    }

    fn get(&self, index: usize) -> Option<String> {
        let found = self.0.get(index, SearchDirection::Forward).ok()??;
        Some(found.entry.into_owned())
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &String> {
        (&self.0).into_iter()
    }
}

/// What the last kill took.
#[derive(Debug, Default)]
struct Killed(String);

impl DeleteListener for Killed {
    fn delete(&mut self, _: usize, text: &str, _: Direction) {
        text.clone_into(&mut self.0);
    }
}

/// Deleted characters are not for yanking.
struct Unheard;

impl DeleteListener for Unheard {
    fn delete(&mut self, _: usize, _: &str, _: Direction) {}
}

impl ChangeListener for Unheard {
    fn insert_char(&mut self, _: usize, _: char) {}
    fn insert_str(&mut self, _: usize, _: &str) {}
    fn replace(&mut self, _: usize, _: &str, _: &str) {}
}

/// What a key asks of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// Run this line; the screen is at the start of the next one.
    Run(String),
    /// Find what the word before the cursor may be, and call [`Editor::complete`].
    Complete,
    /// Write the prompt again: the line was given up.
    Prompt,
}

/// An editor, from one prompt to the next and on.
#[derive(Debug)]
pub(super) struct Editor {
    keys: Keys,
    line: LineBuffer,
    killed: Killed,
    /// Which line of the history is shown, and what was typed before going there.
    at: Option<(usize, String)>,
    /// A line that does not fit stands in one row, of which a part is shown. (Else it ends where the cursor is, some rows down.)
    in_one_row: bool,
}

impl Editor {
    /// With room for a line of `capacity` bytes.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            keys: Keys::new(),
            line: LineBuffer::with_capacity(capacity),
            killed: Killed::default(),
            at: None,
            in_one_row: false,
        }
    }

    /// The line as it stands before the cursor.
    pub(super) fn before_cursor(&self) -> &str {
        &self.line.as_str()[..self.line.pos()]
    }

    /// Whether something was typed.
    pub(super) fn has_text(&self) -> bool {
        !self.line.is_empty()
    }

    /// Whether what the terminal shows stands in the cursor's row, and in no other.
    pub(super) fn is_in_one_row(&self, prompt: &str) -> bool {
        self.in_one_row || fits(prompt, self.line.as_str())
    }

    /// What the terminal has to be sent to show the line, or a part of it, behind a new prompt: where it stands from then on.
    pub(super) fn shown(&mut self, prompt: &str) -> String {
        self.in_one_row = !fits(prompt, self.line.as_str());
        let (before, after) = self.line.as_str().split_at(self.line.pos());
        let (before, after) = window(prompt, before, after);
        let mut shown = format!("{before}{after}");
        left(&mut shown, width(&after));
        shown
    }

    /// Takes a byte. What the screen has to be sent is added to `screen`.
    pub(super) fn feed(
        &mut self,
        byte: u8,
        prompt: &str,
        lines: &mut Lines,
        screen: &mut String,
    ) -> Option<Request> {
        let key = self.keys.read(byte)?;
        if !matches!(key, Key::Up | Key::Down | Key::Control('P' | 'N')) {
            self.at = None;
        }
        match key {
            Key::Enter => {
                screen.push_str("\r\n");
                let line = self.line.as_str().to_owned();
                self.clear();
                if !line.trim().is_empty() {
                    lines.add(&line);
                }
                return Some(Request::Run(line));
            }
            Key::Tab => return Some(Request::Complete),
            Key::Control('C') => {
                screen.push_str("^C\r\n");
                self.clear();
                return Some(Request::Prompt);
            }
            Key::Control('L') => {
                let _ = write!(screen, "\x1b[H\x1b[2J{prompt}{}", self.shown(prompt));
            }
            Key::Up | Key::Control('P') => self.change(prompt, screen, |this| this.older(lines)),
            Key::Down | Key::Control('N') => self.change(prompt, screen, |this| this.newer(lines)),
            key => self.change(prompt, screen, |this| this.edit(key)),
        }
        None
    }

    fn clear(&mut self) {
        self.line.update("", 0, &mut Unheard);
        self.in_one_row = false;
    }

    fn replace(&mut self, text: &str) {
        self.line.update(text, text.len(), &mut Unheard);
    }

    fn older(&mut self, lines: &Lines) {
        let (index, typed) = match self.at.take() {
            Some((index, typed)) => (index, typed),
            None => (lines.0.len(), self.line.as_str().to_owned()),
        };
        let older = index.checked_sub(1).and_then(|older| Some((older, lines.get(older)?)));
        if let Some((older, line)) = older {
            self.replace(&line);
            self.at = Some((older, typed));
        } else {
            self.at = Some((index, typed));
        }
    }

    fn newer(&mut self, lines: &Lines) {
        let Some((index, typed)) = self.at.take() else { return };
        if let Some(line) = lines.get(index + 1) {
            self.replace(&line);
            self.at = Some((index + 1, typed));
        } else {
            self.replace(&typed);
        }
    }

    fn edit(&mut self, key: Key) {
        let (line, killed) = (&mut self.line, &mut self.killed);
        match key {
            // It would combine with the prompt.
            Key::Char(character) if line.pos() == 0 && character.width() == Some(0) => {}
            Key::Char(character) => {
                line.insert(character, 1, &mut Unheard);
            }
            Key::Backspace => {
                line.backspace(1, &mut Unheard);
            }
            Key::Delete | Key::Control('D') => {
                line.delete(1, &mut Unheard);
            }
            Key::Left | Key::Control('B') => {
                line.move_backward(1);
            }
            Key::Right | Key::Control('F') => {
                line.move_forward(1);
            }
            Key::Home | Key::Control('A') => {
                line.move_home();
            }
            Key::End | Key::Control('E') => {
                line.move_end();
            }
            Key::WordLeft | Key::Alt('b') => {
                line.move_to_prev_word(Word::Emacs, 1);
            }
            Key::WordRight | Key::Alt('f') => {
                line.move_to_next_word(At::AfterEnd, Word::Emacs, 1);
            }
            Key::Alt('d') => {
                line.kill(&Movement::ForwardWord(1, At::AfterEnd, Word::Emacs), killed);
            }
            Key::Control('W') => {
                line.kill(&Movement::BackwardWord(1, Word::Big), killed);
            }
            Key::Control('U') => {
                line.kill(&Movement::BeginningOfLine, killed);
            }
            Key::Control('K') => {
                line.kill(&Movement::EndOfLine, killed);
            }
            Key::Control('Y') => {
                line.yank(&killed.0, 1, &mut Unheard);
            }
            Key::Control('T') => {
                line.transpose_chars(&mut Unheard);
            }
            _ => {}
        }
    }

    /// Changes the line and has the screen show the change: from the first character on that is not as it was, where the line
    /// stands in one row.
    fn change(&mut self, prompt: &str, screen: &mut String, change: impl FnOnce(&mut Self)) {
        let (old, old_pos) = (self.line.as_str().to_owned(), self.line.pos());
        change(self);
        let (new, pos) = (self.line.as_str(), self.line.pos());
        if (&old, old_pos) == (&new.to_owned(), pos) {
            return;
        }
        let (old_fits, fits) = (fits(prompt, &old), fits(prompt, new));
        let is_added = old_pos == old.len() && pos == new.len() && new.starts_with(&old);
        if is_added && (fits || !self.in_one_row) {
            screen.push_str(&new[old_pos..]);
        } else if old_fits && fits {
            redraw(screen, (&old, old_pos), (new, pos));
        } else {
            // What stands in several rows stays there.
            screen.push_str(if old_fits || self.in_one_row { "\r" } else { "\r\n" });
            let _ = write!(screen, "{prompt}");
            let (before, after) = window(prompt, &new[..pos], &new[pos..]);
            let _ = write!(screen, "{before}{after}\x1b[K");
            left(screen, width(&after));
            self.in_one_row = !fits;
        }
    }

    /// Puts into the line what is certain of the word before the cursor; lists what it may be, if that is more than one thing.
    pub(super) fn complete(&mut self, completions: &Completions, prompt: &str, screen: &mut String) {
        let Completions { start, words } = completions;
        if words.is_empty() {
            return;
        }
        // None where they begin with different letters.
        let common = longest_common_prefix(words).unwrap_or_default();
        let typed = self.before_cursor().get(*start..).unwrap_or_default().to_owned();
        let mut certain = common.strip_prefix(typed.as_str()).unwrap_or_default().to_owned();
        if words.len() == 1 && !common.ends_with(['/', '=']) {
            certain.push(' ');
        }
        self.change(prompt, screen, |this| {
            this.line.yank(&certain, 1, &mut Unheard);
        });
        if words.len() == 1 {
            return;
        }
        screen.push_str("\r\n");
        let shown = &words[..words.len().min(LISTED)];
        let column = shown.iter().map(|word| width(word) + 2).max().unwrap_or(0).clamp(COLUMN, COLUMNS);
        for row in shown.chunks((COLUMNS / column).max(1)) {
            let row: String = row
                .iter()
                .map(|word| word.clone() + &" ".repeat(column.saturating_sub(width(word))))
                .collect();
            let _ = write!(screen, "{}\r\n", row.trim_end());
        }
        if shown.len() < words.len() {
            let _ = write!(screen, "and {} more\r\n", words.len() - shown.len());
        }
        screen.push_str(prompt);
        screen.push_str(&self.shown(prompt));
    }
}

/// Writes what is not as it was in a line that stands in one row, and leaves the cursor where it is to be. A character that combines
/// with others is written with them.
fn redraw(screen: &mut String, (old, old_pos): (&str, usize), (new, pos): (&str, usize)) {
    if old == new {
        if pos < old_pos {
            left(screen, width(&new[pos..old_pos]));
        } else {
            screen.push_str(&new[old_pos..pos]);
        }
        return;
    }
    let same = old.grapheme_indices(true).zip(new.graphemes(true)).take_while(|((_, old), new)| old == new);
    let same = same.last().map_or(0, |((at, cluster), _)| at + cluster.len());
    // The cursor may stand before that.
    let same = same.min(old_pos);
    left(screen, width(&old[same..old_pos]));
    screen.push_str(&new[same..]);
    if width(&old[same..]) > width(&new[same..]) {
        screen.push_str("\x1b[K");
    }
    left(screen, width(&new[pos..]));
}

/// Moves the cursor left.
fn left(screen: &mut String, columns: usize) {
    match columns {
        0 => {}
        1 => screen.push('\x08'),
        _ => {
            // Appending to a String cannot fail.
            let _ = write!(screen, "\x1b[{columns}D");
        }
    }
}

#[cfg(test)]
mod tests;
