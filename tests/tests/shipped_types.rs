//! The shipped program holds every type that it should: nothing was lost between the crates and the linker.

use serde_json::json;
use tests::{Program, kvm_or_skip, run};

/// Types that are there under every accelerator, besides CPU models.
const TYPES: &[&str] = &[
    "ICH9-LPC",
    "ISA",
    "PIIX3",
    "PIIX4_PM",
    "System",
    "accel",
    "bus",
    "chardev",
    "chardev-fd",
    "chardev-file",
    "chardev-memory",
    "chardev-mux",
    "chardev-null",
    "chardev-pipe",
    "chardev-pty",
    "chardev-ringbuf",
    "chardev-socket",
    "chardev-stdio",
    "container",
    "cpu",
    "device",
    "event-loop-base",
    "generic-pc-machine",
    "hotplug-handler",
    "i8042",
    "interface",
    "ioapic",
    "ioapic-common",
    "iothread",
    "isa-debugcon",
    "isa-device",
    "isa-i8259",
    "isa-pit",
    "isa-serial",
    "kvm-accel",
    "kvm-i8259",
    "kvm-ioapic",
    "kvm-pit",
    "legacy-reset",
    "machine",
    "mc146818rtc",
    "memory-backend",
    "memory-backend-file",
    "memory-backend-ram",
    "none-machine",
    "object",
    "pc-i440fx-10.0-machine",
    "pc-i440fx-10.1-machine",
    "pc-i440fx-10.2-machine",
    "pc-i440fx-11.0-machine",
    "pc-i440fx-11.1-machine",
    "pc-i440fx-5.2-machine",
    "pc-i440fx-6.0-machine",
    "pc-i440fx-6.1-machine",
    "pc-i440fx-6.2-machine",
    "pc-i440fx-7.0-machine",
    "pc-i440fx-7.1-machine",
    "pc-i440fx-7.2-machine",
    "pc-i440fx-8.0-machine",
    "pc-i440fx-8.1-machine",
    "pc-i440fx-8.2-machine",
    "pc-i440fx-9.0-machine",
    "pc-i440fx-9.1-machine",
    "pc-i440fx-9.2-machine",
    "pc-q35-10.0-machine",
    "pc-q35-10.1-machine",
    "pc-q35-10.2-machine",
    "pc-q35-11.0-machine",
    "pc-q35-11.1-machine",
    "pc-q35-5.2-machine",
    "pc-q35-6.0-machine",
    "pc-q35-6.1-machine",
    "pc-q35-6.2-machine",
    "pc-q35-7.0-machine",
    "pc-q35-7.1-machine",
    "pc-q35-7.2-machine",
    "pc-q35-8.0-machine",
    "pc-q35-8.1-machine",
    "pc-q35-8.2-machine",
    "pc-q35-9.0-machine",
    "pc-q35-9.1-machine",
    "pc-q35-9.2-machine",
    "pic-common",
    "pit-common",
    "port92",
    "qtest-accel",
    "resettable",
    "resettable-container",
    "rng-backend",
    "rng-builtin",
    "secret",
    "secret_common",
    "sys-bus-device",
    "tcg-accel",
    "user-creatable",
    "x-ospm-guest",
    "x86-accel",
    "x86_64-cpu",
];

/// Names of CPU models under every accelerator: those that the reference lists.
fn models() -> Vec<String> {
    let help = include_str!("../../target-i386/tests/fixtures/cpu-help.txt");
    let listed = help.lines().skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "host");
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert_eq!(names.len(), 188);
    names
}

fn types_under(accel: &str) -> Vec<String> {
    let program = Program::start(&["-M", "none", "-accel", accel]);
    let list = program.qmp().ok("qom-list-types", &json!({"abstract": true}));
    let names = list.as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

fn expected(host: bool) -> Vec<String> {
    let models = models()
        .into_iter()
        .chain(host.then(|| "host".to_owned()))
        .map(|model| format!("{model}-x86_64-cpu"));
    let mut names: Vec<String> = TYPES.iter().copied().map(str::to_owned).chain(models).collect();
    names.sort();
    names
}

#[test]
fn every_expected_type_is_there_under_tcg() {
    assert_eq!(types_under("tcg"), expected(false));
}

#[test]
fn every_expected_type_is_there_under_kvm() {
    if kvm_or_skip("every_expected_type_is_there_under_kvm") {
        assert_eq!(types_under("kvm"), expected(true));
    }
}

#[test]
fn help_lists_host_exactly_under_kvm_and_in_any_order_of_options() {
    let help = |arguments: &[&str]| {
        let finished = run(arguments);
        assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        finished.stdout
    };
    let tcg = help(&["-accel", "tcg", "-cpu", "help"]);
    assert!(!tcg.contains("\n  host "), "{tcg}");
    if kvm_or_skip("help_lists_host_exactly_under_kvm_and_in_any_order_of_options") {
        let kvm = help(&["-enable-kvm", "-cpu", "help"]);
        assert_eq!(kvm, help(&["-cpu", "help", "-enable-kvm"]));
        let without: String = kvm.split_inclusive('\n').filter(|line| !line.starts_with("  host ")).collect();
        assert_ne!(without, kvm);
        assert_eq!(without, tcg);
    }
}

fn vendor(arguments: &[&str]) -> String {
    let program = Program::start(arguments);
    let arguments = json!({"path": "/machine/unattached/device[0]", "property": "vendor"});
    program.qmp().ok("qom-get", &arguments).as_str().unwrap_or_default().to_owned()
}

/// A model of each vendor: under TCG the model's own, under KVM the host's whatever the model, the user's over both.
#[test]
fn the_vendor_is_the_hosts_under_kvm_unless_the_user_says_otherwise() {
    assert_eq!(vendor(&["-accel", "tcg", "-cpu", "Haswell"]), "GenuineIntel");
    assert_eq!(vendor(&["-accel", "tcg", "-cpu", "EPYC"]), "AuthenticAMD");
    assert_eq!(vendor(&["-accel", "tcg", "-cpu", "EPYC,vendor=GenuineIntel"]), "GenuineIntel");
    if !kvm_or_skip("the_vendor_is_the_hosts_under_kvm_unless_the_user_says_otherwise") {
        return;
    }
    let host = vendor(&["-accel", "kvm", "-cpu", "host"]);
    assert_eq!(vendor(&["-accel", "kvm", "-cpu", "Haswell"]), host);
    assert_eq!(vendor(&["-accel", "kvm", "-cpu", "EPYC"]), host);
    assert_eq!(vendor(&["-accel", "kvm", "-cpu", "EPYC,vendor=GenuineIntel"]), "GenuineIntel");
    assert_eq!(vendor(&["-accel", "kvm", "-cpu", "Haswell,vendor=AuthenticAMD"]), "AuthenticAMD");
}

/// The commands that clients of a machine with hotpluggable CPUs use; link-time tables must not lose any.
#[test]
fn every_expected_command_is_there() {
    let program = Program::start(&["-M", "none", "-accel", "tcg"]);
    let list = program.qmp().ok("query-commands", &json!({}));
    let names: Vec<&str> =
        list.as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str()).collect();
    for name in [
        "qmp_capabilities",
        "query-version",
        "query-commands",
        "query-status",
        "query-kvm",
        "query-machines",
        "query-cpu-definitions",
        "query-hotpluggable-cpus",
        "query-cpus-fast",
        "query-acpi-ospm-status",
        "qom-list",
        "qom-get",
        "qom-set",
        "qom-list-types",
        "qom-list-properties",
        "device-list-properties",
        "device_add",
        "device_del",
        "object-add",
        "object-del",
        "query-iothreads",
        "query-memdev",
        "cpu-add",
        "x-query-cpuid",
        "stop",
        "cont",
        "system_reset",
        "quit",
        "human-monitor-command",
    ] {
        assert!(names.contains(&name), "{name} is missing: {names:?}");
    }
}
