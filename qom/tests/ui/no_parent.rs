// A type embeds its parent's struct.
#[derive(Debug, qom::derive::Object)]
#[object(name = "lamp")]
struct Lamp {
    brightness: qom::Field<u8>,
}

fn main() {}
