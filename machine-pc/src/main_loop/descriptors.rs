//! Descriptors that clients of a monitor passed to the program: the one that came last, and those that got a name (`getfd`).
//!
//! They belong to the monitor, so that two managers cannot take each other's. There are no more of them than the process may have
//! open.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use parking_lot::Mutex;

#[derive(Debug, Default)]
struct Held {
    passed: Option<OwnedFd>,
    named: BTreeMap<String, OwnedFd>,
}

/// A monitor's descriptors; clones are of the same ones. The context of a command has those of the monitor that it came over.
#[derive(Debug, Clone, Default)]
pub struct Descriptors(Arc<Mutex<Held>>);

impl Descriptors {
    /// Some came with input. As in the reference the first of them counts, until a command takes it or others come.
    pub(super) fn receive(&self, descriptors: Vec<OwnedFd>) {
        if let Some(first) = descriptors.into_iter().next() {
            self.0.lock().passed = Some(first);
        }
    }

    /// The client has gone. What has a name stays.
    pub(super) fn client_gone(&self) {
        self.0.lock().passed = None;
    }

    /// The one that came last.
    #[must_use]
    pub fn take_passed(&self) -> Option<OwnedFd> {
        self.0.lock().passed.take()
    }

    /// Gives one a name, which another one may have had.
    pub fn name(&self, name: String, descriptor: OwnedFd) {
        self.0.lock().named.insert(name, descriptor);
    }

    /// The one of a name, which is then free.
    #[must_use]
    pub fn take_named(&self, name: &str) -> Option<OwnedFd> {
        self.0.lock().named.remove(name)
    }
}
