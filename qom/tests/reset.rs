//! Reset: the order of the phases over trees of devices and buses, nested resets, what comes and goes meanwhile.
//!
//! The rules are those of QEMU's documentation of reset: children before parents in each phase, no *hold* before all have
//! entered, methods run at the first reset in and at the last one out.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use qom::reset::{assert_reset, release_reset, reset};
use qom::{
    Bootstrap, Bus, BusClass, Class, ClassInit, Device, DeviceClass, Error, Field, Instance, Obj, Object,
    Qom, ResetError, ResetPhases, ResetType, Resettable, ResettableContainer, TypeInfo, site,
};

type Log = Arc<Mutex<Vec<String>>>;

/// What a test's devices and buses do in a phase.
type Act = Arc<dyn Fn(&str, &str) + Send + Sync>;

#[derive(Debug, qom::derive::Object)]
#[object(name = "node", class_init = Node::class_init)]
struct Node {
    parent: Device,
    label: Field<String>,
    acts: Field<Acts>,
}

#[derive(Clone, Default)]
struct Acts(Option<Act>);

impl std::fmt::Debug for Acts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acts")
    }
}

#[derive(Debug, qom::derive::Object)]
#[object(name = "wire", class_init = Wire::class_init)]
struct Wire {
    parent: Bus,
    label: Field<String>,
    acts: Field<Acts>,
}

fn act(object: &Arc<dyn Object>, phase: &str) {
    let (label, acts) = match (object.downcast_ref::<Node>(), object.downcast_ref::<Wire>()) {
        (Some(node), _) => (node.label.get(), node.acts.get()),
        (_, Some(wire)) => (wire.label.get(), wire.acts.get()),
        _ => unreachable!("a test's object"),
    };
    (acts.0.unwrap())(phase, &label);
}

impl Node {
    fn class_init(class: &mut ClassInit<'_>) {
        let device = class.data_mut::<DeviceClass>();
        device.bus_type = Some("wire");
        device.reset = ResetPhases {
            enter: |device, _| act(device.as_object(), "enter"),
            hold: |device, _| act(device.as_object(), "hold"),
            exit: |device, _| act(device.as_object(), "exit"),
        };
    }
}

impl Wire {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<BusClass>().reset = ResetPhases {
            enter: |bus, _| act(bus.as_object(), "enter"),
            hold: |bus, _| act(bus.as_object(), "hold"),
            exit: |bus, _| act(bus.as_object(), "exit"),
        };
    }
}

/// `loud-node` says more, and calls what it overrides.
fn loud_node(class: &mut ClassInit<'_>) {
    fn parent(device: &Obj<Device>) -> &ResetPhases<Device> {
        let class = device.as_object().class().parent_of("loud-node");
        &class.and_then(Class::data::<DeviceClass>).unwrap().reset
    }
    class.data_mut::<DeviceClass>().reset = ResetPhases {
        enter: |device, kind| {
            act(device.as_object(), "before enter");
            (parent(device).enter)(device, kind);
        },
        hold: |device, kind| {
            (parent(device).hold)(device, kind);
            act(device.as_object(), &format!("after hold of {kind:?}"));
        },
        ..class.data_mut::<DeviceClass>().reset.clone()
    };
}

struct Bench {
    qom: Arc<Qom>,
    log: Log,
    top: Obj<Bus>,
}

impl Bench {
    fn new() -> Self {
        let mut types = Bootstrap::empty();
        for info in [
            Node::type_info(),
            Wire::type_info(),
            TypeInfo::new("loud-node", "node", site!()).class_init(loud_node),
            TypeInfo::new("lone-node", "node", site!())
                .class_init(|class| class.data_mut::<DeviceClass>().bus_type = None),
        ] {
            types.register(info).unwrap();
        }
        let accel = types.create("container").unwrap();
        let qom = types.accel_ready(accel).unwrap().seal().unwrap();
        let log = Log::default();
        let top = Obj::<Bus>::new(qom.create("wire").unwrap()).unwrap();
        qom.root().add_child("top", top.as_object()).unwrap();
        let bench = Self { qom, log, top };
        bench.equip(bench.top.as_object(), "top");
        bench
    }

    fn equip(&self, object: &Arc<dyn Object>, label: &str) {
        let log = self.log.clone();
        let act: Act = Arc::new(move |phase, label| log.lock().unwrap().push(format!("{phase} {label}")));
        self.act(object, label, act);
    }

    fn act(&self, object: &Arc<dyn Object>, label: &str, act: Act) {
        if let Some(node) = object.downcast_ref::<Node>() {
            node.label.set(label.to_owned());
            node.acts.set(Acts(Some(act)));
        } else {
            let wire = object.downcast_ref::<Wire>().unwrap();
            wire.label.set(label.to_owned());
            wire.acts.set(Acts(Some(act)));
        }
    }

    /// An unrealized device of a type.
    fn new_node(&self, type_name: &str, label: &str) -> Obj<Device> {
        let object = self.qom.create(type_name).unwrap();
        self.equip(&object, label);
        self.qom.root().add_child(label, &object).unwrap();
        Obj::new(object).unwrap()
    }

    fn node(&self, label: &str, bus: &Obj<Bus>) -> Obj<Device> {
        let node = self.new_node("node", label);
        Device::set_parent_bus(&node, Some(bus)).unwrap();
        Device::realize(&node).unwrap();
        node
    }

    fn wire(&self, label: &str, owner: &Obj<Device>) -> Obj<Bus> {
        let object = self.qom.create("wire").unwrap();
        self.equip(&object, label);
        let bus = Obj::<Bus>::new(object).unwrap();
        Bus::place(&bus, owner.as_object(), Some(label)).unwrap();
        Bus::realize(&bus).unwrap();
        bus
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

fn count(object: &Arc<dyn Object>) -> u32 {
    object.interface::<dyn Resettable>().unwrap().reset_state().count()
}

const COLD: ResetType = ResetType::Cold;

#[test]
fn each_phase_goes_through_the_subtree_children_first() {
    let bench = Bench::new();
    let a = bench.node("a", &bench.top);
    let wire = bench.wire("w", &a);
    let _b = bench.node("b", &wire);
    let _c = bench.node("c", &wire);
    let _d = bench.node("d", &bench.top);
    // What is not realized has nothing to reset.
    let idle = bench.new_node("node", "idle");
    Device::set_parent_bus(&idle, Some(&bench.top)).unwrap();
    assert_eq!(bench.take(), [""; 0], "what is realized cold is not reset");
    reset(bench.top.as_object(), COLD).unwrap();
    let order = ["d", "c", "b", "w", "a", "top"];
    let expected: Vec<String> = ["enter", "hold", "exit"]
        .iter()
        .flat_map(|phase| order.map(|label| format!("{phase} {label}")))
        .collect();
    assert_eq!(bench.take(), expected);
    // Only the subtree.
    reset(wire.as_object(), COLD).unwrap();
    assert_eq!(
        bench.take(),
        ["enter c", "enter b", "enter w", "hold c", "hold b", "hold w", "exit c", "exit b", "exit w"]
    );
}

#[test]
fn an_override_chains_to_its_parents_method() {
    let bench = Bench::new();
    let loud = bench.new_node("loud-node", "l");
    Device::set_parent_bus(&loud, Some(&bench.top)).unwrap();
    Device::realize(&loud).unwrap();
    reset(loud.as_object(), ResetType::Wakeup).unwrap();
    assert_eq!(bench.take(), ["before enter l", "enter l", "hold l", "after hold of Wakeup l", "exit l"]);
}

#[test]
fn resets_nest() {
    let bench = Bench::new();
    let a = bench.node("a", &bench.top);
    let (a, top) = (a.as_object(), bench.top.as_object());
    assert_reset(a, COLD).unwrap();
    assert_eq!(bench.take(), ["enter a", "hold a"]);
    assert_reset(top, COLD).unwrap();
    assert_eq!(bench.take(), ["enter top", "hold top"], "a is in it already");
    reset(top, COLD).unwrap();
    assert_eq!((bench.take(), count(a), count(top)), (vec![], 2, 1));
    release_reset(a, COLD).unwrap();
    assert_eq!((bench.take(), count(a)), (vec![], 1), "the bus holds it");
    release_reset(top, COLD).unwrap();
    assert_eq!((bench.take(), count(a)), (vec!["exit a".to_owned(), "exit top".to_owned()], 0));
    assert_eq!(release_reset(a, COLD), Err(ResetError::NotInReset("/a".to_owned())));
    assert_eq!(reset(bench.qom.root(), COLD), Err(ResetError::NotResettable("/".to_owned())));
}

/// The reference resets a device that is plugged into a running machine before its handler is told.
#[test]
fn a_hotplugged_device_is_reset_with_what_is_behind_it() {
    let bench = Bench::new();
    let a = bench.new_node("node", "a");
    Device::set_parent_bus(&a, Some(&bench.top)).unwrap();
    let wire = Obj::<Bus>::new(bench.qom.create("wire").unwrap()).unwrap();
    bench.equip(wire.as_object(), "w");
    Bus::place(&wire, a.as_object(), None).unwrap();
    a.set_hotplugged();
    Device::realize(&a).unwrap();
    assert_eq!(bench.take(), ["enter w", "enter a", "hold w", "hold a", "exit w", "exit a"]);
    assert_eq!(count(a.as_object()), 0);
}

#[test]
fn who_comes_during_a_reset_is_in_it_and_who_goes_is_out_of_it() {
    let bench = Bench::new();
    let top = bench.top.as_object();
    for _ in 0..2 {
        assert_reset(top, COLD).unwrap();
    }
    bench.take();
    let cold = bench.node("cold", &bench.top);
    assert_eq!((bench.take(), count(cold.as_object())), (vec!["enter cold".into(), "hold cold".into()], 2));
    let hot = bench.new_node("node", "hot");
    Device::set_parent_bus(&hot, Some(&bench.top)).unwrap();
    hot.set_hotplugged();
    Device::realize(&hot).unwrap();
    assert_eq!((bench.take(), count(hot.as_object())), (vec!["enter hot".into(), "hold hot".into()], 2));
    let wire = bench.wire("w", &hot);
    assert_eq!((bench.take(), count(wire.as_object())), (vec!["enter w".into(), "hold w".into()], 2));
    Device::unrealize(&cold).unwrap();
    assert_eq!((bench.take(), count(cold.as_object())), (vec![], 0));
    for _ in 0..2 {
        release_reset(top, COLD).unwrap();
    }
    assert_eq!(bench.take(), ["exit w", "exit hot", "exit top"]);
    Device::realize(&cold).unwrap();
    assert_eq!(count(cold.as_object()), 0);
}

#[test]
fn a_container_resets_what_has_no_bus() {
    let bench = Bench::new();
    let container = bench.qom.create_of::<ResettableContainer>().unwrap();
    let lone = bench.new_node("lone-node", "lone");
    Device::realize(&lone).unwrap();
    for _ in 0..2 {
        ResettableContainer::add(&container, lone.as_object()).unwrap();
        ResettableContainer::add(&container, bench.top.as_object()).unwrap();
    }
    let a = bench.node("a", &bench.top);
    assert_eq!(
        ResettableContainer::add(&container, a.as_object()),
        Err(ResetError::HasParent("/a".to_owned()))
    );
    assert_eq!(
        ResettableContainer::add(&container, bench.qom.root()),
        Err(ResetError::NotResettable("/".to_owned()))
    );
    let all = container.as_object();
    assert_reset(all, COLD).unwrap();
    assert_eq!(bench.take().len(), 6);
    let late = bench.new_node("lone-node", "late");
    Device::realize(&late).unwrap();
    ResettableContainer::add(&container, late.as_object()).unwrap();
    assert_eq!(bench.take(), ["enter late", "hold late"]);
    assert!(ResettableContainer::remove(&container, lone.as_object()));
    assert!(!ResettableContainer::remove(&container, lone.as_object()));
    release_reset(all, COLD).unwrap();
    let mut left = bench.take();
    left.sort();
    assert_eq!(left, ["exit a", "exit late", "exit top"]);
    // A member stays one, realized or not.
    for realized in [true, false] {
        bench.top.as_object().set_value("realized", &realized).unwrap();
        reset(all, COLD).unwrap();
        let log = bench.take();
        assert!(log.contains(&"hold top".to_owned()), "{realized}: {log:?}");
    }
    // It keeps nothing alive.
    late.as_object().unparent();
    drop(late);
    reset(all, COLD).unwrap();
    assert!(!bench.take().iter().any(|step| step.ends_with("late")));
}

/// Methods may reset others; what would begin or end their own reset is refused.
#[test]
fn resets_from_within_a_reset() {
    let bench = Bench::new();
    let (a, b) = (bench.node("a", &bench.top), bench.node("b", &bench.top));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (sink, this, other) = (seen.clone(), Arc::downgrade(a.as_object()), Arc::downgrade(b.as_object()));
    bench.act(
        a.as_object(),
        "a",
        Arc::new(move |phase, _| {
            let (this, other) = (this.upgrade().unwrap(), other.upgrade().unwrap());
            let result = match phase {
                // In the reference a device resets its parts in `hold`, whether they are in a reset or not.
                "hold" => reset(&other, COLD),
                "enter" => release_reset(&this, COLD),
                _ => reset(&this, COLD),
            };
            sink.lock().unwrap().push((phase.to_owned(), result));
        }),
    );
    reset(bench.top.as_object(), COLD).unwrap();
    let busy = || Err(ResetError::Busy("/a".to_owned()));
    assert_eq!(
        *seen.lock().unwrap(),
        [("enter".to_owned(), busy()), ("hold".to_owned(), Ok(())), ("exit".to_owned(), busy())]
    );
    assert_eq!(
        bench.take(),
        ["enter b", "enter top", "hold b", "hold top", "exit b", "exit top"],
        "b is reset once"
    );
    assert_eq!((count(a.as_object()), count(b.as_object())), (0, 0));
}

/// A device whose handler or class fails after it was reset is in no reset.
#[test]
fn a_failed_realize_leaves_no_reset_behind() {
    let mut types = Bootstrap::empty();
    types
        .register(
            TypeInfo::new("bad-bus", "bus", site!()).construct(|seed| seed.finish::<Bus>()).class_init(
                |class| class.data_mut::<BusClass>().realize = |_| Err(Error::msg("no bus today")),
            ),
        )
        .unwrap();
    types.register(TypeInfo::new("good-bus", "bus", site!()).construct(|seed| seed.finish::<Bus>())).unwrap();
    types
        .register(TypeInfo::new("lone", "device", site!()).construct(|seed| seed.finish::<Device>()))
        .unwrap();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    let lone = Obj::<Device>::new(qom.create("lone").unwrap()).unwrap();
    for name in ["good-bus", "bad-bus"] {
        let bus = Obj::<Bus>::new(qom.create(name).unwrap()).unwrap();
        Bus::place(&bus, lone.as_object(), None).unwrap();
    }
    lone.set_hotplugged();
    assert_eq!(Device::realize(&lone).unwrap_err().to_string(), "no bus today");
    assert!(!lone.is_realized() && !lone.child_buses().iter().any(|bus| bus.is_realized()));
    assert_eq!(count(lone.as_object()), 0);
}

/// A tree: for each node after the first, which earlier one it is below.
fn trees() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(any::<usize>(), 0..if cfg!(miri) { 4 } else { 24 })
}

/// Under Miri a few cases, and no file of failures, which it could not write.
fn config() -> ProptestConfig {
    if cfg!(miri) {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2) }
    } else {
        ProptestConfig::with_cases(64)
    }
}

/// One more than the most moves of a case.
const MOVES: usize = if cfg!(miri) { 4 } else { 40 };

/// How often a thread resets and releases.
const ROUNDS: usize = if cfg!(miri) { 1 } else { 20 };

proptest! {
    #![proptest_config(config())]

    /// Over any tree: each phase visits everything below once, children before parents, all enters before any hold,
    /// and resets and releases in any order leave exactly what is still held in reset.
    #[test]
    fn order_and_counts_over_any_tree(
        parents in trees(), moves in proptest::collection::vec((any::<bool>(), any::<usize>()), 0..MOVES),
    ) {
        let bench = Bench::new();
        // Even entries are buses, odd ones devices.
        let mut buses = vec![(bench.top.clone(), 0_usize)];
        let mut objects: Vec<(Arc<dyn Object>, String, Option<usize>)> =
            vec![(bench.top.as_object().clone(), "top".to_owned(), None)];
        for (n, parent) in parents.iter().enumerate() {
            let (bus, above) = buses[parent % buses.len()].clone();
            let node = bench.node(&format!("n{n}"), &bus);
            objects.push((node.as_object().clone(), format!("n{n}"), Some(above)));
            if parent % 3 != 0 {
                let wire = bench.wire(&format!("w{n}"), &node);
                buses.push((wire.clone(), objects.len()));
                objects.push((wire.as_object().clone(), format!("w{n}"), Some(objects.len() - 1)));
            }
        }
        let is_below = |mut at: usize, top: usize| loop {
            if at == top { return true; }
            match objects[at].2 { Some(up) => at = up, None => return false }
        };
        let mut own = vec![0_u32; objects.len()];
        let held = |own: &[u32], at: usize| -> u32 {
            (0..own.len()).filter(|top| is_below(at, *top)).map(|top| own[top]).sum()
        };
        bench.take();
        for (enter, pick) in moves {
            let top = pick % objects.len();
            let before: Vec<u32> = (0..objects.len()).map(|at| held(&own, at)).collect();
            let possible = enter || own[top] > 0;
            if !possible {
                // What is held from above only is not this one's to release; the model knows, so do not ask.
                if before[top] == 0 {
                    prop_assert!(release_reset(&objects[top].0, COLD).is_err());
                }
                continue;
            }
            if enter {
                assert_reset(&objects[top].0, COLD).unwrap();
                own[top] += 1;
            } else {
                release_reset(&objects[top].0, COLD).unwrap();
                own[top] -= 1;
            }
            let log = bench.take();
            let changed: Vec<usize> = (0..objects.len())
                .filter(|at| is_below(*at, top) && (before[*at] == 0) != (held(&own, *at) == 0))
                .collect();
            let phases: &[&str] = if enter { &["enter", "hold"] } else { &["exit"] };
            prop_assert_eq!(log.len(), changed.len() * phases.len());
            for (n, phase) in phases.iter().enumerate() {
                let part = &log[n * changed.len()..(n + 1) * changed.len()];
                let place = |at: usize| part.iter().position(|step| *step == format!("{phase} {}", objects[at].1));
                for at in &changed {
                    let mine = place(*at);
                    prop_assert!(mine.is_some(), "{} of {} in {:?}", phase, objects[*at].1, part);
                    if let Some(up) = objects[*at].2.filter(|up| changed.contains(up)) {
                        prop_assert!(mine < place(up), "children first in {:?}", part);
                    }
                }
            }
            for (at, (object, label, _)) in objects.iter().enumerate() {
                prop_assert_eq!(count(object), held(&own, at), "{}", label);
            }
        }
    }

    /// Many threads: the counts are right and every in has its out.
    #[test]
    fn counts_hold_between_threads(depth in 1_usize..if cfg!(miri) { 3 } else { 5 }) {
        let bench = Bench::new();
        let mut buses = vec![bench.top.clone()];
        for n in 0..depth {
            let node = bench.node(&format!("n{n}"), &buses[n]);
            buses.push(bench.wire(&format!("w{n}"), &node));
        }
        bench.take();
        std::thread::scope(|scope| {
            for bus in &buses {
                scope.spawn(move || for _ in 0..ROUNDS {
                    // Another thread's exit is a reason to wait.
                    while assert_reset(bus.as_object(), COLD).is_err() { std::thread::yield_now(); }
                    while release_reset(bus.as_object(), COLD).is_err() { std::thread::yield_now(); }
                });
            }
        });
        for bus in &buses {
            prop_assert_eq!(count(bus.as_object()), 0);
        }
        let log = bench.take();
        let of = |phase: &str| log.iter().filter(|step| step.starts_with(phase)).count();
        prop_assert_eq!(of("enter"), of("exit"));
        prop_assert_eq!(of("enter"), of("hold"));
    }
}
