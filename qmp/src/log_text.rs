//! The beginning of a message, as the log shows it: a message may be of any length, a line of the log may not.

use std::{fmt, io};

use serde_json::Value;

/// Most bytes of a message that are shown.
const SHOWN_BYTES: usize = 1024;

/// The beginning of a message.
pub(crate) struct Shown(Vec<u8>);

impl Shown {
    /// Of a value. No more of it is written than is shown.
    pub(crate) fn value(value: &Value) -> Self {
        let mut shown = Self(Vec::new());
        // It ends in an error where there is no more room.
        let _ = serde_json::to_writer(&mut shown, value);
        shown
    }

    /// Of a text.
    pub(crate) fn text(text: &[u8]) -> Self {
        Self(text[..text.len().min(SHOWN_BYTES)].to_vec())
    }
}

impl io::Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(SHOWN_BYTES - self.0.len());
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))?;
        if self.0.len() < SHOWN_BYTES { Ok(()) } else { f.write_str("...") }
    }
}

#[cfg(test)]
mod tests {
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
}
