//! `system_powerdown`: the button, a guest that has been waiting for it, and what becomes of the machine.

use serde_json::json;
use tests::{Program, firmware, kvm_or_skip};

/// A 64 KiB image that says on COM1 that it waits, and switches off when the power button was pressed.
fn image() -> Vec<u8> {
    let mut code = vec![0xba, 0xf8, 0x03]; // mov dx, 0x3f8
    for byte in b"waiting\n" {
        code.extend([0xb0, *byte, 0xee]); // mov al, byte; out dx, al
    }
    code.extend([0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef]); // PM1 enable: the button
    // PM1 status, until the button's bit is set.
    code.extend([0xba, 0x00, 0x06, 0xed, 0xf6, 0xc4, 0x01, 0x74, 0xfa]);
    code.extend([0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef]); // PM1 control: sleep, and do not wake
    code.extend([0xfa, 0xf4]); // cli; hlt
    firmware(&code)
}

fn with_guest(test: &str, mut run: impl FnMut(&[&str])) {
    if !kvm_or_skip(test) {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("image");
    std::fs::write(&path, image()).expect("an image");
    for machine in ["pc", "q35"] {
        run(&["-M", machine, "-accel", "kvm", "-bios", &path.display().to_string()]);
    }
}

#[test]
fn the_button_switches_the_machine_off() {
    with_guest("the_button_switches_the_machine_off", |arguments| {
        let program = Program::start(arguments);
        let mut qmp = program.qmp();
        let _ = program.wait_console("waiting", 1);
        let _ = qmp.ok("system_powerdown", &json!({}));
        assert_eq!(qmp.event("POWERDOWN").get("data"), None);
        assert_eq!(qmp.event("SHUTDOWN")["data"], json!({"guest": true, "reason": "guest-shutdown"}));
        assert_eq!(program.wait(), Some(0));
    });
}

/// A machine that is switched off stays as it is where it is told so, and can be started again.
#[test]
fn a_machine_that_stays_can_be_started_again() {
    for how in [&["-no-shutdown"][..], &["-action", "shutdown=pause"]] {
        with_guest("a_machine_that_stays_can_be_started_again", |arguments| {
            let program = Program::start(&[arguments, how].concat());
            let mut qmp = program.qmp();
            for time in 1..3 {
                let _ = program.wait_console("waiting", time);
                let _ = qmp.ok("system_powerdown", &json!({}));
                assert_eq!(qmp.event("SHUTDOWN")["data"], json!({"guest": true, "reason": "guest-shutdown"}));
                let _ = qmp.event("STOP");
                let status = qmp.ok("query-status", &json!({}));
                assert_eq!(status, json!({"running": false, "status": "shutdown"}));
                // As in the reference: it must be reset before it can go on.
                let refused = qmp.execute("cont", &json!({}));
                assert_eq!(refused["error"]["desc"], "Resetting the Virtual Machine is required");
                let _ = qmp.ok("system_reset", &json!({}));
                let _ = qmp.event("RESET");
                let _ = qmp.ok("cont", &json!({}));
            }
        });
    }
}

/// A guest that does not wait for the button is not switched off by it.
#[test]
fn a_guest_that_does_not_listen_goes_on() {
    let program = Program::start(&["-accel", "tcg"]);
    let mut qmp = program.qmp();
    let _ = qmp.ok("system_powerdown", &json!({}));
    let _ = qmp.event("POWERDOWN");
    assert_eq!(qmp.ok("query-status", &json!({}))["status"], "running");
}
