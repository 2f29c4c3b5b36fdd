// The type of a property is one that properties have.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set)]
    brightness: Field<std::time::Duration>,
}

fn main() {}
