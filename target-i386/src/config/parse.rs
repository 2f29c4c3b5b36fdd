//! Values of properties from text, with the reference's grammar.

/// `on`, `yes`, `true`, `y`, `off`, `no`, `false` or `n`.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "on" | "yes" | "true" | "y" => Some(true),
        "off" | "no" | "false" | "n" => Some(false),
        _ => None,
    }
}

/// Sign and digits of a number in C's notation: decimal, `0x`, `0b` or octal with a leading 0.
fn split(text: &str) -> Option<(bool, &str, u32)> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    let (digits, radix) = match lower.as_deref() {
        Some("0x") => (&text[2..], 16),
        Some("0b") => (&text[2..], 2),
        _ if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        _ => (text, 10),
    };
    // `from_str_radix` would take another sign.
    let valid = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    valid.then_some((negative, digits, radix))
}

/// An unsigned number; a negative one wraps around, as C's `strtoull` does.
pub(super) fn parse_unsigned(text: &str) -> Option<u64> {
    let (negative, digits, radix) = split(text)?;
    let value = u64::from_str_radix(digits, radix).ok()?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// A signed number.
pub(super) fn parse_signed(text: &str) -> Option<i64> {
    let (negative, digits, radix) = split(text)?;
    let value = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

/// A frequency in Hz with a decimal suffix (`B`, `k`, `K`, `M`, `G`, `T`, `P`, `E`), possibly
/// with a fraction: `1.5M`. At most `i64::MAX`.
pub(super) fn parse_frequency(text: &str) -> Option<u64> {
    let (number, scale) = match text.char_indices().last()? {
        (at, c) if c.is_ascii_alphabetic() && !text.starts_with("0x") => {
            let power = match c.to_ascii_uppercase() {
                'B' => 0,
                'K' => 1,
                'M' => 2,
                'G' => 3,
                'T' => 4,
                'P' => 5,
                'E' => 6,
                _ => return None,
            };
            (&text[..at], 1000u128.pow(power))
        }
        _ => (text, 1),
    };
    let value = if let Some((whole, fraction)) = number.split_once('.') {
        let all_digits = |s: &str| s.chars().all(|c| c.is_ascii_digit());
        if scale == 1
            || fraction.is_empty()
            || fraction.len() > 18
            || !all_digits(fraction)
            || !all_digits(whole)
        {
            return None;
        }
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let part = fraction.parse::<u128>().ok()? * scale / 10u128.pow(u32::try_from(fraction.len()).ok()?);
        whole.checked_mul(scale)?.checked_add(part)?
    } else {
        if number.starts_with('-') {
            return None;
        }
        u128::from(parse_unsigned(number)?).checked_mul(scale)?
    };
    u64::try_from(value).ok().filter(|v| i64::try_from(*v).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_as_the_reference_takes_them() {
        for (text, value) in [
            ("5", Some(5)),
            ("0x5", Some(5)),
            ("010", Some(8)),
            (" 5", Some(5)),
            ("5 ", None),
            ("0b11", Some(3)),
            ("-1", Some(u64::MAX)),
            ("", None),
            ("0x", None),
            ("1k", None),
            ("1.5", None),
            ("1e3", None),
            ("--1", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_unsigned(text), value, "{text:?}");
        }
        assert_eq!(parse_signed("-5"), Some(-5));
        assert_eq!(parse_signed("x"), None);
    }

    #[test]
    fn frequencies() {
        assert_eq!(parse_frequency("1G"), Some(1_000_000_000));
        assert_eq!(parse_frequency("1.5M"), Some(1_500_000));
        assert_eq!(parse_frequency("2000"), Some(2000));
        for bad in ["abc", "-3", "99999999999999999999", "", "G", "1..5M"] {
            assert_eq!(parse_frequency(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text(text in ".{0,30}") {
            let _ = (parse_bool(&text), parse_unsigned(&text), parse_signed(&text), parse_frequency(&text));
        }

        #[test]
        fn decimal_round_trip(value: u64, signed: i64) {
            prop_assert_eq!(parse_unsigned(&value.to_string()), Some(value));
            prop_assert_eq!(parse_signed(&signed.to_string()), Some(signed));
        }
    }
}
