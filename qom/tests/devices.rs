//! Devices: realize as a transaction, the way back, hotplug handlers, ids, and when properties can be set.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use qom::{
    Bootstrap, ClassInit, Container, Device, DeviceClass, DeviceError, Error, Field, HotplugHandler, Input,
    Instance, Obj, Origin, Qom, TypeInfo, site,
};

/// What happened, in order, and at which step it shall go wrong.
#[derive(Debug, Default)]
struct Script {
    log: Mutex<Vec<String>>,
    fail_at: Mutex<Option<String>>,
}

impl Script {
    fn step(&self, step: String) -> Result<(), Error> {
        let fails = self.fail_at.lock().unwrap().as_deref() == Some(step.as_str());
        let result = if fails { Err(Error::msg(format!("no {step}"))) } else { Ok(()) };
        self.log.lock().unwrap().push(step);
        result
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn fail_at(&self, step: Option<&str>) {
        *self.fail_at.lock().unwrap() = step.map(str::to_owned);
    }
}

/// A board that looks after parts.
#[derive(Debug, qom::derive::Object)]
#[object(name = "board", interfaces(dyn HotplugHandler))]
struct Board {
    parent: Container,
    script: Field<Arc<Script>>,
}

impl Board {
    fn step(&self, step: &str, device: &Obj<Device>) -> Result<(), Error> {
        self.script.get().step(format!("{step} {}", name(device)))
    }
}

impl HotplugHandler for Board {
    fn handles(&self, device: &Obj<Device>) -> bool {
        device.as_object().class().is_a("part")
    }

    fn pre_plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        assert!(!device.is_realized());
        device.as_object().set_value("slot", &5_u32)?;
        self.step("pre_plug", device)
    }

    fn plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        self.step("plug", device)
    }

    fn unplug_request(&self, device: &Obj<Device>) -> Result<(), Error> {
        self.step("unplug_request", device)
    }

    fn unplug(&self, device: &Obj<Device>) -> Result<(), Error> {
        self.step("unplug", device)
    }
}

#[derive(Debug, qom::derive::Object)]
#[object(name = "part", class_init = Part::class_init)]
struct Part {
    parent: Device,
    #[property(get, set, default = 0)]
    slot: Field<u32>,
    #[property(get, set, default = 0, settable_after_realize)]
    tuning: Field<u32>,
    /// Parts that realize makes and realizes below this one.
    #[property(get, set, default = 0)]
    pins: Field<u32>,
    script: Field<Arc<Script>>,
    system: Field<Option<Arc<Qom>>>,
}

fn name(device: &Obj<Device>) -> String {
    let name = device.as_object().core().parent().map(|(_, name)| name.to_string());
    device.id().or(name).unwrap_or_else(|| "nowhere".to_owned())
}

impl Part {
    fn class_init(class: &mut ClassInit<'_>) {
        let device = class.data_mut::<DeviceClass>();
        device.realize = Part::realize;
        device.unrealize = |device| {
            let part = device.cast::<Part>().unwrap();
            part.script.get().step(format!("unrealize {}", name(device))).unwrap();
        };
    }

    fn realize(device: &Obj<Device>) -> Result<(), Error> {
        let part = device.cast::<Part>().unwrap();
        let script = part.script.get();
        script.step(format!("realize {}", name(device)))?;
        for n in 0..part.pins.get() {
            let pin = new_part(&part.system.get().unwrap(), &script, "pin");
            device.as_object().add_child(&format!("pin{n}"), pin.as_object())?;
            Device::realize(&pin)?;
        }
        script.step(format!("finish {}", name(device)))
    }
}

fn new_part(qom: &Arc<Qom>, script: &Arc<Script>, type_name: &str) -> Obj<Device> {
    let part = Obj::<Part>::new(qom.create(type_name).unwrap()).unwrap();
    part.script.set(script.clone());
    part.system.set(Some(qom.clone()));
    part.cast().unwrap()
}

struct Bench {
    qom: Arc<Qom>,
    script: Arc<Script>,
}

impl Bench {
    fn new() -> Self {
        let mut types = Bootstrap::empty();
        for info in [
            Board::type_info(),
            Part::type_info(),
            TypeInfo::new("fixed-part", "part", site!())
                .class_init(|class| class.data_mut::<DeviceClass>().hotpluggable = false),
            TypeInfo::new("pin", "part", site!()),
            TypeInfo::new("stranger", "device", site!()).construct(|seed| seed.finish::<Device>()),
        ] {
            types.register(info).unwrap();
        }
        let accel = types.create("container").unwrap();
        let qom = types.accel_ready(accel).unwrap().seal().unwrap();
        let script = Arc::new(Script::default());
        let board = qom.create_of::<Board>().unwrap();
        board.script.set(script.clone());
        qom.root().add_child("machine", board.as_object()).unwrap();
        qom.container("/machine/unattached").unwrap();
        qom.container("/machine/peripheral").unwrap();
        Self { qom, script }
    }

    fn part(&self) -> Obj<Device> {
        new_part(&self.qom, &self.script, "part")
    }

    fn plugged(&self, id: &str) -> Obj<Device> {
        let part = self.part();
        part.set_id(id).unwrap();
        self.qom.resolve("/machine/peripheral").unwrap().add_child(id, part.as_object()).unwrap();
        part
    }

    fn unattached(&self) -> usize {
        self.qom.resolve("/machine/unattached").unwrap().core().children().len()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Parts hold the system; without this they would hold it for good.
        for object in self.qom.resolve("/machine").map(|m| m.core().children()).unwrap_or_default() {
            object.1.unparent();
        }
    }
}

#[test]
fn realize_asks_the_handler_before_and_tells_it_after() {
    let bench = Bench::new();
    let part = bench.part();
    Device::realize(&part).unwrap();
    assert_eq!(
        bench.script.take(),
        ["pre_plug device[0]", "realize device[0]", "finish device[0]", "plug device[0]"]
    );
    assert!(part.is_realized());
    assert_eq!(part.as_object().canonical_path(), "/machine/unattached/device[0]");
    assert_eq!(part.as_object().get("slot").unwrap(), 5, "pre_plug configures it");
    assert_eq!(part.as_object().origin_of("slot"), Origin::Machine);
    // Once more is nothing.
    Device::realize(&part).unwrap();
    part.as_object().set_value("realized", &true).unwrap();
    assert_eq!(bench.script.take(), [""; 0]);

    Device::unplug(&part).unwrap();
    assert_eq!(bench.script.take(), ["unplug device[0]", "unrealize device[0]"]);
    assert!(!part.is_realized() && !part.as_object().is_in_tree());
    Device::unrealize(&part).unwrap();
    assert_eq!(bench.script.take(), [""; 0]);
    // It can come back.
    Device::realize(&part).unwrap();
    assert!(part.is_realized() && bench.unattached() == 1);
}

#[test]
fn a_realize_that_fails_at_any_step_leaves_nothing() {
    let steps: [(&str, &[&str]); 6] = [
        ("pre_plug device[0]", &["pre_plug device[0]"]),
        ("realize device[0]", &["pre_plug device[0]", "realize device[0]"]),
        ("realize pin0", &["pre_plug device[0]", "realize device[0]", "pre_plug pin0", "realize pin0"]),
        (
            "plug pin1",
            &[
                "pre_plug device[0]",
                "realize device[0]",
                "pre_plug pin0",
                "realize pin0",
                "finish pin0",
                "plug pin0",
                "pre_plug pin1",
                "realize pin1",
                "finish pin1",
                "plug pin1",
                "unrealize pin1",
                "unplug pin0",
                "unrealize pin0",
            ],
        ),
        (
            "finish device[0]",
            &[
                "pre_plug device[0]",
                "realize device[0]",
                "pre_plug pin0",
                "realize pin0",
                "finish pin0",
                "plug pin0",
                "pre_plug pin1",
                "realize pin1",
                "finish pin1",
                "plug pin1",
                "finish device[0]",
                "unplug pin1",
                "unrealize pin1",
                "unplug pin0",
                "unrealize pin0",
            ],
        ),
        (
            "plug device[0]",
            &[
                "pre_plug device[0]",
                "realize device[0]",
                "pre_plug pin0",
                "realize pin0",
                "finish pin0",
                "plug pin0",
                "pre_plug pin1",
                "realize pin1",
                "finish pin1",
                "plug pin1",
                "finish device[0]",
                "plug device[0]",
                "unplug pin1",
                "unrealize pin1",
                "unplug pin0",
                "unrealize pin0",
                "unrealize device[0]",
            ],
        ),
    ];
    for (step, log) in steps {
        let bench = Bench::new();
        let part = bench.part();
        part.as_object().set_value("pins", &2_u32).unwrap();
        bench.script.fail_at(Some(step));
        let error = Device::realize(&part).unwrap_err();
        assert_eq!(error.to_string(), format!("no {step}"));
        assert_eq!(bench.script.take(), log, "failing at {step}");
        assert!(!part.is_realized(), "{step}");
        assert_eq!(bench.unattached(), 0, "{step}");
        assert!(part.as_object().core().parent().is_none(), "{step}");
        assert!(part.as_object().core().children().is_empty(), "{step}");
        // The device is as it was before: it can be configured and realized.
        bench.script.fail_at(None);
        part.as_object().set_value("pins", &1_u32).unwrap();
        Device::realize(&part).unwrap();
        assert_eq!(part.as_object().core().children().len(), 1);
        assert_eq!(part.as_object().canonical_path(), "/machine/unattached/device[0]");
    }
}

/// What was there before a failed realize stays as it was.
#[test]
fn a_failed_realize_takes_back_only_its_own() {
    let bench = Bench::new();
    let part = bench.plugged("p");
    let (old, idle) =
        (new_part(&bench.qom, &bench.script, "pin"), new_part(&bench.qom, &bench.script, "pin"));
    part.as_object().add_child("old", old.as_object()).unwrap();
    part.as_object().add_child("idle", idle.as_object()).unwrap();
    Device::realize(&old).unwrap();
    bench.script.fail_at(Some("plug p"));
    part.as_object().set_value("pins", &1_u32).unwrap();
    assert!(Device::realize(&part).is_err());
    assert!(old.is_realized() && !idle.is_realized());
    let names: Vec<_> = part.as_object().core().children().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["old".into(), "idle".into()] as [Arc<str>; 2]);
    assert_eq!(part.as_object().canonical_path(), "/machine/peripheral/p", "a given place is kept");
}

#[test]
fn unrealize_goes_backwards_and_a_refusal_changes_nothing() {
    let bench = Bench::new();
    let part = bench.plugged("p");
    part.as_object().set_value("pins", &2_u32).unwrap();
    Device::realize(&part).unwrap();
    bench.script.take();
    bench.script.fail_at(Some("unplug p"));
    assert_eq!(Device::unplug(&part).unwrap_err().to_string(), "no unplug p");
    assert_eq!(bench.script.take(), ["unplug p"]);
    assert!(part.is_realized() && part.as_object().is_in_tree());
    bench.script.fail_at(None);
    part.as_object().set_value("realized", &false).unwrap();
    assert_eq!(
        bench.script.take(),
        ["unplug p", "unplug pin1", "unrealize pin1", "unplug pin0", "unrealize pin0", "unrealize p"]
    );
    assert!(part.as_object().is_in_tree(), "unrealized, not removed");
}

#[test]
fn what_leaves_the_tree_is_unrealized_first() {
    let bench = Bench::new();
    let part = bench.plugged("p");
    part.as_object().set_value("pins", &1_u32).unwrap();
    Device::realize(&part).unwrap();
    bench.script.take();
    // A refusal is not heard: the container goes in any case.
    bench.script.fail_at(Some("unplug p"));
    bench.qom.resolve("/machine/peripheral").unwrap().unparent();
    assert_eq!(bench.script.take(), ["unplug p", "unplug pin0", "unrealize pin0", "unrealize p"]);
    assert!(!part.is_realized());
}

/// QEMU 11.1's texts, of `qom-set` on a plugged and on a boot CPU.
#[test]
fn properties_are_fixed_by_realize() {
    let bench = Bench::new();
    let (named, nameless) = (bench.plugged("c"), bench.part());
    for device in [&named, &nameless] {
        device.as_object().set("slot", &Input::Text("1"), Origin::CommandLine).unwrap();
        Device::realize(device).unwrap();
    }
    let set = |device: &Obj<Device>, name: &str| {
        device.as_object().set(name, &Input::Text("true"), Origin::Monitor).map_err(|error| error.to_string())
    };
    assert_eq!(
        set(&named, "slot").unwrap_err(),
        "Attempt to set property 'slot' on device 'c' (type 'part') after it was realized"
    );
    assert_eq!(
        set(&nameless, "slot").unwrap_err(),
        "Attempt to set property 'slot' on anonymous device (type 'part') after it was realized"
    );
    assert_eq!(named.as_object().origin_of("slot"), Origin::Machine, "what failed leaves no trace");
    assert_eq!(set(&named, "hotplugged").unwrap_err(), "Property 'part.hotplugged' is not writable");
    assert_eq!(set(&named, "type").unwrap_err(), "Property 'part.type' is not writable");
    assert_eq!(set(&named, "nope").unwrap_err(), "Property 'part.nope' not found");
    assert_eq!(named.as_object().get("nope").unwrap_err().to_string(), "Property 'part.nope' not found");
    assert_eq!(set(&named, "tuning").unwrap_err(), "Parameter 'tuning' expects uint64");
    named.as_object().set("tuning", &Input::Text("4"), Origin::Monitor).unwrap();
    assert_eq!(named.as_object().get("tuning").unwrap(), 4);
    assert_eq!(named.as_object().origin_of("tuning"), Origin::Monitor);
    Device::unrealize(&named).unwrap();
    named.as_object().set("slot", &Input::Text("2"), Origin::Monitor).unwrap();
}

#[test]
fn hotplug_rules() {
    let bench = Bench::new();
    let fixed = new_part(&bench.qom, &bench.script, "fixed-part");
    Device::realize(&fixed).unwrap();
    assert_eq!(fixed.as_object().get("hotpluggable").unwrap(), false);
    assert_eq!(
        Device::request_unplug(&fixed).unwrap_err().to_string(),
        "Device 'fixed-part' does not support hotplugging"
    );
    let late = new_part(&bench.qom, &bench.script, "fixed-part");
    late.set_hotplugged();
    assert_eq!(late.as_object().get("hotplugged").unwrap(), true);
    bench.script.take();
    assert_eq!(
        Device::realize(&late).unwrap_err().to_string(),
        "Device 'fixed-part' does not support hotplugging"
    );
    assert_eq!((bench.script.take().len(), bench.unattached()), (0, 1), "refused before anything was done");

    // Nobody looks after a stranger: it is realized all the same, and cannot be taken out.
    let stranger = Obj::<Device>::new(bench.qom.create("stranger").unwrap()).unwrap();
    Device::realize(&stranger).unwrap();
    assert!(matches!(
        Device::request_unplug(&stranger).unwrap_err(),
        Error::Object { source, .. } if source.downcast_ref::<DeviceError>().is_some_and(|e| matches!(e, DeviceError::NoHandler(name) if name == "stranger"))
    ));
    assert_eq!(bench.script.take(), [""; 0]);

    // A request is the guest's to grant: the handler hears of it and nothing else happens.
    let part = bench.plugged("p");
    Device::realize(&part).unwrap();
    bench.script.take();
    Device::request_unplug(&part).unwrap();
    assert_eq!(bench.script.take(), ["unplug_request p"]);
    assert!(part.is_realized());
}

#[test]
fn without_a_machine_a_device_is_realized_where_it_is() {
    let mut types = Bootstrap::empty();
    types
        .register(TypeInfo::new("lone", "device", site!()).construct(|seed| seed.finish::<Device>()))
        .unwrap();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    let lone = Obj::<Device>::new(qom.create("lone").unwrap()).unwrap();
    Device::realize(&lone).unwrap();
    assert!(lone.is_realized() && lone.as_object().core().parent().is_none());
}

fn is_outside(error: &Error) -> bool {
    matches!(error, Error::Object { source, .. } if matches!(source.downcast_ref(), Some(DeviceError::OutsideTree(_))))
}

#[test]
fn with_a_machine_no_device_is_realized_outside_the_tree() {
    let bench = Bench::new();
    let part = bench.part();
    let above = bench.qom.create("container").unwrap();
    above.add_child("part", part.as_object()).unwrap();
    let error = Device::realize(&part).unwrap_err();
    assert!(is_outside(&error));
    assert_eq!(error.to_string(), "device 'part' is outside the tree");
    assert!(!part.is_realized() && bench.script.take().is_empty() && bench.unattached() == 0);
    // In the tree it is realized, and unrealized when what is above it leaves.
    bench.qom.root().add_child("above", &above).unwrap();
    Device::realize(&part).unwrap();
    assert!(above.unparent());
    drop(above);
    assert!(!part.is_realized() && !part.as_object().is_in_tree());
    assert_eq!(
        bench.script.take(),
        ["pre_plug part", "realize part", "finish part", "plug part", "unplug part", "unrealize part"]
    );
}

/// What takes the device out from within its realize finds it not realized yet.
#[test]
fn a_device_that_leaves_while_it_is_realized_is_unrealized() {
    let mut types = Bootstrap::empty();
    static UNREALIZED: AtomicUsize = AtomicUsize::new(0);
    types
        .register(
            TypeInfo::new("leaver", "device", site!()).construct(|seed| seed.finish::<Device>()).class_init(
                |class| {
                    let methods = class.data_mut::<DeviceClass>();
                    methods.realize = |device| {
                        let (above, _) = device.as_object().core().parent().unwrap();
                        assert!(above.unparent());
                        Ok(())
                    };
                    methods.unrealize = |_| {
                        UNREALIZED.fetch_add(1, Ordering::Relaxed);
                    };
                },
            ),
        )
        .unwrap();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    qom.container("/machine/unattached").unwrap();
    let above = qom.container("/machine/above").unwrap();
    let leaver = Obj::<Device>::new(qom.create("leaver").unwrap()).unwrap();
    above.add_child("leaver", leaver.as_object()).unwrap();
    assert!(is_outside(&Device::realize(&leaver).unwrap_err()));
    assert!(!leaver.is_realized() && !above.is_in_tree());
    assert_eq!(UNREALIZED.load(Ordering::Relaxed), 1);
}

/// QEMU 11.1 answers `Invalid qdev ID '1d'` and `… 'd/e'`.
#[test]
fn ids_begin_with_a_letter() {
    let bench = Bench::new();
    let part = bench.part();
    for id in ["", "1d", "d/e", "-a", "_a", "a b", "ä", "a,b", "#block1"] {
        assert_eq!(part.set_id(id).unwrap_err().to_string(), format!("Invalid qdev ID '{id}'"));
        assert_eq!(part.id(), None);
    }
    for id in ["d", "cpu-1", "A.b_c-9"] {
        part.set_id(id).unwrap();
        assert_eq!(part.id().as_deref(), Some(id));
    }
}

/// Realizing from within realize is refused instead of recursing without end.
#[test]
fn a_device_cannot_be_realized_from_within_its_own_realize() {
    let mut types = Bootstrap::empty();
    types
        .register(
            TypeInfo::new("eager", "device", site!()).construct(|seed| seed.finish::<Device>()).class_init(
                |class| {
                    class.data_mut::<DeviceClass>().realize =
                        |device| device.as_object().set_value("realized", &true).map_err(Error::from);
                },
            ),
        )
        .unwrap();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    let eager = Obj::<Device>::new(qom.create("eager").unwrap()).unwrap();
    assert_eq!(
        Device::realize(&eager).unwrap_err().to_string(),
        "device 'eager' is being realized or unrealized"
    );
    assert!(!eager.is_realized());
}

#[test]
fn many_threads_realize_and_unplug() {
    const THREADS: usize = if cfg!(miri) { 2 } else { 4 };
    const ROUNDS: usize = if cfg!(miri) { 2 } else { 100 };
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let part = bench.part();
                    Device::realize(&part).unwrap();
                    Device::unplug(&part).unwrap();
                }
            });
        }
    });
    assert_eq!(bench.unattached(), 0);
    let log = bench.script.take();
    assert_eq!(log.iter().filter(|step| step.starts_with("plug ")).count(), THREADS * ROUNDS);
    assert_eq!(log.iter().filter(|step| step.starts_with("unrealize ")).count(), THREADS * ROUNDS);
}
