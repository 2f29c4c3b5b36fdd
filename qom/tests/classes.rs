//! Classes and what objects get from them: class data, virtual methods, interfaces, defaults, initialisation.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::Arc;

use qom::{
    Bootstrap, ClassInit, CreateError, Device, Field, GlobalProperty, Input, Instance, Interface, Obj,
    Object, ObjectCore, Origin, Qom, RegistryError, TypeInfo, property_enum, site,
};

/// The class data of animals.
#[derive(Clone, Default)]
struct AnimalClass {
    legs: u8,
    speak: Option<fn(&Animal) -> String>,
}

#[derive(Debug, qom::derive::Object)]
#[object(name = "animal", abstract, class_init = Animal::class_init, instance_init = init, instance_post_init = post)]
struct Animal {
    parent: Device,
    #[property(get, set, default = 3)]
    age: Field<u8>,
    /// What happened, in order.
    #[object(default = Field::new(Vec::new()))]
    log: Field<Vec<String>>,
}

fn log(object: &dyn Object, what: &str) {
    let animal = object.downcast_ref::<Animal>().unwrap();
    let age = animal.age.get();
    animal.log.update(|log| log.push(format!("{what} at {age}")));
}

fn init(object: &dyn Object) {
    log(object, "animal init");
}

fn post(object: &dyn Object) {
    log(object, "animal post");
}

impl Animal {
    fn class_init(class: &mut ClassInit<'_>) {
        let data = class.data_mut::<AnimalClass>();
        data.legs = 4;
        data.speak = Some(|animal| format!("{} legs", animal.data().legs));
    }

    fn data(&self) -> &AnimalClass {
        self.core().class().data().unwrap()
    }

    fn speak(&self) -> String {
        (self.data().speak.unwrap())(self)
    }
}

#[derive(Debug, qom::derive::Object)]
#[object(name = "dog", class_init = Dog::class_init, instance_init = Dog::init, interfaces(dyn Pet))]
struct Dog {
    parent: Animal,
    #[property(get, default = Coat::Rough)]
    coat: Field<Coat>,
}

property_enum! {
    /// A dog's hair.
    enum Coat("Coat") {
        /// Rough.
        Rough = "rough",
        /// Smooth.
        Smooth = "smooth",
    }
}

impl Dog {
    fn init(object: &dyn Object) {
        log(object, "dog init");
    }

    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<AnimalClass>().speak = Some(|animal| {
            let parents = animal.core().class().parent_of("dog").unwrap().data::<AnimalClass>().unwrap();
            format!("woof, {}", (parents.speak.unwrap())(animal))
        });
    }
}

trait Named: Send + Sync {
    fn call(&self) -> String;
}

impl Interface for dyn Named {
    const NAME: &'static str = "named";
}

/// Extends `named`.
trait Pet: Named {
    fn owner(&self) -> &'static str;
}

impl Interface for dyn Pet {
    const NAME: &'static str = "pet";
    const PARENT: &'static str = "named";
}

/// Implemented by nothing.
trait Wild {}

impl Interface for dyn Wild {
    const NAME: &'static str = "wild";
}

impl Named for Dog {
    fn call(&self) -> String {
        format!("dog of {}", self.parent.age.get())
    }
}

impl Pet for Dog {
    fn owner(&self) -> &'static str {
        "somebody"
    }
}

fn system(more: impl IntoIterator<Item = TypeInfo>) -> Result<Arc<Qom>, RegistryError> {
    let mut types = Bootstrap::empty();
    let mut all = vec![
        Animal::type_info(),
        Dog::type_info(),
        TypeInfo::interface::<dyn Named>(site!()),
        TypeInfo::interface::<dyn Pet>(site!()).extends::<dyn Pet, dyn Named>(|pet| pet),
        TypeInfo::interface::<dyn Wild>(site!()),
        TypeInfo::new("three-legged-dog", "dog", site!()).class_init(|class| {
            class.data_mut::<AnimalClass>().legs = 3;
            class.set_default("age", 9);
        }),
        TypeInfo::new("old-three-legged-dog", "three-legged-dog", site!())
            .class_init(|class| class.set_default("age", 15))
            .instance_init(|object| log(object, "old init"))
            .instance_post_init(|object| log(object, "old post")),
    ];
    all.extend(more);
    for info in all {
        types.register(info)?;
    }
    let accel = types.create("container").unwrap();
    types.accel_ready(accel)?.seal()
}

fn animal(object: Arc<dyn Object>) -> Obj<Animal> {
    Obj::new(object).unwrap()
}

#[test]
fn class_data_is_the_parents_unless_overridden() {
    let qom = system([]).unwrap();
    let legs = |name: &str| qom.class(name).unwrap().data::<AnimalClass>().map(|data| data.legs);
    assert_eq!(legs("animal"), Some(4));
    assert_eq!(legs("dog"), Some(4));
    assert_eq!(legs("old-three-legged-dog"), Some(3));
    assert_eq!(legs("device"), None, "a level's class data is not its ancestors'");
}

#[test]
fn an_override_finds_the_method_that_it_overrides_from_any_descendant() {
    let qom = system([]).unwrap();
    assert_eq!(animal(qom.create("dog").unwrap()).speak(), "woof, 4 legs");
    // Two levels further down, `parent_of` still starts at the level that overrides: no endless chain.
    assert_eq!(animal(qom.create("old-three-legged-dog").unwrap()).speak(), "woof, 3 legs");
    let class = qom.class("dog").unwrap();
    assert_eq!(class.parent_of("dog").map(qom::Class::name), Some("animal"));
    assert!(class.parent_of("object").is_none() && class.parent_of("three-legged-dog").is_none());
}

#[test]
fn interfaces_are_inherited_and_extend_each_other() {
    let qom = system([]).unwrap();
    let object = qom.create("old-three-legged-dog").unwrap();
    assert_eq!(object.interface::<dyn Pet>().map(Pet::owner), Some("somebody"));
    assert_eq!(object.interface::<dyn Named>().map(Named::call).as_deref(), Some("dog of 15"));
    assert!(object.interface::<dyn Wild>().is_none());
    for (name, is) in [("pet", true), ("named", true), ("interface", true), ("wild", false), ("dog", true)] {
        assert_eq!(object.class().is_a(name), is, "{name}");
        let listed = qom.type_names(Some(name), false).contains(&"old-three-legged-dog");
        assert_eq!(listed, is, "the list of types and the class say the same of {name}");
    }
    assert!(!qom.class("animal").unwrap().is_a("pet"));
    assert_eq!(
        qom.class("dog").unwrap().interfaces().map(qom::InterfaceImpl::name).collect::<Vec<_>>(),
        ["pet", "resettable"]
    );
    assert!(qom.class("pet").unwrap().is_interface() && qom.class("pet").unwrap().is_a("named"));
}

/// The method table of an interface that data-only types override: what `dyn Tune` needs is in class data.
#[derive(Clone)]
struct Tune {
    notes: fn(&dyn Object) -> String,
}

impl Default for Tune {
    fn default() -> Self {
        Self { notes: |_| "la".to_owned() }
    }
}

trait Singer {}

impl Interface for dyn Singer {
    const NAME: &'static str = "singer";
}

impl Singer for Dog {}

#[test]
fn an_interfaces_method_table_is_put_into_classes_cloned_and_overridden() {
    let singer = TypeInfo::interface::<dyn Singer>(site!()).class_init(|class| {
        class.data_mut::<Tune>().notes = |object| format!("{} sings", object.class().name());
    });
    let singing = TypeInfo::new("singing-dog", "dog", site!()).implement(qom::interface!(Dog: dyn Singer));
    let loud = TypeInfo::new("loud-dog", "singing-dog", site!()).class_init(|class| {
        class.data_mut::<Tune>().notes = |object| {
            let parents =
                object.class().parent_of("loud-dog").and_then(|class| class.data::<Tune>()).unwrap();
            (parents.notes)(object).to_uppercase()
        };
    });
    let qom = system([singer, singing, loud, TypeInfo::new("pup", "loud-dog", site!())]).unwrap();
    let notes = |name: &str| {
        let object = qom.create(name).unwrap();
        object.class().data::<Tune>().map(|tune| (tune.notes)(&*object))
    };
    assert_eq!(notes("dog"), None, "it does not sing");
    assert_eq!(notes("singing-dog").as_deref(), Some("singing-dog sings"));
    assert_eq!(notes("loud-dog").as_deref(), Some("LOUD-DOG SINGS"));
    assert_eq!(notes("pup").as_deref(), Some("PUP SINGS"));
}

#[test]
fn casts_are_checked_in_every_direction() {
    let qom = system([]).unwrap();
    let dog = qom.create_of::<Dog>().unwrap();
    assert!(dog.cast::<Animal>().is_some() && dog.cast::<Device>().is_some());
    assert!(dog.cast::<ObjectCore>().and_then(|core| core.cast::<Dog>()).is_some(), "and down again");
    let container = qom.create("container").unwrap();
    assert!(container.downcast_ref::<Dog>().is_none());
    for (name, is) in [("dog", true), ("animal", true), ("named", true), ("object", true), ("wild", false)] {
        assert_eq!(dog.as_object().dynamic_cast(name).is_ok(), is, "{name}");
    }
    assert_eq!(
        container.dynamic_cast("dog").err().map(|error| error.to_string()).as_deref(),
        Some("object of type 'container' is not of type 'dog'")
    );
    let back = Obj::<Dog>::new(container.clone()).unwrap_err();
    assert!(Arc::ptr_eq(&back, &container));
    assert!(matches!(qom.create_of::<Animal>(), Err(CreateError::Abstract { name }) if name == "animal"));
}

#[test]
fn the_nearest_override_of_a_default_counts() {
    let redeclared = TypeInfo::new("new-age-dog", "old-three-legged-dog", site!()).class_init(|class| {
        class.add_property(
            qom::Property::of::<Animal, u8>("age", |animal| animal.age.get() + 100).default(100),
        );
    });
    let qom = system([redeclared]).unwrap();
    for (name, age) in [("dog", 3), ("three-legged-dog", 9), ("old-three-legged-dog", 15)] {
        let object = qom.create(name).unwrap();
        assert_eq!(object.get("age").unwrap(), age);
        assert_eq!(qom.class(name).unwrap().default_value("age"), Some(&age.into()));
        assert_eq!(object.origin_of("age"), Origin::Default);
    }
    // A class that declares the property anew starts with the new declaration's default.
    assert_eq!(qom.class("new-age-dog").unwrap().default_value("age"), Some(&100.into()));
    assert_eq!(qom.create("new-age-dog").unwrap().get("age").unwrap(), 103);
    let bad = TypeInfo::new("bad-dog", "dog", site!()).class_init(|class| class.set_default("age", 300));
    let error = system([bad]).unwrap().create("bad-dog").unwrap_err();
    assert_eq!(error.to_string(), "default of bad-dog.age: Parameter 'age' expects uint8_t");
    let none = TypeInfo::new("bad-dog", "dog", site!()).class_init(|class| class.set_default("wings", 2));
    let error = system([none]).unwrap().create("bad-dog").unwrap_err();
    assert_eq!(error.to_string(), "default of bad-dog.wings: Property 'bad-dog.wings' not found");
}

#[test]
fn initialisation_is_defaults_then_init_then_globals_then_post_init_parents_first() {
    let qom = system([]).unwrap();
    qom.add_global(GlobalProperty::new("dog", "age", "20", Origin::Global));
    let object = qom.create("old-three-legged-dog").unwrap();
    assert_eq!(
        object.downcast_ref::<Animal>().unwrap().log.get(),
        ["animal init at 15", "dog init at 15", "old init at 15", "animal post at 20", "old post at 20"]
    );
    assert_eq!(object.origin_of("age"), Origin::Global);
}

#[test]
fn globals_are_applied_in_the_order_of_their_strength() {
    let qom = system([]).unwrap();
    // Added strongest first: the order of options does not matter.
    let globals = [
        ("dog", "30", Origin::Cpu),
        ("three-legged-dog", "22", Origin::Global),
        ("animal", "21", Origin::Global),
        ("dog", "11", Origin::MachineCompat),
    ];
    for (driver, value, origin) in globals {
        qom.add_global(GlobalProperty::new(driver, "age", value, origin));
    }
    assert_eq!(qom.create("dog").unwrap().get("age").unwrap(), 30);
    let origins: Vec<_> = qom.globals().iter().map(|global| global.origin).collect();
    assert!(origins.is_sorted());

    let qom = system([]).unwrap();
    for (driver, value, origin) in &globals[1..] {
        qom.add_global(GlobalProperty::new(*driver, "age", *value, *origin));
    }
    // Of equals the later one, whichever is for the nearer ancestor.
    assert_eq!(qom.create("old-three-legged-dog").unwrap().get("age").unwrap(), 21);

    let qom = system([]).unwrap();
    qom.add_global(GlobalProperty::new("dog", "age", "11", Origin::MachineCompat));
    let object = qom.create("dog").unwrap();
    assert_eq!((object.get("age").unwrap(), object.origin_of("age")), (11.into(), Origin::MachineCompat));
}

/// The words are QEMU 11.1's for `-global qemu64-x86_64-cpu.foo=1` and `-global hpet-x.foo=1`.
#[test]
fn a_global_that_does_not_fit_is_an_error_and_one_without_effect_a_warning() {
    let qom = system([]).unwrap();
    qom.add_global(GlobalProperty::new("dog", "wings", "1", Origin::Global));
    let error = qom.create("three-legged-dog").unwrap_err();
    assert_eq!(
        error.to_string(),
        "can't apply global dog.wings=1: Property 'three-legged-dog.wings' not found"
    );

    let fixed = TypeInfo::new("fixed", "device", site!())
        .construct(|seed| seed.finish::<Device>())
        .class_init(|class| class.data_mut::<qom::DeviceClass>().hotpluggable = false);
    let qom = system([fixed]).unwrap();
    for (driver, origin) in [
        ("hpet-x", Origin::Global),
        ("container", Origin::Global),
        ("fixed", Origin::Global),
        ("animal", Origin::Global),
        ("dog", Origin::MachineCompat),
        ("hpet-x", Origin::MachineCompat),
    ] {
        qom.add_global(GlobalProperty::new(driver, "foo", "1", origin));
    }
    // What a user says concerns devices only.
    assert!(qom.create("container").is_ok());
    assert_eq!(
        qom.global_warnings(),
        [
            "global hpet-x.foo has invalid class name",
            "global container.foo has invalid class name",
            "global fixed.foo=1 not used"
        ]
    );
    assert!(qom.create("fixed").is_err());
    assert_eq!(qom.global_warnings().len(), 2, "a used global is not warned about");
}

#[test]
fn an_optional_compat_property_passes_over_types_without_it() {
    let qom = system([]).unwrap();
    qom.add_global(GlobalProperty::new("device", "age", "77", Origin::MachineCompat).optional());
    qom.add_global(GlobalProperty::new("device", "wings", "2", Origin::MachineCompat).optional());
    assert_eq!(qom.create("dog").unwrap().get("age").unwrap(), 77);
}

/// After `qemu-dummy`'s iteration tests: each property once, ancestors' first, children after them.
#[test]
fn properties_are_listed_from_the_class_and_from_the_object() {
    let qom = system([]).unwrap();
    let names: Vec<_> = qom.class("dog").unwrap().properties().map(|p| p.name().to_owned()).collect();
    assert_eq!(names, ["type", "parent_bus", "realized", "hotpluggable", "hotplugged", "age", "coat"]);
    let object = qom.create("dog").unwrap();
    object.add_child("puppy", &qom.create("dog").unwrap()).unwrap();
    let entries = object.properties();
    let line = |name: &str| entries.iter().find(|entry| entry.name == name).map(|entry| &*entry.type_name);
    assert_eq!(entries.len(), names.len() + 1);
    assert_eq!(line("age"), Some("uint8"));
    assert_eq!(line("coat"), Some("Coat"));
    assert_eq!(line("puppy"), Some("child<dog>"));
    let age = qom.class("dog").unwrap().property("age").unwrap();
    assert!(age.is_readable() && age.is_writable());
    assert_eq!(object.get("type").unwrap(), "dog");
    assert!(object.set("coat", &Input::Text("smooth"), Origin::Monitor).is_err());
}
