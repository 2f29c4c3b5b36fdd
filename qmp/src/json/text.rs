//! The text inside JSON strings: escapes, modified UTF-8, and how undecodable bytes are shown.
//!
//! *Modified UTF-8* is UTF-8 with NUL written as `C0 80`. The reference refuses surrogates, overlong
//! forms and the Unicode noncharacters (U+FDD0–U+FDEF and the last two of each plane); so do we,
//! since a text that one side refuses must not be acted on by the other.

/// Whether the reference takes `code` as a character.
fn is_character(code: u32) -> bool {
    code <= 0x10_ffff
        && !(0xfdd0..=0xfdef).contains(&code)
        && code & 0xfffe != 0xfffe
        && !(0xd800..=0xdfff).contains(&code)
}

/// Reads one character of modified UTF-8 from the start of `bytes`, which must not be empty.
/// Returns it (none if the sequence is invalid) and how many bytes the sequence takes, at least 1.
fn decode(bytes: &[u8]) -> (Option<char>, usize) {
    let first = bytes[0];
    let length = match first {
        0..=0x7f => return (Some(char::from(first)), 1),
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        0xf8..=0xfb => 5,
        0xfc..=0xfd => 6,
        _ => return (None, 1),
    };
    let mut code = u32::from(first) & (0x7f >> length);
    for (index, &byte) in bytes[1..].iter().take(length - 1).enumerate() {
        if byte & 0xc0 != 0x80 {
            return (None, index + 1);
        }
        code = code << 6 | u32::from(byte & 0x3f);
    }
    if bytes.len() < length {
        return (None, bytes.len());
    }
    // Smallest code that needs this length; NUL alone may take two bytes.
    let least = match length {
        2 => 0x80,
        3 => 0x800,
        4 => 0x1_0000,
        _ => u32::MAX,
    };
    let shortest = code >= least || (code == 0 && length == 2);
    let character = if shortest && is_character(code) { char::from_u32(code) } else { None };
    (character, length)
}

/// Text for an error message: undecodable sequences become U+FFFD, and a NUL ends it.
pub(super) fn lossy(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let mut rest = &bytes[..end];
    let mut text = String::with_capacity(rest.len());
    while !rest.is_empty() {
        let (character, length) = decode(rest);
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = &rest[length..];
    }
    text
}

/// Value of four hexadecimal digits at the start of `bytes`.
fn hex4(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.get(..4)?;
    digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

/// The character of an escape `\u….` and the bytes that it takes of `bytes`, which starts after the
/// `\u`. On error, how many bytes belong into the message.
fn unicode_escape(bytes: &[u8]) -> Result<(char, usize), usize> {
    let in_message = bytes.len().min(4);
    let code = hex4(bytes).ok_or(in_message)?;
    if (0xd800..0xdc00).contains(&code) && bytes[4..].starts_with(b"\\u") {
        let low = hex4(&bytes[6..]).filter(|low| (0xdc00..0xe000).contains(low)).ok_or(4_usize)?;
        let code = 0x1_0000 + ((code & 0x3ff) << 10 | low & 0x3ff);
        return char::from_u32(code).filter(|_| is_character(code)).map(|c| (c, 10)).ok_or(4);
    }
    char::from_u32(code).filter(|_| is_character(code)).map(|c| (c, 4)).ok_or(4)
}

/// The text of a string token, which includes its quotes. The error is the rest of a message.
pub(super) fn unquote(token: &[u8]) -> Result<String, Vec<u8>> {
    let body = &token[1..token.len() - 1];
    if body.is_ascii()
        && !body.contains(&b'\\')
        && let Ok(text) = std::str::from_utf8(body)
    {
        return Ok(text.to_owned());
    }
    let mut text = String::with_capacity(body.len());
    // The message of a bad `\u` may reach into the closing quote.
    let mut rest = &token[1..];
    while rest.len() > 1 {
        if rest[0] != b'\\' {
            let (character, length) = decode(rest);
            text.push(character.ok_or(b"invalid UTF-8 sequence in string")?);
            rest = &rest[length..];
            continue;
        }
        let (character, length) = match rest[1] {
            quoted @ (b'"' | b'\'' | b'\\' | b'/') => (char::from(quoted), 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => match unicode_escape(&rest[2..]) {
                Ok((character, length)) => (character, 2 + length),
                Err(length) => {
                    let mut message = rest[..2 + length].to_vec();
                    message.extend_from_slice(b" is not a valid Unicode character");
                    return Err(message);
                }
            },
            _ => return Err(b"invalid escape sequence in string".to_vec()),
        };
        text.push(character);
        rest = &rest[length..];
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(unquote(br#""a\"\'\\\/\b\f\n\r\tz""#).unwrap(), "a\"'\\/\u{8}\u{c}\n\r\tz");
        assert_eq!(unquote(br#""\u00e9\u0000\ud83d\ude00""#).unwrap(), "é\0😀");
        assert_eq!(unquote("'\"é'".as_bytes()).unwrap(), "\"é");
        assert_eq!(unquote(b"\"\xc0\x80\"").unwrap(), "\0");
    }

    #[test]
    fn what_is_no_character_is_refused() {
        let message = |token: &[u8]| String::from_utf8(unquote(token).unwrap_err()).unwrap();
        assert_eq!(message(br#""\uD800""#), r"\uD800 is not a valid Unicode character");
        assert_eq!(message(br#""\u12""#), r#"\u12" is not a valid Unicode character"#);
        assert_eq!(message(br#""\uffff""#), r"\uffff is not a valid Unicode character");
        assert_eq!(message(br#""\q""#), "invalid escape sequence in string");
        for bytes in
            [&b"\"\xc3(\""[..], b"\"\xef\xb7\x90\"", b"\"\xed\xa0\x80\"", b"\"\xc1\x81\"", b"\"\xe9\""]
        {
            assert_eq!(message(bytes), "invalid UTF-8 sequence in string");
        }
    }

    #[test]
    fn undecodable_bytes_are_shown_as_replacement_characters() {
        assert_eq!(lossy(b"a\xffb\xc3(\xed\xa0\x80c\0d"), "a\u{fffd}b\u{fffd}(\u{fffd}c");
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "\\PC*") {
            let noncharacter = text.chars().any(|c| !is_character(u32::from(c)));
            let token = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            match unquote(token.as_bytes()) {
                Ok(read) => prop_assert_eq!(read, text),
                Err(_) => prop_assert!(noncharacter),
            }
        }

        #[test]
        fn any_bytes_end(body in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = lossy(&body);
            let mut token = vec![b'"'];
            token.extend(body);
            token.push(b'"');
            let _ = unquote(&token);
        }
    }
}
