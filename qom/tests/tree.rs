//! The composition tree: names, paths, resolution, removal, and that no reference keeps anything alive too long.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use qom::{
    Bootstrap, Error, ErrorClass, Field, Input, Instance, Link, Object, ObjectCore, Origin, Qom,
    ResolveError, TreeError, TypeInfo, resolve_type, site,
};

/// An object that counts how many of it live, and can be told to do something when it is dropped.
#[derive(Debug, qom::derive::Object)]
#[object(name = "dummy")]
struct Dummy {
    parent: ObjectCore,
    #[property(get, set, link = "dummy")]
    friend: Link,
    #[property(get, set, link = "special")]
    special_friend: Link,
    #[property(get, set, default = 0)]
    number: Field<u32>,
    living: Field<Option<Arc<AtomicUsize>>>,
    /// Taken out of the tree when this is dropped.
    last_wish: Field<Option<Arc<dyn Object>>>,
}

impl Drop for Dummy {
    fn drop(&mut self) {
        if let Some(living) = self.living.get() {
            living.fetch_sub(1, Ordering::SeqCst);
        }
        if let Some(other) = self.last_wish.get() {
            other.unparent();
        }
    }
}

fn system() -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    types.register(Dummy::type_info()).unwrap();
    types.register(TypeInfo::new("special", "dummy", site!())).unwrap();
    let accel = types.create("container").unwrap();
    types.accel_ready(accel).unwrap().seal().unwrap()
}

fn put(qom: &Qom, parent: &str, name: &str) -> Arc<dyn Object> {
    let object = qom.create("dummy").unwrap();
    qom.resolve(parent).unwrap().add_child(name, &object).unwrap();
    object
}

fn same(a: &Arc<dyn Object>, b: &Arc<dyn Object>) -> bool {
    Arc::ptr_eq(a, b)
}

fn set(object: &Arc<dyn Object>, name: &str, text: &str) -> Result<(), qom::PropertyError> {
    object.set(name, &Input::Text(text), Origin::Monitor)
}

#[test]
fn canonical_paths_lead_to_their_objects() {
    let qom = system();
    assert_eq!(qom.root().canonical_path(), "/");
    let a = put(&qom, "/", "a");
    let b = put(&qom, "/a", "b[x]");
    assert_eq!(b.canonical_path(), "/a/b[x]");
    for path in ["/a/b[x]", "//a///b[x]/", "a/b[x]", "b[x]", "b[x]/"] {
        assert!(same(&qom.resolve(path).unwrap(), &b), "{path}");
    }
    for path in ["/b[x]", "/a/b", "/a/b[x]/c", "x/b[x]", "/a/type"] {
        let error = qom.resolve(path).unwrap_err();
        assert_eq!(error.to_string(), format!("Device '{path}' not found"));
        assert_eq!(Error::from(error).class(), ErrorClass::DeviceNotFound);
    }
    assert!(same(&qom.resolve("/").unwrap(), qom.root()));
    // A child reads as its path and cannot be written, as QEMU's `lapic` of a CPU.
    assert_eq!(a.get("b[x]").unwrap(), "/a/b[x]");
    assert_eq!(set(&a, "b[x]", "y").unwrap_err().to_string(), "Property 'dummy.b[x]' is not writable");
    assert!(matches!(qom.resolve_as::<qom::Device>("/a"), Err(ResolveError::WrongType { .. })));
}

/// What does not hang in the tree has no absolute path: two objects never have one path.
#[test]
fn outside_the_tree_there_are_no_absolute_paths() {
    let qom = system();
    let top = qom.create("dummy").unwrap();
    let below = qom.create("dummy").unwrap();
    let leaf = qom.create("dummy").unwrap();
    top.add_child("below", &below).unwrap();
    below.add_child("leaf", &leaf).unwrap();
    assert_eq!((top.canonical_path(), leaf.canonical_path()), (String::new(), "below/leaf".into()));
    assert!(!leaf.is_in_tree());
    let other = put(&qom, "/", "other");
    other.downcast_ref::<Dummy>().unwrap().friend.set(Some(&leaf));
    assert_eq!(other.get("friend").unwrap(), "", "a link to what has no path reads as none");
    qom.root().add_child("top", &top).unwrap();
    assert!(leaf.is_in_tree());
    assert_eq!(other.get("friend").unwrap(), "/top/below/leaf");
}

/// After `/qom/resolve/partial` of the reference's own unit tests.
#[test]
fn partial_paths() {
    let qom = system();
    qom.container("/cont1").unwrap();
    let first = put(&qom, "/cont1", "obj1");
    let inner = put(&qom, "/cont1", "obj2");
    let outer = put(&qom, "/", "obj2");
    let ambiguous = |path: &str, type_name: &str| {
        let found = resolve_type(qom.root(), path, type_name);
        matches!(found, Err(ResolveError::Ambiguous { .. }))
    };
    assert!(ambiguous("", "dummy"));
    assert_eq!(qom.resolve("").unwrap_err().to_string(), "Path '' is ambiguous");
    assert_eq!(qom.resolve("obj2").unwrap_err().to_string(), "Path 'obj2' is ambiguous");
    assert_eq!(Error::from(qom.resolve("obj2").unwrap_err()).class(), ErrorClass::GenericError);
    assert!(ambiguous("obj2", "dummy"));
    // Only objects of the type count.
    assert!(matches!(resolve_type(qom.root(), "obj2", "special"), Err(ResolveError::NotFound { .. })));
    assert!(same(&resolve_type(qom.root(), "obj1", "dummy").unwrap(), &first));
    assert!(same(&qom.resolve("obj1").unwrap(), &first));
    assert!(same(&qom.resolve("cont1/obj2").unwrap(), &inner));
    outer.unparent();
    assert!(same(&qom.resolve("obj2").unwrap(), &inner));
    inner.unparent();
    assert!(matches!(qom.resolve("obj2"), Err(ResolveError::NotFound { .. })));
}

#[test]
fn links_are_steps_of_paths_and_point_by_type() {
    let qom = system();
    let a = put(&qom, "/", "a");
    let b = put(&qom, "/", "b");
    put(&qom, "/b", "below");
    assert_eq!(a.get("friend").unwrap(), "");
    set(&a, "friend", "b").unwrap();
    assert_eq!(a.get("friend").unwrap(), "/b");
    assert!(same(&qom.resolve("/a/friend").unwrap(), &b));
    assert_eq!(qom.resolve("/a/friend/below").unwrap().canonical_path(), "/b/below");
    assert_eq!(qom.resolve("friend/below").unwrap().canonical_path(), "/b/below");
    // Two ways to one object are ambiguous, as in the reference.
    set(&b, "friend", "/b").unwrap();
    assert!(matches!(qom.resolve("friend"), Err(ResolveError::Ambiguous { .. })));
    assert!(same(&qom.resolve("/b/friend/friend/friend").unwrap(), &b));

    // QEMU 11.1: `device_add pc-dimm,memdev=…`.
    let error = set(&a, "friend", "nothing").unwrap_err();
    assert_eq!(error.to_string(), "Device 'nothing' not found");
    assert_eq!(Error::from(error).class(), ErrorClass::DeviceNotFound);
    for path in ["/b", "b", "friend"] {
        assert_eq!(
            set(&a, "special-friend", path).unwrap_err().to_string(),
            "Invalid parameter type for 'special-friend', expected: special"
        );
    }
    assert_eq!(a.get("special-friend").unwrap(), "", "a refused value changes nothing");
    let json = serde_json::json!(3);
    assert_eq!(
        a.set("friend", &Input::Json(&json), Origin::Monitor).unwrap_err().to_string(),
        "Invalid parameter type for 'friend', expected: string"
    );
    // A name that two objects share is unique where only one is of the link's type.
    qom.container("/c").unwrap().add_child("b", &qom.create("special").unwrap()).unwrap();
    assert_eq!(
        set(&a, "friend", "b").unwrap_err().to_string(),
        "Path 'b' does not uniquely identify an object"
    );
    set(&a, "special-friend", "b").unwrap();
    assert_eq!(a.get("special-friend").unwrap(), "/c/b");
    set(&a, "special-friend", "").unwrap();
    assert_eq!(a.get("special-friend").unwrap(), "");
    // A link does not keep its target alive.
    b.unparent();
    drop(b);
    assert_eq!(a.get("friend").unwrap(), "");
    assert!(qom.resolve("/a/friend").is_err());
}

#[test]
fn array_names_take_the_first_free_index() {
    let qom = system();
    let add = || qom.root().add_child("device[*]", &qom.create("dummy").unwrap()).unwrap();
    assert_eq!(
        ["device[0]", "device[1]", "device[2]"].map(str::to_owned),
        [add(), add(), add()].map(|n| n.to_string())
    );
    assert!(qom.resolve("/device[1]").unwrap().unparent());
    assert!(qom.resolve("/device[0]").unwrap().unparent());
    assert_eq!([add(), add(), add()].map(|n| n.to_string()), ["device[0]", "device[1]", "device[3]"]);
    // An index that somebody took by name is passed over; one that is no number is only a name.
    put(&qom, "/", "device[4]");
    put(&qom, "/", "device[x]");
    assert_eq!(&*add(), "device[5]");
    assert!(qom.resolve("/device[x]").unwrap().unparent());
    let other = qom.root().add_child("irq[*]", &qom.create("dummy").unwrap()).unwrap();
    assert_eq!(&*other, "irq[0]");
    // Another spelling of an index is another name, and its going frees nothing.
    for name in ["irq[00]", "irq[+0]", "irq[-0]", "irq[ 0]", "irq[]", "irq[18446744073709551616]"] {
        put(&qom, "/", name).unparent();
    }
    let next = |stem: &str| qom.root().add_child(stem, &qom.create("dummy").unwrap()).unwrap();
    assert_eq!([&*next("irq[*]"), &*next("irq[*]")], ["irq[1]", "irq[2]"]);
    // A free index that somebody takes by name is free no more.
    assert!(qom.resolve("/irq[1]").unwrap().unparent());
    put(&qom, "/", "irq[1]");
    assert_eq!(&*next("irq[*]"), "irq[3]");
    for n in [0, 1, 2, 3] {
        assert!(qom.resolve(&format!("/irq[{n}]")).unwrap().unparent());
    }
    assert_eq!([&*next("irq[*]"), &*next("irq[*]")], ["irq[0]", "irq[1]"]);
}

/// Children are listed as they came, whichever of them went.
#[test]
fn children_keep_their_order() {
    let qom = system();
    let names = |expected: &[&str]| {
        let children = qom.root().core().children();
        assert_eq!(children.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), expected);
    };
    for name in ["d", "a", "c", "b"] {
        put(&qom, "/", name);
    }
    names(&["d", "a", "c", "b"]);
    qom.resolve("/a").unwrap().unparent();
    names(&["d", "c", "b"]);
    put(&qom, "/", "a");
    qom.resolve("/d").unwrap().unparent();
    names(&["c", "b", "a"]);
}

/// Many objects under one name: what tells them apart is the rest of the path, or the type.
#[test]
fn a_name_that_many_have() {
    // More than a search looks at first.
    const MANY: usize = if cfg!(miri) { 12 } else { 100 };
    let qom = system();
    let cpu = |n: usize| format!("/cpu{n}");
    for n in 0..MANY {
        put(&qom, "/", &format!("cpu{n}"));
        put(&qom, &cpu(n), "unit");
    }
    let last = cpu(MANY - 1);
    assert!(matches!(qom.resolve("unit"), Err(ResolveError::Ambiguous { .. })));
    assert_eq!(qom.resolve("cpu7/unit").unwrap().canonical_path(), "/cpu7/unit");
    assert!(matches!(resolve_type(qom.root(), "unit", "special"), Err(ResolveError::NotFound { .. })));
    let special = qom.create("special").unwrap();
    put(&qom, "/", "last").add_child("unit", &special).unwrap();
    assert!(same(&resolve_type(qom.root(), "unit", "special").unwrap(), &special));
    let below = put(&qom, &format!("{last}/unit"), "deep");
    assert!(same(&qom.resolve("unit/deep").unwrap(), &below));
    let unit = qom.resolve(&format!("{last}/unit")).unwrap();
    let last = qom.resolve(&last).unwrap();
    assert!(same(&qom::resolve(&last, "unit").unwrap(), &unit));
    last.unparent();
    assert!(matches!(qom.resolve("unit/deep"), Err(ResolveError::NotFound { .. })));
    assert!(same(&qom::resolve(&last, "unit/deep").unwrap(), &below), "it is its own tree's");
}

#[test]
fn what_cannot_be_a_child_is_refused_and_changes_nothing() {
    let qom = system();
    let a = put(&qom, "/", "a");
    let b = put(&qom, "/a", "b");
    let free = qom.create("dummy").unwrap();
    let duplicate = |name: &str, object: &Arc<dyn Object>| object.add_child(name, &free).unwrap_err();
    assert_eq!(
        duplicate("a", qom.root()).to_string(),
        "attempt to add duplicate property 'a' to object (type 'container')"
    );
    assert!(matches!(duplicate("number", &a), TreeError::Duplicate { .. }), "properties are names too");
    assert!(matches!(duplicate("type", &a), TreeError::Duplicate { .. }));
    for name in ["", "x/y", "/"] {
        assert!(matches!(duplicate(name, &a), TreeError::BadName { .. }), "{name}");
    }
    assert_eq!(b.add_child("x", &a).unwrap_err(), TreeError::HasParent { path: "/a".into() });
    assert_eq!(free.add_child("x", &free).unwrap_err(), TreeError::Cycle { path: String::new() });
    assert_eq!(b.add_child("x", qom.root()).unwrap_err(), TreeError::Root);
    assert_eq!(free.add_child("x", qom.root()).unwrap_err(), TreeError::Root);
    a.unparent();
    assert_eq!(b.add_child("x", &a).unwrap_err(), TreeError::Cycle { path: "b".into() });
    assert!(!a.unparent() && !qom.root().unparent() && !free.unparent());
    assert_eq!(b.core().children().len() + free.core().children().len(), 0);
    assert_eq!(a.core().children().len(), 1);
}

/// After `/qom/proplist/delchild`: who takes a parent away takes away what is below it.
#[test]
fn a_removed_subtree_is_dropped_whole() {
    let qom = system();
    let living = Arc::new(AtomicUsize::new(0));
    let add = |parent: &str, name: &str| {
        let object = put(&qom, parent, name);
        living.fetch_add(1, Ordering::SeqCst);
        object.downcast_ref::<Dummy>().unwrap().living.set(Some(living.clone()));
        Arc::downgrade(&object)
    };
    let dev = add("/", "dev");
    let bus = add("/dev", "bus");
    let backend = add("/dev/bus", "backend");
    // Links in all directions, among them a cycle, keep nothing alive.
    for (from, to) in [("/dev", "/dev/bus"), ("/dev/bus", "/dev"), ("/dev/bus/backend", "/dev/bus/backend")] {
        set(&qom.resolve(from).unwrap(), "friend", to).unwrap();
    }
    assert_eq!(living.load(Ordering::SeqCst), 3);
    dev.upgrade().unwrap().unparent();
    assert_eq!(living.load(Ordering::SeqCst), 0);
    assert!([dev, bus, backend].iter().all(|weak: &Weak<dyn Object>| weak.strong_count() == 0));

    // A child that somebody holds outlives its parent, is without one, and can be hung elsewhere.
    add("/", "dev");
    let kept = add("/dev", "bus").upgrade().unwrap();
    qom.resolve("/dev").unwrap().unparent();
    assert_eq!(living.load(Ordering::SeqCst), 1);
    assert!(kept.core().parent().is_none() && !kept.is_in_tree() && !kept.unparent());
    qom.root().add_child("again", &kept).unwrap();
    assert_eq!(kept.canonical_path(), "/again");
    drop(kept);
    add("/again", "below");
    drop(qom);
    assert_eq!(living.load(Ordering::SeqCst), 0, "the tree goes with the system");
}

/// Whatever a drop does with the tree, it does without the tree's lock held.
#[test]
fn a_drop_may_change_the_tree() {
    let qom = system();
    for round in 0..2 {
        let other = put(&qom, "/", "other");
        let victim = put(&qom, "/", "victim");
        let below = put(&qom, "/victim", "below");
        below.downcast_ref::<Dummy>().unwrap().last_wish.set(Some(other.clone()));
        drop(below);
        if round == 0 {
            victim.unparent();
            drop(victim);
        } else {
            drop(victim);
            qom.resolve("/victim").unwrap().unparent();
        }
        assert!(!other.is_in_tree(), "the drop took it out");
    }
    // A field's old value is dropped without the field's lock.
    let holder = put(&qom, "/", "holder");
    let other = put(&qom, "/", "other");
    let wish = qom.create("dummy").unwrap();
    wish.downcast_ref::<Dummy>().unwrap().last_wish.set(Some(other.clone()));
    let dummy = holder.downcast_ref::<Dummy>().unwrap();
    dummy.last_wish.set(Some(wish));
    dummy.last_wish.set(None);
    assert!(!other.is_in_tree());
}

#[test]
fn containers_are_made_with_their_ancestors_once() {
    let qom = system();
    let made = qom.container("/machine/peripheral").unwrap();
    assert!(same(&qom.container("machine//peripheral/").unwrap(), &made));
    assert!(same(&qom.container("/").unwrap(), qom.root()));
    put(&qom, "/machine", "thing");
    let error = qom.container("/machine/thing").unwrap_err();
    assert_eq!(error.to_string(), "Object '/machine/thing' is of type 'dummy', not of type 'container'");
    assert!(qom.container("/machine/thing/below").is_ok(), "but it can hold containers");
}

#[test]
fn the_tree_can_be_read_while_it_changes() {
    const ROUNDS: usize = if cfg!(miri) { 2 } else { 500 };
    let qom = system();
    qom.container("/a/b").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let home = qom.container("/a/b").unwrap();
                    for _ in 0..ROUNDS {
                        let object = qom.create("dummy").unwrap();
                        let name = home.add_child("device[*]", &object).unwrap();
                        let path = format!("/a/b/{name}");
                        assert_eq!(object.canonical_path(), path);
                        assert!(same(&qom.resolve(&path).unwrap(), &object));
                        set(&object, "number", "7").unwrap();
                        assert!(object.unparent());
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    for (_, child) in qom.resolve("/a/b").unwrap().core().children() {
                        let _ = (child.canonical_path(), child.get("number").unwrap());
                    }
                    let _ = qom.resolve("device[0]");
                    qom.resolve("b").unwrap();
                }
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(qom.container("/a/b").unwrap().core().children().is_empty());
}
