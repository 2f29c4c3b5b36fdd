//! `info qtree`: buses and the devices on them, as the human monitor draws them; and `info qdm`, the types of devices.
//!
//! It begins at the main system bus; what is on no bus, CPUs for example, is not in it. Of each device its properties are
//! shown that a user can set, those of its class first, then its parent's; what the device only passes on to a part of it is left
//! out, as in the reference. There are no lines of GPIO: interrupt lines are no objects here.

use std::fmt::Write as _;

use qom::bus::SYSTEM_BUS_PATH;
use qom::{Bus, Class, Device, Obj, Property, Value};

use crate::devices::SystemBusClass;
use crate::listings::{self, Listed};

/// Spaces for each level.
const INDENT: usize = 2;

/// What is still to be drawn.
enum Item {
    Bus(Obj<Bus>),
    Device(Obj<Device>),
}

/// A property's value: numbers in both bases, text in quotes.
fn value_text(value: &Value) -> String {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => format!("{number} ({number:#x})"),
            (None, Some(negative)) => format!("{negative} ({negative:#x})"),
            (None, None) => number.to_string(),
        },
        Value::String(text) => format!("\"{text}\""),
        other => other.to_string(),
    }
}

/// The properties that each level of a class adds, the class's own first, then its parent's.
fn properties(class: &Class) -> Vec<&Property> {
    let mut shown = Vec::new();
    for level in class.lineage() {
        let inherited = |name: &str| level.parent().is_some_and(|parent| parent.property(name).is_some());
        if level.name() == "device" {
            break;
        }
        let own = level.properties().map(|property| &**property);
        shown.extend(own.filter(|property| {
            !inherited(property.name())
                && property.is_writable()
                && property.is_readable()
                && !property.is_internal()
                && !property.is_of_part()
        }));
    }
    shown
}

fn draw_device(to: &mut String, device: &Obj<Device>, indent: usize) {
    let object = &**device.as_object();
    let class = object.class();
    for property in properties(class) {
        if let Ok(value) = object.get(property.name()) {
            let _ = writeln!(to, "{:indent$}{} = {}", "", property.name(), value_text(&value));
        }
    }
    for (base, len) in class.data::<SystemBusClass>().map(|class| &*class.mmio).unwrap_or_default() {
        let _ = writeln!(to, "{:indent$}mmio {base:016x}/{len:016x}", "");
    }
}

/// Draws what hangs on a bus; `brief` leaves the properties out. The newest devices and buses come first.
fn draw(top: Obj<Bus>, brief: bool) -> String {
    let mut text = String::new();
    // The stack is our own: a tree may be deep.
    let mut waiting = vec![(0, Item::Bus(top))];
    while let Some((indent, item)) = waiting.pop() {
        let below = indent + INDENT;
        match item {
            Item::Bus(bus) => {
                let type_name = bus.as_object().class().name();
                let _ = writeln!(text, "{:indent$}bus: {}\n{:below$}type {type_name}", "", bus.name(), "");
                waiting.extend(bus.devices().into_iter().map(|device| (below, Item::Device(device))));
            }
            Item::Device(device) => {
                let id = device.id().unwrap_or_default();
                let type_name = device.as_object().class().name();
                let _ = writeln!(text, "{:indent$}dev: {type_name}, id \"{id}\"", "");
                if !brief {
                    draw_device(&mut text, &device, below);
                }
                waiting.extend(device.child_buses().into_iter().map(|bus| (below, Item::Bus(bus))));
            }
        }
    }
    text
}

qmp::hmp_command! {
    info "qtree", "brief:-b", "[-b]", "show device tree (-b: brief, omit properties)" =>
    fn info_qtree(monitor, arguments) {
        let bus = monitor.context.qom().resolve(SYSTEM_BUS_PATH).ok().and_then(|bus| Obj::new(bus).ok());
        if let Some(bus) = bus {
            let text = draw(bus, arguments.flag("brief"));
            monitor.print(format_args!("{text}"));
        }
        Ok(())
    }
}

qmp::hmp_command! {
    info "qdm", "", "", "show qdev device model list" =>
    fn info_qdm(monitor, _arguments) {
        let text = listings::devices(monitor.context.qom(), Listed::All);
        monitor.print(format_args!("{text}"));
        Ok(())
    }
}
