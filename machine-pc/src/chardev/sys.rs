//! Descriptors that were inherited by number, which has no safe form: nothing tells whose a number is. All `unsafe` of the module
//! [`chardev`](super) is here.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_not_open_is_an_error() {
        assert!(duplicate_inherited(-1).is_err());
        assert!(duplicate_inherited(1 << 20).is_err());
    }
}
