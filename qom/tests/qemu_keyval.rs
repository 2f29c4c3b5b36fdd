//! The behaviours that QEMU's own `tests/unit/test-keyval.c` stands for, each named after its case there: what keyval
//! text is a tree and what is refused, lists, merging, and how the leaves are read as booleans, numbers, sizes and members of
//! enumerations. The program is ours; the cases are QEMU's. The messages were read off `-machine` of QEMU 11.1.2.
//!
//! QEMU reads a whole structure out of the tree with a visitor; here a property reads its own leaf, or its own structure.
//! Its cases of alternates and of `any` have no counterpart: no property's type is one.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use qom::text::keyval::{self, MAX_FRAGMENT};
use qom::{Input, OnOffAuto, PropertyValue, Size};
use serde_json::{Map, Value, json};

fn tree(text: &str) -> Value {
    Value::Object(keyval::parse(text, None).unwrap())
}

fn implied(text: &str, key: &str) -> Value {
    Value::Object(keyval::parse(text, Some(key)).unwrap())
}

fn error(text: &str) -> String {
    keyval::parse(text, None).unwrap_err().to_string()
}

fn implied_error(text: &str) -> String {
    keyval::parse(text, Some("implied")).unwrap_err().to_string()
}

/// `/keyval/keyval_parse`: nothing is nothing.
#[test]
fn parse_nothing() {
    assert_eq!(tree(""), json!({}));
    assert_eq!(implied("", "implied"), json!({}));
}

/// `/keyval/keyval_parse`: a key is there, and is made of names and dots.
#[test]
fn parse_keys() {
    // Nothing before a comma is an empty key, with an implied one too.
    for text in [",", "=val", "=", "a=1,=2"] {
        assert_eq!(error(text), "Invalid parameter ''", "{text}");
        assert_eq!(implied_error(text), "Invalid parameter ''", "{text}");
    }
    // An empty fragment, a character that no name has, and a beginning that no name has.
    for key in ["a.", ".a", "a..b", "crap key", "k+", "-a", "1a", "a.-b"] {
        assert_eq!(error(&format!("{key}=1")), format!("Invalid parameter '{key}'"));
    }
    // A vendor's prefix is part of the name.
    assert_eq!(tree("__com.redhat_long-long-name.b=1"), json!({"__com.redhat_long-long-name": {"b": "1"}}));
    assert_eq!(error("_com.redhat_x=1"), "Invalid parameter '_com.redhat_x'");
}

/// `/keyval/keyval_parse`: a fragment has at most 127 characters; the key may be longer.
#[test]
fn parse_long_keys() {
    let longest = "k".repeat(127);
    assert_eq!(MAX_FRAGMENT, 127);
    let long = format!("{longest}l");
    assert_eq!(tree(&format!("{longest}=v")), json!({longest.clone(): "v"}));
    assert_eq!(error(&format!("{long}=v")), format!("Parameter '{long}' is too long"));
    let dotted = format!("{longest}.{longest}");
    assert_eq!(tree(&format!("{dotted}=v")), json!({longest.clone(): {longest.clone(): "v"}}));
    for key in [format!("{long}.a"), format!("a.{long}"), format!("a.{long}.b")] {
        assert_eq!(error(&format!("{key}=v")), format!("Parameter fragment '{long}' is too long"));
    }
}

/// `/keyval/keyval_parse`: of several values the last counts, also when a comma stands in another.
#[test]
fn parse_the_last_counts() {
    assert_eq!(tree("a=1,b=2,,x,a=3"), json!({"a": "3", "b": "2,x"}));
    assert_eq!(tree("a.b=1,a.c=2,a.b=3"), json!({"a": {"b": "3", "c": "2"}}));
}

/// `/keyval/keyval_parse`: a dotted key makes objects, and a value is no object.
#[test]
fn parse_dicts_and_conflicts() {
    assert_eq!(
        tree("a.b.c=1,d.e.f=2,a.b.g=3"),
        json!({"a": {"b": {"c": "1", "g": "3"}}, "d": {"e": {"f": "2"}}})
    );
    assert_eq!(error("a.b=1,a=2"), "Parameters 'a.*' used inconsistently");
    assert_eq!(error("a=1,a.b=2"), "Parameters 'a.*' used inconsistently");
    assert_eq!(error("a.b=1,a.b.c=2"), "Parameters 'a.b.*' used inconsistently");
    assert_eq!(error("a.b.c=1,a.b=2"), "Parameters 'a.b.*' used inconsistently");
}

/// `/keyval/keyval_parse`: one comma at the end is no key; two are a comma in the value, and so before an `=`.
#[test]
fn parse_commas() {
    assert_eq!(tree("x=y,"), json!({"x": "y"}));
    assert_eq!(tree("x=y,,"), json!({"x": "y,"}));
    assert_eq!(tree("x=y,,,z=1"), json!({"x": "y,", "z": "1"}));
    assert_eq!(tree("x=,,,,"), json!({"x": ",,"}));
    assert_eq!(tree("x=,y=,,"), json!({"x": "", "y": ","}));
    assert_eq!(tree("x=,"), json!({"x": ""}));
    assert_eq!(tree("x="), json!({"x": ""}));
    assert_eq!(keyval::escape("a,b,,c"), "a,,b,,,,c");
    assert_eq!(tree(&format!("x={}", keyval::escape("a,b,,c"))), json!({"x": "a,b,,c"}));
}

/// `/keyval/keyval_parse`: a key without a value is refused, except where one is implied, which only the first can be.
#[test]
fn parse_implied_key() {
    assert_eq!(error("x"), "Expected '=' after parameter 'x'");
    assert_eq!(error("x,y=1"), "Expected '=' after parameter 'x'");
    assert_eq!(implied("an,off=,on=x", "implied"), json!({"implied": "an", "off": "", "on": "x"}));
    assert_eq!(implied("an,", "implied"), json!({"implied": "an"}));
    assert_eq!(implied("off=x", "implied"), json!({"off": "x"}));
    assert_eq!(implied("val", "eins.zwei"), json!({"eins": {"zwei": "val"}}));
    assert_eq!(implied("val", "list.0"), json!({"list": ["val"]}));
    assert_eq!(implied_error("an,aus,noaus="), "Expected '=' after parameter 'aus'");
    // An implied value has no comma in it.
    assert_eq!(implied_error("val,,ue"), "Invalid parameter ''");
}

/// `/keyval/keyval_parse`: `help` or `?` alone, anywhere, asks for help where there is some; with an `=` it is a key, and
/// behind one a value.
#[test]
fn parse_help() {
    let help = |text: &str, key: Option<&str>| {
        let keyval = keyval::parse_with_help(text, key).unwrap();
        (keyval.help, Value::Object(keyval.tree))
    };
    for word in ["help", "?"] {
        for key in [None, Some("implied")] {
            assert_eq!(help(word, key), (true, json!({})));
            assert_eq!(help(&format!("{word},a=1"), key), (true, json!({"a": "1"})));
            assert_eq!(help(&format!("a=1,{word}"), key), (true, json!({"a": "1"})));
            assert_eq!(help(&format!("a={word}"), key), (false, json!({"a": word})));
        }
        assert_eq!(help(&format!("val,{word}"), Some("implied")), (true, json!({"implied": "val"})));
        assert_eq!(error(word), "Help is not available for this option");
        assert_eq!(error(&format!("a=1,{word},b=2")), "Help is not available for this option");
    }
    assert_eq!(help("help=on", Some("implied")), (false, json!({"help": "on"})));
    assert_eq!(error("?=on"), "Invalid parameter '?'");
    // What is wrong behind the request is still wrong.
    assert!(keyval::parse_with_help("help,x", None).is_err());
}

/// `/keyval/keyval_parse/list`: indices make lists, in any order; of one index the last value counts, however it is spelled.
#[test]
fn parse_list() {
    assert_eq!(tree("list.2=zwei,list.0=null,list.1=eins"), json!({"list": ["null", "eins", "zwei"]}));
    assert_eq!(
        tree("list.1=goner,list.0=null,list.01=eins,list.2=zwei"),
        json!({"list": ["null", "eins", "zwei"]})
    );
    assert_eq!(tree("a.list.1=eins,a.list.00=0"), json!({"a": {"list": ["0", "eins"]}}));
    assert_eq!(tree("a.0=x,b.0.c=y"), json!({"a": ["x"], "b": [{"c": "y"}]}));
}

/// `/keyval/keyval_parse/list`: a list has no gap, and no member with a name.
#[test]
fn parse_list_gaps_and_mixtures() {
    assert_eq!(error("list.1=eins"), "Parameter 'list.0' missing");
    assert_eq!(error("list.0=null,list.2=eins,list.4=zwei"), "Parameter 'list.1' missing");
    assert_eq!(error("list.2=,list.1=,list.3="), "Parameter 'list.0' missing");
    assert_eq!(error("list.0=null,list.eins=eins"), "Parameters 'list.*' used inconsistently");
    assert_eq!(error("list.eins=eins,list.0=null"), "Parameters 'list.*' used inconsistently");
    assert_eq!(error("list.0.x=1,list.0=2"), "Parameters 'list.0.*' used inconsistently");
    // A sign or a letter makes it no index.
    assert_eq!(error("list.-1=x"), "Invalid parameter 'list.-1'");
    assert_eq!(error("list.1a=x"), "Invalid parameter 'list.1a'");
    assert_eq!(error("0=x"), "Invalid parameter '0'");
}

fn leaf<T: PropertyValue>(text: &str) -> Result<Value, String> {
    let tree = keyval::parse(text, None).unwrap();
    let text = tree["x"].as_str().unwrap();
    T::read("x", &Input::Keyval(text)).map(|value| value.to_value()).map_err(|error| error.to_string())
}

/// `/keyval/visit/bool`.
#[test]
fn visit_bool() {
    for (text, value) in
        [("on", true), ("off", false), ("yes", true), ("no", false), ("true", true), ("n", false)]
    {
        assert_eq!(leaf::<bool>(&format!("x={text}")), Ok(json!(value)));
    }
    for text in ["offer", "", "On", "1", "on,,"] {
        assert_eq!(
            leaf::<bool>(&format!("x={text}")),
            Err("Parameter 'x' expects 'on' or 'off'".into()),
            "{text}"
        );
    }
}

/// `/keyval/visit/number`: bounds, bases, and what is left over.
#[test]
fn visit_number() {
    assert_eq!(leaf::<u64>("x=0"), Ok(json!(0)));
    assert_eq!(leaf::<u64>("x=18446744073709551615"), Ok(json!(u64::MAX)));
    assert_eq!(leaf::<u64>("x=0xffffffffffffffff"), Ok(json!(u64::MAX)));
    assert_eq!(leaf::<u64>("x=-1"), Ok(json!(u64::MAX)), "a minus sign negates in 64 bits");
    assert_eq!(leaf::<i64>("x=-9223372036854775808"), Ok(json!(i64::MIN)));
    assert_eq!(leaf::<i64>("x=9223372036854775807"), Ok(json!(i64::MAX)));
    for text in ["18446744073709551616", "0z", "", " ", "1 ", "1.5", "one"] {
        assert_eq!(leaf::<u64>(&format!("x={text}")), Err("Parameter 'x' expects integer".into()), "{text}");
    }
    for text in ["-9223372036854775809", "9223372036854775808", "-"] {
        assert_eq!(leaf::<i64>(&format!("x={text}")), Err("Parameter 'x' expects integer".into()), "{text}");
    }
    assert_eq!(leaf::<u8>("x=256"), Err("Parameter 'x' expects uint8_t".into()));
}

/// `/keyval/visit/size`: suffixes, fractions, the largest, and what is too large.
#[test]
fn visit_size() {
    for (text, value) in [
        ("0", 0),
        ("8b", 8),
        ("1.5k", 1536),
        ("2M", 2 << 20),
        ("0.1G", 107_374_182),
        ("16777215T", 16_777_215 << 40),
        ("9007199254740993", 9_007_199_254_740_993),
        ("9223372036854775807", i64::MAX as u64),
        ("18446744073709551615", u64::MAX),
        ("0x1f", 31),
    ] {
        assert_eq!(leaf::<Size>(&format!("x={text}")), Ok(json!(value)), "{text}");
    }
    for text in ["-1", "18446744073709551616", "16E", "16777216T", "0Z", "16Gi", "1.5", "k", ""] {
        assert_eq!(leaf::<Size>(&format!("x={text}")), Err("Parameter 'x' expects size".into()), "{text}");
    }
}

/// A member of an enumeration is its name and nothing else.
#[test]
fn visit_enum() {
    assert_eq!(leaf::<OnOffAuto>("x=auto"), Ok(json!("auto")));
    for text in ["Auto", "yes", "", "au"] {
        let refused = format!("Parameter 'x' does not accept value '{text}'");
        assert_eq!(leaf::<OnOffAuto>(&format!("x={text}")), Err(refused));
    }
}

qom::property_struct! {
    /// A structure within one.
    struct Inner("Inner") {
        required b: u64 = "b",
        optional c: u64 = "c",
    }
}

qom::property_struct! {
    /// A structure.
    struct Outer("Outer") {
        required a: Inner = "a",
        optional on: bool = "on",
    }
}

fn structure(text: &str) -> Result<Value, String> {
    let tree = tree(text);
    Outer::read("x", &Input::KeyvalTree(&tree))
        .map(|value| value.to_value())
        .map_err(|error| error.to_string())
}

/// `/keyval/visit/dict`: members of members, each read by its own type, and named by the whole key where it is wrong.
#[test]
fn visit_dict() {
    assert_eq!(structure("a.b=1,a.c=2,on=off"), Ok(json!({"a": {"b": 1, "c": 2}, "on": false})));
    assert_eq!(structure("a.b=x"), Err("Parameter 'x.a.b' expects integer".into()));
    assert_eq!(structure("a.b=1,on=x"), Err("Parameter 'x.on' expects 'on' or 'off'".into()));
}

/// `/keyval/visit/optional`: a member may be left out where the structure says so, and is not made up.
#[test]
fn visit_optional() {
    assert_eq!(structure("a.b=1"), Ok(json!({"a": {"b": 1}})));
    assert_eq!(structure("a.c=1"), Err("Parameter 'x.a.b' is missing".into()));
    assert_eq!(structure("on=on"), Err("Parameter 'x.a' is missing".into()));
}

/// QEMU's cases of unvisited members: what the structure does not have is not passed over, at any depth.
#[test]
fn visit_leaves_nothing_unvisited() {
    assert_eq!(structure("a.b=1,d=2"), Err("Parameter 'x.d' is unexpected".into()));
    assert_eq!(structure("a.b=1,a.d=2"), Err("Parameter 'x.a.d' is unexpected".into()));
    assert_eq!(structure("a.b=1,d.e=2"), Err("Parameter 'x.d' is unexpected".into()));
}

fn merged(old: &str, new: &str) -> Result<Value, String> {
    let mut tree: Map<String, Value> = keyval::parse(old, None).unwrap();
    keyval::merge(&mut tree, keyval::parse(new, None).unwrap()).map_err(|error| error.to_string())?;
    Ok(Value::Object(tree))
}

/// `/keyval/merge/dict`: members are added and replaced, at any depth.
#[test]
fn merge_dict() {
    assert_eq!(
        merged("opt1=abc,opt2.sub1=def,opt2.sub2=ghi", "opt1=ABC"),
        Ok(json!({
            "opt1": "ABC", "opt2": {"sub1": "def", "sub2": "ghi"}
        }))
    );
    assert_eq!(
        merged("opt1=abc,opt2.sub1=def,opt2.sub2=ghi,opt3.sub.a=1", "opt2.sub2=DEF,opt3.sub.b=2,opt4=new"),
        Ok(json!({
            "opt1": "abc", "opt2": {"sub1": "def", "sub2": "DEF"}, "opt3": {"sub": {"a": "1", "b": "2"}}, "opt4": "new"
        }))
    );
    assert_eq!(merged("", "a=1"), Ok(json!({"a": "1"})));
    assert_eq!(merged("a=1", ""), Ok(json!({"a": "1"})));
}

/// `/keyval/merge/list`: a list goes on where it ended.
#[test]
fn merge_list() {
    assert_eq!(
        merged("opt1.0=abc,opt2.0=xyz", "opt1.0=def"),
        Ok(json!({"opt1": ["abc", "def"], "opt2": ["xyz"]}))
    );
}

/// `/keyval/merge/conflict`: a value, a list and an object are three things.
#[test]
fn merge_conflict() {
    for (old, new) in [
        ("opt2=xyz", "opt2.a=1"),
        ("opt2.a=1", "opt2=xyz"),
        ("opt2.0=a", "opt2=xyz"),
        ("opt2=xyz", "opt2.0=a"),
        ("opt2.0=a", "opt2.a=1"),
        ("opt2.a=1", "opt2.0=a"),
    ] {
        let conflict = merged(&format!("opt1=1,{old}"), &format!("opt1=2,{new}"));
        assert_eq!(conflict, Err("Parameter 'opt2' used inconsistently".into()), "{old} {new}");
    }
    assert_eq!(merged("a.b.c=1", "a.b.c.d=2"), Err("Parameter 'a.b.c' used inconsistently".into()));
}
