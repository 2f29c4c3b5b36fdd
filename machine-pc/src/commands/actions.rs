//! What happens where the user has a choice, and which descriptors the program was given: QMP and the human monitor.

use qmp::{Context, Empty, Error, command, hmp_command};
use serde::{Deserialize, Serialize};

use crate::chardev::fd_set;
use crate::run_actions::{PanicAction, RebootAction, RunActions, ShutdownAction, WatchdogAction};
use crate::vm::Vm;

#[derive(Debug, Deserialize, qmp::QapiType)]
struct SetAction {
    reboot: Option<RebootAction>,
    shutdown: Option<ShutdownAction>,
    panic: Option<PanicAction>,
    watchdog: Option<WatchdogAction>,
}

command! {
    /// Says what is done from now on when the guest resets or powers off, panics, or a watchdog runs out.
    "set-action" (allow_preconfig) =>
    fn set_action(context: &mut Context, arguments: SetAction) -> Result<Empty, Error> {
        let vm = context.require::<Vm>()?;
        let old = vm.actions();
        vm.set_actions(RunActions {
            reboot: arguments.reboot.unwrap_or(old.reboot),
            shutdown: arguments.shutdown.unwrap_or(old.shutdown),
            panic: arguments.panic.unwrap_or(old.panic),
            watchdog: arguments.watchdog.unwrap_or(old.watchdog),
        });
        Ok(Empty)
    }
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct WatchdogSetAction {
    action: WatchdogAction,
}

command! {
    /// Says what is done from now on when a watchdog runs out.
    "watchdog-set-action" =>
    fn watchdog_set_action(context: &mut Context, arguments: WatchdogSetAction) -> Result<Empty, Error> {
        let vm = context.require::<Vm>()?;
        vm.set_actions(RunActions { watchdog: arguments.action, ..vm.actions() });
        Ok(Empty)
    }
}

hmp_command! {
    "watchdog_action", "action:s", "[reset|shutdown|poweroff|pause|debug|none]", "change watchdog action" =>
    fn hmp_watchdog_action(monitor, arguments) {
        let vm = monitor.context.require::<Vm>()?;
        let action = arguments.str("action").unwrap_or_default();
        let mut actions = vm.actions();
        if !actions.set("watchdog", action) {
            return Err(Error::generic(format_args!("invalid parameter value: {action}")));
        }
        vm.set_actions(actions);
        Ok(())
    }
}

/// A descriptor (QAPI `FdsetFdInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct FdInfo {
    fd: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    opaque: Option<String>,
}

/// A set of descriptors (QAPI `FdsetInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct FdSetInfo {
    fds: Vec<FdInfo>,
    fdset_id: u32,
}

command! {
    /// Returns the sets of descriptors that the program was given.
    "query-fdsets" (allow_preconfig) =>
    fn query_fdsets(_context: &mut Context, (): ()) -> Result<Vec<FdSetInfo>, Error> {
        let set = |(fdset_id, members): (u32, Vec<fd_set::MemberInfo>)| FdSetInfo {
            fds: members.into_iter().map(|member| FdInfo { fd: member.fd, opaque: member.opaque }).collect(),
            fdset_id,
        };
        Ok(fd_set::infos().into_iter().map(set).collect())
    }
}

#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct RemoveFd {
    fdset_id: i64,
    fd: Option<i64>,
}

command! {
    /// Closes a descriptor of a set, or all of it. What was opened through it stays open.
    "remove-fd" (allow_preconfig) =>
    fn remove_fd(_context: &mut Context, arguments: RemoveFd) -> Result<Empty, Error> {
        let RemoveFd { fdset_id, fd } = arguments;
        let set = u32::try_from(fdset_id).ok();
        let number = fd.map(i32::try_from).transpose().ok();
        let removed = set.zip(number).is_some_and(|(set, number)| fd_set::remove(set, number));
        if removed {
            return Ok(Empty);
        }
        let name = match fd {
            Some(fd) => format!("fdset-id:{fdset_id}, fd:{fd}"),
            None => format!("fdset-id:{fdset_id}"),
        };
        Err(Error::generic(format_args!("File descriptor named '{name}' not found")))
    }
}
