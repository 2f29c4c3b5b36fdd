//! Standard input and output as a stream that never blocks.
//!
//! Setting `O_NONBLOCK` on them would set it for every process that shares the terminal. Instead a terminal or
//! pipe is opened anew, which gives a description of our own; a file needs nothing, as it never blocks.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;

/// One direction: our own descriptor of `fd`.
fn reopen(fd: BorrowedFd<'_>, number: u32, write: bool) -> io::Result<File> {
    let file = File::from(fd.try_clone_to_owned()?);
    let kind = file.metadata()?.file_type();
    if kind.is_socket() {
        let socket = UnixStream::from(OwnedFd::from(file));
        // A socket's flag is of the socket, and nobody else reads a socket that was given to us.
        socket.set_nonblocking(true)?;
        return Ok(File::from(OwnedFd::from(socket)));
    }
    if kind.is_fifo() || kind.is_char_device() {
        let path = format!("/proc/self/fd/{number}");
        let mut options = OpenOptions::new();
        options.read(!write).write(write).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        if let Ok(own) = options.open(path) {
            return Ok(own);
        }
    }
    Ok(file)
}

/// Standard input, to read.
pub(super) fn input() -> io::Result<File> {
    reopen(io::stdin().as_fd(), 0, false)
}

/// Standard output, to write.
pub(super) fn output() -> io::Result<File> {
    reopen(io::stdout().as_fd(), 1, true)
}
