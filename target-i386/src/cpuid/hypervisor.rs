//! The hypervisor's leaves from 4000_0000h: TCG's signature or KVM's paravirtual interface.
//!
//! Hyper-V enlightenments, which would come first and move KVM's leaves to 4000_0100h, are not
//! there yet.

use super::Leaf;
use super::build::{BuildInput, plain};
use crate::feature::FeatureWord as W;
use crate::source::Accelerator;

const BASE: u32 = 0x4000_0000;
const FEATURES: u32 = 0x4000_0001;
const TIMING: u32 = 0x4000_0010;

/// Frequency of KVM's local APIC timer, in kHz.
const APIC_BUS_KHZ: u32 = 1_000_000;

/// Highest leaf of the range.
pub(super) fn limit(input: &BuildInput<'_>) -> u32 {
    if timing(input).is_some() { TIMING } else { FEATURES }
}

/// Frequency of the time stamp counter in kHz, where it is known and shown (VMware's leaf).
fn timing(input: &BuildInput<'_>) -> Option<u32> {
    let config = input.config;
    let kvm = input.source.accelerator() == Accelerator::Kvm && config.expose_kvm;
    (kvm && config.vmware_cpuid_freq && config.tsc_khz > 0)
        .then(|| u32::try_from(config.tsc_khz).ok())
        .flatten()
}

fn signature(text: [u8; 12]) -> [u32; 3] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = text;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_le_bytes)
}

pub(super) fn leaves(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let config = input.config;
    let (text, show) = match input.source.accelerator() {
        Accelerator::Tcg => (*b"TCGTCGTCGTCG", config.expose_tcg),
        Accelerator::Kvm => (*b"KVMKVMKVM\0\0\0", config.expose_kvm),
    };
    if !show {
        return Vec::new();
    }
    let [ebx, ecx, edx] = signature(text);
    let mut all = vec![(BASE, plain(limit(input), ebx, ecx, edx))];
    if input.source.accelerator() == Accelerator::Kvm {
        all.push((FEATURES, plain(input.word(W::KvmFeatures), 0, 0, input.word(W::KvmHints))));
    }
    if let Some(khz) = timing(input) {
        all.push((TIMING, plain(khz, APIC_BUS_KHZ, 0, 0)));
    }
    all
}
