// Only numbers have limits.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, minimum = 1)]
    colour: Field<String>,
}

fn main() {}
