//! Keys out of a terminal's bytes.
//!
//! Escape sequences are read by `vte`, which keeps no more of one than a fixed size and passes over what it does not know. A key
//! that ends a line ends whatever sequence was begun, so that nothing typed or pasted can make the monitor deaf.

use vte::{Params, Parser, Perform};

/// What a user presses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A character to put into the line.
    Char(char),
    /// Ctrl with a letter, which is upper case.
    Control(char),
    /// Alt (or Escape before) with a letter.
    Alt(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    WordLeft,
    WordRight,
}

/// Reads bytes.
pub(super) struct Keys {
    parser: Parser,
    performer: Performer,
    /// The last byte was `\r`, so that a `\n` belongs to it.
    after_return: bool,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("after_return", &self.after_return).finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { parser: Parser::new(), performer: Performer::default(), after_return: false }
    }

    /// The key that a byte completes, if it completes one.
    pub(super) fn read(&mut self, byte: u8) -> Option<Key> {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        if matches!(byte, b'\r' | b'\n') {
            self.parser = Parser::new();
            self.performer = Performer::default();
            return (byte == b'\r' || !after_return).then_some(Key::Enter);
        }
        self.parser.advance(&mut self.performer, &[byte]);
        self.performer.key.take()
    }
}

#[derive(Default)]
struct Performer {
    key: Option<Key>,
    /// After ESC `O`: a key of the application mode.
    application: bool,
}

fn arrow(letter: char) -> Option<Key> {
    Some(match letter {
        'A' => Key::Up,
        'B' => Key::Down,
        'C' => Key::Right,
        'D' => Key::Left,
        'H' => Key::Home,
        'F' => Key::End,
        _ => return None,
    })
}

impl Perform for Performer {
    fn print(&mut self, character: char) {
        self.key = match character {
            letter if std::mem::take(&mut self.application) => arrow(letter),
            '\x7f' => Some(Key::Backspace),
            character => Some(Key::Char(character)),
        };
    }

    fn execute(&mut self, byte: u8) {
        self.application = false;
        self.key = match byte {
            0x08 => Some(Key::Backspace),
            b'\t' => Some(Key::Tab),
            1..=26 => Some(Key::Control(char::from(byte + 0x40))),
            _ => None,
        };
    }

    fn csi_dispatch(&mut self, params: &Params, _intermediates: &[u8], _ignore: bool, action: char) {
        self.application = false;
        let mut numbers = params.iter().filter_map(|parts| parts.first().copied());
        let (first, modifier) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        self.key = match (action, first) {
            ('~', 1 | 7) => Some(Key::Home),
            ('~', 4 | 8) => Some(Key::End),
            ('~', 3) => Some(Key::Delete),
            // Ctrl or Alt with an arrow.
            ('C', _) if matches!(modifier, 3 | 5) => Some(Key::WordRight),
            ('D', _) if matches!(modifier, 3 | 5) => Some(Key::WordLeft),
            (letter, _) => arrow(letter),
        };
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _ignore: bool, byte: u8) {
        self.application = false;
        self.key = match byte {
            _ if !intermediates.is_empty() => None,
            b'O' => {
                self.application = true;
                None
            }
            0x7f => Some(Key::Control('W')),
            letter => Some(Key::Alt(char::from(letter).to_ascii_lowercase())),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::new();
        bytes.iter().filter_map(|&byte| keys.read(byte)).collect()
    }

    #[test]
    fn terminals_say_keys_in_several_ways() {
        assert_eq!(
            keys("aé\x7f\x08\t".as_bytes()),
            [Key::Char('a'), Key::Char('é'), Key::Backspace, Key::Backspace, Key::Tab]
        );
        assert_eq!(keys(b"\x1b[A\x1bOB\x1b[C\x1bOD"), [Key::Up, Key::Down, Key::Right, Key::Left]);
        assert_eq!(
            keys(b"\x1b[H\x1bOF\x1b[1~\x1b[8~\x1b[3~"),
            [Key::Home, Key::End, Key::Home, Key::End, Key::Delete]
        );
        assert_eq!(
            keys(b"\x1b[1;5C\x1b[1;3D\x1bb\x1bF"),
            [Key::WordRight, Key::WordLeft, Key::Alt('b'), Key::Alt('f')]
        );
        assert_eq!(keys(b"\x01\x0b"), [Key::Control('A'), Key::Control('K')]);
        assert_eq!(keys(b"\x1b[200~x\x1b[15~"), [Key::Char('x')]);
    }

    #[test]
    fn a_line_ends_however_its_end_is_said_and_whatever_was_begun() {
        assert_eq!(keys(b"\r\n\n\r\r"), [Key::Enter; 4]);
        assert_eq!(keys(b"\x1b]never ended\rx"), [Key::Enter, Key::Char('x')]);
        assert_eq!(keys(b"\x1b[12\rx"), [Key::Enter, Key::Char('x')]);
        assert_eq!(keys(b"\x1bO\rA"), [Key::Enter, Key::Char('A')]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let mut bytes = bytes;
            bytes.extend(b"\rx");
            prop_assert!(keys(&bytes).ends_with(&[Key::Enter, Key::Char('x')]));
        }
    }
}
