//! Reader and writer together, on text from the reference and on random bytes.

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::{JsonError, Limits, Reader, Writer, to_string};

fn read_in_pieces<'a>(
    reader: &mut Reader,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Result<Value, String>> {
    let mut found = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            let (used, item) = reader.feed(piece);
            found.extend(item.map(|item| item.map_err(|error| error.to_string())));
            piece = &piece[used..];
        }
    }
    found
}

fn read(input: &[u8]) -> Vec<Result<Value, String>> {
    read_in_pieces(&mut Reader::new(), [input])
}

fn syntax(position: &str, message: &str) -> Result<Value, String> {
    Err(format!("{position}: JSON parse error, {message}"))
}

#[test]
fn requests_need_no_separator() {
    let requests = read(b"{'a': [1, 2.5, null]}{\"b\": {}} \r\n [] 'x'");
    assert_eq!(
        requests,
        [Ok(json!({"a": [1, 2.5, null]})), Ok(json!({"b": {}})), Ok(json!([])), Ok(json!("x"))]
    );
}

#[test]
fn numbers_keep_64_bits() {
    let numbers = read(b"[9223372036854775807,18446744073709551615,-9223372036854775808,-0,1e2,0e0]");
    assert_eq!(numbers, [Ok(json!([i64::MAX, u64::MAX, i64::MIN, 0, 100.0, 0.0]))]);
    assert_eq!(read(b"[1e400]"), [syntax("1:2", "number out of range")]);
}

#[test]
fn a_scalar_ends_with_the_byte_after_it() {
    let mut reader = Reader::new();
    assert_eq!(reader.feed(b"12"), (2, None));
    assert_eq!(reader.feed(b"3\n"), (1, Some(Ok(json!(123)))));
}

#[test]
fn limits_give_one_error_each() {
    let limits = Limits { token_bytes: 16, tokens: 8, nesting: 4 };
    let read = |input: &[u8]| {
        let mut reader = Reader::with_limits(limits);
        let mut found = read_in_pieces(&mut reader, [input]);
        found.extend(read_in_pieces(&mut reader, [&b"\n[1]"[..]]));
        found
    };
    let then = Ok(json!([1]));
    assert_eq!(read(b"[[[[]]]]"), [Ok(json!([[[[]]]])), then.clone()]);
    assert_eq!(read(b"[[[[[[]]]]]]"), [Err(JsonError::Nesting.to_string()), then.clone()]);
    assert_eq!(read(b"[0,0,0,0,0,0]"), [Err(JsonError::TokenCount.to_string()), then.clone()]);
    assert_eq!(read(b"['1234','123456']"), [Err(JsonError::TokenSize.to_string()), then.clone()]);
    assert_eq!(read(b"'12345678901234567'"), [Err(JsonError::TokenSize.to_string()), then.clone()]);
    // An endless token ends its message, so that what closes it is one too many.
    let closing = syntax("1:20", "expecting value");
    assert_eq!(read(b"[12345678901234567]"), [Err(JsonError::TokenSize.to_string()), closing, then]);
}

/// The reference's replies to `1.0`, `1e3`, … as the id of a request.
#[test]
fn floats_are_written_with_17_digits() {
    for (value, text) in [
        (1.0, "1"),
        (0.1, "0.10000000000000001"),
        (1.5e-7, "1.4999999999999999e-07"),
        (1e23, "9.9999999999999992e+22"),
        (100_000_000_000_000_000_000_000.5, "1.0000000000000001e+23"),
        (123_456_789_012_345_678_901_234_567_890.0, "1.2345678901234568e+29"),
        (-9_223_372_036_854_775_808.0, "-9.2233720368547758e+18"),
        (-0.0, "-0"),
        (1e16, "10000000000000000"),
        (1e17, "1e+17"),
        (0.0001, "0.0001"),
        (0.5, "0.5"),
    ] {
        assert_eq!(to_string(&value).unwrap(), text);
    }
    assert!(to_string(&f64::NAN).is_err());
}

#[test]
fn members_come_in_the_order_of_the_reference() {
    let value = json!({"b": 1, "a": 2, "return": 3, "zz": {}, "q": []});
    assert_eq!(to_string(&value).unwrap(), r#"{"a": 2, "zz": {}, "b": 1, "return": 3, "q": []}"#);
    let kinds = json!({"return": 1, "id": 2, "error": 3, "timestamp": 4, "event": 5, "data": 6, "class": 7, "desc": 8});
    let expected =
        r#"{"timestamp": 4, "class": 7, "event": 5, "desc": 8, "return": 1, "id": 2, "error": 3, "data": 6}"#;
    assert_eq!(to_string(&kinds).unwrap(), expected);
    let version = json!({"major": 11, "minor": 1, "micro": 2});
    assert_eq!(to_string(&version).unwrap(), r#"{"micro": 2, "minor": 1, "major": 11}"#);
}

#[test]
fn text_is_escaped() {
    let text = "é\u{7f}\u{1}/\"\\😀\r\n";
    assert_eq!(to_string(text).unwrap(), r#""\u00E9\u007F\u0001/\"\\\uD83D\uDE00\r\n""#);
}

#[derive(Serialize)]
enum Variants {
    Unit,
    Newtype(u8),
    Tuple(u8, Vec<u8>),
    Struct { b: Option<u8>, a: u8 },
}

#[derive(Serialize)]
struct Optional {
    absent: Option<u8>,
    null: Value,
    list: Vec<Option<u8>>,
    variants: Vec<Variants>,
}

#[test]
fn every_serde_form_has_a_text() {
    let value = Optional {
        absent: None,
        null: Value::Null,
        list: vec![None, Some(1)],
        variants: vec![
            Variants::Unit,
            Variants::Newtype(1),
            Variants::Tuple(1, vec![2]),
            Variants::Struct { b: None, a: 1 },
        ],
    };
    let text = to_string(&value).unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();
    let variants = json!(["Unit", {"Newtype": 1}, {"Tuple": [1, [2]]}, {"Struct": {"a": 1}}]);
    assert_eq!(read, json!({"null": null, "list": [null, 1], "variants": variants}));
    assert_eq!(to_string(&std::collections::BTreeMap::from([(1, 2)])).unwrap(), r#"{"1": 2}"#);
    assert!(to_string(&std::collections::BTreeMap::from([(vec![1], 2)])).is_err());
}

#[test]
fn pretty_text_is_indented_by_four() {
    let mut writer = Writer::new(true);
    json!({"return": {}, "id": [1, [], {"a": 1}]}).serialize(&mut writer).unwrap();
    let text = String::from_utf8(writer.text().to_vec()).unwrap();
    let expected = "{\n    \"return\": {\n    },\n    \"id\": [\n        1,\n        [\n        ],\n        {\n            \"a\": 1\n        }\n    ]\n}";
    assert_eq!(text, expected);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        "[ -~éß€😀\\t\\n]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec(("[a-zé\"\\\\]{0,5}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Numbers compared as the wire has them: 1.0 is written, and so read, as 1. Without its feature
/// `float_roundtrip`, serde_json may read a double with a wrong last bit.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let near = |a: f64, b: f64| (a - b).abs() <= a.abs() * 2.0 * f64::EPSILON;
            a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if near(a, b))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

proptest! {
    #[test]
    fn valid_json_agrees_with_serde_json(value in any_json()) {
        let text = serde_json::to_vec(&[&value]).unwrap();
        let ours = read(&text);
        prop_assert_eq!(ours.len(), 1);
        prop_assert!(equal(ours[0].as_ref().unwrap(), &serde_json::from_slice(&text).unwrap()));
    }

    #[test]
    fn what_is_written_reads_back(value in any_json()) {
        for pretty in [false, true] {
            let mut writer = Writer::new(pretty);
            [&value].serialize(&mut writer).unwrap();
            let ours = read(writer.text());
            prop_assert_eq!(ours.len(), 1);
            prop_assert!(equal(ours[0].as_ref().unwrap(), &json!([value])));
            prop_assert!(equal(&serde_json::from_slice(writer.text()).unwrap(), &json!([value])));
            prop_assert!(writer.text().iter().all(|&byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
        }
    }

    #[test]
    fn splits_do_not_matter(
        input in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            proptest::collection::vec(
                proptest::sample::select(&b"{}[]:,\"'\\u0d81e.-+ant \n\t@\x00\xff\xc3"[..]), 0..60),
        ],
        cuts in proptest::collection::vec(0_usize..60, 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]);
        let mut reader = Reader::new();
        let whole = read(&input);
        prop_assert_eq!(&whole, &read_in_pieces(&mut reader, pieces));
        // After anything at all, enough closing of what may be open gets the session going again.
        let recovered = read_in_pieces(&mut reader, [&b"'\"\n\n'\n]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}{'x':1}"[..]]);
        prop_assert_eq!(recovered.last(), Some(&Ok(json!({"x": 1}))));
    }
}
