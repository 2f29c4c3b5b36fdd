//! NUMA: which node each CPU and each piece of RAM belongs to, and how far the nodes are from each other.
//!
//! An option (`-numa`, or QMP's `set-numa-node`) is read into [`NumaOptions`] and held against a [`NumaState`], one after
//! the other: what is wrong with one depends on those before it. When the machine is made the state is
//! [completed](NumaState::complete): CPUs and distances that nobody mentioned get their defaults. Guests learn of it
//! through the ACPI tables SRAT, SLIT and HMAT (see [`crate::acpi`]).
//!
//! Nothing here knows an object, a machine or a monitor: CPUs are places in a list, memory is a name and a size. An option
//! that is refused changes nothing. Messages are the reference's.
//!
//! Terms are those of the ACPI specification (6.5, chapters 5.2.16, 5.2.17 and 5.2.29): a node is a *proximity domain*, an
//! *initiator* is a node with CPUs, a *target* a node whose memory they access.

mod distance;
mod error;
pub mod hmat;
mod options;
mod read;
mod state;

pub use error::NumaError;
pub use options::{CpuOptions, DistanceOptions, HmatCacheOptions, HmatLbOptions, NodeOptions, NumaOptions};
pub use state::{Completed, CpuSlot, Memdev, NodeView, NumaState};

/// How many nodes there can be.
pub const MAX_NODES: u16 = 128;

#[cfg(test)]
mod tests;
