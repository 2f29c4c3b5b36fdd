//! Character devices and monitors over real sockets, pipes and pseudo-terminals.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tests::{Mortal, PATIENCE, Program, Qmp, run_with_input};

const NONE: &[&str] = &["-M", "none", "-accel", "tcg", "-nodefaults"];

/// A session with the reference, command by command.
#[test]
fn a_recorded_session_gets_the_same_replies() {
    let directory = tempfile::tempdir().expect("a directory");
    // Its files are this session's own.
    let place = format!("{}/", directory.path().display());
    let transcript = include_str!("../transcripts/chardevs.txt").replace("/tmp/", &place);
    let sent: Vec<&str> = transcript.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let expected: Vec<&str> = transcript.lines().filter_map(|line| line.strip_prefix("< ")).collect();
    assert!(sent.len() > 80 && sent.len() == expected.len());
    let input =
        format!("{{\"execute\":\"qmp_capabilities\"}}\n{}\n{{\"execute\":\"quit\"}}\n", sent.join("\n"));
    let arguments = ["-display", "none", "-chardev", "null,id=mx,mux=on", "-qmp", "stdio"];
    let finished = run_with_input(&[NONE, &arguments].concat(), &input);
    let replies = finished.stdout.lines().filter(|line| !line.contains("\"timestamp\"")).skip(2);
    for ((command, expected), reply) in sent.iter().zip(&expected).zip(replies) {
        assert_eq!(reply, *expected, "{command}");
    }
    assert_eq!(finished.status, Some(0), "{finished:?}");
}

/// Requests in a file and answers into another one: neither can be waited for, and both are always ready.
#[test]
fn files_are_a_monitor_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("in"), "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n")
        .expect("a file");
    let mut program = Command::new(tests::binary())
        .args(NONE)
        .args(["-display", "none", "-qmp", "stdio"])
        .stdin(File::open(path("in")).expect("the file"))
        .stdout(File::create(path("out")).expect("a file"))
        .spawn()
        .expect("the program starts");
    let end = std::time::Instant::now() + PATIENCE;
    let status = loop {
        match program.try_wait().expect("its status") {
            Some(status) => break status,
            None if std::time::Instant::now() > end => {
                let _ = program.kill();
                panic!("it answers nothing");
            }
            None => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    };
    assert!(status.success());
    let said = std::fs::read_to_string(path("out")).expect("the answers");
    assert_eq!(said.matches("{\"return\": {}}").count(), 2, "{said}");
}

/// Files that are FIFOs: neither somebody at the other end is waited for, nor input, nor room.
#[test]
fn a_fifo_as_a_file_keeps_nobody_waiting() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    for name in ["empty", "full"] {
        let made = Command::new("mkfifo").arg(path(name)).status().expect("mkfifo");
        assert!(made.success());
    }
    let both = |name: &str| {
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        File::options().read(true).write(true).custom_flags(nonblocking).open(path(name)).expect("a FIFO")
    };
    let mut full = both("full");
    let mut filled = 0;
    while let Ok(count) = full.write(&[b'x'; 4096]) {
        filled += count;
    }
    let chardev = format!("file,id=c,path={},input-path={}", path("full"), path("empty"));
    let device = "isa-serial,id=s,chardev=c,iobase=0x3e0";
    let program = Program::start(&["-accel", "tcg", "-chardev", &chardev, "-device", device]);
    let mut qmp = program.qmp();
    let human = |qmp: &mut Qmp, line: &str| qmp.human(line).trim_end().to_owned();
    assert_eq!(human(&mut qmp, "o /b 0x3e0 0x79"), "");
    assert_eq!(human(&mut qmp, "i /b 0x3e5"), "portb[0x03e5] = 0x60");
    // Whoever comes to write, and goes, and comes.
    for byte in ["0x61", "0x62"] {
        let mut writer = File::options().write(true).open(path("empty")).expect("a FIFO");
        writer.write_all(&[u8::from_str_radix(&byte[2..], 16).expect("a byte")]).expect("a FIFO");
        drop(writer);
        let start = std::time::Instant::now();
        while human(&mut qmp, "i /b 0x3e5") != "portb[0x03e5] = 0x61" {
            assert!(start.elapsed() < PATIENCE, "nothing came");
        }
        assert_eq!(human(&mut qmp, "i /b 0x3e0"), format!("portb[0x03e0] = {byte}"));
    }
    // What was to be written is, when there is room.
    let (start, mut buffer, mut seen) = (std::time::Instant::now(), vec![0; 4096], Vec::new());
    while seen.len() <= filled && start.elapsed() < PATIENCE {
        match full.read(&mut buffer) {
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
    assert_eq!((seen.len(), seen.last()), (filled + 1, Some(&b'y')));
}

/// A program with a terminal of its own, ended when dropped.
struct Running(std::process::Child);

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(tests::binary());
        command.args(["-accel", "tcg", "-display", "none"]).args(arguments);
        let null = Stdio::null;
        Self(command.stdin(null()).stdout(null()).stderr(null()).spawn().expect("the program starts"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn filename(qmp: &mut Qmp, label: &str) -> String {
    let chardevs = qmp.ok("query-chardev", &json!({}));
    let chardev = chardevs.as_array().expect("a list").iter().find(|chardev| chardev["label"] == label);
    chardev.expect("the chardev")["filename"].as_str().expect("text").to_owned()
}

/// A human monitor on a socket: sends a line and reads up to the next prompt.
struct Hmp(UnixStream);

impl Hmp {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the socket is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut hmp = Self(stream);
        assert!(hmp.answer().starts_with("qom-system "), "a banner");
        hmp
    }

    fn answer(&mut self) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(b"(qemu) ") {
            assert_eq!(self.0.read(&mut byte).expect("text"), 1, "{}", String::from_utf8_lossy(&text));
            text.push(byte[0]);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn line(&mut self, text: &str) -> String {
        self.0.write_all(format!("{text}\n").as_bytes()).expect("a socket");
        self.answer()
    }
}

/// Several monitors of both kinds; clients come, go and come back.
#[test]
fn monitors_serve_whoever_comes() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let human = format!("unix:{},server=on,wait=off", at("hmp").display());
    let other = format!("socket,id=c,path={},server=on,wait=off", at("other").display());
    let program = Program::start(
        &[NONE, &["-monitor", &human, "-chardev", &other, "-object", "monitor-qmp,id=m,chardev=c,pretty=on"]]
            .concat(),
    );
    let mut qmp = program.qmp();
    for round in 0..3 {
        let mut hmp = Hmp::connect(&at("hmp"));
        let text = hmp.line("info status");
        assert!(text.contains("VM status: "), "{round}: {text}");
        let text = hmp.line(&format!("chardev-add null,id=n{round}"));
        assert!(!text.contains("Error"), "{text}");
        assert_eq!(filename(&mut qmp, &format!("n{round}")), "null");
        let mut pretty = BufReader::new(UnixStream::connect(at("other")).expect("a socket"));
        let mut line = String::new();
        pretty.read_line(&mut line).expect("a line");
        assert_eq!(line, "{\r\n", "{round}");
        let connected = format!("unix:{},server=on", at("other").display());
        assert_eq!(filename(&mut qmp, "c"), connected);
        drop(pretty);
        drop(hmp);
        // Seen once the loop has noticed that they went.
        let start = std::time::Instant::now();
        while filename(&mut qmp, "c") != format!("disconnected:{connected}") {
            assert!(start.elapsed() < PATIENCE);
        }
    }
    // The first session is not disturbed.
    assert_eq!(qmp.ok("query-status", &json!({}))["status"], "running");
}

/// TCP listens where it is told, and tells both ends of a connection.
#[test]
fn tcp_shows_the_port_that_the_system_chose() {
    let tcp = "socket,id=t,host=127.0.0.1,port=0,server=on,wait=off";
    let program = Program::start(&[NONE, &["-chardev", tcp, "-mon", "chardev=t,mode=control"]].concat());
    let mut qmp = program.qmp();
    let name = filename(&mut qmp, "t");
    let address = name.strip_prefix("disconnected:tcp:").and_then(|name| name.strip_suffix(",server=on"));
    let address = address.unwrap_or_else(|| panic!("{name}")).to_owned();
    assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"), "{address}");
    let client = TcpStream::connect(&address).expect("somebody listens");
    let own = client.local_addr().expect("an address");
    let mut line = String::new();
    BufReader::new(&client).read_line(&mut line).expect("a greeting");
    assert!(line.starts_with("{\"QMP\""), "{line}");
    assert_eq!(filename(&mut qmp, "t"), format!("tcp:{address},server=on <-> {own}"));
}

/// Ctrl-A C moves the keys between the guest's console and the monitor that share a socket.
#[test]
fn a_console_and_a_monitor_share_a_chardev() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let shared = format!("socket,id=s,path={},server=on,wait=off,mux=on", at("s").display());
    let qmp = format!("unix:{},server=on,wait=off", at("qmp").display());
    let mut child =
        Running::start(&["-chardev", &shared, "-serial", "chardev:s", "-monitor", "chardev:s", "-qmp", &qmp]);
    let mut session = Qmp::connect(&at("qmp"));
    assert_eq!(filename(&mut session, "s"), "mux");
    assert!(filename(&mut session, "s-base").starts_with("disconnected:unix:"));
    let mut hmp = Hmp::connect(&at("s"));
    assert!(hmp.line("info version").contains("11.1"));
    // To the console, where the line goes to the guest; then back.
    hmp.0.write_all(b"\x01cinfo status\n\x01c").expect("a socket");
    let text = hmp.line("info version");
    assert!(!text.contains("VM status"), "{text}");
    let _ = session.ok("quit", &json!({}));
    assert_eq!(child.0.wait().expect("an end").code(), Some(0));
}

#[test]
fn a_pipe_is_two_fifos() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    for name in ["p.in", "p.out"] {
        let made = Command::new("mkfifo").arg(at(name)).status().expect("mkfifo");
        assert!(made.success());
    }
    let pipe = format!("pipe:{}", at("p").display());
    let program = Program::start(&[NONE, &["-qmp", &pipe]].concat());
    let mut output = BufReader::new(File::open(at("p.out")).expect("a FIFO"));
    let mut input = File::options().write(true).open(at("p.in")).expect("a FIFO");
    let mut line = String::new();
    output.read_line(&mut line).expect("a greeting");
    assert!(line.starts_with("{\"QMP\""), "{line}");
    input.write_all(b"{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-chardev\"}").expect("a FIFO");
    line.clear();
    output.read_line(&mut line).expect("a reply");
    line.clear();
    output.read_line(&mut line).expect("a reply");
    let reply: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(
        reply["return"]
            .as_array()
            .and_then(|list| list.iter().find(|c| c["filename"] == "pipe"))
            .map(|c| &c["label"]),
        // The fixture's own monitor is the first.
        Some(&json!("compat_monitor1"))
    );
    drop(program);
}

/// What the guest's console wrote is kept in memory and read by a monitor.
#[test]
fn a_console_can_be_moved_while_the_machine_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let qmp = format!("unix:{},server=on,wait=off", at("qmp").display());
    let ring = ["-chardev", "ringbuf,id=r,size=4k", "-serial", "chardev:r"];
    let mut child = Running::start(&[&ring[..], &["-qmp", &qmp]].concat());
    let mut session = Qmp::connect(&at("qmp"));
    assert_eq!(session.error("chardev-remove", &json!({"id": "r"})).1, "Chardev 'r' is busy");
    let file = at("log").display().to_string();
    let backend = json!({"type": "file", "data": {"out": file}});
    assert_eq!(session.ok("chardev-change", &json!({"id": "r", "backend": backend})), json!({}));
    assert_eq!(filename(&mut session, "r"), "file");
    assert_eq!(
        session.error("ringbuf-read", &json!({"device": "r", "size": 1})).1,
        "r is not a ringbuf device"
    );
    let listed = session.ok("qom-list", &json!({"path": "/chardevs"})).to_string();
    assert!(listed.contains("{\"name\":\"r\",\"type\":\"child<chardev-file>\"}"), "{listed}");
    assert!(Path::new(&file).exists());
    let _ = session.ok("quit", &json!({}));
    assert_eq!(child.0.wait().expect("an end").code(), Some(0));
}

#[test]
fn a_new_pseudo_terminal_tells_its_name() {
    let program = Program::start(NONE);
    let mut qmp = program.qmp();
    let added = qmp.ok("chardev-add", &json!({"id": "p", "backend": {"type": "pty", "data": {}}}));
    let name = added["pty"].as_str().expect("a name").to_owned();
    assert_eq!(filename(&mut qmp, "p"), format!("pty:{name}"));
    assert!(Path::new(&name).exists());
    let _ = qmp.ok("chardev-remove", &json!({"id": "p"}));
    assert_eq!(qmp.error("chardev-remove", &json!({"id": "p"})).1, "Chardev 'p' not found");
}

/// A chardev that connects says so once, and goes on trying.
#[test]
fn a_connection_is_tried_until_somebody_listens() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("late");
    let program = Program::start(NONE);
    let mut qmp = program.qmp();
    let data = json!({"addr": {"type": "unix", "data": {"path": path}}, "server": false, "reconnect-ms": 10});
    let backend = json!({"type": "socket", "data": data});
    assert_eq!(qmp.ok("chardev-add", &json!({"id": "s", "backend": backend})), json!({}));
    for _ in 0..2 {
        let listener = UnixListener::bind(&path).expect("a socket");
        let (client, _) = listener.accept().expect("a client");
        drop((client, listener));
        std::fs::remove_file(&path).expect("a socket");
    }
}

/// A monitor that asks about the chardev it is on, which is shared. The texts are the reference's.
#[test]
fn a_shared_chardev_refuses_what_its_own_monitor_asks_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("shared");
    let chardev = format!("socket,id=m,mux=on,server=on,wait=off,path={}", socket.display());
    let other = "isa-debugcon,id=d,chardev=n,iobase=0x200";
    let mut words =
        vec!["-accel", "tcg", "-chardev", &chardev, "-mon", "m", "-chardev", "null,id=n", "-device", other];
    let devices = [1, 2, 3].map(|at| format!("isa-debugcon,chardev=m,iobase={:#x}", 0x200 + at));
    words.extend(devices.iter().flat_map(|device| ["-device", device]));
    let _program = Program::start(&words);
    let mut hmp = Hmp::connect(&socket);
    // Devices come after monitors, and the last has the keys.
    hmp.0.write_all(b"\x01c").expect("a socket");
    for (line, answer) in [
        ("chardev-change m null", "Error: For mux or hub device hotswap is not supported yet"),
        ("chardev-remove m", "Error: Chardev 'm' is busy"),
        ("qom-set d realized off", ""),
        (
            "qom-set d chardev m",
            "Error: Property 'isa-debugcon.chardev' can't take value 'm': too many uses of multiplexed chardev 'm' (maximum is 4)",
        ),
    ] {
        let said = hmp.line(line);
        assert!(
            said.contains(&format!("{line}\r\n{answer}")) && (!answer.is_empty() || !said.contains("Error")),
            "{said}"
        );
    }
}

/// Nothing is left of many chardevs that came and went.
#[test]
fn chardevs_come_and_go_without_leaks() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("s");
    let program = Program::start(NONE);
    let mut qmp = program.qmp();
    let data = json!({"addr": {"type": "unix", "data": {"path": path}}, "server": true, "wait": false});
    let backend = json!({"type": "socket", "data": data});
    let mut once = || {
        let _ = qmp.ok("chardev-add", &json!({"id": "s", "backend": backend}));
        assert!(UnixStream::connect(&path).is_ok());
        let _ = qmp.ok("chardev-remove", &json!({"id": "s"}));
        assert!(!path.exists());
    };
    once();
    let before = program.proc_count("fd");
    (0..50).for_each(|_| once());
    assert_eq!(program.proc_count("fd"), before);
}

/// The program with a client's end of a socket as its standard input and output, and a chardev on them.
fn on_a_socket(arguments: &[&str]) -> (Mortal, UnixStream) {
    let (near, far) = UnixStream::pair().expect("a pair");
    near.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let child = Command::new(tests::binary())
        .args(["-M", "none", "-accel", "tcg", "-display", "none", "-nodefaults", "-chardev", "stdio,id=s"])
        .args(arguments)
        .stdin(OwnedFd::from(far.try_clone().expect("a descriptor")))
        .stdout(OwnedFd::from(far))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    (Mortal::new(child), near)
}

/// Standard input stays open beside its chardev, so closing the chardev does not take it out of the poll.
#[test]
fn standard_input_can_be_closed_and_opened_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("qmp");
    let server = format!("unix:{},server=on,wait=off", path.display());
    let (_program, mut near) = on_a_socket(&["-qmp", &server]);
    let mut qmp = Qmp::connect(&path);
    for _ in 0..3 {
        let _ = qmp.ok("chardev-remove", &json!({"id": "s"}));
        let _ = qmp.ok("chardev-add", &json!({"id": "s", "backend": {"type": "stdio", "data": {}}}));
    }
    // Nobody uses it, and what comes does no harm.
    near.write_all(b"x").expect("room");
    assert_eq!(qmp.ok("query-status", &json!({}))["running"], true);
}

/// What a client does not read yet comes when it reads: over one descriptor for both ways, and over two.
#[test]
fn a_client_that_reads_late_gets_everything() {
    const REQUESTS: usize = 60;
    let requests =
        "{'execute': 'qmp_capabilities'}".to_owned() + &"{'execute': 'query-qmp-schema'}".repeat(REQUESTS);
    let whole = |reader: &mut dyn BufRead| {
        let mut line = String::new();
        let mut lengths = Vec::new();
        for _ in 0..REQUESTS + 2 {
            line.clear();
            assert!(reader.read_line(&mut line).expect("a line") > 0);
            lengths.push(line.len());
        }
        assert!(
            lengths[2] > 40_000 && lengths[2..].iter().all(|length| *length == lengths[2]),
            "{lengths:?}"
        );
    };
    let (_program, mut near) = on_a_socket(&["-mon", "chardev=s,mode=control"]);
    near.write_all(requests.as_bytes()).expect("room");
    whole(&mut BufReader::new(near));

    let mut child = Command::new(tests::binary())
        .args(["-M", "none", "-accel", "tcg", "-display", "none", "-nodefaults", "-qmp", "stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let (mut input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let _program = Mortal::new(child);
    input.write_all(requests.as_bytes()).expect("room");
    whole(&mut BufReader::new(output));
}
