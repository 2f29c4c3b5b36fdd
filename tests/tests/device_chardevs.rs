//! Devices of the command line with their chardevs: which they find, what they share, and that they can stop working and begin again.

use std::io::{Read, Write};

use serde_json::{Value, json};
use tests::{PATIENCE, Program, Qmp, firmware, kvm_or_skip, out, run, wait_for_file};

fn get(qmp: &mut Qmp, path: &str, property: &str) -> Value {
    qmp.ok("qom-get", &json!({"path": path, "property": property}))
}

/// What a human monitor answers.
fn human(qmp: &mut Qmp, line: &str) -> String {
    qmp.human(line).trim_end().to_owned()
}

/// The reference lets a device be put out of work, leaves its ports answering, and aborts when it is to work again.
#[test]
fn a_port_that_does_not_work_is_gone_and_comes_back() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let files = ["serial", "debug"].map(|name| format!("file,id={name},path={}", at(name).display()));
    let program = Program::start(&[
        "-accel",
        "tcg",
        "-chardev",
        &files[0],
        "-chardev",
        &files[1],
        "-device",
        "isa-serial,id=s,chardev=serial,iobase=0x3e0",
        "-device",
        "isa-debugcon,id=d,chardev=debug",
    ]);
    let mut qmp = program.qmp();
    let ports = [("s", "serial", "0x3e0"), ("d", "debug", "0xe9")];
    for round in 1..=3 {
        for (id, file, port) in ports {
            assert_eq!(human(&mut qmp, &format!("o /b {port} 0x61")), "");
            assert_eq!(wait_for_file(&at(file), round), "a".repeat(round));
            for _ in 0..2 {
                let _ = qmp.ok("qom-set", &json!({"path": id, "property": "realized", "value": false}));
            }
            assert_eq!(get(&mut qmp, id, "realized"), false);
            assert_eq!(get(&mut qmp, id, "chardev"), file);
            assert!(human(&mut qmp, &format!("i /b {port}")).ends_with(" = 0xff"));
            // Lost.
            assert_eq!(human(&mut qmp, &format!("o /b {port} 0x62")), "");
            let _ = qmp.ok("qom-set", &json!({"path": id, "property": "realized", "value": true}));
            assert_eq!(get(&mut qmp, id, "realized"), true);
        }
    }
    // One that is let go of is nobody's.
    assert_eq!(qmp.error("chardev-remove", &json!({"id": "debug"})).1, "Chardev 'debug' is busy");
    let _ = qmp.ok("qom-set", &json!({"path": "d", "property": "realized", "value": false}));
    let _ = qmp.ok("qom-set", &json!({"path": "d", "property": "chardev", "value": ""}));
    let _ = qmp.ok("chardev-remove", &json!({"id": "debug"}));
}

/// What a port had no room for goes to the port that comes after it.
#[test]
fn input_that_waits_is_given_to_the_port_that_comes_back() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let socket = directory.path().join("serial");
    let chardev = format!("socket,id=c,server=on,wait=off,path={}", socket.display());
    let device = "isa-serial,id=s,chardev=c,iobase=0x3e0";
    let program = Program::start(&["-accel", "tcg", "-chardev", &chardev, "-device", device]);
    let mut qmp = program.qmp();
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).expect("the chardev");
    stream.write_all(b"abcdef").expect("the chardev");
    // Without FIFOs there is room for one.
    for byte in ["0x61", "0x62", "0x63"] {
        let start = std::time::Instant::now();
        while human(&mut qmp, "i /b 0x3e5") != "portb[0x03e5] = 0x61" {
            assert!(start.elapsed() < PATIENCE, "nothing came");
        }
        if byte == "0x61" {
            // Lost with the port that has it.
            for on in [false, true] {
                let _ = qmp.ok("qom-set", &json!({"path": "s", "property": "realized", "value": on}));
            }
        } else {
            assert_eq!(human(&mut qmp, "i /b 0x3e0"), format!("portb[0x03e0] = {byte}"));
        }
    }
}

/// What comes to a chardev before its device is there waits for it, as with QEMU 11.1.2: before the machine is built too.
#[test]
fn input_that_comes_early_waits_for_its_port() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let socket = directory.path().join("serial");
    let chardev = format!("socket,id=c,server=on,wait=off,path={}", socket.display());
    let device = "isa-serial,id=s,chardev=c,iobase=0x3e0";
    let words = ["-preconfig", "-accel", "tcg", "-chardev", &chardev, "-device", device];
    let program = Program::start(&words);
    let mut qmp = program.qmp();
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).expect("the chardev");
    stream.write_all(b"he").expect("the chardev");
    let is_connected = |qmp: &mut Qmp| {
        let chardevs = qmp.ok("query-chardev", &json!({}));
        let mut all = chardevs.as_array().expect("a list").iter();
        let one = all.find(|one| one["label"] == "c").expect("the chardev");
        !one["filename"].as_str().expect("a text").starts_with("disconnected")
    };
    // Its client has come, and what it said could be read by now.
    let start = std::time::Instant::now();
    while !is_connected(&mut qmp) {
        assert!(start.elapsed() < PATIENCE, "nobody came");
    }
    let _ = qmp.ok("query-status", &json!({}));
    let _ = qmp.ok("x-exit-preconfig", &json!({}));
    for byte in ["0x68", "0x65"] {
        let start = std::time::Instant::now();
        while human(&mut qmp, "i /b 0x3e5") != "portb[0x03e5] = 0x61" {
            assert!(start.elapsed() < PATIENCE, "nothing came");
        }
        assert_eq!(human(&mut qmp, "i /b 0x3e0"), format!("portb[0x03e0] = {byte}"));
    }
}

/// A shared chardev has four users at most, whoever they are, and its users are told so who ask for what it cannot do. The texts are the
/// reference's.
#[test]
fn a_shared_chardev_has_four_users() {
    let debug = |port: u16| format!("isa-debugcon,chardev=m,iobase={port:#x}");
    let devices: Vec<String> = (0x201..0x206).map(debug).collect();
    let words = |devices: &[String], mon: usize| {
        let mut words = vec!["-accel", "tcg", "-serial", "none", "-chardev", "null,id=m,mux=on"];
        words.extend(["-mon", "m"].repeat(mon));
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        words.extend(devices.iter().flat_map(|device| ["-device".to_owned(), device.clone()]));
        words
    };
    let why = "too many uses of multiplexed chardev 'm' (maximum is 4)";
    for (devices, mon, text) in [
        (
            &devices[..],
            0,
            format!("-device {}: Property 'isa-debugcon.chardev' can't take value 'm': {why}\n", devices[4]),
        ),
        (
            &devices[..1],
            4,
            format!("-device {}: Property 'isa-debugcon.chardev' can't take value 'm': {why}\n", devices[0]),
        ),
        (&[], 5, format!("{why}\n")),
    ] {
        let words = words(devices, mon);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let finished = run(&[&["-display", "none", "-monitor", "none"][..], &words].concat());
        assert_eq!(finished.status, Some(1), "{words:?}");
        assert!(finished.stderr.ends_with(&text), "{words:?}: {}", finished.stderr);
    }
    // One that goes makes room for another.
    let words = words(&devices[..4], 0);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let program = Program::start(
        &[&words[..], &["-chardev", "null,id=n", "-device", "isa-debugcon,id=d,chardev=n,iobase=0x205"]]
            .concat(),
    );
    let mut qmp = program.qmp();
    let all = qmp.ok("qom-list", &json!({"path": "/machine/peripheral-anon"}));
    let first = all
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|child| child["name"].as_str())
        .find(|name| name.starts_with("device["))
        .map(|name| format!("/machine/peripheral-anon/{name}"))
        .expect("a device");
    for path in [&*first, "d"] {
        let _ = qmp.ok("qom-set", &json!({"path": path, "property": "realized", "value": false}));
    }
    let take = json!({"path": "d", "property": "chardev", "value": "m"});
    let text = format!("Property 'isa-debugcon.chardev' can't take value 'm': {why}");
    assert_eq!(qmp.error("qom-set", &take).1, text);
    let _ = qmp.ok("qom-set", &json!({"path": first, "property": "chardev", "value": ""}));
    let _ = qmp.ok("qom-set", &take);
    let _ = qmp.ok("qom-set", &json!({"path": "d", "property": "realized", "value": true}));
}

/// Two ports may have one index, as in the reference, and one place only one.
#[test]
fn an_index_may_be_given_twice_and_a_place_once() {
    let program = Program::start(&[
        "-accel",
        "tcg",
        "-device",
        "isa-serial,id=first,index=1",
        "-device",
        "isa-serial,id=second,index=1,iobase=0x3e0",
    ]);
    let mut qmp = program.qmp();
    for (id, base) in [("first", 0x2f8), ("second", 0x3e0)] {
        let is = ["index", "iobase", "irq"].map(|property| get(&mut qmp, id, property));
        assert_eq!(is, [json!(1), json!(base), json!(3)]);
    }
    let common = ["-accel", "tcg", "-display", "none", "-monitor", "none"];
    // The board's own, which is there without being asked for, and another one of the command line.
    for (words, text) in [
        (&["-device", "isa-serial,index=0"][..], "'serial' at 0x3f8 (length 0x8) overlaps 'serial'\n"),
        (
            &["-serial", "none", "-device", "isa-serial,index=2", "-device", "isa-serial,index=2"],
            "'serial' at 0x3e8 (length 0x8) overlaps 'serial'\n",
        ),
    ] {
        let words = if words.len() == 2 { [&["-serial", "null"], words].concat() } else { words.to_vec() };
        let finished = run(&[&common[..], &words].concat());
        assert_eq!(finished.status, Some(1), "{words:?}");
        assert!(finished.stderr.ends_with(text), "{words:?}: {}", finished.stderr);
    }
}

/// However a device comes to its chardev. The texts are the reference's.
#[test]
fn any_device_finds_its_chardev() {
    let users = |qmp: &mut Qmp, label: &str| {
        let chardevs = qmp.ok("query-chardev", &json!({}));
        let chardev = chardevs.as_array().expect("a list").iter().find(|chardev| chardev["label"] == label);
        chardev.expect("the chardev")["frontend-open"].clone()
    };
    // By a global property.
    let words = ["-chardev", "null,id=c", "-global", "isa-serial.chardev=c", "-device", "isa-serial,id=s"];
    let program = Program::start(&[&["-accel", "tcg", "-serial", "none"][..], &words].concat());
    let mut qmp = program.qmp();
    assert_eq!(get(&mut qmp, "s", "chardev"), "c");
    assert_eq!(users(&mut qmp, "c"), true);
    // One that is made between the command line and the machine.
    let words = ["-preconfig", "-chardev", "null,id=gone", "-device", "isa-debugcon,id=d,chardev=late"];
    let program = Program::start(&[&["-accel", "tcg"][..], &words].concat());
    let mut qmp = program.qmp();
    let _ = qmp.ok("chardev-remove", &json!({"id": "gone"}));
    let _ = qmp.ok("chardev-add", &json!({"id": "late", "backend": {"type": "null", "data": {}}}));
    assert_eq!(users(&mut qmp, "late"), false);
    let _ = qmp.ok("x-exit-preconfig", &json!({}));
    assert_eq!(get(&mut qmp, "d", "chardev"), "late");
    assert_eq!(users(&mut qmp, "late"), true);
    for (words, why) in [
        (
            &["-global", "isa-serial.chardev=nope", "-device", "isa-serial"][..],
            "-device isa-serial: can't apply global isa-serial.chardev=nope: Property 'serial.chardev' can't find value 'nope'",
        ),
        (
            &["-chardev", "null,id=c", "-mon", "c", "-device", "isa-serial,chardev=c"],
            "-device isa-serial,chardev=c: Property 'serial.chardev' can't take value 'c': chardev 'c' is already in use",
        ),
    ] {
        let common = ["-accel", "tcg", "-display", "none", "-monitor", "none", "-serial", "none"];
        let finished = run(&[&common[..], words].concat());
        assert_eq!(finished.status, Some(1), "{words:?}");
        assert!(finished.stderr.ends_with(&format!("{why}\n")), "{words:?}: {}", finished.stderr);
    }
}

/// A device that joins a monitor on a shared chardev has the keys, as in the reference; also where that monitor's own command makes it.
#[test]
fn a_device_shares_a_monitors_chardev() {
    for preconfig in [false, true] {
        let directory = tempfile::TempDir::new().expect("a directory");
        let socket = directory.path().join("shared");
        let chardev = format!("socket,id=m,mux=on,server=on,wait=off,path={}", socket.display());
        let words = [
            "-accel",
            "tcg",
            "-chardev",
            &chardev,
            "-mon",
            "m",
            "-device",
            "isa-serial,id=s,chardev=m,iobase=0x3e0",
        ];
        let program = Program::start(&[&words[..], if preconfig { &["-preconfig"] } else { &[] }].concat());
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).expect("the chardev");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut until = |send: &[u8], end: &str| {
            stream.write_all(send).expect("the chardev");
            let mut text = String::new();
            while !text.ends_with(end) {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("the chardev");
                text.push(char::from(byte[0]));
            }
        };
        until(b"", "(qemu) ");
        if preconfig {
            until(b"exit_preconfig\n", "(qemu) ");
        }
        let mut qmp = program.qmp();
        // To the port, which has received it when its line status says so.
        until(b"x\x01h", "sends C-a\r\n");
        let start = std::time::Instant::now();
        while human(&mut qmp, "i /b 0x3e5") != "portb[0x03e5] = 0x61" {
            assert!(start.elapsed() < PATIENCE, "nothing came");
        }
        assert_eq!(human(&mut qmp, "i /b 0x3e0"), "portb[0x03e0] = 0x78");
        until(b"\x01cinfo kvm\n", "kvm support: disabled\r\n(qemu) ");
    }
}

/// A guest that writes to the ports without end, with the port's interrupt enabled, is none the wiser.
#[test]
fn a_port_goes_and_comes_while_a_guest_uses_it() {
    if !kvm_or_skip("a_port_goes_and_comes_while_a_guest_uses_it") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name).display().to_string();
    // Interrupts of the holding register; then, without end, a byte to the port and one to the console.
    let enable = out(0x3e1, 2);
    let [write, debug] = [out(0x3e0, b'x'), out(0xe9, b'y')];
    let back = [0xeb, 0_u8.wrapping_sub(20)];
    std::fs::write(at("image"), firmware(&[&enable[..], &write, &debug, &back].concat())).expect("an image");
    let files = ["serial", "debug"].map(|name| format!("file,id={name},path={}", at(name)));
    let program = Program::start(&[
        "-accel",
        "kvm",
        "-bios",
        &at("image"),
        "-chardev",
        &files[0],
        "-chardev",
        &files[1],
        "-device",
        "isa-serial,id=s,chardev=serial,iobase=0x3e0",
        "-device",
        "isa-debugcon,id=d,chardev=debug",
    ]);
    let mut qmp = program.qmp();
    for _ in 0..20 {
        for (id, file) in [("s", "serial"), ("d", "debug")] {
            let file = directory.path().join(file);
            let _ = qmp.ok("qom-set", &json!({"path": id, "property": "realized", "value": false}));
            // What it had written arrives before an answer does that was asked for after it, and nothing more.
            let mut len = || {
                assert_eq!(qmp.ok("query-status", &json!({}))["status"], "running");
                std::fs::metadata(&file).expect("the file").len()
            };
            let before = len();
            assert_eq!(len(), before, "it writes while it does not work");
            let _ = qmp.ok("qom-set", &json!({"path": id, "property": "realized", "value": true}));
            // What the guest writes from then on arrives.
            let before = usize::try_from(before).expect("a length");
            assert!(wait_for_file(&file, before + 1).len() > before, "{}", file.display());
        }
    }
    assert_eq!(qmp.ok("query-status", &json!({}))["status"], "running");
}
