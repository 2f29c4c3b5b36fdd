//! KVM on a recorded host, with the corrections that QEMU makes to what KVM reports.
//!
//! `KVM_GET_SUPPORTED_CPUID` under-reports what needs the program's help (HT, TSC deadline),
//! over-reports what is broken or needs an in-kernel interrupt controller, and for MSRs reports
//! encodings rather than features. Each correction says which of these it is.

use std::sync::Arc;

use super::host::HostCpuid;
use super::live::{Live, LiveHost};
use super::{Accelerator, CpuidSource, HostIdentity, Irqchip};
use crate::cpuid::{CpuidRegs, Register};
use crate::feature::{AMD_SHARED, FeatureWord, WordSource, feature};
use crate::vendor::{Signature, Vendor};
use crate::xsave::{ARCHITECTURAL, COMPONENTS, XsaveComponent};

const ARCH_CAPABILITIES: u32 = 0x10a;
const UCODE_REV: u32 = 0x8b;
const VMX_SECONDARY: u32 = 0x48b;

/// KVM on a host.
#[derive(Debug, Clone)]
pub struct Kvm {
    host: HostCpuid,
    irqchip: Irqchip,
    live: Option<Live>,
}

/// The feature's bits as a register.
const fn bits(name: &'static str) -> u32 {
    let [a, b, c, d, ..] = feature(name).mask.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl Kvm {
    /// KVM on a recorded host, with interrupt controllers where the machine has them.
    #[must_use]
    pub fn new(host: HostCpuid, irqchip: Irqchip) -> Self {
        Self { host, irqchip, live: None }
    }

    /// KVM on this host, of which the record says what KVM does. What the processor answers and the frequency of time stamp
    /// counters are asked of the host.
    #[must_use]
    pub fn live(host: HostCpuid, irqchip: Irqchip, live: Arc<dyn LiveHost>) -> Self {
        Self { host, irqchip, live: Some(Live::new(live)) }
    }

    /// The record.
    #[must_use]
    pub fn host(&self) -> &HostCpuid {
        &self.host
    }

    fn raw(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        HostCpuid::find(&self.host.supported, leaf, subleaf)
    }

    fn processor(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        match &self.live {
            Some(live) => live.processor(leaf, subleaf),
            None => HostCpuid::find(&self.host.processor, leaf, subleaf),
        }
    }

    /// Processors whose transactional memory was withdrawn by an erratum.
    fn has_broken_tsx(&self) -> bool {
        let Some(host) = self.host_identity() else { return false };
        let s = host.signature;
        host.vendor.is_intel()
            && s.family() == 6
            && (matches!(s.model(), 60 | 69 | 70) || s.model() == 63 && s.stepping() < 4)
    }

    fn register(&self, leaf: u32, subleaf: u32, register: Register) -> u32 {
        use Register::{Eax, Ebx, Ecx, Edx};
        let value = self.raw(leaf, subleaf)[register];
        let host = || self.processor(leaf, subleaf)[register];
        match (leaf, subleaf, register) {
            // Old KVM forgets the first four; threads are the program's affair.
            (1, _, Edx) => value | bits("mtrr") | bits("pat") | bits("mce") | bits("mca") | bits("ht"),
            (1, _, Ecx) => {
                let mut value = value | bits("hypervisor");
                if self.irqchip == Irqchip::User {
                    value &= !bits("x2apic");
                } else if self.host.tsc_deadline_timer {
                    value |= bits("tsc-deadline");
                }
                value
            }
            // The emulated APIC's timer never stops.
            (6, _, Eax) => value | bits("arat"),
            // Hints about speed need no support.
            (7, 0, Ebx) => {
                let value = value | host() & bits("erms");
                if self.has_broken_tsx() { value & !(bits("rtm") | bits("hle")) } else { value }
            }
            // Some kernels announce the MSR on AMD, where they do not have it.
            (7, 0, Edx) => {
                let value = value | host() & bits("fsrm");
                if self.host.guest_msrs.contains(&ARCH_CAPABILITIES) {
                    value
                } else {
                    value & !bits("arch-capabilities")
                }
            }
            (7, 1, Eax) => value | host() & (bits("fzrm") | bits("fsrs") | bits("fsrc")),
            (7, 2, Edx) => value | host() & bits("mcdt-no"),
            // States that have to be asked for are in no list of KVM's.
            (0xd, 0, Eax) => self.host.guest_xcr0.map_or(value, |xcr0| xcr0 as u32),
            (0xd, 0, Edx) => self.host.guest_xcr0.map_or(value, |xcr0| (xcr0 >> 32) as u32),
            // The program makes the cache leaves consistent itself, which older kernels do not know.
            (0x8000_0001, _, Ecx) => value | bits("topoext"),
            // On Intel KVM follows Intel, which does not repeat leaf 1 here.
            (0x8000_0001, _, Edx) => value | self.register(1, 0, Edx) & AMD_SHARED as u32,
            // Machine checks are injected by the program.
            (0x8000_0007, _, Ebx) => value | bits("overflow-recov") | bits("succor"),
            (0x4000_0001, _, Eax) => match self.irqchip {
                Irqchip::User => value & !bits("kvm-pv-unhalt"),
                Irqchip::Split => value | bits("kvm-msi-ext-dest-id"),
                Irqchip::Kernel => value,
            },
            (0x4000_0001, _, Edx) => value | bits("kvm-hint-dedicated"),
            _ => value,
        }
    }

    fn msr(&self, index: u32) -> u64 {
        let Some(&value) = self.host.feature_msrs.get(&index) else { return 0 };
        match index {
            // Low half: must be 1; high half: may be 1. A feature may be both.
            VMX_SECONDARY | 0x48d..=0x490 => {
                let value = if index == VMX_SECONDARY && !self.host.guest_msrs.contains(&VMX_SECONDARY) {
                    value | self.forgotten_secondary_controls() << 32
                } else {
                    value
                };
                value >> 32 & !(value & 0xffff_ffff)
            }
            // Not being vulnerable is as good as being able to clear buffers.
            ARCH_CAPABILITIES => {
                const IMMUNE: u64 = feature("mds-no").mask
                    | feature("taa-no").mask
                    | feature("sbdr-ssdp-no").mask
                    | feature("fbsdp-no").mask
                    | feature("psdp-no").mask;
                if value & IMMUNE == IMMUNE { value | feature("fb-clear").mask } else { value }
            }
            _ => value,
        }
    }

    /// Controls that go with instructions and that some kernels do not list.
    fn forgotten_secondary_controls(&self) -> u64 {
        let mut mask = 0;
        for (instruction, control) in const {
            [
                (feature("rdrand"), feature("vmx-rdrand-exit")),
                (feature("invpcid"), feature("vmx-invpcid-exit")),
                (feature("rdseed"), feature("vmx-rdseed-exit")),
                (feature("rdtscp"), feature("vmx-rdtscp-exit")),
                (feature("xsaves"), feature("vmx-xsaves")),
            ]
        } {
            if self.supported(instruction.word) & instruction.mask != 0 {
                mask |= control.mask;
            }
        }
        mask
    }
}

impl CpuidSource for Kvm {
    fn accelerator(&self) -> Accelerator {
        Accelerator::Kvm
    }

    fn supported(&self, word: FeatureWord) -> u64 {
        match word.def().source {
            WordSource::Cpuid { leaf, subleaf, register } => {
                self.register(leaf, subleaf.unwrap_or(0), register).into()
            }
            WordSource::Msr { index } => self.msr(index),
        }
    }

    fn supported_cpuid(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        CpuidRegs {
            eax: self.register(leaf, subleaf, Register::Eax),
            ebx: self.register(leaf, subleaf, Register::Ebx),
            ecx: self.register(leaf, subleaf, Register::Ecx),
            edx: self.register(leaf, subleaf, Register::Edx),
        }
    }

    fn host_cpuid(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        self.processor(leaf, subleaf)
    }

    fn host_identity(&self) -> Option<HostIdentity> {
        let id = self.processor(0, 0);
        let mut model_id = [0; 48];
        for (chunk, leaf) in model_id.chunks_exact_mut(16).zip(0x8000_0002..) {
            let r = self.processor(leaf, 0);
            for (bytes, value) in chunk.chunks_exact_mut(4).zip([r.eax, r.ebx, r.ecx, r.edx]) {
                bytes.copy_from_slice(&value.to_le_bytes());
            }
        }
        // A processor without the leaf is an early 64-bit Intel one.
        let phys_bits = match self.processor(0x8000_0000, 0).eax {
            0x8000_0008.. => self.processor(0x8000_0008, 0).eax & 0xff,
            _ => 36,
        };
        Some(HostIdentity {
            vendor: Vendor::from_registers(id.ebx, id.edx, id.ecx),
            signature: Signature::from_eax(self.processor(1, 0).eax & 0x0fff_0fff),
            model_id,
            phys_bits,
        })
    }

    fn xsave_components(&self) -> [XsaveComponent; COMPONENTS] {
        let word = |w| self.supported(w);
        let supported = word(FeatureWord::Xcr0High) << 32
            | word(FeatureWord::Xcr0Low)
            | word(FeatureWord::XssHigh) << 32
            | word(FeatureWord::XssLow);
        let mut components = [XsaveComponent::default(); COMPONENTS];
        components[..2].copy_from_slice(&ARCHITECTURAL[..2]);
        for (i, component) in (0u32..).zip(&mut components).skip(2) {
            if supported >> i & 1 == 1 {
                let host = self.processor(0xd, i);
                if host.eax != 0 {
                    *component = XsaveComponent { size: host.eax, offset: host.ebx, flags: host.ecx };
                }
            }
        }
        components
    }

    fn hyperv_cpuid(&self, leaf: u32) -> Option<CpuidRegs> {
        self.host.hyperv.as_deref().map(|entries| HostCpuid::find(entries, leaf, 0))
    }

    fn irqchip(&self) -> Irqchip {
        self.irqchip
    }

    fn lmce(&self) -> bool {
        self.host.lmce
    }

    fn tsc_khz(&self) -> Option<u32> {
        self.live.as_ref().map_or(self.host.tsc_khz, Live::tsc_khz)
    }

    fn microcode_revision(&self) -> u64 {
        self.msr(UCODE_REV)
    }
}
