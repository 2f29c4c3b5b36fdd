// Only words have bits.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, bit = 3, name = "bold")]
    flags: Field<String>,
}

fn main() {}
