//! Models of Hygon processors.
//!
//! Source of all figures: `query-cpu-model-expansion` of QEMU 11.1 without an accelerator's defaults
//! (`-accel qtest`), with `svm=on` and the like for what depends on another feature; least levels
//! with all features off.
//!
//! Caches: what a guest of it reads from leaves 8000_0005h, 8000_0006h and 8000_001Dh, and, for
//! complex indexing, from leaf 4 with Intel as the vendor.

use super::CpuModel;
use crate::cache::{
    Cache,
    CacheKind::{Data, Instruction, Unified},
    Caches,
};
use crate::topology::Level;
use crate::vendor::Vendor;

/// Caches of `Dhyana` from version 1 on.
static DHYANA_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 4, 256).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 1024).not_self_initializing(),
    l3: Cache::new(3, Unified, 16, 8192).inclusive().complex_indexing().shared_by(Level::Die),
};

/// `Dhyana`: first generation, a relative of the first EPYC, 2018.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Dhyana",
    vendor = Vendor::HYGON,
    signature(24, 0, 1),
    levels(0xd, 0x8000_001e),
    model_id = "Hygon Dhyana Processor",
    caches = &DHYANA_CACHES
)]
#[cpu_model(features("fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic"))]
#[cpu_model(features("sep", "mtrr", "pge", "mca", "cmov", "pat", "pse36", "clflush", "mmx"))]
#[cpu_model(features("fxsr", "sse", "sse2"))]
#[cpu_model(features("pni", "monitor", "ssse3", "fma", "cx16", "sse4.1", "sse4.2", "movbe"))]
#[cpu_model(features("popcnt", "xsave", "avx", "f16c", "rdrand"))]
#[cpu_model(features("fsgsbase", "bmi1", "avx2", "smep", "bmi2", "rdseed", "adx", "smap"))]
#[cpu_model(features("clflushopt"))]
#[cpu_model(features("syscall", "nx", "mmxext", "fxsr-opt", "pdpe1gb", "rdtscp", "lm"))]
#[cpu_model(features("lahf-lm", "svm", "cr8legacy", "abm", "sse4a", "misalignsse"))]
#[cpu_model(features("3dnowprefetch", "osvw", "topoext"))]
#[cpu_model(features("ibpb"))]
#[cpu_model(features("npt", "nrip-save"))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1"))]
#[cpu_model(features("arat"))]
#[version(2, note = "XSAVES", on("xsaves"))]
pub struct Dhyana;
