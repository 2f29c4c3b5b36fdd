//! Values of properties from text, with the reference's grammar.

/// `on`, `yes`, `true`, `y`, `off`, `no`, `false` or `n`.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "on" | "yes" | "true" | "y" => Some(true),
        "off" | "no" | "false" | "n" => Some(false),
        _ => None,
    }
}

/// White space of C's `isspace`.
const SPACE: [char; 6] = [' ', '\t', '\n', '\u{b}', '\u{c}', '\r'];

/// Sign and digits of a number in C's notation: decimal, `0x`, `0b` or octal with a leading 0.
fn split(text: &str) -> Option<(bool, &str, u32)> {
    let text = text.trim_start_matches(SPACE);
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

/// A frequency in Hz: hexadecimal, or decimal with a suffix (`B`, `K`, `M`, `G`, `T`, `P` or `E`, in
/// either case, by powers of 1000) and then possibly a fraction: `1.5M`. At most `i64::MAX`.
pub(super) fn parse_frequency(text: &str) -> Option<u64> {
    let text = text.trim_start_matches(SPACE);
    let text = text.strip_prefix('+').unwrap_or(text);
    let hz = if let Some(digits) = text.strip_prefix("0x") {
        u128::from(u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?)
    } else {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let scale = match text[number.len()..].to_ascii_uppercase().as_str() {
            "" | "B" => 1,
            "K" => 1_000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            "T" => 1_000_000_000_000,
            "P" => 1_000_000_000_000_000,
            "E" => 1_000_000_000_000_000_000u128,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        // 18 digits of fraction are exact for the largest suffix.
        if whole.len() + fraction.len() == 0 || whole.len() > 20 || fraction.len() > 18 {
            return None;
        }
        let digits = |s: &str| match s {
            "" => Some(0),
            _ => s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<u128>().ok()).flatten(),
        };
        let part = digits(fraction)? * scale;
        if scale == 1 && part != 0 {
            return None;
        }
        let unit = 10u128.pow(u32::try_from(fraction.len()).ok()?);
        digits(whole)?.checked_mul(scale)?.checked_add(part / unit)?
    };
    i64::try_from(hz).ok().map(i64::cast_unsigned)
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
        assert_eq!(parse_frequency("0x10"), Some(16));
        assert_eq!(parse_frequency(".5M"), Some(500_000));
        assert_eq!(parse_frequency("1.k"), Some(1000));
        assert_eq!(parse_frequency("1.0"), Some(1));
        for bad in
            ["abc", "-3", "99999999999999999999", "", "G", "1..5M", "1.5", "1.5b", "0x1k", "0x+1", ".", "1kk"]
        {
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
