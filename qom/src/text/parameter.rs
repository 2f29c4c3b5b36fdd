//! Errors about one named parameter, in the words that QEMU's clients and users know.
//!
//! A message may have a *hint*: further lines for a person at a terminal, which QMP replies leave out.
//! The hint is kept apart so that neither side has to cut the text.

/// What [`ParameterError::Expects`] says of a size in the options form.
pub const EXPECTED_SIZE: &str = "a non-negative number below 2^64";
/// What [`ParameterError::Expects`] says of an ID.
pub const EXPECTED_IDENTIFIER: &str = "an identifier";
/// What [`ParameterError::Expects`] says of a boolean.
pub const EXPECTED_BOOLEAN: &str = "'on' or 'off'";

/// Why one parameter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The text is not a value of the type.
    #[error("Parameter '{name}' expects {expected}")]
    Expects {
        /// The parameter.
        name: String,
        /// The type, in words.
        expected: &'static str,
    },
    /// A size that does not fit into 64 bits, or is negative.
    #[error("Value '{value}' is out of range for parameter '{name}'")]
    OutOfRange {
        /// The parameter.
        name: String,
        /// The text given.
        value: String,
    },
    /// A number that does not fit into 64 bits.
    #[error("Value '{value}' is too large for parameter '{name}'")]
    TooLarge {
        /// The parameter.
        name: String,
        /// The text given.
        value: String,
    },
    /// No parameter has that name here.
    #[error("Invalid parameter '{name}'")]
    Invalid {
        /// The name given.
        name: String,
    },
    /// Another kind of value than the parameter's.
    #[error("Invalid parameter type for '{name}', expected: {expected}")]
    WrongKind {
        /// The parameter.
        name: String,
        /// The kind, in words.
        expected: &'static str,
    },
    /// A required parameter was not given.
    #[error("Parameter '{name}' is missing")]
    Missing {
        /// The parameter.
        name: String,
    },
    /// A structure has no such member.
    #[error("Parameter '{name}' is unexpected")]
    Unexpected {
        /// The member, with the path to it.
        name: String,
    },
    /// A structure was given where a scalar belongs.
    #[error("Parameters '{name}.*' are unexpected")]
    UnexpectedMembers {
        /// The path of the structure.
        name: String,
    },
    /// A value that an enumeration does not have.
    #[error("Parameter '{name}' does not accept value '{value}'")]
    NotAccepted {
        /// The parameter.
        name: String,
        /// The text given.
        value: String,
    },
}

impl ParameterError {
    /// Further lines for a person, without a line end after the last.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        let Self::Expects { expected, .. } = self else { return None };
        match *expected {
            EXPECTED_SIZE => Some(
                "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n\
                 and exabytes, respectively.",
            ),
            EXPECTED_IDENTIFIER => {
                Some("Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.")
            }
            _ => None,
        }
    }

    pub(super) fn expects(name: &str, expected: &'static str) -> Self {
        Self::Expects { name: name.to_owned(), expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_belong_to_sizes_and_identifiers() {
        assert!(ParameterError::expects("a", EXPECTED_SIZE).hint().unwrap().starts_with("Optional suffix k"));
        assert!(
            ParameterError::expects("a", EXPECTED_IDENTIFIER)
                .hint()
                .unwrap()
                .contains("starting with a letter")
        );
        assert_eq!(ParameterError::expects("a", EXPECTED_BOOLEAN).hint(), None);
        assert_eq!(ParameterError::Missing { name: "a".into() }.hint(), None);
    }
}
