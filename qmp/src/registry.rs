//! The tables of commands, as values.
//!
//! Link-time tables come in any order and may hold a name twice; here they are sorted and checked once, so
//! that a mistake is found at the start of the program and names both culprits.

use crate::command::{COMMANDS, CommandEntry};
use crate::commands;
use crate::event::{EVENTS, EventInfo};
use crate::hmp::{self, HMP_COMMANDS, HmpEntry, INFO_TOPICS, InfoEntry};

/// Two commands of one name: a mistake in the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} '{name}' is declared twice: in {first} and in {second}")]
pub struct DuplicateCommand {
    /// `QMP command`, `monitor command`, `info topic` or `event`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// Module, file and line of one.
    pub first: &'static str,
    /// Module, file and line of the other.
    pub second: &'static str,
}

/// All commands and events of a program, sorted by name.
#[derive(Debug, Clone)]
pub struct Commands {
    qmp: Vec<CommandEntry>,
    hmp: Vec<HmpEntry>,
    info: Vec<InfoEntry>,
    events: Vec<EventInfo>,
}

fn sorted<T: Copy>(
    kind: &'static str,
    entries: impl IntoIterator<Item = T>,
    names: impl Fn(&T) -> &'static str,
    declared_at: impl Fn(&T) -> &'static str,
) -> Result<Vec<T>, DuplicateCommand> {
    let mut entries: Vec<T> = entries.into_iter().collect();
    entries.sort_by_key(|entry| (names(entry), declared_at(entry)));
    let mut all: Vec<(&str, &'static str)> = entries
        .iter()
        .flat_map(|entry| names(entry).split('|').map(|name| (name, declared_at(entry))))
        .collect();
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        None => Ok(entries),
        Some(pair) => {
            Err(DuplicateCommand { kind, name: pair[0].0.to_owned(), first: pair[0].1, second: pair[1].1 })
        }
    }
}

impl Commands {
    /// This crate's commands and events and everything that the program's other crates register.
    ///
    /// # Errors
    /// [`DuplicateCommand`].
    pub fn linked() -> Result<Self, DuplicateCommand> {
        Self::new(
            commands::builtin().chain(COMMANDS.iter().copied()),
            hmp::commands::COMMANDS.iter().chain(HMP_COMMANDS.iter()).copied(),
            hmp::commands::INFO.iter().chain(INFO_TOPICS.iter()).copied(),
            crate::events::EVENTS.into_iter().chain(EVENTS.iter().copied()),
        )
    }

    /// These commands and events and no others.
    ///
    /// # Errors
    /// [`DuplicateCommand`].
    pub fn new(
        qmp: impl IntoIterator<Item = CommandEntry>,
        hmp: impl IntoIterator<Item = HmpEntry>,
        info: impl IntoIterator<Item = InfoEntry>,
        events: impl IntoIterator<Item = EventInfo>,
    ) -> Result<Self, DuplicateCommand> {
        Ok(Self {
            qmp: sorted("QMP command", qmp, |entry| entry.name, |entry| entry.declared_at)?,
            hmp: sorted("monitor command", hmp, |entry| entry.names, |entry| entry.declared_at)?,
            info: sorted("info topic", info, |entry| entry.names, |entry| entry.declared_at)?,
            events: sorted("event", events, |entry| entry.name, |entry| entry.declared_at)?,
        })
    }

    /// The QMP commands, sorted by name.
    #[must_use]
    pub fn qmp(&self) -> &[CommandEntry] {
        &self.qmp
    }

    /// The human monitor's commands, sorted by name.
    #[must_use]
    pub fn hmp(&self) -> &[HmpEntry] {
        &self.hmp
    }

    /// The topics of the human monitor's `info`, sorted by name.
    #[must_use]
    pub fn info(&self) -> &[InfoEntry] {
        &self.info
    }

    /// The events, sorted by name.
    #[must_use]
    pub fn events(&self) -> &[EventInfo] {
        &self.events
    }

    /// The QMP command of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&CommandEntry> {
        self.qmp.binary_search_by_key(&name, |entry| entry.name).ok().map(|at| &self.qmp[at])
    }
}
