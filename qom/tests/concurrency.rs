//! The lock rule of the object model: objects are shared between threads; locks are held for moments, never while a
//! setter, a getter, a virtual method or a drop runs; sealed classes are read without any.
//!
//! Each test runs under a watchdog, so that a deadlock fails it instead of hanging it. `.ci/tsan` runs this file under a
//! thread sanitizer, `.ci/miri` under Miri, which looks for data races too.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::thread;
use std::time::Duration;

use qom::{
    Bootstrap, Class, ClassInit, Container, Device, DeviceClass, Error, Field, GlobalProperty, Input,
    Instance, Link, Obj, Object, ObjectCore, Origin, Property, PropertyError, Qom, TypeInfo, resolve_type,
    site,
};

/// Changes that each writer makes. Miri is some thousand times slower.
const ROUNDS: usize = if cfg!(miri) { 2 } else { 400 };

/// Threads that write; one fewer read.
const THREADS: usize = if cfg!(miri) { 2 } else { 3 };

/// Far beyond what any of these tests needs, on the slowest machine and under a sanitizer.
const PATIENCE: Duration = Duration::from_secs(if cfg!(miri) { 3600 } else { 120 });

/// Runs a test, and fails if it has not ended in time. A thread that hangs is left behind.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let runner = thread::spawn(move || {
        test();
        // The receiver is gone only if the watchdog gave up.
        let _ = done.send(());
    });
    match finished.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("deadlock: nothing moved for {PATIENCE:?}"),
        // Ended, or panicked: then so do we.
        _ => runner.join().unwrap(),
    }
}

/// Objects, classes and systems can be sent to and shared between threads.
#[test]
fn objects_are_send_and_sync() {
    fn shared<T: Send + Sync + ?Sized>() {}
    shared::<dyn Object>();
    shared::<Arc<dyn Object>>();
    shared::<Weak<dyn Object>>();
    shared::<ObjectCore>();
    shared::<Device>();
    shared::<Obj<Device>>();
    shared::<Link>();
    shared::<Field<Vec<String>>>();
    shared::<Class>();
    shared::<Property>();
    shared::<TypeInfo>();
    shared::<GlobalProperty>();
    shared::<Qom>();
    shared::<Error>();
}

/// A device whose properties do all that a property may do: touch others, its parent, the tree.
#[derive(Debug, qom::derive::Object)]
#[object(name = "busy", class_init = Busy::class_init)]
struct Busy {
    parent: Device,
    #[property(get, set, default = 0, settable_after_realize)]
    number: Field<u32>,
    #[property(get, set, link = "object", settable_after_realize)]
    friend: Link,
    /// Taken out of the tree when this is dropped.
    last_wish: Field<Option<Arc<dyn Object>>>,
    /// Counts the drops.
    dropped: Field<Option<Arc<AtomicUsize>>>,
}

impl Busy {
    fn class_init(class: &mut ClassInit<'_>) {
        // Sets its own number, and the number of the parent, as far as there are any.
        let all = Property::new("all-numbers", "uint32").settable_after_realize().set(|object, input| {
            let number = <u32 as qom::PropertyValue>::read("all-numbers", input)?;
            object.set_value("number", &number)?;
            if let Some((parent, _)) = object.core().parent()
                && parent.class().property("number").is_some()
            {
                parent.set_value("number", &number)?;
            }
            Ok(())
        });
        // Resolves, lists and reads others.
        let survey = Property::new("survey", "uint32").get(|object| {
            let root = object.core().root().ok_or_else(|| PropertyError::Refused("no root".to_owned()))?;
            let found = ["/bus", "bus", "busy[0]", "/bus/busy[1]/friend", "friend"]
                .iter()
                .filter_map(|path| qom::resolve(&root, path).ok());
            Ok(found.map(|at| at.core().children().len() + at.canonical_path().len()).sum::<usize>().into())
        });
        class.add_property(all);
        class.add_property(survey);
        class.data_mut::<DeviceClass>().realize = |device| {
            device.as_object().get("survey")?;
            device.as_object().set_value("all-numbers", &7_u32)?;
            Ok(())
        };
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(wish) = self.last_wish.get() {
            wish.unparent();
        }
        if let Some(dropped) = self.dropped.get() {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn system() -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    types.register(Busy::type_info()).unwrap();
    types.register(TypeInfo::new("busier", "busy", site!())).unwrap();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    qom.container("/bus").unwrap();
    qom.container("/machine/unattached").unwrap();
    qom
}

fn writer(qom: &Arc<Qom>, dropped: &Arc<AtomicUsize>) {
    let bus = qom.resolve("/bus").unwrap();
    for round in 0..ROUNDS {
        let device = qom.create_of::<Busy>().unwrap();
        device.dropped.set(Some(dropped.clone()));
        let object = device.as_object();
        let name = bus.add_child("busy[*]", object).unwrap();
        assert!(object.is_in_tree());
        assert_eq!(object.canonical_path(), format!("/bus/{name}"));
        // A search by the name finds it, unless another writer's child has one of that name.
        assert!(Arc::ptr_eq(&qom.resolve(&format!("bus/{name}")).unwrap(), object));
        object.set("friend", &Input::Text("/bus"), Origin::Monitor).unwrap();
        let below = qom.create("busier").unwrap();
        below.downcast_ref::<Busy>().unwrap().dropped.set(Some(dropped.clone()));
        object.add_child("below", &below).unwrap();
        below.set_value("all-numbers", &3_u32).unwrap();
        assert_eq!(object.get("number").unwrap(), 3);
        Device::realize(&device.cast().unwrap()).unwrap();
        Device::realize(&Obj::new(below.clone()).unwrap()).unwrap();
        if round % 3 == 0 {
            // Goes with the last reference to what is below, whoever has it.
            below.downcast_ref::<Busy>().unwrap().last_wish.set(Some(object.clone()));
            assert!(below.unparent());
            drop(below);
            object.unparent();
        } else {
            assert!(object.unparent());
        }
        assert!(!object.is_in_tree() && !device.cast::<Device>().unwrap().is_realized());
    }
}

fn reader(qom: &Arc<Qom>, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let bus = qom.resolve("/bus").unwrap();
        for (_, child) in bus.core().children() {
            assert!(["", "/"].iter().any(|start| child.canonical_path().starts_with(start)));
            let _ = (child.is_in_tree(), child.properties().len(), child.get("friend").unwrap());
            assert!([0, 3, 7].iter().any(|number| child.get("number").unwrap() == *number));
            child.get("survey").unwrap();
        }
        let _ = qom.resolve("busy[0]");
        let _ = qom.resolve("below");
        let _ = qom.resolve("friend/busy[1]");
        let _ = resolve_type(qom.root(), "below", "busier");
        assert_eq!(qom.resolve("bus").unwrap().canonical_path(), "/bus");
        assert_eq!(qom.class("busier").unwrap().parent().unwrap().name(), "busy");
        let _ = (qom.globals().len(), qom.constructions());
    }
}

/// Threads that read the tree in all ways, beside threads that change it in all ways.
#[test]
fn readers_beside_writers() {
    watched(|| {
        let qom = system();
        let dropped = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..THREADS)
            .map(|_| {
                let (qom, dropped) = (qom.clone(), dropped.clone());
                thread::spawn(move || writer(&qom, &dropped))
            })
            .collect();
        let readers: Vec<_> = (1..THREADS)
            .map(|_| {
                let (qom, done) = (qom.clone(), done.clone());
                thread::spawn(move || reader(&qom, &done))
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
        // What came has gone: from the tree, from the index of steps, and altogether.
        assert!(qom.resolve("/bus").unwrap().core().children().is_empty());
        for path in ["busy[0]", "below", "friend"] {
            assert!(qom.resolve(path).is_err(), "{path}");
        }
        assert_eq!(dropped.load(Ordering::Relaxed), THREADS * ROUNDS * 2);
        assert_eq!(
            qom.root().core().children().iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>(),
            ["bus", "machine"]
        );
    });
}

/// Many threads hang one object somewhere, and move whole subtrees between two places: one place wins, and nothing is lost.
#[test]
fn threads_that_want_the_same_place() {
    watched(|| {
        let qom = system();
        let homes = [qom.container("/left").unwrap(), qom.container("/right").unwrap()];
        let subtree = qom.create("busy").unwrap();
        let leaf = qom.create("busier").unwrap();
        subtree.add_child("leaf", &leaf).unwrap();
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let (home, other) = (homes[n % 2].clone(), homes[1 - n % 2].clone());
                let (qom, subtree, leaf) = (qom.clone(), subtree.clone(), leaf.clone());
                thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        let _ = home.add_child("it", &subtree);
                        // Wherever it is or is not, it is there whole.
                        let path = leaf.canonical_path();
                        assert!(["/left/it/leaf", "/right/it/leaf", "leaf"].contains(&&*path), "{path}");
                        if let Ok(found) = qom.resolve("it/leaf") {
                            assert!(Arc::ptr_eq(&found, &leaf));
                        }
                        let _ = other.core().child("it").map(|it| it.unparent());
                        // Never the other way round, whoever tries.
                        assert!(leaf.add_child("up", &subtree).is_err());
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let places = homes.iter().filter(|home| home.core().child("it").is_some()).count();
        assert_eq!(places, usize::from(subtree.core().parent().is_some()));
        assert_eq!(usize::from(subtree.is_in_tree()), places);
        subtree.unparent();
        assert!(qom.resolve("it").is_err() && qom.resolve("leaf").is_err());
    });
}

/// Threads that realize, unrealize and set one device: each step happens once or is refused as busy.
#[test]
fn threads_that_realize_one_device() {
    watched(|| {
        let qom = system();
        let device = qom.create_of::<Busy>().unwrap();
        let threads: Vec<_> = (0..3)
            .map(|n| {
                let (device, qom) = (device.cast::<Device>().unwrap(), qom.clone());
                thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        let object = device.as_object();
                        let _ = match n {
                            0 => Device::realize(&device).map_err(|error| error.to_string()),
                            1 => Device::unrealize(&device).map_err(|error| error.to_string()),
                            _ => object.set_value("all-numbers", &9_u32).map_err(|error| error.to_string()),
                        };
                        let _ = (object.get("realized").unwrap(), qom.resolve("device[0]").is_ok());
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let device = device.cast::<Device>().unwrap();
        Device::realize(&device).unwrap();
        assert_eq!(device.as_object().canonical_path(), "/machine/unattached/device[0]");
        Device::unplug(&device).unwrap();
        assert!(!device.is_realized() && !device.as_object().is_in_tree());
    });
}

/// What the readers of classes read about.
#[derive(Debug, qom::derive::Object)]
#[object(name = "held")]
struct Held {
    parent: Container,
    #[property(get, set, default = 0)]
    number: Field<u32>,
}

/// A class is all that is needed to read it: while a field of an object of it is locked, and when the system and all
/// its objects are gone. (With each lock of the system held, a unit test of `system.rs` reads classes.)
#[test]
fn classes_are_read_by_themselves() {
    watched(|| {
        let mut types = Bootstrap::empty();
        types.register(Held::type_info()).unwrap();
        let accel = types.create("container").unwrap();
        let qom = types.accel_ready(accel).unwrap().seal().unwrap();
        let held = qom.create_of::<Held>().unwrap();
        qom.root().add_child("held", held.as_object()).unwrap();
        let read_all = |class: &Class| {
            assert!(class.is_a("object") && class.is_a("container") && !class.is_a("device"));
            assert_eq!(class.property("number").unwrap().type_name(), "uint32");
            assert_eq!(class.default_value("number"), Some(&0.into()));
            assert_eq!(class.properties().count(), 2);
            assert!(class.data::<DeviceClass>().is_none() && class.interfaces().next().is_none());
            assert_eq!(class.lineage().map(Class::name).collect::<Vec<_>>(), ["held", "container", "object"]);
        };
        // Within the look at a field its lock is held; a reader on another thread comes to its end meanwhile.
        held.number.update(|_| {
            thread::scope(|scope| {
                let reader = scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        let class = qom.class("held").unwrap();
                        read_all(class);
                        assert!(qom.type_names(Some("container"), true).contains(&"held"));
                        assert_eq!(qom.parent_name("held"), Some("container"));
                        assert!(Arc::ptr_eq(held.core().class(), class));
                    }
                });
                reader.join().unwrap();
            });
        });
        // Nothing but the class is left.
        let class = qom.class("held").unwrap().clone();
        drop((held, qom));
        thread::spawn(move || read_all(&class)).join().unwrap();
    });
}
