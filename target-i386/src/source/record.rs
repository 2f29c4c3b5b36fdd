//! Makes a [`HostCpuid`] of this machine through `/dev/kvm`.

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, Msrs, kvm_msr_entry};
use kvm_ioctls::{Cap, Kvm as Device};
use raw_cpuid::native_cpuid::cpuid_count;

use super::host::{CpuidEntry, HostCpuid, HostOrigin};
use crate::cpuid::CpuidRegs;

/// The host cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A request of KVM failed.
    #[error("KVM does not answer {request}")]
    Kvm {
        /// The request.
        request: &'static str,
        /// Why.
        source: kvm_ioctls::Error,
    },
}

fn failed(request: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> RecordError {
    move |source| RecordError::Kvm { request, source }
}

/// Sub-leaves that matter of a leaf that has them.
const fn subleaves(leaf: u32) -> u32 {
    match leaf {
        0x4 | 0x7 | 0x8000_001d => 8,
        0xb | 0x12 | 0x14 | 0x1d | 0x1e | 0x1f | 0x24 | 0x29 => 4,
        0xd => 64,
        _ => 1,
    }
}

/// What this processor answers to CPUID.
#[must_use]
pub fn native_cpuid(leaf: u32, subleaf: u32) -> CpuidRegs {
    let r = cpuid_count(leaf, subleaf);
    CpuidRegs { eax: r.eax, ebx: r.ebx, ecx: r.ecx, edx: r.edx }
}

fn processor() -> Vec<CpuidEntry> {
    let mut entries = Vec::new();
    for base in [0, 0x8000_0000, 0xc000_0000] {
        let last = native_cpuid(base, 0).eax;
        if last < base || last > base + 0xffff {
            continue;
        }
        for leaf in base..=last {
            for subleaf in 0..subleaves(leaf) {
                let regs = native_cpuid(leaf, subleaf);
                if subleaf == 0 || regs != CpuidRegs::default() {
                    entries.push(CpuidEntry { leaf, subleaf, regs });
                }
            }
        }
    }
    entries
}

/// The processor's brand string.
fn brand(entries: &[CpuidEntry]) -> String {
    let bytes: Vec<u8> = (0x8000_0002..=0x8000_0004)
        .map(|leaf| HostCpuid::find(entries, leaf, 0))
        .flat_map(|r| [r.eax, r.ebx, r.ecx, r.edx])
        .flat_map(u32::to_le_bytes)
        .take_while(|byte| *byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

impl HostCpuid {
    /// Records this machine: what KVM says of it, and its processor.
    ///
    /// # Errors
    ///
    /// If a request of KVM fails.
    pub fn record(kvm: &Device) -> Result<Self, RecordError> {
        let processor = processor();
        Ok(Self { description: brand(&processor), processor, ..Self::record_kvm(kvm)? })
    }

    /// Records what KVM says of this machine, and nothing of its processor: for [`Kvm::live`](super::Kvm::live).
    ///
    /// No VM is made. Not recorded, for the program to fill in, is what needs requests that have no safe wrapper, or a
    /// vCPU (the first vCPU of a process ends its chance to ask for further states of guests):
    ///
    /// * [`guest_xcr0`](Self::guest_xcr0): states that a process has to ask for (AMX);
    /// * [`lmce`](Self::lmce): local machine check exceptions;
    /// * [`tsc_khz`](Self::tsc_khz): the frequency of a vCPU's time stamp counter;
    /// * [`hyperv`](Self::hyperv) is concluded from capabilities and MSRs, which miss the newest enlightenments; a
    ///   program that can use `KVM_GET_SUPPORTED_HV_CPUID` replaces it.
    ///
    /// # Errors
    ///
    /// If a request of KVM fails.
    pub fn record_kvm(kvm: &Device) -> Result<Self, RecordError> {
        let supported = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(failed("KVM_GET_SUPPORTED_CPUID"))?
            .as_slice()
            .iter()
            .map(|e| CpuidEntry {
                leaf: e.function,
                subleaf: e.index,
                regs: CpuidRegs { eax: e.eax, ebx: e.ebx, ecx: e.ecx, edx: e.edx },
            })
            .collect();
        let guest_msrs =
            kvm.get_msr_index_list().map_err(failed("KVM_GET_MSR_INDEX_LIST"))?.as_slice().to_vec();
        let mut feature_msrs = std::collections::BTreeMap::new();
        // Kernels before 4.16 have none; a listed one may be unreadable, which means it is not there.
        if let Ok(list) = kvm.get_msr_feature_index_list() {
            for &index in list.as_slice() {
                let Ok(mut msrs) = Msrs::from_entries(&[kvm_msr_entry { index, ..Default::default() }])
                else {
                    continue;
                };
                if kvm.get_msrs(&mut msrs).is_ok_and(|n| n == 1) {
                    feature_msrs.extend(msrs.as_slice().iter().map(|e| (e.index, e.data)));
                }
            }
        }
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Ok(Self {
            format: Self::FORMAT,
            origin: HostOrigin::Recorded,
            description: String::new(),
            kernel: kernel.trim().to_owned(),
            supported,
            hyperv: super::hyperv_caps::leaves(kvm, &guest_msrs),
            processor: Vec::new(),
            feature_msrs,
            guest_msrs,
            tsc_deadline_timer: kvm.check_extension(Cap::TscDeadlineTimer),
            guest_xcr0: None,
            lmce: false,
            tsc_khz: None,
        })
    }
}
