//! Clients that do not behave, over real sockets: what they get, and that nobody else notices.
//!
//! The limits are those of `docs/limits.md`. QEMU 11.1 was given the same: its texts are the ones expected here. Only of the string of 64 MiB
//! nobody waited for its answer, which had not come after twenty minutes.

#![expect(clippy::unwrap_used, reason = "in a test, what is not as expected fails it")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use qmp::client::{Client, Config};
use qmp::commands::{DeviceDel, QomGet, device_del, qom_get, query_status};
use qmp::events::DeviceDeleted;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{PATIENCE, Program, binary};

const NEGOTIATE: &[u8] = br#"{"execute": "qmp_capabilities"}"#;
const LAST: &[u8] = b"\xff\n{\"execute\": \"query-status\", \"id\": \"last\"}";

/// A program with a second monitor, whose session shows that others go on.
struct Party {
    program: Program,
    other: Client,
    _directory: TempDir,
}

impl Party {
    fn new(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("other");
        let monitor = format!("unix:{},server=on,wait=off", path.display());
        let arguments = [&["-accel", "tcg", "-smp", "1,maxcpus=4", "-qmp", &monitor], arguments].concat();
        let program = Program::start(&arguments);
        let other = Client::unix(&path, Config::default()).unwrap();
        Self { program, other, _directory: directory }
    }

    /// A connection that has negotiated, and what reads from it.
    fn raw(&self) -> (UnixStream, BufReader<UnixStream>) {
        let mut socket = UnixStream::connect(self.program.socket()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        socket.write_all(NEGOTIATE).unwrap();
        for expected in ["QMP", "return"] {
            assert!(line(&mut reader).get(expected).is_some());
        }
        (socket, reader)
    }

    /// A figure of `/proc/PID/status` in KiB.
    fn memory(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn others_go_on(&mut self) {
        assert!(self.other.execute(query_status, &()).unwrap().running);
    }

    /// Sends bytes, and then a request; returns the errors that come before its reply. Meanwhile the other session is served.
    fn send(&mut self, pieces: &[&[u8]]) -> Vec<String> {
        let (mut socket, mut reader) = self.raw();
        let mut errors = Vec::new();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let sender = scope.spawn(|| {
                pieces
                    .iter()
                    .try_for_each(|piece| socket.write_all(piece))
                    .and_then(|()| socket.write_all(LAST))
            });
            let receiver = scope.spawn(|| {
                loop {
                    let mut reply = line(&mut reader);
                    if reply["id"] == "last" {
                        is_over.store(true, Ordering::Relaxed);
                        return assert!(reply.get("return").is_some(), "{reply}");
                    }
                    assert_eq!(reply["error"]["class"], "GenericError", "{reply}");
                    let Value::String(desc) = reply["error"]["desc"].take() else { panic!("{reply}") };
                    errors.push(desc);
                }
            });
            while !is_over.load(Ordering::Relaxed) && !receiver.is_finished() {
                self.others_go_on();
            }
            sender.join().unwrap().unwrap();
        });
        errors
    }
}

fn line(reader: &mut impl BufRead) -> Value {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.ends_with("\r\n"), "{line:?}");
    serde_json::from_str(&line).unwrap()
}

fn slot(id: &str) -> Value {
    json!({"driver": "qemu64-x86_64-cpu", "id": id, "socket-id": 0, "core-id": 1, "thread-id": 0})
}

fn cpus(client: &mut Client) -> usize {
    client.call::<Vec<Value>>("query-cpus-fast", &()).unwrap().len()
}

/// What a program may grow by besides what a limit allows, in KiB.
const SLACK: usize = 8 << 10;

#[test]
fn garbage() {
    let mut party = Party::new(&[]);
    let mut state = 1_u64;
    let garbage: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(1 << 20)
    .collect();
    let before = party.memory("VmRSS");
    let errors = party.send(&[&garbage]);
    assert!(errors.len() > 100_000, "{}", errors.len());
    // Now and then it is a number or an empty object, which are no requests.
    let expected = |error: &str| error.contains("JSON parse error, ") || error.starts_with("QMP input ");
    assert_eq!(errors.iter().find(|error| !expected(error)), None);
    assert!(party.memory("VmHWM") < before + SLACK);
}

#[test]
fn a_string_of_64_mebibytes() {
    let mut party = Party::new(&[]);
    let before = party.memory("VmRSS");
    let string = vec![b'x'; 64 << 20];
    let errors = party.send(&[br#"{"execute": ""#, &string, br#""}"#]);
    assert_eq!(errors[0], "JSON token size limit exceeded");
    // The rest of the string is read as what it is outside of one.
    assert!(errors.iter().all(|error| !error.contains("xxxxxxxx")), "{errors:?}");
    assert!(party.memory("VmRSS") < before + SLACK, "it is given back");
    // A buffer that grows is twice as long as what it holds.
    assert!(party.memory("VmHWM") < before + (128 << 10) + SLACK);
}

#[test]
fn a_nesting_of_100_000() {
    let mut party = Party::new(&[]);
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let errors = party.send(&[open.repeat(100_000).as_bytes(), b"1", close.repeat(100_000).as_bytes()]);
        assert_eq!(errors[0], "JSON nesting depth limit exceeded");
        // One for it, and one for the byte that ends whatever it was.
        assert!(errors.len() <= 2, "{errors:?}");
    }
    let errors = party.send(&[b"[", "1,".repeat(2 << 20).as_bytes(), b"1]"]);
    assert_eq!(errors[0], "JSON token count limit exceeded");
}

#[test]
fn half_a_request() {
    let mut party = Party::new(&[]);
    let (mut socket, _) = party.raw();
    socket.write_all(br#"{"execute": "sto"#).unwrap();
    (0..100).for_each(|_| party.others_go_on());
    drop(socket);
    // The next client begins anew.
    assert_eq!(party.send(&[]), ["1:32: JSON parse error, stray '\u{fffd}'"]);
}

#[test]
fn requests_without_end() {
    let mut party = Party::new(&[]);
    let (mut socket, reader) = party.raw();
    let (replies, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let counter = replies.clone();
    let receiver = thread::spawn(move || {
        for reply in reader.lines() {
            assert!(reply.unwrap().contains("return"));
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let over = is_over.clone();
    let sender = thread::spawn(move || {
        let requests = br#"{"execute": "query-status"}"#.repeat(100);
        while !over.load(Ordering::Relaxed) {
            socket.write_all(&requests).unwrap();
        }
        socket.shutdown(std::net::Shutdown::Both).unwrap();
    });
    // Each gets its turn while the other has more to ask.
    for _ in 0..10 {
        let before = replies.load(Ordering::Relaxed);
        (0..5).for_each(|_| party.others_go_on());
        let start = Instant::now();
        while replies.load(Ordering::Relaxed) == before {
            assert!(start.elapsed() < PATIENCE, "the one that asks without end is not answered");
            thread::yield_now();
        }
    }
    is_over.store(true, Ordering::Relaxed);
    sender.join().unwrap();
    receiver.join().unwrap();
    party.others_go_on();
}

#[test]
fn a_thousand_connections_one_after_the_other() {
    let mut party = Party::new(&[]);
    let _ = party.raw();
    let before = (party.program.proc_count("fd"), party.memory("VmRSS"));
    for number in 0..1000 {
        let mut socket = UnixStream::connect(party.program.socket()).unwrap();
        // Some go without a word, some after the greeting, some in the middle of a request.
        if number % 3 > 0 {
            socket.read_exact(&mut [0; 20]).unwrap();
        }
        if number % 3 > 1 {
            socket.write_all(&NEGOTIATE[..10]).unwrap();
        }
    }
    assert!(party.send(&[]).len() <= 1);
    party.others_go_on();
    let start = Instant::now();
    while party.program.proc_count("fd") > before.0 {
        assert!(start.elapsed() < PATIENCE, "descriptors are left over");
    }
    assert!(party.memory("VmRSS") < before.1 + SLACK);
}

#[test]
fn a_thousand_connections_at_once() {
    let mut party = Party::new(&[]);
    let first = party.raw();
    let descriptors = party.program.proc_count("fd");
    let address = SocketAddrUnix::new(party.program.socket()).unwrap();
    let mut waiting = Vec::new();
    let mut refused = 0;
    for _ in 0..1000 {
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None);
        let socket = socket.unwrap();
        match rustix::net::connect(&socket, &address) {
            Ok(()) => waiting.push(socket),
            Err(rustix::io::Errno::AGAIN) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    // A listening socket has one client at a time. The others wait in the kernel's queue, where there is room for two.
    assert_eq!((waiting.len(), refused), (2, 998));
    assert_eq!(party.program.proc_count("fd"), descriptors);
    party.others_go_on();
    drop(first);
    drop(waiting);
    assert!(party.send(&[]).len() <= 1);
}

#[test]
fn a_reader_of_no_replies() {
    let mut party = Party::new(&[]);
    let before = party.memory("VmRSS");
    let (mut socket, mut reader) = party.raw();
    socket.set_nonblocking(true).unwrap();
    // As much as it takes; when it has long taken nothing, it is full.
    let request = br#"{"execute": "query-qmp-schema"}"#;
    let (mut sent, mut last) = (0_usize, Instant::now());
    while last.elapsed() < Duration::from_millis(500) {
        match socket.write(&request[sent % request.len()..]) {
            Ok(count) => (sent, last) = (sent + count, Instant::now()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => party.others_go_on(),
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 64 << 20, "it stops reading");
    }
    // Some hundred requests fit into the socket, each with a reply of tens of kilobytes: without an end to reading, far more than the mark.
    assert!(sent / request.len() * 10_000 > 4 * qmp::session::HIGH_WATER, "{sent}");
    // One reply may go beyond the mark where no further request is taken.
    assert!(party.memory("VmRSS") < before + (qmp::session::HIGH_WATER >> 10) + SLACK);
    socket.set_nonblocking(false).unwrap();
    assert!(line(&mut reader)["return"].is_array(), "what it was sent is whole");
    party.others_go_on();
}

#[test]
fn a_reader_of_no_events() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deaf");
    let mut party = Party::new(&["-qmp", &format!("unix:{},server=on,wait=off", path.display())]);
    let mut deaf = UnixStream::connect(&path).unwrap();
    deaf.set_read_timeout(Some(PATIENCE)).unwrap();
    deaf.write_all(NEGOTIATE).unwrap();
    let before = party.memory("VmRSS");
    let rounds = 40_000;
    let (mut socket, mut reader) = party.raw();
    let sender = thread::spawn(move || {
        let commands = br#"{"execute": "stop"}{"execute": "cont"}"#.repeat(100);
        (0..rounds / 100).for_each(|_| socket.write_all(&commands).unwrap());
        socket
    });
    // Each command has a reply and an event.
    (0..4 * rounds).for_each(|_| assert!(reader.read_until(b'\n', &mut Vec::new()).unwrap() > 0));
    sender.join().unwrap();
    let grown = party.memory("VmRSS").saturating_sub(before);
    assert!(grown < (qmp::session::EVENT_LIMIT >> 10) + SLACK, "{grown} KiB");
    party.others_go_on();
    // What it gets when it reads at last is whole, and it is served again.
    deaf.write_all(br#"{"execute": "query-status", "id": 7}"#).unwrap();
    let mut reader = BufReader::new(deaf);
    let mut events = 0;
    loop {
        let message = line(&mut reader);
        events += usize::from(message.get("event").is_some());
        if message["id"] == 7 {
            break;
        }
    }
    assert!((1000..2 * rounds).contains(&events), "{events} of {}", 2 * rounds);
}

#[test]
fn two_clients_want_one_slot() {
    let mut party = Party::new(&[]);
    for _ in 0..20 {
        let barrier = Barrier::new(2);
        let mut mine = party.program.client(Config::default()).unwrap();
        let plug = |client: &mut Client, id: &str| {
            barrier.wait();
            client.call::<Value>("device_add", &slot(id)).map_err(|error| error.to_string())
        };
        let outcomes = {
            let plug = &plug;
            thread::scope(|scope| {
                let one = scope.spawn(|| plug(&mut mine, "one"));
                let two = plug(&mut party.other, "two");
                [one.join().unwrap(), two]
            })
        };
        let refusals: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert_eq!(refusals, ["CPU[1] with APIC ID 1 exists"], "{outcomes:?}");
        assert_eq!(cpus(&mut party.other), 2);
        let winner = if outcomes[0].is_ok() { "one" } else { "two" };
        party.other.execute(device_del, &DeviceDel { id: winner.to_owned() }).unwrap();
        let deleted: DeviceDeleted = party.other.wait(PATIENCE).unwrap();
        assert_eq!(deleted.device.as_deref(), Some(winner));
        assert_eq!(cpus(&mut party.other), 1);
    }
}

#[test]
fn a_client_that_is_gone_before_the_reply() {
    let mut party = Party::new(&[]);
    for round in 0..20 {
        let (mut socket, _) = party.raw();
        let request = json!({"execute": "device_add", "arguments": slot("cpu1")}).to_string();
        // Half a request does nothing.
        let sent = if round % 2 == 0 { request.len() } else { request.len() / 2 };
        socket.write_all(&request.as_bytes()[..sent]).unwrap();
        drop(socket);
        if round % 2 == 1 {
            // The next client is served when the one before has been seen off.
            drop(party.raw());
            assert_eq!(cpus(&mut party.other), 1);
            continue;
        }
        let start = Instant::now();
        while cpus(&mut party.other) < 2 {
            assert!(start.elapsed() < PATIENCE, "the CPU does not come");
        }
        let realized =
            QomGet { path: "/machine/peripheral/cpu1".to_owned(), property: "realized".to_owned() };
        assert_eq!(party.other.execute(qom_get, &realized).unwrap(), true);
        party.other.execute(device_del, &DeviceDel { id: "cpu1".to_owned() }).unwrap();
        party.other.wait::<DeviceDeleted>(PATIENCE).unwrap();
    }
}

/// Starts the program with a mask of rights.
fn with_umask(mask: &str, socket: &Path) -> std::process::Child {
    Command::new("sh")
        .args(["-c", &format!("umask {mask} && exec \"$0\" \"$@\"")])
        .arg(binary())
        .args(["-M", "none", "-accel", "tcg", "-nodefaults", "-display", "none", "-qmp"])
        .arg(format!("unix:{},server=on,wait=off", socket.display()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_unix_socket_has_the_rights_of_the_umask_and_goes_with_the_program() {
    let directory = tempfile::tempdir().unwrap();
    for (mask, rights) in [("022", 0o755), ("077", 0o700), ("027", 0o750)] {
        let path: PathBuf = directory.path().join(mask);
        let mut child = with_umask(mask, &path);
        let start = Instant::now();
        let mut client = loop {
            match Client::unix(&path, Config::default()) {
                Ok(client) => break client,
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, rights);
        client.call::<Value>("quit", &()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(!path.exists(), "{} is left over", path.display());
    }
}

#[test]
fn a_monitor_on_tcp_is_warned_of() {
    let address = "tcp:127.0.0.1:0,server=on,wait=off";
    for (monitor, warned) in [("-qmp", true), ("-monitor", true), ("-serial", false)] {
        let line = ["-accel", "tcg", "-nodefaults", "-display", "none", "-S", monitor, address];
        let input = "{\"execute\": \"qmp_capabilities\"} {\"execute\": \"quit\"}";
        let finished = tests::run_with_input(&[&line[..], &["-qmp", "stdio"]].concat(), input);
        let text =
            "warning: monitor on TCP 127.0.0.1:0: whoever can reach that address controls this machine";
        assert_eq!(finished.stderr.contains(text), warned, "{monitor}: {}", finished.stderr);
        assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    }
}
