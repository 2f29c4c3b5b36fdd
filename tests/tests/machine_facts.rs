//! What a machine says of itself, and of what it does not have. The answers were read off QEMU 11.1.2 with the same arguments, but
//! for those about suspending, TPM models and accelerators, which tell of what is here (docs/differences.md).

use serde_json::{Value, json};
use tests::{Program, run_with_input};

const UUID: &str = "12345678-90ab-cdef-1234-567890ABCDEF";

#[test]
fn a_machine_tells_what_it_is() {
    let arguments = ["-M", "q35", "-accel", "tcg", "-m", "256", "-name", "guest=x,process=y", "-uuid", UUID];
    let program = Program::start(&arguments);
    let mut qmp = program.qmp();
    for (command, answer) in [
        ("query-name", json!({"name": "x"})),
        ("query-uuid", json!({"UUID": UUID.to_lowercase()})),
        ("query-target", json!({"arch": "x86_64"})),
        ("query-current-machine", json!({"wakeup-suspend-support": false})),
        ("query-memory-size-summary", json!({"base-memory": 256 << 20, "plugged-memory": 0})),
        ("query-accelerators", json!({"enabled": "tcg", "present": ["kvm", "qtest", "tcg"]})),
    ] {
        assert_eq!(qmp.ok(command, &json!({})), answer, "{command}");
    }
}

#[test]
fn a_machine_may_have_no_name() {
    let program = Program::start(&["-M", "none", "-accel", "qtest", "-name", "debug-threads=on"]);
    let mut qmp = program.qmp();
    assert_eq!(qmp.ok("query-name", &json!({})), json!({}));
    assert_eq!(qmp.ok("query-uuid", &json!({}))["UUID"], "00000000-0000-0000-0000-000000000000");
    assert_eq!(qmp.ok("query-memory-size-summary", &json!({}))["base-memory"], 0);
    assert_eq!(qmp.ok("query-accelerators", &json!({}))["enabled"], "qtest");
}

#[test]
fn lists_of_what_is_not_there_are_empty() {
    let program = Program::start(&["-M", "pc", "-accel", "tcg"]);
    let mut qmp = program.qmp();
    for (command, arguments) in [
        ("query-block", json!({})),
        ("query-blockstats", json!({"query-nodes": true})),
        ("query-named-block-nodes", json!({"flat": true})),
        ("query-block-jobs", json!({})),
        ("query-jobs", json!({})),
        ("query-memory-devices", json!({})),
        ("query-pci", json!({})),
        ("query-tpm", json!({})),
        ("query-tpm-models", json!({})),
        ("query-tpm-types", json!({})),
    ] {
        assert_eq!(qmp.ok(command, &arguments), Value::Array(Vec::new()), "{command}");
    }
    for command in ["query-spice", "blockdev-add", "migrate", "query-rx-filter"] {
        assert_eq!(qmp.execute(command, &json!({}))["error"]["class"], "CommandNotFound", "{command}");
    }
}

#[test]
fn the_human_monitor_tells_the_same() {
    let arguments =
        ["-M", "pc", "-accel", "tcg", "-name", "x", "-uuid", UUID, "-S", "-display", "none", "-nodefaults"];
    let input = "info name\ninfo uuid\ninfo memory_size_summary\ninfo accelerators\nquit\n";
    let told = run_with_input(&[&arguments[..], &["-monitor", "stdio"]].concat(), input).stdout;
    let told = told.replace('\r', "");
    let uuid = UUID.to_lowercase();
    for text in ["info name\nx\n", &uuid, "base memory: 134217728\nplugged memory: 0\n", "kvm qtest [tcg]\n"]
    {
        assert!(told.contains(text), "{text:?} in {told}");
    }
}
