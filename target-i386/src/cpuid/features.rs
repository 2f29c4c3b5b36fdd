//! Leaves that hold identity and features: 0, 1, 5 to 7, 9, 0Ah, 0Dh, 12h to 14h, 1Ch to 1Eh,
//! 24h, 29h, 8000_0000h to 8000_0004h, 8000_0007h, 8000_0008h, 8000_000Ah, 8000_001Fh to
//! 8000_0022h and C000_0000h on.

use super::build::{BuildInput, indexed, plain};
use super::{CpuidRegs, Leaf};
use crate::feature::FeatureWord as W;
use crate::source::Accelerator;
use crate::topology::Level;
use crate::xsave::area_size;

/// CLFLUSH line size in units of 8 bytes, in leaf 1 EBX.
const CLFLUSH_QUADWORDS: u32 = 8;

/// MONITOR/MWAIT: extensions are enumerated, and interrupts break MWAIT (leaf 5 ECX).
const MWAIT_EXTENSIONS: u32 = 0b11;

/// Intel Processor Trace as QEMU offers it: one more sub-leaf, CR3 filter, PSB, IP filter and MTC.
const PT: [CpuidRegs; 2] = [
    CpuidRegs { eax: 1, ebx: 0xf, ecx: 0x7, edx: 0 },
    // Two address ranges and MTC periods 0, 3, 6, 9; PSB 2K to 64K and cycle thresholds 0 to 2^11.
    CpuidRegs { eax: 0x0249 << 16 | 2, ebx: 0x003f << 16 | 0x1fff, ecx: 0, edx: 0 },
];

/// AMX palette 1: 8 KiB in 8 tiles of 16 rows of 64 bytes (leaf 1Dh).
const AMX_PALETTE: CpuidRegs =
    CpuidRegs { eax: 0x2000 | 0x400 << 16, ebx: 0x40 | 8 << 16, ecx: 0x10, edx: 0 };

/// AMX multiplier: 16 rows, 64 bytes a column (leaf 1Eh EBX).
const AMX_TMUL: u32 = 0x10 | 0x40 << 8;

pub(super) fn leaves(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let mut all = basic(input);
    all.extend(extended(input));
    all.extend(centaur(input));
    all
}

fn regs(eax: u32, ebx: u32, ecx: u32, edx: u32) -> CpuidRegs {
    CpuidRegs { eax, ebx, ecx, edx }
}

fn basic(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let config = input.config;
    let (vendor_b, vendor_d, vendor_c) = config.vendor.registers();
    let kvm = input.source.accelerator() == Accelerator::Kvm;
    let mut all = vec![
        (0, plain(config.level, vendor_b, vendor_c, vendor_d)),
        (1, signature_leaf(input)),
        (5, plain(0, 0, MWAIT_EXTENSIONS, 0)),
        (6, plain(input.word(W::Leaf6Eax), 0, 0, 0)),
        (7, leaf_7(input)),
        (0xd, leaf_d(input)),
    ];
    if config.pmu {
        let pmu = input.source.supported_cpuid(0xa, 0);
        all.push((0xa, Leaf::Plain(pmu)));
    }
    if kvm && input.has("intel-pt") {
        let mut pt = PT;
        pt[0].ecx |= input.word(W::Leaf14Sub0Ecx);
        all.push((0x14, indexed(&pt)));
    }
    if input.has("arch-lbr") {
        let lbr = input.source.supported_cpuid(0x1c, 0);
        all.push((0x1c, plain(lbr.eax, lbr.ebx, lbr.ecx, 0)));
    }
    if input.has("amx-tile") {
        all.push((0x1d, indexed(&[regs(1, 0, 0, 0), AMX_PALETTE])));
        let highest = input.source.supported_cpuid(0x1e, 0).eax;
        all.push((
            0x1e,
            indexed(&[regs(highest, AMX_TMUL, 0, 0), regs(input.word(W::Leaf1ESub1Eax), 0, 0, 0)]),
        ));
    }
    if input.has("avx10") {
        let highest = u32::from(config.avx10_version >= 2);
        let version = input.word(W::Leaf24Sub0Ebx) | u32::from(config.avx10_version);
        all.push((
            0x24,
            indexed(&[regs(highest, version, 0, 0), regs(0, 0, input.word(W::Leaf24Sub1Ecx), 0)]),
        ));
    }
    if input.has("apxf") {
        all.push((0x29, indexed(&[regs(0, input.word(W::Leaf29Sub0Ebx), 0, 0)])));
    }
    all
}

fn signature_leaf(input: &BuildInput<'_>) -> Leaf {
    let config = input.config;
    let threads = input.threads_per_socket();
    let mut ebx = input.placement.apic_id.0 << 24 | CLFLUSH_QUADWORDS << 8;
    if threads > 1 {
        // Intel wants the number of IDs, AMD that of threads (both in 8 bits).
        let count = if config.vendor.is_intel_like() {
            1 << input.placement.topology.offset(Level::Socket)
        } else {
            threads
        };
        ebx |= count.min(255) << 16;
    }
    let mut ecx = input.word(W::Leaf1Ecx);
    if config.pdcm_without_pmu && !config.pmu {
        ecx &= !(1 << 15);
    }
    plain(config.signature.eax(), ebx, ecx, input.word(W::Leaf1Edx))
}

fn leaf_7(input: &BuildInput<'_>) -> Leaf {
    indexed(&[
        regs(
            input.config.level_func7,
            input.word(W::Leaf7Sub0Ebx),
            input.word(W::Leaf7Sub0Ecx),
            input.word(W::Leaf7Sub0Edx),
        ),
        regs(input.word(W::Leaf7Sub1Eax), 0, input.word(W::Leaf7Sub1Ecx), input.word(W::Leaf7Sub1Edx)),
        regs(0, 0, 0, input.word(W::Leaf7Sub2Edx)),
    ])
}

fn leaf_d(input: &BuildInput<'_>) -> Leaf {
    if !input.has("xsave") {
        return indexed(&[]);
    }
    let components = &input.components;
    let user = input.features().word(W::Xcr0High) << 32 | input.features().word(W::Xcr0Low);
    let supervisor = input.features().word(W::XssHigh) << 32 | input.features().word(W::XssLow);
    let size = area_size(components, user, false);
    let mut subleaves = vec![
        regs(input.word(W::Xcr0Low), size, size, input.word(W::Xcr0High)),
        regs(
            input.word(W::LeafDSub1Eax),
            area_size(components, user | supervisor, true),
            input.word(W::XssLow),
            input.word(W::XssHigh),
        ),
    ];
    subleaves.extend(components.iter().skip(2).map(|c| regs(c.size, c.offset, c.flags, 0)));
    indexed(&subleaves)
}

fn extended(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let config = input.config;
    let (mut vendor_b, mut vendor_d, mut vendor_c) = config.vendor.registers();
    if config.vendor_cpuid_only_v2 && config.vendor.is_intel_like() {
        (vendor_b, vendor_d, vendor_c) = (0, 0, 0);
    }
    let mut all = vec![
        (0x8000_0000, plain(config.xlevel, vendor_b, vendor_c, vendor_d)),
        (
            0x8000_0001,
            plain(config.signature.eax(), 0, input.word(W::Leaf80000001Ecx), input.word(W::Leaf80000001Edx)),
        ),
    ];
    for (leaf, id) in (0x8000_0002..).zip(config.model_id.chunks_exact(16)) {
        let mut words = id.chunks_exact(4).map(|w| w.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)));
        let mut next = || words.next().unwrap_or_default();
        all.push((leaf, plain(next(), next(), next(), next())));
    }
    let machine_check = if config.vendor_cpuid_only_v2 && config.vendor.is_intel() {
        0
    } else {
        input.word(W::Leaf80000007Ebx)
    };
    all.push((0x8000_0007, plain(0, machine_check, 0, input.word(W::Leaf80000007Edx))));
    all.push((0x8000_0008, address_widths(input)));
    if input.has("svm") {
        // Revision 1, 16 address space identifiers.
        all.push((0x8000_000a, plain(1, 16, 0, input.word(W::Leaf8000000AEdx))));
    }
    all.push((
        0x8000_0021,
        plain(
            input.word(W::Leaf80000021Eax),
            input.word(W::Leaf80000021Ebx),
            input.word(W::Leaf80000021Ecx),
            0,
        ),
    ));
    let kvm = input.source.accelerator() == Accelerator::Kvm;
    if kvm && config.pmu && input.has("perfmon-v2") {
        // Bits 3 to 0: number of core counters.
        let counters = input.source.supported_cpuid(0x8000_0022, 0).ebx & 0xf;
        all.push((0x8000_0022, plain(1, counters, 0, 0)));
    }
    all
}

fn address_widths(input: &BuildInput<'_>) -> Leaf {
    let config = input.config;
    let mut eax = input.phys_bits;
    if input.has("lm") {
        let linear = if input.has("la57") { 57 } else { 48 };
        eax |= linear << 8 | input.guest_phys_bits << 16;
    }
    let threads = input.threads_per_socket();
    let ecx = if threads <= 1 || config.vendor_cpuid_only_v2 && config.vendor.is_intel_like() {
        0
    } else {
        input.placement.topology.offset(Level::Socket) << 12 | (threads - 1)
    };
    plain(eax, input.word(W::Leaf80000008Ebx), ecx, 0)
}

fn centaur(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let config = input.config;
    vec![
        (0xc000_0000, plain(config.xlevel2, 0, 0, 0)),
        (0xc000_0001, plain(config.signature.eax(), 0, 0, input.word(W::LeafC0000001Edx))),
    ]
}
