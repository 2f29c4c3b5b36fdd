//! Processors of 32 bits, from the 80486 to the first Core.

use super::bits::{COREDUO_LEAF_1_EDX, N270_LEAF_1_ECX, PENTIUM_LEAF_1_EDX, PENTIUM2_LEAF_1_EDX};
use super::vmx::COREDUO_VMX_PROCBASED_CTLS;
use crate::cache::LEGACY_INTEL_LEAF_2;
use crate::model::CpuModel;
use crate::vendor::Vendor;

/// `486`: 80486, 1989.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "486",
    vendor = Vendor::INTEL,
    signature(4, 8, 0),
    levels(1, 0),
    caches = &LEGACY_INTEL_LEAF_2
)]
#[cpu_model(features("fpu", "vme", "pse"))]
pub struct I486;

/// `pentium`: Pentium MMX, 1997.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "pentium",
    vendor = Vendor::INTEL,
    signature(5, 4, 3),
    levels(1, 0),
    caches = &LEGACY_INTEL_LEAF_2
)]
#[cpu_model(features(PENTIUM_LEAF_1_EDX))]
pub struct Pentium;

/// `pentium2`: Pentium II, 1997.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "pentium2",
    vendor = Vendor::INTEL,
    signature(6, 5, 2),
    levels(2, 0),
    caches = &LEGACY_INTEL_LEAF_2
)]
#[cpu_model(features(PENTIUM_LEAF_1_EDX, PENTIUM2_LEAF_1_EDX))]
pub struct Pentium2;

/// `pentium3`: Pentium III, 1999.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "pentium3",
    vendor = Vendor::INTEL,
    signature(6, 7, 3),
    levels(3, 0),
    caches = &LEGACY_INTEL_LEAF_2
)]
#[cpu_model(features(PENTIUM_LEAF_1_EDX, PENTIUM2_LEAF_1_EDX, "sse"))]
pub struct Pentium3;

/// `coreduo`: Core Duo T2600, 2006.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "coreduo",
    vendor = Vendor::INTEL,
    signature(6, 14, 8),
    levels(0xa, 0x8000_0008),
    model_id = "Genuine Intel(R) CPU           T2600  @ 2.16GHz"
)]
#[cpu_model(features(PENTIUM_LEAF_1_EDX, COREDUO_LEAF_1_EDX, "acpi", "ss"))]
#[cpu_model(features("pni", "monitor"))]
#[cpu_model(features("nx"))]
#[cpu_model(features(COREDUO_VMX_PROCBASED_CTLS))]
#[cpu_model(features("vmx-intr-exit", "vmx-nmi-exit"))]
#[cpu_model(features("vmx-exit-ack-intr"))]
#[cpu_model(features("vmx-entry-ia32e-mode"))]
#[cpu_model(features("vmx-activity-hlt"))]
pub struct CoreDuo;

/// `n270`: Atom N270, 2008.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "n270",
    vendor = Vendor::INTEL,
    signature(6, 28, 2),
    levels(0xa, 0x8000_0008),
    model_id = "Intel(R) Atom(TM) CPU N270   @ 1.60GHz"
)]
#[cpu_model(features(COREDUO_LEAF_1_EDX, PENTIUM_LEAF_1_EDX, "acpi", "ss"))]
#[cpu_model(features(N270_LEAF_1_ECX))]
#[cpu_model(features("nx"))]
#[cpu_model(features("lahf-lm"))]
pub struct N270;
