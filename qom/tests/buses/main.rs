//! Buses: names, devices on them and their links, what may go where, finding one, and devices with buses realized as
//! one transaction. Texts are those that QEMU 11.1.2 answered to `device_add`, `device_del` and `qom-set` on `-M pc`.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod bench;

use std::sync::Arc;

use proptest::prelude::*;
use qom::bus::{SYSTEM_BUS_PATH, find_bus, find_bus_of_type};
use qom::{Bus, BusError, Device, DeviceError, ErrorClass, Input, Obj, Object, Origin};

use bench::{Bench, Board, new_bridge};

fn entries(object: &Arc<dyn Object>, prefix: &str) -> Vec<String> {
    let entries = object.properties().into_iter().filter(|entry| entry.name.starts_with(prefix));
    entries.map(|entry| format!("{}: {}", entry.name, entry.type_name)).collect()
}

/// QEMU 11.1.2: `qom-list` of `/machine/unattached/sysbus` has `type`, `realized`, `hotplug-handler` and
/// `child[N]: link<TYPE>`; `parent_bus` of a device on it reads `/machine/unattached/sysbus`, that of a CPU reads empty.
#[test]
fn a_bus_shows_its_devices_and_a_device_its_bus() {
    let bench = Bench::new();
    let system = bench.qom.resolve(SYSTEM_BUS_PATH).unwrap();
    assert_eq!(
        entries(&system, ""),
        ["type: string", "realized: bool", "hotplug-handler: link<hotplug-handler>", "child[0]: link<host>"]
    );
    assert_eq!(system.get("realized").unwrap(), false);
    assert_eq!(system.get("hotplug-handler").unwrap(), "");
    assert_eq!(system.get("child[0]").unwrap(), "/machine/unattached/device[0]");
    for name in ["child[1]", "child[00]", "child[+0]", "child[]", "child[-1]", "child[99999999999999999999]"]
    {
        let error = system.get(name).unwrap_err().to_string();
        assert_eq!(error, format!("Property 'System.{name}' not found"));
    }
    let set = |object: &Arc<dyn Object>, name: &str, value: &str| {
        object.set(name, &Input::Json(&value.into()), Origin::Monitor).map_err(|error| error.to_string())
    };
    assert_eq!(set(&system, "child[0]", "").unwrap_err(), "Property 'System.child[0]' is not writable");
    assert_eq!(
        set(bench.host.as_object(), "parent_bus", "").unwrap_err(),
        "Property 'host.parent_bus' is not writable"
    );
    assert_eq!(
        set(&system, "hotplug-handler", SYSTEM_BUS_PATH).unwrap_err(),
        "Invalid parameter type for 'hotplug-handler', expected: hotplug-handler"
    );
    set(&system, "hotplug-handler", "/machine").unwrap();
    assert_eq!(system.get("hotplug-handler").unwrap(), "/machine");
    assert_eq!(
        system.set("realized", &Input::Json(&5.into()), Origin::Monitor).unwrap_err().to_string(),
        "Invalid parameter type for 'realized', expected: boolean"
    );

    let host = bench.host.as_object();
    assert_eq!(entries(host, "parent_bus"), ["parent_bus: link<bus>"]);
    assert_eq!(host.get("parent_bus").unwrap(), SYSTEM_BUS_PATH);
    assert_eq!(entries(host, "pci.0"), ["pci.0: child<PCI>"]);
    assert_eq!(bench.pci.owner().unwrap().as_object().canonical_path(), host.canonical_path());
    let loose = bench.qom.create("loose").unwrap();
    assert_eq!(loose.get("parent_bus").unwrap(), "");
    // A path leads through the link.
    assert_eq!(
        bench.qom.resolve("/machine/unattached/sysbus/child[0]/pci.0").unwrap().canonical_path(),
        "/machine/unattached/device[0]/pci.0"
    );

    // Numbers are not given twice.
    let (a, b) = (bench.card("a", &bench.pci), bench.card("b", &bench.pci));
    assert_eq!(entries(bench.pci.as_object(), "child"), ["child[0]: link<card>", "child[1]: link<card>"]);
    a.as_object().unparent();
    drop(a);
    let _c = bench.card("c", &bench.pci);
    assert_eq!(entries(bench.pci.as_object(), "child"), ["child[1]: link<card>", "child[2]: link<card>"]);
    assert_eq!(bench.pci.as_object().get("child[1]").unwrap(), "/machine/peripheral/b");
    b.as_object().set_value("slot", &3_u32).unwrap();
    assert_eq!(Device::bus_path(&b).as_deref(), Some("pci.0:3"));
    assert_eq!(Device::bus_path(&bench.host), None);
}

#[test]
fn a_bus_is_named_after_its_owner_or_its_type() {
    let bench = Bench::new();
    assert_eq!(bench.pci.name(), "pci.0");
    let nameless = new_bridge(&bench.qom, &bench.script, "card");
    assert_eq!(bench.bus("PCI", &nameless, None).name(), "pci.1");
    assert_eq!(bench.bus("PCIE", &nameless, None).name(), "pcie.0");
    let named = bench.unplugged("card", "br");
    assert_eq!(bench.bus("PCI", &named, None).name(), "br.0");
    assert_eq!(bench.bus("PCIE", &named, None).name(), "br.1");
    assert_eq!(bench.bus("PCI", &named, Some("own")).name(), "own");
    let buses: Vec<_> = named.child_buses().iter().map(|bus| bus.name()).collect();
    assert_eq!(buses, ["br.0", "br.1", "own"]);
    let twice = Obj::<Bus>::new(bench.qom.create("PCI").unwrap()).unwrap();
    assert!(Bus::place(&twice, named.as_object(), Some("own")).is_err());
    assert!(twice.as_object().core().parent().is_none());
}

#[test]
fn what_does_not_fit_stays_where_it_was() {
    let bench = Bench::new();
    let refused = |device: &Obj<Device>, bus: &Obj<Bus>| {
        Device::set_parent_bus(device, Some(bus)).unwrap_err().to_string()
    };
    let system = Obj::<Bus>::new(bench.qom.resolve(SYSTEM_BUS_PATH).unwrap()).unwrap();
    let a = bench.card("a", &bench.pci);
    assert_eq!(refused(&a, &system), "Device 'card' can't go on System bus");
    let loose = Obj::<Device>::new(bench.qom.create("loose").unwrap()).unwrap();
    assert_eq!(refused(&loose, &bench.pci), "Device 'loose' can't go on PCI bus");

    let single = bench.bus("single", &bench.host, Some("one"));
    let b = bench.card("b", &single);
    assert!(single.is_full() && !bench.pci.is_full());
    assert_eq!(refused(&a, &single), "Bus 'one' is full");
    Device::set_parent_bus(&b, Some(&single)).unwrap();
    assert_eq!(single.devices().len(), 1, "to where it is, is no move");

    a.as_object().set_value("slot", &4_u32).unwrap();
    let c = bench.unplugged("card", "c");
    c.as_object().set_value("slot", &4_u32).unwrap();
    assert_eq!(refused(&c, &bench.pci), "slot 4 of pci.0 is in use");
    assert!(c.parent_bus().is_none());

    // No device is behind itself.
    let own = bench.bus("PCI", &a, None);
    let behind = bench.card("behind", &own);
    let deeper = bench.bus("PCI", &behind, None);
    for bus in [&own, &deeper] {
        assert!(matches!(Device::set_parent_bus(&a, Some(bus)), Err(BusError::Cycle(id)) if id == "a"));
    }
    assert_eq!(a.parent_bus().unwrap().name(), "pci.0");
    assert_eq!(bench.pci.devices().len(), 1);

    Device::realize(&a).unwrap();
    assert!(matches!(Device::set_parent_bus(&a, None), Err(BusError::Realized(_))));
    let needy = new_bridge(&bench.qom, &bench.script, "card");
    let error = Device::realize(&needy).unwrap_err().to_string();
    assert_eq!(error, "No 'PCI' bus found for device 'card'");
    assert!(needy.as_object().core().parent().is_none());

    let other = Bench::new();
    assert!(matches!(Device::set_parent_bus(&needy, Some(&other.pci)), Err(BusError::OtherSystem { .. })));
}

/// Each pair was asked of QEMU 11.1.2 with its own devices in the place of these.
#[test]
fn a_bus_is_found_by_name_and_by_path() {
    let bench = Bench::new();
    let br = bench.card("br", &bench.pci);
    bench.bus("PCI", &br, None);
    let two = bench.card("two", &bench.pci);
    bench.bus("PCI", &two, Some("left"));
    bench.bus("PCI", &two, Some("right"));
    let _bare = bench.card("bare", &bench.pci);
    for (path, found) in [
        ("main-system-bus", "main-system-bus"),
        ("/", "main-system-bus"),
        ("pci.0", "pci.0"),
        ("pci.0/", "pci.0"),
        ("br.0", "br.0"),
        ("/host", "pci.0"),
        ("/host/pci.0/", "pci.0"),
        ("/host/pci.0/br", "br.0"),
        ("pci.0/two//right", "right"),
        ("left", "left"),
    ] {
        assert_eq!(bench.find(path).as_deref(), Ok(found), "{path}");
    }
    for (path, error) in [
        ("nope", "Bus 'nope' not found"),
        ("", "Bus '' not found"),
        ("nope/x", "Bus 'nope' not found"),
        ("/x/y", "Device 'x' not found"),
        ("pci.0/zz", "Device 'zz' not found"),
        ("/host/pci.1", "Bus 'pci.1' not found"),
        ("/host/pci.0/bare", "Device 'bare' has no child bus"),
        ("/host/pci.0/two", "Device 'two' has multiple child buses"),
    ] {
        assert_eq!(bench.find(path).unwrap_err(), error, "{path}");
    }
    assert_eq!(find_bus(bench.qom.root(), "/x/y").unwrap_err().class(), ErrorClass::DeviceNotFound);
    assert_eq!(find_bus(bench.qom.root(), "x").unwrap_err().class(), ErrorClass::GenericError);

    // By type: one that is full is passed over, and named only when all are.
    let by_type = |bus_type: &str| {
        find_bus_of_type(bench.qom.root(), bus_type, "d").map(|bus| bus.name()).map_err(|e| e.to_string())
    };
    assert_eq!(by_type("SCSI").unwrap_err(), "No 'SCSI' bus found for device 'd'");
    let one = bench.bus("single", &br, Some("one"));
    assert_eq!(by_type("single").as_deref(), Ok("one"));
    let _guest = bench.card("guest", &one);
    assert_eq!(by_type("single").unwrap_err(), "A 'single' bus was found but is full");
    assert_eq!(bench.find("one").unwrap_err(), "Bus 'one' is full");
    assert_eq!(bench.find("pci.0/br/one").unwrap_err(), "Bus 'pci.0/br/one' is full");
    assert_eq!(by_type("PCI").as_deref(), Ok("pci.0"));
}

#[test]
fn the_handler_is_the_machines_or_the_buss() {
    let bench = Bench::new();
    let board = Obj::<Board>::new(bench.qom.resolve("/machine").unwrap()).unwrap();
    let (plain, special) = (bench.card("plain", &bench.pci), bench.unplugged("special", "special"));
    Device::set_parent_bus(&special, Some(&bench.pci)).unwrap();
    for device in [&plain, &special] {
        Device::realize(device).unwrap();
    }
    assert_eq!(
        bench.script.take(),
        [
            "pre_plug plain",
            "realize plain",
            "finish plain",
            "plug plain",
            "realize special",
            "finish special"
        ]
    );
    assert_eq!(board.plugged.get(), ["special"]);
    assert_eq!(Device::request_unplug(&special).unwrap_err().to_string(), "the board keeps it");
    Device::request_unplug(&plain).unwrap();
    assert_eq!(bench.script.take(), ["unplug_request plain", "unplug plain", "unrealize plain"]);
    assert_eq!(bench.pci.devices().len(), 1);
    assert!(plain.parent_bus().is_none() && !plain.as_object().is_in_tree());

    let hotpluggable = |device: &Obj<Device>| device.as_object().get("hotpluggable").unwrap();
    assert_eq!((hotpluggable(&special), hotpluggable(&bench.host)), (true.into(), false.into()));
    assert_eq!(
        Device::request_unplug(&bench.host).unwrap_err().to_string(),
        "Bus 'main-system-bus' does not support hotplugging"
    );
    let cold = bench.bus("PCI", &bench.host, Some("cold.0"));
    cold.set_hotplug_handler(Some(bench.host.as_object()));
    let refused = |device: &Obj<Device>, bus| Device::check_hotplug(device, bus).unwrap_err();
    assert!(
        matches!(refused(&plain, Some(&cold)), DeviceError::BusNotHotpluggable(name) if name == "cold.0")
    );
    assert!(matches!(refused(&plain, None), DeviceError::NoHandler(name) if name == "card"));
    let fixed = bench.unplugged("fixed", "fixed");
    assert!(matches!(refused(&fixed, Some(&bench.pci)), DeviceError::NotHotpluggable(_)));
    assert!(Device::check_hotplug(&plain, Some(&bench.pci)).is_ok());
    // A handler that is gone is none.
    bench.host.as_object().unparent();
    assert!(Device::check_hotplug(&special, None).is_ok());
}

/// QEMU 11.1.2: `qom-set realized` of a bus to false unrealizes the device on it, and back to true does not realize it.
#[test]
fn a_bus_goes_with_its_owner() {
    let bench = Bench::new();
    let br = bench.card("br", &bench.pci);
    let bus = bench.bus("PCI", &br, None);
    bus.set_hotplug_handler(Some(bench.host.as_object()));
    let (a, b) = (bench.card("a", &bus), bench.card("b", &bus));
    Device::realize(&br).unwrap();
    assert!(bus.is_realized() && !a.is_realized());
    for device in [&a, &b] {
        Device::realize(device).unwrap();
    }
    bench.script.take();
    bus.as_object().set_value("realized", &false).unwrap();
    assert_eq!(bench.script.take(), ["unplug b", "unrealize b", "unplug a", "unrealize a"]);
    bus.as_object().set_value("realized", &true).unwrap();
    assert!(bus.is_realized() && !a.is_realized());
    for device in [&a, &b] {
        Device::realize(device).unwrap();
    }
    bench.script.take();
    Device::unrealize(&br).unwrap();
    assert_eq!(
        bench.script.take(),
        ["unplug br", "unplug b", "unrealize b", "unplug a", "unrealize a", "unrealize br"]
    );
    assert!(!bus.is_realized());
    assert_eq!(bus.devices().len(), 2, "unrealized, not removed");
    // What is taken out takes along what is behind it, wherever that hangs.
    br.as_object().unparent();
    for device in [&a, &br] {
        assert!(!device.as_object().is_in_tree() && device.parent_bus().is_none());
    }
    assert_eq!(bench.qom.resolve("/machine/peripheral").unwrap().core().children().len(), 0);
    assert_eq!(br.child_buses().len(), 1, "its own stays with it");
    assert_eq!(bench.pci.devices().len(), 0);
}

#[test]
fn a_dropped_device_leaves_its_bus() {
    let bench = Bench::new();
    let single = bench.bus("single", &bench.host, Some("one"));
    let card = new_bridge(&bench.qom, &bench.script, "card");
    Device::set_parent_bus(&card, Some(&single)).unwrap();
    assert!(single.is_full());
    drop(card);
    assert!(!single.is_full() && single.devices().is_empty());
    assert_eq!(entries(single.as_object(), "child"), [""; 0]);
    bench.card("next", &single);
}

/// Under Miri a few cases, and no file of failures, which it could not write.
fn config() -> ProptestConfig {
    if cfg!(miri) {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2) }
    } else {
        ProptestConfig::with_cases(48)
    }
}

/// One more than the most cards of a case.
const CARDS: u32 = if cfg!(miri) { 2 } else { 5 };

proptest! {
    #![proptest_config(config())]

    /// A device with a bus of its own, idle devices on it, and a realize that makes buses and devices below it: whichever
    /// step fails, everything is as before, and it can be realized afterwards.
    #[test]
    fn a_failure_at_any_step_leaves_everything_as_it_was(
        cards in 0_u32..CARDS, idle in 0_usize..3, own_bus: bool, placed: bool, busy: bool,
    ) {
        let bench = Bench::new();
        let device = if placed { bench.unplugged("card", "dev") } else { new_bridge(&bench.qom, &bench.script, "card") };
        device.as_object().set_value("cards", &cards).unwrap();
        Device::set_parent_bus(&device, Some(&bench.pci)).unwrap();
        let mut kept = Vec::new();
        if own_bus {
            let bus = bench.bus("PCI", &device, Some("own"));
            bus.set_hotplug_handler(Some(bench.host.as_object()));
            for n in 0..idle {
                kept.push(bench.card(&format!("idle{n}"), &bus));
            }
            if busy && let Some(first) = kept.first() {
                Device::realize(first).unwrap();
            }
        }
        let before = bench.snapshot();
        bench.script.take();
        let mut step = 1;
        let steps = loop {
            *bench.script.fail_at.lock().unwrap() = Some(step);
            let result = Device::realize(&device);
            let log = bench.script.take();
            if result.is_ok() {
                break log.len();
            }
            prop_assert_eq!(bench.snapshot(), before.clone(), "failing at step {} of {:?}", step, log);
            prop_assert!(!device.is_realized());
            prop_assert_eq!(device.as_object().core().parent().is_some(), placed);
            prop_assert_eq!(device.parent_bus().unwrap().name(), "pci.0");
            prop_assert_eq!(device.child_buses().len(), usize::from(own_bus));
            step += 1;
        };
        prop_assert!(step > steps, "it went wrong at each of {} steps before", steps);
        prop_assert!(steps >= 4 && step > 4);
        prop_assert!(device.child_buses().iter().all(|bus| bus.is_realized()));
        let expected = cards as usize + usize::from(own_bus) * idle;
        let on: usize = device.child_buses().iter().map(|bus| bus.devices().len()).sum();
        prop_assert_eq!(on, expected);
        device.as_object().unparent();
        prop_assert!(bench.pci.devices().is_empty());
    }
}
