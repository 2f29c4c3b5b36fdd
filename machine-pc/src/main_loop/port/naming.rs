//! How a chardev is shown: by `query-chardev`, and where somebody waits for it.

use std::sync::Arc;

use super::Port;
use crate::chardev::Endpoint;
use crate::chardev::spec::{ChardevBackend, SocketAddress, SocketSpec};
use crate::main_loop::ChardevInfo;

impl Port {
    /// What it is connected to, as the reference names it.
    pub(in crate::main_loop) fn filename(&self) -> String {
        match &self.spec.backend {
            ChardevBackend::Socket(socket) => self.socket_name(socket),
            ChardevBackend::Pty { .. } => match &self.endpoint {
                Some(Endpoint::Pty { name, .. }) => format!("pty:{}", name.display()),
                _ => "pty".to_owned(),
            },
            other => other.name().to_owned(),
        }
    }

    fn socket_name(&self, socket: &SocketSpec) -> String {
        let server = if socket.server { ",server=on" } else { "" };
        let tcp = if socket.telnet { "telnet" } else { "tcp" };
        let Some(stream) = &self.stream else {
            let listening = match &self.endpoint {
                Some(Endpoint::Listening { listener, .. }) => listener.tcp_address(),
                _ => None,
            };
            let address = match (&socket.address, listening) {
                (_, Some(address)) => format!("{tcp}:{address}"),
                (SocketAddress::Unix { path, .. }, _) => format!("unix:{}", path.display()),
                (SocketAddress::Tcp { host, port, .. }, _) => format!("{tcp}:{host}:{port}"),
                (SocketAddress::Fd(fd), _) => format!("fd:{fd}"),
            };
            return format!("disconnected:{address}{server}");
        };
        match (stream.tcp_addresses(), &socket.address) {
            (Some((own, peer)), _) => format!("{tcp}:{own}{server} <-> {peer}"),
            // The name of this end, which one that connects has not.
            (None, SocketAddress::Unix { path, .. }) if socket.server => {
                format!("unix:{}{server}", path.display())
            }
            (None, _) => format!("unix:{server}"),
        }
    }

    /// What `query-chardev` shows of it, kept until that changes: it is asked for before each turn of a client.
    pub(in crate::main_loop) fn infos(&mut self) -> Arc<[ChardevInfo]> {
        if let Some(infos) = &self.infos {
            return infos.clone();
        }
        let infos: Arc<[ChardevInfo]> = self.make_infos().into();
        self.infos = Some(infos.clone());
        infos
    }

    fn make_infos(&self) -> Vec<ChardevInfo> {
        let info = |label: String, filename: String| ChardevInfo {
            label,
            filename,
            frontend_open: self.has_frontend(),
        };
        let id = self.spec.id.clone();
        if self.spec.mux {
            vec![info(id.clone(), "mux".to_owned()), info(format!("{id}-base"), self.filename())]
        } else {
            vec![info(id, self.filename())]
        }
    }
}
