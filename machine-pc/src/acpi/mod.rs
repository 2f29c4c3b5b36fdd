//! ACPI. First the hardware that CPU hotplug takes: the register block, the general-purpose event
//! block, and the device that joins them. Then tables, which are functions from plain values to bytes.
//!
//! [`tables::build`] makes all tables of a machine from an [`AcpiDescription`], each in a module of its own. They are held
//! against those of the reference: those about NUMA ([`srat()`], [`slit()`], [`hmat()`]) byte for byte.
//!
//! Terms are those of the ACPI specification: a *GPE* is a general-purpose event (ACPI 6.5,
//! 4.8.4.1), the *SCI* the interrupt it raises, `_OST` the operating system's report on a
//! hotplug event (6.3.5). A *slot* is an index in the machine's list of possible CPUs.

mod aml;
pub mod cpu_hotplug;
pub mod cpu_hotplug_device;
mod cpus;
mod dsdt;
mod fadt;
pub mod gpe;
pub mod hmat;
mod madt;
pub mod slit;
pub mod srat;
mod table;
pub mod tables;

pub use cpu_hotplug::{CpuHotplug, Effect, HotplugMode, SlotError, SlotInit, SlotStatus};
pub use cpu_hotplug_device::CpuHotplugDevice;
pub use gpe::{GPE_CPU_HOTPLUG, Gpe};
pub use hmat::hmat;
pub use slit::slit;
pub use srat::srat;
pub use table::OemIds;
pub use tables::{AcpiCpu, AcpiDescription, AcpiTables};

#[cfg(test)]
mod numa_tables_tests;
#[cfg(test)]
mod tables_tests;
