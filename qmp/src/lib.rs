//! QEMU's machine protocol (QMP) and its human monitor (HMP), for a program that has an object system.
//!
//! A **session** ([`Session`], [`hmp::HmpSession`]) is one client's conversation. It takes bytes and gives bytes
//! and does no input or output, so the same code serves a socket, a terminal and a test. A **command** is a type
//! ([`Command`]), declared with [`command!`]; the table of all that are linked into a program is checked once
//! ([`Commands::linked`]) and serves dispatch and introspection alike. Commands act on a [`Context`]: the object
//! system, a way to emit **events** ([`EventSender`]), and services that the program provides.
//!
//! The commands about any object and any machine are here; those about a particular machine are declared where
//! the machine is, in the same way.
//!
//! # An example
//!
//! ```
//! use qmp::{Commands, Context, Session};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let types = qom::Bootstrap::empty();
//! # let accel = types.create("container")?;
//! # let qom = types.accel_ready(accel)?.seal()?;
//! let mut context = Context::new(qom, Commands::linked()?);
//! let mut session = Session::new(false);
//! let input = b"{'execute': 'qmp_capabilities'} {'execute': 'qom-get', 'arguments': {'path': '/', 'property': 'type'}}";
//! let taken = session.feed(input, &mut context, &mut Vec::new());
//! assert_eq!(taken, input.len());
//! assert!(session.output().ends_with(b"{\"return\": {}}\r\n{\"return\": \"container\"}\r\n"));
//! # Ok(())
//! # }
//! ```
//!
//! The other side of a session is [`client::Client`]: it executes commands by their types and waits for events.
//!
//! # What this crate forbids
//!
//! Threads, `unsafe`, sockets but for those of [`client`], and memory that a client can make grow without bound: a request has the limits of
//! [`json::Limits`], and output that nobody reads those of [`session`].

#![forbid(unsafe_code)]

// The derive macro names this crate from within it, too.
extern crate self as qmp;

mod arguments;
pub mod client;
mod command;
pub mod commands;
mod context;
pub mod device;
mod error;
mod event;
pub mod events;
pub mod hmp;
pub mod json;
mod kept_replies;
mod log_text;
pub mod object;
mod outgoing;
mod registry;
mod run_control;
pub mod schema;
pub mod session;
mod version;

pub use command::{COMMANDS, Command, CommandEntry, CommandTypes, Empty, Flags, Revision};
pub use context::Context;
pub use error::Error;
pub use event::{EVENTS, Event, EventInfo, EventQueue, EventSender, EventType};
pub use kept_replies::forever;
pub use qom::ErrorClass;
pub use registry::{Commands, DuplicateCommand};
pub use run_control::{KvmInfo, RunControl, RunState, ShutdownCause};
pub use schema::QapiType;
pub use session::Session;
pub use version::{VERSION, VersionInfo, VersionTriple};

/// What the macros of this crate expand to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use linkme;
}
