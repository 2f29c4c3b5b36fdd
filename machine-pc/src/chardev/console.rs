//! What a guest's serial port writes to.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of console output that wait for the main loop. More are dropped, as on a wire whose other
/// end does not keep up.
const BUFFER_BYTES: usize = 1 << 20;

/// Bytes on their way from a vCPU thread to the main loop.
pub(crate) struct ConsoleBuffer {
    bytes: Mutex<Vec<u8>>,
    dropped: AtomicU64,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for ConsoleBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleBuffer").field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

impl ConsoleBuffer {
    /// A buffer that calls `wake` when it stops being empty.
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { bytes: Mutex::default(), dropped: AtomicU64::new(0), wake: Box::new(wake) })
    }

    fn push(&self, bytes: &[u8]) {
        let was_empty = {
            let mut waiting = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            let room = BUFFER_BYTES - waiting.len();
            let taken = bytes.len().min(room);
            let was_empty = waiting.is_empty();
            waiting.extend_from_slice(&bytes[..taken]);
            if taken < bytes.len() {
                let dropped = u64::try_from(bytes.len() - taken).unwrap_or(u64::MAX);
                self.dropped.fetch_add(dropped, Ordering::Relaxed);
            }
            was_empty
        };
        if was_empty {
            (self.wake)();
        }
    }

    /// Appends what waits to `to`.
    pub(crate) fn take(&self, to: &mut Vec<u8>) {
        let mut waiting = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        to.append(&mut waiting);
    }
}

/// The writing end of a console: a [`Write`] that takes every byte at once, from any thread. What the
/// backend cannot keep up with is lost and counted.
#[derive(Debug, Clone)]
pub struct ConsoleSink(Arc<ConsoleBuffer>);

impl ConsoleSink {
    pub(crate) fn new(buffer: Arc<ConsoleBuffer>) -> Self {
        Self(buffer)
    }

    /// How many bytes were lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Write for ConsoleSink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn output_waits_bounded_and_wakes_once() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let count = wakes.clone();
        let buffer = ConsoleBuffer::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let mut sink = ConsoleSink::new(buffer.clone());
        sink.write_all(b"ab").unwrap();
        sink.write_all(&vec![b'x'; BUFFER_BYTES]).unwrap();
        assert_eq!((wakes.load(Ordering::Relaxed), sink.dropped()), (1, 2));
        let mut taken = Vec::new();
        buffer.take(&mut taken);
        assert_eq!((taken.len(), &taken[..3]), (BUFFER_BYTES, &b"abx"[..]));
        sink.write_all(b"c").unwrap();
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }
}
