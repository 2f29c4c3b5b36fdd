//! What can go wrong in the object model, one enum per operation.
//!
//! The texts are the reference's wherever a client of QMP could see them. Each variant carries the
//! names it is about, so that a caller can react without parsing text. [`Error`] joins the enums for
//! the places where any of them can occur: property setters, realize and the hotplug handlers.

use std::sync::Arc;

use thiserror::Error as ThisError;

/// QMP's error classes (`QapiErrorClass`). All but [`ErrorClass::GenericError`] exist because some
/// client decides by them. The variants' names are the names on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ErrorClass {
    /// Everything that no client tells apart by its class.
    GenericError,
    /// The requested QMP command does not exist (or not in this state of the session).
    CommandNotFound,
    /// A device, object or class of that name does not exist.
    DeviceNotFound,
    /// The device exists but is not in a state to serve the request.
    DeviceNotActive,
    /// The host's KVM lacks a capability that the request needs.
    KVMMissingCap,
}

impl ErrorClass {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GenericError => "GenericError",
            Self::CommandNotFound => "CommandNotFound",
            Self::DeviceNotFound => "DeviceNotFound",
            Self::DeviceNotActive => "DeviceNotActive",
            Self::KVMMissingCap => "KVMMissingCap",
        }
    }
}

/// A value that a property's type does not take.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum ValueError {
    /// JSON of the wrong kind.
    #[error("Invalid parameter type for '{name}', expected: {expected}")]
    Kind {
        /// The property or parameter.
        name: String,
        /// What would be right: `boolean`, `integer`, `number`, `string`, `array`, `object`.
        expected: &'static str,
    },
    /// A link to an object that is not of the link's type.
    #[error("Invalid parameter type for '{name}', expected: {expected}")]
    ExpectedType {
        /// The link property.
        name: String,
        /// The type that its target must be of.
        expected: String,
    },
    /// A number out of the type's range, or text that is not of the type.
    #[error("Parameter '{name}' expects {expected}")]
    Expects {
        /// The property or parameter.
        name: String,
        /// What would be right: `uint32_t`, `'on' or 'off'`, `a size`, …
        expected: String,
    },
    /// A member of a structure that must be there is not.
    #[error("Parameter '{name}' is missing")]
    Missing {
        /// The member, with the path to it.
        name: String,
    },
    /// A structure has no such member.
    #[error("Parameter '{name}' is unexpected")]
    Unexpected {
        /// The member, with the path to it.
        name: String,
    },
    /// A structured command line gives parts to what has none.
    #[error("Parameters '{name}.*' are unexpected")]
    UnexpectedMembers {
        /// The property or parameter.
        name: String,
    },
    /// Text that is not a list of numbers and ranges.
    #[error(transparent)]
    List(#[from] crate::text::list::ListError),
    /// A name that is not in the enumeration.
    #[error("Parameter '{name}' does not accept value '{value}'")]
    Enumeration {
        /// The property or parameter.
        name: String,
        /// What was given.
        value: String,
    },
}

impl ValueError {
    /// The error about a value that lies within a structure: its name gets the path in front (`model.props.level`).
    #[must_use]
    pub fn within(mut self, path: &str) -> Self {
        let name = match &mut self {
            Self::Kind { name, .. }
            | Self::ExpectedType { name, .. }
            | Self::Expects { name, .. }
            | Self::Missing { name }
            | Self::Unexpected { name }
            | Self::UnexpectedMembers { name }
            | Self::Enumeration { name, .. } => name,
            Self::List(error) => &mut error.name,
        };
        name.insert_str(0, &format!("{path}."));
        self
    }
}

/// Reading or writing a property.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum PropertyError {
    /// Neither the class nor the object has it.
    #[error("Property '{type_name}.{property}' not found")]
    NotFound {
        /// The object's type.
        type_name: String,
        /// The property asked for.
        property: String,
    },
    /// It has no getter.
    #[error("Property '{type_name}.{property}' is not readable")]
    NotReadable {
        /// The object's type.
        type_name: String,
        /// The property.
        property: String,
    },
    /// It has no setter.
    #[error("Property '{type_name}.{property}' is not writable")]
    NotWritable {
        /// The object's type.
        type_name: String,
        /// The property.
        property: String,
    },
    /// A device's property that is fixed once the device is realized.
    #[error("Attempt to set property '{property}' on {device} (type '{type_name}') after it was realized")]
    AfterRealize {
        /// `device 'ID'`, or `anonymous device`.
        device: String,
        /// The object's type.
        type_name: String,
        /// The property.
        property: String,
    },
    /// A number that the property does not take, although its type could hold it.
    #[error(transparent)]
    OutOfRange(Box<OutOfRange>),
    /// An alias of a property of an object that is gone, or of itself by way of others.
    #[error("Property '{type_name}.{property}' is an alias that leads nowhere")]
    BrokenAlias {
        /// The object's type.
        type_name: String,
        /// The alias.
        property: String,
    },
    /// The value is not of the property's type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A link's value names nothing.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A link's value names no object uniquely.
    #[error("Path '{path}' does not uniquely identify an object")]
    AmbiguousTarget {
        /// The path that was to be the link's target.
        path: String,
    },
    /// The value is of the right type, but the object refuses it.
    #[error("{0}")]
    Refused(String),
}

/// A number outside the limits of its property.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error(
    "Property {type_name}.{property} doesn't take value {value} (minimum: {minimum}, maximum: {maximum})"
)]
pub struct OutOfRange {
    /// The object's type.
    pub type_name: String,
    /// The property.
    pub property: String,
    /// What was given.
    pub value: String,
    /// The least value.
    pub minimum: String,
    /// The greatest value.
    pub maximum: String,
}

/// Looking up an object by its path.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum ResolveError {
    /// Nothing lies there.
    #[error("Device '{path}' not found")]
    NotFound {
        /// The path asked for.
        path: String,
    },
    /// A partial path that several objects end in.
    #[error("Path '{path}' is ambiguous")]
    Ambiguous {
        /// The path asked for.
        path: String,
    },
    /// The object exists but is of another type.
    #[error("Object '{path}' is of type '{found}', not of type '{expected}'")]
    WrongType {
        /// The path asked for.
        path: String,
        /// The type that was wanted.
        expected: String,
        /// The object's type.
        found: String,
    },
}

/// Changing the composition tree.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum TreeError {
    /// The parent has a child or property of that name.
    #[error("attempt to add duplicate property '{name}' to object (type '{type_name}')")]
    Duplicate {
        /// The name that is taken.
        name: String,
        /// The parent's type.
        type_name: String,
    },
    /// The child already hangs somewhere.
    #[error("object '{path}' already has a parent")]
    HasParent {
        /// Where it hangs.
        path: String,
    },
    /// The child is the parent or one of its ancestors.
    #[error("object '{path}' cannot become its own descendant")]
    Cycle {
        /// The would-be parent.
        path: String,
    },
    /// An empty name, or one with a `/`.
    #[error("'{name}' is not a valid name for a child object")]
    BadName {
        /// The name.
        name: String,
    },
    /// The root of a system's tree was to become a child.
    #[error("the root of the composition tree cannot become a child")]
    Root,
    /// Parent and child belong to two systems: neither's lock covers both.
    #[error("objects of types '{parent}' and '{child}' belong to different systems")]
    OtherSystem {
        /// The parent's type.
        parent: String,
        /// The child's type.
        child: String,
    },
    /// The would-be parent is being constructed or dropped.
    #[error("object of type '{type_name}' cannot take children: it is being constructed or dropped")]
    NotAlive {
        /// The parent's type.
        type_name: String,
    },
}

/// An object is not of the type that somebody wants to see it as.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("object of type '{type_name}' is not of type '{wanted}'")]
pub struct CastError {
    /// The object's type.
    pub type_name: String,
    /// The type, or interface, that was wanted.
    pub wanted: String,
}

/// Looking up a class by its type name.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum LookupError {
    /// No such type.
    #[error("Class '{name}' not found")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// A type that only a post-accel-init hook registers was asked for before the hooks ran.
    #[error(
        "class '{name}' was looked up too early: hook '{hook}' registers the subclasses of \
         '{parent}' once the accelerator is initialised"
    )]
    TooEarly {
        /// The name asked for.
        name: String,
        /// The hook that will register it.
        hook: &'static str,
        /// The abstract type whose subclasses the hook registers.
        parent: &'static str,
    },
}

/// Filling or sealing the type registry. Every variant is a mistake in a program, not of its user.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum RegistryError {
    /// Nothing registered itself: the crates that define types were not linked in.
    #[error(
        "the type registry is empty: no crate that registers types is linked into this program \
         (name one item of it in code, or register types by hand)"
    )]
    Empty,
    /// Two types of one name.
    #[error(
        "type '{name}' is registered twice: by crate '{first}' ({first_at}) and by crate '{second}' ({second_at})"
    )]
    Duplicate {
        /// The name.
        name: String,
        /// The crate that registered it first, in order of name, file and line.
        first: &'static str,
        /// `file:line` of the first.
        first_at: String,
        /// The other crate.
        second: &'static str,
        /// `file:line` of the other.
        second_at: String,
    },
    /// A parent that nobody registered.
    #[error("type '{name}' (crate '{krate}') has the unknown parent '{parent}'")]
    UnknownParent {
        /// The child type.
        name: String,
        /// Its parent.
        parent: String,
        /// The crate that registered the child.
        krate: &'static str,
    },
    /// An interface that nobody registered.
    #[error("type '{name}' (crate '{krate}') implements the unknown interface '{interface}'")]
    UnknownInterface {
        /// The type.
        name: String,
        /// The interface.
        interface: String,
        /// The crate that registered the type.
        krate: &'static str,
    },
    /// A type with state below an interface, an interface below a type with state, or a type with state that is
    /// implemented as if it were an interface.
    #[error(
        "type '{name}' (crate '{krate}'): '{other}' is of the wrong kind (interfaces extend interfaces, types extend types)"
    )]
    WrongKind {
        /// The type.
        name: String,
        /// Its parent, or what it implements.
        other: String,
        /// The crate that registered the type.
        krate: &'static str,
    },
    /// A type that is its own ancestor.
    #[error("type '{}' is its own ancestor: {}", .types.first().map_or("", |first| first.0.as_str()), show_cycle(.types))]
    Cycle {
        /// The types on the cycle, each the child of the next and the last of the first, with the crates that
        /// registered them.
        types: Vec<(String, &'static str)>,
    },
    /// Two hooks of one name: their order would be the linker's.
    #[error(
        "post-accel-init hook '{hook}' is registered twice: by crate '{first}' ({first_at}) and by crate '{second}' ({second_at})"
    )]
    DuplicateHook {
        /// The name.
        hook: &'static str,
        /// The crate that registered it first, in order of name, file and line.
        first: &'static str,
        /// `file:line` of the first.
        first_at: String,
        /// The other crate.
        second: &'static str,
        /// `file:line` of the other.
        second_at: String,
    },
    /// A type without a constructor of its own or an inherited one that is not abstract.
    #[error("type '{name}' is not abstract but neither it nor an ancestor has a constructor")]
    NoConstructor {
        /// The type.
        name: String,
    },
    /// A hook failed.
    #[error("post-accel-init hook '{hook}': {message}")]
    Hook {
        /// The hook.
        hook: &'static str,
        /// Why.
        message: String,
    },
}

/// The types of a cycle in a row, with their crates.
fn show_cycle(types: &[(String, &'static str)]) -> String {
    let one = |(name, krate): &(String, &str)| format!("'{name}' (crate '{krate}')");
    let mut row: Vec<String> = types.iter().map(one).collect();
    row.extend(types.first().map(|first| format!("'{}'", first.0)));
    row.join(" below ")
}

/// Making an object.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum CreateError {
    /// No such type (yet).
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The type is abstract.
    #[error("type '{name}' is abstract")]
    Abstract {
        /// The type.
        name: String,
    },
    /// A global property does not fit.
    #[error("can't apply global {}.{}={}: {source}", global.driver, global.property, global.value)]
    Global {
        /// The global property.
        global: Arc<crate::GlobalProperty>,
        /// Why.
        source: Box<PropertyError>,
    },
    /// A class's own default does not fit: a mistake in the class.
    #[error("default of {type_name}.{property}: {source}")]
    Default {
        /// The type.
        type_name: String,
        /// The property.
        property: String,
        /// Why.
        source: Box<PropertyError>,
    },
}

/// Any failure of the object model or of an object's own code.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing a property.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// Looking up an object.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Changing the tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Looking up a class.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// Making an object.
    #[error(transparent)]
    Create(#[from] Box<CreateError>),
    /// An object's own error (a device's realize, a hotplug handler).
    #[error("{source}")]
    Object {
        /// The class on the wire.
        class: ErrorClass,
        /// What the object said.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// An object's own error, of class [`ErrorClass::GenericError`].
    pub fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::with_class(ErrorClass::GenericError, source)
    }

    /// An object's own error of a class that clients decide by.
    pub fn with_class(class: ErrorClass, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Object { class, source: Arc::new(source) }
    }

    /// An object's own error from a sentence. Prefer an error type where a caller could react.
    pub fn msg(text: impl Into<String>) -> Self {
        #[derive(Debug, ThisError)]
        #[error("{0}")]
        struct Message(String);
        Self::new(Message(text.into()))
    }

    /// The class on the wire.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Resolve(ResolveError::NotFound { .. })
            | Self::Property(PropertyError::Resolve(ResolveError::NotFound { .. }))
            | Self::Lookup(LookupError::Unknown { .. }) => ErrorClass::DeviceNotFound,
            Self::Create(error) if matches!(**error, CreateError::Lookup(LookupError::Unknown { .. })) => {
                ErrorClass::DeviceNotFound
            }
            Self::Object { class, .. } => *class,
            _ => ErrorClass::GenericError,
        }
    }
}

impl From<ValueError> for Error {
    fn from(error: ValueError) -> Self {
        Self::Property(error.into())
    }
}

impl From<CreateError> for Error {
    fn from(error: CreateError) -> Self {
        Self::Create(Box::new(error))
    }
}
