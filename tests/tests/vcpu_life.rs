//! The life of a vCPU, as its property, as events and as people see it.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Program, Qmp, kvm_or_skip};

fn slot(core: u32) -> Value {
    json!({"driver": "qemu64-x86_64-cpu", "id": format!("cpu{core}"), "socket-id": 0, "core-id": core, "thread-id": 0})
}

fn state(qmp: &mut Qmp, path: &str) -> Value {
    qmp.ok("qom-get", &json!({"path": path, "property": "x-vcpu-state"}))
}

/// The next changes of one CPU, as `old new`.
fn changes(qmp: &mut Qmp, device: &str, count: usize) -> Vec<String> {
    let mut changes = Vec::new();
    while changes.len() < count {
        let data = qmp.event("x-VCPU_STATE")["data"].take();
        if data["device"] != device {
            continue;
        }
        assert_eq!(data["qom-path"], format!("/machine/peripheral/{device}"), "{data}");
        assert!(data["slot"].is_u64(), "{data}");
        let text = |key: &str| data[key].as_str().unwrap_or("-").to_owned();
        changes.push(format!("{} {}", text("old"), text("new")));
    }
    changes
}

fn cold(arguments: &[&str]) -> Program {
    let cpu = "qemu64-x86_64-cpu,id=cpu1,socket-id=0,core-id=1,thread-id=0";
    Program::start(&[&["-smp", "1,maxcpus=4", "-device", cpu][..], arguments].concat())
}

/// Where nobody looks at a CPU it can be taken back, at once and under every accelerator.
#[test]
fn a_cpu_that_nobody_has_seen_is_taken_back_at_once() {
    for accel in ["tcg", "qtest"] {
        let program = Program::start(&["-accel", accel, "-smp", "1,maxcpus=2"]);
        let mut qmp = program.qmp_with_own_events();
        for _ in 0..3 {
            let _ = qmp.ok("device_add", &slot(1));
            assert_eq!(state(&mut qmp, "/machine/peripheral/cpu1"), "notified");
            let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
            assert_eq!(changes(&mut qmp, "cpu1", 3), ["- plugged", "plugged notified", "notified ejected"]);
            let deleted = qmp.event("DEVICE_DELETED");
            assert_eq!(deleted["data"], json!({"device": "cpu1", "path": "/machine/peripheral/cpu1"}));
            assert_eq!(qmp.error("device_del", &json!({"id": "cpu1"})).0, "DeviceNotFound");
        }
    }
}

/// After a reset the guest may know the CPU by its tables: it is asked.
#[test]
fn a_cpu_is_asked_for_after_a_reset() {
    let program = Program::start(&["-accel", "tcg", "-smp", "1,maxcpus=2"]);
    let mut qmp = program.qmp_with_own_events();
    let _ = qmp.ok("device_add", &slot(1));
    let _ = qmp.ok("system_reset", &json!({}));
    assert_eq!(state(&mut qmp, "/machine/peripheral/cpu1"), "plugged");
    let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
    assert_eq!(state(&mut qmp, "/machine/peripheral/cpu1"), "eject-requested");
    // The request is in the registers, and outlives a reset there.
    let _ = qmp.ok("system_reset", &json!({}));
    assert_eq!(state(&mut qmp, "/machine/peripheral/cpu1"), "eject-requested");
}

#[test]
fn a_request_without_an_answer_ends_in_time_and_can_be_made_again() {
    let program = cold(&["-accel", "tcg", "-M", "pc,x-cpu-unplug-timeout-ms=50"]);
    let mut qmp = program.qmp_with_own_events();
    for before in ["plugged", "timed-out"] {
        let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
        let expected = [format!("{before} eject-requested"), "eject-requested timed-out".to_owned()];
        assert_eq!(changes(&mut qmp, "cpu1", 2), expected);
        let failed = qmp.event("DEVICE_UNPLUG_GUEST_ERROR");
        assert_eq!(failed["data"], json!({"device": "cpu1", "path": "/machine/peripheral/cpu1"}));
        assert_eq!(state(&mut qmp, "/machine/peripheral/cpu1"), "timed-out");
    }
    // A guest that does not run has all the time.
    let _ = qmp.ok("stop", &json!({}));
    let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(state(&mut qmp, "/machine/peripheral/cpu1"), "eject-requested");
    let _ = qmp.ok("cont", &json!({}));
    assert_eq!(changes(&mut qmp, "cpu1", 2), ["timed-out eject-requested", "eject-requested timed-out"]);
    // Or as long as it likes.
    let _ =
        qmp.ok("qom-set", &json!({"path": "/machine", "property": "x-cpu-unplug-timeout-ms", "value": 0}));
    let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(state(&mut qmp, "/machine/peripheral/cpu1"), "eject-requested");
}

#[test]
fn people_see_the_states() {
    let program = cold(&["-accel", "tcg"]);
    let mut qmp = program.qmp_with_own_events();
    let _ = qmp.ok("device_add", &slot(2));
    let text = qmp.human("info hotpluggable-cpus");
    let shown: Vec<&str> = text.lines().filter(|line| line.contains("x-vcpu-state")).collect();
    // The last slot comes first; the one of core 3 is free.
    let line = |state: &str| format!("  x-vcpu-state: \"{state}\"");
    assert_eq!(shown, [line("notified"), line("plugged"), line("plugged")], "{text}");
    let listed = qmp.ok("query-hotpluggable-cpus", &json!({}));
    assert!(!listed.to_string().contains("state"), "clients get what the reference gives: {listed}");
    assert_eq!(
        qmp.error(
            "qom-set",
            &json!({"path": "/machine/peripheral/cpu1", "property": "x-vcpu-state", "value": "online"})
        )
        .1,
        "Property 'qemu64-x86_64-cpu.x-vcpu-state' is not writable"
    );
}

#[test]
fn a_guest_takes_a_cpu_in_and_lets_it_go() {
    if !kvm_or_skip("a_guest_takes_a_cpu_in_and_lets_it_go") {
        return;
    }
    let program = Program::start(&["-accel", "kvm", "-smp", "1,maxcpus=4"]);
    let mut qmp = program.qmp_with_own_events();
    let _ = program.wait_console("cpu 0: up", 1);
    assert_eq!(state(&mut qmp, "/machine/unattached/device[0]"), "online");
    for _ in 0..3 {
        let _ = qmp.ok("device_add", &slot(2));
        let came = ["- plugged", "plugged notified", "notified seen", "seen online"];
        assert_eq!(changes(&mut qmp, "cpu2", 4), came);
        let _ = qmp.ok("device_del", &json!({"id": "cpu2"}));
        assert_eq!(changes(&mut qmp, "cpu2", 2), ["online eject-requested", "eject-requested ejected"]);
        let _ = qmp.event("DEVICE_DELETED");
    }
    // A reset: all start anew.
    let _ = qmp.ok("device_add", &slot(2));
    assert_eq!(changes(&mut qmp, "cpu2", 4)[3], "seen online");
    let _ = qmp.ok("system_reset", &json!({}));
    assert_eq!(changes(&mut qmp, "cpu2", 3), ["online plugged", "plugged seen", "seen online"]);
}
