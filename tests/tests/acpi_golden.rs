//! The DSDT as a person reads it: its disassembly by `iasl` against a golden file, for both chipsets and small and large numbers
//! of CPUs. `UPDATE_GOLDEN=1 cargo test -p tests --test acpi_golden` writes the files anew; a change of them is to be read.

mod acpi_machines;

use std::path::Path;

use acpi_machines::{MACHINES, Machine, acpica_or_skip, output};

const HEADER: &str = "\
// DSDT of the machine that the file is named after, disassembled by `iasl -d` (ACPICA 20200925, Debian's acpica-tools),
// without its comments and without the CPUs between the first two and the last, which differ from them in their numbers.
// Written by tests/tests/acpi_golden.rs.
";

/// The CPU that a line of the disassembly begins to declare or notifies.
fn slot(line: &str) -> Option<u32> {
    let line = line.trim_start();
    let name =
        ["Processor (C", "Device (C", "Notify (C"].iter().find_map(|start| line.strip_prefix(start))?;
    u32::from_str_radix(name.get(..3)?, 16).ok()
}

fn without_comments(line: &str) -> String {
    let code = line.split("  //").next().unwrap_or_default();
    match (code.find(" /*"), code.find("*/")) {
        (Some(start), Some(end)) => format!("{}{}", &code[..start], &code[end + 2..]),
        _ => code.to_owned(),
    }
}

/// The disassembly from its first block on, without comments and most CPUs.
fn readable(machine: &Machine, text: &str) -> String {
    let kept = |slot: u32| slot < 2 || (254..256).contains(&slot) || slot + 1 == machine.cpus;
    let mut golden = HEADER.to_owned();
    let mut lines = text.lines().skip_while(|line| !line.starts_with("DefinitionBlock")).peekable();
    while let Some(first) = lines.next() {
        // A block, from its head to the brace at the head's depth.
        let depth = first.len() - first.trim_start().len();
        let mut block = vec![first];
        let is_head = first.trim_start().starts_with("If (") || slot(first).is_some();
        if is_head && lines.peek().is_some_and(|line| line.trim() == "{") {
            for line in lines.by_ref() {
                block.push(line);
                if line.trim() == "}" && line.len() - 1 == depth {
                    break;
                }
            }
            // The empty line after it.
            block.extend(lines.next_if(|line| line.is_empty()));
        }
        if block.iter().find_map(|line| slot(line)).is_some_and(|slot| !kept(slot)) {
            continue;
        }
        for line in block {
            golden.push_str(without_comments(line).trim_end());
            golden.push('\n');
        }
    }
    golden
}

#[test]
fn dsdts_are_as_they_were_read() {
    if !acpica_or_skip("dsdts_are_as_they_were_read") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/acpi");
    for machine in &MACHINES {
        std::fs::write(directory.path().join("dsdt.aml"), machine.dsdt()).expect("a file");
        output(directory.path(), "iasl", &["-d", "dsdt.aml"], std::process::Stdio::null());
        let text = std::fs::read_to_string(directory.path().join("dsdt.dsl")).expect("a disassembly");
        let (text, path) = (readable(machine, &text), goldens.join(format!("{}.asl", machine.name)));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).expect("a golden file");
        }
        let golden =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text == golden, "{} differs from {}:\n{text}", machine.name, path.display());
    }
}
