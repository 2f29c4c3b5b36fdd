//! Sets of file descriptors that the process was given: `-add-fd`, `add-fd`. `/dev/fdset/N` is the path of set N; opening it gives a duplicate
//! of the member that was opened for the same access.
//!
//! Descriptors belong to the process, and so do the sets, however many machines it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, ftruncate};

use super::{nonblocking, sys};

/// What the paths of sets start with.
const PREFIX: &str = "/dev/fdset/";

/// A descriptor in a set.
#[derive(Debug)]
struct Member {
    fd: OwnedFd,
    opaque: Option<String>,
}

static SETS: Mutex<BTreeMap<u32, Vec<Member>>> = Mutex::new(BTreeMap::new());

/// A member as `query-fdsets` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberInfo {
    /// Its number.
    pub fd: i32,
    /// A text that describes it.
    pub opaque: Option<String>,
}

/// Why a descriptor is not added. Each text stands alone after the option.
#[derive(Debug, thiserror::Error)]
pub enum AddFdError {
    /// Nothing is open there, or something that this process opened itself.
    #[error("fd is not valid or already in use")]
    NotInherited,
    /// No set.
    #[error("set option is required and must be non-negative")]
    NoSet,
    /// The system refused.
    #[error("error duplicating fd: {}", crate::os_error::text(.0))]
    Duplicate(io::Error),
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read.
    Read,
    /// To write: made if it is not there, and emptied unless `append`.
    Write {
        /// Keep what is there and write behind it.
        append: bool,
    },
}

/// Adds a duplicate of an inherited descriptor to a set, which is made if it is not there.
///
/// # Errors
/// [`AddFdError`].
pub fn add(fd: i32, set: Option<u32>, opaque: Option<String>) -> Result<(), AddFdError> {
    if !sys::is_inherited(fd) {
        return Err(AddFdError::NotInherited);
    }
    let set = set.ok_or(AddFdError::NoSet)?;
    let fd = sys::duplicate_inherited(fd).map_err(AddFdError::Duplicate)?;
    let mut sets = SETS.lock().unwrap_or_else(PoisonError::into_inner);
    sets.entry(set).or_default().push(Member { fd, opaque });
    Ok(())
}

/// Puts a descriptor that a client passed into a set: the first number that is free if none is named. Returns the set and the
/// descriptor's number.
pub fn add_passed(fd: OwnedFd, set: Option<u32>, opaque: Option<String>) -> (u32, i32) {
    use std::os::fd::AsRawFd;
    let mut sets = SETS.lock().unwrap_or_else(PoisonError::into_inner);
    let set = set.unwrap_or_else(|| (0..u32::MAX).find(|set| !sets.contains_key(set)).unwrap_or(u32::MAX));
    let number = fd.as_raw_fd();
    sets.entry(set).or_default().push(Member { fd, opaque });
    (set, number)
}

/// Closes inherited descriptors of which sets have duplicates.
pub fn close_originals(numbers: impl IntoIterator<Item = i32>) {
    for number in numbers.into_iter().collect::<BTreeSet<_>>() {
        drop(sys::take_inherited(number));
    }
}

/// Removes a member, or all of a set; whether there was one.
pub fn remove(set: u32, fd: Option<i32>) -> bool {
    use std::os::fd::AsRawFd;
    let mut sets = SETS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(fd) = fd else { return sets.remove(&set).is_some() };
    let Some(members) = sets.get_mut(&set) else { return false };
    let before = members.len();
    members.retain(|member| member.fd.as_raw_fd() != fd);
    let removed = members.len() < before;
    if members.is_empty() {
        sets.remove(&set);
    }
    removed
}

/// All sets, by number.
#[must_use]
pub fn infos() -> Vec<(u32, Vec<MemberInfo>)> {
    use std::os::fd::AsRawFd;
    let info = |member: &Member| MemberInfo { fd: member.fd.as_raw_fd(), opaque: member.opaque.clone() };
    let sets = SETS.lock().unwrap_or_else(PoisonError::into_inner);
    sets.iter().map(|(set, members)| (*set, members.iter().map(info).collect())).collect()
}

/// Opens a file, or a duplicate of a member of a set, for a thread that must not wait for it: reading what has nothing and writing what
/// is full is `WouldBlock`.
///
/// # Errors
/// The system's, and those of [`open`].
pub(crate) fn open_nonblocking(path: &Path, access: Access) -> io::Result<File> {
    match set_of(path) {
        Some(set) => nonblocking::own_or_shared(open_member(set, access)?, access != Access::Read),
        None => nonblocking::open(path, &mut options(access)),
    }
}

/// Opens a file, or a duplicate of a member of a set.
///
/// # Errors
/// The system's; for a set `EINVAL` if its name is no number, `ENOENT` if it is not there, `EACCES` if no member was opened that way.
pub fn open(path: &Path, access: Access) -> io::Result<File> {
    match set_of(path) {
        Some(set) => open_member(set, access),
        None => options(access).open(path),
    }
}

/// The name of the set that a path is of.
fn set_of(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix(PREFIX)
}

fn options(access: Access) -> OpenOptions {
    let mut options = File::options();
    match access {
        Access::Read => options.read(true),
        Access::Write { append } => options.create(true).write(true).append(append).truncate(!append),
    };
    options
}

fn open_member(set: &str, access: Access) -> io::Result<File> {
    let failed = |number| Err(io::Error::from_raw_os_error(number));
    let Ok(set) = set.parse::<u32>() else { return failed(libc::EINVAL) };
    let sets = SETS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(members) = sets.get(&set) else { return failed(libc::ENOENT) };
    let wanted = match access {
        Access::Read => OFlags::RDONLY,
        Access::Write { .. } => OFlags::WRONLY,
    };
    for member in members {
        let flags = fcntl_getfl(&member.fd)?;
        if flags & OFlags::RWMODE != wanted {
            continue;
        }
        let file = File::from(member.fd.as_fd().try_clone_to_owned()?);
        if let Access::Write { append } = access {
            fcntl_setfl(&file, if append { flags | OFlags::APPEND } else { flags - OFlags::APPEND })?;
            if !append {
                // What cannot be emptied, such as a pipe, is empty.
                let _ = ftruncate(&file, 0);
            }
        }
        return Ok(file);
    }
    failed(libc::EACCES)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};

    use super::*;

    /// As a manager passes the ends of pipes, whose own side goes on to wait.
    #[test]
    fn an_end_of_a_pipe_is_never_waited_for_and_its_passers_is() {
        let (mut reader, writer) = io::pipe().unwrap();
        let waits = |end: &OwnedFd| !fcntl_getfl(end).unwrap().contains(OFlags::NONBLOCK);
        let [passed_reader, passed_writer] =
            [reader.try_clone().unwrap().into(), writer.try_clone().unwrap().into()];
        let (set, _) = add_passed(passed_reader, None, None);
        let _ = add_passed(passed_writer, Some(set), None);
        let path = format!("{PREFIX}{set}");
        let mut input = open_nonblocking(path.as_ref(), Access::Read).unwrap();
        let mut output = open_nonblocking(path.as_ref(), Access::Write { append: false }).unwrap();
        assert!(remove(set, None));
        assert_eq!(input.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut written = 0;
        let full = loop {
            match output.write(&[b'x'; 4096]) {
                Ok(count) => written += count,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        assert_eq!(input.read(&mut [0; 10]).unwrap(), 10);
        assert!(waits(&writer.into()));
        drop(output);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.len(), written - 10);
        assert!(waits(&reader.into()));
    }
}
