//! Opening what a [`ChardevSpec`](super::spec::ChardevSpec) describes.

use std::fs::File;
use std::io;
use std::net::{SocketAddr as InetAddress, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::endpoint::{Endpoint, Listener, ListeningSocket, SocketFile, Stream, tcp_stream, unix_stream};
use super::fd_set::{self, Access};
use super::ring::Ring;
use super::spec::{ChardevBackend, SocketAddress, SocketSpec};
use super::{pty, stdio, sys};
use crate::main_loop::MAX_USERS;

/// Why a chardev cannot be opened. Each text stands alone after the option that asked for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Binding a unix socket.
    #[error("Failed to bind socket to {path}: {}", reason(source))]
    BindUnix {
        /// Path or abstract name.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// No port of a range is free.
    #[error("Failed to find an available port: {}", reason(source))]
    NoPort {
        /// Why, of the last port tried.
        source: io::Error,
    },
    /// A host name without an address.
    #[error("address resolution failed for {host}:{port}: {}", reason(source))]
    Resolve {
        /// Host.
        host: String,
        /// Port.
        port: String,
        /// Why.
        source: io::Error,
    },
    /// Connecting.
    #[error("Failed to connect to '{address}': {}", reason(source))]
    Connect {
        /// Whom to.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A file.
    #[error("Could not open '{path}': {}", reason(source))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The copy of what is written.
    #[error("Could not create '{}': {}", path.display(), reason(source))]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A pseudo-terminal.
    #[error("Failed to create PTY: {}", reason(.0))]
    Pty(io::Error),
    /// An inherited descriptor that is not what it should be.
    #[error("File descriptor '{fd}' is not a socket")]
    Descriptor {
        /// Its number.
        fd: i32,
    },
    /// Standard input and output have a user already.
    #[error("cannot use stdio by multiple character devices")]
    StdioTaken,
    /// A chardev of that name is there already.
    #[error("attempt to add duplicate property '{0}' to object (type 'container')")]
    Duplicate(String),
    /// A frontend names a chardev that is not there.
    #[error("chardev \"{0}\" not found")]
    NotFound(String),
    /// A chardev that is not shared has a user.
    #[error("Device '{0}' is in use")]
    InUse(String),
    /// As many users share a chardev as may.
    #[error("too many uses of multiplexed chardev '{0}' (maximum is {MAX_USERS})")]
    TooManyUsers(String),
    /// The system refused something else.
    #[error("{}", reason(.0))]
    System(#[from] io::Error),
}

/// The system's text for an error, without Rust's `(os error N)`.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    // What the standard library puts in front where it looks up a name.
    let text = text.trim_start_matches("failed to lookup address information: ");
    text.rsplit_once(" (os error ").map_or(text, |(text, _)| text).to_owned()
}

/// Length of a listening socket's queue; the reference's. The kernel lets one more client in than that.
const WAITING_CLIENTS: i32 = 1;

/// Opens a backend.
pub(crate) fn open(backend: &ChardevBackend) -> Result<Endpoint, OpenError> {
    let stream = match backend {
        ChardevBackend::Null => Stream::pair(None, None),
        ChardevBackend::Stdio { .. } => Stream::pair(Some(stdio::input()?), Some(stdio::output()?)),
        ChardevBackend::File { path, append, input } => {
            let output = open_file(path, Access::Write { append: *append })?;
            let input = input.as_deref().map(|path| open_file(path, Access::Read)).transpose()?;
            Stream::pair(input, Some(output))
        }
        ChardevBackend::Pipe { path } => {
            let (input, output) = open_pipe(path)?;
            Stream::pair(Some(input), Some(output))
        }
        ChardevBackend::Ringbuf { size, .. } => Stream::memory(Ring::new(*size)),
        ChardevBackend::Socket(socket) if socket.server => return listen(socket),
        ChardevBackend::Socket(socket) => match connect(socket) {
            Ok(stream) => stream,
            Err(error) if socket.reconnect_ms > 0 => return Ok(Endpoint::Disconnected(error)),
            Err(error) => return Err(error),
        },
        ChardevBackend::Pty { path } => {
            let (control, name) = pty::open_pty().map_err(OpenError::Pty)?;
            if let Some(link) = path {
                let failed = |source| OpenError::File { path: link.clone(), source };
                std::os::unix::fs::symlink(&name, link).map_err(failed)?;
            }
            return Ok(Endpoint::Pty { control: Stream::socket(control.into()), name, link: path.clone() });
        }
    };
    Ok(Endpoint::Connected(stream))
}

/// Opens the FIFOs of a pipe for input and output. Both directions of each are opened, so that nobody needs to be there yet.
fn open_pipe(path: &Path) -> Result<(File, File), OpenError> {
    let open = |path: &Path| {
        let mut options = File::options();
        options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
    };
    let with = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        open(name.as_ref())
    };
    if let (Ok(input), Ok(output)) = (with(".in"), with(".out")) {
        return Ok((input, output));
    }
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let both = open(path).map_err(failed)?;
    Ok((both.try_clone().map_err(failed)?, both))
}

fn open_file(path: &Path, access: Access) -> Result<File, OpenError> {
    fd_set::open_nonblocking(path, access).map_err(|source| OpenError::File { path: path.to_owned(), source })
}

/// The text of an address as the reference shows it.
fn shown(address: &SocketAddress) -> String {
    match address {
        SocketAddress::Unix { path, .. } => path.display().to_string(),
        SocketAddress::Tcp { host, port, .. } => format!("{host}:{port}"),
        SocketAddress::Fd(fd) => format!("fd:{fd}"),
    }
}

/// An abstract unix address. One that is not `tight` fills its place in the structure with NULs.
fn abstract_address(name: &[u8], tight: bool) -> io::Result<SocketAddr> {
    // The structure's room for a name, less the NUL that makes it abstract.
    const ROOM: usize = 107;
    let mut name = name.to_vec();
    if !tight {
        name.resize(ROOM, 0);
    }
    SocketAddr::from_abstract_name(name)
}

fn listen(spec: &SocketSpec) -> Result<Endpoint, OpenError> {
    let (socket, file) = match &spec.address {
        SocketAddress::Unix { path, is_abstract, tight } => {
            let failed = |source| OpenError::BindUnix { path: path.display().to_string(), source };
            if *is_abstract {
                let address = abstract_address(path.as_os_str().as_bytes(), *tight).map_err(failed)?;
                (ListeningSocket::Unix(UnixListener::bind_addr(&address).map_err(failed)?), None)
            } else {
                remove_stale(path);
                let listener = UnixListener::bind(path).map_err(failed)?;
                (ListeningSocket::Unix(listener), Some(SocketFile::new(path.clone())))
            }
        }
        SocketAddress::Tcp { host, port, to, .. } => {
            let listener = bind_tcp(host, port, *to, &spec.address)?;
            (ListeningSocket::Tcp { listener, nodelay: spec.nodelay }, None)
        }
        SocketAddress::Fd(fd) => {
            let socket = inherited(*fd)?;
            (ListeningSocket::Unix(UnixListener::from(socket)), None)
        }
    };
    let listener = Listener { socket, telnet: spec.telnet };
    listener.limit_waiting(WAITING_CLIENTS)?;
    listener.set_blocking(false)?;
    Ok(Endpoint::Listening { listener, file })
}

/// Removes a socket that nobody closed properly. Only a socket: a file of that name is somebody's.
fn remove_stale(path: &Path) {
    if std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        // If it cannot be removed, binding says why.
        let _ = std::fs::remove_file(path);
    }
}

/// A socket that the parent process left open for us, now ours alone, so that its other end sees ours close. What is not left to us, as a
/// descriptor that a client passed, stays with whoever has it, and so do the standard streams: we get a duplicate.
fn inherited(fd: i32) -> Result<OwnedFd, OpenError> {
    let socket = sys::duplicate_inherited(fd).map_err(|_| OpenError::Descriptor { fd })?;
    let file = File::from(socket);
    if !file.metadata()?.file_type().is_socket() {
        return Err(OpenError::Descriptor { fd });
    }
    let own = (fd > libc::STDERR_FILENO).then(|| sys::take_inherited(fd)).flatten();
    Ok(own.unwrap_or_else(|| file.into()))
}

/// All addresses of a host and port, in the families that are wanted.
fn resolve(
    host: &str,
    port: &str,
    wanted: &SocketAddress,
    server: bool,
) -> Result<Vec<InetAddress>, OpenError> {
    let failed = |source| OpenError::Resolve { host: host.to_owned(), port: port.to_owned(), source };
    let number = port.parse::<u16>().map_err(|_| {
        failed(io::Error::new(io::ErrorKind::InvalidInput, "Servname not supported for ai_socktype"))
    })?;
    let name = match (host, server) {
        ("", true) => "::",
        ("", false) => "localhost",
        (host, _) => host.trim_start_matches('[').trim_end_matches(']'),
    };
    let (ipv4, ipv6) = match wanted {
        SocketAddress::Tcp { ipv4, ipv6, .. } => match (ipv4, ipv6) {
            (Some(true), None) => (true, false),
            (None, Some(true)) => (false, true),
            (ipv4, ipv6) => (ipv4.unwrap_or(true), ipv6.unwrap_or(true)),
        },
        _ => (true, true),
    };
    let mut addresses: Vec<InetAddress> = (name, number).to_socket_addrs().map_err(failed)?.collect();
    if host.is_empty() && server {
        addresses.push(InetAddress::from(([0, 0, 0, 0], number)));
    }
    addresses.retain(|address| if address.is_ipv4() { ipv4 } else { ipv6 });
    if addresses.is_empty() {
        let text = "Address family for hostname not supported";
        return Err(failed(io::Error::new(io::ErrorKind::AddrNotAvailable, text)));
    }
    Ok(addresses)
}

fn bind_tcp(
    host: &str,
    port: &str,
    to: Option<u16>,
    wanted: &SocketAddress,
) -> Result<TcpListener, OpenError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in resolve(host, port, wanted, true)? {
        for port in address.port()..=to.unwrap_or(address.port()).max(address.port()) {
            match TcpListener::bind(InetAddress::new(address.ip(), port)) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
    }
    Err(OpenError::NoPort { source: last })
}

/// Connects, and does not return before that has worked or failed.
pub(crate) fn connect(spec: &SocketSpec) -> Result<Stream, OpenError> {
    let address = || shown(&spec.address);
    let failed = |source| OpenError::Connect { address: address(), source };
    match &spec.address {
        SocketAddress::Unix { path, is_abstract, tight } => {
            let socket = if *is_abstract {
                abstract_address(path.as_os_str().as_bytes(), *tight)
                    .and_then(|address| UnixStream::connect_addr(&address))
            } else {
                UnixStream::connect(path)
            };
            Ok(unix_stream(socket.map_err(failed)?)?)
        }
        SocketAddress::Tcp { host, port, .. } => {
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in resolve(host, port, &spec.address, false)? {
                match TcpStream::connect(address) {
                    Ok(socket) => return Ok(tcp_stream(socket, spec.nodelay)?),
                    Err(error) => last = error,
                }
            }
            Err(failed(last))
        }
        SocketAddress::Fd(fd) => Ok(unix_stream(UnixStream::from(inherited(*fd)?))?),
    }
}
