//! `-kernel`: the kernel is put into memory once at the start, when all devices are there, and once at each reset.

use serde_json::json;
use tests::{Program, kvm_or_skip};

/// An ELF file that is started by the PVH protocol and halts: one segment at 1 MiB, and Xen's note with its entry point.
fn kernel() -> Vec<u8> {
    const NOTE: u64 = 64 + 2 * 56;
    const CODE: u64 = NOTE + 20;
    const PLACE: u64 = 1 << 20;
    let code = [0xfa, 0xf4, 0xeb, 0xfd]; // cli; hlt; jmp to that
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let (half, word, long) = (u16::to_le_bytes, u32::to_le_bytes, u64::to_le_bytes);
    file.extend([half(2), half(62)].concat());
    file.extend(word(1));
    file.extend([long(PLACE), long(64), long(0)].concat());
    file.extend(word(0));
    file.extend([64, 56, 2, 64, 0, 0].map(half).concat());
    for (kind, offset, place, len) in [(1, CODE, PLACE, code.len() as u64), (4, NOTE, 0, 20)] {
        file.extend([word(kind), word(7)].concat());
        file.extend([offset, place, place, len, len, 4].map(long).concat());
    }
    file.extend([4, 4, 18, u32::from_le_bytes(*b"Xen\0"), PLACE as u32].map(word).concat());
    file.extend(code);
    file
}

#[test]
fn a_kernel_is_loaded_once_whatever_devices_there_are() {
    if !kvm_or_skip("a_kernel_is_loaded_once_whatever_devices_there_are") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(at("kernel"), kernel()).expect("a kernel");
    let loads = || {
        let log = std::fs::read_to_string(at("log")).expect("a log");
        log.lines().filter(|line| line.contains("machine_pc::boot: loaded")).count()
    };
    for devices in [&[][..], &["-device", "isa-serial,iobase=0x3e0"]] {
        let words = ["-accel", "kvm", "-S", "-kernel", &at("kernel"), "-trace", "boot", "-D", &at("log")];
        let program = Program::start(&[&words[..], devices].concat());
        let mut qmp = program.qmp();
        let shown = qmp.human("xp /4xb 0x100000");
        assert!(shown.ends_with("100000: 0xfa 0xf4 0xeb 0xfd\r\n"), "{shown}");
        assert_eq!(loads(), 1, "{devices:?}");
        let _ = qmp.ok("system_reset", &json!({}));
        let _ = qmp.event("RESET");
        assert_eq!(loads(), 2, "{devices:?}");
    }
}
