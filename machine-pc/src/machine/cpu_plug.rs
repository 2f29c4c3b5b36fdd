//! How CPUs are plugged into a PC and taken out: the machine as their hotplug handler.
//!
//! `pre_plug` finds the slot and fills in what the user left out, `plug` starts the vCPU and tells the guest,
//! `unplug_request` asks the guest, or takes the CPU back at once if the guest has not looked at it yet; `unplug` takes the vCPU away once the guest let go of it. A boot CPU and a
//! hot-added one go the same way; only the guest is told of the latter. Messages are the reference's.

use std::sync::Arc;

use kvm_bindings::CpuId;
use qom::{Device, Error, HotplugHandler, Obj, Object};
use target_i386::config::PlaceIds;
use target_i386::cpu::{Cpu, X86Cpu};
use target_i386::feature::feature;
use target_i386::realize::RealizedCpu;
use target_i386::topology::{ApicId, CpuIds, Placement};
use thiserror::Error as ThisError;

use super::PcMachine;
use super::board::{Board, VcpuPlug};
use super::possible_cpus::{PossibleCpu, PossibleCpus};
use super::vcpu_life::{Cause, VcpuState};
use crate::kvm::PlugError;
use crate::ospm::{OspmError, OspmGuest};

/// Why a CPU cannot be plugged or unplugged.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum CpuPlugError {
    /// Not the type that the machine was made for.
    #[error("Invalid CPU type, expected cpu type: '{expected}'")]
    WrongType {
        /// The machine's CPU type.
        expected: String,
    },
    /// A coordinate is missing.
    #[error("CPU {level}-id is not set")]
    Missing {
        /// `socket`, `die`, `module`, `core` or `thread`.
        level: &'static str,
    },
    /// A coordinate that the topology does not have.
    #[error("Invalid CPU {level}-id: {id} must be in range 0:{max}")]
    OutOfRange {
        /// `socket`, `die`, `module`, `core` or `thread`.
        level: &'static str,
        /// What was asked for.
        id: i32,
        /// The highest there is.
        max: u32,
    },
    /// An APIC ID that no CPU can have.
    #[error(
        "Invalid CPU [socket: {}, die: {}, module: {}, core: {}, thread: {}] with APIC ID {apic_id}, \
         valid index range 0:{last}",
        ids.socket, ids.die, ids.module, ids.core, ids.thread
    )]
    NoSlot {
        /// The place that the APIC ID stands for.
        ids: CpuIds,
        /// The APIC ID.
        apic_id: u32,
        /// The highest slot.
        last: usize,
    },
    /// Somebody is there.
    #[error("CPU[{slot}] with APIC ID {apic_id} exists")]
    Taken {
        /// The slot.
        slot: usize,
        /// The APIC ID.
        apic_id: u32,
    },
    /// The APIC ID and a coordinate contradict each other.
    #[error("property {level}-id: {id} doesn't match set apic-id: 0x{apic_id:x} ({level}-id: {expected})")]
    Mismatch {
        /// `socket`, `die`, `module`, `core` or `thread`.
        level: &'static str,
        /// What was given.
        id: u32,
        /// The APIC ID that was given.
        apic_id: u32,
        /// What the APIC ID says.
        expected: u32,
    },
    /// An APIC ID that a CPU without x2APIC cannot have: it does not fit 8 bits, or means all CPUs there.
    #[error("APIC ID {apic_id} requires x2APIC feature in CPU")]
    NoX2apic {
        /// The APIC ID.
        apic_id: u32,
    },
    /// Another NUMA node than the slot's.
    #[error("invalid node-id, must be {expected}")]
    WrongNode {
        /// The slot's node.
        expected: u16,
    },
    /// The guest cannot be asked to let go of it.
    #[error("CPU hot unplug not supported without ACPI")]
    NoAcpi,
    /// CPU 0 started the machine and stays.
    #[error("Boot CPU is unpluggable")]
    BootCpu,
    /// The machine is not built.
    #[error("the machine has no CPU slots yet")]
    NotBuilt,
    /// The CPU was not realized by its own class.
    #[error("the CPU has no CPUID table: it was not realized")]
    NotRealized,
    /// The CPUID table is too long for KVM.
    #[error("the CPUID table does not fit KVM: {0}")]
    Cpuid(String),
}

/// The APIC ID by which the first APIC means all CPUs; from there on only an x2APIC has IDs.
const BROADCAST_APIC_ID: u32 = 255;

impl CpuPlugError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        matches!(self, Self::NoX2apic { .. }).then_some("Try x2apic=on in -cpu.")
    }
}

/// Whether a CPU can have its APIC ID. One without an APIC has none to speak of, if it is alone.
fn check_apic_id(realized: &RealizedCpu, alone: bool) -> Result<(), CpuPlugError> {
    let apic_id = realized.placement.apic_id.0;
    let features = &realized.config.features;
    let has_apic = features.has(const { feature("apic") }) || !alone;
    if has_apic && apic_id >= BROADCAST_APIC_ID && !features.has(const { feature("x2apic") }) {
        return Err(CpuPlugError::NoX2apic { apic_id });
    }
    Ok(())
}

/// The coordinates as a CPU's properties hold them. There are at most as many as CPUs, so they fit.
fn place_ids(ids: CpuIds, node: i32) -> PlaceIds {
    let id = |id| i32::try_from(id).unwrap_or(-1);
    PlaceIds {
        socket: id(ids.socket),
        die: id(ids.die),
        module: id(ids.module),
        core: id(ids.core),
        thread: id(ids.thread),
        node,
    }
}

/// A coordinate that nobody set.
const UNSET: i32 = -1;

/// The parts of a machine that plugging needs, and the CPU.
struct Plug<'a> {
    cpus: &'a PossibleCpus,
    board: &'a Arc<Board>,
    cpu: &'a X86Cpu,
}

impl PcMachine {
    fn plug_of<'a>(&'a self, device: &'a Obj<Device>) -> Result<Plug<'a>, Error> {
        let expected = || CpuPlugError::WrongType { expected: self.cpu_type() };
        Ok(Plug {
            cpus: self.possible_cpus().ok_or_else(|| Error::new(CpuPlugError::NotBuilt))?,
            board: self.board().ok_or_else(|| Error::new(CpuPlugError::NotBuilt))?,
            cpu: device.as_object().downcast_ref().ok_or_else(|| Error::new(expected()))?,
        })
    }
}

impl PcMachine {
    /// Takes a CPU back of which the guest knows nothing yet; false: it must be asked.
    fn withdraw_unseen(&self, plug: &Plug<'_>, slot: usize, device: &Obj<Device>) -> Result<bool, Error> {
        let state = plug.cpus.get(slot).and_then(PossibleCpu::state);
        // After a reset the guest may know it by its tables, and a guest may start a CPU that it was not told of.
        if state != Some(VcpuState::Notified) || self.has_started(slot) {
            return Ok(false);
        }
        let registers = plug.board.cpu_hotplug();
        let number = u32::try_from(slot).unwrap_or(u32::MAX);
        if !registers.withdraw_unseen(number).map_err(Error::new)? {
            return Ok(false);
        }
        let (id, path) = (device.id(), device.as_object().canonical_path());
        if let Err(error) = Device::unplug(device) {
            // It stays, and the guest is told of it as before.
            let _ = registers.plug_hot(number);
            return Err(error);
        }
        if let Some(vm) = plug.board.vm() {
            vm.reap();
        }
        if let Some(watcher) = self.life_watcher() {
            watcher.withdrawn(id, path);
        }
        Ok(true)
    }
}

impl Plug<'_> {
    fn slot(&self) -> Option<usize> {
        self.cpus.slot_of(self.cpu.apic_id()?)
    }

    /// The place in coordinates, each checked, missing ones filled in where the topology has only one.
    fn place_from_ids(&self) -> Result<CpuIds, CpuPlugError> {
        let smp = self.cpus.smp();
        let place = self.cpu.place();
        let check = |level, id: i32, count: u32, optional: bool| match u32::try_from(id) {
            Ok(id) if id < count => Ok(id),
            Err(_) if optional && count <= 1 => Ok(0),
            Err(_) => Err(CpuPlugError::Missing { level }),
            Ok(_) => Err(CpuPlugError::OutOfRange { level, id, max: count - 1 }),
        };
        Ok(CpuIds {
            socket: check("socket", place.socket, smp.sockets(), false)?,
            die: check("die", place.die, smp.dies(), true)?,
            module: check("module", place.module, smp.modules(), true)?,
            core: check("core", place.core, smp.cores(), false)?,
            thread: check("thread", place.thread, smp.threads(), false)?,
        })
    }

    fn check_ids(&self, apic_id: u32, ids: CpuIds) -> Result<(), CpuPlugError> {
        let place = self.cpu.place();
        for (level, id, expected) in [
            ("socket", place.socket, ids.socket),
            ("die", place.die, ids.die),
            ("module", place.module, ids.module),
            ("core", place.core, ids.core),
            ("thread", place.thread, ids.thread),
        ] {
            // Any other negative number is one, and told without its sign, as the reference does.
            let id = (id != UNSET).then_some(id.cast_unsigned());
            if let Some(id) = id.filter(|id| *id != expected) {
                return Err(CpuPlugError::Mismatch { level, id, apic_id, expected });
            }
        }
        Ok(())
    }

    /// Starts the vCPU, if vCPUs run here, and shows it to the guest. Leaves nothing behind on failure.
    fn start(&self, realized: &RealizedCpu, slot: u32, hotplugged: bool) -> Result<(), Error> {
        let apic_id = realized.placement.apic_id.0;
        if self.board.vm().is_some() {
            if let Some(problem) = realized.pmu_problem {
                crate::report::error(problem);
            }
            let cpuid: CpuId = realized
                .table
                .to_kvm()
                .map_err(|error| Error::new(CpuPlugError::Cpuid(error.to_string())))?;
            let mut msrs = realized.feature_msrs();
            msrs.extend(realized.vp_index_msr(slot));
            let vcpu = VcpuPlug {
                apic_id,
                slot,
                cpuid,
                tsc_khz: realized.wanted_tsc_khz(),
                machine_check: realized.machine_check,
                capabilities: realized.capabilities(),
                msrs,
            };
            self.board.plug_vcpu(vcpu).map_err(|error| {
                if let PlugError::Tsc { mismatch, .. } = &error {
                    crate::report::warning(mismatch);
                }
                Error::new(error)
            })?;
        }
        let registers = self.board.cpu_hotplug();
        let told = if hotplugged { registers.plug_hot(slot) } else { registers.plug_cold(slot) };
        told.map_err(|error| {
            if let Some(vm) = self.board.vm() {
                // It was plugged a moment ago; if even this fails the first error is the one to report.
                let _ = vm.unplug(crate::kvm::VcpuId(apic_id));
            }
            Error::new(error)
        })
    }

    /// The property `node-id` of the CPU in a slot. Where there are no nodes it may be given as 0, as in the reference.
    fn node_of(&self, slot: usize) -> Result<i32, CpuPlugError> {
        let node = self.cpus.get(slot).and_then(PossibleCpu::node);
        let expected = node.unwrap_or(0);
        match self.cpu.place().node {
            UNSET => Ok(node.map_or(UNSET, i32::from)),
            given if given == i32::from(expected) => Ok(given),
            _ => Err(CpuPlugError::WrongNode { expected }),
        }
    }

    fn find_slot(&self) -> Result<(usize, CpuIds), CpuPlugError> {
        let topology = self.cpus.topology();
        let (apic_id, ids) = match self.cpu.apic_id() {
            Some(apic_id) => (apic_id, topology.decode(apic_id)),
            None => {
                let ids = self.place_from_ids()?;
                // Coordinates in range always encode.
                (topology.encode(ids).unwrap_or(ApicId(u32::MAX)), ids)
            }
        };
        let no_slot =
            || CpuPlugError::NoSlot { ids, apic_id: apic_id.0, last: self.cpus.len().saturating_sub(1) };
        let slot = self.cpus.slot_of(apic_id).ok_or_else(no_slot)?;
        let possible = self.cpus.get(slot).ok_or_else(no_slot)?;
        if possible.cpu().is_some() {
            return Err(CpuPlugError::Taken { slot, apic_id: apic_id.0 });
        }
        // What was not told by coordinates must not contradict those that there are.
        if self.cpu.apic_id().is_some() {
            self.check_ids(apic_id.0, possible.ids)?;
        }
        Ok((slot, possible.ids))
    }
}

impl HotplugHandler for PcMachine {
    fn handles(&self, device: &Obj<Device>) -> bool {
        device.core().class().is_a("cpu") || OspmGuest::is(device)
    }

    fn pre_plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        if OspmGuest::is(device) {
            return Ok(());
        }
        let expected = self.cpu_type();
        if !device.core().class().is_a(&expected) {
            return Err(Error::new(CpuPlugError::WrongType { expected }));
        }
        let plug = self.plug_of(device)?;
        let (slot, ids) = plug.find_slot().map_err(Error::new)?;
        let topology = plug.cpus.topology();
        let apic_id = plug.cpus.get(slot).map_or(ApicId(0), |possible| possible.apic_id);
        let node = plug.node_of(slot).map_err(Error::new)?;
        plug.cpu.set_placement(Placement { topology, apic_id }, place_ids(ids, node));
        Ok(())
    }

    fn plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        if OspmGuest::is(device) {
            return Ok(());
        }
        let plug = self.plug_of(device)?;
        let slot = plug.slot().ok_or_else(|| Error::new(CpuPlugError::NotBuilt))?;
        let realized = plug.cpu.realized().ok_or_else(|| Error::new(CpuPlugError::NotRealized))?;
        check_apic_id(&realized, plug.cpus.smp().cpus() == 1).map_err(Error::new)?;
        let number = u32::try_from(slot).unwrap_or(u32::MAX);
        let apic_id = realized.placement.apic_id.0;
        let (reset, cpu) = (self.reset_tree(), device.cast::<Cpu>());
        if let (Some(reset), Some(cpu)) = (reset, &cpu) {
            reset.add_cpu(cpu, plug.board, apic_id).map_err(Error::new)?;
        }
        if let Err(error) = plug.start(&realized, number, device.is_hotplugged()) {
            if let (Some(reset), Some(cpu)) = (reset, &cpu) {
                reset.remove_cpu(cpu);
            }
            return Err(error);
        }
        plug.cpus.occupy(slot, Some(device.as_object()));
        self.vcpu_came(slot, device.is_hotplugged());
        Ok(())
    }

    fn unplug_request(&self, device: &Obj<Device>) -> Result<(), Error> {
        if OspmGuest::is(device) {
            return Err(Error::new(OspmError::Stays));
        }
        let plug = self.plug_of(device)?;
        if !self.has_acpi_device() {
            return Err(Error::new(CpuPlugError::NoAcpi));
        }
        match plug.slot() {
            Some(0) => Err(Error::new(CpuPlugError::BootCpu)),
            Some(slot) if self.withdraw_unseen(&plug, slot, device)? => Ok(()),
            Some(slot) => {
                let number = u32::try_from(slot).unwrap_or(u32::MAX);
                plug.board.cpu_hotplug().request_unplug(number).map_err(Error::new)?;
                self.vcpu_cause(slot, Cause::EjectWanted);
                Ok(())
            }
            None => Err(Error::new(CpuPlugError::NotRealized)),
        }
    }

    fn unplug(&self, device: &Obj<Device>) -> Result<(), Error> {
        if OspmGuest::is(device) {
            return Ok(());
        }
        let plug = self.plug_of(device)?;
        let slot = plug.slot().ok_or_else(|| Error::new(CpuPlugError::NotRealized))?;
        if slot == 0 {
            return Err(Error::new(CpuPlugError::BootCpu));
        }
        let apic_id = plug.cpus.get(slot).map_or(0, |possible| possible.apic_id.0);
        if let Some(vm) = plug.board.vm() {
            vm.unplug(crate::kvm::VcpuId(apic_id)).map_err(Error::new)?;
        }
        plug.board.end_idle_thread(apic_id);
        let number = u32::try_from(slot).unwrap_or(u32::MAX);
        if plug.board.cpu_hotplug().status(number).is_some_and(|status| status.present) {
            plug.board.cpu_hotplug().withdraw(number).map_err(Error::new)?;
        }
        if let (Some(reset), Some(cpu)) = (self.reset_tree(), device.cast::<Cpu>()) {
            reset.remove_cpu(&cpu);
        }
        self.vcpu_cause(slot, Cause::Left);
        plug.cpus.occupy(slot, None);
        Ok(())
    }
}
