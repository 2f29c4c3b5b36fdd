//! Leaves that describe caches and TLBs: 2, 4, 8000_0005h, 8000_0006h and 8000_001Dh.

use super::build::{BuildInput, indexed, plain};
use super::{CpuidRegs, Leaf};
use crate::cache::{Cache, CacheKind, Caches};
use crate::topology::{CpuTopology, Level};

pub(super) fn leaves(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let config = input.config;
    if config.host_cache_info {
        return from_host(input);
    }
    let mut all = Vec::new();
    if !(config.vendor_cpuid_only && config.vendor.is_amd()) {
        all.push((2, descriptors(input)));
        all.push((4, deterministic(input)));
    }
    if !(config.vendor_cpuid_only_v2 && config.vendor.is_intel()) {
        all.push((0x8000_0005, level_1(&input.caches.amd)));
    }
    all.push((0x8000_0006, levels_2_and_3(input)));
    all.push((0x8000_001d, amd_deterministic(input)));
    all
}

/// The host's own leaves, with the guest's number of cores and threads in leaf 4.
fn from_host(input: &BuildInput<'_>) -> Vec<(u32, Leaf)> {
    let host = |leaf, subleaf| input.source.host_cpuid(leaf, subleaf);
    let topology = &input.placement.topology;
    let leaf_4: Vec<_> = (0..)
        .map(|subleaf| host(4, subleaf))
        .take(64)
        .take_while(|regs| regs.eax & 0x1f != 0)
        .map(|mut regs| {
            let sharers = 1 + (regs.eax >> 14 & 0xfff);
            regs.eax = regs.eax & !(0x3f << 26) | core_ids(topology) << 26;
            if sharers > input.threads_per_socket() {
                regs.eax = regs.eax & !(0xfff << 14) | sharing_ids(topology, Level::Socket) << 14;
            }
            regs
        })
        .collect();
    let leaf_1d: Vec<_> =
        (0..).map(|i| host(0x8000_001d, i)).take(64).take_while(|regs| regs.eax & 0x1f != 0).collect();
    vec![
        (2, Leaf::Plain(host(2, 0))),
        (4, indexed(&leaf_4)),
        (0x8000_0005, Leaf::Plain(host(0x8000_0005, 0))),
        (0x8000_0006, Leaf::Plain(host(0x8000_0006, 0))),
        (0x8000_001d, indexed(&leaf_1d)),
    ]
}

/// Highest number that the IDs of a unit's threads allow, as leaf 4 wants it (12 bits).
fn sharing_ids(topology: &CpuTopology, level: Level) -> u32 {
    ((1 << topology.offset(level)) - 1).min(4095)
}

/// Highest core ID in a socket (6 bits).
fn core_ids(topology: &CpuTopology) -> u32 {
    ((1 << (topology.offset(Level::Socket) - topology.offset(Level::Core))) - 1).min(63)
}

/// Descriptor of "see leaf 4" (Intel SDM volume 2A, table 3-12).
const SEE_LEAF_4: u32 = 0xff;

/// Descriptors of leaf 2: code, level, kind, KiB, ways, line size. Intel SDM volume 2A, table
/// 3-12, without those that have several lines a sector; 49h is the second level, as on most families.
#[rustfmt::skip]
const DESCRIPTORS: &[(u8, u8, CacheKind, u32, u16, u16)] = {
    use CacheKind::{Data as D, Instruction as I, Unified as U};
    &[
        (0x06, 1, I, 8, 4, 32), (0x08, 1, I, 16, 4, 32), (0x09, 1, I, 32, 4, 64), (0x0a, 1, D, 8, 2, 32),
        (0x0c, 1, D, 16, 4, 32), (0x0d, 1, D, 16, 4, 64), (0x0e, 1, D, 24, 6, 64), (0x1d, 2, U, 128, 2, 64),
        (0x21, 2, U, 256, 8, 64), (0x24, 2, U, 1024, 16, 64), (0x2c, 1, D, 32, 8, 64), (0x30, 1, I, 32, 8, 64),
        (0x41, 2, U, 128, 4, 32), (0x42, 2, U, 256, 4, 32), (0x43, 2, U, 512, 4, 32), (0x44, 2, U, 1024, 4, 32),
        (0x45, 2, U, 2048, 4, 32), (0x46, 3, U, 4096, 4, 64), (0x47, 3, U, 8192, 8, 64), (0x48, 2, U, 3072, 12, 64),
        (0x49, 2, U, 4096, 16, 64),
        (0x4a, 3, U, 6144, 12, 64), (0x4b, 3, U, 8192, 16, 64), (0x4c, 3, U, 12288, 12, 64),
        (0x4d, 3, U, 16384, 16, 64), (0x4e, 2, U, 6144, 24, 64), (0x60, 1, D, 16, 8, 64), (0x66, 1, D, 8, 4, 64),
        (0x67, 1, D, 16, 4, 64), (0x68, 1, D, 32, 4, 64), (0x78, 2, U, 1024, 4, 64), (0x7d, 2, U, 2048, 8, 64),
        (0x7f, 2, U, 512, 2, 64), (0x80, 2, U, 512, 8, 64), (0x82, 2, U, 256, 8, 32), (0x83, 2, U, 512, 8, 32),
        (0x84, 2, U, 1024, 8, 32), (0x85, 2, U, 2048, 8, 32), (0x86, 2, U, 512, 4, 64), (0x87, 2, U, 1024, 8, 64),
        (0xd0, 3, U, 512, 4, 64), (0xd1, 3, U, 1024, 4, 64), (0xd2, 3, U, 2048, 4, 64), (0xd6, 3, U, 1024, 8, 64),
        (0xd7, 3, U, 2048, 8, 64), (0xd8, 3, U, 4096, 8, 64), (0xdc, 3, U, 1536, 12, 64), (0xdd, 3, U, 3072, 12, 64),
        (0xde, 3, U, 6144, 12, 64), (0xe2, 3, U, 2048, 16, 64), (0xe3, 3, U, 4096, 16, 64), (0xe4, 3, U, 8192, 16, 64),
        (0xea, 3, U, 12288, 24, 64), (0xeb, 3, U, 18432, 24, 64), (0xec, 3, U, 24576, 24, 64),
    ]
};

fn descriptor(cache: &Cache) -> Option<u32> {
    let wanted = (cache.level, cache.kind, cache.size, cache.associativity, cache.line_size);
    DESCRIPTORS
        .iter()
        .find(|(_, level, kind, kib, ways, line)| (*level, *kind, kib << 10, *ways, *line) == wanted)
        .map(|(code, ..)| u32::from(*code))
}

fn descriptors(input: &BuildInput<'_>) -> Leaf {
    let config = input.config;
    let caches = &input.caches.leaf_2;
    let codes = [&caches.l1d, &caches.l1i, &caches.l2, &caches.l3].map(descriptor);
    let complete = codes.iter().all(Option::is_some);
    let [l1d, l1i, l2, l3] = codes.map(|code| code.unwrap_or(SEE_LEAF_4));
    let (ecx, edx) = if !config.consistent_cache || config.min_level < 4 && complete {
        (if config.l3_cache { l3 } else { 0 }, l1d << 16 | l1i << 8 | l2)
    } else {
        (0, SEE_LEAF_4)
    };
    // EAX: one call of the leaf tells all.
    plain(1, 0, ecx, edx)
}

/// Leaf 4 and leaf 8000_001Dh but for the numbers of IDs, which each adds.
fn parameters(cache: &Cache) -> CpuidRegs {
    let kind = match cache.kind {
        CacheKind::Data => 1,
        CacheKind::Instruction => 2,
        CacheKind::Unified => 3,
    };
    CpuidRegs {
        eax: kind | u32::from(cache.level) << 5 | u32::from(cache.self_initializing) << 8,
        ebx: u32::from(cache.line_size - 1)
            | u32::from(cache.partitions - 1) << 12
            | u32::from(cache.associativity - 1) << 22,
        ecx: cache.sets - 1,
        edx: u32::from(cache.no_invd_sharing)
            | u32::from(cache.inclusive) << 1
            | u32::from(cache.complex_indexing) << 2,
    }
}

fn deterministic(input: &BuildInput<'_>) -> Leaf {
    let topology = &input.placement.topology;
    let caches = &input.caches.leaf_4;
    let describe = |cache: &Cache, shared: bool| {
        let mut regs = parameters(cache);
        regs.eax |= core_ids(topology) << 26;
        if shared {
            regs.eax |= sharing_ids(topology, cache.shared_by) << 14;
        }
        regs
    };
    let shared_l1 = input.config.l1_cache_per_core;
    let mut all =
        vec![describe(&caches.l1d, shared_l1), describe(&caches.l1i, shared_l1), describe(&caches.l2, true)];
    if input.config.l3_cache {
        all.push(describe(&caches.l3, true));
    }
    indexed(&all)
}

fn amd_deterministic(input: &BuildInput<'_>) -> Leaf {
    let topology = &input.placement.topology;
    let caches = &input.caches.leaf_1d;
    let all = [&caches.l1d, &caches.l1i, &caches.l2, &caches.l3].map(|cache| {
        let mut regs = parameters(cache);
        regs.eax |= sharing_ids(topology, cache.shared_by) << 14;
        if input.config.amd_topoext_features_only {
            // Complex indexing is Intel's.
            regs.edx &= 0b11;
        }
        regs
    });
    indexed(&all)
}

/// TLBs of leaf 8000_0005h: 255 entries, directly mapped, for data and instructions alike.
const LEVEL_1_TLB: u32 = 0x01ff_01ff;

/// TLBs of leaf 8000_0006h for 4 KiB pages: 512 entries, 4 ways, for data and instructions.
const LEVEL_2_TLB: u32 = 0x4200_4200;

fn level_1(caches: &Caches) -> Leaf {
    let describe = |cache: &Cache| {
        (cache.size >> 10) << 24
            | u32::from(cache.associativity) << 16
            | u32::from(cache.lines_per_tag) << 8
            | u32::from(cache.line_size)
    };
    plain(LEVEL_1_TLB, LEVEL_1_TLB, describe(&caches.l1d), describe(&caches.l1i))
}

/// Ways as leaf 8000_0006h encodes them; 0 for numbers that have no code.
const fn ways_code(ways: u16) -> u32 {
    match ways {
        1 => 1,
        2 => 2,
        4 => 4,
        8 => 6,
        16 => 8,
        32 => 0xa,
        48 => 0xb,
        64 => 0xc,
        96 => 0xd,
        128 => 0xe,
        _ => 0,
    }
}

fn levels_2_and_3(input: &BuildInput<'_>) -> Leaf {
    let config = input.config;
    let caches = &input.caches.amd;
    let describe = |cache: &Cache, size: u32| {
        size | ways_code(cache.associativity) << 12
            | u32::from(cache.lines_per_tag) << 8
            | u32::from(cache.line_size)
    };
    let l2 = describe(&caches.l2, (caches.l2.size >> 10) << 16);
    if config.vendor_cpuid_only_v2 && config.vendor.is_intel_like() {
        return plain(0, 0, l2, 0);
    }
    // The third level counts in units of 512 KiB.
    let l3 = if config.l3_cache { describe(&caches.l3, (caches.l3.size >> 19) << 18) } else { 0 };
    plain(0, LEVEL_2_TLB, l2, l3)
}
