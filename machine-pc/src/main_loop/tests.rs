//! The loop with real sockets and clients in threads.

use std::fs::File;
use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use qmp::{Commands, Error, EventType, KvmInfo, RunState};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::*;
use crate::chardev::spec::{ChardevBackend, SocketAddress, SocketSpec};

/// A machine that only knows whether it runs.
#[derive(Debug)]
struct Machine {
    events: qmp::EventSender,
    running: bool,
    ending: bool,
}

impl RunControl for Machine {
    fn state(&self) -> RunState {
        if self.running { RunState::Running } else { RunState::Paused }
    }
    fn stop(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.running) {
            self.events.emit(&qmp::events::Stop);
        }
        Ok(())
    }
    fn cont(&mut self) -> Result<(), Error> {
        if !std::mem::replace(&mut self.running, true) {
            self.events.emit(&qmp::events::Resume);
        }
        Ok(())
    }
    fn reset(&mut self, _: ShutdownCause) {}
    fn powerdown(&mut self) {}
    fn shutdown(&mut self, cause: ShutdownCause) {
        self.ending = true;
        self.events.emit(&qmp::events::Shutdown::new(cause));
    }
    fn is_shutting_down(&self) -> bool {
        self.ending
    }
    fn kvm(&self) -> KvmInfo {
        KvmInfo { enabled: false, present: true }
    }
}

pub(super) fn context() -> Context {
    let types = qom::Bootstrap::empty();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    let mut context = Context::new(qom, Commands::linked().unwrap());
    let machine = Machine { events: context.events().clone(), running: true, ending: false };
    context.insert::<Box<dyn RunControl>>(Box::new(machine));
    context
}

fn socket(id: &str, path: &Path, wait: bool) -> ChardevSpec {
    let address = SocketAddress::Unix { path: path.to_owned(), is_abstract: false, tight: true };
    let socket = SocketSpec { address, server: true, wait, reconnect_ms: 0, nodelay: false, telnet: false };
    ChardevSpec { id: id.to_owned(), backend: ChardevBackend::Socket(socket), mux: false, logfile: None }
}

fn monitor(chardev: &str, mode: MonitorMode) -> MonitorSpec {
    MonitorSpec { id: None, chardev: chardev.to_owned(), mode }
}

const QMP: MonitorMode = MonitorMode::Control { pretty: false };

struct Fixture {
    dir: tempfile::TempDir,
    main_loop: MainLoop,
}

impl Fixture {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), main_loop: MainLoop::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn qmp(&mut self, name: &str) -> PathBuf {
        let path = self.path(name);
        self.main_loop.add_chardev(&socket(name, &path, false)).unwrap();
        self.main_loop.add_monitor(&monitor(name, QMP)).unwrap();
        path
    }

    /// Runs the loop while `client` does its part in another thread; ends when the client has.
    fn run<R: Send>(mut self, client: impl FnOnce(Handle) -> R + Send) -> R {
        let mut context = context();
        let handle = self.main_loop.handle();
        thread::scope(|scope| {
            let client = scope.spawn({
                let ending = StopOnDrop(handle.clone());
                move || {
                    let result = client(handle);
                    drop(ending);
                    result
                }
            });
            self.main_loop.run(&mut context).unwrap();
            drop(self.main_loop);
            client.join().unwrap()
        })
    }
}

/// Ends the loop also when the client's part panics.
struct StopOnDrop(Handle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut client = Self { reader: BufReader::new(stream) };
        assert!(client.line().starts_with(r#"{"QMP": {"version": {"qemu": "#));
        client
    }

    fn negotiated(path: &Path) -> Self {
        let mut client = Self::connect(path);
        assert_eq!(client.ask(r#"{"execute": "qmp_capabilities"}"#), r#"{"return": {}}"#);
        client
    }

    fn send(&mut self, text: &str) {
        self.reader.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Sends a request with a descriptor, and reads its answer.
    fn pass(&mut self, descriptor: impl AsFd, request: &str) -> String {
        let descriptors = [descriptor.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let bytes = [IoSlice::new(request.as_bytes())];
        sendmsg(self.reader.get_ref(), &bytes, &mut control, SendFlags::empty()).unwrap();
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.strip_suffix("\r\n").unwrap().to_owned()
    }

    fn ask(&mut self, request: &str) -> String {
        self.send(request);
        self.line()
    }
}

#[test]
fn requests_are_answered_and_a_client_may_come_back() {
    let mut fixture = Fixture::new();
    let path = fixture.qmp("qmp");
    fixture.run(|_| {
        let mut first = Client::negotiated(&path);
        assert_eq!(
            first.ask("{'execute': 'query-kvm'}"),
            r#"{"return": {"enabled": false, "present": true}}"#
        );
        // The second client waits until the first has gone, and begins anew.
        let waiting = thread::spawn({
            let path = path.clone();
            move || Client::negotiated(&path).ask("{'execute': 'query-kvm', 'id': 2}")
        });
        thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        first.send("{'execute': 'query-k");
        drop(first);
        assert!(waiting.join().unwrap().ends_with(r#""id": 2}"#));
    });
}

#[test]
fn events_reach_every_session_and_come_before_the_reply() {
    let mut fixture = Fixture::new();
    let (a, b) = (fixture.qmp("a"), fixture.qmp("b"));
    fixture.run(|handle| {
        let mut silent = Client::connect(&b);
        let mut client = Client::negotiated(&a);
        assert!(client.ask("{'execute': 'stop'}").ends_with(r#""event": "STOP"}"#));
        assert_eq!(client.line(), r#"{"return": {}}"#);
        // A session that has not negotiated gets none.
        assert_eq!(silent.ask("{'execute': 'qmp_capabilities'}"), r#"{"return": {}}"#);
        assert!(client.ask("{'execute': 'cont'}").ends_with(r#""event": "RESUME"}"#));
        assert!(silent.line().ends_with(r#""event": "RESUME"}"#));
        assert_eq!(client.line(), r#"{"return": {}}"#);
        // From another thread, both by a posted request and directly.
        handle.post(|context| context.events().emit(&qmp::events::Powerdown));
        for session in [&mut client, &mut silent] {
            assert!(session.line().ends_with(r#""event": "POWERDOWN"}"#));
        }
    });
}

#[derive(serde::Serialize, qmp::QapiType)]
struct Tick;

impl EventType for Tick {
    const NAME: &'static str = "X_TICK";
}

#[test]
fn an_event_of_another_thread_wakes_the_loop() {
    let mut fixture = Fixture::new();
    let path = fixture.qmp("qmp");
    fixture.run(|handle| {
        let mut client = Client::negotiated(&path);
        let (sender, received) = std::sync::mpsc::channel();
        handle.post(move |context| sender.send(context.events().clone()).unwrap());
        let events = received.recv().unwrap();
        events.emit(&Tick);
        assert!(client.line().ends_with(r#""event": "X_TICK"}"#));
    });
}

#[test]
fn a_client_that_does_not_read_stops_being_served_and_harms_nobody() {
    let mut fixture = Fixture::new();
    let (a, b) = (fixture.qmp("a"), fixture.qmp("b"));
    fixture.run(|_| {
        let mut deaf = Client::negotiated(&a);
        deaf.reader.get_mut().set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let requests = "{'execute': 'query-commands'}".repeat(1000);
        let mut sent = 0;
        while deaf.reader.get_mut().write_all(requests.as_bytes()).is_ok() {
            sent += 1;
            assert!(sent < 1000, "the session takes requests without end");
        }
        let mut other = Client::negotiated(&b);
        let begun = Instant::now();
        other.ask("{'execute': 'query-kvm'}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        // When it reads at last, everything is there, whole and in order.
        for _ in 0..sent * 1000 {
            assert!(deaf.line().starts_with(r#"{"return": ["#));
        }
    });
}

#[test]
fn quit_is_answered_and_ends_the_loop() {
    let mut fixture = Fixture::new();
    let path = fixture.qmp("qmp");
    let socket_file = path.clone();
    fixture.run(move |_| {
        let mut client = Client::negotiated(&path);
        assert!(client.ask("{'execute': 'quit'}{'execute': 'query-kvm'}").contains("host-qmp-quit"));
        assert_eq!(client.line(), r#"{"return": {}}"#);
        let mut rest = String::new();
        client.reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    });
    assert!(!socket_file.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_file_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let stale = dir.path().join("stale");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let mut main_loop = MainLoop::new().unwrap();
    main_loop.add_chardev(&socket("a", &stale, false)).unwrap();
    assert_eq!(main_loop.chardevs()[0].filename, format!("disconnected:unix:{},server=on", stale.display()));
    let file = dir.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let error = main_loop.add_chardev(&socket("b", &file, false)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Failed to bind socket to {}: Address already in use", file.display())
    );
    let error = main_loop.add_chardev(&socket("c", &dir.path().join("no/dir"), false)).unwrap_err();
    assert!(error.to_string().ends_with("no/dir: No such file or directory"), "{error}");
    assert!(matches!(main_loop.add_chardev(&socket("a", &stale, false)), Err(OpenError::Duplicate(_))));
    assert!(matches!(main_loop.add_monitor(&monitor("x", QMP)), Err(OpenError::NotFound(_))));
    main_loop.add_monitor(&monitor("a", QMP)).unwrap();
    assert!(matches!(main_loop.add_monitor(&monitor("a", QMP)), Err(OpenError::InUse(_))));
    assert!(stale.exists());
    drop(main_loop);
    assert!(!stale.exists());
    assert!(file.exists());
}

#[test]
fn the_start_waits_for_the_first_client() {
    let mut fixture = Fixture::new();
    let path = fixture.path("qmp");
    fixture.main_loop.add_chardev(&socket("qmp", &path, true)).unwrap();
    fixture.main_loop.add_monitor(&monitor("qmp", QMP)).unwrap();
    let client = thread::spawn({
        let path = path.clone();
        move || {
            thread::sleep(Duration::from_millis(50));
            Client::negotiated(&path)
        }
    });
    let mut announced = Vec::new();
    let begun = Instant::now();
    fixture.main_loop.wait_for_clients(|name| announced.push(name.to_owned())).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!(announced, [format!("disconnected:unix:{},server=on", path.display())]);
    fixture.run(move |_| {
        let mut client = client.join().unwrap();
        client.ask("{'execute': 'query-kvm'}");
    });
}

#[test]
fn a_console_on_a_socket_goes_both_ways() {
    let mut fixture = Fixture::new();
    let path = fixture.path("serial");
    fixture.main_loop.add_chardev(&socket("serial0", &path, false)).unwrap();
    let received = Arc::new(Mutex::new(Vec::new()));
    let to = received.clone();
    // A port with room for two bytes at a time.
    let input: ConsoleInput = Box::new(move |bytes| {
        let taken = bytes.len().min(2);
        to.lock().unwrap().extend_from_slice(&bytes[..taken]);
        taken
    });
    let mut sink = fixture.main_loop.add_console("serial0", input).unwrap();
    sink.write_all(b"lost, nobody listens").unwrap();
    fixture.run(move |handle| {
        thread::sleep(Duration::from_millis(50));
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // When input arrives, the client is known.
        stream.write_all(b"hello").unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while received.lock().unwrap().len() < 5 && Instant::now() < end {
            handle.console_has_room();
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(*received.lock().unwrap(), b"hello");
        sink.write_all(b"CPU 1 up\r\n").unwrap();
        let mut line = [0; 10];
        stream.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"CPU 1 up\r\n");
    });
}

#[test]
fn a_shared_chardev_keeps_lines_whole_and_moves_its_focus() {
    let mut fixture = Fixture::new();
    let path = fixture.path("mux");
    let mut spec = socket("mux", &path, false);
    spec.mux = true;
    fixture.main_loop.add_chardev(&spec).unwrap();
    let received = Arc::new(Mutex::new(Vec::new()));
    let to = received.clone();
    let input: ConsoleInput = Box::new(move |bytes| {
        to.lock().unwrap().extend_from_slice(bytes);
        bytes.len()
    });
    let mut sink = fixture.main_loop.add_console("mux", input).unwrap();
    fixture.main_loop.add_monitor(&monitor("mux", MonitorMode::Readline)).unwrap();
    fixture.run(move |_| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut until = |end: &str, send: &[u8]| {
            stream.write_all(send).unwrap();
            let mut text = String::new();
            while !text.ends_with(end) {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                text.push(char::from(byte[0]));
            }
            text
        };
        assert!(until("(qemu) ", b"").ends_with("monitor - type 'help' for more information\r\n(qemu) "));
        assert_eq!(until("(qemu) ", b"info kvm\n"), "info kvm\r\nkvm support: disabled\r\n(qemu) ");
        sink.write_all(b"CPU 1").unwrap();
        sink.write_all(b" up\nCP").unwrap();
        assert_eq!(until("(qemu) ", b""), "\r\nCPU 1 up\n(qemu) ");
        // A line that does not end comes all the same.
        assert_eq!(until("(qemu) ", b""), "\r\nCP\r\n(qemu) ");
        // The focus moves to the console: its output is not touched, and it gets the input.
        until("C-a C-a  sends C-a\r\n", b"\x01c\x01h");
        sink.write_all(b"login: ").unwrap();
        assert_eq!(until("login: ", b"ro\x01\x01ot\n"), "login: ");
        let end = Instant::now() + Duration::from_secs(10);
        while received.lock().unwrap().len() < 6 && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(*received.lock().unwrap(), b"ro\x01ot\n");
        assert_eq!(until("(qemu) ", b"\x01cinfo kvm\n"), "info kvm\r\nkvm support: disabled\r\n(qemu) ");
    });
}

#[test]
fn a_telnet_client_is_greeted_and_its_commands_are_no_input() {
    let mut fixture = Fixture::new();
    let path = fixture.path("telnet");
    let mut spec = socket("telnet", &path, false);
    if let ChardevBackend::Socket(socket) = &mut spec.backend {
        socket.telnet = true;
    }
    fixture.main_loop.add_chardev(&spec).unwrap();
    fixture.main_loop.add_monitor(&monitor("telnet", QMP)).unwrap();
    fixture.run(move |_| {
        // Each client anew.
        for _ in 0..2 {
            let mut stream = UnixStream::connect(&path).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut greeting = [0; 12];
            stream.read_exact(&mut greeting).unwrap();
            // As QEMU 11.1.2 greets.
            assert_eq!(greeting, *b"\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00");
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            assert!(lines.next().unwrap().unwrap().starts_with(r#"{"QMP""#));
            // A command that comes alone is not the end of input, and one may come in pieces.
            stream.write_all(b"\xff\xfd\x03").unwrap();
            stream.write_all(b"{'execute': \xff\xfb").unwrap();
            thread::sleep(Duration::from_millis(20));
            stream.write_all(b"\x01'qmp_capabilities'}\xff\xf3\n").unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), r#"{"return": {}}"#);
        }
    });
}

/// The answers are those of QEMU 11.1.2 to the same, but for the numbers of descriptors.
#[test]
fn descriptors_come_over_a_unix_socket() {
    let mut fixture = Fixture::new();
    let (path, other) = (fixture.qmp("qmp"), fixture.qmp("other"));
    fixture.run(move |_| {
        let (mut client, mut other) = (Client::negotiated(&path), Client::negotiated(&other));
        let none =
            r#"{"error": {"class": "GenericError", "desc": "No file descriptor supplied via SCM_RIGHTS"}}"#;
        assert_eq!(client.ask("{'execute': 'add-fd'}"), none);
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();

        // Only the monitor that it came over has it, and a name takes it.
        client.pass(&theirs, "{'execute': 'query-kvm'}");
        let get = "{'execute': 'getfd', 'arguments': {'fdname': 's'}}";
        assert_eq!(other.ask(get), none);
        assert_eq!(client.ask(get), r#"{"return": {}}"#);
        assert_eq!(client.ask(get), none);
        let close = "{'execute': 'closefd', 'arguments': {'fdname': 's'}}";
        let unknown =
            r#"{"error": {"class": "GenericError", "desc": "File descriptor named 's' not found"}}"#;
        assert_eq!(other.ask(close), unknown);
        assert_eq!(client.ask(close), r#"{"return": {}}"#);
        assert_eq!(client.ask(close), unknown);
        // It was closed: nobody else has it once ours is.
        drop(theirs);
        assert_eq!((&ours).read(&mut [0]).unwrap(), 0);

        client.pass(&file, "{'execute': 'query-kvm'}");
        assert!(
            client
                .ask("{'execute': 'getfd', 'arguments': {'fdname': '1a'}}")
                .contains("Parameter 'fdname' expects a name not starting with a digit")
        );
        // Sets belong to the process; this one to no other test.
        let add = "{'execute': 'add-fd', 'arguments': {'fdset-id': 4711, 'opaque': 'o'}}";
        assert!(client.pass(&file, add).ends_with(r#", "fdset-id": 4711}}"#));
        assert!(other.ask("{'execute': 'query-fdsets'}").contains(r#""opaque": "o"}], "fdset-id": 4711}"#));
        let remove = "{'execute': 'remove-fd', 'arguments': {'fdset-id': 4711}}";
        assert_eq!(other.ask(remove), r#"{"return": {}}"#);
        assert!(other.ask(remove).contains("File descriptor named 'fdset-id:4711' not found"));
        assert!(
            client
                .pass(&file, "{'execute': 'add-fd', 'arguments': {'fdset-id': -1}}")
                .contains("Parameter 'fdset-id' expects a non-negative value")
        );

        // A client that goes takes along what it passed.
        client.pass(&file, "{'execute': 'query-kvm'}");
        drop(client);
        assert_eq!(Client::negotiated(&path).ask("{'execute': 'add-fd'}"), none);
    });
}

#[test]
fn another_key_begins_a_command_to_a_shared_chardev() {
    let mut fixture = Fixture::new();
    let path = fixture.path("mux");
    fixture.main_loop.set_escape_key(EscapeKey::from_text("0x14"));
    fixture.main_loop.add_chardev(&ChardevSpec { mux: true, ..socket("mux", &path, false) }).unwrap();
    fixture.main_loop.add_monitor(&monitor("mux", MonitorMode::Readline)).unwrap();
    fixture.run(move |_| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(b"\x14h").unwrap();
        let mut text = String::new();
        while !text.ends_with("C-t C-t  sends C-t\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            text.push(char::from(byte[0]));
        }
    });
}

#[test]
fn a_file_gets_the_consoles_output() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut main_loop = MainLoop::new().unwrap();
    let backend = ChardevBackend::File { path: path.clone(), append: false, input: None };
    let spec = ChardevSpec { id: "f".to_owned(), backend, mux: false, logfile: None };
    main_loop.add_chardev(&spec).unwrap();
    let mut sink = main_loop.add_console("f", Box::new(<[u8]>::len)).unwrap();
    let text = vec![b'x'; 300_000];
    sink.write_all(&text).unwrap();
    main_loop.handle().stop();
    main_loop.run(&mut context()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), text);
}

#[test]
fn a_client_of_ours_connects_to_a_server_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server");
    let mut fixture = Fixture::new();
    let mut spec = socket("out", &path, false);
    if let ChardevBackend::Socket(socket) = &mut spec.backend {
        socket.server = false;
    }
    let error = fixture.main_loop.add_chardev(&spec).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Failed to connect to '{}': No such file or directory", path.display())
    );
    if let ChardevBackend::Socket(socket) = &mut spec.backend {
        socket.reconnect_ms = 10;
    }
    fixture.main_loop.add_chardev(&spec).unwrap();
    fixture.main_loop.add_monitor(&monitor("out", QMP)).unwrap();
    fixture.run(|_| {
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        for _ in 0..2 {
            let (stream, _) = listener.accept().unwrap();
            let mut greeting = String::new();
            BufReader::new(stream).read_line(&mut greeting).unwrap();
            assert!(greeting.starts_with(r#"{"QMP""#));
        }
    });
}

/// What is posted for later is done in the order of its times, not before them, and not if it was taken back.
#[test]
fn what_is_posted_for_later_is_done_in_time() {
    let mut main_loop = MainLoop::new().unwrap();
    let handle = main_loop.handle();
    let done: Arc<Mutex<Vec<(&str, Duration)>>> = Arc::default();
    let start = Instant::now();
    let note = |name| {
        let done = done.clone();
        move |_: &mut Context| done.lock().unwrap().push((name, start.elapsed()))
    };
    let _ = handle.post_after(Duration::from_millis(60), note("late"));
    let never = handle.post_after(Duration::from_millis(5), note("never"));
    let poster = handle.clone();
    let soon = note("soon");
    // From another thread, and earlier than what the loop waits for by then.
    let other = thread::spawn(move || poster.post_after(Duration::from_millis(20), soon));
    handle.cancel(never);
    let stop = handle.clone();
    let _ = handle.post_after(Duration::from_millis(80), move |_| stop.stop());
    main_loop.run(&mut context()).unwrap();
    handle.cancel(other.join().unwrap());
    let done = done.lock().unwrap();
    assert_eq!(done.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["soon", "late"]);
    assert!(done[0].1 >= Duration::from_millis(20) && done[1].1 >= Duration::from_millis(60), "{done:?}");
}
