//! Replies that stay the same for as long as the program runs, kept as text.
//!
//! What a class has and what a command takes does not change once the set of classes is sealed, so their lists are put into words once for
//! each thing asked. A command says so of itself by the flag `constant`; one whose answer depends on anything but its arguments, the classes and
//! the commands must not have it. Pretty texts are not kept, as they depend on how deep they stand.

use std::collections::VecDeque;

use serde_json::{Map, Value};

/// How many replies are kept; the one that was not asked for longest goes first.
const KEPT: usize = 16;

/// A longer text is not kept, in bytes.
const TEXT_BYTES: usize = 256 << 10;

/// A reply to longer text in an argument is not kept, in bytes: more than any name of a type has.
const ARGUMENT_BYTES: usize = 256;

#[derive(Debug)]
struct Reply {
    command: &'static str,
    arguments: Map<String, Value>,
    text: Box<[u8]>,
}

/// The replies that were given lately, the latest first.
#[derive(Debug, Default)]
pub(crate) struct ConstantReplies(VecDeque<Reply>);

impl ConstantReplies {
    /// Whether a reply to these arguments may be kept: they are few and short, so that clients cannot fill memory with what they ask.
    pub(crate) fn keeps(arguments: &Map<String, Value>) -> bool {
        let short = |argument: &Value| match argument {
            Value::String(text) => text.len() <= ARGUMENT_BYTES,
            Value::Array(_) | Value::Object(_) => false,
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        };
        // No command of that kind takes more than a few.
        arguments.len() <= 4
            && arguments.iter().all(|(name, value)| name.len() <= ARGUMENT_BYTES && short(value))
    }

    /// The text that was returned for these arguments, if it is kept.
    pub(crate) fn get(&mut self, command: &'static str, arguments: &Map<String, Value>) -> Option<&[u8]> {
        let at = self.0.iter().position(|reply| reply.command == command && reply.arguments == *arguments)?;
        if at > 0 {
            let reply = self.0.remove(at)?;
            self.0.push_front(reply);
        }
        self.0.front().map(|reply| &*reply.text)
    }

    /// Keeps what was returned for these arguments.
    pub(crate) fn keep(&mut self, command: &'static str, arguments: Map<String, Value>, text: &[u8]) {
        if text.len() <= TEXT_BYTES {
            self.0.truncate(KEPT - 1);
            self.0.push_front(Reply { command, arguments, text: text.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Map<String, Value> {
        Map::from_iter([("name".to_owned(), Value::from(name))])
    }

    #[test]
    fn the_latest_are_kept() {
        let mut replies = ConstantReplies::default();
        for number in 0..KEPT {
            let name = number.to_string();
            replies.keep("list", named(&name), name.as_bytes());
        }
        // The oldest is asked for, so the next one goes.
        assert_eq!(replies.get("list", &named("0")), Some(&b"0"[..]));
        replies.keep("list", named("new"), b"new");
        assert_eq!(replies.get("list", &named("1")), None);
        for kept in ["0", "2", "new"] {
            assert_eq!(replies.get("list", &named(kept)), Some(kept.as_bytes()));
        }
        assert_eq!(replies.get("other", &named("0")), None);
        assert_eq!(replies.0.len(), KEPT);
    }

    #[test]
    fn long_ones_are_not_kept() {
        assert!(ConstantReplies::keeps(&named("qemu64-x86_64-cpu")));
        assert!(!ConstantReplies::keeps(&named(&"x".repeat(ARGUMENT_BYTES + 1))));
        assert!(!ConstantReplies::keeps(&Map::from_iter([("x".repeat(ARGUMENT_BYTES + 1), Value::Null)])));
        assert!(!ConstantReplies::keeps(&(0..5).map(|n| (n.to_string(), Value::Null)).collect()));
        assert!(!ConstantReplies::keeps(&Map::from_iter([("list".to_owned(), Value::Array(Vec::new()))])));
        let mut replies = ConstantReplies::default();
        replies.keep("list", Map::new(), &vec![b' '; TEXT_BYTES + 1]);
        assert_eq!(replies.get("list", &Map::new()), None);
    }
}
