//! What the command line says about character devices and monitors, as plain values.
//!
//! A *character device* ("chardev") is one end of a byte stream: the terminal, a file, a socket.
//! A *monitor* speaks QMP (control mode) or HMP (readline mode) over one of them. A chardev that
//! several users share is *multiplexed* ("mux"): each gets all output through, and input goes to
//! the user that has the focus.
//!
//! The module forbids any effect: nothing here opens a file or a socket, so that a command line is
//! judged as a whole before anything happens, and the same line can be judged in a test. Only
//! backends that the program can really open have a variant; the command line refuses the others
//! by name.

use std::path::PathBuf;

/// One character device, named, not yet opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChardevSpec {
    /// Name that users refer to it by (`chardev=ID`) and that `query-chardev` shows as `label`.
    pub id: String,
    /// What it is connected to.
    pub backend: ChardevBackend,
    /// Several users may share it (`mux=on`, `mon:…`).
    pub mux: bool,
    /// File that receives a copy of everything written (`logfile=`).
    pub logfile: Option<ChardevLog>,
}

/// Copy of a chardev's output on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChardevLog {
    /// Where the copy goes.
    pub path: PathBuf,
    /// Keep what the file holds already (`logappend=on`).
    pub append: bool,
    /// Each line begins with the time (`logtimestamp=on`).
    pub timestamp: bool,
}

/// What a chardev is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChardevBackend {
    /// Standard input and output of the process; at most one per process.
    Stdio {
        /// Terminal keys such as Ctrl-C raise their signal (`signal=on`) instead of being input.
        signal: bool,
    },
    /// Reads nothing, swallows what is written.
    Null,
    /// Output to a file, input (if any) from another.
    File {
        /// File that receives the output.
        path: PathBuf,
        /// Keep what the file holds already instead of truncating it (`append=on`).
        append: bool,
        /// File that input comes from (`input-path=`).
        input: Option<PathBuf>,
    },
    /// Two FIFOs, `PATH.in` and `PATH.out`, or one at `PATH` for both directions.
    Pipe {
        /// What their names start with.
        path: PathBuf,
    },
    /// Memory that keeps what was written last (`ringbuf`; `memory` is its older name).
    Ringbuf {
        /// How much, in bytes: a power of two.
        size: u64,
        /// It was asked for as `memory`.
        memory: bool,
    },
    /// A stream socket.
    Socket(SocketSpec),
    /// A new pseudo-terminal; the name of its other end is reported when it is opened.
    Pty {
        /// Symbolic link to make to the other end (`path=`).
        path: Option<PathBuf>,
    },
}

impl ChardevBackend {
    /// QEMU's name of the backend, as in `-chardev NAME,…`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stdio { .. } => "stdio",
            Self::Null => "null",
            Self::File { .. } => "file",
            Self::Pipe { .. } => "pipe",
            Self::Ringbuf { memory: false, .. } => "ringbuf",
            Self::Ringbuf { memory: true, .. } => "memory",
            Self::Socket(_) => "socket",
            Self::Pty { .. } => "pty",
        }
    }
}

/// Size of a ring whose user names none, in bytes.
pub const DEFAULT_RING_BYTES: u64 = 64 << 10;

/// A stream socket, listening or connecting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSpec {
    /// Where to listen or connect to.
    pub address: SocketAddress,
    /// Listen (`server=on`) instead of connecting.
    pub server: bool,
    /// A listening socket: block the start of the program until the first client is there
    /// (`wait=on`, QEMU's default). Always false for a connecting one.
    pub wait: bool,
    /// A connecting socket: milliseconds between attempts to connect again, 0 for never
    /// (`reconnect-ms=`; `reconnect=` counts seconds). With a value above 0 the first connection
    /// too is made in the background and may fail.
    pub reconnect_ms: u64,
    /// Disable Nagle's algorithm (`nodelay=on`; the legacy `tcp:` form's `delay=off`).
    pub nodelay: bool,
    /// Clients of a listening socket speak telnet (`telnet=on`). One that connects speaks as any other.
    pub telnet: bool,
}

/// Address of a stream socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketAddress {
    /// A unix socket in the file system, or in Linux's abstract name space.
    Unix {
        /// Path, or the abstract name without its leading NUL.
        path: PathBuf,
        /// The name is abstract (`abstract=on`).
        is_abstract: bool,
        /// An abstract name counts up to its end, instead of filling `sun_path` with NULs
        /// (`tight=on`, QEMU's default).
        tight: bool,
    },
    /// TCP over IPv4 or IPv6.
    Tcp {
        /// Host name or address; empty means every address for a server and the local host
        /// for a client.
        host: String,
        /// Port number or service name; "0" lets the system choose a port for a server.
        port: String,
        /// Last port to try when listening (`to=`).
        to: Option<u16>,
        /// Use IPv4 (`ipv4=`); `None`: whatever the name resolves to.
        ipv4: Option<bool>,
        /// Use IPv6 (`ipv6=`).
        ipv6: Option<bool>,
    },
    /// An inherited descriptor: a listening socket for a server, a connected one otherwise.
    Fd(i32),
}

/// A monitor and the chardev that it speaks over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorSpec {
    /// Name given by the user or made up (`compat_monitor0`); none for one that shares a serial
    /// port's chardev (`-serial mon:…`).
    pub id: Option<String>,
    /// [`ChardevSpec::id`] of its chardev.
    pub chardev: String,
    /// Language it speaks.
    pub mode: MonitorMode,
}

/// Language of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorMode {
    /// QMP.
    Control {
        /// Replies are indented over several lines (`pretty=on`).
        pretty: bool,
    },
    /// HMP.
    Readline,
}
