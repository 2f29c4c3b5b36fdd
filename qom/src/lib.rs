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
//! **Devices** are objects that are configured through properties first and then [realized](Device::realize), all or nothing; they hang on
//! [buses](bus) and are [reset] with them.
//!
//! Everything belongs to a value, not to the process: two virtual machines have two registries. A registry goes through
//! three phases, each a type: [`Bootstrap`], [`AccelReady`] and the sealed [`Qom`]; see [`registry`]. It refuses duplicates,
//! unknown parents, cycles and being empty, with the crates at fault named: what registers at link time cannot fail quietly.
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
//! # Types without boilerplate
//!
//! The model is QEMU's, and what makes QEMU's a burden in C is left to the language or to data:
//!
//! * *A subclass is an entry in a table.* Inheriting a constructor, overriding a default or a method takes a
//!   [`TypeInfo`] and a class init, no struct and no casts. A [`TypeInfo`] is a value: it can be made in a loop, read from a
//!   table, or registered at link time with [`register_types!`].
//! * *A cast cannot lie.* [`downcast_ref`](trait.Object.html#method.downcast_ref) and [`Obj::cast`] ask the object for its
//!   part of a Rust type; [`interface`](trait.Object.html#method.interface) asks the class for a trait that its type declared;
//!   `dynamic_cast` does either by name. Each answers `None` or an error where C would go on.
//! * *A virtual method is a function pointer in class data.* Class data is cloned from the parent's and then overridden;
//!   an override calls the one that it replaced by [`Class::parent_of`], which works however far down the object's own class is.
//!   An interface brings its own table of such methods, or is a Rust trait, or both; see [`Interface`].
//! * *An object is initialised from the root down*: fields at their defaults, class defaults, `instance_init`, then global
//!   properties in the order of their strength, then `instance_post_init`; parents always come first. It is finalised from
//!   itself up: a struct's `Drop` runs before its embedded parent's.
//!
//! # Properties
//!
//! A property is declared once, on the class, with all that can be known without an object: [`Property`]. Its Rust type decides
//! how it reads JSON, `key=value` and bare text, and how errors are worded ([`PropertyValue`], [`Input`]). Booleans, integers,
//! sizes, strings and lists are there; [`property_enum!`] and [`property_struct!`] declare others; bits of a word, links with a
//! check, and aliases of other objects' properties are kinds of [`Property`]. What is truly of one object is added to it
//! with [`add_property`](trait.Object.html#method.add_property).
//!
//! Every value knows where it came from ([`Origin`]): the class, the machine's version, `-global`, `-cpu`, `-device`, the
//! machine's code, or a client; and [`explain`](trait.Object.html#method.explain) also tells what it replaced, in the words in
//! which that was given. A global property that nobody took is [told of](Qom::global_warnings).
//!
//! # The tree
//!
//! A parent owns its children; a child knows its parent weakly, and a [`Link`] knows its target weakly. So there is no
//! cycle of strong references to leak, and what leaves the tree and is held by nobody is gone. Every object in
//! the tree has one path, and every path leads to at most one object. [`Qom::resolve`] takes absolute paths, and partial ones
//! that fit exactly one object.
//!
//! # Looking without touching
//!
//! Lists of types, of properties, their defaults and descriptions are read from classes. No object is made to answer a question
//! about its class; [`Qom::constructions`] counts, and tests hold it to that.
//!
//! # Locks
//!
//! Sealed classes are read without a lock: a [`Class`] is behind an `Arc` and has no cell in it. The tree has one lock for
//! changes and one for the index behind partial paths, each object one for its place in the tree and one a [`Field`]; all
//! are held for moments only, in that order, and never while a property setter, a getter, a virtual method or a drop runs.
//! Setting a property from within another's setter is therefore fine, and so is resolving a path. A reader that walks the
//! tree while it changes sees each node before or after a change, never within one.
//!
//! # What this crate does not know
//!
//! CPUs, boards, command lines, sockets. It forbids `unsafe`.

#![forbid(unsafe_code)]

// The derive macro writes `::qom` paths, also for the types of this crate.
extern crate self as qom;

pub mod bus;
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
pub mod reset;
mod steps;
mod system;
pub mod text;
mod tree;
mod type_info;
pub mod user_creatable;
mod value;

pub use bus::{Bus, BusClass, BusError};
pub use class::{Class, ClassInit};
pub use container::Container;
pub use device::{Device, DeviceClass, DeviceError};
pub use error::{
    CastError, CreateError, Error, ErrorClass, LookupError, OutOfRange, PropertyError, RegistryError,
    ResolveError, TreeError, ValueError,
};
pub use field::{Field, Link};
pub use global::GlobalProperty;
pub use hotplug::HotplugHandler;
pub use interface::{Interface, InterfaceImpl};
pub use object::{Instance, Obj, Object, ObjectCore, Seed};
pub use property::{Explanation, LinkCheck, Origin, Property, PropertyEntry, Setting, check_range};
pub use registry::{AccelReady, Bootstrap, PostAccelInit};
pub use reset::{ResetError, ResetPhase, ResetPhases, ResetType, Resettable, ResettableContainer};
pub use system::Qom;
pub use tree::{resolve, resolve_type};
pub use type_info::{
    ClassInitFn, Construct, InstanceInitFn, Site, TypeInfo, TypeRegistration, TypeTableRegistration,
};
pub use user_creatable::UserCreatable;
pub use value::{
    Input, Number, OnOffAuto, PropertyEnum, PropertyValue, Size, StructReader, StructWriter, Value, Word,
    read_enum,
};

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
        Bus::type_info(),
        bus::system_bus_type(),
        ResettableContainer::type_info(),
        TypeInfo::interface::<dyn Resettable>(site!()),
        TypeInfo::interface::<dyn HotplugHandler>(site!()),
        TypeInfo::interface::<dyn UserCreatable>(site!()),
    ]
}
