//! `inject-nmi` and `nmi`: a guest's handler runs, once for each, where the local APIC takes NMIs from the board.

use serde_json::json;
use tests::{Program, Qmp, firmware, kvm_or_skip};

/// Code of the image's segment: it says on COM1 that its LINT1 is masked, opens it when a character comes in, says so, and halts. Its
/// handler of interrupt 2, which returns to that, says that it was called.
///
/// The local APIC is used through the MSRs of the x2APIC, as real mode does not reach its place in memory (Intel SDM vol. 3, 10.12).
const GUEST: &[u8] = &[
    0xfa, // cli
    0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, // xor ax, ax; mov ds, ax; mov ss, ax
    0xbc, 0x00, 0x7c, // mov sp, 0x7c00
    0xc7, 0x06, 0x08, 0x00, 0x69, 0x00, // mov word [8], handler
    0xc7, 0x06, 0x0a, 0x00, 0x00, 0xf0, // mov word [10], 0xf000
    0x66, 0xb9, 0x1b, 0x00, 0x00, 0x00, // mov ecx, 0x1b: IA32_APIC_BASE
    0x0f, 0x32, 0x80, 0xcc, 0x0c, 0x0f, 0x30, // rdmsr; or ah, 0x0c (enabled, as x2APIC); wrmsr
    0x66, 0xb9, 0x0f, 0x08, 0x00, 0x00, // mov ecx, 0x80f: SVR, with the software's switch
    0x66, 0x31, 0xd2, // xor edx, edx
    0x66, 0xb8, 0xff, 0x01, 0x00, 0x00, 0x0f, 0x30, // mov eax, 0x1ff; wrmsr
    0xbe, 0x70, 0x00, 0xe8, 0x22, 0x00, // mov si, masked; call say
    0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb, // mov dx, 0x3fd; in al, dx; test al, 1; jz back
    0x66, 0xb9, 0x36, 0x08, 0x00, 0x00, // mov ecx, 0x836: LINT1
    0x66, 0x31, 0xd2, // xor edx, edx
    0x66, 0xb8, 0x00, 0x04, 0x00, 0x00, 0x0f, 0x30, // mov eax, 0x400: an NMI; wrmsr
    0xbe, 0x78, 0x00, 0xe8, 0x03, 0x00, // mov si, open; call say
    0xf4, 0xeb, 0xfd, // hlt; jmp back
    // say, at 0x5c: mov dx, 0x3f8; cs lodsb; test al, al; jz end; out dx, al; jmp back; ret
    0xba, 0xf8, 0x03, 0x2e, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf7, 0xc3, //
    // handler, at 0x69: mov si, taken; call say; iret
    0xbe, 0x7e, 0x00, 0xe8, 0xed, 0xff, 0xcf, //
    b'm', b'a', b's', b'k', b'e', b'd', b'\n', 0, // at 0x70
    b'o', b'p', b'e', b'n', b'\n', 0, // at 0x78
    b'N', b'M', b'I', b'\n', 0, // at 0x7e
];

#[test]
fn a_guests_handler_is_called() {
    if !kvm_or_skip("a_guests_handler_is_called") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let image = directory.path().join("image").display().to_string();
    std::fs::write(&image, firmware(GUEST)).expect("an image");
    for machine in ["pc", "q35"] {
        let program = Program::start(&["-M", machine, "-accel", "kvm", "-bios", &image]);
        let mut qmp = program.qmp();
        let _ = program.wait_console("masked", 1);
        // One that nobody takes is no error, as in the reference, and is not kept.
        assert_eq!(qmp.execute("inject-nmi", &json!({})), json!({"return": {}}));
        program.type_on_console("x");
        let _ = program.wait_console("open", 1);
        // Of one that comes while the machine stands the guest learns when it goes on. It is the first, so that the handler leaves another
        // text's end in SI; the vCPU itself says what it has.
        let registers = |qmp: &mut Qmp| qmp.human("info registers");
        let _ = qmp.ok("stop", &json!({}));
        let before = registers(&mut qmp);
        let _ = qmp.ok("inject-nmi", &json!({}));
        assert_eq!(registers(&mut qmp), before);
        assert_eq!(program.console(), "masked\nopen\n");
        let _ = qmp.ok("cont", &json!({}));
        let _ = program.wait_console("NMI", 1);
        let si = |text: &str| {
            let shown = text.split_whitespace().find_map(|word| word.strip_prefix("ESI="));
            shown.expect("SI").to_owned()
        };
        assert_ne!(si(&registers(&mut qmp)), si(&before));
        // Those that come while it runs.
        assert_eq!(qmp.execute("inject-nmi", &json!({})), json!({"return": {}}));
        let _ = program.wait_console("NMI", 2);
        assert_eq!(qmp.human("nmi"), "");
        let _ = program.wait_console("NMI", 3);
        assert_eq!(program.console(), "masked\nopen\nNMI\nNMI\nNMI\n");
    }
}

#[test]
fn where_no_guest_runs_there_is_nobody_to_take_it() {
    for machine in ["pc", "none"] {
        let program = Program::start(&["-M", machine, "-accel", "tcg"]);
        let mut qmp = program.qmp();
        let why = "machine does not provide NMIs";
        assert_eq!(qmp.error("inject-nmi", &json!({})), ("GenericError".to_owned(), why.to_owned()));
        let told = qmp.human("nmi");
        assert_eq!(told, format!("Error: {why}\r\n"));
    }
}
