//! Events that nobody has waited for yet: in order, and no more of them than a number and a number of bytes.

use std::collections::VecDeque;

use serde_json::Value;

use super::ReceivedEvent;

/// What an object's member takes beside its name and its value: the name's string, a hash and a place in an index.
const MEMBER_BYTES: usize = size_of::<String>() + 2 * size_of::<usize>();

#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Each with the memory it takes.
    events: VecDeque<(ReceivedEvent, usize)>,
    bytes: usize,
    dropped: u64,
}

impl Kept {
    /// Keeps an event; drops the oldest for it, and itself if it is larger than all may be.
    pub(super) fn keep(&mut self, event: ReceivedEvent, most: usize, most_bytes: usize) {
        let bytes = held(&event);
        self.bytes = self.bytes.saturating_add(bytes);
        self.events.push_back((event, bytes));
        while self.events.len() > most || self.bytes > most_bytes {
            let Some((_, bytes)) = self.events.pop_front() else { break };
            self.bytes -= bytes;
            self.dropped += 1;
        }
    }

    /// Takes out the first that `is_it` says yes to.
    pub(super) fn take(&mut self, mut is_it: impl FnMut(&ReceivedEvent) -> bool) -> Option<ReceivedEvent> {
        let place = self.events.iter().position(|(event, _)| is_it(event))?;
        let (event, bytes) = self.events.remove(place)?;
        self.bytes -= bytes;
        Some(event)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// About the memory that an event takes. Its text may be much shorter: `[[],[]]` has three values. The stack is our own: data
/// may nest.
fn held(event: &ReceivedEvent) -> usize {
    let mut bytes = size_of::<(ReceivedEvent, usize)>() + event.name.len();
    let mut waiting = vec![&event.data];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => bytes += text.len(),
            Value::Array(elements) => {
                bytes += size_of_val(elements.as_slice());
                waiting.extend(elements);
            }
            Value::Object(members) => {
                for (name, value) in members {
                    bytes += MEMBER_BYTES + size_of::<Value>() + name.len();
                    waiting.push(value);
                }
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str, data: Value) -> ReceivedEvent {
        ReceivedEvent { name: name.to_owned(), data, since_epoch: None }
    }

    fn names(kept: &Kept) -> Vec<&str> {
        kept.events.iter().map(|(event, _)| event.name.as_str()).collect()
    }

    #[test]
    fn the_oldest_make_room() {
        let mut kept = Kept::default();
        for name in ["a", "b", "c"] {
            kept.keep(event(name, json!("x".repeat(1000))), 10, 2500);
        }
        assert_eq!((names(&kept), kept.dropped()), (vec!["b", "c"], 1));
        kept.keep(event("d", json!({})), 2, 2500);
        assert_eq!((names(&kept), kept.dropped()), (vec!["c", "d"], 2));
        // What is taken makes room as well.
        assert!(kept.take(|event| event.name == "c").is_some());
        kept.keep(event("e", json!("x".repeat(2000))), 2, 2500);
        assert_eq!((names(&kept), kept.dropped()), (vec!["d", "e"], 2));
        while kept.take(|_| true).is_some() {}
        assert_eq!(kept.bytes, 0);
    }

    #[test]
    fn one_that_is_larger_than_all_may_be_is_not_kept() {
        let mut kept = Kept::default();
        kept.keep(event("a", json!({})), 10, 2000);
        kept.keep(event("b", json!("x".repeat(3000))), 10, 2000);
        assert_eq!((names(&kept), kept.dropped(), kept.bytes), (vec![], 2, 0));
    }

    /// Two bytes of text, a value's memory.
    #[test]
    fn memory_counts_and_not_text() {
        let many = Value::Array(vec![json!([]); 1000]);
        assert!(held(&event("a", many)) >= 1000 * size_of::<Value>());
        let members: serde_json::Map<_, _> = (0..1000).map(|n| (n.to_string(), Value::Null)).collect();
        assert!(
            held(&event("a", Value::Object(members))) >= 1000 * (size_of::<Value>() + size_of::<String>())
        );
    }
}
