//! `-rtc` as a client sees it: the machine's property `rtc-time`, which QEMU has too, and the event `RTC_CHANGE`.

use serde_json::{Value, json};
use tests::{Program, firmware, kvm_or_skip};

fn time(arguments: &[&str]) -> Value {
    let program = Program::start(&[&["-accel", "tcg", "-S"], arguments].concat());
    program.qmp().ok("qom-get", &json!({"path": "/machine", "property": "rtc-time"}))
}

/// The clock of a machine that does not run stands. The values are what QEMU 11.1.2 answers.
#[test]
fn a_clock_begins_where_it_is_told() {
    for machine in ["pc", "q35"] {
        assert_eq!(
            time(&["-M", machine, "-rtc", "base=2020-03-04T05:06:07,clock=vm"]),
            json!({"tm_year": 120, "tm_sec": 7, "tm_hour": 5, "tm_min": 6, "tm_mon": 2, "tm_mday": 4})
        );
        assert_eq!(
            time(&["-M", machine, "-rtc", "base=1999-12-31,clock=vm"]),
            json!({"tm_year": 99, "tm_sec": 0, "tm_hour": 0, "tm_min": 0, "tm_mon": 11, "tm_mday": 31})
        );
    }
}

/// Without a base it is the host's.
#[test]
fn a_clock_shows_the_hosts_time() {
    let host = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        since.as_secs() as i64
    };
    let before = host();
    let shown = time(&[]);
    let after = host();
    let of_day = ["tm_hour", "tm_min", "tm_sec"]
        .iter()
        .fold(0, |sum, part| sum * 60 + shown[*part].as_i64().expect("a number"));
    let days = (before / 86400)..=(after / 86400);
    assert!(days.into_iter().any(|day| (before..=after).contains(&(day * 86400 + of_day))), "{shown}");
}

#[test]
fn only_machines_with_a_clock_tell_the_time() {
    let program = Program::start(&["-M", "none", "-accel", "tcg"]);
    let (_, text) = program.qmp().error("qom-get", &json!({"path": "/machine", "property": "rtc-time"}));
    assert_eq!(text, "Property 'none-machine.rtc-time' not found");
}

/// A 64 KiB image whose code sets the clock's minutes to 30 while it stands, as an operating system does; and then to 31 and 30 as often
/// as it can, if it is one `without_end`.
fn clock_setter(without_end: bool) -> Vec<u8> {
    // mov al, register; out 0x70, al; mov al, value; out 0x71, al
    let set = |register: u8, value: u8| [0xb0, register, 0xe6, 0x70, 0xb0, value, 0xe6, 0x71];
    let mut code = [set(0x0b, 0x82), set(0x02, 0x30), set(0x0b, 0x02)].concat();
    if without_end {
        code.extend([set(0x02, 0x31), set(0x02, 0x30)].concat());
        code.extend([0xeb, 0xee]); // jmp to the first of these
    }
    code.extend([0xfa, 0xf4]); // cli; hlt
    firmware(&code)
}

/// A machine that does not run yet.
fn machine_with_setter(machine: &str, without_end: bool) -> (tempfile::TempDir, Program) {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("image");
    std::fs::write(&path, clock_setter(without_end)).expect("an image");
    let image = path.display().to_string();
    let clock = "base=2020-03-04T05:06:07,clock=vm";
    let program = Program::start(&["-M", machine, "-accel", "kvm", "-S", "-bios", &image, "-rtc", clock]);
    (directory, program)
}

/// The offset is what QEMU 11.1.2 tells of the same writes.
#[test]
fn a_guest_that_sets_its_clock_is_told_of() {
    if !kvm_or_skip("a_guest_that_sets_its_clock_is_told_of") {
        return;
    }
    for (machine, bridge) in [("pc", "PIIX3"), ("q35", "ICH9-LPC")] {
        let (_directory, program) = machine_with_setter(machine, false);
        let mut qmp = program.qmp();
        let _ = qmp.ok("cont", &json!({}));
        let event = qmp.event("RTC_CHANGE");
        assert_eq!(event["data"]["offset"], 1440, "{machine}");
        let path = event["data"]["qom-path"].as_str().expect("a path");
        let bridge_path = path.strip_suffix("/rtc").expect("the clock is the bridge's");
        assert_eq!(qmp.ok("qom-get", &json!({"path": bridge_path, "property": "type"})), bridge);
        assert_eq!(qmp.ok("qom-get", &json!({"path": path, "property": "date"}))["tm_min"], 30);
    }
}

/// As in the reference: what comes within a second of an event is told once, after it.
#[test]
fn a_guest_that_sets_its_clock_without_end_is_told_of_once_a_second() {
    if !kvm_or_skip("a_guest_that_sets_its_clock_without_end_is_told_of_once_a_second") {
        return;
    }
    let (_directory, program) = machine_with_setter("q35", true);
    let mut qmp = program.qmp();
    let _ = qmp.ok("cont", &json!({}));
    let mut seconds = || {
        let event = qmp.event("RTC_CHANGE");
        // Either, but for a second that ends between two of the writes.
        let offset = event["data"]["offset"].as_i64().expect("a number");
        assert!([1440, 1500].iter().any(|set| (offset - set).abs() <= 1), "{event}");
        let part = |name: &str| event["timestamp"][name].as_f64().expect("a number");
        part("seconds") + part("microseconds") / 1e6
    };
    let (first, second) = (seconds(), seconds());
    assert!(second - first > 0.99, "{first} {second}");
}
