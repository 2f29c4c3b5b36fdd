//! What managers ask of every machine before and while they use it, against a recorded session of the reference.

use serde_json::{Value, json};
use tests::{Program, replay_on_stdio};

#[test]
fn a_recorded_session_gets_the_same_replies() {
    let transcript = include_str!("../transcripts/manager-questions.txt");
    let machine = ["-M", "q35", "-accel", "tcg", "-vga", "none", "-net", "none"];
    let compared = replay_on_stdio(transcript, &machine);
    assert!(compared > 140, "{compared}");
}

#[test]
fn a_recorded_session_without_a_machine_gets_the_same_replies() {
    let transcript = include_str!("../transcripts/machine-none.txt");
    let compared = replay_on_stdio(transcript, &["-M", "none", "-accel", "tcg"]);
    assert!(compared > 10, "{compared}");
}

/// Where the answer is our own.
#[test]
fn what_is_not_there_is_told_so() {
    let program = Program::start(&["-M", "q35", "-accel", "tcg", "-nodefaults"]);
    let mut qmp = program.qmp();
    for question in ["query-pci", "query-mice", "query-stats-schemas"] {
        assert_eq!(qmp.ok(question, &json!({})), json!([]), "{question}");
    }
    let (_, desc) = qmp.error("system_wakeup", &json!({}));
    assert_eq!(desc, "wake-up from suspend is not supported by this guest");
    assert_eq!(qmp.human("system_wakeup"), format!("Error: {desc}\r\n"));
    assert_eq!(qmp.human("info mice"), "No mouse devices connected\r\n");
    for nothing in ["info pci", "info stats vm", "info stats vcpu"] {
        assert_eq!(qmp.human(nothing), "", "{nothing}");
    }
    // Of the items of a log there are events alone.
    let items = qmp.human("log help");
    assert!(items.contains("\r\ntrace:PATTERN "), "{items}");
    let events = |state: bool| json!([{"capability": "events", "state": state}]);
    assert_eq!(qmp.ok("query-migrate-capabilities", &json!({})), events(false));
    for state in [true, false] {
        let _ = qmp.ok("migrate-set-capabilities", &json!({"capabilities": events(state)}));
        assert_eq!(program_state(&mut qmp), events(state));
        let shown = qmp.human("info migrate_capabilities");
        assert_eq!(shown, json!(format!("events: {}\r\n", if state { "on" } else { "off" })));
    }
    for gone in
        ["migrate", "query-vnc", "query-spice", "blockdev-add", "netdev_add", "send-key", "dump-guest-memory"]
    {
        assert_eq!(qmp.error(gone, &json!({})).0, "CommandNotFound", "{gone}");
    }
}

/// What firmware finds in the clock's memory after `boot_set`, resets and the guest's own writes; the bytes are the reference's.
#[test]
fn what_to_boot_from_is_told_until_it_is_told_otherwise() {
    for (boot, bytes) in [
        (&["-boot", "order=c,once=d"][..], [(3, 0), (0x24, 0x30), (2, 0), (3, 0), (3, 0), (0x44, 0)]),
        (&[], [(0x12, 0x30), (0x24, 0x30), (0x24, 0x30), (3, 0), (3, 0), (0x44, 0)]),
    ] {
        let program = Program::start(&[&["-M", "pc", "-accel", "tcg", "-S"], boot].concat());
        let mut qmp = program.qmp();
        let mut bytes = bytes.into_iter();
        let steps = ["", "boot_set ncd", "system_reset", "boot_set d", "system_reset", "o/b 0x71 0x44"];
        for step in steps {
            let _ = qmp.human("o/b 0x70 0x3d");
            let _ = qmp.human(step);
            let (first, third) = bytes.next().expect("a pair");
            for (at, byte) in [(0x3d, first), (0x38, third)] {
                let shown = qmp.human(&format!("i/b 0x70.{at:#x}"));
                assert_eq!(
                    shown,
                    json!(format!("portb[0x0071] = {byte:#04x}\r\n")),
                    "{boot:?} {step} {at:#x}"
                );
            }
        }
    }
}

fn program_state(qmp: &mut tests::Qmp) -> Value {
    qmp.ok("query-migrate-capabilities", &json!({}))
}

/// The machine's options are its types' properties; an option that is refused is not listed.
#[test]
fn options_are_those_that_can_be_given() {
    let program = Program::start(&["-M", "none", "-accel", "tcg", "-nodefaults"]);
    let options = program.qmp().ok("query-command-line-options", &json!({}));
    let options = options.as_array().expect("a list");
    let find = |name: &str| options.iter().find(|option| option["option"] == name);
    let machine = find("machine").expect("the machine's")["parameters"].as_array().expect("a list");
    let kind = |name: &str| machine.iter().find(|one| one["name"] == name).map(|one| one["type"].clone());
    for (name, expected) in [
        ("type", "string"),
        ("acpi", "boolean"),
        ("usb", "boolean"),
        ("memory-backend", "string"),
        ("max-ram-below-4g", "size"),
    ] {
        assert_eq!(kind(name), Some(json!(expected)), "{name}");
    }
    assert!(find("sandbox").is_some() && find("chardev").is_some());
    for refused in ["drive", "fsdev", "vnc", "spice", "smbios", "tpmdev"] {
        assert_eq!(find(refused), None, "{refused}");
    }
}

/// The kernel's own statistics: what `exits` counts has happened, and each vCPU has its own.
#[test]
fn vcpus_have_the_kernels_statistics() {
    if !tests::kvm_or_skip("vcpus_have_the_kernels_statistics") {
        return;
    }
    let program =
        Program::start(&["-M", "q35", "-accel", "kvm", "-nodefaults", "-smp", "2,sockets=3,maxcpus=3"]);
    let mut qmp = program.qmp();
    let schemas = qmp.ok("query-stats-schemas", &json!({}));
    let schemas = schemas.as_array().expect("a list");
    if schemas.is_empty() {
        eprintln!(
            "SKIPPED vcpus_have_the_kernels_statistics: this kernel keeps no statistics that can be read"
        );
        return;
    }
    let targets: Vec<&Value> = schemas.iter().map(|schema| &schema["target"]).collect();
    assert_eq!(targets, ["vcpu", "vm"]);
    let names = |at: usize| -> Vec<Value> {
        schemas[at]["stats"].as_array().expect("a list").iter().map(|one| one["name"].clone()).collect()
    };
    let vm = qmp.ok("query-stats", &json!({"target": "vm"}));
    let told: Vec<Value> =
        vm[0]["stats"].as_array().expect("a list").iter().map(|one| one["name"].clone()).collect();
    assert_eq!((told, vm[0].get("qom-path")), (names(1), None));

    let exits = json!({"target": "vcpu", "providers": [{"provider": "kvm", "names": ["exits", "nope"]}]});
    let stats = qmp.ok("query-stats", &exits);
    let cpus = qmp.ok("query-cpus-fast", &json!({}));
    let mut paths: Vec<Value> =
        cpus.as_array().expect("a list").iter().map(|cpu| cpu["qom-path"].clone()).collect();
    let boot = paths[0].clone();
    paths.reverse();
    let told: Vec<Value> =
        stats.as_array().expect("a list").iter().map(|one| one["qom-path"].clone()).collect();
    assert_eq!(told, paths);
    let count = |stats: &Value, path: &Value| {
        let all = stats.as_array().expect("a list");
        let one = all.iter().find(|one| one["qom-path"] == *path).expect("the CPU's");
        assert_eq!(one["stats"].as_array().map(Vec::len), Some(1), "{one}");
        one["stats"][0]["value"].as_u64().expect("a number")
    };
    // The boot CPU of the built-in guest has left the guest for its console.
    assert!(count(&stats, &boot) > 0, "{stats}");

    // A CPU that is plugged in has its own, and they go with it.
    let _ = qmp.ok(
        "device_add",
        &json!({"driver": "qemu64-x86_64-cpu", "id": "c", "socket-id": 2, "core-id": 0, "thread-id": 0}),
    );
    let one = json!({"target": "vcpu", "vcpus": ["/machine/peripheral/c"]});
    assert_eq!(qmp.ok("query-stats", &one).as_array().map(Vec::len), Some(1));
    let _ = qmp.ok("device_del", &json!({"id": "c"}));
    let _ = qmp.event("DEVICE_DELETED");
    assert_eq!(qmp.ok("query-stats", &one), json!([]));
}
