//! The program `qom-system-x86_64`.
fn main() {}
