//! Interrupt lines, as devices see them.
//!
//! A device knows that it has a line and what level it wants; who else shares the line, and
//! which interrupt controllers listen, is the board's. Levels are absolute and setting the same
//! one again is harmless, so a device may state its level after every change of its registers.

use std::sync::{Arc, Mutex, PoisonError};

/// An input of the interrupt controllers.
pub trait IrqLine: Send + Sync {
    /// Drives the line high (`true`, asserted) or low.
    fn set_level(&self, asserted: bool);
}

/// A line that several devices assert, such as the SCI: it is high while any of them wants it.
pub struct SharedIrqLine {
    target: Arc<dyn IrqLine>,
    levels: Mutex<Vec<bool>>,
}

impl std::fmt::Debug for SharedIrqLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedIrqLine").field("levels", &self.levels).finish_non_exhaustive()
    }
}

impl SharedIrqLine {
    /// A line with no inputs yet, which drives `target`.
    pub fn new(target: Arc<dyn IrqLine>) -> Arc<Self> {
        Arc::new(Self { target, levels: Mutex::new(Vec::new()) })
    }

    /// One more device on the line, low at first.
    pub fn input(self: &Arc<Self>) -> Arc<dyn IrqLine> {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        levels.push(false);
        Arc::new(SharedIrqInput { line: Arc::clone(self), index: levels.len() - 1 })
    }
}

struct SharedIrqInput {
    line: Arc<SharedIrqLine>,
    index: usize,
}

impl IrqLine for SharedIrqInput {
    fn set_level(&self, asserted: bool) {
        let mut levels = self.line.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let before = levels.iter().any(|l| *l);
        levels[self.index] = asserted;
        let after = levels.iter().any(|l| *l);
        // Under the lock, so that two devices cannot overtake each other.
        if before != after {
            self.line.target.set_level(after);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A line that remembers its level and how often it rose.
    #[derive(Debug, Default)]
    pub(crate) struct RecordedLine {
        level: AtomicU32,
        pub(crate) rises: AtomicU32,
    }

    impl RecordedLine {
        pub(crate) fn is_high(&self) -> bool {
            self.level.load(Ordering::SeqCst) == 1
        }
    }

    impl IrqLine for RecordedLine {
        fn set_level(&self, asserted: bool) {
            let before = self.level.swap(u32::from(asserted), Ordering::SeqCst);
            if asserted && before == 0 {
                self.rises.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    #[test]
    fn a_shared_line_is_high_while_any_device_wants_it() {
        let target = Arc::new(RecordedLine::default());
        let shared = SharedIrqLine::new(target.clone());
        let (a, b) = (shared.input(), shared.input());
        a.set_level(true);
        b.set_level(true);
        a.set_level(false);
        assert!(target.is_high());
        b.set_level(false);
        assert!(!target.is_high());
        b.set_level(false);
        assert!(!target.is_high());
        assert_eq!(target.rises.load(Ordering::SeqCst), 1);
    }
}
