//! The caches of CPUs whose model brings none, or with `legacy-cache=on`.
//!
//! The figures are QEMU's; they belong to no real processor, and leaves 2 and 4 of old machine
//! types contradict each other, which guests migrated from there must go on seeing.

use super::{
    Cache,
    CacheKind::{Data, Instruction, Unified},
    Caches,
};
use crate::topology::Level;

const L3: Cache = Cache::new(3, Unified, 16, 16384).inclusive().complex_indexing().shared_by(Level::Die);

/// For AMD CPUs.
pub static LEGACY_AMD: Caches = Caches {
    l1d: Cache::new(1, Data, 2, 512).no_invd_sharing(),
    l1i: Cache::new(1, Instruction, 2, 512).no_invd_sharing(),
    l2: Cache::new(2, Unified, 16, 512).not_self_initializing(),
    l3: L3,
};

const INTEL: Caches = Caches {
    l1d: Cache::new(1, Data, 8, 64).no_invd_sharing().lines_per_tag(0),
    l1i: Cache::new(1, Instruction, 8, 64).no_invd_sharing().lines_per_tag(0),
    l2: Cache::new(2, Unified, 16, 4096).no_invd_sharing().lines_per_tag(0),
    l3: L3,
};

/// For all other CPUs.
pub static LEGACY_INTEL: Caches = INTEL;

/// For leaf 2 of machine types before 10.1 (`x-consistent-cache=off`): another level 2.
pub static LEGACY_INTEL_LEAF_2: Caches = Caches {
    l2: Cache::new(2, Unified, 8, 4096).no_invd_sharing().lines_per_tag(0).claimed_size(2 << 20),
    ..INTEL
};
