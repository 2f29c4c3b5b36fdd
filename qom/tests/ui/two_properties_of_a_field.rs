// A field is the state of one property, or of several bits.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, name = "a")]
    #[property(get, set, name = "b")]
    brightness: Field<u8>,
}

fn main() {}
