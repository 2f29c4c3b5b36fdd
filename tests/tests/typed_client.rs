//! The typed client of the crate `qmp` against the program: over each kind of socket, with events, refusals and out-of-band requests.

#![expect(clippy::unwrap_used, reason = "in a test, what is not as expected fails it")]

use std::os::unix::net::UnixListener;
use std::time::Duration;

use qmp::ErrorClass;
use qmp::client::{Client, ClientError, Config};
use qmp::commands::{
    DeviceAdd, DeviceDel, HumanMonitorCommand, ObjectAdd, ObjectDel, QomGet, QomList, QomListTypes, QomSet,
    cont, device_add, device_del, human_monitor_command, object_add, object_del, qom_get, qom_list,
    qom_list_types, qom_set, query_commands, query_status, query_version, quit, stop,
};
use qmp::events::{DeviceDeleted, Shutdown, Stop};
use qmp::session::Capability;
use qmp::{EventType, RunState, ShutdownCause};
use serde_json::{Value, json};
use tests::{PATIENCE, Program};

fn members(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn slot(core: u32) -> DeviceAdd {
    DeviceAdd(members(&json!({
        "driver": "qemu64-x86_64-cpu", "id": format!("cpu{core}"), "socket-id": 0, "core-id": core, "thread-id": 0,
    })))
}

const GUEST: &[&str] = &["-accel", "tcg", "-smp", "1,maxcpus=4", "-device", "x-ospm-guest,id=guest"];

#[test]
fn commands_and_events_have_types() {
    let program = Program::start(GUEST);
    let mut client = program.client(Config::default()).unwrap();
    assert_eq!(client.execute(query_version, &()).unwrap(), client.greeting().version);
    let status = client.execute(query_status, &()).unwrap();
    assert_eq!((status.status, status.running), (RunState::Running, true));
    assert!(client.execute(query_commands, &()).unwrap().iter().any(|command| command.name == "qom-get"));

    client.execute(device_add, &slot(2)).unwrap();
    let cpus = client.execute(qom_list, &QomList { path: "/machine/peripheral".to_owned() }).unwrap();
    assert!(cpus.iter().any(|entry| entry.name == "cpu2" && entry.type_name == "child<qemu64-x86_64-cpu>"));
    client.execute(device_del, &DeviceDel { id: "cpu2".to_owned() }).unwrap();
    let deleted: DeviceDeleted = client.wait(PATIENCE).unwrap();
    assert_eq!((deleted.device.as_deref(), &*deleted.path), (Some("cpu2"), "/machine/peripheral/cpu2"));

    let secret = ObjectAdd(members(&json!({"qom-type": "secret", "id": "s", "data": "x"})));
    client.execute(object_add, &secret).unwrap();
    client.execute(object_del, &ObjectDel { id: "s".to_owned() }).unwrap();
    let types = QomListTypes { implements: Some("user-creatable".to_owned()), include_abstract: None };
    assert!(client.execute(qom_list_types, &types).unwrap().iter().any(|one| one.name == "secret"));

    let guest = || "/machine/peripheral/guest".to_owned();
    let late = QomSet { path: guest(), property: "policy".to_owned(), value: json!("answers-late") };
    client.execute(qom_set, &late).unwrap();
    let policy = QomGet { path: guest(), property: "policy".to_owned() };
    assert_eq!(client.execute(qom_get, &policy).unwrap(), "answers-late");
    let line = HumanMonitorCommand { command_line: "info status".to_owned(), cpu_index: None };
    assert_eq!(client.execute(human_monitor_command, &line).unwrap(), "VM status: running\r\n");

    client.execute(stop, &()).unwrap();
    client.wait_event(Stop::NAME, PATIENCE).unwrap();
    client.execute(cont, &()).unwrap();
    client.execute(quit, &()).unwrap();
    let shutdown: Shutdown = client.wait(PATIENCE).unwrap();
    assert_eq!((shutdown.guest, shutdown.reason), (false, ShutdownCause::HostQmpQuit));
    assert!(matches!(client.wait_event("ANY", PATIENCE), Err(ClientError::Closed)));
    assert_eq!(program.wait(), Some(0));
}

#[test]
fn refusals_have_a_class() {
    let program = Program::start(&["-accel", "tcg"]);
    let mut client = program.client(Config::default()).unwrap();
    let mut refused = |command: &str, arguments: Value| {
        let error = client.call::<Value>(command, &arguments).unwrap_err();
        let refusal = error.refusal().unwrap().clone();
        (refusal.class, refusal.desc)
    };
    let gone = "Device 'cpu9' not found".to_owned();
    assert_eq!(refused("device_del", json!({"id": "cpu9"})), (ErrorClass::DeviceNotFound, gone));
    let unknown = "The command block-stream has not been found".to_owned();
    assert_eq!(refused("block-stream", json!({})), (ErrorClass::CommandNotFound, unknown));
    assert_eq!(refused("qom-get", json!({"path": 1})).0, ErrorClass::GenericError);
    assert!(client.execute(query_status, &()).unwrap().running);
}

#[test]
fn own_events_come_to_those_who_ask() {
    let program = Program::start(GUEST);
    let config = Config { enable: vec![Capability::OwnEvents], ..Config::default() };
    let mut asked = program.client(config).unwrap();
    assert!(asked.greeting().capabilities.iter().any(|capability| capability == "x-events"));
    asked.execute(device_add, &slot(1)).unwrap();
    let online = asked.wait_for("an online CPU", PATIENCE, |event| {
        event.name == "x-VCPU_STATE" && event.data["device"] == "cpu1" && event.data["new"] != "plugged"
    });
    assert_eq!(online.unwrap().data["old"], "plugged");
}

/// A listening socket has one client at a time, so each of these is a monitor of its own.
#[test]
fn every_kind_of_socket_will_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("listening");
    let listener = UnixListener::bind(&path).unwrap();
    // The monitor comes to us.
    let program = Program::start(
        &[
            &["-accel", "tcg", "-chardev", "socket,id=tcp,host=127.0.0.1,port=0,server=on,wait=off"][..],
            &["-mon", "chardev=tcp,mode=control,pretty=on", "-qmp", &format!("unix:{}", path.display())],
        ]
        .concat(),
    );
    let (socket, _) = listener.accept().unwrap();
    let mut came = Client::over_unix(socket, Config::default()).unwrap();
    assert!(came.execute(query_status, &()).unwrap().running);

    let chardevs: Vec<Value> = came.call("query-chardev", &()).unwrap();
    let tcp =
        chardevs.iter().find(|chardev| chardev["label"] == "tcp").unwrap()["filename"].as_str().unwrap();
    let (_, port) = tcp.split_once("127.0.0.1:").unwrap();
    let port: u16 = port.split(',').next().unwrap().parse().unwrap();
    // This one is pretty: its messages have many lines.
    let mut pretty = Client::tcp(("127.0.0.1", port), Config::default()).unwrap();
    assert_eq!(pretty.execute(query_version, &()).unwrap(), came.greeting().version);
    // Both, and the program's own, hear of it.
    let mut own = program.client(Config::default()).unwrap();
    own.execute(stop, &()).unwrap();
    for client in [&mut came, &mut pretty, &mut own] {
        assert_eq!(client.next_event(PATIENCE).unwrap().name, "STOP");
    }
}

#[test]
fn requests_out_of_band_overtake() {
    let program = Program::start(&["-accel", "tcg"]);
    let config = Config { enable: vec![Capability::OutOfBand], ..Config::default() };
    let mut client = program.client(config).unwrap();
    let refusal = client.call_out_of_band::<Value>("query-status", &()).unwrap_err();
    assert_eq!(refusal.to_string(), "The command query-status does not support OOB");
    let nobody = client.wait_event("STOP", Duration::ZERO).unwrap_err();
    assert!(matches!(nobody, ClientError::Timeout { .. }), "{nobody}");
}
