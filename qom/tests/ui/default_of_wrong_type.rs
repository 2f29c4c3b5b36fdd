// A default is of the property's type.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, default = "on")]
    lit: Field<bool>,
}

fn main() {}
