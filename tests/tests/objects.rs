//! Objects that users make, against the reference: every reply of a recorded session, every refused command line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use tests::{Program, run};

/// Where the files lie that the recorded session names.
const FILES: &str = "/tmp/qom-objects";

/// The bytes of a Python bytes literal that holds JSON.
fn unescape(literal: &str) -> String {
    let body = &literal[2..literal.len() - 1];
    body.replace("\\\\", "\u{0}").replace("\\n", "\n").replace("\\'", "'").replace('\u{0}', "\\")
}

/// A reply with the numbers of threads left out: `"thread-id": 7`, `thread_id=7`.
fn without_thread_ids(reply: &str) -> String {
    let mut rest = reply;
    let mut text = String::new();
    while let Some(at) = rest.find("thread-id\": ").or_else(|| rest.find("thread_id=")) {
        let digits = at + rest[at..].find(|c: char| c.is_ascii_digit()).unwrap_or(0);
        text.push_str(&rest[..digits]);
        text.push_str("THREAD");
        rest = rest[digits..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    text.push_str(rest);
    text
}

/// A session on a socket, line by line.
struct Lines {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Lines {
    fn connect(program: &Program) -> Self {
        let writer = UnixStream::connect(program.socket()).expect("the socket is there");
        writer.set_read_timeout(Some(tests::PATIENCE)).expect("a socket");
        let mut lines = Self { reader: BufReader::new(writer.try_clone().expect("a socket")), writer };
        let greeting = lines.read();
        assert!(greeting.starts_with("{\"QMP\""), "{greeting}");
        lines
    }

    fn read(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a reply");
        line.trim_end_matches("\r\n").to_owned()
    }
}

#[test]
fn a_recorded_session_gets_the_same_replies() {
    let files = tempfile::tempdir().expect("a directory");
    let at = |name: &str| files.path().join(name);
    for (name, bytes) in [
        ("bytes", &[0xff, 0xfe, 0][..]),
        ("base64", b"aGVsbG8=\n"),
        ("empty", b""),
        ("cipher", b"\x7f\xd1\x2d\xaf\xb7\xe9\x59\x9d\x0b\x84\x9a\xd8\xc2\xe3\xc2\x1f"),
    ] {
        std::fs::write(at(name), bytes).expect("a file");
    }
    let directory = files.path().to_str().expect("a path in ASCII");
    let program = Program::start(&["-M", "none", "-accel", "tcg"]);
    let mut session = Lines::connect(&program);
    let mut differences = Vec::new();
    let mut replies = 0;
    let mut request = String::new();
    for line in include_str!("../transcripts/objects.txt").lines() {
        if let Some(literal) = line.strip_prefix("> ") {
            request = unescape(literal).replace(FILES, directory);
            session.writer.write_all(request.as_bytes()).expect("the request goes out");
        } else if let Some(expected) = line.strip_prefix("< ") {
            let expected = without_thread_ids(&expected.replace(FILES, directory));
            let got = without_thread_ids(&session.read());
            if got != expected {
                differences.push(format!("{request}  expected {expected}\n  got      {got}"));
            }
            replies += 1;
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(replies > 250, "{replies}");
    // A socket has one client at a time.
    drop(session);
    let left = program.qmp().ok("qom-list", &json!({"path": "/objects"}));
    assert_eq!(left, json!([{"name": "type", "type": "string"}]), "something is left");
}

#[test]
fn command_lines_are_answered_as_the_reference_answers_them() {
    let mut cases = 0;
    let mut differences = Vec::new();
    for line in
        include_str!("../transcripts/object-options.txt").lines().filter(|line| !line.starts_with('#'))
    {
        let columns: Vec<Value> =
            line.split('\t').map(|column| serde_json::from_str(column).expect("JSON")).collect();
        let words: Vec<&str> =
            columns[0].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (stdout, stderr) = (columns[1].as_str().expect("text"), columns[2].as_str().expect("text"));
        let finished = run(&words);
        let got_stderr = finished.stderr.replace("qom-system-x86_64", "PROGRAM");
        let status = i32::from(!stderr.is_empty());
        if (finished.stdout.as_str(), got_stderr.as_str(), finished.status) != (stdout, stderr, Some(status))
        {
            differences.push(format!("{words:?}\n  expected {stdout}{stderr}\n  got {finished:?}"));
        }
        cases += 1;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(cases > 55, "{cases}");
}

/// Properties with their types and descriptions, as QEMU 11.1.2 lists them but for the order, which is a hash table's there.
#[test]
fn properties_are_the_references() {
    let program = Program::start(&["-M", "none", "-accel", "tcg"]);
    let mut qmp = program.qmp();
    let sorted = |list: Value| {
        let mut list = list.as_array().cloned().unwrap_or_default();
        list.sort_by_key(|entry| entry["name"].to_string());
        list
    };
    let mut types = 0;
    for line in
        include_str!("../transcripts/object-properties.txt").lines().filter(|line| !line.starts_with('#'))
    {
        let (name, expected) = line.split_once('\t').expect("two columns");
        let got = qmp.ok("qom-list-properties", &json!({"typename": name}));
        let expected: Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(sorted(got), sorted(expected), "{name}");
        types += 1;
    }
    assert_eq!(types, 9);
}

#[test]
fn objects_of_the_command_line_are_there_before_the_machine_and_for_each_other() {
    let program = Program::start(&[
        "-M",
        "pc",
        "-accel",
        "tcg",
        "-object",
        "secret,id=k,data=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,format=base64",
        "-object",
        "{'qom-type': 'secret', 'id': 's', 'data': 'f9Etr7fpWZ0LhJrYwuPCHw==', 'format': 'base64', 'keyid': 'k', \
         'iv': 'AAECAwQFBgcICQoLDA0ODw=='}",
        "-object",
        "iothread,id=io,poll-max-ns=7",
        "-object",
        "memory-backend-ram,id=m,size=1M,share",
    ]);
    let mut qmp = program.qmp();
    let list = qmp.ok("qom-list", &json!({"path": "/objects"}));
    let names: Vec<&str> =
        list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["type", "k", "s", "io", "m"]);
    assert_eq!(qmp.ok("query-iothreads", &json!({}))[0]["poll-max-ns"], 7);
    assert_eq!(qmp.ok("query-memdev", &json!({}))[0]["share"], true);

    let before = program.proc_count("task");
    for id in 0..20 {
        let _ = qmp.ok("object-add", &json!({"qom-type": "iothread", "id": format!("t{id}")}));
    }
    assert_eq!(program.proc_count("task"), before + 20);
    for id in 0..20 {
        let _ = qmp.ok("object-del", &json!({"id": format!("t{id}")}));
    }
    let start = std::time::Instant::now();
    while program.proc_count("task") != before {
        assert!(start.elapsed() < tests::PATIENCE, "threads stay");
    }
    let _ = qmp.ok("quit", &json!({}));
    assert_eq!(program.wait(), Some(0));
}

/// The list has the types that there are, monitors included, which only the command line makes.
#[test]
fn the_types_are_listed() {
    let all = [
        "iothread",
        "memory-backend-file",
        "memory-backend-ram",
        "monitor-hmp",
        "monitor-qmp",
        "rng-builtin",
        "secret",
    ];
    for word in ["help", "?", "qom-type=help"] {
        let finished = run(&["-object", word, "-object", "nope"]);
        assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), ""));
        let expected = all.map(|name| format!("  {name}\n")).concat();
        assert_eq!(finished.stdout, format!("List of user creatable objects:\n{expected}"));
    }
}

/// As QEMU 11.1.2 lists them with the same chardevs; the order is a hash table's there.
#[test]
fn chardevs_are_objects() {
    let files = tempfile::tempdir().expect("a directory");
    let file = format!("file,id=f,path={}", files.path().join("f").display());
    let socket = format!("socket,id=u,path={},server=on,wait=off", files.path().join("u").display());
    let chardevs = ["null,id=n", "null,id=m,mux=on", &file, &socket];
    let options: Vec<&str> = chardevs.iter().flat_map(|chardev| ["-chardev", chardev]).collect();
    let program = Program::start(&[&["-M", "none", "-accel", "tcg"], &options[..]].concat());
    let mut qmp = program.qmp();
    let list = qmp.ok("qom-list", &json!({"path": "/chardevs"}));
    let mut list: Vec<String> = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| {
            format!("{} {}", entry["name"].as_str().unwrap_or(""), entry["type"].as_str().unwrap_or(""))
        })
        .collect();
    list.sort();
    assert_eq!(
        list,
        [
            "compat_monitor0 child<chardev-socket>",
            "f child<chardev-file>",
            "m child<chardev-mux>",
            "m-base child<chardev-null>",
            "n child<chardev-null>",
            "serial0 child<chardev-socket>",
            "type string",
            "u child<chardev-socket>",
        ]
    );
    let connected = |qmp: &mut tests::Qmp, id: &str| {
        qmp.ok("qom-get", &json!({"path": format!("/chardevs/{id}"), "property": "connected"}))
    };
    assert_eq!(connected(&mut qmp, "compat_monitor0"), true, "this very session");
    assert_eq!(connected(&mut qmp, "u"), false);
    assert_eq!(
        qmp.error("qom-set", &json!({"path": "/chardevs/u", "property": "connected", "value": true})).1,
        "Property 'chardev-socket.connected' is not writable"
    );
    let client = UnixStream::connect(files.path().join("u")).expect("the socket is there");
    let start = std::time::Instant::now();
    for expected in [true, false] {
        while connected(&mut qmp, "u") != expected {
            assert!(start.elapsed() < tests::PATIENCE, "connected stays {}", !expected);
        }
        let _ = client.shutdown(std::net::Shutdown::Both);
    }
    // They are not the users' to make and remove.
    assert_eq!(qmp.error("object-del", &json!({"id": "n"})).1, "object 'n' not found");
    assert_eq!(
        qmp.error("object-add", &json!({"qom-type": "chardev-null", "id": "x"})).1,
        "Parameter 'qom-type' does not accept value 'chardev-null'"
    );
}
