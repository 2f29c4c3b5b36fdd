//! Guests' consoles on chardevs: they come and go with the devices that have them, on whichever thread that is.

use std::fmt;
use std::sync::Arc;

use super::frontend::Frontend;
use super::queue::Queue;
use super::table::Chardevs;
use crate::chardev::{ConsoleBuffer, ConsoleSink, OpenError};

/// Takes console input; returns how many bytes it took, from the first on.
pub type ConsoleInput = Box<dyn FnMut(&[u8]) -> usize + Send>;

/// The chardevs of a main loop, as guests' consoles see them.
#[derive(Debug, Clone)]
pub struct Consoles {
    queue: Arc<Queue>,
    chardevs: Chardevs,
}

impl Consoles {
    pub(super) fn new(queue: Arc<Queue>, chardevs: Chardevs) -> Self {
        Self { queue, chardevs }
    }

    /// Puts a guest's console on a chardev. `input` is called on the loop's thread; when it has not taken all,
    /// it is called again after [`Handle::console_has_room`](super::Handle::console_has_room).
    ///
    /// # Errors
    /// [`OpenError::NotFound`]; [`OpenError::InUse`] for a second frontend of one that is not shared, [`OpenError::TooManyUsers`] for
    /// one too many of one that is.
    pub fn attach(&self, chardev: &str, input: ConsoleInput) -> Result<(ConsoleSink, Attachment), OpenError> {
        let queue = self.queue.clone();
        let buffer = ConsoleBuffer::new(move || queue.console_output());
        self.chardevs.attach(chardev, Frontend::console(buffer.clone(), input))?;
        let place =
            Place { chardevs: self.chardevs.clone(), chardev: chardev.to_owned(), buffer: buffer.clone() };
        Ok((ConsoleSink::new(buffer), Attachment(Some(place))))
    }
}

struct Place {
    chardevs: Chardevs,
    chardev: String,
    buffer: Arc<ConsoleBuffer>,
}

/// A console's place on a chardev. When it is dropped the place is free again, and what the console wrote is gone on its way.
pub struct Attachment(Option<Place>);

impl Attachment {
    /// Leaves the console there for as long as the chardev is.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attachment").field(&self.0.as_ref().map(|place| &place.chardev)).finish()
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if let Some(Place { chardevs, chardev, buffer }) = self.0.take() {
            chardevs.detach(&chardev, &buffer);
        }
    }
}
