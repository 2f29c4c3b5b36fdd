//! Questions about CPU models take what was said on the command line into account, and tell people what they find, as in
//! QEMU 11.1.2.

use serde_json::{Value, json};
use tests::run_with_input;

/// The part of an answer that the fixture holds.
fn kept(answer: &Value, wanted: &Value) -> Value {
    if let Some(definitions) = answer.as_array() {
        let unavailable = |definition: &Value| {
            let name = definition["name"].as_str()?.to_owned();
            wanted.get(&name)?;
            Some((name, definition["unavailable-features"].clone()))
        };
        return Value::Object(definitions.iter().filter_map(unavailable).collect());
    }
    let props = answer["model"]["props"].as_object().expect("properties");
    let props: serde_json::Map<_, _> = props
        .iter()
        .filter(|(_, value)| **value != json!(false))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    json!({"model": {"name": answer["model"]["name"], "props": props}})
}

#[test]
fn globals_and_signs_count_and_warnings_are_told() {
    let fixture: Value =
        serde_json::from_str(include_str!("../fixtures/cpu-questions.json")).expect("fixtures are JSON");
    let cases = fixture.as_array().expect("cases");
    assert_eq!(cases.len(), 2);
    cases.iter().for_each(check);
}

fn check(case: &Value) {
    let questions = case["answers"].as_array().expect("answers");
    let mut arguments: Vec<&str> =
        case["arguments"].as_array().expect("arguments").iter().filter_map(Value::as_str).collect();
    arguments.extend(["-S", "-display", "none", "-nodefaults", "-qmp", "stdio"]);
    let mut input = r#"{"execute": "qmp_capabilities"}"#.to_owned();
    for question in questions {
        input += &json!({"execute": question[0], "arguments": question[1]}).to_string();
    }
    input += r#"{"execute": "quit"}"#;
    let finished = run_with_input(&arguments, &input);

    let lines = finished.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let mut answers = lines.filter_map(|line: Value| line.get("return").cloned()).skip(1);
    for question in questions {
        let answer = answers.next().unwrap_or_else(|| panic!("{question}: {}", finished.stderr));
        assert_eq!(kept(&answer, &question[2]), question[2], "{}", question[1]);
    }

    let mut expected = Vec::new();
    for line in case["printed"].as_array().expect("lines") {
        let (text, times) = (line[0].as_str().expect("text"), line[1].as_u64().expect("a count"));
        expected.extend((0..times).map(|_| text));
    }
    let printed: Vec<_> = finished
        .stderr
        .lines()
        .filter_map(|line| line.split_once(": ").map(|(_, text)| text))
        // This program's own.
        .filter(|text| !text.starts_with("info: "))
        .collect();
    assert_eq!(printed, expected);
}
