//! Rust's own types as those of the protocol.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::path::PathBuf;

use qom::PropertyEnum;
use serde_json::{Map, Value};

use super::{Builtin, EnumValue, QapiType, Shape, TypeRef, Types};
use crate::Empty;

macro_rules! builtin {
    ($($kind:ident: $($ty:ty),+;)+) => {
        $($(impl QapiType for $ty {
            fn describe(_: &mut Types) -> TypeRef {
                TypeRef::Builtin(Builtin::$kind)
            }
        })+)+
    };
}

builtin! {
    Str: String, str, &str, PathBuf, Cow<'_, str>;
    Int: u8, u16, u32, u64, usize, i8, i16, i32, i64, isize;
    Number: f32, f64;
    Bool: bool;
    Any: Value, Map<String, Value>;
}

impl<T: QapiType> QapiType for Option<T> {
    const OPTIONAL: bool = true;

    fn describe(types: &mut Types) -> TypeRef {
        T::describe(types)
    }
}

impl<T: QapiType> QapiType for Vec<T> {
    fn describe(types: &mut Types) -> TypeRef {
        TypeRef::Array(Box::new(T::describe(types)))
    }
}

impl<T: QapiType> QapiType for Box<T> {
    fn describe(types: &mut Types) -> TypeRef {
        T::describe(types)
    }
}

impl<T: QapiType + ?Sized> QapiType for std::sync::Arc<T> {
    fn describe(types: &mut Types) -> TypeRef {
        T::describe(types)
    }
}

/// No arguments.
impl QapiType for () {
    fn describe(types: &mut Types) -> TypeRef {
        types.empty()
    }
}

/// Nothing is returned.
impl QapiType for Empty {
    fn describe(types: &mut Types) -> TypeRef {
        types.empty()
    }
}

/// An enumeration of the object system, where its text stands on the wire.
#[derive(Debug)]
pub struct EnumName<E>(PhantomData<E>);

impl<E: PropertyEnum> QapiType for EnumName<E> {
    fn describe(types: &mut Types) -> TypeRef {
        types.define(E::TYPE_NAME, E::DOC, |_| {
            let values = E::MEMBERS.iter().zip(E::MEMBER_DOCS);
            let values = values.map(|((name, _), doc)| EnumValue { name: (*name).into(), doc });
            Shape::Enum(values.collect())
        })
    }
}
