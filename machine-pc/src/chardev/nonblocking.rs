//! Descriptors that are read and written without waiting, on the thread that serves everybody.
//!
//! `O_NONBLOCK` is of an open file and not of a descriptor, so setting it sets it for every process that has the same one, such as the
//! shell at a terminal. What may block is opened anew instead, which gives a description of our own. A regular file never blocks.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, major, minor};

/// The device whose every opening is another pseudo-terminal (Linux, `Documentation/admin-guide/devices.txt`).
const PTMX: (u32, u32) = (5, 2);

fn can_wait(metadata: &Metadata) -> bool {
    let kind = metadata.file_type();
    kind.is_fifo() || kind.is_char_device() || kind.is_socket()
}

fn set(file: &File) -> io::Result<()> {
    Ok(fcntl_setfl(file, fcntl_getfl(file)? | OFlags::NONBLOCK)?)
}

/// A description of our own of what `file` is open at, to write or to read; `file` as it is if it never blocks, or cannot be opened
/// anew, as a pipe of another user.
pub(super) fn own(file: File, write: bool) -> io::Result<File> {
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_socket() {
        // Nobody else reads a socket that was given to us.
        set(&file)?;
        return Ok(file);
    }
    let device = (major(metadata.rdev()), minor(metadata.rdev()));
    if kind.is_fifo() || (kind.is_char_device() && device != PTMX) {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut options = OpenOptions::new();
        options.read(!write).write(write).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        if let Ok(own) = options.open(path) {
            return Ok(own);
        }
    }
    Ok(file)
}

/// The same, and never blocking: where there is no other way, whoever shares the description gets one that does not block either, as with
/// the reference.
pub(super) fn own_or_shared(file: File, write: bool) -> io::Result<File> {
    let file = own(file, write)?;
    if can_wait(&file.metadata()?) {
        set(&file)?;
    }
    Ok(file)
}

/// Opens a file by its path as `options` say, without waiting for it. A FIFO is opened in both directions, so that nobody needs to be at
/// its other end yet.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    if std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo()) {
        let both = options.clone().read(true).write(true).open(path);
        // One that may be opened in one direction only.
        if both.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            return options.open(path);
        }
        return both;
    }
    options.open(path)
}
