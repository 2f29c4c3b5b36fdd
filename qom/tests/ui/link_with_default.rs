// A link points nowhere at first.
use qom::{Device, Link};

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: Device,
    #[property(get, set, link = "device", default = 3)]
    neighbour: Link,
}

fn main() {}
