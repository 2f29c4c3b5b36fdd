//! Values without parts: booleans, integers, strings, sizes.
//!
//! This module alone words the errors of scalars; which words depends on the form of the input.

use super::{Input, PropertyValue, Value, expects, scalar_kind};
use crate::error::ValueError;
use crate::text::list;

impl PropertyValue for bool {
    fn type_name() -> &'static str {
        "bool"
    }

    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
        match *input {
            Input::Json(value) | Input::KeyvalTree(value) => {
                value.as_bool().ok_or_else(|| scalar_kind(name, input, "boolean"))
            }
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
    ($($type:ty, $name:literal, $c_name:literal, $wide:ty, $wide_name:literal, $as_json:ident, $parse:ident, $list:path, $format:path;)*) => {$(
        impl PropertyValue for $type {
            fn type_name() -> &'static str {
                $name
            }

            fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
                let wide: $wide = match *input {
                    // A JSON number is a signed integer while it fits one; a signed property takes no other.
                    Input::Json(value) if value.is_i64() || (<$wide>::MIN == 0 && value.is_u64()) => {
                        value.$as_json().ok_or_else(|| expects(name, $c_name))?
                    }
                    Input::Json(_) | Input::KeyvalTree(_) => return Err(scalar_kind(name, input, "integer")),
                    Input::Keyval(text) => crate::text::$parse(text).ok_or_else(|| expects(name, "integer"))?,
                    Input::Text(text) => crate::text::$parse(text).ok_or_else(|| expects(name, $wide_name))?,
                };
                <$type>::try_from(wide).map_err(|_| expects(name, $c_name))
            }

            fn read_list(name: &str, text: &str) -> Result<Vec<Self>, ValueError> {
                let wide = $list(name, text)?.into_iter();
                wide.map(|wide| <$type>::try_from(wide).map_err(|_| expects(name, $c_name))).collect()
            }

            fn list_text(values: &[Self]) -> Option<String> {
                let wide: Vec<$wide> = values.iter().map(|value| (*value).into()).collect();
                Some($format(&wide))
            }

            fn to_value(&self) -> Value {
                Value::from(*self)
            }
        }
    )*};
}

integer! {
    u8, "uint8", "uint8_t", u64, "uint64", as_u64, parse_u64, list::unsigned, list::format_unsigned;
    u16, "uint16", "uint16_t", u64, "uint64", as_u64, parse_u64, list::unsigned, list::format_unsigned;
    u32, "uint32", "uint32_t", u64, "uint64", as_u64, parse_u64, list::unsigned, list::format_unsigned;
    u64, "uint64", "uint64", u64, "uint64", as_u64, parse_u64, list::unsigned, list::format_unsigned;
    i8, "int8", "int8_t", i64, "int64", as_i64, parse_i64, list::signed, list::format_signed;
    i16, "int16", "int16_t", i64, "int64", as_i64, parse_i64, list::signed, list::format_signed;
    i32, "int32", "int32_t", i64, "int64", as_i64, parse_i64, list::signed, list::format_signed;
    i64, "int64", "int64", i64, "int64", as_i64, parse_i64, list::signed, list::format_signed;
}

impl PropertyValue for String {
    fn type_name() -> &'static str {
        "str"
    }

    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
        input.as_str().map(str::to_owned).ok_or_else(|| scalar_kind(name, input, "string"))
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

/// A property value that can have limits.
#[diagnostic::on_unimplemented(message = "a property of the type `{Self}` has no limits: only numbers have")]
pub trait Number: PropertyValue + PartialOrd + std::fmt::Display {
    /// The least value of the type.
    const LEAST: Self;
    /// The greatest value of the type.
    const MOST: Self;
}

macro_rules! number {
    ($($type:ty)*) => {$(
        impl Number for $type {
            const LEAST: Self = <$type>::MIN;
            const MOST: Self = <$type>::MAX;
        }
    )*};
}

number!(u8 u16 u32 u64 i8 i16 i32 i64 Size);

/// A number of bytes. Its text form takes the suffixes `B`, `K`, `M`, `G`, `T`, `P` and `E` (powers of 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(pub u64);

impl Size {
    /// No bytes.
    pub const MIN: Self = Self(0);
    /// The most bytes that can be counted.
    pub const MAX: Self = Self(u64::MAX);
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl PropertyValue for Size {
    fn type_name() -> &'static str {
        "size"
    }

    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
        match *input {
            Input::Json(_) | Input::KeyvalTree(_) => u64::read(name, input).map(Self),
            Input::Keyval(text) => {
                crate::text::parse_size(text).map(Self).ok_or_else(|| expects(name, "size"))
            }
            Input::Text(text) => {
                crate::text::parse_size(text).map(Self).ok_or_else(|| expects(name, "a size"))
            }
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}
