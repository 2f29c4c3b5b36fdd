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
//! the register, and one at another offset, or not aligned to its size, reaches nothing. A reset of
//! the machine changes none of them: selector, command, events and reports stay.
//! All of this, and the order of precedence of the control bits, was read off the reference
//! (`tests/transcripts/cpu-hotplug-registers.txt`).
//!
//! Every access costs the same whatever the number of slots: a guest that hammers the registers keeps
//! nobody waiting. A set of bits says which slots have something to tell, so that the search for the next one reads
//! 64 slots at a time.
//!
//! Machines of old start with a bitmap of present CPUs at the same ports, and change to the
//! block above when the guest writes 0 to its first byte: [`HotplugMode::LegacyBitmap`]. The
//! reference's machines of today start in the modern mode and have no other.
//!
//! One difference from the reference is on purpose. There, an ejected CPU's pending events stay
//! and meet the next CPU in the slot, which then is asked to leave the moment it arrives. Here
//! an eject ends the events of the CPU that left.

use std::ops::Range;

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
    /// The guest has looked at the CPU since it came, or since the machine was reset.
    pub seen: bool,
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

/// What a guest's read gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What it reads.
    pub value: u32,
    /// The slots among which there is a CPU that the guest looked at for the first time; empty if there is none.
    pub seen: Range<u32>,
}

impl Read {
    fn of(value: u32) -> Self {
        Self { value, seen: 0..0 }
    }
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
    /// A bit a slot: there is something to tell of it.
    pending: Vec<u64>,
    /// A bit an APIC ID: the CPU is there.
    bitmap: [u8; LEGACY_LEN as usize],
    selector: u32,
    command: Command,
    legacy: bool,
}

impl CpuHotplug {
    /// A block for the possible CPUs in their order, in which their arch ids rise. Slot 0 is the boot CPU: never ejected.
    pub fn new(slots: impl IntoIterator<Item = SlotInit>, mode: HotplugMode) -> Self {
        let slots = slots.into_iter().map(|init| Slot {
            arch_id: init.arch_id,
            status: SlotStatus { present: init.present, ..SlotStatus::default() },
        });
        let slots: Vec<_> = slots.collect();
        let mut this = Self {
            pending: vec![0; slots.len().div_ceil(64)],
            slots,
            bitmap: [0; LEGACY_LEN as usize],
            selector: 0,
            command: Command::NextWithEvent,
            legacy: mode == HotplugMode::LegacyBitmap,
        };
        (0..this.slots.len()).for_each(|slot| this.note(slot));
        this
    }

    /// Brings what is derived from a slot's state up to date.
    fn note(&mut self, slot: usize) {
        let Some(Slot { arch_id, status }) = self.slots.get(slot) else { return };
        if let Some(word) = self.pending.get_mut(slot / 64) {
            set_bit(word, slot % 64, status.inserting || status.removing || status.firmware_eject);
        }
        if let Some(byte) = usize::try_from(*arch_id / 8).ok().and_then(|byte| self.bitmap.get_mut(byte)) {
            let bit = 1 << (arch_id % 8);
            *byte = if status.present { *byte | bit } else { *byte & !bit };
        }
    }

    /// The next slot from `from` on, around the end, of which there is something to tell.
    fn next_pending(&self, from: usize) -> Option<usize> {
        let words = self.pending.len();
        let first = self.pending.get(from / 64)? & (u64::MAX << (from % 64));
        let from_word = from / 64;
        let rest = (1..=words).map(|i| (from_word + i) % words).map(|word| (word, self.pending[word]));
        let mut found = std::iter::once((from_word, first)).chain(rest).filter(|(_, bits)| *bits != 0);
        found.next().map(|(word, bits)| word * 64 + bits.trailing_zeros() as usize)
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

    /// There is something to tell of some CPU: what command 0 finds.
    pub fn event_pending(&self) -> bool {
        self.pending.iter().any(|word| *word != 0)
    }

    /// A CPU arrives. With `announce` (hot-plug) the guest is to be told, and the caller raises
    /// the GPE; without (cold plug) it is simply there.
    pub fn plug(&mut self, slot: u32, announce: bool) -> Result<(), SlotError> {
        self.change(slot, |status| {
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
        })
    }

    /// The machine wants the CPU gone; the guest decides, and the caller raises the GPE. Asking
    /// again is allowed, since a guest may have refused.
    pub fn request_unplug(&mut self, slot: u32) -> Result<(), SlotError> {
        self.change(slot, |status| {
            status.removing |= status.present;
            if status.present { Ok(()) } else { Err(SlotError::Empty { slot }) }
        })
    }

    /// Takes a CPU away without the guest's doing: the undoing of a plug that failed further on.
    pub fn withdraw(&mut self, slot: u32) -> Result<(), SlotError> {
        self.change(slot, |status| {
            if !status.present {
                return Err(SlotError::Empty { slot });
            }
            remove(status);
            Ok(())
        })
    }

    /// Takes a CPU away that was announced and that the guest has not looked at; false: it has, and must be asked.
    pub fn withdraw_unseen(&mut self, slot: u32) -> Result<bool, SlotError> {
        self.change(slot, |status| {
            let unseen = status.present && status.inserting && !status.seen;
            if unseen {
                remove(status);
            }
            Ok(unseen)
        })
    }

    /// The guest starts anew and has seen nothing: all that a reset of the machine means here.
    pub fn forget_sightings(&mut self) {
        for slot in &mut self.slots {
            slot.status.seen = false;
        }
    }

    /// Changes a slot's state, and what is derived from it.
    fn change<R>(
        &mut self,
        slot: u32,
        change: impl FnOnce(&mut SlotStatus) -> Result<R, SlotError>,
    ) -> Result<R, SlotError> {
        let slots = self.slots.len() as u32;
        let index = slot as usize;
        let status = &mut self.slots.get_mut(index).ok_or(SlotError::NoSuchSlot { slot, slots })?.status;
        let result = change(status);
        self.note(index);
        result
    }

    /// The guest reads `size` bytes at `offset`. It then has looked at a CPU if it read the flags of one, or its bit.
    pub fn read(&mut self, offset: u64, size: u8) -> Read {
        if self.legacy {
            return self.read_bitmap(offset, size);
        }
        if offset >= MODERN_LEN {
            return Read::of(mask(size));
        }
        let Some(slot) = self.slots.get_mut(self.selector as usize) else { return Read::of(0) };
        if !aligned(offset, size) {
            return Read::of(0);
        }
        let mut seen = 0..0;
        let value = match (offset, self.command) {
            (FLAGS, _) => {
                if slot.status.present && !std::mem::replace(&mut slot.status.seen, true) {
                    seen = self.selector..self.selector + 1;
                }
                u32::from(flag_byte(slot.status))
            }
            (COMMAND_DATA, Command::NextWithEvent) => self.selector,
            (COMMAND_DATA, Command::ArchId) => slot.arch_id as u32,
            (SELECTOR, Command::ArchId) => (slot.arch_id >> 32) as u32,
            _ => 0,
        };
        Read { value: value & mask(size), seen }
    }

    fn read_bitmap(&mut self, offset: u64, size: u8) -> Read {
        let bytes = self.bitmap.iter().skip(offset as usize).take(size.into());
        let value = bytes.rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
        // Arch ids rise with the slots.
        let slots = [offset, offset + u64::from(size)]
            .map(|byte| self.slots.partition_point(|slot| slot.arch_id < byte * 8));
        let mut seen = 0..0;
        for slot in slots[0]..slots[1] {
            let status = &mut self.slots[slot].status;
            if status.present && !std::mem::replace(&mut status.seen, true) {
                let first = if seen.is_empty() { slot as u32 } else { seen.start };
                seen = first..slot as u32 + 1;
            }
        }
        Read { value, seen }
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
            (FLAGS, _) => {
                let effect = self.write_flags(value as u8);
                self.note(self.selector as usize);
                effect
            }
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
            remove(status);
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
        if self.command == Command::NextWithEvent
            && let Some(found) = self.next_pending(self.selector as usize)
        {
            self.selector = found as u32;
        }
    }
}

/// The CPU has left, with its events.
fn remove(status: &mut SlotStatus) {
    let SlotStatus { ost_event, ost_status, .. } = *status;
    *status = SlotStatus { ost_event, ost_status, ..SlotStatus::default() };
}

fn set_bit(word: &mut u64, bit: usize, on: bool) {
    *word = *word & !(1 << bit) | u64::from(on) << bit;
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
#[path = "cpu_hotplug_model.rs"]
mod model;
#[cfg(test)]
#[path = "cpu_hotplug_tests.rs"]
mod tests;
