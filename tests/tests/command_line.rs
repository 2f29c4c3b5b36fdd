//! The command line of the whole program: what is refused when it is opened, and what the process does.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use tests::{Mortal, PATIENCE, Program, Qmp, binary, kvm_or_skip, run, run_with_input};

/// The smallest machine, with nothing on the terminal.
const NONE: &[&str] = &["-M", "none", "-accel", "tcg", "-display", "none", "-nodefaults"];

#[test]
fn what_cannot_be_opened_is_refused_as_the_reference_does() {
    let mut differences = Vec::new();
    let mut cases = 0;
    for line in include_str!("fixtures/refusals.txt").lines().filter(|line| !line.starts_with('#')) {
        let (words, expected) = line.split_once('\t').expect("two columns");
        let words: Vec<&str> = serde_json::from_str(words).expect("words");
        let expected: String = serde_json::from_str(expected).expect("text");
        let finished = run(&[&words, &["-qmp", "stdio"][..]].concat());
        let stderr = finished.stderr.replace("qom-system-x86_64", "PROGRAM");
        if (finished.status, stderr.as_str()) != (Some(1), &expected) {
            differences.push(format!("{words:?}\n  expected {expected:?}\n  found    {stderr:?}"));
        }
        cases += 1;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(cases > 70, "{cases}");
}

/// Exit statuses of QEMU 11.1.2.
#[test]
fn help_is_printed_with_the_references_status() {
    for (words, status, start) in [
        (&["-action", "help"][..], 1, "action options:\n  panic=<str>\n"),
        (&["-rtc", "help"], 1, "rtc options:\n  base=<str>\n"),
        (&["-overcommit", "help"], 1, "overcommit options:\n  cpu-pm=<bool (on/off)>\n"),
        (&["-msg", "help"], 1, "msg options:\n"),
        (&["-global", "help"], 1, "global options:\n"),
        (&["-d", "help"], 1, "Log items (comma separated):\n"),
        (&["-d", "nonsense"], 1, "Log items (comma separated):\n"),
        (&["-boot", "help"], 0, "boot-opts options:\n  menu=<bool (on/off)>\n"),
        (&["-audiodev", "help"], 0, "Available audio drivers:\nnone\n"),
        (&["-chardev", "help"], 0, "Available chardev backend types: \n"),
        (&["-trace", "help"], 0, "backends\nboot\nkvm\n"),
        (&["-L", "/a", "-L", "help"], 0, "/a\n"),
    ] {
        let finished = run(words);
        assert_eq!((finished.status, finished.stderr.as_str()), (Some(status), ""), "{words:?}");
        assert!(finished.stdout.starts_with(start), "{words:?}: {}", finished.stdout);
    }
}

/// Runs QMP commands on standard input and returns the replies, without greetings and events.
fn replies(arguments: &[&str], commands: &[Value]) -> Vec<Value> {
    let mut input = json!({"execute": "qmp_capabilities"}).to_string();
    commands.iter().for_each(|command| input.push_str(&command.to_string()));
    input.push_str(&json!({"execute": "quit"}).to_string());
    let finished = run_with_input(&[NONE, arguments, &["-qmp", "stdio"]].concat(), &input);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    let lines = finished.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut replies: Vec<_> =
        lines.filter(|reply| reply.get("QMP").is_none() && reply.get("event").is_none()).collect();
    replies.remove(0);
    replies.pop();
    replies
}

#[test]
fn a_configuration_file_and_set_reach_what_was_described() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name).display().to_string();
    let text = format!(
        "# a file\n[chardev \"log\"]\n  backend = \"file\"\n  path = \"{}\"\n\n[object \"io\"]\n  qom-type = \"iothread\"\n  \
         poll-max-ns = \"7\"\n[name]\n  guest = \"N\"\n",
        at("first")
    );
    std::fs::write(at("config"), text).expect("a file");
    let set = format!("chardev.log.path={}", at("second"));
    let arguments = ["-readconfig", &at("config"), "-set", &set];
    let got = replies(
        &arguments,
        &[
            json!({"execute": "query-chardev"}),
            json!({"execute": "query-iothreads"}),
            json!({"execute": "qom-list", "arguments": {"path": "/chardevs"}}),
        ],
    );
    assert_eq!(got[0]["return"][0], json!({"frontend-open": false, "filename": "file", "label": "log"}));
    assert_eq!(got[1]["return"][0]["poll-max-ns"], 7);
    assert!(got[2]["return"].to_string().contains("child<chardev-file>"), "{got:?}");
    assert!(!Path::new(&at("first")).exists());
    assert!(Path::new(&at("second")).exists());
}

/// The path of a set stands for the descriptor that was passed, which itself is closed.
#[test]
fn inherited_descriptors_are_files_of_their_set() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let script = format!(
        "exec 9>>{} 8</dev/null; exec {} -M none -accel tcg -display none -nodefaults -add-fd fd=9,set=3,opaque=x -add-fd fd=8,set=3 \
         -chardev file,id=c,path=/dev/fdset/3,append=on -qmp stdio",
        path.display(),
        binary().display()
    );
    std::fs::write(&path, "before\n").expect("a file");
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let input = "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-fdsets\"}\
                 {\"execute\":\"remove-fd\",\"arguments\":{\"fdset-id\":3}}{\"execute\":\"query-fdsets\"}\
                 {\"execute\":\"remove-fd\",\"arguments\":{\"fdset-id\":3}}{\"execute\":\"quit\"}";
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("a pipe");
    let mut text = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut text).expect("text");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    let replies: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let set = &replies[2]["return"][0];
    assert_eq!((&set["fdset-id"], &set["fds"][0]["opaque"]), (&json!(3), &json!("x")), "{text}");
    assert_eq!(set["fds"].as_array().map(Vec::len), Some(2));
    assert_eq!(replies[4]["return"], json!([]));
    assert_eq!(replies[5]["error"]["desc"], "File descriptor named 'fdset-id:3' not found");
    // Nothing emptied it.
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "before\n");
}

/// As a manager probes: the parent returns when the socket listens and the PID file is written.
#[test]
fn a_daemon_is_ready_when_its_parent_ends() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let (socket, pid_file) = (at("qmp"), at("pid"));
    let monitor = format!("unix:{},server=on,wait=off", socket.display());
    let pid_text = pid_file.display().to_string();
    let finished = run(&[
        &[
            "-S",
            "-no-user-config",
            "-nodefaults",
            "-nographic",
            "-machine",
            "none,accel=tcg",
            "-qmp",
            &monitor,
        ][..],
        &["-pidfile", &pid_text, "-daemonize"],
        &["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ]
    .concat());
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(0), ""), "{finished:?}");
    // No waiting here.
    assert!(UnixStream::connect(&socket).is_ok());
    let pid: u32 = std::fs::read_to_string(&pid_file).expect("a file").trim().parse().expect("a number");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    assert!(status.contains("Seccomp:\t2"), "{status}");
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).expect("a link"), Path::new("/"));
    for number in 0..3 {
        let stream = std::fs::read_link(format!("/proc/{pid}/fd/{number}")).expect("a link");
        assert_eq!(stream, Path::new("/dev/null"), "{number}");
    }
    let mut qmp = Qmp::connect(&socket);
    assert_eq!(qmp.ok("query-status", &json!({}))["status"], "prelaunch");
    let _ = qmp.ok("quit", &json!({}));
    let start = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() && start.elapsed() < PATIENCE {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(!socket.exists() && !pid_file.exists());
}

/// What fails in the background is told in the foreground.
#[test]
fn a_daemon_that_fails_says_why_and_its_parent_ends_with_1() {
    let finished = run(&["-M", "foo", "-accel", "tcg", "-display", "none", "-daemonize"]);
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(1), ""));
    let text = "qom-system-x86_64: unsupported machine type: \"foo\"\n";
    assert!(finished.stderr.starts_with(text), "{finished:?}");
}

#[test]
fn a_pid_file_has_one_owner() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("pid").display().to_string();
    let first = Program::start(&["-accel", "tcg", "-pidfile", &path]);
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), format!("{}\n", first.pid()));
    let finished = run(&["-accel", "tcg", "-display", "none", "-pidfile", &path]);
    assert_eq!(finished.status, Some(1));
    assert!(
        finished.stderr.starts_with("qom-system-x86_64: cannot create PID file: Cannot lock pid file: "),
        "{finished:?}"
    );
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), format!("{}\n", first.pid()));
}

#[test]
fn a_log_has_what_was_asked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log").display().to_string();
    let command = json!({"execute": "query-kvm", "id": 7});
    let _ = replies(&["-trace", "qmp", "-D", &path], std::slice::from_ref(&command));
    let log = std::fs::read_to_string(&path).expect("a file");
    assert!(log.contains(r#"request={"execute":"query-kvm","id":7}"#), "{log}");
    assert!(log.contains(r#"reply={"return": {"#), "{log}");
    let _ = replies(&["-d", "trace:*,trace:-qmp", "-D", &path], &[command]);
    assert!(!std::fs::read_to_string(&path).expect("a file").contains("query-kvm"));
    // Others read logs.
    let line = "object_add secret,id=b,data=secret-two";
    let secrets = [
        json!({"execute": "object-add", "arguments": {"qom-type": "secret", "id": "a", "data": "secret-one"}}),
        json!({"execute": "human-monitor-command", "arguments": {"command-line": line}}),
    ];
    let asked = ["qom-list-get", "qom-tree-get", "qom-get", "x-qom-explain", "human-monitor-command"];
    let arguments = [
        json!({"paths": ["/objects/a"]}),
        json!({"path": "/objects"}),
        json!({"path": "/objects/a", "property": "data"}),
        json!({"path": "/objects/a", "property": "data"}),
        json!({"command-line": "qom-get /objects/a data"}),
    ];
    let asked = asked.iter().zip(arguments);
    let asked = asked.map(|(command, arguments)| json!({"execute": command, "arguments": arguments}));
    let answers =
        replies(&["-trace", "qmp", "-D", &path], &secrets.into_iter().chain(asked).collect::<Vec<_>>());
    assert_eq!(answers[..2], [json!({"return": {}}), json!({"return": ""})]);
    // The client gets what it asks for.
    assert!(answers[2..].iter().all(|answer| answer.to_string().contains("secret-one")), "{answers:?}");
    let log = std::fs::read_to_string(&path).expect("a file");
    assert!(log.contains(r#""id":"a","data":"(hidden)""#) && !log.contains("secret-"), "{log}");
    // With the greeting, and the replies to negotiation and `quit`.
    assert_eq!(log.matches("reply=").count(), 10, "{log}");
}

/// What is logged, and where, is changed by both monitors; nothing is written before and afterwards.
#[test]
fn a_log_is_changed_while_the_machine_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str| directory.path().join(name);
    let read = |name: &str| std::fs::read_to_string(file(name)).expect("a file");
    let program = Program::start(&["-accel", "tcg", "-D", &file("first").display().to_string()]);
    let mut qmp = program.qmp();
    let all: Vec<String> = run(&["-trace", "help"]).stdout.lines().map(str::to_owned).collect();
    let states = |on: &[&str]| -> Value {
        let state = |name: &String| if on.contains(&name.as_str()) { "enabled" } else { "disabled" };
        all.iter().rev().map(|name| json!({"name": name, "state": state(name)})).collect()
    };
    assert_eq!(qmp.ok("trace-event-get-state", &json!({"name": "*"})), states(&[]));
    let _ = qmp.ok("query-name", &json!({}));
    assert_eq!(read("first"), "");

    assert_eq!(qmp.ok("trace-event-set-state", &json!({"name": "q*", "enable": true})), json!({}));
    let _ = qmp.ok("query-uuid", &json!({}));
    let first = read("first");
    assert!(first.contains("query-uuid") && !first.contains("query-name"), "{first}");
    assert_eq!(qmp.human("info trace-events qmp"), "qmp : state 1\r\n");
    assert_eq!(qmp.ok("trace-event-get-state", &json!({"name": "*"})), states(&["qmp"]));

    assert_eq!(qmp.human(&format!("logfile {}", file("second-%d").display())), "");
    let second = format!("second-{}", program.pid());
    let _ = qmp.ok("query-version", &json!({}));
    assert!(read(&second).contains("query-version") && !read("first").contains("query-version"));
    // A file that cannot be leaves the one that there is.
    let refused = qmp.human("logfile /nonexistent/x");
    assert_eq!(refused, json!("Error opening logfile /nonexistent/x: No such file or directory\r\n"));

    // No item but events is ever on.
    assert_eq!(qmp.human("log none"), "");
    assert_eq!(qmp.human("trace-event qmp off"), "");
    let _ = qmp.ok("query-machines", &json!({}));
    assert!(!read(&second).contains("query-machines"));
    assert_eq!(
        qmp.human("log trace:*,trace:-qmp,trace:nope"),
        json!("warning: trace event 'nope' does not exist\r\n")
    );
    let others: Vec<&str> = all.iter().map(String::as_str).filter(|name| *name != "qmp").collect();
    assert_eq!(qmp.ok("trace-event-get-state", &json!({"name": "*"})), states(&others));

    // What is refused changes nothing.
    let usage = qmp.human("log trace:qmp,nonsense");
    assert!(usage.starts_with("Log items (comma separated):\r\nnone "), "{usage}");
    let refused = qmp.human("log trace:qmp,cpu");
    assert!(refused.starts_with("Error: cpu: not supported: "), "{refused}");
    assert_eq!(qmp.human("info trace-events qmp"), "qmp : state 0\r\n");
    let listed = qmp.human("log trace:help");
    assert_eq!(listed, json!(all.iter().map(|name| format!("{name}\r\n")).collect::<String>()));
}

/// A guest's reset or power-off does what was said last, on the command line or by a monitor.
#[test]
fn actions_are_changed_by_a_monitor() {
    let program = Program::start(&["-accel", "tcg", "-no-shutdown", "-action", "reboot=shutdown,panic=none"]);
    let mut qmp = program.qmp();
    assert_eq!(qmp.ok("set-action", &json!({"shutdown": "poweroff", "watchdog": "inject-nmi"})), json!({}));
    assert_eq!(
        qmp.error("set-action", &json!({"reboot": "x"})).1,
        "Parameter 'reboot' does not accept value 'x'"
    );
    assert_eq!(qmp.ok("watchdog-set-action", &json!({"action": "debug"})), json!({}));
}

/// What a guest that resets itself gets is what was said of it: an end, a stop, or the reset. As QEMU 11.1.2 does with a guest
/// that writes FEh to port 64h.
#[test]
fn a_guests_reset_does_what_was_said() {
    if !kvm_or_skip("a_guests_reset_does_what_was_said") {
        return;
    }
    let reset = |actions: &str| {
        let program = Program::start(&["-action", actions]);
        let _ = program.wait_console("cpu 0: up", 1);
        let qmp = program.qmp();
        program.type_on_console("r");
        (program, qmp)
    };
    let ended = json!({"guest": true, "reason": "guest-reset"});
    let (program, mut qmp) = reset("reboot=shutdown");
    assert_eq!(qmp.event("SHUTDOWN")["data"], ended);
    assert_eq!(program.wait(), Some(0));

    let (program, mut qmp) = reset("reboot=shutdown,shutdown=pause");
    assert_eq!(qmp.event("SHUTDOWN")["data"], ended);
    let _ = qmp.event("STOP");
    assert_eq!(qmp.ok("query-status", &json!({})), json!({"status": "shutdown", "running": false}));
    // What a monitor says later counts, from the next time on.
    let _ = qmp.ok("set-action", &json!({"reboot": "reset"}));
    let _ = qmp.ok("system_reset", &json!({}));
    let _ = qmp.event("RESET");
    let _ = qmp.ok("cont", &json!({}));
    let _ = program.wait_console("cpu 0: up", 2);
    program.type_on_console("r");
    assert_eq!(qmp.event("RESET")["data"], ended);
    let _ = program.wait_console("cpu 0: up", 3);
}

/// The start line of a manager for the smallest domain, as far as it is about this part.
#[test]
fn a_managers_start_line_is_taken_as_it_is() {
    let (ours, theirs) = UnixStream::pair().expect("sockets");
    // A duplicate of standard input's number reaches the program, as a manager's socket does.
    let script = format!(
        "exec {} -name guest=N,debug-threads=on -S -machine none -accel tcg -overcommit mem-lock=off -display none -no-user-config \
         -nodefaults -chardev socket,id=charmonitor,fd=7,server=off -mon chardev=charmonitor,id=monitor,mode=control -rtc base=utc \
         -no-shutdown -boot strict=on -audiodev '{{\"id\":\"audio1\",\"driver\":\"none\"}}' -watchdog-action reset \
         -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny -msg timestamp=on 7<&0",
        binary().display()
    );
    assert!(theirs.as_raw_fd() > 2);
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .expect("a shell");
    ours.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut reader = BufReader::new(ours.try_clone().expect("a socket"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("a greeting");
    assert!(line.starts_with("{\"QMP\""), "{line}");
    (&ours)
        .write_all(b"{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-chardev\"}{\"execute\":\"quit\"}")
        .expect("a socket");
    line.clear();
    reader.read_line(&mut line).expect("a reply");
    line.clear();
    reader.read_line(&mut line).expect("a reply");
    assert!(line.contains("\"label\": \"charmonitor\""), "{line}");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

/// A socket that was handed over is closed with its chardev.
#[test]
fn the_peer_of_an_inherited_socket_sees_its_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let qmp = directory.path().join("qmp");
    for server in ["", ",server=on,wait=off"] {
        let socket = directory.path().join("socket");
        let (ours, theirs): (_, OwnedFd) = if server.is_empty() {
            let (ours, theirs) = UnixStream::pair().expect("sockets");
            (Some(ours), theirs.into())
        } else {
            (None, UnixListener::bind(&socket).expect("a socket").into())
        };
        let script = format!(
            "exec {} -M none -accel tcg -display none -nodefaults -chardev socket,id=s,fd=7{server} -qmp unix:{},server=on,wait=off \
             7<&0 </dev/null",
            binary().display(),
            qmp.display()
        );
        let child =
            Command::new("sh").args(["-c", &script]).stdin(Stdio::from(theirs)).spawn().expect("a shell");
        let child = Mortal::new(child);
        let mut session = Qmp::connect(&qmp);
        let connect = || UnixStream::connect(&socket);
        let mut ours = ours.map_or_else(connect, Ok).expect("a socket");
        ours.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let _ = session.ok("chardev-remove", &json!({"id": "s"}));
        // Nobody listens; a client that nobody has taken is let go of.
        let read = ours.read(&mut [0]);
        assert!(
            matches!(&read, Ok(0)) || read.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset)
        );
        if !server.is_empty() {
            assert!(connect().is_err());
        }
        let _ = session.ok("quit", &json!({}));
        assert_eq!(child.wait(), Some(0));
    }
}

/// The program ends when the process that started it does.
#[test]
fn the_end_of_the_parent_is_the_end_of_the_program() {
    let directory = tempfile::tempdir().expect("a directory");
    let pid_file = directory.path().join("pid");
    let script = format!(
        "{} -M none -accel tcg -display none -nodefaults -run-with exit-with-parent=on -pidfile {} 2>/dev/null & \
         while [ ! -s {1} ]; do sleep 0.01; done; sleep 0.1",
        binary().display(),
        pid_file.display()
    );
    let shell = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(shell.expect("a shell").success());
    let start = Instant::now();
    // It takes its file along.
    while pid_file.exists() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn memory_is_locked_where_the_system_allows_it() {
    let finished = run_with_input(
        &[NONE, &["-overcommit", "mem-lock=on-fault", "-qmp", "stdio"]].concat(),
        "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"quit\"}",
    );
    if finished.status == Some(1) {
        let text = "qom-system-x86_64: mlockall: Cannot allocate memory\nlocking memory failed\n";
        assert_eq!(finished.stderr.replace("Operation not permitted", "Cannot allocate memory"), text);
        return;
    }
    let program = Program::start(&[NONE, &["-overcommit", "mem-lock=on-fault"]].concat());
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).expect("a process");
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("a figure");
    assert_ne!(locked.trim(), "0 kB");
}
