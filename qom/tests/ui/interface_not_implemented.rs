// A type that declares an interface implements its trait.
trait Dimmer {}

impl qom::Interface for dyn Dimmer {
    const NAME: &'static str = "dimmer";
}

#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp", interfaces(dyn Dimmer))]
struct Lamp {
    parent: qom::Device,
}

fn main() {}
