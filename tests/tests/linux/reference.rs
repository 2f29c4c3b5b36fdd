//! What the guest sees of its CPUs, held against what it saw in QEMU 11.1.
//!
//! The fixture was written by these lines with the reference in the program's place, on the emulated machine of
//! `tests/linux/run`: `REFERENCE=DIRECTORY tests/linux/run`, with DIRECTORY the root of a system that has QEMU 11.1.

use std::fmt::Write;
use std::path::Path;

use super::Linux;

/// Machines and CPUs that are compared. XSAVE is off as `linux_guest.rs` says.
const COMMAND_LINES: [&[&str]; 3] = [
    &["-cpu", "EPYC,-xsave", "-smp", "8,sockets=2,cores=2,threads=2"],
    &["-cpu", "host,-xsave", "-smp", "4,sockets=1,dies=2,cores=1,threads=2"],
    &["-cpu", "Nehalem,model-id=A name of its own,+ssbd", "-smp", "3,sockets=1,cores=3"],
];

/// What the kernel tells of its CPUs: of the first all but what is measured, of all where they are and what caches they
/// have. Few bytes, as each costs several exits.
const CPUS: &str = "sed '/^$/,$d' /proc/cpuinfo | grep -vE 'MHz|bogomips'; \
    cd /sys/devices/system/cpu; for cpu in cpu[0-9]*; do \
    echo $cpu $(sed -n \"/^processor.*: ${cpu#cpu}$/,/^$/p\" /proc/cpuinfo | grep -E '^(physical|siblings|core|cpu cores|apicid|initial)' | tr -d '\\t'); \
    cd $cpu/topology; for file in *_id *_list; do echo -n \"$file \"; cat $file; done | tr '\\n' ' '; echo; \
    for index in ../cache/index*; do cd $index; echo ${index#../cache/} $(paste -s level type size number_of_sets ways_of_associativity coherency_line_size shared_cpu_list); cd ../../topology; done; \
    cd ../..; done";

/// A line that tells which features there are depends on the host and on the kernel too.
fn depends_on_host(line: &str) -> bool {
    line.starts_with("flags") || line.starts_with("bugs")
}

fn host() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = |name| cpuinfo.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    format!("{} {} {}", kernel.trim(), line("model name"), line("flags"))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Boots each machine and compares, or writes down in the file that `LINUX_RECORD` names.
pub(crate) fn compare_with_reference(files: &Path) {
    let mut seen = format!("# host: {}\n", host());
    for arguments in COMMAND_LINES {
        writeln!(seen, "# {}", arguments.join(" ")).expect("text");
        let mut guest = Linux::start("q35", arguments, "").expect("the guest's files");
        writeln!(seen, "{}", guest.ok(CPUS)).expect("text");
    }
    if let Some(path) = std::env::var_os("LINUX_RECORD") {
        return std::fs::write(path, seen).expect("the record");
    }
    let recorded = std::fs::read_to_string(files.join("reference.txt")).expect("the fixture");
    let recorded: Vec<&str> = recorded.lines().skip_while(|line| !line.starts_with("# host: ")).collect();
    let seen: Vec<&str> = seen.lines().collect();
    let same_host = recorded[0] == seen[0];
    if !same_host {
        eprintln!(
            "SKIPPED the features of the CPUs: they were recorded on another host:\n{}\n{}",
            recorded[0], seen[0]
        );
    }
    let compared = |line: &&&str| same_host || !(line.starts_with("# host") || depends_on_host(line));
    let recorded: Vec<_> = recorded.iter().filter(compared).collect();
    let seen: Vec<_> = seen.iter().filter(compared).collect();
    for (ours, reference) in seen.iter().zip(&recorded) {
        assert_eq!(ours, reference);
    }
    assert_eq!(seen.len(), recorded.len());
}
