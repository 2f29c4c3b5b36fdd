//! Address spaces and blocks of memory, as the reference shows those that it has too.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Program, Qmp, kvm_or_skip, run_with_input};

const RECORDED: &str = include_str!("fixtures/memory-tree.txt");

/// Regions of the reference that there are none of here, by name.
const LACKING: [&str; 33] = [
    "acpi-pci-hotplug",
    "acpi-smi",
    "ahci",
    "ahci-idp",
    "bmdma",
    "dma-chan",
    "dma-cont",
    "dma-page",
    "fdc",
    "fwcfg",
    "fwcfg.dma",
    "hpet",
    "ide",
    "ioport80",
    "ioportF0",
    "kvmvapic",
    "kvmvapic-rom",
    "lpc-rcrb-mmio",
    "pam-pci",
    "pam-ram",
    "pam-rom",
    "pc.rom",
    "pci",
    "pci-conf-data",
    "pci-conf-idx",
    "pcie-mmcfg-mmio",
    "pcspk",
    "piix-bmdma",
    "piix-bmdma-container",
    "pm-smbus",
    "rtc-index",
    "sm-tco",
    "vmport",
];

struct Session {
    arguments: Vec<String>,
    /// Lines of the monitor and the reference's answers.
    answers: Vec<(&'static str, String)>,
}

impl Session {
    /// Of the machine that has nothing.
    fn is_empty(&self) -> bool {
        self.arguments[1] == "none"
    }
}

fn sessions() -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut request = "";
    for line in RECORDED.lines().filter(|line| !line.starts_with("##")) {
        let (kind, text) = line.split_at(2);
        match kind {
            "# " => {
                let arguments = serde_json::from_str(text).expect("arguments");
                sessions.push(Session { arguments, answers: Vec::new() });
            }
            "> " => request = text,
            "< " => {
                let answer = serde_json::from_str(text).expect("a string");
                sessions.last_mut().expect("a session").answers.push((request, answer));
            }
            other => panic!("{other:?}"),
        }
    }
    sessions
}

/// A region's name in a line of a tree or of a flat view; none in other lines.
fn region(line: &str) -> Option<&str> {
    let (_, named) = line.split_once("): ")?;
    named.strip_prefix("alias ").unwrap_or(named).split(' ').next()
}

/// First address of such a line.
fn first(line: &str) -> u64 {
    let digits = line.trim_start().split('-').next().unwrap_or_default();
    u64::from_str_radix(digits, 16).expect("an address")
}

/// The part of the owners that does not depend on what other devices a machine has.
fn without_paths(line: &str) -> String {
    let cut = [
        " orphan",
        " parent:{obj path=/machine",
        " owner:{dev path=/machine",
        " owner:{obj path=/objects/pc.ram",
    ];
    let (text, kvm) = line.strip_suffix(" KVM").map_or((line, ""), |text| (text, " KVM"));
    let at = cut.iter().filter_map(|cut| text.find(cut)).min().unwrap_or(text.len());
    format!("{}{kvm}", &text[..at])
}

/// The sections of an answer that begin with one of these lines.
fn sections<'a>(answer: &'a str, wanted: &[&str]) -> Vec<&'a str> {
    answer.split("\r\n\r\n").filter(|section| section.lines().any(|line| wanted.contains(&line))).collect()
}

/// What both have, each line once: the reference's tree nests some of it in PCI's part of memory, so there is no indentation.
fn comparable(request: &str, answer: &str) -> BTreeSet<String> {
    let flat = request.contains("-f");
    // Shadow memory of the reference shows a part of RAM by itself, too.
    let ram = ["memory-region: pc.ram", "memory-region: m0"].into_iter().find(|ram| answer.contains(ram));
    let wanted: &[&str] = if flat {
        &[" AS \"memory\", root: system", " AS \"I/O\", root: io"]
    } else {
        &["address-space: memory", "address-space: I/O", "memory-region: pc.bios", ram.unwrap_or_default()]
    };
    let mut lines = BTreeSet::new();
    for section in sections(answer, wanted) {
        let is_memory = section.contains("root: system");
        for line in section.lines() {
            let Some(name) = region(line) else {
                if wanted.contains(&line) || line.starts_with(" Root") || line.starts_with("  No") {
                    lines.insert(line.to_owned());
                }
                continue;
            };
            let lacking = LACKING.contains(&name) || name == "smram-region";
            // The video window shows PCI's part of memory in the reference, which has shadow memory below 1 MiB, and two regions for the clock; what is between regions depends on all.
            let otherwise = flat
                && (is_memory && first(line) < 0x10_0000
                    || name == "rtc"
                    || name == "io" && !line.contains("0000000000000000-000000000000ffff"));
            if !lacking && !otherwise {
                lines.insert(without_paths(line).trim_start().to_owned());
            }
        }
    }
    lines
}

/// Without the blocks that are not here, and without addresses in the program.
fn comparable_blocks(answer: &str) -> Vec<String> {
    let lines = answer.lines().filter(|line| !line.contains("/rom@") && !line.contains("pc.rom"));
    lines
        .map(|line| match line.match_indices("0x").nth(3) {
            Some((at, _)) => format!("{}{}", &line[..at], &line[at + 18..]),
            None => line.to_owned(),
        })
        .collect()
}

fn compare(session: &Session, qmp: &mut Qmp) {
    for (request, expected) in &session.answers {
        let got = qmp.human(request);
        let about = format!("{:?} {request}", session.arguments);
        if request.ends_with("ramblock") {
            assert_eq!(comparable_blocks(&got), comparable_blocks(expected), "{about}");
        } else if expected.contains("(prio ") {
            let (got, expected) = (comparable(request, &got), comparable(request, expected));
            let only_here: Vec<_> = got.difference(&expected).collect();
            let only_there: Vec<_> = expected.difference(&got).collect();
            assert!(
                only_here.is_empty() && only_there.is_empty(),
                "{about}\n{only_here:#?}\n{only_there:#?}"
            );
            assert!(session.is_empty() || got.len() > 15, "{about}: {got:?}");
        } else {
            assert_eq!(got, *expected, "{about}");
        }
    }
}

#[test]
fn what_both_have_of_a_pc_is_shown_alike() {
    if !kvm_or_skip("what_both_have_of_a_pc_is_shown_alike") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    // As large as the reference's firmware.
    let firmware = directory.path().join("firmware");
    std::fs::write(&firmware, vec![0; 256 << 10]).expect("an image");
    let firmware = firmware.display().to_string();
    let mut compared = 0;
    for session in sessions().iter().filter(|session| !session.is_empty()) {
        let mut words: Vec<&str> = session.arguments.iter().map(String::as_str).collect();
        words.extend(["-S", "-bios", &firmware]);
        let program = Program::start(&words);
        compare(session, &mut program.qmp());
        compared += session.answers.len();
    }
    assert!(compared >= 20, "{compared}");
}

/// Byte for byte: it has nothing that the reference's lacks, nor the other way round, but the order of spaces varies there.
#[test]
fn a_machine_without_anything_has_empty_spaces() {
    let sessions = sessions();
    let session = sessions.iter().find(|session| session.is_empty()).expect("a session");
    let words: Vec<&str> = session.arguments.iter().map(String::as_str).collect();
    let program = Program::start(&words);
    let mut qmp = program.qmp();
    compare(session, &mut qmp);
    assert_eq!(
        qmp.human("info mtree"),
        "address-space: memory\r\n  0000000000000000-ffffffffffffffff (prio 0, container): system\r\n\r\n\
         address-space: I/O\r\n  0000000000000000-000000000000ffff (prio 0, container): io\r\n\r\n"
    );
}

/// Without KVM there are ports, as there are devices, and no memory.
#[test]
fn without_kvm_there_are_the_ports_of_devices() {
    let arguments = [
        "-accel",
        "tcg",
        "-S",
        "-chardev",
        "null,id=c",
        "-device",
        "isa-debugcon,chardev=c,id=d,iobase=0x2e0",
    ];
    let program = Program::start(&arguments);
    let mut qmp = program.qmp();
    let tree = qmp.human("info mtree -o");
    let port = "    00000000000002e0-00000000000002e0 (prio 0, i/o): isa-debugcon owner:{dev id=d}\r\n";
    assert!(tree.contains(port) && tree.contains("(prio 0, i/o): port92"), "{tree}");
    assert!(!tree.contains("ram") && !tree.contains("kvm"), "{tree}");
    let flat = qmp.human("info mtree -f");
    let around = "  00000000000000b4-00000000000002df (prio 0, container): io @00000000000000b4\r\n  \
                  00000000000002e0-00000000000002e0 (prio 0, i/o): isa-debugcon\r\n  \
                  00000000000002e1-00000000000003f7 (prio 0, container): io @00000000000002e1\r\n";
    assert!(flat.contains(around) && flat.contains("  No rendered FlatView\r\n"), "{flat}");
}

/// Every port is in the flat view once, wherever devices are: in the window of power management and over its end, and beside the ports of
/// KVM.
#[test]
fn a_flat_view_has_every_port_once() {
    for accel in ["tcg", "kvm"] {
        if accel == "kvm" && !kvm_or_skip("a_flat_view_has_every_port_once under KVM") {
            continue;
        }
        let ports = [0x18, 0x44, 0x4c8, 0x4d2, 0x610, 0x63c];
        let devices = ports.map(|port| format!("isa-serial,iobase={port:#x}"));
        let mut arguments = vec!["-M", "pc", "-accel", accel, "-S"];
        devices.iter().for_each(|device| arguments.extend(["-device", device.as_str()]));
        // An index has a place of its own for four ports only, so all have the first.
        arguments.extend(["-global", "isa-serial.index=0"]);
        let program = Program::start(&arguments);
        let flat = program.qmp().human("info mtree -f");
        let (_, ports_view) = flat.split_once("Root memory region: io\r\n").expect("the ports");
        let mut next = 0;
        let mut serials = Vec::new();
        for line in ports_view.lines().take_while(|line| region(line).is_some()) {
            assert_eq!(first(line), next, "{line}\n{flat}");
            let last = line.trim_start().split_once('-').expect("a range").1;
            let last =
                u64::from_str_radix(last.split(' ').next().expect("an address"), 16).expect("an address");
            assert!(last >= next, "{line}");
            if region(line) == Some("serial") {
                serials.push((next, last));
            }
            next = last + 1;
        }
        assert_eq!(next, 0x1_0000);
        // COM1 is there too.
        let expected: BTreeSet<_> = ports.into_iter().chain([0x3f8]).map(|port| (port, port + 7)).collect();
        assert_eq!(serials, Vec::from_iter(expected));
    }
}

/// KVM answers these itself, so nobody would find a device there. The reference shows the device and lets KVM answer.
#[test]
fn the_ports_of_kvm_are_taken() {
    if !kvm_or_skip("the_ports_of_kvm_are_taken") {
        return;
    }
    for (place, owner) in [
        ("0x20", "kvm-pic"),
        ("0x19", "kvm-pic"),
        ("0x3c", "kvm-pit"),
        ("0x43", "kvm-pit"),
        ("0xa1", "kvm-pic"),
        ("0x4c9", "kvm-elcr"),
    ] {
        let device = format!("isa-serial,iobase={place}");
        for (accel, status) in [("kvm", 1), ("tcg", 0)] {
            let words =
                ["-accel", accel, "-display", "none", "-monitor", "stdio", "-serial", "none", "-device"];
            let finished = run_with_input(&[&words[..], &[&device]].concat(), "quit\n");
            assert_eq!(finished.status, Some(status), "{accel} {device}: {}", finished.stderr);
            if accel == "kvm" {
                let why = format!("-device {device}: 'serial' at {place} (length 0x8) overlaps '{owner}'\n");
                assert!(finished.stderr.ends_with(&why), "{}", finished.stderr);
            }
        }
    }
}

#[test]
fn blocks_of_memory_are_told_over_qmp_and_come_and_go_with_their_objects() {
    let program = Program::start(&["-accel", "tcg", "-S"]);
    let mut qmp = program.qmp();
    let blocks = |qmp: &mut Qmp| -> Vec<String> {
        let answer = qmp.ok("x-query-ramblock", &json!({}));
        let text = answer["human-readable-text"].as_str().expect("text").to_owned();
        assert_eq!(text.replace('\n', "\r\n"), qmp.human("info ramblock"));
        text.lines().map(str::to_owned).collect()
    };
    let before = blocks(&mut qmp);
    assert_eq!(before.len(), 1, "{before:?}");
    let add = |id: &str, size: u64| json!({"qom-type": "memory-backend-ram", "id": id, "size": size});
    for (id, size) in [("small", 4096), ("large", 1 << 20)] {
        let _: Value = qmp.ok("object-add", &add(id, size));
    }
    let two = blocks(&mut qmp);
    let sizes = "0x0000000000100000 0x0000000000100000";
    assert!(two[1].trim_start().starts_with("large    4 KiB") && two[1].contains(sizes), "{two:?}");
    assert!(two[2].trim_start().starts_with("small    4 KiB") && two[2].ends_with("  rw"), "{two:?}");
    let _ = qmp.ok("object-del", &json!({"id": "large"}));
    assert_eq!(blocks(&mut qmp).len(), 2);
}
