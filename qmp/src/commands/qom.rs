//! Objects, their properties and their classes.

use std::borrow::Cow;
use std::sync::Arc;

use ::qom::{Class, Input, Object, Origin, Setting};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Context, Empty, Error};

/// A property of an object or class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectPropertyInfo {
    /// What it is where nobody sets it.
    pub default_value: Option<Value>,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Its type: QOM's name for it.
    #[serde(rename = "type")]
    pub type_name: String,
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

/// What `qom-list` and `qom-tree-get` take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct QomList {
    /// The path of the object.
    pub path: String,
}

/// A property of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct PropertyEntry {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its type: QOM's name for it.
    #[serde(rename = "type")]
    pub type_name: Cow<'static, str>,
}

/// What `qom-list-get` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct QomListGet {
    /// The paths of the objects.
    pub paths: Vec<String>,
}

/// A property of an object with its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct PropertyValue {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Absent where the property cannot be read.
    pub value: Option<Value>,
    /// Its type: QOM's name for it.
    #[serde(rename = "type")]
    pub type_name: Cow<'static, str>,
}

/// The properties of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct PropertiesValues {
    /// The properties.
    pub properties: Vec<PropertyValue>,
}

/// An object with all that is below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct ObjectTree {
    /// Its name.
    pub name: String,
    /// Its type: QOM's name for it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The properties.
    pub properties: Vec<PropertyValue>,
    /// What is below it.
    pub children: Vec<ObjectTree>,
}

/// One setting of a property, or the class's default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct SettingInfo {
    /// Who set it.
    pub origin: Cow<'static, str>,
    /// The value.
    pub value: Value,
    /// The type that a global property was given for.
    pub driver: Option<String>,
}

/// Where the value of a property came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct PropertyExplanation {
    /// Its type: QOM's name for it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The value.
    pub value: Option<Value>,
    /// The setting that counts.
    pub setting: SettingInfo,
    /// Those that it replaced, the latest first.
    pub overrode: Vec<SettingInfo>,
}

impl From<Setting> for SettingInfo {
    fn from(setting: Setting) -> Self {
        let driver = setting.global.map(|global| global.driver.clone());
        Self { origin: setting.origin.as_str().into(), value: setting.value, driver }
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

/// What `qom-get` and `x-qom-explain` take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct QomGet {
    /// The path of the object.
    pub path: String,
    /// The name of the property.
    pub property: String,
}

/// What `qom-set` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct QomSet {
    /// The path of the object.
    pub path: String,
    /// The name of the property.
    pub property: String,
    /// The value.
    pub value: Value,
}

/// What `qom-list-types` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct QomListTypes {
    /// A type that they are, or an interface that they have.
    pub implements: Option<String>,
    /// Whether to name abstract types too; false by default.
    #[serde(rename = "abstract")]
    pub include_abstract: Option<bool>,
}

/// A type that there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct ObjectTypeInfo {
    /// Its name.
    pub name: String,
    /// That no object can be of it.
    #[serde(rename = "abstract")]
    pub is_abstract: Option<bool>,
    /// The type that it is made from.
    pub parent: Option<String>,
}

/// What `qom-list-properties` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct QomListProperties {
    /// The class.
    pub typename: String,
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
    "qom-list-types" (allow_preconfig) kept while crate::forever =>
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
    "qom-list-properties" (allow_preconfig) kept while crate::forever =>
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
