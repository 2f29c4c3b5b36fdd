//! Sessions against recorded ones of the reference: every request, valid or not, gets the same reply.

#![expect(clippy::unwrap_used, reason = "a test")]

use qmp::{Commands, Context, Error, KvmInfo, RunControl, RunState, Session, ShutdownCause};
use qom::Bootstrap;

/// A machine that runs or not, and does nothing else.
#[derive(Debug)]
struct Machine {
    running: bool,
}

impl RunControl for Machine {
    fn state(&self) -> RunState {
        if self.running { RunState::Running } else { RunState::Paused }
    }
    fn stop(&mut self) -> Result<(), Error> {
        self.running = false;
        Ok(())
    }
    fn cont(&mut self) -> Result<(), Error> {
        self.running = true;
        Ok(())
    }
    fn reset(&mut self, _: ShutdownCause) {}
    fn powerdown(&mut self) {}
    fn shutdown(&mut self, _: ShutdownCause) {}
    fn is_shutting_down(&self) -> bool {
        false
    }
    fn kvm(&self) -> KvmInfo {
        KvmInfo { enabled: false, present: true }
    }
}

fn context() -> Context {
    let types = Bootstrap::empty();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    qom.container("/objects").unwrap();
    qom.container("/audiodevs").unwrap();
    qom.container("/machine/peripheral").unwrap();
    let mut context = Context::new(qom, Commands::linked().unwrap());
    context.insert::<Box<dyn RunControl>>(Box::new(Machine { running: true }));
    context
}

/// The bytes of a Python bytes literal.
fn unescape(literal: &str) -> Vec<u8> {
    let body = &literal[2..literal.len() - 1];
    let mut bytes = Vec::new();
    let mut characters = body.chars();
    while let Some(character) = characters.next() {
        let byte = match character {
            '\\' => match characters.next().unwrap() {
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'x' => {
                    let digits: String = characters.by_ref().take(2).collect();
                    u8::from_str_radix(&digits, 16).unwrap()
                }
                other => u8::try_from(other).unwrap(),
            },
            plain => u8::try_from(plain).unwrap(),
        };
        bytes.push(byte);
    }
    bytes
}

fn check(transcript: &str) {
    let mut context = context();
    let mut session = Session::new(false);
    session.sent(session.output().len());
    let mut request = "";
    let mut sent = 0;
    let mut differences = Vec::new();
    let mut expected: Vec<&str> = Vec::new();
    let mut compare = |session: &mut Session, request: &str, expected: &mut Vec<&str>| {
        let output = String::from_utf8(session.output().to_vec()).unwrap();
        let replies: Vec<&str> = output.split_terminator("\r\n").collect();
        if replies != *expected {
            differences.push(format!("{request}\n  expected {expected:#?}\n  got {replies:#?}"));
        }
        session.sent(output.len());
        expected.clear();
    };
    for line in transcript.lines() {
        if let Some(literal) = line.strip_prefix("> ") {
            compare(&mut session, request, &mut expected);
            request = literal;
            sent += 1;
            let input = unescape(literal);
            let taken = session.feed(&input, &mut context, &mut Vec::new());
            assert_eq!(taken, input.len());
        } else if let Some(reply) = line.strip_prefix("< ").filter(|reply| !reply.contains("timestamp\": {"))
        {
            // Events have their time in them, and are the machine's own business.
            expected.push(reply);
        }
    }
    compare(&mut session, request, &mut expected);
    assert!(sent > 5);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn json() {
    check(include_str!("transcripts/json.txt"));
}

#[test]
fn requests() {
    check(include_str!("transcripts/requests.txt"));
}

#[test]
fn out_of_band() {
    check(include_str!("transcripts/oob.txt"));
}

#[test]
fn human_monitor() {
    check(include_str!("transcripts/hmp.txt"));
}
