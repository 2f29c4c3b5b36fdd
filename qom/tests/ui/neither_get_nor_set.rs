// A property can be read or written.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(default = 1)]
    brightness: Field<u8>,
}

fn main() {}
