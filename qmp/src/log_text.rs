//! The beginning of a message, as the log shows it: a message may be of any length, a line of the log may not.
//!
//! What is given and got as a secret is not for a log, which others read and which is kept. Of a request the members `data` and
//! `password` are not shown, whatever it asks for, nor what `qom-set` gives a property of such a name, nor what follows such a name in
//! a line for the human monitor. The reply to one that names such a property is not shown, nor are their values in lists of properties.
//! What the reader of JSON finds wrong is quoted by its error as it is.

use std::{fmt, io};

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

/// Most bytes of a message that are shown.
const SHOWN_BYTES: usize = 1024;

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// Members of requests, and properties, whose value is not shown.
const SECRETS: [&str; 2] = ["data", "password"];

/// Of a request for an object of the type `secret` no other members are shown: one that was mistyped may be the secret.
const SHOWN_OF_SECRETS: [&str; 6] = ["qom-type", "id", "format", "keyid", "iv", "file"];

/// Commands whose replies list properties with their values.
const LISTS_OF_VALUES: [&str; 2] = ["qom-list-get", "qom-tree-get"];

/// What the reply to a request may have in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplySecrets {
    /// Nothing that is hidden.
    None,
    /// Values of properties, each beside its name.
    Listed,
    /// A secret is all that it is about.
    All,
}

impl ReplySecrets {
    /// Of the reply to a request.
    pub(crate) fn of(request: &Value) -> Self {
        let argument = |name: &str| request.get("arguments")?.get(name)?.as_str();
        let command = request.get("execute").or(request.get("exec-oob")).and_then(Value::as_str);
        if argument("property").is_some_and(|name| SECRETS.contains(&name))
            || argument("command-line").is_some_and(|line| names_secret(line).is_some())
        {
            Self::All
        } else if command.is_some_and(|command| LISTS_OF_VALUES.contains(&command)) {
            Self::Listed
        } else {
            Self::None
        }
    }
}

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

    /// Of a reply.
    pub(crate) fn reply(text: &[u8], secrets: ReplySecrets) -> Self {
        let hidden = || Self::text(HIDDEN.as_bytes());
        match secrets {
            ReplySecrets::None => Self::text(text),
            ReplySecrets::Listed => {
                serde_json::from_slice(text).map_or_else(|_| hidden(), |value| Self::value(&value))
            }
            ReplySecrets::All => hidden(),
        }
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
                        _ if is_secret(members, name, value) => map.serialize_entry(name, HIDDEN)?,
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

/// Whether a member is not to be shown. The value of a property has the property's name beside it.
fn is_secret(members: &Map<String, Value>, name: &str, value: &Value) -> bool {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let is_property = |of: &str| text(of).is_some_and(|name| SECRETS.contains(&name));
    // What a backend is made of is under that name, too, beside its type.
    let is_backend = name == "data" && value.is_object() && members.contains_key("type");
    (SECRETS.contains(&name) && !is_backend)
        || (name == "value" && (is_property("property") || is_property("name")))
        || (text("qom-type") == Some("secret") && !SHOWN_OF_SECRETS.contains(&name))
}

/// Where the name of a secret ends in a line for the human monitor, or JSON begins, in which a name may be written in many ways. A
/// name that goes on is another one's, or a file's.
fn names_secret(line: &str) -> Option<usize> {
    let ends = |name: &'static str| line.match_indices(name).map(move |(at, _)| at + name.len());
    let goes_on = |next: char| next.is_alphanumeric() || "-_/.".contains(next);
    let names = SECRETS.into_iter().flat_map(ends).filter(|end| !line[*end..].starts_with(goes_on));
    names.chain(line.find('{')).min()
}

/// A line for the human monitor up to the name of a secret; how far the secret goes depends on the command.
fn line_without_secrets(line: &str) -> String {
    names_secret(line).map_or_else(|| line.to_owned(), |end| format!("{}{HIDDEN}", &line[..end]))
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
            (
                json!({"qom-type": "secret", "id": "s", "dat": "12345", "format": "raw"}),
                r#"{"qom-type":"secret","id":"s","dat":"(hidden)","format":"raw"}"#,
            ),
            (
                json!({"backend": {"type": "file", "data": {"out": "path"}}}),
                r#"{"backend":{"type":"file","data":{"out":"path"}}}"#,
            ),
            (json!([{"name": "data", "value": "12345"}]), r#"[{"name":"data","value":"(hidden)"}]"#),
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
            ("pmemsave 0 1 /data/memory.data.1", "pmemsave 0 1 /data/memory.data.1"),
        ] {
            let request = json!({"execute": "human-monitor-command", "arguments": {"command-line": line}});
            let shown = json!({"execute": "human-monitor-command", "arguments": {"command-line": shown}});
            assert_eq!(Shown::value(&request).to_string(), shown.to_string());
        }
    }

    #[test]
    fn replies_do_not_tell_secrets() {
        let asked = |command: &str, arguments: Value| {
            ReplySecrets::of(&json!({"execute": command, "arguments": arguments}))
        };
        let line = |line: &str| asked("human-monitor-command", json!({"command-line": line}));
        for (secrets, expected) in [
            (asked("qom-get", json!({"path": "/objects/s", "property": "data"})), ReplySecrets::All),
            (asked("x-qom-explain", json!({"path": "/objects/s", "property": "data"})), ReplySecrets::All),
            (asked("qom-get", json!({"path": "/objects/s", "property": "format"})), ReplySecrets::None),
            (asked("qom-list-get", json!({"paths": ["/objects/s"]})), ReplySecrets::Listed),
            (asked("qom-tree-get", json!({"path": "/"})), ReplySecrets::Listed),
            (line("qom-get /objects/s data"), ReplySecrets::All),
            (line("info status"), ReplySecrets::None),
            (ReplySecrets::of(&json!([1])), ReplySecrets::None),
        ] {
            assert_eq!(secrets, expected);
        }
        let reply =
            br#"{"return": [{"properties": [{"name": "data", "value": "12345", "type": "string"}]}]}"#;
        let shown = |secrets| Shown::reply(reply, secrets).to_string();
        assert_eq!(shown(ReplySecrets::None).as_bytes(), reply);
        assert_eq!(shown(ReplySecrets::All), "(hidden)");
        assert_eq!(
            shown(ReplySecrets::Listed),
            r#"{"return":[{"properties":[{"name":"data","value":"(hidden)","type":"string"}]}]}"#
        );
        assert_eq!(Shown::reply(b"12345", ReplySecrets::All).to_string(), "(hidden)");
        assert_eq!(Shown::reply(b"{12345", ReplySecrets::Listed).to_string(), "(hidden)");
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
