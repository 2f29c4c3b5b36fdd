//! What `chardev-add` says of a backend (QAPI `ChardevBackend`). Members stand in QAPI's order, in which errors are found.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::chardev::spec::{ChardevBackend, ChardevLog, ChardevSpec, SocketAddress, SocketSpec};
use crate::cmdline::chardev::{ChardevError, ring};
use crate::main_loop::Descriptors;

/// What a chardev is connected to, with the settings of that kind of backend (QAPI `ChardevBackend`).
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(tag = "type", content = "data", rename_all = "kebab-case")]
pub(super) enum Backend {
    /// Output to a file, input from another one if there is one.
    File(FileData),
    /// Two named pipes, or one for both directions.
    Pipe(PipeData),
    /// A stream socket that listens or connects.
    Socket(SocketData),
    /// A new pseudo-terminal.
    Pty(PtyData),
    /// Output goes nowhere, and there is no input.
    Null(NullData),
    /// Standard input and output of the program; one chardev at most can have them.
    Stdio(StdioData),
    /// Memory that keeps the latest output, for `ringbuf-read`.
    Ringbuf(RingData),
    /// The older name of `ringbuf`.
    Memory(RingData),
}

/// Declares what is said of each kind of backend: where its output is logged, which QAPI has of all of them and first (`ChardevCommon`),
/// and then its own members. One flattened structure would do, but serde tells no member's name in its errors about those.
macro_rules! backend_data {
    ($(
        $(#[$attribute:meta])*
        $name:ident { $($(#[$member_attribute:meta])* $member:ident: $type:ty,)* }
    )*) => {$(
        #[derive(Debug, Deserialize, qmp::QapiType)]
        $(#[$attribute])*
        pub(super) struct $name {
            /// A file that gets a copy of all output; none by default.
            logfile: Option<PathBuf>,
            /// Whether `logfile` keeps what it had, and the copy goes behind it; false by default.
            logappend: Option<bool>,
            /// Whether lines in `logfile` begin with the time; false by default.
            logtimestamp: Option<bool>,
            $($(#[$member_attribute])* $member: $type,)*
        }

        impl $name {
            /// Where its output is logged.
            fn log(&mut self) -> Option<ChardevLog> {
                let path = self.logfile.take()?;
                let (append, timestamp) = (self.logappend, self.logtimestamp);
                Some(ChardevLog { path, append: append.unwrap_or(false), timestamp: timestamp.unwrap_or(false) })
            }
        }
    )*};
}

backend_data! {
    /// A backend that is nothing (QAPI `ChardevCommon`).
    NullData {}

    /// Files for a chardev (QAPI `ChardevFile`).
    FileData {
        /// The file that input comes from; without one there is no input.
        #[serde(rename = "in")]
        input: Option<PathBuf>,
        /// The file that output goes to. It is made if it is not there.
        out: PathBuf,
        /// Whether `out` keeps what it had, and output goes behind it; false by default.
        append: Option<bool>,
    }

    /// Named pipes for a chardev (QAPI `ChardevHostdev`).
    PipeData {
        /// What their paths begin with: `.in` and `.out` behind it are the two pipes, or it is itself one for both directions.
        device: PathBuf,
    }

    /// A pseudo-terminal for a chardev (QAPI `ChardevPty`).
    PtyData {
        /// Where a symbolic link to its other end is made; none by default.
        path: Option<PathBuf>,
    }

    /// Standard input and output for a chardev (QAPI `ChardevStdio`).
    StdioData {
        /// Whether keys such as Ctrl-C raise their signals and are no input; true by default.
        signal: Option<bool>,
    }

    /// Memory for a chardev (QAPI `ChardevRingbuf`).
    RingData {
        /// Its size in bytes, a power of two; 65536 by default.
        size: Option<i64>,
    }

    /// A socket for a chardev (QAPI `ChardevSocket`).
    #[serde(rename_all = "kebab-case")]
    SocketData {
        /// Where it listens or connects to.
        addr: Address,
        /// Credentials for TLS. Refused: there is no TLS (`No TLS credentials with id 'ID'`).
        tls_creds: Option<String>,
        /// Who may connect by TLS. Refused without `tls-creds`, and so always.
        tls_authz: Option<String>,
        /// Whether it listens; true by default. One that does not connects.
        server: Option<bool>,
        /// Whether to wait for the first client. Here nobody waits. Refused for a socket that connects.
        wait: Option<bool>,
        /// Whether small pieces of output are sent at once over TCP; false by default.
        nodelay: Option<bool>,
        /// Whether clients of a listening socket speak telnet; false by default.
        telnet: Option<bool>,
        /// Whether clients speak TN3270. Refused if true.
        tn3270: Option<bool>,
        /// Whether clients speak WebSocket. Refused if true.
        websocket: Option<bool>,
        /// Milliseconds after which a socket that connects tries again to; 0, the default, for never. Refused for one that listens and
        /// for a passed one.
        reconnect_ms: Option<i64>,
    }
}

/// Where a socket listens or connects to (QAPI `SocketAddressLegacy`).
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(tag = "type", content = "data", rename_all = "kebab-case")]
enum Address {
    /// TCP over IPv4 or IPv6.
    Inet(InetAddress),
    /// A unix socket.
    Unix(UnixAddress),
    /// A socket that a client has passed over the same monitor.
    Fd(FdAddress),
}

/// An address of TCP (QAPI `InetSocketAddress`).
#[derive(Debug, Deserialize, qmp::QapiType)]
struct InetAddress {
    /// A host name or an address; empty means every address for a server, the local host for a client.
    host: String,
    /// A port number or a service's name; `0` has the host choose a port for a server.
    port: String,
    /// The last port that a server tries, from `port` on; by default it tries `port` alone.
    to: Option<u16>,
    /// Whether IPv4 may be used; by default what the name resolves to.
    ipv4: Option<bool>,
    /// Whether IPv6 may be used; by default what the name resolves to.
    ipv6: Option<bool>,
}

/// An address of a unix socket (QAPI `UnixSocketAddress`).
#[derive(Debug, Deserialize, qmp::QapiType)]
struct UnixAddress {
    /// Its path in the file system, or its abstract name without the NUL in front. An empty one is refused.
    path: PathBuf,
    /// Whether `path` is an abstract name, as Linux has them; false by default.
    #[serde(rename = "abstract")]
    is_abstract: Option<bool>,
    /// Whether an abstract name ends where its text ends, not filled up with NULs to its largest length; true by default.
    tight: Option<bool>,
}

/// A passed descriptor (QAPI `String`).
#[derive(Debug, Deserialize, qmp::QapiType)]
struct FdAddress {
    /// The name that `getfd` gave it over the same monitor. The chardev takes it over, and the name is free again.
    str: String,
}

/// Why there is no such backend.
#[derive(Debug, thiserror::Error)]
pub(super) enum BackendError {
    /// As on the command line.
    #[error(transparent)]
    Chardev(#[from] ChardevError),
    /// No TLS.
    #[error("No TLS credentials with id '{0}'")]
    NoCredentials(String),
    /// TLS without credentials.
    #[error("'tls_authz' option requires 'tls_creds' option")]
    AuthorizationAlone,
    /// No descriptor of that name was passed.
    #[error("File descriptor named '{0}' has not been found")]
    NoDescriptor(String),
    /// It is something else.
    #[error("File descriptor '{0}' is not a socket")]
    NoSocket(String),
}

/// The socket of a name among a monitor's descriptors. Whatever it is, the name is free then.
fn named_socket(name: &str, descriptors: Option<&Descriptors>) -> Result<OwnedFd, BackendError> {
    let passed = descriptors.and_then(|descriptors| descriptors.take_named(name));
    let file = File::from(passed.ok_or_else(|| BackendError::NoDescriptor(name.to_owned()))?);
    if file.metadata().is_ok_and(|data| data.file_type().is_socket()) {
        Ok(file.into())
    } else {
        Err(BackendError::NoSocket(name.to_owned()))
    }
}

impl SocketData {
    fn backend(
        self,
        descriptors: Option<&Descriptors>,
    ) -> Result<(ChardevBackend, Option<OwnedFd>), BackendError> {
        let mut passed = None;
        for (name, asked) in [("tn3270", self.tn3270), ("websocket", self.websocket)] {
            if asked == Some(true) {
                return Err(ChardevError::NotSupported { name: name.to_owned() }.into());
            }
        }
        let server = self.server.unwrap_or(true);
        match (self.tls_creds, self.tls_authz) {
            (Some(name), _) => return Err(BackendError::NoCredentials(name)),
            (None, Some(_)) => return Err(BackendError::AuthorizationAlone),
            (None, None) => {}
        }
        if server && self.reconnect_ms.is_some() {
            return Err(ChardevError::ReconnectAsServer.into());
        }
        if !server && self.wait.is_some() {
            return Err(ChardevError::WaitAsClient.into());
        }
        let address = match self.addr {
            Address::Unix(UnixAddress { path, .. }) if path.as_os_str().is_empty() => {
                return Err(ChardevError::EmptyPath.into());
            }
            Address::Unix(UnixAddress { path, is_abstract, tight }) => SocketAddress::Unix {
                path,
                is_abstract: is_abstract.unwrap_or(false),
                tight: tight.unwrap_or(true),
            },
            Address::Inet(InetAddress { host, port, to, ipv4, ipv6 }) => {
                SocketAddress::Tcp { host, port, to, ipv4, ipv6 }
            }
            Address::Fd(_) if self.reconnect_ms.is_some() => {
                return Err(ChardevError::ReconnectDescriptor.into());
            }
            Address::Fd(FdAddress { str }) => {
                let socket = named_socket(&str, descriptors)?;
                SocketAddress::Fd(passed.insert(socket).as_raw_fd())
            }
        };
        let backend = ChardevBackend::Socket(SocketSpec {
            address,
            server,
            // Nobody is kept waiting for a client: the monitor that asks would be.
            wait: false,
            reconnect_ms: self.reconnect_ms.and_then(|delay| u64::try_from(delay).ok()).unwrap_or(0),
            nodelay: self.nodelay.unwrap_or(false),
            telnet: self.telnet.unwrap_or(false),
        });
        Ok((backend, passed))
    }
}

impl Backend {
    /// The chardev of this name that is meant, and the passed descriptor that it is made of: it has to stay open until the
    /// chardev is.
    ///
    /// # Errors
    /// [`BackendError`].
    pub(super) fn spec(
        self,
        id: &str,
        descriptors: Option<&Descriptors>,
    ) -> Result<(ChardevSpec, Option<OwnedFd>), BackendError> {
        let mut passed = None;
        let ring = |size: Option<i64>, memory| {
            let size = size.map_or(0, |size| u64::try_from(size).unwrap_or(u64::MAX));
            ring(size, memory)
        };
        let (logfile, backend) = match self {
            Self::File(mut data) => {
                let (log, append) = (data.log(), data.append.unwrap_or(false));
                (log, ChardevBackend::File { path: data.out, append, input: data.input })
            }
            Self::Pipe(mut data) => (data.log(), ChardevBackend::Pipe { path: data.device }),
            Self::Socket(mut data) => {
                let log = data.log();
                let (backend, socket) = data.backend(descriptors)?;
                passed = socket;
                (log, backend)
            }
            Self::Pty(mut data) => (data.log(), ChardevBackend::Pty { path: data.path }),
            Self::Null(mut data) => (data.log(), ChardevBackend::Null),
            Self::Stdio(mut data) => {
                (data.log(), ChardevBackend::Stdio { signal: data.signal.unwrap_or(true) })
            }
            Self::Ringbuf(mut data) => (data.log(), ring(data.size, false)?),
            Self::Memory(mut data) => (data.log(), ring(data.size, true)?),
        };
        let spec = ChardevSpec { id: id.to_owned(), backend, mux: false, logfile };
        Ok((spec, passed))
    }
}
