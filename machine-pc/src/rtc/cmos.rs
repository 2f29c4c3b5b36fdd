//! What a PC's firmware finds in the clock's memory: how much RAM there is, what to boot from, how many CPUs.
//!
//! Places and values are the reference's.

use thiserror::Error;

use super::Rtc;
use crate::memory::RamLayout;

const EQUIPMENT: u8 = 0x14;
const BASE_MEMORY: u8 = 0x15;
const EXTENDED_MEMORY: [u8; 2] = [0x17, 0x30];
const MEMORY_ABOVE_16M: u8 = 0x34;
const MEMORY_ABOVE_4G: u8 = 0x5b;
const CPU_COUNT: u8 = 0x5f;
const BOOT_FIRST_TWO: u8 = 0x3d;
const BOOT_THIRD: u8 = 0x38;

/// A coprocessor and a PS/2 mouse; no floppy drive.
const EQUIPMENT_OF_A_PC: u8 = 0x06;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// The unit of memory above 16 MiB.
const BLOCK: u64 = 64 * KIB;
/// Conventional memory in KiB, at most.
const MAX_BASE: u64 = 640;

/// Devices to boot from where nobody says: hard disk, floppy, CD-ROM.
pub const DEFAULT_BOOT_ORDER: &str = "cad";

/// Most devices to boot from.
const MAX_BOOT_DEVICES: usize = 3;

/// Why devices cannot be booted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BootOrderError {
    /// The firmware tries no more than three.
    #[error("Too many boot devices for PC")]
    TooMany,
    /// A letter that no device has.
    #[error("Invalid boot device for PC: '{0}'")]
    Invalid(char),
}

/// Up to three devices to boot from, as the firmware knows them: 0 for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BootOrder([u8; MAX_BOOT_DEVICES]);

impl BootOrder {
    /// Reads letters: `a` and `b` are floppies, `c` a hard disk, `d` a CD-ROM, `n` the network.
    ///
    /// # Errors
    /// [`BootOrderError`].
    pub fn read(letters: &str) -> Result<Self, BootOrderError> {
        if letters.chars().count() > MAX_BOOT_DEVICES {
            return Err(BootOrderError::TooMany);
        }
        let mut devices = [0; MAX_BOOT_DEVICES];
        for (device, letter) in devices.iter_mut().zip(letters.chars()) {
            *device = match letter {
                'a' | 'b' => 1,
                'c' => 2,
                'd' => 3,
                'n' => 4,
                other => return Err(BootOrderError::Invalid(other)),
            };
        }
        Ok(Self(devices))
    }
}

fn set_word(rtc: &Rtc, at: u8, value: u64) {
    let value = u16::try_from(value).unwrap_or(u16::MAX);
    let [low, high] = value.to_le_bytes();
    rtc.set_memory(at, low);
    rtc.set_memory(at + 1, high);
}

/// Says how much RAM there is, and what the machine has.
pub fn set_memory(rtc: &Rtc, ram: RamLayout) {
    rtc.set_memory(EQUIPMENT, EQUIPMENT_OF_A_PC);
    set_word(rtc, BASE_MEMORY, (ram.below_4g / KIB).min(MAX_BASE));
    for at in EXTENDED_MEMORY {
        set_word(rtc, at, ram.below_4g.saturating_sub(MIB) / KIB);
    }
    set_word(rtc, MEMORY_ABOVE_16M, ram.below_4g.saturating_sub(16 * MIB) / BLOCK);
    let [low, middle, high, ..] = (ram.above_4g / BLOCK).to_le_bytes();
    for (at, byte) in (MEMORY_ABOVE_4G..).zip([low, middle, high]) {
        rtc.set_memory(at, byte);
    }
}

/// Says what to boot from.
pub fn set_boot_order(rtc: &Rtc, BootOrder([first, second, third]): BootOrder) {
    rtc.set_memory(BOOT_FIRST_TWO, second << 4 | first);
    // The low bit would tell the firmware not to look at a floppy's signature.
    rtc.set_memory(BOOT_THIRD, third << 4);
}

/// Says how many CPUs there are. More than a byte tells are for the firmware to find out otherwise.
pub fn set_cpu_count(rtc: &Rtc, count: usize) {
    let told = u8::try_from(count.saturating_sub(1)).ok().filter(|_| count <= 0xff);
    rtc.set_memory(CPU_COUNT, told.unwrap_or(0));
}
