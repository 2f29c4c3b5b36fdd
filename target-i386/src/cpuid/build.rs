//! Lays out the table of a CPU whose every setting is final.

use super::table::{CpuidTable, Dynamics, Leaf, Limits, SubLeaves, TableError};
use super::{Beyond, CpuidRegs, cache_leaves, features, hypervisor, topology_leaves};
use crate::cache::Caches;
use crate::config::CpuConfig;
use crate::feature::{FeatureSet, FeatureWord, feature};
use crate::source::{Accelerator, CpuidSource};
use crate::topology::{CacheSharing, CacheSharingError, CpuIds, Level, Placement};
use crate::xsave::{COMPONENTS, XsaveComponent};

/// The caches that each group of leaves describes; they differ with old machine types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheLeaves {
    /// Leaf 2.
    pub(crate) leaf_2: Caches,
    /// Leaf 4.
    pub(crate) leaf_4: Caches,
    /// Leaves 8000_0005h and 8000_0006h.
    pub(crate) amd: Caches,
    /// Leaf 8000_001Dh.
    pub(crate) leaf_1d: Caches,
}

impl CacheLeaves {
    /// Shared as the machine says: the CPU's own caches, which leaf 8000_001Dh shows. What old machine types show of another
    /// vendor's stays as it is, and leaf 2 does not tell of sharing.
    pub(crate) fn shared(self, sharing: &CacheSharing) -> Result<Self, CacheSharingError> {
        let own = sharing.apply(self.leaf_1d);
        CacheSharing::check(&own)?;
        let of_leaf = |caches: Caches| if caches == self.leaf_1d { own } else { caches };
        Ok(Self { leaf_2: self.leaf_2, leaf_4: of_leaf(self.leaf_4), amd: of_leaf(self.amd), leaf_1d: own })
    }
}

/// All that the table depends on.
pub(crate) struct BuildInput<'a> {
    /// Expanded and filtered settings.
    pub(crate) config: &'a CpuConfig,
    /// Place among the other CPUs.
    pub(crate) placement: Placement,
    /// Caches.
    pub(crate) caches: CacheLeaves,
    /// Width of physical addresses.
    pub(crate) phys_bits: u32,
    /// Width that the guest can map; 0 for not shown.
    pub(crate) guest_phys_bits: u32,
    /// The accelerator, for leaves that are its own.
    pub(crate) source: &'a dyn CpuidSource,
    /// XSAVE components.
    pub(crate) components: [XsaveComponent; COMPONENTS],
}

impl BuildInput<'_> {
    pub(super) fn features(&self) -> &FeatureSet {
        &self.config.features
    }

    pub(super) fn has(&self, name: &'static str) -> bool {
        self.features().has(feature(name))
    }

    pub(super) fn word(&self, word: FeatureWord) -> u32 {
        self.features().register(word)
    }

    pub(super) fn ids(&self) -> CpuIds {
        self.placement.topology.decode(self.placement.apic_id)
    }

    pub(super) fn threads_per_socket(&self) -> u32 {
        self.placement.topology.threads_per(Level::Socket)
    }
}

/// A plain leaf.
pub(super) fn plain(eax: u32, ebx: u32, ecx: u32, edx: u32) -> Leaf {
    Leaf::Plain(CpuidRegs { eax, ebx, ecx, edx })
}

/// A leaf with sub-leaves and zeros after them; the slice's first element is sub-leaf 0.
pub(super) fn indexed(regs: &[CpuidRegs]) -> Leaf {
    match regs.split_first() {
        Some((first, more)) => Leaf::Indexed(SubLeaves::new(*first, more.to_vec(), Beyond::Zero)),
        None => Leaf::Indexed(SubLeaves::new(CpuidRegs::ZERO, Vec::new(), Beyond::Zero)),
    }
}

/// Builds the table.
pub(crate) fn build(input: &BuildInput<'_>) -> Result<CpuidTable, TableError> {
    let config = input.config;
    let (hypervisor, second_hypervisor) = hypervisor::limits(input);
    let limits = Limits {
        basic: config.level,
        hypervisor,
        second_hypervisor,
        extended: config.xlevel,
        centaur: config.xlevel2,
    };
    let dynamics = Dynamics {
        components: input.components,
        syscall_needs_long_mode: input.source.accelerator() == Accelerator::Tcg && config.vendor.is_intel(),
    };
    let mut table = CpuidTable::new(limits, dynamics);
    let groups = [
        features::leaves(input),
        cache_leaves::leaves(input),
        topology_leaves::leaves(input),
        hypervisor::leaves(input),
    ];
    for (leaf, content) in groups.into_iter().flatten() {
        if leaf <= limits.of(leaf) {
            table.insert(leaf, content)?;
        }
    }
    Ok(table)
}
