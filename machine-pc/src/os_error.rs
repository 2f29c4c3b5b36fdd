//! The operating system's error texts, as C programs print them.

use std::io;

/// The text of `strerror`: Rust's own form ends in the error's number, which QEMU's messages
/// do not have.
pub(crate) fn text(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(number) => text.trim_end_matches(&format!(" (os error {number})")).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn has_no_number() {
        let error = std::io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(super::text(&error), "No such file or directory");
        assert_eq!(super::text(&std::io::Error::other("x (os error 2)")), "x (os error 2)");
    }
}
