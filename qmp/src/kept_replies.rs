//! Replies that stay the same for a while, kept as text.
//!
//! What a class has and what a command takes does not change once the set of classes is sealed; which CPUs there can be, and which of them are
//! there, seldom does. Such lists are put into words once for each thing asked. A command says of itself that it may be kept, with a number
//! that changes when its answer may ([`Command::REVISION`](crate::Command::REVISION)); one whose answer depends on anything else must not say
//! so. Pretty texts are not kept, as they depend on how deep they stand.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::Context;

/// How many replies are kept; the one that was not asked for longest goes first.
const KEPT: usize = 16;

/// A longer text is not kept, in bytes. The longest that is asked for often, that of 4,096 CPUs all of which are there, has 626 KiB.
const TEXT_BYTES: usize = 1 << 20;

/// What all texts may have together, in bytes.
const ALL_BYTES: usize = 2 << 20;

/// A reply to longer text in an argument is not kept, in bytes: more than any name of a type has.
const ARGUMENT_BYTES: usize = 256;

/// A revision that never changes: that of an answer which depends on arguments, classes and commands alone.
#[must_use]
pub fn forever(_: &Context) -> Option<u64> {
    Some(0)
}

#[derive(Debug)]
struct Reply {
    command: &'static str,
    arguments: Map<String, Value>,
    revision: u64,
    text: Box<[u8]>,
}

/// The replies that were given lately, the latest first.
#[derive(Debug, Default)]
pub(crate) struct KeptReplies(VecDeque<Reply>);

impl KeptReplies {
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

    /// What was returned for these arguments, if it is kept and still holds. One of another revision is dropped.
    pub(crate) fn get(
        &mut self,
        command: &'static str,
        arguments: &Map<String, Value>,
        revision: u64,
    ) -> Option<&[u8]> {
        let asked = |reply: &Reply| reply.command == command && reply.arguments == *arguments;
        let reply = self.0.iter().position(asked).and_then(|at| self.0.remove(at))?;
        if reply.revision != revision {
            return None;
        }
        self.0.push_front(reply);
        self.0.front().map(|reply| &*reply.text)
    }

    /// Keeps what was returned for these arguments, which are not kept already.
    pub(crate) fn keep(
        &mut self,
        command: &'static str,
        arguments: Map<String, Value>,
        revision: u64,
        text: &[u8],
    ) {
        if text.len() > TEXT_BYTES {
            return;
        }
        self.0.truncate(KEPT - 1);
        while self.0.iter().map(|reply| reply.text.len()).sum::<usize>() + text.len() > ALL_BYTES {
            self.0.pop_back();
        }
        self.0.push_front(Reply { command, arguments, revision, text: text.into() });
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
        let mut replies = KeptReplies::default();
        for number in 0..KEPT {
            let name = number.to_string();
            replies.keep("list", named(&name), 0, name.as_bytes());
        }
        // The oldest is asked for, so the next one goes.
        assert_eq!(replies.get("list", &named("0"), 0), Some(&b"0"[..]));
        replies.keep("list", named("new"), 0, b"new");
        assert_eq!(replies.get("list", &named("1"), 0), None);
        for kept in ["0", "2", "new"] {
            assert_eq!(replies.get("list", &named(kept), 0), Some(kept.as_bytes()));
        }
        assert_eq!(replies.get("other", &named("0"), 0), None);
        assert_eq!(replies.0.len(), KEPT);
    }

    #[test]
    fn what_no_longer_holds_is_dropped() {
        let mut replies = KeptReplies::default();
        replies.keep("list", Map::new(), 1, b"one");
        assert_eq!(replies.get("list", &Map::new(), 1), Some(&b"one"[..]));
        assert_eq!(replies.get("list", &Map::new(), 2), None);
        assert!(replies.0.is_empty());
        replies.keep("list", Map::new(), 2, b"two");
        assert_eq!(replies.get("list", &Map::new(), 2), Some(&b"two"[..]));
    }

    #[test]
    fn long_ones_are_not_kept() {
        assert!(KeptReplies::keeps(&named("qemu64-x86_64-cpu")));
        assert!(!KeptReplies::keeps(&named(&"x".repeat(ARGUMENT_BYTES + 1))));
        assert!(!KeptReplies::keeps(&Map::from_iter([("x".repeat(ARGUMENT_BYTES + 1), Value::Null)])));
        assert!(!KeptReplies::keeps(&(0..5).map(|n| (n.to_string(), Value::Null)).collect()));
        assert!(!KeptReplies::keeps(&Map::from_iter([("list".to_owned(), Value::Array(Vec::new()))])));
        let mut replies = KeptReplies::default();
        replies.keep("list", Map::new(), 0, &vec![b' '; TEXT_BYTES + 1]);
        assert_eq!(replies.get("list", &Map::new(), 0), None);
    }

    #[test]
    fn all_together_are_bounded() {
        let mut replies = KeptReplies::default();
        for number in 0..KEPT {
            replies.keep("list", named(&number.to_string()), 0, &vec![b' '; TEXT_BYTES]);
        }
        assert_eq!(replies.0.iter().map(|reply| reply.text.len()).sum::<usize>(), ALL_BYTES);
        replies.keep("short", Map::new(), 0, b"short");
        assert_eq!(replies.get("short", &Map::new(), 0), Some(&b"short"[..]));
        assert_eq!(replies.0.len(), 2);
    }
}
