//! A line's arguments, by their specification.

use std::fmt;

use super::expression::{self, Registers};
use super::format::Format;

/// Why a line does not fit a command; the text names the command by all its names, as the reference does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct LineError(String);

impl LineError {
    fn of(names: &str, problem: impl fmt::Display) -> Self {
        Self(format!("{names}: {problem}"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Argument {
    Text(String),
    Int(i64),
    Bool(bool),
    Format(Format),
}

/// The arguments of a monitor command, by the names of its specification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HmpArguments(Vec<(&'static str, Argument)>);

impl HmpArguments {
    fn get(&self, name: &str) -> Option<&Argument> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, argument)| argument)
    }

    /// A text argument (`s`, `S`, `O`), if given.
    #[must_use]
    pub fn str(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Argument::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number (`i`, `l`), if given.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Argument::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A switch (`b`), if given.
    #[must_use]
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Argument::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// How to show numbers (`/`); every command that takes it has one.
    #[must_use]
    pub fn format(&self) -> Format {
        let mut formats = self.0.iter().filter_map(|(_, argument)| match argument {
            Argument::Format(format) => Some(*format),
            _ => None,
        });
        formats.next().unwrap_or_default()
    }

    /// Whether the flag `-x` was given, `name` being `x`.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Argument::Bool(true)))
    }
}

/// What a line's arguments depend on beside the line.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// What `$` means.
    pub(super) registers: &'a Registers<'a>,
    /// The format before.
    pub(super) format: Format,
}

/// Whether a part of a specification is the flag that a line goes on with after a dash.
fn is_flag(part: &str, line: &str) -> bool {
    let kind = part.split_once(':').and_then(|(_, kind)| kind.strip_prefix('-'));
    kind.is_some_and(|flag| line.starts_with(flag.trim_end_matches('?')))
}

/// Reads the arguments of a command with that specification and those names.
pub(super) fn parse(
    specification: &'static str,
    line: &str,
    names: &str,
    surroundings: Surroundings<'_>,
) -> Result<HmpArguments, LineError> {
    let mut arguments = HmpArguments::default();
    let mut rest = line;
    let mut parts = specification.split(',').filter(|part| !part.is_empty());
    while let Some(part) = parts.next() {
        let Some((name, kind)) = part.split_once(':') else { continue };
        rest = rest.trim_start();
        if let Some(flag) = kind.strip_prefix('-') {
            let flag = flag.trim_end_matches('?');
            match rest.strip_prefix('-') {
                Some(after) if after.starts_with(flag) => {
                    rest = &after[flag.len()..];
                    arguments.0.push((name, Argument::Bool(true)));
                }
                // One that follows in the specification. Flags are given in its order.
                Some(after) if parts.clone().any(|part| is_flag(part, after)) => {}
                Some(after) => {
                    let written = after.chars().next().unwrap_or(' ');
                    return Err(LineError::of(names, format_args!("unsupported option -{written}")));
                }
                None => {}
            }
            continue;
        }
        if kind == "/" {
            let (format, after) = Format::parse(rest, surroundings.format).map_err(LineError)?;
            rest = after;
            arguments.0.push((name, Argument::Format(format)));
            continue;
        }
        if kind.ends_with('.') {
            // Only there if a dot is before it.
            match rest.strip_prefix('.') {
                Some(after) => rest = after.trim_start(),
                None => continue,
            }
        }
        let optional = kind.ends_with('?');
        if optional && rest.is_empty() {
            continue;
        }
        let argument = match kind.trim_end_matches(['?', '.']) {
            "i" | "l" => {
                let (value, after) = expression::parse(rest, surroundings.registers).map_err(LineError)?;
                if kind.starts_with('i') && u32::try_from(value).is_err() {
                    return Err(LineError(format!("'{names}' has failed: integer is for 32-bit values")));
                }
                rest = after;
                Argument::Int(value)
            }
            "b" => {
                let (word, after) = word(rest);
                rest = after;
                match word {
                    "on" => Argument::Bool(true),
                    "off" => Argument::Bool(false),
                    _ => return Err(LineError("Expected 'on' or 'off'".to_owned())),
                }
            }
            "S" => {
                let text = rest;
                rest = "";
                if text.is_empty() {
                    return Err(LineError::of(names, "string expected"));
                }
                Argument::Text(text.to_owned())
            }
            "O" => match string(rest)? {
                Some((text, after)) => {
                    rest = after;
                    Argument::Text(text)
                }
                None => continue,
            },
            _ => match string(rest)? {
                Some((text, after)) => {
                    rest = after;
                    Argument::Text(text)
                }
                None if kind == "F" => return Err(LineError::of(names, "filename expected")),
                None => return Err(LineError::of(names, "string expected")),
            },
        };
        arguments.0.push((name, argument));
    }
    if !rest.trim_start().is_empty() {
        return Err(LineError::of(names, "extraneous characters at the end of line"));
    }
    Ok(arguments)
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len()))
}

/// A word or a quoted string, and what follows it; none at the end of the line.
fn string(text: &str) -> Result<Option<(String, &str)>, LineError> {
    if text.is_empty() {
        return Ok(None);
    }
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = word(text);
        return Ok(Some((word.to_owned(), rest)));
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next() {
            None => return Err(LineError("unterminated string".to_owned())),
            Some('"') => return Ok(Some((value, characters.as_str()))),
            Some('\\') => match characters.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some(plain @ ('\\' | '\'' | '"')) => value.push(plain),
                Some(other) => return Err(LineError(format!("unsupported escape code: '\\{other}'"))),
                None => return Err(LineError("unterminated string".to_owned())),
            },
            Some(plain) => value.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(specification: &'static str, line: &str, names: &str) -> Result<HmpArguments, LineError> {
        let surroundings =
            Surroundings { registers: &|name| (name == "pc").then_some(16), format: Format::default() };
        super::parse(specification, line, names, surroundings)
    }

    fn error(specification: &'static str, line: &str) -> String {
        parse(specification, line, "command|c").unwrap_err().to_string()
    }

    #[test]
    fn arguments_are_read_by_their_types() {
        let arguments = parse("json:-j,path:s,count:i?,on:b?", r#" -j "/a \"b\"" 0x10 on"#, "c").unwrap();
        assert!(arguments.flag("json"));
        assert_eq!(arguments.str("path"), Some("/a \"b\""));
        assert_eq!(arguments.int("count"), Some(16));
        assert_eq!(arguments.bool("on"), Some(true));
        let arguments = parse("path:s?,rest:S?", "", "c").unwrap();
        assert_eq!(arguments, HmpArguments::default());
        let arguments = parse("fmt:/,addr:l", "/3xb $pc+1", "x").unwrap();
        assert_eq!((arguments.format().count, arguments.int("addr")), (3, Some(17)));
        let port = "fmt:/,addr:i,index:i.";
        for (line, index) in [("0x70", None), ("0x70.0xf", Some(15)), ("0x70 . 0xf", Some(15))] {
            assert_eq!(parse(port, line, "i").unwrap().int("index"), index, "{line}");
        }
        let arguments = parse("path:s,rest:S", "a  b c ", "c").unwrap();
        assert_eq!((arguments.str("path"), arguments.str("rest")), (Some("a"), Some("b c ")));
    }

    #[test]
    fn flags_are_each_optional_in_their_order() {
        let flags = "first:-f,second:-d,third:-o";
        for (line, given) in [
            ("", [false; 3]),
            ("-f", [true, false, false]),
            ("-o", [false, false, true]),
            ("-f -o", [true, false, true]),
            ("-d  -o ", [false, true, true]),
        ] {
            let arguments = parse(flags, line, "c").unwrap();
            assert_eq!(["first", "second", "third"].map(|name| arguments.flag(name)), given, "{line}");
        }
        assert_eq!(error(flags, "-o -f"), "command|c: extraneous characters at the end of line");
        assert_eq!(
            error("first:-f,second:-d", "-d -x"),
            "command|c: extraneous characters at the end of line"
        );
        assert_eq!(error("first:-f,second:-d,third:-o", "-d -f"), "command|c: unsupported option -f");
        assert_eq!(error(flags, "-fo"), "command|c: extraneous characters at the end of line");
        assert_eq!(error(flags, "-x"), "command|c: unsupported option -x");
    }

    #[test]
    fn errors_are_in_the_references_words() {
        assert_eq!(error("", "x"), "command|c: extraneous characters at the end of line");
        assert_eq!(error("path:s", " "), "command|c: string expected");
        assert_eq!(error("path:F", " "), "command|c: filename expected");
        assert_eq!(error("json:-j,path:s", "-x /a"), "command|c: unsupported option -x");
        assert_eq!(error("id:i", "1+"), "unexpected end of expression");
        assert_eq!(error("id:i", "0x100000000"), "'command|c' has failed: integer is for 32-bit values");
        assert_eq!(error("path:s", "\"a"), "unterminated string");
        assert_eq!(error("path:s", "\"a\\q\""), "unsupported escape code: '\\q'");
    }

    proptest! {
        #[test]
        fn any_line_ends(line in "[-a-z/.$\"\\\\0-9 é+(]{0,40}") {
            let _ = parse("fmt:/,json:-j,path:s,id:i?,index:i.,size:l?,on:b?,options:O?,rest:S?", &line, "c");
        }
    }
}
