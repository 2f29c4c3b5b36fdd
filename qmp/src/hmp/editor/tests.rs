//! Keys in, screen out. The screen is a terminal of one row, of a few lines of its own: what is right is what a user sees.

use proptest::prelude::*;
use unicode_width::UnicodeWidthChar;
use vte::{Params, Parser, Perform};

use super::*;

/// The row with the cursor, and the rows before it.
#[derive(Default)]
struct Terminal {
    rows: Vec<String>,
    row: Vec<char>,
    column: usize,
}

impl Perform for Terminal {
    fn print(&mut self, character: char) {
        assert_eq!(character.width(), Some(1), "these tests write characters of one column");
        if self.column < self.row.len() {
            self.row[self.column] = character;
        } else {
            self.row.resize(self.column, ' ');
            self.row.push(character);
        }
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.column = 0,
            b'\n' => {
                let row = std::mem::take(&mut self.row);
                self.rows.push(row.into_iter().collect());
            }
            0x08 => self.column = self.column.saturating_sub(1),
            other => panic!("{other:#x}"),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        let number = params.iter().next().map_or(0, |parts| usize::from(parts[0]));
        match action {
            'K' => self.row.truncate(self.column),
            'D' => self.column = self.column.saturating_sub(number.max(1)),
            'H' | 'J' => (self.row, self.column) = (Vec::new(), 0),
            other => panic!("{other}"),
        }
    }
}

struct User {
    editor: Editor,
    lines: Lines,
    parser: Parser,
    terminal: Terminal,
    run: Vec<String>,
    words: Vec<&'static str>,
    sent: String,
}

const PROMPT: &str = "> ";

impl User {
    fn new() -> Self {
        let mut user = Self {
            editor: Editor::new(100),
            lines: Lines::default(),
            parser: Parser::new(),
            terminal: Terminal::default(),
            run: Vec::new(),
            words: Vec::new(),
            sent: String::new(),
        };
        user.show(PROMPT);
        user
    }

    fn show(&mut self, screen: &str) {
        self.sent.push_str(screen);
        self.parser.advance(&mut self.terminal, screen.as_bytes());
    }

    fn press(&mut self, keys: &[u8]) {
        for &byte in keys {
            let mut screen = String::new();
            match self.editor.feed(byte, PROMPT, &mut self.lines, &mut screen) {
                None => {}
                Some(Request::Run(line)) => {
                    self.run.push(line);
                    screen.push_str(PROMPT);
                }
                Some(Request::Prompt) => screen.push_str(PROMPT),
                Some(Request::Complete) => {
                    let start = self.editor.before_cursor().rfind(' ').map_or(0, |space| space + 1);
                    let begun = self.editor.before_cursor()[start..].to_owned();
                    let words = self.words.iter().filter(|word| word.starts_with(&begun));
                    let words = words.map(|&word| word.to_owned()).collect();
                    self.editor.complete(&Completions { start, words }, PROMPT, &mut screen);
                }
            }
            self.show(&screen);
        }
    }

    /// The line as the user sees it, with the cursor.
    fn sees(&self) -> String {
        let mut row: String = self.terminal.row.iter().collect();
        row.insert(row.char_indices().nth(self.terminal.column).map_or(row.len(), |(at, _)| at), '|');
        row.strip_prefix(PROMPT).unwrap_or_else(|| panic!("{row:?}")).to_owned()
    }
}

#[test]
fn keys_edit_the_line_and_the_screen_shows_it() {
    for (keys, seen) in [
        (&b"abc"[..], "abc|"),
        (b"abc\x7f", "ab|"),
        (b"abc\x1b[D\x1b[DX", "aX|bc"),
        (b"abc\x01X\x05Y", "XabcY|"),
        (b"abc\x02\x08", "a|c"),
        (b"abc\x01\x04", "|bc"),
        (b"abc\x01\x1b[3~\x1b[3~", "|c"),
        (b"one two three\x17", "one two |"),
        (b"one two\x1bb\x1bb\x1bd", "| two"),
        (b"one two\x15X", "X|"),
        (b"one two\x01\x0b", "|"),
        (b"one two\x17\x01\x19", "two|one "),
        (b"one two\x1b[1;5D\x1b[1;5D\x1b[1;5C", "one| two"),
        (b"ab\x14", "ba|"),
        ("äö\x1b[Dü".as_bytes(), "äü|ö"),
        (b"abc\x03de", "de|"),
        (b"abc\x1b[D\x0c", "ab|c"),
        (b"a\x1b]x\x07b", "ab|"),
    ] {
        let mut user = User::new();
        user.press(keys);
        assert_eq!(user.sees(), seen, "{keys:?}");
    }
}

#[test]
fn what_is_typed_at_the_end_is_echoed_and_nothing_else() {
    let mut user = User::new();
    user.press(b"info status\r");
    assert_eq!(
        (user.sent.as_str(), user.run.as_slice()),
        ("> info status\r\n> ", &["info status".to_owned()][..])
    );
}

#[test]
fn former_lines_come_back() {
    let mut user = User::new();
    user.press(b"one\rtwo\rtwo\r\r  \rdraft\x1b[A");
    assert_eq!(user.sees(), "two|");
    user.press(b"\x10");
    assert_eq!(user.sees(), "one|");
    user.press(b"\x1b[A\x1b[B\x1b[B");
    assert_eq!(user.sees(), "draft|");
    user.press(b"\x1b[A\x1b[A!\r");
    assert_eq!(user.run.last().map(String::as_str), Some("one!"));
    assert_eq!(user.lines.iter().map(String::as_str).collect::<Vec<_>>(), ["one", "two", "one!"]);
    for number in 0..100 {
        user.press(format!("{number}\r").as_bytes());
    }
    assert_eq!(user.lines.iter().count(), HISTORY);
}

#[test]
fn tab_completes_what_is_certain_and_lists_the_rest() {
    let mut user = User::new();
    user.words = vec!["info", "infinite", "quit"];
    // They begin with different letters, so nothing is certain.
    user.press(b"\t");
    assert_eq!(user.sees(), "|");
    assert_eq!(user.terminal.rows.last().map(String::as_str), Some("info      infinite  quit"));
    user.press(b"q\t");
    assert_eq!(user.sees(), "quit |");
    user.press(b"\x15i\t");
    assert_eq!(user.sees(), "inf|");
    assert_eq!(user.terminal.rows.last().map(String::as_str), Some("info      infinite"));
    user.press(b"x\t");
    assert_eq!(user.sees(), "infx|");
    user.press(b"\x15 rest\x01q\t");
    assert_eq!(user.sees(), "quit | rest");
}

#[test]
fn a_line_has_an_end() {
    let mut user = User::new();
    user.press(&[b'x'; 10_000]);
    user.press(b"\r");
    let length = user.run[0].len();
    assert!((100..200).contains(&length), "{length}");
}

proptest! {
    /// Whatever is pressed, the user sees the line that will be run, and the cursor where the next character goes.
    #[test]
    fn the_screen_shows_the_line(keys in prop::collection::vec(
        prop::sample::select(vec![
            &b"a"[..], b"b", b" ", b"\xc3\xa4", b"\x7f", b"\x1b[D", b"\x1b[C", b"\x1b[A", b"\x1b[B", b"\x01", b"\x05", b"\x04",
            b"\x17", b"\x15", b"\x0b", b"\x19", b"\x14", b"\x1bb", b"\x1bf", b"\x1bd", b"\t", b"\x03", b"\r", b"\x0c", b"\x1bx",
        ]), 0..60)
    ) {
        let mut user = User::new();
        user.words = vec!["ab", "abb", "ba"];
        for key in keys {
            user.press(key);
            let mut line = user.editor.line.as_str().to_owned();
            line.insert(user.editor.line.pos(), '|');
            prop_assert_eq!(user.sees(), line);
        }
    }
}
