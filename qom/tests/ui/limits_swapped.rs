// The maximum is not below the minimum.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, minimum = 10, maximum = 1)]
    brightness: Field<u8>,
}

fn main() {}
