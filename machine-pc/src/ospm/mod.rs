//! A scripted guest: what plays the operating system's side of ACPI CPU hotplug, and of the power button, where no vCPU runs.
//!
//! Under `tcg` and `qtest` no guest code is executed, so nobody would ever take a CPU that was plugged or let one go.
//! The device `x-ospm-guest` ([`device`]) does, in a manner that its property `policy` names ([`policy`]), so that
//! whoever drives a virtual machine can be tested with no KVM and no kernel.
//!
//! "OSPM" is ACPI's name for the operating system in this part. It sees only what one sees: the I/O ports
//! (`registers`), at the addresses that the board gives as ACPI's FADT would ([`AcpiPorts`]), and the SCI. It knows no
//! object of the machine and nothing of what is inside the controllers, and it is wrong to give it any of that: what a
//! manager sees with it must be what the registers do.
//!
//! `guest` decides, without a thread or a clock. `worker` is its thread: it runs while the machine runs, sleeps
//! until it is interrupted or an answer is due, and ends with the device. [`seat`] is where a board has room for one.

pub mod device;
mod guest;
pub mod policy;
mod registers;
pub mod seat;
mod worker;

pub use device::{OspmError, OspmGuest};
pub use policy::Policy;
pub use seat::{AcpiPorts, OperatingSystem, Seat, SeatError};

#[cfg(test)]
mod tests;
