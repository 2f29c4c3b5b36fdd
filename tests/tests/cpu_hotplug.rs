//! CPUs that come and go in a running guest, under KVM: what the monitor says against what the guest sees.

#![expect(clippy::unwrap_used, reason = "in a test, what is not as expected fails it")]

use serde_json::json;
use tests::{Program, kvm_or_skip};

fn slot(core: u32) -> serde_json::Value {
    json!({"driver": "qemu64-x86_64-cpu", "id": format!("cpu{core}"), "socket-id": 0, "core-id": core, "thread-id": 0})
}

fn plug_and_unplug(machine: &str) {
    let program = Program::start(&["-M", machine, "-accel", "kvm", "-smp", "1,maxcpus=4,cores=4"]);
    let mut qmp = program.qmp();
    let line = program.wait_console("cpu 0: up", 1);
    assert!(line.contains("APIC ID 0, "), "{line}");

    // Out of order, and the same one twice.
    for (round, core) in [(1, 3), (1, 1), (2, 3)] {
        let _ = qmp.ok("device_add", &slot(core));
        let line = program.wait_console(&format!("cpu {core}: up"), round);
        assert!(line.contains(&format!("APIC ID {core}, ")), "{line}");
        // Source event 1 is the report on a device check: the guest took the CPU.
        loop {
            let info = qmp.event("ACPI_DEVICE_OST")["data"]["info"].take();
            if info["source"] == 1 {
                let expected = json!({
                    "device": format!("cpu{core}"), "source": 1, "status": 0, "slot": core.to_string(), "slot-type": "CPU",
                });
                assert_eq!(info, expected);
                break;
            }
        }
        if core == 3 {
            let _ = qmp.ok("device_del", &json!({"id": "cpu3"}));
            let deleted = qmp.event("DEVICE_DELETED");
            assert_eq!(deleted["data"], json!({"device": "cpu3", "path": "/machine/peripheral/cpu3"}));
            let _ = program.wait_console("cpu 3: gone", round);
        }
    }
    let cpus = qmp.ok("query-cpus-fast", &json!({}));
    let indices: Vec<_> = cpus.as_array().unwrap().iter().map(|cpu| cpu["cpu-index"].clone()).collect();
    assert_eq!(indices, [0, 1]);
    let threads: std::collections::BTreeSet<_> =
        cpus.as_array().unwrap().iter().map(|cpu| cpu["thread-id"].as_u64()).collect();
    assert_eq!(threads.len(), 2, "each vCPU is a thread");
}

#[test]
fn a_pc_plugs_and_unplugs_cpus() {
    if kvm_or_skip("a_pc_plugs_and_unplugs_cpus") {
        plug_and_unplug("pc");
    }
}

#[test]
fn a_q35_plugs_and_unplugs_cpus() {
    if kvm_or_skip("a_q35_plugs_and_unplugs_cpus") {
        plug_and_unplug("q35");
    }
}

#[test]
fn cpu_add_is_device_add() {
    if !kvm_or_skip("cpu_add_is_device_add") {
        return;
    }
    let program = Program::start(&["-smp", "1,maxcpus=3"]);
    let mut qmp = program.qmp();
    let _ = qmp.ok("cpu-add", &json!({"id": 2}));
    let _ = program.wait_console("cpu 2: up", 1);
    let again = qmp.error("cpu-add", &json!({"id": 2}));
    assert_eq!(again.1, "Unable to add CPU: 2, it already exists");
    assert_eq!(qmp.error("cpu-add", &json!({"id": 3})).1, "Unable to add CPU: 3, max allowed: 2");
    assert_eq!(qmp.error("cpu-add", &json!({"id": -1})).1, "Invalid CPU id: -1");
}

#[test]
fn a_reset_keeps_hot_added_cpus() {
    if !kvm_or_skip("a_reset_keeps_hot_added_cpus") {
        return;
    }
    let program = Program::start(&["-smp", "1,maxcpus=2"]);
    let mut qmp = program.qmp();
    let _ = program.wait_console("cpu 0: up", 1);
    let _ = qmp.ok("cpu-add", &json!({"id": 1}));
    let _ = program.wait_console("cpu 1: up", 1);
    let _ = qmp.ok("system_reset", &json!({}));
    assert_eq!(qmp.event("RESET")["data"], json!({"guest": false, "reason": "host-qmp-system-reset"}));
    let _ = program.wait_console("2 of 2 CPUs present", 1);
    let _ = program.wait_console("cpu 1: up", 2);
}

#[test]
fn stop_and_cont_hold_and_release_the_guest() {
    if !kvm_or_skip("stop_and_cont_hold_and_release_the_guest") {
        return;
    }
    let program = Program::start(&["-S", "-smp", "1,maxcpus=2"]);
    let mut qmp = program.qmp();
    assert_eq!(qmp.ok("query-status", &json!({})), json!({"status": "prelaunch", "running": false}));
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(program.console(), "", "a guest that was not started wrote something");
    let _ = qmp.ok("cont", &json!({}));
    let _ = qmp.event("RESUME");
    let _ = program.wait_console("cpu 0: up", 1);
    let _ = qmp.ok("stop", &json!({}));
    let _ = qmp.event("STOP");
    assert_eq!(qmp.ok("query-status", &json!({})), json!({"status": "paused", "running": false}));
    let _ = qmp.ok("cpu-add", &json!({"id": 1}));
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!program.console().contains("cpu 1: up"), "a stopped guest ran");
    let _ = qmp.ok("cont", &json!({}));
    let _ = program.wait_console("cpu 1: up", 1);
}

/// One CPU, a thousand times in and out: threads, descriptors and objects are as many at the end as after the
/// first round (which creates the vCPU that is parked from then on).
#[test]
fn a_thousand_rounds_leak_nothing() {
    if !kvm_or_skip("a_thousand_rounds_leak_nothing") {
        return;
    }
    let program = Program::start(&["-smp", "1,maxcpus=2"]);
    let mut qmp = program.qmp();
    let _ = program.wait_console("cpu 0: up", 1);
    let mut first = None;
    for round in 1..=1000 {
        let _ = qmp.ok("device_add", &slot(1));
        let _ = program.wait_console("cpu 1: up", round);
        let _ = qmp.ok("device_del", &json!({"id": "cpu1"}));
        let _ = qmp.event("DEVICE_DELETED");
        if round == 1 || round == 1000 {
            let objects = qmp.ok("qom-list", &json!({"path": "/machine/peripheral"}));
            let counts = (program.proc_count("task"), program.proc_count("fd"), objects);
            match &first {
                None => first = Some(counts),
                Some(first) => assert_eq!(*first, counts),
            }
        }
    }
}
