//! The program driven by the published crate `qapi`, whose commands and events are made from QEMU's own schema.
//!
//! It reads strictly: an event or a member that QEMU's schema does not have ends its session.

#![expect(clippy::unwrap_used, reason = "in a test, what is not as expected fails it")]

use std::os::unix::net::UnixStream;
use std::time::Instant;

use qapi::qmp::{self, Event};
use qapi::{Qmp, Stream};
use serde_json::json;
use tests::{PATIENCE, Program};

type Client<'a> = Qmp<Stream<std::io::BufReader<&'a UnixStream>, &'a UnixStream>>;

fn client(socket: &UnixStream) -> Client<'_> {
    let mut client = Qmp::from_stream(socket);
    let greeting = client.handshake().unwrap();
    assert_eq!((greeting.version.qemu.major, greeting.version.qemu.minor), (11, 1));
    assert!(!greeting.capabilities.is_empty());
    client
}

fn slot(core: u32) -> qmp::device_add {
    let place = [("socket-id", 0), ("core-id", core), ("thread-id", 0)];
    let place = place.map(|(name, at)| (name.to_owned(), json!(at)));
    qmp::device_add::new("qemu64-x86_64-cpu", Some(format!("cpu{core}")), None, place)
}

/// Waits for an event that `pick` finds something in.
fn wait_for<T>(client: &mut Client<'_>, pick: impl Fn(Event) -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        // This client reads events when it asks something.
        client.nop().unwrap();
        if let Some(found) = client.events().find_map(&pick) {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "the event does not come");
    }
}

#[test]
fn cpus_come_and_go() {
    let program =
        Program::start(&["-accel", "tcg", "-smp", "1,maxcpus=4", "-device", "x-ospm-guest,id=guest"]);
    let socket = UnixStream::connect(program.socket()).unwrap();
    let mut client = client(&socket);
    let status = client.execute(&qmp::query_status {}).unwrap();
    assert!(status.running);
    for core in [2, 1] {
        client.execute(&slot(core)).unwrap();
    }
    let refused = client.execute(&slot(1)).unwrap_err();
    assert!(refused.to_string().contains("Duplicate device ID"), "{refused}");
    let cpus = client.execute(&qmp::query_cpus_fast {}).unwrap();
    assert_eq!(cpus.len(), 3);
    let slots = client.execute(&qmp::query_hotpluggable_cpus {}).unwrap();
    assert_eq!(slots.iter().filter(|slot| slot.qom_path.is_some()).count(), 3);
    client.execute(&qmp::device_del { id: "cpu2".to_owned() }).unwrap();
    let deleted = wait_for(&mut client, |event| match event {
        Event::DEVICE_DELETED { data, .. } => Some(data.device),
        _ => None,
    });
    assert_eq!(deleted.as_deref(), Some("cpu2"));
    client.execute(&qmp::stop {}).unwrap();
    wait_for(&mut client, |event| matches!(event, Event::STOP { .. }).then_some(()));
    client.execute(&qmp::system_reset {}).unwrap();
    client.execute(&qmp::quit {}).unwrap();
    assert_eq!(program.wait(), Some(0));
}

/// What managers ask, read by types made from QEMU's schema.
#[test]
fn answers_are_of_the_types_that_qemu_has() {
    let program = Program::start(&[
        "-accel",
        "tcg",
        "-smp",
        "1,maxcpus=2",
        "-object",
        "memory-backend-ram,id=m,size=1M",
    ]);
    let socket = UnixStream::connect(program.socket()).unwrap();
    let mut client = client(&socket);
    let machine = client.execute(&qmp::query_current_machine {}).unwrap();
    assert!(!machine.wakeup_suspend_support);
    assert!(
        client.execute(&qmp::query_commands {}).unwrap().iter().any(|command| command.name == "device_add")
    );
    assert!(!client.execute(&qmp::query_qmp_schema {}).unwrap().is_empty());
    assert!(
        client
            .execute(&qmp::query_machines { compat_props: None })
            .unwrap()
            .iter()
            .any(|machine| machine.name.starts_with("pc-q35"))
    );
    assert!(!client.execute(&qmp::query_cpu_definitions {}).unwrap().is_empty());
    assert_eq!(client.execute(&qmp::query_memdev {}).unwrap().len(), 1);
    assert!(!client.execute(&qmp::query_chardev {}).unwrap().is_empty());
    let list = client.execute(&qmp::qom_list { path: "/machine".to_owned() }).unwrap();
    assert!(list.iter().any(|property| property.name == "type"));
    let got = client.execute(&qmp::qom_get { path: "/machine".to_owned(), property: "type".to_owned() });
    assert!(got.unwrap().as_str().unwrap().ends_with("-machine"));
}
