//! Recorded sessions: lines `> b'…'` were sent, lines `< …` came back.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::{Mortal, PATIENCE, Program, binary};

/// The text of a Python bytes literal that holds JSON.
fn unescape(literal: &str) -> String {
    let body = &literal[2..literal.len() - 1];
    body.replace("\\\\", "\u{0}").replace("\\n", "\n").replace("\\'", "'").replace('\u{0}', "\\")
}

/// Sends the requests of a transcript and holds every reply against the recorded one, byte for byte. `here` makes paths of the
/// record those of now. Returns how many replies there were.
fn exchange(
    transcript: &str,
    mut writer: impl Write,
    mut next: impl FnMut() -> String,
    here: impl Fn(&str) -> String,
) -> usize {
    assert!(next().starts_with("{\"QMP\""), "a greeting");
    let (mut request, mut compared, mut differences) = (String::new(), 0, Vec::new());
    for line in transcript.lines() {
        if let Some(literal) = line.strip_prefix("> ") {
            request = here(&unescape(literal));
            writer.write_all(request.as_bytes()).unwrap_or_else(|error| panic!("send: {error}"));
        } else if let Some(expected) = line.strip_prefix("< ") {
            let (expected, got) = (here(expected), next());
            if got != expected {
                differences.push(format!("{request}  expected {expected}\n  got      {got}"));
            }
            compared += 1;
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    compared
}

/// Sends the requests of a transcript over the program's QMP socket and holds every reply against the recorded one, byte for byte.
/// Paths that begin as `recorded_at` are those of `files` now; there are none if that is empty. Returns how many replies there were.
///
/// # Panics
/// If any reply differs, with all that do.
#[must_use]
pub fn replay(transcript: &str, program: &Program, recorded_at: &str, files: &str) -> usize {
    let here = |text: &str| match recorded_at {
        "" => text.to_owned(),
        recorded_at => text.replace(recorded_at, files),
    };
    let writer = UnixStream::connect(program.socket()).unwrap_or_else(|error| panic!("connect: {error}"));
    let _ = writer.set_read_timeout(Some(PATIENCE));
    let reader = writer.try_clone().unwrap_or_else(|error| panic!("clone: {error}"));
    let mut replies = BufReader::new(reader).lines();
    let next = || match replies.next() {
        Some(Ok(line)) => line.trim_end_matches('\r').to_owned(),
        other => panic!("no reply: {other:?}"),
    };
    exchange(transcript, writer, next, here)
}

/// The same with a program that has these arguments and `-qmp stdio`, and no other chardev; it is asked to quit at the end.
///
/// # Panics
/// If any reply differs, with all that do, or if the program does not quit.
#[must_use]
pub fn replay_on_stdio(transcript: &str, arguments: &[&str]) -> usize {
    let child = Command::new(binary())
        .args(arguments)
        .args(["-nodefaults", "-display", "none", "-qmp", "stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("the program does not start: {error}"));
    let mut child = Mortal::new(child);
    let (mut writer, replies) = (child.stdin(), child.lines());
    let next = || replies.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no reply: {error}"));
    let compared = exchange(transcript, &mut writer, next, str::to_owned);
    writeln!(writer, "{{\"execute\": \"quit\"}}").unwrap_or_else(|error| panic!("send: {error}"));
    assert_eq!(child.wait(), Some(0));
    compared
}
