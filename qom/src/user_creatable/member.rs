//! What a user may say of a new object: its members, and how each form of writing is read.
//!
//! The reference reads the description of a new object as a whole and by a schema, before it looks at the object's
//! properties, which word their errors otherwise. A [`Member`] is one line of that schema. Its values come out as
//! plain JSON of the right kind; ranges and meaning are the property's business.

use serde_json::{Map, Value};

use crate::text::{ParameterError, list, parse_bool, parse_i64, parse_size, parse_u64};

/// How a description was written; the reference words its errors by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON: QMP, and an argument that starts with a brace.
    Json,
    /// [`keyval`](crate::text::keyval): the human monitor. Leaves are texts, lists are written `name.0=`.
    Keyval,
    /// [`opts`](crate::text::opts): the command line. All values are texts, lists are written `0-3,,7`.
    Options,
}

/// The type of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberType {
    /// Yes or no.
    Bool,
    /// A signed integer of 64 bits.
    Int,
    /// An unsigned integer of 32 bits.
    Uint32,
    /// A number of bytes; text may have a suffix.
    Size,
    /// Any text.
    Text,
    /// One of these names.
    Enum(&'static [&'static str]),
    /// A list of unsigned integers of 16 bits.
    Uint16List,
}

/// A member: something that a user may say of a new object. It is set as the property of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    name: &'static str,
    kind: MemberType,
    required: bool,
    doc: &'static str,
}

impl Member {
    /// A member that may be left out.
    #[must_use]
    pub const fn optional(name: &'static str, kind: MemberType) -> Self {
        Self { name, kind, required: false, doc: "" }
    }

    /// A member that must be there.
    #[must_use]
    pub const fn required(name: &'static str, kind: MemberType) -> Self {
        Self { name, kind, required: true, doc: "" }
    }

    /// The same with documentation: what it is, its unit and what it is where nobody says.
    #[must_use]
    pub const fn doc(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    /// What it is, for people.
    #[must_use]
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }

    /// Its name, and that of its property.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> MemberType {
        self.kind
    }

    /// Whether it must be there.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.required
    }
}

pub(super) fn missing(name: &str) -> ParameterError {
    ParameterError::Missing { name: name.to_owned() }
}

fn expects(name: &str, expected: &'static str) -> ParameterError {
    ParameterError::Expects { name: name.to_owned(), expected }
}

fn wrong_kind(name: &str, expected: &'static str) -> ParameterError {
    ParameterError::WrongKind { name: name.to_owned(), expected }
}

/// The text of a value that is a scalar in the form of the whole.
fn text<'v>(name: &str, value: &'v Value, form: Form) -> Result<&'v str, ParameterError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Object(_) | Value::Array(_) if form != Form::Json => {
            Err(ParameterError::UnexpectedMembers { name: name.to_owned() })
        }
        _ => Err(wrong_kind(name, "string")),
    }
}

/// What is said of a text that is no number.
fn no_number(form: Form, options: &'static str) -> &'static str {
    if form == Form::Options { options } else { "integer" }
}

/// An unsigned number. As in the reference, a negative one in JSON or keyval counts from the top, and so is too large for
/// any narrower type.
fn unsigned(name: &str, value: &Value, form: Form) -> Result<u64, ParameterError> {
    if form == Form::Json {
        return value
            .as_u64()
            .or_else(|| value.as_i64().map(i64::cast_unsigned))
            .ok_or_else(|| expects(name, "uint64"));
    }
    let text = text(name, value, form)?;
    parse_u64(text)
        .filter(|_| form != Form::Options || !text.contains('-'))
        .ok_or_else(|| expects(name, no_number(form, "a uint64 value")))
}

fn uint16s(name: &str, value: &Value, form: Form) -> Result<Vec<u16>, ParameterError> {
    let narrow = |name: &str, wide: u64| u16::try_from(wide).map_err(|_| expects(name, "uint16_t"));
    if form == Form::Options {
        let wide = list::unsigned(name, text(name, value, form)?)
            .map_err(|_| expects(name, "a uint64 value or range"))?;
        return wide.into_iter().map(|wide| narrow(name, wide)).collect();
    }
    let items = value.as_array().ok_or_else(|| wrong_kind(name, "array"))?;
    let item = |(index, item): (usize, &Value)| {
        let name = if form == Form::Json { format!("{name}[{index}]") } else { format!("{name}.{index}") };
        narrow(&name, unsigned(&name, item, form)?)
    };
    items.iter().enumerate().map(item).collect()
}

impl Member {
    /// Reads a value that was written in `form` into JSON of the member's type.
    fn read(&self, value: &Value, form: Form) -> Result<Value, ParameterError> {
        let name = self.name;
        let json = form == Form::Json;
        match self.kind {
            MemberType::Bool if json => {
                value.as_bool().map(Value::from).ok_or_else(|| wrong_kind(name, "boolean"))
            }
            MemberType::Bool => parse_bool(text(name, value, form)?)
                .map(Value::from)
                .ok_or_else(|| expects(name, crate::text::parameter::EXPECTED_BOOLEAN)),
            MemberType::Int if json => {
                value.as_i64().map(Value::from).ok_or_else(|| wrong_kind(name, "integer"))
            }
            MemberType::Int => parse_i64(text(name, value, form)?)
                .map(Value::from)
                .ok_or_else(|| expects(name, no_number(form, "an int64 value"))),
            MemberType::Uint32 => {
                let wide = unsigned(name, value, form)?;
                u32::try_from(wide).map(Value::from).map_err(|_| expects(name, "uint32_t"))
            }
            // Nothing has less than no bytes.
            MemberType::Size if json => {
                value.as_u64().map(Value::from).ok_or_else(|| expects(name, "uint64"))
            }
            MemberType::Size => {
                let expected = if form == Form::Options { "a size value" } else { "size" };
                parse_size(text(name, value, form)?).map(Value::from).ok_or_else(|| expects(name, expected))
            }
            MemberType::Text => text(name, value, form).map(Value::from),
            MemberType::Enum(names) => {
                let given = text(name, value, form)?;
                if names.contains(&given) {
                    Ok(Value::from(given))
                } else {
                    Err(ParameterError::NotAccepted { name: name.to_owned(), value: given.to_owned() })
                }
            }
            MemberType::Uint16List => uint16s(name, value, form).map(Value::from),
        }
    }
}

/// Takes the text of a member that every object has.
pub(super) fn take_text(
    values: &mut Map<String, Value>,
    name: &str,
    form: Form,
) -> Result<String, ParameterError> {
    let value = values.shift_remove(name).ok_or_else(|| missing(name))?;
    text(name, &value, form).map(str::to_owned)
}

/// Reads all values by a schema, in its order; what it does not have is refused last.
pub(super) fn read_all(
    members: &[Member],
    mut values: Map<String, Value>,
    form: Form,
) -> Result<Vec<(&'static str, Value)>, ParameterError> {
    let mut read = Vec::with_capacity(values.len().min(members.len()));
    for member in members {
        match values.shift_remove(member.name) {
            Some(value) => read.push((member.name, member.read(&value, form)?)),
            None if member.required => return Err(missing(member.name)),
            None => {}
        }
    }
    let Some((name, _)) = values.into_iter().next() else { return Ok(read) };
    Err(match form {
        Form::Options => ParameterError::Invalid { name },
        Form::Json | Form::Keyval => ParameterError::Unexpected { name },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ALL: &[Member] = &[
        Member::optional("flag", MemberType::Bool),
        Member::optional("n", MemberType::Int),
        Member::optional("count", MemberType::Uint32),
        Member::optional("size", MemberType::Size),
        Member::optional("text", MemberType::Text),
        Member::optional("kind", MemberType::Enum(&["raw", "base64"])),
        Member::optional("nodes", MemberType::Uint16List),
    ];

    fn read(form: Form, values: Value) -> Result<Vec<(&'static str, Value)>, String> {
        let Value::Object(values) = values else { unreachable!("the tests give objects") };
        read_all(ALL, values, form).map_err(|error| error.to_string())
    }

    #[test]
    fn each_form_gives_the_same_values() {
        let expected = vec![
            ("flag", json!(true)),
            ("n", json!(-3)),
            ("count", json!(4)),
            ("size", json!(4096)),
            ("text", json!("t")),
            ("kind", json!("raw")),
            ("nodes", json!([0, 1, 7])),
        ];
        let json = json!({
            "nodes": [0, 1, 7], "flag": true, "n": -3, "count": 4, "size": 4096, "text": "t", "kind": "raw"
        });
        assert_eq!(read(Form::Json, json), Ok(expected.clone()));
        let mut keyval = json!({
            "nodes": ["0", "1", "7"], "flag": "on", "n": "-3", "count": "4", "size": "4k", "text": "t", "kind": "raw"
        });
        assert_eq!(read(Form::Keyval, keyval.clone()), Ok(expected.clone()));
        keyval["nodes"] = json!("0-1,7");
        assert_eq!(read(Form::Options, keyval), Ok(expected));
    }

    /// Texts of QEMU 11.1.2 for such members of `memory-backend-ram`, `secret` and `iothread`, but for the name of a list's
    /// item, which is `null` there.
    #[test]
    fn errors_are_worded_by_form() {
        let error = |form, values| read(form, values).unwrap_err();
        for (values, text) in [
            (json!({"flag": 1}), "Invalid parameter type for 'flag', expected: boolean"),
            (json!({"n": "3"}), "Invalid parameter type for 'n', expected: integer"),
            (json!({"n": 1.5}), "Invalid parameter type for 'n', expected: integer"),
            (json!({"n": null}), "Invalid parameter type for 'n', expected: integer"),
            (json!({"n": 1_u64 << 63}), "Invalid parameter type for 'n', expected: integer"),
            (json!({"count": -1}), "Parameter 'count' expects uint32_t"),
            (json!({"count": 1_u64 << 32}), "Parameter 'count' expects uint32_t"),
            (json!({"size": "1M"}), "Parameter 'size' expects uint64"),
            (json!({"size": -1}), "Parameter 'size' expects uint64"),
            (json!({"text": 3}), "Invalid parameter type for 'text', expected: string"),
            (json!({"kind": 3}), "Invalid parameter type for 'kind', expected: string"),
            (json!({"kind": "x"}), "Parameter 'kind' does not accept value 'x'"),
            (json!({"nodes": 3}), "Invalid parameter type for 'nodes', expected: array"),
            (json!({"nodes": ["x"]}), "Parameter 'nodes[0]' expects uint64"),
            (json!({"nodes": [0, 65_536]}), "Parameter 'nodes[1]' expects uint16_t"),
            (json!({"foo": 1}), "Parameter 'foo' is unexpected"),
            (json!({"foo": 1, "kind": "x"}), "Parameter 'kind' does not accept value 'x'"),
        ] {
            assert_eq!(error(Form::Json, values.clone()), text, "{values}");
        }
        for (values, text) in [
            (json!({"flag": "x"}), "Parameter 'flag' expects 'on' or 'off'"),
            (json!({"n": "x"}), "Parameter 'n' expects integer"),
            (json!({"n": {"a": "1"}}), "Parameters 'n.*' are unexpected"),
            (json!({"count": "x"}), "Parameter 'count' expects integer"),
            (json!({"size": "x"}), "Parameter 'size' expects size"),
            (json!({"nodes": "0-1"}), "Invalid parameter type for 'nodes', expected: array"),
            (json!({"nodes": ["x"]}), "Parameter 'nodes.0' expects integer"),
            (json!({"foo": "x"}), "Parameter 'foo' is unexpected"),
            (json!({"foo": {"a": "x"}}), "Parameter 'foo' is unexpected"),
        ] {
            assert_eq!(error(Form::Keyval, values.clone()), text, "{values}");
        }
        for (values, text) in [
            (json!({"flag": "x"}), "Parameter 'flag' expects 'on' or 'off'"),
            (json!({"n": "1k"}), "Parameter 'n' expects an int64 value"),
            (json!({"n": ""}), "Parameter 'n' expects an int64 value"),
            (json!({"count": "x"}), "Parameter 'count' expects a uint64 value"),
            (json!({"count": "-1"}), "Parameter 'count' expects a uint64 value"),
            (json!({"count": "4294967296"}), "Parameter 'count' expects uint32_t"),
            (json!({"size": "x"}), "Parameter 'size' expects a size value"),
            (json!({"kind": "x"}), "Parameter 'kind' does not accept value 'x'"),
            (json!({"nodes": "x"}), "Parameter 'nodes' expects a uint64 value or range"),
            (json!({"nodes": "1-0"}), "Parameter 'nodes' expects a uint64 value or range"),
            (json!({"nodes": "70000"}), "Parameter 'nodes' expects uint16_t"),
            (json!({"foo": "x"}), "Invalid parameter 'foo'"),
        ] {
            assert_eq!(error(Form::Options, values.clone()), text, "{values}");
        }
    }

    proptest! {
        #![proptest_config(crate::text::test_config())]

        #[test]
        fn any_text_is_answered(text in "[0-9a-z,. -]{0,12}|.*", options: bool) {
            let form = if options { Form::Options } else { Form::Keyval };
            for member in ALL {
                let _ = read_all(ALL, Map::from_iter([(member.name().to_owned(), json!(text))]), form);
            }
        }
    }
}
