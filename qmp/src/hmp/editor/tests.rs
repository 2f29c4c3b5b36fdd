//! Keys in, screen out. The screen is a terminal of one row, of a few lines of its own: what is right is what a user sees.

use proptest::prelude::*;
use unicode_width::UnicodeWidthChar as _;
use vte::{Params, Parser, Perform};

use super::*;

/// The row with the cursor, a character and what combines with it in each column (nothing in the second one of a wide one), and the
/// rows before it. Rows have [`COLUMNS`], as those of the narrowest terminal that is thought of.
#[derive(Default)]
struct Terminal {
    rows: Vec<String>,
    row: Vec<String>,
    column: usize,
}

impl Terminal {
    fn end_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        self.rows.push(row.concat());
    }
}

impl Perform for Terminal {
    fn print(&mut self, character: char) {
        let columns = character.width().expect("a character that is seen");
        if columns == 0 {
            // It belongs to what is left of the cursor, if that is anything.
            let before = self.row[..self.column].iter_mut().rfind(|cell| !cell.is_empty());
            if let Some(cell) = before {
                cell.push(character);
            }
            return;
        }
        if self.column + columns > COLUMNS {
            self.end_row();
            self.column = 0;
        }
        let end = self.column + columns;
        let filled = self.row.len().max(end);
        self.row.resize(filled, " ".to_owned());
        self.row[self.column] = character.to_string();
        self.row[self.column + 1..end].fill(String::new());
        self.column = end;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.column = 0,
            b'\n' => self.end_row(),
            0x08 => self.column = self.column.saturating_sub(1),
            other => panic!("{other:#x}"),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        let number = params.iter().next().map_or(0, |parts| usize::from(parts[0]));
        match action {
            'K' => self.row.truncate(self.column),
            // Not over the start of a row.
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

/// No key: a line of somebody else.
const INTERRUPTION: &[u8] = b"";

impl User {
    fn new() -> Self {
        let mut user = Self {
            editor: Editor::new(1000),
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

    /// Another line comes in between, as one of a guest's console does on a chardev that it shares.
    fn interrupt(&mut self, text: &str) -> Result<(), TestCaseError> {
        let is_one_row = self.editor.is_in_one_row(PROMPT);
        let kept = self.terminal.rows.len();
        let over_rows = self.terminal.rows.concat() + &self.terminal.row.concat();
        let begin = if is_one_row { "\r\x1b[K" } else { "\r\n" };
        let shown = self.editor.shown(PROMPT);
        self.show(&format!("{begin}{text}\r\n{PROMPT}{shown}"));
        // It has a row of its own, and the prompt has the next one: nothing is left of what was erased or stays in part.
        prop_assert_eq!(self.terminal.rows.last().map(String::as_str), Some(text));
        prop_assert_eq!(self.terminal.rows.len(), kept + if is_one_row { 1 } else { 2 });
        let before = self.terminal.rows[..self.terminal.rows.len() - 1].concat();
        prop_assert!(is_one_row || before == over_rows, "{before:?} {over_rows:?}");
        prop_assert!(self.editor.is_in_one_row(PROMPT));
        Ok(())
    }

    /// The line as the user sees it, with the cursor.
    fn sees(&self) -> String {
        let (before, after) = self.terminal.row.split_at(self.terminal.column.min(self.terminal.row.len()));
        let row = format!("{}|{}", before.concat(), after.concat());
        row.strip_prefix(PROMPT).unwrap_or_else(|| panic!("{row:?}")).to_owned()
    }

    /// That the user sees the line that will be run, or of a long one what is around the cursor.
    fn sees_the_line(&self) -> Result<(), TestCaseError> {
        let (before, after) = self.editor.line.as_str().split_at(self.editor.line.pos());
        if fits(PROMPT, self.editor.line.as_str()) {
            prop_assert_eq!(self.sees(), format!("{before}|{after}"));
            return Ok(());
        }
        if !self.editor.in_one_row {
            // As it was typed, over some rows.
            let all = self.terminal.rows.concat() + &self.terminal.row.concat();
            prop_assert!(all.ends_with(before) && after.is_empty(), "{all:?} {before:?} {after:?}");
            return Ok(());
        }
        let seen = self.sees();
        let (seen_before, seen_after) = seen.split_once('|').expect("a cursor");
        let (cut_before, cut_after) = (seen_before.starts_with('<'), seen_after.ends_with('>'));
        let (seen_before, seen_after) =
            (seen_before.trim_start_matches('<'), seen_after.trim_end_matches('>'));
        prop_assert!(
            before.ends_with(seen_before) && cut_before == (before != seen_before),
            "{seen:?} {before:?}"
        );
        prop_assert!(
            after.starts_with(seen_after) && cut_after == (after != seen_after),
            "{seen:?} {after:?}"
        );
        Ok(())
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
        // Wide characters, and such that combine.
        ("日本\x1b[Dx".as_bytes(), "日x|本"),
        ("日本語\x1b[D\x7f".as_bytes(), "日|語"),
        ("ae\u{301}b\x1b[D\x1b[Dx".as_bytes(), "ax|e\u{301}b"),
        ("ae\u{301}b\x1b[D\x7f".as_bytes(), "a|b"),
        ("xe\x1b[D\x1b[C\u{301}y".as_bytes(), "xe\u{301}y|"),
        ("eb\x1b[D\u{301}".as_bytes(), "e\u{301}|b"),
    ] {
        let mut user = User::new();
        user.press(keys);
        assert_eq!(user.sees(), seen, "{keys:?}");
    }
}

#[test]
fn a_line_that_does_not_fit_can_be_edited() {
    let mut user = User::new();
    let line: String = (0..60).map(|n| format!("{n:02} ")).collect();
    user.press(line.as_bytes());
    // Wherever the terminal breaks it.
    assert_eq!(user.sent, format!("{PROMPT}{line}"));
    assert_eq!(user.terminal.rows.len(), 2);
    user.press(b"\x7f");
    assert!(user.sees().starts_with("<37 38 ") && user.sees().ends_with(" 58 59|"), "{}", user.sees());
    let rows = user.terminal.rows.len();
    user.press(b"\x1b[D\x1b[D!");
    assert!(user.sees().ends_with(" 58 !|59"), "{}", user.sees());
    user.press(b"\x01?");
    assert!(user.sees().starts_with("?|00 01 02 ") && user.sees().ends_with('>'), "{}", user.sees());
    user.press(b"\x05;");
    assert!(user.sees().ends_with(" !59;|"), "{}", user.sees());
    assert_eq!(user.terminal.rows.len(), rows, "it stands in one row from then on");
    user.press(b"\r");
    assert_eq!(user.run, [format!("?{}!59;", &line[..line.len() - 3])]);
    // What was listed or cleared before says nothing of the next line.
    user.words = vec!["aa", "ab"];
    user.press(b"a\t\x0c\x15");
    let (sent, rows) = (user.sent.len(), user.terminal.rows.len());
    user.press(line.as_bytes());
    assert_eq!((&user.sent[sent..], user.terminal.rows.len()), (line.as_str(), rows + 2));
    user.press(b"\x03");
    // From the history too, and short again.
    user.press(b"\x1b[A\x7f");
    assert!(user.sees().starts_with('<') && user.sees().ends_with(" !59|"), "{}", user.sees());
    user.press(b"\x15ab\x08");
    assert_eq!(user.sees(), "a|");
}

#[test]
fn a_long_line_that_is_shown_again_stands_in_one_row() {
    let mut user = User::new();
    let line = "0 + ".repeat(32);
    user.press(line.as_bytes());
    assert!(!user.editor.is_in_one_row(PROMPT));
    user.interrupt("a line").unwrap();
    assert!(user.sees().starts_with("<+ 0 ") && user.sees().ends_with(" + |"), "{}", user.sees());
    let rows = user.terminal.rows.len();
    user.press(b"\x1b[D");
    assert!(user.sees().ends_with(" +| "), "{}", user.sees());
    user.press(b"\x051234567890123456789012345678901234567890");
    assert!(user.sees().ends_with("67890|"), "{}", user.sees());
    assert_eq!(user.terminal.rows.len(), rows);
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
    assert!((1000..2000).contains(&length), "{length}");
}

proptest! {
    /// Whatever is pressed and comes in between, the user sees the line that will be run, and the cursor where the next character goes.
    #[test]
    fn the_screen_shows_the_line(keys in prop::collection::vec(
        prop::sample::select(vec![
            &b"a"[..], b"b", b" ", b"\xc3\xa4", b"\x7f", b"\x1b[D", b"\x1b[C", b"\x1b[A", b"\x1b[B", b"\x01", b"\x05", b"\x04",
            "日".as_bytes(), "e\u{301}".as_bytes(), "\u{301}".as_bytes(), "z\u{30a}日 0123456789012345678901234567".as_bytes(),
            b"\x17", b"\x15", b"\x0b", b"\x19", b"\x14", b"\x1bb", b"\x1bf", b"\x1bd", b"\t", b"\x03", b"\r", b"\x0c", b"\x1bx",
            INTERRUPTION,
        ]), 0..60)
    ) {
        let mut user = User::new();
        user.words = vec!["ab", "abb", "ba"];
        for key in keys {
            if key == INTERRUPTION {
                user.interrupt("CPU 1 up")?;
            } else {
                user.press(key);
            }
            user.sees_the_line()?;
        }
    }
}
