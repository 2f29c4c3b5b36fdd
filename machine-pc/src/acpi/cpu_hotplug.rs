//! The ACPI CPU hotplug register block as a state machine, with no I/O, thread or clock.
//!
//! The interface is the reference's `acpi_cpu_hotplug` specification, modern form, 12 bytes:
//!
//! | offset | read | write |
//! | --- | --- | --- |
//! | 0, dword | command data 2 | CPU selector |
//! | 4, byte | status flags of the selected slot | control flags |
//! | 5, byte | reserved, 0 | command |
//! | 8, dword | command data | command data |
//!
//! A *slot* is an index in the list of possible CPUs, its *arch id* the CPU's APIC ID. While the
//! selector names no slot every read gives 0 and every write but that of the selector is
//! ignored. Registers are not byte arrays: an access of any size at a register's offset reaches
//! the register, and one at another offset, or not aligned to its size, reaches nothing.
//! All of this, and the order of precedence of the control bits, was read off the reference.
//!
//! Machines of old start with a bitmap of present CPUs at the same ports, and change to the
//! block above when the guest writes 0 to its first byte: [`HotplugMode::LegacyBitmap`]. The
//! reference's machines of today start in the modern mode and have no other.
//!
//! One difference from the reference is on purpose. There, an ejected CPU's pending events stay
//! and meet the next CPU in the slot, which then is asked to leave the moment it arrives. Here
//! an eject ends the events of the CPU that left.

use thiserror::Error;

/// Length in bytes of the modern register block.
pub const MODERN_LEN: u64 = 12;
/// Length in bytes of the legacy bitmap: 256 APIC IDs.
pub const LEGACY_LEN: u64 = 32;

const SELECTOR: u64 = 0;
const FLAGS: u64 = 4;
const COMMAND: u64 = 5;
const COMMAND_DATA: u64 = 8;

/// Status and control bits at offset 4.
mod flags {
    /// Read: the CPU is there.
    pub(super) const ENABLED: u8 = 1 << 0;
    /// Read: inserted and not yet announced. Write: announced.
    pub(super) const INSERT: u8 = 1 << 1;
    /// Read: removal requested and not yet announced. Write: announced.
    pub(super) const REMOVE: u8 = 1 << 2;
    /// Write: eject now.
    pub(super) const EJECT: u8 = 1 << 3;
    /// Read and write: firmware is to eject.
    pub(super) const FIRMWARE_EJECT: u8 = 1 << 4;
}

/// What the command register holds; unknown values leave it as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    NextWithEvent,
    OstEvent,
    OstStatus,
    ArchId,
}

/// The form in which the block starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HotplugMode {
    /// Registers from the first access on.
    #[default]
    Modern,
    /// A read-only bitmap of present APIC IDs below 256, until 0 is written to its first byte.
    LegacyBitmap,
}

/// A possible CPU, as the block starts with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotInit {
    /// Architecture's id of the CPU: the APIC ID.
    pub arch_id: u64,
    /// The CPU is there from the start, with no event.
    pub present: bool,
}

/// A slot's state, for `query-acpi-ospm-status` and for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotStatus {
    /// A CPU is there.
    pub present: bool,
    /// Its arrival was not announced yet.
    pub inserting: bool,
    /// Its removal is wanted and was not announced yet.
    pub removing: bool,
    /// The operating system left the eject to firmware.
    pub firmware_eject: bool,
    /// Last `_OST` source event, 0 if none.
    pub ost_event: u32,
    /// Last `_OST` status, 0 if none.
    pub ost_status: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    arch_id: u64,
    status: SlotStatus,
}

/// What a guest's write asks of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The CPU in this slot was ejected; the registers already show it gone.
    Eject {
        /// Index of the slot.
        slot: u32,
    },
    /// A report was completed by writing its status.
    Ost {
        /// Index of the slot.
        slot: u32,
        /// Source event as stored before.
        source_event: u32,
        /// Status as written.
        status: u32,
    },
}

/// Why the machine cannot plug or unplug a slot.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum SlotError {
    /// There is no such slot.
    #[error("CPU slot {slot} does not exist: there are {slots}")]
    NoSuchSlot {
        /// What was asked for.
        slot: u32,
        /// Number of possible CPUs.
        slots: u32,
    },
    /// A CPU is there.
    #[error("CPU slot {slot} is taken")]
    Taken {
        /// What was asked for.
        slot: u32,
    },
    /// No CPU is there.
    #[error("CPU slot {slot} is empty")]
    Empty {
        /// What was asked for.
        slot: u32,
    },
}

/// The register block's state.
#[derive(Debug, Clone)]
pub struct CpuHotplug {
    slots: Vec<Slot>,
    selector: u32,
    command: Command,
    legacy: bool,
}

impl CpuHotplug {
    /// A block for the possible CPUs in their order. Slot 0 is the boot CPU: never ejected.
    pub fn new(slots: impl IntoIterator<Item = SlotInit>, mode: HotplugMode) -> Self {
        let slots = slots.into_iter().map(|init| Slot {
            arch_id: init.arch_id,
            status: SlotStatus { present: init.present, ..SlotStatus::default() },
        });
        Self {
            slots: slots.collect(),
            selector: 0,
            command: Command::NextWithEvent,
            legacy: mode == HotplugMode::LegacyBitmap,
        }
    }

    /// Length in bytes of the port range the block needs over its life.
    pub fn port_len(&self) -> u64 {
        if self.legacy { LEGACY_LEN } else { MODERN_LEN }
    }

    /// The block still shows the legacy bitmap.
    pub fn is_legacy(&self) -> bool {
        self.legacy
    }

    /// Every slot's state, in order.
    pub fn statuses(&self) -> impl ExactSizeIterator<Item = SlotStatus> + '_ {
        self.slots.iter().map(|slot| slot.status)
    }

    /// One slot's state; `None` if there is no such slot.
    pub fn status(&self, slot: u32) -> Option<SlotStatus> {
        self.slots.get(slot as usize).map(|s| s.status)
    }

    /// Some CPU has an event that the guest has not announced.
    pub fn event_pending(&self) -> bool {
        self.slots.iter().any(|s| s.status.inserting || s.status.removing)
    }

    /// A CPU arrives. With `announce` (hot-plug) the guest is to be told, and the caller raises
    /// the GPE; without (cold plug) it is simply there.
    pub fn plug(&mut self, slot: u32, announce: bool) -> Result<(), SlotError> {
        let status = self.slot_mut(slot)?;
        if status.present {
            return Err(SlotError::Taken { slot });
        }
        *status = SlotStatus {
            present: true,
            inserting: announce,
            ost_event: status.ost_event,
            ost_status: status.ost_status,
            ..SlotStatus::default()
        };
        Ok(())
    }

    /// The machine wants the CPU gone; the guest decides, and the caller raises the GPE. Asking
    /// again is allowed, since a guest may have refused.
    pub fn request_unplug(&mut self, slot: u32) -> Result<(), SlotError> {
        let status = self.slot_mut(slot)?;
        if !status.present {
            return Err(SlotError::Empty { slot });
        }
        status.removing = true;
        Ok(())
    }

    /// Takes a CPU away without the guest's doing: the undoing of a plug that failed further on.
    pub fn withdraw(&mut self, slot: u32) -> Result<(), SlotError> {
        let status = self.slot_mut(slot)?;
        if !status.present {
            return Err(SlotError::Empty { slot });
        }
        Self::remove(status);
        Ok(())
    }

    fn slot_mut(&mut self, slot: u32) -> Result<&mut SlotStatus, SlotError> {
        let slots = self.slots.len() as u32;
        match self.slots.get_mut(slot as usize) {
            Some(s) => Ok(&mut s.status),
            None => Err(SlotError::NoSuchSlot { slot, slots }),
        }
    }

    fn remove(status: &mut SlotStatus) {
        status.present = false;
        status.inserting = false;
        status.removing = false;
        status.firmware_eject = false;
    }

    /// The guest reads `size` bytes at `offset`.
    pub fn read(&self, offset: u64, size: u8) -> u32 {
        if self.legacy {
            return self.read_bitmap(offset, size);
        }
        if offset >= MODERN_LEN {
            return u32::MAX;
        }
        let Some(slot) = self.slots.get(self.selector as usize) else { return 0 };
        if !aligned(offset, size) {
            return 0;
        }
        let value = match (offset, self.command) {
            (FLAGS, _) => u32::from(flag_byte(slot.status)),
            (COMMAND_DATA, Command::NextWithEvent) => self.selector,
            (COMMAND_DATA, Command::ArchId) => slot.arch_id as u32,
            (SELECTOR, Command::ArchId) => (slot.arch_id >> 32) as u32,
            _ => 0,
        };
        value & mask(size)
    }

    fn read_bitmap(&self, offset: u64, size: u8) -> u32 {
        let first = offset * 8;
        let bits = self.slots.iter().filter(|s| s.status.present).filter_map(|s| {
            let bit = s.arch_id.checked_sub(first)?;
            (bit < u64::from(size) * 8).then(|| 1u32 << bit)
        });
        bits.fold(0, |all, bit| all | bit)
    }

    /// The guest writes `size` bytes at `offset`.
    pub fn write(&mut self, offset: u64, size: u8, value: u32) -> Option<Effect> {
        let value = value & mask(size);
        if self.legacy {
            // The bitmap takes single bytes: only the first one of an access counts here.
            self.legacy = !(offset == 0 && value & 0xff == 0);
            return None;
        }
        if !aligned(offset, size) {
            return None;
        }
        if offset == SELECTOR {
            self.selector = value;
            return None;
        }
        let slot = self.slots.get_mut(self.selector as usize)?;
        match (offset, self.command) {
            (FLAGS, _) => self.write_flags(value as u8),
            (COMMAND, _) => {
                self.write_command(value as u8);
                None
            }
            (COMMAND_DATA, Command::OstEvent) => {
                slot.status.ost_event = value;
                None
            }
            (COMMAND_DATA, Command::OstStatus) => {
                slot.status.ost_status = value;
                let source_event = slot.status.ost_event;
                Some(Effect::Ost { slot: self.selector, source_event, status: value })
            }
            _ => None,
        }
    }

    /// One write does one thing: the lowest control bit wins, as in the reference.
    fn write_flags(&mut self, value: u8) -> Option<Effect> {
        let slot = self.selector;
        let status = &mut self.slots.get_mut(slot as usize)?.status;
        let ejectable = status.present && slot != 0;
        if value & flags::INSERT != 0 {
            status.inserting = false;
        } else if value & flags::REMOVE != 0 {
            status.removing = false;
        } else if value & flags::EJECT != 0 && ejectable {
            Self::remove(status);
            return Some(Effect::Eject { slot });
        } else if value & flags::FIRMWARE_EJECT != 0 && value & flags::EJECT == 0 && ejectable {
            status.firmware_eject = true;
        }
        None
    }

    fn write_command(&mut self, value: u8) {
        self.command = match value {
            0 => Command::NextWithEvent,
            1 => Command::OstEvent,
            2 => Command::OstStatus,
            3 => Command::ArchId,
            _ => return,
        };
        if self.command == Command::NextWithEvent {
            let count = self.slots.len();
            let from = self.selector as usize;
            let pending = (0..count).map(|i| (from + i) % count).find(|&i| {
                let status = self.slots[i].status;
                status.inserting || status.removing
            });
            if let Some(found) = pending {
                self.selector = found as u32;
            }
        }
    }
}

fn flag_byte(status: SlotStatus) -> u8 {
    let bits = [
        (status.present, flags::ENABLED),
        (status.inserting, flags::INSERT),
        (status.removing, flags::REMOVE),
        (status.firmware_eject, flags::FIRMWARE_EJECT),
    ];
    bits.iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit)
}

fn aligned(offset: u64, size: u8) -> bool {
    matches!(size, 1 | 2 | 4) && offset.is_multiple_of(u64::from(size))
}

fn mask(size: u8) -> u32 {
    match size {
        1 => 0xff,
        2 => 0xffff,
        _ => u32::MAX,
    }
}

#[cfg(test)]
#[path = "cpu_hotplug_tests.rs"]
mod tests;
