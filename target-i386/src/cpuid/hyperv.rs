//! The leaves from 4000_0000h of a CPU that shows Hyper-V. KVM's own come after them, from 4000_0100h.

use super::build::{BuildInput, plain};
use super::{Leaf, Register};
use crate::hyperv::{
    Enlightenment, LEAF_FEATURES, LEAF_INTERFACE, LEAF_LIMITS, LEAF_NESTED, LEAF_RECOMMENDATIONS,
    LEAF_SYNDBG, LEAF_VENDOR, LEAF_VERSION, NO_NONARCH_CORESHARING, OnOffAuto, Settings,
};

/// Hypercalls: needed for any other feature (features, EAX).
const HYPERCALLS: u32 = 1 << 5;
/// Post messages and signal events: what the synthetic interrupt controller is for (features, EBX).
const MESSAGES: u32 = 1 << 4 | 1 << 5;
/// CPUs may come and go: without it Windows does not take hot-plugged ones (features, EDX).
const DYNAMIC_PARTITIONING: u32 = 1 << 3;
/// Use the APIC's MSRs (recommendations, EAX).
const APIC_BY_MSR: u32 = 1 << 3;
/// The kernel may be debugged (synthetic debugger's capabilities, EAX).
const KERNEL_DEBUGGING: u32 = 1 << 1;

/// Highest leaf.
pub(super) fn limit(settings: &Settings) -> u32 {
    let basic =
        if settings.features.bits(LEAF_NESTED, Register::Eax) == 0 { LEAF_LIMITS } else { LEAF_NESTED };
    if settings.features.has(Enlightenment::Syndbg) { LEAF_SYNDBG + 2 } else { basic }
}

pub(super) fn leaves(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let settings = &input.config.hyperv;
    let bits = |leaf, register| settings.features.bits(leaf, register);
    let has = |one| settings.features.has(one);
    let [vendor_b, vendor_c, vendor_d] = settings.vendor_registers();
    let [interface_a, interface_b, interface_c, interface_d] = settings.interface;
    let version = settings.version;
    let messages = if has(Enlightenment::Synic) { MESSAGES } else { 0 };
    let [limits_b, limits_c, limits_d] = settings.limits;
    let mut all = vec![
        (LEAF_VENDOR, plain(limit(settings), vendor_b, vendor_c, vendor_d)),
        (LEAF_INTERFACE, plain(interface_a, interface_b, interface_c, interface_d)),
        (
            LEAF_VERSION,
            plain(
                version.build,
                u32::from(version.major) << 16 | u32::from(version.minor),
                version.service_pack,
                u32::from(version.service_branch) << 24 | version.service_number & 0xff_ffff,
            ),
        ),
        (
            LEAF_FEATURES,
            plain(
                bits(LEAF_FEATURES, Register::Eax) | HYPERCALLS,
                bits(LEAF_FEATURES, Register::Ebx) | messages,
                0,
                bits(LEAF_FEATURES, Register::Edx) | DYNAMIC_PARTITIONING,
            ),
        ),
        (LEAF_RECOMMENDATIONS, plain(recommendations(input), settings.spinlock_retries, 0, 0)),
        (LEAF_LIMITS, plain(settings.max_vps.cast_unsigned(), limits_b, limits_c, limits_d)),
    ];
    let nested = bits(LEAF_NESTED, Register::Eax);
    if nested != 0 {
        // Those between are there and zero.
        all.extend((LEAF_LIMITS + 1..LEAF_NESTED).map(|leaf| (leaf, plain(0, 0, 0, 0))));
        all.push((LEAF_NESTED, plain(nested, 0, 0, 0)));
    }
    if has(Enlightenment::Syndbg) {
        let [b, c, d] = super::hypervisor::signature(*b"Microsoft VS");
        all.push((LEAF_SYNDBG, plain(0, b, c, d)));
        all.push((LEAF_SYNDBG + 1, plain(u32::from_le_bytes(*b"VS#1"), 0, 0, 0)));
        all.push((LEAF_SYNDBG + 2, plain(KERNEL_DEBUGGING, 0, 0, 0)));
    }
    all
}

fn recommendations(input: &BuildInput<'_>) -> u32 {
    let settings = &input.config.hyperv;
    let mut eax = settings.features.bits(LEAF_RECOMMENDATIONS, Register::Eax);
    // With APIC virtualisation the MSRs would be slower.
    if settings.features.has(Enlightenment::Vapic) && !settings.features.has(Enlightenment::Avic) {
        eax |= APIC_BY_MSR;
    }
    eax | match settings.no_nonarch_coresharing {
        OnOffAuto::On => NO_NONARCH_CORESHARING,
        OnOffAuto::Off => 0,
        OnOffAuto::Auto => {
            let offered = input.source.hyperv_cpuid(LEAF_RECOMMENDATIONS).unwrap_or_default();
            offered.eax & NO_NONARCH_CORESHARING
        }
    }
}
