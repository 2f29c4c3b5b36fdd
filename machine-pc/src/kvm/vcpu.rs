//! One vCPU: a thread that runs the guest, and the handle by which others direct it.
//!
//! Directions (run, pause, quit, work to do) are left in `Control` under its lock, then the
//! thread is kicked: the flag `pending` is raised and a signal sent, whose handler makes the next
//! or current `KVM_RUN` return at once. The thread forgets kicks, *then* looks at `pending`, then enters the
//! guest: so a kick either is seen in the flag or takes the thread out again. The lock is taken
//! only when `pending` is up, never on the way of an ordinary exit.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kvm_bindings::{
    CpuId, KVM_MP_STATE_UNINITIALIZED, KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_SHUTDOWN, kvm_lapic_state,
    kvm_regs, kvm_sregs,
};
use target_i386::realize::VcpuCapability;
use vmm_sys_util::signal::Killable;

use super::error::VcpuError;
use super::stats::Statistics;
use super::vm::VmBuses;
use crate::raw::{self, ArmedVcpu, Exit, RawVcpu};
use crate::vm_event::{ResetCause, VmEvent};

/// How long a kick may remain without effect before it is repeated. Only hosts without
/// `KVM_CAP_IMMEDIATE_EXIT` ever need a second one.
const KICK_AGAIN: Duration = Duration::from_millis(10);

/// A vCPU thread's stack: exits call devices, nothing recursive.
const STACK_SIZE: usize = 256 << 10;

/// KVM's id of a vCPU, which is the APIC ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VcpuId(pub u32);

impl fmt::Display for VcpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a vCPU is made from.
#[derive(Debug, Clone)]
pub struct VcpuConfig {
    /// APIC ID.
    pub id: VcpuId,
    /// Index in the list of possible CPUs; the thread is called `CPU index/KVM`.
    pub index: u32,
    /// The boot CPU starts at the reset vector; the others wait for INIT and SIPI.
    pub boot: bool,
    /// The CPUID table.
    pub cpuid: CpuId,
    /// Frequency of the time stamp counter in kHz; `None` for KVM's own.
    pub tsc_khz: Option<i64>,
    /// IA32_MCG_CAP; KVM leaves out what it has not. `None` for a CPU without a machine check architecture.
    pub machine_check: Option<u64>,
    /// What KVM does for it only when asked; all must be there.
    pub capabilities: Vec<VcpuCapability>,
    /// Model-specific registers at power-on: index and value. All must be taken by KVM.
    pub msrs: Vec<(u32, u64)>,
}

/// General and system registers of a vCPU.
#[derive(Debug, Clone, Copy)]
pub struct Registers {
    /// `KVM_GET_REGS`.
    pub general: kvm_regs,
    /// `KVM_GET_SREGS`.
    pub system: kvm_sregs,
}

type Job = Box<dyn FnOnce(&RawVcpu) + Send>;

/// What the thread is to do, and what it does.
#[derive(Default)]
struct Control {
    /// It may be in the guest.
    run: bool,
    /// It is to end.
    quit: bool,
    /// It cannot go on until a reset.
    stalled: bool,
    /// It waits and is not in the guest.
    paused: bool,
    /// It has ended; there is nobody to do a job.
    ended: bool,
    /// Its id in Linux, once it runs.
    tid: Option<u32>,
    jobs: VecDeque<Job>,
}

#[derive(Default)]
struct Shared {
    control: Mutex<Control>,
    changed: Condvar,
    pending: AtomicBool,
    /// The guest runs on it: it does not wait for INIT and SIPI any more.
    started: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, control: MutexGuard<'a, Control>) -> MutexGuard<'a, Control> {
        self.changed.wait(control).unwrap_or_else(PoisonError::into_inner)
    }
}

/// A plugged vCPU.
pub struct Vcpu {
    config: VcpuConfig,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<RawVcpu>>>,
    thread_id: thread::ThreadId,
    statistics: OnceLock<Statistics>,
}

impl fmt::Debug for Vcpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vcpu").field("id", &self.config.id).finish_non_exhaustive()
    }
}

impl Vcpu {
    /// Starts the thread of a vCPU whose state is set. On failure the descriptor is given back.
    pub(super) fn start(
        raw: RawVcpu,
        config: VcpuConfig,
        buses: VmBuses,
        run: bool,
    ) -> Result<Self, (RawVcpu, std::io::Error)> {
        let shared = Arc::new(Shared::default());
        shared.lock().run = run;
        // Raised from the start, so that the thread looks at its directions before the guest.
        shared.pending.store(true, Ordering::SeqCst);
        // The thread takes its vCPU from here, so that a thread that never starts leaves it.
        let parcel = Arc::new(Mutex::new(Some(raw)));
        let taken = Arc::clone(&parcel);
        let theirs = Arc::clone(&shared);
        let VcpuConfig { index, boot, .. } = config;
        let body = move || {
            let raw = lock(&taken).take();
            // Only this thread takes, and once.
            let raw = raw.unwrap_or_else(|| unreachable!("the vCPU is taken once"));
            VcpuThread { vcpu: ArmedVcpu::new(raw), shared: theirs, buses, index, boot, io_done: true }.main()
        };
        let name = format!("CPU {index}/KVM");
        match thread::Builder::new().name(name).stack_size(STACK_SIZE).spawn(body) {
            Ok(thread) => {
                let thread_id = thread.thread().id();
                let (thread, statistics) = (Mutex::new(Some(thread)), OnceLock::new());
                Ok(Self { config, shared, thread, thread_id, statistics })
            }
            Err(error) => match lock(&parcel).take() {
                Some(raw) => Err((raw, error)),
                None => unreachable!("a thread that did not start takes nothing"),
            },
        }
    }

    /// What it was made from.
    pub fn config(&self) -> &VcpuConfig {
        &self.config
    }

    /// Linux's id of its thread; waits for the thread's first breath.
    pub fn tid(&self) -> Option<u32> {
        let mut control = self.shared.lock();
        while control.tid.is_none() && !control.ended {
            control = self.shared.wait(control);
        }
        control.tid
    }

    /// It cannot go on until a reset: triple fault or internal error.
    pub fn is_stalled(&self) -> bool {
        self.shared.lock().stalled
    }

    /// The guest has started it since it was plugged, or since the last reset: the boot CPU when it enters the guest, another when
    /// INIT has reached it.
    pub fn has_started(&self) -> bool {
        self.shared.started.load(Ordering::Acquire)
    }

    /// It waits to be started again, after a reset.
    pub(super) fn forget_start(&self) {
        self.shared.started.store(false, Ordering::Release);
    }

    fn kick(&self) {
        self.shared.pending.store(true, Ordering::SeqCst);
        if let Some(thread) = lock(&self.thread).as_ref() {
            // Fails only for a thread that has ended, which needs no kick.
            let _ = thread.kill(raw::kick_signal());
        }
    }

    /// Directs the thread: `change` alters the directions.
    fn direct(&self, change: impl FnOnce(&mut Control)) {
        change(&mut self.shared.lock());
        self.kick();
        self.shared.changed.notify_all();
    }

    pub(super) fn resume(&self) {
        self.direct(|c| c.run = true);
    }

    /// Asks the thread to leave the guest; [`Self::wait_paused`] waits for it.
    pub(super) fn request_pause(&self) {
        self.direct(|c| c.run = false);
    }

    pub(super) fn wait_paused(&self) -> Result<(), VcpuError> {
        self.check_other_thread()?;
        let mut control = self.shared.lock();
        while !control.paused && !control.ended {
            let (c, timeout) =
                self.shared.changed.wait_timeout(control, KICK_AGAIN).unwrap_or_else(PoisonError::into_inner);
            control = c;
            if timeout.timed_out() {
                drop(control);
                self.kick();
                control = self.shared.lock();
            }
        }
        Ok(())
    }

    /// The thread may go on after a reset.
    pub(super) fn clear_stall(&self) {
        self.direct(|c| c.stalled = false);
    }

    pub(super) fn check_other_thread(&self) -> Result<(), VcpuError> {
        if thread::current().id() == self.thread_id {
            return Err(VcpuError::OwnThread(self.config.id));
        }
        Ok(())
    }

    /// Runs `work` on the vCPU's thread, out of the guest and with its last access completed, and
    /// returns what it gives. Works whether the VM runs or not.
    pub(crate) fn on_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce(&RawVcpu) -> R + Send + 'static,
    ) -> Result<R, VcpuError> {
        self.check_other_thread()?;
        let ended = || VcpuError::Ended(self.config.id);
        let (sender, receiver) = sync_channel(1);
        let job = Box::new(move |vcpu: &RawVcpu| {
            // Nobody waits any more: nothing to do about it.
            let _ = sender.send(work(vcpu));
        });
        {
            let mut control = self.shared.lock();
            if control.ended || control.quit {
                return Err(ended());
            }
            control.jobs.push_back(job);
        }
        self.kick();
        self.shared.changed.notify_all();
        loop {
            match receiver.recv_timeout(KICK_AGAIN) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => self.kick(),
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
    }

    /// The registers of its local APIC now.
    pub(crate) fn local_apic(&self) -> Result<kvm_lapic_state, VcpuError> {
        let id = self.config.id;
        self.on_thread(move |raw| raw.fd().get_lapic().map_err(VcpuError::ioctl(id, "KVM_GET_LAPIC")))?
    }

    /// Gives it a non-maskable interrupt.
    pub(crate) fn inject_nmi(&self) -> Result<(), VcpuError> {
        let id = self.config.id;
        self.on_thread(move |raw| raw.fd().nmi().map_err(VcpuError::ioctl(id, "KVM_NMI")))?
    }

    /// Its registers now.
    pub fn registers(&self) -> Result<Registers, VcpuError> {
        let id = self.config.id;
        self.on_thread(move |vcpu| {
            Ok(Registers {
                general: vcpu.fd().get_regs().map_err(VcpuError::ioctl(id, "KVM_GET_REGS"))?,
                system: vcpu.fd().get_sregs().map_err(VcpuError::ioctl(id, "KVM_GET_SREGS"))?,
            })
        })?
    }

    /// The CPUID table as KVM shows it to the guest (`KVM_GET_CPUID2`).
    pub fn kvm_cpuid(&self) -> Result<CpuId, VcpuError> {
        let id = self.config.id;
        self.on_thread(move |vcpu| {
            let max = kvm_bindings::KVM_MAX_CPUID_ENTRIES;
            vcpu.fd().get_cpuid2(max).map_err(VcpuError::ioctl(id, "KVM_GET_CPUID2"))
        })?
    }

    /// Its statistics. They are asked for once, of its thread, and read without it from then on.
    pub fn statistics(&self) -> Result<&Statistics, VcpuError> {
        if let Some(statistics) = self.statistics.get() {
            return Ok(statistics);
        }
        let id = self.config.id;
        let file = self.on_thread(RawVcpu::statistics)?;
        let file = file.map_err(VcpuError::ioctl(id, "KVM_GET_STATS_FD"))?;
        let failed = |source| VcpuError::Ioctl { id, what: "reading statistics", source };
        let statistics = Statistics::new(file).map_err(failed)?;
        Ok(self.statistics.get_or_init(|| statistics))
    }

    /// Asks the thread to end; [`Self::join`] waits for it.
    pub(super) fn request_quit(&self) {
        self.direct(|c| c.quit = true);
    }

    /// Waits for the thread's end and takes the descriptor. `None`: it ended before, by a panic.
    pub(super) fn join(&self) -> Result<Option<RawVcpu>, VcpuError> {
        self.check_other_thread()?;
        let mut control = self.shared.lock();
        while !control.ended {
            let (c, timeout) =
                self.shared.changed.wait_timeout(control, KICK_AGAIN).unwrap_or_else(PoisonError::into_inner);
            control = c;
            if timeout.timed_out() {
                drop(control);
                self.kick();
                control = self.shared.lock();
            }
        }
        drop(control);
        let thread = lock(&self.thread).take();
        Ok(thread.and_then(|t| t.join().ok()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that the thread has ended, also when it panics.
struct EndOfThread(Arc<Shared>);

impl Drop for EndOfThread {
    fn drop(&mut self) {
        let mut control = self.0.lock();
        control.ended = true;
        // Whoever waits for a job learns by its sender's end.
        let jobs = std::mem::take(&mut control.jobs);
        drop(control);
        drop(jobs);
        self.0.changed.notify_all();
    }
}

/// The thread's own side.
struct VcpuThread {
    vcpu: ArmedVcpu,
    shared: Arc<Shared>,
    buses: VmBuses,
    index: u32,
    boot: bool,
    /// The last access is complete in the guest's registers.
    io_done: bool,
}

impl VcpuThread {
    fn main(mut self) -> RawVcpu {
        let end = EndOfThread(Arc::clone(&self.shared));
        self.shared.lock().tid = Some(raw::gettid());
        self.shared.changed.notify_all();
        loop {
            if self.shared.pending.swap(false, Ordering::SeqCst) && !self.follow_directions() {
                break;
            }
            self.vcpu.clear_kick();
            if self.shared.pending.load(Ordering::SeqCst) {
                continue;
            }
            self.run_once();
        }
        let raw = self.vcpu.disarm();
        drop(end);
        raw
    }

    /// Does what is asked until it is to run; false: it is to end.
    fn follow_directions(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut control = shared.lock();
        loop {
            if control.quit {
                return false;
            }
            if let Some(job) = control.jobs.pop_front() {
                drop(control);
                self.complete_io();
                job(self.vcpu.raw());
                control = shared.lock();
                continue;
            }
            if control.run && !control.stalled {
                control.paused = false;
                return true;
            }
            if !control.paused {
                drop(control);
                self.complete_io();
                control = shared.lock();
                control.paused = true;
                shared.changed.notify_all();
                continue;
            }
            control = shared.wait(control);
        }
    }

    fn complete_io(&mut self) {
        if !self.io_done {
            self.vcpu.complete_io();
            self.io_done = true;
        }
    }

    /// Says that the guest runs here, once.
    fn note_start(&self) {
        if !self.shared.started.swap(true, Ordering::AcqRel) {
            (self.buses.events)(VmEvent::CpuStarted { slot: self.index });
        }
    }

    /// Looks whether a vCPU that was taken out of its wait for INIT has received it.
    fn look_for_start(&self) {
        let state = self.vcpu.raw().fd().get_mp_state();
        if state.is_ok_and(|state| state.mp_state != KVM_MP_STATE_UNINITIALIZED) {
            self.note_start();
        }
    }

    fn run_once(&mut self) {
        if !self.shared.started.load(Ordering::Relaxed) && self.boot {
            self.note_start();
        }
        let exit = self.vcpu.run();
        let interrupted = matches!(exit, Exit::Interrupted);
        let (event, io) = match exit {
            Exit::PioRead { port, size, data } => {
                for element in data.chunks_exact_mut(size) {
                    self.buses.pio.read(port.into(), element);
                }
                (None, true)
            }
            Exit::PioWrite { port, size, data } => {
                for element in data.chunks_exact(size) {
                    self.buses.pio.write(port.into(), element);
                }
                (None, true)
            }
            Exit::MmioRead { address, data } => {
                self.buses.mmio.read(address, data);
                (None, true)
            }
            Exit::MmioWrite { address, data } => {
                self.buses.mmio.write(address, data);
                (None, true)
            }
            Exit::Interrupted => (None, false),
            Exit::Shutdown => (Some(VmEvent::ResetRequest(ResetCause::TripleFault)), false),
            Exit::SystemEvent(KVM_SYSTEM_EVENT_SHUTDOWN) => (Some(VmEvent::ShutdownRequest), false),
            Exit::SystemEvent(KVM_SYSTEM_EVENT_RESET) => {
                (Some(VmEvent::ResetRequest(ResetCause::SystemEvent)), false)
            }
            Exit::SystemEvent(kind) => (Some(self.failed(format!("system event {kind}"))), false),
            Exit::Failed(detail) => (Some(VmEvent::InternalError { cpu_index: self.index, detail }), false),
        };
        self.io_done = !io;
        if !self.shared.started.load(Ordering::Relaxed) {
            // KVM_RUN returns once when INIT has come. Anything but an interruption is the guest's own doing.
            if interrupted { self.look_for_start() } else { self.note_start() }
        }
        if let Some(event) = event {
            // It does not enter the guest again until somebody has acted on the event.
            self.shared.lock().stalled = true;
            self.shared.pending.store(true, Ordering::SeqCst);
            (self.buses.events)(event);
        }
    }

    fn failed(&self, detail: String) -> VmEvent {
        VmEvent::InternalError { cpu_index: self.index, detail }
    }
}
