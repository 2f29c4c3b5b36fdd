//! Lists of integers with ranges in text: `0-3,7`.
//!
//! A list is bounded, so that a short text cannot ask for much memory: a range has at most
//! [`MAX_RANGE`] numbers, as in QEMU, and a list at most [`MAX_LIST`].

use super::number;

/// The most numbers that one range stands for.
pub const MAX_RANGE: u64 = 65_536;
/// The most numbers that one list stands for.
pub const MAX_LIST: usize = 1 << 20;

/// A text is not a list of integers and ranges.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Parameter '{name}' expects list of {element} values or ranges")]
pub struct ListError {
    /// The parameter. (QEMU says `null` here for every one.)
    pub name: String,
    /// `uint64` or `int64`.
    pub element: &'static str,
}

/// Reads numbers and ranges of unsigned integers in the order given; an empty text is an empty list.
///
/// # Errors
/// [`ListError`]: not a number, a range that descends, too many numbers.
pub fn unsigned(name: &str, text: &str) -> Result<Vec<u64>, ListError> {
    parse(
        text,
        |prefix| prefix.unsigned().ok(),
        |from, to| to.checked_sub(from),
        |from, offset| from + offset,
    )
    .ok_or_else(|| ListError { name: name.to_owned(), element: "uint64" })
}

/// Reads numbers and ranges of signed integers in the order given; an empty text is an empty list.
///
/// # Errors
/// As [`unsigned`].
pub fn signed(name: &str, text: &str) -> Result<Vec<i64>, ListError> {
    parse(
        text,
        |prefix| prefix.signed().ok(),
        |from, to| if from <= to { Some(to.abs_diff(from)) } else { None },
        i64::wrapping_add_unsigned,
    )
    .ok_or_else(|| ListError { name: name.to_owned(), element: "int64" })
}

fn parse<T: Copy>(
    text: &str,
    value: impl Fn(&number::Prefix<'_>) -> Option<T>,
    distance: impl Fn(T, T) -> Option<u64>,
    add: impl Fn(T, u64) -> T,
) -> Option<Vec<T>> {
    let mut numbers = Vec::new();
    let mut text = text;
    while !text.is_empty() {
        let first = number::prefix(text, 0)?;
        let from = value(&first)?;
        let (last, rest) = match first.rest.strip_prefix('-') {
            Some(rest) => {
                let end = number::prefix(rest, 0)?;
                let last = distance(from, value(&end)?)?;
                (last, end.rest)
            }
            None => (0, first.rest),
        };
        if last >= MAX_RANGE || numbers.len() + usize::try_from(last).ok()? >= MAX_LIST {
            return None;
        }
        numbers.extend((0..=last).map(|offset| add(from, offset)));
        text = match rest.strip_prefix(',') {
            Some(rest) => rest,
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(numbers)
}

/// Writes numbers in the shortest form that [`unsigned`] reads back to the same list.
#[must_use]
pub fn format_unsigned(numbers: &[u64]) -> String {
    format(numbers, u64::checked_add)
}

/// Writes numbers in the shortest form that [`signed`] reads back to the same list.
#[must_use]
pub fn format_signed(numbers: &[i64]) -> String {
    format(numbers, i64::checked_add_unsigned)
}

fn format<T: Copy + PartialEq + std::fmt::Display>(
    numbers: &[T],
    add: impl Fn(T, u64) -> Option<T>,
) -> String {
    let mut text = String::new();
    let mut rest = numbers;
    while let Some(&from) = rest.first() {
        let run = (1..rest.len().min(65_536)).take_while(|&i| add(from, i as u64) == Some(rest[i])).count();
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&from.to_string());
        if run > 0 {
            text.push('-');
            text.push_str(&rest[run].to_string());
        }
        rest = &rest[run + 1..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As QEMU 11.1.2 takes or refuses them as text for `host-nodes` of a memory backend.
    #[test]
    fn as_the_reference_reads_it() {
        let read = |text| unsigned("nodes", text).ok();
        assert_eq!(read("0-3,7"), Some(vec![0, 1, 2, 3, 7]));
        assert_eq!(read(""), Some(vec![]));
        assert_eq!(read("1,"), Some(vec![1]));
        assert_eq!(read("1-2,"), Some(vec![1, 2]));
        assert_eq!(read("2,1"), Some(vec![2, 1]));
        assert_eq!(read("0-3,2"), Some(vec![0, 1, 2, 3, 2]));
        assert_eq!(read("1, 2"), Some(vec![1, 2]));
        assert_eq!(read("0x1-0x3"), Some(vec![1, 2, 3]));
        assert_eq!(read("010"), Some(vec![8]));
        assert_eq!(read("-1"), Some(vec![u64::MAX]));
        for text in ["3-1", "0-65536", "1-", "x", "1,,2", "1--2", "1 ,2", "1-2-3", "1,x", "-5-3", ","] {
            assert_eq!(
                unsigned("nodes", text).unwrap_err().to_string(),
                "Parameter 'nodes' expects list of uint64 values or ranges",
                "{text:?}"
            );
        }
    }

    #[test]
    fn signed_ranges_cross_zero() {
        assert_eq!(signed("n", "-2-1,-5--4"), Ok(vec![-2, -1, 0, 1, -5, -4]));
        assert_eq!(
            signed("n", "-9223372036854775808-9223372036854775807").unwrap_err().to_string(),
            "Parameter 'n' expects list of int64 values or ranges"
        );
        assert!(signed("n", "9223372036854775808").is_err());
    }

    #[test]
    fn ranges_at_the_edge_of_64_bits() {
        assert_eq!(
            unsigned("n", "18446744073709551614-18446744073709551615"),
            Ok(vec![18_446_744_073_709_551_614, 18_446_744_073_709_551_615])
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "a million numbers")]
    fn many_ranges_stay_bounded() {
        assert!(unsigned("n", &"0-65535,".repeat(16)).is_ok());
        assert!(unsigned("n", &"0-65535,".repeat(17)).is_err());
        // The longest range, as in QEMU 11.1.2.
        assert_eq!(unsigned("n", "0-65535").map(|list| list.len()), Ok(65_536));
    }

    #[test]
    fn writing_joins_runs() {
        assert_eq!(format_unsigned(&[0, 1, 2, 3, 7]), "0-3,7");
        assert_eq!(format_unsigned(&[2, 1, 1, u64::MAX, 0]), "2,1,1,18446744073709551615,0");
        assert_eq!(format_unsigned(&[]), "");
    }

    proptest! {
        #![proptest_config(crate::text::test_config())]

        #[test]
        fn lists_read_back(numbers in prop::collection::vec(prop_oneof![0u64..20, any::<u64>()], 0..if cfg!(miri) { 4 } else { 40 })) {
            prop_assert_eq!(unsigned("n", &format_unsigned(&numbers)), Ok(numbers));
        }

        #[test]
        fn any_text_is_answered(text in "[0-9,x -]{0,40}|.*") {
            let _ = (unsigned("n", &text), signed("n", &text));
        }
    }
}
