//! Machine properties: what is listed, what is taken, what is refused, against the reference.

use std::collections::HashMap;

use serde_json::{Value, json};
use tests::{Program, Qmp, kvm_or_skip, run, run_with_input};

fn get(qmp: &mut Qmp, path: &str, property: &str) -> Value {
    qmp.ok("qom-get", &json!({"path": path, "property": property}))
}

#[test]
fn what_the_reference_refuses_is_refused_with_its_words() {
    let mut cases = 0;
    let mut differences = Vec::new();
    for line in
        include_str!("../transcripts/machine-options.txt").lines().filter(|line| !line.starts_with('#'))
    {
        let columns: Vec<Value> =
            line.split('\t').map(|column| serde_json::from_str(column).expect("JSON")).collect();
        let words: Vec<&str> =
            columns[0].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let finished = run(&words);
        let stderr = finished.stderr.replace("qom-system-x86_64", "PROGRAM");
        if (json!(finished.stdout), json!(stderr), finished.status)
            != (columns[1].clone(), columns[2].clone(), Some(1))
        {
            differences.push(format!("{words:?}\n  expected {}\n  got {finished:?}", columns[2]));
        }
        cases += 1;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(cases > 70, "{cases}");
}

#[test]
fn help_has_the_references_lines_in_its_order() {
    let mut types: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut current = "";
    for line in
        include_str!("../transcripts/machine-type-help.txt").lines().filter(|line| !line.starts_with('#'))
    {
        if !line.starts_with(' ') {
            current = line;
        }
        types.entry(current).or_default().push(line);
    }
    for (name, title, properties) in [
        ("pc", "pc-i440fx-11.1-machine options:", 28),
        ("q35", "pc-q35-11.1-machine options:", 29),
        ("none", "none-machine options:", 16),
    ] {
        let finished = run(&["-machine", &format!("{name},help")]);
        assert_eq!((finished.status, finished.stderr.as_str()), (Some(0), ""));
        let mut theirs = types[title].iter();
        // Listed among the others, by name.
        let own = "  x-cpu-unplug-timeout-ms=<uint32> - Milliseconds within which a guest takes in a CPU or lets go of one, else it is given up; 0: never";
        let (own, lines): (Vec<&str>, Vec<&str>) = finished.stdout.lines().partition(|line| *line == own);
        assert_eq!(own.len(), usize::from(name != "none"), "{}", finished.stdout);
        for line in &lines {
            // What is not here is passed over.
            assert!(theirs.any(|their| their == line), "{name}: {line:?} is not there, or out of order");
        }
        assert_eq!(lines.len(), 1 + properties, "{}", finished.stdout);
    }
}

/// As in the reference, no accelerator is needed to say which machines there are: one that does not exist is no matter.
#[test]
fn machine_help_asks_no_accelerator() {
    for help in ["help", "pc,help", "q35,help"] {
        let plain = run(&["-accel", "tcg", "-machine", help]);
        let other = run(&["-accel", "bogus", "-machine", help]);
        assert_eq!((other.status, other.stderr.as_str()), (Some(0), ""), "{help}");
        assert_eq!(other.stdout, plain.stdout, "{help}");
        assert!(other.stdout.lines().count() > 3, "{help}: {}", other.stdout);
    }
    let unknown = run(&["-accel", "bogus", "-machine", "nothing,help"]);
    assert_eq!(unknown.status, Some(1));
    assert!(unknown.stderr.contains("unsupported machine type: \"nothing\""), "{}", unknown.stderr);
}

/// The options that libvirt passes, and others that switch off what is not there.
#[test]
fn what_managers_say_is_taken() {
    const OFF: &str = "usb=off,smm=off,hpet=off,smbus=off,sata=off,vmport=off,graphics=off,nvdimm=off,cxl=off,spcr=off,\
                       aux-ram-share=off,suppress-vmdesc=off,default-bus-bypass-iommu=off,pic=on,pit=auto";
    for machine in ["pc-i440fx-9.2", "pc-q35-11.1"] {
        let program = Program::start(&[
            "-machine",
            &format!("{machine},{OFF},dump-guest-core=off,memory-backend=pc.ram,acpi=on"),
            "-accel",
            "tcg",
            "-m",
            "size=65536k",
            "-object",
            r#"{"qom-type":"memory-backend-ram","id":"pc.ram","size":67108864}"#,
            "-object",
            "memory-backend-ram,id=own,size=1M,dump=on",
        ]);
        let mut qmp = program.qmp();
        for (property, value) in [
            ("usb", json!(false)),
            ("smm", json!("off")),
            ("pic", json!("on")),
            ("acpi", json!("on")),
            ("dump-guest-core", json!(false)),
            ("mem-merge", json!(true)),
            (
                "max-ram-below-4g",
                json!(if machine.contains("q35") { 4_294_967_296_u64 } else { 3_758_096_384 }),
            ),
            ("memory-backend", json!("/objects/pc.ram")),
            ("memory", json!({"size": 67_108_864})),
        ] {
            assert_eq!(get(&mut qmp, "/machine", property), value, "{machine}: {property}");
        }
        // What the user says of no memory, the machine says of it.
        assert_eq!(get(&mut qmp, "/objects/pc.ram", "dump"), false);
        assert_eq!(get(&mut qmp, "/objects/own", "dump"), true);
        let late = |id: &str| json!({"qom-type": "memory-backend-ram", "id": id, "size": 4096});
        let _ = qmp.ok("object-add", &late("late"));
        assert_eq!(get(&mut qmp, "/objects/late", "dump"), false);
        let mut dumped = late("dumped");
        dumped["dump"] = json!(true);
        let _ = qmp.ok("object-add", &dumped);
        assert_eq!(get(&mut qmp, "/objects/dumped", "dump"), true);
        let (_, desc) = qmp.error("object-del", &json!({"id": "pc.ram"}));
        assert!(desc.contains("is in use") || desc.contains("which is mapped"), "{desc}");
    }
}

#[test]
fn what_is_not_there_cannot_be_had() {
    for (options, property, why) in [
        ("usb=on", "usb", "there is no USB"),
        ("hpet=on", "hpet", "there is no high precision event timer"),
        ("smm=on", "smm", "there is no system management mode"),
        ("vmport=on", "vmport", "there is no such port"),
        ("graphics=on", "graphics", "there is no graphics card"),
    ] {
        let finished = run(&["-M", &format!("q35,{options}"), "-accel", "tcg", "-display", "none"]);
        let text = format!("qom-system-x86_64: Parameter '{property}' does not accept value 'on': {why}\n");
        assert_eq!((finished.stdout, finished.stderr, finished.status), (String::new(), text, Some(1)));
    }
    let finished = run(&["-M", "q35,pit=off", "-accel", "tcg", "-display", "none"]);
    assert!(finished.stderr.contains("'pit' does not accept value 'off': the board has one"), "{finished:?}");
}

/// `firmware` is what `-bios` says.
#[test]
fn firmware_is_loaded_from_where_the_machine_says() {
    for words in [["-M", "pc,firmware=/nonexistent"], ["-bios", "/nonexistent"]] {
        let finished = run(&[&words[..], &["-accel", "tcg", "-display", "none"]].concat());
        let text = "qom-system-x86_64: could not load PC BIOS '/nonexistent': ";
        assert!(finished.stderr.starts_with(text), "{finished:?}");
        assert_eq!(finished.status, Some(1));
    }
}

#[test]
fn a_machine_that_is_made_stays_as_it_is() {
    let program = Program::start(&["-M", "pc", "-accel", "tcg"]);
    let mut qmp = program.qmp();
    for (property, value) in [
        ("acpi", json!("off")),
        ("i8042", json!(false)),
        ("max-ram-below-4g", json!(1 << 30)),
        ("dump-guest-core", json!(false)),
        ("memory-backend", json!("x")),
        ("smp", json!({"cpus": 2})),
        ("memory", json!({"size": 1 << 20})),
        ("smp-cache", json!([{"cache": "l3", "topology": "core"}])),
        ("firmware", json!("x")),
    ] {
        let arguments = json!({"path": "/machine", "property": property, "value": value});
        assert_eq!(qmp.error("qom-set", &arguments).1, "cannot change property value", "{property}");
    }
}

/// The reference answers the same.
#[test]
fn without_acpi_cpus_come_but_do_not_go() {
    let cpu = json!({"driver": "qemu64-x86_64-cpu", "id": "c", "socket-id": 0, "core-id": 1, "thread-id": 0});
    let none = ("GenericError".to_owned(), "command is not supported, missing ACPI device".to_owned());
    let program = Program::start(&["-M", "pc,acpi=off", "-accel", "tcg", "-smp", "1,maxcpus=2"]);
    let mut qmp = program.qmp();
    assert_eq!(qmp.error("query-acpi-ospm-status", &json!({})), none);
    let _ = qmp.ok("device_add", &cpu);
    assert_eq!(qmp.error("device_del", &json!({"id": "c"})).1, "CPU hot unplug not supported without ACPI");
    // ICH9 has the device with or without tables.
    let program = Program::start(&["-M", "q35,acpi=off", "-accel", "tcg", "-smp", "1,maxcpus=2"]);
    let mut qmp = program.qmp();
    assert_eq!(qmp.ok("query-acpi-ospm-status", &json!({})).as_array().map(Vec::len), Some(2));
    let _ = qmp.ok("device_add", &cpu);
    let _ = qmp.ok("device_del", &json!({"id": "c"}));
}

/// The guest sees its caches shared as `smp-cache` says: leaf 4 as the first CPU of QEMU 11.1.2 read it
/// (`guest-cpuid-smp-cache.json`).
#[test]
fn caches_are_shared_as_the_machine_says() {
    let cases: Value =
        serde_json::from_str(include_str!("../../target-i386/tests/fixtures/guest-cpuid-smp-cache.json"))
            .expect("a fixture");
    let mut compared = 0;
    for case in cases.as_array().into_iter().flatten() {
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let (cpu, smp, wishes) = (text("cpu"), text("smp"), text("cache"));
        if cpu != "Haswell" || !smp.contains("dies=2") || case.get("error").is_some() {
            continue;
        }
        let mut machine = "pc".to_owned();
        for (at, wish) in wishes.split_whitespace().enumerate() {
            let (cache, level) = wish.split_once('=').expect("a wish");
            machine += &format!(",smp-cache.{at}.cache={cache},smp-cache.{at}.topology={level}");
        }
        let program = Program::start(&["-M", &machine, "-accel", "tcg", "-cpu", cpu, "-smp", smp]);
        let mut qmp = program.qmp();
        let table = qmp.ok("x-query-cpuid", &json!({"qom-path": "/machine/unattached/device[0]"}));
        for row in case["rows"].as_array().into_iter().flatten().filter(|row| row[0] == 4) {
            let mut ours = table["cpuid"].as_array().into_iter().flatten();
            let ours = ours.find(|ours| ours["leaf"] == 4 && ours["subleaf"] == row[1]).expect("a row");
            for (at, register) in ["eax", "ebx", "ecx", "edx"].into_iter().enumerate() {
                assert_eq!(ours[register], row[at + 2], "{machine} -smp {smp}: leaf 4.{} {register}", row[1]);
            }
            compared += 1;
        }
        let shown = get(&mut qmp, "/machine", "smp-cache");
        let caches: Vec<&Value> = shown.as_array().into_iter().flatten().map(|one| &one["cache"]).collect();
        assert_eq!(caches, ["l1d", "l1i", "l2", "l3"]);
    }
    assert!(compared >= 32, "{compared}");
}

/// Once the CPUs are there, caches that the user left to them read as the model shares them. Values of QEMU 11.1.2.
#[test]
fn smp_cache_tells_of_all_caches_where_the_user_said_something() {
    for (options, cpu, smp, levels) in [
        ("", "qemu64", "1", ["default", "default", "default", "default"]),
        (
            ",smp-cache.0.cache=l3,smp-cache.0.topology=socket",
            "qemu64",
            "1",
            ["core", "core", "core", "socket"],
        ),
        (
            ",smp-cache.0.cache=l1d,smp-cache.0.topology=default",
            "EPYC-Genoa",
            "1",
            ["core", "core", "core", "die"],
        ),
        (
            ",smp-cache.0.cache=l2,smp-cache.0.topology=module",
            "SierraForest-v3",
            "4,modules=2",
            ["core", "core", "module", "socket"],
        ),
    ] {
        let machine = format!("q35{options}");
        let program = Program::start(&["-M", &machine, "-accel", "tcg", "-cpu", cpu, "-smp", smp]);
        let shown = get(&mut program.qmp(), "/machine", "smp-cache");
        let shown: Vec<&Value> = shown.as_array().into_iter().flatten().map(|one| &one["topology"]).collect();
        assert_eq!(shown, levels, "{machine} {cpu}");
    }
}

/// A guest runs in memory that is an object's, also where that lies in two pieces.
#[test]
fn a_guest_runs_in_a_memory_backend() {
    if !kvm_or_skip("a_guest_runs_in_a_memory_backend") {
        return;
    }
    for machine in ["pc", "q35", "pc,max-ram-below-4g=1M,i8042=off"] {
        let program = Program::start(&[
            "-M",
            &format!("{machine},memory-backend=ram"),
            "-accel",
            "kvm",
            "-object",
            "memory-backend-ram,id=ram,size=64M,dump=off",
        ]);
        let _ = program.wait_console("cpu 0: up", 1);
    }
}

/// Old machines show a CPU of one vendor the caches of the other in leaf 4, and those are shared as ever. EAX of the leaf as the
/// first CPU of QEMU 11.1.2 read it.
#[test]
fn another_vendors_caches_are_shared_as_ever() {
    let machine = "pc-i440fx-6.0,smp-cache.0.cache=l3,smp-cache.0.topology=core,\
                   smp-cache.1.cache=l2,smp-cache.1.topology=core";
    for (cpu, level_3) in [("Haswell", 0x1c00_4163), ("Haswell,vendor=AuthenticAMD", 0x1c01_c163)] {
        let smp = "12,sockets=1,dies=2,cores=3,threads=2";
        let program = Program::start(&["-M", machine, "-accel", "tcg", "-cpu", cpu, "-smp", smp]);
        let table = program.qmp().ok("x-query-cpuid", &json!({"qom-path": "/machine/unattached/device[0]"}));
        let rows = table["cpuid"].as_array().into_iter().flatten().filter(|row| row["leaf"] == 4);
        let eax: Vec<&Value> = rows.map(|row| &row["eax"]).collect();
        assert_eq!(eax, [0x1c00_0121, 0x1c00_0122, 0x1c00_4143, level_3], "{cpu}");
    }
}

/// Versions up to 8.1 do not hold RAM against the addresses of a CPU without long mode; what QEMU 11.1.2 says of each.
#[test]
fn old_machines_give_32_bit_cpus_more_ram_than_they_can_address() {
    for (machine, said) in [
        ("pc-i440fx-5.2", ""),
        ("pc-q35-8.1", ""),
        ("pc-i440fx-8.2", "Address space limit 0xffffffff < 0x1bfffffff phys-bits too low (32)"),
        ("q35", "Address space limit 0xffffffff < 0x1ffffffff phys-bits too low (32)"),
    ] {
        let finished = run_with_input(
            &[
                "-M",
                machine,
                "-accel",
                "tcg",
                "-cpu",
                "pentium-v1",
                "-m",
                "6G",
                "-display",
                "none",
                "-qmp",
                "stdio",
            ],
            "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"quit\"}",
        );
        let told = finished.stderr.lines().find_map(|line| line.split_once("qom-system-x86_64: Address"));
        let told = told.map(|(_, rest)| format!("Address{rest}")).unwrap_or_default();
        assert_eq!((told.as_str(), finished.status), (said, Some(i32::from(!said.is_empty()))), "{machine}");
    }
}

/// A CPU without long mode may have short addresses, one without the leaf that tells of long mode too. As QEMU 11.1.2 under KVM on
/// a host of AMD's; what the CPU reads in the place of that leaf depends on its vendor.
#[test]
fn a_cpu_without_long_mode_needs_no_room_for_64_bit_devices() {
    let host = "../target-i386/hosts/emulated-epyc-svm.json";
    let accel = format!("kvm,host={}/{host}", env!("CARGO_MANIFEST_DIR"));
    for cpu in ["base,+overflow-recov,+vmware-cpuid-freq", "pentium-v1"] {
        let finished = run_with_input(
            &["-M", "pc-q35-7.1", "-accel", &accel, "-cpu", cpu, "-display", "none", "-qmp", "stdio"],
            "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"quit\"}",
        );
        assert_eq!(finished.status, Some(0), "{cpu}: {}", finished.stderr);
    }
}
