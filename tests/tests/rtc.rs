//! `-rtc` as a client sees it: the machine's property `rtc-time`, which QEMU has too.

use serde_json::{Value, json};
use tests::Program;

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
