//! The line protocol of a listening socket with `telnet=on`, as the reference speaks it.
//!
//! A client is told once that this end echoes, sends no go-aheads and is binary, so that its keys come one by one. What it says of
//! options is passed over, unanswered. Output goes as it is.

const INTERPRET_AS_COMMAND: u8 = 255;
/// The one command of two bytes that is expected: all others have three.
const BREAK: u8 = 243;

/// WILL ECHO, WILL SUPPRESS-GO-AHEAD, WILL BINARY, DO BINARY.
pub(super) const GREETING: [u8; 12] = [255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0];

/// Where in its input a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Telnet {
    /// Input for the user.
    #[default]
    Data,
    /// Behind the first byte of a command.
    Command,
    /// Behind its second byte.
    Option,
}

impl Telnet {
    /// Moves input for the user to the start of `bytes`, and returns how many there are.
    pub(super) fn filter(&mut self, bytes: &mut [u8]) -> usize {
        let mut kept = 0;
        for at in 0..bytes.len() {
            let byte = bytes[at];
            let (next, keep) = match (*self, byte) {
                (Self::Data, INTERPRET_AS_COMMAND) => (Self::Command, false),
                // Twice is the byte itself.
                (Self::Data, _) | (Self::Command, INTERPRET_AS_COMMAND) => (Self::Data, true),
                (Self::Command, BREAK) | (Self::Option, _) => (Self::Data, false),
                (Self::Command, _) => (Self::Option, false),
            };
            *self = next;
            if keep {
                bytes[kept] = byte;
                kept += 1;
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filtered(telnet: &mut Telnet, input: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        let kept = telnet.filter(&mut bytes);
        bytes.truncate(kept);
        bytes
    }

    /// As a monitor of QEMU 11.1.2 got such input.
    #[test]
    fn commands_are_no_input() {
        let mut telnet = Telnet::default();
        let input = b"info \xff\xfb\x01na\xff\xf3me\xff\xfd\x03\r\n";
        assert_eq!(filtered(&mut telnet, input), b"info name\r\n");
        assert_eq!(filtered(&mut telnet, b"\xff"), b"");
        assert_eq!(filtered(&mut telnet, b"\xfb"), b"");
        assert_eq!(filtered(&mut telnet, b"\x01info na\xff\xffme\r"), b"info na\xffme\r");
        assert_eq!(telnet, Telnet::Data);
    }

    proptest! {
        #[test]
        fn how_input_is_cut_does_not_matter(input in prop::collection::vec(prop_oneof![Just(255), Just(243), any::<u8>()], 0..40), cut in 0usize..40) {
            let (first, second) = input.split_at(cut.min(input.len()));
            let mut parts = Telnet::default();
            let mut got = filtered(&mut parts, first);
            got.extend(filtered(&mut parts, second));
            let mut whole = Telnet::default();
            prop_assert_eq!(filtered(&mut whole, &input), got);
            prop_assert_eq!(whole, parts);
        }

        #[test]
        fn doubled_bytes_come_through(input in prop::collection::vec(any::<u8>(), 0..40)) {
            let sent: Vec<u8> = input.iter().flat_map(|&byte| std::iter::repeat_n(byte, 1 + usize::from(byte == 255))).collect();
            prop_assert_eq!(filtered(&mut Telnet::default(), &sent), input);
        }
    }
}
