//! Models that are no real processor: QEMU's default CPUs.

use super::CpuModel;
use crate::vendor::Vendor;

/// What the Pentium Pro brought, as far as virtual CPUs have it.
pub(crate) const PENTIUM_PRO: &[&str] = &[
    "fpu", "de", "pse", "tsc", "msr", "mce", "cx8", "pge", "cmov", "pat", "fxsr", "mmx", "sse", "sse2",
    "pae", "sep", "apic",
];

/// The brand string of CPUs that are QEMU's own.
pub(crate) const QEMU_MODEL_ID: &str = "QEMU Virtual CPU version 2.5+";

/// `qemu64`: the default CPU of PC machines. Source: `query-cpu-model-expansion` of QEMU 11.1.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "qemu64",
    vendor = Vendor::AMD,
    signature(15, 107, 1),
    levels(0xd, 0x8000_000a),
    model_id = QEMU_MODEL_ID
)]
#[cpu_model(features(PENTIUM_PRO))]
#[cpu_model(features("mtrr", "clflush", "mca", "pse36"))]
#[cpu_model(features("pni", "cx16"))]
#[cpu_model(features("lm", "syscall", "nx"))]
#[cpu_model(features("lahf-lm", "svm"))]
pub struct Qemu64;

/// `qemu32`: a 32-bit CPU. Source: as [`Qemu64`].
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "qemu32",
    vendor = Vendor::INTEL,
    signature(6, 6, 3),
    levels(4, 0x8000_0004),
    model_id = QEMU_MODEL_ID
)]
#[cpu_model(features(PENTIUM_PRO))]
#[cpu_model(features("pni"))]
pub struct Qemu32;
