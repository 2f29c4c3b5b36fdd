//! The key that begins a command to a shared chardev itself: Ctrl-A, or what `-echr` says.

use qom::text::number;

/// A byte of input, or none that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscapeKey(Option<u8>);

impl Default for EscapeKey {
    fn default() -> Self {
        Self(Some(0x01))
    }
}

impl EscapeKey {
    /// Reads it as `-echr` has it: a number at the start of the text, 0 if there is none. A number that is no byte is no key.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(u8::try_from(number::at_start(text)).ok())
    }

    /// Whether a byte is this key.
    pub(super) fn is(self, byte: u8) -> bool {
        self.0 == Some(byte)
    }

    /// How many bytes of `input` come before the key.
    pub(super) fn find(self, input: &[u8]) -> usize {
        input.iter().position(|byte| self.is(*byte)).unwrap_or(input.len())
    }

    /// What a person is told of the commands. Only who has pressed the key asks for it.
    pub(super) fn help(self) -> String {
        let key = match self.0 {
            Some(control @ 1..26) => format!("C-{}", char::from(control - 1 + b'a')),
            Some(other) => format!("0x{other:02x}"),
            None => String::new(),
        };
        let lines = [
            ("h", "   print this help"),
            ("x", "   exit emulator"),
            ("c", "   switch between console and monitor"),
            (&key, &format!(" sends {key}")),
        ];
        let lines = lines.map(|(second, what)| format!("{key} {second} {what}\r\n"));
        format!("\r\n{}", lines.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_strtol_reads_them() {
        for (text, key) in [
            ("1", Some(1)),
            ("0x14", Some(20)),
            ("0X14z", Some(20)),
            ("024", Some(20)),
            (" +20", Some(20)),
            ("0x", Some(0)),
            ("089", Some(0)),
            ("", Some(0)),
            ("t", Some(0)),
            ("-0", Some(0)),
            ("-1", None),
            ("256", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(EscapeKey::from_text(text), EscapeKey(key), "{text:?}");
        }
    }

    #[test]
    fn help_names_the_key() {
        assert!(EscapeKey::default().help().ends_with("\r\nC-a C-a  sends C-a\r\n"));
        assert!(EscapeKey::from_text("0x14").help().starts_with("\r\nC-t h    print this help\r\n"));
        assert!(EscapeKey::from_text("0x7f").help().contains("0x7f x    exit emulator"));
    }
}
