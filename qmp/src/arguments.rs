//! Checking a command's arguments: JSON members to the Rust type of the arguments, with QEMU's texts.
//!
//! A command declares its arguments as a struct with `#[derive(Deserialize)]`: a field is a mandatory
//! argument, an `Option` field an optional one (`#[serde(default)]` makes none optional). Members are
//! looked at in the order of the fields, whatever order the client sent them in, so that the first error is
//! the one that the reference would report; nothing is ignored, as a misspelt optional argument would be.

use std::fmt::Display;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Expected, Unexpected, Visitor};
use serde_json::{Map, Value};

use crate::Error;

/// Reads arguments into their type.
///
/// # Errors
/// The first thing that is wrong, in the reference's words and order.
pub(crate) fn from_members<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Error> {
    T::deserialize(Members(members)).map_err(|error| Error::generic(error.text()))
}

/// A step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

#[derive(Debug)]
enum Problem {
    Missing,
    Unexpected,
    /// Another JSON type than this.
    Type(&'static str),
    /// Right type, but no value of what this names.
    Expects(&'static str),
    /// Not one of an enumeration's values.
    NotAccepted(String),
    Other(String),
}

/// A problem and where it is; the path is innermost first.
#[derive(Debug)]
struct ArgumentError {
    problem: Problem,
    path: Vec<Step>,
}

impl ArgumentError {
    fn new(problem: Problem) -> Self {
        Self { problem, path: Vec::new() }
    }

    fn within(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }

    /// `a.b[0].c`
    fn full_name(&self) -> String {
        let mut name = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Member(member) => {
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(member);
                }
                Step::Item(index) => name.push_str(&format!("[{index}]")),
            }
        }
        name
    }

    /// The reference names a bad value by its member alone, and an item of an array not at all ('null');
    /// an item has its full name here.
    fn short_name(&self) -> String {
        match self.path.first() {
            Some(Step::Member(member)) => member.clone(),
            _ => self.full_name(),
        }
    }

    fn text(&self) -> String {
        match &self.problem {
            Problem::Missing => format!("Parameter '{}' is missing", self.full_name()),
            Problem::Unexpected => format!("Parameter '{}' is unexpected", self.full_name()),
            Problem::Type(expected) => {
                format!("Invalid parameter type for '{}', expected: {expected}", self.full_name())
            }
            Problem::Expects(what) => format!("Parameter '{}' expects {what}", self.short_name()),
            Problem::NotAccepted(value) => {
                format!("Parameter '{}' does not accept value '{value}'", self.short_name())
            }
            Problem::Other(text) if self.path.is_empty() => text.clone(),
            Problem::Other(text) => format!("Parameter '{}': {text}", self.full_name()),
        }
    }
}

impl Display for ArgumentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::error::Error for ArgumentError {}

impl de::Error for ArgumentError {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Problem::Other(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        // A derived visitor names the Rust type; ours below name the JSON type before it comes to that.
        Self::custom(format_args!("expected {expected}"))
    }

    fn unknown_variant(variant: &str, _: &'static [&'static str]) -> Self {
        Self::new(Problem::NotAccepted(variant.to_owned()))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::new(Problem::Unexpected).within(Step::Member(field.to_owned()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Problem::Missing).within(Step::Member(field.to_owned()))
    }
}

/// A JSON object that is read into a struct or map.
struct Members(Map<String, Value>);

impl Members {
    fn into_struct<'de, V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgumentError> {
        let mut members = self.0;
        let value =
            visitor.visit_map(StructAccess { fields: fields.iter(), field: "", members: &mut members })?;
        match members.into_iter().next() {
            None => Ok(value),
            Some((name, _)) => Err(ArgumentError::new(Problem::Unexpected).within(Step::Member(name))),
        }
    }
}

/// The members of a struct in the order of its fields, absent ones included.
struct StructAccess<'a> {
    fields: std::slice::Iter<'static, &'static str>,
    field: &'static str,
    members: &'a mut Map<String, Value>,
}

impl<'de> de::MapAccess<'de> for StructAccess<'_> {
    type Error = ArgumentError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ArgumentError> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        self.field = field;
        seed.deserialize(de::value::StrDeserializer::new(field)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ArgumentError> {
        let value = match self.members.shift_remove(self.field) {
            Some(value) => seed.deserialize(Argument(value)),
            None => seed.deserialize(Absent),
        };
        value.map_err(|error| error.within(Step::Member(self.field.to_owned())))
    }
}

/// The value of an argument that was not given.
struct Absent;

impl<'de> de::Deserializer<'de> for Absent {
    type Error = ArgumentError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ArgumentError> {
        Err(ArgumentError::new(Problem::Missing))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        visitor.visit_none()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The members of a map in their own order.
struct MapAccess {
    members: serde_json::map::IntoIter,
    value: Option<(String, Value)>,
}

impl<'de> de::MapAccess<'de> for MapAccess {
    type Error = ArgumentError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ArgumentError> {
        self.value = self.members.next();
        match &self.value {
            None => Ok(None),
            Some((name, _)) => seed.deserialize(de::value::StrDeserializer::new(name)).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ArgumentError> {
        let Some((name, value)) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        seed.deserialize(Argument(value)).map_err(|error| error.within(Step::Member(name)))
    }
}

struct ItemAccess {
    items: std::iter::Enumerate<std::vec::IntoIter<Value>>,
}

impl<'de> de::SeqAccess<'de> for ItemAccess {
    type Error = ArgumentError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ArgumentError> {
        let Some((index, value)) = self.items.next() else { return Ok(None) };
        seed.deserialize(Argument(value)).map(Some).map_err(|error| error.within(Step::Item(index)))
    }
}

impl<'de> de::Deserializer<'de> for Members {
    type Error = ArgumentError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        visitor.visit_map(MapAccess { members: self.0.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgumentError> {
        self.into_struct(fields, visitor)
    }

    /// A command without arguments has the type `()` or a unit struct.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        match self.0.into_iter().next() {
            None => visitor.visit_unit(),
            Some((name, _)) => Err(ArgumentError::new(Problem::Unexpected).within(Step::Member(name))),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgumentError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgumentError> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// One argument's value.
struct Argument(Value);

fn wrong_type<T>(expected: &'static str) -> Result<T, ArgumentError> {
    Err(ArgumentError::new(Problem::Type(expected)))
}

impl Argument {
    /// An unsigned number as the reference reads one: a negative one counts from the top.
    fn unsigned(&self, what: &'static str) -> Result<u64, ArgumentError> {
        let number = self.0.as_u64().or_else(|| self.0.as_i64().map(i64::cast_unsigned));
        number.ok_or_else(|| ArgumentError::new(Problem::Expects(what)))
    }

    fn signed(&self) -> Result<i64, ArgumentError> {
        self.0.as_i64().map_or_else(|| wrong_type("integer"), Ok)
    }
}

/// Integers narrower than 64 bits are read as 64 bits and then checked.
macro_rules! integers {
    ($($method:ident $visit:ident $type:ty, $name:literal, $read:ident($($wide:literal)?);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
            let wide = self.$read($($wide)?)?;
            match <$type>::try_from(wide) {
                Ok(number) => visitor.$visit(number),
                Err(_) => Err(ArgumentError::new(Problem::Expects($name))),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Argument {
    type Error = ArgumentError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => {
                if let Some(value) = number.as_u64() {
                    visitor.visit_u64(value)
                } else if let Some(value) = number.as_i64() {
                    visitor.visit_i64(value)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::String(value) => visitor.visit_string(value),
            Value::Array(items) => visitor.visit_seq(ItemAccess { items: items.into_iter().enumerate() }),
            Value::Object(members) => {
                visitor.visit_map(MapAccess { members: members.into_iter(), value: None })
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(value),
            _ => wrong_type("boolean"),
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8, "int8_t", signed();
        deserialize_i16 visit_i16 i16, "int16_t", signed();
        deserialize_i32 visit_i32 i32, "int32_t", signed();
        deserialize_i64 visit_i64 i64, "int64", signed();
        deserialize_u8 visit_u8 u8, "uint8_t", unsigned("uint64");
        deserialize_u16 visit_u16 u16, "uint16_t", unsigned("uint64");
        deserialize_u32 visit_u32 u32, "uint32_t", unsigned("uint64");
        deserialize_u64 visit_u64 u64, "uint64", unsigned("uint64");
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        match self.0.as_f64() {
            Some(value) => visitor.visit_f64(value),
            None => wrong_type("number"),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        match self.0 {
            Value::String(value) => visitor.visit_string(value),
            _ => wrong_type("string"),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        self.deserialize_string(visitor)
    }

    /// An optional argument that is there must have its type; `null` does not stand for absence.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            _ => wrong_type("null"),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgumentError> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgumentError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(ItemAccess { items: items.into_iter().enumerate() }),
            _ => wrong_type("array"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ArgumentError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ArgumentError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        match self.0 {
            Value::Object(members) => {
                visitor.visit_map(MapAccess { members: members.into_iter(), value: None })
            }
            _ => wrong_type("object"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgumentError> {
        match self.0 {
            Value::Object(members) => Members(members).into_struct(fields, visitor),
            _ => wrong_type("object"),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgumentError> {
        match self.0 {
            Value::String(value) => visitor.visit_enum(de::value::StringDeserializer::new(value)),
            _ => wrong_type("string"),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgumentError> {
        visitor.visit_unit()
    }
}

#[cfg(test)]
mod tests;
