//! The client against the other end of a socket pair: what it sends, what it makes of what comes.

use std::io::{BufRead, BufReader, Read, Write};
use std::thread::{self, JoinHandle};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::commands::{QomGet, qom_get, query_status, query_version};
use crate::run_control::RunState;

const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 1, "minor": 2, "major": 11}, "package": "p"}, "capabilities": ["oob", "new"]}}"#;

/// A monitor that greets, accepts the negotiation, and then answers each line that comes with the next of `answers`. Returns the
/// requests that it got.
fn monitor(config: Config, answers: Vec<String>) -> (Result<Client, ClientError>, JoinHandle<Vec<String>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let thread = thread::spawn(move || {
        let mut requests = Vec::new();
        let mut write = theirs.try_clone().unwrap();
        let mut lines = BufReader::new(theirs).lines();
        write.write_all(format!("{GREETING}\r\n").as_bytes()).unwrap();
        let negotiated = r#"{"return": {}, "id": 1}"#.to_owned();
        for answer in std::iter::once(negotiated).chain(answers) {
            let Some(Ok(line)) = lines.next() else { break };
            requests.push(line);
            if write.write_all(answer.as_bytes()).is_err() {
                break;
            }
        }
        requests
    });
    (Client::over_unix(ours, config), thread)
}

fn client(answers: &[&str]) -> (Client, JoinHandle<Vec<String>>) {
    let (client, thread) =
        monitor(Config::default(), answers.iter().map(|&answer| answer.to_owned()).collect());
    (client.unwrap(), thread)
}

const SOON: Duration = Duration::from_millis(1);

#[test]
fn requests_have_the_protocols_form() {
    let config = Config { enable: vec![Capability::OutOfBand, Capability::OwnEvents], ..Config::default() };
    let answers = [
        r#"{"return": {"status": "paused", "running": false}, "id": 2}"#,
        r#"{"return": "a\u00e9", "id": 3}"#,
        r#"{"return": {}, "id": 4}"#,
    ];
    let (client, thread) = monitor(config, answers.map(str::to_owned).to_vec());
    let mut client = client.unwrap();
    assert_eq!(client.greeting().version.qemu.minor, 2);
    assert_eq!(client.greeting().capabilities, ["oob", "new"]);
    assert_eq!(client.execute(query_status, &()).unwrap().status, RunState::Paused);
    let asked = QomGet { path: "/a \"b\"".to_owned(), property: "c".to_owned() };
    assert_eq!(client.execute(qom_get, &asked).unwrap(), "aé");
    assert_eq!(client.call_out_of_band::<Value>("x-any", &json!({"a": [1, null]})).unwrap(), json!({}));
    drop(client);
    assert_eq!(
        thread.join().unwrap(),
        [
            r#"{"execute": "qmp_capabilities", "arguments": {"enable": ["oob", "x-events"]}, "id": 1}"#,
            r#"{"execute": "query-status", "id": 2}"#,
            r#"{"execute": "qom-get", "arguments": {"path": "/a \"b\"", "property": "c"}, "id": 3}"#,
            r#"{"exec-oob": "x-any", "arguments": {"a": [1, null]}, "id": 4}"#,
        ]
    );
}

#[test]
fn events_are_kept_in_order_until_somebody_waits() {
    let event = |name: &str, data: &str| {
        format!(r#"{{"timestamp": {{"seconds": 7, "microseconds": 5}}, "event": "{name}"{data}}}"#)
    };
    let first =
        [event("A", ""), event("B", r#", "data": {"n": 1}"#), event("A", r#", "data": {"n": 2}"#)].concat();
    let (mut client, thread) = client(&[&(first + r#"{"return": {}, "id": 2}"#)]);
    client.call::<Value>("x", &()).unwrap();
    let b = client.wait_event("B", Duration::ZERO).unwrap();
    assert_eq!((b.data, b.since_epoch), (json!({"n": 1}), Some(Duration::new(7, 5000))));
    assert_eq!(client.next_event(Duration::ZERO).unwrap().data, json!({}));
    let second = client.wait_for("the second", Duration::ZERO, |event| event.data["n"] == 2).unwrap();
    assert_eq!(second.name, "A");
    thread.join().unwrap();
    assert!(matches!(client.wait_event("A", Duration::ZERO), Err(ClientError::Closed)));
}

#[test]
fn a_wait_ends() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(format!("{GREETING}{}", r#"{"return": {}, "id": 1}"#).as_bytes()).unwrap();
    let mut client = Client::over_unix(ours, Config::default()).unwrap();
    client.config.patience = SOON;
    let error = client.wait_event("A", SOON).unwrap_err();
    assert_eq!(error.to_string(), "no A within 1ms");
    let error = client.call::<Value>("x", &()).unwrap_err();
    assert_eq!(error.to_string(), "no reply to x within 1ms");
    // The reply comes late, with one to the next request.
    theirs.write_all(br#"{"return": 1, "id": 2}{"return": 2, "id": 3}"#).unwrap();
    client.config.patience = Duration::MAX;
    assert_eq!(client.call::<u8>("y", &()).unwrap(), 2);
}

/// A client whose monitor says no more than that the session begins, and that end.
fn quiet(config: Config) -> (Client, UnixStream) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(format!("{GREETING}{}", r#"{"return": {}, "id": 1}"#).as_bytes()).unwrap();
    let client = Client::over_unix(ours, config).unwrap();
    let mut negotiation = [0; 100];
    let count = theirs.read(&mut negotiation).unwrap();
    assert!(negotiation[..count].ends_with(b"\r\n"));
    (client, theirs)
}

#[test]
fn after_half_a_request_the_client_is_closed_and_says_why() {
    let config = Config { patience: Duration::from_millis(20), ..Config::default() };
    let (mut client, mut theirs) = quiet(config);
    theirs.write_all(br#"{"event": "A"}{"event": "B"}"#).unwrap();
    client.wait_event("B", Duration::ZERO).unwrap();
    let much = "x".repeat(4 << 20);
    let error = client.call::<Value>("x", &json!({ "much": much })).unwrap_err();
    assert!(matches!(&error, ClientError::Io(error) if error.kind() == io::ErrorKind::TimedOut), "{error:?}");
    // The monitor sees half of it and the end: no second request can be taken for the rest.
    let mut got = Vec::new();
    theirs.read_to_end(&mut got).unwrap();
    assert!((100..much.len()).contains(&got.len()), "{}", got.len());
    // What the monitor says to that is no answer to anything. It cannot even be said.
    assert!(theirs.write_all(br#"{"return": {}, "id": 3}"#).is_err());
    for _ in 0..2 {
        let error = client.execute(query_version, &()).unwrap_err();
        assert!(matches!(error, ClientError::Unusable { .. }), "{error:?}");
        let error = error.to_string();
        let why =
            "the connection was closed: the connection to the monitor failed: the monitor does not read: ";
        assert!(error.starts_with(why) && error.ends_with(" bytes of x were sent"), "{error}");
    }
    // What had arrived is still there.
    assert_eq!(client.next_event(Duration::ZERO).unwrap().name, "A");
    assert!(matches!(client.next_event(Duration::ZERO), Err(ClientError::Unusable { .. })));
}

#[test]
fn a_request_of_which_nothing_was_sent_leaves_the_session_as_it_is() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(format!("{GREETING}{}", r#"{"return": {}, "id": 1}"#).as_bytes()).unwrap();
    let mut full = ours.try_clone().unwrap();
    let mut client = Client::over_unix(ours, Config::default()).unwrap();
    full.set_nonblocking(true).unwrap();
    while full.write(b" ").is_ok() {}
    full.set_nonblocking(false).unwrap();
    client.config.patience = Duration::from_millis(20);
    let error = client.call::<Value>("x", &()).unwrap_err();
    assert_eq!(error.to_string(), "no room for the request x within 20ms");
    // There is room again, and a reply.
    client.config.patience = Duration::MAX;
    let answer = thread::spawn(move || {
        let mut lines = BufReader::new(theirs.try_clone().unwrap()).lines();
        let _ = lines.next();
        let request = lines.next().unwrap().unwrap();
        theirs.write_all(br#"{"return": 5, "id": 3}"#).unwrap();
        request
    });
    assert_eq!(client.call::<u8>("y", &()).unwrap(), 5);
    assert_eq!(answer.join().unwrap().trim_start(), r#"{"execute": "y", "id": 3}"#);
}

#[test]
fn after_what_is_no_message_the_client_is_closed() {
    let (mut client, mut theirs) = quiet(Config::default());
    theirs.write_all(br#"}{"event": "A"}"#).unwrap();
    assert!(matches!(client.next_event(Duration::ZERO), Err(ClientError::Json(_))));
    let error = client.next_event(Duration::MAX).unwrap_err().to_string();
    let why = "the connection was closed: what the monitor sent cannot be read: ";
    assert!(error.starts_with(why), "{error}");
    assert_eq!(theirs.read(&mut [0; 100]).unwrap(), 0);
}

#[test]
fn after_a_message_that_is_not_the_protocols_the_client_is_closed() {
    let told = r#""event": "A", "timestamp""#;
    let messages = [
        r#"{"id": 2}"#.to_owned(),
        r#"{"id": 2, "error": 5}"#.to_owned(),
        r#"{"id": 2, "error": {"class": "GenericError"}}"#.to_owned(),
        r#"{"id": 2, "error": {"class": 1, "desc": "no"}}"#.to_owned(),
        format!(r#"{{{told}: 7}}"#),
        format!(r#"{{{told}: null}}"#),
        format!(r#"{{{told}: {{"seconds": "7", "microseconds": 5}}}}"#),
        format!(r#"{{{told}: {{"seconds": 7}}}}"#),
    ];
    for message in &messages {
        let (mut client, mut theirs) = quiet(Config::default());
        theirs.write_all(format!(r#"{message}{{"return": {{}}, "id": 2}}"#).as_bytes()).unwrap();
        let error = client.call::<Value>("x", &()).unwrap_err();
        assert!(matches!(error, ClientError::Protocol(_)), "{message}: {error:?}");
        // What it says shows all of the message.
        let shown = error.to_string();
        let shown = shown.strip_prefix("not a message of the protocol: ").unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(shown).unwrap(),
            serde_json::from_str::<Value>(message).unwrap()
        );
        let error = client.execute(query_version, &()).unwrap_err();
        assert!(matches!(error, ClientError::Unusable { .. }), "{message}: {error:?}");
        // The other side sees the request, and then the end.
        let mut got = String::new();
        theirs.read_to_string(&mut got).unwrap();
        assert_eq!(got.trim_end(), r#"{"execute": "x", "id": 2}"#, "{message}");
    }
    // So does who waits for another event.
    for message in messages.iter().filter(|message| message.contains("event")) {
        let (mut client, mut theirs) = quiet(Config::default());
        theirs.write_all(format!(r#"{message}{{"event": "B"}}"#).as_bytes()).unwrap();
        let error = client.wait_event("B", Duration::ZERO).unwrap_err();
        assert!(matches!(error, ClientError::Protocol(_)), "{message}: {error:?}");
        let error = client.wait_event("B", Duration::ZERO).unwrap_err();
        assert!(matches!(error, ClientError::Unusable { .. }), "{message}: {error:?}");
    }
}

#[test]
fn no_patience_sees_all_that_has_arrived() {
    let (mut client, mut theirs) = quiet(Config::default());
    // More than is read at a time.
    let others = r#"{"event": "B", "data": {"text": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}"#
        .repeat(1000);
    theirs.write_all(format!("{others}{}", r#"{"event": "A"}"#).as_bytes()).unwrap();
    // However late the client comes to look.
    let mut late = Deadline::after(Duration::ZERO);
    thread::sleep(SOON);
    assert_eq!(client.message(&mut late).unwrap().unwrap()["event"], "B");
    assert_eq!(client.wait_event("A", Duration::ZERO).unwrap().name, "A");
    assert!(matches!(client.wait_event("A", Duration::ZERO), Err(ClientError::Timeout { .. })));
    drop(theirs);
    assert!(matches!(client.wait_event("A", Duration::ZERO), Err(ClientError::Closed)));
}

#[test]
fn a_monitor_that_never_stops_does_not_keep_who_has_no_patience() {
    let (mut client, mut theirs) = quiet(Config { events: 10, ..Config::default() });
    let flood = r#"{"event": "B"}"#.repeat(1000);
    let monitor = thread::spawn(move || while theirs.write_all(flood.as_bytes()).is_ok() {});
    assert_eq!(client.next_event(Duration::MAX).unwrap().name, "B");
    assert!(matches!(client.wait_event("A", Duration::ZERO), Err(ClientError::Timeout { .. })));
    drop(client);
    monitor.join().unwrap();
}

#[test]
fn refusals_have_class_and_sentence() {
    let refusal = |class: &str| format!(r#"{{"id": 2, "error": {{"class": "{class}", "desc": "no"}}}}"#);
    for (class, expected) in [
        ("GenericError", ErrorClass::GenericError),
        ("CommandNotFound", ErrorClass::CommandNotFound),
        ("DeviceNotFound", ErrorClass::DeviceNotFound),
        ("DeviceNotActive", ErrorClass::DeviceNotActive),
        ("KVMMissingCap", ErrorClass::KVMMissingCap),
        ("Unheard", ErrorClass::GenericError),
    ] {
        let (mut client, _) = client(&[&refusal(class)]);
        let error = client.execute(query_version, &()).unwrap_err();
        assert_eq!(error.to_string(), "no");
        assert_eq!(error.refusal().map(|error| error.class), Some(expected));
        assert!(class == "Unheard" || expected.as_str() == class);
    }
}

#[test]
fn what_is_no_answer_is_an_error() {
    for (answer, expected) in [
        (r#"{"return": 1, "id": 99}"#, "not a message of the protocol: {"),
        (r#"{"id": 2}"#, "not a message of the protocol: {"),
        (r#"{"error": {"class": "GenericError", "desc": "Invalid"}}"#, "not a message of the protocol: {"),
        ("[1]", "not a message of the protocol: [1]"),
        (r#"{"event": 1}"#, "not a message of the protocol: {"),
        ("}", "what the monitor sent cannot be read"),
        (r#"{"return": "text", "id": 2}"#, "what x gave is not of the expected type"),
    ] {
        let (mut client, _) = client(&[answer]);
        let error = client.call::<u64>("x", &()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{answer}: {error}");
    }
}

#[test]
fn memory_is_bounded() {
    let config =
        Config { limits: Limits { token_bytes: 1000, ..Limits::default() }, events: 3, ..Config::default() };
    let events: String = (0..10).map(|n| format!(r#"{{"event": "E", "data": {{"n": {n}}}}}"#)).collect();
    let long = format!(r#"{{"return": "{}", "id": 3}}"#, "x".repeat(2000));
    let (client, _) = monitor(config, vec![events + r#"{"return": {}, "id": 2}"#, long]);
    let mut client = client.unwrap();
    client.call::<Value>("x", &()).unwrap();
    assert_eq!(client.dropped_events(), 7);
    assert_eq!(client.next_event(Duration::ZERO).unwrap().data["n"], 7);
    let error = client.call::<Value>("x", &()).unwrap_err();
    assert!(matches!(error, ClientError::Json(json::JsonError::TokenSize)), "{error:?}");
    // Of few that are large as many are kept as have room.
    let config = Config { event_bytes: 10_000, ..Config::default() };
    let large = format!(r#"{{"event": "E", "data": {{"text": "{}"}}}}"#, "x".repeat(4000)).repeat(5);
    let (client, _) = monitor(config, vec![large + r#"{"return": {}, "id": 2}"#]);
    let mut client = client.unwrap();
    client.call::<Value>("x", &()).unwrap();
    assert_eq!(client.dropped_events(), 3);
}

proptest! {
    #[test]
    fn anything_may_come(bytes in prop::collection::vec(any::<u8>(), 0..200), greeted in any::<bool>()) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        if greeted {
            theirs.write_all(format!("{GREETING}{}", r#"{"return": {}, "id": 1}"#).as_bytes()).unwrap();
        }
        theirs.write_all(&bytes).unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        if let Ok(mut client) = Client::over_unix(ours, Config::default()) {
            prop_assert!(greeted);
            prop_assert!(client.wait_event("A", Duration::ZERO).is_err());
            prop_assert!(client.call::<Value>("x", &()).is_err());
        }
    }
}
