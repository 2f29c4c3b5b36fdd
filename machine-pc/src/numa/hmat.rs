//! How fast initiators reach memory, and the caches before it: what the ACPI table HMAT tells a guest.
//!
//! Figures of one kind share a table whose entries have 16 bits, so each table has a *base unit* that its figures are
//! multiples of. It shrinks as figures come in, by the reference's rules, which refuse a figure that the table could not
//! hold.

use std::collections::BTreeMap;
use std::fmt;

use super::error::NumaError;
use super::options::{HmatCacheOptions, HmatLbOptions};

/// Levels of cache that memory may have before it.
pub const MAX_CACHE_LEVEL: u8 = 3;
/// What bandwidths are multiples of, in bytes a second.
const MIB: u64 = 1 << 20;

/// Names on the command line and in QMP, and what they mean, in the order of the ACPI numbers.
type Names<T> = &'static [(&'static str, T)];

/// What answers an access (QAPI `HmatLBMemoryHierarchy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum Hierarchy {
    /// The memory.
    Memory,
    /// The cache of level 1.
    FirstLevel,
    /// The cache of level 2.
    SecondLevel,
    /// The cache of level 3.
    ThirdLevel,
}

impl Hierarchy {
    pub(super) const NAMES: Names<Self> = &[
        ("memory", Self::Memory),
        ("first-level", Self::FirstLevel),
        ("second-level", Self::SecondLevel),
        ("third-level", Self::ThirdLevel),
    ];
}

/// What is measured (QAPI `HmatLBDataType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum DataType {
    /// Latency of reads and writes.
    AccessLatency,
    /// Latency of reads.
    ReadLatency,
    /// Latency of writes.
    WriteLatency,
    /// Bandwidth of reads and writes.
    AccessBandwidth,
    /// Bandwidth of reads.
    ReadBandwidth,
    /// Bandwidth of writes.
    WriteBandwidth,
}

impl DataType {
    pub(super) const NAMES: Names<Self> = &[
        ("access-latency", Self::AccessLatency),
        ("read-latency", Self::ReadLatency),
        ("write-latency", Self::WriteLatency),
        ("access-bandwidth", Self::AccessBandwidth),
        ("read-bandwidth", Self::ReadBandwidth),
        ("write-bandwidth", Self::WriteBandwidth),
    ];

    /// Latency or bandwidth.
    pub fn kind(self) -> LbKind {
        match self {
            Self::AccessLatency | Self::ReadLatency | Self::WriteLatency => LbKind::Latency,
            Self::AccessBandwidth | Self::ReadBandwidth | Self::WriteBandwidth => LbKind::Bandwidth,
        }
    }
}

/// In how many places of a cache a line of memory can be (QAPI `HmatCacheAssociativity`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum Associativity {
    /// Not told.
    None,
    /// In one place.
    Direct,
    /// In one of several.
    Complex,
}

impl Associativity {
    pub(super) const NAMES: Names<Self> =
        &[("none", Self::None), ("direct", Self::Direct), ("complex", Self::Complex)];
}

/// When memory gets what is written to its cache (QAPI `HmatCacheWritePolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum WritePolicy {
    /// Not told.
    None,
    /// When the line leaves the cache.
    WriteBack,
    /// At once.
    WriteThrough,
}

impl WritePolicy {
    pub(super) const NAMES: Names<Self> =
        &[("none", Self::None), ("write-back", Self::WriteBack), ("write-through", Self::WriteThrough)];
}

/// The two kinds of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LbKind {
    /// In nanoseconds.
    Latency,
    /// In bytes a second.
    Bandwidth,
}

impl LbKind {
    pub(super) fn capitalized(self) -> &'static str {
        match self {
            Self::Latency => "Latency",
            Self::Bandwidth => "Bandwidth",
        }
    }
}

impl fmt::Display for LbKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latency => "latency",
            Self::Bandwidth => "bandwidth",
        })
    }
}

/// The figures of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LbTable {
    kind: LbKind,
    base: u64,
    /// Of latencies the largest entry, of bandwidths all bits that any has.
    range: u64,
    figures: BTreeMap<(u16, u16), u64>,
}

impl LbTable {
    fn new(kind: LbKind) -> Self {
        let base = match kind {
            LbKind::Latency => u64::MAX,
            LbKind::Bandwidth => 1,
        };
        Self { kind, base, range: 0, figures: BTreeMap::new() }
    }

    /// The unit as the guest is told it: picoseconds, or MiB a second. It has 32 bits, as the reference computes it.
    pub fn base_unit(&self) -> u32 {
        let unit = match self.kind {
            LbKind::Latency => self.base.wrapping_mul(1000),
            LbKind::Bandwidth => self.base / MIB,
        };
        u32::try_from(unit & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }

    /// From an initiator to a target in units; 0 where nothing was said. Only the low 16 bits of a figure that came first
    /// and is too large for its unit are told, as in the reference.
    pub fn entry(&self, initiator: u16, target: u16) -> u16 {
        let units = self.figures.get(&(initiator, target)).map_or(0, |figure| figure / self.base);
        u16::try_from(units & u64::from(u16::MAX)).unwrap_or(u16::MAX)
    }

    /// Base and range with one more figure; none if they do not fit.
    fn with(&self, figure: u64) -> Option<(u64, u64)> {
        if figure == 0 {
            return Some((self.base, self.range));
        }
        match self.kind {
            LbKind::Latency => {
                let (mut mantissa, mut tens) = (figure, 1);
                while mantissa % 10 == 0 {
                    mantissa /= 10;
                    tens *= 10;
                }
                let largest = self.range.max(figure / self.base);
                (largest < u64::from(u16::MAX)).then_some((self.base.min(tens), largest))
            }
            LbKind::Bandwidth => {
                let bits = self.range | figure;
                let base = 1u64 << bits.trailing_zeros();
                let width = u64::BITS - bits.leading_zeros() - bits.trailing_zeros();
                (width <= u16::BITS && figure / base < u64::from(u16::MAX)).then_some((base, bits))
            }
        }
    }
}

/// What a state must know of its nodes here.
pub(super) trait Nodes {
    /// How many there are.
    fn count(&self) -> usize;
    /// Whether there is one of that number.
    fn exists(&self, node: u16) -> bool;
    /// Whether it has CPUs.
    fn has_cpu(&self, node: u16) -> bool;
}

/// All that was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hmat {
    tables: BTreeMap<(Hierarchy, DataType), LbTable>,
    caches: BTreeMap<(u16, u8), HmatCacheOptions>,
}

impl Hmat {
    /// The tables that have figures, in the guest's order.
    pub fn tables(&self) -> impl Iterator<Item = (Hierarchy, DataType, &LbTable)> {
        self.tables.iter().map(|((hierarchy, data_type), table)| (*hierarchy, *data_type, table))
    }

    /// The caches before a node's memory, from level 1 on.
    pub fn caches(&self, node: u16) -> impl Iterator<Item = &HmatCacheOptions> {
        self.caches.range((node, 0)..=(node, u8::MAX)).map(|(_, cache)| cache)
    }

    pub(super) fn add_figure(
        &mut self,
        options: &HmatLbOptions,
        nodes: &impl Nodes,
    ) -> Result<(), NumaError> {
        let HmatLbOptions { initiator, target, hierarchy, data_type, latency, bandwidth } = *options;
        let count = nodes.count();
        for (role, node) in [("initiator", initiator), ("target", target)] {
            // One too many is let through, as in the reference; there is no such node all the same.
            if usize::from(node) > count {
                return Err(NumaError::HmatNode { role, node, count });
            }
        }
        if !nodes.has_cpu(initiator) {
            return Err(NumaError::NotAnInitiator(initiator));
        }
        if !nodes.exists(target) {
            return Err(NumaError::NoSuchTarget(target));
        }
        let kind = data_type.kind();
        let (figure, foreign, given) = match kind {
            LbKind::Latency => (latency, bandwidth, LbKind::Bandwidth),
            LbKind::Bandwidth => (bandwidth, latency, LbKind::Latency),
        };
        let value = figure.ok_or(NumaError::MissingFigure(kind))?;
        if foreign.is_some() {
            return Err(NumaError::ForeignFigure { given, kind });
        }
        if kind == LbKind::Bandwidth && !value.is_multiple_of(MIB) {
            return Err(NumaError::BandwidthUnit { bandwidth: value, initiator, target });
        }
        let key = (hierarchy, data_type);
        let empty = LbTable::new(kind);
        let table = self.tables.get(&key).unwrap_or(&empty);
        if table.figures.contains_key(&(initiator, target)) {
            return Err(NumaError::DuplicateFigure { kind, initiator, target });
        }
        let (base, range) =
            table.with(value).ok_or(NumaError::FigureRange { kind, value, initiator, target })?;
        let table = self.tables.entry(key).or_insert(empty);
        (table.base, table.range) = (base, range);
        table.figures.insert((initiator, target), value);
        Ok(())
    }

    /// Whether something is known of both latency and bandwidth of a node's memory.
    fn knows(&self, target: u16) -> bool {
        [LbKind::Latency, LbKind::Bandwidth].into_iter().all(|kind| {
            let tables = self.tables.values().filter(|table| table.kind == kind);
            let figures = tables.flat_map(|table| &table.figures);
            figures.into_iter().any(|((_, to), figure)| *to == target && *figure > 0)
        })
    }

    pub(super) fn add_cache(&mut self, options: &HmatCacheOptions, count: usize) -> Result<(), NumaError> {
        let HmatCacheOptions { node_id, size, level, .. } = *options;
        let node = u16::try_from(node_id).ok().filter(|node| usize::from(*node) < count);
        let node = node.ok_or(NumaError::CacheNode { node: node_id, count })?;
        if !self.knows(node) {
            return Err(NumaError::CacheBeforeFigures(node));
        }
        if !(1..=MAX_CACHE_LEVEL).contains(&level) {
            return Err(NumaError::CacheLevel(level));
        }
        if self.caches.contains_key(&(node, level)) {
            return Err(NumaError::DuplicateCache { node, level });
        }
        let neighbour = |level| self.caches.get(&(node, level));
        if level > 1 {
            let lower = neighbour(level - 1).ok_or(NumaError::CacheOrder(level - 1))?;
            if size <= lower.size {
                return Err(NumaError::CacheSize {
                    size,
                    level,
                    neighbour_size: lower.size,
                    neighbour: lower.level,
                });
            }
        }
        self.caches.insert((node, level), *options);
        Ok(())
    }
}
