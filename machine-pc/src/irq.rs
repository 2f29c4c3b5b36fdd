//! Interrupt lines, as devices see them.
//!
//! A device knows that it has a line and what level it wants; who else shares the line, and
//! which interrupt controllers listen, is the board's. Levels are absolute and setting the same
//! one again is harmless, so a device may state its level after every change of its registers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// An input of the interrupt controllers.
pub trait IrqLine: Send + Sync {
    /// Drives the line high (`true`, asserted) or low.
    fn set_level(&self, asserted: bool);
}

/// A line that several devices assert, such as the SCI: it is high while any of them wants it.
pub struct SharedIrqLine {
    target: Arc<dyn IrqLine>,
    /// How many inputs are high.
    high: Mutex<usize>,
}

impl std::fmt::Debug for SharedIrqLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedIrqLine").field("high", &self.high).finish_non_exhaustive()
    }
}

impl SharedIrqLine {
    /// A line with no inputs yet, which drives `target`.
    pub fn new(target: Arc<dyn IrqLine>) -> Arc<Self> {
        Arc::new(Self { target, high: Mutex::new(0) })
    }

    /// One more device on the line, low at first. When it is dropped the device is off the line, which is then as if it had
    /// never been there.
    pub fn input(self: &Arc<Self>) -> Arc<dyn IrqLine> {
        Arc::new(SharedIrqInput { line: Arc::clone(self), level: AtomicBool::new(false) })
    }
}

struct SharedIrqInput {
    line: Arc<SharedIrqLine>,
    /// Changes with the line locked.
    level: AtomicBool,
}

impl IrqLine for SharedIrqInput {
    fn set_level(&self, asserted: bool) {
        let mut high = self.line.high.lock().unwrap_or_else(PoisonError::into_inner);
        if self.level.swap(asserted, Ordering::Relaxed) == asserted {
            return;
        }
        let before = *high;
        *high = if asserted { before + 1 } else { before - 1 };
        // Under the lock, so that two devices cannot overtake each other.
        if (before == 0) != (*high == 0) {
            self.line.target.set_level(asserted);
        }
    }
}

impl Drop for SharedIrqInput {
    fn drop(&mut self) {
        self.set_level(false);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

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
    /// A device that goes takes its level along, and nothing of it stays.
    #[test]
    fn an_input_that_is_dropped_is_off_the_line() {
        let target = Arc::new(RecordedLine::default());
        let shared = SharedIrqLine::new(target.clone());
        let stays = shared.input();
        for _ in 0..3 {
            let goes = shared.input();
            goes.set_level(true);
            drop(goes);
            assert!(!target.is_high());
        }
        assert_eq!(target.rises.load(Ordering::SeqCst), 3);
        let goes = shared.input();
        goes.set_level(true);
        stays.set_level(true);
        drop(goes);
        assert!(target.is_high(), "another device wants it");
        stays.set_level(false);
        assert_eq!(*shared.high.lock().unwrap(), 0);
        assert_eq!(Arc::strong_count(&shared), 2, "the line and the input that stayed");
    }
}
