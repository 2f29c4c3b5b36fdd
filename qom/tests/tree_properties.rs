//! Any sequence of creates, parents, unparents, sets, realizes and failures leaves the tree whole: each object has one
//! path and each path one object, a search finds what a walk of the whole tree finds, a failed realize leaves nothing, and
//! when the system goes, everything goes.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, Weak};

use proptest::prelude::*;
use qom::{
    Bootstrap, ClassInit, Container, Device, DeviceClass, Error, Field, HotplugHandler, Input, Instance,
    Link, Obj, Object, ObjectCore, Origin, Qom, ResolveError,
};

/// Counts itself among the living until it is dropped.
#[derive(Debug, Default)]
struct Life(Option<Arc<AtomicIsize>>);

impl Life {
    fn begin(living: &Arc<AtomicIsize>) -> Self {
        living.fetch_add(1, Ordering::Relaxed);
        Self(Some(living.clone()))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(living) = &self.0 {
            living.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[derive(Debug, qom::derive::Object)]
#[object(name = "thing")]
struct Thing {
    parent: ObjectCore,
    #[property(get, set, default = 1)]
    number: Field<u8>,
    #[property(get, set, link = "object")]
    friend: Link,
    life: Field<Life>,
}

/// A device that makes and realizes others below itself, and fails where it is told to.
#[derive(Debug, qom::derive::Object)]
#[object(name = "gadget", class_init = Gadget::class_init)]
struct Gadget {
    parent: Device,
    #[property(get, set, default = 1, settable_after_realize)]
    number: Field<u8>,
    #[property(get, set, link = "object", settable_after_realize)]
    friend: Link,
    /// How many gadgets its realize makes.
    pins: Field<u8>,
    fails: Field<Fails>,
    system: Field<Weak<Qom>>,
    living: Field<Option<Arc<AtomicIsize>>>,
    life: Field<Life>,
}

/// Where a gadget's realize goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Fails {
    #[default]
    Never,
    PrePlug,
    First,
    Last,
    Plug,
}

impl Gadget {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<DeviceClass>().realize = Gadget::realize;
        // What realize made goes with unrealize, as a device's own parts do.
        class.data_mut::<DeviceClass>().unrealize = |device| {
            for (name, child) in device.core().children() {
                if name.starts_with("pin[") {
                    child.unparent();
                }
            }
        };
    }

    fn new(qom: &Arc<Qom>, living: &Arc<AtomicIsize>, pins: u8, fails: Fails) -> Obj<Gadget> {
        let gadget = qom.create_of::<Gadget>().unwrap();
        gadget.pins.set(pins);
        gadget.fails.set(fails);
        gadget.system.set(Arc::downgrade(qom));
        gadget.living.set(Some(living.clone()));
        gadget.life.set(Life::begin(living));
        gadget
    }

    fn realize(device: &Obj<Device>) -> Result<(), Error> {
        let this = device.cast::<Gadget>().unwrap();
        let fails = |at| if this.fails.get() == at { Err(Error::msg("told to fail")) } else { Ok(()) };
        fails(Fails::First)?;
        let (system, living) = (this.system.get().upgrade().unwrap(), this.living.get().unwrap());
        for _ in 0..this.pins.get() {
            let pin = Gadget::new(&system, &living, 0, Fails::Never);
            device.as_object().add_child("pin[*]", pin.as_object())?;
            Device::realize(&pin.cast().unwrap())?;
        }
        fails(Fails::Last)
    }
}

/// Refuses the gadgets that want it.
#[derive(Debug, qom::derive::Object)]
#[object(name = "board", interfaces(dyn HotplugHandler))]
struct Board {
    parent: Container,
}

impl Board {
    fn refuse(device: &Obj<Device>, at: Fails) -> Result<(), Error> {
        let fails = device.cast::<Gadget>().unwrap().fails.get() == at;
        if fails { Err(Error::msg("refused")) } else { Ok(()) }
    }
}

impl HotplugHandler for Board {
    fn handles(&self, device: &Obj<Device>) -> bool {
        device.cast::<Gadget>().is_some()
    }

    fn pre_plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        Self::refuse(device, Fails::PrePlug)
    }

    fn plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        Self::refuse(device, Fails::Plug)
    }

    fn unplug_request(&self, _: &Obj<Device>) -> Result<(), Error> {
        Ok(())
    }

    fn unplug(&self, _: &Obj<Device>) -> Result<(), Error> {
        Ok(())
    }
}

/// Numbers name objects: the n-th held, modulo how many there are.
#[derive(Debug, Clone)]
enum Step {
    Create,
    CreateGadget {
        pins: u8,
        fails: Fails,
    },
    Parent {
        parent: usize,
        name: &'static str,
        child: usize,
    },
    ParentToRoot {
        name: &'static str,
        child: usize,
    },
    Unparent(usize),
    Forget(usize),
    Realize(usize),
    Unrealize(usize),
    /// What the object's realize made is held, too.
    Hold(usize),
    Link {
        from: usize,
        to: usize,
    },
    SetNumber {
        of: usize,
        to: i64,
    },
    SetText {
        of: usize,
        property: String,
        text: String,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let name =
        prop::sample::select(vec!["a", "b", "c", "n[*]", "n[1]", "n[01]", "type", "friend", "", "x/y"]);
    let fails = prop::sample::select(vec![
        Fails::Never,
        Fails::Never,
        Fails::PrePlug,
        Fails::First,
        Fails::Last,
        Fails::Plug,
    ]);
    let n = 0..12_usize;
    prop_oneof![
        3 => Just(Step::Create),
        2 => (0..3_u8, fails).prop_map(|(pins, fails)| Step::CreateGadget { pins, fails }),
        4 => (n.clone(), name.clone(), n.clone()).prop_map(|(parent, name, child)| Step::Parent { parent, name, child }),
        2 => (name, n.clone()).prop_map(|(name, child)| Step::ParentToRoot { name, child }),
        2 => n.clone().prop_map(Step::Unparent),
        1 => n.clone().prop_map(Step::Forget),
        2 => n.clone().prop_map(Step::Realize),
        1 => n.clone().prop_map(Step::Unrealize),
        1 => n.clone().prop_map(Step::Hold),
        2 => (n.clone(), n.clone()).prop_map(|(from, to)| Step::Link { from, to }),
        1 => (n.clone(), -10..300_i64).prop_map(|(of, to)| Step::SetNumber { of, to }),
        1 => (n, "[a-z]{0,8}|number|friend|type", "[ -~]{0,6}")
            .prop_map(|(of, property, text)| Step::SetText { of, property, text }),
    ]
}

fn system() -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    for info in [Thing::type_info(), Gadget::type_info(), Board::type_info()] {
        types.register(info).unwrap();
    }
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    qom.root().add_child("machine", &qom.create("board").unwrap()).unwrap();
    qom.container("/machine/unattached").unwrap();
    qom
}

fn key(object: &Arc<dyn Object>) -> usize {
    Arc::as_ptr(object).cast::<()>().addr()
}

fn friend(object: &Arc<dyn Object>) -> Option<Arc<dyn Object>> {
    let thing = object.downcast_ref::<Thing>().map(|thing| &thing.friend);
    thing.or_else(|| object.downcast_ref::<Gadget>().map(|gadget| &gadget.friend))?.get()
}

/// What is found from one object by steps that are names of children or links.
fn walk(from: &Arc<dyn Object>, path: &str) -> Option<Arc<dyn Object>> {
    path.split('/').filter(|step| !step.is_empty()).try_fold(from.clone(), |at, step| {
        let child = at.core().children().into_iter().find(|(name, _)| &**name == step);
        child.map(|(_, child)| child).or_else(|| if step == "friend" { friend(&at) } else { None })
    })
}

fn everything(root: &Arc<dyn Object>) -> Vec<Arc<dyn Object>> {
    let mut all = vec![root.clone()];
    let mut next = 0;
    while let Some(at) = all.get(next).cloned() {
        all.extend(at.core().children().into_iter().map(|(_, child)| child));
        next += 1;
    }
    all
}

/// Holds a search against a walk from every object of the tree.
fn compare_search(root: &Arc<dyn Object>, path: &str) {
    for type_name in ["object", "gadget", "device", "container"] {
        let all = everything(root);
        let mut found = all.iter().filter_map(|at| walk(at, path)).filter(|at| at.class().is_a(type_name));
        let expected = match (found.next(), found.next()) {
            (Some(object), None) => Ok(key(&object)),
            (None, _) => Err(ResolveError::NotFound { path: path.to_owned() }),
            (Some(_), Some(_)) => Err(ResolveError::Ambiguous { path: path.to_owned() }),
        };
        let searched = qom::resolve_type(root, path, type_name).map(|object| key(&object));
        assert_eq!(searched, expected, "'{path}' of type {type_name}");
        if type_name == "object" {
            assert_eq!(qom::resolve(root, path).map(|object| key(&object)), expected, "'{path}'");
        }
    }
}

const SEARCHED: [&str; 14] = [
    "",
    "a",
    "b",
    "n[0]",
    "n[1]",
    "n[01]",
    "a/b",
    "a/friend",
    "friend",
    "friend/a",
    "friend/friend",
    "pin[0]",
    "pin[0]/a",
    "unattached",
];

/// Walks the tree and checks each object's place against every other's.
fn check(qom: &Qom, held: &[Arc<dyn Object>]) {
    let mut paths: HashMap<String, usize> = HashMap::new();
    let mut seen: HashMap<usize, String> = HashMap::new();
    for at in everything(qom.root()) {
        let path = at.canonical_path();
        assert!(path.starts_with('/') && at.is_in_tree());
        assert!(Arc::ptr_eq(&qom.resolve(&path).unwrap(), &at), "{path}");
        assert!(paths.insert(path.clone(), key(&at)).is_none(), "two objects at {path}");
        assert!(seen.insert(key(&at), path.clone()).is_none(), "{path} is there twice");
        for (name, child) in at.core().children() {
            let (parent, known_as) = child.core().parent().unwrap();
            assert!(Arc::ptr_eq(&parent, &at) && known_as == name);
            assert!(Arc::ptr_eq(&at.core().child(&name).unwrap(), &child));
            assert_eq!(child.canonical_path(), format!("{}/{name}", path.trim_end_matches('/')));
            assert_eq!(at.get(&name).unwrap(), child.canonical_path());
        }
    }
    for object in held {
        let is_realized = object.downcast_ref::<Device>().is_some_and(Device::is_realized);
        assert!(object.is_in_tree() || !is_realized, "a realized device outside the tree");
        assert_eq!(object.is_in_tree(), seen.contains_key(&key(object)));
        assert_eq!(object.canonical_path().starts_with('/'), object.is_in_tree());
        if let Some(friend) = friend(object) {
            let expected = seen.get(&key(&friend)).cloned().unwrap_or_default();
            assert_eq!(object.get("friend").unwrap(), expected);
        }
    }
}

/// A device's own place and what hangs below it, with what is realized of it.
fn situation(object: &Arc<dyn Object>) -> Vec<(usize, String, bool)> {
    let realized = |at: &Arc<dyn Object>| at.downcast_ref::<Device>().is_some_and(Device::is_realized);
    everything(object).iter().map(|at| (key(at), at.canonical_path(), realized(at))).collect()
}

fn realize(object: &Arc<dyn Object>) {
    let Ok(device) = Obj::<Device>::new(object.clone()) else { return };
    let before = situation(object);
    let was_realized = device.is_realized();
    let has_no_place = object.core().parent().is_some() && !object.is_in_tree();
    let fails = device.cast::<Gadget>().unwrap().fails.get();
    match Device::realize(&device) {
        Ok(()) => {
            assert!(device.is_realized() && object.is_in_tree() && !has_no_place);
            assert!(was_realized || fails == Fails::Never);
        }
        Err(_) => {
            assert!(!was_realized && (has_no_place || fails != Fails::Never));
            assert_eq!(situation(object), before, "a failed realize leaves nothing behind");
        }
    }
}

/// Under Miri a few cases, and no file of failures, which it could not write.
fn config() -> ProptestConfig {
    if cfg!(miri) {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2) }
    } else {
        ProptestConfig::with_cases(300)
    }
}

/// One more than the most steps of a case.
const STEPS: usize = if cfg!(miri) { 8 } else { 60 };

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_tree_stays_whole(steps in prop::collection::vec(step(), 1..STEPS)) {
        let qom = system();
        let living = Arc::new(AtomicIsize::new(0));
        let mut held: Vec<Arc<dyn Object>> = Vec::new();
        for step in steps {
            let pick = |n: usize| held.get(n % held.len().max(1)).cloned();
            match step {
                Step::Create => {
                    let object = qom.create("thing").unwrap();
                    object.downcast_ref::<Thing>().unwrap().life.set(Life::begin(&living));
                    held.push(object);
                }
                Step::CreateGadget { pins, fails } => {
                    held.push(Gadget::new(&qom, &living, pins, fails).into_object());
                }
                Step::Parent { parent, name, child } => {
                    if let (Some(parent), Some(child)) = (pick(parent), pick(child)) {
                        let had_parent = child.core().parent().is_some();
                        let before = parent.core().children().len();
                        let result = parent.add_child(name, &child);
                        prop_assert!(!(had_parent && result.is_ok()));
                        let children = parent.core().children();
                        prop_assert_eq!(children.len(), before + usize::from(result.is_ok()));
                        prop_assert_eq!(child.core().parent().is_some(), had_parent || result.is_ok());
                        if let Ok(name) = result {
                            prop_assert_eq!(&children.last().unwrap().0, &name, "the last to come is the last");
                        }
                    }
                }
                Step::ParentToRoot { name, child } => {
                    if let Some(child) = pick(child) {
                        let _ = qom.root().add_child(name, &child);
                    }
                }
                Step::Unparent(n) => {
                    if let Some(object) = pick(n) {
                        let had_parent = object.core().parent().is_some();
                        prop_assert_eq!(object.unparent(), had_parent);
                        prop_assert!(object.core().parent().is_none());
                        prop_assert!(situation(&object).iter().all(|(.., realized)| !realized));
                    }
                }
                Step::Forget(n) => {
                    if !held.is_empty() {
                        held.swap_remove(n % held.len());
                    }
                }
                Step::Realize(n) => {
                    if let Some(object) = pick(n) {
                        realize(&object);
                    }
                }
                Step::Unrealize(n) => {
                    if let Some(Ok(device)) = pick(n).map(Obj::<Device>::new) {
                        let (was, before) = (device.is_realized(), situation(device.as_object()));
                        Device::unrealize(&device).unwrap();
                        let after = situation(device.as_object());
                        // What is not realized is left alone, realized devices below it too.
                        let all_at_rest = after.iter().all(|(.., realized)| !realized);
                        prop_assert!(all_at_rest || (!was && after == before));
                    }
                }
                Step::Hold(n) => {
                    if let Some(object) = pick(n) {
                        let pin = object.core().children().into_iter().find(|(name, _)| name.starts_with("pin["));
                        held.extend(pin.map(|(_, pin)| pin));
                    }
                }
                Step::Link { from, to } => {
                    if let (Some(from), Some(to)) = (pick(from), pick(to)) {
                        let path = to.canonical_path();
                        if to.is_in_tree() {
                            from.set("friend", &Input::Text(&path), Origin::Monitor).unwrap();
                            prop_assert_eq!(from.get("friend").unwrap(), path);
                        } else if let Some(thing) = from.downcast_ref::<Thing>() {
                            thing.friend.set(Some(&to));
                        }
                    }
                }
                Step::SetNumber { of, to } => {
                    if let Some(object) = pick(of) {
                        let before = object.get("number").unwrap();
                        let value = serde_json::json!(to);
                        let result = object.set("number", &Input::Json(&value), Origin::Monitor);
                        prop_assert_eq!(result.is_ok(), u8::try_from(to).is_ok());
                        prop_assert_eq!(object.get("number").unwrap(), if result.is_ok() { value } else { before });
                    }
                }
                Step::SetText { of, property, text } => {
                    if let Some(object) = pick(of) {
                        let _ = object.set(&property, &Input::Text(&text), Origin::Monitor);
                    }
                }
            }
            check(&qom, &held);
        }
        for path in SEARCHED.into_iter().step_by(if cfg!(miri) { 5 } else { 1 }) {
            compare_search(qom.root(), path);
            // Any object can be the root of a search, in the tree or not.
            for object in held.iter().take(3) {
                compare_search(object, path);
            }
        }
        // Everything goes with what holds it: first the tree, then our own references.
        drop(qom);
        prop_assert!(held.iter().all(|object| !object.is_in_tree()));
        held.clear();
        prop_assert_eq!(living.load(Ordering::Relaxed), 0);
    }
}
