//! Arguments, good and bad, with the reference's texts.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Static,
    Full,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Model {
    name: String,
    props: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Arguments {
    kind: Kind,
    model: Model,
    count: Option<u32>,
    address: Option<u64>,
    offset: Option<i64>,
    ratio: Option<f64>,
    force: Option<bool>,
    kinds: Option<Vec<Kind>>,
    models: Option<Vec<Model>>,
    any: Option<Value>,
}

fn error(value: Value) -> String {
    let Value::Object(members) = value else { panic!("not an object") };
    from_members::<Arguments>(members).unwrap_err().desc
}

fn with(name: &str, value: Value) -> Value {
    let mut arguments = json!({"kind": "full", "model": {"name": "base"}});
    arguments[name] = value;
    arguments
}

#[test]
fn good_arguments_are_read() {
    let members = json!({
        "any": null, "kinds": ["static"], "address": -1, "model": {"props": {"x": 1}, "name": "base"},
        "kind": "full", "ratio": 2,
    });
    let arguments: Arguments = from_members(members.as_object().unwrap().clone()).unwrap();
    assert_eq!(arguments.kind, Kind::Full);
    assert_eq!(arguments.model.props.unwrap()["x"], 1);
    assert_eq!(arguments.address, Some(u64::MAX));
    assert_eq!(arguments.ratio, Some(2.0));
    assert_eq!(arguments.kinds, Some(vec![Kind::Static]));
    assert_eq!(arguments.any, Some(Value::Null));
    assert_eq!((arguments.count, arguments.models), (None, None));
}

/// Texts as the reference gives them to `query-cpu-model-expansion`, `memsave`, `send-key`.
#[test]
fn errors_are_in_the_references_words() {
    for (arguments, text) in [
        (json!({}), "Parameter 'kind' is missing"),
        (json!({"model": 3}), "Parameter 'kind' is missing"),
        (json!({"kind": "full"}), "Parameter 'model' is missing"),
        (json!({"kind": 1}), "Invalid parameter type for 'kind', expected: string"),
        (json!({"kind": "foo"}), "Parameter 'kind' does not accept value 'foo'"),
        (json!({"kind": "full", "model": 3}), "Invalid parameter type for 'model', expected: object"),
        (json!({"kind": "full", "model": {}}), "Parameter 'model.name' is missing"),
        (
            json!({"kind": "full", "model": {"name": 1}}),
            "Invalid parameter type for 'model.name', expected: string",
        ),
        (json!({"kind": "full", "model": {"name": "a", "x": 1}}), "Parameter 'model.x' is unexpected"),
        (with("x", json!(1)), "Parameter 'x' is unexpected"),
        (with("count", json!(-1)), "Parameter 'count' expects uint32_t"),
        (with("count", json!("1")), "Parameter 'count' expects uint64"),
        (with("address", json!(1.5)), "Parameter 'address' expects uint64"),
        (with("offset", json!(1.5)), "Invalid parameter type for 'offset', expected: integer"),
        (with("ratio", json!("x")), "Invalid parameter type for 'ratio', expected: number"),
        (with("force", json!(1)), "Invalid parameter type for 'force', expected: boolean"),
        (with("force", json!(null)), "Invalid parameter type for 'force', expected: boolean"),
        (with("kinds", json!("x")), "Invalid parameter type for 'kinds', expected: array"),
        (with("kinds", json!([1])), "Invalid parameter type for 'kinds[0]', expected: string"),
        (with("kinds", json!(["full", "x"])), "Parameter 'kinds[1]' does not accept value 'x'"),
        (with("models", json!([{"name": "a"}, {}])), "Parameter 'models[1].name' is missing"),
        (
            with("models", json!([{"name": "a", "props": 1}])),
            "Invalid parameter type for 'models[0].props', expected: object",
        ),
    ] {
        assert_eq!(error(arguments), text);
    }
}

#[test]
fn no_arguments_means_none() {
    assert!(from_members::<()>(Map::new()).is_ok());
    let members = json!({"a": 1}).as_object().unwrap().clone();
    assert_eq!(from_members::<()>(members.clone()).unwrap_err().desc, "Parameter 'a' is unexpected");
    assert_eq!(from_members::<Map<String, Value>>(members.clone()).unwrap(), members);
}

proptest! {
    #[test]
    fn only_well_typed_arguments_pass(name in "kind|model|count|address|any|x", number in any::<i64>()) {
        let good = matches!(name.as_str(), "address" | "any") || (name == "count" && u32::try_from(number).is_ok());
        let Value::Object(members) = with(&name, json!(number)) else { unreachable!() };
        prop_assert_eq!(from_members::<Arguments>(members).is_ok(), good);
    }
}
