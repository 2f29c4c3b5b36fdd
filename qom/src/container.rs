//! Objects that only hold others.

use qom_derive::Object;

use crate::object::ObjectCore;

/// An object without state that gives its children a place: `/machine/peripheral`, `/objects`, ….
#[derive(Debug, Object)]
#[object(name = "container")]
pub struct Container {
    parent: ObjectCore,
}
