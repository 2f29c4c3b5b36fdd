//! Machine checks that a user gives to the guest's CPUs: texts, events and what the guest sees, as the reference has them.

use std::time::{Duration, Instant};

use qmp::client::{Client, ClientError, Config};
use serde_json::{Value, json};
use tests::{PATIENCE, Program, firmware, kvm_or_skip};

fn from_hex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// One line of the human monitor: what it printed, and that many events, after which no other has come.
fn line(client: &mut Client, text: &str, events: usize) -> (Value, Vec<Value>) {
    let printed: Value =
        client.call("human-monitor-command", &json!({"command-line": text})).expect("a reply");
    let event = |_| {
        let event = client.next_event(PATIENCE).expect("an event");
        json!([event.name, event.data])
    };
    let events = (0..events).map(event).collect();
    // One that comes after those comes before this reply.
    let _: Value = client.call("query-version", &json!({})).expect("a reply");
    let more = client.next_event(Duration::ZERO);
    assert!(matches!(more, Err(ClientError::Timeout { .. })), "{text}: {more:?}");
    (printed, events)
}

#[test]
fn machine_checks_are_given_as_by_the_reference() {
    if !kvm_or_skip("machine_checks_are_given_as_by_the_reference") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let (guest, said) = (directory.path().join("guest"), directory.path().join("said"));
    let mut session: Option<(Program, Client)> = None;
    let (mut request, mut replies) = ("", 0);
    let transcript = include_str!("../transcripts/machine-check.txt");
    for row in transcript.lines().filter(|row| !row.starts_with("##")) {
        let (kind, text) = row.split_at(2);
        match kind {
            "! " => std::fs::write(&guest, firmware(&from_hex(text))).expect("an image"),
            "# " => {
                // The one before is gone with its file.
                drop(session.take());
                let mut words: Vec<String> = serde_json::from_str(text).expect("arguments");
                words
                    .iter_mut()
                    .filter(|word| *word == "GUEST")
                    .for_each(|word| *word = guest.display().to_string());
                words.extend([
                    "-nodefaults".to_owned(),
                    "-debugcon".to_owned(),
                    format!("file:{}", said.display()),
                ]);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let program = Program::start(&words);
                let client = program.client(Config::default()).expect("a session");
                session = Some((program, client));
            }
            "> " => request = text,
            "< " => {
                let (printed, events, written): (Value, Vec<Value>, String) =
                    serde_json::from_str(text).expect("a reply");
                let (_, client) = session.as_mut().expect("a program");
                let got = line(client, request, events.len());
                assert_eq!(got, (printed, events), "{request}");
                // The guest is at it when it is told of the next one.
                let start = Instant::now();
                let console = || std::fs::read(&said).expect("a file");
                while console().len() < written.len() / 2 && start.elapsed() < PATIENCE {
                    std::thread::sleep(Duration::from_millis(5));
                }
                assert_eq!(console(), from_hex(&written), "{request}");
                replies += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(session.is_some() && replies > 40, "{replies}");
}

/// No guest code runs without KVM, so there is nobody to tell.
#[test]
fn without_kvm_there_is_nobody_to_tell() {
    let program = Program::start(&["-accel", "tcg", "-S"]);
    let mut client = program.client(Config::default()).expect("a session");
    let nobody = "Error: no guest code runs with this accelerator, so there is nothing to interrupt\r\n";
    let (printed, _) = line(&mut client, "mce 0 1 0xbd00000000000000 5 6 7", 0);
    assert_eq!(printed, nobody);
    let (printed, _) = line(&mut client, "mce 9 1 0xbd00000000000000 5 6 7", 0);
    assert_eq!(printed, "");
}
