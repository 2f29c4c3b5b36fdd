//! What `chardev-add` says of a backend (QAPI `ChardevBackend`). Members stand in QAPI's order, in which errors are found.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::chardev::spec::{ChardevBackend, ChardevLog, ChardevSpec, SocketAddress, SocketSpec};
use crate::cmdline::chardev::{ChardevError, ring};
use crate::main_loop::Descriptors;

/// The backend and its settings.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(tag = "type", content = "data", rename_all = "kebab-case")]
pub(super) enum Backend {
    File(FileData),
    Pipe(PipeData),
    Socket(SocketData),
    Pty(PtyData),
    Null(NullData),
    Stdio(StdioData),
    Ringbuf(RingData),
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
            logfile: Option<PathBuf>,
            logappend: Option<bool>,
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
    NullData {}

    FileData {
        #[serde(rename = "in")]
        input: Option<PathBuf>,
        out: PathBuf,
        append: Option<bool>,
    }

    PipeData {
        device: PathBuf,
    }

    PtyData {
        path: Option<PathBuf>,
    }

    StdioData {
        signal: Option<bool>,
    }

    RingData {
        size: Option<i64>,
    }

    #[serde(rename_all = "kebab-case")]
    SocketData {
        addr: Address,
        tls_creds: Option<String>,
        tls_authz: Option<String>,
        server: Option<bool>,
        wait: Option<bool>,
        nodelay: Option<bool>,
        telnet: Option<bool>,
        tn3270: Option<bool>,
        websocket: Option<bool>,
        reconnect_ms: Option<i64>,
    }
}

/// QAPI `SocketAddressLegacy`.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(tag = "type", content = "data", rename_all = "kebab-case")]
enum Address {
    Inet(InetAddress),
    Unix(UnixAddress),
    Fd(FdAddress),
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct InetAddress {
    host: String,
    port: String,
    to: Option<u16>,
    ipv4: Option<bool>,
    ipv6: Option<bool>,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct UnixAddress {
    path: PathBuf,
    #[serde(rename = "abstract")]
    is_abstract: Option<bool>,
    tight: Option<bool>,
}

/// A descriptor that was passed over the monitor, by its name.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct FdAddress {
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
