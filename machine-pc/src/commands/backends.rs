//! What lists the users' objects of the host's side: QMP and the human monitor.

use qmp::{Context, Error, command, hmp_command};
use qom::user_creatable::CONTAINER;
use qom::{Object, PropertyEnum};
use serde::Serialize;

use crate::backends::iothread::{IoThread, IoThreadInfo};
use crate::backends::memory::{MemoryBackend, MemoryBackendInfo};

/// What there is to tell of each of the users' objects with a part `T`, in the order in which they came.
fn infos<T: Object, I>(context: &Context, info: fn(&T) -> Option<I>) -> Vec<I> {
    let Ok(home) = context.qom().resolve(CONTAINER) else { return Vec::new() };
    let children = home.core().children();
    children.iter().filter_map(|(_, object)| info(object.downcast_ref::<T>()?)).collect()
}

/// A thread for the work of devices, made as an object of the type `iothread` (QAPI `IOThreadInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct IoThreadReply {
    /// By what the polling time is divided when it was too long.
    poll_shrink: i64,
    /// The host's number of the thread (TID), by which a manager pins it.
    thread_id: u32,
    /// How much a new measurement counts: its weight is 1 to 2 to the power of this.
    poll_weight: i64,
    /// The most requests that are given to the host at once; 0: as many as the program finds best.
    aio_max_batch: i64,
    /// By what the polling time is multiplied when it was too short.
    poll_grow: i64,
    /// The longest time that the thread polls before it sleeps, in nanoseconds; 0: it never polls.
    poll_max_ns: i64,
    /// The object's name.
    id: String,
}

impl From<IoThreadInfo> for IoThreadReply {
    fn from(info: IoThreadInfo) -> Self {
        let IoThreadInfo { id, thread_id, poll_max_ns, poll_grow, poll_shrink, poll_weight, aio_max_batch } =
            info;
        Self { poll_shrink, thread_id, poll_weight, aio_max_batch, poll_grow, poll_max_ns, id }
    }
}

command! {
    /// Returns the threads that were made as objects of the type `iothread`, in the order in which they were made. The figures
    /// about polling are those that were set: nothing here is polled, and a thread without work sleeps at once.
    "query-iothreads" (allow_preconfig) =>
    fn query_iothreads(context: &mut Context, (): ()) -> Result<Vec<IoThreadReply>, Error> {
        Ok(infos(context, IoThread::info).into_iter().map(IoThreadReply::from).collect())
    }
}

hmp_command! {
    info "iothreads", "", "", "show iothreads" (allow_preconfig) =>
    fn info_iothreads(monitor, _arguments) {
        for info in infos(monitor.context, IoThread::info) {
            monitor.print(format_args!("{}:\n  thread_id={}\n", info.id, info.thread_id));
            for (name, value) in [
                ("poll-max-ns", info.poll_max_ns),
                ("poll-grow", info.poll_grow),
                ("poll-shrink", info.poll_shrink),
                ("poll-weight", info.poll_weight),
                ("aio-max-batch", info.aio_max_batch),
            ] {
                monitor.print(format_args!("  {name}={value}\n"));
            }
        }
        Ok(())
    }
}

/// Memory that was made as an object (QAPI `Memdev`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct Memdev {
    /// Whether other processes that map it see what is written to it.
    share: bool,
    /// Whether the host sets swap space or huge pages aside for all of it.
    reserve: bool,
    /// Whether all of its pages were made to be there at the start.
    prealloc: bool,
    /// The NUMA nodes of the host that it comes from, ascending; empty with the policy `default`.
    host_nodes: Vec<u16>,
    /// Its size in bytes.
    size: u64,
    /// Whether the host may merge pages of the same content.
    merge: bool,
    /// Whether it is part of a core dump of the program.
    dump: bool,
    /// How `host-nodes` are used.
    #[qapi(as = qmp::schema::EnumName<crate::backends::memory::HostMemPolicy>)]
    policy: &'static str,
    /// The object's name.
    id: String,
}

impl From<MemoryBackendInfo> for Memdev {
    fn from(info: MemoryBackendInfo) -> Self {
        Self {
            share: info.share,
            reserve: info.reserve,
            prealloc: info.prealloc,
            host_nodes: info.nodes.iter().collect(),
            size: info.size,
            merge: info.merge,
            dump: info.dump,
            policy: info.policy.name(),
            id: info.id,
        }
    }
}

command! {
    /// Returns the memory backends that were made as objects, in the order in which they were made. RAM that the machine made
    /// itself is not among them.
    "query-memdev" (allow_preconfig) =>
    fn query_memdev(context: &mut Context, (): ()) -> Result<Vec<Memdev>, Error> {
        Ok(infos(context, MemoryBackend::info).into_iter().map(Memdev::from).collect())
    }
}

hmp_command! {
    info "memdev", "", "", "show memory backends" (allow_preconfig) =>
    fn info_memdev(monitor, _arguments) {
        for info in infos(monitor.context, MemoryBackend::info) {
            monitor.print(format_args!("memory backend: {}\n  size:  {}\n", info.id, info.size));
            for (name, value) in [
                ("merge", info.merge),
                ("dump", info.dump),
                ("prealloc", info.prealloc),
                ("share", info.share),
                ("reserve", info.reserve),
            ] {
                monitor.print(format_args!("  {name}: {value}\n"));
            }
            let nodes = info.nodes.to_text();
            monitor.print(format_args!("  policy: {}\n  host nodes: {nodes}\n", info.policy.name()));
        }
        monitor.print(format_args!("\n"));
        Ok(())
    }
}
