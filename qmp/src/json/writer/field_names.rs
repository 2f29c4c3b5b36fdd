//! What is known of the names of structs' fields, which are the same few again and again in a long list.
//!
//! A name is found by where it lies: names that are in the program itself are never moved or changed. That is why nothing but `'static` names may
//! be asked for here.

use std::cell::RefCell;

use super::is_plain;
use crate::json::format::bucket;

/// How many names are kept; a power of two. One that comes to the place of another takes it.
const KEPT: usize = 64;

/// Room for a name as it is written. Of constant size, so that copying it is a move or two; what is too much is cut off again.
const ROOM: usize = 32;

/// What the writer needs to know of a name.
#[derive(Debug, Clone, Copy)]
struct FieldName {
    address: usize,
    length: usize,
    /// Where the reference's table has it.
    bucket: u32,
    /// The name in quotes with its colon, if it needs no escapes and has room; how many bytes that are.
    written: Option<([u8; ROOM], usize)>,
}

impl FieldName {
    fn of(name: &'static str) -> Self {
        let text = [b"\"", name.as_bytes(), b"\": "].concat();
        let mut room = [0; ROOM];
        let written = room.get_mut(..text.len()).filter(|_| name.bytes().all(is_plain)).map(|place| {
            place.copy_from_slice(&text);
            text.len()
        });
        Self {
            address: name.as_ptr().addr(),
            length: name.len(),
            bucket: bucket(name.as_bytes()),
            written: written.map(|length| (room, length)),
        }
    }
}

/// The names that came lately.
#[derive(Debug)]
struct FieldNames([Option<FieldName>; KEPT]);

thread_local! {
    /// One for all texts of a thread: most are short.
    static NAMES: RefCell<FieldNames> = const { RefCell::new(FieldNames([None; KEPT])) };
}

/// Puts a name at the end of a text, with quotes and colon. Returns its bucket, and whether it was written: one with escapes, and one that
/// is very long, is not.
pub(super) fn write(name: &'static str, to: &mut Vec<u8>) -> (u32, bool) {
    NAMES.with_borrow_mut(|names| names.write(name, to))
}

impl FieldNames {
    fn get(&mut self, name: &'static str) -> &FieldName {
        let (address, length) = (name.as_ptr().addr(), name.len());
        let place = &mut self.0[(address ^ address >> 6).wrapping_add(length) % KEPT];
        if place.is_none_or(|known| known.address != address || known.length != length) {
            *place = Some(FieldName::of(name));
        }
        place.get_or_insert_with(|| FieldName::of(name))
    }

    fn write(&mut self, name: &'static str, to: &mut Vec<u8>) -> (u32, bool) {
        let known = self.get(name);
        let Some((room, length)) = &known.written else { return (known.bucket, false) };
        let end = to.len() + length;
        to.extend_from_slice(room);
        to.truncate(end);
        (known.bucket, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_left_to_others() {
        let mut text = Vec::new();
        let name = "a-name-with-just-twenty-eight";
        assert!(write(&name[..28], &mut text).1);
        assert_eq!(text.len(), ROOM);
        assert!(!write(name, &mut text).1);
        assert_eq!(text.len(), ROOM);
    }

    #[test]
    fn names_that_share_a_place_are_told_apart() {
        // All lie in one text, so that addresses are near each other and every place is taken more than once.
        const TEXT: &str = "core-id thread-id die-id socket-id module-id node-id qom-path vcpus-count \"type\" cpu-index \
                            qom-type target name description default-value arguments ret-type meta-type";
        for _ in 0..2 {
            for start in 0..TEXT.len() {
                for end in start..TEXT.len().min(start + 12) {
                    let name = &TEXT[start..end];
                    let mut text = b"{".to_vec();
                    let (place, written) = write(name, &mut text);
                    assert_eq!(place, bucket(name.as_bytes()), "{name}");
                    assert_eq!(written, !name.contains('"'), "{name}");
                    let expected = if written { format!("{{\"{name}\": ") } else { "{".to_owned() };
                    assert_eq!(text, expected.as_bytes());
                }
            }
        }
    }
}
