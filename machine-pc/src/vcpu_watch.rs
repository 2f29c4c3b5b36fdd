//! What becomes of a machine's vCPUs, told to clients and timed.
//!
//! Each change of a [state](crate::machine::vcpu_life) is an event `x-VCPU_STATE`. A request to let a CPU go that has failed,
//! by the guest's word or for want of one, also ends in `DEVICE_UNPLUG_GUEST_ERROR`, as one that succeeds ends in
//! `DEVICE_DELETED`. Time passes for a guest only while the machine runs: what comes due while it is stopped starts anew when
//! it goes on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qmp::{EventSender, EventType, events};
use serde::Serialize;

use crate::machine::vcpu_life::VcpuState;
use crate::machine::vcpu_lives::{LifeChange, LifeWatcher};
use crate::main_loop::{Handle, Timer};
use crate::vm::Vm;

/// A vCPU has come into another state. Only sessions that have enabled the capability `x-events` get it. (Not in QEMU.)
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct VcpuStateChanged<'a> {
    /// The CPU's id; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    /// The CPU's path.
    qom_path: &'a str,
    /// Its slot's number, 0 to maxcpus - 1.
    slot: u32,
    /// The state before; absent for a CPU that has just come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[qapi(as = VcpuState)]
    old: Option<&'static str>,
    /// The state now.
    #[qapi(as = VcpuState)]
    new: &'static str,
}

impl EventType for VcpuStateChanged<'_> {
    const NAME: &'static str = "x-VCPU_STATE";
}
qmp::register_event!(VcpuStateChanged<'_>);

/// What the states of the slots wait for.
#[derive(Debug, Default)]
struct Waits {
    armed: BTreeMap<u32, Timer>,
    /// Came due while the machine was stopped, with the time that they get when it goes on.
    held: BTreeMap<u32, Duration>,
}

/// Tells clients, and keeps the times.
#[derive(Debug)]
pub(crate) struct VcpuWatch {
    events: EventSender,
    timers: Handle,
    waits: Mutex<Waits>,
}

impl VcpuWatch {
    /// A watch that emits to `events` and posts to the loop of `timers`.
    pub(crate) fn new(events: EventSender, timers: Handle) -> Self {
        Self { events, timers, waits: Mutex::default() }
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disarm(&self, slot: u32) {
        let mut waits = self.waits();
        waits.held.remove(&slot);
        if let Some(timer) = waits.armed.remove(&slot) {
            self.timers.cancel(timer);
        }
    }

    fn arm(&self, slot: u32, wait: Duration) {
        self.disarm(slot);
        let timer = self.timers.post_after(wait, move |context| {
            if let Some(vm) = context.get::<Vm>().cloned() {
                vm.vcpu_wait_is_over(slot, wait);
            }
        });
        self.waits().armed.insert(slot, timer);
    }

    /// A wait has ended while the machine was stopped.
    pub(crate) fn hold(&self, slot: u32, wait: Duration) {
        let mut waits = self.waits();
        waits.armed.remove(&slot);
        waits.held.insert(slot, wait);
    }

    /// The machine goes on.
    pub(crate) fn release(&self) {
        let held = std::mem::take(&mut self.waits().held);
        held.into_iter().for_each(|(slot, wait)| self.arm(slot, wait));
    }
}

impl LifeWatcher for VcpuWatch {
    fn changed(&self, change: &LifeChange) {
        let LifeChange { slot, device, path, old, new, wait } = change;
        match wait {
            Some(wait) => self.arm(*slot, *wait),
            None => self.disarm(*slot),
        }
        if *old == Some(*new) {
            return;
        }
        self.events.emit(&VcpuStateChanged {
            device: device.as_deref(),
            qom_path: path,
            slot: *slot,
            old: old.map(VcpuState::name),
            new: new.name(),
        });
        // A refusal that comes after the time is the same failure, told already.
        if new.is_failed_request() && *old == Some(VcpuState::EjectRequested) {
            let (device, path) = (device.clone(), path.clone());
            self.events.emit(&events::DeviceUnplugGuestError { device, path });
        }
    }

    fn withdrawn(&self, device: Option<String>, path: String) {
        self.events.emit(&events::DeviceDeleted { device, path });
    }
}
