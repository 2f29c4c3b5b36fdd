//! Arguments in JSON: `-device {…}`, `-object {…}`.

use qmp::json::{JsonError, Reader};
use serde_json::{Map, Value};

use super::error::ErrorKind;

/// Whether an argument is meant as JSON.
pub(super) fn is_json(text: &str) -> bool {
    text.starts_with('{')
}

/// Reads an argument that is one JSON object.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, ErrorKind> {
    let mut reader = Reader::new();
    let (used, found) = reader.feed(text.as_bytes());
    // A number or keyword ends only with the byte after it.
    let found = found.or_else(|| reader.feed(b" ").1);
    let value = found.unwrap_or_else(|| Err(premature_end(text)))?;
    if !text.as_bytes()[used..].iter().all(u8::is_ascii_whitespace) {
        return Err(ErrorKind::TrailingJson);
    }
    match value {
        Value::Object(members) => Ok(members),
        // The text starts with a brace, so this is not reached with any other value.
        _ => Err(ErrorKind::TrailingJson),
    }
}

/// The error of a text that ends before its value does: one column past its end, and one more after a
/// number or keyword, as the reference counts.
fn premature_end(text: &str) -> JsonError {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let late = usize::from(text.ends_with(|last: char| last.is_ascii_alphanumeric()));
    JsonError::Syntax {
        line: count(text.matches('\n').count() + 1),
        column: count(last_line.len() + 1 + late),
        message: "premature end of input".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Messages of `-device` of QEMU 11.1.2.
    #[test]
    fn errors_as_the_reference_words_them() {
        for (text, message) in [
            ("{", "1:2: JSON parse error, premature end of input"),
            ("{ ", "1:3: JSON parse error, premature end of input"),
            ("{\"driver\":\"foo\"", "1:16: JSON parse error, premature end of input"),
            ("{\"a\":12", "1:9: JSON parse error, premature end of input"),
            ("{\n\"a\":", "2:5: JSON parse error, premature end of input"),
            ("{'a' : tr", "1:8: JSON parse error, invalid keyword 'tr'"),
            ("{\"driver\"}", "1:10: JSON parse error, expecting ':'"),
            ("{driver:1}", "1:2: JSON parse error, expecting key"),
            ("{\"driver\":\"foo\",}", "1:17: JSON parse error, expecting key"),
            ("{\"a\":tru}", "1:6: JSON parse error, invalid keyword 'tru'"),
            ("{\"driver\":\"foo\"}x", "Expecting at most one JSON value"),
            ("{\"driver\":\"foo\"}{", "Expecting at most one JSON value"),
        ] {
            assert_eq!(object(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn single_quotes_are_strings() {
        assert_eq!(object("{'driver': 'foo'}").unwrap()["driver"], "foo");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[{][\\[\\]{}\"':,a-z0-9 ]{0,30}|.*") {
            let _ = object(&text);
        }
    }
}
