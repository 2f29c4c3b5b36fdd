//! The program launched and driven by the habits of QEMU's functional-test library (`QEMUMachine`), which `tests/client/machine.py`
//! has in words of its own. The same script passes with QEMU 11.1: `tests/client/machine.py qemu-system-x86_64 -accel tcg`.

use std::path::Path;
use std::process::Command;

use tests::{binary, kvm_or_skip};

fn machine_library(test: &str, accel: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("client/machine.py");
    let output = match Command::new("python3").arg(script).arg(binary()).args(["-accel", accel]).output() {
        Ok(output) => output,
        Err(error) => return eprintln!("SKIPPED {test}: there is no python3: {error}"),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    print!("{}", text(&output.stdout));
}

#[test]
fn the_library_launches_and_drives_a_machine() {
    machine_library("the_library_launches_and_drives_a_machine", "tcg");
}

#[test]
fn the_library_launches_and_drives_a_machine_with_kvm() {
    let test = "the_library_launches_and_drives_a_machine_with_kvm";
    if kvm_or_skip(test) {
        machine_library(test, "kvm");
    }
}
