//! The ends of character devices that devices of the board hold: what a guest writes goes into one, and what comes to the chardev
//! comes out of the other.
//!
//! A chardev belongs to the main loop, and objects belong to any thread, so a device names a chardev and gets its ends, whatever the
//! type of device and whoever sets the property. The guest's consoles on COM1 to COM4 are connected before the monitors are, so that a
//! monitor which shares a terminal with one has the keys; their ends wait here. All others are connected when a device asks.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::Write;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use thiserror::Error;

use crate::main_loop::{Attachment, MAX_USERS};
use crate::serial::SerialPort;

/// What becomes of input.
#[derive(Debug)]
pub enum InputTaker {
    /// A port takes as much of it as it has room for.
    Port(Arc<SerialPort>),
    /// It is lost: the device has no registers for it.
    Nobody,
}

/// Where a chardev finds who takes its input, while somebody does; clones are of the same one.
#[derive(Debug, Clone, Default)]
pub struct InputSlot(Arc<ArcSwapOption<InputTaker>>);

impl InputSlot {
    /// Says who takes input from now on.
    pub fn set(&self, taker: Option<InputTaker>) {
        self.0.store(taker.map(Arc::new));
    }

    /// Gives input away; returns how many bytes were taken: none as long as nobody is there, so that what comes waits.
    pub fn receive(&self, bytes: &[u8]) -> usize {
        match self.0.load().as_deref() {
            None => 0,
            Some(InputTaker::Port(port)) => port.receive(bytes),
            Some(InputTaker::Nobody) => bytes.len(),
        }
    }
}

/// A chardev's ends.
pub struct ChardevEnds {
    /// Takes what the guest writes, without waiting.
    pub output: Box<dyn Write + Send>,
    /// Gets the port that takes input.
    pub input: InputSlot,
    /// Its place on the chardev, which is free again when the ends are dropped.
    pub attachment: Option<Attachment>,
}

impl ChardevEnds {
    /// Ends that lead nowhere.
    pub fn nowhere() -> Self {
        Self { output: Box::new(std::io::sink()), input: InputSlot::default(), attachment: None }
    }
}

impl fmt::Debug for ChardevEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChardevEnds").field("attachment", &self.attachment).finish_non_exhaustive()
    }
}

/// Why a chardev cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// There is none of that name.
    #[error("there is no such character device")]
    NotFound,
    /// Somebody has it.
    #[error("already in use")]
    InUse,
    /// As many share it as may.
    #[error("too many uses of a multiplexed chardev (maximum is {MAX_USERS})")]
    TooMany,
}

/// Connects a device to the chardev of that name.
pub type Connect = Box<dyn Fn(&str) -> Result<ChardevEnds, ConnectError> + Send + Sync>;

/// Where devices get the ends of chardevs from.
pub struct ChardevSource {
    waiting: Mutex<HashMap<String, VecDeque<ChardevEnds>>>,
    connect: Connect,
    on_room: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for ChardevSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.waiting.lock().keys()).finish()
    }
}

impl Default for ChardevSource {
    /// Without any chardev.
    fn default() -> Self {
        Self::new(Box::new(|_| Err(ConnectError::NotFound)), Arc::new(|| ()))
    }
}

impl ChardevSource {
    /// One that `connect`s those that ask. `on_room` is called on a vCPU thread when a port's input was read.
    pub fn new(connect: Connect, on_room: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { waiting: Mutex::default(), connect, on_room }
    }

    /// Lets ends wait for the device that will name their chardev.
    pub fn add(&self, chardev: &str, ends: ChardevEnds) {
        self.waiting.lock().entry(chardev.to_owned()).or_default().push_back(ends);
    }

    /// A chardev's ends: those that wait, else those of one more user.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn take(&self, chardev: &str) -> Result<ChardevEnds, ConnectError> {
        let waiting = self.waiting.lock().get_mut(chardev).and_then(VecDeque::pop_front);
        waiting.map_or_else(|| (self.connect)(chardev), Ok)
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
    fn those_that_wait_are_taken_once_and_others_are_connected() {
        let connect: Connect = Box::new(|name| match name {
            "free" => Ok(ChardevEnds::nowhere()),
            "one" => Err(ConnectError::InUse),
            _ => Err(ConnectError::NotFound),
        });
        let source = ChardevSource::new(connect, Arc::new(|| ()));
        source.add("one", ChardevEnds::nowhere());
        let take = |name| source.take(name).err();
        assert_eq!([take("one"), take("one")], [None, Some(ConnectError::InUse)]);
        assert_eq!([take("free"), take("nope")], [None, Some(ConnectError::NotFound)]);
    }
}
