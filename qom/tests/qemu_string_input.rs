//! The behaviours that QEMU's own `tests/unit/test-string-input-visitor.c` stands for, each named after its case there:
//! what text on its own (`-global`, HMP's `qom-set`) is read as. The program is ours; the cases are QEMU's.
//!
//! Its case of floating-point numbers is left out: no property here is one.

use proptest::prelude::*;
use qom::text::{list, parse_i64, parse_u64};
use qom::{Input, OnOffAuto, PropertyEnum, PropertyValue, Size};

fn read<T: PropertyValue>(text: &str) -> Result<T, String> {
    T::read("x", &Input::Text(text)).map_err(|error| error.to_string())
}

/// `/string-visitor/input/int`: signs, bases and the ends of the range; a number and something else is no number.
#[test]
fn int() {
    for (text, value) in [
        ("-42", -42),
        ("42", 42),
        ("+42", 42),
        ("0x2a", 42),
        ("-0x2A", -42),
        ("052", 42),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(read::<i64>(text), Ok(value), "{text}");
        assert_eq!(parse_i64(text), Some(value));
    }
    for text in
        ["9223372036854775808", "-9223372036854775809", "", "-", "42x", "4 2", "0x", "1,2", "1-2", "five"]
    {
        assert_eq!(read::<i64>(text), Err("Parameter 'x' expects int64".into()), "{text}");
    }
}

/// The narrower types have their own bounds and name them.
#[test]
fn int_widths() {
    assert_eq!(read::<i8>("-128"), Ok(-128));
    assert_eq!(read::<i8>("128"), Err("Parameter 'x' expects int8_t".into()));
    assert_eq!(read::<i16>("-32769"), Err("Parameter 'x' expects int16_t".into()));
    assert_eq!(read::<i32>("2147483648"), Err("Parameter 'x' expects int32_t".into()));
    assert_eq!(read::<u8>("255"), Ok(255));
    assert_eq!(read::<u8>("256"), Err("Parameter 'x' expects uint8_t".into()));
    assert_eq!(read::<u16>("0x10000"), Err("Parameter 'x' expects uint16_t".into()));
    assert_eq!(read::<u32>("4294967296"), Err("Parameter 'x' expects uint32_t".into()));
    assert_eq!(read::<u32>("-1"), Err("Parameter 'x' expects uint32_t".into()));
}

/// Unsigned 64-bit integers reach twice as far, and take a minus sign as the C library does.
#[test]
fn uint64() {
    assert_eq!(read::<u64>("18446744073709551615"), Ok(u64::MAX));
    assert_eq!(read::<u64>("-1"), Ok(u64::MAX));
    assert_eq!(parse_u64("0xffffffffffffffff"), Some(u64::MAX));
    for text in ["18446744073709551616", "", "nine", "9 "] {
        assert_eq!(read::<u64>(text), Err("Parameter 'x' expects uint64".into()), "{text}");
    }
}

/// `/string-visitor/input/bool`: the words, and no others.
#[test]
fn boolean() {
    for (text, value) in [
        ("true", true),
        ("yes", true),
        ("on", true),
        ("y", true),
        ("false", false),
        ("no", false),
        ("off", false),
        ("n", false),
    ] {
        assert_eq!(read::<bool>(text), Ok(value), "{text}");
    }
    for text in ["", "TRUE", "1", "0", "maybe", "on ", "enable"] {
        assert_eq!(read::<bool>(text), Err("Parameter 'x' expects 'on' or 'off'".into()), "{text}");
    }
}

/// `/string-visitor/input/string`: any text is a string, as it stands.
#[test]
fn string() {
    for text in ["Q E M U", "", " on ", "a,b=c", "é\u{0}", "\"quoted\""] {
        assert_eq!(read::<String>(text), Ok(text.to_owned()));
    }
}

/// `/string-visitor/input/enum`: every member by its name, and nothing else.
#[test]
fn enumeration() {
    for (name, value) in OnOffAuto::MEMBERS {
        assert_eq!(read::<OnOffAuto>(name), Ok(*value));
    }
    for text in ["", "ON", "autos", "yes", "0"] {
        assert_eq!(read::<OnOffAuto>(text), Err(format!("Parameter 'x' does not accept value '{text}'")));
    }
}

/// Sizes with suffixes and fractions, below 2^64.
#[test]
fn size() {
    assert_eq!(read::<Size>("1024"), Ok(Size(1024)));
    assert_eq!(read::<Size>("1.5G"), Ok(Size(3 << 29)));
    assert_eq!(read::<Size>("15E"), Ok(Size(15 << 60)));
    for text in ["16E", "-1", "1.5", "1 k", "1kb", "", "M"] {
        assert_eq!(read::<Size>(text), Err("Parameter 'x' expects a size".into()), "{text}");
    }
}

fn signed(text: &str) -> Result<Vec<i64>, String> {
    list::signed("x", text).map_err(|error| error.to_string())
}

fn unsigned(text: &str) -> Result<Vec<u64>, String> {
    list::unsigned("x", text).map_err(|error| error.to_string())
}

/// `/string-visitor/input/intList`: numbers and ranges stay in the order given, repeated where they overlap.
#[test]
fn int_list() {
    let spelled = vec![1, 2, 0, 2, 3, 4, 20, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(signed("1,2,0,2-4,20,5-9,1-8"), Ok(spelled));
    assert_eq!(signed("32767,-32768--32767"), Ok(vec![32767, -32768, -32767]));
    assert_eq!(signed("-2-2"), Ok(vec![-2, -1, 0, 1, 2]));
    assert_eq!(signed("3-3"), Ok(vec![3]), "a range of one");
    assert_eq!(signed("0x10-0x12,-0x1"), Ok(vec![16, 17, 18, -1]));
    assert_eq!(signed("-9223372036854775808,9223372036854775807"), Ok(vec![i64::MIN, i64::MAX]));
    let last: Vec<i64> = (i64::MAX - 12..=i64::MAX).collect();
    assert_eq!(
        signed("9223372036854775795-9223372036854775807"),
        Ok(last),
        "the end of a range may be the last"
    );
    let first: Vec<i64> = (i64::MIN..=i64::MIN + 2).collect();
    assert_eq!(signed("-9223372036854775808--9223372036854775806"), Ok(first));
}

/// `/string-visitor/input/intList`: nothing is an empty list.
#[test]
fn empty_list() {
    assert_eq!(signed(""), Ok(Vec::new()));
    assert_eq!(unsigned(""), Ok(Vec::new()));
}

/// `/string-visitor/input/intList`: ranges go up, have two ends and at most 65,536 numbers; nothing is left over.
#[test]
fn invalid_lists() {
    for text in [
        "not an int list",
        "3-1",
        "1-",
        "1--",
        "--1",
        "1-2-3",
        "1,,2",
        ",",
        ",1",
        "1;2",
        "1 2",
        "0x",
        "1-0x",
        "9223372036854775808",
        "0-9223372036854775807",
        "-9223372036854775808-9223372036854775807",
        "0-65536",
    ] {
        assert_eq!(
            signed(text),
            Err("Parameter 'x' expects list of int64 values or ranges".into()),
            "{text}"
        );
    }
    for text in ["4-3", "x", "1-x", "0-65536", "18446744073709551616", "0-18446744073709551615"] {
        assert_eq!(
            unsigned(text),
            Err("Parameter 'x' expects list of uint64 values or ranges".into()),
            "{text}"
        );
    }
}

/// `/string-visitor/input/uint64List`: the same for unsigned integers, with their own end.
#[test]
fn uint64_list() {
    assert_eq!(unsigned("1,2,0,2-4"), Ok(vec![1, 2, 0, 2, 3, 4]));
    assert_eq!(unsigned("18446744073709551615"), Ok(vec![u64::MAX]));
    assert_eq!(
        unsigned("18446744073709551613-18446744073709551615"),
        Ok(vec![u64::MAX - 2, u64::MAX - 1, u64::MAX])
    );
}

/// Under Miri a few cases, and no file of failures, which it could not write.
fn config() -> ProptestConfig {
    if cfg!(miri) {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) }
    } else {
        ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// `/string-visitor/input/fuzz`: any text is read or refused as any type.
    #[test]
    fn fuzz(text in "[ -~]{0,24}|[0-9xXkMG.,+ -]{0,24}|.*") {
        fn answers<T: PropertyValue>(text: &str) {
            if let Ok(value) = read::<T>(text) {
                // What is a value at all has a JSON form that is read back.
                assert!(T::read("x", &Input::Json(&value.to_value())).is_ok());
            }
        }
        answers::<bool>(&text);
        answers::<u8>(&text);
        answers::<u16>(&text);
        answers::<u32>(&text);
        answers::<u64>(&text);
        answers::<i8>(&text);
        answers::<i16>(&text);
        answers::<i32>(&text);
        answers::<i64>(&text);
        answers::<String>(&text);
        answers::<Option<String>>(&text);
        answers::<Size>(&text);
        answers::<OnOffAuto>(&text);
        let _ = (list::signed("x", &text), list::unsigned("x", &text));
    }
}
