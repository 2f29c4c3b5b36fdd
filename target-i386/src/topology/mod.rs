//! Topology of x86 CPUs and the APIC IDs that encode it.
//!
//! A socket holds dies, a die holds modules, a module cores, a core threads. Each level gets a
//! bit field of the APIC ID that is just wide enough for its count, so that IDs have gaps where
//! a count is no power of two (Intel SDM volume 3A, 10.9 "Programming considerations for
//! hardware multi-threading capable processors"). The socket takes the bits above.
//!
//! Forbidden here: tuples of counts; every level has its name.

mod sharing;

pub use sharing::{CacheName, CacheSharing, CacheSharingError};

use std::fmt;
use std::num::NonZeroU32;

/// The ID of a CPU's local APIC (x2APIC, 32 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ApicId(pub u32);

impl fmt::Display for ApicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A level of the topology, from the innermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A logical processor.
    Thread,
    /// A core, which its threads share.
    Core,
    /// A group of cores, also called a cluster.
    Module,
    /// A die.
    Die,
    /// The package in its socket.
    Socket,
}

/// How many of each level the next one holds, and which of them share caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTopology {
    dies: NonZeroU32,
    modules: NonZeroU32,
    cores: NonZeroU32,
    threads: NonZeroU32,
    caches: CacheSharing,
}

/// A topology that cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// A count is zero.
    #[error("a CPU topology needs at least one of each level, but there are 0 {0}")]
    Zero(&'static str),
    /// The APIC ID's 32 bits do not suffice.
    #[error("the CPU topology needs {0} bits of APIC ID within a socket, and there are 31")]
    TooWide(u32),
}

/// Number of bits that number `count` things.
const fn width(count: NonZeroU32) -> u32 {
    32 - (count.get() - 1).leading_zeros()
}

impl CpuTopology {
    /// One thread in one core in one module in one die.
    #[must_use]
    pub const fn single() -> Self {
        let one = NonZeroU32::MIN;
        Self { dies: one, modules: one, cores: one, threads: one, caches: CacheSharing::AS_MODEL }
    }

    /// Dies in a socket, modules in a die, cores in a module, threads in a core.
    ///
    /// # Errors
    ///
    /// If a count is zero or the APIC ID would need more than 31 bits within a socket.
    pub fn new(dies: u32, modules: u32, cores: u32, threads: u32) -> Result<Self, TopologyError> {
        let positive = |n, what| NonZeroU32::new(n).ok_or(TopologyError::Zero(what));
        let topology = Self {
            dies: positive(dies, "dies")?,
            modules: positive(modules, "modules")?,
            cores: positive(cores, "cores")?,
            threads: positive(threads, "threads")?,
            caches: CacheSharing::AS_MODEL,
        };
        match width(topology.dies) + width(topology.modules) + width(topology.cores) + width(topology.threads)
        {
            0..=31 => Ok(topology),
            bits => Err(TopologyError::TooWide(bits)),
        }
    }

    /// With caches shared as the machine says (`smp-cache`).
    #[must_use]
    pub const fn with_caches(mut self, caches: CacheSharing) -> Self {
        self.caches = caches;
        self
    }

    /// How the machine says that caches are shared.
    #[must_use]
    pub const fn caches(&self) -> CacheSharing {
        self.caches
    }

    /// Dies in a socket.
    #[must_use]
    pub const fn dies_per_socket(&self) -> u32 {
        self.dies.get()
    }

    /// Modules in a die.
    #[must_use]
    pub const fn modules_per_die(&self) -> u32 {
        self.modules.get()
    }

    /// Cores in a module.
    #[must_use]
    pub const fn cores_per_module(&self) -> u32 {
        self.cores.get()
    }

    /// Threads in a core.
    #[must_use]
    pub const fn threads_per_core(&self) -> u32 {
        self.threads.get()
    }

    /// Threads that one unit of a level holds: 1 for a thread.
    #[must_use]
    pub const fn threads_per(&self, level: Level) -> u32 {
        let core = self.threads.get();
        let module = core * self.cores.get();
        let die = module * self.modules.get();
        match level {
            Level::Thread => 1,
            Level::Core => core,
            Level::Module => module,
            Level::Die => die,
            Level::Socket => die * self.dies.get(),
        }
    }

    /// Position of a level's bit field in the APIC ID; for the socket, the bits within a socket.
    #[must_use]
    pub const fn offset(&self, level: Level) -> u32 {
        let core = width(self.threads);
        let module = core + width(self.cores);
        let die = module + width(self.modules);
        match level {
            Level::Thread => 0,
            Level::Core => core,
            Level::Module => module,
            Level::Die => die,
            Level::Socket => die + width(self.dies),
        }
    }

    /// Whether the topology has the level as more than a formality: modules and dies count only
    /// where there are several.
    #[must_use]
    pub const fn has(&self, level: Level) -> bool {
        match level {
            Level::Thread | Level::Core | Level::Socket => true,
            Level::Module => self.modules.get() > 1,
            Level::Die => self.dies.get() > 1,
        }
    }

    /// Whether only CPUID leaf 1Fh can describe the topology.
    #[must_use]
    pub const fn is_extended(&self) -> bool {
        self.has(Level::Module) || self.has(Level::Die)
    }

    /// The APIC ID of a place.
    ///
    /// Returns `None` if an ID exceeds the count of its level or the socket its bits.
    #[must_use]
    pub fn encode(&self, ids: CpuIds) -> Option<ApicId> {
        let within = ids.die < self.dies.get()
            && ids.module < self.modules.get()
            && ids.core < self.cores.get()
            && ids.thread < self.threads.get();
        let socket_offset = self.offset(Level::Socket);
        let socket = u64::from(ids.socket) << socket_offset;
        if !within || socket > u64::from(u32::MAX) {
            return None;
        }
        Some(ApicId(
            ids.socket << socket_offset
                | ids.die << self.offset(Level::Die)
                | ids.module << self.offset(Level::Module)
                | ids.core << self.offset(Level::Core)
                | ids.thread,
        ))
    }

    /// The place that an APIC ID names. IDs in the gaps decode to places that do not exist.
    #[must_use]
    pub const fn decode(&self, apic_id: ApicId) -> CpuIds {
        const fn field(id: u32, from: u32, to: u32) -> u32 {
            id >> from & !(u32::MAX << (to - from))
        }
        let id = apic_id.0;
        CpuIds {
            thread: field(id, 0, self.offset(Level::Core)),
            core: field(id, self.offset(Level::Core), self.offset(Level::Module)),
            module: field(id, self.offset(Level::Module), self.offset(Level::Die)),
            die: field(id, self.offset(Level::Die), self.offset(Level::Socket)),
            socket: id >> self.offset(Level::Socket),
        }
    }

    /// The place of the `index`th CPU: threads fill a core, cores a module, and so on.
    #[must_use]
    pub const fn ids_of_index(&self, index: u32) -> CpuIds {
        CpuIds {
            thread: index % self.threads.get(),
            core: index / self.threads_per(Level::Core) % self.cores.get(),
            module: index / self.threads_per(Level::Module) % self.modules.get(),
            die: index / self.threads_per(Level::Die) % self.dies.get(),
            socket: index / self.threads_per(Level::Socket),
        }
    }
}

/// The place of a CPU: numbers within the level above, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CpuIds {
    /// Socket of the machine.
    pub socket: u32,
    /// Die of the socket.
    pub die: u32,
    /// Module of the die.
    pub module: u32,
    /// Core of the module.
    pub core: u32,
    /// Thread of the core.
    pub thread: u32,
}

/// Where one CPU sits: all that CPUID says of its neighbourhood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Topology of the machine.
    pub topology: CpuTopology,
    /// The CPU's APIC ID.
    pub apic_id: ApicId,
}

impl Placement {
    /// The first CPU.
    #[must_use]
    pub const fn boot(topology: CpuTopology) -> Self {
        Self { topology, apic_id: ApicId(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_round_up_to_powers_of_two() {
        let t = CpuTopology::new(1, 1, 3, 2).unwrap();
        assert_eq!((t.offset(Level::Core), t.offset(Level::Socket)), (1, 3));
        let ids = CpuIds { socket: 1, core: 2, thread: 1, ..CpuIds::default() };
        assert_eq!(t.encode(ids), Some(ApicId(0b1101)));
        assert_eq!(t.encode(CpuIds { core: 3, ..ids }), None);
        assert_eq!(CpuTopology::single().offset(Level::Socket), 0);
    }

    #[test]
    fn impossible_topologies() {
        assert_eq!(CpuTopology::new(1, 1, 0, 1), Err(TopologyError::Zero("cores")));
        assert_eq!(CpuTopology::new(1 << 10, 1 << 10, 1 << 10, 1 << 10), Err(TopologyError::TooWide(40)));
        let t = CpuTopology::new(1, 1, 1 << 31, 1).unwrap();
        assert_eq!(t.encode(CpuIds { socket: 2, ..CpuIds::default() }), None);
    }

    proptest! {
        #[test]
        fn apic_ids_round_trip(d in 1u32..9, m in 1u32..9, c in 1u32..65, t in 1u32..5, index in 0u32..10_000) {
            let topology = CpuTopology::new(d, m, c, t).unwrap();
            let ids = topology.ids_of_index(index);
            let apic_id = topology.encode(ids).unwrap();
            prop_assert_eq!(topology.decode(apic_id), ids);
        }

        #[test]
        fn order_of_index_is_order_of_apic_id(d in 1u32..5, c in 1u32..10, t in 1u32..4, index in 0u32..500) {
            let topology = CpuTopology::new(d, 1, c, t).unwrap();
            let id = |i| topology.encode(topology.ids_of_index(i)).unwrap();
            prop_assert!(id(index) < id(index + 1));
        }

        #[test]
        fn any_counts(d: u32, m: u32, c: u32, t: u32, id: u32) {
            if let Ok(topology) = CpuTopology::new(d, m, c, t) {
                let _ = topology.decode(ApicId(id));
            }
        }
    }
}
