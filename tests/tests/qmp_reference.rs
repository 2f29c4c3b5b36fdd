//! `docs/qmp-reference.md` is what the types of commands and events say.
//!
//! `UPDATE=1 cargo test -p tests --test qmp_reference` writes it anew.

use std::path::Path;

use machine_pc::accel::AccelChoice;
use machine_pc::startup;
use qmp::Commands;
use qmp::schema::reference;

const HEAD: &str = "\
# QMP reference

The commands and events that clients of a machine's QMP monitor have, and the types of what they send and get. Commands that QEMU has too do what
they do there; [differences.md](differences.md) has the exceptions. Those whose names begin with `x-` are in QEMU's words unstable.

`query-qmp-schema` returns the same for programs. Both are made from the Rust types that carry the commands out, so this file is not
edited: `UPDATE=1 cargo test -p tests --test qmp_reference` writes it anew.

";

#[test]
fn the_reference_is_that_of_the_types() {
    let accel = AccelChoice { name: "tcg".to_owned(), properties: Vec::new(), location: None };
    let qom = startup::accel_ready(&[accel], drop).expect("an accelerator");
    let text = format!("{HEAD}{}", reference(&Commands::linked().expect("commands"), qom));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/qmp-reference.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).expect("the file");
    }
    let kept = std::fs::read_to_string(&path).expect("the file");
    let differs = kept.lines().zip(text.lines()).find(|(kept, made)| kept != made);
    assert_eq!(differs, None, "UPDATE=1 writes the file anew");
    assert_eq!(kept.len(), text.len());
}
