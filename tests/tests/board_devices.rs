//! The devices on a PC's board: where they are, what they say, and that it is so.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Program, Qmp, firmware, kvm_or_skip, out, run, run_with_input, wait_for_file};

fn get(qmp: &mut Qmp, path: &str, property: &str) -> Value {
    qmp.ok("qom-get", &json!({"path": path, "property": property}))
}

/// The devices of the recorded command lines.
const DEVICES: [&str; 10] = [
    "-chardev",
    "null,id=c1",
    "-chardev",
    "null,id=c2",
    "-device",
    r#"{"driver": "isa-serial", "chardev": "c1", "id": "s1", "index": 1}"#,
    "-device",
    "isa-serial,id=s2,iobase=0x3e0,irq=10",
    "-device",
    "isa-debugcon,chardev=c2,id=dbg",
];

/// Lists by name: the reference's are in the order of a hash table.
fn sorted(mut answer: Value) -> Value {
    if let Some(list) = answer.get_mut("return").and_then(Value::as_array_mut) {
        list.sort_by_key(|entry| entry["name"].to_string());
    }
    answer
}

/// One session, request by request.
#[test]
fn the_recorded_session_is_answered_alike() {
    let program =
        Program::start(&[&["-M", "pc", "-accel", "tcg", "-nodefaults", "-S"][..], &DEVICES].concat());
    let mut qmp = program.qmp();
    let lines: Vec<&str> =
        include_str!("fixtures/board-devices.txt").lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() > 130 && lines.len().is_multiple_of(2));
    for pair in lines.chunks(2) {
        let request: Value = serde_json::from_str(pair[0]).expect("a request");
        let answer: Value = serde_json::from_str(pair[1]).expect("an answer");
        let command = request["execute"].as_str().expect("a command");
        assert_eq!(sorted(qmp.execute(command, &request["arguments"])), sorted(answer), "{request}");
    }
}

/// Below the south bridge as in the reference, whose path differs in the number alone.
#[test]
fn each_device_is_in_its_place() {
    for (machine, bridge, parts) in [
        ("pc", "PIIX3", &[("isa.0", "ISA"), ("rtc", "mc146818rtc"), ("pm", "PIIX4_PM")][..]),
        ("q35", "ICH9-LPC", &[("isa.0", "ISA"), ("rtc", "mc146818rtc")]),
    ] {
        let program = Program::start(&["-M", machine, "-accel", "tcg", "-smp", "2", "-S"]);
        let mut qmp = program.qmp();
        let at = "/machine/unattached/device[2]";
        assert_eq!(get(&mut qmp, at, "type"), bridge);
        assert_eq!(get(&mut qmp, at, "parent_bus"), "/machine/unattached/sysbus");
        let list = qmp.ok("qom-list", &json!({"path": at}));
        let children: Vec<_> = list
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|entry| {
                Some((entry["name"].as_str()?, entry["type"].as_str()?.strip_prefix("child<")?))
            })
            .map(|(name, type_name)| (name, type_name.trim_end_matches('>')))
            .collect();
        assert_eq!(children, parts, "{machine}");
        assert_eq!(get(&mut qmp, &format!("{at}/rtc"), "parent_bus"), format!("{at}/isa.0"));
        let on_bus = ["mc146818rtc", "isa-serial", "i8042", "port92"];
        for (number, type_name) in on_bus.into_iter().enumerate() {
            assert_eq!(get(&mut qmp, &format!("{at}/isa.0/child[{number}]"), "type"), type_name);
        }
        let clock = get(&mut qmp, "/machine", "rtc-time");
        assert!(clock["tm_year"].as_i64().is_some_and(|year| year > 100), "{clock}");
    }
}

/// What is switched off is no device either.
#[test]
fn what_is_not_there_is_no_device() {
    let program = Program::start(&["-M", "pc,i8042=off,acpi=off", "-accel", "tcg", "-S", "-serial", "null"]);
    let mut qmp = program.qmp();
    let text = qmp.human("info qtree -b");
    assert!(text.contains("dev: mc146818rtc") && text.contains("dev: isa-serial"), "{text}");
    assert!(!text.contains("i8042") && !text.contains("PIIX4_PM"), "{text}");
    let none = Program::start(&["-M", "none", "-accel", "tcg"]);
    let tree = none.qmp().human("info qtree");
    assert_eq!(tree, "bus: main-system-bus\r\n  type System\r\n");
}

/// A device's lines by its type and the how-manieth of it, and the order of devices.
fn blocks(text: &str) -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let (mut order, mut blocks, mut at) = (Vec::new(), BTreeMap::new(), String::new());
    for line in text.lines().map(str::trim) {
        if let Some(head) = line.strip_prefix("dev: ") {
            at = (1..)
                .map(|n| format!("{head} #{n}"))
                .find(|key| !blocks.contains_key(key))
                .expect("a number");
            order.push(at.clone());
            blocks.insert(at.clone(), Vec::new());
        } else if line.starts_with("bus: ") || line.starts_with("type ") {
            at.clear();
        } else if let Some(lines) = blocks.get_mut(&at) {
            lines.push(line.to_owned());
        }
    }
    (order, blocks)
}

/// What the reference's lines have more: interrupts, PCI, and what is only kept for migration.
fn is_compared(line: &str) -> bool {
    !line.starts_with("gpio-") && !line.starts_with("extended-state = ")
}

/// Every device here is in the reference's tree, in its order and with its lines; the south bridges, which are no PCI devices here, with
/// fewer.
fn compare_trees(accel: &str) {
    let recorded = include_str!("fixtures/board-qtree.txt");
    let mut count = 0;
    for session in recorded.split("\n# ").skip(1) {
        let (head, theirs) = session.split_once('\n').expect("a head and a tree");
        let (words, command) = head.rsplit_once("] ").expect("words and a command");
        let words: Vec<String> = serde_json::from_str(&format!("{words}]")).expect("a command line");
        if words[3] != accel {
            continue;
        }
        count += 1;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let program = Program::start(&[&["-nodefaults", "-S"], &words[..]].concat());
        let ours = program.qmp().human(command).replace("\r\n", "\n");
        let ((order, ours), (their_order, theirs)) = (blocks(&ours), blocks(theirs));
        assert!(order.len() >= 8, "{order:?}");
        let is_bridge = |device: &String| ["PIIX", "ICH9"].iter().any(|name| device.starts_with(name));
        let on_isa = |order: &[String]| -> Vec<String> {
            let shared =
                order.iter().filter(|device| ours.contains_key(*device) && theirs.contains_key(*device));
            shared.filter(|device| !is_bridge(device) && !device.contains("ioapic")).cloned().collect()
        };
        assert_eq!(on_isa(&order), on_isa(&their_order), "{head}");
        for (device, lines) in &ours {
            let their_lines = theirs.get(device).unwrap_or_else(|| panic!("{head}: no {device}"));
            let their_lines: Vec<&String> = their_lines.iter().filter(|line| is_compared(line)).collect();
            if is_bridge(device) {
                let other = |line: &&String| !their_lines.contains(line);
                // Sleep states that guests are not told of.
                let known = ["disable_s3 = 1 (0x1)", "disable_s4 = 1 (0x1)", "s4_val = 2 (0x2)"];
                let others: Vec<_> = lines.iter().filter(other).collect();
                assert!(
                    others.iter().all(|line| known.contains(&line.as_str())),
                    "{head}: {device}: {others:?}"
                );
            } else {
                assert_eq!(lines.iter().collect::<Vec<_>>(), their_lines, "{head}: {device}");
            }
        }
    }
    assert_eq!(count, 4);
}

#[test]
fn the_tree_of_devices_is_the_references() {
    compare_trees("tcg");
}

#[test]
fn the_tree_of_devices_under_kvm_is_the_references() {
    if kvm_or_skip("the_tree_of_devices_under_kvm_is_the_references") {
        compare_trees("kvm");
    }
}

/// The texts are the reference's, but where a place is impossible: there the program aborts (`irq`), or takes what cannot be reached.
#[test]
fn what_cannot_be_is_refused() {
    for (device, why) in [
        ("isa-serial,index=4", "Max. supported number of ISA serial ports is 4."),
        ("isa-serial,chardev=nope", "Property 'serial.chardev' can't find value 'nope'"),
        (
            "isa-serial,chardev=b",
            "Property 'serial.chardev' can't take value 'b': chardev 'b' is already in use",
        ),
        ("isa-serial,irq=20", "Parameter 'irq' expects an interrupt from 0 to 15"),
        ("isa-serial,iobase=0x10000", "Parameter 'iobase' expects an I/O port from 0 to 0xfff8"),
        ("isa-serial,iobase=0x70", "'serial' at 0x70 (length 0x8) overlaps 'rtc'"),
        (
            "isa-serial,baudbase=9600",
            "Parameter 'baudbase' does not accept value '9600': characters take no time on the line",
        ),
        (
            "isa-serial,wakeup=on",
            "Parameter 'wakeup' does not accept value 'on': nothing wakes a guest up, as none is suspended to RAM",
        ),
        ("isa-serial,bus=nope", "Bus 'nope' not found"),
        ("isa-serial,bus=main-system-bus", "Device 'isa-serial' can't go on System bus"),
        ("isa-debugcon", "Can't create debugcon device, empty char device"),
        ("isa-debugcon,chardev=nope", "Property 'isa-debugcon.chardev' can't find value 'nope'"),
        ("isa-debugcon,chardev=a,iobase=0x10000", "Parameter 'iobase' expects an I/O port from 0 to 0xffff"),
        ("mc146818rtc", "Parameter 'driver' expects a pluggable device type"),
        ("port92", "Parameter 'driver' expects a pluggable device type"),
        ("ICH9-LPC", "Parameter 'driver' expects a pluggable device type"),
    ] {
        let chardevs = ["-chardev", "null,id=a", "-chardev", "null,id=b", "-serial", "chardev:b"];
        let common = ["-accel", "tcg", "-display", "none", "-monitor", "none"];
        let finished = run(&[&common[..], &chardevs, &["-device", device]].concat());
        assert_eq!(finished.status, Some(1), "{device}");
        let expected = format!("-device {device}: {why}\n");
        assert!(finished.stderr.ends_with(&expected), "{device}: {}", finished.stderr);
    }
}

/// Managers set some on every start.
#[test]
fn globals_are_honoured_or_refused() {
    for (machine, global) in [
        ("q35", "ICH9-LPC.noreboot=off"),
        ("q35", "ICH9-LPC.noreboot=on"),
        ("q35", "ICH9-LPC.disable_s3=1"),
        ("pc", "PIIX4_PM.disable_s3=1"),
        ("pc", "PIIX4_PM.disable_s4=1"),
        ("pc", "mc146818rtc.lost_tick_policy=discard"),
        ("pc", "kvm-pit.lost_tick_policy=delay"),
        ("pc", "isa-serial.irq=7"),
    ] {
        let common = ["-display", "none", "-monitor", "stdio", "-serial", "null", "-accel", "tcg"];
        let words = [&common[..], &["-M", machine, "-global", global]].concat();
        let finished = run_with_input(&words, "info qtree\nquit\n");
        assert_eq!(finished.status, Some(0), "{global}: {}", finished.stderr);
        assert!(!finished.stderr.contains("global"), "{global}: {}", finished.stderr);
        if global == "isa-serial.irq=7" {
            assert!(finished.stdout.contains("irq = 7 (0x7)"), "{}", finished.stdout);
        }
    }
    for (machine, global, why) in [
        (
            "pc",
            "PIIX4_PM.disable_s3=0",
            "Parameter 'disable_s3' does not accept value '0': a guest cannot be suspended to RAM",
        ),
        ("pc", "mc146818rtc.iobase=112x", "Parameter 'iobase' expects uint64"),
    ] {
        let finished =
            run(&["-accel", "tcg", "-display", "none", "-monitor", "none", "-M", machine, "-global", global]);
        assert_eq!(finished.status, Some(1), "{global}");
        assert!(finished.stderr.contains(why), "{global}: {}", finished.stderr);
    }
}

/// A guest finds the devices where their properties say, and says so through them.
#[test]
fn what_a_device_says_the_ports_do() {
    if !kvm_or_skip("what_a_device_says_the_ports_do") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let mut code = Vec::new();
    code.extend(out(0x5e9, b'd'));
    // mov dx, 0x5e9; in al, dx; out dx, al: what the console reads as goes to it.
    code.extend([0xba, 0xe9, 0x05, 0xec, 0xee]);
    code.extend(out(0x3e0, b's'));
    // The scratch register of the second port keeps what is written: to the console with it.
    code.extend(out(0x3e7, b'k'));
    code.extend([0xba, 0xe7, 0x03, 0xec, 0xba, 0xe0, 0x03, 0xee]);
    // The year of the clock, a digit a half byte, to the second port: 0x21.
    code.extend(out(0x70, 9));
    code.extend([0xba, 0x71, 0x00, 0xec, 0xba, 0xe0, 0x03, 0xee]);
    code.extend([out(0x3f8, b'!'), out(0x3f8, b'\n')].concat());
    code.extend([0xfa, 0xf4]); // cli; hlt
    let image = at("image").display().to_string();
    std::fs::write(&image, firmware(&code)).expect("an image");
    let files = ["debug", "serial"].map(|name| format!("file,id={name},path={}", at(name).display()));
    for machine in ["pc", "q35"] {
        let program = Program::start(&[
            "-M",
            machine,
            "-accel",
            "kvm",
            "-bios",
            &image,
            "-rtc",
            "base=2021-05-06",
            "-chardev",
            &files[0],
            "-chardev",
            &files[1],
            "-device",
            "isa-debugcon,chardev=debug,iobase=0x5e9,readback=0x44",
            "-device",
            "isa-serial,chardev=serial,iobase=0x3e0,irq=10,id=com",
        ]);
        let _ = program.wait_console("!", 1);
        assert_eq!(wait_for_file(&at("debug"), 2), "dD");
        assert_eq!(wait_for_file(&at("serial"), 3), "sk!");
        let mut qmp = program.qmp();
        assert_eq!(get(&mut qmp, "com", "iobase"), 0x3e0);
        assert_eq!(get(&mut qmp, "rtc", "date")["tm_year"], 121);
    }
}

/// A reset of the machine reaches the devices: what the guest left in a register of a port is gone after it, and the port is where it was.
#[test]
fn a_reset_reaches_the_devices() {
    if !kvm_or_skip("a_reset_reaches_the_devices") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let mut code = Vec::new();
    // The interrupt enable register of the second port in letters to the first, then set it.
    code.extend([0xba, 0xe1, 0x03, 0xec, 0x04, b'a', 0xba, 0xf8, 0x03, 0xee]);
    code.extend(out(0x3e1, 5));
    code.extend([0xba, 0xe1, 0x03, 0xec, 0x04, b'a', 0xba, 0xf8, 0x03, 0xee]);
    code.extend(out(0x3f8, b'\n'));
    code.extend([0xfa, 0xf4]);
    let image = directory.path().join("image").display().to_string();
    std::fs::write(&image, firmware(&code)).expect("an image");
    let program =
        Program::start(&["-accel", "kvm", "-bios", &image, "-device", "isa-serial,iobase=0x3e0,irq=10"]);
    let _ = program.wait_console("af", 1);
    let _ = program.qmp().ok("system_reset", &json!({}));
    let _ = program.wait_console("af", 2);
}

#[test]
fn lists_show_them() {
    let help = run(&["-device", "help"]).stdout;
    assert!(help.contains("Input devices:\nname \"isa-serial\", bus ISA\n"), "{help}");
    assert!(help.contains("name \"isa-debugcon\", bus ISA\n"), "{help}");
    // All of them, with what a user cannot make. What is here is there too, in these words and this order.
    let finished = run_with_input(
        &["-M", "none", "-accel", "tcg", "-display", "none", "-serial", "none", "-monitor", "stdio"],
        "info qdm\nquit\n",
    );
    let lines: Vec<&str> = finished.stdout.lines().skip_while(|line| !line.ends_with(" devices:")).collect();
    let at =
        |line: &str| lines.iter().position(|shown| *shown == line).unwrap_or_else(|| panic!("{lines:?}"));
    let places = [
        "Controller/Bridge/Hub devices:",
        "Input devices:",
        "name \"isa-serial\", bus ISA",
        "Misc devices:",
        "name \"isa-debugcon\", bus ISA",
        "CPU devices:",
        "name \"486-v1-x86_64-cpu\"",
        "name \"athlon-x86_64-cpu\"",
        "name \"base-x86_64-cpu\"",
        "name \"Broadwell-x86_64-cpu\"",
        "Uncategorized devices:",
        "name \"ioapic\", bus System, no-user",
        "name \"isa-pit\", bus ISA, no-user",
        "name \"kvm-pit\", bus ISA, no-user",
        "name \"port92\", bus ISA, no-user",
    ]
    .map(at);
    assert!(places.is_sorted(), "{lines:?}");
    // As the reference prints it, but for the part that is a child there.
    let expected = "isa-serial options:\n  baudbase=<uint32>      -  (default: 115200)\n  chardev=<str>          - ID of a chardev to use as a backend\n  index=<uint32>         -  (default: 4294967295)\n  iobase=<uint32>        -  (default: 4294967295)\n  irq=<uint32>           -  (default: 4294967295)\n  wakeup=<bool>          - on/off (default: off)\n";
    assert_eq!(run(&["-device", "isa-serial,help"]).stdout, expected);
}

/// `-debugcon` is that device with an ID of its own. The texts are the reference's.
#[test]
fn a_debug_console_has_an_option() {
    let common = ["-accel", "tcg", "-display", "none"];
    let words = ["-debugcon", "null", "-serial", "none", "-monitor", "stdio"];
    let finished = run_with_input(&[&common[..], &words].concat(), "info qtree\ninfo chardev\nquit\n");
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    let lines: Vec<&str> = finished.stdout.lines().map(str::trim).collect();
    let expected = [
        "dev: isa-debugcon, id \"debugcon\"",
        "iobase = 233 (0xe9)",
        "chardev = \"debugcon\"",
        "readback = 233 (0xe9)",
    ];
    assert!(lines.windows(expected.len()).any(|window| window == expected), "{}", finished.stdout);
    // A chardev of another name, which the reference does not take.
    let words = ["-chardev", "null,id=c", "-debugcon", "chardev:c", "-monitor", "stdio"];
    let finished = run_with_input(&[&common[..], &words].concat(), "info qtree\nquit\n");
    assert!(finished.stdout.contains("chardev = \"c\"\r\n"), "{finished:?}");
    for (words, why) in [
        (
            &["-debugcon", "none"][..],
            "'none' is not a valid char driver\nPROGRAM: -debugcon none: invalid character backend 'none'",
        ),
        (&["-debugcon", "chardev:x"], "invalid character backend 'chardev:x'"),
        (
            &["-debugcon", "file:/nonexistent/x"],
            "Could not open '/nonexistent/x': No such file or directory\n\
             PROGRAM: -debugcon file:/nonexistent/x: invalid character backend 'file:/nonexistent/x'",
        ),
        (
            &["-debugcon", "null", "-chardev", "null,id=debugcon"],
            "Duplicate ID 'debugcon' for chardev\nPROGRAM: -debugcon null: invalid character backend 'null'",
        ),
        (
            &["-debugcon", "null", "-chardev", "null,id=c", "-device", "isa-debugcon,id=debugcon,chardev=c"],
            "already have a debugcon device",
        ),
        (&["-debugcon", "null", "-M", "none"], "No 'ISA' bus found for device 'isa-debugcon'"),
    ] {
        let finished = run(&[&common[..], words, &["-monitor", "none"]].concat());
        assert_eq!(finished.status, Some(1), "{words:?}");
        let expected = format!("PROGRAM: {} {}: {why}\n", words[0], words[1]);
        let stderr = finished.stderr.replace("qom-system-x86_64", "PROGRAM");
        assert_eq!(stderr, expected, "{words:?}");
    }
}
