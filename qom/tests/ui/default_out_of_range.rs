// A default is in the range of the property's type.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, default = 300)]
    brightness: Field<u8>,
}

fn main() {}
