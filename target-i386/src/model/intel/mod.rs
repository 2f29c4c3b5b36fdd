//! Models of Intel processors, a file for each group of generations.
//!
//! Source of all figures: `query-cpu-model-expansion` of QEMU 11.1 without an accelerator's defaults
//! (`-accel qtest`), with `vmx=on` and the like for what depends on another feature; least levels
//! with all features off; hidden VMX bits from the Intel SDM, volume 3, appendix A.
//!
//! Caches: what a guest of it reads from leaf 4 with several dies and modules, and, for the lines
//! per tag, from leaves 8000_0005h and 8000_0006h with AMD as the vendor.

mod atom;
mod bits;
mod core2;
mod haswell;
mod icelake;
mod legacy;
mod nehalem;
mod rapids;
mod skylake;
mod vmx;

pub use atom::{ClearwaterForest, Denverton, SierraForest, Snowridge};
pub use core2::{Conroe, Core2Duo, Penryn};
pub use haswell::{Broadwell, Haswell};
pub use icelake::{IcelakeServer, KnightsMill};
pub use legacy::{CoreDuo, I486, N270, Pentium, Pentium2, Pentium3};
pub use nehalem::{IvyBridge, Nehalem, SandyBridge, Westmere};
pub use rapids::{DiamondRapids, GraniteRapids, SapphireRapids};
pub use skylake::{CascadelakeServer, Cooperlake, SkylakeClient, SkylakeServer};
