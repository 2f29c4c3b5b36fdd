//! Numbers of bytes in text: `1024`, `0x400`, `1k`, `1.5G`.
//!
//! A decimal number with an optional fraction and an optional suffix `b`, `k`, `m`, `g`, `t`, `p` or `e`
//! in either case, for powers of 1024; or a hexadecimal number with neither. A fraction is scaled exactly
//! (64.64 fixed point) and the result rounded to the nearest byte, halves up; a fraction of a single
//! byte is refused. There are no exponents (`e` is a suffix), no octal and no binary numbers, and no
//! negative ones.

use super::number;
use super::parameter::{EXPECTED_SIZE, ParameterError};

/// Why text is not a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not of the form.
    #[error("not a size")]
    Syntax,
    /// Negative, or 2^64 bytes and more.
    #[error("the size is not between 0 and 2^64")]
    Range,
}

/// Reads a number of bytes.
///
/// # Errors
/// [`SizeError`]; if characters follow the size, that is what is reported.
pub fn parse(text: &str) -> Result<u64, SizeError> {
    parse_with_default(text, Scale::Bytes)
}

/// Reads a number of bytes that is mebibytes if it has no suffix.
///
/// # Errors
/// As [`parse`].
pub fn parse_mebibytes(text: &str) -> Result<u64, SizeError> {
    parse_with_default(text, Scale::Binary(20))
}

/// Reads the value of parameter `name` in the options form.
///
/// # Errors
/// [`ParameterError::Expects`] or [`ParameterError::OutOfRange`].
pub fn parameter(name: &str, text: &str) -> Result<u64, ParameterError> {
    parse(text).map_err(|error| match error {
        SizeError::Syntax => ParameterError::expects(name, EXPECTED_SIZE),
        SizeError::Range => ParameterError::OutOfRange { name: name.to_owned(), value: text.to_owned() },
    })
}

/// What one unit of the number stands for.
#[derive(Clone, Copy)]
enum Scale {
    /// A byte, which has no fractions.
    Bytes,
    /// Two to that power of bytes.
    Binary(u32),
}

fn suffix(letter: u8) -> Option<Scale> {
    Some(match letter.to_ascii_lowercase() {
        b'b' => Scale::Bytes,
        b'k' => Scale::Binary(10),
        b'm' => Scale::Binary(20),
        b'g' => Scale::Binary(30),
        b't' => Scale::Binary(40),
        b'p' => Scale::Binary(50),
        b'e' => Scale::Binary(60),
        _ => return None,
    })
}

fn parse_with_default(text: &str, default: Scale) -> Result<u64, SizeError> {
    // An error of range is reported only for a text that is nothing but a number: otherwise the
    // syntax is the trouble.
    let out_of_range = |rest: &str| if rest.is_empty() { SizeError::Range } else { SizeError::Syntax };

    let integer = number::prefix(text, 10);
    if let Some(integer) = integer
        && (integer.negative || integer.magnitude.is_none())
    {
        return Err(out_of_range(integer.rest));
    }
    let (whole, fraction, rest) = match integer {
        Some(number::Prefix { magnitude: Some(0), rest, .. }) if rest.starts_with(['x', 'X']) => {
            let hexadecimal = number::prefix(text, 16).ok_or(SizeError::Syntax)?;
            return match hexadecimal.magnitude {
                Some(value) if hexadecimal.rest.is_empty() => Ok(value),
                _ => Err(out_of_range(hexadecimal.rest)),
            };
        }
        Some(integer) => {
            let (fraction, rest) = fraction(integer.rest);
            (integer.magnitude.unwrap_or_default(), fraction, rest)
        }
        // ".5k": a fraction with no digit before the point.
        None => {
            let unspaced = number::skip_space(text);
            let (negative, unsigned) = match unspaced.strip_prefix('-') {
                Some(unsigned) => (true, unsigned),
                None => (false, unspaced.strip_prefix('+').unwrap_or(unspaced)),
            };
            let (fraction, rest) = fraction(unsigned);
            // At least one digit has to be there.
            if unsigned.len() - rest.len() < 2 {
                return Err(SizeError::Syntax);
            }
            if negative {
                return Err(out_of_range(rest));
            }
            (0, fraction, rest)
        }
    };
    let (scale, rest) = match rest.bytes().next().and_then(suffix) {
        Some(scale) => (scale, &rest[1..]),
        None => (default, rest),
    };
    if !rest.is_empty() {
        return Err(SizeError::Syntax);
    }
    let (whole, fraction) = match fraction {
        Fraction::Part(part) => (u128::from(whole), part),
        Fraction::One => (u128::from(whole) + 1, 0),
    };
    let bytes = match scale {
        Scale::Bytes if fraction != 0 => return Err(SizeError::Syntax),
        Scale::Bytes => whole,
        Scale::Binary(shift) => {
            // The fraction's 64 bits times at most 2^60, with half a byte added for rounding.
            (whole << shift) + (((u128::from(fraction) << shift) + (1 << 63)) >> 64)
        }
    };
    u64::try_from(bytes).map_err(|_| SizeError::Range)
}

/// A decimal fraction in 64 bits.
enum Fraction {
    Part(u64),
    /// So close to one that a double is one.
    One,
}

/// Reads `.ddd`; the fraction is zero if the text starts with none.
fn fraction(text: &str) -> (Fraction, &str) {
    let Some(after_point) = text.strip_prefix('.') else { return (Fraction::Part(0), text) };
    let count = after_point.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &after_point[count..];
    // The reference goes through a double as well; so the same texts give the same sizes.
    let value: f64 = format!("0.{}", &after_point[..count]).parse().unwrap_or(0.0);
    let any = after_point[..count].bytes().any(|digit| digit != b'0');
    if value >= 1.0 {
        return (Fraction::One, rest);
    }
    // A fraction that is not zero must not become zero, or the check for fractions of a byte misses it.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= value < 1, so it fits")]
    let bits = ((value * (1_u64 << 63) as f64) as u64) << 1;
    (Fraction::Part(if any { bits.max(1) } else { bits }), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use SizeError::{Range, Syntax};
    use proptest::prelude::*;

    /// Read back from the machine property `max-ram-below-4g` of QEMU 11.1.2, set as text; above 4 GiB
    /// from the error that quotes the size.
    #[test]
    fn as_the_reference_reads_it() {
        for (text, expected) in [
            ("1", Ok(1)),
            ("1b", Ok(1)),
            ("1k", Ok(1024)),
            ("1K", Ok(1024)),
            ("1.5k", Ok(1536)),
            (".5M", Ok(524_288)),
            ("+.5k", Ok(512)),
            ("0.1k", Ok(102)),
            ("0.1G", Ok(107_374_182)),
            ("0.3M", Ok(314_573)),
            ("3.7k", Ok(3789)),
            ("1024.5M", Ok(1_074_266_112)),
            ("1.5t", Ok(1_649_267_441_664)),
            ("1.5p", Ok(1_688_849_860_263_936)),
            ("1e", Ok(1_152_921_504_606_846_976)),
            ("1.5E", Ok(1_729_382_256_910_270_464)),
            ("15E", Ok(17_293_822_569_102_704_640)),
            ("15.9E", Ok(18_331_451_923_248_866_944)),
            ("0x10", Ok(16)),
            ("0x1e", Ok(30)),
            ("0x1eE", Ok(494)),
            ("010", Ok(10)),
            ("0b", Ok(0)),
            ("+1", Ok(1)),
            ("1.", Ok(1)),
            ("1.0", Ok(1)),
            ("0.0", Ok(0)),
            ("0.0b", Ok(0)),
            ("1.000b", Ok(1)),
            ("1.k", Ok(1024)),
            ("2.0k", Ok(2048)),
            ("1.0e", Ok(1_152_921_504_606_846_976)),
            ("0.0009765625k", Ok(1)),
            ("0.0005k", Ok(1)),
            ("0.0004k", Ok(0)),
            (".00048828125k", Ok(1)),
            ("0.9999999999999999999999k", Ok(1024)),
            ("1.00000000000000000001k", Ok(1024)),
            ("4194303.9999999999999999k", Ok(4_294_967_296)),
            ("1234567890123456789", Ok(1_234_567_890_123_456_789)),
            ("18446744073709551615", Ok(u64::MAX)),
            ("18446744073709551616", Err(Range)),
            ("0x10000000000000000", Err(Range)),
            ("16E", Err(Range)),
            ("15.99999999999999999999E", Err(Range)),
            ("18446744073709551615.5k", Err(Range)),
            ("18446744073709551615.99999999999999999999", Err(Range)),
            ("-1", Err(Range)),
            ("-0", Err(Range)),
            ("-1x", Err(Syntax)),
            ("-1.5", Err(Syntax)),
            ("-0.0", Err(Syntax)),
            ("-.5k", Err(Syntax)),
            ("-0x1", Err(Syntax)),
            ("-9e", Err(Syntax)),
            ("99999999999999999999k", Err(Syntax)),
            ("16Ex", Err(Syntax)),
            ("1.5", Err(Syntax)),
            ("1.5b", Err(Syntax)),
            (".5", Err(Syntax)),
            ("1e3", Err(Syntax)),
            ("1.5e1k", Err(Syntax)),
            ("1ee", Err(Syntax)),
            ("0x", Err(Syntax)),
            ("0x10k", Err(Syntax)),
            ("0x1g", Err(Syntax)),
            ("0x.8k", Err(Syntax)),
            ("0x1.8k", Err(Syntax)),
            ("00x10", Err(Syntax)),
            ("0b1", Err(Syntax)),
            ("1x", Err(Syntax)),
            ("1 k", Err(Syntax)),
            ("1kk", Err(Syntax)),
            ("1KiB", Err(Syntax)),
            (".", Err(Syntax)),
            (".k", Err(Syntax)),
            ("1.-5k", Err(Syntax)),
            ("1.inf", Err(Syntax)),
            (".5.5k", Err(Syntax)),
            ("+-1", Err(Syntax)),
            ("inf", Err(Syntax)),
            ("nan", Err(Syntax)),
            ("a.5k", Err(Syntax)),
            ("", Err(Syntax)),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn mebibytes_where_no_suffix_is() {
        assert_eq!(parse_mebibytes("1"), Ok(1 << 20));
        assert_eq!(parse_mebibytes("1.5"), Ok(3 << 19));
        assert_eq!(parse_mebibytes("1k"), Ok(1024));
        assert_eq!(parse_mebibytes("17592186044416"), Err(Range));
    }

    #[test]
    fn errors_name_the_parameter() {
        assert_eq!(
            parameter("size", "1x").unwrap_err().to_string(),
            "Parameter 'size' expects a non-negative number below 2^64"
        );
        assert_eq!(
            parameter("size", "-1").unwrap_err().to_string(),
            "Value '-1' is out of range for parameter 'size'"
        );
    }

    proptest! {
        #![proptest_config(crate::text::test_config())]

        #[test]
        fn whole_numbers_are_exact(value: u64) {
            prop_assert_eq!(parse(&value.to_string()), Ok(value));
            prop_assert_eq!(parse(&format!("{value:#x}")), Ok(value));
            prop_assert_eq!(parse(&format!("{value}b")), Ok(value));
        }

        #[test]
        fn suffixes_are_powers_of_1024(value in 0u64..1 << 14, power in 0usize..6) {
            let suffix = ["k", "M", "g", "T", "p", "E"][power];
            let exact = u128::from(value) << (10 * (power + 1));
            prop_assert_eq!(parse(&format!("{value}{suffix}")), u64::try_from(exact).map_err(|_| Range));
        }

        #[test]
        fn halves_and_quarters_are_exact(value in 0u64..1 << 20, quarter in 0u64..4) {
            let text = format!("{value}.{:02}M", quarter * 25);
            prop_assert_eq!(parse(&text), Ok((value << 20) + (quarter << 18)));
        }

        #[test]
        fn any_text_is_answered(text in "[ +-]?[0-9a-fxX]{0,22}[.]?[0-9]{0,30}[bkmgtpeE]?.{0,2}|.*") {
            let _ = (parse(&text), parse_mebibytes(&text));
        }
    }
}
