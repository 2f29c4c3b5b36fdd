//! An object model after QEMU's QOM, typed and without `unsafe`.
//!
//! # The model
//!
//! A **type** has a name, one parent, and interfaces. It is described by a [`TypeInfo`], which is data: a subclass
//! that differs from its parent only in class data or defaults needs no Rust struct. A type with state of its own is a
//! struct that embeds its parent's as the field `parent`, with `#[derive(Object)]`.
//!
//! A **class** ([`Class`]) is what all objects of a type share: class data (a clone of the parent's, overridden by
//! class init), virtual methods (function pointers in class data), and the declarations of **properties**. An
//! **object** is an `Arc<dyn Object>`; it lives in a **composition tree** of parents and children and is found by its path.
//! **Devices** are objects that are configured through properties first and then [realized](Device::realize), all or nothing.
//!
//! Everything belongs to a value, not to the process: two virtual machines have two registries. A registry goes through
//! three phases, each a type: [`Bootstrap`], [`AccelReady`] and the sealed [`Qom`]; see [`registry`].
//!
//! # An example
//!
//! ```
//! use qom::{Bootstrap, Device, Field, Input, Instance, Object, Origin, TypeInfo};
//!
//! /// A lamp with a brightness.
//! #[derive(Debug, qom::derive::Object)]
//! #[object(name = "lamp")]
//! struct Lamp {
//!     parent: Device,
//!     /// Its brightness in percent.
//!     #[property(get, set, default = 10)]
//!     brightness: Field<u8>,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut types = Bootstrap::empty();
//! types.register(Lamp::type_info())?;
//! // A subclass that is only data.
//! types.register(TypeInfo::new("bright-lamp", "lamp", qom::site!()).class_init(|class| {
//!     class.set_default("brightness", 90);
//! }))?;
//! let accel = types.create("container")?;
//! let qom = types.accel_ready(accel)?.seal()?;
//!
//! let lamp = qom.create("bright-lamp")?;
//! assert_eq!(lamp.get("brightness")?, 90);
//! lamp.set("brightness", &Input::Text("20"), Origin::Monitor)?;
//! assert_eq!(lamp.downcast_ref::<Lamp>().map(|lamp| lamp.brightness.get()), Some(20));
//! # Ok(())
//! # }
//! ```
//!
//! # Locks
//!
//! Sealed classes are read without a lock. The tree has one lock for changes and one for the index behind partial paths,
//! each object one for its place in the tree and one a [`Field`]; all are held for moments only, and never while a property setter, a virtual method or a drop runs.
//! Setting a property from within another's setter is therefore fine.
//!
//! # What this crate does not know
//!
//! CPUs, boards, command lines, sockets. It forbids `unsafe`.

#![forbid(unsafe_code)]

// The derive macro writes `::qom` paths, also for the types of this crate.
extern crate self as qom;

mod children;
mod class;
mod container;
pub mod device;
mod error;
mod field;
mod global;
mod hotplug;
mod interface;
mod object;
mod property;
pub mod registry;
mod steps;
mod system;
pub mod text;
mod tree;
mod type_info;
mod value;

pub use class::{Class, ClassInit};
pub use container::Container;
pub use device::{Device, DeviceClass, DeviceError};
pub use error::{
    CreateError, Error, ErrorClass, LookupError, PropertyError, RegistryError, ResolveError, TreeError,
    ValueError,
};
pub use field::{Field, Link};
pub use global::GlobalProperty;
pub use hotplug::HotplugHandler;
pub use interface::{Interface, InterfaceImpl};
pub use object::{Instance, Obj, Object, ObjectCore, Seed};
pub use property::{Origin, Property, PropertyEntry};
pub use registry::{AccelReady, Bootstrap, PostAccelInit};
pub use system::Qom;
pub use tree::{resolve, resolve_type};
pub use type_info::{ClassInitFn, Construct, InstanceInitFn, Site, TypeInfo, TypeRegistration};
pub use value::{Input, OnOffAuto, PropertyEnum, PropertyValue, Size, Value, read_enum};

/// The derive macros, apart from the traits of the same names.
pub mod derive {
    pub use qom_derive::Object;
}

/// What the macros of this crate expand to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
}

/// The types that every registry has.
fn builtin_types() -> Vec<TypeInfo> {
    vec![
        ObjectCore::type_info(),
        TypeInfo::interface_root(),
        Container::type_info(),
        Device::type_info(),
        TypeInfo::interface::<dyn HotplugHandler>(site!()),
    ]
}
