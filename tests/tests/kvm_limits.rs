//! What this host's KVM cannot do, or should not, is said as the reference says it.
//!
//! The texts were read off QEMU 11.1.2 with the same arguments on a host of two CPUs whose KVM does not scale time stamp
//! counters; the host's own figures are asked of its KVM here.

use kvm_ioctls::{Cap, Kvm};
use serde_json::json;
use tests::{Program, kvm_or_skip, run, run_with_input};

fn refused(arguments: &[&str]) -> Vec<String> {
    let arguments = [&["-display", "none"], arguments].concat();
    let finished = run(&arguments);
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(1), ""), "{arguments:?}: {finished:?}");
    let line = |line: &str| line.strip_prefix("qom-system-x86_64: ").expect("the program's name").to_owned();
    finished.stderr.lines().map(line).collect()
}

fn kvm() -> Kvm {
    Kvm::new().expect("kvm_or_skip found it")
}

fn own_frequency() -> u32 {
    let vm = kvm().create_vm().expect("a VM");
    vm.create_vcpu(0).expect("a vCPU").get_tsc_khz().expect("a frequency")
}

#[test]
fn more_cpus_than_kvm_runs() {
    if !kvm_or_skip("more_cpus_than_kvm_runs") {
        return;
    }
    let (recommended, maximum) = (kvm().get_nr_vcpus(), kvm().get_max_vcpus());
    let more = (maximum + 1).to_string();
    let warning = format!(
        "Number of SMP cpus requested ({more}) exceeds the recommended cpus supported by KVM ({recommended})"
    );
    let error = format!(
        "Number of SMP cpus requested ({more}) exceeds the maximum cpus supported by KVM ({maximum})"
    );
    // A machine type that takes so many.
    if maximum >= 4096 {
        return;
    }
    assert_eq!(
        refused(&["-M", "q35", "-accel", "kvm", "-smp", &more]),
        [format!("-accel kvm: warning: {warning}"), format!("-accel kvm: {error}")]
    );
    assert_eq!(refused(&["-M", "q35,accel=kvm", "-smp", &more]), [format!("warning: {warning}"), error]);
}

#[test]
fn a_counter_that_kvm_cannot_give() {
    if !kvm_or_skip("a_counter_that_kvm_cannot_give") || kvm().check_extension(Cap::TscControl) {
        return;
    }
    let host = own_frequency();
    let mismatch = format!(
        "warning: TSC frequency mismatch between VM (1000000 kHz) and host ({host} kHz), and TSC scaling unavailable"
    );
    assert_eq!(
        refused(&["-accel", "kvm", "-cpu", "host,tsc-frequency=1000000000"]),
        [mismatch.as_str(), "kvm_init_vcpu: kvm_arch_init_vcpu failed (0): Operation not supported"]
    );
}

#[test]
fn the_frequency_is_the_hosts() {
    if !kvm_or_skip("the_frequency_is_the_hosts") {
        return;
    }
    let hz = |khz: u32| json!(u64::from(khz) * 1000);
    let host = own_frequency();
    let near = host + host / 10_000;
    for (cpu, khz) in [("host".to_owned(), host), (format!("host,tsc-frequency={near}000"), near)] {
        let program = Program::start(&["-accel", "kvm", "-cpu", &cpu]);
        let cpus = program.qmp().ok("query-cpus-fast", &json!({}));
        let ask = json!({"path": cpus[0]["qom-path"], "property": "tsc-frequency"});
        assert_eq!(program.qmp().ok("qom-get", &ask), hz(khz), "{cpu}");
    }
}

#[test]
fn a_dump_tells_what_takes_a_vcpu_or_a_request_to_know() {
    if !kvm_or_skip("a_dump_tells_what_takes_a_vcpu_or_a_request_to_know") {
        return;
    }
    let finished = run(&["-dump-host", "-"]);
    let host: serde_json::Value = serde_json::from_str(&finished.stdout).expect("a host file");
    assert_eq!(host["tsc_khz"], own_frequency());
    let attributes = kvm().check_extension_raw(kvm_bindings::KVM_CAP_SYS_ATTRIBUTES.into()) > 0;
    match host["guest_xcr0"].as_u64() {
        // All that is offered without asking is among them, and every guest has x87 and SSE state.
        Some(states) => {
            let offered = kvm().get_supported_cpuid(kvm_bindings::KVM_MAX_CPUID_ENTRIES).expect("a table");
            let offered = offered.as_slice().iter().find(|e| (e.function, e.index) == (0xd, 0));
            let offered = u64::from(offered.map_or(0, |e| e.eax));
            assert_eq!((states & 3, offered & !states), (3, 0), "{states:#x} {offered:#x}");
        }
        None => assert!(!attributes, "{host}"),
    }
    assert!(host["lmce"].is_boolean());
}

/// A host has the performance counters of its own vendor alone; Intel's relatives share Intel's.
#[test]
fn performance_counters_of_another_vendor() {
    if !kvm_or_skip("performance_counters_of_another_vendor") {
        return;
    }
    let info = std::fs::read_to_string("/proc/cpuinfo").expect("readable");
    let vendor = info
        .lines()
        .find_map(|line| line.strip_prefix("vendor_id"))
        .expect("a vendor")
        .trim_start_matches(['\t', ' ', ':']);
    let other = if vendor == "AuthenticAMD" { "GenuineIntel" } else { "AuthenticAMD" };
    let text = "qom-system-x86_64: host doesn't support requested feature: vPMU\n";
    for (vendor, pmu, told) in [(vendor, "on", 0), (other, "on", 2), (other, "off", 0)] {
        let cpu = format!("qemu64,check=off,vendor={vendor},pmu={pmu}");
        let arguments = [
            "-accel",
            "kvm",
            "-smp",
            "2",
            "-S",
            "-display",
            "none",
            "-nodefaults",
            "-monitor",
            "stdio",
            "-cpu",
            &cpu,
        ];
        let finished = run_with_input(&arguments, "quit\n");
        assert_eq!(finished.stderr, text.repeat(told), "{cpu}");
    }
    if vendor == "AuthenticAMD" {
        let arguments =
            ["-accel", "kvm", "-S", "-display", "none", "-nodefaults", "-monitor", "stdio", "-cpu"];
        let finished = run_with_input(&[&arguments[..], &["486,pmu=on"]].concat(), "quit\n");
        let text = "qom-system-x86_64: AMD performance-monitoring is supported from K7 and later\n";
        assert_eq!(finished.stderr, text);
    }
}
