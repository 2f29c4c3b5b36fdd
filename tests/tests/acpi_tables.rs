//! The ACPI tables of a machine under ACPICA: `iasl` reads them and makes the same again, and `acpiexec` evaluates what an
//! operating system does. Both are in Debian's `acpica-tools`; where they are not there, the tests say so and check nothing.
//!
//! `acpiexec` has no CPU hotplug registers: behind their ports it has memory, which is as it was filled (`-fv`), set by the
//! initialization file (`-fi`) or written by a method. So a method's accesses are read back there, register by register. What
//! the methods do with real registers is tested in `machine-pc`.

mod acpi_machines;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use acpi_machines::{MACHINES, Machine, acpica_or_skip, output};
use tests::{Mortal, PATIENCE};

/// How `acpiexec` begins to tell of a notification.
const NOTIFICATION: &str = "Received a System Notify on [";

/// Compiles a disassembly. The only advice that is taken as given: `Processor` is an old way to declare a CPU, which the
/// reference uses too.
fn recompile(directory: &Path, source: &str) {
    let text = output(directory, "iasl", &["-oa", "-vs", "-p", "again", source], Stdio::null());
    let problems = text.lines().filter(|line| {
        ["Error", "Warning", "Remark"].iter().any(|kind| line.contains(kind))
            && !line.starts_with("Warning  3168 -")
            && !line.starts_with("Compilation successful. 0 Errors, ")
    });
    assert_eq!(problems.collect::<Vec<_>>(), Vec::<&str>::new(), "{source}: {text}");
}

#[test]
fn iasl_makes_the_same_tables_of_what_it_reads() {
    if !acpica_or_skip("iasl_makes_the_same_tables_of_what_it_reads") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    for machine in MACHINES {
        for (name, table) in machine.tables() {
            let file = directory.path().join(format!("{name}.dat"));
            std::fs::write(&file, &table).expect("a file");
            output(directory.path(), "iasl", &["-d", &format!("{name}.dat")], Stdio::null());
            recompile(directory.path(), &format!("{name}.dsl"));
            let again = std::fs::read(directory.path().join("again.aml")).expect("a table");
            // The compiler names itself, and so has another checksum.
            let body = |table: &[u8]| (table[..9].to_vec(), table[10..28].to_vec(), table[36..].to_vec());
            assert_eq!(body(&again), body(&table), "{name} of {}", machine.name);
        }
    }
}

/// What became of a command of `acpiexec`.
#[derive(Debug, Default, PartialEq)]
struct Evaluation {
    integer: Option<u64>,
    buffer: Vec<u8>,
    failed: bool,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).expect(text)
}

fn evaluation(lines: &[&str]) -> Evaluation {
    let mut evaluation = Evaluation::default();
    for line in lines {
        if let Some((_, integer)) = line.split_once("[Integer] = ") {
            evaluation.integer = Some(hex(integer));
        } else if let Some((_, bytes)) = line.split_once("0000: ") {
            let bytes = bytes.split("//").next().unwrap_or_default();
            evaluation.buffer = bytes.split_whitespace().map(|byte| hex(byte) as u8).collect();
        }
        evaluation.failed |= line.contains("failed with status");
    }
    evaluation
}

/// The names of what the operating system was told of, and the values, in order of the names. Handlers run beside the
/// commands and print when they like.
fn notifications(text: &str) -> Vec<(String, u8)> {
    let mut found: Vec<(String, u8)> = text
        .split(NOTIFICATION)
        .skip(1)
        .map(|notify| {
            let (name, rest) = notify.split_once(']').expect(notify);
            let (_, value) = rest.split_once("Value ").expect(notify);
            (name.to_owned(), hex(value.split_whitespace().next().expect(notify)) as u8)
        })
        .collect();
    found.sort();
    found
}

/// Has `acpiexec` carry out commands, one a line, and waits until it has printed `text` so many times before it is told to quit: what it
/// does in threads of its own (it tells of notifications there) it does not wait for. What was printed.
fn acpiexec(directory: &Path, arguments: &[&str], commands: &str, text: &str, times: usize) -> String {
    // It prints into a pipe only when much has come together, unless it is told otherwise.
    let child = Command::new("stdbuf")
        .args(["-oL", "acpiexec"])
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a tool that is there");
    let mut child = Mortal::new(child);
    let (mut input, printed) = (child.stdin(), child.lines());
    // On a thread of its own: it may print more than a pipe holds before it has read them. What comes of it is seen in what is printed.
    let (told, commands) = (mpsc::channel::<()>(), commands.to_owned());
    thread::spawn(move || {
        let _ = input.write_all(commands.as_bytes());
        let _ = told.1.recv();
        let _ = input.write_all(b"quit\n");
    });
    let (start, mut all, mut found) = (Instant::now(), String::new(), 0);
    let mut quit = Some(told.0);
    loop {
        if found >= times {
            drop(quit.take());
        }
        match printed.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
            Ok(line) => {
                found += line.matches(text).count();
                all.extend([&*line, "\n"]);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("{found} of {times} times {text:?}: {all}"),
        }
    }
    assert_eq!(child.wait(), Some(0), "acpiexec {arguments:?}: {all}");
    assert!(found >= times, "{found} of {times} times {text:?}: {all}");
    all
}

/// Evaluates objects one after the other, with registers that begin as `registers` says, and holds what comes of each against
/// what is expected. What was printed, with as many notifications as are expected.
fn check(machine: &Machine, registers: &str, steps: &[(String, Evaluation)], notifications: usize) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let commands: String = steps.iter().map(|(object, _)| format!("execute {object}\n")).collect();
    std::fs::write(path.join("dsdt.aml"), machine.dsdt()).expect("a file");
    std::fs::write(path.join("registers"), registers).expect("a file");
    let arguments = ["-di", "-fi", "registers", "dsdt.aml"];
    let text = acpiexec(path, &arguments, &commands, NOTIFICATION, notifications);
    // At its end it counts what it has not freed yet; a notification may be under way then.
    let told = |line: &str| {
        (line.contains("ACPI Error") || line.contains("ACPI Warning")) && !line.contains("uttrack")
    };
    assert!(!text.lines().any(told), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains("Evaluating \\")).collect();
    assert_eq!(starts.len(), steps.len(), "{text}");
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    for ((object, expected), (start, end)) in steps.iter().zip(starts.iter().zip(ends)) {
        assert_eq!(&evaluation(&lines[*start..end]), expected, "{object} of {}", machine.name);
    }
    text
}

/// Does `work` for all CPUs of all machines, some CPUs at a time: `acpiexec` takes a rest after every command.
fn for_all_cpus(work: impl Fn(&Machine, &[u32]) + Sync) {
    thread::scope(|scope| {
        for machine in &MACHINES {
            let slots: Vec<u32> = (0..machine.cpus).collect();
            for slots in slots.chunks(32) {
                let (work, slots) = (&work, slots.to_vec());
                scope.spawn(move || work(machine, &slots));
            }
        }
    });
}

fn nothing() -> Evaluation {
    Evaluation::default()
}

fn not_there() -> Evaluation {
    Evaluation { failed: true, ..nothing() }
}

fn integer(value: impl Into<u64>) -> Evaluation {
    Evaluation { integer: Some(value.into()), ..nothing() }
}

fn cpu(slot: u32) -> String {
    format!("\\_SB.CPUS.C{slot:03X}")
}

fn register(name: &str, value: impl Into<u64>) -> (String, Evaluation) {
    (format!("\\_SB.PRES.{name}"), integer(value))
}

#[test]
fn acpiexec_finds_every_cpu() {
    if !acpica_or_skip("acpiexec_finds_every_cpu") {
        return;
    }
    for_all_cpus(|machine, slots| {
        let steps = slots.iter().flat_map(|slot| {
            let cpu = cpu(*slot);
            // A CPU whose ID needs it has an x2APIC.
            let entry = match u8::try_from(*slot) {
                Ok(id) if id != 255 => vec![0, 8, id, id, 1, 0, 0, 0],
                _ => [&[9, 16, 0, 0], &slot.to_le_bytes()[..], &[1, 0, 0, 0], &slot.to_le_bytes()].concat(),
            };
            [
                (format!("{cpu}._STA"), integer(0xfu32)),
                register("CSEL", *slot),
                (format!("{cpu}._MAT"), Evaluation { buffer: entry, ..nothing() }),
                (format!("{cpu}._PXM"), machine.node(*slot).map_or_else(not_there, integer)),
            ]
        });
        check(machine, "\\_SB.PRES.CPEN 1\n", &steps.collect::<Vec<_>>(), 0);
        let absent = slots.iter().map(|slot| (format!("{}._STA", cpu(*slot)), integer(0u32)));
        check(machine, "\\_SB.PRES.CINS 1\n", &absent.collect::<Vec<_>>(), 0);
    });
}

/// The selector is the CPU's, then one bit is written and no other; the boot CPU has no such method.
#[test]
fn acpiexec_ejects_every_cpu() {
    if !acpica_or_skip("acpiexec_ejects_every_cpu") {
        return;
    }
    for_all_cpus(|machine, slots| {
        let steps = slots.iter().flat_map(|slot| {
            let eject = format!("{}._EJ0 1", cpu(*slot));
            if *slot == 0 {
                return vec![(eject, not_there()), register("CEJ0", 0u32), register("CINS", 1u32)];
            }
            let ejected = [(eject, nothing()), register("CSEL", *slot), register("CEJ0", 1u32)];
            ejected.into_iter().chain([register("CINS", 0u32)]).collect()
        });
        check(machine, "\\_SB.PRES.CINS 1\n", &steps.collect::<Vec<_>>(), 0);
    });
}

#[test]
fn acpiexec_reports_on_every_cpu() {
    if !acpica_or_skip("acpiexec_reports_on_every_cpu") {
        return;
    }
    for_all_cpus(|machine, slots| {
        // The status is written last.
        let steps = slots.iter().flat_map(|slot| {
            [
                (format!("{}._OST 0x103 {:#x} (00)", cpu(*slot), slot + 0x80), nothing()),
                register("CSEL", *slot),
                register("CCMD", 2u32),
                register("CDAT", slot + 0x80),
            ]
        });
        check(machine, "", &steps.collect::<Vec<_>>(), 0);
    });
}

/// The memory behind the ports tells of the same slot as long as nobody writes another: a report's status is what the next
/// scan reads as the slot with an event. The scan asks for the next one after it, and ends as that is none.
#[test]
fn acpiexec_is_notified_of_every_cpu() {
    if !acpica_or_skip("acpiexec_is_notified_of_every_cpu") {
        return;
    }
    for_all_cpus(|machine, slots| {
        for (flag, event) in [("CINS", 1), ("CRMV", 3)] {
            let steps = slots.iter().flat_map(|slot| {
                let last = if slot + 1 < machine.cpus { slot + 1 } else { 0 };
                [
                    (format!("{}._OST 0 {slot:#x} (00)", cpu(0)), nothing()),
                    ("\\_GPE._E02".to_owned(), nothing()),
                    register("CSEL", last),
                    register(flag, 1u32),
                ]
            });
            let text =
                check(machine, &format!("\\_SB.PRES.{flag} 1\n"), &steps.collect::<Vec<_>>(), slots.len());
            let expected: Vec<_> = slots.iter().map(|slot| (format!("C{slot:03X}"), event)).collect();
            assert_eq!(notifications(&text), expected, "{}", machine.name);
        }
    });
}

/// Where no device is behind the ports, nobody is notified and the scan ends.
#[test]
fn acpiexec_scans_ports_that_nobody_answers() {
    if !acpica_or_skip("acpiexec_scans_ports_that_nobody_answers") {
        return;
    }
    let ones = "\\_SB.PRES.CSEL 0xFFFFFFFF\n\\_SB.PRES.CDAT 0xFFFFFFFF\n\\_SB.PRES.CINS 1\n";
    for machine in &MACHINES {
        for registers in ["", ones] {
            let text = check(machine, registers, &[("\\_GPE._E02".to_owned(), nothing())], 0);
            assert_eq!(notifications(&text), []);
        }
    }
}
