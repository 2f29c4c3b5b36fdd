//! Registers as text: `info registers`, and `$` in the monitor's expressions.

use std::fmt::Write as _;

use kvm_bindings::{kvm_dtable, kvm_segment};

use super::cpu::{CpuSnapshot, attributes};

/// Flags in RFLAGS that are shown, with their bits, in the order of showing.
const FLAGS: [(char, u32); 7] = [('D', 10), ('O', 11), ('S', 7), ('Z', 6), ('A', 4), ('P', 2), ('C', 0)];

/// Names of system segments' types, out of long mode and in it (Intel SDM vol. 3, table 3-2).
const SYSTEM_TYPES: [[&str; 16]; 2] = [
    [
        "Reserved",
        "TSS16-avl",
        "LDT",
        "TSS16-busy",
        "CallGate16",
        "TaskGate",
        "IntGate16",
        "TrapGate16",
        "Reserved",
        "TSS32-avl",
        "Reserved",
        "TSS32-busy",
        "CallGate32",
        "Reserved",
        "IntGate32",
        "TrapGate32",
    ],
    [
        "<hiword>",
        "Reserved",
        "LDT",
        "Reserved",
        "Reserved",
        "Reserved",
        "Reserved",
        "Reserved",
        "Reserved",
        "TSS64-avl",
        "Reserved",
        "TSS64-busy",
        "CallGate64",
        "Reserved",
        "IntGate64",
        "TrapGate64",
    ],
];

const PROTECTED_MODE: u64 = 1;
const PRESENT: u32 = 1 << 15;

/// All registers, in the reference's layout.
pub(crate) fn text(cpu: &CpuSnapshot) -> String {
    let mut text = String::new();
    // Appending to a String cannot fail.
    let _ = write(&mut text, cpu);
    text
}

fn write(text: &mut String, cpu: &CpuSnapshot) -> std::fmt::Result {
    let (r, s) = (&cpu.general, &cpu.system);
    // Addresses of tables are shown in full in long mode, whatever the code is.
    let (wide, long) = (cpu.is_64_bit(), cpu.is_long_mode());
    let flags: String =
        FLAGS.iter().map(|(letter, bit)| if r.rflags >> bit & 1 != 0 { *letter } else { '-' }).collect();
    let state = format!(
        "[{flags}] CPL={} II={} A20=1 SMM={} HLT={}",
        s.ss.dpl & 3,
        u8::from(cpu.events.interrupt.shadow != 0),
        u8::from(cpu.events.smi.smm != 0),
        u8::from(cpu.halted)
    );
    if wide {
        writeln!(text, "RAX={:016x} RBX={:016x} RCX={:016x} RDX={:016x}", r.rax, r.rbx, r.rcx, r.rdx)?;
        writeln!(text, "RSI={:016x} RDI={:016x} RBP={:016x} RSP={:016x}", r.rsi, r.rdi, r.rbp, r.rsp)?;
        writeln!(text, "R8 ={:016x} R9 ={:016x} R10={:016x} R11={:016x}", r.r8, r.r9, r.r10, r.r11)?;
        writeln!(text, "R12={:016x} R13={:016x} R14={:016x} R15={:016x}", r.r12, r.r13, r.r14, r.r15)?;
        writeln!(text, "RIP={:016x} RFL={:08x} {state}", r.rip, low(r.rflags))?;
    } else {
        let [ax, bx, cx, dx] = [r.rax, r.rbx, r.rcx, r.rdx].map(low);
        writeln!(text, "EAX={ax:08x} EBX={bx:08x} ECX={cx:08x} EDX={dx:08x}")?;
        let [si, di, bp, sp] = [r.rsi, r.rdi, r.rbp, r.rsp].map(low);
        writeln!(text, "ESI={si:08x} EDI={di:08x} EBP={bp:08x} ESP={sp:08x}")?;
        writeln!(text, "EIP={:08x} EFL={:08x} {state}", low(r.rip), low(r.rflags))?;
    }
    let segments = [
        ("ES", &s.es),
        ("CS", &s.cs),
        ("SS", &s.ss),
        ("DS", &s.ds),
        ("FS", &s.fs),
        ("GS", &s.gs),
        ("LDT", &s.ldt),
        ("TR", &s.tr),
    ];
    for (name, segment) in segments {
        write_segment(text, cpu, name, segment)?;
    }
    for (name, table) in [("GDT", &s.gdt), ("IDT", &s.idt)] {
        let kvm_dtable { base, limit, .. } = table;
        if long {
            writeln!(text, "{name}=     {base:016x} {limit:08x}")?;
        } else {
            writeln!(text, "{name}=     {:08x} {limit:08x}", low(*base))?;
        }
    }
    if long {
        writeln!(
            text,
            "CR0={:08x} CR2={:016x} CR3={:016x} CR4={:08x}",
            low(s.cr0),
            s.cr2,
            s.cr3,
            low(s.cr4)
        )?;
    } else {
        let [cr0, cr2, cr3, cr4] = [s.cr0, s.cr2, s.cr3, s.cr4].map(low);
        writeln!(text, "CR0={cr0:08x} CR2={cr2:08x} CR3={cr3:08x} CR4={cr4:08x}")?;
    }
    for (number, value) in cpu.debug.db.iter().enumerate() {
        write!(text, "DR{number}={value:016x} ")?;
    }
    writeln!(text, "\nDR6={:016x} DR7={:016x}", cpu.debug.dr6, cpu.debug.dr7)?;
    writeln!(text, "EFER={:016x}", s.efer)?;
    write_fpu(text, cpu, if wide { 16 } else { 8 })
}

fn low(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

fn write_segment(
    text: &mut String,
    cpu: &CpuSnapshot,
    name: &str,
    segment: &kvm_segment,
) -> std::fmt::Result {
    let attributes = attributes(segment);
    let kvm_segment { selector, base, limit, .. } = *segment;
    if cpu.is_64_bit() {
        write!(text, "{name:<3}={selector:04x} {base:016x} {limit:08x} {attributes:08x}")?;
    } else {
        write!(text, "{name:<3}={selector:04x} {:08x} {limit:08x} {attributes:08x}", low(base))?;
    }
    if cpu.system.cr0 & PROTECTED_MODE == 0 || attributes & PRESENT == 0 {
        return writeln!(text);
    }
    write!(text, " DPL={} ", segment.dpl & 3)?;
    let letter = |bit: u8, letter: char| if segment.type_ & bit != 0 { letter } else { '-' };
    if segment.s == 0 {
        let types = &SYSTEM_TYPES[usize::from(cpu.is_long_mode())];
        return writeln!(text, "{}", types[usize::from(segment.type_ & 15)]);
    }
    if segment.type_ & 8 != 0 {
        let kind = match (segment.l, segment.db) {
            (0, 0) => "CS16",
            (0, _) => "CS32",
            _ => "CS64",
        };
        write!(text, "{kind} [{}{}", letter(4, 'C'), letter(2, 'R'))?;
    } else {
        let kind = if segment.db != 0 || cpu.is_long_mode() { "DS  " } else { "DS16" };
        write!(text, "{kind} [{}{}", letter(4, 'E'), letter(2, 'W'))?;
    }
    writeln!(text, "{}]", letter(1, 'A'))
}

fn write_fpu(text: &mut String, cpu: &CpuSnapshot, vectors: usize) -> std::fmt::Result {
    let fpu = &cpu.fpu;
    let top = fpu.fsw >> 11 & 7;
    writeln!(
        text,
        "FCW={:04x} FSW={:04x} [ST={top}] FTW={:02x} MXCSR={:08x}",
        fpu.fcw, fpu.fsw, fpu.ftwx, fpu.mxcsr
    )?;
    for (number, register) in fpu.fpr.iter().enumerate() {
        let mantissa = u64::from_le_bytes(register[..8].try_into().unwrap_or_default());
        let exponent = u16::from_le_bytes([register[8], register[9]]);
        let end = if number % 2 == 1 { '\n' } else { ' ' };
        write!(text, "FPR{number}={mantissa:016x} {exponent:04x}{end}")?;
    }
    for (number, register) in fpu.xmm.iter().enumerate().take(vectors) {
        let value = u128::from_le_bytes(*register);
        let (high, low) = ((value >> 64) as u64, value as u64);
        match &cpu.ymm_high {
            Some(upper) => {
                let (top, next) = ((upper[number] >> 64) as u64, upper[number] as u64);
                writeln!(text, "YMM{number:02}={top:016x} {next:016x} {high:016x} {low:016x}")?;
            }
            None => {
                let end = if number % 2 == 1 { '\n' } else { ' ' };
                write!(text, "XMM{number:02}={high:016x} {low:016x}{end}")?;
            }
        }
    }
    Ok(())
}

/// What a register holds, by the names that the reference's monitor knows: those of its debugger's integer registers, `pc`, and
/// segments' limits.
pub(crate) fn named(cpu: &CpuSnapshot, name: &str) -> Option<u64> {
    let (r, s, fpu) = (&cpu.general, &cpu.system, &cpu.fpu);
    Some(match name {
        "rax" => r.rax,
        "rbx" => r.rbx,
        "rcx" => r.rcx,
        "rdx" => r.rdx,
        "rsi" => r.rsi,
        "rdi" => r.rdi,
        "rbp" => r.rbp,
        "rsp" => r.rsp,
        "r8" => r.r8,
        "r9" => r.r9,
        "r10" => r.r10,
        "r11" => r.r11,
        "r12" => r.r12,
        "r13" => r.r13,
        "r14" => r.r14,
        "r15" => r.r15,
        "rip" => r.rip,
        "pc" => cpu.linear_ip(),
        "eflags" => r.rflags,
        "cs" => s.cs.selector.into(),
        "ss" => s.ss.selector.into(),
        "ds" => s.ds.selector.into(),
        "es" => s.es.selector.into(),
        "fs" => s.fs.selector.into(),
        "gs" => s.gs.selector.into(),
        "cs.limit" => s.cs.limit.into(),
        "ss.limit" => s.ss.limit.into(),
        "ds.limit" => s.ds.limit.into(),
        "es.limit" => s.es.limit.into(),
        "fs.limit" => s.fs.limit.into(),
        "gs.limit" => s.gs.limit.into(),
        "fs_base" => s.fs.base,
        "gs_base" => s.gs.base,
        "k_gs_base" => cpu.kernel_gs_base,
        "cr0" => s.cr0,
        "cr2" => s.cr2,
        "cr3" => s.cr3,
        "cr4" => s.cr4,
        "cr8" => s.cr8,
        "efer" => s.efer,
        "fctrl" => fpu.fcw.into(),
        "fstat" => fpu.fsw.into(),
        "ftag" => fpu.ftwx.into(),
        "fop" => fpu.last_opcode.into(),
        "fiseg" | "foseg" => 0,
        "fioff" => fpu.last_ip,
        "fooff" => fpu.last_dp,
        "mxcsr" => fpu.mxcsr.into(),
        _ => return None,
    })
}
