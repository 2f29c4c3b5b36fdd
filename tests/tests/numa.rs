//! NUMA nodes: `-numa`, `set-numa-node`, and the state before the machine is built.
//!
//! What the reference answers is in `fixtures/numa.jsonl`; `docs/differences.md` has what is otherwise here.

use serde_json::{Value, json};
use tests::{Finished, run_with_input};

/// Standard error but for the program's name and for what it says of its accelerator.
fn messages(finished: &Finished) -> String {
    let lines = finished.stderr.lines().filter(|line| !line.contains("no guest code is run"));
    lines.map(|line| format!("{}\n", line.replace("qom-system-x86_64: ", ""))).collect()
}

const COMMON: [&str; 8] = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", "-qmp", "stdio"];

/// Replies to requests, one after the other, and what was said otherwise.
fn session(arguments: &[&str], requests: &[Value]) -> (Vec<Value>, Finished) {
    let input: String = requests.iter().map(|request| format!("{request}\n")).collect();
    let finished = run_with_input(&[&COMMON, arguments].concat(), &input);
    let lines = finished.stdout.lines().map(read);
    let replies = lines.filter(|line| line.get("return").is_some() || line.get("error").is_some());
    (replies.collect(), finished)
}

fn read(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// A case's arguments.
fn words(case: &Value) -> Vec<&str> {
    case["arguments"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn execute(command: &str) -> Value {
    json!({"execute": command})
}

/// Options that are answered otherwise here, by a part of them, and the answer. Each is in `docs/differences.md`.
const OTHERWISE: [(&str, &str); 4] = [
    ("node,a=1,b=2", "Invalid parameter 'a'"),
    ("cpus=65536", "Parameter 'cpus' expects uint16_t"),
    ("initiator=201", "The initiator id 201 expects an integer between 0 and 127"),
    ("drawer-id=0", "drawer-id is not supported"),
];

/// What the program does with a case, in the fixture's form.
fn replay(case: &Value) -> Value {
    let arguments: Vec<&str> = words(case);
    let commands = ["qmp_capabilities", "query-hotpluggable-cpus", "x-query-numa", "query-cpus-fast", "quit"];
    let (replies, finished) = session(&arguments, &commands.map(execute));
    let mut got = json!({"arguments": arguments, "status": finished.status, "stderr": messages(&finished)});
    if finished.status == Some(0) {
        let members = |reply: &Value, pick: fn(&Value) -> Value| -> Value {
            reply["return"].as_array().map_or(Value::Null, |all| all.iter().map(pick).collect())
        };
        got["slots"] = members(&replies[1], |slot| slot["props"].clone());
        got["numa"] = replies[2]["return"]["human-readable-text"].clone();
        got["cpus"] = members(&replies[3], |cpu| json!([cpu["cpu-index"], cpu["props"]["node-id"]]));
    }
    got
}

/// The recorded cases with what is answered otherwise put right.
fn cases() -> Vec<Value> {
    let lines = include_str!("fixtures/numa.jsonl").lines().filter(|line| !line.starts_with('#'));
    let mut used = 0;
    let cases = lines.map(|line| {
        let case = read(line);
        let otherwise = words(&case).into_iter().find_map(|word| {
            OTHERWISE
                .iter()
                .find(|(part, _)| word.contains(part))
                .map(|(_, text)| format!("-numa {word}: {text}\n"))
        });
        match otherwise {
            Some(text) => {
                used += 1;
                assert!(case["stderr"] != text || case["status"] != 1, "it is as in the reference: {case}");
                json!({"arguments": case["arguments"], "status": 1, "stderr": text})
            }
            None => case,
        }
    });
    let cases = cases.collect();
    assert_eq!(used, OTHERWISE.len());
    cases
}

#[test]
fn options_are_answered_as_the_reference_answers_them() {
    let cases = cases();
    let made = cases.iter().filter(|case| case["status"] == 0).count();
    assert!(made > 150 && cases.len() - made > 200, "{made} of {}", cases.len());
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let halves = cases.chunks(cases.len().div_ceil(2)).map(|cases| {
            scope.spawn(move || {
                let pairs = cases.iter().map(|case| (replay(case), case));
                pairs
                    .filter(|(got, case)| got != *case)
                    .map(|(got, case)| format!("{got}\n{case}\n"))
                    .collect()
            })
        });
        let halves: Vec<_> = halves.collect();
        halves.into_iter().flat_map(|half| -> Vec<String> { half.join().unwrap() }).collect()
    });
    assert!(wrong.is_empty(), "{} cases differ, here and there:\n{}", wrong.len(), wrong.join("\n"));
}

/// A line without the numbers of threads and of devices that have no name, and without what `info hotpluggable-cpus` tells
/// here alone: what has become of CPUs, which are all as at the start.
fn without_numbers(line: &str) -> String {
    let line = line.replace("  x-vcpu-state: \\\"plugged\\\"\\r\\n", "");
    let mut rest = line.as_str();
    let mut text = String::new();
    // The first member of a CPU; the one in "props" comes second.
    while let Some((at, before)) =
        ["device[", "{\"thread-id\": "].iter().filter_map(|before| Some((rest.find(before)?, before))).min()
    {
        let (head, tail) = rest.split_at(at + before.len());
        text.push_str(head);
        rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    text + rest
}

/// Answers are compared as text, so the order of members counts too.
#[test]
fn sessions_go_as_with_the_reference() {
    let mut sessions: Vec<(Vec<&str>, Vec<Value>, Vec<&str>)> = Vec::new();
    let mut lines = include_str!("fixtures/numa-sessions.txt").lines();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("# qemu-system-x86_64 ") {
            sessions.push((
                words.split(' ').collect(),
                vec![execute("qmp_capabilities")],
                vec!["{\"return\": {}}"],
            ));
        } else if !line.starts_with('#') {
            let (_, requests, replies) = sessions.last_mut().unwrap();
            requests.push(serde_json::from_str(line).unwrap());
            replies.push(lines.next().unwrap());
        }
    }
    assert_eq!(sessions.len(), 3);
    for (arguments, requests, replies) in sessions {
        let (_, finished) = session(&arguments, &requests);
        assert_eq!((finished.status, messages(&finished).as_str()), (Some(0), ""), "{arguments:?}");
        let lines = finished
            .stdout
            .lines()
            .filter(|line| !line.contains("\"timestamp\"") && !line.contains("\"QMP\""));
        let got: Vec<String> = lines.map(without_numbers).collect();
        assert_eq!(got.len(), replies.len(), "{finished:?}");
        for ((request, reply), got) in requests.iter().zip(replies).zip(got) {
            assert_eq!(got, without_numbers(reply), "{arguments:?} {request}");
        }
    }
}

/// As in the reference the program ends; the client is told why before.
#[test]
fn a_machine_that_cannot_be_built_ends_the_program() {
    let node = json!({"execute": "set-numa-node", "arguments": {"type": "node"}});
    let requests = [execute("qmp_capabilities"), node, execute("x-exit-preconfig"), execute("query-status")];
    let (replies, finished) = session(&["-preconfig"], &requests);
    let text = "total memory for NUMA nodes (0x0) should equal RAM size (0x8000000)";
    assert_eq!((finished.status, messages(&finished)), (Some(1), format!("{text}\n")));
    assert_eq!(replies.len(), 3);
    assert_eq!(replies[2]["error"]["desc"], text);
}

/// Devices and errors of `-device` wait for the machine.
#[test]
fn devices_are_made_when_the_machine_is() {
    let cpu = "qemu64-x86_64-cpu,socket-id=1,core-id=0,thread-id=0";
    let arguments = ["-preconfig", "-smp", "1,maxcpus=2,sockets=2", "-device", cpu];
    let requests =
        ["qmp_capabilities", "query-hotpluggable-cpus", "x-exit-preconfig", "query-cpus-fast", "quit"];
    let (replies, finished) = session(&arguments, &requests.map(execute));
    assert_eq!(finished.status, Some(0), "{finished:?}");
    assert!(replies[1]["return"].as_array().unwrap().iter().all(|slot| slot.get("qom-path").is_none()));
    assert_eq!(replies[3]["return"].as_array().unwrap().len(), 2);
    let (_, finished) = session(&["-preconfig", "-device", "nope"], &requests.map(execute));
    let text = "-device nope: 'nope' is not a valid device model name\n";
    assert_eq!((finished.status, messages(&finished).as_str()), (Some(1), text));
}

/// The human monitor offers what can be used. Texts of the reference.
#[test]
fn the_human_monitor_before_the_machine_is_built() {
    let script = "info numa\ninfo status\ncont\nhelp\nhelp info\ninfo foo\nexit_preconfig\ninfo numa\nexit_preconfig\nquit\n";
    let arguments =
        ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", "-monitor", "stdio", "-preconfig"];
    let finished = run_with_input(&arguments, script);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    let output = finished.stdout.replace('\r', "");
    let answers: Vec<&str> =
        output.split("(qemu) ").skip(1).map(|part| part.split_once('\n').unwrap().1).collect();
    let refused =
        |name: &str| format!("Command '{name}' not available until machine initialization has completed.\n");
    assert_eq!(answers[0], refused("info numa"));
    assert_eq!(answers[1], "VM status: paused (prelaunch)\n");
    assert_eq!(answers[2], refused("cont"));
    let names = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains(" -- "));
        lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    // Those of the reference's that there are.
    let commands = [
        "clear",
        "closefd",
        "exit_preconfig",
        "getfd",
        "help|?",
        "info",
        "object_add",
        "object_del",
        "qom-get",
        "qom-list",
        "qom-set",
        "quit|q",
    ];
    assert_eq!(names(answers[3]), commands);
    let topics: Vec<&str> = answers[4].lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    for topic in ["chardev", "hotpluggable-cpus", "iothreads", "memdev", "qom-tree", "status", "version"] {
        assert!(topics.contains(&topic), "{topics:?}");
    }
    assert!(!topics.contains(&"numa") && !topics.contains(&"cpus") && !topics.contains(&"kvm"), "{topics:?}");
    assert_eq!(answers[5], "unknown command: 'info foo'\n");
    assert_eq!(&answers[6..8], ["", "0 nodes\n"]);
    assert_eq!(answers[8], "Error: The command is permitted only before machine initialization\n");
}

/// A guest under KVM has the nodes' memory, also where a piece of it lies on both sides of the hole below 4 GiB.
#[test]
fn a_guest_runs_in_the_nodes_memory() {
    if !tests::kvm_or_skip("a_guest_runs_in_the_nodes_memory") {
        return;
    }
    let program = tests::Program::start(&[
        "-accel",
        "kvm",
        "-m",
        "5G",
        "-smp",
        "2,sockets=2",
        "-object",
        "memory-backend-ram,id=m0,size=1G,reserve=off",
        "-numa",
        "node,memdev=m0",
        "-object",
        "memory-backend-ram,id=m1,size=4G,reserve=off",
        "-numa",
        "node,memdev=m1",
    ]);
    let _ = program.wait_console("", 1);
    let mut qmp = program.qmp();
    let refusal = qmp.error("object-del", &json!({"id": "m1"}));
    assert_eq!(refusal.1, "Cannot delete host memory backend 'm1' which is mapped");
    assert_eq!(qmp.ok("query-status", &json!({}))["status"], "running");
}

/// The machine's RAM cannot be one object and its nodes' memory others; what is wrong in one node is told first.
#[test]
fn one_object_is_all_memory_or_each_node_has_its_own() {
    let finished = |numa: &str| {
        let arguments = [
            "-M",
            "pc,memory-backend=a",
            "-object",
            "memory-backend-ram,id=a,size=128M",
            "-object",
            "memory-backend-ram,id=b,size=128M",
            "-numa",
            numa,
        ];
        session(&arguments, &[]).1
    };
    for (numa, said) in [
        ("node,memdev=b", "'-machine memory-backend' and '-numa memdev' properties are mutually exclusive\n"),
        ("node", "total memory for NUMA nodes (0x0) should equal RAM size (0x8000000)\n"),
    ] {
        let finished = finished(numa);
        assert_eq!((messages(&finished).as_str(), finished.status), (said, Some(1)), "{numa}");
    }
}

/// A group of a configuration file says what the option says. Texts are QEMU 11.1.2's, but for the blank before the place.
#[test]
fn configuration_files_have_nodes_too() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let start = |text: &str| {
        std::fs::write(path, text).unwrap();
        let requests = [execute("qmp_capabilities"), execute("x-query-numa"), execute("quit")];
        session(&["-M", "pc", "-m", "64M", "-smp", "2", "-readconfig", path], &requests)
    };
    let memory = "[object \"m\"]\n qom-type = \"memory-backend-ram\"\n size = \"64M\"\n";
    let (replies, finished) = start(&format!("{memory}[numa]\n type = \"node\"\n memdev = \"m\"\n"));
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    assert_eq!(
        replies[1]["return"]["human-readable-text"],
        "1 nodes\nnode 0 cpus: 0 1\nnode 0 size: 64 MB\nnode 0 plugged: 0 MB\n"
    );
    for (group, text) in [
        ("type = \"node\"\n memdev = \"nope\"", "memdev=nope is ambiguous"),
        ("nodeid = \"1\"\n foo = \"1\"", "Parameter 'type' is missing"),
        ("type = \"node\"\n foo = \"1\"", "Invalid parameter 'foo'"),
    ] {
        let (_, finished) = start(&format!("[numa]\n {group}\n"));
        assert_eq!((finished.status, messages(&finished)), (Some(1), format!("{path}:3: {text}\n")));
    }
}
