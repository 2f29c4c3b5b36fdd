//! The fuzz targets, with bytes that are near what they read: they compile, and find nothing in a moment.

use proptest::prelude::*;

#[path = "../../fuzz/targets.rs"]
mod targets;

/// Pieces of what the targets read, so that bytes get past their first look.
const PIECES: &[&str] = &[
    "-machine\n",
    "-smp\n",
    "-set\n",
    "chardev.a.b=c\n",
    "-chardev\n",
    "socket,",
    "id=a,",
    "path=/x,",
    "=",
    ",",
    ".",
    "help",
    "on",
    "?",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    ":",
    "execute",
    "qom-list",
    "info ",
    "device_add ",
    "qemu64-x86_64-cpu,id=a",
    "qom-get ",
    "help\n",
    "\t",
    "\u{1b}[A",
    "\u{1b}[D",
    "\u{1b}b",
    "\u{8}",
    "\u{301}",
    "arguments",
    "path",
    "/machine",
    "type",
    "1e9",
    "-0",
    "null",
    "\\u0000",
    "[chardev \"c\"]\n",
    "[machine]\n",
    "[object]\n",
    " backend = \"null\"\n",
    " a.b = \"1\"\n",
    "#\n",
    "\n",
    "\u{0}",
    "\u{ff}",
];

/// How ELF files of 64 and of 32 bits begin, and what is none.
const KERNELS: &[&[u8]] = &[b"\x7fELF\x02\x01\x01", b"\x7fELF\x01\x01\x01", b"\x7fELF", b""];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn texts_are_answered(bytes in bytes()) {
        targets::command_line(&bytes);
        targets::keyval(&bytes);
        targets::json(&bytes);
        targets::read_config(&bytes);
    }

    #[test]
    fn kernels_are_judged(start in prop::sample::select(KERNELS), mut rest in prop::collection::vec(any::<u8>(), 0..2000)) {
        targets::kernel(&[start, &rest].concat());
        // The header of a bzImage stands in the middle.
        if let Some(header) = rest.get_mut(0x202..0x206) {
            header.copy_from_slice(b"HdrS");
        }
        targets::kernel(&rest);
    }

    #[test]
    fn accesses_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..800)) {
        targets::guest_registers(&bytes);
        targets::board_ports(&bytes);
    }
}

proptest! {
    // Each has a registry of types of its own.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn clients_are_answered(bytes in bytes()) {
        targets::qmp(&bytes);
        targets::hmp(&bytes);
    }
}

/// Gives a target the inputs of a packed file (`fuzz/seeds.py`); how many there were.
fn seeds(mut packed: &[u8], target: impl Fn(&[u8])) -> usize {
    let mut count = 0;
    while let Some((length, rest)) = packed.split_first_chunk() {
        let (seed, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)));
        target(seed);
        (packed, count) = (rest, count + 1);
    }
    assert!(packed.is_empty());
    count
}

/// What fuzzers found to go ways of their own through the code.
#[test]
fn seeds_of_the_fuzzers_are_answered() {
    assert!(seeds(include_bytes!("../../fuzz/seeds/json.bin"), targets::json) > 100);
    assert!(seeds(include_bytes!("../../fuzz/seeds/qmp.bin"), targets::qmp) > 100);
    assert!(seeds(include_bytes!("../../fuzz/seeds/hmp.bin"), targets::hmp) > 100);
}

/// Every target has its program.
#[test]
fn targets_and_programs_are_the_same() {
    let source = include_str!("../../fuzz/targets.rs");
    let manifest = include_str!("../../fuzz/Cargo.toml");
    let targets: Vec<&str> =
        source.lines().filter_map(|line| line.strip_prefix("pub(crate) fn ")?.split('(').next()).collect();
    assert_eq!(
        targets,
        [
            "command_line",
            "keyval",
            "json",
            "kernel",
            "read_config",
            "qmp",
            "hmp",
            "guest_registers",
            "board_ports"
        ]
    );
    for target in targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
    }
}
