//! The chardevs of a main loop, which commands look at and change while one of them is being served.
//!
//! The chardev that is being served is taken out for that long; commands see what it was just before. It has a user, so nothing
//! that they may do concerns it.
//!
//! Any thread may take the table's lock: devices put their consoles on chardevs and take them away ([`Consoles`](super::Consoles)) on the
//! thread that sets their properties or drops them. Whoever takes one away writes its last output to the backend there, with the table
//! locked. Nothing under the lock may lock a device or the ends of its chardev, whose holder may be waiting for the table; what is
//! locked under it is the buffer of a console. Input goes to devices while their chardev is taken out, without the lock.

use std::io;
use std::sync::Arc;

use mio::Registry;
use parking_lot::Mutex;

use super::escape_key::EscapeKey;
use super::frontend::Frontend;
use super::port::{Port, room_for_one_more};
use super::{ChardevInfo, FIRST_PORT, TOKENS_PER_PORT};
use crate::chardev::object::Connection;
use crate::chardev::spec::{ChardevBackend, ChardevSpec};
use crate::chardev::{ConsoleBuffer, OpenError, Ring, open};

/// A place whose number is part of its chardev's tokens.
#[derive(Debug)]
enum Slot {
    Free,
    Here(Box<Port>),
    /// Being served.
    Away {
        id: String,
        stdio: bool,
        socket: bool,
        /// Several users may share it.
        mux: bool,
        /// How many do, with those of `then`.
        users: usize,
        /// What is to be done when it comes back.
        then: Vec<Then>,
        infos: Arc<[ChardevInfo]>,
    },
}

/// What is to be done to a chardev that is being served.
#[derive(Debug)]
enum Then {
    /// Its connection is ended.
    Yank,
    /// A user comes.
    Attach(Frontend),
    /// A guest's console goes.
    Detach(Arc<ConsoleBuffer>),
}

#[derive(Debug)]
struct Table {
    registry: Arc<Registry>,
    escape: EscapeKey,
    slots: Vec<Slot>,
}

/// All chardevs of a main loop; clones are of the same ones.
#[derive(Debug, Clone)]
pub struct Chardevs(Arc<Mutex<Table>>);

/// Why a chardev cannot be changed as asked for.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is none of that name.
    #[error("Chardev '{0}' does not exist")]
    NotFound(String),
    /// Several users share it.
    #[error("For mux or hub device hotswap is not supported yet")]
    Mux,
    /// A monitor uses it.
    #[error("Chardev user does not support chardev hotswap")]
    Monitor,
    /// What it is to be cannot be opened.
    #[error("Failed to add chardev '{id}': {source}")]
    Open {
        /// Its name.
        id: String,
        /// Why.
        source: OpenError,
    },
}

/// Why a chardev cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// There is none of that name.
    #[error("Chardev '{0}' not found")]
    NotFound(String),
    /// It has a user.
    #[error("Chardev '{0}' is busy")]
    Busy(String),
}

/// Why there is no memory to read or write.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// There is no chardev of that name.
    #[error("Device '{0}' not found")]
    NotFound(String),
    /// It is another backend.
    #[error("{0} is not a ringbuf device")]
    NoRing(String),
}

fn is_stdio(backend: &ChardevBackend) -> bool {
    matches!(backend, ChardevBackend::Stdio { .. })
}

fn is_socket(backend: &ChardevBackend) -> bool {
    matches!(backend, ChardevBackend::Socket(_))
}

impl Table {
    fn place(&self, id: &str) -> Option<usize> {
        self.slots.iter().position(|slot| match slot {
            Slot::Free => false,
            Slot::Here(port) => port.id() == id,
            Slot::Away { id: away, .. } => away == id,
        })
    }

    /// Opens one for a place. Nothing changes if that fails.
    fn open(&self, spec: &ChardevSpec, at: usize) -> Result<Port, OpenError> {
        let stdio_user = |(place, slot): (usize, &Slot)| {
            place != at
                && match slot {
                    Slot::Free => false,
                    Slot::Here(port) => is_stdio(port.backend()),
                    Slot::Away { stdio, .. } => *stdio,
                }
        };
        if is_stdio(&spec.backend) && self.slots.iter().enumerate().any(stdio_user) {
            return Err(OpenError::StdioTaken);
        }
        let endpoint = open(&spec.backend)?;
        Port::new(
            spec.clone(),
            endpoint,
            FIRST_PORT + TOKENS_PER_PORT * at,
            self.escape,
            self.registry.clone(),
        )
    }
}

impl Chardevs {
    pub(super) fn new(registry: &Registry) -> io::Result<Self> {
        let registry = Arc::new(registry.try_clone()?);
        let table = Table { registry, escape: EscapeKey::default(), slots: Vec::new() };
        Ok(Self(Arc::new(Mutex::new(table))))
    }

    /// What begins a command to those that are opened from here on.
    pub(super) fn set_escape_key(&self, key: EscapeKey) {
        self.0.lock().escape = key;
    }

    /// Closes all.
    pub(super) fn close(&self) {
        let slots = std::mem::take(&mut self.0.lock().slots);
        drop(slots);
    }

    /// How many places there are.
    pub(super) fn places(&self) -> usize {
        self.0.lock().slots.len()
    }

    /// Looks at the one in a place, if one is there.
    pub(super) fn at<R>(&self, at: usize, look: impl FnOnce(&mut Port) -> R) -> Option<R> {
        match self.0.lock().slots.get_mut(at) {
            Some(Slot::Here(port)) => Some(look(port)),
            _ => None,
        }
    }

    /// Looks at all that are there, with their places.
    pub(super) fn each(&self, mut look: impl FnMut(usize, &mut Port)) {
        for (at, slot) in self.0.lock().slots.iter_mut().enumerate() {
            if let Slot::Here(port) = slot {
                look(at, port);
            }
        }
    }

    /// Looks at the one of a name.
    pub(super) fn named<R>(&self, id: &str, look: impl FnOnce(&mut Port) -> R) -> Option<R> {
        let at = self.0.lock().place(id)?;
        self.at(at, look)
    }

    /// Takes out the one in a place to serve it.
    pub(super) fn take(&self, at: usize) -> Option<Box<Port>> {
        let slot = &mut self.0.lock().slots[at];
        match std::mem::replace(slot, Slot::Free) {
            Slot::Here(mut port) => {
                let stdio = is_stdio(port.backend());
                let socket = is_socket(port.backend());
                let id = port.id().to_owned();
                let (mux, users, infos) = (port.is_shared(), port.users(), port.infos());
                *slot = Slot::Away { id, stdio, socket, mux, users, then: Vec::new(), infos };
                Some(port)
            }
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Puts it back.
    pub(super) fn put(&self, at: usize, mut port: Box<Port>) {
        let slot = &mut self.0.lock().slots[at];
        if let Slot::Away { then, .. } = slot {
            for act in then.drain(..) {
                match act {
                    Then::Yank => port.shut_down(),
                    Then::Attach(frontend) => port.attach(frontend),
                    Then::Detach(buffer) => port.detach(&buffer),
                }
            }
        }
        *slot = Slot::Here(port);
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`OpenError::NotFound`]; [`OpenError::InUse`] for a second one of a chardev that is not shared, [`OpenError::TooManyUsers`] for
    /// one too many of one that is.
    pub(super) fn attach(&self, id: &str, frontend: Frontend) -> Result<(), OpenError> {
        let mut table = self.0.lock();
        let at = table.place(id).ok_or_else(|| OpenError::NotFound(id.to_owned()))?;
        match &mut table.slots[at] {
            Slot::Here(port) => {
                port.accepts_frontend()?;
                port.attach(frontend);
            }
            Slot::Away { mux, users, then, .. } => {
                room_for_one_more(id, *mux, *users)?;
                *users += 1;
                then.push(Then::Attach(frontend));
            }
            Slot::Free => return Err(OpenError::NotFound(id.to_owned())),
        }
        Ok(())
    }

    /// A guest's console leaves a chardev, if that is still there.
    pub(super) fn detach(&self, id: &str, console: &Arc<ConsoleBuffer>) {
        let mut table = self.0.lock();
        let Some(at) = table.place(id) else { return };
        match &mut table.slots[at] {
            Slot::Here(port) => port.detach(console),
            Slot::Away { users, then, .. } => {
                *users = users.saturating_sub(1);
                then.push(Then::Detach(console.clone()));
            }
            Slot::Free => {}
        }
    }

    /// The names of those that are sockets.
    #[must_use]
    pub fn sockets(&self) -> Vec<String> {
        let socket = |slot: &Slot| match slot {
            Slot::Here(port) if is_socket(port.backend()) => Some(port.id().to_owned()),
            Slot::Away { id, socket: true, .. } => Some(id.clone()),
            _ => None,
        };
        self.0.lock().slots.iter().filter_map(socket).collect()
    }

    /// Ends the connection of a socket, if somebody is connected. Whoever uses it sees that the other end has gone; a server takes the next
    /// client, and a client connects again if it was told to.
    pub fn yank(&self, id: &str) {
        let mut table = self.0.lock();
        let Some(at) = table.place(id) else { return };
        match &mut table.slots[at] {
            Slot::Here(port) if is_socket(port.backend()) => port.shut_down(),
            Slot::Away { socket: true, then, .. } => then.push(Then::Yank),
            _ => {}
        }
    }

    /// Opens one more. Returns where it tells whether it is connected.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn add(&self, spec: &ChardevSpec) -> Result<Connection, OpenError> {
        let mut table = self.0.lock();
        if table.place(&spec.id).is_some() {
            return Err(OpenError::Duplicate(spec.id.clone()));
        }
        let free = table.slots.iter().position(|slot| matches!(slot, Slot::Free));
        let at = free.unwrap_or(table.slots.len());
        let port = table.open(spec, at)?;
        let connection = port.connection().clone();
        let slot = Slot::Here(Box::new(port));
        match free {
            Some(at) => table.slots[at] = slot,
            None => table.slots.push(slot),
        }
        Ok(connection)
    }

    /// Connects one to another backend; a guest's console stays on it.
    ///
    /// # Errors
    /// [`ChangeError`]; then it is as it was.
    pub fn change(&self, spec: &ChardevSpec) -> Result<Connection, ChangeError> {
        let mut table = self.0.lock();
        let id = spec.id.clone();
        let at = table.place(&id).ok_or_else(|| ChangeError::NotFound(id.clone()))?;
        let (shared, has_monitor) = match &table.slots[at] {
            Slot::Here(port) => (port.is_shared(), port.has_monitor()),
            // The monitor's that asks.
            Slot::Away { mux, .. } => (*mux, true),
            Slot::Free => return Err(ChangeError::NotFound(id)),
        };
        if shared || spec.mux {
            return Err(ChangeError::Mux);
        }
        if has_monitor {
            return Err(ChangeError::Monitor);
        }
        let mut new = table.open(spec, at).map_err(|source| ChangeError::Open { id, source })?;
        if let Slot::Here(port) = &mut table.slots[at] {
            new.take_frontends(port);
        }
        let connection = new.connection().clone();
        table.slots[at] = Slot::Here(Box::new(new));
        Ok(connection)
    }

    /// Closes one that nobody uses.
    ///
    /// # Errors
    /// [`RemoveError`].
    pub fn remove(&self, id: &str) -> Result<(), RemoveError> {
        let mut table = self.0.lock();
        let at = table.place(id).ok_or_else(|| RemoveError::NotFound(id.to_owned()))?;
        match &table.slots[at] {
            Slot::Here(port) if !port.has_frontend() => {
                table.slots[at] = Slot::Free;
                Ok(())
            }
            _ => Err(RemoveError::Busy(id.to_owned())),
        }
    }

    /// Whether there is one of that name.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.0.lock().place(id).is_some()
    }

    /// All of them. One that is shared is two, as in the reference: what its users see, and with `-base` what that is connected to.
    #[must_use]
    pub fn infos(&self) -> Vec<ChardevInfo> {
        let infos = |slot: &mut Slot| match slot {
            Slot::Free => Vec::new(),
            Slot::Here(port) => port.infos().to_vec(),
            Slot::Away { infos, .. } => infos.to_vec(),
        };
        self.0.lock().slots.iter_mut().flat_map(infos).collect()
    }

    /// The memory of a `ringbuf`.
    ///
    /// # Errors
    /// [`RingError`].
    pub fn ring(&self, id: &str) -> Result<Ring, RingError> {
        if !self.contains(id) {
            return Err(RingError::NotFound(id.to_owned()));
        }
        let ring = self.named(id, |port| port.ring().cloned()).flatten();
        ring.ok_or_else(|| RingError::NoRing(id.to_owned()))
    }
}
