//! Caches of a CPU, as CPUID leaves 2, 4, 8000_0005h, 8000_0006h and 8000_001Dh describe them.

mod legacy;

pub use legacy::{LEGACY_AMD, LEGACY_INTEL, LEGACY_INTEL_LEAF_2};

use crate::topology::Level;

/// What a cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKind {
    /// Data only (CPUID type 1).
    Data,
    /// Instructions only (CPUID type 2).
    Instruction,
    /// Both (CPUID type 3).
    Unified,
}

/// One cache. Its size is line size × ways × partitions × sets, but CPUID leaves 2 and
/// 8000_0006h may claim another, as some old models do; see [`size`](Self::size).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// What it holds.
    pub kind: CacheKind,
    /// 1, 2 or 3.
    pub level: u8,
    /// Size in bytes as leaves 2, 8000_0005h and 8000_0006h give it.
    pub size: u32,
    /// Bytes in a line.
    pub line_size: u16,
    /// Ways.
    pub associativity: u16,
    /// Line partitions.
    pub partitions: u16,
    /// Sets.
    pub sets: u32,
    /// Lines per tag (AMD); 0 where the model does not say.
    pub lines_per_tag: u8,
    /// Needs no initialisation by software.
    pub self_initializing: bool,
    /// WBINVD is not guaranteed to reach the caches of other threads.
    pub no_invd_sharing: bool,
    /// Includes lower levels.
    pub inclusive: bool,
    /// Indexed by a complex function.
    pub complex_indexing: bool,
    /// The level of topology whose threads share it.
    pub shared_by: Level,
}

/// The four caches that QEMU's models have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caches {
    /// Level 1, data.
    pub l1d: Cache,
    /// Level 1, instructions.
    pub l1i: Cache,
    /// Level 2.
    pub l2: Cache,
    /// Level 3.
    pub l3: Cache,
}

impl Cache {
    /// A self-initialising cache of `ways` ways and `sets` sets of 64-byte lines, one line per
    /// tag, shared by the threads of a core.
    #[must_use]
    pub const fn new(level: u8, kind: CacheKind, ways: u16, sets: u32) -> Self {
        Self {
            kind,
            level,
            size: 64 * ways as u32 * sets,
            line_size: 64,
            associativity: ways,
            partitions: 1,
            sets,
            lines_per_tag: 1,
            self_initializing: true,
            no_invd_sharing: false,
            inclusive: false,
            complex_indexing: false,
            shared_by: Level::Core,
        }
    }

    /// With WBINVD limited to this cache's threads.
    #[must_use]
    pub const fn no_invd_sharing(mut self) -> Self {
        self.no_invd_sharing = true;
        self
    }

    /// Including lower levels.
    #[must_use]
    pub const fn inclusive(mut self) -> Self {
        self.inclusive = true;
        self
    }

    /// With complex indexing.
    #[must_use]
    pub const fn complex_indexing(mut self) -> Self {
        self.complex_indexing = true;
        self
    }

    /// Shared by the threads of another level.
    #[must_use]
    pub const fn shared_by(mut self, level: Level) -> Self {
        self.shared_by = level;
        self
    }

    /// With another number of lines per tag; 0 for none given.
    #[must_use]
    pub const fn lines_per_tag(mut self, lines: u8) -> Self {
        self.lines_per_tag = lines;
        self
    }

    /// Not self-initialising.
    #[must_use]
    pub const fn not_self_initializing(mut self) -> Self {
        self.self_initializing = false;
        self
    }

    /// Claiming a size that ways and sets do not give.
    #[must_use]
    pub const fn claimed_size(mut self, bytes: u32) -> Self {
        self.size = bytes;
        self
    }
}
