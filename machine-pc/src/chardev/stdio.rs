//! Standard input and output as a stream that never blocks where [`nonblocking`] finds a way that the terminal's other users do not
//! notice.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use super::nonblocking;

/// Standard input, to read.
pub(super) fn input() -> io::Result<File> {
    nonblocking::own(File::from(io::stdin().as_fd().try_clone_to_owned()?), false)
}

/// Standard output, to write.
pub(super) fn output() -> io::Result<File> {
    nonblocking::own(File::from(io::stdout().as_fd().try_clone_to_owned()?), true)
}
