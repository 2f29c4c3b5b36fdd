//! `-pidfile`: a file with the number of the process, which is locked as long as the process lives.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// Why there is no PID file.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// It cannot be made.
    #[error("Could not create '{}': {}", path.display(), crate::os_error::text(source))]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process holds it.
    #[error("Cannot lock pid file: {}", crate::os_error::text(.0))]
    Lock(io::Error),
    /// It cannot be written.
    #[error("Failed to write pid file: {}", crate::os_error::text(.0))]
    Write(io::Error),
}

/// The file; removed when dropped.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl PidFile {
    pub(super) fn create(path: &Path) -> Result<Self, PidFileError> {
        let failed = |source| PidFileError::Create { path: path.to_owned(), source };
        // Another one's file is not emptied before it is known to be nobody's.
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false).mode(0o644);
        let mut file = options.open(path).map_err(failed)?;
        rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| PidFileError::Lock(error.into()))?;
        file.set_len(0).map_err(PidFileError::Write)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes()).map_err(PidFileError::Write)?;
        // A daemon goes to another directory later.
        let path = std::path::absolute(path).map_err(failed)?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_holds_the_number_and_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        std::fs::write(&path, "an older and much longer text").unwrap();
        let file = PidFile::create(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        // As QEMU 11.1.2 puts it.
        let error = PidFile::create("/nonexistent/x".as_ref()).unwrap_err();
        assert_eq!(error.to_string(), "Could not create '/nonexistent/x': No such file or directory");
    }
}
