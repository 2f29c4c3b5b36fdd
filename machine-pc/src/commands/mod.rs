//! The monitor commands about PCs and their CPUs. Those about any object or machine are in the `qmp` crate.

mod cpu_add;
mod cpuid;
mod cpus;
mod human;
mod machines;
