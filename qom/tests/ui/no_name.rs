// A type has a name.
#[derive(Debug, qom::derive::Object)]
struct Lamp {
    parent: qom::Device,
}

fn main() {}
