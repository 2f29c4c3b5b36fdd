//! Objects that users make and remove by name.

use ::qom::Origin;
use ::qom::user_creatable::Form;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Context, Empty, Error, object};

#[derive(Debug, Deserialize)]
struct ObjectDel {
    id: String,
}

commands! {
    /// Makes an object below `/objects`. `qom-type` is its type, `id` its name; all others are what it is made with.
    "object-add" (allow_preconfig) =>
    fn object_add(context: &mut Context, arguments: Map<String, Value>) -> Result<Empty, Error> {
        object::add(context.qom(), arguments, Form::Json, Origin::Monitor)?;
        Ok(Empty)
    }

    /// Removes an object that was made by `object-add` or on the command line, unless it is needed.
    "object-del" (allow_preconfig) =>
    fn object_del(context: &mut Context, arguments: ObjectDel) -> Result<Empty, Error> {
        object::delete(context.qom(), &arguments.id)?;
        Ok(Empty)
    }
}
