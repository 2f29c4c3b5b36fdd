//! Whole command lines: what is refused and how, what is accepted and as what.

use proptest::prelude::*;
use qom::Qom;

use super::*;
use crate::chardev::spec::{ChardevBackend, MonitorMode, SocketAddress};
use crate::run_actions::{RebootAction, ShutdownAction};

/// Reads a command line; what is told late counts as all that is wrong.
fn judged<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Result<CommandLine, CommandLineError> {
    let line = CommandLine::parse(words)?;
    if line.late.is_empty() {
        return Ok(line);
    }
    let CommandLine { warnings, late: reports, messages, .. } = line;
    Err(CommandLineError { warnings, reports, messages })
}

fn parse(words: &str) -> CommandLine {
    let line = judged(words.split_whitespace());
    line.unwrap_or_else(|error| panic!("{words}: {error}"))
}

fn refused(words: &str) -> String {
    match judged(words.split_whitespace()) {
        Ok(line) => panic!("{words}: {line:?}"),
        Err(error) => error.report("qom"),
    }
}

fn sealed() -> std::sync::Arc<Qom> {
    let types = qom::Bootstrap::from_link_time().unwrap();
    let accel = types.create("tcg-accel").unwrap();
    types.accel_ready(accel).unwrap().seal().unwrap()
}

/// What is said of objects, CPUs and devices, whose types are known only later.
fn judged_later(qom: &Qom, line: CommandLine) -> String {
    if let Some(Err(error)) = line.cpu.map(|text| target_i386::cpu::apply_cpu_option(qom, &text)) {
        return format!("PROGRAM: {error}\n");
    }
    let judged = crate::program::read_objects(qom, line.objects)
        .and_then(|_| crate::program::add_devices(qom, line.devices));
    judged.map_or_else(|error| format!("PROGRAM: {error}\n"), |()| "accepted".to_owned())
}

#[test]
fn refusals_read_like_the_reference() {
    let qom = sealed();
    let mut cases = 0;
    let mut differences = Vec::new();
    let lines = [include_str!("fixtures/errors.txt"), include_str!("fixtures/refusals.txt")];
    for line in lines.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#')) {
        let (words, expected) = line.split_once('\t').unwrap();
        let words: Vec<String> = serde_json::from_str(words).unwrap();
        let expected: String = serde_json::from_str(expected).unwrap();
        let report = match judged(words.clone()) {
            Ok(line) => judged_later(&qom, line),
            Err(error) => error.report("PROGRAM"),
        };
        if report != expected {
            differences.push(format!("{words:?}\n  expected {expected:?}\n  found    {report:?}"));
        }
        cases += 1;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(cases > 500, "{cases}");
}

#[test]
fn what_the_reference_accepts_is_accepted() {
    let mut cases = 0;
    let mut differences = Vec::new();
    for line in include_str!("fixtures/accepted.txt").lines().filter(|line| !line.starts_with('#')) {
        let (words, expected) = line.split_once('\t').unwrap();
        let words: Vec<String> = serde_json::from_str(words).unwrap();
        let expected: String = serde_json::from_str(expected).unwrap();
        let report = match judged(words.clone()) {
            Ok(line) => line.warnings.iter().map(|warning| format!("PROGRAM: {warning}\n")).collect(),
            Err(error) => format!("refused: {error}"),
        };
        if report != expected {
            differences.push(format!("{words:?}\n  expected {expected:?}\n  found    {report:?}"));
        }
        cases += 1;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(cases > 80, "{cases}");
}

#[test]
fn configuration_files_are_judged_like_the_reference_does() {
    let qom = sealed();
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let mut cases = 0;
    let mut differences = Vec::new();
    for line in include_str!("fixtures/config.txt").lines().filter(|line| !line.starts_with('#')) {
        let (text, expected) = line.split_once('\t').unwrap();
        let text: String = serde_json::from_str(text).unwrap();
        let expected: String = serde_json::from_str(expected).unwrap();
        std::fs::write(path, &text).unwrap();
        let report = match judged(["-M", "none", "-display", "none", "-S", "-readconfig", path]) {
            Ok(line) => judged_later(&qom, line),
            Err(error) => error.report("PROGRAM"),
        };
        let report = report.replace(path, "FILE");
        // The one difference in form: a file's place stands behind a space as an option does.
        if report.replacen("PROGRAM: FILE:", "PROGRAM:FILE:", 1) != expected {
            differences.push(format!("{text:?}\n  expected {expected:?}\n  found    {report:?}"));
        }
        cases += 1;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(cases > 60, "{cases}");
}

#[test]
fn what_is_not_there_is_refused_with_its_reason() {
    for (words, report) in [
        (
            "-kernel bzImage -shim x",
            "qom: -shim x: not supported: there is no firmware that would start a shim\n",
        ),
        ("--hda x -foo2", "qom: -foo2: invalid option\n"),
        ("-hda disk.img", "qom: -hda disk.img: not supported: there are no disks\n"),
        ("disk.img", "qom: disk.img: not supported: there are no disks\n"),
        ("-m 1G,slots=2", "qom: -m 1G,slots=2: not supported: memory cannot be added while the guest runs\n"),
        ("-M pc,memory.slots=2", "qom: not supported: memory cannot be added while the guest runs\n"),
        ("-m 18446744073709551615b", "qom: ram size too large\n"),
        ("-net nic", "qom: -net nic: not supported: there is no network\n"),
        ("-vga std", "qom: standard VGA not available\n"),
        (
            "-chardev udp,id=r",
            "qom: -chardev udp,id=r: 'udp' is not supported: \
             character devices are stdio, null, file, pipe, pty, ringbuf and plain sockets\n",
        ),
    ] {
        assert_eq!(refused(words), report, "{words}");
    }
    let error = judged(["-mon", "x"]).unwrap_err();
    assert_eq!(error.to_string(), "-mon x: chardev \"x\" not found");
    assert_eq!(error.warnings.len(), 1);
}

#[test]
fn machine_options_come_together_whatever_the_order() {
    let expected = parse("-M q35,usb=off,smp.maxcpus=8 -smp 2,cores=4 -m 1G -cpu host -S");
    assert_eq!(expected.machine.type_name.as_deref(), Some("q35"));
    assert_eq!(serde_json::json!(expected.machine.properties), serde_json::json!({"usb": "off"}));
    assert_eq!((expected.smp.cpus, expected.smp.maxcpus, expected.smp.cores), (Some(2), Some(8), Some(4)));
    assert_eq!(expected.memory_size, Some(1 << 30));
    assert_eq!(expected.cpu.as_deref(), Some("host"));
    assert!(expected.stopped);
    for words in [
        "-S -cpu host -m 1G -smp 2,cores=4 -M q35,usb=off,smp.maxcpus=8",
        "--machine type=q35 -m size=1024 -smp cores=4 -S -M usb=off -smp cpus=2,maxcpus=8 -cpu host",
        "-m 3 -m 1048576k -M pc -M q35,usb=on -cpu x -cpu host -M usb=off -smp 1,cores=4 -smp 2,maxcpus=8 -S",
    ] {
        assert_eq!(parse(words), expected, "{words}");
    }
}

/// Sizes read back from `memory` of /machine of QEMU 11.1.2.
#[test]
fn memory_is_mebibytes_in_whole_pages() {
    for (text, bytes) in [
        ("1", Some(1 << 20)),
        ("1.0", Some(1 << 20)),
        ("1.5G", Some(1_610_612_736)),
        ("0", None),
        ("1b", Some(8192)),
        ("8193b", Some(16384)),
        ("1k", Some(8192)),
        ("2g", Some(2 << 30)),
        ("size=2,size=3", Some(3 << 20)),
        ("4,size=5", Some(5 << 20)),
        ("65536k", Some(64 << 20)),
    ] {
        assert_eq!(CommandLine::parse(["-m", text]).unwrap().memory_size, bytes, "{text}");
    }
    assert_eq!(CommandLine::parse(["-m", ""]).unwrap().memory_size, None);
}

#[test]
fn accelerators_in_order() {
    let names =
        |words: &str| parse(words).accelerators.into_iter().map(|accel| accel.name).collect::<Vec<_>>();
    assert_eq!(names(""), [""; 0]);
    assert_eq!(names("-accel kvm -accel tcg"), ["kvm", "tcg"]);
    assert_eq!(names("-M none,accel=kvm:tcg"), ["kvm", "tcg"]);
    assert_eq!(names("-enable-kvm"), ["kvm"]);
    assert_eq!(names("-M accel=tcg -enable-kvm"), ["kvm"]);
    let line = parse("-accel tcg,thread=single");
    assert_eq!(line.accelerators[0].properties, [("thread".to_owned(), "single".to_owned())]);
    assert_eq!(line.accelerators[0].location.as_deref(), Some("-accel tcg,thread=single"));
}

#[test]
fn help_comes_in_a_fixed_order() {
    for (words, request) in [
        ("-version -m 1x", Request::Version),
        ("-h -m 1x", Request::Help),
        ("--help", Request::Help),
        ("-accel help -M help", Request::AcceleratorHelp),
        ("-accel ?", Request::AcceleratorHelp),
        ("-device help -M help", Request::MachineHelp),
        ("-M ?", Request::MachineHelp),
        ("-cpu help -M pc,help", Request::MachineTypeHelp),
        ("-device help -cpu help", Request::CpuHelp),
        ("-cpu help -enable-kvm", Request::CpuHelp),
        ("-enable-kvm -cpu ?", Request::CpuHelp),
        ("-M foo -cpu help -smp 5000", Request::CpuHelp),
        ("-cpu help -chardev foo,id=a -serial foo -mon x", Request::CpuHelp),
        ("-cpu help,x", Request::Run),
        ("-device help -chardev help", Request::DeviceHelp),
        ("-device isa-serial,help -device help", Request::DeviceTypeHelp { driver: "isa-serial".to_owned() }),
        ("-device isa-serial,id=a,?", Request::DeviceTypeHelp { driver: "isa-serial".to_owned() }),
    ] {
        assert_eq!(parse(words).request, request, "{words}");
    }
    assert_eq!(parse("-cpu help -M q35,help").machine.type_name.as_deref(), Some("q35"));
    assert_eq!(parse("-cpu help -enable-kvm").cpu, parse("-enable-kvm -cpu help").cpu);
    for (words, start) in [
        ("-smp help", "smp-opts options:\n"),
        ("-smp 4,?", "smp-opts options:\n"),
        ("-global help", "global options:\n  driver=<str>\n  property=<str>\n  value=<str>\n"),
        ("-msg help", "msg options:\n  guest-name=<bool (on/off)> - "),
        ("-chardev help", "Available chardev backend types: \n"),
        ("-display help", "Available display backend types:\nnone\n"),
    ] {
        let (Request::Print(text) | Request::PrintAndFail(text)) = parse(words).request else {
            panic!("{words}")
        };
        assert!(text.starts_with(start), "{words}: {text}");
    }
}

/// Accelerators are known when help about CPUs is asked for: it depends on them.
#[test]
fn help_keeps_the_accelerator() {
    for words in
        ["-cpu help -M accel=tcg", "-M accel=tcg -cpu help", "-accel tcg -cpu help", "-cpu help -accel tcg"]
    {
        let line = parse(words);
        assert_eq!(line.request, Request::CpuHelp);
        assert_eq!(
            line.accelerators.iter().map(|accel| accel.name.as_str()).collect::<Vec<_>>(),
            ["tcg"],
            "{words}"
        );
    }
}

#[test]
fn devices_and_globals_keep_their_order() {
    let line = CommandLine::parse([
        "-device",
        "a,x=1,id=d,y=2,x=3",
        "-global",
        "foo.bar.baz=1,2",
        "-device",
        "{\"driver\":\"b\",\"id\":\"e\",\"n\":1}",
        "-global",
        "driver=foo.1,property=bar,value=v",
        "-device",
        "c,flag,nofoo",
    ])
    .unwrap();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(line.devices.len(), 3);
    assert_eq!(line.devices[0].properties, DeviceProperties::Text(vec![pair("x", "3"), pair("y", "2")]));
    assert_eq!(line.devices[0].id.as_deref(), Some("d"));
    assert_eq!(line.devices[0].location, "-device a,x=1,id=d,y=2,x=3");
    let json = serde_json::json!({"n": 1}).as_object().cloned().unwrap();
    assert_eq!(line.devices[2].properties, DeviceProperties::Json(json));
    assert_eq!(line.devices[2].id.as_deref(), Some("e"));
    assert_eq!(
        line.devices[1].properties,
        DeviceProperties::Text(vec![pair("flag", "on"), pair("foo", "off")])
    );
    assert_eq!(
        line.warnings[0].to_string(),
        "-device c,flag,nofoo: warning: short-form boolean option 'flag' deprecated\nPlease use flag=on instead"
    );
    let globals: Vec<_> = line.globals.iter().map(|g| (&*g.driver, &*g.property, &*g.value)).collect();
    assert_eq!(globals, [("foo", "bar.baz", "1,2"), ("foo.1", "bar", "v")]);
}

#[test]
fn the_rest_is_what_it_says() {
    let line = parse(
        "-name guest=N,debug-threads=on,process=P -uuid 12345678-9abc-def0-1234-56789ABCDEF0 -no-shutdown -no-reboot \
         -nodefaults -no-user-config -daemonize -pidfile /run/p -msg timestamp=on,guest-name=off -bios b.bin \
         -display none -vga none -net none -nic none -parallel none",
    );
    let name = NameOptions { guest: Some("N".into()), process: Some("P".into()) };
    assert_eq!(line.name, name);
    assert_eq!(parse("-name N").name.guest.as_deref(), Some("N"));
    let uuid =
        [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0];
    assert_eq!(line.uuid, Some(uuid));
    assert_eq!((line.actions.shutdown, line.actions.reboot), (ShutdownAction::Pause, RebootAction::Shutdown));
    assert!(line.no_defaults && line.daemonize);
    assert_eq!(line.pidfile, Some("/run/p".into()));
    assert_eq!(line.bios, Some("b.bin".into()));
    assert_eq!(line.messages, MessageOptions { timestamp: true, guest_name: false });
    assert_eq!(
        (line.chardevs.len(), line.serials.len(), line.monitors.len(), line.warnings.len()),
        (0, 0, 0, 0)
    );
}

/// Character devices, ports and monitors, each in a word or two.
fn wiring(words: &str) -> (String, String, String) {
    let line = parse(words);
    let chardevs = line.chardevs.iter().map(|chardev| {
        let mux = if chardev.mux { "+mux" } else { "" };
        let signal =
            if chardev.backend == (ChardevBackend::Stdio { signal: false }) { "-signal" } else { "" };
        format!("{}:{}{mux}{signal}", chardev.id, chardev.backend.name())
    });
    let serials = line.serials.iter().map(|serial| match serial {
        SerialSpec::None => "none".to_owned(),
        SerialSpec::Chardev(id) => id.clone(),
        SerialSpec::OutputOf(id) => format!(">{id}"),
    });
    let monitors = line.monitors.iter().map(|monitor| {
        let mode = match monitor.mode {
            MonitorMode::Readline => "hmp",
            MonitorMode::Control { pretty: false } => "qmp",
            MonitorMode::Control { pretty: true } => "pretty",
        };
        format!("{}@{}:{mode}", monitor.id.as_deref().unwrap_or("-"), monitor.chardev)
    });
    let join = |parts: Vec<String>| parts.join(" ");
    (join(chardevs.collect()), join(serials.collect()), join(monitors.collect()))
}

#[test]
fn who_has_the_terminal() {
    for (words, chardevs, serials, monitors) in [
        ("", "compat_monitor0:stdio", ">compat_monitor0", "compat_monitor0@compat_monitor0:hmp"),
        (
            "-monitor stdio",
            "compat_monitor0:stdio",
            ">compat_monitor0",
            "compat_monitor0@compat_monitor0:hmp",
        ),
        (
            "-smp 1,maxcpus=4 -monitor stdio -qmp unix:/tmp/qmp-sock,server,nowait",
            "compat_monitor0:stdio compat_monitor1:socket",
            ">compat_monitor0",
            "compat_monitor0@compat_monitor0:hmp compat_monitor1@compat_monitor1:qmp",
        ),
        (
            "-qmp unix:/tmp/qmp-sock,server,nowait -smp 1,maxcpus=4",
            "compat_monitor0:socket compat_monitor1:stdio",
            ">compat_monitor1",
            "compat_monitor0@compat_monitor0:qmp compat_monitor1@compat_monitor1:hmp",
        ),
        (
            "-qmp stdio",
            "compat_monitor0:stdio serial0:null",
            "serial0",
            "compat_monitor0@compat_monitor0:qmp",
        ),
        (
            "-qmp-pretty stdio",
            "compat_monitor0:stdio serial0:null",
            "serial0",
            "compat_monitor0@compat_monitor0:pretty",
        ),
        ("-serial stdio", "serial0:stdio", "serial0", ""),
        ("-serial mon:stdio", "serial0:stdio+mux-signal", "serial0", "-@serial0:hmp"),
        ("-serial none", "", "none", ""),
        ("-serial none -serial null", "serial1:null", "none serial1", ""),
        (
            "-serial file:/run/f -monitor stdio",
            "compat_monitor0:stdio serial0:file",
            "serial0",
            "compat_monitor0@compat_monitor0:hmp",
        ),
        ("-monitor none", "serial0:stdio", "serial0", ""),
        ("-display none", "serial0:null", "serial0", ""),
        (
            "-display none -monitor stdio",
            "compat_monitor0:stdio serial0:null",
            "serial0",
            "compat_monitor0@compat_monitor0:hmp",
        ),
        ("-nodefaults", "", "", ""),
        ("-nodefaults -serial stdio", "serial0:stdio", "serial0", ""),
        ("-daemonize", "serial0:null", "serial0", ""),
        ("-nographic", "serial0:stdio+mux-signal", "serial0", "-@serial0:hmp"),
        ("-nographic -monitor none", "serial0:stdio", "serial0", ""),
        (
            "-nographic -serial null",
            "serial0:null compat_monitor0:stdio",
            "serial0",
            "compat_monitor0@compat_monitor0:hmp",
        ),
        ("-nographic -nodefaults", "", "", ""),
        ("-device isa-serial,chardev=x", "compat_monitor0:stdio", "", "compat_monitor0@compat_monitor0:hmp"),
        ("-chardev stdio,id=c -serial chardev:c", "c:stdio", "c", ""),
        ("-chardev stdio,id=c,mux=on -serial chardev:c -monitor chardev:c", "c:stdio+mux", "c", "c@c:hmp"),
        ("-serial chardev:c -chardev null,id=c", "c:null", "c", ""),
        ("-nodefaults -chardev null,id=c -object monitor-qmp,id=m,chardev=c", "c:null", "", "m@c:qmp"),
        (
            "-chardev null,id=compat_monitor0",
            "compat_monitor0:null compat_monitor1:stdio",
            ">compat_monitor1",
            "compat_monitor1@compat_monitor1:hmp",
        ),
    ] {
        let expected = (chardevs.to_owned(), serials.to_owned(), monitors.to_owned());
        assert_eq!(wiring(words), expected, "{words}");
    }
}

#[test]
fn a_manager_probes_in_the_background() {
    let line = parse(
        "-S -no-user-config -nodefaults -nographic -machine none,accel=kvm:tcg \
         -qmp unix:DIR/qmp.monitor,server=on,wait=off -pidfile DIR/qmp.pid -daemonize",
    );
    assert!(line.stopped && line.daemonize);
    assert_eq!(line.pidfile, Some("DIR/qmp.pid".into()));
    let ChardevBackend::Socket(socket) = &line.chardevs[0].backend else { panic!("{line:?}") };
    assert!(socket.server && !socket.wait);
    assert_eq!((line.chardevs.len(), line.monitors.len(), line.serials.len()), (1, 1, 0));
    // Not everything is elsewhere in these.
    for words in ["-serial null -monitor null", "-serial null -parallel none", "-monitor null -parallel none"]
    {
        assert_eq!(
            refused(&format!("-nographic -daemonize {words}")),
            "qom: -nographic cannot be used with -daemonize\n",
            "{words}"
        );
    }
    parse("-nographic -daemonize -serial null -monitor null -parallel none");
}

#[test]
fn a_manager_s_monitor_on_an_inherited_socket() {
    let line = parse(
        "-name guest=N,debug-threads=on -nodefaults -chardev socket,id=charmonitor,fd=7,server=on,wait=off \
         -mon chardev=charmonitor,id=monitor,mode=control",
    );
    let ChardevBackend::Socket(socket) = &line.chardevs[0].backend else { panic!("{line:?}") };
    assert_eq!((&socket.address, socket.server, socket.wait), (&SocketAddress::Fd(7), true, false));
    assert_eq!(wiring("-nodefaults -chardev null,id=c -mon c,id=m,mode=control,pretty=on").2, "m@c:pretty");
    assert_eq!(line.warnings.len(), 1);
}

#[test]
fn stdio_conflicts_are_found_by_position() {
    let line = parse("-chardev null,id=a -chardev stdio,id=b");
    assert_eq!(stdio_conflict(&line.chardevs), None);
    let twice = [line.chardevs.clone(), line.chardevs].concat();
    assert_eq!(
        stdio_conflict(&twice).map(|(first, second)| (&*twice[first].id, second)),
        Some(("b", twice.len() / 2 + 1))
    );
}

fn word() -> impl Strategy<Value = String> {
    let names: Vec<&str> = table::SECTIONS
        .iter()
        .flat_map(|section| section.options)
        .flat_map(|option| option.names.iter().copied())
        .chain(table::REFUSED.iter().map(|(name, ..)| *name))
        .collect();
    prop_oneof![
        4 => prop::sample::select(names).prop_map(|name| format!("-{name}")),
        2 => "(pc|q35|stdio|null|none|help|kvm|[{]|unix:/s|mon:|chardev:|socket|a|size|cpus|type|driver)?[a-c=,.:0-9]{0,8}(,(id|server|wait|mode|chardev|size|cpus|property|value)=?[a-c0-9]{0,2}){0,4}",
        1 => ".{0,12}",
    ]
}

proptest! {
    #[test]
    fn every_command_line_is_answered(words in prop::collection::vec(word(), 0..12)) {
        let no_file = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match CommandLine::parse_with(words.clone(), no_file) {
            Ok(line) => {
                prop_assert_eq!(stdio_conflict(&line.chardevs), None);
                for monitor in &line.monitors {
                    prop_assert!(line.chardevs.iter().any(|chardev| chardev.id == monitor.chardev));
                }
            }
            Err(error) => {
                prop_assert!(!error.reports.is_empty());
                prop_assert!(error.report("qom").starts_with("qom: "));
            }
        }
    }

    #[test]
    fn the_order_of_unlike_options_does_not_matter(
        picked in prop::sample::subsequence(vec![
            vec!["-M", "q35,usb=off"], vec!["-smp", "2,maxcpus=4"], vec!["-m", "1G"], vec!["-cpu", "help"],
            vec!["-enable-kvm"], vec!["-S"], vec!["-nodefaults"], vec!["-display", "none"], vec!["-name", "n"],
            vec!["-device", "x,help"], vec!["-serial", "mon:stdio"], vec!["-bios", "b"],
        ], 0..12).prop_shuffle(),
    ) {
        let mut sorted = picked.clone();
        sorted.sort();
        prop_assert_eq!(CommandLine::parse(picked.concat()), CommandLine::parse(sorted.concat()));
    }
}
