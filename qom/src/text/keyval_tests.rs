//! Keyval's behaviours, named one by one. Messages are those of QEMU 11.1.2 (`object_add`, `-machine`, `-smp`).

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn tree(text: &str) -> Value {
    Value::Object(parse(text, None).unwrap())
}

fn implied(text: &str) -> Value {
    Value::Object(parse(text, Some("implied")).unwrap())
}

fn error(text: &str) -> String {
    parse(text, None).unwrap_err().to_string()
}

#[test]
fn empty_text_is_an_empty_tree() {
    assert_eq!(tree(""), json!({}));
    assert_eq!(implied(""), json!({}));
}

#[test]
fn an_empty_key_is_invalid() {
    for text in [",", "=x", ",a=1", "a=1,=2"] {
        assert_eq!(error(text), "Invalid parameter ''", "{text}");
    }
}

#[test]
fn keys_are_names_and_later_fragments_may_be_indices() {
    assert_eq!(tree("A=1,a_-=2,__org.foo_bar=3"), json!({"A": "1", "a_-": "2", "__org.foo_bar": "3"}));
    for key in [
        "0", "1.a", ".a", "a.", "a..b", "a.b.", "a b", "_a", "a.1x", "a.+1", "?", "a.-b", "é", "__org",
        "__a_", "a.é",
    ] {
        assert_eq!(error(&format!("{key}=1")), format!("Invalid parameter '{key}'"));
    }
}

#[test]
fn long_fragments_are_refused() {
    let longest = "a".repeat(MAX_FRAGMENT);
    assert_eq!(tree(&format!("{longest}=1")), json!({longest.clone(): "1"}));
    assert_eq!(tree(&format!("k.{longest}=1")), json!({"k": {longest.clone(): "1"}}));
    assert_eq!(error(&format!("{longest}b=1")), format!("Parameter '{longest}b' is too long"));
    assert_eq!(error(&format!("k.{longest}b=1")), format!("Parameter fragment '{longest}b' is too long"));
    assert_eq!(error(&format!("{longest}b.k=1")), format!("Parameter fragment '{longest}b' is too long"));
}

#[test]
fn deep_keys_are_refused_without_recursion() {
    let key = |depth: usize| vec!["a"; depth].join(".");
    assert!(parse(&format!("{}=1", key(MAX_DEPTH)), None).is_ok());
    assert!(error(&format!("{}=1", key(MAX_DEPTH + 1))).ends_with("…' is nested too deeply"));
    let very_deep = if cfg!(miri) { 200 } else { 1_000_000 };
    assert!(parse(&format!("{}=1", key(very_deep)), None).is_err());
}

#[test]
fn later_values_replace_earlier_ones() {
    assert_eq!(tree("a=1,b=2,a=3"), json!({"a": "3", "b": "2"}));
    assert_eq!(tree("k.a=1,k.b=2,k.a=3"), json!({"k": {"a": "3", "b": "2"}}));
}

#[test]
fn commas_in_values_are_doubled() {
    assert_eq!(tree("a=1,,2,b=,,"), json!({"a": "1,2", "b": ","}));
    assert_eq!(tree("a=1,,"), json!({"a": "1,"}));
    assert_eq!(tree("a=1,,,"), json!({"a": "1,"}));
    assert_eq!(tree("a=1,,,b=2"), json!({"a": "1,", "b": "2"}));
}

#[test]
fn one_comma_may_end_the_text() {
    assert_eq!(tree("a=1,"), json!({"a": "1"}));
}

#[test]
fn equal_signs_belong_to_the_value() {
    assert_eq!(tree("a=b=c,d=="), json!({"a": "b=c", "d": "="}));
}

#[test]
fn values_may_be_empty() {
    assert_eq!(tree("a=,b=1"), json!({"a": "", "b": "1"}));
}

#[test]
fn a_key_needs_a_value() {
    assert_eq!(error("a"), "Expected '=' after parameter 'a'");
    assert_eq!(error("a=1,b,c=2"), "Expected '=' after parameter 'b'");
    assert_eq!(error("a.b.c"), "Expected '=' after parameter 'a.b.c'");
    assert_eq!(error("a,,b=1"), "Expected '=' after parameter 'a'");
}

#[test]
fn the_first_key_may_be_implied() {
    assert_eq!(implied("x,a=1"), json!({"implied": "x", "a": "1"}));
    assert_eq!(implied("0"), json!({"implied": "0"}));
    assert_eq!(implied("a b/c.d"), json!({"implied": "a b/c.d"}));
    assert_eq!(implied("implied=x,implied=y"), json!({"implied": "y"}));
    assert_eq!(implied("x,implied=y"), json!({"implied": "y"}));
    let nested = parse("x", Some("a.b")).unwrap();
    assert_eq!(Value::Object(nested), json!({"a": {"b": "x"}}));
}

#[test]
fn an_implied_value_has_no_comma_and_is_not_empty() {
    assert_eq!(parse("x,,y", Some("implied")).unwrap_err().to_string(), "Invalid parameter ''");
    assert_eq!(parse(",a=1", Some("implied")).unwrap_err().to_string(), "Invalid parameter ''");
    assert_eq!(parse("a=1,x", Some("implied")).unwrap_err().to_string(), "Expected '=' after parameter 'x'");
}

#[test]
fn dots_make_objects() {
    assert_eq!(
        tree("a.b.c=1,a.b.d=2,a.e=3,f=4"),
        json!({"a": {"b": {"c": "1", "d": "2"}, "e": "3"}, "f": "4"})
    );
}

#[test]
fn value_and_object_conflict() {
    assert_eq!(error("a=1,a.b=2"), "Parameters 'a.*' used inconsistently");
    assert_eq!(error("a.b=1,a=2"), "Parameters 'a.*' used inconsistently");
    assert_eq!(error("a.b.c=1,a.b=2"), "Parameters 'a.b.*' used inconsistently");
    assert_eq!(error("a=1,a.b"), "Parameters 'a.*' used inconsistently");
    assert_eq!(error("a.1.b.c=1,a.1=3"), "Parameters 'a.1.*' used inconsistently");
}

#[test]
fn indices_make_lists_in_any_order() {
    assert_eq!(tree("l.1=b,l.0=a,l.2=c"), json!({"l": ["a", "b", "c"]}));
    assert_eq!(tree("l.0.x=a,l.1.x=b,l.0.y=c"), json!({"l": [{"x": "a", "y": "c"}, {"x": "b"}]}));
    assert_eq!(tree("l.0.0=a,l.0.1=b,l.1.0=c"), json!({"l": [["a", "b"], ["c"]]}));
    assert_eq!(tree("a.l.0=x"), json!({"a": {"l": ["x"]}}));
}

#[test]
fn different_spellings_of_an_index_are_one_element() {
    assert_eq!(tree("l.0=a,l.00=b,l.1=c"), json!({"l": ["b", "c"]}));
}

#[test]
fn lists_have_no_gaps() {
    assert_eq!(error("l.1=a"), "Parameter 'l.0' missing");
    assert_eq!(error("l.0=a,l.2=c"), "Parameter 'l.1' missing");
    assert_eq!(error("a.b.3=a"), "Parameter 'a.b.0' missing");
    assert_eq!(error("l.0=a,l.00=b,l.2=c"), "Parameter 'l.1' missing");
    assert_eq!(error("l.99999999999=1"), "Parameter 'l.0' missing");
    assert_eq!(error("l.999999999999999999999999999999=1,l.0=1"), "Parameter 'l.1' missing");
    assert_eq!(error("l.0=1,l.3=1,l.00=2"), "Parameter 'l.1' missing");
}

#[test]
fn list_and_object_conflict() {
    assert_eq!(error("l.0=a,l.b=c"), "Parameters 'l.*' used inconsistently");
    assert_eq!(error("k.l.0=a,k.l.b=c"), "Parameters 'k.l.*' used inconsistently");
}

#[test]
fn help_is_a_word_on_its_own() {
    for text in ["help", "?", "a=1,help", "help,a=1", "a=1,?,b=2"] {
        assert!(parse_with_help(text, None).unwrap().help, "{text}");
        assert!(parse_with_help(text, Some("implied")).unwrap().help, "{text}");
        assert_eq!(error(text), "Help is not available for this option");
    }
    assert_eq!(
        parse_with_help("a=1,help,b=2", None).unwrap().tree,
        tree("a=1,b=2").as_object().cloned().unwrap()
    );
    assert!(!parse_with_help("help=1,a=help,b=?", None).unwrap().help);
    assert_eq!(error("helper"), "Expected '=' after parameter 'helper'");
}

#[test]
fn reading_into_a_tree_keeps_and_checks_it() {
    let mut tree = parse("smp.cpus=4,usb=on", None).unwrap();
    assert_eq!(parse_into(&mut tree, "q35,smp.maxcpus=8,usb=off", Some("type")), Ok(false));
    assert_eq!(
        Value::Object(tree.clone()),
        json!({"smp": {"cpus": "4", "maxcpus": "8"}, "usb": "off", "type": "q35"})
    );
    assert_eq!(
        parse_into(&mut tree, "smp=4", None).unwrap_err().to_string(),
        "Parameters 'smp.*' used inconsistently"
    );
}

#[test]
fn merging_adds_replaces_and_refuses() {
    let mut base = parse("a=1,k.b=2,l.0=x", None).unwrap();
    merge(&mut base, parse("a=3,k.c=4,l.0=y,m=5", None).unwrap()).unwrap();
    assert_eq!(
        Value::Object(base.clone()),
        json!({"a": "3", "k": {"b": "2", "c": "4"}, "l": ["x", "y"], "m": "5"})
    );
    for (text, path) in [("a.b=1", "a"), ("k=1", "k"), ("k.b.c=1", "k.b"), ("l=1", "l"), ("l.a=1", "l")] {
        let conflict = merge(&mut base, parse(text, None).unwrap()).unwrap_err();
        assert_eq!(conflict.to_string(), format!("Parameter '{path}' used inconsistently"), "{text}");
    }
}

fn leaf_tree() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = ".{0,8}".prop_map(Value::String);
    let value = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z][a-z0-9_-]{0,5}", inner, 1..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-zA-Z][a-z0-9_-]{0,5}", value, 0..if cfg!(miri) { 2 } else { 5 })
        .prop_map(|tree| tree.into_iter().collect())
}

proptest! {
    #![proptest_config(crate::text::test_config())]

    #[test]
    fn trees_read_back(tree in leaf_tree()) {
        let text = format(&tree).unwrap();
        prop_assert_eq!(parse(&text, None), Ok(tree));
    }

    #[test]
    fn any_text_is_answered(text in "[a-c0-2.,=?_]{0,40}|.*", implied in prop::option::of(Just("implied"))) {
        if let Ok(keyval) = parse_with_help(&text, implied)
            && let Some(again) = format(&keyval.tree)
        {
            prop_assert_eq!(parse(&again, None), Ok(keyval.tree));
        }
    }
}
