//! The beginning of a message, as the log shows it: a message may be of any length, a line of the log may not.
//!
//! What a request gives as a secret is not for a log, which others read and which is kept: of a request the members `data` and
//! `password` are not shown, whatever it asks for, nor what `qom-set` gives a property of such a name, nor what follows such a name in
//! a line for the human monitor. A reply is shown as it is: it has a secret only if the client asked for it by name.

use std::{fmt, io};

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

/// Most bytes of a message that are shown.
const SHOWN_BYTES: usize = 1024;

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// Members of requests, and properties, whose value is not shown.
const SECRETS: [&str; 2] = ["data", "password"];

/// The beginning of a message.
pub(crate) struct Shown {
    text: Vec<u8>,
    /// There is more.
    cut: bool,
}

impl Shown {
    /// Of a request. No more of it is written than is shown.
    pub(crate) fn value(value: &Value) -> Self {
        let mut shown = Self { text: Vec::new(), cut: false };
        // It ends in an error where there is no more room.
        let _ = serde_json::to_writer(&mut shown, &WithoutSecrets(value));
        shown
    }

    /// Of a text.
    pub(crate) fn text(text: &[u8]) -> Self {
        let cut = text.len() > SHOWN_BYTES;
        Self { text: text[..text.len().min(SHOWN_BYTES)].to_vec(), cut }
    }
}

impl io::Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(SHOWN_BYTES - self.text.len());
        self.text.extend_from_slice(&bytes[..taken]);
        self.cut |= taken < bytes.len();
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.cut {
            return f.write_str(&String::from_utf8_lossy(&self.text));
        }
        // A character that the cut goes through is left out.
        let whole = match std::str::from_utf8(&self.text) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.text.len(),
        };
        f.write_str(&String::from_utf8_lossy(&self.text[..whole]))?;
        f.write_str("...")
    }
}

/// A value whose secrets are not written.
struct WithoutSecrets<'a>(&'a Value);

impl Serialize for WithoutSecrets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(elements) => serializer.collect_seq(elements.iter().map(WithoutSecrets)),
            Value::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    match value {
                        _ if is_secret(members, name) => map.serialize_entry(name, HIDDEN)?,
                        Value::String(line) if name == "command-line" => {
                            map.serialize_entry(name, &line_without_secrets(line))?;
                        }
                        value => map.serialize_entry(name, &WithoutSecrets(value))?,
                    }
                }
                map.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

/// Whether a member is not to be shown. What a property is set to has the property's name beside it.
fn is_secret(members: &Map<String, Value>, name: &str) -> bool {
    let property = || members.get("property").and_then(Value::as_str);
    SECRETS.contains(&name) || (name == "value" && property().is_some_and(|name| SECRETS.contains(&name)))
}

/// A line for the human monitor up to the name of a secret; how far the secret goes depends on the command. A name in JSON may
/// be written in many ways, so nothing of JSON is shown.
fn line_without_secrets(line: &str) -> String {
    let name = |name: &&str| line.find(name).map(|at| at + name.len());
    match SECRETS.iter().filter_map(name).chain(line.find('{')).min() {
        None => line.to_owned(),
        Some(end) => format!("{}{HIDDEN}", &line[..end]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(Shown::value(&json!({"a": [1]})).to_string(), r#"{"a":[1]}"#);
        let long = "x".repeat(100_000);
        let shown = Shown::value(&json!([long])).to_string();
        assert!(shown.starts_with(r#"["xxx"#) && shown.ends_with("xxx..."), "{shown}");
        assert_eq!(shown.len(), SHOWN_BYTES + 3);
        assert_eq!(Shown::text(long.as_bytes()).to_string().len(), SHOWN_BYTES + 3);
    }

    #[test]
    fn a_message_that_fits_is_whole() {
        for length in [SHOWN_BYTES - 1, SHOWN_BYTES] {
            let text = "x".repeat(length);
            assert_eq!(Shown::text(text.as_bytes()).to_string(), text);
            let value = "x".repeat(length - 2);
            assert_eq!(Shown::value(&json!(value)).to_string(), format!("\"{value}\""));
        }
        let text = "x".repeat(SHOWN_BYTES + 1);
        assert_eq!(Shown::text(text.as_bytes()).to_string(), format!("{}...", &text[1..]));
        let value = "x".repeat(SHOWN_BYTES - 1);
        assert_eq!(Shown::value(&json!(value)).to_string(), format!("\"{value}..."));
    }

    #[test]
    fn characters_are_not_cut() {
        // The cut is after one, two and three bytes of the last character.
        for before in 1..4 {
            let text = "x".repeat(SHOWN_BYTES - before) + "😀😀";
            let whole = "x".repeat(SHOWN_BYTES - before) + "...";
            assert_eq!(Shown::text(text.as_bytes()).to_string(), whole);
            assert_eq!(Shown::value(&json!(text[1..])).to_string(), format!("\"{}", &whole[1..]));
        }
        // What is no text is shown as far as it can be.
        assert_eq!(Shown::text(b"a\xffb").to_string(), "a\u{fffd}b");
    }

    #[test]
    fn secrets_are_not_shown() {
        for (request, shown) in [
            (
                json!({"execute": "object-add", "arguments": {"qom-type": "secret", "id": "s", "data": "12345"}}),
                r#"{"execute":"object-add","arguments":{"qom-type":"secret","id":"s","data":"(hidden)"}}"#,
            ),
            (
                json!([{"execute": "object-add", "arguments": {"props": {"data": {"a": "12345"}}}}]),
                r#"[{"execute":"object-add","arguments":{"props":{"data":"(hidden)"}}}]"#,
            ),
            (
                json!({"execute": "qom-set", "arguments": {"path": "s", "property": "data", "value": "12345"}}),
                r#"{"execute":"qom-set","arguments":{"path":"s","property":"data","value":"(hidden)"}}"#,
            ),
            (
                json!({"execute": "qom-set", "arguments": {"property": "size", "value": 7}}),
                r#"{"execute":"qom-set","arguments":{"property":"size","value":7}}"#,
            ),
            (json!({"a": {"password": "12345"}}), r#"{"a":{"password":"(hidden)"}}"#),
            (json!({"a": {"password-secret": "id"}}), r#"{"a":{"password-secret":"id"}}"#),
        ] {
            assert_eq!(Shown::value(&request).to_string(), shown);
        }
        for (line, shown) in [
            ("object_add secret,id=s,data=12345,,6", "object_add secret,id=s,data(hidden)"),
            ("object_add \"secret,data=12\\n345\"", "object_add \"secret,data(hidden)"),
            ("qom-set /objects/s data 12345", "qom-set /objects/s data(hidden)"),
            (r#"object_add {"qom-type":"secret","d\u0061ta":"12345"}"#, "object_add (hidden)"),
            ("info status", "info status"),
        ] {
            let request = json!({"execute": "human-monitor-command", "arguments": {"command-line": line}});
            let shown = json!({"execute": "human-monitor-command", "arguments": {"command-line": shown}});
            assert_eq!(Shown::value(&request).to_string(), shown.to_string());
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_a_beginning(text in "[aé日😀\u{301}]{0,900}") {
            let shown = Shown::text(text.as_bytes()).to_string();
            let beginning = shown.strip_suffix("...").unwrap_or(&shown);
            prop_assert!(text.starts_with(beginning));
            prop_assert_eq!(beginning.len() == text.len(), text.len() <= SHOWN_BYTES);
            prop_assert!(beginning.len() + 4 > text.len().min(SHOWN_BYTES));
        }
    }
}
