//! The errors that `docs/qmp-reference.md` tells of are those that come, in class and text, and each that it quotes can be had.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::Program;

const REFERENCE: &str = include_str!("../../docs/qmp-reference.md");

/// Quotations that take what this test has not: a guest that runs, or a session before negotiation.
const NOT_HERE: [(&str, &str); 4] = [
    ("qmp_capabilities", "Expecting capabilities negotiation with 'qmp_capabilities'"),
    ("cont", "Resetting the Virtual Machine is required"),
    ("memsave", "Invalid addr 0xADDRESS/size SIZE specified"),
    ("pmemsave", "Invalid addr 0xADDRESS/size SIZE specified"),
];

/// The words in quotations that stand for something else.
const STANDS: [&str; 10] = ["ADDRESS", "ID", "LAST", "M", "N", "NAME", "PATH", "SIZE", "TYPE", "VALUE"];

/// What a section of a command says: of itself, or by naming a command that fails in the same way.
fn section(command: &str) -> &'static str {
    let heading = format!("\n### `{command}`\n");
    let (_, rest) = REFERENCE.split_once(&heading).unwrap_or_else(|| panic!("{command} has a section"));
    rest.split("\n##").next().unwrap_or_default()
}

/// The sentences that stand in parentheses and backticks: texts of errors.
fn quoted(section: &str) -> Vec<&str> {
    let quotations = section.split("(`").skip(1).filter_map(|rest| Some(rest.split_once('`')?.0));
    quotations.filter(|text| text.contains(' ') && !text.starts_with('-')).collect()
}

/// The class that a section gives to an error that it quotes: the one named right behind, or last before in the paragraph.
fn class_of(section: &'static str, quotation: &str) -> &'static str {
    const CLASSES: [&str; 5] =
        ["GenericError", "CommandNotFound", "DeviceNotFound", "DeviceNotActive", "KVMMissingCap"];
    let quoted = format!("(`{quotation}`");
    let paragraph = section.split("\n\n").find(|paragraph| paragraph.contains(&quoted)).unwrap_or_default();
    let (before, behind) = paragraph.split_once(&quoted).unwrap_or_default();
    let behind = behind.strip_prefix(", of class ").unwrap_or_default();
    let right_behind = CLASSES.into_iter().find(|class| behind.starts_with(&format!("`{class}`")));
    let named = CLASSES.into_iter().filter_map(|class| Some((before.rfind(&format!("`{class}`"))?, class)));
    right_behind.or(named.max().map(|(_, class)| class)).unwrap_or("GenericError")
}

/// Whether an error's text is the one that is quoted.
fn fits(quotation: &str, text: &str) -> bool {
    let mut fixed = Vec::new();
    let mut part = String::new();
    let mut rest = quotation;
    while !rest.is_empty() {
        let capitals = rest.find(|letter: char| !letter.is_ascii_uppercase()).unwrap_or(rest.len());
        if capitals > 0 && STANDS.contains(&&rest[..capitals]) {
            fixed.push(std::mem::take(&mut part));
        } else {
            part.push_str(&rest[..capitals]);
        }
        rest = &rest[capitals..];
        if let Some(letter) = rest.chars().next() {
            part.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    let Some(mut left) = text.strip_prefix(fixed.first().unwrap_or(&part).as_str()) else { return false };
    if fixed.is_empty() {
        return left.is_empty();
    }
    for between in &fixed[1..] {
        let Some((_, behind)) = left.split_once(between.as_str()) else { return false };
        left = behind;
    }
    // What ends in a colon is followed by a reason.
    if quotation.ends_with(": ") { left.contains(&part) } else { left.ends_with(&part) }
}

#[test]
fn a_quotation_has_the_class_that_is_named_last() {
    const SECTION: &str = "Says nothing (`of a class`).\n\nFails with class `DeviceNotFound` if it is not there (`Not here`), and with \
                           `GenericError` if it is busy (`Not now`); with class `DeviceNotActive` (`Not ever`, of class `KVMMissingCap`).";
    for (quotation, class) in [
        ("of a class", "GenericError"),
        ("Not here", "DeviceNotFound"),
        ("Not now", "GenericError"),
        ("Not ever", "KVMMissingCap"),
    ] {
        assert_eq!(class_of(SECTION, quotation), class, "{quotation}");
    }
}

#[test]
fn quotations_are_held_against_texts() {
    for (quotation, text, does) in [
        ("Instance not found", "Instance not found", true),
        ("Instance not found", "Instance not found here", false),
        ("Failed to add 'ID': ", "Failed to add 'one': because", true),
        ("Failed to add 'ID': ", "Failed to add 'one'", false),
        ("Device 'ID' not found", "Device 'cpu 1' not found", true),
        ("Device 'ID' not found", "Device 'cpu1' is busy", false),
        ("Unable to add CPU: ID, max allowed: LAST", "Unable to add CPU: 9, max allowed: 2", true),
        ("Unable to add CPU: ID, max allowed: LAST", "Unable to add CPU: 9, it already exists", false),
        ("Invalid addr 0xADDRESS/size SIZE specified", "Invalid addr 0x0/size 1 specified", true),
    ] {
        assert_eq!(fits(quotation, text), does, "{quotation}: {text}");
    }
    assert_eq!(quoted("Fails (`a b`, or `c d`) with (`-name x`) or (`word`)."), ["a b"]);
}

/// What to ask for on a PC that is not started.
fn on_a_pc() -> Vec<(&'static str, Value)> {
    let sink = json!({"type": "null", "data": {}});
    vec![
        ("qmp_capabilities", json!({})),
        ("add-fd", json!({})),
        ("getfd", json!({"fdname": "one"})),
        ("closefd", json!({"fdname": "one"})),
        ("remove-fd", json!({"fdset-id": 1, "fd": 2})),
        ("chardev-change", json!({"id": "none", "backend": sink})),
        ("chardev-change", json!({"id": "compat_monitor0", "backend": sink})),
        ("chardev-add", json!({"id": "compat_monitor0", "backend": sink})),
        (
            "chardev-add",
            json!({"id": "tls", "backend": {"type": "socket", "data": {
            "addr": {"type": "unix", "data": {"path": "x"}}, "tls-creds": "none"}}}),
        ),
        ("chardev-remove", json!({"id": "none"})),
        ("chardev-remove", json!({"id": "compat_monitor0"})),
        ("chardev-send-break", json!({"id": "none"})),
        ("ringbuf-read", json!({"device": "none", "size": 1})),
        ("ringbuf-write", json!({"device": "none", "data": ""})),
        ("cpu-add", json!({"id": 9})),
        ("cpu-add", json!({"id": 0})),
        ("device-list-properties", json!({"typename": "none"})),
        ("device-list-properties", json!({"typename": "device"})),
        ("device_add", json!({"driver": "none"})),
        ("device_add", json!({"driver": "mc146818rtc"})),
        (
            "device_add",
            json!({"driver": "qemu64-x86_64-cpu", "id": "taken", "socket-id": 0, "core-id": 1, "thread-id": 0}),
        ),
        ("device_del", json!({"id": "none"})),
        ("device_del", json!({"id": "/machine/unattached/device[0]"})),
        ("human-monitor-command", json!({"command-line": "info cpus", "cpu-index": 9})),
        ("inject-nmi", json!({})),
        ("memsave", json!({"val": 0, "size": 1, "filename": "/dev/null"})),
        ("memsave", json!({"val": 0, "size": 1, "filename": "/dev/null", "cpu-index": 9})),
        ("pmemsave", json!({"val": 0, "size": 1, "filename": "/dev/null"})),
        ("migrate-set-capabilities", json!({"capabilities": [{"capability": "xbzrle", "state": true}]})),
        ("object-add", json!({"qom-type": "throttle-group", "id": "one"})),
        ("object-del", json!({"id": "none"})),
        ("qom-get", json!({"path": "/none", "property": "type"})),
        ("qom-get", json!({"path": "/machine", "property": "none"})),
        ("qom-set", json!({"path": "/none", "property": "type", "value": 1})),
        ("qom-set", json!({"path": "/machine", "property": "none", "value": 1})),
        ("qom-set", json!({"path": "/machine", "property": "type", "value": "x"})),
        ("qom-list", json!({"path": "/none"})),
        ("qom-list", json!({"path": "device[0]"})),
        ("qom-list-properties", json!({"typename": "none"})),
        ("qom-list-properties", json!({"typename": "user-creatable"})),
        ("query-balloon", json!({})),
        ("query-command-line-options", json!({"option": "none"})),
        ("query-cpu-model-expansion", json!({"type": "full", "model": {"name": "none"}})),
        ("query-stats", json!({"target": "vm", "vcpus": []})),
        ("query-stats", json!({"target": "vm", "providers": vec![json!({"provider": "kvm"}); 17]})),
        ("set-numa-node", json!({"type": "node"})),
        ("system_wakeup", json!({})),
        ("trace-event-get-state", json!({"name": "none"})),
        ("trace-event-set-state", json!({"name": "none", "enable": true})),
        ("x-exit-preconfig", json!({})),
        ("x-query-jit", json!({})),
        ("yank", json!({"instances": [{"type": "chardev", "id": "none"}]})),
    ]
}

/// The quotations that came, by their commands.
type Met = BTreeMap<&'static str, BTreeSet<&'static str>>;

/// Asks for what fails, and holds the answers against the sections.
fn ask(arguments: &[&str], requests: Vec<(&'static str, Value)>, met: &mut Met) {
    let program = Program::start(arguments);
    let mut qmp = program.qmp();
    for (command, arguments) in requests {
        let (class, text) = qmp.error(command, &arguments);
        let section = section(command);
        let told: Vec<_> = quoted(section)
            .into_iter()
            .filter(|quotation| fits(quotation, &text) && class_of(section, quotation) == class)
            .collect();
        assert!(!told.is_empty(), "{command} {arguments}: {class}, {text}");
        met.entry(command).or_default().extend(told);
    }
}

#[test]
fn errors_are_those_of_the_reference() {
    let mut met = Met::new();
    // One with an id that is then taken, and one whose name `device[0]` is also the boot CPU's.
    let taken = "qemu64-x86_64-cpu,id=taken,socket-id=0,core-id=2,thread-id=0";
    let unnamed = "qemu64-x86_64-cpu,socket-id=0,core-id=3,thread-id=0";
    let smp = "1,maxcpus=4,cores=4";
    let pc = ["-M", "pc", "-accel", "tcg", "-S", "-smp", smp, "-device", taken, "-device", unnamed];
    ask(&pc, on_a_pc(), &mut met);
    let none = vec![
        ("cpu-add", json!({"id": 0})),
        ("query-hotpluggable-cpus", json!({})),
        ("query-acpi-ospm-status", json!({})),
        ("x-query-irq", json!({})),
        ("x-query-interrupt-controllers", json!({})),
    ];
    ask(&["-M", "none", "-accel", "tcg"], none, &mut met);
    ask(&["-M", "none", "-accel", "qtest"], vec![("x-query-jit", json!({}))], &mut met);
    let node = json!({"type": "node", "nodeid": 0});
    let program = Program::start(&["-M", "pc", "-accel", "tcg", "-preconfig"]);
    let mut qmp = program.qmp();
    let _ = qmp.ok("set-numa-node", &node);
    let (_, text) = qmp.error("set-numa-node", &node);
    met.entry("set-numa-node")
        .or_default()
        .extend(quoted(section("set-numa-node")).into_iter().filter(|quotation| fits(quotation, &text)));
    // What the head says of all.
    for (command, arguments, class) in [
        ("x-nothing", json!({}), "CommandNotFound"),
        ("device_add", json!({"driver": "qemu64-x86_64-cpu", "bus": "/machine/nowhere"}), "DeviceNotFound"),
        (
            "object-add",
            json!({"qom-type": "memory-backend-ram", "id": "m", "size": 4096, "prealloc-context": "nobody"}),
            "DeviceNotFound",
        ),
    ] {
        let program = Program::start(&["-M", "pc", "-accel", "tcg"]);
        assert_eq!(program.qmp().error(command, &arguments).0, class, "{command}");
    }
    for (command, quotation) in NOT_HERE {
        assert!(met.entry(command).or_default().insert(quotation), "{command}: {quotation} came");
    }
    let commands = REFERENCE.split("\n## Events").next().unwrap_or_default();
    let commands = commands.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let mut count = 0;
    for command in commands {
        let quotations: BTreeSet<_> = quoted(section(command)).into_iter().collect();
        count += quotations.len();
        let missing: Vec<_> = quotations
            .iter()
            .filter(|one| !met.get(command).is_some_and(|met| met.contains(**one)))
            .collect();
        assert!(missing.is_empty(), "{command}: {missing:?}");
    }
    assert!(count > 50, "{count} quotations");
}
