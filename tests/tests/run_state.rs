//! Stopping, resetting and ending a machine: every reply, event and state as QEMU 11.1 has them, in their order; and other
//! answers that random sessions with both showed to differ.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;

use serde_json::{Value, json};
use tests::{Mortal, PATIENCE, Program, Qmp};

/// One recorded session: its options, what was sent, what was told of it, and the exit status.
struct Session {
    options: Vec<String>,
    steps: Vec<(Value, Vec<Value>)>,
    status: i32,
}

fn sessions(text: &str) -> Vec<Session> {
    let mut sessions = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (kind, rest) = line.split_at(2);
        let value: Value = serde_json::from_str(rest).expect("JSON");
        let last = sessions.last_mut();
        match (kind, last) {
            ("= ", _) => {
                let options = serde_json::from_value(value).expect("options");
                sessions.push(Session { options, steps: Vec::new(), status: -1 });
            }
            ("> ", Some(session)) => session.steps.push((value, Vec::new())),
            ("< ", Some(session)) => session.steps.last_mut().expect("a request").1.push(value),
            ("$ ", Some(session)) => session.status = value.as_i64().expect("a status") as i32,
            _ => panic!("{line}"),
        }
    }
    sessions
}

/// Holds a session with our program; what it tells of each request.
fn held(session: &Session) -> (Vec<Vec<Value>>, Option<i32>) {
    let child = Command::new(tests::binary())
        .args(["-M", "none", "-accel", "qtest", "-display", "none", "-nodefaults", "-qmp", "stdio"])
        .args(&session.options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let mut child = Mortal::new(child);
    let mut input = child.stdin();
    let lines = child.lines();
    // None at the end of what it says.
    let read = || match lines.recv_timeout(PATIENCE) {
        Ok(line) => {
            let mut message: Value = serde_json::from_str(&line).expect("JSON");
            let _ = message.as_object_mut()?.remove("timestamp");
            Some(message)
        }
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("no answer in a session with {:?}", session.options),
    };
    let _greeting = read();
    writeln!(input, "{}", json!({"execute": "qmp_capabilities"})).expect("a request");
    let _ = read();
    let mut told = Vec::new();
    for (request, _) in &session.steps {
        let fence = json!({"execute": "query-status", "id": "fence"});
        // The program may be gone before the second.
        let _ = writeln!(input, "{request}\n{fence}");
        let mut messages = Vec::new();
        while let Some(mut message) = read() {
            if message["id"] == "fence" {
                messages.push(message["return"].take());
                break;
            }
            messages.push(message);
        }
        told.push(messages);
    }
    drop(input);
    (told, child.wait())
}

#[test]
fn a_machine_is_stopped_reset_and_ended_as_the_references() {
    let sessions = sessions(include_str!("../transcripts/run-state.txt"));
    assert!(sessions.len() > 40, "{}", sessions.len());
    for session in &sessions {
        let (told, status) = held(session);
        for ((request, expected), told) in session.steps.iter().zip(&told) {
            assert_eq!(told, expected, "{request} of {:?}", session.options);
        }
        assert_eq!(status, Some(session.status), "{:?}", session.options);
    }
}

/// What `tests/differential/sessions.py` found to differ from QEMU 11.1 once, with the answers that QEMU gives.
#[test]
fn answers_are_the_references_where_they_once_were_not() {
    let program = Program::start(&["-M", "none", "-accel", "tcg", "-S"]);
    let mut qmp = program.qmp();
    let error = |qmp: &mut Qmp, command: &str, arguments: Value| qmp.error(command, &arguments).1;
    assert_eq!(
        error(&mut qmp, "watchdog-set-action", json!({"action": {"pause": 1}})),
        "Invalid parameter type for 'action', expected: string"
    );
    assert_eq!(
        error(&mut qmp, "qmp_capabilities", json!({"foo": 1})),
        "Parameter 'foo' is unexpected",
        "arguments are looked at before it is said that negotiation is over"
    );
    assert_eq!(qmp.ok("query-block", &json!({"flat": true})), json!([]));
    let root = qmp.ok("qom-list", &json!({"path": "/"}));
    let audio = json!({"name": "audiodevs", "type": "child<container>"});
    assert!(root.as_array().is_some_and(|members| members.contains(&audio)), "{root}");
    for (line, answer) in [("print 0", "0\r\n"), ("print 1-1", "0\r\n"), ("print 10", "0xa\r\n")] {
        assert_eq!(qmp.human(line), answer);
    }
    let backend = json!({"type": "null", "data": {"logfile": "/dev/null", "logtimestamp": true}});
    assert_eq!(qmp.ok("chardev-add", &json!({"id": "log", "backend": backend})), json!({}));
    let backend = json!({"type": "null", "data": {"logtimestamp": 0}});
    assert_eq!(
        error(&mut qmp, "chardev-add", json!({"id": "log", "backend": backend})),
        "Invalid parameter type for 'backend.data.logtimestamp', expected: boolean"
    );
}

/// As in QEMU 11.1 a backend is touched by as many threads as the machine has CPUs at start, whichever of the two came first.
#[test]
fn memory_is_preallocated_by_as_many_threads_as_cpus() {
    let early = ["-object", "memory-backend-ram,id=early,size=4096"];
    for (machine, threads) in
        [(&["-M", "pc", "-smp", "3,maxcpus=5"][..], 3), (&["-M", "q35"], 1), (&["-M", "none"], 1)]
    {
        let program = Program::start(&[machine, &["-accel", "qtest"], &early].concat());
        let mut qmp = program.qmp();
        let late = json!({"qom-type": "memory-backend-ram", "id": "late", "size": 4096});
        assert_eq!(qmp.ok("object-add", &late), json!({}));
        for id in ["early", "late"] {
            let path = format!("/objects/{id}");
            let figure = qmp.ok("qom-get", &json!({"path": path, "property": "prealloc-threads"}));
            assert_eq!(figure, threads, "{machine:?} {id}");
        }
    }
}
