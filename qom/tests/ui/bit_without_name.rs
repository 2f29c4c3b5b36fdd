// A bit has a name of its own.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, bit = 3)]
    flags: Field<u32>,
}

fn main() {}
