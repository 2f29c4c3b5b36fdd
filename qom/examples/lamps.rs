//! The object model in one go: a type, a subclass, an interface, properties, a tree, and a realize.
//!
//!     cargo run -p qom --example lamps

use std::io::Write;

use qom::{Bootstrap, ClassInit, Device, DeviceClass, Error, Field, GlobalProperty, Input, Instance};
use qom::{Interface, Origin, TypeInfo, site};

/// An interface: a Rust trait with a name among the types.
trait Dimmer {
    fn dim(&self);
}

impl Interface for dyn Dimmer {
    const NAME: &'static str = "dimmer";
}

/// A type: a struct that embeds its parent's.
#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp", interfaces(dyn Dimmer), class_init = Lamp::class_init)]
struct Lamp {
    parent: Device,
    /// Its brightness in percent.
    #[property(get, set, default = 10)]
    brightness: Field<u8>,
}

impl Lamp {
    /// Fills the class: `realize` is the virtual method that puts a configured device to work.
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<DeviceClass>().realize = |device| match device.cast::<Lamp>() {
            Some(lamp) if lamp.brightness.get() > 100 => Err(Error::msg("a lamp gives 100 percent at most")),
            _ => Ok(()),
        };
    }
}

impl Dimmer for Lamp {
    fn dim(&self) {
        self.brightness.update(|brightness| *brightness /= 2);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(&mut std::io::stdout())
}

pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    // Types first. A subclass that only has another default needs no struct.
    let mut types = Bootstrap::empty();
    types.register(TypeInfo::interface::<dyn Dimmer>(site!()))?;
    types.register(Lamp::type_info())?;
    let bright = TypeInfo::new("bright-lamp", "lamp", site!());
    types.register(bright.class_init(|class| class.set_default("brightness", 90)))?;
    // An emulator would pass its accelerator here; from now on the types are fixed.
    let accel = types.create("container")?;
    let qom = types.accel_ready(accel)?.seal()?;

    // Objects: made by name, hung into the tree, configured, realized.
    let lamp = qom.create("bright-lamp")?;
    qom.container("/house")?.add_child("lamp[*]", &lamp)?;
    writeln!(out, "{} is a {}", lamp.canonical_path(), lamp.class().name())?;
    lamp.set("brightness", &Input::Text("200"), Origin::Monitor)?;
    if let Err(error) = lamp.set_value("realized", &true) {
        writeln!(out, "refused: {error}")?;
    }
    lamp.set("brightness", &Input::Text("80"), Origin::Monitor)?;
    lamp.set_value("realized", &true)?;
    // Another part of the program knows the path and the interface only.
    qom.resolve("house/lamp[0]")?.interface::<dyn Dimmer>().ok_or("not a dimmer")?.dim();
    writeln!(out, "dimmed: {} percent", lamp.get("brightness")?)?;

    // Every lamp made from now on starts at another value, which knows where it came from.
    qom.add_global(GlobalProperty::new("lamp", "brightness", "33", Origin::Global));
    let next = qom.create("bright-lamp")?;
    writeln!(out, "the next: {} percent, {:?}", next.get("brightness")?, next.origin_of("brightness"))?;
    Ok(())
}
