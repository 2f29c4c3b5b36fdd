//! PCs whose CPUs come and go, their vCPUs under KVM, and the program `qom-system-x86_64`.

pub mod accel;
pub mod acpi;
pub mod backends;
pub mod chardev;
pub mod cmdline;
mod commands;
pub mod firmware;
pub mod guest;
pub mod io_bus;
pub mod irq;
pub mod kvm;
mod listings;
pub mod machine;
pub mod main_loop;
pub mod memory;
pub mod numa;
mod os_error;
pub mod program;
mod raw;
pub mod report;
pub mod reset_ports;
mod run;
pub mod serial;
pub mod smp;
pub mod startup;
pub mod vm;
pub mod vm_event;
