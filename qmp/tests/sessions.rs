//! Sessions: negotiation, order, flow, and what the table of commands refuses.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::{Arc, Mutex};

use qmp::hmp::{Echo, HmpSession};
use qmp::session::{EVENT_LIMIT, HIGH_WATER};
use qmp::{COMMANDS, CommandEntry, Commands, Context, Error, EventType, Session};
use serde::Serialize;

/// What the commands below did, in order.
type Log = Arc<Mutex<Vec<&'static str>>>;

fn log(context: &Context, what: &'static str) {
    context.require::<Log>().unwrap().lock().unwrap().push(what);
}

qmp::command! {
    /// Works in band only.
    "x-in-band" => fn x_in_band(context: &mut Context, (): ()) -> Result<&'static str, Error> {
        log(context, "in-band");
        Ok("in-band")
    }
}

qmp::command! {
    /// Works out of band.
    "x-out-of-band" (allow_oob, allow_preconfig) =>
    fn x_out_of_band(context: &mut Context, (): ()) -> Result<&'static str, Error> {
        log(context, "out-of-band");
        Ok("out-of-band")
    }
}

qmp::command! {
    /// Returns much.
    "x-much" => fn x_much(_: &mut Context, (): ()) -> Result<String, Error> {
        Ok("x".repeat(10_000))
    }
}

#[derive(serde::Deserialize, qmp::QapiType)]
struct Twice {
    number: i64,
}

/// What the answer of `x-constant` holds for.
struct Factor(u64);

fn factor_stays(context: &Context) -> Option<u64> {
    context.get::<Factor>().map(|factor| factor.0)
}

qmp::command! {
    /// Returns the same each time while the factor stays, but nothing for what is below 0.
    "x-constant" kept while factor_stays => fn x_constant(context: &mut Context, arguments: Twice) -> Result<Vec<i64>, Error> {
        log(context, "constant");
        if arguments.number < 0 { Err(Error::generic("below 0")) } else { Ok(vec![arguments.number, 2 * arguments.number]) }
    }
}

#[derive(Serialize, qmp::QapiType)]
struct Happened;

impl EventType for Happened {
    const NAME: &'static str = "X_HAPPENED";
}

qmp::command! {
    /// Emits an event and fails, or returns what has no JSON form.
    "x-fail" => fn x_fail(context: &mut Context, (): ()) -> Result<Vec<f64>, Error> {
        context.events().emit(&Happened);
        Ok(vec![1.0, f64::NAN])
    }
}

fn context() -> Context {
    let types = qom::Bootstrap::empty();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    let mut context = Context::new(qom, Commands::linked().unwrap());
    context.insert(Log::default());
    context
}

fn replies(session: &mut Session) -> Vec<String> {
    let text = String::from_utf8(session.output().to_vec()).unwrap();
    session.sent(usize::MAX);
    text.split_terminator("\r\n").map(str::to_owned).collect()
}

fn negotiated(context: &mut Context, request: &str) -> Session {
    let mut session = Session::new(false);
    session.feed(request.as_bytes(), context, &mut Vec::new());
    assert_eq!(replies(&mut session)[1], r#"{"return": {}}"#);
    session
}

const PLAIN: &str = "{'execute': 'qmp_capabilities'}";
const OUT_OF_BAND: &str = "{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}";

#[test]
fn the_greeting_has_the_references_form() {
    let mut session = Session::new(false);
    let expected = format!(
        r#"{{"QMP": {{"version": {{"qemu": {{"micro": 2, "minor": 1, "major": 11}}, "package": "{}"}}, "capabilities": ["oob", "x-events"]}}}}"#,
        qmp::VERSION.package
    );
    assert_eq!(replies(&mut session), [expected]);
    let pretty = Session::new(true);
    assert!(pretty.output().starts_with(b"{\r\n    \"QMP\": {\r\n        \"version\": {\r\n"));
    assert!(pretty.output().ends_with(b"}\r\n}\r\n"));
}

/// Every line of a pretty session ends as the protocol's lines do, those within events too.
#[test]
fn a_pretty_session_has_one_end_of_line() {
    let mut context = context();
    let mut session = Session::new(true);
    session.feed(
        format!("{PLAIN}{{'execute': 'x-fail', 'id': {{'a': []}}}}").as_bytes(),
        &mut context,
        &mut Vec::new(),
    );
    let text = String::from_utf8(session.output().to_vec()).unwrap();
    assert!(text.contains("    \"event\": \"X_HAPPENED\"\r\n}\r\n"), "{text}");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text:?}");
}

#[test]
fn out_of_band_requests_overtake() {
    let mut context = context();
    let mut session = negotiated(&mut context, OUT_OF_BAND);
    let input = "{'execute': 'x-in-band'}{'execute': 'x-in-band', 'id': 2}{'exec-oob': 'x-out-of-band'}";
    assert_eq!(session.feed(input.as_bytes(), &mut context, &mut Vec::new()), input.len());
    assert_eq!(
        replies(&mut session),
        [r#"{"return": "out-of-band"}"#, r#"{"return": "in-band"}"#, r#"{"return": "in-band", "id": 2}"#,]
    );
    // Without the capability, the member is unknown and the order is that of the text.
    let mut session = negotiated(&mut context, PLAIN);
    let input = "{'execute': 'x-in-band'}{'exec-oob': 'x-out-of-band'}{'execute': 'x-out-of-band'}";
    session.feed(input.as_bytes(), &mut context, &mut Vec::new());
    let replies = replies(&mut session);
    assert_eq!((&*replies[0], &*replies[2]), (r#"{"return": "in-band"}"#, r#"{"return": "out-of-band"}"#));
    assert!(replies[1].contains("QMP input member 'exec-oob' is unexpected"));
}

#[test]
fn more_than_eight_requests_do_not_wait() {
    let mut context = context();
    let mut session = negotiated(&mut context, OUT_OF_BAND);
    let input = format!("{}{}", "{'execute': 'x-in-band'}".repeat(20), "{'exec-oob': 'x-out-of-band'}");
    assert_eq!(session.feed(input.as_bytes(), &mut context, &mut Vec::new()), input.len());
    let log = context.require::<Log>().unwrap().lock().unwrap();
    let at = log.iter().position(|what| *what == "out-of-band").unwrap();
    // It overtakes what waits, and nothing is read ahead of a full queue.
    assert_eq!((log.len(), at), (21, 13));
}

#[test]
fn a_session_stops_when_nobody_reads() {
    let mut context = context();
    let mut session = negotiated(&mut context, PLAIN);
    let input = "{'execute': 'x-much'}".repeat(1000);
    let taken = session.feed(input.as_bytes(), &mut context, &mut Vec::new());
    assert!(taken < input.len() && session.is_full());
    assert!(session.output().len() < HIGH_WATER + 20_000);
    // Events still come, up to their limit.
    context.events().emit(&Happened);
    let event = context.event_queue().take().remove(0);
    while session.dropped_events() == 0 {
        session.event(&event);
    }
    assert!(session.output().len() < EVENT_LIMIT + 1000);
    session.sent(usize::MAX);
    assert!(session.feed(&input.as_bytes()[taken..], &mut context, &mut Vec::new()) > 0);
}

#[test]
fn a_failed_reply_leaves_nothing_of_itself_and_events_come_first() {
    let mut context = context();
    let mut session = negotiated(&mut context, PLAIN);
    let mut emitted = Vec::new();
    session.feed(b"{'execute': 'x-fail', 'id': 1}", &mut context, &mut emitted);
    let replies = replies(&mut session);
    assert!(replies[0].ends_with(r#""event": "X_HAPPENED"}"#));
    let desc = "a number that is not finite has no JSON form";
    assert_eq!(replies[1], format!(r#"{{"id": 1, "error": {{"class": "GenericError", "desc": "{desc}"}}}}"#));
    assert_eq!((replies.len(), emitted.len()), (2, 1));
}

#[derive(Serialize, qmp::QapiType)]
struct OwnHappened;

impl EventType for OwnHappened {
    const NAME: &'static str = "x-OWN_HAPPENED";
}

qmp::command! {
    /// Emits an event that QEMU does not have, and one that it might.
    "x-emit" => fn x_emit(context: &mut Context, (): ()) -> Result<(), Error> {
        context.events().emit(&OwnHappened);
        context.events().emit(&Happened);
        Ok(())
    }
}

/// Some clients end their session over an event that they do not know.
#[test]
fn events_that_are_not_qemus_go_to_those_who_ask() {
    let mut context = context();
    let own = "{'execute': 'qmp_capabilities', 'arguments': {'enable': ['x-events']}}";
    for (request, told) in [(PLAIN, 1), (OUT_OF_BAND, 1), (own, 2)] {
        let mut session = negotiated(&mut context, request);
        let mut others = negotiated(&mut context, request);
        let mut emitted = Vec::new();
        session.feed(b"{'execute': 'x-emit'}", &mut context, &mut emitted);
        emitted.iter().for_each(|event| others.event(event));
        for mut replies in [replies(&mut session), replies(&mut others)] {
            replies.retain(|reply| reply.contains("timestamp"));
            assert_eq!(replies.len(), told, "{request}: {replies:?}");
            assert_eq!(replies[0].contains("x-OWN_HAPPENED"), told == 2, "{replies:?}");
        }
        assert_eq!(emitted.len(), 2);
    }
}

#[test]
fn preconfig_allows_few_commands() {
    let mut context = context();
    context.set_preconfig(true);
    let mut session = negotiated(&mut context, PLAIN);
    session.feed(b"{'execute': 'x-in-band'}{'execute': 'x-out-of-band'}", &mut context, &mut Vec::new());
    let replies = replies(&mut session);
    assert!(
        replies[0]
            .contains("The command 'x-in-band' is permitted only after machine initialization has completed")
    );
    assert_eq!(replies[1], r#"{"return": "out-of-band"}"#);
}

#[test]
fn the_table_is_sorted_and_refuses_a_name_twice() {
    let commands = Commands::linked().unwrap();
    let names: Vec<&str> = commands.qmp().iter().map(|entry| entry.name).collect();
    assert!(names.is_sorted());
    for name in ["qmp_capabilities", "query-commands", "device_add", "qom-get", "quit", "x-in-band"] {
        assert!(names.contains(&name), "{name}");
    }
    let mut context = context();
    let mut session = negotiated(&mut context, PLAIN);
    session.feed(b"{'execute': 'query-commands'}", &mut context, &mut Vec::new());
    let reply: serde_json::Value = serde_json::from_str(&replies(&mut session)[0]).unwrap();
    let listed = reply["return"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap());
    assert_eq!(listed.collect::<Vec<_>>(), names);

    let twice = COMMANDS.iter().copied().chain([CommandEntry::of::<x_in_band>("elsewhere")]);
    let error = Commands::new(twice, [], [], []).unwrap_err().to_string();
    assert!(error.starts_with("QMP command 'x-in-band' is declared twice: in "), "{error}");
    assert!(error.contains("elsewhere") && error.contains("sessions.rs"), "{error}");
}

#[test]
fn the_human_monitor_takes_keys_and_scripts() {
    let mut context = context();
    let mut run = |echo, input: &[u8]| {
        let mut session = HmpSession::new(echo);
        let greeting = String::from_utf8(session.output().to_vec()).unwrap();
        assert_eq!(
            greeting,
            format!("{} monitor - type 'help' for more information\r\n(qemu) ", qmp::VERSION.package)
        );
        session.sent(usize::MAX);
        assert_eq!(session.feed(input, &mut context, &mut Vec::new()), input.len());
        String::from_utf8(session.output().to_vec()).unwrap()
    };
    let script = b"print 1\nprint 2\r\n\r\n";
    let output = run(Echo::Lines, script);
    assert_eq!(output, "print 1\r\n0x1\r\n(qemu) print 2\r\n0x2\r\n(qemu) \r\n(qemu) ");
    assert_eq!(run(Echo::Terminal, script), "print 1\r\n0x1\r\n(qemu) print 2\r\n0x2\r\n(qemu) \r\n(qemu) ");
    // Backspace, Ctrl-U, cursor keys, a tab; a line that is not ended.
    let keys = "zz\x15prinx\x08t\t\x1b[A\x1b[3~1é\x7f\x01\rprint 2".as_bytes();
    assert_eq!(run(Echo::Lines, keys), "print 1\r\n0x1\r\n(qemu) ");
    assert_eq!(run(Echo::Terminal, b"pri\t1+1\r"), "print 1+1\r\n0x2\r\n(qemu) ");
    assert_eq!(
        run(Echo::Terminal, b"p 1\rinfo hist\t\r\x1b[A\x1b[A\r"),
        "p 1\r\n0x1\r\n(qemu) info history \r\n0: 'p 1'\r\n1: 'info history '\r\n(qemu) \
         info history \x1b[13Dp 1\x1b[K\r\n0x1\r\n(qemu) "
    );
    let long = [vec![b'x'; 10_000], b"\n".to_vec()].concat();
    assert!(run(Echo::Lines, &long).len() < 8400);
    assert!(run(Echo::Terminal, &long).len() < 8400);
}

#[test]
fn what_stays_the_same_is_put_into_words_once() {
    let mut context = context();
    let ask = |context: &mut Context, session: &mut Session, number: &str| {
        let request = format!(r#"{{"execute": "x-constant", "arguments": {{"number": {number}}}, "id": 1}}"#);
        session.feed(request.as_bytes(), context, &mut Vec::new());
        let reply = replies(session).join("\n");
        (reply, std::mem::take(&mut *context.require::<Log>().unwrap().lock().unwrap()).len())
    };
    let [mut session, mut other, mut pretty] = [false, false, true].map(Session::new);
    for session in [&mut session, &mut other, &mut pretty] {
        ask(&mut context, session, "0");
        session.feed(br#"{"execute": "qmp_capabilities"}"#, &mut self::context(), &mut Vec::new());
        replies(session);
    }
    // Without a revision nothing is kept.
    assert_eq!(ask(&mut context, &mut session, "6").1, 1);
    assert_eq!(ask(&mut context, &mut session, "6").1, 1);
    context.insert(Factor(1));
    let said = r#"{"return": [7, 14], "id": 1}"#;
    assert_eq!(ask(&mut context, &mut session, "7"), (said.to_owned(), 1));
    assert_eq!(ask(&mut context, &mut session, "7"), (said.to_owned(), 0));
    assert_eq!(ask(&mut context, &mut other, "7"), (said.to_owned(), 0));
    assert_eq!(ask(&mut context, &mut other, "8").1, 1);
    // A pretty text is made anew.
    let spread = "{\n    \"return\": [\n        7,\n        14\n    ],\n    \"id\": 1\n}";
    assert_eq!(ask(&mut context, &mut pretty, "7"), (spread.to_owned(), 1));
    // An error is no reply to keep.
    for _ in 0..2 {
        let (reply, runs) = ask(&mut context, &mut session, "-1");
        assert!(reply.contains("below 0"), "{reply}");
        assert_eq!(runs, 1);
    }
    assert!(ask(&mut context, &mut session, "null").0.contains("Invalid parameter type"), "as before");
    // What has changed is asked for anew, and what did not is not.
    context.insert(Factor(2));
    assert_eq!(ask(&mut context, &mut session, "7"), (said.to_owned(), 1));
    assert_eq!(ask(&mut context, &mut other, "7"), (said.to_owned(), 0));
}
