//! Objects that users make and remove by name.

use ::qom::Origin;
use ::qom::user_creatable::{self, Form, MemberType, UserCreatableClass};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::schema::{Builtin, EnumValue, Member, Members, QapiType, Shape, TypeRef, Types};
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
        MemberType::Enum(names) => {
            types.enumeration(names.iter().map(|name| EnumValue { name: (*name).into(), doc: "" }))
        }
        MemberType::Uint16List => TypeRef::Array(Box::new(TypeRef::Builtin(Builtin::Int))),
    }
}

/// A union over the types that there are.
impl QapiType for ObjectAdd {
    fn describe(types: &mut Types) -> TypeRef {
        let classes: Vec<(String, UserCreatableClass)> = types.qom().map_or_else(Vec::new, |qom| {
            let names = user_creatable::type_names(qom).into_iter();
            let data = |name: &str| qom.class(name).ok()?.data::<UserCreatableClass>().cloned();
            names.map(|name| (name.to_owned(), data(name).unwrap_or_default())).collect()
        });
        types.define("ObjectAdd", "", |types| {
            let value = |(name, class): &(String, UserCreatableClass)| EnumValue {
                name: name.clone().into(),
                doc: class.doc,
            };
            let kind = types.enumeration(classes.iter().map(value));
            let variants = classes.into_iter().map(|(name, own)| {
                let members = own.members.iter().map(|one| {
                    let ty = member_type(one.kind(), types);
                    let doc = one.documentation();
                    Member { name: one.name(), doc, ty, optional: !one.is_required() }
                });
                let members = members.collect();
                (name.into(), types.object(Members { members, variants: None }))
            });
            let variants = variants.collect();
            let mut members = Members::union("qom-type", kind, variants);
            members.add::<String>(
                types,
                "id",
                false,
                "Its name below `/objects`; one that is taken is refused.",
            );
            Shape::Object(members)
        })
    }
}

commands! {
    /// Makes an object below `/objects`: something of the host that machines and devices refer to by its name. `qom-type` says what
    /// it is, and all but `id` is what it is made with.
    ///
    /// Fails for a type that users make no objects of (`Parameter 'qom-type' does not accept value 'TYPE'`), if the id is taken or
    /// is no id, if a member is missing, unknown or wrong, and if the object cannot be had, such as more memory than there is; then
    /// nothing is left of it.
    "object-add" (allow_preconfig) =>
    fn object_add(context: &mut Context, arguments: ObjectAdd) -> Result<Empty, Error> {
        object::add(context.qom(), arguments.0, Form::Json, Origin::Monitor)?;
        Ok(Empty)
    }

    /// Removes an object that was made by `object-add` or `-object`.
    ///
    /// Fails if there is none of that name (`object 'ID' not found`) or if it is needed, as memory that the machine has is.
    "object-del" (allow_preconfig) =>
    fn object_del(context: &mut Context, arguments: ObjectDel) -> Result<Empty, Error> {
        object::delete(context.qom(), &arguments.id)?;
        Ok(Empty)
    }
}
