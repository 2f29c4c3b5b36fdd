//! ACPI. First the hardware that CPU hotplug takes: the register block, the general-purpose event
//! block, and the device that joins them. Then tables, which are functions from plain values to bytes.
//!
//! The tables about NUMA ([`srat()`], [`slit()`], [`hmat()`]) are held byte for byte against those of the reference. No
//! guest is given them yet: neither firmware nor a kernel that could read them is handed any table so far.
//!
//! Terms are those of the ACPI specification: a *GPE* is a general-purpose event (ACPI 6.5,
//! 4.8.4.1), the *SCI* the interrupt it raises, `_OST` the operating system's report on a
//! hotplug event (6.3.5). A *slot* is an index in the machine's list of possible CPUs.

pub mod cpu_hotplug;
pub mod cpu_hotplug_device;
pub mod gpe;
pub mod hmat;
pub mod slit;
pub mod srat;
mod table;

pub use cpu_hotplug::{CpuHotplug, Effect, HotplugMode, SlotError, SlotInit, SlotStatus};
pub use cpu_hotplug_device::CpuHotplugDevice;
pub use gpe::{GPE_CPU_HOTPLUG, Gpe};
pub use hmat::hmat;
pub use slit::slit;
pub use srat::srat;

#[cfg(test)]
mod numa_tables_tests;
