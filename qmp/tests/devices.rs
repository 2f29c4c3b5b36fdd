//! `device_add`, `device_del` and the lists of properties, on a board with parts.

#![expect(clippy::unwrap_used, reason = "a test")]

use qmp::{Commands, Context, Session};
use qom::{
    Bootstrap, ClassInit, Container, Device, DeviceClass, Error, Field, HotplugHandler, Instance, Obj,
    TypeInfo, site,
};
use serde_json::{Value, json};

/// A board that takes parts with a slot below 4 and lets all but part 3 go.
#[derive(Debug, qom::derive::Object)]
#[object(name = "board", interfaces(dyn HotplugHandler))]
struct Board {
    parent: Container,
}

impl HotplugHandler for Board {
    fn handles(&self, device: &Obj<Device>) -> bool {
        device.as_object().class().is_a("part")
    }

    fn pre_plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        match device.cast::<Part>().map(|part| part.slot.get()) {
            Some(0..4) => Ok(()),
            slot => Err(Error::msg(format!("no slot {slot:?}"))),
        }
    }

    fn plug(&self, _: &Obj<Device>) -> Result<(), Error> {
        Ok(())
    }

    fn unplug_request(&self, device: &Obj<Device>) -> Result<(), Error> {
        match device.cast::<Part>().map(|part| part.slot.get()) {
            Some(3) => Err(Error::msg("part 3 stays")),
            _ => Device::unplug(device),
        }
    }

    fn unplug(&self, _: &Obj<Device>) -> Result<(), Error> {
        Ok(())
    }
}

#[derive(Debug, qom::derive::Object)]
#[object(name = "part")]
struct Part {
    parent: Device,
    /// Where it goes.
    #[property(get, set, default = 9)]
    slot: Field<u32>,
}

fn not_hotpluggable(class: &mut ClassInit<'_>) {
    class.data_mut::<DeviceClass>().hotpluggable = false;
}

struct Bench {
    context: Context,
    session: Session,
}

impl Bench {
    fn new() -> Self {
        let mut types = Bootstrap::empty();
        for info in [
            Board::type_info(),
            Part::type_info(),
            TypeInfo::new("fixed-part", "part", site!()).class_init(not_hotpluggable),
            TypeInfo::new("stranger", "device", site!()).construct(|seed| seed.finish::<Device>()),
        ] {
            types.register(info).unwrap();
        }
        let accel = types.create("container").unwrap();
        let qom = types.accel_ready(accel).unwrap().seal().unwrap();
        let board = qom.create("board").unwrap();
        qom.root().add_child("machine", &board).unwrap();
        let mut bench =
            Self { context: Context::new(qom, Commands::linked().unwrap()), session: Session::new(false) };
        bench.session.sent(usize::MAX);
        assert_eq!(bench.ask("qmp_capabilities", json!({})), json!({"return": {}}));
        bench
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers write the arguments on the spot")]
    fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let request = json!({"execute": command, "arguments": arguments}).to_string();
        self.session.feed(request.as_bytes(), &mut self.context, &mut Vec::new());
        let reply = serde_json::from_slice(self.session.output()).unwrap();
        self.session.sent(usize::MAX);
        reply
    }

    fn error(&mut self, command: &str, arguments: Value) -> String {
        self.ask(command, arguments)["error"]["desc"].as_str().unwrap().to_owned()
    }

    fn hmp(&mut self, line: &str) -> String {
        qmp::hmp::execute(line, &mut self.context)
    }

    /// Names of what hangs in a container.
    fn children(&mut self, path: &str) -> Vec<String> {
        let list = self.ask("qom-list", json!({"path": path}));
        let entries = list["return"].as_array().unwrap();
        let children = entries.iter().filter(|entry| entry["type"].as_str().unwrap().starts_with("child<"));
        children.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_device_comes_and_goes() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.ask("device_add", json!({"driver": "part", "id": "p1", "slot": 1})),
        json!({"return": {}})
    );
    assert_eq!(bench.ask("device_add", json!({"driver": "part", "id": 7, "slot": 2})), json!({"return": {}}));
    assert_eq!(bench.children("/machine/peripheral"), ["p1"]);
    assert_eq!(bench.children("/machine/peripheral-anon"), ["device[0]"]);
    let path = "/machine/peripheral/p1";
    for (property, value) in [("realized", json!(true)), ("hotplugged", json!(true)), ("slot", json!(1))] {
        assert_eq!(
            bench.ask("qom-get", json!({"path": path, "property": property})),
            json!({"return": value})
        );
    }
    assert_eq!(
        bench.error("qom-set", json!({"path": path, "property": "slot", "value": 2})),
        "Attempt to set property 'slot' on device 'p1' (type 'part') after it was realized"
    );
    assert_eq!(bench.ask("device_del", json!({"id": "p1"})), json!({"return": {}}));
    assert_eq!(
        bench.ask("device_del", json!({"id": "/machine/peripheral-anon/device[0]"})),
        json!({"return": {}})
    );
    assert_eq!(bench.error("device_del", json!({"id": "p1"})), "Device 'p1' not found");
    assert!(bench.children("/machine/peripheral").is_empty());
    // The id is free again, also for a person.
    assert_eq!(bench.hmp("device_add part,id=p1,slot=0x3"), "");
    assert_eq!(bench.hmp("device_del p1"), "Error: part 3 stays\r\n");
    assert_eq!(bench.hmp("qom-get /machine/peripheral/p1 slot"), "3\r\n");
    assert_eq!(
        bench.hmp("info qom-tree"),
        "/machine (board)\r\n  /peripheral (container)\r\n    /p1 (part)\r\n  /peripheral-anon (container)\r\n"
    );
}

#[test]
fn a_refused_device_leaves_nothing() {
    let mut bench = Bench::new();
    bench.ask("device_add", json!({"driver": "part", "id": "taken", "slot": 0}));
    for (arguments, text) in [
        (json!({}), "Parameter 'driver' is missing"),
        (json!({"driver": "device"}), "Parameter 'driver' expects a non-abstract device type"),
        (json!({"driver": "fixed-part"}), "Parameter 'driver' expects a pluggable device type"),
        (json!({"driver": "stranger", "id": "x"}), "Device 'stranger' can not be hotplugged on this machine"),
        (json!({"driver": "part", "bus": "pci.0"}), "Bus 'pci.0' not found"),
        (json!({"driver": "part", "id": "1x"}), "Invalid qdev ID '1x'"),
        (json!({"driver": "part", "id": ""}), "Invalid qdev ID ''"),
        (json!({"driver": "part", "id": "taken"}), "Duplicate device ID 'taken'"),
        (json!({"driver": "part", "id": "x", "zz": 1}), "Property 'part.zz' not found"),
        (
            json!({"driver": "part", "id": "x", "slot": "1"}),
            "Invalid parameter type for 'slot', expected: integer",
        ),
        (json!({"driver": "part", "id": "x", "slot": 4}), "no slot Some(4)"),
    ] {
        let before = bench.children("/machine/peripheral");
        let desc = bench.error("device_add", arguments.clone());
        // The kind of number is the property's own business.
        if !desc.starts_with("Parameter 'slot' expects") {
            assert_eq!(desc, text, "{arguments}");
        }
        assert_eq!(bench.children("/machine/peripheral"), before);
    }
    assert_eq!(bench.children("/machine"), ["peripheral"]);
}

#[test]
fn properties_are_listed_without_making_an_object() {
    let mut bench = Bench::new();
    let constructions = bench.context.qom().constructions();
    let device = bench.ask("device-list-properties", json!({"typename": "part"}));
    assert_eq!(device["return"][0]["name"], "slot");
    assert_eq!(device["return"][0]["type"], "uint32");
    assert_eq!(device["return"][0]["default-value"], 9);
    assert_eq!(device["return"].as_array().unwrap().len(), 1);
    let all = bench.ask("qom-list-properties", json!({"typename": "part"}));
    let names: Vec<&str> =
        all["return"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"realized") && names.contains(&"slot") && names.contains(&"type"), "{names:?}");
    let types = bench.ask("qom-list-types", json!({"implements": "device", "abstract": true}));
    let types = types["return"].as_array().unwrap();
    assert!(types.contains(&json!({"name": "device", "abstract": true, "parent": "object"})));
    assert!(types.contains(&json!({"name": "fixed-part", "parent": "part"})));
    let concrete = bench.ask("qom-list-types", json!({"implements": "device"}));
    assert_eq!(concrete["return"].as_array().unwrap().len(), types.len() - 1);
    assert_eq!(bench.context.qom().constructions(), constructions);
}

/// The names and their order in an entry are those of QEMU 11.1.2's `qom-list-get`; so are the errors.
#[test]
fn several_objects_are_read_in_one_reply() {
    let mut bench = Bench::new();
    bench.ask("device_add", json!({"driver": "part", "id": "p1", "slot": 1}));
    let paths = ["/machine/peripheral/p1", "/machine/peripheral"];
    let reply = bench.ask("qom-list-get", json!({"paths": paths}));
    let lists = reply["return"].as_array().unwrap();
    assert_eq!(lists.len(), 2);
    assert!(
        lists[0]["properties"]
            .as_array()
            .unwrap()
            .contains(&json!({"name": "slot", "value": 1, "type": "uint32"}))
    );
    let child = json!({"name": "p1", "value": "/machine/peripheral/p1", "type": "child<part>"});
    assert!(lists[1]["properties"].as_array().unwrap().contains(&child));
    for (path, list) in paths.iter().zip(lists) {
        // As `qom-list` and `qom-get` say it one by one.
        let names = bench.ask("qom-list", json!({"path": path}));
        let names = names["return"].as_array().unwrap();
        assert_eq!(list["properties"].as_array().unwrap().len(), names.len());
        for (entry, name) in list["properties"].as_array().unwrap().iter().zip(names) {
            assert_eq!((&entry["name"], &entry["type"]), (&name["name"], &name["type"]));
            let value = bench.ask("qom-get", json!({"path": path, "property": name["name"]}));
            assert_eq!(entry.get("value"), value.get("return"));
        }
    }
    for paths in [json!(["/nope"]), json!(["/machine", "/nope"])] {
        let reply = bench.ask("qom-list-get", json!({"paths": paths}));
        let error = json!({"error": {"class": "DeviceNotFound", "desc": "Device '/nope' not found"}});
        assert_eq!(reply, error);
    }
    assert_eq!(bench.ask("qom-list-get", json!({"paths": []})), json!({"return": []}));
}

#[test]
fn a_subtree_is_read_in_one_reply() {
    let mut bench = Bench::new();
    bench.ask("device_add", json!({"driver": "part", "id": "p1", "slot": 1}));
    bench.ask("device_add", json!({"driver": "part", "id": "p2", "slot": 2}));
    let reply = bench.ask("qom-tree-get", json!({"path": "/machine"}));
    let machine = &reply["return"];
    assert_eq!((&machine["name"], &machine["type"]), (&json!("machine"), &json!("board")));
    let peripheral = &machine["children"][0];
    assert_eq!(peripheral["name"], "peripheral");
    let parts: Vec<_> = peripheral["children"].as_array().unwrap().iter().collect();
    assert_eq!(parts.iter().map(|part| &part["name"]).collect::<Vec<_>>(), ["p1", "p2"]);
    let slot = json!({"name": "slot", "value": 2, "type": "uint32"});
    assert!(parts[1]["properties"].as_array().unwrap().contains(&slot));
    assert_eq!(parts[1]["children"], json!([]));
    let root = bench.ask("qom-tree-get", json!({"path": "/"}));
    assert_eq!(root["return"]["name"], "/");
    assert_eq!(&root["return"]["children"][0], machine);
    assert_eq!(bench.error("qom-tree-get", json!({"path": "/nope"})), "Device '/nope' not found");
}

#[test]
fn a_value_is_explained() {
    let mut bench = Bench::new();
    bench.context.qom().add_global(qom::GlobalProperty::new("part", "slot", "3", qom::Origin::Global));
    bench.ask("device_add", json!({"driver": "part", "id": "p1"}));
    bench.ask("device_add", json!({"driver": "part", "id": "p2", "slot": 2}));
    let explain = |id: &str, property: &str| json!({"path": id, "property": property});
    let global = json!({"origin": "global", "value": "3", "driver": "part"});
    let default = json!({"origin": "default", "value": 9});
    assert_eq!(
        bench.ask("x-qom-explain", explain("p1", "slot")),
        json!({"return": {"type": "uint32", "value": 3, "setting": global, "overrode": [default]}})
    );
    assert_eq!(
        bench.ask("x-qom-explain", explain("p2", "slot")),
        json!({"return": {"type": "uint32", "value": 2, "setting": {"origin": "monitor", "value": 2},
                          "overrode": [global, default]}})
    );
    assert_eq!(bench.error("x-qom-explain", explain("p2", "zz")), "Property 'part.zz' not found");
    assert_eq!(bench.error("x-qom-explain", explain("p3", "zz")), "Device 'p3' not found");
}

/// A bridge with a bus behind it; `card`s go on that bus, `bridge`s on the system bus.
mod on_buses {
    use std::sync::Arc;

    use qom::{Bus, BusClass, Object};

    use super::*;

    /// A device that is refused where it is realized with `bad` set.
    #[derive(Debug, qom::derive::Object)]
    #[object(name = "card", interfaces(dyn HotplugHandler), class_init = Card::class_init)]
    struct Card {
        parent: Device,
        /// Realize fails.
        #[property(get, set, default = false)]
        bad: Field<bool>,
        /// Its address.
        #[property(get, set, default = 0)]
        nr: Field<u32>,
    }

    impl Card {
        fn class_init(class: &mut ClassInit<'_>) {
            let device = class.data_mut::<DeviceClass>();
            device.bus_type = Some("PCI");
            device.realize = |device| match device.cast::<Card>() {
                Some(card) if card.bad.get() => Err(Error::msg("it is bad")),
                _ => Ok(()),
            };
        }
    }

    impl HotplugHandler for Card {
        fn handles(&self, _: &Obj<Device>) -> bool {
            false
        }

        fn pre_plug(&self, _: &Obj<Device>) -> Result<(), Error> {
            Ok(())
        }

        fn plug(&self, _: &Obj<Device>) -> Result<(), Error> {
            Ok(())
        }

        fn unplug_request(&self, device: &Obj<Device>) -> Result<(), Error> {
            Device::unplug(device)
        }

        fn unplug(&self, _: &Obj<Device>) -> Result<(), Error> {
            Ok(())
        }
    }

    fn bus_type(name: &'static str, max: Option<usize>) -> TypeInfo {
        TypeInfo::new(name, "bus", site!()).construct(|seed| seed.finish::<Bus>()).class_init(move |class| {
            let bus = class.data_mut::<BusClass>();
            bus.max_devices = max;
            bus.check_address = |bus, device| {
                let nr = |device: &Obj<Device>| device.cast::<Card>().map_or(0, |card| card.nr.get());
                let wanted = nr(device);
                match bus.devices().iter().any(|other| wanted != 0 && nr(other) == wanted) {
                    true => Err(Error::msg(format!("A card already exists at id {wanted}"))),
                    false => Ok(()),
                }
            };
        })
    }

    fn bench() -> Bench {
        let mut types = Bootstrap::empty();
        for info in [
            Board::type_info(),
            Part::type_info(),
            Card::type_info(),
            TypeInfo::new("host", "card", site!())
                .class_init(|class| class.data_mut::<DeviceClass>().bus_type = Some("System")),
            TypeInfo::new("disk", "card", site!())
                .class_init(|class| class.data_mut::<DeviceClass>().bus_type = Some("IDE")),
            TypeInfo::new("stick", "card", site!())
                .class_init(|class| class.data_mut::<DeviceClass>().bus_type = Some("single")),
            TypeInfo::new("scsi-disk", "card", site!())
                .class_init(|class| class.data_mut::<DeviceClass>().bus_type = Some("SCSI")),
            bus_type("PCI", None),
            bus_type("IDE", None),
            bus_type("single", Some(1)),
            bus_type("SCSI", None),
        ] {
            types.register(info).unwrap();
        }
        let accel = types.create("container").unwrap();
        let qom = types.accel_ready(accel).unwrap().seal().unwrap();
        qom.root().add_child("machine", &qom.create("board").unwrap()).unwrap();
        let system = Obj::<Bus>::new(qom.create("System").unwrap()).unwrap();
        system.set_name("main-system-bus");
        qom.container("/machine/unattached").unwrap().add_child("sysbus", system.as_object()).unwrap();
        for container in ["/machine/peripheral", "/machine/peripheral-anon"] {
            qom.container(container).unwrap();
        }
        let host = Obj::<Device>::new(qom.create("host").unwrap()).unwrap();
        Device::set_parent_bus(&host, Some(&system)).unwrap();
        for (name, handler) in [("PCI", true), ("IDE", false), ("single", true)] {
            let bus = Obj::<Bus>::new(qom.create(name).unwrap()).unwrap();
            Bus::place(&bus, host.as_object(), None).unwrap();
            bus.set_hotplug_handler(Some(host.as_object()).filter(|_| handler));
        }
        Device::realize(&host).unwrap();
        let context = Context::new(qom, Commands::linked().unwrap());
        let mut bench = Bench { context, session: Session::new(false) };
        bench.session.sent(usize::MAX);
        bench.ask("qmp_capabilities", json!({}));
        bench
    }

    fn bus(bench: &Bench, path: &str) -> Obj<Bus> {
        Obj::new(bench.context.qom().resolve(path).unwrap()).unwrap()
    }

    fn on(bus: &Obj<Bus>) -> Vec<Arc<dyn Object>> {
        bus.devices().into_iter().map(Obj::into_object).collect()
    }

    const PCI: &str = "/machine/unattached/device[0]/pci.0";

    /// The texts, and which of several reasons is said, are those of QEMU 11.1.2: `-M pc -accel tcg`, with `e1000`, `ide-cd`,
    /// `scsi-hd`, `virtserialport` and `virtio-balloon-device` in the places of `card`, `disk`, `scsi-disk`, `card` and `stick`.
    #[test]
    fn a_bus_is_refused_in_the_references_words_and_nothing_is_left() {
        let mut bench = bench();
        let ok = json!({"return": {}});
        let first = json!({"driver": "card", "id": "n0", "bus": "pci.0", "nr": 1});
        assert_eq!(bench.ask("device_add", first), ok);
        assert_eq!(bench.ask("device_add", json!({"driver": "stick", "id": "s"})), ok);
        for (arguments, error) in [
            (json!({"driver": "part", "bus": "main-system-bus"}), "Device 'part' can't go on System bus"),
            (json!({"driver": "part", "bus": "/"}), "Device 'part' can't go on System bus"),
            (json!({"driver": "part", "bus": "nope"}), "Bus 'nope' not found"),
            (json!({"driver": "part", "bus": ""}), "Bus '' not found"),
            (json!({"driver": "part", "bus": "/x/y"}), "Device 'x' not found"),
            (json!({"driver": "part", "bus": 5}), "no slot Some(9)"),
            (json!({"driver": "card", "bus": "main-system-bus"}), "Device 'card' can't go on System bus"),
            (json!({"driver": "card", "bus": "pci.0/zz"}), "Device 'zz' not found"),
            (json!({"driver": "card", "bus": "/host/pci.1"}), "Bus 'pci.1' not found"),
            (json!({"driver": "card", "bus": "/host"}), "Device 'host' has multiple child buses"),
            (json!({"driver": "card", "bus": "pci.0/n0"}), "Device 'n0' has no child bus"),
            (json!({"driver": "card", "bus": "n0"}), "Bus 'n0' not found"),
            (json!({"driver": "scsi-disk", "id": "1x"}), "No 'SCSI' bus found for device 'scsi-disk'"),
            (json!({"driver": "stick"}), "A 'single' bus was found but is full"),
            (json!({"driver": "stick", "bus": "single.0"}), "Bus 'single.0' is full"),
            (json!({"driver": "stick", "bus": "/host/single.0"}), "Bus '/host/single.0' is full"),
            (json!({"driver": "disk"}), "Bus 'ide.0' does not support hotplugging"),
            (json!({"driver": "disk", "bus": "ide.0"}), "Bus 'ide.0' does not support hotplugging"),
            (json!({"driver": "host"}), "Bus 'main-system-bus' does not support hotplugging"),
            (json!({"driver": "card", "id": "1x"}), "Invalid qdev ID '1x'"),
            (json!({"driver": "card", "id": "", "bus": "pci.0"}), "Invalid qdev ID ''"),
            (json!({"driver": "card", "id": "n0", "bus": "pci.0"}), "Duplicate device ID 'n0'"),
            (json!({"driver": "card", "id": "n0", "bus": "nope"}), "Bus 'nope' not found"),
            (json!({"driver": "card", "id": "n1", "bus": "pci.0", "nr": 1}), "A card already exists at id 1"),
            (json!({"driver": "card", "id": "n1", "bad": true}), "it is bad"),
            (json!({"driver": "card", "bad": true}), "it is bad"),
            (json!({"driver": "card", "id": "n1", "nope": true}), "Property 'card.nope' not found"),
        ] {
            assert_eq!(bench.error("device_add", arguments.clone()), error, "{arguments}");
            assert_eq!(bench.children("/machine/peripheral"), ["n0", "s"], "{arguments}");
            assert_eq!(bench.children("/machine/peripheral-anon"), [""; 0], "{arguments}");
            assert_eq!(on(&bus(&bench, PCI)).len(), 1, "{arguments}");
        }
        let missing = bench.ask("device_add", json!({"driver": "card", "bus": "/x/y"}));
        assert_eq!(missing["error"]["class"], "DeviceNotFound");
        let missing = bench.ask("device_add", json!({"driver": "card", "bus": "x"}));
        assert_eq!(missing["error"]["class"], "GenericError");
    }

    #[test]
    fn a_device_comes_to_a_bus_and_goes() {
        let mut bench = bench();
        for arguments in [
            json!({"driver": "card", "id": "a"}),
            json!({"driver": "card", "id": "b", "bus": "pci.0"}),
            json!({"driver": "card", "id": "c", "bus": "/host/pci.0/"}),
        ] {
            assert_eq!(bench.ask("device_add", arguments.clone()), json!({"return": {}}), "{arguments}");
        }
        let get = |bench: &mut Bench, path: &str, property: &str| {
            bench.ask("qom-get", json!({"path": path, "property": property}))["return"].clone()
        };
        assert_eq!(get(&mut bench, PCI, "child[2]"), "/machine/peripheral/c");
        assert_eq!(get(&mut bench, "/machine/peripheral/b", "parent_bus"), PCI);
        assert_eq!(get(&mut bench, "/machine/peripheral/b", "hotpluggable"), true);
        assert_eq!(get(&mut bench, "/machine/unattached/device[0]", "hotpluggable"), false);
        let list = bench.ask("qom-list", json!({"path": PCI}));
        assert!(
            list["return"].as_array().unwrap().contains(&json!({"name": "child[1]", "type": "link<card>"}))
        );
        assert_eq!(bench.ask("device_del", json!({"id": "b"})), json!({"return": {}}));
        assert_eq!(bench.children("/machine/peripheral"), ["a", "c"]);
        assert_eq!(on(&bus(&bench, PCI)).len(), 2);
        assert_eq!(
            bench.error("device_del", json!({"id": "/machine/unattached/device[0]"})),
            "Bus 'main-system-bus' does not support hotplugging"
        );
        assert_eq!(
            bench.error("device_del", json!({"id": "/machine/unattached/sysbus"})),
            "/machine/unattached/sysbus is not a device"
        );
        // The list of what a device is made with says nothing of its bus.
        let list = bench.ask("device-list-properties", json!({"typename": "card"}));
        assert!(!list.to_string().contains("parent_bus"));
    }
}
