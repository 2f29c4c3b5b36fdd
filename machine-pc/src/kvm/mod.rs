//! Virtual machines on `/dev/kvm`: the VM, its vCPUs as threads, and their lives.
//!
//! Terms: a *vCPU* is KVM's; its id is the CPU's APIC ID. A vCPU's life is
//!
//! ```text
//! plug ──► paused ◄──► running ──► unplug ──► parked ──► plug (the same id again)
//!                        │
//!                        └─ stalled: triple fault or internal error, until reset or unplug
//! ```
//!
//! KVM cannot destroy a single vCPU, so an unplugged one is *parked*: its thread ends, its
//! descriptor is kept, and the next CPU with the same id gets it, with its state reset.
//!
//! vCPU threads see nothing of the machine but two buses and an event sink. They take no lock of
//! anybody else while the guest runs, and this module knows neither objects nor monitors. All
//! `unsafe` lies in the module `raw`.

mod caps;
mod cpu_state;
mod error;
mod limits;
mod machine_check;
mod ports;
mod stats;
mod tsc;
mod vcpu;
mod vm;

pub use caps::Capabilities;
pub use error::{KvmError, PlugError, VcpuError};
pub use limits::{CpuCount, MoreThanRecommended, TooManyCpus, VcpuLimits};
pub use machine_check::{MachineCheck, MachineCheckOutcome};
pub use ports::{InKvm, PortRange};
pub use stats::{Statistic, StatisticKind, StatisticUnit, Statistics};
pub use tsc::TscMismatch;
pub(crate) use tsc::frequency_of;
pub use vcpu::{Registers, Vcpu, VcpuConfig, VcpuId};
pub use vm::{KvmVm, VmBuses, VmOptions};

#[cfg(test)]
mod tests;
