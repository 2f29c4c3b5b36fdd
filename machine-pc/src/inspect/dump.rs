//! Memory as lines of numbers: `x` and `xp`.

use std::fmt::Write as _;

use qmp::hmp::{Format, Notation};

/// Most bytes that one command shows: the main loop serves nobody else meanwhile, and the text waits in memory. (The reference
/// goes on to the end of memory.)
pub(crate) const LIMIT: u64 = 256 << 10;

/// Lines of numbers in that format from an address on, whose digits are at least `width`. `read` fills the bytes from an
/// address on, or says that they cannot be read. A format of instructions is no format of numbers.
pub(crate) fn lines(
    format: Format,
    address: u64,
    width: usize,
    read: impl Fn(u64, &mut [u8]) -> bool,
) -> String {
    let mut text = String::new();
    let asked = u64::from(format.count) * u64::from(format.size);
    let (mut at, mut left) = (address, asked.min(LIMIT));
    let line_bytes: u64 = if format.size == 1 { 8 } else { 16 };
    // A character is one byte, whatever is said of sizes.
    let size = if format.notation == Notation::Character { 1 } else { format.size };
    let mut line = [0; 16];
    while left > 0 {
        let len = left.min(line_bytes);
        let bytes = &mut line[..usize::try_from(len).unwrap_or(0)];
        // Appending to a String cannot fail.
        let _ = write!(text, "{at:0width$x}:");
        if !read(at, bytes) {
            text.push_str(" Cannot access memory\n");
            return text;
        }
        for element in bytes.chunks(size.into()) {
            let mut value = [0; 8];
            value[..element.len()].copy_from_slice(element);
            text.push(' ');
            text.push_str(&format.element(u64::from_le_bytes(value)));
        }
        text.push('\n');
        (at, left) = (at.wrapping_add(len), left - len);
    }
    if asked > LIMIT {
        let _ = writeln!(text, "No more than {LIMIT} bytes are shown at once");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn format(count: u32, notation: Notation, size: u8) -> Format {
        Format { count, notation, size }
    }

    #[test]
    fn what_cannot_be_read_ends_the_dump() {
        let read = |at: u64, to: &mut [u8]| {
            to.fill(7);
            at < 8
        };
        let text = lines(format(20, Notation::Hexadecimal, 1), 0, 8, read);
        assert_eq!(
            text,
            "00000000: 0x07 0x07 0x07 0x07 0x07 0x07 0x07 0x07\n00000008: Cannot access memory\n"
        );
        let end = lines(format(2, Notation::Octal, 8), u64::MAX, 16, |_, _| true);
        assert!(end.starts_with("ffffffffffffffff: 0  "), "{end}");
        assert_eq!(lines(format(0, Notation::Octal, 8), 0, 16, |_, _| true), "");
    }

    proptest! {
        #[test]
        fn any_dump_is_bounded(count: u32, size in prop::sample::select(vec![1u8, 2, 4, 8]), at: u64) {
            let text = lines(format(count, Notation::Decimal, size), at, 8, |_, _| true);
            prop_assert!(text.len() < 4 << 20);
            let rows = (u64::from(count) * u64::from(size)).min(LIMIT).div_ceil(if size == 1 { 8 } else { 16 });
            let lines = text.lines().count() as u64;
            prop_assert!(lines == rows || lines == rows + 1);
        }
    }
}
