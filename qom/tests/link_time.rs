//! Registration at link time: types and hooks of this program reach the registry by themselves.

use qom::{Bootstrap, LookupError, PostAccelInit, TypeInfo, site};

fn second() -> TypeInfo {
    TypeInfo::new("second", "first", site!())
}

fn first() -> TypeInfo {
    TypeInfo::new("first", "container", site!())
}

// The child first: order does not matter.
qom::register_types!(second, first);

fn from_a_table() -> Vec<TypeInfo> {
    ["1.0", "1.1"].map(|version| TypeInfo::new(format!("first-{version}"), "first", site!())).into()
}

qom::register_type_tables!(from_a_table);

qom::__private::inventory::submit! {
    PostAccelInit {
        name: "third",
        parent: "first",
        site: site!(),
        claims: |name| name == "third",
        run: |ready| ready.register(TypeInfo::new("third", "second", site!())),
    }
}

#[test]
fn what_is_linked_in_is_registered() {
    let types = Bootstrap::from_link_time().unwrap();
    assert!(types.class("second").unwrap().is_a("first"));
    assert!(matches!(types.class("third"), Err(LookupError::TooEarly { hook: "third", .. })));
    let accel = types.create("second").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    assert_eq!(qom.type_names(Some("first"), true), ["first", "first-1.0", "first-1.1", "second", "third"]);
    assert_eq!(qom.accel().class().name(), "second");
}

#[test]
fn a_duplicate_of_a_linked_type_is_refused_with_both_places() {
    let mut types = Bootstrap::from_link_time().unwrap();
    let text = types.register(second()).unwrap_err().to_string();
    assert!(
        text.starts_with("type 'second' is registered twice: by crate 'qom' (")
            && text.contains("link_time.rs:"),
        "{text}"
    );
}
