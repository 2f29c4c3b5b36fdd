//! What vCPU threads and devices tell the main loop.
//!
//! A vCPU thread must not change the machine: it may not touch objects, take the monitor's locks
//! or wait for other vCPUs (two vCPUs waiting for each other would never end). It reports a
//! [`VmEvent`] instead and goes on; the main loop acts. The sink is therefore called on any
//! thread, and must only queue the event and return.

use std::sync::Arc;

/// Where events go. Called on vCPU threads: it must not block.
pub type EventSink = Arc<dyn Fn(VmEvent) + Send + Sync>;

/// Why a guest asks for a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetCause {
    /// A write to a reset register: port 0x92, the i8042's pulse command or port 0xcf9.
    ResetPort,
    /// A vCPU shut itself down by a triple fault (Intel SDM vol. 3, 6.15, "Interrupt 8").
    TripleFault,
    /// The kernel asked for it (`KVM_EXIT_SYSTEM_EVENT`).
    SystemEvent,
}

/// What the main loop is to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VmEvent {
    /// The guest wants the machine to be reset.
    ResetRequest(ResetCause),
    /// The guest wants the machine to be switched off.
    ShutdownRequest,
    /// The guest put its memory on its disk, and wants the machine to be switched off.
    SuspendToDisk,
    /// The guest set the real-time clock.
    RtcChange {
        /// By how many seconds it is off from what it would show.
        offset: i64,
    },
    /// A vCPU cannot go on; it has stopped itself, and the VM belongs in the state `internal-error`.
    InternalError {
        /// Index of the vCPU in the list of possible CPUs.
        cpu_index: u32,
        /// What the kernel reported, for a person.
        detail: String,
    },
    /// The guest looked at the CPU in this slot for the first time since it came, or since a reset.
    CpuSeen {
        /// Index in the list of possible CPUs.
        slot: u32,
    },
    /// The vCPU in this slot runs for the first time since it came, or since a reset: the boot CPU from its reset vector,
    /// another since the guest started it.
    CpuStarted {
        /// Index in the list of possible CPUs.
        slot: u32,
    },
    /// The guest ejected the CPU in this slot: to it, the CPU is already gone.
    CpuEject {
        /// Index in the list of possible CPUs.
        slot: u32,
    },
    /// The guest's `_OST` for a CPU (ACPI 6.5, 6.3.5).
    CpuOst {
        /// Index in the list of possible CPUs.
        slot: u32,
        /// The event that is reported on: 1 device check, 3 ejection request, 0x103 eject by the OS.
        source_event: u32,
        /// 0 success; others by source event.
        status: u32,
    },
}
