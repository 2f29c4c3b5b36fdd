//! EPYC from Zen 3 on.

use super::bits::{
    ATHLON_LEAF_1_EDX, EPYC_GENOA_LEAF_7_EBX, EPYC_GENOA_LEAF_7_ECX, EPYC_GENOA_LEAF_8000_000A_EDX,
    EPYC_GENOA_LEAF_8000_0008_EBX, EPYC_GENOA_LEAF_8000_0021_EAX, EPYC_LEAF_1_ECX, EPYC_LEAF_7_EBX,
    EPYC_LEAF_8000_0001_ECX, EPYC_ROME_LEAF_8000_0008_EBX, EPYC_ROME_LEAF_D_SUB_1_EAX, OPTERON_G4_LEAF_1_ECX,
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

/// Caches of `EPYC-Milan` from version 1 on.
static EPYC_MILAN_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 8, 64).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 1024).not_self_initializing(),
    l3: Cache::new(3, Unified, 16, 32768).inclusive().complex_indexing().shared_by(Level::Die),
};

/// Caches of `EPYC-Milan` from version 2 on.
static EPYC_MILAN_V2_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 8, 64).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 1024).not_self_initializing(),
    l3: Cache::new(3, Unified, 16, 32768).inclusive().shared_by(Level::Die),
};

/// Caches of `EPYC-Milan` from version 3 on.
static EPYC_MILAN_V3_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64),
    l1i: Cache::new(1, Instruction, 8, 64),
    l2: Cache::new(2, Unified, 8, 1024).inclusive(),
    l3: Cache::new(3, Unified, 16, 32768).no_invd_sharing().shared_by(Level::Die),
};

/// Caches of `EPYC-Genoa` from version 1 on.
static EPYC_GENOA_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 8, 64).no_invd_sharing(),
    l2: Cache::new(2, Unified, 8, 2048).not_self_initializing(),
    l3: Cache::new(3, Unified, 16, 32768).inclusive().shared_by(Level::Die),
};

/// Caches of `EPYC-Genoa` from version 2 on.
static EPYC_GENOA_V2_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64),
    l1i: Cache::new(1, Instruction, 8, 64),
    l2: Cache::new(2, Unified, 8, 2048).inclusive(),
    l3: Cache::new(3, Unified, 16, 32768).no_invd_sharing().shared_by(Level::Die),
};

/// Caches of `EPYC-Turin` from version 1 on.
static EPYC_TURIN_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 12, 64),
    l1i: Cache::new(1, Instruction, 8, 64),
    l2: Cache::new(2, Unified, 16, 1024).inclusive(),
    l3: Cache::new(3, Unified, 16, 32768).no_invd_sharing().shared_by(Level::Die),
};

/// `EPYC-Milan`: third generation, 2021.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "EPYC-Milan",
    vendor = Vendor::AMD,
    signature(25, 1, 1),
    levels(0xd, 0x8000_001e),
    model_id = "AMD EPYC-Milan Processor",
    caches = &EPYC_MILAN_CACHES
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features(OPTERON_G4_LEAF_1_ECX, EPYC_LEAF_1_ECX, "pcid"))]
#[cpu_model(features(EPYC_LEAF_7_EBX, "erms", "invpcid", "clwb"))]
#[cpu_model(features("umip", "pku", "rdpid"))]
#[cpu_model(features("fsrm"))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_EDX))]
#[cpu_model(features(EPYC_LEAF_8000_0001_ECX, PHENOM_LEAF_8000_0001_ECX, "perfctr-core"))]
#[cpu_model(features(EPYC_ROME_LEAF_8000_0008_EBX, "ibrs", "amd-ssbd"))]
#[cpu_model(features("npt", "nrip-save", "svme-addr-chk"))]
#[cpu_model(features(EPYC_ROME_LEAF_D_SUB_1_EAX))]
#[cpu_model(features("arat"))]
#[version(
    2,
    on("vaes", "vpclmulqdq", "stibp-always-on", "amd-psfd"),
    on("no-nested-data-bp", "lfence-always-serializing", "null-sel-clr-base"),
    model_id("AMD EPYC-Milan-v2 Processor"),
    caches = &EPYC_MILAN_V2_CACHES
)]
#[version(
    3,
    on("overflow-recov", "succor", "lbrv", "tsc-scale", "vmcb-clean"),
    on("flushbyasid", "pause-filter", "pfthreshold", "v-vmsave-vmload"),
    on("vgif"),
    model_id("AMD EPYC-Milan-v3 Processor"),
    caches = &EPYC_MILAN_V3_CACHES
)]
#[version(4, on("gmet"), model_id("AMD EPYC-Milan-v4 Processor"))]
pub struct EpycMilan;

/// `EPYC-Genoa`: fourth generation, with AVX-512, 2022.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "EPYC-Genoa",
    vendor = Vendor::AMD,
    signature(25, 17, 0),
    levels(0xd, 0x8000_0022),
    model_id = "AMD EPYC-Genoa Processor",
    caches = &EPYC_GENOA_CACHES
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features(OPTERON_G4_LEAF_1_ECX, EPYC_LEAF_1_ECX, "pcid"))]
#[cpu_model(features(EPYC_LEAF_7_EBX, EPYC_GENOA_LEAF_7_EBX))]
#[cpu_model(features(EPYC_GENOA_LEAF_7_ECX))]
#[cpu_model(features("fsrm"))]
#[cpu_model(features("avx512-bf16"))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_EDX))]
#[cpu_model(features(EPYC_LEAF_8000_0001_ECX, PHENOM_LEAF_8000_0001_ECX, "perfctr-core"))]
#[cpu_model(features(EPYC_ROME_LEAF_8000_0008_EBX, EPYC_GENOA_LEAF_8000_0008_EBX))]
#[cpu_model(features(EPYC_GENOA_LEAF_8000_0021_EAX))]
#[cpu_model(features(EPYC_GENOA_LEAF_8000_000A_EDX))]
#[cpu_model(features(EPYC_ROME_LEAF_D_SUB_1_EAX))]
#[cpu_model(features("arat"))]
#[version(
    2,
    on("overflow-recov", "succor", "fs-gs-base-ns", "perfmon-v2", "lbrv"),
    on("tsc-scale", "vmcb-clean", "flushbyasid", "pause-filter"),
    on("pfthreshold", "v-vmsave-vmload", "vgif"),
    model_id("AMD EPYC-Genoa-v2 Processor"),
    caches = &EPYC_GENOA_V2_CACHES
)]
#[version(3, on("gmet"), model_id("AMD EPYC-Genoa-v3 Processor"))]
pub struct EpycGenoa;

/// `EPYC-Turin`: fifth generation, 2024.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "EPYC-Turin",
    vendor = Vendor::AMD,
    signature(26, 0, 0),
    levels(0xd, 0x8000_0022),
    model_id = "AMD EPYC-Turin Processor",
    caches = &EPYC_TURIN_CACHES
)]
#[cpu_model(features(ATHLON_LEAF_1_EDX, "clflush"))]
#[cpu_model(features(OPTERON_G4_LEAF_1_ECX, EPYC_LEAF_1_ECX, "pcid"))]
#[cpu_model(features(EPYC_LEAF_7_EBX, EPYC_GENOA_LEAF_7_EBX))]
#[cpu_model(features(EPYC_GENOA_LEAF_7_ECX, "movdiri", "movdir64b"))]
#[cpu_model(features("fsrm", "avx512-vp2intersect"))]
#[cpu_model(features("avx-vnni", "avx512-bf16"))]
#[cpu_model(features(PHENOM_LEAF_8000_0001_EDX))]
#[cpu_model(features(EPYC_LEAF_8000_0001_ECX, PHENOM_LEAF_8000_0001_ECX, "perfctr-core"))]
#[cpu_model(features("overflow-recov", "succor"))]
#[cpu_model(features(EPYC_ROME_LEAF_8000_0008_EBX, EPYC_GENOA_LEAF_8000_0008_EBX))]
#[cpu_model(features(EPYC_GENOA_LEAF_8000_0021_EAX, "fs-gs-base-ns", "prefetchi", "sbpb"))]
#[cpu_model(features("ibpb-brtype", "srso-user-kernel-no"))]
#[cpu_model(features("perfmon-v2"))]
#[cpu_model(features(EPYC_GENOA_LEAF_8000_000A_EDX, "lbrv", "tsc-scale", "vmcb-clean"))]
#[cpu_model(features("flushbyasid", "pause-filter", "pfthreshold", "v-vmsave-vmload", "vgif"))]
#[cpu_model(features(EPYC_ROME_LEAF_D_SUB_1_EAX))]
#[cpu_model(features("arat"))]
#[version(2, on("gmet"), model_id("AMD EPYC-Turin-v2 Processor"))]
pub struct EpycTurin;
