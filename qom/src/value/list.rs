//! Lists of values of one type.

use super::{Input, PropertyValue, Value, kind};
use crate::error::ValueError;

/// The most elements that a list takes from outside.
const MAX_ELEMENTS: usize = 1 << 16;

/// A list: a JSON array, `key.0=…,key.1=…` of a structured command line, or as text on its own, for integers,
/// numbers and ranges (`0-3,7`).
impl<T: PropertyValue> PropertyValue for Vec<T> {
    fn type_name() -> &'static str {
        "list"
    }

    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
        if let Input::Text(text) = input {
            return T::read_list(name, text);
        }
        let elements = input.tree().and_then(Value::as_array).ok_or_else(|| kind(name, "array"))?;
        if elements.len() > MAX_ELEMENTS {
            return Err(super::expects(name, &format!("at most {MAX_ELEMENTS} elements")));
        }
        // As it was written.
        let element_name = |at: usize| match input {
            Input::KeyvalTree(_) => format!("{name}.{at}"),
            _ => format!("{name}[{at}]"),
        };
        let read = |(at, element)| T::read(&element_name(at), &input.part(element));
        elements.iter().enumerate().map(read).collect()
    }

    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(T::to_value).collect())
    }

    fn to_text(&self) -> Option<String> {
        T::list_text(self)
    }
}
