//! Who uses a chardev, and which of them has its input.

use std::sync::Arc;

use super::{Frontend, Keyboard, Port};
use crate::chardev::spec::ChardevBackend;
use crate::chardev::{ConsoleBuffer, OpenError};

/// Most users of a shared chardev; the reference's number.
pub const MAX_USERS: usize = 4;

/// Whether a chardev with that many users takes another one.
///
/// # Errors
/// [`Port::accepts_frontend`].
pub(in crate::main_loop) fn room_for_one_more(id: &str, mux: bool, users: usize) -> Result<(), OpenError> {
    match (mux, users) {
        (false, 1..) => Err(OpenError::InUse(id.to_owned())),
        (true, MAX_USERS..) => Err(OpenError::TooManyUsers(id.to_owned())),
        _ => Ok(()),
    }
}

impl Port {
    /// # Errors
    /// Why it takes no other user: [`OpenError::InUse`] for a second one if it is not shared, else [`OpenError::TooManyUsers`].
    pub(in crate::main_loop) fn accepts_frontend(&self) -> Result<(), OpenError> {
        room_for_one_more(&self.spec.id, self.spec.mux, self.frontends.len())
    }

    /// How many users it has.
    pub(in crate::main_loop) fn users(&self) -> usize {
        self.frontends.len()
    }

    /// Adds a user, which gets the focus.
    pub(in crate::main_loop) fn attach(&mut self, mut frontend: Frontend) {
        if self.stream.is_some() {
            frontend.opened();
        }
        self.frontends.push(frontend);
        self.infos = None;
        self.set_focus(self.frontends.len() - 1);
        self.due = true;
    }

    /// A guest's console leaves, and what it wrote is sent as far as that goes at once.
    pub(in crate::main_loop) fn detach(&mut self, console: &Arc<ConsoleBuffer>) {
        let Some(at) = self.frontends.iter().position(|frontend| frontend.is_console_of(console)) else {
            return;
        };
        self.flush();
        self.frontends.remove(at);
        self.infos = None;
        let moved = self.focus > at || self.focus == self.frontends.len();
        self.set_focus(self.focus.saturating_sub(usize::from(moved)));
        if self.frontends.is_empty() {
            self.pending.clear();
        }
        self.due = true;
    }

    /// A terminal gives keys to a console or a human monitor. A console gets all of them, also those that raise signals elsewhere.
    pub(super) fn set_focus(&mut self, focus: usize) {
        self.focus = focus;
        let Some(frontend) = self.frontends.get(focus).filter(|_| self.is_terminal()) else {
            self.keyboard = None;
            return;
        };
        let signals =
            matches!(self.spec.backend, ChardevBackend::Stdio { signal: true }) && !frontend.is_console();
        if !frontend.takes_keys() {
            self.keyboard = None;
            return;
        }
        if self.keyboard.is_none() {
            self.keyboard = Keyboard::new().ok();
        }
        if let Some(Err(error)) = self.keyboard.as_ref().map(|keyboard| keyboard.set(signals)) {
            tracing::warn!("cannot change the terminal's mode: {error}");
        }
    }

    pub(in crate::main_loop) fn has_frontend(&self) -> bool {
        !self.frontends.is_empty()
    }

    pub(in crate::main_loop) fn has_monitor(&self) -> bool {
        self.frontends.iter().any(|frontend| !frontend.is_console())
    }

    /// Takes over the users of another one, which had no other backend's clients to tell.
    pub(in crate::main_loop) fn take_frontends(&mut self, other: &mut Self) {
        self.frontends = std::mem::take(&mut other.frontends);
        self.infos = None;
        other.infos = None;
        self.pending = std::mem::take(&mut other.pending);
        self.set_focus(0);
        self.due = true;
    }
}
