//! `memory-backend`: memory of the host that a guest can be given.
//!
//! The memory is mapped when the object is complete and lives as long as the object or anybody who holds the region.
//! How it is mapped (size, sharing, reservation, nodes) is fixed then; what is only advice to the kernel can be
//! changed at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use qom::text::list;
use qom::user_creatable::{Member, MemberType, UserCreatableClass};
use qom::{
    ClassInit, Error, Field, Input, Instance, Link, Object, ObjectCore, Property, PropertyError,
    PropertyValue, Size, UserCreatable, Value, ValueError,
};
use qom_derive::Object;
use thiserror::Error as ThisError;
use vm_memory::{MmapRegion, VolatileMemory};

use super::memory_file::FileError;
use super::{id, property, too_late};
use crate::os_error;
use crate::raw::{self, Advice};

/// How many NUMA nodes of a host can be named.
const MAX_NODES: u16 = 128;
/// How many threads preallocate at most, whatever is asked for.
const MAX_PREALLOC_THREADS: usize = 16;
/// The size of a page.
pub(super) const PAGE_BYTES: usize = 4096;

/// Why there is no memory as it was described.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum MemoryBackendError {
    /// The host refused the mapping.
    #[error("cannot set up guest memory '{name}': {reason}")]
    Map {
        /// The memory's name.
        name: String,
        /// What the host said.
        reason: String,
    },
    /// Nodes are named for a policy that has none.
    #[error(
        "host-nodes must be empty for policy default, or you should explicitly specify a policy other than default"
    )]
    NodesWithoutPolicy,
    /// No nodes are named for a policy that needs them.
    #[error("host-nodes must be set for policy {0}")]
    PolicyWithoutNodes(&'static str),
    /// The host refused the nodes.
    #[error("cannot bind memory to host NUMA nodes: {0}")]
    Bind(String),
    /// Memory that is to be there and not reserved.
    #[error("'prealloc=on' and 'reserve=off' are incompatible")]
    PreallocWithoutReserve,
    /// The host has not enough of it.
    #[error("cannot preallocate memory: {0}")]
    Preallocate(String),
    /// There is no such file, or it is too short.
    #[error(transparent)]
    File(#[from] FileError),
    /// Somebody uses the memory.
    #[error("Cannot delete host memory backend '{0}' which is mapped")]
    Mapped(String),
}

qom::property_enum! {
    /// From which of the host's NUMA nodes memory comes (QAPI `HostMemPolicy`).
    pub enum HostMemPolicy("HostMemPolicy") {
        /// From where the host's own policy has it.
        Default = "default",
        /// From these nodes as long as they have some, then from others.
        Preferred = "preferred",
        /// From these nodes only.
        Bind = "bind",
        /// From these nodes in turn.
        Interleave = "interleave",
    }
}

impl HostMemPolicy {
    /// Linux's number of it.
    fn mode(self) -> libc::c_int {
        match self {
            Self::Default => libc::MPOL_DEFAULT,
            Self::Preferred => libc::MPOL_PREFERRED,
            Self::Bind => libc::MPOL_BIND,
            Self::Interleave => libc::MPOL_INTERLEAVE,
        }
    }
}

/// A set of the host's NUMA nodes, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostNodes(u128);

impl HostNodes {
    /// The nodes, ascending.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        (0..MAX_NODES).filter(move |node| self.0 >> node & 1 == 1)
    }

    /// The nodes as people write them: `0-3,7`.
    pub fn to_text(self) -> String {
        let nodes: Vec<u64> = self.iter().map(u64::from).collect();
        list::format_unsigned(&nodes)
    }
}

/// As written: not yet known to be nodes that can be named.
struct NodeList(Vec<u16>);

impl PropertyValue for NodeList {
    fn type_name() -> &'static str {
        "int"
    }

    fn read(name: &str, input: &Input<'_>) -> Result<Self, ValueError> {
        let expects = |name: &str, expected: &str| ValueError::Expects {
            name: name.to_owned(),
            expected: expected.to_owned(),
        };
        let narrow = |name: &str, wide: u64| u16::try_from(wide).map_err(|_| expects(name, "uint16_t"));
        let nodes: Result<Vec<u16>, ValueError> = match *input {
            Input::Json(Value::Array(items)) => {
                let item = |(index, item): (usize, &Value)| {
                    let name = format!("{name}[{index}]");
                    let wide = item.as_u64().or_else(|| item.as_i64().map(i64::cast_unsigned));
                    narrow(&name, wide.ok_or_else(|| expects(&name, "uint64"))?)
                };
                items.iter().enumerate().map(item).collect()
            }
            Input::KeyvalTree(_) => Vec::<u16>::read(name, input),
            Input::Json(_) => Err(ValueError::Kind { name: name.to_owned(), expected: "array" }),
            Input::Keyval(text) | Input::Text(text) => list::unsigned(name, text)
                .map_err(|_| expects(name, "list of uint64 values or ranges"))?
                .into_iter()
                .map(|wide| narrow(name, wide))
                .collect(),
        };
        nodes.map(Self)
    }

    fn to_value(&self) -> Value {
        Value::from(self.0.as_slice())
    }
}

/// How memory is to be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Bytes, not 0.
    pub size: u64,
    /// Other processes that have the mapping see what is written.
    pub share: bool,
    /// The host sets room aside for all of it.
    pub reserve: bool,
}

/// Why memory is not mapped.
#[derive(Debug, ThisError)]
pub enum MapError {
    /// The host refused.
    #[error(transparent)]
    Host(#[from] std::io::Error),
    /// The file that it is.
    #[error(transparent)]
    File(FileError),
}

/// The class data that `memory-backend` introduces.
#[derive(Debug, Clone)]
pub struct MemoryBackendClass {
    /// Maps the memory of an object.
    pub map: fn(&dyn Object, Mapping) -> Result<MmapRegion, MapError>,
}

impl Default for MemoryBackendClass {
    fn default() -> Self {
        Self { map: |_, _| Err(std::io::Error::from_raw_os_error(libc::ENOSYS).into()) }
    }
}

/// The state of every memory backend.
#[derive(Debug, Object)]
#[object(
    name = "memory-backend",
    abstract,
    class_init = MemoryBackend::class_init,
    interfaces(dyn UserCreatable)
)]
pub struct MemoryBackend {
    parent: ObjectCore,
    size: Field<u64>,
    share: Field<bool>,
    #[object(default = Field::new(true))]
    reserve: Field<bool>,
    #[object(default = Field::new(true))]
    merge: Field<bool>,
    #[object(default = Field::new(true))]
    dump: Field<bool>,
    prealloc: Field<bool>,
    #[object(default = Field::new(1))]
    prealloc_threads: Field<u32>,
    prealloc_context: Link,
    nodes: Field<HostNodes>,
    #[object(default = Field::new(HostMemPolicy::Default))]
    policy: Field<HostMemPolicy>,
    use_canonical_path: Field<bool>,
    region: Field<Option<Arc<MmapRegion>>>,
}

qom::register_types!(<MemoryBackend as Instance>::type_info);

/// What there is to tell of a memory backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryBackendInfo {
    /// Its id.
    pub id: String,
    /// Bytes.
    pub size: u64,
    /// Equal pages may be shared behind the scenes.
    pub merge: bool,
    /// It is part of a core dump.
    pub dump: bool,
    /// All of it was made to be there.
    pub prealloc: bool,
    /// Other processes that have the mapping see what is written.
    pub share: bool,
    /// The host sets room aside for all of it.
    pub reserve: bool,
    /// Where it comes from.
    pub nodes: HostNodes,
    /// And how strictly.
    pub policy: HostMemPolicy,
}

fn refused(error: impl std::fmt::Display) -> PropertyError {
    PropertyError::Refused(error.to_string())
}

impl MemoryBackend {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<MemoryBackendClass>();
        Self::add_advice(class);
        Self::add_mapping(class);
        class.data_mut::<UserCreatableClass>().members.extend([
            Member::optional("dump", MemberType::Bool)
                .doc("Whether it is part of a core dump of the program; true by default."),
            Member::optional("host-nodes", MemberType::Uint16List)
                .doc("NUMA nodes of the host that it comes from, each below 128; none by default. Needed with any `policy` but `default`, and refused with that."),
            Member::optional("merge", MemberType::Bool)
                .doc("Whether the host may merge pages of the same content; true by default, which the machine can change (`mem-merge`)."),
            Member::optional("policy", MemberType::Enum(&["default", "preferred", "bind", "interleave"]))
                .doc("How `host-nodes` are used: `default` (the host decides), `preferred` (as long as they have some), `bind` (these only), `interleave` (in turn); `default` by default."),
            Member::optional("prealloc", MemberType::Bool)
                .doc("Whether all of its pages are made to be there at the start; false by default. Refused with `reserve` off."),
            Member::optional("prealloc-threads", MemberType::Uint32)
                .doc("How many threads do that, at least 1; 1 by default, and 16 or as many as the host has processors at most."),
            Member::optional("prealloc-context", MemberType::Text)
                .doc("The path of an object with the threads that do that; none by default. No object can be named: there is no such type here."),
            Member::optional("share", MemberType::Bool)
                .doc("Whether other processes that map it see what is written to it; false by default."),
            Member::optional("reserve", MemberType::Bool)
                .doc("Whether the host sets swap space or huge pages aside for all of it; true by default."),
            Member::required("size", MemberType::Size)
                .doc("Its size in bytes, at least 1. A file's is a multiple of the size of its pages; other memory is rounded up to whole pages."),
            Member::optional("x-use-canonical-path-for-ramblock-id", MemberType::Bool)
                .doc("Whether messages name it by its path and not by its id; false by default."),
        ]);
    }

    /// The properties that can be changed at any time.
    fn add_advice(class: &mut ClassInit<'_>) {
        class.add_property(
            property::<Self, bool>(
                "merge",
                "bool",
                |this| this.merge.get(),
                |this, value| {
                    this.merge.set(value);
                    this.advise(if value { Advice::Mergeable } else { Advice::Unmergeable });
                    Ok(())
                },
            )
            .description("Mark memory as mergeable"),
        );
        class.add_property(
            property::<Self, bool>(
                "dump",
                "bool",
                |this| this.dump.get(),
                |this, value| {
                    this.dump.set(value);
                    this.advise(if value { Advice::Dump } else { Advice::DontDump });
                    Ok(())
                },
            )
            .description("Set to 'off' to exclude from core dump"),
        );
        class.add_property(
            property::<Self, bool>("prealloc", "bool", |this| this.prealloc.get(), Self::set_prealloc)
                .description("Preallocate memory"),
        );
        class.add_property(
            property::<Self, u32>(
                "prealloc-threads",
                "int",
                |this| this.prealloc_threads.get(),
                |this, value| {
                    if value == 0 {
                        return Err(this.takes_no("prealloc-threads", 0));
                    }
                    this.prealloc_threads.set(value);
                    Ok(())
                },
            )
            .description("Number of CPU threads to use for prealloc"),
        );
        class.add_property(
            Property::link::<Self>("prealloc-context", "thread-context", |this| &this.prealloc_context)
                .description("Context to use for creating CPU threads for preallocation"),
        );
    }

    /// The properties that say how the memory is mapped.
    fn add_mapping(class: &mut ClassInit<'_>) {
        class.add_property(
            property::<Self, Size>(
                "size",
                "int",
                |this| Size(this.size.get()),
                |this, value| {
                    if this.region().is_some() {
                        // The reference's text, its last character included.
                        let type_name = Object::core(this).class().name();
                        return Err(refused(format_args!("cannot change property size of {type_name} ")));
                    }
                    if value.0 == 0 {
                        return Err(this.takes_no("size", 0));
                    }
                    this.size.set(value.0);
                    Ok(())
                },
            )
            .description("Size of the memory region (ex: 500M)"),
        );
        class.add_property(
            property::<Self, bool>(
                "share",
                "bool",
                |this| this.share.get(),
                |this, value| this.set_unmapped(&this.share, value),
            )
            .description("Mark the memory as private to QEMU or shared"),
        );
        class.add_property(
            property::<Self, bool>(
                "reserve",
                "bool",
                |this| this.reserve.get(),
                |this, value| {
                    if this.region().is_none() && this.prealloc.get() && !value {
                        return Err(refused(MemoryBackendError::PreallocWithoutReserve));
                    }
                    this.set_unmapped(&this.reserve, value)
                },
            )
            .description("Reserve swap space (or huge pages) if applicable"),
        );
        class.add_property(
            property::<Self, HostMemPolicy>(
                "policy",
                "HostMemPolicy",
                |this| this.policy.get(),
                |this, value| this.set_unmapped(&this.policy, value),
            )
            .description("Set the NUMA policy"),
        );
        class.add_property(
            property::<Self, NodeList>(
                "host-nodes",
                "int",
                |this| NodeList(this.nodes.get().iter().collect()),
                |this, value| this.set_unmapped(&this.nodes, node_set(&value)?),
            )
            .description("Binds memory to the list of NUMA host nodes"),
        );
        class.add_property(property::<Self, bool>(
            "x-use-canonical-path-for-ramblock-id",
            "bool",
            |this| this.use_canonical_path.get(),
            |this, value| this.set_unmapped(&this.use_canonical_path, value),
        ));
    }

    fn takes_no(&self, name: &str, value: u64) -> PropertyError {
        let type_name = Object::core(self).class().name();
        refused(format_args!("property '{name}' of {type_name} doesn't take value '{value}'"))
    }

    /// Sets a field that cannot be changed once the memory is mapped.
    fn set_unmapped<T>(&self, field: &Field<T>, value: T) -> Result<(), PropertyError> {
        if self.region().is_some() {
            return Err(too_late());
        }
        field.set(value);
        Ok(())
    }

    /// What was preallocated stays so, whatever is said later.
    fn set_prealloc(&self, value: bool) -> Result<(), PropertyError> {
        if value && !self.reserve.get() {
            return Err(refused(MemoryBackendError::PreallocWithoutReserve));
        }
        match self.region() {
            None => self.prealloc.set(value),
            Some(region) if value && !self.prealloc.get() => {
                self.preallocate(&region).map_err(refused)?;
                self.prealloc.set(true);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Tells the kernel something of the mapped memory. A kernel that does not know the advice goes on without it, as
    /// the reference does.
    fn advise(&self, advice: Advice) {
        if let Some(region) = self.region()
            && let Err(error) = raw::advise(&region, advice)
        {
            tracing::debug!("the host does not take {advice:?}: {error}");
        }
    }

    /// The memory, once it is mapped. Who holds it keeps the object from being removed.
    pub fn region(&self) -> Option<Arc<MmapRegion>> {
        self.region.get()
    }

    /// The name that messages have for the memory.
    pub(crate) fn memory_name(&self) -> String {
        let Some(object) = Object::core(self).upgrade() else { return String::new() };
        if self.use_canonical_path.get() { object.canonical_path() } else { id(&*object) }
    }

    /// What there is to tell of it; none before it is mapped.
    pub fn info(&self) -> Option<MemoryBackendInfo> {
        self.region()?;
        Some(MemoryBackendInfo {
            id: id(&*Object::core(self).upgrade()?),
            size: self.size.get(),
            merge: self.merge.get(),
            dump: self.dump.get(),
            prealloc: self.prealloc.get(),
            share: self.share.get(),
            reserve: self.reserve.get(),
            nodes: self.nodes.get(),
            policy: self.policy.get(),
        })
    }

    fn map(&self) -> Result<MmapRegion, MemoryBackendError> {
        let failed = |error: &std::io::Error| MemoryBackendError::Map {
            name: self.memory_name(),
            reason: os_error::text(error),
        };
        let core = Object::core(self);
        let (Some(class), Some(object)) = (core.class().data::<MemoryBackendClass>(), core.upgrade()) else {
            return Err(failed(&std::io::Error::from_raw_os_error(libc::ENOSYS)));
        };
        let mapping = Mapping { size: self.size.get(), share: self.share.get(), reserve: self.reserve.get() };
        (class.map)(&*object, mapping).map_err(|error| match error {
            MapError::Host(error) => failed(&error),
            MapError::File(error) => error.into(),
        })
    }

    fn bind(&self, region: &MmapRegion) -> Result<(), MemoryBackendError> {
        let (policy, nodes) = (self.policy.get(), self.nodes.get());
        match (policy, nodes.0) {
            (HostMemPolicy::Default, 0) => return Ok(()),
            (HostMemPolicy::Default, _) => return Err(MemoryBackendError::NodesWithoutPolicy),
            (policy, 0) => {
                return Err(MemoryBackendError::PolicyWithoutNodes(qom::PropertyEnum::name(policy)));
            }
            _ => {}
        }
        raw::bind(region, policy.mode(), nodes.0)
            .map_err(|error| MemoryBackendError::Bind(os_error::text(&error)))
    }

    /// Has all pages be there, by as many threads as the object says.
    fn preallocate(&self, region: &MmapRegion) -> Result<(), MemoryBackendError> {
        let pages = region.size() / PAGE_BYTES;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let asked = usize::try_from(self.prealloc_threads.get()).unwrap_or(usize::MAX);
        let threads = asked.min(processors).min(MAX_PREALLOC_THREADS).min(pages).max(1);
        let share = pages.div_ceil(threads) * PAGE_BYTES;
        let result = std::thread::scope(|scope| {
            let parts: Vec<_> = (0..region.size())
                .step_by(share.max(PAGE_BYTES))
                .map(|from| {
                    let len = share.min(region.size() - from);
                    scope.spawn(move || populate(region, from, len))
                })
                .collect();
            parts.into_iter().try_for_each(|part| match part.join() {
                Ok(result) => result,
                Err(_) => Err(std::io::Error::other("a thread failed")),
            })
        });
        result.map_err(|error| MemoryBackendError::Preallocate(os_error::text(&error)))
    }

    fn set_up(&self) -> Result<(), MemoryBackendError> {
        let region = self.map()?;
        for (on, yes, no) in [
            (self.merge.get(), Some(Advice::Mergeable), None),
            (self.dump.get(), None, Some(Advice::DontDump)),
        ] {
            if let Some(advice) = if on { yes } else { no }
                && let Err(error) = raw::advise(&region, advice)
            {
                tracing::debug!("the host does not take {advice:?}: {error}");
            }
        }
        self.bind(&region)?;
        if self.prealloc.get() {
            self.preallocate(&region)?;
        }
        self.region.set(Some(Arc::new(region)));
        Ok(())
    }
}

/// The nodes of a list, if all of them can be named.
fn node_set(list: &NodeList) -> Result<HostNodes, PropertyError> {
    list.0.iter().try_fold(HostNodes::default(), |nodes, &node| {
        if node >= MAX_NODES {
            return Err(refused(format_args!("Invalid host-nodes value: {node}")));
        }
        Ok(HostNodes(nodes.0 | 1 << node))
    })
}

/// Has a part of a region be there: by the kernel at once, or where it does not know how, a page at a time.
fn populate(region: &MmapRegion, from: usize, len: usize) -> std::io::Result<()> {
    match raw::populate(region, from, len) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
        result => return result,
    }
    for at in (from..from + len).step_by(PAGE_BYTES) {
        // A write that changes nothing, also where a guest writes at the same time.
        let byte = region.get_atomic_ref::<AtomicU8>(at).map_err(std::io::Error::other)?;
        byte.fetch_or(0, Ordering::Relaxed);
    }
    Ok(())
}

impl UserCreatable for MemoryBackend {
    fn complete(&self) -> Result<(), Error> {
        self.set_up().map_err(Error::new)
    }

    fn can_be_deleted(&self) -> Result<(), Error> {
        // The object's own reference is one.
        let users =
            self.region.with(|region| region.as_ref().map_or(0, |region| Arc::strong_count(region) - 1));
        if users > 0 {
            return Err(Error::new(MemoryBackendError::Mapped(self.memory_name())));
        }
        Ok(())
    }
}
