//! Objects that users make and remove by name.

use std::borrow::Cow;

use ::qom::Origin;
use ::qom::user_creatable::{self, Form, MemberType, UserCreatableClass};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::schema::{Builtin, Member, Members, QapiType, Shape, TypeRef, Types};
use crate::{Context, Empty, Error, object};

/// What `object-del` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct ObjectDel {
    /// The object's name.
    pub id: String,
}

/// What `object-add` takes: the type, the name, and what objects of that type are made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectAdd(pub Map<String, Value>);

fn member_type(kind: MemberType, types: &mut Types) -> TypeRef {
    match kind {
        MemberType::Bool => TypeRef::Builtin(Builtin::Bool),
        MemberType::Int | MemberType::Uint32 | MemberType::Size => TypeRef::Builtin(Builtin::Int),
        MemberType::Text => TypeRef::Builtin(Builtin::Str),
        MemberType::Enum(names) => types.enumeration(names.iter().map(|name| Cow::Borrowed(*name))),
        MemberType::Uint16List => TypeRef::Array(Box::new(TypeRef::Builtin(Builtin::Int))),
    }
}

/// A union over the types that there are.
impl QapiType for ObjectAdd {
    fn describe(types: &mut Types) -> TypeRef {
        let classes: Vec<(String, Vec<user_creatable::Member>)> = types.qom().map_or_else(Vec::new, |qom| {
            let names = user_creatable::type_names(qom).into_iter();
            let members =
                |name: &str| Some(qom.class(name).ok()?.data::<UserCreatableClass>()?.members.clone());
            names.map(|name| (name.to_owned(), members(name).unwrap_or_default())).collect()
        });
        types.define("ObjectAdd", "", |types| {
            let kind = types.enumeration(classes.iter().map(|(name, _)| name.clone().into()));
            let variants = classes.into_iter().map(|(name, own)| {
                let members = own.iter().map(|one| {
                    let ty = member_type(one.kind(), types);
                    Member { name: one.name(), doc: "", ty, optional: !one.is_required() }
                });
                let members = members.collect();
                (name.into(), types.object(Members { members, variants: None }))
            });
            let variants = variants.collect();
            let mut members = Members::union("qom-type", kind, variants);
            members.add::<String>(types, "id", false, "Its name.");
            Shape::Object(members)
        })
    }
}

commands! {
    /// Makes an object below `/objects`. `qom-type` is its type, `id` its name; all others are what it is made with.
    "object-add" (allow_preconfig) =>
    fn object_add(context: &mut Context, arguments: ObjectAdd) -> Result<Empty, Error> {
        object::add(context.qom(), arguments.0, Form::Json, Origin::Monitor)?;
        Ok(Empty)
    }

    /// Removes an object that was made by `object-add` or on the command line, unless it is needed.
    "object-del" (allow_preconfig) =>
    fn object_del(context: &mut Context, arguments: ObjectDel) -> Result<Empty, Error> {
        object::delete(context.qom(), &arguments.id)?;
        Ok(Empty)
    }
}
