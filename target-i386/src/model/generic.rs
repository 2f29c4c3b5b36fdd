//! Models that are no real processor: QEMU's default CPUs, and the least common ground of KVM hosts.

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

/// Bits of leaf 1 EDX that came with `kvm64`.
const KVM64_LEAF_1_EDX: &[&str] = &["vme", "mtrr", "mca", "pse36", "clflush"];

/// Bits of the VMX word `VmxProcbasedCtls` that came with `kvm64`.
const KVM64_VMX_PROCBASED_CTLS: &[&str] = &[
    "vmx-vintr-pending",
    "vmx-tsc-offset",
    "vmx-hlt-exit",
    "vmx-invlpg-exit",
    "vmx-mwait-exit",
    "vmx-rdpmc-exit",
    "vmx-rdtsc-exit",
    "vmx-movdr-exit",
    "vmx-io-exit",
    "vmx-io-bitmap",
    "vmx-monitor-exit",
    "vmx-pause-exit",
];

/// `kvm64`: a CPU of 64 bits with what any host of KVM had.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "kvm64",
    vendor = Vendor::INTEL,
    signature(15, 6, 1),
    levels(0xd, 0x8000_0008),
    model_id = "Common KVM processor"
)]
#[cpu_model(features(PENTIUM_PRO, KVM64_LEAF_1_EDX))]
#[cpu_model(features("pni", "cx16"))]
#[cpu_model(features("syscall", "nx", "lm"))]
#[cpu_model(features(KVM64_VMX_PROCBASED_CTLS, "vmx-cr8-load-exit", "vmx-cr8-store-exit"))]
#[cpu_model(features("vmx-flexpriority"))]
#[cpu_model(features("vmx-intr-exit", "vmx-nmi-exit"))]
#[cpu_model(features("vmx-exit-ack-intr"))]
#[cpu_model(features("vmx-entry-ia32e-mode"))]
#[cpu_model(features("vmx-activity-hlt"))]
pub struct Kvm64;

/// `kvm32`: the same of 32 bits.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "kvm32",
    vendor = Vendor::INTEL,
    signature(15, 6, 1),
    levels(5, 0x8000_0008),
    model_id = "Common 32-bit KVM processor"
)]
#[cpu_model(features(PENTIUM_PRO, KVM64_LEAF_1_EDX))]
#[cpu_model(features("pni"))]
#[cpu_model(features(KVM64_VMX_PROCBASED_CTLS, "vmx-msr-bitmap"))]
#[cpu_model(features("vmx-intr-exit", "vmx-nmi-exit"))]
#[cpu_model(features("vmx-exit-ack-intr"))]
#[cpu_model(features("vmx-entry-ia32e-mode"))]
#[cpu_model(features("vmx-activity-hlt"))]
pub struct Kvm32;
