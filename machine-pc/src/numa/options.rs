//! One option, read: QAPI's `NumaOptions`.

use qmp::QapiType;

use super::hmat::{Associativity, DataType, Hierarchy, WritePolicy};

/// What one option says.
#[derive(Debug, Clone, PartialEq, Eq, QapiType)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum NumaOptions {
    /// There is a node.
    Node(NodeOptions),
    /// How far one node is from another.
    #[serde(rename = "dist")]
    Distance(DistanceOptions),
    /// These CPUs are in a node.
    Cpu(CpuOptions),
    /// How fast a node's CPUs reach a node's memory.
    HmatLb(HmatLbOptions),
    /// A cache that stands before a node's memory.
    HmatCache(HmatCacheOptions),
}

/// `node`.
#[derive(Debug, Clone, Default, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct NodeOptions {
    /// Its number; none for the next.
    pub nodeid: Option<u16>,
    /// CPUs in it, by number.
    #[serde(default)]
    pub cpus: Vec<u16>,
    /// Its memory in bytes.
    pub mem: Option<u64>,
    /// The object that is its memory.
    pub memdev: Option<String>,
    /// The node whose CPUs are nearest to its memory.
    pub initiator: Option<u16>,
}

/// `dist`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct DistanceOptions {
    /// From this node.
    pub src: u16,
    /// To this one.
    pub dst: u16,
    /// ACPI's measure: 10 is a node's distance from itself, 255 out of reach.
    pub val: u8,
}

/// `cpu`: the CPUs whose place agrees with each coordinate that is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct CpuOptions {
    /// The node.
    pub node_id: Option<i64>,
    /// No x86 CPU has one.
    pub drawer_id: Option<i64>,
    /// No x86 CPU has one.
    pub book_id: Option<i64>,
    /// Socket in the machine.
    pub socket_id: Option<i64>,
    /// Die in the socket.
    pub die_id: Option<i64>,
    /// No x86 CPU has one.
    pub cluster_id: Option<i64>,
    /// Module in the die.
    pub module_id: Option<i64>,
    /// Core in the module.
    pub core_id: Option<i64>,
    /// Thread in the core.
    pub thread_id: Option<i64>,
}

/// `hmat-lb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct HmatLbOptions {
    /// The node that accesses.
    pub initiator: u16,
    /// The node whose memory is accessed.
    pub target: u16,
    /// The memory, or a cache before it.
    pub hierarchy: Hierarchy,
    /// What is measured.
    pub data_type: DataType,
    /// Nanoseconds.
    pub latency: Option<u64>,
    /// Bytes a second.
    pub bandwidth: Option<u64>,
}

/// `hmat-cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct HmatCacheOptions {
    /// The node.
    pub node_id: u32,
    /// Bytes.
    pub size: u64,
    /// 1 to 3, from the memory on.
    pub level: u8,
    /// How lines are placed.
    pub associativity: Associativity,
    /// When memory gets what is written.
    pub policy: WritePolicy,
    /// Bytes of a line.
    pub line: u16,
}
