//! `-daemonize`: the program goes to the background once it is set up.
//!
//! The first process waits at a pipe. The last one writes a zero to it when it is ready; if the pipe ends without one, it has
//! failed, has said why on standard error, and the first process ends with status 1.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use rustix::process::{setsid, umask};

/// Why the program cannot go to the background.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The process has several threads already: a mistake in the program.
    #[error("cannot fork a process of {0} threads")]
    Threads(usize),
    /// The system refused something.
    #[error("{what}: {}", crate::os_error::text(source))]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// The process in the background, before it is ready.
#[derive(Debug)]
pub(super) struct Daemon {
    /// Where the first process waits.
    waiting: File,
}

fn failed<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> DaemonError {
    move |source| DaemonError::System { what, source: source.into() }
}

/// Makes a second process of this one; whether this is the new one.
fn fork() -> Result<bool, DaemonError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads != 1 {
        return Err(DaemonError::Threads(threads));
    }
    // SAFETY: this is the only thread, so no lock is held by another one that would be missing in the new process, which may
    // then do whatever this one may.
    match unsafe { libc::fork() } {
        -1 => Err(failed("fork")(io::Error::last_os_error())),
        0 => Ok(true),
        _ => Ok(false),
    }
}

impl Daemon {
    /// Forks twice, so that the process has a session without a terminal and cannot get one. Returns in the last process only.
    pub(super) fn fork() -> Result<Self, DaemonError> {
        let (read, write) = io::pipe().map_err(failed("pipe"))?;
        if !fork()? {
            drop(write);
            let mut status = [1];
            let ready = matches!((&read).read(&mut status), Ok(1)) && status[0] == 0;
            std::process::exit(i32::from(!ready));
        }
        drop(read);
        setsid().map_err(failed("setsid"))?;
        if !fork()? {
            std::process::exit(0);
        }
        // Files that it makes are not for everybody.
        umask(rustix::fs::Mode::from_bits_truncate(0o027));
        Ok(Self { waiting: File::from(std::os::fd::OwnedFd::from(write)) })
    }

    pub(super) fn ready(mut self, keep_standard_error: bool) -> Result<(), DaemonError> {
        std::env::set_current_dir("/").map_err(failed("not able to chdir to /"))?;
        let null =
            OpenOptions::new().read(true).write(true).open("/dev/null").map_err(failed("/dev/null"))?;
        rustix::stdio::dup2_stdin(&null).map_err(failed("standard input"))?;
        rustix::stdio::dup2_stdout(&null).map_err(failed("standard output"))?;
        if !keep_standard_error {
            rustix::stdio::dup2_stderr(&null).map_err(failed("standard error"))?;
        }
        // The first process may have been ended: then nobody waits.
        let _ = self.waiting.write_all(&[0]);
        Ok(())
    }
}
