//! Core 2: the first Intel processors of 64 bits that virtualize.

use super::bits::{CORE2DUO_LEAF_1_ECX, COREDUO_LEAF_1_EDX, PENRYN_LEAF_1_ECX, PENTIUM_LEAF_1_EDX};
use super::vmx::{CORE2DUO_VMX_PROCBASED_CTLS, COREDUO_VMX_PROCBASED_CTLS};
use crate::model::CpuModel;
use crate::vendor::Vendor;

/// `core2duo`: Core 2 Duo T7700, 2007.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "core2duo",
    vendor = Vendor::INTEL,
    signature(6, 15, 11),
    levels(0xa, 0x8000_0008),
    model_id = "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36", "acpi", "ss"))]
#[cpu_model(features(CORE2DUO_LEAF_1_ECX))]
#[cpu_model(features("syscall", "nx", "lm"))]
#[cpu_model(features("lahf-lm"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-apicv-xapic"))]
#[cpu_model(features("vmx-intr-exit", "vmx-nmi-exit", "vmx-vnmi"))]
#[cpu_model(features("vmx-exit-ack-intr"))]
#[cpu_model(features("vmx-entry-ia32e-mode"))]
#[cpu_model(features("vmx-activity-hlt"))]
#[cpu_model(features("vmx-ins-outs"))]
pub struct Core2Duo;

/// `Conroe`: Core 2 of 65 nm, 2006.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Conroe",
    vendor = Vendor::INTEL,
    signature(6, 15, 3),
    levels(0xa, 0x8000_0008),
    model_id = "Intel Celeron_4x0 (Conroe/Merom Class Core 2)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features("pni", "ssse3"))]
#[cpu_model(features("syscall", "nx", "lm"))]
#[cpu_model(features("lahf-lm"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-apicv-xapic"))]
#[cpu_model(features("vmx-intr-exit", "vmx-nmi-exit", "vmx-vnmi"))]
#[cpu_model(features("vmx-exit-ack-intr"))]
#[cpu_model(features("vmx-entry-ia32e-mode"))]
#[cpu_model(features("vmx-activity-hlt"))]
#[cpu_model(features("vmx-ins-outs"))]
pub struct Conroe;

/// `Penryn`: Core 2 of 45 nm, 2008.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Penryn",
    vendor = Vendor::INTEL,
    signature(6, 23, 3),
    levels(0xa, 0x8000_0008),
    model_id = "Intel Core 2 Duo P9xxx (Penryn Class Core 2)"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "pse36"))]
#[cpu_model(features(PENRYN_LEAF_1_ECX))]
#[cpu_model(features("syscall", "nx", "lm"))]
#[cpu_model(features("lahf-lm"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS, CORE2DUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-apicv-xapic", "vmx-wbinvd-exit"))]
#[cpu_model(features("vmx-intr-exit", "vmx-nmi-exit", "vmx-vnmi"))]
#[cpu_model(features("vmx-exit-load-perf-global-ctrl", "vmx-exit-ack-intr"))]
#[cpu_model(features("vmx-entry-ia32e-mode", "vmx-entry-load-perf-global-ctrl"))]
#[cpu_model(features("vmx-activity-hlt"))]
#[cpu_model(features("vmx-ins-outs"))]
pub struct Penryn;
