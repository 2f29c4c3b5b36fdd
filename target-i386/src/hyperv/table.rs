//! The enlightenments: name, bits and needs of each.

use std::fmt;

use super::{LEAF_FEATURES, LEAF_NESTED, LEAF_RECOMMENDATIONS};
use crate::cpuid::Register::{self, Eax, Edx};

/// An enlightenment, in the order in which QEMU checks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "each variant is the property of its name; the table describes it")]
pub enum Enlightenment {
    Relaxed,
    Vapic,
    Time,
    Crash,
    Reset,
    Vpindex,
    Runtime,
    Synic,
    Stimer,
    Frequencies,
    Reenlightenment,
    Tlbflush,
    Evmcs,
    Ipi,
    StimerDirect,
    Avic,
    Syndbg,
    EmsrBitmap,
    XmmInput,
    TlbflushExt,
    TlbflushDirect,
}

impl Enlightenment {
    /// Its row of the table.
    #[must_use]
    pub fn def(self) -> &'static EnlightenmentDef {
        &ENLIGHTENMENTS[self as usize]
    }
}

/// As messages call it: the description, and the properties' names in parentheses.
impl fmt::Display for Enlightenment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let def = self.def();
        write!(f, "{} (", def.description)?;
        for (i, name) in def.names.iter().enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { "/" })?;
        }
        f.write_str(")")
    }
}

/// What an enlightenment is.
#[derive(Debug, Clone, Copy)]
pub struct EnlightenmentDef {
    /// Which one.
    pub which: Enlightenment,
    /// Names of its property.
    pub names: &'static [&'static str],
    /// What it is, in messages.
    pub description: &'static str,
    /// The bits that show it: leaf, register, bits.
    pub flags: &'static [(u32, Register, u32)],
    /// What it needs.
    pub needs: &'static [Enlightenment],
    /// `hv-passthrough` takes it from KVM.
    pub passed_through: bool,
}

const fn row(
    which: Enlightenment,
    names: &'static [&'static str],
    description: &'static str,
    flags: &'static [(u32, Register, u32)],
) -> EnlightenmentDef {
    EnlightenmentDef { which, names, description, flags, needs: &[], passed_through: true }
}

impl EnlightenmentDef {
    const fn needs(mut self, needs: &'static [Enlightenment]) -> Self {
        self.needs = needs;
        self
    }

    const fn not_passed_through(mut self) -> Self {
        self.passed_through = false;
        self
    }
}

/// Hypercalls with sparse sets of CPUs, which flushes and interrupts use.
const PROCESSOR_MASKS: u32 = 1 << 11;

/// All of them, indexed by [`Enlightenment`].
pub static ENLIGHTENMENTS: &[EnlightenmentDef] = {
    use Enlightenment as E;
    const F: u32 = LEAF_FEATURES;
    const R: u32 = LEAF_RECOMMENDATIONS;
    const N: u32 = LEAF_NESTED;
    &[
        row(E::Relaxed, &["hv-relaxed"], "relaxed timing", &[(R, Eax, 1 << 5)]),
        row(E::Vapic, &["hv-vapic"], "virtual APIC", &[(F, Eax, 1 << 4)]),
        // The reference counter and the reference TSC page.
        row(E::Time, &["hv-time"], "clocksources", &[(F, Eax, 1 << 1 | 1 << 9)]),
        row(E::Crash, &["hv-crash"], "crash MSRs", &[(F, Edx, 1 << 10)]),
        row(E::Reset, &["hv-reset"], "reset MSR", &[(F, Eax, 1 << 7)]),
        row(E::Vpindex, &["hv-vpindex"], "VP_INDEX MSR", &[(F, Eax, 1 << 6)]),
        row(E::Runtime, &["hv-runtime"], "VP_RUNTIME MSR", &[(F, Eax, 1)]),
        row(E::Synic, &["hv-synic"], "synthetic interrupt controller", &[(F, Eax, 1 << 2)]),
        row(E::Stimer, &["hv-stimer"], "synthetic timers", &[(F, Eax, 1 << 3)]).needs(&[E::Time, E::Synic]),
        row(E::Frequencies, &["hv-frequencies"], "frequency MSRs", &[(F, Eax, 1 << 11), (F, Edx, 1 << 8)]),
        row(E::Reenlightenment, &["hv-reenlightenment"], "reenlightenment MSRs", &[(F, Eax, 1 << 13)]),
        row(
            E::Tlbflush,
            &["hv-tlbflush"],
            "paravirtualized TLB flush",
            &[(R, Eax, 1 << 2 | PROCESSOR_MASKS)],
        )
        .needs(&[E::Vpindex]),
        row(E::Evmcs, &["hv-evmcs"], "enlightened VMCS", &[(R, Eax, 1 << 14)]).needs(&[E::Vapic]),
        row(E::Ipi, &["hv-ipi"], "paravirtualized IPI", &[(R, Eax, 1 << 10 | PROCESSOR_MASKS)])
            .needs(&[E::Vpindex]),
        row(E::StimerDirect, &["hv-stimer-direct"], "direct mode synthetic timers", &[(F, Edx, 1 << 19)])
            .needs(&[E::Stimer]),
        row(E::Avic, &["hv-avic", "hv-apicv"], "AVIC/APICv support", &[(R, Eax, 1 << 9)]),
        row(E::Syndbg, &["hv-syndbg"], "Enable synthetic kernel debugger channel", &[(F, Edx, 1 << 11)])
            .needs(&[E::Relaxed, E::Synic])
            .not_passed_through(),
        row(E::EmsrBitmap, &["hv-emsr-bitmap"], "enlightened MSR-Bitmap", &[(N, Eax, 1 << 19)]),
        row(E::XmmInput, &["hv-xmm-input"], "XMM fast hypercall input", &[(F, Edx, 1 << 4)]),
        row(
            E::TlbflushExt,
            &["hv-tlbflush-ext"],
            "Extended gva ranges for TLB flush hypercalls",
            &[(F, Edx, 1 << 14)],
        )
        .needs(&[E::Tlbflush]),
        row(E::TlbflushDirect, &["hv-tlbflush-direct"], "direct TLB flush", &[(N, Eax, 1 << 17)])
            .needs(&[E::Vapic]),
    ]
};
