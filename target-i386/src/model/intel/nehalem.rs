//! Core i7 of the first three generations.

use super::bits::{
    COREDUO_LEAF_1_EDX, PENRYN_LEAF_1_ECX, PENTIUM_LEAF_1_EDX, SANDY_BRIDGE_LEAF_1_ECX,
    SANDY_BRIDGE_LEAF_8000_0001_EDX, WESTMERE_LEAF_1_ECX,
};
use super::vmx::{
    CORE2DUO_VMX_PROCBASED_CTLS, COREDUO_VMX_PROCBASED_CTLS, IVY_BRIDGE_VMX_SECONDARY_CTLS,
    NEHALEM_VMX_ENTRY_CTLS, NEHALEM_VMX_EPT_VPID_CAPS, NEHALEM_VMX_EXIT_CTLS, NEHALEM_VMX_PINBASED_CTLS,
    NEHALEM_VMX_SECONDARY_CTLS,
};
use crate::model::CpuModel;
use crate::vendor::Vendor;

/// `Nehalem`: first Core i7, 2008.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Nehalem",
    vendor = Vendor::INTEL,
    signature(6, 26, 3),
    levels(0xb, 0x8000_0008),
    model_id = "Intel Core i7 9xx (Nehalem Class Core i7)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(PENRYN_LEAF_1_ECX, "sse4.2", "popcnt"))]
#[cpu_model(features("syscall", "nx", "lm"))]
#[cpu_model(features("lahf-lm"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(NEHALEM_VMX_SECONDARY_CTLS))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-activity-hlt"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[version(
    2,
    alias = "Nehalem-IBRS",
    on("spec-ctrl"),
    model_id("Intel Core i7 9xx (Nehalem Core i7, IBRS update)")
)]
pub struct Nehalem;

/// `Westmere`: Nehalem of 32 nm, with AES, 2010.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Westmere",
    vendor = Vendor::INTEL,
    signature(6, 44, 1),
    levels(0xb, 0x8000_0008),
    model_id = "Westmere E56xx/L56xx/X56xx (Nehalem-C)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features("syscall", "nx", "lm"))]
#[cpu_model(features("lahf-lm"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(NEHALEM_VMX_SECONDARY_CTLS, "vmx-unrestricted-guest"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[version(2, alias = "Westmere-IBRS", on("spec-ctrl"), model_id("Westmere E56xx/L56xx/X56xx (IBRS update)"))]
pub struct Westmere;

/// `SandyBridge`: Core of the second generation, with AVX, 2011.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "SandyBridge",
    vendor = Vendor::INTEL,
    signature(6, 42, 1),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Xeon E312xx (Sandy Bridge)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX, SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX))]
#[cpu_model(features("lahf-lm"))]
#[cpu_model(features("xsaveopt"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(NEHALEM_VMX_SECONDARY_CTLS, "vmx-unrestricted-guest"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[version(
    2,
    alias = "SandyBridge-IBRS",
    on("spec-ctrl"),
    model_id("Intel Xeon E312xx (Sandy Bridge, IBRS update)")
)]
pub struct SandyBridge;

/// `IvyBridge`: Core of the third generation, 2012.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "IvyBridge",
    vendor = Vendor::INTEL,
    signature(6, 58, 9),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Xeon E3-12xx v2 (Ivy Bridge)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX, SANDY_BRIDGE_LEAF_1_ECX, "f16c"))]
#[cpu_model(features("rdrand"))]
#[cpu_model(features("fsgsbase", "smep", "erms"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX))]
#[cpu_model(features("lahf-lm"))]
#[cpu_model(features("xsaveopt"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(NEHALEM_VMX_SECONDARY_CTLS, IVY_BRIDGE_VMX_SECONDARY_CTLS))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[version(2, alias = "IvyBridge-IBRS", on("spec-ctrl"), model_id("Intel Xeon E3-12xx v2 (Ivy Bridge, IBRS)"))]
pub struct IvyBridge;
