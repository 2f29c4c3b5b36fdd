//! The nodes so far, and the whole once the machine is made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::MAX_NODES;
use super::distance::{Distances, LOCAL};
use super::error::NumaError;
use super::hmat::{self, Hmat};
use super::options::{CpuOptions, DistanceOptions, NodeOptions, NumaOptions};

/// A CPU's place. Levels that the machine does not tell of are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuSlot {
    /// Socket in the machine.
    pub socket: u32,
    /// Die in the socket.
    pub die: Option<u32>,
    /// Module in the die.
    pub module: Option<u32>,
    /// Core in the module.
    pub core: u32,
    /// Thread in the core.
    pub thread: u32,
}

impl fmt::Display for CpuSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket-id: {}", self.socket)?;
        for (level, id) in [("die", self.die), ("module", self.module)] {
            if let Some(id) = id {
                write!(f, ", {level}-id: {id}")?;
            }
        }
        write!(f, ", core-id: {}, thread-id: {}", self.core, self.thread)
    }
}

/// Memory that was made as an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memdev {
    /// Its path, which tells it from others.
    pub path: String,
    /// Its name in messages.
    pub id: String,
    /// Bytes.
    pub size: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    mem: u64,
    memdev: Option<Memdev>,
    initiator: Option<u16>,
    has_cpu: bool,
}

/// The nodes so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumaState {
    slots: Vec<CpuSlot>,
    mem_supported: bool,
    hmat_enabled: bool,
    nodes: BTreeMap<u16, Node>,
    cpu_nodes: Vec<Option<u16>>,
    distances: Distances,
    hmat: Hmat,
    uses_mem: bool,
    uses_memdev: bool,
}

impl hmat::Nodes for BTreeMap<u16, Node> {
    fn count(&self) -> usize {
        self.len()
    }

    fn exists(&self, node: u16) -> bool {
        self.contains_key(&node)
    }

    fn has_cpu(&self, node: u16) -> bool {
        self.get(&node).is_some_and(|node| node.has_cpu)
    }
}

impl NumaState {
    /// No node yet, on a machine with these CPU slots. `mem_supported`: nodes may be given memory by size. `hmat_enabled`:
    /// the guest is told of latencies and bandwidths.
    pub fn new(slots: Vec<CpuSlot>, mem_supported: bool, hmat_enabled: bool) -> Self {
        let cpu_nodes = vec![None; slots.len()];
        Self {
            slots,
            mem_supported,
            hmat_enabled,
            nodes: BTreeMap::new(),
            cpu_nodes,
            distances: Distances::default(),
            hmat: Hmat::default(),
            uses_mem: false,
            uses_memdev: false,
        }
    }

    /// The node of each CPU slot, as far as it was said.
    pub fn cpu_nodes(&self) -> &[Option<u16>] {
        &self.cpu_nodes
    }

    /// Adds what an option says. `memdev` finds memory by name or path.
    ///
    /// # Errors
    /// [`NumaError`]; nothing has changed.
    pub fn apply(
        &mut self,
        options: &NumaOptions,
        memdev: impl FnOnce(&str) -> Option<Memdev>,
    ) -> Result<(), NumaError> {
        match options {
            NumaOptions::Node(options) => self.add_node(options, memdev),
            NumaOptions::Distance(options) => self.set_distance(*options),
            NumaOptions::Cpu(options) => self.assign(options),
            NumaOptions::HmatLb(_) | NumaOptions::HmatCache(_) if !self.hmat_enabled => {
                Err(NumaError::HmatDisabled)
            }
            NumaOptions::HmatLb(options) => self.hmat.add_figure(options, &self.nodes),
            NumaOptions::HmatCache(options) => self.hmat.add_cache(options, self.nodes.len()),
        }
    }

    fn add_node(
        &mut self,
        options: &NodeOptions,
        memdev: impl FnOnce(&str) -> Option<Memdev>,
    ) -> Result<(), NumaError> {
        let next = u16::try_from(self.nodes.len()).unwrap_or(u16::MAX);
        let number = options.nodeid.unwrap_or(next);
        if number >= MAX_NODES {
            return Err(NumaError::TooManyNodes(number));
        }
        if self.nodes.contains_key(&number) {
            return Err(NumaError::DuplicateNode(number));
        }
        let mut node = Node::default();
        if let Some(initiator) = options.initiator {
            if !self.hmat_enabled {
                return Err(NumaError::HmatDisabled);
            }
            if initiator >= MAX_NODES {
                return Err(NumaError::InitiatorRange(initiator));
            }
            node.initiator = Some(initiator);
        }
        let mut cpus = BTreeSet::new();
        for &index in &options.cpus {
            let max_cpus = self.slots.len();
            let slot = usize::from(index);
            match self.cpu_nodes.get(slot) {
                None => return Err(NumaError::CpuIndex { index, max_cpus }),
                Some(Some(other)) => return Err(NumaError::CpuAssigned(*other)),
                Some(None) => cpus.insert(slot),
            };
            self.give_cpu(number, &mut node)?;
        }
        let (mem, named) = (options.mem, options.memdev.as_deref());
        let (uses_mem, uses_memdev) = (self.uses_mem || mem.is_some(), self.uses_memdev || named.is_some());
        if (mem.is_some() && uses_memdev) || (named.is_some() && uses_mem) {
            return Err(NumaError::MemAndMemdev);
        }
        if let Some(mem) = mem {
            if !self.mem_supported {
                return Err(NumaError::MemNotSupported);
            }
            node.mem = mem;
        }
        if let Some(name) = named {
            let memory = memdev(name).ok_or_else(|| NumaError::Memdev(name.to_owned()))?;
            node.mem = memory.size;
            node.memdev = Some(memory);
        }
        for slot in cpus {
            self.cpu_nodes[slot] = Some(number);
        }
        (self.uses_mem, self.uses_memdev) = (uses_mem, uses_memdev);
        self.nodes.insert(number, node);
        Ok(())
    }

    /// Notes that a node has a CPU: it is then its own initiator.
    fn give_cpu(&self, number: u16, node: &mut Node) -> Result<(), NumaError> {
        if let Some(initiator) = node.initiator.filter(|initiator| *initiator != number) {
            return Err(NumaError::ForeignInitiator { node: number, initiator });
        }
        node.has_cpu = true;
        // Where the guest is not told, nobody asks.
        node.initiator = self.hmat_enabled.then_some(number);
        Ok(())
    }

    fn set_distance(&mut self, options: DistanceOptions) -> Result<(), NumaError> {
        let DistanceOptions { src, dst, val } = options;
        for (name, node) in [("src", src), ("dst", dst)] {
            if node >= MAX_NODES {
                return Err(NumaError::NodeRange { name });
            }
        }
        if !self.nodes.contains_key(&src) || !self.nodes.contains_key(&dst) {
            return Err(NumaError::DistanceNode);
        }
        if val < LOCAL {
            return Err(NumaError::DistanceTooSmall(val));
        }
        if src == dst && val != LOCAL {
            return Err(NumaError::LocalDistance(src));
        }
        self.distances.set(src, dst, val);
        Ok(())
    }

    /// The slots at a place, each of which has all levels that are named.
    fn slots_at(&self, place: &CpuOptions) -> Result<Vec<usize>, NumaError> {
        let first = self.slots.first().ok_or(NumaError::NoMatch)?;
        for (level, id, known) in [
            ("module", place.module_id, first.module.is_some()),
            ("cluster", place.cluster_id, false),
            ("die", place.die_id, first.die.is_some()),
            ("drawer", place.drawer_id, false),
            ("book", place.book_id, false),
        ] {
            if id.is_some() && !known {
                return Err(NumaError::LevelNotSupported(level));
            }
        }
        let agrees = |id: Option<i64>, own: Option<u32>| id.is_none_or(|id| Some(id) == own.map(i64::from));
        let at = |slot: &CpuSlot| {
            agrees(place.thread_id, Some(slot.thread))
                && agrees(place.core_id, Some(slot.core))
                && agrees(place.module_id, slot.module)
                && agrees(place.die_id, slot.die)
                && agrees(place.socket_id, Some(slot.socket))
        };
        let found: Vec<usize> =
            self.slots.iter().enumerate().filter(|(_, slot)| at(slot)).map(|(index, _)| index).collect();
        if found.is_empty() { Err(NumaError::NoMatch) } else { Ok(found) }
    }

    fn assign(&mut self, options: &CpuOptions) -> Result<(), NumaError> {
        let id = options.node_id.ok_or(NumaError::NoNodeId)?;
        let number = u16::try_from(id).map_err(|_| NumaError::NoSuchNode(id))?;
        let mut node = self.nodes.get(&number).ok_or(NumaError::NoSuchNode(id))?.clone();
        let slots = self.slots_at(options)?;
        for &slot in &slots {
            if let Some(other) = self.cpu_nodes[slot].filter(|other| *other != number) {
                return Err(NumaError::CpuAssigned(other));
            }
            self.give_cpu(number, &mut node)?;
        }
        for slot in slots {
            self.cpu_nodes[slot] = Some(number);
        }
        self.nodes.insert(number, node);
        Ok(())
    }

    /// Checks the nodes as a whole and fills in what was not said, for a machine with `ram_size` bytes of memory.
    ///
    /// # Errors
    /// The first [`NumaError`] in the reference's order.
    pub fn complete(&self, ram_size: u64) -> Result<Completed, NumaError> {
        let Some(last) = self.nodes.keys().next_back().copied() else { return Ok(Completed::default()) };
        if let Some(missing) = (0..last).rev().find(|number| !self.nodes.contains_key(number)) {
            return Err(NumaError::MissingNode(missing));
        }
        let nodes = self.nodes.values().map(|node| u128::from(node.mem)).sum();
        if nodes != u128::from(ram_size) {
            return Err(NumaError::TotalMemory { nodes, ram: ram_size });
        }
        let mut paths = BTreeSet::new();
        for memdev in self.nodes.values().filter_map(|node| node.memdev.as_ref()) {
            if !paths.insert(&memdev.path) {
                return Err(NumaError::MemdevTwice(memdev.id.clone()));
            }
        }
        let count = last + 1;
        let distances = self.distances.table(count)?;
        let (cpu_nodes, nodes, strays) = self.with_all_cpus(count)?;
        if self.hmat_enabled {
            for (number, node) in &nodes {
                let Some(initiator) = node.initiator else { continue };
                let own = nodes.get(&initiator).ok_or(NumaError::MissingInitiator(initiator))?;
                if !own.has_cpu {
                    return Err(NumaError::InvalidInitiator(*number));
                }
            }
        }
        let warnings = match strays.is_empty() {
            true => Vec::new(),
            false => vec![
                format!("CPU(s) not present in any NUMA nodes: {}", strays.join(", ")),
                "All CPU(s) up to maxcpus should be described in NUMA config, ability to start up with partial NUMA \
                 mappings is obsoleted and will be removed in future"
                    .to_owned(),
            ],
        };
        let view = |node: Node| NodeView {
            mem: node.mem,
            memdev: node.memdev,
            initiator: node.initiator,
            has_cpu: node.has_cpu,
        };
        Ok(Completed {
            nodes: nodes.into_values().map(view).collect(),
            cpu_nodes,
            distances,
            hmat: self.hmat_enabled.then(|| self.hmat.clone()),
            warnings,
        })
    }

    /// Every CPU in a node. If no CPU was mentioned, sockets go round; else those that were not are in node 0, and
    /// described.
    #[expect(clippy::type_complexity, reason = "three parts of one step, taken apart at once")]
    fn with_all_cpus(&self, count: u16) -> Result<(Vec<u16>, BTreeMap<u16, Node>, Vec<String>), NumaError> {
        let by_socket = self.cpu_nodes.iter().all(Option::is_none);
        let mut nodes = self.nodes.clone();
        let mut strays = Vec::new();
        let mut all = Vec::with_capacity(self.slots.len());
        for (index, (slot, given)) in self.slots.iter().zip(&self.cpu_nodes).enumerate() {
            let number = given.unwrap_or_else(|| {
                if by_socket { u16::try_from(slot.socket % u32::from(count)).unwrap_or(0) } else { 0 }
            });
            if given.is_none() {
                if let Some(node) = nodes.get_mut(&number) {
                    self.give_cpu(number, node)?;
                }
                if !by_socket {
                    strays.push(format!("CPU {index} [{slot}]"));
                }
            }
            all.push(number);
        }
        Ok((all, nodes, strays))
    }
}

/// A node of a machine that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Its memory in bytes.
    pub mem: u64,
    /// The object that is its memory.
    pub memdev: Option<Memdev>,
    /// The node whose CPUs are nearest to its memory, if the guest is told.
    pub initiator: Option<u16>,
    /// CPUs belong to it, some of which may not be there yet.
    pub has_cpu: bool,
}

/// The nodes of a machine that is made. Without nodes all of it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completed {
    /// The nodes by number, without a gap.
    pub nodes: Vec<NodeView>,
    /// The node of each CPU slot.
    pub cpu_nodes: Vec<u16>,
    /// How far each node (the row) is from each, if anything was said of it.
    pub distances: Option<Vec<Vec<u8>>>,
    /// Latencies, bandwidths and caches, if the guest is told.
    pub hmat: Option<Hmat>,
    /// What a person should know.
    pub warnings: Vec<String>,
}
