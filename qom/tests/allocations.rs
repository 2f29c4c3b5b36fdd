//! What is looked up often is looked up without memory: classes, properties, casts, children.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::Arc;

use allocation_counter::measure;
use qom::{Bootstrap, Container, Device, Field, Instance, Obj, ObjectCore, Qom, TypeInfo, site};

#[derive(Debug, qom::derive::Object)]
#[object(name = "counted")]
struct Counted {
    parent: Container,
    #[property(get, set, default = 0)]
    number: Field<u32>,
}

fn system() -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    types.register(Counted::type_info()).unwrap();
    types.register(TypeInfo::new("counted-child", "counted", site!())).unwrap();
    let accel = types.create("container").unwrap();
    types.accel_ready(accel).unwrap().seal().unwrap()
}

fn allocations(of: impl FnOnce()) -> u64 {
    measure(of).count_total
}

/// The counter counts: otherwise the zeros below would say nothing.
#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(5_u64))), 1);
}

#[test]
fn looking_up_a_class_allocates_nothing() {
    let qom = system();
    // It is built when it is first asked for.
    qom.class("counted-child").unwrap();
    let count = allocations(|| {
        let class = qom.class("counted-child").unwrap();
        assert!(class.is_a("counted") && class.is_a("object") && !class.is_a("device"));
        assert_eq!(class.property("number").unwrap().name(), "number");
        assert!(class.property("type").is_some() && class.property("none").is_none());
        assert!(class.default_value("number").is_some());
        assert_eq!(class.lineage().count(), 4);
        assert_eq!(class.parent_of("counted").unwrap().name(), "container");
        assert_eq!(qom.is_abstract("object"), Some(true));
    });
    assert_eq!(count, 0);
}

#[test]
fn casts_children_and_numbers_allocate_nothing() {
    let qom = system();
    let object = qom.create("counted-child").unwrap();
    qom.root().add_child("it", &object).unwrap();
    let count = allocations(|| {
        let found = qom.root().core().child("it").unwrap();
        assert!(found.downcast_ref::<Counted>().is_some() && found.downcast_ref::<ObjectCore>().is_some());
        assert!(found.downcast_ref::<Device>().is_none());
        let counted = Obj::<Counted>::new(found).unwrap();
        assert_eq!(counted.number.get(), 0);
        assert_eq!(counted.as_object().get("number").unwrap(), 0);
        assert!(counted.as_object().core().parent().is_some());
    });
    assert_eq!(count, 0);
}
