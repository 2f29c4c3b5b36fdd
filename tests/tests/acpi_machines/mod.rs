//! The machines whose ACPI tables are looked at, and ACPICA's tools.

use std::path::Path;
use std::process::{Command, Stdio};

use machine_pc::acpi::{AcpiCpu, AcpiDescription, OemIds, tables};
use machine_pc::machine::Chipset;
use machine_pc::memory::RamLayout;
use machine_pc::serial::COM_PORTS;

/// Whether ACPICA's tools are there. Says aloud that a test is skipped where they are not.
pub(crate) fn acpica_or_skip(test: &str) -> bool {
    let tools = [("iasl", "-v"), ("acpiexec", "-v"), ("stdbuf", "--version")];
    let there = tools.iter().all(|(tool, version)| Command::new(tool).arg(version).output().is_ok());
    if !there {
        eprintln!("SKIPPED {test}: iasl, acpiexec (acpica-tools) or stdbuf is not installed");
    }
    there
}

pub(crate) struct Machine {
    pub(crate) name: &'static str,
    pub(crate) chipset: Chipset,
    pub(crate) cpus: u32,
    pub(crate) numa: bool,
}

pub(crate) const MACHINES: [Machine; 7] = [
    Machine { name: "pc-1", chipset: Chipset::I440fx, cpus: 1, numa: false },
    Machine { name: "pc-8-numa", chipset: Chipset::I440fx, cpus: 8, numa: true },
    Machine { name: "pc-255", chipset: Chipset::I440fx, cpus: 255, numa: false },
    Machine { name: "q35-1", chipset: Chipset::Q35, cpus: 1, numa: false },
    Machine { name: "q35-8", chipset: Chipset::Q35, cpus: 8, numa: false },
    Machine { name: "q35-255", chipset: Chipset::Q35, cpus: 255, numa: false },
    Machine { name: "q35-300-numa", chipset: Chipset::Q35, cpus: 300, numa: true },
];

const AT: u64 = 0xe_0000;

impl Machine {
    pub(crate) fn node(&self, slot: u32) -> Option<u32> {
        self.numa.then_some(slot % 3)
    }

    pub(crate) fn dsdt(&self) -> Vec<u8> {
        self.tables().into_iter().find(|(name, _)| name == "DSDT").expect("a DSDT").1
    }

    /// The tables that have a header, by name.
    pub(crate) fn tables(&self) -> Vec<(String, Vec<u8>)> {
        let cpu = |slot| AcpiCpu { apic_id: slot, present: slot == 0, node: self.node(slot) };
        let built = tables::build(
            &AcpiDescription {
                chipset: self.chipset,
                cpus: (0..self.cpus).map(cpu).collect(),
                numa: None,
                ram: RamLayout { below_4g: 1 << 30, above_4g: 0 },
                cpu_hotplug: Some(if self.chipset == Chipset::Q35 { 0xcd8 } else { 0xaf00 }),
                i8042: true,
                serials: [Some(COM_PORTS[0]), None, None, None],
                oem: OemIds::default(),
            },
            AT,
        );
        // One follows the other, and each begins with its name and length.
        let mut rest = &built.tables[..];
        let mut found = Vec::new();
        while let Some(length) =
            rest.get(4..8).map(|length| u32::from_le_bytes(length.try_into().expect("4 bytes")))
        {
            // The end is aligned.
            if length == 0 {
                break;
            }
            let (table, after) = rest.split_at(length as usize);
            found.push((String::from_utf8_lossy(&table[..4]).into_owned(), table.to_vec()));
            rest = after;
        }
        found.retain(|(name, _)| name != "FACS");
        found
    }
}

/// Runs a tool that is to succeed; what it printed.
pub(crate) fn output(directory: &Path, tool: &str, arguments: &[&str], input: Stdio) -> String {
    let output = Command::new(tool)
        .args(arguments)
        .current_dir(directory)
        .stdin(input)
        .output()
        .expect("a tool that is there");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{tool} {arguments:?}: {text}");
    text
}
