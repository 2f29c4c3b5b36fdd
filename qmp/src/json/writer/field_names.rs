//! What is known of the names of structs' fields, which are the same few again and again in a long list.
//!
//! A name is found by where it lies: names that are in the program itself are never moved or changed. That is why nothing but `'static` names may
//! be asked for here.

use super::is_plain;
use crate::json::format::bucket;

/// How many names are kept; a power of two. One that comes to the place of another takes it.
const KEPT: usize = 64;

/// What the writer needs to know of a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldName {
    address: usize,
    length: usize,
    /// Where the reference's table has it.
    pub(super) bucket: u32,
    /// It needs no escapes.
    pub(super) plain: bool,
}

impl FieldName {
    fn of(name: &'static str) -> Self {
        let plain = name.bytes().all(is_plain);
        Self { address: name.as_ptr().addr(), length: name.len(), bucket: bucket(name.as_bytes()), plain }
    }
}

/// The names that came lately.
#[derive(Debug)]
pub(super) struct FieldNames(Box<[Option<FieldName>; KEPT]>);

impl Default for FieldNames {
    fn default() -> Self {
        Self(Box::new([None; KEPT]))
    }
}

impl FieldNames {
    /// What is to be known of a name.
    pub(super) fn get(&mut self, name: &'static str) -> FieldName {
        let (address, length) = (name.as_ptr().addr(), name.len());
        let place = &mut self.0[(address ^ address >> 6).wrapping_add(length) % KEPT];
        match place {
            Some(known) if known.address == address && known.length == length => *known,
            _ => *place.insert(FieldName::of(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_share_a_place_are_told_apart() {
        // All lie in one text, so that addresses are near each other and every place is taken more than once.
        const TEXT: &str = "core-id thread-id die-id socket-id module-id node-id qom-path vcpus-count \"type\" cpu-index \
                            qom-type target name description default-value arguments ret-type meta-type";
        let mut names = FieldNames::default();
        for _ in 0..2 {
            for start in 0..TEXT.len() {
                for end in start..TEXT.len().min(start + 12) {
                    let name = &TEXT[start..end];
                    let known = names.get(name);
                    assert_eq!(known.bucket, bucket(name.as_bytes()), "{name}");
                    assert_eq!(known.plain, !name.contains('"'), "{name}");
                }
            }
        }
    }
}
