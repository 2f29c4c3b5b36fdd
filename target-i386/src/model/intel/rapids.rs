//! Servers of performance cores, from Sapphire Rapids on.

use super::bits::{
    COOPERLAKE_ARCH_CAPABILITIES, COREDUO_LEAF_1_EDX, DIAMOND_RAPIDS_LEAF_7_ECX,
    DIAMOND_RAPIDS_LEAF_7_SUB_2_EDX, GRANITE_RAPIDS_ARCH_CAPABILITIES, HASWELL_LEAF_1_ECX,
    HASWELL_LEAF_7_EBX, ICELAKE_SERVER_LEAF_7_ECX, PENRYN_LEAF_1_ECX, PENTIUM_LEAF_1_EDX,
    SANDY_BRIDGE_LEAF_1_ECX, SANDY_BRIDGE_LEAF_8000_0001_EDX, SAPPHIRE_RAPIDS_LEAF_7_EDX,
    SAPPHIRE_RAPIDS_LEAF_7_SUB_1_EAX, SAPPHIRE_RAPIDS_LEAF_D_SUB_1_EAX, SKYLAKE_SERVER_LEAF_7_EBX,
    WESTMERE_LEAF_1_ECX,
};
use super::vmx::{
    CORE2DUO_VMX_PROCBASED_CTLS, COREDUO_VMX_PROCBASED_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS,
    NEHALEM_VMX_ENTRY_CTLS, NEHALEM_VMX_EPT_VPID_CAPS, NEHALEM_VMX_EXIT_CTLS, NEHALEM_VMX_PINBASED_CTLS,
    SKYLAKE_CLIENT_VMX_SECONDARY_CTLS,
};
use crate::cache::{
    Cache,
    CacheKind::{Data, Instruction, Unified},
    Caches,
};
use crate::model::CpuModel;
use crate::topology::Level;
use crate::vendor::Vendor;

/// Caches of `SapphireRapids` from version 4 on.
static SAPPHIRE_RAPIDS_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 12, 64).lines_per_tag(0),
    l1i: Cache::new(1, Instruction, 8, 64).lines_per_tag(0),
    l2: Cache::new(2, Unified, 16, 2048).lines_per_tag(0),
    l3: Cache::new(3, Unified, 15, 65536).lines_per_tag(0).complex_indexing().shared_by(Level::Socket),
};

/// Caches of `GraniteRapids` from version 3 on.
static GRANITE_RAPIDS_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 12, 64).lines_per_tag(0),
    l1i: Cache::new(1, Instruction, 16, 64).lines_per_tag(0),
    l2: Cache::new(2, Unified, 16, 2048).lines_per_tag(0),
    l3: Cache::new(3, Unified, 16, 294912).lines_per_tag(0).complex_indexing().shared_by(Level::Socket),
};

/// `SapphireRapids`: fourth Xeon Scalable, with AMX, 2023.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "SapphireRapids",
    vendor = Vendor::INTEL,
    signature(6, 143, 4),
    levels(0x20, 0x8000_0008),
    model_id = "Intel Xeon Processor (SapphireRapids)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(HASWELL_LEAF_1_ECX, PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(SKYLAKE_SERVER_LEAF_7_EBX, HASWELL_LEAF_7_EBX, "avx512ifma", "sha-ni"))]
#[cpu_model(features(ICELAKE_SERVER_LEAF_7_ECX, "rdpid", "bus-lock-detect"))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_7_EDX))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_7_SUB_1_EAX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("wbnoinvd"))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_D_SUB_1_EAX, "xfd"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COOPERLAKE_ARCH_CAPABILITIES, "taa-no"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-rdseed-exit", "vmx-pml", "vmx-xsaves"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-page-walk-5", "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(2, on("sbdr-ssdp-no", "fbsdp-no", "psdp-no"))]
#[version(3, on("ss", "tsc-adjust", "cldemote", "movdiri", "movdir64b"))]
#[version(
    4,
    note = "with spr-sp cache model and 0x1f leaf",
    cpuid_0x1f(true),
    caches = &SAPPHIRE_RAPIDS_CACHES
)]
#[version(
    5,
    note = "with cet-ss and cet-ibt",
    on("cet-ss", "cet-ibt", "vmx-exit-save-cet", "vmx-entry-load-cet")
)]
#[version(6, note = "with its-no", on("its-no"))]
#[version(7, note = "with GDS and RFDS mitigation status", on("gds-no", "rfds-no"))]
#[version(8, note = "with MBEC enabled", on("vmx-mbec"))]
pub struct SapphireRapids;

/// `GraniteRapids`: Xeon 6 of performance cores, with AVX10, 2024.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "GraniteRapids",
    vendor = Vendor::INTEL,
    signature(6, 173, 0),
    levels(0x20, 0x8000_0008),
    model_id = "Intel Xeon Processor (GraniteRapids)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(HASWELL_LEAF_1_ECX, PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(SKYLAKE_SERVER_LEAF_7_EBX, HASWELL_LEAF_7_EBX, "avx512ifma", "sha-ni"))]
#[cpu_model(features(ICELAKE_SERVER_LEAF_7_ECX, "rdpid", "bus-lock-detect"))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_7_EDX))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_7_SUB_1_EAX, "amx-fp16"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("wbnoinvd"))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_D_SUB_1_EAX, "xfd"))]
#[cpu_model(features("arat"))]
#[cpu_model(features("prefetchiti"))]
#[cpu_model(features("mcdt-no"))]
#[cpu_model(features(COOPERLAKE_ARCH_CAPABILITIES, GRANITE_RAPIDS_ARCH_CAPABILITIES, "taa-no"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-rdseed-exit", "vmx-pml", "vmx-xsaves"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-page-walk-5", "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(
    2,
    on("ss", "tsc-adjust", "cldemote", "movdiri", "movdir64b", "avx10"),
    on("avx10-128", "avx10-256", "avx10-512"),
    stepping(1),
    avx10(1)
)]
#[version(
    3,
    note = "with gnr-sp cache model and 0x1f leaf",
    cpuid_0x1f(true),
    caches = &GRANITE_RAPIDS_CACHES
)]
#[version(
    4,
    note = "with cet-ss and cet-ibt",
    on("cet-ss", "cet-ibt", "vmx-exit-save-cet", "vmx-entry-load-cet")
)]
#[version(5, note = "with its-no", on("its-no"))]
#[version(6, note = "with GDS and RFDS mitigation status", on("gds-no", "rfds-no"))]
#[version(7, note = "with MBEC enabled", on("vmx-mbec"))]
pub struct GraniteRapids;

/// `DiamondRapids`: the Xeon announced to follow Granite Rapids, with APX.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "DiamondRapids",
    vendor = Vendor::INTEL,
    signature(19, 1, 0),
    levels(0x29, 0x8000_0008),
    model_id = "Intel Xeon Processor (DiamondRapids)",
    avx10 = 2,
    cpuid_0x1f
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36", "ss"))]
#[cpu_model(features(HASWELL_LEAF_1_ECX, PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(SKYLAKE_SERVER_LEAF_7_EBX, HASWELL_LEAF_7_EBX, "tsc-adjust"))]
#[cpu_model(features("fdp-excptn-only", "zero-fcs-fds", "avx512ifma", "sha-ni"))]
#[cpu_model(features(ICELAKE_SERVER_LEAF_7_ECX, DIAMOND_RAPIDS_LEAF_7_ECX, "cet-ss"))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_7_EDX, "md-clear", "cet-ibt", "stibp", "flush-l1d"))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_7_SUB_1_EAX, "cmpccxadd", "fred", "lkgs", "wrmsrns"))]
#[cpu_model(features("amx-fp16", "avx-ifma", "lam", "movrs"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("wbnoinvd"))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_D_SUB_1_EAX, "xfd"))]
#[cpu_model(features("arat"))]
#[cpu_model(features("avx-vnni-int8", "avx-ne-convert", "amx-complex", "prefetchiti", "avx10"))]
#[cpu_model(features("apxf"))]
#[cpu_model(features(DIAMOND_RAPIDS_LEAF_7_SUB_2_EDX))]
#[cpu_model(features("avx10-128", "avx10-256", "avx10-512"))]
#[cpu_model(features("apx-nci-ndd-nf"))]
#[cpu_model(features("amx-int8-alias", "amx-bf16-alias", "amx-complex-alias", "amx-fp16-alias"))]
#[cpu_model(features("amx-fp8", "amx-tf32", "amx-avx512", "amx-movrs"))]
#[cpu_model(features("avx10-vnni-int"))]
#[cpu_model(features(COOPERLAKE_ARCH_CAPABILITIES, GRANITE_RAPIDS_ARCH_CAPABILITIES, "taa-no"))]
#[cpu_model(features("bhi-no", "gds-no", "rfds-no"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-rdseed-exit", "vmx-pml", "vmx-xsaves", "vmx-tsc-scaling"))]
#[cpu_model(features("vmx-enable-user-wait-pause"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS, "vmx-exit-host-addr-space-size"))]
#[cpu_model(features("vmx-exit-save-cet", "vmx-exit-secondary-ctls"))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS, "vmx-entry-load-cet", "vmx-entry-load-fred"))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-activity-shutdown"))]
#[cpu_model(features("vmx-activity-wait-sipi", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-page-walk-5", "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls", "vmx-nested-exception"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(2, note = "with MBEC enabled", on("vmx-mbec"))]
pub struct DiamondRapids;
