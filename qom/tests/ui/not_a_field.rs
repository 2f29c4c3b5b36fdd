// What a setter changes lies in a `Field`.
#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    parent: qom::Device,
    #[property(get, set)]
    brightness: u8,
}

fn main() {}
