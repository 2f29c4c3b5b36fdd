//! Accelerators as objects: what runs guest code, and what it can offer to CPUs.
//!
//! Only what CPUs need to know of an accelerator is here. `kvm-accel` itself, which owns the device, is
//! defined by the program that drives it, as a child of `accel` that implements [`X86Accel`].

use std::sync::Arc;

use qom::derive::Object;
use qom::{Interface, ObjectCore};

use crate::source::{Accelerator, CpuidSource, Tcg};

/// A source of CPUID facts that objects of several threads share.
pub type SharedSource = Arc<dyn CpuidSource + Send + Sync>;

/// The interface `x86-accel`: an accelerator that can tell what x86 CPUs may have under it.
pub trait X86Accel: qom::Object {
    /// What the accelerator supports. Asked for once, when the accelerator is initialised; the answer must
    /// not change after.
    fn source(&self) -> SharedSource;

    /// Whether guest code runs on the host's processor through KVM.
    fn is_kvm(&self) -> bool {
        self.source().accelerator() == Accelerator::Kvm
    }
}

impl Interface for dyn X86Accel {
    const NAME: &'static str = "x86-accel";
}

/// The abstract type of all accelerators.
#[derive(Debug, Object)]
#[object(name = "accel", abstract)]
pub struct Accel {
    parent: ObjectCore,
}

/// `tcg-accel`: the features of QEMU's emulator.
#[derive(Debug, Object)]
#[object(name = "tcg-accel", interfaces(dyn X86Accel))]
pub struct TcgAccel {
    parent: Accel,
}

impl X86Accel for TcgAccel {
    fn source(&self) -> SharedSource {
        Arc::new(Tcg)
    }
}

/// `qtest-accel`: runs nothing; for CPUs the same as TCG.
#[derive(Debug, Object)]
#[object(name = "qtest-accel", interfaces(dyn X86Accel))]
pub struct QtestAccel {
    parent: Accel,
}

impl X86Accel for QtestAccel {
    fn source(&self) -> SharedSource {
        Arc::new(Tcg)
    }
}
