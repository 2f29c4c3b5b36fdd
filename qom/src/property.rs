//! Properties: named, typed values of objects, declared on classes.
//!
//! A declaration says all that can be known without an object (name, type, default, description, who may
//! set it when), so lists of properties and help are read from classes and construct nothing. Setting goes
//! through [`set`], the one place that checks permission and remembers who set a value.

use std::borrow::Cow;
use std::sync::Arc;

use crate::device::Device;
use crate::error::PropertyError;
use crate::field::Link;
use crate::object::Object;
use crate::value::{Input, PropertyValue, Value};

type Getter = Arc<dyn Fn(&dyn Object) -> Result<Value, PropertyError> + Send + Sync>;
type Target = Arc<dyn Fn(&dyn Object) -> Option<Arc<dyn Object>> + Send + Sync>;
type Setter = Arc<dyn Fn(&dyn Object, &Input<'_>) -> Result<(), PropertyError> + Send + Sync>;

/// Who set a value, in the order of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The class's default.
    Default,
    /// A compat property of the machine version.
    MachineCompat,
    /// `-global`.
    Global,
    /// A feature of `-cpu`.
    Cpu,
    /// `-device`, `-machine` or `-object` on the command line.
    CommandLine,
    /// The machine's own code.
    Machine,
    /// A QMP or HMP command.
    Monitor,
}

/// A property's declaration.
#[derive(Clone)]
pub struct Property {
    pub(crate) name: Cow<'static, str>,
    pub(crate) type_name: Cow<'static, str>,
    pub(crate) description: Option<Cow<'static, str>>,
    pub(crate) default: Option<Value>,
    pub(crate) settable_after_realize: bool,
    get: Option<Getter>,
    set: Option<Setter>,
    target: Option<Target>,
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Property")
            .field("name", &self.name)
            .field("type", &self.type_name)
            .field("default", &self.default)
            .field("readable", &self.get.is_some())
            .field("writable", &self.set.is_some())
            .finish_non_exhaustive()
    }
}

impl Property {
    /// A property that can be neither read nor written until [`get`](Self::get) and [`set`](Self::set) say how.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, type_name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            type_name: type_name.into(),
            description: None,
            default: None,
            settable_after_realize: false,
            get: None,
            set: None,
            target: None,
        }
    }

    /// A property of the Rust type `T` of objects of `O`, read by `get`.
    #[must_use]
    pub fn of<O: Object, T: PropertyValue>(name: impl Into<Cow<'static, str>>, get: fn(&O) -> T) -> Self {
        Self::new(name, T::type_name()).get(move |object| Ok(get(cast::<O>(object)?).to_value()))
    }

    /// Adds the way to write a property of the Rust type `T`.
    #[must_use]
    pub fn settable<O: Object, T: PropertyValue>(self, set: fn(&O, T) -> Result<(), PropertyError>) -> Self {
        let name = self.name.clone();
        self.set(move |object, input| set(cast::<O>(object)?, T::read(&name, input)?))
    }

    /// A `link<target_type>`, read and written as a path.
    #[must_use]
    pub fn link<O: Object>(
        name: impl Into<Cow<'static, str>>,
        target_type: &'static str,
        link: fn(&O) -> &Link,
    ) -> Self {
        let name = name.into();
        let for_error = name.clone();
        let mut property = Self::new(name, format!("link<{target_type}>"));
        property.target = Some(Arc::new(move |object| link(object.downcast_ref::<O>()?).get()));
        property.get(move |object| Ok(link(cast::<O>(object)?).to_value())).set(move |object, input| {
            let path = String::read(&for_error, input)?;
            link(cast::<O>(object)?).set_path(object, &for_error, target_type, &path)
        })
    }

    /// How to read it.
    #[must_use]
    pub fn get(
        mut self,
        get: impl Fn(&dyn Object) -> Result<Value, PropertyError> + Send + Sync + 'static,
    ) -> Self {
        self.get = Some(Arc::new(get));
        self
    }

    /// How to write it.
    #[must_use]
    pub fn set(
        mut self,
        set: impl Fn(&dyn Object, &Input<'_>) -> Result<(), PropertyError> + Send + Sync + 'static,
    ) -> Self {
        self.set = Some(Arc::new(set));
        self
    }

    /// Nobody outside the object's own code may write it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.set = None;
        self
    }

    /// The default, as introspection shows it. A constructor or an instance init puts it in place.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// One line for people.
    #[must_use]
    pub fn description(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// A device's property that can still be written when the device is realized.
    #[must_use]
    pub fn settable_after_realize(mut self) -> Self {
        self.settable_after_realize = true;
        self
    }

    /// The property's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The property's type as `qom-list` names it.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// One line for people, if there is one.
    #[must_use]
    pub fn description_text(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Whether it is a link, and so a step of paths.
    pub(crate) fn is_link(&self) -> bool {
        self.target.is_some()
    }

    /// Whether it can be written at all.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.set.is_some()
    }

    /// Whether it can be read at all.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.get.is_some()
    }
}

fn cast<O: Object>(object: &dyn Object) -> Result<&O, PropertyError> {
    object.downcast_ref::<O>().ok_or_else(|| {
        PropertyError::Refused(format!(
            "'{}' is not of the Rust type that the property belongs to",
            object.class().name()
        ))
    })
}

/// What a link of that name points to.
pub(crate) fn link_target(object: &dyn Object, name: &str) -> Option<Arc<dyn Object>> {
    object.class().property(name)?.target.as_ref().and_then(|target| target(object))
}

/// One line of `qom-list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyEntry {
    /// The property's name.
    pub name: String,
    /// Its type; `child<…>` for a child object.
    pub type_name: String,
}

fn not_found(object: &dyn Object, name: &str) -> PropertyError {
    PropertyError::NotFound { type_name: object.class().name().to_owned(), property: name.to_owned() }
}

/// Reads a property. A child reads as its canonical path.
pub(crate) fn get(object: &dyn Object, name: &str) -> Result<Value, PropertyError> {
    if let Some(property) = object.class().property(name) {
        let get = property.get.as_ref().ok_or_else(|| PropertyError::NotReadable {
            type_name: object.class().name().to_owned(),
            property: name.to_owned(),
        })?;
        return get(object);
    }
    match object.core().child(name) {
        Some(child) => Ok(Value::from(child.canonical_path())),
        None => Err(not_found(object, name)),
    }
}

/// Writes a property and remembers who did.
pub(crate) fn set(
    object: &dyn Object,
    name: &str,
    input: &Input<'_>,
    origin: Origin,
) -> Result<(), PropertyError> {
    let not_writable = || PropertyError::NotWritable {
        type_name: object.class().name().to_owned(),
        property: name.to_owned(),
    };
    let Some(property) = object.class().property(name) else {
        return Err(if object.core().child(name).is_some() {
            not_writable()
        } else {
            not_found(object, name)
        });
    };
    let set = property.set.as_ref().ok_or_else(not_writable)?;
    if !property.settable_after_realize
        && let Some(device) = object.downcast_ref::<Device>()
        && device.is_realized()
    {
        return Err(PropertyError::AfterRealize {
            device: device.id().map_or_else(|| "anonymous device".to_owned(), |id| format!("device '{id}'")),
            type_name: object.class().name().to_owned(),
            property: name.to_owned(),
        });
    }
    set(object, input)?;
    object.core().note_origin(&property.name, origin);
    Ok(())
}

/// All properties of an object: its class's, then its children.
pub(crate) fn list(object: &dyn Object) -> Vec<PropertyEntry> {
    let mut entries: Vec<PropertyEntry> = object
        .class()
        .properties()
        .into_iter()
        .map(|property| PropertyEntry {
            name: property.name.to_string(),
            type_name: property.type_name.to_string(),
        })
        .collect();
    entries.extend(object.core().children().into_iter().map(|(name, child)| PropertyEntry {
        name: name.to_string(),
        type_name: format!("child<{}>", child.class().name()),
    }));
    entries
}
