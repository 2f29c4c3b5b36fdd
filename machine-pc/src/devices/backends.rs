//! The character devices that devices of the command line write to.
//!
//! A chardev belongs to the main loop, and objects belong to any thread. So its user is attached before the machine is
//! made, for all devices that ask for one, and the two ends wait here for the device: output, and a place for whoever takes input.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::Write;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use thiserror::Error;

use crate::serial::SerialPort;

/// Where a chardev finds the port that takes its input, once there is one.
pub type InputSlot = Arc<OnceLock<Arc<SerialPort>>>;

/// A chardev's ends.
pub struct Backend {
    /// Takes what the guest writes, without waiting.
    pub output: Box<dyn Write + Send>,
    /// Gets the port that takes input; until then input is lost, as on a line with nobody at the other end.
    pub input: InputSlot,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").finish_non_exhaustive()
    }
}

/// Why a chardev cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BackendError {
    /// There is none of that name.
    #[error("there is no such character device")]
    NotFound,
    /// Somebody has it.
    #[error("already in use")]
    InUse,
}

/// All that wait for their devices, by the chardev's name.
pub struct Backends {
    waiting: Mutex<HashMap<String, VecDeque<Backend>>>,
    on_room: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.waiting.lock().keys()).finish()
    }
}

impl Default for Backends {
    fn default() -> Self {
        Self::new(Arc::new(|| ()))
    }
}

impl Backends {
    /// None yet. `on_room` is called on a vCPU thread when a port's input was read.
    pub fn new(on_room: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { waiting: Mutex::default(), on_room }
    }

    /// A chardev is there, and `backend` waits for a device; without one others have the chardev.
    pub fn add(&self, chardev: &str, backend: Option<Backend>) {
        self.waiting.lock().entry(chardev.to_owned()).or_default().extend(backend);
    }

    /// Takes a chardev's ends.
    ///
    /// # Errors
    /// [`BackendError`].
    pub fn take(&self, chardev: &str) -> Result<Backend, BackendError> {
        let mut waiting = self.waiting.lock();
        waiting.get_mut(chardev).ok_or(BackendError::NotFound)?.pop_front().ok_or(BackendError::InUse)
    }

    /// Called on a vCPU thread when a port's input was read.
    pub fn on_room(&self) -> Arc<dyn Fn() + Send + Sync> {
        self.on_room.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once() {
        let backends = Backends::default();
        let backend = || Backend { output: Box::new(std::io::sink()), input: InputSlot::default() };
        backends.add("one", Some(backend()));
        backends.add("shared", Some(backend()));
        backends.add("shared", Some(backend()));
        backends.add("others", None);
        let take = |name| backends.take(name).err();
        assert_eq!([take("one"), take("one")], [None, Some(BackendError::InUse)]);
        assert_eq!([take("shared"), take("shared"), take("shared")], [None, None, Some(BackendError::InUse)]);
        assert_eq!([take("others"), take("nope")], [Some(BackendError::InUse), Some(BackendError::NotFound)]);
    }
}
