//! Opened backends: where bytes come from and go to.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use super::open::OpenError;
use super::passed;
use super::ring::Ring;
use super::telnet::{GREETING, Telnet};

/// Something connected: two directions that may be one descriptor.
#[derive(Debug)]
pub(crate) struct Stream {
    input: Option<File>,
    output: Option<File>,
    /// Both directions are one socket, and `output` holds it.
    one: bool,
    /// Where output goes if there is nothing else.
    ring: Option<Ring>,
    /// What a telnet client is saying.
    telnet: Option<Cell<Telnet>>,
    /// Descriptors that came with input, where they can.
    passed: Option<RefCell<Vec<OwnedFd>>>,
}

impl Stream {
    /// A socket or terminal that is read and written through one descriptor, which does not block.
    pub(crate) fn socket(fd: OwnedFd) -> Self {
        Self { input: None, output: Some(File::from(fd)), one: true, ring: None, telnet: None, passed: None }
    }

    /// The same for a unix socket, over which descriptors come too.
    fn unix(fd: OwnedFd) -> Self {
        Self { passed: Some(RefCell::default()), ..Self::socket(fd) }
    }

    /// The descriptors that came with what was read last.
    pub(crate) fn take_passed(&self) -> Vec<OwnedFd> {
        self.passed.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// The same, of a client that speaks telnet; it is greeted.
    fn telnet(self) -> io::Result<Self> {
        // A new connection has room for that much.
        let greeted = self.write(&GREETING)?;
        if greeted < GREETING.len() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Self { telnet: Some(Cell::default()), ..self })
    }

    /// Two descriptors, or only one direction.
    pub(crate) fn pair(input: Option<File>, output: Option<File>) -> Self {
        Self { input, output, one: false, ring: None, telnet: None, passed: None }
    }

    /// Memory that is written only.
    pub(crate) fn memory(ring: Ring) -> Self {
        Self { input: None, output: None, one: false, ring: Some(ring), telnet: None, passed: None }
    }

    /// The memory that is written, if it is that.
    pub(crate) fn ring(&self) -> Option<&Ring> {
        self.ring.as_ref()
    }

    /// The addresses of both ends of a TCP connection.
    pub(crate) fn tcp_addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let socket = rustix::net::getsockname(self.output.as_ref().filter(|_| self.one)?).ok()?;
        let peer = rustix::net::getpeername(self.output.as_ref()?).ok()?;
        Some((socket.try_into().ok()?, peer?.try_into().ok()?))
    }

    /// Ends a connection in both directions. What is not connected any more stays so.
    pub(crate) fn shut_down(&self) {
        if let Some(socket) = self.output.as_ref().filter(|_| self.one) {
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }

    fn reader(&self) -> Option<&File> {
        if self.one { self.output.as_ref() } else { self.input.as_ref() }
    }

    /// What to watch for input.
    pub(crate) fn input_fd(&self) -> Option<RawFd> {
        self.reader().map(AsRawFd::as_raw_fd)
    }

    /// What to watch for room for output, if it is another descriptor.
    pub(crate) fn output_fd(&self) -> Option<RawFd> {
        self.output.as_ref().filter(|_| !self.one).map(AsRawFd::as_raw_fd)
    }

    /// Reads; 0 is the end of input, also where there is none.
    pub(crate) fn read(&self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = match (self.reader(), &self.passed) {
                (None, _) => Ok(0),
                (Some(mut input), None) => input.read(to),
                (Some(input), Some(passed)) => passed::read(input, to, &mut passed.borrow_mut()),
            };
            match (result, &self.telnet) {
                (Err(error), _) if error.kind() == io::ErrorKind::Interrupted => {}
                (Ok(count @ 1..), Some(telnet)) => {
                    let mut state = telnet.get();
                    let kept = state.filter(&mut to[..count]);
                    telnet.set(state);
                    // Commands alone are not the end.
                    if kept > 0 {
                        return Ok(kept);
                    }
                }
                (result, _) => return result,
            }
        }
    }

    /// Writes; without an output everything is taken and dropped.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(ring) = &self.ring {
            ring.write(bytes);
        }
        loop {
            match self.output.as_ref().map_or(Ok(bytes.len()), |mut output| output.write(bytes)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Input has ended; output may go on.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }
}

/// A socket that clients connect to.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(super) socket: ListeningSocket,
    /// Clients speak telnet.
    pub(super) telnet: bool,
}

#[derive(Debug)]
pub(super) enum ListeningSocket {
    Unix(UnixListener),
    Tcp { listener: TcpListener, nodelay: bool },
}

impl Listener {
    /// The next client, if one waits.
    pub(crate) fn accept(&self) -> io::Result<Option<Stream>> {
        let accepted = match &self.socket {
            ListeningSocket::Unix(listener) => listener.accept().and_then(|(socket, _)| unix_stream(socket)),
            ListeningSocket::Tcp { listener, nodelay } => {
                listener.accept().and_then(|(socket, _)| tcp_stream(socket, *nodelay))
            }
        };
        match accepted {
            Ok(stream) if self.telnet => stream.telnet().map(Some),
            Ok(stream) => Ok(Some(stream)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The address that a TCP socket listens at.
    pub(crate) fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.socket {
            ListeningSocket::Unix(_) => None,
            ListeningSocket::Tcp { listener, .. } => listener.local_addr().ok(),
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        match &self.socket {
            ListeningSocket::Unix(listener) => listener.as_raw_fd(),
            ListeningSocket::Tcp { listener, .. } => listener.as_raw_fd(),
        }
    }

    /// Says how many clients the kernel lets connect while there is one already; others are told to try again, or wait to connect.
    pub(crate) fn limit_waiting(&self, count: i32) -> io::Result<()> {
        match &self.socket {
            ListeningSocket::Unix(listener) => rustix::net::listen(listener, count),
            ListeningSocket::Tcp { listener, .. } => rustix::net::listen(listener, count),
        }
        .map_err(io::Error::from)
    }

    /// Lets [`accept`](Self::accept) wait for a client, or not.
    pub(crate) fn set_blocking(&self, blocking: bool) -> io::Result<()> {
        match &self.socket {
            ListeningSocket::Unix(listener) => listener.set_nonblocking(!blocking),
            ListeningSocket::Tcp { listener, .. } => listener.set_nonblocking(!blocking),
        }
    }
}

pub(super) fn unix_stream(socket: UnixStream) -> io::Result<Stream> {
    socket.set_nonblocking(true)?;
    Ok(Stream::unix(socket.into()))
}

pub(super) fn tcp_stream(socket: TcpStream, nodelay: bool) -> io::Result<Stream> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(nodelay)?;
    Ok(Stream::socket(socket.into()))
}

/// A unix socket's name in the file system; removed with the listener, if it is still the same file.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    pub(super) fn new(path: PathBuf) -> Self {
        let identity = std::fs::symlink_metadata(&path).ok().map(|file| (file.dev(), file.ino()));
        // A daemon goes to another directory later.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, identity }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let identity = std::fs::symlink_metadata(&self.path).ok().map(|file| (file.dev(), file.ino()));
        if identity.is_some() && identity == self.identity {
            // Somebody may have been faster; the socket is gone either way.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// An opened backend.
#[derive(Debug)]
pub(crate) enum Endpoint {
    /// Takes one client at a time; another may come when it has gone.
    Listening { listener: Listener, file: Option<SocketFile> },
    /// Connected once.
    Connected(Stream),
    /// To be connected later, because of this.
    Disconnected(OpenError),
    /// The controlling end of a pseudo-terminal; others come to the other end and go.
    Pty { control: Stream, name: PathBuf, link: Option<PathBuf> },
}
