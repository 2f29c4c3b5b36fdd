//! Models that are no real processor: QEMU's default CPUs.

use super::{CpuModel, CpuModelDef};
use crate::vendor::Vendor;

/// What the Pentium Pro brought, as far as virtual CPUs have it.
pub(crate) const PENTIUM_PRO: &[&str] = &[
    "fpu", "de", "pse", "tsc", "msr", "mce", "cx8", "pge", "cmov", "pat", "fxsr", "mmx", "sse", "sse2",
    "pae", "sep", "apic",
];

/// The brand string of CPUs that are QEMU's own.
pub(crate) const QEMU_MODEL_ID: &str = "QEMU Virtual CPU version 2.5+";

/// `qemu64`: the default CPU of PC machines. Source: `query-cpu-model-expansion` of QEMU 11.1.
#[derive(Debug)]
pub struct Qemu64;

impl CpuModel for Qemu64 {
    const DEF: CpuModelDef = CpuModelDef::new("qemu64", Vendor::AMD)
        .signature(15, 107, 1)
        .levels(0xd, 0x8000_000a)
        .model_id(QEMU_MODEL_ID)
        .features(PENTIUM_PRO)
        .features(&["mtrr", "clflush", "mca", "pse36"])
        .features(&["pni", "cx16"])
        .features(&["lm", "syscall", "nx"])
        .features(&["lahf-lm", "svm"]);
}

/// `qemu32`: a 32-bit CPU. Source: as [`Qemu64`].
#[derive(Debug)]
pub struct Qemu32;

impl CpuModel for Qemu32 {
    const DEF: CpuModelDef = CpuModelDef::new("qemu32", Vendor::INTEL)
        .signature(6, 6, 3)
        .levels(4, 0x8000_0004)
        .model_id(QEMU_MODEL_ID)
        .features(PENTIUM_PRO)
        .features(&["pni"]);
}
