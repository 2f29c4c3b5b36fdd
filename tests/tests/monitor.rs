//! The human monitor on standard input, as a person or a script uses it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use tests::{binary, kvm_or_skip, run_with_input};

const COMMANDS: &str = "info hotpluggable-cpus\n\
    device_add qemu64-x86_64-cpu,id=cpu1,socket-id=0,core-id=1,thread-id=0\n\
    info cpus\n\
    device_del cpu1\n\
    device_del nobody\n\
    quit\n";

fn piped(arguments: &[&str]) -> String {
    let arguments = [&["-smp", "1,maxcpus=4", "-monitor", "stdio"], arguments].concat();
    let finished = run_with_input(&arguments, COMMANDS);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    finished.stdout
}

#[test]
fn piped_commands_are_run_in_order() {
    let text = piped(&["-accel", "tcg", "-serial", "none"]);
    assert!(text.contains("  type: \"qemu64-x86_64-cpu\""), "{text}");
    assert!(text.contains("    core-id: \"3\""), "{text}");
    assert!(text.contains("  CPU #1: thread_id="), "{text}");
    assert!(text.contains("Error: Device 'nobody' not found"), "{text}");
    assert_eq!(text.matches("Error").count(), 1, "{text}");
}

/// The guest's lines appear between the monitor's while the monitor keeps the input.
#[test]
fn the_guests_console_shares_the_terminal() {
    if !kvm_or_skip("the_guests_console_shares_the_terminal") {
        return;
    }
    let mut child = Command::new(binary())
        .args(["-enable-kvm", "-smp", "1,maxcpus=4", "-monitor", "stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut keyboard = child.stdin.take().expect("a pipe");
    let mut screen = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut wait_for = |text: &str| {
        let mut seen = String::new();
        while !seen.contains(text) {
            assert!(screen.read_line(&mut seen).expect("text") > 0, "no {text:?}:\n{seen}");
        }
    };
    wait_for("qom guest: cpu 0: up, APIC ID 0");
    keyboard.write_all(b"cpu-add 2\n").expect("a pipe");
    wait_for("qom guest: cpu 2: up, APIC ID 2");
    keyboard.write_all(b"quit\n").expect("a pipe");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}
