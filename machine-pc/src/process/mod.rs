//! The process that a machine runs in: in the background or not, its PID file, what the kernel lets it do.
//!
//! [`Process::start`] comes before everything that makes threads or opens `/dev/kvm`: forking copies one thread only, and a virtual
//! machine belongs to the process that made it. [`Process::ready`] comes when clients can connect.

mod daemon;
mod pid_file;
mod sandbox;

use std::io;

use rustix::mm::MlockAllFlags;

use crate::cmdline::{CommandLine, MemoryLock};
use daemon::Daemon;
pub use daemon::DaemonError;
use pid_file::PidFile;
pub use pid_file::PidFileError;
pub use sandbox::SandboxError;

/// Why the process cannot be what is asked for.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// `-daemonize`.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// `-pidfile`.
    #[error("cannot create PID file: {0}")]
    PidFile(#[from] PidFileError),
    /// `-sandbox`.
    #[error("failed to install seccomp syscall filter in the kernel: {0}")]
    Sandbox(#[from] SandboxError),
    /// `-overcommit mem-lock=`.
    #[error("mlockall: {}\nlocking memory failed", crate::os_error::text(.0))]
    MemoryLock(io::Error),
    /// `-run-with exit-with-parent=on`.
    #[error("cannot watch the parent process: {}", crate::os_error::text(.0))]
    Parent(io::Error),
}

/// The running process. Dropped, it takes its PID file along.
#[derive(Debug)]
pub struct Process {
    daemon: Option<Daemon>,
    _pid_file: Option<PidFile>,
}

impl Process {
    /// Makes the process what the command line says. With `-daemonize` the process that called this waits until the one in the
    /// background is ready or ended, and ends itself; only the other returns from here.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn start(line: &CommandLine) -> Result<Self, ProcessError> {
        let daemon = if line.daemonize { Some(Daemon::fork()?) } else { None };
        if line.exit_with_parent {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
                .map_err(|error| ProcessError::Parent(error.into()))?;
        }
        let pid_file = line.pidfile.as_deref().map(PidFile::create).transpose()?;
        for sandbox in &line.sandboxes {
            sandbox::enter(*sandbox)?;
        }
        let lock = match line.memory_lock {
            MemoryLock::Off => None,
            MemoryLock::On => Some(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE),
            MemoryLock::OnFault => {
                Some(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
            }
        };
        if let Some(flags) = lock {
            rustix::mm::mlockall(flags).map_err(|error| ProcessError::MemoryLock(error.into()))?;
        }
        Ok(Self { daemon, _pid_file: pid_file })
    }

    /// Everything is set up: whoever waits for the process in the background may go on. It lets go of the terminal then, and of
    /// standard error unless something is logged there.
    ///
    /// # Errors
    /// [`ProcessError::Daemon`].
    pub fn ready(&mut self, keep_standard_error: bool) -> Result<(), ProcessError> {
        match self.daemon.take() {
            Some(daemon) => Ok(daemon.ready(keep_standard_error)?),
            None => Ok(()),
        }
    }
}
