//! Property values: one [`Value`] type between JSON, text and Rust, and the Rust types that properties have.
//!
//! A value reaches a property in one of three forms, and the reference words its errors by form, so
//! the form travels with the value as an [`Input`]. [`PropertyValue`] is implemented for each Rust type
//! that can be a property; it is the only place that knows how a type reads and writes.

use crate::error::ValueError;

/// The value type of properties: JSON's, with the order of members kept.
pub type Value = serde_json::Value;

/// A value on its way into a property, in the form in which somebody wrote it.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// JSON: QMP, `-device {…}`, and all values that Rust code sets.
    Json(&'a Value),
    /// The text of one `key=value` of a structured command line (`-device`, `-machine`, `-object`).
    Keyval(&'a str),
    /// Text on its own: a global property (`-global`, machine compat, `-cpu`), HMP's `qom-set`.
    Text(&'a str),
}

impl<'a> Input<'a> {
    /// The text, whatever the form; none if this is JSON and not a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Self::Json(value) => value.as_str(),
            Self::Keyval(text) | Self::Text(text) => Some(text),
        }
    }
}

/// A Rust type that a property can have.
pub trait PropertyValue: Sized + Send + Sync + 'static {
    /// The type's name in `qom-list` (`bool`, `uint32`, `str`, …).
    fn type_name() -> &'static str;

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

fn expects(name: &str, expected: &str) -> ValueError {
    ValueError::Expects { name: name.to_owned(), expected: expected.to_owned() }
}

impl PropertyValue for bool {
    fn type_name() -> &'static str {
        "bool"
    }

    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
        match *input {
            Input::Json(value) => value.as_bool().ok_or_else(|| kind(name, "boolean")),
            Input::Keyval(text) | Input::Text(text) => {
                crate::text::parse_bool(text).ok_or_else(|| expects(name, "'on' or 'off'"))
            }
        }
    }

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
}

/// Integers differ in width and sign only. `$wide` is the 64-bit type their text is read as; text on
/// its own that is no number at all is reported as that wide type, as the reference does.
macro_rules! integer {
    ($($type:ty, $name:literal, $c_name:literal, $wide:ty, $wide_name:literal, $as_json:ident, $parse:ident;)*) => {$(
        impl PropertyValue for $type {
            fn type_name() -> &'static str {
                $name
            }

            fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
                let wide: $wide = match *input {
                    Input::Json(value) if value.is_i64() || value.is_u64() => {
                        value.$as_json().ok_or_else(|| expects(name, $c_name))?
                    }
                    Input::Json(_) => return Err(kind(name, "integer")),
                    Input::Keyval(text) => crate::text::$parse(text).ok_or_else(|| expects(name, "integer"))?,
                    Input::Text(text) => crate::text::$parse(text).ok_or_else(|| expects(name, $wide_name))?,
                };
                <$type>::try_from(wide).map_err(|_| expects(name, $c_name))
            }

            fn to_value(&self) -> Value {
                Value::from(*self)
            }
        }
    )*};
}

integer! {
    u8, "uint8", "uint8_t", u64, "uint64", as_u64, parse_u64;
    u16, "uint16", "uint16_t", u64, "uint64", as_u64, parse_u64;
    u32, "uint32", "uint32_t", u64, "uint64", as_u64, parse_u64;
    u64, "uint64", "uint64", u64, "uint64", as_u64, parse_u64;
    i8, "int8", "int8_t", i64, "int64", as_i64, parse_i64;
    i16, "int16", "int16_t", i64, "int64", as_i64, parse_i64;
    i32, "int32", "int32_t", i64, "int64", as_i64, parse_i64;
    i64, "int64", "int64", i64, "int64", as_i64, parse_i64;
}

impl PropertyValue for String {
    fn type_name() -> &'static str {
        "str"
    }

    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
        input.as_str().map(str::to_owned).ok_or_else(|| kind(name, "string"))
    }

    fn to_value(&self) -> Value {
        Value::from(self.as_str())
    }
}

/// An optional string reads as the empty string where it is not set, as the reference's do.
impl PropertyValue for Option<String> {
    fn type_name() -> &'static str {
        "str"
    }

    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
        String::read(name, input).map(Some)
    }

    fn to_value(&self) -> Value {
        Value::from(self.as_deref().unwrap_or_default())
    }
}

/// A number of bytes. Its text form takes the suffixes `B`, `K`, `M`, `G`, `T`, `P` and `E` (powers of 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(pub u64);

impl PropertyValue for Size {
    fn type_name() -> &'static str {
        "size"
    }

    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
        match *input {
            Input::Json(_) => u64::read(name, input).map(Self),
            Input::Keyval(text) | Input::Text(text) => {
                crate::text::parse_size(text).map(Self).ok_or_else(|| expects(name, "a size"))
            }
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// An enumeration whose members have names on the wire.
pub trait PropertyEnum: Copy + Send + Sync + 'static {
    /// The enumeration's name in `qom-list`.
    const TYPE_NAME: &'static str;
    /// Every member with its name.
    const MEMBERS: &'static [(&'static str, Self)];

    /// The member's name.
    fn name(self) -> &'static str;
}

/// Declares an enumeration that can be a property's type.
///
/// ```
/// qom::property_enum! {
///     /// Where a cache lies.
///     pub enum CacheLevel("CacheLevel") {
///         /// In each core.
///         Core = "core",
///         /// Shared by a socket.
///         Socket = "socket",
///     }
/// }
/// assert_eq!(qom::PropertyEnum::name(CacheLevel::Socket), "socket");
/// ```
#[macro_export]
macro_rules! property_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident($type_name:literal) {
        $($(#[$member_meta:meta])* $member:ident = $text:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $name { $($(#[$member_meta])* $member,)+ }

        impl $crate::PropertyEnum for $name {
            const TYPE_NAME: &'static str = $type_name;
            const MEMBERS: &'static [(&'static str, Self)] = &[$(($text, Self::$member),)+];

            fn name(self) -> &'static str {
                match self { $(Self::$member => $text,)+ }
            }
        }

        impl $crate::PropertyValue for $name {
            fn type_name() -> &'static str {
                $type_name
            }

            fn read(name: &str, input: &$crate::Input<'_>) -> Result<Self, $crate::ValueError> {
                $crate::read_enum(name, input)
            }

            fn to_value(&self) -> $crate::Value {
                $crate::Value::from($crate::PropertyEnum::name(*self))
            }
        }
    };
}

/// Reads a member of an enumeration by its name. [`property_enum!`] uses it.
///
/// # Errors
/// [`ValueError::Kind`] if it is no string, [`ValueError::Enumeration`] if there is no such member.
pub fn read_enum<E: PropertyEnum>(name: &str, input: &Input<'_>) -> Result<E, ValueError> {
    let text = input.as_str().ok_or_else(|| kind(name, "string"))?;
    E::MEMBERS
        .iter()
        .find(|(member, _)| *member == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| ValueError::Enumeration { name: name.to_owned(), value: text.to_owned() })
}

property_enum! {
    /// Yes, no, or what the machine finds best.
    pub enum OnOffAuto("OnOffAuto") {
        /// The machine decides.
        Auto = "auto",
        /// Yes.
        On = "on",
        /// No.
        Off = "off",
    }
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
