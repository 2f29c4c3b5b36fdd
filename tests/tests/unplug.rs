//! Requests for removal: what happens to those that nobody answers, that come twice, or early.

use serde_json::json;
use tests::{Program, Qmp, kvm_or_skip};

fn slot(id: &str) -> serde_json::Value {
    json!({"driver": "qemu64-x86_64-cpu", "id": id, "socket-id": 0, "core-id": 1, "thread-id": 0})
}

/// A CPU that is there from the start, so that the guest may know it by its tables.
const FROM_THE_START: [&str; 2] = ["-device", "qemu64-x86_64-cpu,id=cpu1,socket-id=0,core-id=1,thread-id=0"];

/// Without a guest nobody lets the CPU go: both requests are accepted, as by the reference, and it stays.
#[test]
fn a_request_that_nobody_answers_may_be_made_again() {
    let arguments = [&["-accel", "tcg", "-smp", "1,maxcpus=2"][..], &FROM_THE_START].concat();
    let program = Program::start(&arguments);
    let mut qmp = program.qmp();
    for _ in 0..2 {
        assert_eq!(qmp.ok("device_del", &json!({"id": "cpu1"})), json!({}));
    }
    let cpus = qmp.ok("query-cpus-fast", &json!({}));
    assert_eq!(cpus[1]["qom-path"], "/machine/peripheral/cpu1");
    assert_eq!(qmp.error("device_add", &slot("other")).1, "CPU[1] with APIC ID 1 exists");
}

#[test]
fn two_requests_in_a_row_remove_once() {
    if !kvm_or_skip("two_requests_in_a_row_remove_once") {
        return;
    }
    let program = Program::start(&["-accel", "kvm", "-smp", "1,maxcpus=2"]);
    let mut qmp = program.qmp();
    let _ = program.wait_console("cpu 0: up", 1);
    let _ = qmp.ok("device_add", &slot("cpu1"));
    let _ = program.wait_console("cpu 1: up", 1);
    let _ = qmp.ok("stop", &json!({}));
    let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
    let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
    let _ = qmp.ok("cont", &json!({}));
    let _ = qmp.event("DEVICE_DELETED");
    assert_eq!(
        qmp.error("device_del", &json!({"id": "cpu1"})),
        ("DeviceNotFound".to_owned(), "Device 'cpu1' not found".to_owned())
    );
    // The slot and the id are free again, and the new CPU is not asked to go.
    let _ = qmp.ok("device_add", &slot("cpu1"));
    let _ = program.wait_console("cpu 1: up", 2);
    assert_eq!(program.console().matches("cpu 1: gone").count(), 1);
}

/// Plugged and taken back while the guest is stopped: it is gone at once, and the guest finds nobody.
#[test]
fn a_cpu_may_be_wanted_back_before_the_guest_has_seen_it() {
    if !kvm_or_skip("a_cpu_may_be_wanted_back_before_the_guest_has_seen_it") {
        return;
    }
    let program = Program::start(&["-accel", "kvm", "-smp", "1,maxcpus=2"]);
    let mut qmp = program.qmp();
    let _ = program.wait_console("cpu 0: up", 1);
    let _ = qmp.ok("stop", &json!({}));
    let _ = qmp.ok("device_add", &slot("cpu1"));
    let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
    let deleted = qmp.event("DEVICE_DELETED");
    assert_eq!(deleted["data"], json!({"device": "cpu1", "path": "/machine/peripheral/cpu1"}));
    let _ = qmp.ok("device_add", &slot("again"));
    let _ = qmp.ok("cont", &json!({}));
    let _ = program.wait_console("cpu 1: up", 1);
    assert!(!program.console().contains("cpu 1: gone"));
}

/// With `-S` the guest's first look finds the CPU and the request together: it takes the CPU and lets it go.
#[test]
fn a_request_from_before_the_first_instruction_is_answered() {
    if !kvm_or_skip("a_request_from_before_the_first_instruction_is_answered") {
        return;
    }
    for machine in ["pc", "q35"] {
        let arguments = ["-M", machine, "-S", "-accel", "kvm", "-smp", "1,maxcpus=2"];
        let program = Program::start(&[&arguments[..], &FROM_THE_START].concat());
        let mut qmp = program.qmp();
        let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
        assert_eq!(program.console(), "", "a guest that was not started wrote something");
        let _ = qmp.ok("cont", &json!({}));
        let deleted = qmp.event("DEVICE_DELETED");
        assert_eq!(deleted["data"], json!({"device": "cpu1", "path": "/machine/peripheral/cpu1"}));
        let _ = program.wait_console("2 of 2 CPUs present", 1);
        let _ = program.wait_console("cpu 1: gone", 1);
        let cpus = qmp.ok("query-cpus-fast", &json!({}));
        assert_eq!(cpus.as_array().map(Vec::len), Some(1), "{cpus}");
        // The slot is free again, and the new CPU stays.
        let _ = qmp.ok("device_add", &slot("cpu1"));
        let _ = program.wait_console("cpu 1: up", 2);
    }
}

#[test]
fn of_two_clients_that_want_one_slot_one_gets_it() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let second = directory.path().join("second");
    let socket = format!("unix:{},server=on,wait=off", second.display());
    let program = Program::start(&["-accel", "tcg", "-smp", "1,maxcpus=2", "-qmp", &socket]);
    let (mut first, mut second) = (program.qmp(), Qmp::connect(&second));
    let add = |qmp: &mut Qmp, id: &str| qmp.execute("device_add", &slot(id)).get("return").is_some();
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| add(&mut first, "a"));
        let b = scope.spawn(|| add(&mut second, "b"));
        (a.join().expect("a client"), b.join().expect("a client"))
    });
    assert!(a != b, "{a} {b}");
    let listed = first.ok("qom-list", &json!({"path": "/machine/peripheral"}));
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
}
