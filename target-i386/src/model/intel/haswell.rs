//! Core of the fourth and fifth generations.

use super::bits::{
    COREDUO_LEAF_1_EDX, HASWELL_LEAF_1_ECX, HASWELL_LEAF_7_EBX, PENRYN_LEAF_1_ECX, PENTIUM_LEAF_1_EDX,
    SANDY_BRIDGE_LEAF_1_ECX, SANDY_BRIDGE_LEAF_8000_0001_EDX, WESTMERE_LEAF_1_ECX,
};
use super::vmx::{
    BROADWELL_VMX_SECONDARY_CTLS, CORE2DUO_VMX_PROCBASED_CTLS, COREDUO_VMX_PROCBASED_CTLS,
    IVY_BRIDGE_VMX_SECONDARY_CTLS, NEHALEM_VMX_ENTRY_CTLS, NEHALEM_VMX_EPT_VPID_CAPS, NEHALEM_VMX_EXIT_CTLS,
    NEHALEM_VMX_PINBASED_CTLS, NEHALEM_VMX_SECONDARY_CTLS,
};
use crate::model::CpuModel;
use crate::vendor::Vendor;

/// `Haswell`: Core of the fourth generation, with AVX2, 2013.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Haswell",
    vendor = Vendor::INTEL,
    signature(6, 60, 4),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Core Processor (Haswell)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX, SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(HASWELL_LEAF_1_ECX))]
#[cpu_model(features(HASWELL_LEAF_7_EBX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX))]
#[cpu_model(features("lahf-lm", "abm"))]
#[cpu_model(features("xsaveopt"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(NEHALEM_VMX_SECONDARY_CTLS, IVY_BRIDGE_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-invpcid-exit", "vmx-vmfunc", "vmx-shadow-vmcs"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(
    2,
    alias = "Haswell-noTSX",
    off("hle", "rtm"),
    stepping(1),
    model_id("Intel Core Processor (Haswell, no TSX)")
)]
#[version(
    3,
    alias = "Haswell-IBRS",
    on("hle", "rtm", "spec-ctrl"),
    stepping(4),
    model_id("Intel Core Processor (Haswell, IBRS)")
)]
#[version(
    4,
    alias = "Haswell-noTSX-IBRS",
    off("hle", "rtm"),
    stepping(1),
    model_id("Intel Core Processor (Haswell, no TSX, IBRS)")
)]
pub struct Haswell;

/// `Broadwell`: Core of the fifth generation, 2014.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Broadwell",
    vendor = Vendor::INTEL,
    signature(6, 61, 2),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Core Processor (Broadwell)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(HASWELL_LEAF_1_ECX, PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(HASWELL_LEAF_7_EBX, "rdseed", "adx", "smap"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("xsaveopt"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(NEHALEM_VMX_SECONDARY_CTLS, IVY_BRIDGE_VMX_SECONDARY_CTLS))]
#[cpu_model(features(BROADWELL_VMX_SECONDARY_CTLS))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(
    2,
    alias = "Broadwell-noTSX",
    off("hle", "rtm"),
    model_id("Intel Core Processor (Broadwell, no TSX)")
)]
#[version(
    3,
    alias = "Broadwell-IBRS",
    on("hle", "rtm", "spec-ctrl"),
    model_id("Intel Core Processor (Broadwell, IBRS)")
)]
#[version(
    4,
    alias = "Broadwell-noTSX-IBRS",
    off("hle", "rtm"),
    model_id("Intel Core Processor (Broadwell, no TSX, IBRS)")
)]
pub struct Broadwell;
