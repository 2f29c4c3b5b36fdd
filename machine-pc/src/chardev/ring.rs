//! The memory of a `ringbuf` chardev: keeps the last bytes that were written, until a monitor reads them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A ring; clones are of the same one.
#[derive(Debug, Clone)]
pub struct Ring {
    size: usize,
    bytes: Arc<Mutex<VecDeque<u8>>>,
}

impl Ring {
    /// A ring of so many bytes, which are taken only when they are needed.
    pub(crate) fn new(size: u64) -> Self {
        Self { size: usize::try_from(size).unwrap_or(usize::MAX), bytes: Arc::default() }
    }

    /// Writes all of it; what does not fit pushes out the oldest.
    pub fn write(&self, bytes: &[u8]) {
        let mut ring = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &bytes[bytes.len().saturating_sub(self.size)..];
        let surplus = (ring.len() + kept.len()).saturating_sub(self.size);
        let surplus = surplus.min(ring.len());
        ring.drain(..surplus);
        ring.extend(kept);
    }

    /// Takes up to so many of the oldest bytes.
    pub fn read(&self, most: usize) -> Vec<u8> {
        let mut ring = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = most.min(ring.len());
        ring.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_last_bytes_are_kept(power in 0..6_u32, writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..8)) {
            let ring = Ring::new(1 << power);
            writes.iter().for_each(|bytes| ring.write(bytes));
            let all = writes.concat();
            let kept = &all[all.len().saturating_sub(1 << power)..];
            let half = ring.read(kept.len() / 2);
            prop_assert_eq!([half, ring.read(usize::MAX)].concat(), kept);
        }
    }
}
