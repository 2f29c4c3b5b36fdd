//! What commands act on.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use qom::Qom;

use crate::kept_replies::KeptReplies;
use crate::registry::Commands;
use crate::run_control::RunControl;
use crate::{Error, EventQueue, EventSender};

/// What a command can reach: the object system, the way to emit events, and *services*, which are whatever
/// values the embedding program provides, found by their type.
///
/// One context serves all sessions of a virtual machine. It belongs to the thread that runs the commands;
/// a command has it alone for as long as it runs.
#[derive(Debug)]
pub struct Context {
    qom: Arc<Qom>,
    commands: Commands,
    events: EventQueue,
    sender: EventSender,
    services: HashMap<TypeId, Box<dyn Any>>,
    kept_replies: KeptReplies,
    preconfig: bool,
}

impl Context {
    /// A context with every command that is linked into the program.
    #[must_use]
    pub fn new(qom: Arc<Qom>, commands: Commands) -> Self {
        let events = EventQueue::new();
        let sender = events.sender();
        Self {
            qom,
            commands,
            events,
            sender,
            services: HashMap::new(),
            kept_replies: KeptReplies::default(),
            preconfig: false,
        }
    }

    /// The object system.
    #[must_use]
    pub fn qom(&self) -> &Arc<Qom> {
        &self.qom
    }

    /// The commands that exist.
    #[must_use]
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// The way to emit events.
    #[must_use]
    pub fn events(&self) -> &EventSender {
        &self.sender
    }

    /// Where emitted events wait for the sessions.
    #[must_use]
    pub fn event_queue(&self) -> &EventQueue {
        &self.events
    }

    /// The replies that stay the same for a while.
    pub(crate) fn kept_replies(&mut self) -> &mut KeptReplies {
        &mut self.kept_replies
    }

    /// Provides a service; a former one of the same type is given back.
    pub fn insert<T: 'static>(&mut self, service: T) -> Option<T> {
        let former = self.services.insert(TypeId::of::<T>(), Box::new(service))?;
        former.downcast().ok().map(|former| *former)
    }

    /// A service, if the program provides it.
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.services.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// A service, to change it.
    #[must_use]
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.services.get_mut(&TypeId::of::<T>())?.downcast_mut()
    }

    /// A service that a command cannot do without.
    ///
    /// # Errors
    /// That the program has none, with the name of the Rust type.
    pub fn require<T: 'static>(&self) -> Result<&T, Error> {
        self.get().ok_or_else(missing_service::<T>)
    }

    /// The same, to change it.
    ///
    /// # Errors
    /// As [`require`](Self::require).
    pub fn require_mut<T: 'static>(&mut self) -> Result<&mut T, Error> {
        self.get_mut().ok_or_else(missing_service::<T>)
    }

    /// Whether the program is about to end; no further request is taken then.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.get::<Box<dyn RunControl>>().is_some_and(|control| control.is_shutting_down())
    }

    /// Whether the machine is not built yet (`--preconfig`); only commands that allow it run then.
    #[must_use]
    pub fn is_preconfig(&self) -> bool {
        self.preconfig
    }

    /// Enters or leaves the preconfig state.
    pub fn set_preconfig(&mut self, preconfig: bool) {
        self.preconfig = preconfig;
    }
}

fn missing_service<T>() -> Error {
    Error::generic(format_args!("this program provides no '{}'", type_name::<T>()))
}
