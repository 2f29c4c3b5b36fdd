//! Integers in text, as the C library's `strtoll` and `strtoull` read them with base 0.
//!
//! Leading white space, one sign, then `0x…` (16), `0b…` (2), `0…` (8) or decimal digits. The unsigned
//! reader takes a minus sign too and negates in 64 bits, so that `-1` is the largest value: scripts
//! rely on it to mean "all bits". Nothing may follow the last digit.

/// Why text is not an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// No digits, or something after them.
    #[error("not a number")]
    Syntax,
    /// A number that 64 bits cannot hold.
    #[error("the number does not fit into 64 bits")]
    Range,
}

/// An integer at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix<'a> {
    /// A minus sign was there.
    pub(super) negative: bool,
    /// The digits' value; none if 64 bits cannot hold it.
    pub(super) magnitude: Option<u64>,
    /// What follows the last digit.
    pub(super) rest: &'a str,
}

impl Prefix<'_> {
    pub(super) fn unsigned(&self) -> Result<u64, NumberError> {
        let magnitude = self.magnitude.ok_or(NumberError::Range)?;
        Ok(if self.negative { magnitude.wrapping_neg() } else { magnitude })
    }

    pub(super) fn signed(&self) -> Result<i64, NumberError> {
        let magnitude = self.magnitude.ok_or(NumberError::Range)?;
        let value =
            if self.negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
        value.ok_or(NumberError::Range)
    }

    fn at_end(self) -> Result<Self, NumberError> {
        if self.rest.is_empty() { Ok(self) } else { Err(NumberError::Syntax) }
    }
}

/// C's `isspace` in the "C" locale.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

pub(super) fn skip_space(text: &str) -> &str {
    text.trim_start_matches(|c: char| u8::try_from(c).is_ok_and(is_space))
}

/// Reads the integer that the text starts with; none if it starts with none.
///
/// `base` is 0 (by prefix), 10 or 16 (whose `0x` is optional).
pub(super) fn prefix(text: &str, base: u32) -> Option<Prefix<'_>> {
    let unspaced = skip_space(text);
    let (negative, unsigned) = match unspaced.as_bytes().first()? {
        b'-' => (true, &unspaced[1..]),
        b'+' => (false, &unspaced[1..]),
        _ => (false, unspaced),
    };
    // A prefix counts only with a digit of its base behind it: "0x" alone is the number 0 and an "x".
    let prefixed = |letters: [u8; 2], radix: u32| match unsigned.as_bytes() {
        [b'0', letter, digit, ..] if letters.contains(letter) && char::from(*digit).is_digit(radix) => {
            Some((radix, &unsigned[2..]))
        }
        _ => None,
    };
    let (radix, digits) = match base {
        0 => prefixed([b'x', b'X'], 16)
            .or_else(|| prefixed([b'b', b'B'], 2))
            .unwrap_or((if unsigned.starts_with('0') { 8 } else { 10 }, unsigned)),
        16 => prefixed([b'x', b'X'], 16).unwrap_or((16, unsigned)),
        _ => (base, unsigned),
    };
    let count = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
    if count == 0 {
        return None;
    }
    let magnitude = u64::from_str_radix(&digits[..count], radix).ok();
    Some(Prefix { negative, magnitude, rest: &digits[count..] })
}

/// The integer that the text starts with, as `strtol` gives it: 0 if it starts with none, the nearest one if 64 bits cannot
/// hold it.
#[must_use]
pub fn at_start(text: &str) -> i64 {
    let Some(prefix) = prefix(text, 0) else { return 0 };
    prefix.signed().unwrap_or(if prefix.negative { i64::MIN } else { i64::MAX })
}

/// Reads an unsigned integer; a minus sign negates in 64 bits.
///
/// # Errors
/// [`NumberError`].
pub fn unsigned(text: &str) -> Result<u64, NumberError> {
    prefix(text, 0).ok_or(NumberError::Syntax)?.at_end()?.unsigned()
}

/// Reads a signed integer.
///
/// # Errors
/// [`NumberError`].
pub fn signed(text: &str) -> Result<i64, NumberError> {
    prefix(text, 0).ok_or(NumberError::Syntax)?.at_end()?.signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use NumberError::{Range, Syntax};
    use proptest::prelude::*;

    /// Values observed by setting the CPU properties `family` (unsigned) and `tsc-frequency` (signed) as
    /// text in QEMU 11.1.2.
    #[test]
    fn unsigned_as_the_reference_reads_it() {
        for (text, expected) in [
            ("1", Ok(1)),
            ("0x10", Ok(16)),
            ("0X1f", Ok(31)),
            ("010", Ok(8)),
            ("0b11", Ok(3)),
            ("+1", Ok(1)),
            (" 1", Ok(1)),
            ("-0", Ok(0)),
            ("-1", Ok(u64::MAX)),
            ("-18446744073709551615", Ok(1)),
            ("18446744073709551615", Ok(u64::MAX)),
            ("18446744073709551616", Err(Range)),
            ("-18446744073709551616", Err(Range)),
            ("08", Err(Syntax)),
            ("0x", Err(Syntax)),
            ("0b", Err(Syntax)),
            ("0o7", Err(Syntax)),
            ("x", Err(Syntax)),
            ("", Err(Syntax)),
            ("-", Err(Syntax)),
            ("--1", Err(Syntax)),
            ("- 1", Err(Syntax)),
            ("1 ", Err(Syntax)),
            ("1k", Err(Syntax)),
            ("1.5", Err(Syntax)),
            ("1e3", Err(Syntax)),
            ("1,2", Err(Syntax)),
            ("1-2", Err(Syntax)),
        ] {
            assert_eq!(unsigned(text), expected, "{text:?}");
        }
    }

    #[test]
    fn signed_does_not_wrap() {
        for (text, expected) in [
            ("-1", Ok(-1)),
            ("0x10", Ok(16)),
            ("-0x10", Ok(-16)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("9223372036854775808", Err(Range)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("-9223372036854775809", Err(Range)),
            ("18446744073709551615", Err(Range)),
            ("99999999999999999999999999", Err(Range)),
            ("", Err(Syntax)),
        ] {
            assert_eq!(signed(text), expected, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(crate::text::test_config())]

        #[test]
        fn every_value_reads_back(value: u64, negative: i64) {
            prop_assert_eq!(unsigned(&value.to_string()), Ok(value));
            prop_assert_eq!(unsigned(&format!("{value:#x}")), Ok(value));
            prop_assert_eq!(unsigned(&format!("0{value:o}")), Ok(value));
            prop_assert_eq!(unsigned(&format!("{value:#b}")), Ok(value));
            prop_assert_eq!(signed(&negative.to_string()), Ok(negative));
        }

        #[test]
        fn any_text_is_answered(text in "[ +-]?(0[xXbB]?)?[0-9a-fA-F]{0,24}.{0,3}|.*") {
            let _ = (unsigned(&text), signed(&text), prefix(&text, 10), prefix(&text, 16));
        }
    }
}
