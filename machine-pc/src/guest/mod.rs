//! The built-in guest, which runs when the user names neither firmware nor kernel.
//!
//! It is a small program in real-mode assembly (`guest.S` and two more) that does to the CPU hotplug registers
//! what an operating system does: it counts the CPUs, starts those that are there by INIT–SIPI–SIPI,
//! sleeps, and at each SCI starts the inserted and lets go of those that are wanted back, with the `_OST`
//! reports that Linux gives. Its lines on COM1 are
//!
//! ```text
//! qom guest: 1 of 4 CPUs present
//! qom guest: cpu 0: up, APIC ID 0, AuthenticAMD, QEMU Virtual CPU version 2.5+
//! qom guest: cpu 1: gone
//! cpu 0: cpuid 00000001:00000000 00000f61 00000800 80202001 078bfbfd
//! cpu 0: cpuid end
//! ```
//!
//! `cpu N` is the slot; vendor, brand string and APIC ID are what CPUID says on the CPU itself.
//! On COM1 it takes the commands `h` (help), `v` (every CPU that comes up prints its CPUID, and the
//! boot CPU does so at once) and `r` (reset).
//!
//! The code carries no board: [`BoardInfo`] is written into the image for it.

mod code;

use thiserror::Error;

/// Size of the image: one real-mode segment.
pub const IMAGE_SIZE: usize = 64 << 10;
/// RAM that the guest needs, from address 0 on.
pub const RAM_NEEDED: u64 = 32 << 10;
/// How many possible CPUs its tables hold.
pub const MAX_SLOTS: u32 = 4096;

const INFO_OFFSET: usize = 0xff00;
const RESET_VECTOR_OFFSET: usize = 0xfff0;
const SEGMENT: u16 = 0xf000;

/// What the guest must know of the board, as the image holds it at offset 0xff00.
///
/// | offset | bytes | what |
/// | --- | --- | --- |
/// | 0 | 4 | `QOMG` |
/// | 4 | 2 | version of this structure, 1 |
/// | 6 | 2 | first port of the CPU hotplug registers |
/// | 8 | 2 | port of GPE0's first status byte |
/// | 10 | 2 | port of GPE0's first enable byte |
/// | 12 | 2 | first port of COM1, on IRQ 4 |
/// | 14 | 2 | port of the reset control register |
/// | 16 | 4 | how many slots the guest may look at |
/// | 20 | 4 | address of the local APIC |
///
/// Numbers are little-endian. The SCI is IRQ 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardInfo {
    /// First port of the CPU hotplug registers.
    pub hotplug_base: u16,
    /// First port of GPE0.
    pub gpe0_base: u16,
    /// Length of GPE0 in bytes, status and enable together.
    pub gpe0_len: u16,
    /// First port of COM1.
    pub com1_base: u16,
    /// The reset control register.
    pub reset_port: u16,
}

impl BoardInfo {
    /// The i440FX board.
    pub const I440FX: Self =
        Self { hotplug_base: 0xaf00, gpe0_base: 0xafe0, gpe0_len: 4, com1_base: 0x3f8, reset_port: 0xcf9 };
    /// The Q35 board, with its power-management base at 0x600.
    pub const Q35: Self =
        Self { hotplug_base: 0xcd8, gpe0_base: 0x620, gpe0_len: 16, com1_base: 0x3f8, reset_port: 0xcf9 };

    fn to_bytes(self) -> Vec<u8> {
        let words = [
            1,
            self.hotplug_base,
            self.gpe0_base,
            self.gpe0_base + self.gpe0_len / 2,
            self.com1_base,
            self.reset_port,
        ];
        let mut bytes = b"QOMG".to_vec();
        bytes.extend(words.iter().flat_map(|w| w.to_le_bytes()));
        bytes.extend(MAX_SLOTS.to_le_bytes());
        bytes.extend(0xfee0_0000u32.to_le_bytes());
        bytes
    }
}

/// Why the built-in guest cannot run on a machine.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum GuestError {
    /// Not even its tables fit.
    #[error("the built-in guest needs {RAM_NEEDED} bytes of RAM, the machine has {ram}")]
    RamTooSmall {
        /// RAM of the machine in bytes.
        ram: u64,
    },
    /// More possible CPUs than its tables hold.
    #[error("the built-in guest knows {MAX_SLOTS} possible CPUs, the machine has {slots}")]
    TooManySlots {
        /// Possible CPUs of the machine.
        slots: u32,
    },
}

/// The ROM image for a board: 64 KiB, to be mapped so that it ends at 4 GiB and at 1 MiB.
pub fn image(board: BoardInfo, ram: u64, slots: u32) -> Result<Vec<u8>, GuestError> {
    if ram < RAM_NEEDED {
        return Err(GuestError::RamTooSmall { ram });
    }
    if slots > MAX_SLOTS {
        return Err(GuestError::TooManySlots { slots });
    }
    let code = code::bytes();
    let mut image = vec![0xff; IMAGE_SIZE];
    image[..code.len()].copy_from_slice(code);
    let info = board.to_bytes();
    image[INFO_OFFSET..INFO_OFFSET + info.len()].copy_from_slice(&info);
    // A far jump, so that CS takes its base below 1 MiB.
    let mut jump = vec![0xea];
    jump.extend(code::boot_entry().to_le_bytes());
    jump.extend(SEGMENT.to_le_bytes());
    image[RESET_VECTOR_OFFSET..RESET_VECTOR_OFFSET + jump.len()].copy_from_slice(&jump);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_holds_code_board_and_reset_vector() {
        let image = image(BoardInfo::Q35, 1 << 20, 4).unwrap();
        assert_eq!(image.len(), 65_536);
        // cli; cld: where a SIPI with vector 0xf0 starts.
        assert_eq!(image[..2], [0xfa, 0xfc]);
        assert_eq!(&image[0xff00..0xff04], b"QOMG");
        let word = |at: usize| u16::from_le_bytes([image[at], image[at + 1]]);
        let words: Vec<_> = (0xff04..0xff10).step_by(2).map(word).collect();
        assert_eq!(words, [1, 0xcd8, 0x620, 0x628, 0x3f8, 0xcf9]);
        assert_eq!((image[0xfff0], word(0xfff3)), (0xea, 0xf000));
        let entry = usize::from(word(0xfff1));
        assert_eq!(image[entry..entry + 2], [0xfa, 0xfc]);
    }

    #[test]
    fn the_code_leaves_the_end_of_the_image_free() {
        assert!(code::bytes().len() < 0x2000, "{:#x}", code::bytes().len());
    }

    #[test]
    fn machines_that_it_cannot_run_on_are_refused() {
        let tiny = image(BoardInfo::I440FX, 8192, 1);
        assert_eq!(tiny, Err(GuestError::RamTooSmall { ram: 8192 }));
        let many = image(BoardInfo::I440FX, 1 << 20, 4097);
        assert_eq!(many, Err(GuestError::TooManySlots { slots: 4097 }));
    }
}
