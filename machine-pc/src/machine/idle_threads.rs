//! The threads of CPUs on which no guest code runs (`tcg`, `qtest`). They do nothing. Managers pin a CPU's thread and ask the host
//! about it, and some refuse a machine whose CPUs have none; so each CPU has one from when somebody first asks which it is. A CPU that
//! nobody asks about costs none.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};

use parking_lot::Mutex;

use crate::raw;

/// Nothing is called on it.
const STACK_SIZE: usize = 64 << 10;

/// A thread that waits to be ended.
#[derive(Debug)]
struct IdleThread {
    id: u32,
    /// Its end is what the thread waits for.
    life: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl IdleThread {
    fn start(name: String) -> io::Result<Self> {
        let (tell_id, told_id) = channel();
        let (life, end) = channel();
        let thread = Builder::new().name(name).stack_size(STACK_SIZE).spawn(move || {
            // Who started it waits for this.
            let _ = tell_id.send(raw::gettid());
            let _ = end.recv();
        })?;
        let id = told_id.recv().map_err(io::Error::other)?;
        Ok(Self { id, life: Some(life), thread: Some(thread) })
    }
}

impl Drop for IdleThread {
    fn drop(&mut self) {
        drop(self.life.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic.
            let _ = thread.join();
        }
    }
}

/// The threads of a board's CPUs, by APIC ID.
#[derive(Debug)]
pub(super) struct IdleThreads {
    threads: Mutex<BTreeMap<u32, IdleThread>>,
    kind: &'static str,
}

impl IdleThreads {
    /// None yet. `kind` ends the name of each: `TCG` or `DUMMY`, as in the reference under `tcg` and `qtest`.
    pub(super) fn new(kind: &'static str) -> Self {
        Self { threads: Mutex::default(), kind }
    }

    /// Linux's id of a CPU's thread, which is named after the CPU's slot; none where the host gives no thread.
    pub(super) fn id(&self, apic_id: u32, slot: usize) -> Option<u32> {
        let mut threads = self.threads.lock();
        if let Some(thread) = threads.get(&apic_id) {
            return Some(thread.id);
        }
        match IdleThread::start(format!("CPU {slot}/{}", self.kind)) {
            Ok(thread) => Some(threads.entry(apic_id).or_insert(thread).id),
            Err(error) => {
                tracing::debug!("no thread for CPU {slot}: {error}");
                None
            }
        }
    }

    /// The CPU is gone.
    pub(super) fn end(&self, apic_id: u32) {
        // Waited for without the lock.
        let thread = self.threads.lock().remove(&apic_id);
        drop(thread);
    }
}
