//! Atom, and servers of efficient cores.

use super::bits::{
    COOPERLAKE_ARCH_CAPABILITIES, COREDUO_LEAF_1_EDX, DENVERTON_LEAF_1_ECX, DENVERTON_LEAF_7_EBX,
    DIAMOND_RAPIDS_LEAF_7_SUB_2_EDX, GRANITE_RAPIDS_ARCH_CAPABILITIES, N270_LEAF_1_ECX, PENTIUM_LEAF_1_EDX,
    SANDY_BRIDGE_LEAF_8000_0001_EDX, SAPPHIRE_RAPIDS_LEAF_D_SUB_1_EAX, SIERRA_FOREST_LEAF_1_ECX,
    SIERRA_FOREST_LEAF_7_EBX, SIERRA_FOREST_LEAF_7_ECX, SIERRA_FOREST_LEAF_7_EDX,
    SIERRA_FOREST_LEAF_7_SUB_1_EAX, SNOWRIDGE_LEAF_7_ECX, WESTMERE_LEAF_1_ECX,
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

/// Caches of `SierraForest` from version 3 on.
static SIERRA_FOREST_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).lines_per_tag(0),
    l1i: Cache::new(1, Instruction, 8, 128).lines_per_tag(0),
    l2: Cache::new(2, Unified, 16, 4096).lines_per_tag(0).shared_by(Level::Module),
    l3: Cache::new(3, Unified, 12, 147456).lines_per_tag(0).complex_indexing().shared_by(Level::Socket),
};

/// Caches of `ClearwaterForest` from version 3 on.
static CLEARWATER_FOREST_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).lines_per_tag(0),
    l1i: Cache::new(1, Instruction, 8, 128).lines_per_tag(0),
    l2: Cache::new(2, Unified, 16, 4096).lines_per_tag(0).shared_by(Level::Module),
    l3: Cache::new(3, Unified, 16, 540672).lines_per_tag(0).complex_indexing().shared_by(Level::Socket),
};

/// `Denverton`: Atom C3000, 2017.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Denverton",
    vendor = Vendor::INTEL,
    signature(6, 95, 1),
    levels(0x15, 0x8000_0008),
    model_id = "Intel Atom Processor (Denverton)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(N270_LEAF_1_ECX, WESTMERE_LEAF_1_ECX, DENVERTON_LEAF_1_ECX))]
#[cpu_model(features(DENVERTON_LEAF_7_EBX, "mpx"))]
#[cpu_model(features("spec-ctrl", "arch-capabilities", "ssbd"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "3dnowprefetch"))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1"))]
#[cpu_model(features("arat"))]
#[cpu_model(features("rdctl-no", "skip-l1dfl-vmentry"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-rdseed-exit", "vmx-pml"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(2, note = "no MPX, no MONITOR", off("monitor", "mpx"))]
#[version(3, note = "XSAVES, no MPX, no MONITOR", on("xsaves", "vmx-xsaves"))]
pub struct Denverton;

/// `Snowridge`: Atom P5900, 2020.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Snowridge",
    vendor = Vendor::INTEL,
    signature(6, 134, 1),
    levels(0x1b, 0x8000_0008),
    model_id = "Intel Atom Processor (SnowRidge)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(DENVERTON_LEAF_1_ECX, N270_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(DENVERTON_LEAF_7_EBX, "mpx", "clwb"))]
#[cpu_model(features(SNOWRIDGE_LEAF_7_ECX))]
#[cpu_model(features("spec-ctrl", "arch-capabilities", "core-capability", "ssbd"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "3dnowprefetch"))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1"))]
#[cpu_model(features("arat"))]
#[cpu_model(features("split-lock-detect"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-rdseed-exit", "vmx-pml"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(2, off("mpx"), model_id("Intel Atom Processor (Snowridge, no MPX)"))]
#[version(3, note = "XSAVES, no MPX", on("xsaves", "vmx-xsaves"))]
#[version(4, note = "no split lock detect, no core-capability", off("core-capability", "split-lock-detect"))]
pub struct Snowridge;

/// `SierraForest`: Xeon 6 of efficient cores, 2024.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "SierraForest",
    vendor = Vendor::INTEL,
    signature(6, 175, 0),
    levels(0x23, 0x8000_0008),
    model_id = "Intel Xeon Processor (SierraForest)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(DENVERTON_LEAF_1_ECX, WESTMERE_LEAF_1_ECX, SIERRA_FOREST_LEAF_1_ECX))]
#[cpu_model(features("pcid"))]
#[cpu_model(features(DENVERTON_LEAF_7_EBX, SIERRA_FOREST_LEAF_7_EBX, "invpcid", "clwb"))]
#[cpu_model(features(SIERRA_FOREST_LEAF_7_ECX))]
#[cpu_model(features(SIERRA_FOREST_LEAF_7_EDX))]
#[cpu_model(features(SIERRA_FOREST_LEAF_7_SUB_1_EAX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("wbnoinvd"))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_D_SUB_1_EAX))]
#[cpu_model(features("arat"))]
#[cpu_model(features("avx-vnni-int8", "avx-ne-convert"))]
#[cpu_model(features("mcdt-no"))]
#[cpu_model(features(COOPERLAKE_ARCH_CAPABILITIES, GRANITE_RAPIDS_ARCH_CAPABILITIES))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-rdseed-exit", "vmx-pml", "vmx-xsaves"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(
    2,
    on("ss", "tsc-adjust", "cldemote", "movdiri", "movdir64b", "lam"),
    on("intel-psfd", "ipred-ctrl", "rrsba-ctrl", "bhi-ctrl", "gds-no"),
    on("rfds-no"),
    stepping(3)
)]
#[version(
    3,
    note = "with srf-sp cache model and 0x1f leaf",
    cpuid_0x1f(true),
    caches = &SIERRA_FOREST_CACHES
)]
#[version(
    4,
    note = "with cet-ss and cet-ibt",
    on("cet-ss", "cet-ibt", "vmx-exit-save-cet", "vmx-entry-load-cet")
)]
#[version(5, note = "with its-no", on("its-no"))]
#[version(6, note = "with MBEC enabled", on("vmx-mbec"))]
pub struct SierraForest;

/// `ClearwaterForest`: the Xeon of efficient cores that follows Sierra Forest, announced for 2026.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "ClearwaterForest",
    vendor = Vendor::INTEL,
    signature(6, 221, 0),
    levels(0x23, 0x8000_0008),
    model_id = "Intel Xeon Processor (ClearwaterForest)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36", "ss"))]
#[cpu_model(features(DENVERTON_LEAF_1_ECX, SIERRA_FOREST_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features("pcid"))]
#[cpu_model(features(DENVERTON_LEAF_7_EBX, SIERRA_FOREST_LEAF_7_EBX, "tsc-adjust", "invpcid"))]
#[cpu_model(features("clwb"))]
#[cpu_model(features(SIERRA_FOREST_LEAF_7_ECX, "cldemote", "movdiri", "movdir64b"))]
#[cpu_model(features(SIERRA_FOREST_LEAF_7_EDX))]
#[cpu_model(features(SIERRA_FOREST_LEAF_7_SUB_1_EAX, "sha512", "sm3", "sm4", "lam"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("wbnoinvd"))]
#[cpu_model(features(SAPPHIRE_RAPIDS_LEAF_D_SUB_1_EAX))]
#[cpu_model(features("arat"))]
#[cpu_model(features("avx-vnni-int8", "avx-ne-convert", "avx-vnni-int16", "prefetchiti"))]
#[cpu_model(features(DIAMOND_RAPIDS_LEAF_7_SUB_2_EDX))]
#[cpu_model(features(COOPERLAKE_ARCH_CAPABILITIES, GRANITE_RAPIDS_ARCH_CAPABILITIES, "bhi-no"))]
#[cpu_model(features("gds-no", "rfds-no"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-rdseed-exit", "vmx-pml", "vmx-xsaves"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(
    2,
    note = "with cet-ss and cet-ibt",
    on("cet-ss", "cet-ibt", "vmx-exit-save-cet", "vmx-entry-load-cet")
)]
#[version(
    3,
    note = "with its-no, cwf-ap cache model and 0x1f leaf",
    on("its-no"),
    cpuid_0x1f(true),
    caches = &CLEARWATER_FOREST_CACHES
)]
#[version(4, note = "with MBEC enabled", on("vmx-mbec"))]
pub struct ClearwaterForest;
