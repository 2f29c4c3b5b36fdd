//! The hypervisor's leaves from 4000_0000h: TCG's signature or KVM's paravirtual interface.
//!
//! Hyper-V's leaves come first where they are shown, and move KVM's to 4000_0100h.

use super::Leaf;
use super::build::{BuildInput, plain};
use super::hyperv;
use crate::feature::FeatureWord as W;
use crate::source::Accelerator;

const BASE: u32 = 0x4000_0000;
/// Where KVM's leaves begin when Hyper-V's are before them.
const SECOND_BASE: u32 = 0x4000_0100;
const TIMING: u32 = 0x4000_0010;

/// Frequency of KVM's local APIC timer, in kHz.
const APIC_BUS_KHZ: u32 = 1_000_000;

/// Whether the guest sees Hyper-V.
fn shows_hyperv(input: &BuildInput<'_>) -> bool {
    input.config.hyperv.active(input.source)
}

/// Highest leaves of the range from 4000_0000h and of that from 4000_0100h.
pub(super) fn limits(input: &BuildInput<'_>) -> (u32, u32) {
    if shows_hyperv(input) {
        let second = if input.config.expose_kvm { SECOND_BASE + 1 } else { 0 };
        (hyperv::limit(&input.config.hyperv), second)
    } else if timing(input).is_some() {
        (TIMING, 0)
    } else {
        (BASE + 1, 0)
    }
}

/// Frequency of the time stamp counter in kHz, where it is known, stays as it is and is shown (VMware's leaf).
fn timing(input: &BuildInput<'_>) -> Option<u32> {
    let config = input.config;
    let kvm = input.source.accelerator() == Accelerator::Kvm && config.expose_kvm;
    let stable = config.user_tsc_khz != 0 || input.has("invtsc");
    (kvm && config.vmware_cpuid_freq && stable && config.tsc_khz > 0 && !shows_hyperv(input))
        .then(|| u32::try_from(config.tsc_khz).ok())
        .flatten()
}

pub(super) fn signature(text: [u8; 12]) -> [u32; 3] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = text;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_le_bytes)
}

pub(super) fn leaves(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let config = input.config;
    let (text, show) = match input.source.accelerator() {
        Accelerator::Tcg => (*b"TCGTCGTCGTCG", config.expose_tcg),
        Accelerator::Kvm => (*b"KVMKVMKVM\0\0\0", config.expose_kvm),
    };
    let (mut all, base, highest) = if shows_hyperv(input) {
        (hyperv::leaves(input), SECOND_BASE, SECOND_BASE + 1)
    } else {
        (Vec::new(), BASE, limits(input).0)
    };
    if !show {
        return all;
    }
    let [ebx, ecx, edx] = signature(text);
    all.push((base, plain(highest, ebx, ecx, edx)));
    if input.source.accelerator() == Accelerator::Kvm {
        all.push((base + 1, plain(input.word(W::KvmFeatures), 0, 0, input.word(W::KvmHints))));
    }
    if let Some(khz) = timing(input) {
        all.push((TIMING, plain(khz, APIC_BUS_KHZ, 0, 0)));
    }
    all
}
