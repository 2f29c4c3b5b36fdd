// All of the grammar at once.
use qom::{ClassInit, Device, Field, HotplugHandler, Instance, Link, Obj, Object};

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
    #[object(default = vec![1, 2])]
    plain: Vec<u8>,
    other: std::sync::atomic::AtomicU8,
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

    let object = qom.create("small-rack").unwrap();
    let rack = object.downcast_ref::<Rack>().unwrap();
    assert_eq!(object.get("height-units").unwrap(), 42);
    assert_eq!(object.get("x-label").unwrap(), "r");
    assert_eq!(object.get("secret").unwrap_err().to_string(), "Property 'small-rack.secret' is not readable");
    assert_eq!(object.get("neighbour").unwrap(), "");
    assert_eq!((rack.plain.as_slice(), rack.other.load(std::sync::atomic::Ordering::Relaxed)), (&[1, 2][..], 0));
    assert!(object.interface::<dyn HotplugHandler>().is_some());
}
