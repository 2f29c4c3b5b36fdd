//! Firmware images from files (`-bios FILE`).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use thiserror::Error;

/// Images come in units of this many bytes.
const UNIT: u64 = 64 << 10;
/// The largest image that leaves room for KVM's own pages and the APICs below 4 GiB.
const MAX: u64 = 16 << 20;

/// Why an image cannot be used: the reference's text, and after it the reason, which the reference does not give.
#[derive(Debug, Error)]
#[error("could not load PC BIOS '{path}': {reason}")]
pub struct FirmwareError {
    /// The file as named by the user.
    pub path: String,
    /// What is wrong with it.
    pub reason: FirmwareReason,
}

/// What is wrong with a firmware file.
#[derive(Debug, Error)]
pub enum FirmwareReason {
    /// It cannot be read.
    #[error("{}", crate::os_error::text(.0))]
    Io(#[from] std::io::Error),
    /// Its size is no multiple of 64 KiB, or 0.
    #[error("its size, {0} bytes, is not a multiple of 64 KiB above 0")]
    Size(u64),
    /// It does not fit below 4 GiB.
    #[error("it is larger than 16 MiB")]
    TooLarge,
}

/// Reads an image: a regular file whose size is a multiple of 64 KiB, at most 16 MiB.
pub fn load(path: &Path) -> Result<Vec<u8>, FirmwareError> {
    read(path).map_err(|reason| FirmwareError { path: path.display().to_string(), reason })
}

fn read(path: &Path) -> Result<Vec<u8>, FirmwareReason> {
    let mut image = Vec::new();
    let file = File::open(path)?;
    // The limit is on what is read, so that a device or a growing file is bounded too.
    file.take(MAX + 1).read_to_end(&mut image)?;
    match image.len() as u64 {
        size if size > MAX => Err(FirmwareReason::TooLarge),
        size if size == 0 || !size.is_multiple_of(UNIT) => Err(FirmwareReason::Size(size)),
        _ => Ok(image),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// The reference says the same of a missing, a short, an empty file and of a directory.
    #[test]
    fn what_is_no_image_is_refused_with_the_reference_text() {
        let dir = tempfile::tempdir().unwrap();
        for (name, size, reason) in [
            ("short", 100, "its size, 100 bytes, is not a multiple of 64 KiB above 0"),
            ("empty", 0, "its size, 0 bytes, is not a multiple of 64 KiB above 0"),
            ("odd", 65_537, "its size, 65537 bytes, is not a multiple of 64 KiB above 0"),
            ("big", MAX + UNIT, "it is larger than 16 MiB"),
        ] {
            let path = dir.path().join(name);
            File::create(&path).unwrap().set_len(size).unwrap();
            let text = load(&path).unwrap_err().to_string();
            assert_eq!(text, format!("could not load PC BIOS '{}': {reason}", path.display()));
        }
        assert!(load(&dir.path().join("missing")).is_err());
        assert!(matches!(load(dir.path()).unwrap_err().reason, FirmwareReason::Io(_)));
        assert!(load(Path::new("/dev/zero")).is_err(), "never ends, is bounded");
    }

    #[test]
    fn an_image_is_read_whole() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let image: Vec<u8> = (0..131_072u32).map(|i| i as u8).collect();
        file.write_all(&image).unwrap();
        assert_eq!(load(file.path()).unwrap(), image);
    }
}
