//! The interrupt controllers of the board as text: `info pic`. The layout is the reference's.

use std::fmt::Write as _;

use kvm_bindings::kvm_pic_state;

use crate::raw::IoApic;

/// The version that KVM's I/O APIC tells.
const VERSION: u32 = 0x11;
/// The first register of the redirection table.
const FIRST_REDIRECTION: u32 = 0x10;
const REMOTE_IRR: u64 = 1 << 14;

/// The I/O APIC, pin by pin.
pub(crate) fn io_apic_text(apic: &IoApic) -> String {
    let redirection = apic.selected.checked_sub(FIRST_REDIRECTION);
    let selected = redirection.map(|offset| format!(" (redir[{}])", offset >> 1)).unwrap_or_default();
    let mut text =
        format!("ioapic0: ver=0x{VERSION:x} id=0x{:02x} sel=0x{:02x}{selected}\n", apic.id, apic.selected);
    for (pin, entry) in apic.redirections.iter().enumerate() {
        let is = |bit: u32, set: &'static str, clear: &'static str| {
            if entry >> bit & 1 != 0 { set } else { clear }
        };
        let logical = entry >> 11 & 1 != 0;
        let destination = entry >> 56 & if logical { 0xff } else { 0xf };
        let delivery =
            ["fixed", "lowest", "smi", "...", "nmi", "init", "...", "extint"][(entry >> 8 & 7) as usize];
        // Appending to a String cannot fail.
        let _ = writeln!(
            text,
            "  pin {pin:<2} 0x{entry:016x} dest={destination:x} vec={:<3} {} {:<5} {:<6} {delivery:<6} {}",
            entry & 0xff,
            is(13, "active-lo", "active-hi"),
            is(15, "level", "edge"),
            is(16, "masked", ""),
            if logical { "logical" } else { "physical" },
        );
    }
    let remote = apic.redirections.iter().enumerate().filter(|(_, entry)| *entry & REMOTE_IRR != 0);
    let remote = remote.fold(0, |bits: u32, (pin, _)| bits | 1 << pin);
    for (name, bits) in [("  IRR     ", apic.pending), ("  Remote IRR", remote)] {
        let pins: String = (0..24).filter(|pin| bits >> pin & 1 != 0).map(|pin| format!(" {pin}")).collect();
        let _ = writeln!(text, "{name}{}", if pins.is_empty() { " (none)" } else { &pins });
    }
    text
}

/// One of the two 8259s; 0 is the master.
pub(crate) fn pic_text(number: u32, pic: &kvm_pic_state) -> String {
    format!(
        "pic{number}: irr={:02x} imr={:02x} isr={:02x} hprio={} irq_base={:02x} rr_sel={} elcr={:02x} fnm={}\n",
        pic.irr,
        pic.imr,
        pic.isr,
        pic.priority_add,
        pic.irq_base,
        pic.read_reg_select,
        pic.elcr,
        pic.special_fully_nested_mode
    )
}
