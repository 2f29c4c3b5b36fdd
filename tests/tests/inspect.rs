//! Looking into a guest that stands: memory, registers and ports, as the reference shows them.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use tests::{PATIENCE, Program, Qmp, kvm_or_skip};

/// What stands in the image at 1000h.
const TEXT: &[u8] = b"Hello, \"world\"\t\n\0\x7f\x80\xff\\'xyz";

/// The image that the transcript was recorded with, by the code at its start.
fn image(code: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 0x10000];
    image[..code.len()].copy_from_slice(code);
    image[0x1000..0x1000 + TEXT.len()].copy_from_slice(TEXT);
    for (index, place) in (1_u32..=2048).zip(image[0x2000..].chunks_exact_mut(4)) {
        place.copy_from_slice(&0x9e37_79b1_u32.wrapping_mul(index).to_le_bytes());
    }
    image[0xfff0..0xfff5].copy_from_slice(&[0xea, 0x00, 0x00, 0x00, 0xf0]);
    image
}

fn from_hex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// LINT0 of the boot CPU is set up before it starts here, and by firmware in the reference, where the timer's output has also risen
/// once by then.
fn comparable(reply: &Value) -> Value {
    let Some(text) = reply.as_str() else { return reply.clone() };
    let lines = text.lines().filter(|line| !line.starts_with("LVT0"));
    let lines = lines.map(|line| line.replace("pic0: irr=01", "pic0: irr=00"));
    lines.collect::<Vec<_>>().join("\n").into()
}

fn line(qmp: &mut Qmp, text: &str) -> Value {
    qmp.human(text).into()
}

/// Lets the guest run until its CPU halts, and stops it.
fn run_until_halted(qmp: &mut Qmp) {
    let start = Instant::now();
    let _ = line(qmp, "cont");
    while !line(qmp, "info registers").as_str().is_some_and(|text| text.contains("HLT=1")) {
        assert!(start.elapsed() < PATIENCE, "the guest does not halt");
    }
    let _ = line(qmp, "stop");
}

/// One request of the transcript; SAVED stands for a file, whose bytes are part of the reply if it was written.
fn ask(qmp: &mut Qmp, request: &str, saved: &Path) -> Value {
    let path = saved.display().to_string();
    let text = request.replace("SAVED", &path);
    let reply = if text.starts_with('{') {
        qmp.send(text.as_bytes());
        qmp.reply()
    } else {
        line(qmp, &text)
    };
    match std::fs::read(saved) {
        Ok(bytes) => {
            std::fs::remove_file(saved).expect("a file");
            json!([reply, hex(&bytes)])
        }
        Err(_) => reply,
    }
}

#[test]
fn a_guest_that_stands_is_shown_as_by_the_reference() {
    if !kvm_or_skip("a_guest_that_stands_is_shown_as_by_the_reference") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let (bios, saved) = (directory.path().join("image"), directory.path().join("saved"));
    let mut program: Option<(Program, Qmp)> = None;
    let (mut request, mut reply) = ("", Value::Null);
    let (mut differences, mut replies) = (Vec::new(), 0);
    for line in include_str!("../transcripts/inspect.txt").lines().filter(|line| !line.starts_with("##")) {
        let (kind, text) = line.split_at(2);
        match kind {
            "! " => std::fs::write(&bios, image(&from_hex(text))).expect("an image"),
            "# " => {
                let words: Vec<String> = serde_json::from_str(text).expect("arguments");
                let bios = bios.display().to_string();
                let words: Vec<&str> =
                    words.iter().map(|word| if word == "BIOS" { &bios } else { word.as_str() }).collect();
                let started = Program::start(&words);
                let qmp = started.qmp();
                program = Some((started, qmp));
            }
            "* " => run_until_halted(&mut program.as_mut().expect("a program").1),
            "> " => {
                request = text;
                reply = ask(&mut program.as_mut().expect("a program").1, text, &saved);
            }
            "< " => {
                let expected: Value = serde_json::from_str(text).expect("JSON");
                if comparable(&reply) != comparable(&expected) {
                    differences.push(format!("{request}\n  expected {expected}\n  got      {reply}"));
                }
                replies += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(replies > 180, "{replies}");
}

/// A guest that runs goes on, and a CPU that comes and goes can be looked at whenever it is there.
#[test]
fn a_running_guest_can_be_looked_at() {
    if !kvm_or_skip("a_running_guest_can_be_looked_at") {
        return;
    }
    let program = Program::start(&["-accel", "kvm", "-smp", "1,maxcpus=2"]);
    let _ = program.wait_console("qom guest: cpu 0: up", 1);
    let mut qmp = program.qmp();
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(text(line(&mut qmp, "cpu 1")), "invalid CPU index\r\n");
    let _ = line(&mut qmp, "cpu-add 1");
    let _ = program.wait_console("qom guest: cpu 1: up", 1);
    for _ in 0..20 {
        let registers = text(line(&mut qmp, "info registers -a"));
        assert!(registers.contains("\r\nCPU#0\r\n") && registers.contains("\r\nCPU#1\r\n"), "{registers}");
        let code = text(line(&mut qmp, "x/1xb $pc"));
        assert!(!code.contains("Cannot access"), "{code}");
    }
    let status = line(&mut qmp, "info status");
    assert_eq!(text(status), "VM status: running\r\n");
}

/// No guest code runs without KVM, so there is nothing to show; ports are there.
#[test]
fn without_kvm_there_are_ports_only() {
    let program = Program::start(&["-accel", "tcg", "-S"]);
    let mut qmp = program.qmp();
    let nothing = "no guest code runs with this accelerator, so there is nothing to look at";
    for command in [
        "x 0",
        "xp 0",
        "x/i 0",
        "xp/i 0",
        "sum 0 1",
        "info registers",
        "gva2gpa 0",
        "memsave 0 1 \"/nonexistent/x\"",
    ] {
        assert_eq!(line(&mut qmp, command), json!(format!("Error: {nothing}\r\n")), "{command}");
    }
    let arguments = json!({"val": 0, "size": 1, "filename": "/nonexistent/x"});
    assert_eq!(qmp.error("pmemsave", &arguments), ("GenericError".to_owned(), nothing.to_owned()));
    assert_eq!(
        line(&mut qmp, "print $rip"),
        json!("unknown register\r\nTry \"help print\" for more information\r\n")
    );
    assert_eq!(line(&mut qmp, "cpu 0"), json!(""));
    // The clock's memory, through an index and a data port: the day of the month is never 0.
    let day = line(&mut qmp, "i/b 0x70.7");
    let day =
        day.as_str().and_then(|text| text.strip_prefix("portb[0x0071] = 0x")).expect("a port").trim_end();
    assert!((1..=0x31).contains(&u8::from_str_radix(day, 16).expect("BCD")), "{day}");
    assert_eq!(line(&mut qmp, "o/b 0x3ff 0x5a"), json!(""));
    assert_eq!(line(&mut qmp, "i/b 0x3ff"), json!("portb[0x03ff] = 0x5a\r\n"));
}

/// What is bounded, and what the reference would do without end.
#[test]
fn large_counts_and_sizes_are_bounded() {
    if !kvm_or_skip("large_counts_and_sizes_are_bounded") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let saved = directory.path().join("saved");
    let program = Program::start(&["-accel", "kvm", "-S", "-m", "64"]);
    let mut qmp = program.qmp();
    let dump = line(&mut qmp, "xp/99999999999xg 0x100000");
    let dump = dump.as_str().expect("text");
    assert!(dump.ends_with("\r\nNo more than 262144 bytes are shown at once\r\n"), "{}", dump.len());
    assert_eq!(dump.lines().count(), 262_144 / 16 + 1);
    let path = saved.display().to_string();
    let (_, why) = qmp.error("pmemsave", &json!({"val": 0, "size": 1_u64 << 40, "filename": path}));
    assert_eq!(why, "Invalid addr 0x0000000000000000/size 1099511627776 specified");
    assert!(!saved.exists());
    // A guest's tables can map a page any number of times; a file is not made for that.
    for size in [(1_u64 << 32) + 1, 1 << 63, u64::MAX] {
        let why =
            "bytes are more than the 4294967296 that can be saved of this guest's virtual memory at once";
        let arguments = json!({"val": 0, "size": size, "filename": path});
        assert_eq!(qmp.error("memsave", &arguments), ("GenericError".to_owned(), format!("{size} {why}")));
        assert!(!saved.exists());
    }
    let answer = line(&mut qmp, &format!("memsave 0 {} \"{path}\"", (1_u64 << 32) + 1));
    assert!(answer.as_str().is_some_and(|text| text.contains("integer is for 32-bit values")), "{answer}");
    assert!(!saved.exists());
    // No more than that is tried, up to what is not there.
    let (_, why) = qmp.error("memsave", &json!({"val": 0x10_0000, "size": 1_u64 << 32, "filename": path}));
    assert_eq!(why, "Invalid addr 0x0000000000100000/size 4294967296 specified");
    assert_eq!(std::fs::metadata(&saved).expect("a file").len(), 63 << 20);
    // Holes are zeroes that take no room.
    let _ = qmp.ok("pmemsave", &json!({"val": 0, "size": 1_u64 << 32, "filename": path}));
    assert_eq!(std::fs::metadata(&saved).expect("a file").len(), 1 << 32);
}
