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
    let lines = finished.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let replies = lines.filter(|line| line.get("return").is_some() || line.get("error").is_some());
    (replies.collect(), finished)
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
    let arguments: Vec<&str> =
        case["arguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
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
        let case: Value = serde_json::from_str(line).unwrap();
        let words = case["arguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let otherwise = words.into_iter().find_map(|word| {
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
