//! What is known of a type before its class exists.

use std::borrow::Cow;
use std::sync::Arc;

use crate::class::ClassInit;
use crate::interface::{Interface, InterfaceImpl, Upcast};
use crate::object::{Object, ObjectCore};

/// Where a type was registered, for the message about a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// The crate.
    pub krate: &'static str,
    /// The source file.
    pub file: &'static str,
    /// The line in it.
    pub line: u32,
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The [`Site`] of the place where this macro stands.
#[macro_export]
macro_rules! site {
    () => {
        $crate::Site { krate: env!("CARGO_PKG_NAME"), file: file!(), line: line!() }
    };
}

/// Makes the Rust value of an object around its [`ObjectCore`].
pub type Construct = fn(crate::object::Seed) -> Arc<dyn Object>;
/// Fills in or overrides class data; runs on a clone of the parent's.
pub type ClassInitFn = Arc<dyn Fn(&mut ClassInit<'_>) + Send + Sync>;
/// Runs on every new object of the type and of its descendants, parents first.
pub type InstanceInitFn = fn(&dyn Object);

/// A type: its name, its parent and what sets it apart. A type is data; only a type with state of its own
/// has a Rust struct (and a `construct`), a subclass without one inherits its parent's.
#[derive(Clone)]
pub struct TypeInfo {
    pub(crate) name: Cow<'static, str>,
    pub(crate) parent: Option<Cow<'static, str>>,
    pub(crate) site: Site,
    pub(crate) is_abstract: bool,
    pub(crate) is_interface: bool,
    pub(crate) construct: Option<Construct>,
    pub(crate) interfaces: Vec<InterfaceImpl>,
    pub(crate) upcast: Option<Upcast>,
    pub(crate) class_init: Vec<ClassInitFn>,
    pub(crate) instance_init: Option<InstanceInitFn>,
    pub(crate) instance_post_init: Option<InstanceInitFn>,
}

impl std::fmt::Debug for TypeInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TypeInfo")
            .field("name", &self.name)
            .field("parent", &self.parent)
            .field("abstract", &self.is_abstract)
            .field("interfaces", &self.interfaces)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl TypeInfo {
    /// A concrete type without state, methods or properties of its own.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, parent: impl Into<Cow<'static, str>>, site: Site) -> Self {
        Self {
            name: name.into(),
            parent: Some(parent.into()),
            site,
            is_abstract: false,
            is_interface: false,
            construct: None,
            interfaces: Vec::new(),
            upcast: None,
            class_init: Vec::new(),
            instance_init: None,
            instance_post_init: None,
        }
    }

    /// The root of all types with state.
    pub(crate) fn root() -> Self {
        Self {
            parent: None,
            is_abstract: true,
            construct: Some(|seed| seed.finish::<ObjectCore>()),
            class_init: vec![Arc::new(|class| {
                class.add_property(
                    crate::property::Property::new("type", "string")
                        .get(|object| Ok(crate::Value::from(object.class().name()))),
                );
            })],
            ..Self::new("object", "", crate::site!())
        }
    }

    /// The type that stands for an interface.
    #[must_use]
    pub fn interface<I: Interface + ?Sized>(site: Site) -> Self {
        Self { is_abstract: true, is_interface: true, ..Self::new(I::NAME, I::PARENT, site) }
    }

    /// Says how the interface `I` is seen as the one that it extends:
    /// `TypeInfo::interface::<dyn Dimmable>(site!()).extends::<dyn Dimmable, dyn Switchable>(|it| it)`. With it, what
    /// implements `I` need not declare `P` to be cast to it.
    #[must_use]
    pub fn extends<I: Interface + ?Sized, P: Interface + ?Sized>(mut self, up: fn(&I) -> &P) -> Self {
        self.parent = Some(P::NAME.into());
        self.upcast = Some(crate::interface::upcast(up));
        self
    }

    /// The root of all interfaces.
    pub(crate) fn interface_root() -> Self {
        Self {
            parent: None,
            is_abstract: true,
            is_interface: true,
            ..Self::new("interface", "", crate::site!())
        }
    }

    /// The type's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// No object can be made of it, only of descendants.
    #[must_use]
    pub fn set_abstract(mut self) -> Self {
        self.is_abstract = true;
        self
    }

    /// Objects of the type are made by this function (a derive writes it).
    #[must_use]
    pub fn construct(mut self, construct: Construct) -> Self {
        self.construct = Some(construct);
        self
    }

    /// Adds an interface; see [`interface!`](crate::interface!).
    #[must_use]
    pub fn implement(mut self, interface: InterfaceImpl) -> Self {
        self.interfaces.push(interface);
        self
    }

    /// Adds a function that fills the class; several run in the order in which they were added.
    #[must_use]
    pub fn class_init(mut self, init: impl Fn(&mut ClassInit<'_>) + Send + Sync + 'static) -> Self {
        self.class_init.push(Arc::new(init));
        self
    }

    /// Runs on a new object right after its construction, parents first, before any global property.
    #[must_use]
    pub fn instance_init(mut self, init: InstanceInitFn) -> Self {
        self.instance_init = Some(init);
        self
    }

    /// Runs on a new object after global properties were applied, parents first (as the reference's do since 10.1).
    #[must_use]
    pub fn instance_post_init(mut self, init: InstanceInitFn) -> Self {
        self.instance_post_init = Some(init);
        self
    }
}

/// What `inventory` collects: a function that says what a type is. Nothing runs before a registry is built.
#[derive(Debug)]
pub struct TypeRegistration(
    /// Describes the type.
    pub fn() -> TypeInfo,
);

inventory::collect!(TypeRegistration);

/// What `inventory` collects of types that are made from one table: a function that says what they are.
#[derive(Debug)]
pub struct TypeTableRegistration(
    /// Describes the types.
    pub fn() -> Vec<TypeInfo>,
);

inventory::collect!(TypeTableRegistration);

/// Registers types at link time: `register_types!(Board::type_info, Port::type_info)`.
///
/// A crate that nobody names in code contributes nothing; a program tests that the types it ships are there.
#[macro_export]
macro_rules! register_types {
    ($($info:expr),+ $(,)?) => {
        $($crate::__private::inventory::submit! { $crate::TypeRegistration($info) })+
    };
}

/// Registers at link time the types that a function makes from a table: `register_type_tables!(versions)`.
#[macro_export]
macro_rules! register_type_tables {
    ($($infos:expr),+ $(,)?) => {
        $($crate::__private::inventory::submit! { $crate::TypeTableRegistration($infos) })+
    };
}
