//! Models of AMD processors.
//!
//! Source of all figures: `query-cpu-model-expansion` of QEMU 11.1, and for the caches what a
//! guest of it reads from CPUID leaves 8000_0005h, 8000_0006h and 8000_001Dh.

use super::CpuModel;
use crate::cache::{
    Cache,
    CacheKind::{Data, Instruction, Unified},
    Caches,
};
use crate::topology::Level;
use crate::vendor::Vendor;

const EPYC_L3: Cache = Cache::new(3, Unified, 16, 8192).shared_by(Level::Die);

/// Caches of versions 1 to 3: 32 KiB, 64 KiB, 512 KiB and 8 MiB.
static EPYC_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 4, 256).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 1024).not_self_initializing(),
    l3: EPYC_L3.inclusive().complex_indexing(),
};

/// Version 4: the third level does not claim complex indexing, which AMD reserves.
static EPYC_V4_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 4, 256).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 1024).not_self_initializing(),
    l3: EPYC_L3.inclusive(),
};

/// Version 5: flags as the processor itself has them.
static EPYC_V5_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64),
    l1i: Cache::new(1, Instruction, 4, 256),
    l2: Cache::new(2, Unified, 8, 1024).inclusive(),
    l3: EPYC_L3.no_invd_sharing(),
};

/// `EPYC`: first generation, 2017.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "EPYC",
    vendor = Vendor::AMD,
    signature(23, 1, 2),
    levels(0xd, 0x8000_001e),
    model_id = "AMD EPYC Processor",
    caches = &EPYC_CACHES
)]
#[cpu_model(features(
    "sse2", "sse", "fxsr", "mmx", "clflush", "pse36", "pat", "cmov", "mca", "pge", "mtrr", "sep", "apic",
    "cx8", "mce", "pae", "msr", "tsc", "pse", "de", "vme", "fpu"
))]
#[cpu_model(features(
    "rdrand",
    "f16c",
    "avx",
    "xsave",
    "aes",
    "popcnt",
    "movbe",
    "sse4.2",
    "sse4.1",
    "cx16",
    "fma",
    "ssse3",
    "monitor",
    "pclmulqdq",
    "pni"
))]
#[cpu_model(features("lm", "rdtscp", "pdpe1gb", "fxsr-opt", "mmxext", "nx", "syscall"))]
#[cpu_model(features(
    "osvw",
    "3dnowprefetch",
    "misalignsse",
    "sse4a",
    "abm",
    "cr8legacy",
    "svm",
    "lahf-lm",
    "topoext"
))]
#[cpu_model(features(
    "fsgsbase",
    "bmi1",
    "avx2",
    "smep",
    "bmi2",
    "rdseed",
    "adx",
    "smap",
    "clflushopt",
    "sha-ni"
))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1", "arat"))]
#[cpu_model(features("npt", "nrip-save"))]
#[version(2, alias = "EPYC-IBPB", on("ibpb"), model_id("AMD EPYC Processor (with IBPB)"))]
#[version(3, on("ibpb", "perfctr-core", "clzero", "xsaveerptr", "xsaves"), model_id("AMD EPYC Processor"))]
#[version(4, model_id("AMD EPYC-v4 Processor"), caches = &EPYC_V4_CACHES)]
#[version(
    5,
    on("overflow-recov", "succor", "lbrv", "tsc-scale", "vmcb-clean", "flushbyasid", "pause-filter"),
    on("pfthreshold", "v-vmsave-vmload", "vgif"),
    model_id("AMD EPYC-v5 Processor"),
    caches = &EPYC_V5_CACHES,
)]
pub struct Epyc;
