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
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(crate::text::test_config())]

        #[test]
        fn what_is_made_after_the_rule_is_taken(id in "[A-Za-z][A-Za-z0-9._-]{0,40}") {
            prop_assert_eq!(check(&id), Ok(()));
        }

        /// One character that the rule has no place for makes it no ID.
        #[test]
        fn one_wrong_character_is_enough(
            before in "[A-Za-z][A-Za-z0-9._-]{0,8}", wrong in "[^A-Za-z0-9._-]", after in "[A-Za-z0-9._-]{0,8}",
            first in "[^A-Za-z]",
        ) {
            for id in [before + &wrong + &after, first + &after] {
                prop_assert!(check(&id).is_err(), "{}", id);
            }
        }

        /// Any text is answered, and what is taken is safe as a step of a path and in a list of parameters.
        #[test]
        fn any_text_is_answered(text in "[a-z.-]{0,3}[ -~]{0,3}|.*") {
            if check(&text).is_ok() {
                prop_assert!(text.is_ascii() && !text.contains(['/', ',', '=', ' ', '[']));
            }
        }
    }

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
