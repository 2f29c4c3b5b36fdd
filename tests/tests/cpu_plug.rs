//! Plugging CPUs: every check and message, lists of CPUs, against the reference.

use serde_json::{Value, json};
use tests::{Program, kvm_or_skip, run};

fn without_thread_ids(mut reply: Value) -> Value {
    for cpu in reply.get_mut("return").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(cpu) = cpu.as_object_mut() {
            cpu.shift_remove("thread-id");
        }
    }
    reply
}

#[test]
fn random_plugging_is_answered_as_by_the_reference() {
    let mut program: Option<(Program, tests::Qmp)> = None;
    let mut reply = Value::Null;
    let mut request = "";
    let mut differences = Vec::new();
    let mut replies = 0;
    for line in include_str!("../transcripts/cpu-plug.txt").lines().filter(|line| !line.starts_with("##")) {
        let (kind, text) = line.split_at(2);
        match kind {
            "# " => {
                let words: Vec<String> = serde_json::from_str(text).expect("arguments");
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let started = Program::start(&words);
                let qmp = started.qmp();
                program = Some((started, qmp));
            }
            "> " => {
                request = text;
                let (_, qmp) = program.as_mut().expect("a program");
                qmp.send(text.as_bytes());
                reply = without_thread_ids(qmp.reply());
            }
            "< " => {
                let expected: Value = serde_json::from_str(text).expect("JSON");
                if reply != expected {
                    differences.push(format!("{request}\n  expected {expected}\n  got      {reply}"));
                }
                replies += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(replies > 280, "{replies}");
}

/// A plain list is kept until something in it changes, a pretty one is made anew each time: both say the same after every change.
#[test]
fn a_list_that_is_kept_is_the_list_that_is_made_now() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("pretty");
    let options = format!(
        "-M q35 -accel qtest -smp 1,maxcpus=6,sockets=6 -m 64 -preconfig -object memory-backend-ram,id=m0,size=32M \
         -object memory-backend-ram,id=m1,size=32M -qmp-pretty unix:{},server=on,wait=off",
        path.display()
    );
    let program = Program::start(&options.split_whitespace().collect::<Vec<_>>());
    let mut kept = program.qmp();
    let mut made = tests::Qmp::connect(&path);
    let mut lists = std::collections::HashSet::new();
    let mut change = |command: &str, arguments: Value| {
        let _ = kept.ok(command, &arguments);
        let list = kept.ok("query-hotpluggable-cpus", &json!({}));
        assert_eq!(kept.ok("query-hotpluggable-cpus", &json!({})), list);
        assert_eq!(made.ok("query-hotpluggable-cpus", &json!({})), list);
        lists.insert(list.to_string());
    };
    for (node, memory) in ["m0", "m1"].iter().enumerate() {
        change("set-numa-node", json!({"type": "node", "nodeid": node, "memdev": memory}));
    }
    for socket in 0..6 {
        change("set-numa-node", json!({"type": "cpu", "node-id": socket % 2, "socket-id": socket}));
    }
    change("x-exit-preconfig", json!({}));
    for socket in [3, 1, 5] {
        let place = json!({"driver": "qemu64-x86_64-cpu", "id": format!("c{socket}"), "socket-id": socket, "core-id": 0,
                           "thread-id": 0, "node-id": socket % 2});
        change("device_add", place);
    }
    // A node is noted for one slot after the other, then one CPU after the other is there.
    assert!(lists.len() >= 10, "{}", lists.len());
}

/// The texts were read off QEMU 11.1.2 with the same arguments.
#[test]
fn what_cpus_cannot_reach_is_refused() {
    const X2APIC: &str = "requires x2APIC feature in CPU\nTry x2apic=on in -cpu.";
    for (arguments, text) in [
        (&["-M", "q35", "-smp", "256"][..], format!("APIC ID 255 {X2APIC}")),
        (&["-M", "q35", "-smp", "257", "-cpu", "max,x2apic=off"], format!("APIC ID 255 {X2APIC}")),
        (&["-M", "pc", "-smp", "255,sockets=51,cores=5"], format!("APIC ID 256 {X2APIC}")),
        (
            &["-M", "q35", "-cpu", "qemu64,phys-bits=32"],
            "Address space limit 0xffffffff < 0x8ffffffff phys-bits too low (32)".to_owned(),
        ),
        (
            &["-M", "q35", "-cpu", "qemu64,phys-bits=35"],
            "Address space limit 0x7ffffffff < 0x8ffffffff phys-bits too low (35)".to_owned(),
        ),
        (
            &["-M", "pc", "-cpu", "qemu64,phys-bits=32"],
            "Address space limit 0xffffffff < 0x17fffffff phys-bits too low (32)".to_owned(),
        ),
        (
            &["-M", "pc", "-m", "8G", "-cpu", "qemu64,phys-bits=32"],
            "Address space limit 0xffffffff < 0x2bfffffff phys-bits too low (32)".to_owned(),
        ),
        (
            &["-M", "pc", "-m", "4G", "-cpu", "pentium"],
            "Address space limit 0xffffffff < 0x13fffffff phys-bits too low (32)".to_owned(),
        ),
        (
            &["-M", "q35", "-smp", "1,maxcpus=4097"],
            "Invalid SMP CPUs 4097. The max CPUs supported by machine 'pc-q35-11.1' is 4096".to_owned(),
        ),
    ] {
        let finished = run(&[&["-accel", "tcg", "-display", "none", "-S"], arguments].concat());
        let text = format!("qom-system-x86_64: {text}\n");
        assert_eq!((finished.stdout, finished.stderr, finished.status), (String::new(), text, Some(1)));
    }
}

/// The reference answers the same.
#[test]
fn cpus_up_to_the_machines_most_are_plugged() {
    let program = Program::start(&["-M", "q35", "-accel", "tcg", "-smp", "300,maxcpus=4096", "-cpu", "max"]);
    let mut qmp = program.qmp();
    let possible = qmp.ok("query-hotpluggable-cpus", &json!({}));
    let possible = possible.as_array().expect("a list");
    assert_eq!(possible.len(), 4096);
    assert_eq!(
        possible[0],
        json!({"props": {"core-id": 4095, "thread-id": 0, "socket-id": 0}, "vcpus-count": 1, "type": "max-x86_64-cpu"})
    );
    let cpu = json!({"driver": "max-x86_64-cpu", "id": "c", "socket-id": 0, "core-id": 4095, "thread-id": 0});
    let _ = qmp.ok("device_add", &cpu);
    let last = qmp.ok("query-cpus-fast", &json!({})).as_array().and_then(|list| list.last().cloned());
    assert_eq!(last.map(|cpu| cpu["cpu-index"].clone()), Some(json!(4095)));
    let apic_id = qmp.ok("qom-get", &json!({"path": "/machine/peripheral/c", "property": "apic-id"}));
    assert_eq!(apic_id, 4095);
    let small = Program::start(&["-M", "q35", "-accel", "tcg", "-smp", "2,maxcpus=300,sockets=300"]);
    let mut qmp = small.qmp();
    let plug = |qmp: &mut tests::Qmp, socket: u32| {
        let id = format!("s{socket}");
        let cpu = json!({"driver": "qemu64-x86_64-cpu", "id": id, "socket-id": socket, "core-id": 0, "thread-id": 0});
        qmp.execute("device_add", &cpu)
    };
    assert_eq!(plug(&mut qmp, 254), json!({"return": {}}));
    let refused = plug(&mut qmp, 255);
    assert_eq!(refused["error"]["desc"], "APIC ID 255 requires x2APIC feature in CPU");
    let left = qmp.ok("qom-list", &json!({"path": "/machine/peripheral"}));
    assert_eq!(left.as_array().map(Vec::len), Some(2), "{left}");
}

/// CPUs on which no guest code runs have threads that can be pinned, each its own, from when somebody asks until they go.
#[test]
fn every_cpu_has_a_thread_that_ends_with_it() {
    let program =
        Program::start(&["-M", "q35", "-accel", "tcg", "-nodefaults", "-smp", "2,sockets=4,maxcpus=4"]);
    let mut qmp = program.qmp();
    let idle = program.proc_count("task");
    let ids = |qmp: &mut tests::Qmp| -> Vec<u64> {
        let cpus = qmp.ok("query-cpus-fast", &json!({}));
        cpus.as_array()
            .expect("a list")
            .iter()
            .map(|cpu| cpu["thread-id"].as_u64().expect("a number"))
            .collect()
    };
    let name = |id: u64| std::fs::read_to_string(format!("/proc/{}/task/{id}/comm", program.pid()));
    let add = json!({"driver": "qemu64-x86_64-cpu", "id": "c", "socket-id": 3, "core-id": 0, "thread-id": 0});
    let _ = qmp.ok("device_add", &add);
    assert_eq!(program.proc_count("task"), idle, "nobody has asked");
    let first = ids(&mut qmp);
    assert_eq!(ids(&mut qmp), first);
    assert_eq!(program.proc_count("task"), idle + 3);
    let names: Vec<String> = first.iter().map(|id| name(*id).expect("a thread")).collect();
    assert_eq!(names, ["CPU 0/TCG\n", "CPU 1/TCG\n", "CPU 3/TCG\n"]);
    let _ = qmp.ok("device_del", &json!({"id": "c"}));
    let _ = qmp.event("DEVICE_DELETED");
    let start = std::time::Instant::now();
    // The kernel may show a thread for a moment after it was joined.
    while name(first[2]).is_ok() {
        assert!(start.elapsed() < tests::PATIENCE, "the thread stays");
    }
    assert_eq!(ids(&mut qmp), first[..2]);
}

/// As the reference names them.
#[test]
fn threads_are_named_after_what_runs_on_them() {
    for (accel, kind) in [("tcg", "TCG"), ("qtest", "DUMMY"), ("kvm", "KVM")] {
        if accel == "kvm" && !kvm_or_skip("threads_are_named_after_what_runs_on_them under KVM") {
            continue;
        }
        let program = Program::start(&["-accel", accel, "-smp", "2", "-S"]);
        let cpus = program.qmp().ok("query-cpus-fast", &json!({}));
        let name = |cpu: &Value| {
            let task = format!("/proc/{}/task/{}/comm", program.pid(), cpu["thread-id"]);
            std::fs::read_to_string(task).expect("a thread")
        };
        let names: Vec<String> = cpus.as_array().expect("a list").iter().map(name).collect();
        assert_eq!(names, [0, 1].map(|slot| format!("CPU {slot}/{kind}\n")), "{accel}");
    }
}

/// Everything is checked before a device is there, in the reference's order and words.
#[test]
fn what_device_add_refuses() {
    let machine = ["-M", "q35", "-accel", "tcg", "-nodefaults", "-smp", "1,maxcpus=4,sockets=4"];
    let program = Program::start(&machine);
    let replies = tests::replay(include_str!("../transcripts/device-add.txt"), &program, "", "");
    assert!(replies > 45, "{replies}");
}
