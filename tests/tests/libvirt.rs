//! libvirt with the program as its emulator: what it finds, and what it does with domains. libvirt is Debian's, in a house of its own.

mod libvirt_house;

use std::collections::BTreeSet;
use std::io::Write;

use libvirt_house::{Domain, House};
use serde_json::{Value, json};
use tests::{binary, kvm_or_skip};

/// The kinds of domains that can be had here.
fn kinds(test: &str) -> Vec<&'static str> {
    if kvm_or_skip(test) { vec!["kvm", "qemu"] } else { vec!["qemu"] }
}

/// The lines of the element `cpu`; models in any order, as they are listed in that of a hash table by the reference.
fn cpu_lines(capabilities: &str) -> (Vec<&str>, BTreeSet<&str>) {
    let lines = capabilities.lines().map(str::trim).skip_while(|line| *line != "<cpu>");
    let lines = lines.take_while(|line| *line != "</cpu>");
    let (models, others): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("<model usable="));
    (others, models.into_iter().collect())
}

/// What libvirt makes of the program's CPUs under TCG is what it makes of the reference's; the fixture says how it was recorded.
#[test]
fn libvirt_finds_the_references_cpus() {
    let Some(house) = House::open_or_skip("libvirt_finds_the_references_cpus") else { return };
    let emulator = binary().display().to_string();
    let found = |kind: &str| house.ok(&["domcapabilities", "--emulatorbin", &emulator, "--virttype", kind]);
    let capabilities = found("qemu");
    if house.ok(&["--version"]).starts_with("9.0.") {
        let reference = include_str!("fixtures/libvirt-domcapabilities.xml");
        let (ours, theirs) = (cpu_lines(&capabilities), cpu_lines(reference));
        assert_eq!(ours, theirs);
        assert!(ours.1.len() > 40, "{capabilities}");
    } else {
        eprintln!("SKIPPED the comparison with the reference: it was recorded with libvirt 9.0");
    }

    // Of what a hypervisor offers, each answer about CPUs follows.
    for kind in kinds("libvirt_finds_the_references_cpus, KVM") {
        let path = house.file("capabilities.xml");
        std::fs::write(&path, found(kind)).expect("a file");
        let options = ["--emulator", &emulator, "--virttype", kind];
        let baseline = house.ok(&[&["hypervisor-cpu-baseline", &path], &options[..]].concat());
        assert!(baseline.starts_with("<cpu mode='custom' match='exact'>"), "{baseline}");
        let compared = house.ok(&[&["hypervisor-cpu-compare", &path], &options[..]].concat());
        assert!(
            compared.ends_with("is identical to the CPU provided by hypervisor on the host"),
            "{compared}"
        );
        let unheard_of = house.file("cpu.xml");
        let cpu =
            "<cpu match='exact'><model>486</model><feature policy='require' name='avx512-4fmaps'/></cpu>";
        std::fs::write(&unheard_of, cpu).expect("a file");
        let refused = house.virsh(&[&["hypervisor-cpu-compare", &unheard_of], &options[..]].concat());
        let text = refused.expect_err("the CPU cannot be had");
        assert!(text.ends_with("is incompatible with the CPU provided by hypervisor on the host"), "{text}");
    }
}

/// The type of a domain's boot CPU.
fn boot_cpu(house: &House, domain: &str) -> String {
    let cpus = house.qmp(domain, &json!({"execute": "query-cpus-fast"}));
    cpus[0]["qom-type"].as_str().expect("a type").trim_end_matches("-x86_64-cpu").to_owned()
}

#[test]
fn domains_of_every_cpu_mode_start() {
    let Some(house) = House::open_or_skip("domains_of_every_cpu_mode_start") else { return };
    for kind in kinds("domains_of_every_cpu_mode_start, KVM") {
        for machine in ["pc", "q35"] {
            for (cpu, expected) in [
                ("", Some("qemu64")),
                (
                    "<cpu mode='custom' match='exact' check='none'><model>Haswell</model></cpu>",
                    Some("Haswell"),
                ),
                ("<cpu mode='host-model' check='none'/>", None),
                ("<cpu mode='host-passthrough' check='none'/>", Some("host")),
                ("<cpu mode='maximum' check='none'/>", Some("max")),
            ] {
                // libvirt has no host's CPU under TCG.
                if expected == Some("host") && kind == "qemu" {
                    continue;
                }
                house.create(&Domain { kind, machine, cpu, ..Domain::default() });
                house.wait_for_state("domain", "running (booted)");
                let model = boot_cpu(&house, "domain");
                match expected {
                    Some(expected) => assert_eq!(model, expected, "{kind} {machine} {cpu}"),
                    None => {
                        let xml = house.ok(&["dumpxml", "domain"]);
                        assert!(xml.contains(&format!(">{model}</model>")), "{model}: {xml}");
                    }
                }
                let _ = house.ok(&["setvcpus", "domain", "2", "--live"]);
                assert_eq!(house.cpu_count("domain"), "2", "{kind} {machine} {cpu}");
                let _ = house.ok(&["destroy", "domain"]);
            }
        }
    }
}

/// CPUs are plugged and unplugged, together and one by one; under TCG the scripted guest lets them go.
#[test]
fn cpus_come_and_go() {
    let Some(house) = House::open_or_skip("cpus_come_and_go") else { return };
    for kind in kinds("cpus_come_and_go, KVM") {
        let guest: &[&str] = if kind == "qemu" { &["-device", "x-ospm-guest,id=guest"] } else { &[] };
        house.create(&Domain { name: "cpus", kind, cpus: (1, 4), arguments: guest, ..Domain::default() });
        let present = || -> Vec<u64> {
            let cpus = house.qmp("cpus", &json!({"execute": "query-cpus-fast"}));
            let mut present: Vec<u64> = cpus
                .as_array()
                .expect("a list")
                .iter()
                .map(|cpu| cpu["cpu-index"].as_u64().expect("a number"))
                .collect();
            present.sort_unstable();
            present
        };
        let _ = house.ok(&["setvcpus", "cpus", "4", "--live"]);
        assert_eq!((house.cpu_count("cpus").as_str(), present()), ("4", vec![0, 1, 2, 3]));
        // The guest has all of them before it is asked to give any back.
        if kind == "qemu" {
            let count = json!({"execute": "qom-get", "arguments": {"path": "/machine/peripheral/guest", "property": "cpus"}});
            let start = std::time::Instant::now();
            while house.qmp("cpus", &count) != json!(4) {
                assert!(start.elapsed() < tests::PATIENCE, "the guest does not take its CPUs");
            }
        }
        let information = house.ok(&["vcpuinfo", "cpus"]);
        assert_eq!(information.matches("running").count(), 4, "{information}");
        let statistics = house.ok(&["domstats", "cpus"]);
        for part in ["vcpu.current=4", "vcpu.maximum=4", "vcpu.3.state=1", "block.count=0", "net.count=0"] {
            assert!(statistics.contains(part), "{part}: {statistics}");
        }
        if kind == "kvm" {
            let number = |line: &str| line.rsplit('=').next().and_then(|text| text.parse::<u64>().ok());
            let exits = statistics.lines().find(|line| line.trim().starts_with("vcpu.0.exits.sum="));
            match exits {
                Some(line) => assert!(number(line).is_some_and(|exits| exits > 0), "{line}"),
                None => eprintln!("SKIPPED statistics of vCPUs: this kernel keeps none"),
            }
        }
        // libvirt waits for some seconds, and looks again at what came later.
        let _ = house.virsh(&["setvcpus", "cpus", "2", "--live"]);
        house.wait_for_cpus("cpus", "2");
        assert_eq!(present(), [0, 1]);
        // One that is not next to the others.
        let _ = house.ok(&["setvcpu", "cpus", "3", "--enable", "--live"]);
        assert_eq!((house.cpu_count("cpus").as_str(), present()), ("3", vec![0, 1, 3]));
        let _ = house.virsh(&["setvcpu", "cpus", "1", "--disable", "--live"]);
        house.wait_for_cpus("cpus", "2");
        assert_eq!(present(), [0, 3]);
        let boot = house.virsh(&["setvcpu", "cpus", "0", "--disable", "--live"]);
        assert!(boot.is_err(), "the boot CPU stays: {boot:?}");
        let _ = house.ok(&["destroy", "cpus"]);
    }
}

#[test]
fn a_domain_lives() {
    let Some(house) = House::open_or_skip("a_domain_lives") else { return };
    for kind in kinds("a_domain_lives, KVM") {
        let guest: &[&str] = if kind == "qemu" { &["-device", "x-ospm-guest"] } else { &[] };
        let xml = house.describe(&Domain { name: "life", kind, arguments: guest, ..Domain::default() });
        let _ = house.ok(&["define", &xml]);
        let _ = house.ok(&["start", "life"]);
        house.wait_for_state("life", "running (booted)");
        let status = || house.qmp("life", &json!({"execute": "query-status"}))["status"].clone();
        let _ = house.ok(&["suspend", "life"]);
        house.wait_for_state("life", "paused (user)");
        assert_eq!(status(), "paused");
        let _ = house.ok(&["resume", "life"]);
        house.wait_for_state("life", "running (unpaused)");
        assert_eq!(status(), "running");
        let _ = house.ok(&["reset", "life"]);
        assert_eq!(status(), "running");
        let human = house.ok(&["qemu-monitor-command", "life", "--hmp", "info status"]);
        assert_eq!(human, "VM status: running");
        let name = house.qmp("life", &json!({"execute": "query-name"}));
        assert_eq!(name, json!({"name": "life"}));
        let error = house.ok(&["qemu-monitor-command", "life", r#"{"execute":"netdev_add"}"#]);
        let error: Value = serde_json::from_str(&error).expect("JSON");
        assert_eq!(error["error"]["class"], "CommandNotFound");
        assert_eq!(house.ok(&["iothreadinfo", "life"]), "No IOThreads found for the domain");
        // The scripted guest obeys the power button; the built-in one has none, and is switched off.
        if kind == "qemu" {
            let _ = house.ok(&["shutdown", "life"]);
            house.wait_for_state("life", "shut off (shutdown)");
        } else {
            let _ = house.ok(&["destroy", "life"]);
            house.wait_for_state("life", "shut off (destroyed)");
        }
        let _ = house.ok(&["start", "life"]);
        let _ = house.ok(&["destroy", "life"]);
        let _ = house.ok(&["undefine", "life"]);
    }
}

/// Interrupts come from KVM's controllers; without them there are none to give.
#[test]
fn an_nmi_is_injected() {
    let Some(house) = House::open_or_skip("an_nmi_is_injected") else { return };
    for kind in kinds("an_nmi_is_injected, KVM") {
        for machine in ["pc", "q35"] {
            house.create(&Domain { name: "nmi", kind, machine, cpus: (2, 2), ..Domain::default() });
            let injected = house.virsh(&["inject-nmi", "nmi"]);
            match kind {
                "kvm" => assert!(injected.is_ok(), "{machine}: {injected:?}"),
                _ => {
                    let refusal = injected.expect_err("no interrupts");
                    assert!(refusal.contains("machine does not provide NMIs"), "{refusal}");
                }
            }
            assert!(house.ok(&["domstate", "nmi"]).starts_with("running"), "{kind} {machine}");
            let _ = house.ok(&["destroy", "nmi"]);
        }
    }
}

/// A libvirtd that starts finds the domains that run, with their CPUs.
#[test]
fn libvirtd_comes_back() {
    let Some(mut house) = House::open_or_skip("libvirtd_comes_back") else { return };
    for kind in kinds("libvirtd_comes_back, KVM") {
        let xml = house.describe(&Domain { name: kind, kind, ..Domain::default() });
        let _ = house.ok(&["define", &xml]);
        let _ = house.ok(&["start", kind]);
        let _ = house.ok(&["setvcpus", kind, "3", "--live"]);
    }
    house.restart_libvirtd();
    for kind in kinds("libvirtd_comes_back, KVM") {
        assert!(house.ok(&["domstate", kind]).starts_with("running"));
        assert_eq!(house.cpu_count(kind), "3");
        let _ = house.ok(&["setvcpus", kind, "4", "--live"]);
        assert_eq!(house.cpu_count(kind), "4");
        let _ = house.ok(&["destroy", kind]);
    }
}

/// What else a headless domain may have: NUMA nodes of shared memory in files, threads, timers. libvirt gives the options
/// that go with them, and those that every domain has.
#[test]
fn a_large_description_is_taken() {
    let Some(house) = House::open_or_skip("a_large_description_is_taken") else { return };
    let cpu = "<cpu mode='maximum' check='none'><topology sockets='2' dies='1' cores='2' threads='2'/>\
               <numa><cell id='0' cpus='0-3' memory='32' unit='MiB'/><cell id='1' cpus='4-7' memory='32' unit='MiB'/></numa></cpu>";
    let more = "<iothreads>2</iothreads><memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>\
                <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/>\
                <timer name='hpet' present='no'/></clock>\
                <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>";
    for kind in kinds("a_large_description_is_taken, KVM") {
        house.create(&Domain { name: "large", kind, cpus: (2, 8), cpu, more, ..Domain::default() });
        let nodes = house.ok(&["qemu-monitor-command", "large", "--hmp", "info numa"]);
        assert!(nodes.starts_with("2 nodes") && nodes.contains("node 1 size: 32 MB"), "{nodes}");
        let memory = house.qmp("large", &json!({"execute": "query-memdev"}));
        let shared: Vec<&Value> =
            memory.as_array().expect("a list").iter().map(|one| &one["share"]).collect();
        assert_eq!(shared, [&json!(true), &json!(true)], "{memory}");
        let threads = house.qmp("large", &json!({"execute": "query-iothreads"}));
        assert_eq!(threads.as_array().map(Vec::len), Some(2), "{threads}");
        let _ = house.ok(&["vcpupin", "large", "1", "0", "--live"]);
        let pinned = house.ok(&["vcpuinfo", "large"]);
        assert!(
            pinned.lines().any(|line| line.starts_with("CPU Affinity:") && line.matches('y').count() == 2),
            "{pinned}"
        );
        let _ = house.ok(&["setvcpus", "large", "5", "--live"]);
        let line = house.command_line("large");
        for option in [
            "-object '{\"qom-type\":\"secret\",\"id\":\"masterKey0\"",
            "-sandbox on,",
            "-msg timestamp=on",
            "-overcommit ",
        ] {
            assert!(line.iter().any(|one| one.starts_with(option)), "{option}: {line:#?}");
        }
        let _ = house.ok(&["destroy", "large"]);
    }
}

/// The guest's console on a pseudo-terminal and in a file, which libvirt's logger writes.
#[test]
fn a_console_is_a_terminal_or_a_file() {
    if !kvm_or_skip("a_console_is_a_terminal_or_a_file") {
        return;
    }
    let Some(house) = House::open_or_skip("a_console_is_a_terminal_or_a_file") else { return };
    let devices = "<serial type='pty'><target type='isa-serial' port='0'/></serial><console type='pty'/>";
    house.create(&Domain { name: "terminal", kind: "kvm", devices, ..Domain::default() });
    let path = house.ok(&["ttyconsole", "terminal"]);
    let mut terminal = std::fs::File::options().read(true).write(true).open(&path).expect("a terminal");
    terminal.write_all(b"h").expect("it takes a key");
    // The guest answers in lines.
    let mut said = String::new();
    let lines = tests::lines(terminal);
    while !said.contains("h help, r reset") {
        let line = lines.recv_timeout(tests::PATIENCE).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        said.push_str(&line);
    }
    let serial = house.qmp(
        "terminal",
        &json!({"execute": "qom-get", "arguments": {"path": "/machine/peripheral/serial0", "property": "type"}}),
    );
    assert_eq!(serial, "isa-serial");

    let file = house.file("console.log");
    let devices =
        format!("<serial type='file'><source path='{file}'/><target type='isa-serial' port='0'/></serial>");
    house.create(&Domain {
        name: "file",
        kind: "kvm",
        machine: "pc",
        devices: &devices,
        ..Domain::default()
    });
    let start = std::time::Instant::now();
    while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("qom guest: cpu 0: up")) {
        assert!(start.elapsed() < tests::PATIENCE, "the file has no console");
    }
    let line = house.command_line("file");
    for option in ["-add-fd set=0,", "-chardev file,id=charserial0,path=/dev/fdset/0,append=on"] {
        assert!(line.iter().any(|one| one.starts_with(option)), "{option}: {line:#?}");
    }
    for domain in ["terminal", "file"] {
        let _ = house.ok(&["destroy", domain]);
    }
}
