//! Memory that is a file: against a recorded session of the reference, and as the memory of a machine.

use std::path::Path;

use serde_json::json;
use tests::{Program, kvm_or_skip, replay};

fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|about| about.len())
}

/// The directory that sessions were recorded with.
fn recorded_files() -> tempfile::TempDir {
    let files = tempfile::tempdir().expect("a directory");
    std::fs::write(files.path().join("big"), [b'x'; 8192]).expect("a file");
    std::fs::write(files.path().join("odd"), [b'y'; 5000]).expect("a file");
    files
}

#[test]
fn what_is_wrong_is_told_as_by_the_reference() {
    let files = recorded_files();
    let program = Program::start(&["-M", "none", "-accel", "tcg", "-nodefaults"]);
    let directory = files.path().to_str().expect("a path in ASCII");
    let transcript = include_str!("../transcripts/memory-files-refused.txt");
    assert_eq!(replay(transcript, &program, "/tmp/qom-memory-files", directory), 37);
    assert_eq!(std::fs::read_dir(files.path()).expect("the directory").count(), 2, "nothing is left");
}

#[test]
fn a_recorded_session_gets_the_same_replies() {
    let files = recorded_files();
    let program = Program::start(&["-M", "none", "-accel", "tcg", "-nodefaults"]);
    let directory = files.path().to_str().expect("a path in ASCII");
    let transcript = include_str!("../transcripts/memory-files.txt");
    assert!(replay(transcript, &program, "/tmp/qom-memory-files", directory) > 65);
    // What was made stays, what was there is as long as it was, and nothing else is left.
    let mut left: Vec<_> = std::fs::read_dir(files.path())
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["big", "new", "odd"]);
    let sizes = ["big", "new", "odd"].map(|name| size(&files.path().join(name)));
    assert_eq!(sizes, [Some(8192), Some(4096), Some(5000)]);
}

/// What is refused where the reference takes it.
#[test]
fn what_has_no_effect_is_refused() {
    let files = tempfile::tempdir().expect("a directory");
    let path = files.path().join("memory");
    let program = Program::start(&["-M", "none", "-accel", "tcg", "-nodefaults"]);
    let mut qmp = program.qmp();
    for (member, value, reason) in [
        ("pmem", json!(true), "Lack of libpmem support"),
        ("discard-data", json!(true), "'discard-data' = 'on' is not supported"),
        ("readonly", json!(true), "say 'rom' = 'off'"),
        ("align", json!(2 << 20), "alignment 0x200000 is not supported"),
        ("offset", json!(1_u64 << 62), "bytes long: File too large"),
    ] {
        let mut object =
            json!({"qom-type": "memory-backend-file", "id": "m", "size": 4096, "mem-path": path});
        object[member] = value;
        let (_, desc) = qmp.error("object-add", &object);
        assert!(desc.contains(reason), "{member}: {desc}");
        // A file that was made for it is gone.
        assert_eq!(size(&path), None, "{member}");
    }
}

/// Nobody writes to the pipe, and nobody waits for that.
#[test]
fn a_pipe_is_no_memory() {
    let files = tempfile::tempdir().expect("a directory");
    let path = files.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    let program = Program::start(&["-M", "none", "-accel", "tcg", "-nodefaults"]);
    let mut qmp = program.qmp();
    for readonly in [true, false] {
        let object = json!({
            "qom-type": "memory-backend-file", "id": "m", "size": 4096, "mem-path": path,
            "readonly": readonly, "rom": "off",
        });
        let why = "unable to map backing store for guest RAM: No such device";
        assert_eq!(qmp.error("object-add", &object).1, why);
    }
    // Longer than a file can be, in words that a person understands.
    let object =
        json!({"qom-type": "memory-backend-file", "id": "m", "size": 1_u64 << 63, "mem-path": files.path()});
    let why = format!(
        "cannot make backing store {} 0x8000000000000000 bytes long: File too large",
        files.path().display()
    );
    assert_eq!(qmp.error("object-add", &object).1, why);
}

/// The guest's own writes are in the file, and in no file that it may only read.
#[test]
fn a_machines_memory_is_the_file() {
    if !kvm_or_skip("a_machines_memory_is_the_file") {
        return;
    }
    let files = tempfile::tempdir().expect("a directory");
    for (name, options, shared) in [("shared", "share=on", true), ("private", "readonly=on,rom=off", false)] {
        let path = files.path().join(name);
        std::fs::File::create(&path).and_then(|file| file.set_len(16 << 20)).expect("a file");
        let object = format!("memory-backend-file,id=m,size=16M,mem-path={},{options}", path.display());
        let machine =
            ["-M", "pc,memory-backend=m", "-m", "16", "-accel", "kvm", "-nodefaults", "-object", &object];
        let program = Program::start(&machine);
        let _ = program.wait_console("qom guest: cpu 0: up", 1);
        let written = std::fs::read(&path).expect("the file").iter().any(|byte| *byte != 0);
        assert_eq!(written, shared, "{name}");
    }
}
