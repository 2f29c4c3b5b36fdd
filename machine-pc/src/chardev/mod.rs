//! Character devices: the byte streams between this program and the world.
//!
//! A *chardev* has a *backend* (a socket, the terminal, a file, …: [`spec`] says which) and is used by
//! *frontends*: monitors and the guest's console. Everything that a backend reads or writes passes through the
//! [main loop](crate::main_loop); what other threads have to do with a chardev is a [`ConsoleSink`], into which
//! a vCPU thread can write without ever waiting.

mod console;
mod endpoint;
pub mod fd_set;
mod log;
mod nonblocking;
pub mod object;
mod open;
mod passed;
mod pty;
mod ring;
pub mod spec;
mod stdio;
mod sys;
mod telnet;
mod terminal;

pub(crate) use console::ConsoleBuffer;
pub use console::ConsoleSink;
pub(crate) use endpoint::{Endpoint, Stream};
pub(crate) use log::LogFile;
pub use open::OpenError;
pub(crate) use open::open;
pub use ring::Ring;
pub(crate) use terminal::Keyboard;
