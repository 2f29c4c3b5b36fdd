// Limits are for writing.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, minimum = 1)]
    brightness: Field<u8>,
}

fn main() {}
