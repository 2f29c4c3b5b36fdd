//! The scripted guest: plugging and unplugging come to their end with no KVM and no kernel, as the policy says.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{PATIENCE, Program, Qmp, kvm_or_skip, run};

const GUEST: &str = "/machine/peripheral/guest";

fn start(arguments: &[&str], guest: &str) -> (Program, Qmp) {
    let guest = format!("x-ospm-guest,id=guest{guest}");
    let common = ["-smp", "1,maxcpus=4,sockets=4", "-device", &guest];
    let accel: &[&str] = if arguments.contains(&"-accel") { &[] } else { &["-accel", "tcg"] };
    let program = Program::start(&[accel, &common, arguments].concat());
    let qmp = program.qmp_with_own_events();
    (program, qmp)
}

fn cpu(slot: u32) -> Value {
    json!({
        "driver": "qemu64-x86_64-cpu", "id": format!("c{slot}"),
        "socket-id": slot, "core-id": 0, "thread-id": 0
    })
}

fn plug(qmp: &mut Qmp, slot: u32) {
    assert_eq!(qmp.ok("device_add", &cpu(slot)), json!({}));
}

fn unplug(qmp: &mut Qmp, slot: u32) {
    assert_eq!(qmp.ok("device_del", &json!({"id": format!("c{slot}")})), json!({}));
}

fn set(qmp: &mut Qmp, property: &str, value: impl Into<Value>) {
    let arguments = json!({"path": GUEST, "property": property, "value": value.into()});
    assert_eq!(qmp.ok("qom-set", &arguments), json!({}));
}

fn get(qmp: &mut Qmp, property: &str) -> Value {
    qmp.ok("qom-get", &json!({"path": GUEST, "property": property}))
}

fn wait_for(qmp: &mut Qmp, property: &str, value: u64) {
    let start = Instant::now();
    loop {
        let now = get(qmp, property);
        if now == value {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{property} is {now} and not {value}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The next report: slot, source event, status.
fn report(qmp: &mut Qmp) -> (String, u64, u64) {
    let event = qmp.event("ACPI_DEVICE_OST");
    let info = &event["data"]["info"];
    let number = |key: &str| info[key].as_u64().unwrap_or(u64::MAX);
    (info["slot"].as_str().unwrap_or_default().to_owned(), number("source"), number("status"))
}

fn slot(slot: u32) -> String {
    slot.to_string()
}

fn has_cpu(qmp: &mut Qmp, slot: u32) -> bool {
    let path = format!("/machine/peripheral/c{slot}");
    let cpus = qmp.ok("query-cpus-fast", &json!({}));
    cpus.as_array().into_iter().flatten().any(|cpu| cpu["qom-path"] == *path)
}

/// Holds a dialogue of the guest with QEMU 11.1 again and returns the events: those of QEMU, and ours.
fn held_again(fixture: &str, arguments: &[&str]) -> (Vec<Value>, Vec<Value>) {
    let (program, mut qmp) = start(&[arguments, &["-no-shutdown"]].concat(), "");
    wait_for(&mut qmp, "boots", 1);
    let policies = [
        "cooperative",
        "cooperative",
        "cooperative",
        "refuses-eject",
        "ost-error",
        "cooperative",
        "legacy-bitmap",
        "cooperative",
        "cooperative",
    ];
    let mut steps = fixture.split("\n# ").skip(1).zip(policies);
    let (mut expected, mut seen) = (Vec::new(), Vec::new());
    for (step, policy) in &mut steps {
        let mut lines = step.lines();
        let requests = lines.next().unwrap_or_default();
        set(&mut qmp, "policy", policy);
        if requests == "powerdown" {
            let _ = qmp.ok("system_powerdown", &json!({}));
        } else {
            // The guest finds all of a step together, as the one of the fixture did.
            let _ = qmp.ok("stop", &json!({}));
            for (what, slot) in requests.split(", ").filter_map(|request| request.split_once(' ')) {
                let slot = slot.parse().expect("a number");
                if what == "add" { plug(&mut qmp, slot) } else { unplug(&mut qmp, slot) }
            }
            let _ = qmp.ok("cont", &json!({}));
        }
        let events = lines.filter_map(|line| line.strip_prefix("! ")).filter_map(|line| {
            let (name, data) = line.split_once(' ')?;
            // CPUs have no child for their APIC here.
            (!data.contains("/lapic"))
                .then(|| (name.to_owned(), serde_json::from_str::<Value>(data).expect("JSON")))
        });
        for (name, data) in events {
            seen.push(qmp.event(&name)["data"].take());
            expected.push(data);
        }
    }
    assert_eq!(steps.next(), None, "a step without a policy");
    assert_eq!(get(&mut qmp, "cpus"), 1, "{}", program.console());
    (expected, seen)
}

#[test]
fn a_manager_sees_what_it_sees_of_the_reference_with_such_a_guest() {
    let pc = include_str!("../../machine-pc/src/ospm/fixtures/dialogue-pc.txt");
    let q35 = include_str!("../../machine-pc/src/ospm/fixtures/dialogue-q35.txt");
    for (fixture, arguments) in [
        (pc, ["-M", "pc", "-accel", "tcg"]),
        (pc, ["-M", "pc", "-accel", "qtest"]),
        (q35, ["-M", "q35", "-accel", "tcg"]),
        (q35, ["-M", "q35", "-accel", "qtest"]),
    ] {
        let (expected, seen) = held_again(fixture, &arguments);
        assert_eq!(expected, seen, "{arguments:?}");
        assert!(expected.len() >= 17, "{expected:?}");
    }
}

#[test]
fn a_refusal_leaves_the_cpu_and_may_be_reconsidered() {
    let (_program, mut qmp) = start(&[], ",policy=refuses-eject");
    plug(&mut qmp, 2);
    assert_eq!(report(&mut qmp), (slot(2), 1, 0));
    for _ in 0..2 {
        unplug(&mut qmp, 2);
        assert_eq!(report(&mut qmp), (slot(2), 3, 0x84));
        assert_eq!(report(&mut qmp), (slot(2), 3, 0x82));
        assert!(has_cpu(&mut qmp, 2));
    }
    let status = qmp.ok("query-acpi-ospm-status", &json!({}));
    assert_eq!(
        status[2],
        json!({"device": "c2", "source": 3, "status": 130, "slot": "2", "slot-type": "CPU"})
    );
    set(&mut qmp, "policy", "cooperative");
    unplug(&mut qmp, 2);
    assert_eq!(
        qmp.event("DEVICE_DELETED")["data"],
        json!({"device": "c2", "path": "/machine/peripheral/c2"})
    );
    assert!(!has_cpu(&mut qmp, 2));
    plug(&mut qmp, 2);
    assert_eq!(report(&mut qmp).2, 0);
}

#[test]
fn a_guest_that_never_answers_may_change_its_mind() {
    let (_program, mut qmp) = start(&[], ",policy=never-answers");
    plug(&mut qmp, 1);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!((get(&mut qmp, "events-seen"), get(&mut qmp, "osts")), (json!(0), json!(0)));
    set(&mut qmp, "policy", "cooperative");
    assert_eq!(report(&mut qmp), (slot(1), 1, 0));
    set(&mut qmp, "policy", "never-answers");
    unplug(&mut qmp, 1);
    std::thread::sleep(Duration::from_millis(100));
    assert!(has_cpu(&mut qmp, 1));
    assert_eq!(get(&mut qmp, "ejects"), 0);
    set(&mut qmp, "policy", "cooperative");
    let _ = qmp.event("DEVICE_DELETED");
}

/// The delay is the guest's: it does not pass while the machine is stopped.
#[test]
fn an_answer_comes_late_and_not_while_the_machine_is_stopped() {
    let (_program, mut qmp) = start(&[], ",policy=answers-late,delay=100");
    let begin = Instant::now();
    plug(&mut qmp, 3);
    assert_eq!(report(&mut qmp), (slot(3), 1, 0));
    assert!(begin.elapsed() >= Duration::from_millis(100));
    unplug(&mut qmp, 3);
    let _ = qmp.ok("stop", &json!({}));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(get(&mut qmp, "ejects"), 0);
    assert!(has_cpu(&mut qmp, 3));
    let _ = qmp.ok("cont", &json!({}));
    let _ = qmp.event("DEVICE_DELETED");
    // Who waits no longer need not.
    set(&mut qmp, "delay", 3_600_000);
    plug(&mut qmp, 3);
    wait_for(&mut qmp, "events-seen", 3);
    assert_eq!(report(&mut qmp), (slot(3), 3, 0), "of the one that went");
    set(&mut qmp, "policy", "cooperative");
    assert_eq!(report(&mut qmp), (slot(3), 1, 0));
}

#[test]
fn a_reboot_in_mid_plug_keeps_the_cpu() {
    let (_program, mut qmp) = start(&[], ",policy=reboots-in-mid-plug");
    wait_for(&mut qmp, "boots", 1);
    plug(&mut qmp, 2);
    assert_eq!(qmp.event("RESET")["data"], json!({"guest": true, "reason": "guest-reset"}));
    wait_for(&mut qmp, "boots", 2);
    wait_for(&mut qmp, "cpus", 2);
    assert!(has_cpu(&mut qmp, 2));
    assert_eq!(get(&mut qmp, "osts"), 0);
    unplug(&mut qmp, 2);
    let _ = qmp.event("DEVICE_DELETED");
    assert_eq!(get(&mut qmp, "boots"), 2);
}

#[test]
fn a_reboot_is_what_action_says_of_it() {
    let (program, mut qmp) = start(&["-no-reboot"], ",policy=reboots-in-mid-plug");
    wait_for(&mut qmp, "boots", 1);
    plug(&mut qmp, 2);
    assert_eq!(qmp.event("SHUTDOWN")["data"], json!({"guest": true, "reason": "guest-reset"}));
    assert_eq!(program.wait(), Some(0));
}

/// Machines start with the modern registers, where such a guest finds no bitmap.
#[test]
fn a_guest_of_old_sees_nothing() {
    let (_program, mut qmp) = start(&[], ",policy=legacy-bitmap");
    wait_for(&mut qmp, "boots", 1);
    plug(&mut qmp, 1);
    std::thread::sleep(Duration::from_millis(100));
    let figures = ["cpus", "events-seen", "osts"].map(|property| get(&mut qmp, property));
    assert_eq!(figures, [0, 0, 0]);
    assert!(has_cpu(&mut qmp, 1));
}

#[test]
fn errors_are_reported_with_the_status_that_was_chosen() {
    let (_program, mut qmp) = start(&[], ",policy=ost-error,ost-status=0x81");
    plug(&mut qmp, 1);
    assert_eq!(report(&mut qmp), (slot(1), 1, 0x81));
    set(&mut qmp, "ost-status", 1);
    unplug(&mut qmp, 1);
    assert_eq!(report(&mut qmp), (slot(1), 3, 1));
    assert!(has_cpu(&mut qmp, 1));
    assert_eq!((get(&mut qmp, "ejects"), get(&mut qmp, "osts")), (json!(0), json!(2)));
}

#[test]
fn a_reset_boots_the_guest_again_and_keeps_its_cpus() {
    let (_program, mut qmp) = start(&[], "");
    plug(&mut qmp, 1);
    assert_eq!(report(&mut qmp), (slot(1), 1, 0));
    for boots in 2..5 {
        assert_eq!(qmp.ok("system_reset", &json!({})), json!({}));
        wait_for(&mut qmp, "boots", boots);
        wait_for(&mut qmp, "cpus", 2);
    }
    // It listens again.
    unplug(&mut qmp, 1);
    let _ = qmp.event("DEVICE_DELETED");
    // Nothing boots while the machine is stopped.
    let _ = qmp.ok("stop", &json!({}));
    let _ = qmp.ok("system_reset", &json!({}));
    plug(&mut qmp, 3);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!((get(&mut qmp, "boots"), get(&mut qmp, "cpus")), (json!(4), json!(0)));
    let _ = qmp.ok("cont", &json!({}));
    wait_for(&mut qmp, "boots", 5);
    wait_for(&mut qmp, "cpus", 2);
}

#[test]
fn with_s_the_guest_waits_for_the_start() {
    let (_program, mut qmp) = start(&["-S"], "");
    plug(&mut qmp, 2);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(get(&mut qmp, "boots"), 0);
    let _ = qmp.ok("cont", &json!({}));
    assert_eq!(report(&mut qmp), (slot(2), 1, 0));
    assert_eq!((get(&mut qmp, "boots"), get(&mut qmp, "cpus")), (json!(1), json!(2)));
}

/// A guest that comes while the machine runs finds what has happened so far.
#[test]
fn a_guest_may_come_later_and_there_is_one() {
    let program = Program::start(&["-accel", "tcg", "-smp", "1,maxcpus=4,sockets=4"]);
    let mut qmp = program.qmp_with_own_events();
    plug(&mut qmp, 2);
    let guest = json!({"driver": "x-ospm-guest", "id": "guest", "policy": "cooperative"});
    assert_eq!(qmp.ok("device_add", &guest), json!({}));
    assert_eq!(report(&mut qmp), (slot(2), 1, 0));
    assert_eq!(get(&mut qmp, "boots"), 1);
    let second = qmp.error("device_add", &json!({"driver": "x-ospm-guest", "id": "second"}));
    assert_eq!(second.1, "the machine has a scripted guest already");
    let wrong = qmp.error("qom-set", &json!({"path": GUEST, "property": "policy", "value": "x"}));
    assert_eq!(wrong.1, "Parameter 'policy' does not accept value 'x'");
    let stays = qmp.error("device_del", &json!({"id": "guest"}));
    assert_eq!(stays.1, "x-ospm-guest cannot be removed; with policy=never-answers it does nothing");
    let threads = program.proc_count("task");
    for on in [false, true, false] {
        let _ = qmp.ok("qom-set", &json!({"path": GUEST, "property": "realized", "value": on}));
        assert_eq!(program.proc_count("task"), threads - usize::from(!on));
    }
    let list = qmp.ok("qom-list", &json!({"path": "/machine/peripheral"}));
    assert_eq!(list.as_array().map(Vec::len), Some(3), "{list}");
}

/// The next changes of a CPU's state.
fn states(qmp: &mut Qmp, id: &str, count: usize) -> Vec<String> {
    let mut states = Vec::new();
    while states.len() < count {
        let change = qmp.event("x-VCPU_STATE")["data"].take();
        if change["device"] == id {
            states.push(change["new"].as_str().unwrap_or_default().to_owned());
        }
    }
    states
}

/// What was asked for comes to an end, good or bad, whatever the guest does.
#[test]
fn a_request_ends_in_an_event() {
    let timeout = ["-M", "pc,x-cpu-unplug-timeout-ms=200"];
    let (_program, mut qmp) = start(&timeout, "");
    plug(&mut qmp, 2);
    assert_eq!(states(&mut qmp, "c2", 4), ["plugged", "notified", "seen", "online"]);
    let failed = json!({"device": "c2", "path": "/machine/peripheral/c2"});
    for (policy, end) in [
        ("refuses-eject", "refused"),
        ("ost-error", "refused"),
        ("never-answers", "timed-out"),
        ("legacy-bitmap", "timed-out"),
    ] {
        set(&mut qmp, "policy", policy);
        unplug(&mut qmp, 2);
        assert_eq!(states(&mut qmp, "c2", 2), ["eject-requested", end], "{policy}");
        assert_eq!(qmp.event("DEVICE_UNPLUG_GUEST_ERROR")["data"], failed, "{policy}");
        if end == "timed-out" {
            // It still may be let go of, by a guest that finds the request.
            set(&mut qmp, "policy", "cooperative");
            assert_eq!(states(&mut qmp, "c2", 1), ["ejected"]);
            assert_eq!(qmp.event("DEVICE_DELETED")["data"], failed);
            plug(&mut qmp, 2);
            assert_eq!(states(&mut qmp, "c2", 4)[3], "online");
        }
    }
    // An answer that comes after the end is welcome.
    set(&mut qmp, "policy", "answers-late");
    set(&mut qmp, "delay", 600);
    unplug(&mut qmp, 2);
    assert_eq!(states(&mut qmp, "c2", 3), ["eject-requested", "timed-out", "ejected"]);
    assert_eq!(qmp.event("DEVICE_DELETED")["data"], failed);
}

/// Who has not looked is not asked.
#[test]
fn a_cpu_that_the_guest_has_not_seen_is_taken_back() {
    let (_program, mut qmp) = start(&[], ",policy=never-answers");
    plug(&mut qmp, 2);
    unplug(&mut qmp, 2);
    let _ = qmp.event("DEVICE_DELETED");
    set(&mut qmp, "policy", "cooperative");
    wait_for(&mut qmp, "cpus", 1);
    assert_eq!(get(&mut qmp, "events-seen"), 0);
}

/// A generator of numbers that need not be good.
struct Shuffle(u64);

impl Shuffle {
    fn shuffle(&mut self, list: &mut [u32]) {
        for at in (1..list.len()).rev() {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            list.swap(at, (self.0 >> 33) as usize % (at + 1));
        }
    }
}

#[test]
fn a_hundred_cpus_come_and_go_in_any_order() {
    let program = Program::start(&[
        "-M",
        "q35",
        "-accel",
        "tcg",
        "-smp",
        "1,maxcpus=200,sockets=200",
        "-device",
        "x-ospm-guest,id=guest",
    ]);
    let mut qmp = program.qmp_with_own_events();
    let mut random = Shuffle(1);
    let mut slots: Vec<u32> = (1..200).collect();
    random.shuffle(&mut slots);
    slots.truncate(100);
    for round in 1..=2 {
        for slot in &slots {
            plug(&mut qmp, *slot);
        }
        wait_for(&mut qmp, "cpus", 101);
        random.shuffle(&mut slots);
        for slot in &slots {
            unplug(&mut qmp, *slot);
        }
        let mut gone: Vec<u32> = (0..100)
            .map(|_| {
                let event = qmp.event("DEVICE_DELETED");
                let id = event["data"]["device"].as_str().unwrap_or_default();
                id.trim_start_matches('c').parse().expect("a slot")
            })
            .collect();
        gone.sort_unstable();
        let mut expected = slots.clone();
        expected.sort_unstable();
        assert_eq!(gone, expected);
        let list = qmp.ok("qom-list", &json!({"path": "/machine/peripheral"}));
        assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
        assert_eq!(get(&mut qmp, "ejects"), 100 * round);
        assert_eq!(get(&mut qmp, "cpus"), 1);
    }
}

#[test]
fn two_monitors_plug_and_unplug_at_once() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let second = directory.path().join("second");
    let socket = format!("unix:{},server=on,wait=off", second.display());
    let (program, qmp) = start(&["-qmp", &socket], "");
    let others = Qmp::connect(&second);
    std::thread::scope(|scope| {
        for (mut qmp, slot) in [(qmp, 1), (others, 3)] {
            scope.spawn(move || {
                for _ in 0..50 {
                    plug(&mut qmp, slot);
                    while report(&mut qmp) != (slot.to_string(), 1, 0) {}
                    unplug(&mut qmp, slot);
                    // The other's are seen too.
                    while qmp.event("DEVICE_DELETED")["data"]["device"] != format!("c{slot}") {}
                    assert!(!has_cpu(&mut qmp, slot));
                }
            });
        }
    });
    let mut qmp = program.qmp_with_own_events();
    assert_eq!(get(&mut qmp, "ejects"), 100);
    assert_eq!(get(&mut qmp, "cpus"), 1);
    assert_eq!(qmp.ok("query-cpus-fast", &json!({})).as_array().map(Vec::len), Some(1));
}

/// What follows the button, as the fixtures tell of the reference with such a guest.
#[test]
fn the_power_button_switches_the_machine_off() {
    for (machine, policy) in [
        ("pc", "cooperative"),
        ("q35", "cooperative"),
        ("pc", "refuses-eject"),
        ("q35", "answers-late,delay=50"),
        ("pc", "legacy-bitmap"),
        ("pc", "reboots-in-mid-plug"),
        ("q35", "ost-error"),
    ] {
        let (program, mut qmp) = start(&["-M", machine], &format!(",policy={policy}"));
        wait_for(&mut qmp, "boots", 1);
        // A guest that has just booted may not listen yet. Who stops it waits for the end of what it does.
        let _ = qmp.ok("stop", &json!({}));
        let _ = qmp.ok("cont", &json!({}));
        let _ = qmp.ok("system_powerdown", &json!({}));
        assert_eq!(qmp.event("POWERDOWN").get("data"), None);
        assert_eq!(qmp.event("SHUTDOWN")["data"], json!({"guest": true, "reason": "guest-shutdown"}));
        assert_eq!(program.wait(), Some(0), "{policy}");
    }
}

#[test]
fn a_guest_that_does_not_listen_is_not_switched_off() {
    let (program, mut qmp) = start(&[], ",policy=never-answers");
    wait_for(&mut qmp, "boots", 1);
    let _ = qmp.ok("system_powerdown", &json!({}));
    let _ = qmp.event("POWERDOWN");
    // Nor does it hear of it later. A CPU that it takes shows that it listens now.
    set(&mut qmp, "policy", "cooperative");
    plug(&mut qmp, 1);
    assert_eq!(report(&mut qmp), (slot(1), 1, 0));
    assert_eq!(qmp.ok("query-status", &json!({}))["status"], "running");
    assert_eq!(get(&mut qmp, "events-seen"), 1);
    let _ = qmp.ok("system_powerdown", &json!({}));
    let _ = qmp.event("SHUTDOWN");
    assert_eq!(program.wait(), Some(0));
}

/// A machine that is switched off and stays is started again by a reset, and its guest hears the button again.
#[test]
fn a_machine_that_stays_boots_its_guest_again() {
    for how in [&["-no-shutdown"][..], &["-action", "shutdown=pause"]] {
        let (_program, mut qmp) = start(how, "");
        for boots in 1..4 {
            wait_for(&mut qmp, "boots", boots);
            let _ = qmp.ok("stop", &json!({}));
            let _ = qmp.ok("system_powerdown", &json!({}));
            let _ = qmp.event("POWERDOWN");
            assert_eq!(qmp.ok("query-status", &json!({}))["status"], "paused", "it hears when it runs");
            let _ = qmp.ok("cont", &json!({}));
            assert_eq!(qmp.event("SHUTDOWN")["data"], json!({"guest": true, "reason": "guest-shutdown"}));
            let _ = qmp.event("STOP");
            let status = qmp.ok("query-status", &json!({}));
            assert_eq!(status, json!({"running": false, "status": "shutdown"}));
            let refused = qmp.error("cont", &json!({}));
            assert_eq!(refused.1, "Resetting the Virtual Machine is required");
            let _ = qmp.ok("system_reset", &json!({}));
            let _ = qmp.event("RESET");
            let _ = qmp.ok("cont", &json!({}));
        }
    }
}

#[test]
fn where_it_has_no_place_it_is_refused() {
    let refused = |arguments: &[&str], why: &str| {
        let guest = ["-display", "none", "-device", "x-ospm-guest"];
        let finished = run(&[&guest[..], arguments].concat());
        let text = format!("qom-system-x86_64: -device x-ospm-guest: {why}\n");
        // KVM may have warned of the CPU before.
        assert!(finished.stderr.ends_with(&text), "{arguments:?}: {}", finished.stderr);
        assert_eq!(finished.status, Some(1));
    };
    refused(&["-M", "none", "-accel", "tcg"], "x-ospm-guest needs a machine with ACPI");
    refused(&["-M", "pc,acpi=off", "-accel", "tcg"], "x-ospm-guest needs a machine with ACPI");
    if kvm_or_skip("where_it_has_no_place_it_is_refused") {
        let why = "x-ospm-guest takes the place of a guest, and this accelerator runs one; use tcg or qtest";
        refused(&["-M", "pc", "-accel", "kvm"], why);
    }
}

#[test]
fn help_tells_of_it() {
    let devices = run(&["-device", "help"]).stdout;
    let line = "\nname \"x-ospm-guest\", \
                desc \"Plays the operating system's side of CPU hotplug and the power button where no guest runs\"\n\nCPU devices:\n";
    assert!(devices.contains(line), "{devices}");
    let help = run(&["-device", "x-ospm-guest,help"]).stdout;
    assert_eq!(help.lines().count(), 4, "{help}");
    for policy in [
        "cooperative",
        "refuses-eject",
        "never-answers",
        "answers-late",
        "reboots-in-mid-plug",
        "legacy-bitmap",
        "ost-error",
    ] {
        assert!(help.contains(policy), "{help}");
    }
}
