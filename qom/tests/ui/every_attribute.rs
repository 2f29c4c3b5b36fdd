// All of the grammar at once.
use qom::{ClassInit, Device, Field, HotplugHandler, Input, Instance, Link, Obj, Object, Origin, PropertyError};

#[derive(Debug, qom::derive::Object)]
#[object(name = "rack", abstract, interfaces(dyn HotplugHandler), class_init = rack_class,
         instance_init = rack_init, instance_post_init = rack_init)]
struct Rack {
    parent: Device,
    /// How many units it has.
    ///
    /// A second paragraph.
    #[property(get, set, default = 42, settable_after_realize)]
    height_units: Field<u16>,
    #[property(get, name = "x-label", default = "r".to_owned())]
    label: Field<String>,
    #[property(set)]
    secret: Field<Option<String>>,
    #[property(get, set, link = "device")]
    neighbour: Link,
    #[property(get, link = "device")]
    above: Link,
    #[property(get, set, link = "device", check = not_itself)]
    below: Link,
    #[property(get, set, default = 3, minimum = 1, maximum = 6, check = no_five)]
    fans: Field<u8>,
    #[property(get, set, minimum = -4)]
    tilt: Field<i16>,
    #[property(get, set, name = "led", bit = 0, default = true, description = "Whether it glows")]
    #[property(get, name = "locked", bit = 31)]
    flags: Field<u32>,
    #[property(get, set, deprecated = "use fans", internal)]
    ports: Field<Vec<u8>>,
    #[object(default = vec![1, 2])]
    plain: Vec<u8>,
    other: std::sync::atomic::AtomicU8,
}

fn not_itself(rack: &Rack, target: Option<&std::sync::Arc<dyn Object>>) -> Result<(), PropertyError> {
    match target {
        Some(target) if target.downcast_ref::<Rack>().is_some_and(|target| std::ptr::eq(target, rack)) => {
            Err(PropertyError::Refused("a rack is not below itself".to_owned()))
        }
        _ => Ok(()),
    }
}

fn no_five(_: &Rack, fans: &u8) -> Result<(), PropertyError> {
    if *fans == 5 { Err(PropertyError::Refused("not five".to_owned())) } else { Ok(()) }
}

fn rack_class(class: &mut ClassInit<'_>) {
    assert_eq!(class.name(), "rack");
}

fn rack_init(object: &dyn Object) {
    assert!(object.downcast_ref::<Rack>().is_some());
}

impl HotplugHandler for Rack {
    fn handles(&self, _: &Obj<Device>) -> bool {
        true
    }
    fn pre_plug(&self, _: &Obj<Device>) -> Result<(), qom::Error> {
        Ok(())
    }
    fn plug(&self, _: &Obj<Device>) -> Result<(), qom::Error> {
        Ok(())
    }
    fn unplug_request(&self, _: &Obj<Device>) -> Result<(), qom::Error> {
        Ok(())
    }
    fn unplug(&self, _: &Obj<Device>) -> Result<(), qom::Error> {
        Ok(())
    }
}

fn main() {
    let mut types = qom::Bootstrap::empty();
    types.register(Rack::type_info()).unwrap();
    types.register(qom::TypeInfo::new("small-rack", "rack", qom::site!())).unwrap();
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();

    let class = qom.class("rack").unwrap();
    assert!(class.is_abstract() && class.is_a("hotplug-handler") && class.is_a("device"));
    let shown = |name: &str| {
        let property = class.property(name).unwrap();
        (property.type_name(), property.description_text(), property.is_readable(), property.is_writable())
    };
    assert_eq!(shown("height-units"), ("uint16", Some("How many units it has"), true, true));
    assert_eq!(shown("x-label"), ("str", None, true, false));
    assert_eq!(shown("secret"), ("str", None, false, true));
    assert_eq!(shown("neighbour"), ("link<device>", None, true, true));
    assert_eq!(shown("above"), ("link<device>", None, true, false));
    assert!(class.property("plain").is_none() && class.property("label").is_none());
    assert_eq!(class.default_value("height-units"), Some(&42.into()));

    assert_eq!(shown("led"), ("bool", Some("Whether it glows"), true, true));
    assert_eq!(shown("locked"), ("bool", None, true, false));
    assert_eq!(shown("ports"), ("list", None, true, true));
    let ports = class.property("ports").unwrap();
    assert_eq!((ports.is_internal(), ports.deprecation()), (true, Some("use fans")));

    let object = qom.create("small-rack").unwrap();
    qom.root().add_child("rack", &object).unwrap();
    let set = |name: &str, text: &str| {
        object.set(name, &Input::Text(text), Origin::Monitor).map_err(|error| error.to_string())
    };
    let refused = |text: &str| Err(text.to_owned());
    assert_eq!(set("fans", "6"), Ok(()));
    assert_eq!(set("fans", "5"), refused("not five"));
    let range = "Property small-rack.fans doesn't take value 7 (minimum: 1, maximum: 6)";
    assert_eq!(set("fans", "7"), refused(range));
    let range = "Property small-rack.tilt doesn't take value -5 (minimum: -4, maximum: 32767)";
    assert_eq!(set("tilt", "-5"), refused(range));
    assert_eq!((object.get("led").unwrap(), object.get("locked").unwrap()), (true.into(), false.into()));
    assert_eq!(set("led", "off"), Ok(()));
    assert_eq!(object.downcast_ref::<Rack>().unwrap().flags.get(), 0);
    assert_eq!(set("below", "/rack"), refused("a rack is not below itself"));
    assert_eq!(set("ports", "1-3"), refused("Property 'small-rack.ports' not found"));
    object.set_value("ports", &vec![1_u8, 3]).unwrap();
    assert_eq!(object.get("ports").unwrap().to_string(), "[1,3]");
    let rack = object.downcast_ref::<Rack>().unwrap();
    assert_eq!(object.get("height-units").unwrap(), 42);
    assert_eq!(object.get("x-label").unwrap(), "r");
    assert_eq!(object.get("secret").unwrap_err().to_string(), "Property 'small-rack.secret' is not readable");
    assert_eq!(object.get("neighbour").unwrap(), "");
    assert_eq!((rack.plain.as_slice(), rack.other.load(std::sync::atomic::Ordering::Relaxed)), (&[1, 2][..], 0));
    assert!(object.interface::<dyn HotplugHandler>().is_some());
}
