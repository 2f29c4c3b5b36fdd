//! IDs that a user gives to devices, character devices and objects.
//!
//! An ID starts with an ASCII letter and goes on with letters, digits, `-`, `.` and `_`. IDs that the
//! program makes up itself use other characters, so that the two never meet.

use super::parameter::{EXPECTED_IDENTIFIER, ParameterError};

/// Whether the text is a well-formed ID.
#[must_use]
pub fn is_well_formed(id: &str) -> bool {
    let mut bytes = id.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Checks the value of a parameter `id`.
///
/// # Errors
/// [`ParameterError::Expects`] if it is not well formed.
pub fn check(id: &str) -> Result<(), ParameterError> {
    if is_well_formed(id) { Ok(()) } else { Err(ParameterError::expects("id", EXPECTED_IDENTIFIER)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_first() {
        for id in ["a", "Z", "cpu1", "a-b.c_d", "x."] {
            assert_eq!(check(id), Ok(()), "{id}");
        }
        for id in ["", "1a", "_a", "-a", ".a", "a b", "a/b", "#net1", "é", "aé", "a,b"] {
            assert_eq!(
                check(id).map_err(|error| error.to_string()),
                Err("Parameter 'id' expects an identifier".into()),
                "{id}"
            );
        }
    }
}
