//! JSON as the protocol writes and reads it.
//!
//! The reader takes bytes as they come and gives values as they become complete; it accepts more
//! than RFC 8259 (strings in single quotes, no separator between requests) and recovers after any
//! garbage, because a monitor's client may send anything and must still be answered. The writer puts
//! a space after `:` and `,`, escapes everything outside printable ASCII, and orders the members of
//! objects as QEMU's hash table does, so that transcripts can be compared byte for byte.
//!
//! Nothing here reads or writes a file or socket, and no depth of nesting consumes stack while
//! reading: values are built on an explicit stack with a limit.

mod format;
mod lexer;
mod parser;
mod text;
mod writer;

pub(crate) use format::bucket;
pub use format::qdict_order;
pub use lexer::Reader;
pub use parser::{JsonError, Limits};
pub use writer::{Writer, WriterError, to_string};

#[cfg(test)]
mod tests;
