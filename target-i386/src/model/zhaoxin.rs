//! Models of Zhaoxin processors.
//!
//! Source of all figures: `query-cpu-model-expansion` of QEMU 11.1 without an accelerator's defaults
//! (`-accel qtest`), with `vmx=on` and the like for what depends on another feature; least levels
//! with all features off; hidden VMX bits from the Intel SDM, volume 3, appendix A.
//!
//! Caches: what a guest of it reads from leaf 4 with several dies and modules, and, for the lines
//! per tag, from leaves 8000_0005h and 8000_0006h with AMD as the vendor.

use super::CpuModel;
use crate::cache::{
    Cache,
    CacheKind::{Data, Instruction, Unified},
    Caches,
};
use crate::topology::Level;
use crate::vendor::Vendor;

/// Caches of `YongFeng` from version 3 on.
static YONG_FENG_CACHES: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64),
    l1i: Cache::new(1, Instruction, 16, 64),
    l2: Cache::new(2, Unified, 8, 512).lines_per_tag(0).inclusive(),
    l3: Cache::new(3, Unified, 16, 8192).lines_per_tag(0).no_invd_sharing().inclusive().shared_by(Level::Die),
};

/// `YongFeng`: KaiSheng KH-40000, 2022.
#[derive(Debug, CpuModel)]
#[cpu_model(
    name = "YongFeng",
    vendor = Vendor::CENTAUR,
    signature(7, 11, 3),
    levels(0x1f, 0x8000_0008),
    model_id = "Zhaoxin YongFeng Processor"
)]
#[cpu_model(features("fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic"))]
#[cpu_model(features("sep", "mtrr", "pge", "mca", "cmov", "pat", "pse36", "clflush", "acpi"))]
#[cpu_model(features("mmx", "fxsr", "sse", "sse2", "ss"))]
#[cpu_model(features("pni", "pclmulqdq", "monitor", "ssse3", "fma", "cx16", "pcid", "sse4.1"))]
#[cpu_model(features("sse4.2", "x2apic", "movbe", "popcnt", "tsc-deadline", "aes", "xsave"))]
#[cpu_model(features("avx", "f16c", "rdrand"))]
#[cpu_model(features("fsgsbase", "bmi1", "avx2", "smep", "bmi2", "invpcid", "rdseed", "adx"))]
#[cpu_model(features("smap", "sha-ni"))]
#[cpu_model(features("umip", "pku", "rdpid"))]
#[cpu_model(features("spec-ctrl", "arch-capabilities"))]
#[cpu_model(features("syscall", "nx", "pdpe1gb", "rdtscp", "lm"))]
#[cpu_model(features("lahf-lm", "abm", "3dnowprefetch"))]
#[cpu_model(features("invtsc"))]
#[cpu_model(features("xstore", "xstore-en", "xcrypt", "xcrypt-en", "ace2", "phe", "phe-en"))]
#[cpu_model(features("pmm", "pmm-en"))]
#[cpu_model(features("xsaveopt"))]
#[cpu_model(features("rdctl-no", "skip-l1dfl-vmentry", "ssb-no", "mds-no", "pschange-mc-no"))]
#[cpu_model(features("vmx-vintr-pending", "vmx-tsc-offset", "vmx-hlt-exit", "vmx-invlpg-exit"))]
#[cpu_model(features("vmx-mwait-exit", "vmx-rdpmc-exit", "vmx-rdtsc-exit"))]
#[cpu_model(features("vmx-cr3-load-noexit", "vmx-cr3-store-noexit", "vmx-cr8-load-exit"))]
#[cpu_model(features("vmx-cr8-store-exit", "vmx-flexpriority", "vmx-vnmi-pending"))]
#[cpu_model(features("vmx-movdr-exit", "vmx-io-exit", "vmx-io-bitmap", "vmx-mtf"))]
#[cpu_model(features("vmx-msr-bitmap", "vmx-monitor-exit", "vmx-pause-exit"))]
#[cpu_model(features("vmx-secondary-ctls"))]
#[cpu_model(features("vmx-apicv-xapic", "vmx-ept", "vmx-desc-exit", "vmx-rdtscp-exit"))]
#[cpu_model(features("vmx-apicv-x2apic", "vmx-vpid", "vmx-wbinvd-exit"))]
#[cpu_model(features("vmx-unrestricted-guest", "vmx-apicv-register", "vmx-apicv-vid"))]
#[cpu_model(features("vmx-rdrand-exit", "vmx-invpcid-exit", "vmx-vmfunc", "vmx-shadow-vmcs"))]
#[cpu_model(features("vmx-pml"))]
#[cpu_model(features("vmx-intr-exit", "vmx-nmi-exit", "vmx-vnmi", "vmx-preemption-timer"))]
#[cpu_model(features("vmx-posted-intr"))]
#[cpu_model(features("vmx-exit-nosave-debugctl", "vmx-exit-load-perf-global-ctrl"))]
#[cpu_model(features("vmx-exit-host-addr-space-size"))]
#[cpu_model(features("vmx-exit-ack-intr", "vmx-exit-save-pat", "vmx-exit-load-pat"))]
#[cpu_model(features("vmx-exit-save-efer", "vmx-exit-load-efer"))]
#[cpu_model(features("vmx-exit-save-preemption-timer"))]
#[cpu_model(features("vmx-entry-noload-debugctl", "vmx-entry-ia32e-mode"))]
#[cpu_model(features("vmx-entry-load-perf-global-ctrl", "vmx-entry-load-pat"))]
#[cpu_model(features("vmx-entry-load-efer"))]
#[cpu_model(features("vmx-store-lma", "vmx-activity-hlt", "vmx-vmwrite-vmexit-fields"))]
#[cpu_model(features("vmx-ept-execonly", "vmx-page-walk-4", "vmx-ept-wb", "vmx-ept-2mb"))]
#[cpu_model(features("vmx-ept-1gb", "vmx-invept", "vmx-eptad", "vmx-invept-all-context"))]
#[cpu_model(features("vmx-invvpid", "vmx-invvpid-single-addr", "vmx-invept-single-context"))]
#[cpu_model(features("vmx-invvpid-all-context", "vmx-invept-single-context-noglobals"))]
#[cpu_model(features("vmx-ins-outs", "vmx-true-ctls"))]
#[cpu_model(features("vmx-eptp-switching"))]
#[version(2, note = "with the correct model number", model(91))]
#[version(
    3,
    note = "with the cache model and 0x1f leaf",
    cpuid_0x1f(true),
    caches = &YONG_FENG_CACHES
)]
pub struct YongFeng;
