//! Kinds of properties, properties of one object, and where values come from.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use qom::{
    Bootstrap, ClassInit, Device, Field, GlobalProperty, Input, Instance, Link, Object, ObjectCore,
    OnOffAuto, Origin, Property, PropertyError, PropertyValue, Qom, Size, TypeInfo, Value, property_struct,
    site,
};
use serde_json::json;

property_struct! {
    /// How a box is closed.
    struct Lock("LockConfiguration") {
        /// Its code.
        required code: String = "code",
        /// How many keys there are.
        optional keys: u8 = "keys",
        /// Where they lie.
        optional places: Vec<Size> = "places",
    }
}

#[derive(Debug, qom::derive::Object)]
#[object(name = "box", class_init = Chest::class_init)]
struct Chest {
    parent: Device,
    #[property(get, set, default = 4, minimum = 1, maximum = 8)]
    width: Field<u32>,
    #[property(get, set)]
    slots: Field<Vec<u16>>,
    #[property(get, set)]
    words: Field<Vec<String>>,
    #[property(get, set, default = Lock { code: "0".to_owned(), keys: None, places: None })]
    lock: Field<Lock>,
    #[property(get, set, default = OnOffAuto::Auto)]
    lid: Field<OnOffAuto>,
    #[property(get, set, deprecated = "use lid")]
    open: Field<bool>,
    #[property(get, set, internal)]
    serial: Field<u64>,
    #[property(get, set, name = "wood", bit = 0, default = true)]
    #[property(get, set, name = "iron", bit = 1)]
    material: Field<u8>,
    #[property(get, set, link = "box", check = Chest::smaller)]
    inside: Link,
}

impl Chest {
    fn class_init(class: &mut ClassInit<'_>) {
        class.add_property(Property::new("made-by", "str").default("nobody"));
    }

    fn smaller(&self, target: Option<&Arc<dyn Object>>) -> Result<(), PropertyError> {
        let width = |chest: &Self| chest.width.get();
        match target.and_then(|target| target.downcast_ref::<Self>()) {
            Some(other) if width(other) >= width(self) => {
                Err(PropertyError::Refused("it does not fit".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

fn system() -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    types.register(Chest::type_info()).unwrap();
    let wide = TypeInfo::new("wide-box", "box", site!());
    types.register(wide.class_init(|class| class.set_default("width", 6))).unwrap();
    let accel = types.create("container").unwrap();
    types.accel_ready(accel).unwrap().seal().unwrap()
}

fn hang(qom: &Qom, type_name: &str, name: &str) -> Arc<dyn Object> {
    let object = qom.create(type_name).unwrap();
    qom.root().add_child(name, &object).unwrap();
    object
}

fn json_set(object: &dyn Object, name: &str, value: &Value) -> String {
    let outcome = object.set(name, &Input::Json(value), Origin::Monitor);
    outcome.map_err(|error| error.to_string()).err().unwrap_or_default()
}

fn text_set(object: &dyn Object, name: &str, text: &str) -> String {
    let outcome = object.set(name, &Input::Text(text), Origin::Monitor);
    outcome.map_err(|error| error.to_string()).err().unwrap_or_default()
}

#[test]
fn limits_are_kept_from_every_form() {
    let qom = system();
    let chest = hang(&qom, "box", "a");
    let range = "Property box.width doesn't take value 9 (minimum: 1, maximum: 8)";
    assert_eq!(json_set(&*chest, "width", &json!(9)), range);
    assert_eq!(text_set(&*chest, "width", "9"), range);
    assert_eq!(json_set(&*chest, "width", &json!(8)), "");
    assert_eq!(chest.get("width").unwrap(), 8);
    assert_eq!(chest.origin_of("width"), Origin::Monitor);
}

#[test]
fn lists_come_from_json_from_keyval_and_from_text() {
    let qom = system();
    let chest = hang(&qom, "box", "a");
    assert_eq!(chest.class().property("slots").unwrap().type_name(), "list");
    assert_eq!(text_set(&*chest, "slots", "1-3,7"), "");
    assert_eq!(chest.get("slots").unwrap(), json!([1, 2, 3, 7]));
    assert_eq!(json_set(&*chest, "slots", &json!([4, 5])), "");
    chest.set("slots", &Input::KeyvalTree(&json!(["6", "0x7"])), Origin::CommandLine).unwrap();
    assert_eq!(chest.get("slots").unwrap(), json!([6, 7]));
    assert_eq!(
        json_set(&*chest, "slots", &json!([1, "x"])),
        "Invalid parameter type for 'slots[1]', expected: integer"
    );
    assert_eq!(json_set(&*chest, "slots", &json!([65536])), "Parameter 'slots[0]' expects uint16_t");
    assert_eq!(json_set(&*chest, "slots", &json!(3)), "Invalid parameter type for 'slots', expected: array");
    assert_eq!(text_set(&*chest, "slots", "65536"), "Parameter 'slots' expects uint16_t");
    assert_eq!(
        text_set(&*chest, "slots", "3-1"),
        "Parameter 'slots' expects list of uint64 values or ranges"
    );
    // A list of texts has no text form: any separator may be in a text.
    assert_eq!(text_set(&*chest, "words", "a"), "Invalid parameter type for 'words', expected: array");
    assert_eq!(json_set(&*chest, "words", &json!(["a", "b,c"])), "");
    assert_eq!(chest.get("words").unwrap(), json!(["a", "b,c"]));
    // A failed set leaves the value.
    assert_eq!(chest.get("slots").unwrap(), json!([6, 7]));
}

#[test]
fn structures_name_their_members_by_path() {
    let qom = system();
    let chest = hang(&qom, "box", "a");
    assert_eq!(chest.get("lock").unwrap(), json!({"code": "0"}));
    for (value, text) in [
        (json!(3), "Invalid parameter type for 'lock', expected: object"),
        (json!({}), "Parameter 'lock.code' is missing"),
        (json!({"code": 1}), "Invalid parameter type for 'lock.code', expected: string"),
        (json!({"code": "x", "keys": 300}), "Parameter 'lock.keys' expects uint8_t"),
        (
            json!({"code": "x", "places": ["y"]}),
            "Invalid parameter type for 'lock.places[0]', expected: integer",
        ),
        (json!({"code": "x", "colour": 1}), "Parameter 'lock.colour' is unexpected"),
        (json!({"code": "x", "keys": 2}), ""),
    ] {
        assert_eq!(json_set(&*chest, "lock", &value), text, "{value}");
    }
    assert_eq!(chest.get("lock").unwrap(), json!({"code": "x", "keys": 2}));
    let tree = qom::text::keyval::parse("code=y,keys=3,places.0=1k,places.1=2M", None).unwrap();
    chest.set("lock", &Input::KeyvalTree(&Value::Object(tree)), Origin::CommandLine).unwrap();
    let lock = json!({"code": "y", "keys": 3, "places": [1024, 2 << 20]});
    assert_eq!(chest.get("lock").unwrap(), lock);
}

#[test]
fn bits_share_a_word_and_an_enumeration_tells_its_names() {
    let qom = system();
    let chest = hang(&qom, "box", "a");
    let word = || chest.downcast_ref::<Chest>().unwrap().material.get();
    assert_eq!(
        (word(), chest.get("wood").unwrap(), chest.get("iron").unwrap()),
        (1, json!(true), json!(false))
    );
    assert_eq!(text_set(&*chest, "iron", "on"), "");
    assert_eq!(text_set(&*chest, "wood", "no"), "");
    assert_eq!(word(), 2);
    assert_eq!(text_set(&*chest, "wood", "2"), "Parameter 'wood' expects 'on' or 'off'");
    assert_eq!(chest.class().property("lid").unwrap().members(), ["auto", "on", "off"]);
    assert_eq!(chest.class().property("width").unwrap().members(), [""; 0]);
}

#[test]
fn a_link_is_checked_before_it_is_set() {
    let qom = system();
    let (chest, other) = (hang(&qom, "box", "a"), hang(&qom, "wide-box", "b"));
    assert_eq!(text_set(&*chest, "inside", "/b"), "it does not fit");
    assert_eq!(chest.get("inside").unwrap(), "");
    assert_eq!(text_set(&*other, "inside", "/a"), "");
    assert_eq!(other.get("inside").unwrap(), "/a");
    assert_eq!(text_set(&*other, "inside", "/c"), "Device '/c' not found");
    assert_eq!(text_set(&*other, "inside", ""), "");
    assert_eq!(other.get("inside").unwrap(), "");
}

#[test]
fn an_internal_property_is_for_rust_code_alone() {
    let qom = system();
    let chest = hang(&qom, "box", "a");
    for origin in [Origin::Global, Origin::Cpu, Origin::CommandLine, Origin::Monitor] {
        let error = chest.set("serial", &Input::Text("1"), origin).unwrap_err();
        assert_eq!(error.to_string(), "Property 'box.serial' not found");
    }
    chest.set_value("serial", &7_u64).unwrap();
    assert_eq!(chest.get("serial").unwrap(), 7);
    assert!(chest.properties().iter().all(|entry| entry.name != "serial"));
}

#[test]
fn a_deprecated_property_warns_users_and_nobody_else() {
    let qom = system();
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = said.clone();
    qom.on_warning(move |text| sink.lock().unwrap().push(text.to_owned()));
    let chest = hang(&qom, "box", "a");
    chest.set_value("open", &true).unwrap();
    assert!(said.lock().unwrap().is_empty());
    // A value that is refused was not used.
    assert_ne!(text_set(&*chest, "open", "x"), "");
    assert!(said.lock().unwrap().is_empty());
    assert_eq!(text_set(&*chest, "open", "off"), "");
    assert_eq!(*said.lock().unwrap(), ["Property 'box.open' is deprecated: use lid"]);
}

#[test]
fn an_object_can_have_properties_of_its_own() {
    let qom = system();
    let (chest, other) = (hang(&qom, "box", "a"), hang(&qom, "box", "b"));
    let colour: Arc<Field<String>> = Arc::new(Field::new("red".to_owned()));
    let (reader, writer) = (colour.clone(), colour);
    let own = || {
        let (reader, writer) = (reader.clone(), writer.clone());
        Property::typed::<String>("colour").default("red").get(move |_| Ok(reader.get().to_value())).set(
            move |_, input| {
                writer.set(String::read("colour", input)?);
                Ok(())
            },
        )
    };
    chest.add_property(own()).unwrap();
    assert_eq!(
        chest.add_property(own()).unwrap_err().to_string(),
        "attempt to add duplicate property 'colour' to object (type 'box')"
    );
    // Children, class properties and own properties share their names.
    let child = qom.create("box").unwrap();
    assert!(chest.add_child("colour", &child).is_err());
    assert!(chest.add_property(Property::new("width", "int")).is_err());
    chest.add_child("tray", &child).unwrap();
    assert!(chest.add_property(Property::new("tray", "int")).is_err());
    assert!(chest.add_property(Property::new("a/b", "int")).is_err());

    assert_eq!(text_set(&*chest, "colour", "blue"), "");
    assert_eq!(chest.get("colour").unwrap(), "blue");
    assert_eq!(chest.origin_of("colour"), Origin::Monitor);
    assert!(chest.properties().iter().any(|entry| entry.name == "colour" && entry.type_name == "str"));
    assert_eq!(other.get("colour").unwrap_err().to_string(), "Property 'box.colour' not found");
    assert!(chest.remove_property("colour") && !chest.remove_property("colour"));
    assert!(!chest.remove_property("width"), "what the class declares stays");
    assert_eq!(chest.get("colour").unwrap_err().to_string(), "Property 'box.colour' not found");
    assert_eq!(chest.origin_of("colour"), Origin::Default);
}

#[test]
fn an_alias_is_the_other_objects_property() {
    let qom = system();
    let (chest, other) = (hang(&qom, "box", "a"), hang(&qom, "box", "b"));
    chest.add_property(Property::alias("other-width", &other, "width").unwrap()).unwrap();
    assert!(Property::alias("x", &other, "nope").is_err());
    assert_eq!(text_set(&*chest, "other-width", "7"), "");
    assert_eq!((chest.get("other-width").unwrap(), other.get("width").unwrap()), (json!(7), json!(7)));
    assert_eq!(other.origin_of("width"), Origin::Monitor);
    assert_eq!(chest.explain("other-width").unwrap().setting.value, "7");
    assert_eq!(
        text_set(&*chest, "other-width", "9"),
        "Property box.width doesn't take value 9 (minimum: 1, maximum: 8)"
    );
    let entry = chest.properties().into_iter().find(|entry| entry.name == "other-width").unwrap();
    assert_eq!(entry.type_name, "uint32");

    // An alias of a child is a link to it, and a step of a path.
    other.add_child("tray", &qom.create("box").unwrap()).unwrap();
    chest.add_property(Property::alias("its-tray", &other, "tray").unwrap()).unwrap();
    assert_eq!(chest.get("its-tray").unwrap(), "/b/tray");
    assert_eq!(qom.resolve("/a/its-tray").unwrap().canonical_path(), "/b/tray");
    assert_eq!(
        qom.resolve("/a/its-tray/parent").unwrap_err().to_string(),
        "Device '/a/its-tray/parent' not found"
    );

    // Its target does not live longer for it.
    other.unparent();
    drop(other);
    assert_eq!(
        chest.get("other-width").unwrap_err().to_string(),
        "Property 'box.other-width' is an alias that leads nowhere"
    );
}

#[test]
fn aliases_in_a_circle_lead_nowhere() {
    let qom = system();
    let (a, b) = (hang(&qom, "box", "a"), hang(&qom, "box", "b"));
    a.add_property(Property::new("x", "int").get(|_| Ok(json!(1)))).unwrap();
    b.add_property(Property::alias("x", &a, "x").unwrap()).unwrap();
    assert_eq!(b.get("x").unwrap(), 1);
    a.remove_property("x");
    a.add_property(Property::alias("x", &b, "x").unwrap()).unwrap();
    let nowhere = "Property 'box.x' is an alias that leads nowhere";
    assert_eq!(a.get("x").unwrap_err().to_string(), nowhere);
    assert_eq!(text_set(&*b, "x", "1"), nowhere);
    assert!(a.explain("x").is_err() && qom.resolve("/a/x").is_err());
}

#[test]
fn a_fixed_link_is_read_only_and_weak() {
    let qom = system();
    let (a, b) = (hang(&qom, "box", "a"), hang(&qom, "box", "b"));
    a.add_property(Property::fixed_link("next", &b)).unwrap();
    assert_eq!(a.get("next").unwrap(), "/b");
    assert!(Arc::ptr_eq(&qom.resolve("/a/next").unwrap(), &b));
    assert_eq!(text_set(&*a, "next", "/a"), "Property 'box.next' is not writable");
    // As the first step of a partial path too, as long as it is there.
    b.add_child("tray", &qom.create("box").unwrap()).unwrap();
    assert_eq!(qom.resolve("next/tray").unwrap().canonical_path(), "/b/tray");
    a.remove_property("next");
    assert!(qom.resolve("next/tray").is_err());
    a.add_property(Property::fixed_link("next", &b)).unwrap();
    a.unparent();
    assert!(qom.resolve("next/tray").is_err());
    qom.root().add_child("a", &a).unwrap();
    assert!(qom.resolve("next/tray").is_ok());
    b.unparent();
    drop(b);
    assert_eq!(a.get("next").unwrap(), "");
}

#[test]
fn a_value_tells_where_it_came_from_and_what_it_replaced() {
    let qom = system();
    for (driver, value, origin) in [
        ("box", "7", Origin::Cpu),
        ("box", "3", Origin::Global),
        ("device", "2", Origin::MachineCompat),
        ("wide-box", "5", Origin::Global),
    ] {
        qom.add_global(GlobalProperty::new(driver, "width", value, origin).optional());
    }
    let chest = hang(&qom, "wide-box", "a");
    let told = |name: &str| {
        let found = chest.explain(name).unwrap();
        let one = |setting: &qom::Setting| {
            let driver = setting.global.as_ref().map(|global| format!(" of {}", global.driver));
            format!("{} {}{}", setting.origin.as_str(), setting.value, driver.unwrap_or_default())
        };
        let overrode: Vec<String> = found.overrode.iter().map(one).collect();
        (found.value.unwrap(), one(&found.setting), overrode.join(", "))
    };
    let at_first = "global \"5\" of wide-box, machine-compat \"2\" of device, default 6";
    assert_eq!(told("width"), (json!(7), "cpu \"7\" of box".to_owned(), at_first.to_owned()));
    // However often a client sets it, one setting of the client's is kept.
    for n in 1..=5 {
        json_set(&*chest, "width", &json!(n));
    }
    assert_eq!(told("width"), (json!(5), "monitor 5".to_owned(), format!("cpu \"7\" of box, {at_first}")));
    assert_eq!(told("lid"), (json!("auto"), "default \"auto\"".to_owned(), String::new()));
    // What took another way is told all the same, and changes nothing.
    chest.note_set("lid", json!("on"), Origin::Cpu).unwrap();
    assert_eq!(told("lid"), (json!("auto"), "cpu \"on\"".to_owned(), "default \"auto\"".to_owned()));
    assert!(matches!(chest.note_set("nope", json!(1), Origin::Cpu), Err(PropertyError::NotFound { .. })));
    assert_eq!(chest.explain("nope").unwrap_err().to_string(), "Property 'wide-box.nope' not found");
    assert_eq!(chest.explain("made-by").unwrap().value, None, "it cannot be read");
}

#[test]
fn drops_run_from_the_descendant_to_the_root() {
    static ORDER: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    #[derive(Debug, qom::derive::Object)]
    #[object(name = "parent")]
    struct Parent {
        parent: ObjectCore,
    }
    #[derive(Debug, qom::derive::Object)]
    #[object(name = "child")]
    struct Child {
        parent: Parent,
    }
    impl Drop for Parent {
        fn drop(&mut self) {
            ORDER.lock().unwrap().push("parent");
        }
    }
    impl Drop for Child {
        fn drop(&mut self) {
            ORDER.lock().unwrap().push("child");
        }
    }
    let mut types = Bootstrap::empty();
    types.register(Parent::type_info()).unwrap();
    types.register(Child::type_info()).unwrap();
    types.register(TypeInfo::new("grandchild", "child", site!())).unwrap();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    drop(qom.create("grandchild").unwrap());
    assert_eq!(*ORDER.lock().unwrap(), ["child", "parent"]);
}

/// The value through JSON, and through text where it has a text form.
fn survives<T: PropertyValue + PartialEq + std::fmt::Debug>(value: &T) -> Result<(), TestCaseError> {
    let json = value.to_value();
    let read = T::read("x", &Input::Json(&json));
    prop_assert_eq!(read.as_ref(), Ok(value));
    prop_assert_eq!(read.unwrap().to_value(), json);
    if let Some(text) = value.to_text() {
        let read = T::read("x", &Input::Text(&text));
        prop_assert_eq!(read.as_ref(), Ok(value), "{}", text);
        prop_assert_eq!(read.unwrap().to_text(), Some(text));
    }
    Ok(())
}

/// Under Miri a few cases, and no file of failures, which it could not write.
fn config() -> ProptestConfig {
    if cfg!(miri) {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2) }
    } else {
        ProptestConfig::default()
    }
}

/// One more than the most numbers of a list.
const NUMBERS: usize = if cfg!(miri) { 4 } else { 20 };

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_value_survives_json_and_text(
        on in any::<bool>(),
        unsigned in any::<(u8, u16, u32, u64)>(),
        signed in any::<(i8, i16, i32, i64)>(),
        text in ".*",
        lists in (prop::collection::vec(any::<u8>(), 0..NUMBERS), prop::collection::vec(any::<i64>(), 0..NUMBERS)),
        near in prop::collection::vec(-3..3_i16, 0..NUMBERS),
        words in prop::collection::vec(".*", 0..4),
        lock in ("[a-z]*", prop::option::of(any::<u8>()), prop::option::of(prop::collection::vec(any::<u64>(), 0..3))),
        lid in prop::sample::select(vec![OnOffAuto::Auto, OnOffAuto::On, OnOffAuto::Off]),
    ) {
        survives(&on)?;
        survives(&unsigned.0)?;
        survives(&unsigned.1)?;
        survives(&unsigned.2)?;
        survives(&unsigned.3)?;
        survives(&signed.0)?;
        survives(&signed.1)?;
        survives(&signed.2)?;
        survives(&signed.3)?;
        survives(&Size(unsigned.3))?;
        survives(&text)?;
        survives(&lists.0)?;
        survives(&lists.1)?;
        survives(&near)?;
        survives(&words)?;
        survives(&lid)?;
        let places = lock.2.map(|places| places.into_iter().map(Size).collect());
        survives(&Lock { code: lock.0, keys: lock.1, places })?;
    }

    #[test]
    fn any_json_is_read_or_refused(json in any_json(), text in ".*|[0-9,-]{0,20}") {
        for input in [Input::Json(&json), Input::KeyvalTree(&json), Input::Keyval(&text), Input::Text(&text)] {
            let _ = bool::read("x", &input);
            let _ = i8::read("x", &input);
            let _ = u64::read("x", &input);
            let _ = Size::read("x", &input);
            let _ = String::read("x", &input);
            let _ = OnOffAuto::read("x", &input);
            let _ = Vec::<Vec<i16>>::read("x", &input);
            let _ = Lock::read("x", &input);
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("code|keys|places|[a-z]{0,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
