//! The behaviours that QEMU's own `tests/unit/test-qdev-global-props.c` stands for, each named after its case there:
//! static and dynamic properties, with and without global values, values for a parent and for a subclass, values that
//! nobody uses, and whose fault that is. The program is ours; the cases and the warnings' words are QEMU's.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::{Arc, Mutex};

use qom::{
    Bootstrap, ClassInit, CreateError, Device, DeviceClass, Field, GlobalProperty, Instance, Object,
    ObjectCore, Origin, PropertyError, Qom, TypeInfo, site,
};

const PROP_DEFAULT: u32 = 100;

/// A device whose properties have declared defaults.
#[derive(Debug, qom::derive::Object)]
#[object(name = "static-prop-type")]
struct StaticProps {
    parent: Device,
    #[property(get, set, default = 100)]
    prop1: Field<u32>,
    #[property(get, set, default = 100)]
    prop2: Field<u32>,
}

/// A device whose properties are declared by code, without a default.
#[derive(Debug, qom::derive::Object)]
#[object(name = "dynamic-prop-type", class_init = DynamicProps::class_init)]
struct DynamicProps {
    parent: Device,
    prop1: Field<u32>,
    prop2: Field<u32>,
}

impl DynamicProps {
    fn class_init(class: &mut ClassInit<'_>) {
        class.add_property(qom::Property::of::<Self, u32>("prop1", |this| this.prop1.get()).settable(
            |this: &Self, value| {
                this.prop1.set(value);
                Ok(())
            },
        ));
        class.add_property(qom::Property::of::<Self, u32>("prop2", |this| this.prop2.get()).settable(
            |this: &Self, value| {
                this.prop2.set(value);
                Ok(())
            },
        ));
    }
}

/// An object with a property that is no device.
#[derive(Debug, qom::derive::Object)]
#[object(name = "nondevice-type")]
struct NonDevice {
    parent: ObjectCore,
    #[property(get, set, default = 1)]
    prop6: Field<u32>,
}

fn system(globals: Vec<GlobalProperty>) -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    let no_hotplug = |class: &mut ClassInit<'_>| class.data_mut::<DeviceClass>().hotpluggable = false;
    for info in [
        StaticProps::type_info(),
        DynamicProps::type_info(),
        NonDevice::type_info(),
        TypeInfo::new("subclass-type", "static-prop-type", site!()),
        TypeInfo::new("hotplug-type", "static-prop-type", site!()),
        TypeInfo::new("nohotplug-type", "static-prop-type", site!()).class_init(no_hotplug),
    ] {
        types.register(info).unwrap();
    }
    let accel = types.create("container").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    for global in globals {
        qom.add_global(global);
    }
    qom
}

fn user(driver: &str, property: &str, value: &str) -> GlobalProperty {
    GlobalProperty::new(driver, property, value, Origin::Global)
}

fn machine(driver: &str, property: &str, value: &str) -> GlobalProperty {
    GlobalProperty::new(driver, property, value, Origin::MachineCompat)
}

fn static_props(object: &Arc<dyn Object>) -> (u32, u32) {
    let props = object.downcast_ref::<StaticProps>().unwrap();
    (props.prop1.get(), props.prop2.get())
}

/// `/qdev/properties/static/default`: with no global value there, the declared defaults are.
#[test]
fn static_default() {
    let qom = system(Vec::new());
    let object = qom.create("static-prop-type").unwrap();
    assert_eq!(static_props(&object), (PROP_DEFAULT, PROP_DEFAULT));
    assert_eq!(object.origin_of("prop1"), Origin::Default);
}

/// `/qdev/properties/static/global`: a global value replaces a default, and only that one.
#[test]
fn static_global() {
    let qom = system(vec![machine("static-prop-type", "prop1", "200")]);
    let object = qom.create("static-prop-type").unwrap();
    assert_eq!(static_props(&object), (200, PROP_DEFAULT));
    assert_eq!(object.origin_of("prop1"), Origin::MachineCompat);
    assert_eq!(object.origin_of("prop2"), Origin::Default);
}

/// `/qdev/properties/dynamic/global`: properties declared by code are no different; what cannot be used is told to the
/// user in the order in which it was given, and what may still be used is not.
#[test]
fn dynamic_global() {
    let qom = system(vec![
        user("dynamic-prop-type", "prop1", "101"),
        user("dynamic-prop-type", "prop2", "102"),
        user("dynamic-prop-type-bad", "prop3", "103"),
        user("hotplug-type", "prop4", "104"),
        user("nohotplug-type", "prop5", "105"),
        user("nondevice-type", "prop6", "106"),
    ]);
    let object = qom.create("dynamic-prop-type").unwrap();
    let props = object.downcast_ref::<DynamicProps>().unwrap();
    assert_eq!((props.prop1.get(), props.prop2.get()), (101, 102));
    let used: Vec<bool> = qom.globals().iter().map(|global| global.is_used()).collect();
    assert_eq!(used, [true, true, false, false, false, false]);
    assert_eq!(
        qom.global_warnings(),
        [
            "global dynamic-prop-type-bad.prop3 has invalid class name",
            "global nohotplug-type.prop5=105 not used",
            "global nondevice-type.prop6 has invalid class name",
        ]
    );
}

/// `/qdev/properties/dynamic/global/nouser`: the same values, but not given by a user: nobody is warned.
#[test]
fn dynamic_global_nouser() {
    let qom = system(vec![
        machine("dynamic-prop-type", "prop1", "101"),
        machine("dynamic-prop-type", "prop2", "102"),
        machine("dynamic-prop-type-bad", "prop3", "103"),
        machine("hotplug-type", "prop4", "104"),
        machine("nohotplug-type", "prop5", "105"),
        machine("nondevice-type", "prop6", "106"),
    ]);
    let object = qom.create("dynamic-prop-type").unwrap();
    let props = object.downcast_ref::<DynamicProps>().unwrap();
    assert_eq!((props.prop1.get(), props.prop2.get()), (101, 102));
    let used: Vec<bool> = qom.globals().iter().map(|global| global.is_used()).collect();
    assert_eq!(used, [true, true, false, false, false, false]);
    assert!(qom.global_warnings().is_empty());
}

/// `/qdev/properties/global/subclass`: a value for a type is one for its subclasses, one for the subclass is for it alone,
/// and the later one of two counts.
#[test]
fn global_subclass() {
    let parent_first = vec![
        machine("static-prop-type", "prop1", "101"),
        machine("subclass-type", "prop1", "102"),
        machine("static-prop-type", "prop2", "103"),
        machine("subclass-type", "prop2", "104"),
    ];
    let qom = system(parent_first);
    assert_eq!(static_props(&qom.create("static-prop-type").unwrap()), (101, 103));
    assert_eq!(static_props(&qom.create("subclass-type").unwrap()), (102, 104));
    // Not the closer type but the later value is the stronger one.
    let qom = system(vec![
        machine("subclass-type", "prop1", "102"),
        machine("static-prop-type", "prop1", "101"),
        machine("device", "prop2", "7"),
    ]);
    assert_eq!(static_props(&qom.create("subclass-type").unwrap()), (101, 7));
}

/// Whose the value is decides before the order in which values came.
#[test]
fn users_values_are_stronger_than_the_machines() {
    let qom = system(vec![
        user("static-prop-type", "prop1", "1"),
        machine("static-prop-type", "prop1", "2"),
        machine("static-prop-type", "prop2", "3"),
    ]);
    let object = qom.create("static-prop-type").unwrap();
    assert_eq!(static_props(&object), (1, 3));
    assert_eq!(object.origin_of("prop1"), Origin::Global);
    assert_eq!(object.origin_of("prop2"), Origin::MachineCompat);
}

/// A value that the property does not take, or a property that is not there, ends the creation. Only a value that is marked
/// so passes over types that lack the property.
#[test]
fn a_global_value_that_does_not_fit() {
    let qom = system(vec![user("static-prop-type", "prop1", "lots")]);
    let error = qom.create("static-prop-type").unwrap_err();
    assert_eq!(
        error.to_string(),
        "can't apply global static-prop-type.prop1=lots: Parameter 'prop1' expects uint64"
    );
    let qom = system(vec![user("static-prop-type", "prop3", "1")]);
    let Err(CreateError::Global { source, .. }) = qom.create("subclass-type") else {
        unreachable!("the global value is for a property that does not exist");
    };
    assert!(matches!(*source, PropertyError::NotFound { .. }));
    assert!(qom.create("dynamic-prop-type").is_ok(), "another type is not concerned");
    let qom =
        system(vec![machine("device", "prop1", "5").optional(), machine("device", "prop9", "5").optional()]);
    assert_eq!(static_props(&qom.create("static-prop-type").unwrap()), (5, PROP_DEFAULT));
    let used: Vec<bool> = qom.globals().iter().map(|global| global.is_used()).collect();
    assert_eq!(used, [true, false]);
}

/// A machine's value reaches objects that are no devices (as its compat properties of memory backends do); a user's
/// does not.
#[test]
fn objects_that_are_no_devices() {
    let qom = system(vec![machine("nondevice-type", "prop6", "2"), user("nondevice-type", "prop6", "3")]);
    assert_eq!(qom.create("nondevice-type").unwrap().get("prop6").unwrap(), 2);
}

/// A value that does not fit is an error, until the machine is made; then it is told of, and the others count.
#[test]
fn what_does_not_fit_is_passed_over_once_the_machine_is_made() {
    let qom = system(vec![
        user("static-prop-type", "prop1", "200"),
        user("static-prop-type", "prop1", "x"),
        user("static-prop-type", "none", "1"),
        user("static-prop-type", "prop2", "300"),
    ]);
    let refused = qom.create("static-prop-type").unwrap_err().to_string();
    assert_eq!(refused, "can't apply global static-prop-type.prop1=x: Parameter 'prop1' expects uint64");

    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    qom.on_warning(move |text| heard.lock().unwrap().push(text.to_owned()));
    qom.pass_over_globals();
    assert_eq!(static_props(&qom.create("static-prop-type").unwrap()), (200, 300));
    let missing = "can't apply global static-prop-type.none=1: Property 'static-prop-type.none' not found";
    assert_eq!(*said.lock().unwrap(), [refused.as_str(), missing]);
}

/// A value concerns the objects that are made after it was given.
#[test]
fn globals_concern_later_objects() {
    let qom = system(Vec::new());
    let early = qom.create("static-prop-type").unwrap();
    qom.add_global(user("static-prop-type", "prop1", "200"));
    assert_eq!(static_props(&early), (PROP_DEFAULT, PROP_DEFAULT));
    assert_eq!(static_props(&qom.create("static-prop-type").unwrap()), (200, PROP_DEFAULT));
}
