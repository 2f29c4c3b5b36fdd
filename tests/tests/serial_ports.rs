//! `-serial` given several times: COM1 to COM4, each with its own chardev.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Program, Qmp, firmware, kvm_or_skip, out, run, wait_for_file};

/// A 64 KiB image that says the number of each port on it, then gives to COM3 in upper case what comes in on COM2, and
/// says on COM1 that it did.
fn image() -> Vec<u8> {
    let mut code = Vec::new();
    for (number, port) in (b'1'..).zip([0x3f8, 0x2f8, 0x3e8, 0x2e8]) {
        code.extend(out(port, number));
        code.extend(out(port, b'\n'));
    }
    // mov dx, 0x2fd; again: in al, dx; test al, 1; jz again
    code.extend([0xba, 0xfd, 0x02, 0xec, 0xa8, 0x01, 0x74, 0xfb]);
    // mov dx, 0x2f8; in al, dx; and al, ~0x20; mov dx, 0x3e8; out dx, al
    code.extend([0xba, 0xf8, 0x02, 0xec, 0x24, 0xdf, 0xba, 0xe8, 0x03, 0xee]);
    for byte in b"done\n" {
        code.extend(out(0x3f8, *byte));
    }
    code.extend([0xfa, 0xf4]); // cli; hlt
    firmware(&code)
}

fn filename(qmp: &mut Qmp, label: &str) -> String {
    let chardevs = qmp.ok("query-chardev", &json!({}));
    let chardev = chardevs.as_array().expect("a list").iter().find(|chardev| chardev["label"] == label);
    chardev.expect("the chardev")["filename"].as_str().expect("text").to_owned()
}

#[test]
fn each_port_has_its_own_line() {
    if !kvm_or_skip("each_port_has_its_own_line") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("image"), image()).expect("an image");
    let com2 = format!("unix:{},server=on,wait=off", at("com2").display());
    let [com3, com4] = ["com3", "com4"].map(|name| format!("file:{}", at(name).display()));
    let image = at("image").display().to_string();
    for machine in ["pc", "q35"] {
        // Stopped, so that somebody is there before the guest says something.
        let ports = ["-serial", &com2, "-serial", &com3, "-serial", &com4];
        let program =
            Program::start(&[&["-S", "-M", machine, "-accel", "kvm", "-bios", &image][..], &ports].concat());
        // All sockets are there when it answers.
        let mut qmp = program.qmp();
        let mut line = UnixStream::connect(at("com2")).expect("COM2");
        line.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        // What a guest says while nobody is there is lost.
        let start = Instant::now();
        while filename(&mut qmp, "serial1").starts_with("disconnected:") {
            assert!(start.elapsed() < Duration::from_secs(10), "COM2 is not connected");
        }
        let _ = qmp.ok("cont", &json!({}));
        let mut text = [0; 2];
        line.read_exact(&mut text).expect("what COM2 says");
        assert_eq!(&text, b"2\n");
        line.write_all(b"x").expect("COM2");
        let _ = program.wait_console("done", 1);
        assert_eq!(program.console(), "1\ndone\n");
        assert_eq!(wait_for_file(&at("com3"), 3), "3\nX");
        assert_eq!(wait_for_file(&at("com4"), 2), "4\n");
    }
}

#[test]
fn a_port_may_be_left_out_and_there_are_four() {
    let ports = ["-M", "none", "-accel", "tcg", "-display", "none"];
    let five = [&ports[..], &["-serial", "null"].repeat(5)].concat();
    let finished = run(&five);
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(1), ""));
    let why = "-serial chardev:serial4: this board has four serial ports, COM1 to COM4";
    assert!(finished.stderr.contains(why), "{}", finished.stderr);

    let program = Program::start(&["-accel", "tcg", "-serial", "none", "-serial", "null"]);
    let chardevs = program.qmp().ok("query-chardev", &json!({}));
    let labels = chardevs.as_array().expect("a list").iter().map(|chardev| chardev["label"].clone());
    let serials: Vec<_> =
        labels.filter(|label| label.as_str().is_some_and(|l| l.starts_with("serial"))).collect();
    assert_eq!(serials, ["serial0", "serial2"]);
}
