//! The connection: a stream socket with a deadline for each read and write.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};

#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// Until when to wait.
///
/// What had arrived when the time was over is still looked at: a caller that does not wait gets what is there, however late it
/// comes to run. What arrives after that is not, so that a peer which sends without end does not make a wait without end.
#[derive(Debug)]
pub(super) struct Deadline {
    at: Instant,
    /// Bytes that had arrived when the time was over, and were not read yet. `None` while it is not over.
    arrived: Option<u64>,
}

impl Deadline {
    /// When patience ends; one without an end lasts a year.
    pub(super) fn after(patience: Duration) -> Self {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        Self { at: Instant::now() + patience.min(YEAR), arrived: None }
    }

    /// What is left until it. A timeout of zero would be none at all.
    fn left(&self) -> Option<Duration> {
        let left = self.at.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left.max(Duration::from_millis(1)))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(socket) => socket.as_fd(),
            Self::Tcp(socket) => socket.as_fd(),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Socket {
    /// Reads what there is; `None` when nothing came until the deadline.
    pub(super) fn read_until(
        &mut self,
        buffer: &mut [u8],
        deadline: &mut Deadline,
    ) -> io::Result<Option<usize>> {
        loop {
            let read = match (deadline.arrived, deadline.left()) {
                (None, Some(left)) => self.read_within(buffer, left),
                (Some(0), _) => return Ok(None),
                (Some(arrived), _) => self.read_now(buffer, deadline, arrived),
                (None, None) => {
                    let arrived = rustix::io::ioctl_fionread(&*self)?;
                    self.read_now(buffer, deadline, arrived)
                }
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) && deadline.arrived.is_none() => {}
                Err(error) if is_timeout(&error) => return Ok(None),
                Err(error) => return Err(error),
                Ok(count) => return Ok(Some(count)),
            }
        }
    }

    fn read_within(&mut self, buffer: &mut [u8], left: Duration) -> io::Result<usize> {
        match self {
            Self::Unix(socket) => socket.set_read_timeout(Some(left)).and_then(|()| socket.read(buffer)),
            Self::Tcp(socket) => socket.set_read_timeout(Some(left)).and_then(|()| socket.read(buffer)),
        }
    }

    /// Reads without waiting. Also where nothing has arrived: that the connection is at its end is no byte.
    fn read_now(&mut self, buffer: &mut [u8], deadline: &mut Deadline, arrived: u64) -> io::Result<usize> {
        deadline.arrived = Some(arrived);
        let (count, _) = recv(&*self, &mut *buffer, RecvFlags::DONTWAIT)?;
        deadline.arrived = Some(arrived.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX)));
        Ok(count)
    }

    /// Ends the connection for both sides.
    pub(super) fn close(&mut self) {
        // One that has failed already may say so.
        let _ = match self {
            Self::Unix(socket) => socket.shutdown(Shutdown::Both),
            Self::Tcp(socket) => socket.shutdown(Shutdown::Both),
        };
    }

    /// Writes all; how many bytes of it went out until the deadline.
    pub(super) fn write_until(&mut self, bytes: &[u8], deadline: &Deadline) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() {
            let Some(left) = deadline.left() else { return Ok(sent) };
            let rest = &bytes[sent..];
            let written = match self {
                Self::Unix(socket) => socket.set_write_timeout(Some(left)).and_then(|()| socket.write(rest)),
                Self::Tcp(socket) => socket.set_write_timeout(Some(left)).and_then(|()| socket.write(rest)),
            };
            match written {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Ok(sent),
                Err(error) => return Err(error),
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => sent += count,
            }
        }
        Ok(sent)
    }
}
