// While the hooks run, no class can be looked up and no object made.
fn hook(ready: &mut qom::AccelReady) {
    let _ = ready.class("qemu64-x86_64-cpu");
    let _ = ready.create("qemu64-x86_64-cpu");
}

// And once the types are sealed, none can be added.
fn late(qom: &qom::Qom, info: qom::TypeInfo) {
    let _ = qom.register(info);
}

fn main() {}
