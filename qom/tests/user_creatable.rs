//! Objects that users make by name: what is checked when, and that nothing is left of a failure.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use qom::user_creatable::{self, Form, Member, MemberType, NewObject, UserCreatable, UserCreatableClass};
use qom::{
    Bootstrap, ClassInit, ErrorClass, Field, Instance, Object, ObjectCore, Origin, Property, PropertyError,
    Qom, TypeInfo, site,
};
use serde_json::{Map, Value, json};

/// A crate of bottles that wants a size, and cannot go while somebody drinks.
#[derive(Debug, qom::derive::Object)]
#[object(name = "crate", abstract, class_init = Crate::class_init, interfaces(dyn UserCreatable))]
struct Crate {
    parent: ObjectCore,
    size: Field<i64>,
    drinker: Field<bool>,
    completed: Field<bool>,
}

impl Crate {
    fn class_init(class: &mut ClassInit<'_>) {
        class.add_property(Property::of::<Self, i64>("size", |this| this.size.get()).settable::<Self, i64>(
            |this, size| {
                if size < 0 {
                    return Err(PropertyError::Refused("size value must not be negative".to_owned()));
                }
                this.size.set(size);
                Ok(())
            },
        ));
        class.add_property(Property::of::<Self, bool>("sealed", |_| false));
        class.data_mut::<UserCreatableClass>().members.extend([
            Member::required("size", MemberType::Int),
            Member::optional("sealed", MemberType::Bool),
        ]);
    }
}

impl UserCreatable for Crate {
    fn complete(&self) -> Result<(), qom::Error> {
        assert!(self.core().upgrade().unwrap().is_in_tree(), "it has its place when it completes");
        if self.size.get() == 13 {
            return Err(qom::Error::msg("13 is unlucky"));
        }
        self.completed.set(true);
        Ok(())
    }

    fn can_be_deleted(&self) -> Result<(), qom::Error> {
        if self.drinker.get() { Err(qom::Error::msg("somebody drinks")) } else { Ok(()) }
    }
}

fn system() -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    types.register(Crate::type_info()).unwrap();
    types.register(TypeInfo::new("beer-crate", "crate", site!())).unwrap();
    let accel = types.create("container").unwrap();
    types.accel_ready(accel).unwrap().seal().unwrap()
}

fn add(qom: &Qom, values: Value) -> Result<Arc<dyn Object>, qom::Error> {
    let Value::Object(values) = values else { unreachable!("the tests give objects") };
    let new = NewObject::read(qom, values, Form::Json).map_err(qom::Error::new)?;
    Ok(new.add(qom, Origin::Monitor)?)
}

#[test]
fn an_object_is_made_and_removed() {
    let qom = system();
    assert_eq!(user_creatable::type_names(&qom), ["beer-crate"]);
    let object = add(&qom, json!({"qom-type": "beer-crate", "id": "a", "size": 20})).unwrap();
    assert_eq!(object.canonical_path(), "/objects/a");
    assert_eq!(object.origin_of("size"), Origin::Monitor);
    let state = object.downcast_ref::<Crate>().unwrap();
    assert!(state.completed.get());
    state.drinker.set(true);
    assert_eq!(user_creatable::remove(&qom, "a").unwrap_err().to_string(), "somebody drinks");
    assert!(object.is_in_tree());
    state.drinker.set(false);
    user_creatable::remove(&qom, "a").unwrap();
    assert_eq!(user_creatable::remove(&qom, "a").unwrap_err().to_string(), "object 'a' not found");
    let weak = Arc::downgrade(&object);
    drop(object);
    assert!(weak.upgrade().is_none(), "nobody keeps it");
}

/// Errors in the order in which they are found; each case has those of the cases after it too, as far as they go together.
#[test]
fn the_first_error_is_told_and_nothing_is_left() {
    let qom = system();
    let kept = add(&qom, json!({"qom-type": "beer-crate", "id": "kept", "size": 1})).unwrap();
    let constructions = qom.constructions();
    for (values, text) in [
        (json!({"id": 3, "foo": 1}), "Parameter 'qom-type' is missing"),
        (json!({"qom-type": 3, "foo": 1}), "Invalid parameter type for 'qom-type', expected: string"),
        (json!({"qom-type": "nope"}), "Parameter 'qom-type' does not accept value 'nope'"),
        (json!({"qom-type": "crate"}), "Parameter 'qom-type' does not accept value 'crate'"),
        (json!({"qom-type": "container"}), "Parameter 'qom-type' does not accept value 'container'"),
        (json!({"qom-type": "beer-crate", "foo": 1}), "Parameter 'id' is missing"),
        (json!({"qom-type": "beer-crate", "id": 3}), "Invalid parameter type for 'id', expected: string"),
        (json!({"qom-type": "beer-crate", "id": "1", "sealed": 1}), "Parameter 'size' is missing"),
        (
            json!({"qom-type": "beer-crate", "id": "1", "sealed": 1, "size": "x"}),
            "Invalid parameter type for 'size', expected: integer",
        ),
        (json!({"qom-type": "beer-crate", "id": "1", "foo": 1, "size": -1}), "Parameter 'foo' is unexpected"),
        (json!({"qom-type": "beer-crate", "id": "1", "size": -1}), "Parameter 'id' expects an identifier"),
    ] {
        assert_eq!(add(&qom, values.clone()).unwrap_err().to_string(), text, "{values}");
    }
    assert_eq!(qom.constructions(), constructions, "a bad description makes nothing");
    for (values, text) in [
        (json!({"qom-type": "beer-crate", "id": "kept", "size": -1}), "size value must not be negative"),
        (
            json!({"qom-type": "beer-crate", "id": "b", "size": 1, "sealed": true}),
            "Property 'beer-crate.sealed' is not writable",
        ),
        (
            json!({"qom-type": "beer-crate", "id": "kept", "size": 13}),
            "attempt to add duplicate property 'kept' to object (type 'container')",
        ),
        (
            json!({"qom-type": "beer-crate", "id": "type", "size": 13}),
            "attempt to add duplicate property 'type' to object (type 'container')",
        ),
        (json!({"qom-type": "beer-crate", "id": "b", "size": 13}), "13 is unlucky"),
    ] {
        let error = add(&qom, values.clone()).unwrap_err();
        assert_eq!((error.class(), error.to_string().as_str()), (ErrorClass::GenericError, text), "{values}");
    }
    let objects = qom.resolve("/objects").unwrap().core().children();
    assert_eq!(objects.len(), 1);
    assert!(Arc::ptr_eq(&objects[0].1, &kept));
}

#[test]
fn an_id_has_a_hint_for_people() {
    let qom = system();
    let values = json!({"qom-type": "beer-crate", "id": "1", "size": 1});
    let new =
        NewObject::read(&qom, values.as_object().cloned().unwrap_or_else(Map::new), Form::Json).unwrap();
    assert_eq!((new.id(), new.type_name()), ("1", "beer-crate"));
    let hint = new.add(&qom, Origin::Monitor).unwrap_err().hint().unwrap();
    assert!(hint.starts_with("Identifiers consist of"), "{hint}");
}

/// A path is no id, and what is in the way of an id is not removed.
#[test]
fn only_users_objects_are_removed() {
    let qom = system();
    qom.container("/objects/inner/deep").unwrap();
    for id in ["", "inner", "inner/deep", "type", "/objects/inner"] {
        let text = user_creatable::remove(&qom, id).unwrap_err().to_string();
        assert_eq!(text, format!("object '{id}' not found"));
    }
    assert!(qom.resolve("/objects/inner/deep").is_ok());
}
