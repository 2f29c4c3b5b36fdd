//! Objects, their properties and their classes.

use std::sync::Arc;

use ::qom::{Class, Input, Object, Origin, Setting};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Context, Empty, Error};

/// A property of an object or class.
#[derive(Debug, Serialize, qmp::QapiType)]
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
    let info = |property: &Arc<::qom::Property>| ObjectPropertyInfo {
        default_value: class.default_value(property.name()).cloned(),
        name: property.name().to_owned(),
        description: property.description_text().map(str::to_owned),
        type_name: property.type_name().to_owned(),
    };
    class.properties().filter(|property| !property.is_internal()).map(info).collect()
}

/// Finds the object of a property. The reference reports a path that fits several as one that fits none.
pub(crate) fn resolve(qom: &::qom::Qom, path: &str) -> Result<Arc<dyn Object>, Error> {
    qom.resolve(path).map_err(|error| match error {
        ::qom::ResolveError::Ambiguous { path } => Error::device_not_found(&path),
        other => other.into(),
    })
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct QomList {
    path: String,
}

#[derive(Debug, Serialize, qmp::QapiType)]
struct PropertyEntry {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct QomListGet {
    paths: Vec<String>,
}

#[derive(Debug, Serialize, qmp::QapiType)]
struct PropertyValue {
    name: String,
    /// Absent where the property cannot be read.
    value: Option<Value>,
    #[serde(rename = "type")]
    type_name: String,
}

#[derive(Debug, Serialize, qmp::QapiType)]
struct PropertiesValues {
    properties: Vec<PropertyValue>,
}

/// An object with all that is below it.
#[derive(Debug, Serialize, qmp::QapiType)]
struct ObjectTree {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
    properties: Vec<PropertyValue>,
    children: Vec<ObjectTree>,
}

/// One setting of a property, or the class's default.
#[derive(Debug, Serialize, qmp::QapiType)]
struct SettingInfo {
    origin: &'static str,
    value: Value,
    /// The type that a global property was given for.
    driver: Option<String>,
}

#[derive(Debug, Serialize, qmp::QapiType)]
struct PropertyExplanation {
    #[serde(rename = "type")]
    type_name: String,
    value: Option<Value>,
    setting: SettingInfo,
    overrode: Vec<SettingInfo>,
}

impl From<Setting> for SettingInfo {
    fn from(setting: Setting) -> Self {
        let driver = setting.global.map(|global| global.driver.clone());
        Self { origin: setting.origin.as_str(), value: setting.value, driver }
    }
}

/// The properties of an object with their values. What the program makes of a tree is as deep as a board, so walks of
/// it are recursive.
fn values(object: &dyn Object) -> impl Iterator<Item = PropertyValue> {
    object.properties().into_iter().map(|entry| PropertyValue {
        value: object.get(&entry.name).ok(),
        name: entry.name,
        type_name: entry.type_name,
    })
}

fn tree(name: &str, object: &dyn Object) -> ObjectTree {
    let children = object.core().children();
    let is_child = |value: &PropertyValue| value.type_name.starts_with("child<");
    ObjectTree {
        name: name.to_owned(),
        type_name: object.class().name().to_owned(),
        properties: values(object).filter(|value| !is_child(value)).collect(),
        children: children.iter().map(|(name, child)| tree(name, &**child)).collect(),
    }
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct QomGet {
    path: String,
    property: String,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct QomSet {
    path: String,
    property: String,
    value: Value,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct QomListTypes {
    implements: Option<String>,
    #[serde(rename = "abstract")]
    include_abstract: Option<bool>,
}

#[derive(Debug, Serialize, qmp::QapiType)]
struct ObjectTypeInfo {
    name: String,
    #[serde(rename = "abstract")]
    is_abstract: Option<bool>,
    parent: Option<String>,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
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

    /// Returns the properties of several objects with their values, in the order of the paths. A property that cannot
    /// be read has no value.
    "qom-list-get" (allow_preconfig) =>
    fn qom_list_get(context: &mut Context, arguments: QomListGet) -> Result<Vec<PropertiesValues>, Error> {
        let objects: Result<Vec<_>, _> =
            arguments.paths.iter().map(|path| context.qom().resolve(path)).collect();
        let properties = |object: &Arc<dyn Object>| PropertiesValues { properties: values(&**object).collect() };
        Ok(objects?.iter().map(properties).collect())
    }

    /// Returns an object with all objects below it, each with its properties and their values. `name` is the last step of
    /// the object's path. A property that cannot be read has no value. (Not in QEMU.)
    "qom-tree-get" (allow_preconfig) =>
    fn qom_tree_get(context: &mut Context, arguments: QomList) -> Result<ObjectTree, Error> {
        let object = context.qom().resolve(&arguments.path)?;
        let name = object.core().parent().map(|(_, name)| name);
        Ok(tree(name.as_deref().unwrap_or("/"), &*object))
    }

    /// Tells where the value of an object's property came from: who set it (`setting`, with the value as it was given),
    /// and which settings and default that replaced (`overrode`, the latest first). An `origin` is `default`,
    /// `machine-compat`, `global`, `cpu`, `command-line`, `machine` or `monitor`. (Not in QEMU.)
    "x-qom-explain" (allow_preconfig) =>
    fn x_qom_explain(context: &mut Context, arguments: QomGet) -> Result<PropertyExplanation, Error> {
        let found = resolve(context.qom(), &arguments.path)?.explain(&arguments.property)?;
        Ok(PropertyExplanation {
            type_name: found.type_name,
            value: found.value,
            setting: found.setting.into(),
            overrode: found.overrode.into_iter().map(Into::into).collect(),
        })
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
