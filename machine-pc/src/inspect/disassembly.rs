//! Memory as instructions: `x/i` and `xp/i`.
//!
//! The decoder and the words are those of `iced-x86`, in AT&T syntax. Here are the reference's layout of a line, and what its
//! disassembler writes otherwise for instructions that are often seen. Where it misreads an instruction it is not followed;
//! the tests list what is left.

use std::fmt::Write as _;

use iced_x86::{
    Code, Decoder, DecoderOptions, FormatMnemonicOptions, Formatter as _, GasFormatter, Instruction,
    Mnemonic, OpKind,
};

use super::cpu::CpuSnapshot;

/// Most instructions that one command shows: the main loop serves nobody else meanwhile, and the text waits in memory. (The
/// reference goes on to the end of memory.)
pub(crate) const LIMIT: u32 = 16 << 10;

/// The longest instruction (Intel SDM vol. 2, 2.3.11).
const INSTRUCTION_BYTES: usize = 15;
/// Bytes of an instruction in one line.
const LINE_BYTES: usize = 8;
/// No more is read at first than up to the next multiple of this: the instruction may end before what is not there.
const PIECE: u64 = 1 << 10;

/// What an instruction's bytes mean depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeSize {
    Bits16,
    Bits32,
    Bits64,
}

impl CodeSize {
    /// Of the code that a CPU runs now.
    pub(crate) fn of(cpu: &CpuSnapshot) -> Self {
        match (cpu.is_64_bit(), cpu.system.cs.db) {
            (true, _) => Self::Bits64,
            (false, 0) => Self::Bits16,
            (false, _) => Self::Bits32,
        }
    }

    fn bits(self) -> u32 {
        match self {
            Self::Bits16 => 16,
            Self::Bits32 => 32,
            Self::Bits64 => 64,
        }
    }
}

/// Lines of that many instructions from an address on. `read` fills the bytes from an address on, or says that they cannot be
/// read. Bytes that are no instruction are shown one by one.
pub(crate) fn lines(
    size: CodeSize,
    address: u64,
    count: u32,
    read: impl Fn(u64, &mut [u8]) -> bool,
) -> String {
    let mut text = String::new();
    let mut formatter = formatter();
    let mut at = address;
    // The reference shows one, too, where none is asked for.
    for _ in 0..count.clamp(1, LIMIT) {
        let mut bytes = [0; INSTRUCTION_BYTES];
        let Some(instruction) = decode(size, at, &mut bytes, &read) else {
            // Appending to a String cannot fail.
            let _ = writeln!(text, "0x{at:08x}: unable to read memory");
            return text;
        };
        let (len, words) = match instruction {
            Some(instruction) => (instruction.len(), words(&mut formatter, size, instruction)),
            None => (1, format!("{:<8} 0x{:02x}", ".byte", bytes[0])),
        };
        write_line(&mut text, at, &bytes[..len], &words);
        at = at.wrapping_add(len as u64);
    }
    if count > LIMIT {
        let _ = writeln!(text, "No more than {LIMIT} instructions are shown at once");
    }
    text
}

/// The instruction at an address, `Some(None)` if its bytes are none, `None` if not even one byte is there. Fills in its bytes.
fn decode(
    size: CodeSize,
    at: u64,
    bytes: &mut [u8; INSTRUCTION_BYTES],
    read: &impl Fn(u64, &mut [u8]) -> bool,
) -> Option<Option<Instruction>> {
    let first =
        usize::try_from(PIECE - at % PIECE).map_or(INSTRUCTION_BYTES, |left| left.min(INSTRUCTION_BYTES));
    if !read(at, &mut bytes[..first]) {
        return None;
    }
    let instruction = |bytes: &[u8]| {
        let mut decoder = Decoder::with_ip(size.bits(), bytes, at, DecoderOptions::NONE);
        Some(decoder.decode()).filter(|instruction| !instruction.is_invalid())
    };
    let found = instruction(&bytes[..first]);
    if found.is_some() || first == INSTRUCTION_BYTES {
        return Some(found);
    }
    // It may go on in the next piece, if that is there.
    let (_, rest) = bytes.split_at_mut(first);
    if read(at.wrapping_add(first as u64), rest) { Some(instruction(&bytes[..])) } else { Some(None) }
}

/// An instruction's bytes and words. Bytes beyond those of a line stand in lines of their own below.
fn write_line(text: &mut String, at: u64, bytes: &[u8], words: &str) {
    let mut at = at;
    for (index, bytes) in bytes.chunks(LINE_BYTES).enumerate() {
        let _ = write!(text, "0x{at:08x}: ");
        for byte in bytes {
            let _ = write!(text, " {byte:02x}");
        }
        if index == 0 {
            let padding = 3 * (LINE_BYTES - bytes.len()) + 2;
            let _ = write!(text, "{:padding$}{words}", "");
        }
        text.push('\n');
        at = at.wrapping_add(LINE_BYTES as u64);
    }
}

/// Writes as the reference does, as far as it can be told to.
fn formatter() -> GasFormatter {
    let mut formatter = GasFormatter::new();
    let options = formatter.options_mut();
    options.set_gas_show_mnemonic_size_suffix(true);
    options.set_space_after_operand_separator(true);
    options.set_gas_space_after_memory_operand_comma(true);
    options.set_uppercase_hex(false);
    options.set_small_hex_numbers_in_decimal(true);
    options.set_branch_leading_zeros(false);
    options.set_displacement_leading_zeros(false);
    options.set_rip_relative_addresses(true);
    options.set_show_useless_prefixes(true);
    options.set_use_pseudo_ops(false);
    formatter
}

/// The mnemonic and the operands.
fn words(formatter: &mut GasFormatter, size: CodeSize, mut instruction: Instruction) -> String {
    if matches!(instruction.code(), Code::Nopw | Code::Nopd | Code::Nopq) {
        return format!("{:<8} ", "nop");
    }
    // A target is a linear address, as that of the instruction is. The formatter has one within a segment of 64 KiB.
    if size == CodeSize::Bits16 && instruction.op0_kind() == OpKind::NearBranch16 {
        let next = instruction.next_ip();
        let distance = instruction.near_branch16().wrapping_sub(next as u16).cast_signed();
        instruction.set_op0_kind(OpKind::NearBranch32);
        instruction.set_near_branch32(next.wrapping_add_signed(distance.into()) as u32);
    }
    formatter.options_mut().set_signed_immediate_operands(is_signed(&instruction));
    let mut mnemonic = String::new();
    formatter.format_mnemonic_options(&instruction, &mut mnemonic, FormatMnemonicOptions::NO_PREFIXES);
    let mnemonic = suffixed(&instruction, mnemonic);
    let mut prefixes = String::new();
    formatter.format_mnemonic_options(&instruction, &mut prefixes, FormatMnemonicOptions::NO_MNEMONIC);
    // A hint for branches is a suffix.
    if prefixes.starts_with(',') {
        prefixes.clear();
    }
    let separator = if prefixes.is_empty() { "" } else { " " };
    format!("{:<8} {}", format!("{prefixes}{separator}{mnemonic}"), operands(formatter, size, &instruction))
}

fn operands(formatter: &mut GasFormatter, size: CodeSize, instruction: &Instruction) -> String {
    let far = match instruction.op0_kind() {
        OpKind::FarBranch16 => Some(u32::from(instruction.far_branch16())),
        OpKind::FarBranch32 => Some(instruction.far_branch32()),
        _ => None,
    };
    if let Some(offset) = far {
        let separator = if instruction.mnemonic() == Mnemonic::Jmp { ":" } else { ", " };
        return format!("${:#x}{separator}${offset:#x}", instruction.far_branch_selector());
    }
    let mut operands = Vec::new();
    for operand in 0..formatter.operand_count(instruction) {
        let mut text = String::new();
        // It is one of the formatter's own.
        let _ = formatter.format_operand(instruction, &mut text, operand);
        let of_instruction = formatter.get_instruction_operand(instruction, operand).ok().flatten();
        let kind = of_instruction.and_then(|operand| instruction.try_op_kind(operand).ok());
        // A string's segment that no prefix changes.
        if matches!(kind, Some(OpKind::MemoryESDI | OpKind::MemoryESEDI)) && size != CodeSize::Bits64 {
            text.insert_str(0, "%es:");
        }
        operands.push(text.replace("{%k", " {%k").replace("{z}", " {z}"));
    }
    operands.join(", ")
}

/// Whether immediate operands are shown with their sign: those of arithmetic that the instruction extends.
fn is_signed(instruction: &Instruction) -> bool {
    let is_of_bits =
        matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::And | Mnemonic::Or | Mnemonic::Xor);
    let is_extended = instruction.op_kinds().any(|kind| {
        use OpKind::{Immediate8to16, Immediate8to32, Immediate8to64, Immediate32to64};
        matches!(kind, Immediate8to16 | Immediate8to32 | Immediate8to64 | Immediate32to64)
    });
    is_extended && !is_of_bits || instruction.mnemonic() == Mnemonic::Enter
}

/// The mnemonic with its suffix as the reference has it: some have none there, and some have one there only.
fn suffixed(instruction: &Instruction, mut mnemonic: String) -> String {
    match instruction.mnemonic() {
        Mnemonic::Leave
        | Mnemonic::Enter
        | Mnemonic::Loop
        | Mnemonic::Loope
        | Mnemonic::Loopne
        | Mnemonic::Verr
        | Mnemonic::Verw
        | Mnemonic::Arpl
        | Mnemonic::Bound
        | Mnemonic::Fldcw
        | Mnemonic::Fnstcw
        | Mnemonic::Fnsave
        | Mnemonic::Frstor
        | Mnemonic::Fnstenv
        | Mnemonic::Fldenv => {
            mnemonic.pop();
        }
        // The byte of a condition. All others of that beginning have no operand.
        _ if mnemonic.starts_with("set") && instruction.op_count() == 1 => {
            mnemonic.pop();
        }
        _ => mnemonic.extend(suffix_of_the_register(instruction.code())),
    }
    mnemonic
}

fn suffix_of_the_register(code: Code) -> Option<char> {
    Some(match code {
        Code::Rdrand_r16 | Code::Rdseed_r16 => 'w',
        Code::Rdrand_r32
        | Code::Rdseed_r32
        | Code::Rdfsbase_r32
        | Code::Rdgsbase_r32
        | Code::Wrfsbase_r32
        | Code::Wrgsbase_r32 => 'l',
        Code::Rdrand_r64
        | Code::Rdseed_r64
        | Code::Rdfsbase_r64
        | Code::Rdgsbase_r64
        | Code::Wrfsbase_r64
        | Code::Wrgsbase_r64 => 'q',
        _ => return None,
    })
}

#[cfg(test)]
#[path = "disassembly_tests.rs"]
mod tests;
