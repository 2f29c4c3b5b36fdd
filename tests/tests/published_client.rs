//! The program driven by the published QMP client, which knows nothing of it: PyPI's `qemu.qmp`.
//!
//! `tests/client/install` puts the client into `target/qmp-client`; without it these tests say that they are skipped.

#![expect(clippy::unwrap_used, reason = "in a test, what is not as expected fails it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::{Program, kvm_or_skip};

/// A program of the client's environment.
fn client(test: &str, name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/qmp-client/bin").join(name);
    if !path.exists() {
        eprintln!("SKIPPED {test}: the published client is not installed (tests/client/install installs it)");
        return None;
    }
    Some(path)
}

fn plug_unplug(python: &Path, program: Program, guest: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("client/plug_unplug.py");
    let output = Command::new(python).arg(script).arg(program.socket()).args(guest).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn the_library_plugs_a_cpu() {
    if let Some(python) = client("the_library_plugs_a_cpu", "python3") {
        plug_unplug(&python, Program::start(&["-accel", "tcg", "-smp", "1,maxcpus=2"]), &[]);
    }
}

#[test]
fn the_library_plugs_and_unplugs_a_cpu_of_a_guest() {
    let test = "the_library_plugs_and_unplugs_a_cpu_of_a_guest";
    if let Some(python) = client(test, "python3")
        && kvm_or_skip(test)
    {
        plug_unplug(&python, Program::start(&["-accel", "kvm", "-smp", "1,maxcpus=2"]), &["guest"]);
    }
}

/// What `qmp-shell` prints for lines on its standard input.
fn shell(shell: &Path, options: &[&str], program: &Program, input: &str) -> String {
    let mut child = Command::new(shell)
        .args(options)
        .arg(program.socket())
        // The shell keeps its history in the home directory.
        .env("HOME", program.socket().parent().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn qmp_shell_adds_a_cpu_and_lists_it() {
    let Some(path) = client("qmp_shell_adds_a_cpu_and_lists_it", "qmp-shell") else { return };
    let program = Program::start(&["-accel", "tcg", "-smp", "1,maxcpus=4"]);
    let text = shell(&path, &[], &program, "cpu-add id=1\nquery-cpus-fast\n");
    assert!(text.contains("Connected to QEMU 11.1"), "{text}");
    assert!(text.contains(r#"{"return": {}}"#) && text.contains(r#""cpu-index": 1"#), "{text}");
    let text = shell(&path, &["-H"], &program, "info cpus\n");
    assert!(text.contains("CPU #1: thread_id="), "{text}");
}
