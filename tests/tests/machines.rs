//! Machine types: which there are, how each version differs, against the reference.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Program, run};

/// Machine types of the reference that are not here.
const NOT_HERE: [&str; 4] = ["isapc", "microvm", "nitro", "x-remote"];

/// Properties of the reference's chips that the chips here do not have: of system management, and of PCI's hotplug.
const PROPERTIES_NOT_HERE: [(&str, &str); 8] = [
    ("ICH9-LPC", "acpi-pci-hotplug-with-bridge-support"),
    ("ICH9-LPC", "smm-compat"),
    ("ICH9-LPC", "x-keep-pci-slot-hpc"),
    ("ICH9-LPC", "x-smi-cpu-hotunplug"),
    ("ICH9-LPC", "x-smi-periodic-timer"),
    ("ICH9-LPC", "x-smi-swsmi-timer"),
    ("PIIX4_PM", "smm-compat"),
    ("PIIX4_PM", "x-not-migrate-acpi-index"),
];

const DEPRECATED: &str =
    "is deprecated: machines more than 3 years old are subject to deletion after 6 years";

/// The recorded machines: their entry of `query-machines`, and how their first CPU differs.
fn recorded() -> Vec<(Value, Value)> {
    let lines = include_str!("../transcripts/machines.txt").lines().filter(|line| !line.starts_with('#'));
    let json = |text| serde_json::from_str(text).expect("JSON");
    lines.map(|line| line.split_once('\t').expect("two columns")).map(|(a, b)| (json(a), json(b))).collect()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str()).collect()
}

#[test]
fn machine_help_is_the_references() {
    let expected: String = include_str!("../transcripts/machine-help.txt")
        .split_inclusive('\n')
        .filter(|line| !line.starts_with('#') && !NOT_HERE.iter().any(|name| line.starts_with(name)))
        .collect();
    for option in ["-machine", "-M"] {
        let finished = run(&[option, "help"]);
        assert_eq!(
            (finished.stdout, finished.stderr, finished.status),
            (expected.clone(), String::new(), Some(0))
        );
    }
}

#[test]
fn machines_and_their_compat_properties_are_the_references() {
    let program = Program::start(&["-M", "none", "-accel", "tcg"]);
    let mut qmp = program.qmp();
    let mut expected: Vec<Value> = recorded().into_iter().map(|(machine, _)| machine).collect();
    assert_eq!(expected.len(), 37);
    let (mut left_out, mut kept) = (BTreeSet::<(&str, &str)>::new(), 0);
    for machine in &mut expected {
        let properties = machine["compat-props"].as_array_mut().expect("a list");
        properties.retain(|property| {
            let text = |name: &str| property[name].as_str().unwrap_or_default();
            let absent =
                PROPERTIES_NOT_HERE.iter().find(|absent| **absent == (text("qom-type"), text("property")));
            left_out.extend(absent);
            absent.is_none()
        });
        kept += properties.len();
    }
    assert_eq!((left_out.len(), kept), (PROPERTIES_NOT_HERE.len(), 278));
    // The reference lists them in the order of a hash table.
    let compare = |list: Value, expected: &[Value]| {
        assert_eq!(names(&list).len(), expected.len());
        for machine in list.as_array().into_iter().flatten() {
            let expected = expected.iter().find(|expected| expected["name"] == machine["name"]);
            assert_eq!(Some(machine), expected);
        }
    };
    compare(qmp.ok("query-machines", &json!({"compat-props": true})), &expected);
    for machine in &mut expected {
        machine.as_object_mut().expect("an object").remove("compat-props");
    }
    for arguments in [json!({}), json!({"compat-props": false})] {
        compare(qmp.ok("query-machines", &arguments), &expected);
    }
}

/// Every property of the CPU and the topology of `-smp 4`, on every version.
#[test]
fn cpus_of_old_machines_are_as_they_were() {
    // Nothing crashed; the words are the features, which are compared one by one.
    const NOT_RECORDED: [&str; 2] = ["crash-information", "feature-words"];
    const CPU: &str = "/machine/unattached/device[0]";
    let mut newest = None;
    let mut recorded = recorded();
    recorded.sort_by_key(|(machine, _)| machine["alias"] != "pc");
    for (machine, differences) in recorded {
        let name = machine["name"].as_str().expect("a name");
        if name == "none" {
            continue;
        }
        let program = Program::start(&["-M", name, "-accel", "tcg", "-S", "-smp", "4"]);
        let mut qmp = program.qmp();
        let list = qmp.ok("qom-list", &json!({"path": CPU}));
        let mut get =
            |path: &str, property: &str| qmp.ok("qom-get", &json!({"path": path, "property": property}));
        let mut values = json!({"smp": get("/machine", "smp")});
        for property in names(&list).into_iter().filter(|name| !NOT_RECORDED.contains(name)) {
            values[property] = get(CPU, property);
        }
        let mut expected = newest.get_or_insert_with(|| values.clone()).clone();
        for (property, value) in differences.as_object().expect("an object") {
            assert!(expected.get(property).is_some(), "{name}: {property}");
            expected[property] = value.clone();
        }
        for (property, value) in values.as_object().expect("an object") {
            assert_eq!(value, &expected[property], "{name}: {property}");
        }
    }
}

#[test]
fn a_machine_version_is_weaker_than_the_user() {
    let program = Program::start(&[
        "-M",
        "pc-q35-6.0",
        "-accel",
        "tcg",
        "-global",
        "qemu64-x86_64-cpu.family=7",
        "-global",
        "x86_64-cpu.guest-phys-bits=39",
        "-cpu",
        "qemu64,stepping=9",
    ]);
    let mut qmp = program.qmp();
    let path = "/machine/unattached/device[0]";
    let mut get = |property: &str| qmp.ok("qom-get", &json!({"path": path, "property": property}));
    assert_eq!(
        ["family", "model", "stepping", "guest-phys-bits"].map(|name| get(name).as_i64()),
        [Some(7), Some(6), Some(9), Some(39)]
    );
    let explained = qmp.ok("x-qom-explain", &json!({"path": path, "property": "model"}));
    assert_eq!(explained["setting"]["origin"], "machine-compat", "{explained}");
}

#[test]
fn a_deprecated_machine_is_warned_of() {
    for (machine, warned) in [("pc-i440fx-8.1", true), ("pc-q35-5.2", true), ("pc-q35-8.2", false)] {
        let finished = run(&["-M", machine, "-accel", "tcg", "-display", "none", "-cpu", "nope"]);
        let warning = format!("qom-system-x86_64: warning: Machine type '{machine}' {DEPRECATED}\n");
        assert_eq!(finished.stderr.starts_with(&warning), warned, "{finished:?}");
    }
}

#[test]
fn machines_that_are_not_there_are_refused() {
    for machine in ["pc-i440fx-2.12", "foo", "generic-pc", "PC"] {
        let finished = run(&["-M", machine, "-accel", "tcg"]);
        let text = format!(
            "qom-system-x86_64: unsupported machine type: \"{machine}\"\n\
             Use -machine help to list supported machines\n"
        );
        assert_eq!((finished.stdout, finished.stderr, finished.status), (String::new(), text, Some(1)));
    }
}
