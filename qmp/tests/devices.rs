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
