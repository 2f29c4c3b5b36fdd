//! Chardevs as objects: what `/chardevs` shows of them.
//!
//! The object says that the chardev is there and what it is. The chardev itself belongs to the main loop, which tells
//! the object of a socket through a [`Connection`] whether somebody is connected; neither waits for the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use qom::{Error, Field, Instance, ObjectCore, Property, Qom, TypeInfo};
use qom_derive::Object;

use super::spec::{ChardevBackend, ChardevSpec};

/// The container of the chardevs.
const CONTAINER: &str = "/chardevs";

/// Whether a chardev has somebody at its other end. Clones are of the same one.
#[derive(Debug, Clone, Default)]
pub struct Connection(Arc<AtomicBool>);

impl Connection {
    /// Whether it has.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Somebody came or went.
    pub(crate) fn set(&self, is_there: bool) {
        self.0.store(is_there, Ordering::Relaxed);
    }
}

/// The abstract type of all chardevs.
#[derive(Debug, Object)]
#[object(name = "chardev", abstract)]
pub struct Chardev {
    parent: ObjectCore,
}

/// A chardev on a stream socket.
#[derive(Debug, Object)]
#[object(name = "chardev-socket", class_init = ChardevSocket::class_init)]
pub struct ChardevSocket {
    parent: Chardev,
    connection: Field<Connection>,
}

impl ChardevSocket {
    fn class_init(class: &mut qom::ClassInit<'_>) {
        class.add_property(Property::of::<Self, bool>("connected", |this| this.connection.get().is_there()));
    }
}

/// A type without state of its own.
macro_rules! plain {
    ($($function:ident: $name:literal, $parent:literal;)*) => {
        $(fn $function() -> TypeInfo {
            TypeInfo::new($name, $parent, qom::site!())
        })*
    };
}

plain! {
    null: "chardev-null", "chardev";
    mux: "chardev-mux", "chardev";
    pty: "chardev-pty", "chardev";
    stdio: "chardev-stdio", "chardev-fd";
    file: "chardev-file", "chardev-fd";
    pipe: "chardev-pipe", "chardev-fd";
    ringbuf: "chardev-ringbuf", "chardev";
    memory: "chardev-memory", "chardev-ringbuf";
}

/// What works on plain descriptors.
fn fd() -> TypeInfo {
    // Made only by its descendants.
    TypeInfo::new("chardev-fd", Chardev::TYPE_NAME, qom::site!()).set_abstract()
}

qom::register_types!(
    <Chardev as Instance>::type_info,
    <ChardevSocket as Instance>::type_info,
    null,
    mux,
    pty,
    fd,
    stdio,
    file,
    pipe,
    ringbuf,
    memory,
);

/// The type of the objects of a backend.
fn type_name(backend: &ChardevBackend) -> &'static str {
    match backend {
        ChardevBackend::Null => "chardev-null",
        ChardevBackend::Stdio { .. } => "chardev-stdio",
        ChardevBackend::File { .. } => "chardev-file",
        ChardevBackend::Pipe { .. } => "chardev-pipe",
        ChardevBackend::Ringbuf { memory: false, .. } => "chardev-ringbuf",
        ChardevBackend::Ringbuf { memory: true, .. } => "chardev-memory",
        ChardevBackend::Socket(_) => ChardevSocket::TYPE_NAME,
        ChardevBackend::Pty { .. } => "chardev-pty",
    }
}

/// Shows a chardev below `/chardevs`. One that several users share is two objects, as in the reference: the mux under its
/// name, and what it is connected to under that name with `-base`.
///
/// # Errors
/// That a name is taken; then nothing is left.
pub fn show(qom: &Qom, spec: &ChardevSpec, connection: Connection) -> Result<(), Error> {
    let home = qom.container(CONTAINER)?;
    let backend = qom.create(type_name(&spec.backend))?;
    if let Some(socket) = backend.downcast_ref::<ChardevSocket>() {
        socket.connection.set(connection);
    }
    if !spec.mux {
        home.add_child(&spec.id, &backend)?;
        return Ok(());
    }
    home.add_child(&format!("{}-base", spec.id), &backend)?;
    let mux = qom.create("chardev-mux")?;
    if let Err(error) = home.add_child(&spec.id, &mux) {
        backend.unparent();
        return Err(error.into());
    }
    Ok(())
}

/// Takes away what [`show`] put below `/chardevs`.
pub fn hide(qom: &Qom, id: &str) {
    for name in [format!("{CONTAINER}/{id}"), format!("{CONTAINER}/{id}-base")] {
        if let Ok(object) = qom.resolve(&name)
            && object.class().is_a("chardev")
        {
            object.unparent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn null(id: &str, mux: bool) -> ChardevSpec {
        ChardevSpec { id: id.to_owned(), backend: ChardevBackend::Null, mux, logfile: None }
    }

    #[test]
    fn names_are_taken_once_and_a_refusal_leaves_nothing() {
        let types = qom::Bootstrap::from_link_time().unwrap();
        let accel = types.create("tcg-accel").unwrap();
        let qom = types.accel_ready(accel).unwrap().seal().unwrap();
        show(&qom, &null("m", true), Connection::default()).unwrap();
        show(&qom, &null("n", false), Connection::default()).unwrap();
        for (spec, taken) in
            [(null("m-base", false), "m-base"), (null("n", true), "n"), (null("m", true), "m-base")]
        {
            let text = show(&qom, &spec, Connection::default()).unwrap_err().to_string();
            let expected =
                format!("attempt to add duplicate property '{taken}' to object (type 'container')");
            assert_eq!(text, expected);
        }
        let shown: Vec<String> = qom
            .resolve("/chardevs")
            .unwrap()
            .core()
            .children()
            .iter()
            .map(|(name, object)| format!("{name}:{}", object.class().name()))
            .collect();
        assert_eq!(shown, ["m-base:chardev-null", "m:chardev-mux", "n:chardev-null"]);
    }
}
