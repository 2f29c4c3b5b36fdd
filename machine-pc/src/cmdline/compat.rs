//! `-compat`: what becomes of what is deprecated or unstable in QMP. It is accepted and shown, which is the default;
//! everything else is refused.

use qom::text::{ParameterError, keyval};
use serde_json::Value;

use super::device::wrong_kind;
use super::error::ErrorKind;
use super::json;

const INPUT: &[&str] = &["accept", "reject", "crash"];
const OUTPUT: &[&str] = &["accept", "hide"];
/// The members of QEMU's `CompatPolicy`, each with the values that it takes.
const POLICIES: [(&str, &[&str]); 4] = [
    ("deprecated-input", INPUT),
    ("deprecated-output", OUTPUT),
    ("unstable-input", INPUT),
    ("unstable-output", OUTPUT),
];

/// Judges the argument.
pub(super) fn check(argument: &str) -> Result<(), ErrorKind> {
    let mut tree =
        if json::is_json(argument) { json::object(argument)? } else { keyval::parse(argument, None)? };
    let mut asks_for_more = false;
    for (name, values) in POLICIES {
        let value = match tree.shift_remove(name) {
            None => continue,
            Some(Value::String(value)) => value,
            Some(Value::Object(_) | Value::Array(_)) if !json::is_json(argument) => {
                return Err(ParameterError::UnexpectedMembers { name: name.to_owned() }.into());
            }
            Some(_) => return Err(wrong_kind(name).into()),
        };
        if !values.contains(&value.as_str()) {
            return Err(ParameterError::NotAccepted { name: name.to_owned(), value }.into());
        }
        asks_for_more |= value != "accept";
    }
    if let Some((name, _)) = tree.into_iter().next() {
        return Err(ParameterError::Unexpected { name }.into());
    }
    if asks_for_more {
        let reason = "what is deprecated or unstable is accepted and shown";
        return Err(ErrorKind::NotSupported { reason });
    }
    Ok(())
}
