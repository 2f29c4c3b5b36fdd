//! Skylake and the servers that followed it.

use super::bits::{
    COOPERLAKE_ARCH_CAPABILITIES, COOPERLAKE_LEAF_7_EDX, COREDUO_LEAF_1_EDX, HASWELL_LEAF_1_ECX,
    HASWELL_LEAF_7_EBX, PENRYN_LEAF_1_ECX, PENTIUM_LEAF_1_EDX, SANDY_BRIDGE_LEAF_1_ECX,
    SANDY_BRIDGE_LEAF_8000_0001_EDX, SKYLAKE_SERVER_LEAF_7_EBX, WESTMERE_LEAF_1_ECX,
};
use super::vmx::{
    BROADWELL_VMX_SECONDARY_CTLS, CORE2DUO_VMX_PROCBASED_CTLS, COREDUO_VMX_PROCBASED_CTLS,
    NEHALEM_VMX_ENTRY_CTLS, NEHALEM_VMX_EPT_VPID_CAPS, NEHALEM_VMX_EXIT_CTLS, NEHALEM_VMX_PINBASED_CTLS,
    SKYLAKE_CLIENT_VMX_SECONDARY_CTLS,
};
use crate::model::CpuModel;
use crate::vendor::Vendor;

/// `Skylake-Client`: Core of the sixth generation, 2015.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Skylake-Client",
    vendor = Vendor::INTEL,
    signature(6, 94, 3),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Core Processor (Skylake)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(HASWELL_LEAF_1_ECX, PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(HASWELL_LEAF_7_EBX, "rdseed", "adx", "smap"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(BROADWELL_VMX_SECONDARY_CTLS, SKYLAKE_CLIENT_VMX_SECONDARY_CTLS))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(
    2,
    alias = "Skylake-Client-IBRS",
    on("spec-ctrl"),
    model_id("Intel Core Processor (Skylake, IBRS)")
)]
#[version(
    3,
    alias = "Skylake-Client-noTSX-IBRS",
    off("hle", "rtm"),
    model_id("Intel Core Processor (Skylake, IBRS, no TSX)")
)]
#[version(4, note = "IBRS, XSAVES, no TSX", on("xsaves", "vmx-xsaves"))]
pub struct SkylakeClient;

/// `Skylake-Server`: Xeon Scalable, with AVX-512, 2017.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Skylake-Server",
    vendor = Vendor::INTEL,
    signature(6, 85, 4),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Xeon Processor (Skylake)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(HASWELL_LEAF_1_ECX, PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(HASWELL_LEAF_7_EBX, SKYLAKE_SERVER_LEAF_7_EBX))]
#[cpu_model(features("pku"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, BROADWELL_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-apicv-x2apic", "vmx-apicv-register", "vmx-apicv-vid"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[version(
    2,
    alias = "Skylake-Server-IBRS",
    on("spec-ctrl"),
    off("clflushopt"),
    model_id("Intel Xeon Processor (Skylake, IBRS)")
)]
#[version(
    3,
    alias = "Skylake-Server-noTSX-IBRS",
    off("hle", "rtm"),
    model_id("Intel Xeon Processor (Skylake, IBRS, no TSX)")
)]
#[version(4, note = "IBRS, EPT switching, no TSX", on("vmx-eptp-switching"))]
#[version(5, note = "IBRS, XSAVES, EPT switching, no TSX", on("xsaves", "vmx-xsaves"))]
#[version(6, note = "with MBEC enabled", on("vmx-mbec"))]
pub struct SkylakeServer;

/// `Cascadelake-Server`: second Xeon Scalable, 2019.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Cascadelake-Server",
    vendor = Vendor::INTEL,
    signature(6, 85, 6),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Xeon Processor (Cascadelake)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(HASWELL_LEAF_1_ECX, PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(SKYLAKE_SERVER_LEAF_7_EBX, HASWELL_LEAF_7_EBX))]
#[cpu_model(features("pku", "avx512vnni"))]
#[cpu_model(features("spec-ctrl", "ssbd"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, BROADWELL_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-apicv-x2apic", "vmx-apicv-register", "vmx-apicv-vid"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[version(
    2,
    note = "ARCH_CAPABILITIES",
    on("arch-capabilities", "rdctl-no", "ibrs-all", "skip-l1dfl-vmentry"),
    on("mds-no")
)]
#[version(3, alias = "Cascadelake-Server-noTSX", note = "ARCH_CAPABILITIES, no TSX", off("hle", "rtm"))]
#[version(4, note = "ARCH_CAPABILITIES, EPT switching, no TSX", on("vmx-eptp-switching"))]
#[version(5, note = "ARCH_CAPABILITIES, EPT switching, XSAVES, no TSX", on("xsaves", "vmx-xsaves"))]
#[version(
    6,
    note = "with MMIO/GDS/RFDS mitigation status",
    on("sbdr-ssdp-no", "psdp-no", "fb-clear", "gds-no", "rfds-no")
)]
#[version(7, note = "with MBEC enabled", on("vmx-mbec"))]
pub struct CascadelakeServer;

/// `Cooperlake`: third Xeon Scalable for four and more sockets, 2020.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Cooperlake",
    vendor = Vendor::INTEL,
    signature(6, 85, 10),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Xeon Processor (Cooperlake)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(HASWELL_LEAF_1_ECX, PENRYN_LEAF_1_ECX, WESTMERE_LEAF_1_ECX))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_1_ECX))]
#[cpu_model(features(SKYLAKE_SERVER_LEAF_7_EBX, HASWELL_LEAF_7_EBX))]
#[cpu_model(features("pku", "avx512vnni"))]
#[cpu_model(features(COOPERLAKE_LEAF_7_EDX))]
#[cpu_model(features("avx512-bf16"))]
#[cpu_model(features(SANDY_BRIDGE_LEAF_8000_0001_EDX, "pdpe1gb"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("xsaveopt", "xsavec", "xgetbv1"))]
#[cpu_model(features("arat"))]
#[cpu_model(features(COOPERLAKE_ARCH_CAPABILITIES, "taa-no"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-mtf"))]
#[cpu_model(features(SKYLAKE_CLIENT_VMX_SECONDARY_CTLS, BROADWELL_VMX_SECONDARY_CTLS))]
#[cpu_model(features("vmx-apicv-x2apic", "vmx-apicv-register", "vmx-apicv-vid"))]
#[cpu_model(features(NEHALEM_VMX_PINBASED_CTLS, "vmx-posted-intr"))]
#[cpu_model(features(NEHALEM_VMX_EXIT_CTLS))]
#[cpu_model(features(NEHALEM_VMX_ENTRY_CTLS))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(NEHALEM_VMX_EPT_VPID_CAPS, "vmx-eptad"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(2, note = "XSAVES", on("xsaves", "vmx-xsaves"))]
pub struct Cooperlake;
