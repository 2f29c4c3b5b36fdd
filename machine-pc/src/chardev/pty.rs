//! Pseudo-terminals.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::pty::{ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// A new pseudo-terminal that passes on bytes as they are: the controlling end, which does not block, and the name of the other. With the
/// usual mode of a terminal a guest would be told what it says itself.
///
/// # Errors
/// The system's.
pub(super) fn open_pty() -> io::Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let control = options.open("/dev/ptmx")?;
    unlockpt(&control)?;
    let name = ptsname(&control, Vec::new())?;
    // The mode is that of both ends.
    let mut mode = tcgetattr(&control)?;
    mode.make_raw();
    tcsetattr(&control, OptionalActions::Now, &mode)?;
    Ok((control, PathBuf::from(OsString::from_vec(name.into_bytes()))))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_pseudo_terminal_connects_two_ends() {
        let (mut control, name) = open_pty().unwrap();
        let mut other =
            OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(name).unwrap();
        control.write_all(b"a line\n").unwrap();
        let mut line = [0; 16];
        assert_eq!(other.read(&mut line).unwrap(), 7);
        assert_eq!(&line[..7], b"a line\n");
        // Not what it said itself, and what is typed before its line ends.
        assert_eq!(control.read(&mut line).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        other.write_all(b"\x03x").unwrap();
        assert_eq!(control.read(&mut line).unwrap(), 2);
        assert_eq!(&line[..2], b"\x03x");
    }
}
