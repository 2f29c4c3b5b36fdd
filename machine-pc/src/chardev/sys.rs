//! System calls on descriptors that the standard library has no safe form of: one that was inherited by number,
//! and making a pseudo-terminal. All `unsafe` of this module is here.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Our own duplicate of a descriptor that the parent process left open for us.
pub(super) fn duplicate_inherited(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the number is not -1, and it is borrowed for one fcntl call, which answers EBADF if nothing is open
    // there; nothing is closed through it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned()
}

/// Whether the parent process left a descriptor open for us. What this process opens itself is closed when another program is run.
pub(super) fn is_inherited(fd: i32) -> bool {
    // SAFETY: F_GETFD reads a flag of the descriptor's number, whatever it is, and touches no memory.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    flags != -1 && flags & libc::FD_CLOEXEC == 0
}

/// A descriptor that the parent process left open for us, now ours alone; none if there is none such.
pub(super) fn take_inherited(fd: i32) -> Option<OwnedFd> {
    // SAFETY: the descriptor is open and was not opened by this process, as all that the standard library opens is closed on
    // exec; so nothing here owns it.
    is_inherited(fd).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A new pseudo-terminal: the controlling end, which does not block, and the name of the other.
pub(super) fn open_pty() -> io::Result<(File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let control = options.open("/dev/ptmx")?;
    let unlocked: libc::c_int = 0;
    // SAFETY: the descriptor is open, and TIOCSPTLCK reads one int from the pointer.
    if unsafe { libc::ioctl(control.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut number: libc::c_uint = 0;
    // SAFETY: the descriptor is open, and TIOCGPTN writes one unsigned int to the pointer.
    if unsafe { libc::ioctl(control.as_raw_fd(), libc::TIOCGPTN, &raw mut number) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // Nothing of what is written here comes back as if somebody had typed it.
    let mut mode = rustix::termios::tcgetattr(&control)?;
    mode.make_raw();
    rustix::termios::tcsetattr(&control, rustix::termios::OptionalActions::Now, &mode)?;
    Ok((control, PathBuf::from(format!("/dev/pts/{number}"))))
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
        // Neither echoed nor changed.
        other.write_all(b"\n\x03").unwrap();
        assert_eq!((control.read(&mut line).unwrap(), &line[..2]), (2, &b"\n\x03"[..]));
    }

    #[test]
    fn a_number_that_is_not_open_is_an_error() {
        assert!(duplicate_inherited(-1).is_err());
        assert!(duplicate_inherited(1 << 20).is_err());
    }
}
