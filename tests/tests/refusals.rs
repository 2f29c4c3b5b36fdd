//! What is refused is refused with a clear error, and nothing is left of it.
//!
//! The texts were read off QEMU 11.1.2 with the same arguments, but for the program's name.

use serde_json::json;
use tests::{Program, run};

/// Standard error of a command line that is refused: exit status 1, standard output empty.
fn refused(arguments: &[&str]) -> String {
    let finished = run(arguments);
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(1), ""), "{arguments:?}: {finished:?}");
    finished.stderr
}

#[test]
fn wrong_command_lines_are_refused() {
    let with_program = |text: &str| format!("qom-system-x86_64: {text}\n");
    for (arguments, text) in [
        (&["-foo"][..], "-foo: invalid option"),
        (&["-cpu", "nope"], "unable to find CPU model 'nope'"),
        (
            &["-cpu", "qemu64,foo=on"],
            "can't apply global qemu64-x86_64-cpu.foo=on: Property 'qemu64-x86_64-cpu.foo' not found",
        ),
        (&["-cpu", "qemu64,+foo"], "Property 'qemu64-x86_64-cpu.foo' not found"),
        (
            &["-cpu", "qemu64,level=z"],
            "can't apply global qemu64-x86_64-cpu.level=z: Parameter 'level' expects uint64",
        ),
        (
            &["-cpu", "qemu64,vendor=abc"],
            "can't apply global qemu64-x86_64-cpu.vendor=abc: value of property 'vendor' must consist of exactly \
             12 characters",
        ),
        (&["-smp", "300"], "Invalid SMP CPUs 300. The max CPUs supported by machine 'pc-i440fx-11.1' is 255"),
        (
            &["-smp", "1,maxcpus=2", "-device", "qemu64-x86_64-cpu,socket-id=0,core-id=0,thread-id=0"],
            "-device qemu64-x86_64-cpu,socket-id=0,core-id=0,thread-id=0: CPU[0] with APIC ID 0 exists",
        ),
        (&["-device", "nope"], "-device nope: 'nope' is not a valid device model name"),
    ] {
        let arguments = [&["-accel", "tcg", "-display", "none"], arguments].concat();
        assert_eq!(refused(&arguments), with_program(text));
    }
}

#[test]
fn enforce_refuses_what_check_warns_of() {
    let warning = "qom-system-x86_64: warning: TCG doesn't support requested feature: \
                   CPUID[eax=07h,ecx=00h].EBX.avx512f [bit 16]\n";
    let text = refused(&["-accel", "tcg", "-display", "none", "-cpu", "qemu64,enforce,+avx512f"]);
    assert_eq!(text, format!("{warning}qom-system-x86_64: TCG doesn't support requested features\n"));
}

#[test]
fn wrong_commands_are_refused_and_the_session_goes_on() {
    let program = Program::start(&["-accel", "tcg", "-smp", "1,maxcpus=2,cores=2"]);
    let mut qmp = program.qmp();
    let before = qmp.ok("query-hotpluggable-cpus", &json!({}));
    for (command, arguments, class, desc) in [
        ("nope", json!({}), "CommandNotFound", "The command nope has not been found"),
        ("device_add", json!({}), "GenericError", "Parameter 'driver' is missing"),
        ("device_add", json!({"driver": "nope"}), "GenericError", "'nope' is not a valid device model name"),
        (
            "device_add",
            json!({"driver": "x86_64-cpu"}),
            "GenericError",
            "Parameter 'driver' expects a non-abstract device type",
        ),
        (
            "device_add",
            json!({"driver": "Haswell-x86_64-cpu", "socket-id": 0, "core-id": 1, "thread-id": 0}),
            "GenericError",
            "Invalid CPU type, expected cpu type: 'qemu64-x86_64-cpu'",
        ),
        ("device_add", json!({"driver": "qemu64-x86_64-cpu"}), "GenericError", "CPU socket-id is not set"),
        (
            "device_add",
            json!({"driver": "qemu64-x86_64-cpu", "socket-id": 7, "core-id": 0, "thread-id": 0}),
            "GenericError",
            "Invalid CPU socket-id: 7 must be in range 0:0",
        ),
        (
            "device_add",
            json!({"driver": "qemu64-x86_64-cpu", "socket-id": 0, "core-id": 0, "thread-id": 0}),
            "GenericError",
            "CPU[0] with APIC ID 0 exists",
        ),
        (
            "device_add",
            json!({"driver": "qemu64-x86_64-cpu", "bogus": 1}),
            "GenericError",
            "Property 'qemu64-x86_64-cpu.bogus' not found",
        ),
        (
            "device_add",
            json!({"driver": "qemu64-x86_64-cpu", "socket-id": "z"}),
            "GenericError",
            "Invalid parameter type for 'socket-id', expected: integer",
        ),
        (
            "device_add",
            json!({"driver": "qemu64-x86_64-cpu", "id": "a b"}),
            "GenericError",
            "Invalid qdev ID 'a b'",
        ),
        ("device_del", json!({"id": "nobody"}), "DeviceNotFound", "Device 'nobody' not found"),
        (
            "device_del",
            json!({"id": "/machine/unattached/device[0]"}),
            "GenericError",
            "Boot CPU is unpluggable",
        ),
        ("qom-get", json!({"path": "/nope", "property": "x"}), "DeviceNotFound", "Device '/nope' not found"),
        (
            "qom-get",
            json!({"path": "/machine", "property": "x-nope"}),
            "GenericError",
            "Property 'pc-i440fx-11.1-machine.x-nope' not found",
        ),
        ("qom-list-properties", json!({"typename": "nope"}), "DeviceNotFound", "Class 'nope' not found"),
        (
            "qom-list",
            json!({"path": 3}),
            "GenericError",
            "Invalid parameter type for 'path', expected: string",
        ),
        ("qom-list", json!({}), "GenericError", "Parameter 'path' is missing"),
        ("qom-list", json!({"path": "/", "x": 1}), "GenericError", "Parameter 'x' is unexpected"),
    ] {
        let got = qmp.error(command, &arguments);
        assert_eq!(got, (class.to_owned(), desc.to_owned()), "{command} {arguments}");
    }
    assert_eq!(qmp.ok("query-hotpluggable-cpus", &json!({})), before, "something was left behind");
    let anonymous = qmp.ok("qom-list", &json!({"path": "/machine/peripheral-anon"}));
    assert_eq!(anonymous, json!([{"name": "type", "type": "string"}]));
}

#[test]
fn a_client_that_vanishes_takes_nothing_along() {
    let program = Program::start(&["-accel", "tcg", "-smp", "1,maxcpus=2"]);
    for end in [&b"{\"execute\": \"query-st"[..], b"\xff\xff garbage", b"[[[[[[", b""] {
        let mut qmp = program.qmp();
        qmp.send(end);
    }
    // A command whose reply nobody waits for is still done whole.
    let mut qmp = program.qmp();
    qmp.send(br#"{"execute": "cpu-add", "arguments": {"id": 1}}"#);
    drop(qmp);
    let mut qmp = program.qmp();
    let start = std::time::Instant::now();
    while qmp.ok("query-cpus-fast", &json!({})).as_array().map_or(0, Vec::len) != 2 {
        assert!(start.elapsed() < tests::PATIENCE, "the command was lost");
    }
}

#[test]
fn quit_and_signals_end_the_program_in_order() {
    let program = Program::start(&["-accel", "tcg"]);
    let socket = program.socket();
    let mut qmp = program.qmp();
    let _ = qmp.ok("quit", &json!({}));
    assert_eq!(qmp.event("SHUTDOWN")["data"], json!({"guest": false, "reason": "host-qmp-quit"}));
    assert_eq!(program.wait(), Some(0));
    assert!(!socket.exists(), "the socket is left behind");
}

/// A log on a full disk is no reason to end otherwise than with what was to be said.
#[test]
fn standard_error_that_cannot_be_written_changes_nothing() {
    for (arguments, status) in [
        (&["-foo"][..], 1),
        (&["-cpu", "nope"], 1),
        (&["-M", "pc-q35-5.2", "-accel", "tcg", "-cpu", "help"], 0),
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = std::process::Command::new(tests::binary())
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .stderr(full)
            .status()
            .unwrap();
        assert_eq!(ended.code(), Some(status), "{arguments:?}");
    }
}
