//! Booleans in text: four words for each value, in lower case only.
//!
//! Numbers, other spellings and surrounding space are refused, so that a typo never becomes a value.

/// Reads `on`, `yes`, `true` or `y` as true and `off`, `no`, `false` or `n` as false.
#[must_use]
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "on" | "yes" | "true" | "y" => Some(true),
        "off" | "no" | "false" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::parse_bool;
    use proptest::prelude::*;

    #[test]
    fn the_eight_words() {
        for word in ["on", "yes", "true", "y"] {
            assert_eq!(parse_bool(word), Some(true), "{word}");
        }
        for word in ["off", "no", "false", "n"] {
            assert_eq!(parse_bool(word), Some(false), "{word}");
        }
    }

    #[test]
    fn nothing_else() {
        for word in ["", "On", "ON", "TRUE", "1", "0", "t", "f", " on", "on ", "enable", "ye"] {
            assert_eq!(parse_bool(word), None, "{word}");
        }
    }

    proptest! {
        #![proptest_config(crate::text::test_config())]

        #[test]
        fn accepts_only_words_of_the_set(text in ".*") {
            if parse_bool(&text).is_some() {
                prop_assert!(["on", "yes", "true", "y", "off", "no", "false", "n"].contains(&text.as_str()));
            }
        }
    }
}
