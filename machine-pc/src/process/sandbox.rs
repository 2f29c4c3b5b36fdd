//! `-sandbox`: system calls that the kernel refuses from now on, in this thread and those that it makes.
//!
//! The sets are QEMU's. A call of most of them ends the process; one that would change a priority fails with `EPERM`. Privileges
//! cannot be gained by running a program then, whatever the option says of them: the kernel wants it so for filters of processes
//! without privileges.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::cmdline::Sandbox;

/// Why the kernel does not refuse anything.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The filter is no filter: a mistake in the program.
    #[error(transparent)]
    Filter(#[from] seccompiler::BackendError),
    /// The kernel does not take it.
    #[error(transparent)]
    Install(#[from] seccompiler::Error),
}

/// What no emulator has a use for.
const ALWAYS: &[c_long] = &[
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_kexec_load,
    libc::SYS_afs_syscall,
    libc::SYS_getpmsg,
    libc::SYS_putpmsg,
    libc::SYS_security,
    libc::SYS_tuxcall,
    libc::SYS_vserver,
];

// Gone from kernels so long ago that the C library has no names for them; the numbers are those of Linux's x86-64 table.
const SYS_CREATE_MODULE: c_long = 174;
const SYS_GET_KERNEL_SYMS: c_long = 177;
const SYS_QUERY_MODULE: c_long = 178;

const OBSOLETE: &[c_long] = &[
    libc::SYS__sysctl,
    SYS_CREATE_MODULE,
    SYS_GET_KERNEL_SYMS,
    SYS_QUERY_MODULE,
    libc::SYS_sysfs,
    libc::SYS_uselib,
    libc::SYS_ustat,
];

const ELEVATE_PRIVILEGES: &[c_long] = &[
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
];

const SPAWN: &[c_long] = &[libc::SYS_fork, libc::SYS_vfork, libc::SYS_execve, libc::SYS_execveat];

const RESOURCE_CONTROL: &[c_long] =
    &[libc::SYS_setpriority, libc::SYS_sched_setparam, libc::SYS_sched_setaffinity];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn add(rules: &mut Rules, calls: &[c_long]) {
    // No rule for a call is a match of all of them.
    rules.extend(calls.iter().map(|&call| (call, Vec::new())));
}

/// A rule for calls with one argument that fits.
fn where_argument(
    index: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let condition = SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)?;
    Ok(vec![SeccompRule::new(vec![condition])?])
}

/// The filters of a sandbox. The kernel runs all and does the sternest of what they say.
fn filters(sandbox: Sandbox) -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let mut ends = Rules::new();
    let mut fails = Rules::new();
    let mut unknown = Rules::new();
    add(&mut ends, ALWAYS);
    if sandbox.obsolete {
        add(&mut ends, OBSOLETE);
    }
    if sandbox.elevate_privileges {
        add(&mut ends, ELEVATE_PRIVILEGES);
    }
    if sandbox.spawn {
        add(&mut ends, SPAWN);
        // A thread is made by the same call as a process. That of the newer call cannot be told apart, so the C library is sent to
        // the older one.
        let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
        ends.insert(libc::SYS_clone, where_argument(0, SeccompCmpOp::MaskedEq(thread), 0)?);
        add(&mut unknown, &[libc::SYS_clone3]);
    }
    if sandbox.resource_control {
        add(&mut fails, RESOURCE_CONTROL);
        let idle = u64::from(libc::SCHED_IDLE.cast_unsigned());
        fails.insert(libc::SYS_sched_setscheduler, where_argument(1, SeccompCmpOp::Ne, idle)?);
    }
    let errno = |number: i32| SeccompAction::Errno(number.cast_unsigned());
    [(unknown, errno(libc::ENOSYS)), (fails, errno(libc::EPERM)), (ends, SeccompAction::KillProcess)]
        .into_iter()
        .filter(|(rules, _)| !rules.is_empty())
        .map(|(rules, action)| {
            SeccompFilter::new(rules, SeccompAction::Allow, action, TargetArch::x86_64)?.try_into()
        })
        .collect()
}

/// Has the kernel refuse what a sandbox says. There is no way back.
pub(super) fn enter(sandbox: Sandbox) -> Result<(), SandboxError> {
    for filter in filters(sandbox)? {
        seccompiler::apply_filter(&filter)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a thread of its own, as filters stay.
    fn inside(sandbox: Sandbox, what: impl FnOnce() + Send + 'static) {
        let thread = std::thread::spawn(move || {
            enter(sandbox).unwrap();
            what();
        });
        thread.join().unwrap();
    }

    const OPEN: Sandbox =
        Sandbox { obsolete: false, elevate_privileges: false, spawn: false, resource_control: false };

    #[test]
    fn priorities_stay_as_they_are() {
        let lower = || rustix::process::setpriority_process(None, 19).err();
        inside(Sandbox { resource_control: true, ..OPEN }, move || {
            assert_eq!(lower(), Some(rustix::io::Errno::PERM));
        });
    }

    #[test]
    fn threads_are_made_where_processes_are_not() {
        inside(
            Sandbox { obsolete: true, elevate_privileges: true, spawn: true, resource_control: true },
            || {
                assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7);
                assert!(std::fs::read("/proc/self/status").is_ok());
            },
        );
    }
}
