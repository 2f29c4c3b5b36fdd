//! Requests that overtake others, and what they are for: connections that hang are ended by them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};
use tests::{PATIENCE, Program, Qmp};

fn chardev(id: &str) -> Value {
    json!({"instances": [{"type": "chardev", "id": id}]})
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// Whether the other end has hung up.
fn is_ended(mut stream: &UnixStream) -> bool {
    matches!(stream.read(&mut [0; 64]), Ok(0))
}

#[test]
fn a_connection_is_ended_and_the_next_one_is_taken() {
    let files = tempfile::tempdir().expect("a directory");
    let path = files.path().join("x");
    let spec = format!("socket,id=x,path={},server=on,wait=off", path.display());
    let program = Program::start(&[
        "-M",
        "pc",
        "-accel",
        "tcg",
        "-nodefaults",
        "-chardev",
        &spec,
        "-serial",
        "chardev:x",
    ]);
    let mut qmp = program.qmp();
    let there = qmp.ok("query-yank", &json!({}));
    let there = there.as_array().expect("a list");
    assert!(there.contains(&json!({"type": "chardev", "id": "x"})), "{there:?}");
    assert_eq!(there.len(), 3, "the console's, the monitor's and this one: {there:?}");
    for _ in 0..3 {
        let client = connect(&path);
        // It is somebody from when the program has seen it.
        let start = std::time::Instant::now();
        let nobody = format!("disconnected:unix:{}", path.display());
        while qmp.ok("query-chardev", &json!({})).to_string().contains(&nobody) {
            assert!(start.elapsed() < PATIENCE, "nobody is connected");
        }
        let _ = qmp.ok("yank", &chardev("x"));
        assert!(is_ended(&client));
        // Nobody is there now, which is fine.
        let _ = qmp.ok("yank", &chardev("x"));
    }
    let (class, _) = qmp.error("yank", &chardev("nope"));
    assert_eq!(class, "DeviceNotFound");
}

/// A monitor may end its own connection; it has its answer before or not at all, and the next session is served.
#[test]
fn a_monitor_ends_itself() {
    let program = Program::start(&["-M", "none", "-accel", "tcg", "-nodefaults"]);
    let own = program.qmp().ok("query-yank", &json!({}));
    let own = own
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["id"] == "compat_monitor0")
        .expect("the monitor");
    for _ in 0..3 {
        let mut stream = connect(&program.socket());
        let request = json!({"execute": "yank", "arguments": {"instances": [own]}});
        write!(stream, "{}{request}", json!({"execute": "qmp_capabilities"})).expect("it listens");
        let mut said = String::new();
        // Cut off with what was not read, or ended.
        let _ = stream.read_to_string(&mut said);
        assert!(said.starts_with("{\"QMP\""), "{said}");
    }
    assert_eq!(program.qmp().ok("query-status", &json!({}))["running"], true);
}

/// Of requests that arrive together those out of band are answered first, with ids of any type.
#[test]
fn requests_out_of_band_overtake() {
    let program = Program::start(&["-M", "none", "-accel", "tcg", "-nodefaults"]);
    let mut qmp = Qmp::connect(&program.socket());
    let (_, desc) = qmp.error("qmp_capabilities", &json!({"enable": ["oob"]}));
    assert_eq!(desc, "Capabilities negotiation is already complete, command ignored");
    drop(qmp);

    let mut stream = connect(&program.socket());
    let mut requests = json!({"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}).to_string();
    let mut expected = vec![json!(null)];
    for id in 0..4 {
        requests += &json!({"execute": "query-commands", "id": id}).to_string();
    }
    for id in [json!("text"), json!([1, {"a": null}]), json!({"x": 1.5}), json!(true), json!(null)] {
        requests += &json!({"exec-oob": "query-yank", "id": id}).to_string();
        expected.push(id);
    }
    expected.extend((0..4).map(|id| json!(id)));
    // After a refusal the session goes on.
    requests += &json!({"exec-oob": "query-status", "id": "in band only"}).to_string();
    expected.insert(6, json!("in band only"));
    stream.write_all(requests.as_bytes()).expect("it listens");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stream));
    let mut next =
        || -> Value { serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON") };
    assert!(next().get("QMP").is_some());
    let replies: Vec<Value> = expected.iter().map(|_| next()).collect();
    let ids: Vec<Value> = replies.iter().map(|reply| reply["id"].clone()).collect();
    assert_eq!(ids, expected);
    assert_eq!(replies[6]["error"]["desc"], "The command query-status does not support OOB");
    assert!(replies[7]["return"].as_array().is_some_and(|commands| commands.len() > 50));
}
