// A misspelt attribute is not ignored.
use qom::{Device, Field};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, defualt = 3)]
    brightness: Field<u8>,
}

fn main() {}
