//! The registry and its phases: what registers when, what is refused, and in which words.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use qom::{
    AccelReady, Bootstrap, CreateError, Instance, Interface, LookupError, Object, ObjectCore, PostAccelInit,
    Qom, RegistryError, Site, TypeInfo, site,
};

fn seal(types: Bootstrap) -> Result<Arc<Qom>, RegistryError> {
    let accel = types.create("container").unwrap();
    types.accel_ready(accel)?.seal()
}

fn with(infos: impl IntoIterator<Item = TypeInfo>) -> Bootstrap {
    let mut types = Bootstrap::empty();
    for info in infos {
        types.register(info).unwrap();
    }
    types
}

fn cpu_hook(name: &'static str, run: fn(&mut AccelReady) -> Result<(), RegistryError>) -> PostAccelInit {
    PostAccelInit { name, parent: "test-cpu", site: site!(), claims: |name| name.ends_with("-test-cpu"), run }
}

fn register_fast(ready: &mut AccelReady) -> Result<(), RegistryError> {
    ready.register(TypeInfo::new("fast-test-cpu", "object", site!()))
}

/// Two accelerators; the second is the one that knows the host.
fn two_accels() -> Bootstrap {
    let mut types = with(["soft", "hard"].map(|name| TypeInfo::new(name, "container", site!())));
    types.add_hook(cpu_hook("cpus", |ready| {
        register_fast(ready)?;
        if ready.accel().class().name() == "hard" {
            ready.register(TypeInfo::new("host-test-cpu", "fast-test-cpu", site!()))?;
        }
        Ok(())
    }));
    types
}

#[test]
fn a_class_that_a_hook_registers_is_not_there_before_it_ran() {
    let types = two_accels();
    let early = LookupError::TooEarly { name: "fast-test-cpu".into(), hook: "cpus", parent: "test-cpu" };
    assert_eq!(types.class("fast-test-cpu").unwrap_err(), early);
    assert_eq!(
        early.to_string(),
        "class 'fast-test-cpu' was looked up too early: hook 'cpus' registers the subclasses of 'test-cpu' once the \
         accelerator is initialised"
    );
    assert!(matches!(
        types.create("fast-test-cpu"),
        Err(CreateError::Lookup(LookupError::TooEarly { hook: "cpus", .. }))
    ));
    assert_eq!(types.class("slow").unwrap_err(), LookupError::Unknown { name: "slow".into() });
    let accel = types.create("soft").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    assert!(qom.create("fast-test-cpu").is_ok());
    // Sealed, a name that a hook might have registered and did not is simply unknown.
    assert_eq!(
        qom.class("host-test-cpu").unwrap_err(),
        LookupError::Unknown { name: "host-test-cpu".into() }
    );
}

#[test]
fn a_type_below_one_that_a_hook_registers_waits_for_it_too() {
    let mut types = two_accels();
    types.register(TypeInfo::new("mine", "fast-test-cpu", site!())).unwrap();
    assert!(matches!(types.class("mine"), Err(LookupError::TooEarly { hook: "cpus", .. })));
    let accel = types.create("soft").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    assert!(qom.class("mine").unwrap().is_a("fast-test-cpu"));
}

#[test]
fn two_systems_with_different_accelerators_live_side_by_side() {
    let systems: Vec<_> = ["soft", "hard"]
        .into_iter()
        .map(|accel| {
            let types = two_accels();
            let accel = types.create(accel).unwrap();
            types.accel_ready(accel).unwrap().seal().unwrap()
        })
        .collect();
    assert!(systems[0].class("host-test-cpu").is_err());
    assert!(systems[1].class("host-test-cpu").is_ok());
    let child = systems[0].create("fast-test-cpu").unwrap();
    systems[0].root().add_child("only-here", &child).unwrap();
    assert!(systems[1].resolve("only-here").is_err());
    // One's objects cannot be hung into the other.
    let stray = systems[1].create("host-test-cpu").unwrap();
    assert_eq!(
        systems[0].root().add_child("stray", &stray).unwrap_err().to_string(),
        "objects of types 'container' and 'host-test-cpu' belong to different systems"
    );
    assert_eq!(systems[0].constructions(), 3, "accelerator, root, one CPU");
    assert_eq!(systems[1].constructions(), 3);
}

#[test]
fn a_duplicate_names_both_crates_and_places_in_either_order() {
    let one = TypeInfo::new("lamp", "object", Site { krate: "alpha", file: "a.rs", line: 7 });
    let other = TypeInfo::new("lamp", "container", Site { krate: "beta", file: "b.rs", line: 9 });
    for (first, second) in [(&one, &other), (&other, &one)] {
        let mut types = with([first.clone()]);
        assert_eq!(
            types.register(second.clone()).unwrap_err().to_string(),
            "type 'lamp' is registered twice: by crate 'alpha' (a.rs:7) and by crate 'beta' (b.rs:9)"
        );
    }
    // A hook cannot shadow a type either.
    let mut types = with([TypeInfo::new("fast-test-cpu", "object", site!())]);
    types.add_hook(cpu_hook("cpus", register_fast));
    let error = seal(types).unwrap_err();
    assert!(matches!(&error, RegistryError::Duplicate { first: "qom", second: "qom", .. }), "{error}");
}

#[test]
fn unknown_parents_and_interfaces_are_refused_by_name() {
    let error = seal(with([TypeInfo::new("lamp", "nothing", site!())])).unwrap_err();
    assert_eq!(error.to_string(), "type 'lamp' (crate 'qom') has the unknown parent 'nothing'");
    // A hook that claims the parent and does not deliver it.
    let mut types = with([TypeInfo::new("lamp", "late-test-cpu", site!())]);
    types.add_hook(cpu_hook("cpus", register_fast));
    assert!(
        matches!(seal(types), Err(RegistryError::UnknownParent { parent, .. }) if parent == "late-test-cpu")
    );

    #[derive(Debug, qom::derive::Object)]
    #[object(name = "knob", interfaces(dyn Turn))]
    struct Knob {
        parent: ObjectCore,
    }
    trait Turn {}
    impl Turn for Knob {}
    impl Interface for dyn Turn {
        const NAME: &'static str = "turn";
    }
    let error = seal(with([Knob::type_info()])).unwrap_err();
    assert_eq!(error.to_string(), "type 'knob' (crate 'qom') implements the unknown interface 'turn'");
    assert!(with([Knob::type_info()]).class("knob").is_err(), "and it cannot be had before the check either");
    assert!(seal(with([Knob::type_info(), TypeInfo::interface::<dyn Turn>(site!())])).is_ok());
    let class = TypeInfo::new("turn", "object", site!());
    assert!(matches!(seal(with([Knob::type_info(), class])), Err(RegistryError::WrongKind { .. })));
    let below = TypeInfo::new("x", "hotplug-handler", site!()).construct(|seed| seed.finish::<ObjectCore>());
    assert!(matches!(seal(with([below])), Err(RegistryError::WrongKind { .. })));
    let rootless = TypeInfo::new("x", "interface", site!());
    assert!(matches!(seal(with([rootless])), Err(RegistryError::WrongKind { .. })));
}

#[test]
fn a_cycle_of_parents_is_refused_and_hangs_nothing() {
    let cycle = || {
        with([("a", "b"), ("b", "c"), ("c", "a"), ("below", "a")].map(|(name, parent)| {
            let krate = if name == "b" { "beta" } else { "alpha" };
            TypeInfo::new(name, parent, Site { krate, file: "x.rs", line: 1 })
        }))
    };
    for name in ["a", "b", "c", "below"] {
        assert_eq!(cycle().class(name).unwrap_err(), LookupError::Unknown { name: name.into() });
    }
    assert_eq!(
        seal(cycle()).unwrap_err().to_string(),
        "type 'a' is its own ancestor: 'a' (crate 'alpha') below 'b' (crate 'beta') below 'c' (crate 'alpha') below 'a'"
    );
    assert!(seal(with([TypeInfo::new("self", "self", site!())])).is_err());
}

#[test]
fn abstract_types_make_no_objects() {
    let qom = seal(with([TypeInfo::new("shape", "object", site!()).set_abstract()])).unwrap();
    for name in ["shape", "object", "interface", "hotplug-handler", "device"] {
        let error = qom.create(name).unwrap_err();
        assert_eq!(error.to_string(), format!("type '{name}' is abstract"));
    }
    assert!(matches!(qom.create("nothing"), Err(CreateError::Lookup(LookupError::Unknown { .. }))));
}

/// Hooks note here that they ran, each by the type that it registers: the second needs the first's.
#[test]
fn hooks_run_in_the_order_of_their_names() {
    let mut types = Bootstrap::empty();
    types.add_hook(cpu_hook("20-derived", |ready| {
        let taken = ready.register(TypeInfo::new("fast-test-cpu", "object", site!()));
        assert!(taken.is_err(), "the first hook did not run before the second");
        ready.register(TypeInfo::new("faster-test-cpu", "fast-test-cpu", site!()))
    }));
    types.add_hook(cpu_hook("10-base", register_fast));
    assert!(seal(types).unwrap().class("faster-test-cpu").is_ok());

    let mut types = Bootstrap::empty();
    types.add_hook(cpu_hook("same", register_fast));
    types.add_hook(cpu_hook("same", |_| Ok(())));
    let text = seal(types).unwrap_err().to_string();
    assert!(
        text.starts_with("post-accel-init hook 'same' is registered twice: by crate 'qom' (")
            && text.matches("registry.rs:").count() == 2,
        "{text}"
    );

    let mut types = Bootstrap::empty();
    types.add_hook(cpu_hook("bad", |_| {
        Err(RegistryError::Hook { hook: "bad", message: "no such host".into() })
    }));
    assert_eq!(seal(types).unwrap_err().to_string(), "post-accel-init hook 'bad': no such host");
}

/// This program registers nothing at link time.
#[test]
fn what_a_hook_leaves_is_found_in_its_own_system() {
    let mut types = Bootstrap::empty();
    types.add_hook(cpu_hook("cpus", |ready| {
        ready.leave(Arc::new("first"));
        ready.leave(Arc::new("second"));
        ready.leave(Arc::new(7u8));
        Ok(())
    }));
    let qom = seal(types).unwrap();
    assert_eq!(qom.value::<&str>(), Some(&"second"));
    assert_eq!(qom.value::<u8>(), Some(&7));
    assert_eq!(qom.value::<u16>(), None);
    assert_eq!(seal(Bootstrap::empty()).unwrap().value::<u8>(), None);
}

#[test]
fn an_empty_registry_says_so() {
    let error = Bootstrap::from_link_time().unwrap_err();
    assert_eq!(error, RegistryError::Empty);
    assert!(error.to_string().starts_with("the type registry is empty"));
}

static CLASS_INITS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_sealed_registry_is_read_from_many_threads_and_builds_each_class_once() {
    const THREADS: usize = 4;
    const TYPES: usize = if cfg!(miri) { 6 } else { 50 };
    let qom = seal(with((0..TYPES).map(|n| {
        let parent = if n == 0 { "object".to_owned() } else { format!("t{}", n - 1) };
        TypeInfo::new(format!("t{n}"), parent, site!()).class_init(|class| {
            CLASS_INITS.fetch_add(1, Ordering::Relaxed);
            class.data_mut::<Vec<usize>>().push(1);
        })
    })))
    .unwrap();
    assert_eq!(CLASS_INITS.load(Ordering::Relaxed), 0, "a class is built when it is first asked for");
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (qom, start) = (&qom, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..TYPES {
                    let n = if thread % 2 == 0 { n } else { TYPES - 1 - n };
                    let class = qom.class(&format!("t{n}")).unwrap();
                    assert_eq!(class.data::<Vec<usize>>().unwrap().len(), n + 1);
                    assert!(class.is_a("t0"));
                    qom.create(class.name()).unwrap();
                }
            });
        }
    });
    assert_eq!(CLASS_INITS.load(Ordering::Relaxed), TYPES);
}

#[test]
fn types_are_listed_sorted_and_introspection_makes_no_object() {
    let qom = seal(with([
        TypeInfo::new("zebra", "device", site!()),
        TypeInfo::new("ant", "device", site!()).set_abstract(),
        TypeInfo::new("bee", "ant", site!()),
    ]))
    .unwrap();
    let before = qom.constructions();
    assert_eq!(qom.type_names(Some("device"), false), ["bee", "zebra"]);
    assert_eq!(qom.type_names(Some("device"), true), ["ant", "bee", "device", "zebra"]);
    // As in the reference, what implements an interface is one.
    let interfaces = ["System", "ant", "bee", "bus", "device", "hotplug-handler", "interface", "resettable"];
    let all: Vec<_> =
        interfaces.into_iter().chain(["resettable-container", "user-creatable", "zebra"]).collect();
    assert_eq!(qom.type_names(Some("interface"), true), all);
    assert_eq!(qom.type_names(Some("nothing"), true), [""; 0]);
    let all = qom.type_names(None, true);
    assert!(all.is_sorted() && all.contains(&"container") && all.contains(&"object"));
    assert_eq!(qom.is_abstract("ant"), Some(true));
    assert_eq!(qom.is_abstract("wasp"), None);
    assert_eq!(qom.parent_name("bee"), Some("ant"));
    assert_eq!(qom.parent_name("object"), None);
    for name in all {
        let class = qom.class(name).unwrap();
        for property in class.properties() {
            let _ = (property.name(), property.type_name(), class.default_value(property.name()));
        }
    }
    assert_eq!(qom.constructions(), before);
    let object: Arc<dyn Object> = qom.create("bee").unwrap();
    assert_eq!(qom.constructions(), before + 1);
    drop(object);
}
