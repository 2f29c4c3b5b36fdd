//! What lies at a guest's addresses, and guest memory that is saved: to files, and to what is none.

use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use tests::{Program, Qmp, firmware, kvm_or_skip};

fn human(qmp: &mut Qmp, line: &str) -> String {
    qmp.human(line).trim_end().to_owned()
}

/// The same without the host's address, which is another one each time, and that address.
fn without_host(answer: &str) -> (String, u64) {
    match answer.rsplit_once(" is 0x") {
        Some((rest, host)) => {
            (format!("{rest} is HOST"), u64::from_str_radix(host, 16).expect("a host address"))
        }
        None => (answer.to_owned(), 0),
    }
}

/// Only who may look at the host's pages is told their numbers.
fn knows_pages() -> bool {
    let mut capabilities = std::fs::read_to_string("/proc/self/status").expect("a status");
    capabilities =
        capabilities.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("capabilities").to_owned();
    // CAP_SYS_ADMIN
    u64::from_str_radix(capabilities.trim(), 16).expect("a mask") & (1 << 21) != 0
}

#[test]
fn addresses_are_named_as_by_the_reference() {
    if !kvm_or_skip("addresses_are_named_as_by_the_reference") {
        return;
    }
    let mut program: Option<(Program, Qmp)> = None;
    let (mut answer, mut count) = ((String::new(), 0), 0);
    for line in include_str!("fixtures/addresses.txt").lines().filter(|line| !line.starts_with('#')) {
        let (kind, text) = line.split_at(2);
        match kind {
            "= " => {
                let words: Vec<String> = serde_json::from_str(text).expect("a command line");
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let started =
                    Program::start(&[&["-nodefaults", "-S", "-accel", "kvm", "-M"], &words[..]].concat());
                let qmp = started.qmp();
                program = Some((started, qmp));
            }
            "> " => answer = without_host(&human(&mut program.as_mut().expect("a program").1, text)),
            "< " => {
                assert_eq!(answer.0, text);
                let known = !text.starts_with("Host physical") || knows_pages();
                assert!(!text.ends_with("HOST") || !known || answer.1 != 0, "{text}");
                count += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(count, 80);
}

/// A guest's memory that this process finds where it is said to be.
#[test]
fn a_host_address_is_the_memorys() {
    if !kvm_or_skip("a_host_address_is_the_memorys") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let image = directory.path().join("image");
    std::fs::write(&image, firmware(b"at the begin of the segment")).expect("an image");
    let program = Program::start(&["-S", "-accel", "kvm", "-bios", &image.display().to_string()]);
    let (_, host) = without_host(&human(&mut program.qmp(), "gpa2hva 0xf0003"));
    let memory = std::fs::File::open(format!("/proc/{}/mem", program.pid())).expect("the program's memory");
    let mut text = [0; 9];
    std::os::unix::fs::FileExt::read_exact_at(&memory, &mut text, host).expect("a mapping");
    assert_eq!(&text, b"the begin");
}

/// What is saved of a hole and of memory, 64 KiB of each.
fn save(qmp: &mut Qmp, path: &Path) -> Value {
    let arguments = json!({"val": 0xfffe_0000_u64, "size": 0x2_0000, "filename": path.display().to_string()});
    qmp.execute("pmemsave", &arguments)
}

#[test]
fn memory_is_saved_to_what_is_no_file() {
    if !kvm_or_skip("memory_is_saved_to_what_is_no_file") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let image = firmware(b"some code");
    std::fs::write(at("image"), &image).expect("an image");
    let program = Program::start(&["-S", "-accel", "kvm", "-bios", &at("image").display().to_string()]);
    let mut qmp = program.qmp();
    assert_eq!(save(&mut qmp, Path::new("/dev/null")), json!({"return": {}}));
    assert_eq!(human(&mut qmp, "memsave 0xf0000 16 \"/dev/null\""), "");
    assert_eq!(
        save(&mut qmp, Path::new("/dev/full"))["error"]["desc"],
        "writing memory to file failed: No space left on device"
    );
    let fifo = at("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    let reader = std::thread::spawn({
        let fifo = fifo.clone();
        move || {
            let mut read = Vec::new();
            std::fs::File::open(fifo).and_then(|mut file| file.read_to_end(&mut read)).expect("the fifo");
            read
        }
    });
    assert_eq!(save(&mut qmp, &fifo), json!({"return": {}}));
    let piped = reader.join().expect("what was saved");
    assert_eq!(save(&mut qmp, &at("file")), json!({"return": {}}));
    let saved = std::fs::read(at("file")).expect("a file");
    assert!(saved == piped && saved.len() == 0x2_0000);
    assert!(saved[..0x1_0000].iter().all(|byte| *byte == 0) && saved[0x1_0000..] == image);
    // Memory before a hole, to its end.
    let arguments = json!({"val": 0xf_0000, "size": 0x1000, "filename": at("file").display().to_string()});
    let _ = qmp.ok("pmemsave", &arguments);
    assert_eq!(std::fs::read(at("file")).expect("a file"), image[..0x1000]);
    let end = 128_u64 << 20;
    let arguments =
        json!({"val": end - 0x1000, "size": 0x3000, "filename": at("file").display().to_string()});
    let _ = qmp.ok("pmemsave", &arguments);
    assert_eq!(std::fs::read(at("file")).expect("a file"), [0; 0x3000]);
}
