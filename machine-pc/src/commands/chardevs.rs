//! Chardevs while the program runs: QMP and the human monitor.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use qmp::{Context, Empty, Error, command, hmp_command};
use qom::text::opts;
use serde::{Deserialize, Serialize};

use super::chardev_backend::Backend;
use crate::chardev::object::{hide, show};
use crate::chardev::spec::ChardevSpec;
use crate::cmdline::chardev::{BACKENDS, CHARDEV_HELP, CHARDEV_OPTIONS, from_opts};
use crate::main_loop::{ChangeError, ChardevInfo, Chardevs};

/// A chardev (QAPI `ChardevInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct ChardevReply {
    /// Whether somebody uses it: a monitor, or a device of the guest.
    frontend_open: bool,
    /// What it is connected to, for people: a socket with its addresses (`disconnected:unix:/run/vm.sock,server=on`), a
    /// pseudo-terminal with its path (`pty:/dev/pts/3`), another by its kind.
    filename: String,
    /// Its name. One that several users share is there twice, the second time with `-base` behind its name.
    label: String,
}

impl From<ChardevInfo> for ChardevReply {
    fn from(info: ChardevInfo) -> Self {
        let ChardevInfo { label, filename, frontend_open } = info;
        Self { frontend_open, filename, label }
    }
}

fn chardevs(context: &Context) -> Result<Chardevs, Error> {
    context.require::<Chardevs>().cloned()
}

command! {
    /// Returns the chardevs and what each is connected to, those that monitors speak over among them.
    "query-chardev" (allow_preconfig) =>
    fn query_chardev(context: &mut Context, (): ()) -> Result<Vec<ChardevReply>, Error> {
        Ok(chardevs(context)?.infos().into_iter().map(ChardevReply::from).collect())
    }
}

hmp_command! {
    info "chardev", "", "", "show the character devices" (allow_preconfig) =>
    fn info_chardev(monitor, _arguments) {
        for info in chardevs(monitor.context)?.infos() {
            monitor.print(format_args!("{}: filename={}\n", info.label, info.filename));
        }
        Ok(())
    }
}

/// A kind of backend for chardevs (QAPI `ChardevBackendInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct BackendInfo {
    /// Its name, as `chardev-add` and `-chardev` take it.
    name: &'static str,
}

command! {
    /// Returns the kinds of backends that a chardev can be connected to.
    "query-chardev-backends" (allow_preconfig) =>
    fn query_chardev_backends(_context: &mut Context, (): ()) -> Result<Vec<BackendInfo>, Error> {
        Ok(BACKENDS.iter().map(|&name| BackendInfo { name }).collect())
    }
}

/// Opens a chardev and shows it.
fn add(context: &Context, spec: &ChardevSpec) -> Result<ChardevReturn, Error> {
    let chardevs = chardevs(context)?;
    let connection = chardevs.add(spec).map_err(Error::generic)?;
    if let Err(error) = show(context.qom(), spec, connection) {
        // It was made a moment ago, and nobody uses it.
        let _ = chardevs.remove(&spec.id);
        return Err(Error::generic(error));
    }
    Ok(ChardevReturn::of(&chardevs, &spec.id))
}

fn change(context: &Context, spec: &ChardevSpec) -> Result<ChardevReturn, Error> {
    let chardevs = chardevs(context)?;
    let connection = chardevs.change(spec).map_err(Error::generic)?;
    hide(context.qom(), &spec.id);
    show(context.qom(), spec, connection).map_err(Error::generic)?;
    Ok(ChardevReturn::of(&chardevs, &spec.id))
}

/// What is to be known of a chardev that was made (QAPI `ChardevReturn`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct ChardevReturn {
    /// The path of the other end of its pseudo-terminal; absent for other backends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pty: Option<String>,
}

impl ChardevReturn {
    fn of(chardevs: &Chardevs, id: &str) -> Self {
        let info = chardevs.infos().into_iter().find(|info| info.label == id);
        Self { pty: info.and_then(|info| info.filename.strip_prefix("pty:").map(str::to_owned)) }
    }
}

/// What `chardev-add` and `chardev-change` take.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct ChardevAdd {
    /// Its name.
    id: String,
    /// What it is to be connected to.
    backend: Backend,
}

command! {
    /// Makes a chardev: opens the backend and keeps it under a name, for `device_add` and others to refer to. A listening socket
    /// does not wait for a client, whatever `wait` says.
    ///
    /// Fails if the name is taken (`Chardev with id 'ID' already exists`), or if the backend is not to be had (`Failed to add
    /// chardev 'ID': ` and the reason); then nothing is left of it. `udp`, `mux` and other backends that QEMU has and this program
    /// has not are no values of `type`.
    "chardev-add" (allow_preconfig) =>
    fn chardev_add(context: &mut Context, arguments: ChardevAdd) -> Result<ChardevReturn, Error> {
        let ChardevAdd { id, backend } = arguments;
        if chardevs(context)?.contains(&id) {
            return Err(Error::generic(format_args!("Chardev with id '{id}' already exists")));
        }
        let failed = |error: Error| Error::generic(format_args!("Failed to add chardev '{id}': {}", error.desc));
        let (spec, _open_until_then) = backend.spec(&id, context.get()).map_err(|error| failed(Error::generic(error)))?;
        add(context, &spec).map_err(failed)
    }
}

command! {
    /// Connects a chardev to something else; its user stays.
    ///
    /// Fails if there is none of that name (`Chardev 'ID' does not exist`), if several users share it, if a monitor uses it
    /// (`Chardev user does not support chardev hotswap`), or if the new backend cannot be opened; then the chardev is as it was.
    "chardev-change" (allow_preconfig) =>
    fn chardev_change(context: &mut Context, arguments: ChardevAdd) -> Result<ChardevReturn, Error> {
        let ChardevAdd { id, backend } = arguments;
        if !chardevs(context)?.contains(&id) {
            return Err(Error::generic(ChangeError::NotFound(id)));
        }
        let (spec, _open_until_then) = backend
            .spec(&id, context.get())
            .map_err(|error| Error::generic(format_args!("Failed to add chardev '{id}': {error}")))?;
        change(context, &spec)
    }
}

/// What `chardev-remove` and `chardev-send-break` take.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct ChardevId {
    /// The chardev's name.
    id: String,
}

fn remove(context: &Context, id: &str) -> Result<(), Error> {
    chardevs(context)?.remove(id).map_err(Error::generic)?;
    hide(context.qom(), id);
    Ok(())
}

/// No backend and no port here has a break to send or to take, which the reference passes over too.
fn send_break(context: &Context, id: &str) -> Result<(), Error> {
    if chardevs(context)?.contains(id) {
        Ok(())
    } else {
        Err(Error::generic(format_args!("Chardev '{id}' not found")))
    }
}

command! {
    /// Closes a chardev and forgets it.
    ///
    /// Fails if there is none of that name (`Chardev 'ID' not found`) or somebody uses it (`Chardev 'ID' is busy`).
    "chardev-remove" (allow_preconfig) =>
    fn chardev_remove(context: &mut Context, arguments: ChardevId) -> Result<Empty, Error> {
        remove(context, &arguments.id)?;
        Ok(Empty)
    }
}

command! {
    /// Sends a break to the user of a chardev. Nothing comes of it: no device here takes breaks. Fails if there is no chardev of
    /// that name (`Chardev 'ID' not found`).
    "chardev-send-break" (allow_preconfig) =>
    fn chardev_send_break(context: &mut Context, arguments: ChardevId) -> Result<Empty, Error> {
        send_break(context, &arguments.id)?;
        Ok(Empty)
    }
}

/// How bytes are written as text (QAPI `DataFormat`).
#[derive(Debug, Clone, Copy, Default, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum DataFormat {
    /// As they are, as text in UTF-8.
    #[default]
    Utf8,
    /// In base64 (RFC 4648).
    Base64,
}

/// What `ringbuf-write` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct RingbufWrite {
    /// The name of the chardev.
    device: String,
    /// The bytes, written in `format`.
    data: String,
    /// How `data` is written; `utf8` by default.
    format: Option<DataFormat>,
}

/// What `ringbuf-read` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct RingbufRead {
    /// The name of the chardev.
    device: String,
    /// The most bytes to take, at least 1.
    size: i64,
    /// How the bytes are returned; `utf8` by default, where bytes that are no UTF-8 come as U+FFFD.
    format: Option<DataFormat>,
}

command! {
    /// Writes to the memory of a chardev whose backend is `ringbuf`. Where it is full the oldest bytes are lost.
    ///
    /// Fails if there is no chardev of that name (`Device 'ID' not found`, of class `GenericError`), if it is of another kind, or
    /// if base64 has other characters.
    "ringbuf-write" =>
    fn ringbuf_write(context: &mut Context, arguments: RingbufWrite) -> Result<Empty, Error> {
        let ring = chardevs(context)?.ring(&arguments.device).map_err(Error::generic)?;
        match arguments.format.unwrap_or_default() {
            DataFormat::Utf8 => ring.write(arguments.data.as_bytes()),
            DataFormat::Base64 => {
                let bytes = BASE64_STANDARD.decode(&arguments.data);
                ring.write(&bytes.map_err(|_| Error::generic("Base64 data contains invalid characters"))?);
            }
        }
        Ok(Empty)
    }
}

command! {
    /// Takes the oldest bytes out of the memory of a chardev whose backend is `ringbuf` and returns them as text; the text is empty
    /// if there are none.
    ///
    /// Fails if there is no chardev of that name (`Device 'ID' not found`, of class `GenericError`), if it is of another kind, or
    /// if `size` is below 1.
    "ringbuf-read" =>
    fn ringbuf_read(context: &mut Context, arguments: RingbufRead) -> Result<String, Error> {
        let ring = chardevs(context)?.ring(&arguments.device).map_err(Error::generic)?;
        let size = usize::try_from(arguments.size).ok().filter(|&size| size > 0);
        let bytes = ring.read(size.ok_or_else(|| Error::generic("size must be greater than zero"))?);
        Ok(match arguments.format.unwrap_or_default() {
            DataFormat::Utf8 => String::from_utf8_lossy(&bytes).into_owned(),
            DataFormat::Base64 => BASE64_STANDARD.encode(bytes),
        })
    }
}

hmp_command! {
    "ringbuf_write", "device:s,data:s", "device data", "Write to a ring buffer character device" =>
    fn hmp_ringbuf_write(monitor, arguments) {
        let device = arguments.str("device").unwrap_or_default();
        let ring = chardevs(monitor.context)?.ring(device).map_err(Error::generic)?;
        ring.write(arguments.str("data").unwrap_or_default().as_bytes());
        Ok(())
    }
}

hmp_command! {
    "ringbuf_read", "device:s,size:i", "device size", "Read from a ring buffer character device" =>
    fn hmp_ringbuf_read(monitor, arguments) {
        let device = arguments.str("device").unwrap_or_default();
        let ring = chardevs(monitor.context)?.ring(device).map_err(Error::generic)?;
        let size = arguments.int("size").and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
        let bytes = ring.read(size.ok_or_else(|| Error::generic("size must be greater than zero"))?);
        for character in String::from_utf8_lossy(&bytes).chars() {
            match character {
                '\\' => monitor.print(format_args!("\\\\")),
                '\0'..='\x1f' | '\x7f' if character != '\n' && character != '\t' => {
                    monitor.print(format_args!("\\u{:04X}", u32::from(character)));
                }
                character => monitor.print(format_args!("{character}")),
            }
        }
        monitor.print(format_args!("\n"));
        Ok(())
    }
}

/// Reads the human monitor's form, which is that of the command line.
fn spec(id: Option<&str>, text: &str) -> Result<ChardevSpec, Error> {
    let parsed = opts::parse(text, Some("backend"));
    let id = id.or(parsed.id.as_deref()).ok_or_else(|| Error::generic("chardev: no id specified"))?;
    from_opts(id, &parsed).map_err(Error::generic)
}

/// Whether the text is a description at all; says so if not.
fn well_formed(monitor: &mut qmp::hmp::Monitor<'_>, text: &str) -> Result<(), Error> {
    if let Err(error) = opts::parse(text, Some("backend")).check(CHARDEV_OPTIONS) {
        monitor.print(format_args!("{error}\n"));
        return Err(Error::generic("Parsing chardev args failed"));
    }
    Ok(())
}

hmp_command! {
    "chardev-add", "args:S", "args", "add chardev" =>
    fn hmp_chardev_add(monitor, arguments) {
        let text = arguments.str("args").unwrap_or_default();
        if qom::text::keyval::is_help(text) {
            monitor.print(format_args!("{CHARDEV_HELP}"));
            return Ok(());
        }
        well_formed(monitor, text)?;
        let spec = spec(None, text)?;
        add(monitor.context, &spec).map(drop)
    }
}

hmp_command! {
    "chardev-change", "id:s,args:S", "id args", "change chardev" =>
    fn hmp_chardev_change(monitor, arguments) {
        let id = arguments.str("id").unwrap_or_default();
        let text = arguments.str("args").unwrap_or_default();
        well_formed(monitor, text)?;
        if !chardevs(monitor.context)?.contains(id) {
            return Err(Error::generic(ChangeError::NotFound(id.to_owned())));
        }
        let spec = spec(Some(id), text)?;
        change(monitor.context, &spec).map(drop)
    }
}

hmp_command! {
    "chardev-remove", "id:s", "id", "remove chardev" =>
    fn hmp_chardev_remove(monitor, arguments) {
        remove(monitor.context, arguments.str("id").unwrap_or_default())
    }
}

hmp_command! {
    "chardev-send-break", "id:s", "id", "send a break on chardev" =>
    fn hmp_chardev_send_break(monitor, arguments) {
        send_break(monitor.context, arguments.str("id").unwrap_or_default())
    }
}
