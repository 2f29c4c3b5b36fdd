//! The signals that end the program in order.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::os::fd::AsRawFd;

/// Turns signals into something to poll for; undone when dropped.
#[derive(Debug)]
pub(super) struct Signals {
    /// The last signal, 0 for none.
    last: Arc<AtomicUsize>,
    pipe: UnixStream,
    registered: Vec<SigId>,
}

impl Signals {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let (pipe, write) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let last = Arc::new(AtomicUsize::new(0));
        let mut registered = Vec::new();
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            // The handlers run in this order: the number is there when the pipe has its byte.
            let number = usize::try_from(signal).unwrap_or_default();
            registered.push(signal_hook::flag::register_usize(signal, last.clone(), number)?);
            registered.push(signal_hook::low_level::pipe::register(signal, write.try_clone()?)?);
        }
        registry.register(&mut SourceFd(&pipe.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { last, pipe, registered })
    }

    /// The pipe has something to read.
    pub(super) fn arrived(&mut self) {
        let mut drain = [0; 64];
        while self.pipe.read(&mut drain).is_ok_and(|read| read > 0) {}
    }

    /// The signal that arrived, if any.
    pub(super) fn pending(&self) -> Option<i32> {
        i32::try_from(self.last.load(Ordering::Acquire)).ok().filter(|signal| *signal != 0)
    }

    /// The signal that arrived, once.
    pub(super) fn take(&mut self) -> Option<i32> {
        let signal = self.pending()?;
        self.last.store(0, Ordering::Release);
        Some(signal)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}
