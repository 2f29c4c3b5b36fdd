//! Small guests: firmware images of a few bytes of real-mode code.

use std::path::Path;
use std::time::Instant;

use crate::PATIENCE;

/// A 64 KiB firmware image that runs this real-mode code, which begins at f000:0000. The rest of it halts.
#[must_use]
pub fn firmware(code: &[u8]) -> Vec<u8> {
    let mut image = vec![0xf4; 0x10000];
    image[..code.len()].copy_from_slice(code);
    // At the reset vector: jmp far f000:0000.
    image[0xfff0..0xfff5].copy_from_slice(&[0xea, 0x00, 0x00, 0x00, 0xf0]);
    image
}

/// Code that writes a byte to a port; DX and AL are changed.
#[must_use]
pub fn out(port: u16, byte: u8) -> [u8; 6] {
    let [low, high] = port.to_le_bytes();
    [0xba, low, high, 0xb0, byte, 0xee] // mov dx, port; mov al, byte; out dx, al
}

/// What is in a file once it is that many bytes long, or after [`PATIENCE`].
#[must_use]
pub fn wait_for_file(path: &Path, len: usize) -> String {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.len() >= len || start.elapsed() > PATIENCE {
            return text;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
