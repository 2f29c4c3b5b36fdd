//! x86 CPUs as QEMU defines them: features, models, topology and CPUID tables.
//!
//! The crate turns "`Haswell-v4,+avx512f,-hle` in a machine of two sockets, on this host" into
//! an immutable description of one virtual CPU: its feature words and the exact CPUID table
//! that KVM is given and the guest reads. All of it is pure: no device is opened, no clock is
//! read. What an accelerator can do comes in as a value that implements [`source::CpuidSource`].
//!
//! The pipeline, each step in its own module:
//!
//! 1. [`cpu_string`] splits the text of `-cpu` into a model name and properties;
//! 2. [`model`] resolves the name, and [`config`] holds the model's data and what the user set;
//! 3. [`expand`] adds what the accelerator offers (`max`, `host`), removes what depends on
//!    absent features, and computes the levels;
//! 4. [`realize`] filters against the accelerator, reports what is missing, fixes caches and
//!    address widths;
//! 5. [`cpuid`] lays the result out as a table.
//!
//! [`describe()`] runs all of it:
//!
//! ```
//! use target_i386::{describe, source::Tcg, topology::{CpuTopology, Placement}};
//!
//! let cpu = describe("Haswell,-hle,-rtm", Placement::boot(CpuTopology::single()), &Tcg)?;
//! assert_eq!(cpu.cpu.table.read_at_reset(0, 0).eax, 0xd);
//! assert_eq!(cpu.cpu.unavailable_features(), ["pcid", "tsc-deadline", "invpcid"]);
//! # Ok::<(), target_i386::DescribeError>(())
//! ```
#![forbid(unsafe_code)]

// The derive macro writes `::target_i386` paths, also for the models of this crate.
extern crate self as target_i386;

pub mod cache;
pub mod config;
#[cfg(feature = "qom")]
pub mod cpu;
pub mod cpu_string;
pub mod cpuid;
mod describe;
pub mod expand;
pub mod feature;
pub mod hyperv;
pub mod model;
pub mod provenance;
pub mod realize;
pub mod source;
pub mod topology;
mod vendor;
mod xsave;

pub use describe::{DescribeError, Described, describe};
pub use vendor::{BadVendor, Signature, Vendor};
pub use xsave::{COMPONENTS as XSAVE_COMPONENTS, XsaveComponent, area_size as xsave_area_size};

/// What the macros of this crate expand to; not for use by hand.
#[doc(hidden)]
#[cfg(feature = "qom")]
pub mod __private {
    pub use {inventory, qom};
}

/// Registers a model at link time, where there are types to register.
#[doc(hidden)]
#[cfg(feature = "qom")]
#[macro_export]
macro_rules! __submit_cpu_model {
    ($model:ty) => {
        $crate::__private::inventory::submit! {
            $crate::cpu::CpuModelRegistration {
                def: &<$model as $crate::model::CpuModel>::DEF,
                site: $crate::__private::qom::site!(),
            }
        }
    };
}

/// Without the object model there is nothing to register; the model is used by its `DEF`.
#[doc(hidden)]
#[cfg(not(feature = "qom"))]
#[macro_export]
macro_rules! __submit_cpu_model {
    ($model:ty) => {};
}
