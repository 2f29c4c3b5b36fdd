//! What `query-qmp-schema` tells: every command and event with its types, made from the Rust types themselves.
//!
//! A type describes itself ([`QapiType`], derived) into a table ([`Types`]); [`schema`] makes QEMU's `SchemaInfo` of the
//! commands and events that a program has and the types that these reach, and of nothing else. As in QEMU a type's own name is no
//! part of the interface: types are numbered, arrays are `[N]`, and built-in types keep their names
//! (QEMU's `docs/devel/qapi-code-gen`, "Client JSON Protocol introspection").
//!
//! Nothing here is written by hand beside the types, so what the schema says cannot differ from what the wire does.

mod builtin;
mod info;
mod reference;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use qom::Qom;

pub use builtin::EnumName;
pub use info::{SchemaInfo, schema};
pub use qom_derive::QapiType;
pub use reference::reference;

/// A type that stands on the wire, as arguments, as what is returned, as an event's data, or within one.
pub trait QapiType {
    /// Describes it, and says which type of the table it is.
    fn describe(types: &mut Types) -> TypeRef;

    /// Whether a member of this type may be left out.
    const OPTIONAL: bool = false;
}

/// A type of a [`Types`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeRef {
    /// One of JSON's own.
    Builtin(Builtin),
    /// By its number.
    Defined(usize),
    /// Any number of these.
    Array(Box<TypeRef>),
}

/// The types that the protocol is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Builtin {
    /// Text.
    Str,
    /// A whole number.
    Int,
    /// Any number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// Anything.
    Any,
}

/// A value of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumValue {
    /// As it is on the wire.
    pub name: Cow<'static, str>,
    /// For people.
    pub doc: &'static str,
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// As it is on the wire.
    pub name: &'static str,
    /// For people.
    pub doc: &'static str,
    /// What it is.
    pub ty: TypeRef,
    /// It may be left out.
    pub optional: bool,
}

/// What an object has for a value of its tag: the value, and an object with more members.
pub type Variant = (Cow<'static, str>, TypeRef);

/// What an object has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// Always.
    pub members: Vec<Member>,
    /// By the value of one of them: its name, and for each value an object with more members.
    pub variants: Option<(&'static str, Vec<Variant>)>,
}

impl Members {
    /// Adds a member of a Rust type.
    pub fn add<T: QapiType>(
        &mut self,
        types: &mut Types,
        name: &'static str,
        optional: bool,
        doc: &'static str,
    ) {
        let ty = T::describe(types);
        self.members.push(Member { name, doc, ty, optional: optional || T::OPTIONAL });
    }

    /// Adds the members of another object.
    pub fn flatten<T: QapiType>(&mut self, types: &mut Types) {
        let other = T::describe(types);
        if let Some(Definition { shape: Shape::Object(other), .. }) = types.get(&other) {
            let other = other.clone();
            self.members.extend(other.members);
            self.variants = self.variants.take().or(other.variants);
        }
    }

    /// An object whose member `tag` decides what else it has.
    #[must_use]
    pub fn union(tag: &'static str, kind: TypeRef, variants: Vec<Variant>) -> Self {
        let doc = "Which of these it is; the other members depend on it.";
        let member = Member { name: tag, doc, ty: kind, optional: false };
        Self { members: vec![member], variants: Some((tag, variants)) }
    }
}

/// What a type is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// An object.
    Object(Members),
    /// One of several texts.
    Enum(Vec<EnumValue>),
    /// One of several types, told apart by what it is in JSON.
    Alternate(Vec<TypeRef>),
}

/// A described type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its Rust name with the module, for people and to know it again.
    pub rust_name: &'static str,
    /// For people.
    pub doc: &'static str,
    /// What it is made of.
    pub shape: Shape,
}

/// The types that were described so far.
#[derive(Debug, Clone, Default)]
pub struct Types {
    qom: Option<Arc<Qom>>,
    definitions: Vec<Definition>,
    by_name: HashMap<&'static str, usize>,
}

impl Types {
    /// No types yet; those that depend on which classes there are ask `qom`.
    #[must_use]
    pub fn new(qom: Arc<Qom>) -> Self {
        Self { qom: Some(qom), ..Self::default() }
    }

    /// The classes that there are, if anybody said.
    #[must_use]
    pub fn qom(&self) -> Option<&Arc<Qom>> {
        self.qom.as_ref()
    }

    /// An object that is not known by a name, and so described anew each time.
    pub fn object(&mut self, members: Members) -> TypeRef {
        self.shape(Shape::Object(members))
    }

    /// An enumeration that is not known by a name.
    pub fn enumeration(&mut self, values: impl IntoIterator<Item = EnumValue>) -> TypeRef {
        self.shape(Shape::Enum(values.into_iter().collect()))
    }

    fn shape(&mut self, shape: Shape) -> TypeRef {
        let number = self.definitions.len();
        self.definitions.push(Definition { rust_name: "", doc: "", shape });
        TypeRef::Defined(number)
    }

    /// The type of that Rust name: as it was described before, else as `shape` does it. A type may hold itself.
    pub fn define(
        &mut self,
        rust_name: &'static str,
        doc: &'static str,
        shape: impl FnOnce(&mut Self) -> Shape,
    ) -> TypeRef {
        if let Some(&number) = self.by_name.get(rust_name) {
            return TypeRef::Defined(number);
        }
        let number = self.definitions.len();
        self.definitions.push(Definition { rust_name, doc, shape: Shape::Object(Members::default()) });
        self.by_name.insert(rust_name, number);
        let shape = shape(self);
        self.definitions[number].shape = shape;
        TypeRef::Defined(number)
    }

    /// The object without members.
    pub fn empty(&mut self) -> TypeRef {
        self.define("", "", |_| Shape::Object(Members::default()))
    }

    /// An object whose only member is `held`: what a variant holds where it does not lie beside the tag.
    pub fn wrapper(&mut self, name: &'static str, held: TypeRef) -> TypeRef {
        let member = Member { name, doc: "What else is said of it.", ty: held, optional: false };
        self.object(Members { members: vec![member], variants: None })
    }

    /// What a type is; nothing for built-in ones and arrays.
    #[must_use]
    pub fn get(&self, ty: &TypeRef) -> Option<&Definition> {
        match ty {
            TypeRef::Defined(number) => self.definitions.get(*number),
            TypeRef::Builtin(_) | TypeRef::Array(_) => None,
        }
    }
}
