//! A local APIC as text: `info lapic`. Registers as in Intel SDM vol. 3, table 11-1; the layout is the reference's.

use std::fmt::Write as _;

use kvm_bindings::kvm_lapic_state;

/// Names of the local vector table's entries, with their registers, in the order of showing.
const VECTORS: [(&str, usize); 6] = [
    ("LVT0", 0x350),
    ("LVT1", 0x360),
    ("LVTPC", 0x340),
    ("LVTERR", 0x370),
    ("LVTTHMR", 0x330),
    ("LVTT", TIMER),
];
const TIMER: usize = 0x320;
const LINT1: usize = 0x360;
const MASKED: u32 = 1 << 16;
const DELIVERY: u32 = 7 << 8;
const NMI: u32 = 4 << 8;

/// A register.
fn register(apic: &kvm_lapic_state, at: usize) -> u32 {
    let mut bytes = [0; 4];
    for (to, from) in bytes.iter_mut().zip(&apic.regs[at..]) {
        *to = from.cast_unsigned();
    }
    u32::from_le_bytes(bytes)
}

/// Whether a non-maskable interrupt of the board reaches the CPU: LINT1 is set up for it.
pub(crate) fn takes_nmi(apic: &kvm_lapic_state) -> bool {
    register(apic, LINT1) & (MASKED | DELIVERY) == NMI
}

/// All registers that the reference shows. `x2apic`: the CPU has an x2APIC.
pub(crate) fn text(apic: &kvm_lapic_state, index: usize, x2apic: bool) -> String {
    let mut text = String::new();
    // Appending to a String cannot fail.
    let _ = write(&mut text, apic, index, x2apic);
    text
}

fn write(text: &mut String, apic: &kvm_lapic_state, index: usize, x2apic: bool) -> std::fmt::Result {
    let read = |at| register(apic, at);
    writeln!(text, "dumping local APIC state for CPU {index:<2}\n")?;
    for (name, at) in VECTORS {
        write_vector(text, name, read(at), at == TIMER)?;
    }
    let divide = read(0x3e0);
    let index = (divide >> 1 & 4) | (divide & 3);
    let by = if index == 7 { 1 } else { 2 << index };
    writeln!(
        text,
        "Timer\t DCR=0x{divide:x} (divide by {by}) initial_count = {} current_count = {}",
        read(0x380),
        read(0x390)
    )?;
    let spurious = read(0xf0);
    let is = |bit: u32, set: &'static str, clear: &'static str| if spurious & bit != 0 { set } else { clear };
    let (enabled, focus) = (is(1 << 8, "enabled", "disabled"), is(1 << 9, "on", "off"));
    let vector = spurious & 0xff;
    writeln!(text, "SPIV\t 0x{spurious:08x} APIC {enabled}, focus={focus}, spurious vec {vector}")?;
    write_command(text, read(0x300), read(0x310), x2apic)?;
    writeln!(text, "ESR\t 0x{:08x}", read(0x280))?;
    let bits = |first: usize| {
        (0..256).filter(move |vector| read(first + vector / 32 * 0x10) >> (vector % 32) & 1 != 0)
    };
    for (name, first) in [("ISR", 0x100), ("IRR", 0x200)] {
        write!(text, "{name}\t ")?;
        for vector in bits(first) {
            let level =
                if read(0x180 + vector / 32 * 0x10) >> (vector % 32) & 1 != 0 { "(level)" } else { "" };
            write!(text, "{vector}{level} ")?;
        }
        writeln!(text, "{}", if bits(first).next().is_none() { "(none)" } else { "" })?;
    }
    writeln!(
        text,
        "\nAPR 0x{:02x} TPR 0x{:02x} DFR 0x{:02x} LDR 0x{:02x} PPR 0x{:02x}",
        read(0x90),
        read(0x80),
        read(0xe0) >> 28,
        read(0xd0) >> 24,
        read(0xa0)
    )
}

fn write_vector(text: &mut String, name: &str, value: u32, is_timer: bool) -> std::fmt::Result {
    let is =
        |bit: u32, set: &'static str, clear: &'static str| if value >> bit & 1 != 0 { set } else { clear };
    let timer = match value >> 17 & 3 {
        _ if !is_timer => "",
        0 => "one-shot",
        1 => "periodic",
        _ => "tsc-deadline",
    };
    let delivery = ["Fixed", "...", "SMI", "...", "NMI", "INIT", "...", "ExtINT"][(value >> 8 & 7) as usize];
    write!(
        text,
        "{name}\t 0x{value:08x} {} {:<5} {:<6} {:<7} {timer:<12} {delivery:<6}",
        is(13, "active-lo", "active-hi"),
        is(15, "level", "edge"),
        is(16, "masked", ""),
        is(12, "pending", ""),
    )?;
    if value & DELIVERY == NMI { writeln!(text) } else { writeln!(text, " (vec {})", value & 0xff) }
}

fn write_command(text: &mut String, low: u32, high: u32, x2apic: bool) -> std::fmt::Result {
    let is = |bit: u32, set: &'static str, clear: &'static str| if low >> bit & 1 != 0 { set } else { clear };
    let shorthand = low >> 18 & 3;
    writeln!(
        text,
        "ICR\t 0x{low:08x} {} {} {} {}",
        is(11, "logical", "physical"),
        is(15, "level", "edge"),
        is(14, "assert", "de-assert"),
        ["no-shorthand", "self", "all-self", "all"][shorthand as usize]
    )?;
    write!(text, "ICR2\t 0x{high:08x}")?;
    let (destination, form) = if x2apic { (high, "X2APIC ID") } else { (high >> 24, "APIC ID") };
    match (shorthand, low >> 11 & 1) {
        (0, 0) => writeln!(text, " cpu {destination} ({form})"),
        (0, _) => writeln!(text, " mask 0x{destination:x} ({form})"),
        _ => writeln!(text),
    }
}
