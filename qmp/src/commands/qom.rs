//! Objects, their properties and their classes.

use std::borrow::Cow;
use std::sync::Arc;

use ::qom::{Class, Input, Object, Origin, Setting};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Context, Empty, Error};

/// A property that a class declares (QAPI `ObjectPropertyInfo`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectPropertyInfo {
    /// What it is where nobody sets it; absent where the class does not say.
    pub default_value: Option<Value>,
    /// Its name.
    pub name: String,
    /// What it is for, for people; absent where nobody wrote it.
    pub description: Option<String>,
    /// The type of its values, by QOM's name: `bool`, `uint32`, `str`, the name of an enumeration.
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
    /// The object's path from the root (`/machine`), or a part of it that fits one object.
    pub path: String,
}

/// A property of an object (QAPI `ObjectPropertyInfo`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct PropertyEntry {
    /// Its name: for a child or a link also the next step of a path.
    pub name: Cow<'static, str>,
    /// The type of its value, by QOM's name; `child<TYPE>` for an object below, `link<TYPE>` for one elsewhere.
    #[serde(rename = "type")]
    pub type_name: Cow<'static, str>,
}

/// What `qom-list-get` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct QomListGet {
    /// The objects' paths, at most as many as one request holds.
    pub paths: Vec<String>,
}

/// A property of an object with its value (QAPI `ObjectPropertyValue`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct PropertyValue {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its value in JSON: the path for a child or a link; absent where the property cannot be read.
    pub value: Option<Value>,
    /// The type of its value, by QOM's name.
    #[serde(rename = "type")]
    pub type_name: Cow<'static, str>,
}

/// The properties of one object (QAPI `ObjectPropertiesValues`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct PropertiesValues {
    /// Each with its value.
    pub properties: Vec<PropertyValue>,
}

/// An object with all that is below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct ObjectTree {
    /// Its name below its parent; `/` for the root.
    pub name: String,
    /// Its class.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its properties but for its children.
    pub properties: Vec<PropertyValue>,
    /// The objects below it.
    pub children: Vec<ObjectTree>,
}

/// One setting of a property, or the class's default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct SettingInfo {
    /// Who set it: `default` (nobody: it is the class's), `machine-compat` (the machine's version), `global` (`-global`), `cpu`
    /// (`-cpu`), `command-line` (other options), `machine` (the machine's code) or `monitor` (a command).
    pub origin: Cow<'static, str>,
    /// The value as it was given.
    pub value: Value,
    /// The class that `-global`, or the machine's version, gives it for; absent for other origins.
    pub driver: Option<String>,
}

/// Where the value of a property came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct PropertyExplanation {
    /// The type of the value, by QOM's name.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The value now; absent where the property cannot be read.
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
    /// The object's path from the root (`/machine`), or a part of it that fits one object.
    pub path: String,
    /// The name of the property.
    pub property: String,
}

/// What `qom-set` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct QomSet {
    /// The object's path from the root (`/machine`), or a part of it that fits one object.
    pub path: String,
    /// The name of the property.
    pub property: String,
    /// The value, in JSON, of the property's type.
    pub value: Value,
}

/// What `qom-list-types` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct QomListTypes {
    /// A class or an interface: only those are listed that are it or come from it. All by default.
    pub implements: Option<String>,
    /// Whether to list abstract types too; false by default.
    #[serde(rename = "abstract")]
    pub include_abstract: Option<bool>,
}

/// A type of objects (QAPI `ObjectTypeInfo`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, qmp::QapiType)]
pub struct ObjectTypeInfo {
    /// Its name.
    pub name: String,
    /// True for a type that no object can be of; absent for others.
    #[serde(rename = "abstract")]
    pub is_abstract: Option<bool>,
    /// The type that it is made from; absent for one that is made from none.
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
    ///
    /// Fails with class `DeviceNotFound` if there is no object at the path (`Device 'PATH' not found`), and with `GenericError` if
    /// several objects fit it (`Path 'PATH' is ambiguous`).
    "qom-list" (allow_preconfig) =>
    fn qom_list(context: &mut Context, arguments: QomList) -> Result<Vec<PropertyEntry>, Error> {
        let object = context.qom().resolve(&arguments.path)?;
        let entries = object.properties().into_iter();
        Ok(entries.map(|entry| PropertyEntry { name: entry.name, type_name: entry.type_name }).collect())
    }

    /// Returns the properties of several objects with their values, in the order of the paths.
    ///
    /// Fails as `qom-list` does if one of the paths fits no object or several.
    "qom-list-get" (allow_preconfig) =>
    fn qom_list_get(context: &mut Context, arguments: QomListGet) -> Result<Vec<PropertiesValues>, Error> {
        let objects: Result<Vec<_>, _> =
            arguments.paths.iter().map(|path| context.qom().resolve(path)).collect();
        let properties = |object: &Arc<dyn Object>| PropertiesValues { properties: values(&**object).collect() };
        Ok(objects?.iter().map(properties).collect())
    }

    /// Returns an object with all objects below it, each with its properties and their values. (Not in QEMU.)
    ///
    /// Fails as `qom-list` does.
    "qom-tree-get" (allow_preconfig) =>
    fn qom_tree_get(context: &mut Context, arguments: QomList) -> Result<ObjectTree, Error> {
        let object = context.qom().resolve(&arguments.path)?;
        let name = object.core().parent().map(|(_, name)| name);
        Ok(tree(name.as_deref().unwrap_or("/"), &*object))
    }

    /// Tells where the value of an object's property came from: who set it, and which settings and default that replaced. (Not in
    /// QEMU.)
    ///
    /// Fails as `qom-get` does if there is no such object or property.
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
    ///
    /// Fails with class `DeviceNotFound` if no object or several fit the path (`Device 'PATH' not found`), and with `GenericError`
    /// if the object has no such property (`Property 'TYPE.NAME' not found`) or its value cannot be read.
    "qom-get" (allow_preconfig) => fn qom_get(context: &mut Context, arguments: QomGet) -> Result<Value, Error> {
        Ok(resolve(context.qom(), &arguments.path)?.get(&arguments.property)?)
    }

    /// Sets an object's property.
    ///
    /// Fails with class `DeviceNotFound` if no object or several fit the path (`Device 'PATH' not found`), and with `GenericError`
    /// if the object has no such property (`Property 'TYPE.NAME' not found`), it cannot be set (`Property 'TYPE.NAME' is not
    /// writable`), it does not take the value, or it is too late, as for most properties of a device in use; then nothing has
    /// changed.
    "qom-set" (allow_preconfig) => fn qom_set(context: &mut Context, arguments: QomSet) -> Result<Empty, Error> {
        let object = resolve(context.qom(), &arguments.path)?;
        object.set(&arguments.property, &Input::Json(&arguments.value), Origin::Monitor)?;
        Ok(Empty)
    }

    /// Returns the types of objects that the program has. Empty if there is no type of the name in `implements`.
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

    /// Returns the properties that a class declares. Properties that objects get one by one, such as children, are not among them.
    ///
    /// Fails with class `DeviceNotFound` if there is no such class (`Class 'NAME' not found`), and with `GenericError` if the name
    /// is an interface's (`Parameter 'typename' expects a QOM type`).
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
