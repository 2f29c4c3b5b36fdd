//! Objects, their properties and their classes.

use ::qom::{Class, Input, Object, Origin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Context, Empty, Error};

/// A property of an object or class.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ObjectPropertyInfo {
    default_value: Option<Value>,
    pub(super) name: String,
    description: Option<String>,
    #[serde(rename = "type")]
    type_name: String,
}

/// All properties that a class declares, with what is known of them without an object.
pub(super) fn property_infos(class: &Class) -> Vec<ObjectPropertyInfo> {
    let info = |property: &std::sync::Arc<::qom::Property>| ObjectPropertyInfo {
        default_value: class.default_value(property.name()).cloned(),
        name: property.name().to_owned(),
        description: property.description_text().map(str::to_owned),
        type_name: property.type_name().to_owned(),
    };
    class.properties().into_iter().map(info).collect()
}

/// Finds the object of a property. The reference reports a path that fits several as one that fits none.
pub(crate) fn resolve(qom: &::qom::Qom, path: &str) -> Result<std::sync::Arc<dyn Object>, Error> {
    qom.resolve(path).map_err(|error| match error {
        ::qom::ResolveError::Ambiguous { path } => Error::device_not_found(&path),
        other => other.into(),
    })
}

#[derive(Debug, Deserialize)]
struct QomList {
    path: String,
}

#[derive(Debug, Serialize)]
struct PropertyEntry {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
}

#[derive(Debug, Deserialize)]
struct QomGet {
    path: String,
    property: String,
}

#[derive(Debug, Deserialize)]
struct QomSet {
    path: String,
    property: String,
    value: Value,
}

#[derive(Debug, Deserialize)]
struct QomListTypes {
    implements: Option<String>,
    #[serde(rename = "abstract")]
    include_abstract: Option<bool>,
}

#[derive(Debug, Serialize)]
struct ObjectTypeInfo {
    name: String,
    #[serde(rename = "abstract")]
    is_abstract: Option<bool>,
    parent: Option<String>,
}

#[derive(Debug, Deserialize)]
struct QomListProperties {
    typename: String,
}

commands! {
    /// Returns the properties of an object, its children among them.
    "qom-list" (allow_preconfig) =>
    fn qom_list(context: &mut Context, arguments: QomList) -> Result<Vec<PropertyEntry>, Error> {
        let object = context.qom().resolve(&arguments.path)?;
        let entries = object.properties().into_iter();
        Ok(entries.map(|entry| PropertyEntry { name: entry.name, type_name: entry.type_name }).collect())
    }

    /// Returns the value of an object's property.
    "qom-get" (allow_preconfig) => fn qom_get(context: &mut Context, arguments: QomGet) -> Result<Value, Error> {
        Ok(resolve(context.qom(), &arguments.path)?.get(&arguments.property)?)
    }

    /// Sets an object's property.
    "qom-set" (allow_preconfig) => fn qom_set(context: &mut Context, arguments: QomSet) -> Result<Empty, Error> {
        let object = resolve(context.qom(), &arguments.path)?;
        object.set(&arguments.property, &Input::Json(&arguments.value), Origin::Monitor)?;
        Ok(Empty)
    }

    /// Returns the types that there are: those that are or implement `implements`, abstract ones only if
    /// `abstract` is true.
    "qom-list-types" (allow_preconfig) =>
    fn qom_list_types(context: &mut Context, arguments: QomListTypes) -> Result<Vec<ObjectTypeInfo>, Error> {
        let qom = context.qom();
        let include_abstract = arguments.include_abstract.unwrap_or(false);
        let names = qom.type_names(arguments.implements.as_deref(), include_abstract).into_iter();
        let info = |name: &str| ObjectTypeInfo {
            name: name.to_owned(),
            is_abstract: qom.is_abstract(name).filter(|is_abstract| *is_abstract),
            parent: qom.parent_name(name).map(str::to_owned),
        };
        Ok(names.map(info).collect())
    }

    /// Returns the properties that a class declares.
    "qom-list-properties" (allow_preconfig) =>
    fn qom_list_properties(context: &mut Context, arguments: QomListProperties)
        -> Result<Vec<ObjectPropertyInfo>, Error>
    {
        let class = context.qom().class(&arguments.typename)?;
        if class.is_interface() {
            return Err(Error::generic("Parameter 'typename' expects a QOM type"));
        }
        Ok(property_infos(class))
    }
}
