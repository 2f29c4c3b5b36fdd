//! VMX controls that several models share, by word and by the model that they came with.
//!
//! A later model names all parts that it has; the parts of a word are disjoint.

/// Bits of the VMX word `VmxProcbasedCtls` that came with `coreduo`.
pub(super) const COREDUO_VMX_PROCBASED_CTLS: &[&str] = &[
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
    "vmx-msr-bitmap",
    "vmx-monitor-exit",
    "vmx-pause-exit",
];

/// Bits of the VMX word `VmxProcbasedCtls` that came with `core2duo`.
pub(super) const CORE2DUO_VMX_PROCBASED_CTLS: &[&str] = &[
    "vmx-cr8-load-exit",
    "vmx-cr8-store-exit",
    "vmx-flexpriority",
    "vmx-vnmi-pending",
    "vmx-secondary-ctls",
];

/// Bits of the VMX word `VmxSecondaryCtls` that came with `Nehalem`.
pub(super) const NEHALEM_VMX_SECONDARY_CTLS: &[&str] = &[
    "vmx-apicv-xapic",
    "vmx-ept",
    "vmx-desc-exit",
    "vmx-rdtscp-exit",
    "vmx-apicv-x2apic",
    "vmx-vpid",
    "vmx-wbinvd-exit",
];

/// Bits of the VMX word `VmxPinbasedCtls` that came with `Nehalem`.
pub(super) const NEHALEM_VMX_PINBASED_CTLS: &[&str] =
    &["vmx-intr-exit", "vmx-nmi-exit", "vmx-vnmi", "vmx-preemption-timer"];

/// Bits of the VMX word `VmxExitCtls` that came with `Nehalem`.
pub(super) const NEHALEM_VMX_EXIT_CTLS: &[&str] = &[
    "vmx-exit-nosave-debugctl",
    "vmx-exit-load-perf-global-ctrl",
    "vmx-exit-ack-intr",
    "vmx-exit-save-pat",
    "vmx-exit-load-pat",
    "vmx-exit-save-efer",
    "vmx-exit-load-efer",
    "vmx-exit-save-preemption-timer",
];

/// Bits of the VMX word `VmxEntryCtls` that came with `Nehalem`.
pub(super) const NEHALEM_VMX_ENTRY_CTLS: &[&str] = &[
    "vmx-entry-noload-debugctl",
    "vmx-entry-ia32e-mode",
    "vmx-entry-load-perf-global-ctrl",
    "vmx-entry-load-pat",
    "vmx-entry-load-efer",
];

/// Bits of the VMX word `VmxEptVpidCaps` that came with `Nehalem`.
pub(super) const NEHALEM_VMX_EPT_VPID_CAPS: &[&str] = &[
    "vmx-ept-execonly",
    "vmx-page-walk-4",
    "vmx-ept-wb",
    "vmx-ept-2mb",
    "vmx-ept-1gb",
    "vmx-invept",
    "vmx-invept-all-context",
    "vmx-invvpid",
    "vmx-invvpid-single-addr",
    "vmx-invept-single-context",
    "vmx-invvpid-all-context",
    "vmx-invept-single-context-noglobals",
];

/// Bits of the VMX word `VmxSecondaryCtls` that came with `IvyBridge`.
pub(super) const IVY_BRIDGE_VMX_SECONDARY_CTLS: &[&str] =
    &["vmx-unrestricted-guest", "vmx-apicv-register", "vmx-apicv-vid", "vmx-rdrand-exit"];

/// Bits of the VMX word `VmxSecondaryCtls` that came with `Broadwell`.
pub(super) const BROADWELL_VMX_SECONDARY_CTLS: &[&str] =
    &["vmx-invpcid-exit", "vmx-vmfunc", "vmx-shadow-vmcs", "vmx-rdseed-exit", "vmx-pml"];

/// Bits of the VMX word `VmxSecondaryCtls` that came with `Skylake-Client`.
pub(super) const SKYLAKE_CLIENT_VMX_SECONDARY_CTLS: &[&str] = &[
    "vmx-apicv-xapic",
    "vmx-ept",
    "vmx-desc-exit",
    "vmx-rdtscp-exit",
    "vmx-vpid",
    "vmx-wbinvd-exit",
    "vmx-unrestricted-guest",
    "vmx-rdrand-exit",
];

/// Bits of the VMX word `VmxSecondaryCtls` that came with `Icelake-Server`.
pub(super) const ICELAKE_SERVER_VMX_SECONDARY_CTLS: &[&str] = &[
    "vmx-apicv-x2apic",
    "vmx-apicv-register",
    "vmx-apicv-vid",
    "vmx-invpcid-exit",
    "vmx-vmfunc",
    "vmx-shadow-vmcs",
];
