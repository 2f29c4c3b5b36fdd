//! Ice Lake servers, and the last Xeon Phi.

use super::bits::{
    COREDUO_LEAF_1_EDX, DENVERTON_LEAF_1_ECX, HASWELL_LEAF_1_ECX, HASWELL_LEAF_7_EBX,
    ICELAKE_SERVER_LEAF_7_ECX, PENRYN_LEAF_1_ECX, PENTIUM_LEAF_1_EDX, SANDY_BRIDGE_LEAF_1_ECX,
    SANDY_BRIDGE_LEAF_8000_0001_EDX, SIERRA_FOREST_LEAF_1_ECX, SIERRA_FOREST_LEAF_7_EBX,
    SKYLAKE_SERVER_LEAF_7_EBX, WESTMERE_LEAF_1_ECX,
};
use super::vmx::{
    CORE2DUO_VMX_PROCBASED_CTLS, COREDUO_VMX_PROCBASED_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS,
    NEHALEM_VMX_ENTRY_CTLS, NEHALEM_VMX_EPT_VPID_CAPS, NEHALEM_VMX_EXIT_CTLS, NEHALEM_VMX_PINBASED_CTLS,
    SKYLAKE_CLIENT_VMX_SECONDARY_CTLS,
};
use crate::model::CpuModel;
use crate::vendor::Vendor;

/// `KnightsMill`: Xeon Phi 72x5, 2017.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "KnightsMill",
    vendor = Vendor::INTEL,
    signature(6, 133, 0),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Xeon Phi Processor (Knights Mill)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36", "ss"))]
#[cpu_model(features(DENVERTON_LEAF_1_ECX, SIERRA_FOREST_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SIERRA_FOREST_LEAF_7_EBX, "fsgsbase", "smep", "erms", "avx512f", "rdseed"))]
#[cpu_model(features("avx512pf", "avx512er", "avx512cd"))]
#[cpu_model(features("avx512-vpopcntdq"))]
#[cpu_model(features("avx512-4vnniw", "avx512-4fmaps"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("xsaveopt"))]
#[cpu_model(features("arat"))]
pub struct KnightsMill;

/// `Icelake-Server`: third Xeon Scalable, 2021.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Icelake-Server",
    vendor = Vendor::INTEL,
    signature(6, 134, 0),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Xeon Processor (Icelake)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(HASWELL_LEAF_1_ECX, PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(SKYLAKE_SERVER_LEAF_7_EBX, HASWELL_LEAF_7_EBX))]
#[cpu_model(features(ICELAKE_SERVER_LEAF_7_ECX))]
#[cpu_model(features("spec-ctrl", "ssbd"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("wbnoinvd"))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, ICELAKE_SERVER_VMX_SECONDARY_CTLS))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[version(2, alias = "Icelake-Server-noTSX", note = "no TSX", off("hle", "rtm"))]
#[version(
    3,
    on("arch-capabilities", "rdctl-no", "ibrs-all", "skip-l1dfl-vmentry"),
    on("mds-no", "pschange-mc-no", "taa-no")
)]
#[version(
    4,
    on("avx512ifma", "sha-ni", "rdpid", "fsrm", "vmx-rdseed-exit", "vmx-pml"),
    on("vmx-eptp-switching"),
    model(106)
)]
#[version(5, note = "XSAVES", on("xsaves", "vmx-xsaves"))]
#[version(6, note = "5-level EPT", on("vmx-page-walk-5"))]
#[version(7, note = "TSX, taa-no", on("hle", "rtm"))]
#[version(
    8,
    note = "with MMIO/GDS/RFDS mitigation status",
    on("sbdr-ssdp-no", "psdp-no", "fb-clear", "gds-no", "rfds-no")
)]
#[version(9, note = "with MBEC enabled", on("vmx-mbec"))]
pub struct IcelakeServer;
