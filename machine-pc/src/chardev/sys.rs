//! System calls on descriptors that the standard library has no safe form of: one that was inherited by number,
//! and making a pseudo-terminal. All `unsafe` of this module is here.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
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

/// Has a terminal pass on bytes as they are: no lines, no echo, no signals, no other ends of lines.
fn make_raw(terminal: &File) -> io::Result<()> {
    let mut mode = MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the descriptor is open, and the call writes one structure to the pointer if it succeeds.
    if unsafe { libc::tcgetattr(terminal.as_raw_fd(), mode.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above succeeded.
    let mut mode = unsafe { mode.assume_init() };
    // SAFETY: changes the structure that is pointed to, and nothing else.
    unsafe { libc::cfmakeraw(&raw mut mode) };
    // SAFETY: the descriptor is open, and the call reads one structure from the pointer.
    if unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &raw const mode) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A new pseudo-terminal that passes on bytes as they are: the controlling end, which does not block, and the name of the other. With the
/// usual mode of a terminal a guest would be told what it says itself.
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
    // The mode is that of both ends.
    make_raw(&control)?;
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
        // Not what it said itself, and what is typed before its line ends.
        assert_eq!(control.read(&mut line).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        other.write_all(b"\x03x").unwrap();
        assert_eq!(control.read(&mut line).unwrap(), 2);
        assert_eq!(&line[..2], b"\x03x");
    }

    #[test]
    fn a_number_that_is_not_open_is_an_error() {
        assert!(duplicate_inherited(-1).is_err());
        assert!(duplicate_inherited(1 << 20).is_err());
    }
}
