//! Output that waits for its reader, and the room that it leaves behind.
//!
//! What was sent is not moved away at once: a reader that takes a long reply in pieces would have the rest of it copied for each.

/// Room that a buffer keeps in any case, in bytes.
const KEPT_BYTES: usize = 64 << 10;

/// Room that it keeps at most, in bytes.
const MOST_KEPT_BYTES: usize = 1 << 20;

/// The room that a buffer keeps whose last content had so many bytes: who asked for much is likely to ask again, and room that is given back and
/// taken again costs more than the text. The first short content gives it back.
pub(crate) fn kept(last: usize) -> usize {
    last.clamp(KEPT_BYTES, MOST_KEPT_BYTES)
}

/// Bytes in the order in which they are to be sent.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    /// How many of them are sent already.
    sent: usize,
}

impl Outgoing {
    /// What is to be sent.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Forgets the first `count` bytes of it.
    pub(crate) fn sent(&mut self, count: usize) {
        self.sent = self.bytes.len().min(self.sent + count);
        if self.sent == self.bytes.len() {
            let last = self.bytes.len();
            self.bytes.clear();
            self.bytes.shrink_to(kept(last));
            self.sent = 0;
        } else if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Where to append.
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends all of `text`, without a copy if nothing waits. `text` is of no use afterwards but for its room.
    pub(crate) fn append(&mut self, text: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            std::mem::swap(&mut self.bytes, text);
        } else {
            self.bytes.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Append(Vec<u8>),
        Push(u8),
        Sent(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Step::Append),
            any::<u8>().prop_map(Step::Push),
            (0..30_usize).prop_map(Step::Sent),
        ]
    }

    proptest! {
        #[test]
        fn what_waits_is_what_was_not_sent(steps in prop::collection::vec(step(), 0..40)) {
            let (mut outgoing, mut model) = (Outgoing::default(), Vec::new());
            for step in steps {
                match step {
                    Step::Append(mut text) => {
                        model.extend_from_slice(&text);
                        outgoing.append(&mut text);
                    }
                    Step::Push(byte) => {
                        model.push(byte);
                        outgoing.end().push(byte);
                    }
                    Step::Sent(count) => {
                        model.drain(..count.min(model.len()));
                        outgoing.sent(count);
                    }
                }
                prop_assert_eq!(outgoing.waiting(), &model);
            }
        }
    }

    #[test]
    fn room_is_kept_for_as_long_as_it_is_used() {
        let mut outgoing = Outgoing::default();
        let mut fill = |bytes: usize| {
            outgoing.append(&mut vec![0; bytes]);
            outgoing.sent(bytes);
            outgoing.bytes.capacity()
        };
        assert_eq!(fill(500_000), 500_000);
        assert_eq!(fill(20 << 20), MOST_KEPT_BYTES);
        let mut outgoing = Outgoing::default();
        outgoing.append(&mut vec![0; 500_000]);
        outgoing.sent(500_000);
        outgoing.end().push(0);
        outgoing.sent(1);
        assert_eq!(outgoing.bytes.capacity(), KEPT_BYTES);
    }
}
