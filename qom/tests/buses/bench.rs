//! A machine with a host bridge on its system bus, bridges and cards to put on buses, and a script that tells what
//! happened and makes a step go wrong. Tests are elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use qom::bus::find_bus;
use qom::{
    Bootstrap, Bus, BusClass, ClassInit, Container, Device, DeviceClass, Error, Field, HotplugHandler,
    Instance, Obj, Qom, TypeInfo, site,
};

/// What happened, in order, and the number of the step at which it goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Script {
    log: Mutex<Vec<String>>,
    pub(crate) fail_at: Mutex<Option<usize>>,
}

impl Script {
    pub(crate) fn step(&self, step: String) -> Result<(), Error> {
        let mut log = self.log.lock().unwrap();
        log.push(step);
        if *self.fail_at.lock().unwrap() == Some(log.len()) {
            return Err(Error::msg(format!("no step {}", log.len())));
        }
        Ok(())
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

/// A device that may own buses, look after them, and put cards on them when it is realized.
#[derive(Debug, qom::derive::Object)]
#[object(name = "bridge", interfaces(dyn HotplugHandler), class_init = Bridge::class_init)]
pub(crate) struct Bridge {
    parent: Device,
    /// Where it goes on its bus.
    #[property(get, set, default = 0)]
    slot: Field<u32>,
    /// How many cards it puts on each of its buses when it is realized.
    #[property(get, set, default = 0)]
    cards: Field<u32>,
    script: Field<Arc<Script>>,
    system: Field<std::sync::Weak<Qom>>,
}

pub(crate) fn name(device: &Obj<Device>) -> String {
    device.id().unwrap_or_else(|| device.as_object().class().name().to_owned())
}

impl Bridge {
    fn class_init(class: &mut ClassInit<'_>) {
        let device = class.data_mut::<DeviceClass>();
        device.bus_type = Some("PCI");
        device.realize = Self::realize;
        device.unrealize = |device| {
            let bridge = device.cast::<Self>().unwrap();
            // What cannot fail is no step.
            bridge.script.get().log.lock().unwrap().push(format!("unrealize {}", name(device)));
        };
    }

    fn realize(device: &Obj<Device>) -> Result<(), Error> {
        let bridge = device.cast::<Self>().unwrap();
        let script = bridge.script.get();
        script.step(format!("realize {}", name(device)))?;
        let qom = bridge.system.with(std::sync::Weak::upgrade).unwrap();
        for n in 0..bridge.cards.get() {
            // The first goes on a bus that realize makes, the others on the one that is there.
            let bus = match (n, device.child_buses().first()) {
                (1.., Some(bus)) => bus.clone(),
                _ => {
                    let bus = Obj::<Bus>::new(qom.create("PCI")?).unwrap();
                    Bus::place(&bus, device.as_object(), None)?;
                    bus
                }
            };
            let card = new_bridge(&qom, &script, "card");
            Device::set_parent_bus(&card, Some(&bus)).map_err(Error::new)?;
            if n % 2 == 1 {
                device.as_object().add_child("card[*]", card.as_object())?;
            }
            Device::realize(&card)?;
        }
        script.step(format!("finish {}", name(device)))
    }
}

impl HotplugHandler for Bridge {
    fn handles(&self, _: &Obj<Device>) -> bool {
        unreachable!("it is not the machine")
    }

    fn is_hotpluggable_bus(&self, bus: &Bus) -> bool {
        !bus.name().starts_with("cold")
    }

    fn pre_plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        self.script.get().step(format!("pre_plug {}", name(device)))
    }

    fn plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        self.script.get().step(format!("plug {}", name(device)))
    }

    fn unplug_request(&self, device: &Obj<Device>) -> Result<(), Error> {
        self.script.get().step(format!("unplug_request {}", name(device)))?;
        Device::unplug(device)
    }

    fn unplug(&self, device: &Obj<Device>) -> Result<(), Error> {
        self.script.get().log.lock().unwrap().push(format!("unplug {}", name(device)));
        Ok(())
    }
}

/// A machine that looks after class `special` itself.
#[derive(Debug, qom::derive::Object)]
#[object(name = "board", interfaces(dyn HotplugHandler))]
pub(crate) struct Board {
    parent: Container,
    pub(crate) plugged: Field<Vec<String>>,
}

impl HotplugHandler for Board {
    fn handles(&self, device: &Obj<Device>) -> bool {
        device.as_object().class().is_a("special")
    }

    fn pre_plug(&self, _: &Obj<Device>) -> Result<(), Error> {
        Ok(())
    }

    fn plug(&self, device: &Obj<Device>) -> Result<(), Error> {
        self.plugged.update(|plugged| plugged.push(name(device)));
        Ok(())
    }

    fn unplug_request(&self, _: &Obj<Device>) -> Result<(), Error> {
        Err(Error::msg("the board keeps it"))
    }

    fn unplug(&self, _: &Obj<Device>) -> Result<(), Error> {
        Ok(())
    }
}

pub(crate) fn new_bridge(qom: &Arc<Qom>, script: &Arc<Script>, type_name: &str) -> Obj<Device> {
    let bridge = Obj::<Bridge>::new(qom.create(type_name).unwrap()).unwrap();
    bridge.script.set(script.clone());
    bridge.system.set(Arc::downgrade(qom));
    bridge.cast().unwrap()
}

fn pci_class(class: &mut ClassInit<'_>) {
    let bus = class.data_mut::<BusClass>();
    bus.check_address = |bus, device| {
        let slot = |device: &Obj<Device>| device.cast::<Bridge>().map_or(0, |bridge| bridge.slot.get());
        let slot_wanted = slot(device);
        if slot_wanted != 0 && bus.devices().iter().any(|other| slot(other) == slot_wanted) {
            return Err(Error::msg(format!("slot {slot_wanted} of {} is in use", bus.name())));
        }
        Ok(())
    };
    bus.device_path = |bus, device| Some(format!("{}:{}", bus.name(), device.cast::<Bridge>()?.slot.get()));
}

/// A machine with a host bridge on its system bus, whose bus is `pci.0`.
pub(crate) struct Bench {
    pub(crate) qom: Arc<Qom>,
    pub(crate) script: Arc<Script>,
    pub(crate) host: Obj<Device>,
    pub(crate) pci: Obj<Bus>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut types = Bootstrap::empty();
        for info in [
            Board::type_info(),
            Bridge::type_info(),
            TypeInfo::new("host", "bridge", site!())
                .class_init(|class| class.data_mut::<DeviceClass>().bus_type = Some("System")),
            TypeInfo::new("card", "bridge", site!()),
            TypeInfo::new("special", "card", site!()),
            TypeInfo::new("fixed", "card", site!())
                .class_init(|class| class.data_mut::<DeviceClass>().hotpluggable = false),
            TypeInfo::new("loose", "device", site!()).construct(|seed| seed.finish::<Device>()),
            TypeInfo::new("PCI", "bus", site!()).construct(|seed| seed.finish::<Bus>()).class_init(pci_class),
            TypeInfo::new("PCIE", "PCI", site!()),
            TypeInfo::new("single", "PCI", site!())
                .class_init(|class| class.data_mut::<BusClass>().max_devices = Some(1)),
        ] {
            types.register(info).unwrap();
        }
        let accel = types.create("container").unwrap();
        let qom = types.accel_ready(accel).unwrap().seal().unwrap();
        qom.root().add_child("machine", &qom.create("board").unwrap()).unwrap();
        qom.container("/machine/peripheral").unwrap();
        let script = Arc::new(Script::default());
        let system = Obj::<Bus>::new(qom.create("System").unwrap()).unwrap();
        system.set_name("main-system-bus");
        qom.container("/machine/unattached").unwrap().add_child("sysbus", system.as_object()).unwrap();
        let host = new_bridge(&qom, &script, "host");
        Device::set_parent_bus(&host, Some(&system)).unwrap();
        let pci = Obj::<Bus>::new(qom.create("PCI").unwrap()).unwrap();
        Bus::place(&pci, host.as_object(), None).unwrap();
        pci.set_hotplug_handler(Some(host.as_object()));
        Device::realize(&host).unwrap();
        script.take();
        Self { qom, script, host, pci }
    }

    pub(crate) fn bus(&self, type_name: &str, owner: &Obj<Device>, name: Option<&str>) -> Obj<Bus> {
        let bus = Obj::<Bus>::new(self.qom.create(type_name).unwrap()).unwrap();
        Bus::place(&bus, owner.as_object(), name).unwrap();
        bus
    }

    pub(crate) fn unplugged(&self, type_name: &str, id: &str) -> Obj<Device> {
        let device = new_bridge(&self.qom, &self.script, type_name);
        device.set_id(id).unwrap();
        self.qom.resolve("/machine/peripheral").unwrap().add_child(id, device.as_object()).unwrap();
        device
    }

    pub(crate) fn card(&self, id: &str, bus: &Obj<Bus>) -> Obj<Device> {
        let device = self.unplugged("card", id);
        Device::set_parent_bus(&device, Some(bus)).unwrap();
        device
    }

    pub(crate) fn find(&self, path: &str) -> Result<String, String> {
        find_bus(self.qom.root(), path).map(|bus| bus.name()).map_err(|error| error.to_string())
    }

    /// Everything that could be left behind: each object of the tree with its links and states.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let mut waiting = vec![self.qom.root().clone()];
        while let Some(at) = waiting.pop() {
            let mut text = at.class().name().to_owned();
            if let Some(device) = at.downcast_ref::<Device>() {
                let bus = device.parent_bus().map(|bus| bus.name());
                text += &format!(" realized {} on {bus:?}", device.is_realized());
            }
            if let Some(bus) = at.downcast_ref::<Bus>() {
                let on: Vec<_> = bus.devices().iter().map(name).collect();
                text += &format!(" realized {} with {on:?}", bus.is_realized());
            }
            all.insert(at.canonical_path(), text);
            waiting.extend(at.core().children().into_iter().map(|(_, child)| child));
        }
        all
    }
}
