//! A vCPU's architectural state at power-on, and how to get back to it.
//!
//! A new vCPU comes from the kernel in its reset state, so little is written to it. A
//! vCPU that has run, at a machine reset or when a parked one is taken again, gets the state
//! that the VM's first vCPU was seen to have before it ran ([`PowerOnState`]), with what differs by role, and
//! MSRs from the tables below. Where a host lacks an interface the part stays as it was;
//! [`super::Capabilities`] says so.
//!
//! A boot CPU that starts in a kernel has the registers of a [`CpuEntry`] on top of that.
//!
//! Sources: Intel SDM vol. 3, 11.1.1 (processor state after reset, table 11-1), 12.4.7.1 (local
//! APIC state after reset); Linux, `Documentation/virt/kvm/x86/msr.rst`.

use kvm_bindings::{
    KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_UNINITIALIZED, KVM_VCPUEVENT_VALID_NMI_PENDING,
    KVM_VCPUEVENT_VALID_SHADOW, KVM_VCPUEVENT_VALID_SIPI_VECTOR, KVM_VCPUEVENT_VALID_SMM, Msrs,
    kvm_debugregs, kvm_fpu, kvm_lapic_state, kvm_mp_state, kvm_msr_entry, kvm_regs, kvm_sregs,
    kvm_vcpu_events, kvm_xcr, kvm_xcrs,
};
use kvm_ioctls::{Cap, Kvm};

use super::caps::Capabilities;
use super::error::VcpuError;
use super::vcpu::{VcpuConfig, VcpuId};
use crate::boot::CpuEntry;
use crate::raw::RawVcpu;

const APIC_BASE_BSP: u64 = 1 << 8;
const LAPIC_ID: usize = 0x20;
const LAPIC_LVT_LINT0: usize = 0x350;
const LVT_MASKED: u32 = 1 << 16;
const LVT_EXTINT: u32 = 7 << 8;

/// MSRs with a power-on value other than 0.
const MSR_VALUES: &[(u32, u64)] = &[
    (0x1a0, 1),                     // IA32_MISC_ENABLE: fast strings
    (0x277, 0x0007_0406_0007_0406), // IA32_PAT
    (0x4b56_4d05, 1),               // MSR_KVM_POLL_CONTROL: host polls before HLT
];

/// MSRs whose power-on value is 0 and whose content would outlive a reset.
const MSR_ZEROES: &[u32] = &[
    0x10,
    0x3a,
    0x3b,
    0x48,
    0x17a,
    0x1d9,
    0x2ff,
    0x6e0,
    0xd90,
    0xda0, // TSC … XSS
    0x174,
    0x175,
    0x176, // SYSENTER
    0x11,
    0x12,
    0x4b56_4d00,
    0x4b56_4d01,
    0x4b56_4d02,
    0x4b56_4d03,
    0x4b56_4d04, // KVM's own
    0x200,
    0x201,
    0x202,
    0x203,
    0x204,
    0x205,
    0x206,
    0x207, // variable MTRRs
    0x208,
    0x209,
    0x20a,
    0x20b,
    0x20c,
    0x20d,
    0x20e,
    0x20f, //
    0x250,
    0x258,
    0x259,
    0x268,
    0x269,
    0x26a,
    0x26b,
    0x26c,
    0x26d,
    0x26e,
    0x26f, // fixed MTRRs
    0xc000_0081,
    0xc000_0082,
    0xc000_0083,
    0xc000_0084, // STAR … FMASK
    0xc000_0102,
    0xc000_0103, // KERNEL_GS_BASE, TSC_AUX
    0x4000_0000,
    0x4000_0001, // Hyper-V guest id and hypercall page
];

/// The MSRs of the tables above that this host has.
pub(super) fn reset_msrs(kvm: &Kvm) -> Vec<kvm_msr_entry> {
    let known = match kvm.get_msr_index_list() {
        Ok(list) => list.as_slice().to_vec(),
        Err(_) => return Vec::new(),
    };
    let zeroes = MSR_ZEROES.iter().map(|index| (*index, 0));
    let all = MSR_VALUES.iter().copied().chain(zeroes);
    all.filter(|(index, _)| known.contains(index)).map(|(index, data)| msr(index, data)).collect()
}

fn msr(index: u32, data: u64) -> kvm_msr_entry {
    kvm_msr_entry { index, data, ..kvm_msr_entry::default() }
}

/// What the VM's first vCPU looked like before it ran.
#[derive(Clone)]
pub(super) struct PowerOnState {
    regs: kvm_regs,
    sregs: kvm_sregs,
    lapic: kvm_lapic_state,
}

impl PowerOnState {
    pub(super) fn capture(vcpu: &RawVcpu, id: VcpuId) -> Result<Self, VcpuError> {
        let fd = vcpu.fd();
        Ok(Self {
            regs: fd.get_regs().map_err(VcpuError::ioctl(id, "KVM_GET_REGS"))?,
            sregs: fd.get_sregs().map_err(VcpuError::ioctl(id, "KVM_GET_SREGS"))?,
            lapic: fd.get_lapic().map_err(VcpuError::ioctl(id, "KVM_GET_LAPIC"))?,
        })
    }
}

/// Processor signature, which RDX holds after reset: CPUID leaf 1, EAX.
fn signature(config: &VcpuConfig) -> u64 {
    let leaf = config.cpuid.as_slice().iter().find(|e| e.function == 1);
    leaf.map_or(0x600, |e| e.eax.into())
}

/// What a new vCPU lacks. Each call costs a hot-added CPU time, so what the kernel sets by itself is left alone: all but the
/// first wait for INIT from the start, and INIT sets their registers, the signature included.
pub(super) fn initialise(
    vcpu: &RawVcpu,
    config: &VcpuConfig,
    power_on: &PowerOnState,
    entry: Option<&CpuEntry>,
) -> Result<(), VcpuError> {
    if let Some(entry) = entry.filter(|_| config.boot) {
        let sregs = entry.system(&power_on.sregs);
        vcpu.fd().set_sregs(&sregs).map_err(VcpuError::ioctl(config.id, "KVM_SET_SREGS"))?;
    }
    if config.boot {
        set_regs(vcpu, config, power_on, entry)?;
        set_mp_state(vcpu, config)?;
    }
    // Without this the kernel's table of destinations does not get to know the new APIC, and the
    // interrupts that start it are lost.
    set_lapic(vcpu, config, power_on)?;
    set_msrs(vcpu, config)
}

fn set_lapic(vcpu: &RawVcpu, config: &VcpuConfig, power_on: &PowerOnState) -> Result<(), VcpuError> {
    let mut lapic = power_on.lapic;
    let lint0 = if config.boot { LVT_EXTINT } else { LVT_MASKED };
    put_lapic(&mut lapic, LAPIC_LVT_LINT0, lint0);
    put_lapic(&mut lapic, LAPIC_ID, config.id.0 << 24);
    vcpu.fd().set_lapic(&lapic).map_err(VcpuError::ioctl(config.id, "KVM_SET_LAPIC"))
}

fn set_regs(
    vcpu: &RawVcpu,
    config: &VcpuConfig,
    power_on: &PowerOnState,
    entry: Option<&CpuEntry>,
) -> Result<(), VcpuError> {
    let mut regs = kvm_regs { rdx: signature(config), ..power_on.regs };
    if let Some(entry) = entry.filter(|_| config.boot) {
        regs = entry.general(&regs);
    }
    vcpu.fd().set_regs(&regs).map_err(VcpuError::ioctl(config.id, "KVM_SET_REGS"))
}

/// Brings a vCPU that may have run back to power-on.
pub(super) fn reset(
    vcpu: &RawVcpu,
    config: &VcpuConfig,
    power_on: &PowerOnState,
    entry: Option<&CpuEntry>,
    msrs: &[kvm_msr_entry],
    caps: &Capabilities,
) -> Result<(), VcpuError> {
    let id = config.id;
    let fd = vcpu.fd();
    // Reading the state makes the kernel take pending INITs and SIPIs, which would otherwise
    // start the vCPU at a vector of its former life.
    let _ = fd.get_mp_state();
    let mut sregs = power_on.sregs;
    sregs.apic_base &= !APIC_BASE_BSP;
    if config.boot {
        sregs.apic_base |= APIC_BASE_BSP;
    }
    // Linux (seen with 6.1 on SVM) forgets the root of its nested page tables when a vCPU shuts
    // down with paging off, and loops on page faults ever after. A change of CR3 makes it look.
    let other_cr3 = kvm_sregs { cr3: sregs.cr3 ^ 0x1000, ..sregs };
    fd.set_sregs(&other_cr3).map_err(VcpuError::ioctl(id, "KVM_SET_SREGS"))?;
    // The APIC's mode is part of sregs and decides how the next state is read.
    fd.set_sregs(&sregs).map_err(VcpuError::ioctl(id, "KVM_SET_SREGS"))?;
    set_lapic(vcpu, config, power_on)?;
    if let Some(entry) = entry.filter(|_| config.boot) {
        // After the APIC's mode, which the first look decided.
        fd.set_sregs(&entry.system(&sregs)).map_err(VcpuError::ioctl(id, "KVM_SET_SREGS"))?;
    }
    set_regs(vcpu, config, power_on, entry)?;
    let fpu = kvm_fpu { fcw: 0x37f, mxcsr: 0x1f80, ..kvm_fpu::default() };
    fd.set_fpu(&fpu).map_err(VcpuError::ioctl(id, "KVM_SET_FPU"))?;
    reset_optional(vcpu, caps);
    write_msrs(vcpu, msrs, |_| {});
    set_msrs(vcpu, config)?;
    set_mp_state(vcpu, config)
}

/// Parts whose interface a host may lack or refuse; see the module's text.
fn reset_optional(vcpu: &RawVcpu, caps: &Capabilities) {
    let fd = vcpu.fd();
    let report = |what, result: Result<(), vmm_sys_util::errno::Error>| {
        if let Err(error) = result {
            tracing::debug!("{what} at reset: {error}");
        }
    };
    if caps.has(Cap::Xcrs) {
        let mut xcrs = kvm_xcrs { nr_xcrs: 1, ..kvm_xcrs::default() };
        xcrs.xcrs[0] = kvm_xcr { xcr: 0, value: 1, ..kvm_xcr::default() };
        report("KVM_SET_XCRS", fd.set_xcrs(&xcrs));
    }
    if caps.has(Cap::Xsave) {
        report("KVM_SET_XSAVE", vcpu.init_xsave());
    }
    if caps.has(Cap::Debugregs) {
        let debug = kvm_debugregs { dr6: 0xffff_0ff0, dr7: 0x400, ..kvm_debugregs::default() };
        report("KVM_SET_DEBUGREGS", fd.set_debug_regs(&debug));
    }
    if caps.has(Cap::VcpuEvents) {
        let mut flags =
            KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_SHADOW;
        if caps.has(Cap::X86Smm) {
            flags |= KVM_VCPUEVENT_VALID_SMM;
        }
        let events = kvm_vcpu_events { flags, ..kvm_vcpu_events::default() };
        report("KVM_SET_VCPU_EVENTS", fd.set_vcpu_events(&events));
    }
}

fn put_lapic(lapic: &mut kvm_lapic_state, register: usize, value: u32) {
    for (to, from) in lapic.regs[register..].iter_mut().zip(value.to_le_bytes()) {
        *to = i8::from_ne_bytes([from]);
    }
}

fn set_mp_state(vcpu: &RawVcpu, config: &VcpuConfig) -> Result<(), VcpuError> {
    let mp_state = if config.boot { KVM_MP_STATE_RUNNABLE } else { KVM_MP_STATE_UNINITIALIZED };
    vcpu.fd().set_mp_state(kvm_mp_state { mp_state }).map_err(VcpuError::ioctl(config.id, "KVM_SET_MP_STATE"))
}

/// The MSRs that the CPU's description gives: each must be taken.
fn set_msrs(vcpu: &RawVcpu, config: &VcpuConfig) -> Result<(), VcpuError> {
    let entries: Vec<_> = config.msrs.iter().map(|(index, value)| msr(*index, *value)).collect();
    let mut refused = None;
    write_msrs(vcpu, &entries, |entry| refused = refused.or(Some((entry.index, entry.data))));
    match refused {
        Some((index, value)) => Err(VcpuError::Msr { id: config.id, index, value }),
        None => Ok(()),
    }
}

/// Writes what can be written. The kernel stops at the first MSR it refuses: that one is reported
/// and the rest tried.
fn write_msrs(vcpu: &RawVcpu, mut entries: &[kvm_msr_entry], mut refused: impl FnMut(&kvm_msr_entry)) {
    while !entries.is_empty() {
        let Ok(msrs) = Msrs::from_entries(entries) else { return entries.iter().for_each(refused) };
        let done = vcpu.fd().set_msrs(&msrs).unwrap_or(0).min(entries.len());
        entries = &entries[done..];
        if let Some((first, rest)) = entries.split_first() {
            refused(first);
            entries = rest;
        }
    }
}
