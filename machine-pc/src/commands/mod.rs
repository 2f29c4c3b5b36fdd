//! The monitor commands about PCs, their CPUs and what users make on the host's side.
//! Those about any object or machine are in the `qmp` crate.

pub(crate) mod about;
mod absent;
mod actions;
mod addresses;
mod backends;
mod boot_order;
mod chardev_backend;
mod chardevs;
mod command_line;
mod completions;
mod cpu_add;
mod cpu_models;
mod cpuid;
mod cpus;
mod descriptors;
mod human;
mod interrupts;
mod machine_check;
mod machine_facts;
mod machines;
mod memory;
mod memory_tree;
mod migration;
mod numa;
mod ports;
pub(crate) mod preconfig;
mod qtree;
pub(crate) mod registers;
mod stats;
mod trace;
mod yank;
