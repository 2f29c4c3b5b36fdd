//! The main system bus and what CPUs have to do with buses, as QEMU 11.1.2 answered under `-accel tcg`.

use serde_json::{Value, json};
use tests::Program;

const SYSTEM_BUS: &str = "/machine/unattached/sysbus";

fn get(program: &Program, path: &str, property: &str) -> Value {
    program.qmp().ok("qom-get", &json!({"path": path, "property": property}))
}

/// What is on it is what there is without PCI; that of `none` is empty in the reference too.
#[test]
fn every_machine_has_its_main_system_bus() {
    for (machine, devices) in [("none", &[][..]), ("pc", &["PIIX3", "PIIX4_PM"]), ("q35", &["ICH9-LPC"])] {
        let program = Program::start(&["-M", machine, "-accel", "tcg"]);
        let list = program.qmp().ok("qom-list", &json!({"path": SYSTEM_BUS}));
        let mut expected = vec![
            json!({"name": "type", "type": "string"}),
            json!({"name": "realized", "type": "bool"}),
            json!({"name": "hotplug-handler", "type": "link<hotplug-handler>"}),
        ];
        expected.extend(devices.iter().enumerate().map(
            |(number, device)| json!({"name": format!("child[{number}]"), "type": format!("link<{device}>")}),
        ));
        assert_eq!(list, Value::from(expected), "{machine}");
        assert_eq!(get(&program, SYSTEM_BUS, "type"), "System");
        assert_eq!(get(&program, SYSTEM_BUS, "realized"), false);
        assert_eq!(get(&program, SYSTEM_BUS, "hotplug-handler"), "");
        let list = program.qmp().ok("qom-list", &json!({"path": "/machine/unattached"}));
        assert!(
            list.as_array()
                .is_some_and(|list| list.contains(&json!({"name": "sysbus", "type": "child<System>"})))
        );
    }
}

#[test]
fn a_cpu_goes_on_no_bus() {
    let program = Program::start(&["-accel", "tcg", "-smp", "1,maxcpus=2"]);
    let boot = "/machine/unattached/device[0]";
    assert_eq!(get(&program, boot, "parent_bus"), "");
    assert_eq!(get(&program, boot, "hotpluggable"), true);
    let mut qmp = program.qmp();
    let refused = |class: &str, text: &str| (class.to_owned(), text.to_owned());
    assert_eq!(
        qmp.error("qom-set", &json!({"path": boot, "property": "parent_bus", "value": ""})),
        refused("GenericError", "Property 'qemu64-x86_64-cpu.parent_bus' is not writable")
    );
    for (bus, class, text) in [
        (json!("main-system-bus"), "GenericError", "Device 'qemu64-x86_64-cpu' can't go on System bus"),
        (json!("/"), "GenericError", "Device 'qemu64-x86_64-cpu' can't go on System bus"),
        (json!("nope"), "GenericError", "Bus 'nope' not found"),
        (json!(""), "GenericError", "Bus '' not found"),
        (json!("/x/y"), "DeviceNotFound", "Device 'x' not found"),
        (json!(5), "GenericError", "CPU socket-id is not set"),
    ] {
        let arguments = json!({"driver": "qemu64-x86_64-cpu", "id": "c", "bus": bus});
        assert_eq!(qmp.error("device_add", &arguments), refused(class, text), "{bus}");
    }
    let left = qmp.ok("qom-list", &json!({"path": "/machine/peripheral"}));
    assert_eq!(left, json!([{"name": "type", "type": "string"}]));
    assert_eq!(
        qmp.error("device_del", &json!({"id": SYSTEM_BUS})),
        refused("GenericError", "/machine/unattached/sysbus is not a device")
    );
}

/// One session, request by request.
#[test]
fn the_recorded_session_is_answered_alike() {
    let program = Program::start(&["-M", "pc", "-accel", "tcg", "-smp", "1,maxcpus=2", "-S", "-nodefaults"]);
    let mut qmp = program.qmp();
    let lines: Vec<&str> =
        include_str!("fixtures/cpu-buses.txt").lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() > 80 && lines.len().is_multiple_of(2));
    for pair in lines.chunks(2) {
        let request: Value = serde_json::from_str(pair[0]).expect("a request");
        let answer: Value = serde_json::from_str(pair[1]).expect("an answer");
        let command = request["execute"].as_str().expect("a command");
        assert_eq!(qmp.execute(command, &request["arguments"]), answer, "{request}");
    }
}
