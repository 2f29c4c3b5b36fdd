//! The behaviours that QEMU's own `tests/unit/check-qom-proplist.c` stands for, each named after its case there:
//! objects made with a list of properties, enumerations, listing of properties, deletion of children while they are
//! listed, and partial paths. The program is ours; the cases are QEMU's.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use qom::{
    Bootstrap, CreateError, Error, Field, Input, Instance, Object, ObjectCore, Origin, Property,
    PropertyError, Qom, ResolveError, TypeInfo, resolve_type, site,
};

qom::property_enum! {
    /// A made-up enumeration.
    #[derive(Default)]
    enum Animal("Animal") {
        #[default]
        Frog = "frog",
        Alligator = "alligator",
        Platypus = "platypus",
    }
}

/// The objects of these tests: a boolean, a string and an enumeration.
#[derive(Debug, qom::derive::Object)]
#[object(name = "probe")]
struct Probe {
    parent: ObjectCore,
    #[property(get, set)]
    flag: Field<bool>,
    #[property(get, set)]
    text: Field<String>,
    #[property(get, set)]
    animal: Field<Animal>,
    living: Field<Option<Arc<AtomicUsize>>>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(living) = self.living.get() {
            living.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn system() -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    types.register(Probe::type_info()).unwrap();
    types.register(TypeInfo::new("probe-child", "probe", site!())).unwrap();
    let accel = types.create("container").unwrap();
    types.accel_ready(accel).unwrap().seal().unwrap()
}

/// Makes an object, sets its properties and only then gives it its place.
fn create(qom: &Qom, parent: &str, name: &str, list: &[(&str, &str)]) -> Result<Arc<dyn Object>, Error> {
    let object = qom.create("probe")?;
    for (property, text) in list {
        object.set(property, &Input::Text(text), Origin::Machine)?;
    }
    qom.resolve(parent)?.add_child(name, &object)?;
    Ok(object)
}

/// `/qom/proplist/createlist` and `/qom/proplist/createv`: an object made with a list of properties has them all, and
/// its place.
#[test]
fn createlist() {
    let qom = system();
    let parent = qom.container("/objects").unwrap();
    let list = [("flag", "yes"), ("text", "Hiss hiss hiss"), ("animal", "platypus")];
    let object = create(&qom, "/objects", "probe0", &list).unwrap();
    let probe = object.downcast_ref::<Probe>().unwrap();
    assert_eq!(probe.text.get(), "Hiss hiss hiss");
    assert!(probe.flag.get());
    assert_eq!(probe.animal.get(), Animal::Platypus);
    assert!(Arc::ptr_eq(&parent.core().child("probe0").unwrap(), &object));
    assert!(object.unparent());
    assert!(parent.core().child("probe0").is_none());
}

/// `/qom/proplist/createlist`, the way of values instead of text.
#[test]
fn createlist_of_values() {
    let qom = system();
    let object = qom.create("probe").unwrap();
    object.set_value("flag", &true).unwrap();
    object.set_value("text", &"Hiss".to_owned()).unwrap();
    object.set_value("animal", &Animal::Alligator).unwrap();
    assert_eq!(object.get("flag").unwrap(), true);
    assert_eq!(object.get("text").unwrap(), "Hiss");
    assert_eq!(object.get("animal").unwrap(), "alligator");
}

/// `/qom/proplist/badenum`: a name that the enumeration does not have ends the creation, and no half-made
/// object is left anywhere.
#[test]
fn badenum() {
    let qom = system();
    let parent = qom.container("/objects").unwrap();
    let list = [("flag", "yes"), ("animal", "yeti")];
    let error = create(&qom, "/objects", "probe0", &list).unwrap_err();
    assert_eq!(error.to_string(), "Parameter 'animal' does not accept value 'yeti'");
    assert!(parent.core().child("probe0").is_none());
    assert!(parent.core().children().is_empty());
    // On an object that is there already, the old value stays.
    let object = create(&qom, "/objects", "probe0", &[("animal", "platypus")]).unwrap();
    for text in ["yeti", "", "Platypus", "platypus ", "2"] {
        let error = object.set("animal", &Input::Text(text), Origin::Monitor).unwrap_err();
        assert_eq!(error.to_string(), format!("Parameter 'animal' does not accept value '{text}'"));
        assert_eq!(object.get("animal").unwrap(), "platypus");
    }
}

/// `/qom/proplist/getenum`: an enumeration reads as the member that was set; a property that is not there, or is of
/// another type, cannot be read as one.
#[test]
fn getenum() {
    let qom = system();
    qom.container("/objects").unwrap();
    let object = create(&qom, "/objects", "probe0", &[("animal", "platypus")]).unwrap();
    let read = |name: &str| -> Result<Animal, PropertyError> {
        let value = object.get(name)?;
        Ok(qom::read_enum(name, &Input::Json(&value))?)
    };
    assert_eq!(read("animal").unwrap(), Animal::Platypus);
    let missing = read("iam").unwrap_err();
    assert!(matches!(missing, PropertyError::NotFound { .. }));
    assert_eq!(missing.to_string(), "Property 'probe.iam' not found");
    assert_eq!(read("flag").unwrap_err().to_string(), "Invalid parameter type for 'flag', expected: string");
    assert!(read("text").is_err(), "a string that is no member");
}

/// `/qom/proplist/iterator`: an object lists the properties of its class and of all its ancestors, each once, and its
/// children after them.
#[test]
fn propiterator() {
    let qom = system();
    let names = |object: &Arc<dyn Object>| -> Vec<(String, String)> {
        object
            .properties()
            .into_iter()
            .map(|entry| (entry.name.into_owned(), entry.type_name.into_owned()))
            .collect()
    };
    let pair = |name: &str, type_name: &str| (name.to_owned(), type_name.to_owned());
    let own = [pair("type", "string"), pair("flag", "bool"), pair("text", "str"), pair("animal", "Animal")];
    let object = qom.create("probe-child").unwrap();
    assert_eq!(names(&object), own);
    object.add_child("below", &qom.create("probe").unwrap()).unwrap();
    object.add_child("unit[*]", &qom.create("probe-child").unwrap()).unwrap();
    let children = [pair("below", "child<probe>"), pair("unit[0]", "child<probe-child>")];
    assert_eq!(names(&object), [&own[..], &children[..]].concat());
}

/// `/qom/proplist/class_iterator`: a class lists its properties, and no object is made for it.
#[test]
fn class_propiterator() {
    let qom = system();
    let before = qom.constructions();
    let class = qom.class("probe-child").unwrap();
    let names: Vec<&str> = class.properties().map(|property| property.name()).collect();
    assert_eq!(names, ["type", "flag", "text", "animal"]);
    for property in class.properties() {
        assert!(std::ptr::eq(class.property(property.name()).unwrap(), &**property));
        assert!(property.is_readable());
        assert_eq!(property.is_writable(), property.name() != "type");
    }
    assert!(class.property("below").is_none(), "a child is no class's property");
    assert_eq!(qom.constructions(), before);
}

/// `/qom/proplist/delchild`: a device holds a bus which holds a backend; taking the device away takes all three away.
#[test]
fn delchild() {
    let qom = system();
    let living = Arc::new(AtomicUsize::new(0));
    let make = |parent: &str, name: &str| -> Weak<dyn Object> {
        let object = create(&qom, parent, name, &[]).unwrap();
        living.fetch_add(1, Ordering::Relaxed);
        object.downcast_ref::<Probe>().unwrap().living.set(Some(living.clone()));
        Arc::downgrade(&object)
    };
    qom.container("/objects").unwrap();
    let all = [make("/objects", "dev"), make("/objects/dev", "bus"), make("/objects/dev/bus", "backend")];
    assert_eq!(living.load(Ordering::Relaxed), 3);
    assert!(qom.resolve("/objects/dev").unwrap().unparent());
    assert_eq!(living.load(Ordering::Relaxed), 0);
    assert!(all.iter().all(|object| object.upgrade().is_none()));
    assert!(qom.resolve("/objects").unwrap().core().children().is_empty());
}

/// Children can be taken away while they are listed: the listing is of the moment in which it was asked for.
#[test]
fn delchild_while_listing() {
    let qom = system();
    let parent = qom.container("/objects").unwrap();
    for n in 0..10 {
        create(&qom, "/objects", &format!("probe{n}"), &[]).unwrap();
    }
    let mut seen = Vec::new();
    for (n, (name, child)) in parent.core().children().into_iter().enumerate() {
        seen.push(name.to_string());
        if n % 2 == 0 {
            // Itself, and one that the listing still has before it.
            assert!(child.unparent());
            let next = parent.core().child(&format!("probe{}", n + 1)).unwrap();
            assert!(next.unparent());
            create(&qom, "/objects", &format!("late{n}"), &[]).unwrap();
        } else {
            assert!(child.core().parent().is_none(), "{name} is listed but gone");
        }
    }
    assert_eq!(seen, (0..10).map(|n| format!("probe{n}")).collect::<Vec<_>>());
    let left: Vec<String> = parent.core().children().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(left, ["late0", "late2", "late4", "late6", "late8"]);
}

/// A property that is a child goes with the child, and its name is free again.
#[test]
fn a_child_property_goes_with_its_child() {
    let qom = system();
    let object = create(&qom, "/", "probe0", &[]).unwrap();
    let child = create(&qom, "/probe0", "below", &[]).unwrap();
    assert_eq!(object.get("below").unwrap(), "/probe0/below");
    let refused = object.add_child("below", &qom.create("probe").unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), "attempt to add duplicate property 'below' to object (type 'probe')");
    assert!(child.unparent());
    assert_eq!(object.get("below").unwrap_err().to_string(), "Property 'probe.below' not found");
    assert!(object.properties().iter().all(|entry| entry.name != "below"));
    create(&qom, "/probe0", "below", &[]).unwrap();
}

/// A property that is no child goes by itself, and its name is free again. What the class declares and what is a child is
/// not an object's to take away.
#[test]
fn a_property_goes_without_the_object() {
    let qom = system();
    let object = create(&qom, "/", "probe0", &[]).unwrap();
    let other = create(&qom, "/", "probe1", &[("text", "far")]).unwrap();
    create(&qom, "/probe0", "below", &[]).unwrap();
    let add = || object.add_property(Property::alias("far-text", &other, "text").unwrap());
    let listed = || object.properties().iter().any(|entry| entry.name == "far-text");
    add().unwrap();
    assert!(listed() && object.get("far-text").unwrap() == "far");
    assert_eq!(
        add().unwrap_err().to_string(),
        "attempt to add duplicate property 'far-text' to object (type 'probe')"
    );
    assert!(object.remove_property("far-text") && !listed());
    assert_eq!(object.get("far-text").unwrap_err().to_string(), "Property 'probe.far-text' not found");
    assert_eq!(other.get("text").unwrap(), "far", "the other object's is its own");
    for name in ["far-text", "text", "type", "below", "nope"] {
        assert!(!object.remove_property(name), "{name}");
    }
    assert!(object.get("text").is_ok() && object.get("below").is_ok());
    add().unwrap();
    assert!(listed());
}

/// `/qom/resolve/partial`: one name in two places is ambiguous, whatever the search is asked for; a type that only
/// one of them is of, a longer path or the end of one of them makes it unique.
#[test]
fn resolve_partial() {
    let qom = system();
    qom.container("/cont1").unwrap();
    let first = create(&qom, "/cont1", "obj1", &[]).unwrap();
    let inner = create(&qom, "/cont1", "obj2", &[]).unwrap();
    let outer = create(&qom, "/", "obj2", &[]).unwrap();
    let ambiguous = |path: &str| Err::<(), _>(ResolveError::Ambiguous { path: path.to_owned() });
    let missing = |path: &str| Err::<(), _>(ResolveError::NotFound { path: path.to_owned() });
    assert_eq!(qom.resolve("").map(drop), ambiguous(""));
    assert_eq!(resolve_type(qom.root(), "", "probe").map(drop), ambiguous(""));
    assert_eq!(qom.resolve("obj2").map(drop), ambiguous("obj2"));
    assert_eq!(resolve_type(qom.root(), "obj2", "probe").map(drop), ambiguous("obj2"));
    assert_eq!(resolve_type(qom.root(), "obj2", "container").map(drop), missing("obj2"));
    assert_eq!(resolve_type(qom.root(), "obj1", "probe-child").map(drop), missing("obj1"));
    assert_eq!(qom.resolve("obj3").map(drop), missing("obj3"));
    assert!(Arc::ptr_eq(&qom.resolve("obj1").unwrap(), &first));
    assert!(Arc::ptr_eq(&resolve_type(qom.root(), "obj1", "probe").unwrap(), &first));
    assert!(Arc::ptr_eq(&qom.resolve("cont1/obj2").unwrap(), &inner));
    outer.unparent();
    assert!(Arc::ptr_eq(&qom.resolve("obj2").unwrap(), &inner));
    inner.unparent();
    assert_eq!(qom.resolve("obj2").map(drop), missing("obj2"));
    let special = qom.create("probe-child").unwrap();
    qom.root().add_child("obj1", &special).unwrap();
    assert_eq!(qom.resolve("obj1").map(drop), ambiguous("obj1"));
    assert!(Arc::ptr_eq(&resolve_type(qom.root(), "obj1", "probe-child").unwrap(), &special));
}

/// An unknown type is refused when an object of it is asked for.
#[test]
fn an_unknown_type_has_no_objects() {
    assert!(matches!(system().create("no-such-type"), Err(CreateError::Lookup(_))));
}
