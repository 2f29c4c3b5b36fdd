//! Real vCPUs running the built-in guest on a board of this crate's devices.
//!
//! Where `/dev/kvm` cannot be used each test says that it is skipped, and why.

mod board;
mod guest_life;
mod leaks;
mod vcpu_control;
mod vcpu_setup;
