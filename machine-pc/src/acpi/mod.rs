//! The ACPI hardware that CPU hotplug takes: the register block, the general-purpose event
//! block, and the device that joins them.
//!
//! Terms are those of the ACPI specification: a *GPE* is a general-purpose event (ACPI 6.5,
//! 4.8.4.1), the *SCI* the interrupt it raises, `_OST` the operating system's report on a
//! hotplug event (6.3.5). A *slot* is an index in the machine's list of possible CPUs.

pub mod cpu_hotplug;
pub mod cpu_hotplug_device;
pub mod gpe;

pub use cpu_hotplug::{CpuHotplug, Effect, HotplugMode, SlotError, SlotInit, SlotStatus};
pub use cpu_hotplug_device::CpuHotplugDevice;
pub use gpe::{GPE_CPU_HOTPLUG, Gpe};
