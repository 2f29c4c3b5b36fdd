// A default lies within the limits.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, default = 200, maximum = 100)]
    brightness: Field<u8>,
}

fn main() {}
