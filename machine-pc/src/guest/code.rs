//! The guest's machine code, assembled with this program by its own compiler.
//!
//! The bytes are data here: nothing of this program jumps to them. All references inside are
//! differences of labels, so that they need no relocation and mean offsets in the image.

use std::arch::global_asm;

use crate::raw;

global_asm!(
    include_str!("guest.S"),
    include_str!("interrupts.S"),
    include_str!("report.S"),
    options(att_syntax, raw)
);

/// The code, to be put at offset 0 of the image.
pub(super) fn bytes() -> &'static [u8] {
    raw::built_in_guest_code()
}

/// Offset at which the boot CPU starts: the code's last word says it.
pub(super) fn boot_entry() -> u16 {
    match bytes() {
        [.., low, high] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    }
}
