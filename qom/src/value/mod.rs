//! Property values: one [`Value`] type between JSON, text and Rust, and the Rust types that properties have.
//!
//! A value reaches a property in one of three forms, and the reference words its errors by form, so
//! the form travels with the value as an [`Input`]. [`PropertyValue`] is implemented for each Rust type
//! that can be a property; it is the only place that knows how a type reads and writes.

mod enumeration;
mod list;
mod scalar;
mod structure;
mod word;

use crate::error::ValueError;

pub use enumeration::{OnOffAuto, PropertyEnum, read_enum};
pub use scalar::{Number, Size};
pub use structure::{StructReader, StructWriter};
pub use word::Word;

/// The value type of properties: JSON's, with the order of members kept.
pub type Value = serde_json::Value;

/// A value on its way into a property, in the form in which somebody wrote it.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// JSON: QMP, `-device {…}`, and all values that Rust code sets.
    Json(&'a Value),
    /// The text of one `key=value` of a structured command line (`-device`, `-machine`, `-object`).
    Keyval(&'a str),
    /// What several `key.member=value` or `key.0=value` of a structured command line say: objects and arrays, with texts
    /// at the leaves.
    KeyvalTree(&'a Value),
    /// Text on its own: a global property (`-global`, machine compat, `-cpu`), HMP's `qom-set`.
    Text(&'a str),
}

impl<'a> Input<'a> {
    /// The text, whatever the form; none if this is JSON and not a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Self::Json(value) | Self::KeyvalTree(value) => value.as_str(),
            Self::Keyval(text) | Self::Text(text) => Some(text),
        }
    }

    /// A part of a structured value: in the form of the whole.
    fn part(&self, value: &'a Value) -> Self {
        match (self, value) {
            (Self::Json(_), _) => Self::Json(value),
            (_, Value::String(text)) => Self::Keyval(text),
            _ => Self::KeyvalTree(value),
        }
    }

    /// The structured value, if it is one.
    fn tree(&self) -> Option<&'a Value> {
        match *self {
            Self::Json(value) | Self::KeyvalTree(value) => Some(value),
            Self::Keyval(_) | Self::Text(_) => None,
        }
    }
}

/// A Rust type that a property can have.
#[diagnostic::on_unimplemented(
    message = "a property cannot be of the type `{Self}`",
    note = "properties are booleans, integers, `Size`, `String`, `OnOffAuto`, `Vec`s of these, and what `property_enum!` or \
            `property_struct!` declares; other types implement `qom::PropertyValue`"
)]
pub trait PropertyValue: Sized + Send + Sync + 'static {
    /// The type's name in `qom-list` (`bool`, `uint32`, `str`, …).
    fn type_name() -> &'static str;

    /// The names that an enumeration takes; empty for other types.
    fn members() -> Vec<&'static str> {
        Vec::new()
    }

    /// Reads a list of values from text on its own (`0-3,7`); only integers can be written so.
    ///
    /// # Errors
    /// [`ValueError`].
    fn read_list(name: &str, text: &str) -> Result<Vec<Self>, ValueError> {
        let _ = text;
        Err(kind(name, "array"))
    }

    /// The list as text that [`read_list`](Self::read_list) reads back; none if it cannot be written so.
    fn list_text(values: &[Self]) -> Option<String> {
        let _ = values;
        None
    }

    /// The value as text that [`read`](Self::read) of [`Input::Text`] reads back; none for structured values, which have
    /// no text form of their own.
    fn to_text(&self) -> Option<String> {
        match self.to_value() {
            Value::String(text) => Some(text),
            Value::Array(_) | Value::Object(_) | Value::Null => None,
            scalar => Some(scalar.to_string()),
        }
    }

    /// Reads a value; `name` is the property's, for the error.
    ///
    /// # Errors
    /// [`ValueError`] in the reference's words for that form.
    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError>;

    /// The value as JSON.
    fn to_value(&self) -> Value;
}

fn kind(name: &str, expected: &'static str) -> ValueError {
    ValueError::Kind { name: name.to_owned(), expected }
}

/// The error about what is no scalar, where one belongs.
fn scalar_kind(name: &str, input: &Input<'_>, expected: &'static str) -> ValueError {
    match input {
        Input::KeyvalTree(Value::Object(_) | Value::Array(_)) => {
            ValueError::UnexpectedMembers { name: name.to_owned() }
        }
        _ => kind(name, expected),
    }
}

fn expects(name: &str, expected: &str) -> ValueError {
    ValueError::Expects { name: name.to_owned(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text_of<T: PropertyValue>(form: Input<'_>) -> String {
        T::read("y", &form).err().map(|e| e.to_string()).unwrap_or_default()
    }

    /// The texts were read off QEMU 11.1.2 (`device_add` and `-global` of `qemu64-x86_64-cpu`).
    #[test]
    fn errors_read_as_the_reference_words_them() {
        assert_eq!(
            text_of::<bool>(Input::Json(&json!(3))),
            "Invalid parameter type for 'y', expected: boolean"
        );
        assert_eq!(text_of::<bool>(Input::Text("z")), "Parameter 'y' expects 'on' or 'off'");
        assert_eq!(text_of::<u32>(Input::Json(&json!(5_000_000_000_u64))), "Parameter 'y' expects uint32_t");
        assert_eq!(text_of::<u32>(Input::Json(&json!(-1))), "Parameter 'y' expects uint32_t");
        assert_eq!(text_of::<i32>(Input::Json(&json!(i64::MAX))), "Parameter 'y' expects int32_t");
        assert_eq!(
            text_of::<i32>(Input::Json(&json!(1_u64 << 63))),
            "Invalid parameter type for 'y', expected: integer"
        );
        assert_eq!(
            text_of::<u32>(Input::Json(&json!("x"))),
            "Invalid parameter type for 'y', expected: integer"
        );
        assert_eq!(text_of::<u32>(Input::Keyval("z")), "Parameter 'y' expects integer");
        assert_eq!(text_of::<u32>(Input::Keyval("5000000000")), "Parameter 'y' expects uint32_t");
        assert_eq!(text_of::<u32>(Input::Text("z")), "Parameter 'y' expects uint64");
        assert_eq!(text_of::<i32>(Input::Keyval("99999999999")), "Parameter 'y' expects int32_t");
        assert_eq!(
            text_of::<String>(Input::Json(&json!(3))),
            "Invalid parameter type for 'y', expected: string"
        );
        assert_eq!(
            text_of::<OnOffAuto>(Input::Json(&json!("zz"))),
            "Parameter 'y' does not accept value 'zz'"
        );
    }

    #[test]
    fn values_survive_json_and_text() {
        for n in [0_i32, -1, i32::MIN, i32::MAX] {
            assert_eq!(i32::read("y", &Input::Json(&n.to_value())), Ok(n));
            assert_eq!(i32::read("y", &Input::Text(&n.to_string())), Ok(n));
        }
        assert_eq!(Size::read("y", &Input::Keyval("2M")), Ok(Size(2 << 20)));
        assert_eq!(OnOffAuto::read("y", &Input::Text("auto")), Ok(OnOffAuto::Auto));
    }
}
