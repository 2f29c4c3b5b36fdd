//! Against what the reference prints of the same bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Where the reference writes otherwise: bits, address, and what is written here (nothing where no instruction begins). Behind
/// each is what the reference writes.
#[rustfmt::skip]
const OTHERWISE: &[(u32, u64, &str)] = &[
    (16, 0xf1105, "cwtd"), // cltd
    (16, 0xf1106, "cbtw"), // cwtl
    (16, 0xf1198, "faddp %st, %st(1)"), // faddp %st(1)
    (16, 0xf119c, "fadd %st(1), %st"), // fadd %st(1)
    (16, 0xf119e, "fadd %st, %st(2)"), // fadd %st(0), %st(2)
    (16, 0xf11a0, "fmulp %st, %st(3)"), // fmulp %st(3)
    (16, 0xf11a2, "fsubrp %st, %st(1)"), // fsubrp %st(1)
    (16, 0xf11a4, "fdivrp %st, %st(2)"), // fdivrp %st(2)
    (16, 0xf11a8, "fcomi %st(1), %st"), // fcomi %st(1)
    (16, 0xf11aa, "fcmove %st(2), %st"), // fcmove %st(2), %st(0)
    (16, 0xf11b4, "pxor %xmm7, %xmm7"), // pxor %mm7, %mm7
    (16, 0xf124d, "aam"), // aam $0xa
    (16, 0xf1254, "xlatb (%bx)"), // xlatb
    (16, 0xf12f3, "shll $1, (%eax)"), // shll (%eax)
    (32, 0xf116a, "faddp %st, %st(1)"), // faddp %st(1)
    (32, 0xf116e, "fadd %st(1), %st"), // fadd %st(1)
    (32, 0xf1170, "fadd %st, %st(2)"), // fadd %st(0), %st(2)
    (32, 0xf1172, "fmulp %st, %st(3)"), // fmulp %st(3)
    (32, 0xf1174, "fsubrp %st, %st(1)"), // fsubrp %st(1)
    (32, 0xf1176, "fdivrp %st, %st(2)"), // fdivrp %st(2)
    (32, 0xf117a, "fcomi %st(1), %st"), // fcomi %st(1)
    (32, 0xf117c, "fcmove %st(2), %st"), // fcmove %st(2), %st(0)
    (32, 0xf128c, "shll $1, (%eax)"), // shll (%eax)
    (64, 0xf116a, "faddp %st, %st(1)"), // faddp %st(1)
    (64, 0xf116e, "fadd %st(1), %st"), // fadd %st(1)
    (64, 0xf1170, "fadd %st, %st(2)"), // fadd %st(0), %st(2)
    (64, 0xf1172, "fmulp %st, %st(3)"), // fmulp %st(3)
    (64, 0xf1174, "fsubrp %st, %st(1)"), // fsubrp %st(1)
    (64, 0xf1176, "fdivrp %st, %st(2)"), // fdivrp %st(2)
    (64, 0xf117a, "fcomi %st(1), %st"), // fcomi %st(1)
    (64, 0xf117c, "fcmove %st(2), %st"), // fcmove %st(2), %st(0)
    (64, 0xf1245, "movq $0xffffffffffffffff, %rax"), // movq $18446744073709551615, %rax
    (64, 0xf1269, "movq $0xffffffffffffffff, %rcx"), // movq $18446744073709551615, %rcx
    (64, 0xf130b, "movq $0xffffffffffffffff, 8(%rdi)"), // movq $18446744073709551615, 8(%rdi)
    (64, 0xf14f9, "fucomip %st(1), %st"), // fucompi %st(1)
    (64, 0xf1506, "vmrun"), // vmrun %rax
    (64, 0xf1509, "vmload"), // vmload %rax
    (64, 0xf1515, "serialize"), // .byte 0x0f
    (64, 0xf1516, ""), // addl %ebp, %eax
];

/// A part of the transcript: the bytes from its first line's address on, and the lines.
struct Part {
    size: CodeSize,
    address: u64,
    bytes: Vec<u8>,
    lines: Vec<&'static str>,
}

impl Part {
    fn read(&self, at: u64, to: &mut [u8]) -> bool {
        // Zeroes follow, as in the image.
        let mut bytes = usize::try_from(at - self.address).ok().and_then(|from| self.bytes.get(from..));
        for byte in to {
            *byte = bytes.and_then(|bytes| bytes.first()).copied().unwrap_or(0);
            bytes = bytes.and_then(|bytes| bytes.get(1..));
        }
        true
    }
}

fn address(line: &str) -> u64 {
    u64::from_str_radix(&line[2..10], 16).expect("an address")
}

/// What stands behind the bytes, without columns.
fn words(line: &str) -> String {
    line.get(38..).unwrap_or_default().split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn parts() -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in include_str!("../../../tests/transcripts/disassembly.txt").lines() {
        if line.starts_with("##") {
            continue;
        }
        if let Some(bits) = line.strip_prefix("# ") {
            let size = match bits {
                "16" => CodeSize::Bits16,
                "32" => CodeSize::Bits32,
                "64" => CodeSize::Bits64,
                other => panic!("{other}"),
            };
            parts.push(Part { size, address: 0, bytes: Vec::new(), lines: Vec::new() });
            continue;
        }
        let part = parts.last_mut().expect("a part");
        if part.lines.is_empty() {
            part.address = address(line);
        }
        assert_eq!(address(line), part.address + part.bytes.len() as u64, "{line}");
        let bytes = line[12..line.len().min(36)].split_ascii_whitespace();
        part.bytes.extend(bytes.map(|byte| u8::from_str_radix(byte, 16).expect("a byte")));
        part.lines.push(line);
    }
    parts
}

#[test]
fn instructions_look_as_the_references_do() {
    let (mut same, mut wrong) = (0, Vec::new());
    let mut otherwise: BTreeMap<(u32, u64), &str> =
        OTHERWISE.iter().map(|&(bits, at, line)| ((bits, at), line)).collect();
    for part in parts() {
        let bits = part.size.bits();
        let count = u32::try_from(part.lines.len()).expect("a number");
        let text = lines(part.size, part.address, count, |at, to| part.read(at, to));
        let ours: BTreeMap<u64, &str> = text.lines().map(|line| (address(line), line)).collect();
        for expected in &part.lines {
            let at = address(expected);
            let got = ours.get(&at).copied().unwrap_or("");
            match otherwise.remove(&(bits, at)) {
                Some(line) if words(got) == line && got != *expected => {}
                None if got == *expected => same += 1,
                _ => wrong.push(format!("({bits}, {at:#x}, {:?}), // {}", words(got), words(expected))),
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n", wrong.join("\n"));
    assert!(otherwise.is_empty(), "{otherwise:?}");
    assert!(same > 900, "{same}");
}

/// An instruction may go over the end of what is read at a time, and of what is there.
#[test]
fn instructions_end_where_memory_does() {
    // movabs $0x1122334455667788, %rax
    let code = [0x48, 0xb8, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11];
    let memory = |end: u64| {
        move |at: u64, to: &mut [u8]| {
            for (at, byte) in (at..).zip(&mut *to) {
                *byte = at
                    .checked_sub(0xffb)
                    .and_then(|at| code.get(usize::try_from(at).ok()?))
                    .copied()
                    .unwrap_or(0x90);
            }
            at + to.len() as u64 <= end
        }
    };
    let whole = "0x00000ffb:  48 b8 88 77 66 55 44 33  movabsq  $0x1122334455667788, %rax\n0x00001003:  22 11\n\
                 0x00001005:  90                       nop      \n";
    assert_eq!(lines(CodeSize::Bits64, 0xffb, 2, memory(0x2000)), whole);
    let half = lines(CodeSize::Bits64, 0xffb, 9, memory(0x1000));
    assert_eq!(half.lines().next(), Some("0x00000ffb:  48                       .byte    0x48"));
    assert_eq!(half.lines().last(), Some("0x00001000: unable to read memory"));
    assert_eq!(lines(CodeSize::Bits64, 0x1000, 9, memory(0)), "0x00001000: unable to read memory\n");
    // Shorter ones before the end are read.
    assert_eq!(
        lines(CodeSize::Bits16, 0xffa, 1, memory(0x1000)),
        "0x00000ffa:  90                       nop      \n"
    );
    // One is shown where none is asked for, as by the reference.
    assert_eq!(lines(CodeSize::Bits32, 0, 0, |_, to| to[0] == 0).lines().count(), 1);
    let end = lines(CodeSize::Bits64, u64::MAX, 2, |_, to| {
        to.fill(0x90);
        true
    });
    assert_eq!(end.lines().map(|line| &line[..12]).collect::<Vec<_>>(), ["0xffffffffff", "0x00000000: "]);
}

proptest! {
    #[test]
    fn any_bytes_have_lines(bytes in prop::collection::vec(any::<u8>(), 15..60), at: u64, count in 0_u32..20) {
        for size in [CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64] {
            let text = lines(size, at, count, |from, to| {
                for (from, byte) in (from.wrapping_sub(at)..).zip(to) {
                    *byte = usize::try_from(from).ok().and_then(|from| bytes.get(from)).copied().unwrap_or(0);
                }
                true
            });
            prop_assert!((1..=40).contains(&text.lines().count()));
            let shown: Vec<u8> = text
                .lines()
                .flat_map(|line| {
                    let bytes = &line[line.find(": ").unwrap() + 2..];
                    let bytes = bytes[..bytes.len().min(24)].split_ascii_whitespace();
                    bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect::<Vec<_>>()
                })
                .collect();
            let both = shown.len().min(bytes.len());
            prop_assert_eq!(&shown[..both], &bytes[..both]);
        }
    }
}

#[test]
fn any_count_is_bounded() {
    for (count, rows) in [(LIMIT, LIMIT), (LIMIT + 1, LIMIT + 1), (u32::MAX, LIMIT + 1)] {
        let text = lines(CodeSize::Bits64, 0, count, |_, to| {
            to.fill(0x06);
            true
        });
        assert_eq!(text.lines().count(), rows as usize);
    }
}
