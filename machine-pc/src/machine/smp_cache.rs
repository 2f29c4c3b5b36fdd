//! The property `smp-cache`: which level of the topology shares each cache.
//!
//! Here is how it is written and what a machine takes. What it makes of a CPU's caches is `target-i386`'s
//! ([`CacheSharing`]).

use qom::{property_enum, property_struct};
use target_i386::topology::{CacheName, CacheSharing, CacheSharingError, Level};
use thiserror::Error;

use super::MachineClass;

property_enum! {
    /// A cache.
    pub enum CacheLevelAndType("CacheLevelAndType") {
        /// Of the first level, for data.
        L1d = "l1d",
        /// Of the first level, for instructions.
        L1i = "l1i",
        /// Of the second level.
        L2 = "l2",
        /// Of the third level.
        L3 = "l3",
    }
}

property_enum! {
    /// A level of the topology, as all machines of the reference have them.
    pub enum CpuTopologyLevel("CpuTopologyLevel") {
        /// A logical processor.
        Thread = "thread",
        /// A core.
        Core = "core",
        /// A module.
        Module = "module",
        /// A cluster: no PC has any.
        Cluster = "cluster",
        /// A die.
        Die = "die",
        /// A socket.
        Socket = "socket",
        /// A book: no PC has any.
        Book = "book",
        /// A drawer: no PC has any.
        Drawer = "drawer",
        /// Whatever the CPU model says.
        Default = "default",
    }
}

property_struct! {
    /// Who shares a cache.
    pub struct SmpCacheProperties("SmpCacheProperties") {
        /// The cache.
        required cache: CacheLevelAndType = "cache",
        /// All CPUs of one unit of this level.
        required topology: CpuTopologyLevel = "topology",
    }
}

/// Caches that a machine cannot share so. The texts are the reference's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SmpCacheError {
    /// The machine has no say in its CPUs' caches.
    #[error("{} cache topology not supported by this machine", qom::PropertyEnum::name(*.0))]
    Cache(CacheLevelAndType),
    /// The machine has no such level.
    #[error(
        "Invalid topology level: {}. The topology level is not supported by this machine",
        qom::PropertyEnum::name(*.0)
    )]
    Level(CpuTopologyLevel),
    /// No machine shares caches so.
    #[error(transparent)]
    Sharing(#[from] CacheSharingError),
}

/// All caches in their order.
const CACHES: [(CacheLevelAndType, CacheName); 4] = [
    (CacheLevelAndType::L1d, CacheName::L1d),
    (CacheLevelAndType::L1i, CacheName::L1i),
    (CacheLevelAndType::L2, CacheName::L2),
    (CacheLevelAndType::L3, CacheName::L3),
];

/// A level of a machine with these rules; none is the model's own.
fn level(class: &MachineClass, level: CpuTopologyLevel) -> Result<Option<Level>, SmpCacheError> {
    Ok(Some(match level {
        CpuTopologyLevel::Default => return Ok(None),
        CpuTopologyLevel::Thread => Level::Thread,
        CpuTopologyLevel::Core => Level::Core,
        CpuTopologyLevel::Module if class.smp.modules => Level::Module,
        CpuTopologyLevel::Die if class.smp.dies => Level::Die,
        CpuTopologyLevel::Socket => Level::Socket,
        other => return Err(SmpCacheError::Level(other)),
    }))
}

/// What a list says; the last in the list counts nothing more than the first, as each cache is there once.
///
/// # Errors
/// [`SmpCacheError`]: a duplicate first, then what is wrong with the first cache in their order.
pub fn sharing(class: &MachineClass, list: &[SmpCacheProperties]) -> Result<CacheSharing, SmpCacheError> {
    let of = |cache| list.iter().filter(move |one| one.cache == cache).map(|one| one.topology);
    if let Some((_, name)) = CACHES.into_iter().find(|(cache, _)| of(*cache).count() > 1) {
        return Err(CacheSharingError::Duplicate(name).into());
    }
    let mut wishes = Vec::new();
    for (cache, name) in CACHES {
        let Some(wish) = of(cache).next() else { continue };
        if wish != CpuTopologyLevel::Default && !class.smp.caches {
            return Err(SmpCacheError::Cache(cache));
        }
        let level = level(class, wish)?;
        if level == Some(Level::Thread) {
            return Err(CacheSharingError::Thread.into());
        }
        wishes.push((name, level));
    }
    Ok(CacheSharing::new(wishes)?)
}

/// All caches with who shares them, as the property is read.
pub fn all(list: &[SmpCacheProperties]) -> Vec<SmpCacheProperties> {
    let shown = |(cache, _)| {
        let wish = list.iter().find(|one| one.cache == cache).map(|one| one.topology);
        SmpCacheProperties { cache, topology: wish.unwrap_or(CpuTopologyLevel::Default) }
    };
    CACHES.map(shown).into()
}

/// What a list leaves to the CPUs' model, filled in with what the model says.
pub fn settled(list: &[SmpCacheProperties], model: &CacheSharing) -> Vec<SmpCacheProperties> {
    let names = CACHES.map(|(_, name)| name);
    let settle = |(shown, name): (SmpCacheProperties, CacheName)| match (shown.topology, model.level(name)) {
        (CpuTopologyLevel::Default, Some(level)) => SmpCacheProperties { topology: level.into(), ..shown },
        _ => shown,
    };
    all(list).into_iter().zip(names).map(settle).collect()
}

impl From<Level> for CpuTopologyLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Thread => Self::Thread,
            Level::Core => Self::Core,
            Level::Module => Self::Module,
            Level::Die => Self::Die,
            Level::Socket => Self::Socket,
        }
    }
}
