//! A copy of a vCPU's registers.

use kvm_bindings::{
    KVM_MP_STATE_HALTED, kvm_debugregs, kvm_fpu, kvm_regs, kvm_segment, kvm_sregs, kvm_vcpu_events,
};

use crate::kvm::{Vcpu, VcpuError};

/// IA32_KERNEL_GS_BASE.
const KERNEL_GS_BASE: u32 = 0xc000_0102;
/// Where the upper halves of YMM registers lie in an XSAVE area (SDM vol. 1, 13.4.3: the standard format's first extension).
const YMM_HIGH: usize = 576;
/// Where MXCSR lies in it (SDM vol. 1, table 10-2).
const MXCSR: usize = 24;
/// XCR0's bit of the upper halves.
const XCR0_YMM: u64 = 1 << 2;

/// All registers that are shown, at one time.
#[derive(Debug, Clone)]
pub(crate) struct CpuSnapshot {
    pub(crate) general: kvm_regs,
    pub(crate) system: kvm_sregs,
    pub(crate) debug: kvm_debugregs,
    pub(crate) fpu: kvm_fpu,
    pub(crate) events: kvm_vcpu_events,
    /// Upper halves of the YMM registers, where XCR0 has them and the host tells.
    pub(crate) ymm_high: Option<[u128; 16]>,
    pub(crate) kernel_gs_base: u64,
    pub(crate) halted: bool,
}

impl CpuSnapshot {
    /// Asks a vCPU, on its thread.
    ///
    /// # Errors
    /// The vCPU has ended, or KVM does not tell its general and system registers. What else a host does not tell is as at
    /// power-on.
    pub(crate) fn take(vcpu: &Vcpu) -> Result<Self, VcpuError> {
        let id = vcpu.config().id;
        vcpu.on_thread(move |raw| {
            let fd = raw.fd();
            let xcrs = fd.get_xcrs().ok().filter(|xcrs| xcrs.nr_xcrs > 0);
            let xcr0 = xcrs.map_or(1, |xcrs| xcrs.xcrs[0].value);
            let xsave = fd.get_xsave().ok();
            let power_on = kvm_fpu { fcw: 0x37f, mxcsr: 0x1f80, ..kvm_fpu::default() };
            let mut fpu = fd.get_fpu().unwrap_or(power_on);
            // KVM_GET_FPU leaves it out.
            fpu.mxcsr = xsave.as_ref().map_or(power_on.mxcsr, |xsave| xsave.region[MXCSR / 4]);
            let mut kernel_gs_base = kvm_bindings::Msrs::from_entries(&[kvm_bindings::kvm_msr_entry {
                index: KERNEL_GS_BASE,
                ..Default::default()
            }])
            .ok();
            let kernel_gs_base = kernel_gs_base.as_mut().and_then(|msrs| {
                let read = fd.get_msrs(msrs).ok()?;
                msrs.as_slice().get(..read)?.first().map(|msr| msr.data)
            });
            Ok(Self {
                general: fd.get_regs().map_err(VcpuError::ioctl(id, "KVM_GET_REGS"))?,
                system: fd.get_sregs().map_err(VcpuError::ioctl(id, "KVM_GET_SREGS"))?,
                debug: fd.get_debug_regs().unwrap_or_default(),
                fpu,
                events: fd.get_vcpu_events().unwrap_or_default(),
                ymm_high: xsave.filter(|_| xcr0 & XCR0_YMM != 0).map(|xsave| upper_halves(&xsave.region)),
                kernel_gs_base: kernel_gs_base.unwrap_or(0),
                halted: fd.get_mp_state().is_ok_and(|state| state.mp_state == KVM_MP_STATE_HALTED),
            })
        })?
    }

    /// Whether it runs 64-bit code: the code segment's L bit counts in long mode only.
    pub(crate) fn is_64_bit(&self) -> bool {
        self.is_long_mode() && self.system.cs.l != 0
    }

    /// Whether IA32_EFER.LMA is set.
    pub(crate) fn is_long_mode(&self) -> bool {
        self.system.efer & 1 << 10 != 0
    }

    /// The linear address of the next instruction.
    pub(crate) fn linear_ip(&self) -> u64 {
        if self.is_64_bit() {
            self.general.rip
        } else {
            self.system.cs.base.wrapping_add(self.general.rip) & 0xffff_ffff
        }
    }
}

fn upper_halves(area: &[u32]) -> [u128; 16] {
    let mut registers = [0; 16];
    for (register, words) in registers.iter_mut().zip(area[YMM_HIGH / 4..].chunks_exact(4)) {
        *register = words.iter().rev().fold(0, |value, word| value << 32 | u128::from(*word));
    }
    registers
}

/// A segment's attributes where a descriptor's second word has them: bits 8 to 15 and 20 to 23. 0 for a null selector's.
pub(crate) fn attributes(segment: &kvm_segment) -> u32 {
    let bit = |value: u8, at: u32| u32::from(value != 0) << at;
    if segment.unusable != 0 {
        return 0;
    }
    u32::from(segment.type_ & 15) << 8
        | bit(segment.s, 12)
        | u32::from(segment.dpl & 3) << 13
        | bit(segment.present, 15)
        | bit(segment.avl, 20)
        | bit(segment.l, 21)
        | bit(segment.db, 22)
        | bit(segment.g, 23)
}
