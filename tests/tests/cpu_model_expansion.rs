//! `query-cpu-model-expansion` of the whole program, against what QEMU 11.1.2 answered.

use serde_json::{Value, json};
use tests::Program;

fn fixture(text: &str) -> Value {
    serde_json::from_str(text).expect("fixtures are JSON")
}

#[test]
fn static_expansions_are_the_references() {
    let fixture = fixture(include_str!("../fixtures/cpu-expansion-static.json"));
    let program = Program::start(&["-accel", "tcg", "-M", "none"]);
    let mut qmp = program.qmp();
    for (model, props) in fixture.as_object().expect("models by name") {
        let ask = json!({"type": "static", "model": {"name": model}});
        let expansion = qmp.ok("query-cpu-model-expansion", &ask);
        assert_eq!(expansion, json!({"model": {"name": "base", "props": props}}), "{model}");
        // Fed back, it is the same CPU: nothing is lost in the writing down. (`base` has no vendor, which cannot be set.)
        if model == "base" {
            continue;
        }
        let again = json!({"type": "static", "model": expansion["model"]});
        assert_eq!(qmp.ok("query-cpu-model-expansion", &again), expansion, "{model}");
    }
}

#[test]
fn a_full_expansion_has_the_properties_asked_for_and_all_others() {
    let program = Program::start(&["-accel", "tcg", "-M", "none"]);
    let mut qmp = program.qmp();
    let mut props = |name: &str, asked: Value| {
        let ask = json!({"type": "full", "model": {"name": name, "props": asked}});
        let model = qmp.ok("query-cpu-model-expansion", &ask)["model"].clone();
        assert_eq!(model["name"], name);
        model["props"].clone()
    };
    let plain = props("base", json!({}));
    let asked = props("base", json!({"avx512f": true, "family": 25}));
    let shown = |props: &Value| json!([props["avx512f"], props["family"], props["level"]]);
    assert_eq!(shown(&plain), json!([false, 0, 0]));
    // The level rises to the leaf that the feature is in.
    assert_eq!(shown(&asked), json!([true, 25, 7]));
    assert_eq!(plain["realized"], false);
    assert!(plain.get("unavailable-features").is_none(), "what cannot be set is no part of a model");
}

#[test]
fn errors_are_the_references() {
    let fixture = fixture(include_str!("../fixtures/cpu-expansion-errors.json"));
    let program = Program::start(&["-accel", "tcg", "-M", "none"]);
    let mut qmp = program.qmp();
    for case in fixture.as_array().expect("cases") {
        let (class, desc) = qmp.error("query-cpu-model-expansion", &case[0]);
        assert_eq!(json!({"class": class, "desc": desc}), case[1], "{}", case[0]);
    }
    // And nothing is left of a CPU that was made for an answer.
    assert_eq!(qmp.ok("query-status", &json!({}))["running"], true);
}

/// `avx10-version` sets other features, one of which is said to be off: QEMU 11.1.2 sets it last, in whichever order they are sent.
#[test]
fn properties_are_set_in_the_references_order() {
    let program = Program::start(&["-accel", "tcg", "-M", "none"]);
    let mut qmp = program.qmp();
    for props in [
        json!({"avx10-vnni-int": false, "avx10-version": 2}),
        json!({"avx10-version": 2, "avx10-vnni-int": false}),
    ] {
        let ask = json!({"type": "full", "model": {"name": "EPYC-v5", "props": props}});
        let props = &qmp.ok("query-cpu-model-expansion", &ask)["model"]["props"];
        assert_eq!(json!([props["avx10-version"], props["avx10-vnni-int"]]), json!([2, false]));
    }
}
