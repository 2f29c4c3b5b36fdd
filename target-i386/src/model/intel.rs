//! Models of Intel processors.
//!
//! Source of all figures: `query-cpu-model-expansion` of QEMU 11.1, once as it stands and once
//! with `vmx=on` for the VMX controls; hidden VMX bits from the Intel SDM, volume 3, appendix A.

use super::CpuModel;
use crate::vendor::Vendor;

/// Features of CPUID leaf 1 EDX that the 64-bit Core processors share.
const CORE_LEAF_1_EDX: &[&str] = &[
    "vme", "sse2", "sse", "fxsr", "mmx", "clflush", "pse36", "pat", "cmov", "mca", "pge", "mtrr", "sep",
    "apic", "cx8", "mce", "pae", "msr", "tsc", "pse", "de", "fpu",
];

/// `Haswell`: Core of the fourth generation, 2013.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "Haswell",
    vendor = Vendor::INTEL,
    signature(6, 60, 4),
    levels(0xd, 0x8000_0008),
    model_id = "Intel Core Processor (Haswell)"
)]
#[cpu_model(features(CORE_LEAF_1_EDX))]
#[cpu_model(features(
    "avx",
    "xsave",
    "aes",
    "popcnt",
    "x2apic",
    "sse4.2",
    "sse4.1",
    "cx16",
    "ssse3",
    "pclmulqdq",
    "pni",
    "tsc-deadline",
    "fma",
    "movbe",
    "pcid",
    "f16c",
    "rdrand"
))]
#[cpu_model(features("lm", "rdtscp", "nx", "syscall", "abm", "lahf-lm"))]
#[cpu_model(features("fsgsbase", "bmi1", "hle", "avx2", "smep", "bmi2", "erms", "invpcid", "rtm"))]
#[cpu_model(features("xsaveopt", "arat"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls", "vmx-eptp-switching"))]
#[cpu_model(features(
    "vmx-intr-exit",
    "vmx-nmi-exit",
    "vmx-vnmi",
    "vmx-preemption-timer",
    "vmx-posted-intr"
))]
#[cpu_model(features(
    "vmx-vintr-pending",
    "vmx-tsc-offset",
    "vmx-hlt-exit",
    "vmx-invlpg-exit",
    "vmx-mwait-exit",
    "vmx-rdpmc-exit",
    "vmx-rdtsc-exit",
    "vmx-cr3-load-noexit",
    "vmx-cr3-store-noexit",
    "vmx-cr8-load-exit",
    "vmx-cr8-store-exit",
    "vmx-flexpriority",
    "vmx-vnmi-pending",
    "vmx-movdr-exit",
    "vmx-io-exit",
    "vmx-io-bitmap",
    "vmx-mtf",
    "vmx-msr-bitmap",
    "vmx-monitor-exit",
    "vmx-pause-exit",
    "vmx-secondary-ctls"
))]
#[cpu_model(features(
    "vmx-apicv-xapic",
    "vmx-ept",
    "vmx-desc-exit",
    "vmx-rdtscp-exit",
    "vmx-apicv-x2apic",
    "vmx-vpid",
    "vmx-wbinvd-exit",
    "vmx-unrestricted-guest",
    "vmx-apicv-register",
    "vmx-apicv-vid",
    "vmx-rdrand-exit",
    "vmx-invpcid-exit",
    "vmx-vmfunc",
    "vmx-shadow-vmcs"
))]
#[cpu_model(features(
    "vmx-entry-noload-debugctl",
    "vmx-entry-ia32e-mode",
    "vmx-entry-load-perf-global-ctrl",
    "vmx-entry-load-pat",
    "vmx-entry-load-efer"
))]
#[cpu_model(features(
    "vmx-exit-nosave-debugctl",
    "vmx-exit-load-perf-global-ctrl",
    "vmx-exit-ack-intr",
    "vmx-exit-save-pat",
    "vmx-exit-load-pat",
    "vmx-exit-save-efer",
    "vmx-exit-load-efer",
    "vmx-exit-save-preemption-timer"
))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features(
    "vmx-ept-execonly",
    "vmx-page-walk-4",
    "vmx-ept-wb",
    "vmx-ept-2mb",
    "vmx-ept-1gb",
    "vmx-invept",
    "vmx-eptad",
    "vmx-invept-single-context",
    "vmx-invept-all-context",
    "vmx-invvpid",
    "vmx-invvpid-single-addr",
    "vmx-invvpid-all-context",
    "vmx-invept-single-context-noglobals"
))]
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
    stepping(4),
    on("hle", "rtm", "spec-ctrl"),
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
