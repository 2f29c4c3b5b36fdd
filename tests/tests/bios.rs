//! `-bios FILE`: the image is mapped below 4 GiB and below 1 MiB, and the CPU starts at its reset vector.

use tests::{Program, firmware, kvm_or_skip, run};

/// A 64 KiB image that writes `text` to COM1 from below 1 MiB and halts.
fn image(text: &str) -> Vec<u8> {
    // At f000:0000: mov dx, 0x3f8; then for each byte: mov al, byte; out dx, al; at the end: cli; hlt.
    let mut code = vec![0xba, 0xf8, 0x03];
    for byte in text.bytes() {
        code.extend([0xb0, byte, 0xee]);
    }
    code.extend([0xfa, 0xf4]);
    firmware(&code)
}

#[test]
fn the_cpu_starts_at_the_images_reset_vector() {
    if !kvm_or_skip("the_cpu_starts_at_the_images_reset_vector") {
        return;
    }
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("image");
    std::fs::write(&path, image("reset vector reached\n")).expect("an image");
    for machine in ["pc", "q35"] {
        let program = Program::start(&["-M", machine, "-accel", "kvm", "-bios", &path.display().to_string()]);
        assert_eq!(program.wait_console("reset vector", 1), "reset vector reached");
    }
}

/// The program must refuse what the reference refuses, and say which file and why.
#[test]
fn an_image_that_is_missing_or_has_a_wrong_size_is_refused() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let small = directory.path().join("small").display().to_string();
    std::fs::write(&small, [0; 1000]).expect("a file");
    let missing = directory.path().join("missing").display().to_string();
    for (path, why) in [(&small, "1000 bytes"), (&missing, "No such file or directory")] {
        for accel in ["tcg", "kvm"] {
            if accel == "kvm"
                && !kvm_or_skip("an_image_that_is_missing_or_has_a_wrong_size_is_refused under KVM")
            {
                continue;
            }
            let finished = run(&["-accel", accel, "-display", "none", "-bios", path]);
            assert_eq!((finished.status, finished.stdout.as_str()), (Some(1), ""), "{accel}");
            let line = format!("could not load PC BIOS '{path}'");
            assert!(finished.stderr.contains(&line) && finished.stderr.contains(why), "{}", finished.stderr);
        }
    }
}
