//! The connection: a stream socket with a deadline for each read and write.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// What is left until a deadline. A timeout of zero would be none at all.
fn left(deadline: Instant) -> Option<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left.max(Duration::from_millis(1)))
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl Socket {
    /// Reads what there is; `None` when nothing came until the deadline.
    pub(super) fn read_until(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<Option<usize>> {
        loop {
            let Some(left) = left(deadline) else { return Ok(None) };
            let read = match self {
                Self::Unix(socket) => socket.set_read_timeout(Some(left)).and_then(|()| socket.read(buffer)),
                Self::Tcp(socket) => socket.set_read_timeout(Some(left)).and_then(|()| socket.read(buffer)),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Ok(None),
                Err(error) => return Err(error),
                Ok(count) => return Ok(Some(count)),
            }
        }
    }

    /// Writes all; how many bytes of it went out until the deadline.
    pub(super) fn write_until(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() {
            let Some(left) = left(deadline) else { return Ok(sent) };
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
