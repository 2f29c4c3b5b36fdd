//! x86 CPUs as types of the object model.
//!
//! The abstract types are `cpu` (what CPUs of any kind share) and `x86_64-cpu` ([`X86Cpu`]): the latter
//! declares every property and feature once and realizes a CPU through the pure pipeline of this crate. A
//! *model* is a subclass of it that has data and no Rust type of its own: `Haswell-v1-x86_64-cpu`.
//!
//! What a model is depends on the accelerator: `host` exists under KVM alone, the vendor of all models is
//! the host's there, features are filtered against it. So the models register in a post-accel-init hook
//! ([`HOOK`]) and can be looked up in a sealed system alone ([`cpu_class_by_name`]). An accelerator says
//! what it offers through the interface [`X86Accel`].
//!
//! Everything of a virtual machine that concerns all its CPUs (the catalogue, `+feature` of `-cpu`, where
//! warnings go) is in its [`CpuModels`]; this module has no global state, so machines with different
//! accelerators live side by side.
//!
//! Forbidden here: computing anything of a CPU before it is realized, and a second place that knows a
//! property's name.

mod accel;
mod generic;
mod models;
mod option;
mod properties;
mod x86;

pub use accel::{Accel, QtestAccel, SharedSource, TcgAccel, X86Accel};
pub use generic::{Cpu, CpuRunner};
pub use models::{
    CpuClassError, CpuModelRegistration, CpuModels, HOOK, WarningSink, cpu_class_by_name, cpu_models,
    register_models,
};
pub use option::{CpuOption, CpuOptionError, apply_cpu_option};
pub use x86::{NotPlaced, X86Cpu, X86CpuClass};

use qom::{Instance, TypeInfo, site};

/// The name of the abstract type of all x86 CPUs.
pub const X86_CPU_TYPE: &str = "x86_64-cpu";

/// The types of this crate that need no accelerator, for a registry that is filled by hand.
#[must_use]
pub fn types() -> Vec<TypeInfo> {
    vec![
        Accel::type_info(),
        TcgAccel::type_info(),
        QtestAccel::type_info(),
        x86_accel_interface(),
        Cpu::type_info(),
        X86Cpu::type_info(),
    ]
}

fn x86_accel_interface() -> TypeInfo {
    TypeInfo::interface::<dyn X86Accel>(site!())
}

qom::register_types!(
    Accel::type_info,
    TcgAccel::type_info,
    QtestAccel::type_info,
    x86_accel_interface,
    Cpu::type_info,
    X86Cpu::type_info,
);
