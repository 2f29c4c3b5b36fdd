//! Keyval text: `a=b,c.d=e,list.0=x`, the command line's form of structured values.
//!
//! * `key=value`, separated by commas; a comma in a value is doubled.
//! * The key is a path of *fragments* separated by dots. A fragment is a name (a letter, then letters,
//!   digits, `-` and `_`, after an optional vendor prefix `__rfqdn_`) or, except for the first one, an
//!   index. Fragments that are indices make lists, which must have no gaps.
//! * The first `key=` may be left out where an *implied key* is given; the value then ends at the next
//!   comma, doubled or not.
//! * `help` or `?` in the place of a `key=value` asks for help.
//! * Later values replace earlier ones; a key that is a value in one place and a structure in another
//!   is refused.
//!
//! The result is a tree of objects and arrays whose leaves are strings. What type a leaf has is the
//! business of whoever knows the schema. Fragments are at most [`MAX_FRAGMENT`] bytes long and paths at
//! most [`MAX_DEPTH`] fragments deep, so that no input makes a tree too deep to walk.

use serde_json::{Map, Value};

/// The most bytes in one fragment of a key.
pub const MAX_FRAGMENT: usize = 127;
/// The most fragments in a key.
pub const MAX_DEPTH: usize = 64;

/// Why text is not keyval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyvalError {
    /// A key that is not a path of fragments.
    #[error("Invalid parameter '{key}'")]
    InvalidKey {
        /// The key given.
        key: String,
    },
    /// A key of one fragment longer than [`MAX_FRAGMENT`].
    #[error("Parameter '{key}' is too long")]
    KeyTooLong {
        /// The key given.
        key: String,
    },
    /// A fragment longer than [`MAX_FRAGMENT`].
    #[error("Parameter fragment '{fragment}' is too long")]
    FragmentTooLong {
        /// The fragment given.
        fragment: String,
    },
    /// A key of more than [`MAX_DEPTH`] fragments.
    #[error("Parameter '{start}…' is nested too deeply")]
    TooDeep {
        /// The first fragments.
        start: String,
    },
    /// A key with no value.
    #[error("Expected '=' after parameter '{key}'")]
    NoValue {
        /// The key given.
        key: String,
    },
    /// The key is both a value and a structure, or both a list and an object.
    #[error("Parameters '{key}.*' used inconsistently")]
    Inconsistent {
        /// The path of the structure.
        key: String,
    },
    /// Two trees differ in what kind of value the key has.
    #[error("Parameter '{key}' used inconsistently")]
    MergeConflict {
        /// The path of the value.
        key: String,
    },
    /// A list with a gap.
    #[error("Parameter '{key}' missing")]
    MissingElement {
        /// The path of the first element that is missing.
        key: String,
    },
    /// `help` where there is none to give.
    #[error("Help is not available for this option")]
    NoHelp,
}

/// What keyval text says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keyval {
    /// Its values.
    pub tree: Map<String, Value>,
    /// It asks for help.
    pub help: bool,
}

/// Whether a word asks for help.
#[must_use]
pub fn is_help(word: &str) -> bool {
    matches!(word, "help" | "?")
}

/// Reads keyval text that may ask for help.
///
/// # Errors
/// [`KeyvalError`].
pub fn parse_with_help(text: &str, implied_key: Option<&str>) -> Result<Keyval, KeyvalError> {
    let mut keyval = Keyval::default();
    keyval.help = parse_into(&mut keyval.tree, text, implied_key)?;
    Ok(keyval)
}

/// Reads keyval text.
///
/// # Errors
/// [`KeyvalError`]; a request for help is one.
pub fn parse(text: &str, implied_key: Option<&str>) -> Result<Map<String, Value>, KeyvalError> {
    let keyval = parse_with_help(text, implied_key)?;
    if keyval.help { Err(KeyvalError::NoHelp) } else { Ok(keyval.tree) }
}

/// Reads keyval text into a tree that may hold values already; tells whether it asks for help.
///
/// Lists that the tree holds from before are finished and cannot be added to.
///
/// # Errors
/// [`KeyvalError`]; the tree then holds what was read until there.
pub fn parse_into(
    tree: &mut Map<String, Value>,
    text: &str,
    implied_key: Option<&str>,
) -> Result<bool, KeyvalError> {
    let mut help = false;
    let mut rest = text;
    let mut implied_key = implied_key;
    while !rest.is_empty() {
        rest = parse_one(tree, rest, implied_key.take(), &mut help)?;
    }
    make_lists(tree, &mut Vec::new())?;
    Ok(help)
}

/// Reads one `key=value,`; returns what follows it.
fn parse_one<'a>(
    tree: &mut Map<String, Value>,
    text: &'a str,
    implied_key: Option<&str>,
    help: &mut bool,
) -> Result<&'a str, KeyvalError> {
    let key_end = text.find(['=', ',']).unwrap_or(text.len());
    let (key, after_key) = text.split_at(key_end);
    if !key.is_empty() && !after_key.starts_with('=') {
        let after_comma = after_key.strip_prefix(',').unwrap_or(after_key);
        if is_help(key) {
            *help = true;
            return Ok(after_comma);
        }
        if let Some(implied_key) = implied_key {
            put(tree, implied_key, key.to_owned())?;
            return Ok(after_comma);
        }
    }
    check_key(key)?;
    let Some(text) = after_key.strip_prefix('=') else {
        // A conflict is found before the value is missed.
        walk(tree, key)?;
        return Err(KeyvalError::NoValue { key: key.to_owned() });
    };
    let (value, rest) = split_value(text);
    put(tree, key, value)?;
    Ok(rest)
}

/// Takes a value off the text, with its doubled commas made single; returns it and what follows its comma.
pub(super) fn split_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let Some((before, after)) = rest.split_once(',') else {
            value.push_str(rest);
            return (value, "");
        };
        value.push_str(before);
        let Some(after_second) = after.strip_prefix(',') else { return (value, after) };
        value.push(',');
        rest = after_second;
    }
}

/// The text of a value that [`parse`] reads back to it.
#[must_use]
pub fn escape(value: &str) -> String {
    value.replace(',', ",,")
}

fn check_key(key: &str) -> Result<(), KeyvalError> {
    let mut rest = key;
    let mut depth = 0;
    loop {
        let length = match index(rest) {
            Some((_, length)) if depth > 0 => length,
            _ => name_length(rest),
        };
        let (fragment, after) = rest.split_at(length);
        if fragment.is_empty() || !(after.is_empty() || after.starts_with('.')) {
            return Err(KeyvalError::InvalidKey { key: key.to_owned() });
        }
        if fragment.len() > MAX_FRAGMENT {
            let fragment = fragment.to_owned();
            return Err(if fragment.len() == key.len() {
                KeyvalError::KeyTooLong { key: fragment }
            } else {
                KeyvalError::FragmentTooLong { fragment }
            });
        }
        depth += 1;
        let Some(next) = after.strip_prefix('.') else { return Ok(()) };
        if depth == MAX_DEPTH {
            return Err(KeyvalError::TooDeep { start: key.chars().take(MAX_FRAGMENT).collect() });
        }
        rest = next;
    }
}

/// The index that a fragment starts with, and its length. Indices past any possible list are alike.
fn index(text: &str) -> Option<(usize, usize)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    (length > 0).then(|| (text[..length].parse().unwrap_or(usize::MAX), length))
}

/// The index that a whole fragment is.
fn as_index(fragment: &str) -> Option<usize> {
    index(fragment).filter(|(_, length)| *length == fragment.len()).map(|(index, _)| index)
}

/// Length of the name at the start of the text, 0 if there is none.
fn name_length(text: &str) -> usize {
    let run = |from: usize, allowed: fn(u8) -> bool| {
        from + text.as_bytes()[from..].iter().take_while(|byte| allowed(**byte)).count()
    };
    let mut start = 0;
    if text.starts_with('_') {
        if !text.starts_with("__") {
            return 0;
        }
        let end = run(2, |byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        if text.as_bytes().get(end) != Some(&b'_') {
            return 0;
        }
        start = end + 1;
    }
    if !text.as_bytes().get(start).is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    run(start, |byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Fragments of a checked key. The dots of a vendor prefix are part of its fragment.
fn fragments(key: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = key.get(start..).filter(|rest| !rest.is_empty())?;
        let length = match index(rest) {
            Some((_, length)) => length,
            None => name_length(rest).max(1),
        };
        let fragment = (start + length, &rest[..length]);
        start += length + 1;
        Some(fragment)
    })
}

fn inconsistent(key: &str) -> KeyvalError {
    KeyvalError::Inconsistent { key: key.to_owned() }
}

/// Goes down to the object that has a key's last fragment, making what is not there; returns that fragment too.
fn walk<'t, 'k>(
    tree: &'t mut Map<String, Value>,
    key: &'k str,
) -> Result<(&'t mut Map<String, Value>, &'k str), KeyvalError> {
    let mut current = tree;
    let mut last = "";
    for (end, fragment) in fragments(key) {
        if end < key.len() {
            let next = current.entry(fragment).or_insert_with(|| Value::Object(Map::new()));
            current = next.as_object_mut().ok_or_else(|| inconsistent(&key[..end]))?;
        }
        last = fragment;
    }
    Ok((current, last))
}

fn put(tree: &mut Map<String, Value>, key: &str, value: String) -> Result<(), KeyvalError> {
    let (members, name) = walk(tree, key)?;
    if members.get(name).is_some_and(|old| !old.is_string()) {
        return Err(inconsistent(key));
    }
    members.insert(name.to_owned(), Value::String(value));
    Ok(())
}

/// Turns every object whose keys are indices into an array.
fn make_lists(tree: &mut Map<String, Value>, path: &mut Vec<String>) -> Result<(), KeyvalError> {
    for (key, value) in tree.iter_mut() {
        let Value::Object(members) = value else { continue };
        path.push(key.clone());
        make_lists(members, path)?;
        let indices = members.keys().filter(|key| as_index(key).is_some()).count();
        if indices > 0 {
            if indices < members.len() {
                return Err(KeyvalError::Inconsistent { key: path.join(".") });
            }
            *value = make_list(std::mem::take(members), path)?;
        }
        path.pop();
    }
    Ok(())
}

fn make_list(members: Map<String, Value>, path: &[String]) -> Result<Value, KeyvalError> {
    let mut elements = vec![None; members.len()];
    let mut length = 0;
    for (key, value) in members {
        let index = as_index(&key).unwrap_or(usize::MAX);
        length = length.max(index.saturating_add(1));
        // "1" and "01" are the same element. One past the end leaves a gap, which is found below.
        if let Some(element) = elements.get_mut(index) {
            *element = Some(value);
        }
    }
    elements.truncate(length);
    let gap =
        elements.iter().position(Option::is_none).or((length > elements.len()).then_some(elements.len()));
    match gap {
        Some(index) => Err(KeyvalError::MissingElement { key: format!("{}.{index}", path.join(".")) }),
        None => Ok(Value::Array(elements.into_iter().flatten().collect())),
    }
}

/// Adds the values of `added` to a tree: values replace, lists grow, objects merge.
///
/// # Errors
/// [`KeyvalError::MergeConflict`]; the tree then holds what was added until there.
pub fn merge(tree: &mut Map<String, Value>, added: Map<String, Value>) -> Result<(), KeyvalError> {
    merge_at(tree, added, "")
}

fn merge_at(tree: &mut Map<String, Value>, added: Map<String, Value>, path: &str) -> Result<(), KeyvalError> {
    for (key, value) in added {
        match (tree.get_mut(&key), value) {
            (None, value) => {
                tree.insert(key, value);
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge_at(old, new, &format!("{path}{key}."))?,
            (Some(Value::Array(old)), Value::Array(new)) => old.extend(new),
            (Some(old @ Value::String(_)), new @ Value::String(_)) => *old = new,
            (Some(_), _) => return Err(KeyvalError::MergeConflict { key: format!("{path}{key}") }),
        }
    }
    Ok(())
}

/// Writes a tree as keyval text that [`parse`] reads back to it; none if it holds what has no such form
/// (a leaf that is not a string, an empty object or list).
#[must_use]
pub fn format(tree: &Map<String, Value>) -> Option<String> {
    let mut parts = Vec::new();
    for (key, value) in tree {
        format_value(key, value, &mut parts)?;
    }
    Some(parts.join(","))
}

fn format_value(key: &str, value: &Value, parts: &mut Vec<String>) -> Option<()> {
    match value {
        Value::String(text) => parts.push(format!("{key}={}", escape(text))),
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                format_value(&format!("{key}.{name}"), member, parts)?;
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (index, element) in elements.iter().enumerate() {
                format_value(&format!("{key}.{index}"), element, parts)?;
            }
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
#[path = "keyval_tests.rs"]
mod tests;
