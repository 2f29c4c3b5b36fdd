//! Where the [states](VcpuState) of a machine's vCPUs are kept, and how a change of one becomes known.
//!
//! The machine tells what happens, slot by slot ([`PcMachine::vcpu_cause`]). A change is written to the CPU, as its property
//! `x-vcpu-state`, and told to the machine's watcher. All of it is on the main loop's thread; what a vCPU thread
//! has noticed comes as an event and is held against the registers and the vCPU again, as the CPU may have left meanwhile.

use std::fmt;
use std::time::Duration;

use qom::{Device, Obj};
use target_i386::cpu::Cpu;

use super::PcMachine;
use super::vcpu_life::{Cause, VcpuState, reported};
use crate::kvm::VcpuId;

/// What a vCPU has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeChange {
    /// Index in the list of possible CPUs.
    pub slot: u32,
    /// The user's id of the CPU, if it has one.
    pub device: Option<String>,
    /// Where it is in the composition tree.
    pub path: String,
    /// What it was; none for one that has just come.
    pub old: Option<VcpuState>,
    /// What it is. As before, if a request was made again.
    pub new: VcpuState,
    /// After which time [`PcMachine::vcpu_timeout`] is to be called if nothing changes until then.
    pub wait: Option<Duration>,
}

/// Who is told of changes. Called on the main loop's thread, without a lock held.
pub trait LifeWatcher: fmt::Debug + Send + Sync {
    /// A state changed, or a request was made again.
    fn changed(&self, change: &LifeChange);
    /// The machine took a CPU back that the guest had not seen.
    fn withdrawn(&self, device: Option<String>, path: String);
}

impl PcMachine {
    /// Says that something happened to the vCPU of a slot. Nothing happens to an empty one.
    pub fn vcpu_cause(&self, slot: usize, cause: Cause) {
        let Some(old) = self.possible_cpus().and_then(|cpus| cpus.get(slot)?.state()) else { return };
        let new = old.after(cause);
        // A request that is made again gets its whole time again.
        if new != old || cause == Cause::EjectWanted {
            self.set_vcpu_state(slot, Some(old), new);
        }
    }

    /// A CPU has come to a slot.
    pub(super) fn vcpu_came(&self, slot: usize, announced: bool) {
        self.set_vcpu_state(slot, None, VcpuState::Plugged);
        if announced {
            self.vcpu_cause(slot, Cause::Announced);
        }
    }

    fn set_vcpu_state(&self, slot: usize, old: Option<VcpuState>, new: VcpuState) {
        let Some(possible) = self.possible_cpus().and_then(|cpus| cpus.get(slot)) else { return };
        possible.set_state((new != VcpuState::Ejected).then_some(new));
        let Some(device) = possible.cpu().and_then(|cpu| Obj::<Device>::new(cpu).ok()) else { return };
        if let Some(cpu) = device.cast::<Cpu>() {
            cpu.set_life(Some(new.name()));
        }
        let Some(watcher) = self.life_watcher() else { return };
        let timeout = self.cpu_unplug_timeout();
        watcher.changed(&LifeChange {
            slot: u32::try_from(slot).unwrap_or(u32::MAX),
            device: device.id(),
            path: device.as_object().canonical_path(),
            old,
            new,
            wait: timeout.filter(|_| new.waits()),
        });
    }

    /// A vCPU thread says that the guest looked at the CPU in a slot.
    pub fn vcpu_seen(&self, slot: u32) {
        let status = self.board().and_then(|board| board.cpu_hotplug().status(slot));
        if status.is_some_and(|status| status.present && status.seen) {
            self.vcpu_cause(slot as usize, Cause::Looked);
        }
    }

    /// A vCPU thread says that its guest started it.
    pub fn vcpu_started(&self, slot: u32) {
        if self.has_started(slot as usize) {
            self.vcpu_cause(slot as usize, Cause::Started);
        }
    }

    /// Whether the vCPU of a slot runs.
    pub(super) fn has_started(&self, slot: usize) -> bool {
        let id = self.possible_cpus().and_then(|cpus| Some(VcpuId(cpus.get(slot)?.apic_id.0)));
        let vcpu = id.and_then(|id| self.board()?.vm()?.vcpu(id));
        vcpu.is_some_and(|vcpu| vcpu.has_started())
    }

    /// The guest reported on the CPU in a slot.
    pub fn vcpu_reported(&self, slot: u32, source_event: u32, status: u32) {
        if let Some(cause) = reported(source_event, status) {
            self.vcpu_cause(slot as usize, cause);
        }
    }

    /// The time of [`LifeChange::wait`] has passed.
    pub fn vcpu_timeout(&self, slot: u32) {
        self.vcpu_cause(slot as usize, Cause::Timeout);
    }

    /// The machine was reset, and its guest does not run yet.
    pub(super) fn vcpus_reset(&self) {
        let (Some(cpus), Some(board)) = (self.possible_cpus(), self.board()) else { return };
        let registers = board.cpu_hotplug();
        registers.forget_sightings();
        for slot in cpus.plugged() {
            let status = u32::try_from(slot).ok().and_then(|slot| registers.status(slot)).unwrap_or_default();
            self.vcpu_cause(slot, Cause::Reset { wanted: status.removing || status.firmware_eject });
        }
    }
}
