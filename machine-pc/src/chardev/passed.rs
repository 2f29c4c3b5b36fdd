//! Reading from a unix socket with the descriptors that its client passes along (`SCM_RIGHTS`).

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// How many come with one read at most; the kernel closes the others.
const MOST: usize = 16;

/// Reads bytes into `to` and descriptors into `passed`, which is left alone if none come. They are closed when another program is
/// run.
///
/// # Errors
/// The system's.
pub(super) fn read(socket: impl AsFd, to: &mut [u8], passed: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(to)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            *passed = descriptors.collect();
        }
    }
    Ok(received.bytes)
}
