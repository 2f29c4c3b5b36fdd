//! Hotplug under load: CPUs come and go while several clients ask without pause, and guests that do nothing but hammer the
//! registers.

#![expect(clippy::unwrap_used, reason = "in a test, what is not as expected fails it")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Program, Qmp, firmware, kvm_or_skip};

const SLOTS: u32 = 8;

/// Adds and deletes CPUs 4 to 7 in a haphazard order, each as the guest allows, and says which are there at the end.
fn come_and_go(qmp: &mut Qmp, rounds: u32) -> BTreeSet<u32> {
    let mut there = BTreeSet::new();
    let mut seed = 7u32;
    for _ in 0..rounds {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let cpu = 4 + (seed >> 16) % (SLOTS - 4);
        let id = format!("cpu{cpu}");
        if there.insert(cpu) {
            let _ = qmp.ok(
                "device_add",
                &json!({"driver": "qemu64-x86_64-cpu", "id": id, "socket-id": 0, "core-id": cpu, "thread-id": 0}),
            );
            // Now and then it is wanted back before the guest has it.
            if seed & 0x300 != 0 {
                while qmp.event("x-VCPU_STATE")["data"]["new"] != "online" {}
            }
        } else {
            let _ = qmp.ok("device_del", &json!({"id": id}));
            while qmp.event("DEVICE_DELETED")["data"]["device"] != id {}
            assert_eq!(qmp.error("device_del", &json!({"id": id})).0, "DeviceNotFound");
            there.remove(&cpu);
        }
    }
    there
}

/// Asks for what is there until it is told to end: each answer must be whole.
fn hammer(qmp: &mut Qmp, done: &AtomicBool) -> u32 {
    let mut asked = 0;
    while !done.load(Ordering::Relaxed) {
        let cpus = qmp.ok("query-cpus-fast", &json!({}));
        let indices: Vec<u64> =
            cpus.as_array().unwrap().iter().filter_map(|cpu| cpu["cpu-index"].as_u64()).collect();
        assert!(indices.len() >= 4, "{cpus}");
        assert_eq!(indices.iter().collect::<BTreeSet<_>>().len(), indices.len(), "{cpus}");
        let possible = qmp.ok("query-hotpluggable-cpus", &json!({}));
        assert_eq!(possible.as_array().map(Vec::len), Some(SLOTS as usize));
        for path in possible.as_array().unwrap().iter().filter_map(|cpu| cpu["qom-path"].as_str()) {
            // It may have gone since.
            let state = qmp.execute("qom-get", &json!({"path": path, "property": "x-vcpu-state"}));
            assert_ne!(state["return"], "unplugged", "{state}");
        }
        let _ = qmp.ok("query-acpi-ospm-status", &json!({}));
        asked += 1;
    }
    asked
}

#[test]
fn cpus_come_and_go_while_clients_ask() {
    if !kvm_or_skip("cpus_come_and_go_while_clients_ask") {
        return;
    }
    let directory = tempfile::TempDir::new().unwrap();
    let sockets: Vec<_> = (0..3).map(|n| directory.path().join(n.to_string())).collect();
    let specs: Vec<_> =
        sockets.iter().map(|path| format!("unix:{},server=on,wait=off", path.display())).collect();
    let mut arguments = vec!["-accel", "kvm", "-smp", "4,maxcpus=8,cores=8,sockets=1"];
    arguments.extend(specs.iter().flat_map(|spec| ["-qmp", spec]));
    let program = Program::start(&arguments);
    let mut qmp = program.qmp_with_own_events();
    let _ = program.wait_console("cpu 3: up", 1);
    let done = AtomicBool::new(false);
    let there = std::thread::scope(|scope| {
        let askers: Vec<_> = sockets
            .iter()
            .map(|path| {
                let mut asker = Qmp::connect(path);
                let done = &done;
                scope.spawn(move || hammer(&mut asker, done))
            })
            .collect();
        let there = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| come_and_go(&mut qmp, 300)));
        done.store(true, Ordering::Relaxed);
        let asked: Vec<u32> = askers.into_iter().map(|asker| asker.join().unwrap()).collect();
        assert!(asked.iter().all(|asked| *asked > 10), "{asked:?}");
        there.unwrap()
    });
    let cpus = qmp.ok("query-cpus-fast", &json!({}));
    let listed = cpus.as_array().unwrap().iter().filter_map(|cpu| cpu["cpu-index"].as_u64());
    assert_eq!(listed.collect::<BTreeSet<_>>(), (0..4).chain(there.into_iter().map(u64::from)).collect());
    // All of the guest's CPUs still obey: it counts those that are there, and each comes up.
    let up = program.console().matches("qom guest: cpu 0: up").count();
    let _ = qmp.ok("system_reset", &json!({}));
    let count = cpus.as_array().unwrap().len();
    let _ = program.wait_console(&format!("{count} of 8 CPUs present"), 1);
    let _ = program.wait_console("cpu 0: up", up + 1);
}

/// How long each of a hundred commands takes.
fn waits(qmp: &mut Qmp) -> Vec<Duration> {
    let mut waits = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        let _: Value = qmp.ok("query-status", &json!({}));
        waits.push(start.elapsed());
    }
    waits.sort_unstable();
    waits
}

/// One guest reports on a CPU without end, the other searches 255 slots of which none has an event. Commands are served between.
#[test]
fn a_guest_that_hammers_the_registers_holds_up_nobody() {
    if !kvm_or_skip("a_guest_that_hammers_the_registers_holds_up_nobody") {
        return;
    }
    let reports: &[u8] = &[
        0xba, 0x05, 0xaf, 0xb0, 0x01, 0xee, // command 1
        0xba, 0x08, 0xaf, 0x66, 0xb8, 3, 0, 0, 0, 0x66, 0xef, // source event 3
        0xba, 0x05, 0xaf, 0xb0, 0x02, 0xee, // command 2
        0xba, 0x08, 0xaf, 0x66, 0xb8, 0x84, 0, 0, 0, 0x66, 0xef, 0xeb, 0xfc, // status 84h, for ever
    ];
    let searches: &[u8] = &[0xba, 0x05, 0xaf, 0xb0, 0x00, 0xee, 0xeb, 0xfd];
    let directory = tempfile::TempDir::new().unwrap();
    for (name, code) in [("reports", reports), ("searches", searches)] {
        let file = directory.path().join(name);
        std::fs::write(&file, firmware(code)).unwrap();
        let bios = file.display().to_string();
        let program = Program::start(&["-accel", "kvm", "-smp", "1,maxcpus=255", "-bios", &bios]);
        let mut qmp = program.qmp_with_own_events();
        if name == "reports" {
            let info = qmp.event("ACPI_DEVICE_OST")["data"]["info"].take();
            assert_eq!((&info["source"], &info["status"]), (&json!(3), &json!(0x84)));
        }
        let waits = waits(&mut qmp);
        println!("{name}: median {:?}, longest {:?}", waits[50], waits[99]);
        assert!(waits[50] < Duration::from_millis(100), "{waits:?}");
        // What the guest says in between is bounded in memory, read or not.
        let resident = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
        let resident = resident.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kibibytes: u64 = resident.split_whitespace().next().unwrap().parse().unwrap();
        assert!(kibibytes < 100 << 10, "{kibibytes} KiB");
    }
}
