//! The registers as an operating system's drivers use them: those of CPU hotplug, after the `acpi_cpu_hotplug`
//! specification, and of ACPI's fixed hardware, PM1 and GPE0 (ACPI 6.5, 4.8).
//!
//! Only port accesses; nothing here remembers anything.

use std::sync::Arc;

use super::AcpiPorts;
use crate::io_bus::IoBus;

/// Offsets in the register block, and in the bitmap of old.
mod offset {
    pub(super) const SELECTOR: u64 = 0;
    pub(super) const FLAGS: u64 = 4;
    pub(super) const COMMAND: u64 = 5;
    pub(super) const COMMAND_DATA: u64 = 8;
}

/// Bits of the flags. Writing an event's bit acknowledges the event.
const ENABLED: u8 = 1 << 0;
const INSERTED: u8 = 1 << 1;
const REMOVING: u8 = 1 << 2;
const EJECT: u8 = 1 << 3;

/// Commands.
const NEXT_WITH_EVENT: u8 = 0;
const OST_EVENT: u8 = 1;
const OST_STATUS: u8 = 2;

/// The GPE of CPU hotplug, as a bit of the block's first byte.
const GPE_CPU_HOTPLUG: u8 = 1 << 2;

/// The power button, in PM1 status and in PM1 enable.
const POWER_BUTTON: u16 = 1 << 8;
/// Sleep type and sleep enable in PM1 control.
const SLEEP_TYPE: u16 = 7 << SLEEP_TYPE_SHIFT;
const SLEEP_TYPE_SHIFT: u16 = 10;
const SLEEP_ENABLE: u16 = 1 << 13;
/// Offset of PM1 enable from PM1 status.
const PM1_ENABLE: u64 = 2;

/// A reset of the whole system, as the reset control register takes it.
const RESET_SYSTEM: u8 = 0x06;

/// Length in bytes of the bitmap of old.
pub(super) const BITMAP_LEN: usize = 32;

/// No board has as many CPUs.
const MOST_SLOTS: u32 = 1 << 16;

/// What the hotplug registers have to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A CPU came to the slot.
    Insert,
    /// The CPU in the slot is wanted back.
    Remove,
}

/// The ports of a board.
#[derive(Debug)]
pub(super) struct Registers {
    pio: Arc<IoBus>,
    ports: AcpiPorts,
}

impl Registers {
    pub(super) fn new(pio: Arc<IoBus>, ports: AcpiPorts) -> Self {
        Self { pio, ports }
    }

    fn read_byte(&self, port: u64) -> u8 {
        let mut data = [0];
        self.pio.read(port, &mut data);
        data[0]
    }

    fn write_byte(&self, port: u64, value: u8) {
        self.pio.write(port, &[value]);
    }

    fn read_word(&self, port: u64) -> u16 {
        let mut data = [0; 2];
        self.pio.read(port, &mut data);
        u16::from_le_bytes(data)
    }

    fn write_word(&self, port: u64, value: u16) {
        self.pio.write(port, &value.to_le_bytes());
    }

    fn read_data(&self) -> u32 {
        let mut data = [0; 4];
        self.pio.read(self.ports.cpu_hotplug + offset::COMMAND_DATA, &mut data);
        u32::from_le_bytes(data)
    }

    fn write_data(&self, value: u32) {
        self.pio.write(self.ports.cpu_hotplug + offset::COMMAND_DATA, &value.to_le_bytes());
    }

    fn command(&self, command: u8) {
        self.write_byte(self.ports.cpu_hotplug + offset::COMMAND, command);
    }

    fn flags(&self) -> u8 {
        self.read_byte(self.ports.cpu_hotplug + offset::FLAGS)
    }

    fn set_flag(&self, flag: u8) {
        self.write_byte(self.ports.cpu_hotplug + offset::FLAGS, flag);
    }

    fn select(&self, slot: u32) {
        self.pio.write(self.ports.cpu_hotplug + offset::SELECTOR, &slot.to_le_bytes());
    }

    /// Lets CPU hotplug raise the SCI, or not.
    pub(super) fn enable_gpe(&self, on: bool) {
        let port = self.ports.gpe0 + u64::from(self.ports.gpe0_len / 2);
        let others = self.read_byte(port) & !GPE_CPU_HOTPLUG;
        self.write_byte(port, if on { others | GPE_CPU_HOTPLUG } else { others });
    }

    /// Whether CPU hotplug has raised its GPE; it is then acknowledged.
    pub(super) fn take_gpe(&self) -> bool {
        let pending = self.read_byte(self.ports.gpe0) & GPE_CPU_HOTPLUG != 0;
        if pending {
            self.write_byte(self.ports.gpe0, GPE_CPU_HOTPLUG);
        }
        pending
    }

    /// Lets the power button raise the SCI, or not.
    pub(super) fn enable_button(&self, on: bool) {
        let port = self.ports.pm1_event + PM1_ENABLE;
        let others = self.read_word(port) & !POWER_BUTTON;
        self.write_word(port, if on { others | POWER_BUTTON } else { others });
    }

    /// Whether the power button was pressed; that is then acknowledged.
    pub(super) fn take_button(&self) -> bool {
        let pressed = self.read_word(self.ports.pm1_event) & POWER_BUTTON != 0;
        if pressed {
            self.write_word(self.ports.pm1_event, POWER_BUTTON);
        }
        pressed
    }

    /// Switches the machine off: the sleep type first, and then the wish to sleep with it (ACPI 6.5, 16.1.3).
    pub(super) fn soft_off(&self) {
        let others = self.read_word(self.ports.pm1_control) & !(SLEEP_TYPE | SLEEP_ENABLE);
        let off = others | u16::from(self.ports.soft_off) << SLEEP_TYPE_SHIFT & SLEEP_TYPE;
        self.write_word(self.ports.pm1_control, off);
        self.write_word(self.ports.pm1_control, off | SLEEP_ENABLE);
    }

    /// Makes the registers the modern ones, where they are not, and lists the slots with a CPU that is no news.
    pub(super) fn present(&self) -> Vec<u32> {
        // A board of old takes this as the wish for the modern registers.
        self.select(0);
        self.command(NEXT_WITH_EVENT);
        let mut present = Vec::new();
        for slot in 0..MOST_SLOTS {
            self.select(slot);
            // A slot that does not exist reads as 0.
            if self.read_data() != slot {
                break;
            }
            if self.flags() & (ENABLED | INSERTED) == ENABLED {
                present.push(slot);
            }
        }
        self.select(0);
        present
    }

    /// The next event, which is acknowledged.
    pub(super) fn next_event(&self) -> Option<(u32, Event)> {
        self.command(NEXT_WITH_EVENT);
        let flags = self.flags();
        let (flag, event) = if flags & INSERTED != 0 {
            (INSERTED, Event::Insert)
        } else if flags & REMOVING != 0 {
            (REMOVING, Event::Remove)
        } else {
            return None;
        };
        let slot = self.read_data();
        self.set_flag(flag);
        Some((slot, event))
    }

    /// Whether a CPU is in the slot (`_STA`).
    pub(super) fn is_present(&self, slot: u32) -> bool {
        self.select(slot);
        self.flags() & ENABLED != 0
    }

    /// Lets the CPU in a slot go (`_EJ0`).
    pub(super) fn eject(&self, slot: u32) {
        self.select(slot);
        self.set_flag(EJECT);
    }

    /// Reports on an event of a slot (`_OST`).
    pub(super) fn report(&self, slot: u32, event: u32, status: u32) {
        self.select(slot);
        self.command(OST_EVENT);
        self.write_data(event);
        self.command(OST_STATUS);
        self.write_data(status);
    }

    /// The bitmap of old, by APIC ID. Only read: a write of 0 would end it.
    pub(super) fn bitmap(&self) -> [u8; BITMAP_LEN] {
        let mut bits = [0; BITMAP_LEN];
        for (port, byte) in (self.ports.cpu_hotplug..).zip(&mut bits) {
            *byte = self.read_byte(port);
        }
        bits
    }

    /// Asks for a reset of the machine.
    pub(super) fn reset_system(&self) {
        self.write_byte(self.ports.reset, RESET_SYSTEM);
    }
}
