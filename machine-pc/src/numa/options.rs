//! One option, read: QAPI's `NumaOptions`.

use qmp::QapiType;

use super::hmat::{Associativity, DataType, Hierarchy, WritePolicy};

/// What one option says of NUMA nodes (QAPI `NumaOptions`).
#[derive(Debug, Clone, PartialEq, Eq, QapiType)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum NumaOptions {
    /// There is a node.
    Node(NodeOptions),
    /// How far one node is from another.
    #[serde(rename = "dist")]
    Distance(DistanceOptions),
    /// CPUs are in a node: those whose place agrees with each coordinate that is given.
    Cpu(CpuOptions),
    /// How fast a node's CPUs reach a node's memory (ACPI's HMAT). Needs `-machine hmat=on`.
    HmatLb(HmatLbOptions),
    /// A cache that stands before a node's memory (ACPI's HMAT). Needs `-machine hmat=on`.
    HmatCache(HmatCacheOptions),
}

/// `node`.
#[derive(Debug, Clone, Default, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct NodeOptions {
    /// The node's number, 0 to 127; the next one by default.
    pub nodeid: Option<u16>,
    /// Slots of CPUs in it, by their numbers (0 to maxcpus - 1); none by default.
    #[serde(default)]
    pub cpus: Vec<u16>,
    /// Its memory in bytes. Newer machines refuse it: they take `memdev` alone.
    pub mem: Option<u64>,
    /// The name of the memory backend that is its memory; by default it has none.
    pub memdev: Option<String>,
    /// The node whose CPUs are nearest to its memory, 0 to 127; needs `-machine hmat=on`.
    pub initiator: Option<u16>,
}

/// `dist`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct DistanceOptions {
    /// The node that accesses.
    pub src: u16,
    /// The node whose memory is accessed.
    pub dst: u16,
    /// How far that is in ACPI's measure: 10 is a node's distance from itself, and 255 means that it is out of reach.
    pub val: u8,
}

/// `cpu`: the CPUs whose place agrees with each coordinate that is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct CpuOptions {
    /// The node, which was added before. It must be given.
    pub node_id: Option<i64>,
    /// Refused: no x86 CPU has a drawer.
    pub drawer_id: Option<i64>,
    /// Refused: no x86 CPU has a book.
    pub book_id: Option<i64>,
    /// The socket in the machine; any by default.
    pub socket_id: Option<i64>,
    /// The die in the socket; any by default. Refused where sockets have one die.
    pub die_id: Option<i64>,
    /// Refused: no x86 CPU has a cluster.
    pub cluster_id: Option<i64>,
    /// The module in the die; any by default. Refused where dies have one module.
    pub module_id: Option<i64>,
    /// The core in the module; any by default.
    pub core_id: Option<i64>,
    /// The thread in the core; any by default.
    pub thread_id: Option<i64>,
}

/// `hmat-lb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct HmatLbOptions {
    /// The node whose CPUs access.
    pub initiator: u16,
    /// The node whose memory is accessed.
    pub target: u16,
    /// What answers: the memory, or a cache before it.
    pub hierarchy: Hierarchy,
    /// What is measured.
    pub data_type: DataType,
    /// How long an access takes, in nanoseconds. Given exactly where `data-type` is a latency.
    pub latency: Option<u64>,
    /// Bytes a second, a multiple of 1 MiB. Given exactly where `data-type` is a bandwidth.
    pub bandwidth: Option<u64>,
}

/// `hmat-cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct HmatCacheOptions {
    /// The node with the memory.
    pub node_id: u32,
    /// Its size in bytes.
    pub size: u64,
    /// Its level, 1 to 3.
    pub level: u8,
    /// In how many places a line of memory can be in it.
    pub associativity: Associativity,
    /// When the memory gets what is written to it.
    pub policy: WritePolicy,
    /// The size of a line in bytes.
    pub line: u16,
}
