//! EPYC of Zen and Zen 2.

use super::bits::{
    ATHLON_LEAF_1_EDX, EPYC_LEAF_1_ECX, EPYC_LEAF_7_EBX, EPYC_LEAF_8000_0001_ECX,
    EPYC_ROME_LEAF_8000_0008_EBX, EPYC_ROME_LEAF_D_SUB_1_EAX, OPTERON_G4_LEAF_1_ECX,
    PHENOM_LEAF_8000_0001_ECX, PHENOM_LEAF_8000_0001_EDX,
};
use crate::cache::{
    Cache,
    CacheKind::{Data, Instruction, Unified},
    Caches,
};
use crate::model::CpuModel;
use crate::topology::Level;
use crate::vendor::Vendor;

/// Caches of `EPYC` from version 1 on.
static EPYC_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 4, 256).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 1024).not_self_initializing(),
    l3: Cache::new(3, Unified, 16, 8192).inclusive().complex_indexing().shared_by(Level::Die),
};

/// Caches of `EPYC` from version 4 on.
static EPYC_V4_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 4, 256).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 1024).not_self_initializing(),
    l3: Cache::new(3, Unified, 16, 8192).inclusive().shared_by(Level::Die),
};

/// Caches of `EPYC` from version 5 on.
static EPYC_V5_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64),
    l1i: Cache::new(1, Instruction, 4, 256),
    l2: Cache::new(2, Unified, 8, 1024).inclusive(),
    l3: Cache::new(3, Unified, 16, 8192).no_invd_sharing().shared_by(Level::Die),
};

/// Caches of `EPYC-Rome` from version 1 on.
static EPYC_ROME_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 8, 64).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 1024).not_self_initializing(),
    l3: Cache::new(3, Unified, 16, 16384).inclusive().complex_indexing().shared_by(Level::Die),
};

/// Caches of `EPYC-Rome` from version 3 on.
static EPYC_ROME_V3_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 8, 64).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 1024).not_self_initializing(),
    l3: Cache::new(3, Unified, 16, 16384).inclusive().shared_by(Level::Die),
};

/// Caches of `EPYC-Rome` from version 5 on.
static EPYC_ROME_V5_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64),
    l1i: Cache::new(1, Instruction, 8, 64),
    l2: Cache::new(2, Unified, 8, 1024).inclusive(),
    l3: Cache::new(3, Unified, 16, 16384).no_invd_sharing().shared_by(Level::Die),
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
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features(OPTERON_G4_LEAF_1_ECX, EPYC_LEAF_1_ECX))]
#[cpu_model(features(EPYC_LEAF_7_EBX))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_EDX))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_ECX, EPYC_LEAF_8000_0001_ECX))]
#[cpu_model(features("npt", "nrip-save"))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1"))]
#[cpu_model(features("arat"))]
#[version(2, alias = "EPYC-IBPB", on("ibpb"), model_id("AMD EPYC Processor (with IBPB)"))]
#[version(3, on("perfctr-core", "clzero", "xsaveerptr", "xsaves"), model_id("AMD EPYC Processor"))]
#[version(4, model_id("AMD EPYC-v4 Processor"), caches = &EPYC_V4_CACHES)]
#[version(
    5,
    on("overflow-recov", "succor", "lbrv", "tsc-scale", "vmcb-clean"),
    on("flushbyasid", "pause-filter", "pfthreshold", "v-vmsave-vmload"),
    on("vgif"),
    model_id("AMD EPYC-v5 Processor"),
    caches = &EPYC_V5_CACHES
)]
pub struct Epyc;

/// `EPYC-Rome`: second generation, 2019.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "EPYC-Rome",
    vendor = Vendor::AMD,
    signature(23, 49, 0),
    levels(0xd, 0x8000_001e),
    model_id = "AMD EPYC-Rome Processor",
    caches = &EPYC_ROME_CACHES
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features(OPTERON_G4_LEAF_1_ECX, EPYC_LEAF_1_ECX))]
#[cpu_model(features(EPYC_LEAF_7_EBX, "clwb"))]
#[cpu_model(features("umip", "rdpid"))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_EDX))]
#[cpu_model(features(EPYC_LEAF_8000_0001_ECX, PHENOM_LEAF_8000_0001_ECX, "perfctr-core"))]
#[cpu_model(features(EPYC_ROME_LEAF_8000_0008_EBX))]
#[cpu_model(features("npt", "nrip-save"))]
#[cpu_model(features(EPYC_ROME_LEAF_D_SUB_1_EAX))]
#[cpu_model(features("arat"))]
#[version(2, on("ibrs", "amd-ssbd"))]
#[version(3, model_id("AMD EPYC-Rome-v3 Processor"), caches = &EPYC_ROME_V3_CACHES)]
#[version(4, off("xsaves"), model_id("AMD EPYC-Rome-v4 Processor (no XSAVES)"))]
#[version(
    5,
    on("overflow-recov", "succor", "lbrv", "tsc-scale", "vmcb-clean"),
    on("flushbyasid", "pause-filter", "pfthreshold", "v-vmsave-vmload"),
    on("vgif"),
    model_id("AMD EPYC-Rome-v5 Processor"),
    caches = &EPYC_ROME_V5_CACHES
)]
pub struct EpycRome;
