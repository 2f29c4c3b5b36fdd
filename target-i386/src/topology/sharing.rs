//! Which level of the topology shares each cache, where the machine says so rather than the model (`smp-cache`).

use super::Level;
use crate::cache::Caches;

/// A machine's wishes; `None` leaves a cache as the model has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheSharing {
    l1d: Option<Level>,
    l1i: Option<Level>,
    l2: Option<Level>,
    l3: Option<Level>,
}

/// A cache that `smp-cache` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheName {
    /// `l1d`
    L1d,
    /// `l1i`
    L1i,
    /// `l2`
    L2,
    /// `l3`
    L3,
}

impl CacheName {
    /// The name as properties have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::L1d => "l1d",
            Self::L1i => "l1i",
            Self::L2 => "l2",
            Self::L3 => "l3",
        }
    }
}

/// Caches cannot be shared so. The texts are the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CacheSharingError {
    /// One thread's own cache.
    #[error("thread level cache not supported by this machine")]
    Thread,
    /// One cache is named twice.
    #[error("Invalid cache properties: {}. The cache properties are duplicated", .0.name())]
    Duplicate(CacheName),
    /// A cache is shared by fewer CPUs than one of the level before it.
    #[error(
        "Invalid smp cache topology. L{outer} cache topology level shouldn't be lower than L{} cache",
        outer - 1
    )]
    Order {
        /// Level of the cache that is shared by too few.
        outer: u8,
    },
}

impl CacheSharing {
    /// No wishes.
    pub const AS_MODEL: Self = Self { l1d: None, l1i: None, l2: None, l3: None };

    /// The wishes of a list: each cache at most once; a level of `None` is that of the model.
    ///
    /// # Errors
    ///
    /// [`CacheSharingError::Duplicate`], [`CacheSharingError::Thread`].
    pub fn new(
        wishes: impl IntoIterator<Item = (CacheName, Option<Level>)>,
    ) -> Result<Self, CacheSharingError> {
        let mut sharing = Self::AS_MODEL;
        let mut seen = [false; 4];
        for (cache, level) in wishes {
            if std::mem::replace(&mut seen[cache as usize], true) {
                return Err(CacheSharingError::Duplicate(cache));
            }
            if level == Some(Level::Thread) {
                return Err(CacheSharingError::Thread);
            }
            *match cache {
                CacheName::L1d => &mut sharing.l1d,
                CacheName::L1i => &mut sharing.l1i,
                CacheName::L2 => &mut sharing.l2,
                CacheName::L3 => &mut sharing.l3,
            } = level;
        }
        Ok(sharing)
    }

    /// How caches are shared, no wish left open.
    pub(crate) const fn of(caches: &Caches) -> Self {
        let Caches { l1d, l1i, l2, l3 } = caches;
        Self {
            l1d: Some(l1d.shared_by),
            l1i: Some(l1i.shared_by),
            l2: Some(l2.shared_by),
            l3: Some(l3.shared_by),
        }
    }

    /// Which level shares a cache; none where that is the model's to say.
    #[must_use]
    pub const fn level(&self, cache: CacheName) -> Option<Level> {
        match cache {
            CacheName::L1d => self.l1d,
            CacheName::L1i => self.l1i,
            CacheName::L2 => self.l2,
            CacheName::L3 => self.l3,
        }
    }

    /// The caches with the wishes fulfilled.
    pub(crate) fn apply(&self, mut caches: Caches) -> Caches {
        for (cache, wish) in [
            (&mut caches.l1d, self.l1d),
            (&mut caches.l1i, self.l1i),
            (&mut caches.l2, self.l2),
            (&mut caches.l3, self.l3),
        ] {
            cache.shared_by = wish.unwrap_or(cache.shared_by);
        }
        caches
    }

    /// Whether each cache is shared by at least those that share the one before it.
    pub(crate) fn check(caches: &Caches) -> Result<(), CacheSharingError> {
        if caches.l1d.shared_by.max(caches.l1i.shared_by) > caches.l2.shared_by {
            return Err(CacheSharingError::Order { outer: 2 });
        }
        if caches.l2.shared_by > caches.l3.shared_by {
            return Err(CacheSharingError::Order { outer: 3 });
        }
        Ok(())
    }
}
