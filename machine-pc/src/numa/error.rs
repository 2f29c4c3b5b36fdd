//! Why an option about NUMA is refused, or a set of them.

use qom::text::ParameterError;
use thiserror::Error;

use super::MAX_NODES;
use super::hmat::LbKind;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NumaError {
    /// A parameter is not what it has to be.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The machine has no CPUs that could be in a node.
    #[error("NUMA is not supported by this machine-type")]
    NotSupported,
    /// A node with too high a number.
    #[error("Max number of NUMA nodes reached: {0}")]
    TooManyNodes(u16),
    /// A node a second time.
    #[error("Duplicate NUMA nodeid: {0}")]
    DuplicateNode(u16),
    /// An option about latencies and bandwidths on a machine that does not tell its guest of them.
    #[error(
        "ACPI Heterogeneous Memory Attribute Table (HMAT) is disabled, enable it with -machine hmat=on before using any \
         of hmat specific options"
    )]
    HmatDisabled,
    /// An initiator that no node can be.
    #[error("The initiator id {0} expects an integer between 0 and {last}", last = MAX_NODES - 1)]
    InitiatorRange(u16),
    /// A CPU that there cannot be.
    #[error("CPU index ({index}) should be smaller than maxcpus ({max_cpus})")]
    CpuIndex {
        /// The CPU's number.
        index: u16,
        /// How many CPUs there can be.
        max_cpus: usize,
    },
    /// A CPU in two nodes.
    #[error("CPU is already assigned to node-id: {0}")]
    CpuAssigned(u16),
    /// A node with CPUs has another node for its initiator.
    #[error("The initiator of CPU NUMA node {node} should be itself (got {initiator})")]
    ForeignInitiator {
        /// The node.
        node: u16,
        /// Its initiator.
        initiator: u16,
    },
    /// Sizes for some nodes and memory backends for others.
    #[error("numa configuration should use either mem= or memdev=,mixing both is not allowed")]
    MemAndMemdev,
    /// A size for a node.
    #[error("Parameter -numa node,mem is not supported by this machine type")]
    MemNotSupported,
    /// No memory backend of that name, or several.
    #[error("memdev={0} is ambiguous")]
    Memdev(String),
    /// A number that no node can have.
    #[error("Parameter '{name}' expects an integer between 0 and {last}", last = MAX_NODES - 1)]
    NodeRange {
        /// The parameter.
        name: &'static str,
    },
    /// A distance between nodes that are not there.
    #[error("Source/Destination NUMA node is missing. Please use '-numa node' option to declare it first.")]
    DistanceNode,
    /// Nearer than a node is to itself.
    #[error("NUMA distance ({0}) is invalid, it shouldn't be less than 10.")]
    DistanceTooSmall(u8),
    /// A node is 10 from itself.
    #[error("Local distance of node {0} should be 10.")]
    LocalDistance(u16),
    /// `-numa cpu` without a node.
    #[error("Missing mandatory node-id property")]
    NoNodeId,
    /// `-numa cpu` with a node that is not there.
    #[error(
        "Invalid node-id={0}, NUMA node must be defined with -numa node,nodeid=ID before it's used with -numa \
         cpu,node-id=ID"
    )]
    NoSuchNode(i64),
    /// A level that the machine's CPUs do not have.
    #[error("{0}-id is not supported")]
    LevelNotSupported(&'static str),
    /// No CPU is there.
    #[error("no match found")]
    NoMatch,
    /// A node of `hmat-lb` with too high a number.
    #[error("Invalid {role}={node}, it should be less than {count}")]
    HmatNode {
        /// `initiator` or `target`.
        role: &'static str,
        /// The number.
        node: u16,
        /// How many nodes there are.
        count: usize,
    },
    /// A node without CPUs where one with CPUs is needed.
    #[error("Invalid initiator={0}, it isn't an initiator proximity domain")]
    NotAnInitiator(u16),
    /// A target that is not there.
    #[error("The target={0} should point to an existing node")]
    NoSuchTarget(u16),
    /// The figure that the kind of data needs.
    #[error("Missing '{0}' option")]
    MissingFigure(LbKind),
    /// The figure of the other kind of data.
    #[error("Invalid option '{given}' since the data type is {kind}")]
    ForeignFigure {
        /// What was given.
        given: LbKind,
        /// What is needed.
        kind: LbKind,
    },
    /// A bandwidth in bytes.
    #[error("Bandwidth {bandwidth} between initiator={initiator} and target={target} should be 1MB aligned")]
    BandwidthUnit {
        /// Bytes a second.
        bandwidth: u64,
        /// From where.
        initiator: u16,
        /// To where.
        target: u16,
    },
    /// A pair of nodes a second time.
    #[error("Duplicate configuration of the {kind} for initiator={initiator} and target={target}")]
    DuplicateFigure {
        /// Of what.
        kind: LbKind,
        /// From where.
        initiator: u16,
        /// To where.
        target: u16,
    },
    /// Figures that no common unit makes fit 16 bits.
    #[error(
        "{} {value} between initiator={initiator} and target={target} should not differ from previously entered {}values \
         on more than 65534",
        kind.capitalized(), if *kind == LbKind::Latency { "min or max " } else { "" }
    )]
    FigureRange {
        /// Of what.
        kind: LbKind,
        /// Nanoseconds, or bytes a second.
        value: u64,
        /// From where.
        initiator: u16,
        /// To where.
        target: u16,
    },
    /// A cache of a node that is not there.
    #[error("Invalid node-id={node}, it should be less than {count}")]
    CacheNode {
        /// The node.
        node: u32,
        /// How many there are.
        count: usize,
    },
    /// A cache of memory of which too little is known.
    #[error(
        "The latency and bandwidth information of node-id={0} should be provided before memory side cache attributes"
    )]
    CacheBeforeFigures(u16),
    /// A level that caches do not have.
    #[error("Invalid level={0}, it should be larger than 0 and less than or equal to 3")]
    CacheLevel(u8),
    /// A cache a second time.
    #[error("Duplicate configuration of the side cache for node-id={node} and level={level}")]
    DuplicateCache {
        /// The node.
        node: u16,
        /// The level.
        level: u8,
    },
    /// A cache before the one nearer to the memory.
    #[error("Cache level={0} shall be defined first")]
    CacheOrder(u8),
    /// A cache whose size is out of order.
    #[error(
        "Invalid size={size}, the size of level={level} should be larger than the size({neighbour_size}) of \
         level={neighbour}"
    )]
    CacheSize {
        /// Bytes.
        size: u64,
        /// The level.
        level: u8,
        /// The size of the level before it.
        neighbour_size: u64,
        /// The level before it.
        neighbour: u8,
    },
    /// Numbers of nodes with a gap.
    #[error("numa: Node ID missing: {0}")]
    MissingNode(u16),
    /// The nodes have more or less memory than the machine.
    #[error("total memory for NUMA nodes (0x{nodes:x}) should equal RAM size (0x{ram:x})")]
    TotalMemory {
        /// Bytes.
        nodes: u128,
        /// Bytes.
        ram: u64,
    },
    /// A memory backend of two nodes.
    #[error("memory backend {0} can't be used multiple times.")]
    MemdevTwice(String),
    /// No distance between two nodes, either way.
    #[error(
        "The distance between node {0} and {1} is missing, at least one distance value between each nodes should be \
         provided."
    )]
    MissingDistance(u16, u16),
    /// Some distances differ by direction, and some are known one way only.
    #[error(
        "At least one asymmetrical pair of distances is given, please provide distances for both directions of all node \
         pairs."
    )]
    IncompleteDistances,
    /// An initiator that is not there.
    #[error("NUMA node {0} is missing, use '-numa node' option to declare it first")]
    MissingInitiator(u16),
    /// An initiator without CPUs.
    #[error("The initiator of NUMA node {0} is invalid")]
    InvalidInitiator(u16),
}

impl NumaError {
    /// Further lines for a person.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Parameter(error) => error.hint(),
            Self::MemNotSupported => Some("Use -numa node,memdev instead"),
            _ => None,
        }
    }
}
