//! Descriptors that a client passes over a unix socket: into sets (`add-fd`), or by name (`getfd`).

use std::os::fd::OwnedFd;

use qmp::{Context, Empty, Error, command, hmp_command};
use serde::{Deserialize, Serialize};

use crate::chardev::fd_set;
use crate::main_loop::Descriptors;

/// The descriptor that came last over the monitor that the command came over.
fn passed(context: &Context) -> Result<OwnedFd, Error> {
    let passed = context.get::<Descriptors>().and_then(Descriptors::take_passed);
    passed.ok_or_else(|| Error::generic("No file descriptor supplied via SCM_RIGHTS"))
}

/// What `add-fd` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct AddFd {
    /// The set's number, at least 0; the first that is free by default. A set that is not there is made.
    fdset_id: Option<i64>,
    /// Any text, which `query-fdsets` shows; none by default.
    opaque: Option<String>,
}

/// Where a passed descriptor is now (QAPI `AddfdInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct AddfdInfo {
    /// The descriptor's number in this program.
    fd: i32,
    /// The set's number: chardevs open it by `/dev/fdset/` and this number.
    fdset_id: u32,
}

command! {
    /// Puts the descriptor that was passed with the command over a unix socket (by `SCM_RIGHTS`) into a set. Where a chardev names
    /// a file (its backend's `in` and `out`, and `logfile`) `/dev/fdset/N` is then a duplicate of the descriptor in set N that was opened for the
    /// same access; no other file can be named so.
    ///
    /// Fails if none was passed (`No file descriptor supplied via SCM_RIGHTS`), or if the set's number is negative.
    "add-fd" (allow_preconfig) =>
    fn add_fd(context: &mut Context, arguments: AddFd) -> Result<AddfdInfo, Error> {
        let fd = passed(context)?;
        let negative = "Parameter 'fdset-id' expects a non-negative value";
        let set = arguments.fdset_id.map(u32::try_from).transpose().map_err(|_| Error::generic(negative))?;
        let (fdset_id, fd) = fd_set::add_passed(fd, set, arguments.opaque);
        Ok(AddfdInfo { fd, fdset_id })
    }
}

/// What `remove-fd` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct RemoveFd {
    /// The set's number.
    fdset_id: i64,
    /// The descriptor's number in this program; all of the set by default.
    fd: Option<i64>,
}

command! {
    /// Closes a descriptor of a set, or all of them and with them the set. Files that were opened through it stay open.
    ///
    /// Fails if it is not there (`File descriptor named 'fdset-id:N, fd:M' not found`).
    "remove-fd" (allow_preconfig) =>
    fn remove_fd(_context: &mut Context, arguments: RemoveFd) -> Result<Empty, Error> {
        let RemoveFd { fdset_id, fd } = arguments;
        let set = u32::try_from(fdset_id).ok();
        let removed = match fd.map(i32::try_from).transpose() {
            Ok(fd) => set.is_some_and(|set| fd_set::remove(set, fd)),
            Err(_) => false,
        };
        if removed {
            return Ok(Empty);
        }
        let member = fd.map(|fd| format!(", fd:{fd}")).unwrap_or_default();
        Err(Error::generic(format_args!("File descriptor named 'fdset-id:{fdset_id}{member}' not found")))
    }
}

/// A descriptor in a set (QAPI `FdsetFdInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct FdsetFdInfo {
    /// Its number in this program.
    fd: i32,
    /// The text that was given with it; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    opaque: Option<String>,
}

/// A set of descriptors (QAPI `FdsetInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct FdsetInfo {
    /// The descriptors in it, in the order in which they came.
    fds: Vec<FdsetFdInfo>,
    /// Its number.
    fdset_id: u32,
}

command! {
    /// Returns the sets of descriptors, the highest number first: those of `add-fd` and those of the command line.
    "query-fdsets" (allow_preconfig) =>
    fn query_fdsets(_context: &mut Context, (): ()) -> Result<Vec<FdsetInfo>, Error> {
        let set = |(fdset_id, members): (u32, Vec<fd_set::MemberInfo>)| FdsetInfo {
            fds: members.into_iter().map(|fd_set::MemberInfo { fd, opaque }| FdsetFdInfo { fd, opaque }).collect(),
            fdset_id,
        };
        // As the reference lists them, from the last one down.
        Ok(fd_set::infos().into_iter().rev().map(set).collect())
    }
}

/// What `getfd` and `closefd` take.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct FdName {
    /// The descriptor's name, which does not begin with a digit.
    fdname: String,
}

fn name_passed(context: &Context, name: &str) -> Result<(), Error> {
    let fd = passed(context)?;
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Error::generic("Parameter 'fdname' expects a name not starting with a digit"));
    }
    context.require::<Descriptors>()?.name(name.to_owned(), fd);
    Ok(())
}

fn close_named(context: &Context, name: &str) -> Result<(), Error> {
    match context.get::<Descriptors>().and_then(|descriptors| descriptors.take_named(name)) {
        Some(_) => Ok(()),
        None => Err(Error::generic(format_args!("File descriptor named '{name}' not found"))),
    }
}

command! {
    /// Gives the descriptor that was passed with the command over a unix socket (by `SCM_RIGHTS`) a name, for a later command over
    /// the same monitor. One that had the name before is closed.
    ///
    /// Fails if none was passed (`No file descriptor supplied via SCM_RIGHTS`) or if the name begins with a digit.
    "getfd" (allow_preconfig) =>
    fn getfd(context: &mut Context, arguments: FdName) -> Result<Empty, Error> {
        name_passed(context, &arguments.fdname).map(|()| Empty)
    }
}

command! {
    /// Closes a descriptor that `getfd` gave a name over the same monitor.
    ///
    /// Fails if there is none of that name (`File descriptor named 'NAME' not found`).
    "closefd" (allow_preconfig) =>
    fn closefd(context: &mut Context, arguments: FdName) -> Result<Empty, Error> {
        close_named(context, &arguments.fdname).map(|()| Empty)
    }
}

hmp_command! {
    "getfd", "fdname:s", "getfd name", "receive a file descriptor via SCM rights and assign it a name" (allow_preconfig) =>
    fn hmp_getfd(monitor, arguments) {
        name_passed(monitor.context, arguments.str("fdname").unwrap_or_default())
    }
}

hmp_command! {
    "closefd", "fdname:s", "closefd name", "close a file descriptor previously passed via SCM rights" (allow_preconfig) =>
    fn hmp_closefd(monitor, arguments) {
        close_named(monitor.context, arguments.str("fdname").unwrap_or_default())
    }
}
