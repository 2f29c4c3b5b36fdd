//! Character devices: from the text of `-chardev` and the short forms to a [`ChardevSpec`].
//!
//! The short forms (`stdio`, `unix:PATH,server,nowait`, `mon:stdio`, …) of `-serial`, `-monitor` and
//! `-qmp` are first turned into the options of `-chardev`, so that both are judged by the same rules.
//! Short booleans in them are no deprecated form: they have no other.
//!
//! A backend that QEMU has and this program has not is refused by name; nothing is accepted that would
//! not be honoured (TLS and websocket included).

use std::path::PathBuf;

use qom::text::opts::{self, OptDescription, OptKind, Opts};
use qom::text::{ParameterError, size};

use crate::chardev::spec::{
    ChardevBackend, ChardevLog, ChardevSpec, DEFAULT_RING_BYTES, SocketAddress, SocketSpec,
};

/// Why options are no character device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChardevError {
    /// `-chardev` without `id=`.
    #[error("chardev: no id specified")]
    NoId,
    /// `-chardev` without a backend.
    #[error("chardev: \"{id}\" missing backend")]
    NoBackend {
        /// Its ID.
        id: String,
    },
    /// A backend that nobody has.
    #[error("'{name}' is not a valid char driver name")]
    UnknownBackend {
        /// The name given.
        name: String,
    },
    /// A backend or a property of one that QEMU has and this program has not.
    #[error(
        "'{name}' is not supported: character devices are stdio, null, file, pipe, pty, ringbuf and plain sockets"
    )]
    NotSupported {
        /// The backend or option given.
        name: String,
    },
    /// A short form that nobody has.
    #[error("'{text}' is not a valid char driver")]
    UnknownForm {
        /// The text given.
        text: String,
    },
    /// A short form in a place where it has no meaning.
    #[error("mon: isn't supported in this context")]
    NoMuxHere,
    /// A file without its path.
    #[error("chardev: file: no filename given")]
    NoFileName,
    /// A pipe without its path.
    #[error("chardev: pipe: no device path given")]
    NoPipeName,
    /// The type that backends on plain descriptors have in common.
    #[error("Parameter 'driver' expects a non-abstract device type")]
    AbstractBackend,
    /// A ring of an odd size.
    #[error("size of ringbuf chardev must be power of two")]
    RingSize,
    /// A host without its port.
    #[error("chardev: socket: no port given")]
    NoPort,
    /// A unix socket with an empty path.
    #[error("chardev: socket: the path is empty")]
    EmptyPath,
    /// Several addresses.
    #[error("None or one of 'path', 'fd' or 'host' option required.")]
    SeveralAddresses,
    /// A descriptor that is no number; also a socket with no address at all.
    #[error("Unable to parse FD number {text}")]
    InvalidFd {
        /// The text given.
        text: String,
    },
    /// A descriptor that cannot be.
    #[error("File descriptor '{text}' is not a socket")]
    NegativeFd {
        /// The text given.
        text: String,
    },
    /// Both spellings of one option.
    #[error("'delay' and 'nodelay' are mutually exclusive")]
    DelayTwice,
    /// `wait` for a client that connects.
    #[error("'wait' option is incompatible with socket in client connect mode")]
    WaitAsClient,
    /// `reconnect-ms` for a server.
    #[error("'reconnect-ms' option is incompatible with socket in server listen mode")]
    ReconnectAsServer,
    /// `reconnect-ms` for what cannot be connected anew.
    #[error("'reconnect-ms' option is incompatible with 'fd' address type")]
    ReconnectDescriptor,
    /// A parameter's value.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

const fn opt(name: &'static str, kind: OptKind) -> OptDescription {
    OptDescription { name, kind, help: "" }
}

/// The options of all backends. QEMU checks names against one table for all, so that an option of another
/// backend is accepted and ignored; the same is done here.
pub(crate) const CHARDEV_OPTIONS: &[OptDescription] = &[
    opt("backend", OptKind::String),
    opt("path", OptKind::String),
    opt("input-path", OptKind::String),
    opt("host", OptKind::String),
    opt("port", OptKind::String),
    opt("fd", OptKind::String),
    opt("localaddr", OptKind::String),
    opt("localport", OptKind::String),
    opt("to", OptKind::Number),
    opt("ipv4", OptKind::Bool),
    opt("ipv6", OptKind::Bool),
    opt("wait", OptKind::Bool),
    opt("server", OptKind::Bool),
    opt("delay", OptKind::Bool),
    opt("nodelay", OptKind::Bool),
    opt("reconnect-ms", OptKind::Number),
    opt("telnet", OptKind::Bool),
    opt("tn3270", OptKind::Bool),
    opt("tls-creds", OptKind::String),
    opt("tls-authz", OptKind::String),
    opt("websocket", OptKind::Bool),
    opt("width", OptKind::Number),
    opt("height", OptKind::Number),
    opt("cols", OptKind::Number),
    opt("rows", OptKind::Number),
    opt("mux", OptKind::Bool),
    opt("signal", OptKind::Bool),
    opt("name", OptKind::String),
    opt("debug", OptKind::Number),
    opt("size", OptKind::Size),
    opt("chardev", OptKind::String),
    opt("append", OptKind::Bool),
    opt("logfile", OptKind::String),
    opt("logappend", OptKind::Bool),
    opt("logtimestamp", OptKind::Bool),
    opt("abstract", OptKind::Bool),
    opt("tight", OptKind::Bool),
];

/// QEMU's other backends.
const OTHER_BACKENDS: &[&str] = &[
    "braille",
    "dbus",
    "hub",
    "msmouse",
    "mux",
    "parallel",
    "qemu-vdagent",
    "serial",
    "spiceport",
    "spicevmc",
    "testdev",
    "udp",
    "vc",
    "wctablet",
];

/// The backends that there are.
pub(crate) const BACKENDS: &[&str] = &["file", "memory", "null", "pipe", "pty", "ringbuf", "socket", "stdio"];

/// The answer to `-chardev help`.
pub(crate) const CHARDEV_HELP: &str = "Available chardev backend types: \n  file\n  memory\n  null\n  pipe\n  pty\n  ringbuf\n  socket\n  stdio\n";

/// Turns checked options into a character device.
pub(crate) fn from_opts(id: &str, opts: &Opts) -> Result<ChardevSpec, ChardevError> {
    let flag = |key: &str, default: bool| opts.get_bool(key).map(|value| value.unwrap_or(default));
    let backend = match opts.get("backend") {
        None => return Err(ChardevError::NoBackend { id: id.to_owned() }),
        Some("stdio") => ChardevBackend::Stdio { signal: flag("signal", true)? },
        Some("null") => ChardevBackend::Null,
        Some("file") => {
            let path = opts.get("path").ok_or(ChardevError::NoFileName)?;
            let input = opts.get("input-path").map(PathBuf::from);
            ChardevBackend::File { path: path.into(), append: flag("append", false)?, input }
        }
        Some("pipe") => {
            let path = opts.get("path").ok_or(ChardevError::NoPipeName)?;
            ChardevBackend::Pipe { path: path.into() }
        }
        Some(name @ ("ringbuf" | "memory")) => {
            let size = opts.get("size").map(|text| size::parameter("size", text)).transpose()?.unwrap_or(0);
            ring(size, name == "memory")?
        }
        Some("fd") => return Err(ChardevError::AbstractBackend),
        Some("pty") => ChardevBackend::Pty { path: opts.get("path").map(PathBuf::from) },
        Some("socket") => ChardevBackend::Socket(socket(opts)?),
        Some(name) if OTHER_BACKENDS.contains(&name) => {
            return Err(ChardevError::NotSupported { name: name.to_owned() });
        }
        Some(name) => return Err(ChardevError::UnknownBackend { name: name.to_owned() }),
    };
    let log = match opts.get("logfile") {
        Some(path) => Some(ChardevLog {
            path: path.into(),
            append: flag("logappend", false)?,
            timestamp: flag("logtimestamp", false)?,
        }),
        None => None,
    };
    Ok(ChardevSpec { id: id.to_owned(), backend, mux: flag("mux", false)?, logfile: log })
}

/// A ring of so many bytes, or of the usual size for 0.
pub(crate) fn ring(size: u64, memory: bool) -> Result<ChardevBackend, ChardevError> {
    let size = if size == 0 { DEFAULT_RING_BYTES } else { size };
    if !size.is_power_of_two() {
        return Err(ChardevError::RingSize);
    }
    Ok(ChardevBackend::Ringbuf { size, memory })
}

fn refuse_option(opts: &Opts, name: &str) -> Result<(), ChardevError> {
    match opts.get(name) {
        Some(_) => Err(ChardevError::NotSupported { name: name.to_owned() }),
        None => Ok(()),
    }
}

fn socket(opts: &Opts) -> Result<SocketSpec, ChardevError> {
    let nodelay = match (opts.get_bool("delay")?, opts.get_bool("nodelay")?) {
        (Some(_), Some(_)) => return Err(ChardevError::DelayTwice),
        (delay, nodelay) => nodelay.unwrap_or(!delay.unwrap_or(true)),
    };
    let addresses = ["path", "host", "fd"].iter().filter(|key| opts.get(key).is_some()).count();
    if addresses > 1 {
        return Err(ChardevError::SeveralAddresses);
    }
    if opts.get("host").is_some() && opts.get("port").is_none() {
        return Err(ChardevError::NoPort);
    }
    let telnet = opts.get_bool("telnet")?.unwrap_or(false);
    for name in ["tn3270", "websocket"] {
        if opts.get_bool(name)? == Some(true) {
            return Err(ChardevError::NotSupported { name: name.to_owned() });
        }
    }
    refuse_option(opts, "tls-creds")?;
    refuse_option(opts, "tls-authz")?;
    let server = opts.get_bool("server")?.unwrap_or(false);
    let reconnect_ms = opts.get_number("reconnect-ms")?;
    let wait = opts.get_bool("wait")?;
    if server && reconnect_ms.is_some() {
        return Err(ChardevError::ReconnectAsServer);
    }
    if !server && wait.is_some() {
        return Err(ChardevError::WaitAsClient);
    }
    let wait = server && wait.unwrap_or(true);
    let address = address(opts)?;
    if reconnect_ms.is_some() && matches!(address, SocketAddress::Fd(_)) {
        return Err(ChardevError::ReconnectDescriptor);
    }
    Ok(SocketSpec { address, server, wait, reconnect_ms: reconnect_ms.unwrap_or(0), nodelay, telnet })
}

/// The one address that is given.
fn address(opts: &Opts) -> Result<SocketAddress, ChardevError> {
    if let Some(path) = opts.get("path") {
        if path.is_empty() {
            return Err(ChardevError::EmptyPath);
        }
        let is_abstract = opts.get_bool("abstract")?.unwrap_or(false);
        let tight = opts.get_bool("tight")?.unwrap_or(true);
        return Ok(SocketAddress::Unix { path: path.into(), is_abstract, tight });
    }
    if let Some(host) = opts.get("host") {
        let to = opts.get_number("to")?.map(u16::try_from).transpose();
        return Ok(SocketAddress::Tcp {
            host: host.to_owned(),
            port: opts.get("port").ok_or(ChardevError::NoPort)?.to_owned(),
            to: to.map_err(|_| ParameterError::TooLarge {
                name: "to".to_owned(),
                value: opts.get("to").unwrap_or_default().to_owned(),
            })?,
            ipv4: opts.get_bool("ipv4")?,
            ipv6: opts.get_bool("ipv6")?,
        });
    }
    let text = opts.get("fd").unwrap_or_default();
    match text.parse::<i32>() {
        Ok(number) if number >= 0 => Ok(SocketAddress::Fd(number)),
        Ok(_) => Err(ChardevError::NegativeFd { text: text.to_owned() }),
        Err(_) => Err(ChardevError::InvalidFd { text: text.to_owned() }),
    }
}

/// Turns a short form into the options of `-chardev`.
///
/// `None` is a form whose address cannot be read; there is no more to say about it than that.
pub(super) fn short_form(text: &str, mux_allowed: bool) -> Result<Option<Opts>, ChardevError> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut set = |key: &str, value: &str| pairs.push((key.to_owned(), value.to_owned()));
    let mut form = text;
    if let Some(rest) = text.strip_prefix("mon:") {
        if !mux_allowed {
            return Err(ChardevError::NoMuxHere);
        }
        form = rest;
        set("mux", "on");
        if form == "stdio" {
            // Ctrl-C belongs to the guest; the multiplexer has keys of its own.
            set("signal", "off");
        }
    }
    let (scheme, rest) = form.split_once(':').map_or((form, None), |(scheme, rest)| (scheme, Some(rest)));
    let mut further = None;
    match (scheme, rest) {
        ("null" | "pty" | "stdio" | "msmouse" | "wctablet" | "braille" | "testdev", None) => {
            set("backend", scheme);
        }
        ("file" | "pipe" | "pty", Some(path)) => {
            set("backend", scheme);
            set("path", path);
        }
        ("unix", Some(options)) => {
            set("backend", "socket");
            further = Some(opts::parse(options, Some("path")));
        }
        ("tcp" | "telnet" | "tn3270" | "websocket", Some(address)) => {
            let Some((host, port, options)) = host_and_port(address) else { return Ok(None) };
            set("backend", "socket");
            set("host", host);
            set("port", port);
            if scheme != "tcp" {
                set(scheme, "on");
            }
            further = Some(opts::parse(options, None));
        }
        ("udp", Some(_)) => set("backend", "udp"),
        ("con", Some("")) => set("backend", "console"),
        _ if form.starts_with("vc") => set("backend", "vc"),
        _ if form.starts_with("/dev/parport") => set("backend", "parallel"),
        _ if form.starts_with("COM") || form.starts_with("/dev/") => set("backend", "serial"),
        _ => return Err(ChardevError::UnknownForm { text: form.to_owned() }),
    }
    let mut opts = Opts { pairs, ..Opts::default() };
    if let Some(further) = further {
        if further.help {
            return Err(ParameterError::Invalid { name: "help".to_owned() }.into());
        }
        // An `id=` in a short form has no meaning, and QEMU ignores it.
        opts.pairs.extend(further.pairs);
    }
    opts.check(CHARDEV_OPTIONS).map_err(|error| error.error)?;
    Ok(Some(opts))
}

/// Longest host and port of a short form.
const MAX_HOST: usize = 64;
const MAX_PORT: usize = 32;

/// Splits `host:port,options` or `:port,options`; an IPv6 address may stand in brackets.
fn host_and_port(text: &str) -> Option<(&str, &str, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            (host, rest.strip_prefix(':')?)
        }
        None => text.split_once(':')?,
    };
    let (port, options) = rest.split_once(',').unwrap_or((rest, ""));
    (host.len() <= MAX_HOST && (1..=MAX_PORT).contains(&port.len())).then_some((host, port, options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn long(text: &str) -> Result<ChardevSpec, String> {
        let opts = opts::parse(text, Some("backend"));
        opts.check(CHARDEV_OPTIONS).map_err(|error| error.to_string())?;
        from_opts("c", &opts).map_err(|error| error.to_string())
    }

    fn short(text: &str) -> Result<ChardevSpec, String> {
        match short_form(text, true) {
            Ok(Some(opts)) => from_opts("c", &opts).map_err(|error| error.to_string()),
            Ok(None) => Err("no address".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn unix(path: &str, server: bool, wait: bool) -> ChardevBackend {
        let address = SocketAddress::Unix { path: path.into(), is_abstract: false, tight: true };
        ChardevBackend::Socket(SocketSpec {
            address,
            server,
            wait,
            reconnect_ms: 0,
            nodelay: false,
            telnet: false,
        })
    }

    #[test]
    fn short_forms_are_the_long_ones() {
        for (text, same) in [
            ("stdio", "stdio"),
            ("null", "null"),
            ("pty", "pty"),
            ("pty:/run/p", "pty,path=/run/p"),
            ("file:/run/a,b", "file,path=/run/a,,b"),
            ("unix:/run/s,server,nowait", "socket,path=/run/s,server=on,wait=off"),
            ("unix:/run/s,server=on,wait=off", "socket,path=/run/s,server=on,wait=off"),
            ("unix:/run/s", "socket,path=/run/s"),
            ("unix:/run/a,,b,server", "socket,path=/run/a,,b,server=on"),
            ("tcp:localhost:4444,server,nowait", "socket,host=localhost,port=4444,server=on,wait=off"),
            ("tcp::4444,server,nodelay,nowait", "socket,host=,port=4444,server=on,delay=off,wait=off"),
            ("tcp:[::1]:4444", "socket,host=::1,port=4444"),
            ("mon:stdio", "stdio,mux=on,signal=off"),
            ("mon:null", "null,mux=on"),
        ] {
            let spec = short(text);
            assert!(spec.is_ok(), "{text}: {spec:?}");
            assert_eq!(spec, long(same), "{text}");
        }
    }

    #[test]
    fn what_a_form_means() {
        assert_eq!(short("unix:/run/s,server").unwrap().backend, unix("/run/s", true, true));
        assert_eq!(short("unix:/run/s,server,nowait").unwrap().backend, unix("/run/s", true, false));
        assert_eq!(short("unix:/run/s").unwrap().backend, unix("/run/s", false, false));
        assert_eq!(short("stdio").unwrap().backend, ChardevBackend::Stdio { signal: true });
        let muxed = short("mon:stdio").unwrap();
        assert_eq!((muxed.backend, muxed.mux), (ChardevBackend::Stdio { signal: false }, true));
        assert_eq!(
            long("socket,fd=5,server=on,wait=off").unwrap().backend,
            ChardevBackend::Socket(SocketSpec {
                address: SocketAddress::Fd(5),
                server: true,
                wait: false,
                reconnect_ms: 0,
                nodelay: false,
                telnet: false,
            })
        );
        let logged = long("file,path=a,append=on,logfile=l,logappend=on,logtimestamp=on").unwrap();
        assert_eq!(logged.backend, ChardevBackend::File { path: "a".into(), append: true, input: None });
        assert_eq!(logged.logfile, Some(ChardevLog { path: "l".into(), append: true, timestamp: true }));
        let Ok(ChardevSpec { backend: ChardevBackend::Socket(tcp), .. }) =
            long("socket,host=h,port=1,delay=off,to=9")
        else {
            panic!("not a socket")
        };
        assert!(tcp.nodelay);
        assert!(matches!(tcp.address, SocketAddress::Tcp { to: Some(9), .. }));
    }

    /// Messages of QEMU 11.1.2, the first line of standard error, but for those of what is not supported here.
    #[test]
    fn errors_of_the_long_form() {
        for (text, message) in [
            ("foo", "'foo' is not a valid char driver name"),
            ("help=on", "Invalid parameter 'help'"),
            ("mux=on", "chardev: \"c\" missing backend"),
            ("null,bar=3", "Invalid parameter 'bar'"),
            ("file", "chardev: file: no filename given"),
            ("file,path=/run/a,append=x", "Parameter 'append' expects 'on' or 'off'"),
            ("stdio,signal=x", "Parameter 'signal' expects 'on' or 'off'"),
            ("socket", "Unable to parse FD number "),
            ("socket,port=1", "Unable to parse FD number "),
            ("socket,fd=abc", "Unable to parse FD number abc"),
            ("socket,fd=0x1", "Unable to parse FD number 0x1"),
            ("socket,fd=-1", "File descriptor '-1' is not a socket"),
            ("socket,host=x", "chardev: socket: no port given"),
            ("socket,host=x,path=y", "None or one of 'path', 'fd' or 'host' option required."),
            ("socket,path=x,fd=1", "None or one of 'path', 'fd' or 'host' option required."),
            ("socket,path=x,server=foo", "Parameter 'server' expects 'on' or 'off'"),
            ("socket,path=x,wait=off", "'wait' option is incompatible with socket in client connect mode"),
            ("socket,path=x,reconnect=3", "Invalid parameter 'reconnect'"),
            ("socket,path=x,reconnect-ms=x", "Parameter 'reconnect-ms' expects a number"),
            (
                "socket,path=x,server=on,reconnect-ms=3",
                "'reconnect-ms' option is incompatible with socket in server listen mode",
            ),
            ("socket,host=x,port=1,nodelay=on,delay=off", "'delay' and 'nodelay' are mutually exclusive"),
            ("socket,host=x,port=1,ipv4=x", "Parameter 'ipv4' expects 'on' or 'off'"),
            ("socket,host=x,port=1,to=x", "Parameter 'to' expects a number"),
            ("socket,host=x,port=1,to=70000", "Value '70000' is too large for parameter 'to'"),
            (
                "udp",
                "'udp' is not supported: character devices are stdio, null, file, pipe, pty, ringbuf and plain sockets",
            ),
            (
                "socket,path=x,websocket=on",
                "'websocket' is not supported: character devices are stdio, null, file, pipe, pty, ringbuf and plain sockets",
            ),
        ] {
            assert_eq!(long(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn errors_of_the_short_forms() {
        for (text, message) in [
            ("foo", "'foo' is not a valid char driver"),
            ("foo:x", "'foo:x' is not a valid char driver"),
            ("mon:foo", "'foo' is not a valid char driver"),
            ("none", "'none' is not a valid char driver"),
            ("", "'' is not a valid char driver"),
            ("stdio,x", "'stdio,x' is not a valid char driver"),
            ("stdio,signal=off", "'stdio,signal=off' is not a valid char driver"),
            ("ringbuf", "'ringbuf' is not a valid char driver"),
            ("con:", "'console' is not a valid char driver name"),
            ("unix:", "Unable to parse FD number "),
            ("unix:/x,foo", "Invalid parameter 'foo'"),
            ("unix:/x,help", "Invalid parameter 'help'"),
            ("unix:/x,server,wait=maybe", "Parameter 'wait' expects 'on' or 'off'"),
            ("unix:/x,nowait", "'wait' option is incompatible with socket in client connect mode"),
            ("unix:/x,fd=3", "None or one of 'path', 'fd' or 'host' option required."),
            ("tcp:localhost", "no address"),
            ("tcp:localhost:0,foo", "Invalid parameter 'foo'"),
        ] {
            assert_eq!(short(text), Err(message.to_owned()), "{text}");
        }
        assert_eq!(short_form("mon:stdio", false), Err(ChardevError::NoMuxHere));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(
            text in "(mon:)?(unix|tcp|file|pty|udp|telnet|vc|con|stdio|null)?[:,a-z\\[\\]0-9=]{0,30}|.*",
            options in "(socket|file|stdio|null)?(,(path|host|port|fd|to|server|wait|delay)=?[a-z0-9]{0,3}){0,6}",
        ) {
            let _ = (short(&text), long(&options));
        }

        #[test]
        fn any_path_goes_through_both_forms(path in "[^,]{1,20}") {
            let Ok(ChardevSpec { backend: ChardevBackend::Socket(socket), .. }) = short(&format!("unix:{path},server")) else {
                // "/x=y" is an option named "/x".
                prop_assert!(path.contains('='));
                return Ok(());
            };
            prop_assert_eq!(socket.address, SocketAddress::Unix { path: path.into(), is_abstract: false, tight: true });
        }
    }
}
