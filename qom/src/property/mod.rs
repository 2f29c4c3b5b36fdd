//! Properties: named, typed values of objects, declared on classes.
//!
//! A declaration says all that can be known without an object (name, type, default, description, who may
//! set it when), so lists of properties and help are read from classes and construct nothing. Only what is truly
//! of one object (a link that a board makes, an alias of another object's property) is declared on the object, with
//! `add_property` on `dyn Object`.
//!
//! This module declares; [`access`] reads and writes, [`origin`] remembers who wrote.

pub(crate) mod access;
mod kinds;
pub(crate) mod origin;

use std::borrow::Cow;
use std::sync::{Arc, Weak};

pub use self::kinds::LinkCheck;
pub use self::origin::{Explanation, Origin, Setting};
use crate::error::{OutOfRange, PropertyError};
use crate::object::Object;
use crate::value::{Input, Number, PropertyValue, Value};

type Getter = Arc<dyn Fn(&dyn Object) -> Result<Value, PropertyError> + Send + Sync>;
type Target = Arc<dyn Fn(&dyn Object) -> Option<Arc<dyn Object>> + Send + Sync>;
type Setter = Arc<dyn Fn(&dyn Object, &Input<'_>) -> Result<(), PropertyError> + Send + Sync>;

/// A property that stands for another object's.
#[derive(Clone)]
pub(crate) struct Alias {
    target: Weak<dyn Object>,
    name: Cow<'static, str>,
}

/// A property's declaration.
#[derive(Clone)]
pub struct Property {
    pub(crate) name: Cow<'static, str>,
    pub(crate) type_name: Cow<'static, str>,
    pub(crate) description: Option<Cow<'static, str>>,
    pub(crate) default: Option<Value>,
    pub(crate) settable_after_realize: bool,
    pub(crate) internal: bool,
    pub(crate) deprecated: Option<Cow<'static, str>>,
    of_part: bool,
    members: Vec<&'static str>,
    get: Option<Getter>,
    set: Option<Setter>,
    target: Option<Target>,
    alias: Option<Alias>,
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
            internal: false,
            deprecated: None,
            of_part: false,
            members: Vec::new(),
            get: None,
            set: None,
            target: None,
            alias: None,
        }
    }

    /// A property of the Rust type `T` that can be neither read nor written yet.
    #[must_use]
    pub fn typed<T: PropertyValue>(name: impl Into<Cow<'static, str>>) -> Self {
        Self { members: T::members(), ..Self::new(name, T::type_name()) }
    }

    /// A property of the Rust type `T` of objects of `O`, read by `get`.
    #[must_use]
    pub fn of<O: Object, T: PropertyValue>(name: impl Into<Cow<'static, str>>, get: fn(&O) -> T) -> Self {
        Self::typed::<T>(name).get(move |object| Ok(get(cast::<O>(object)?).to_value()))
    }

    /// Adds the way to write a property of the Rust type `T`.
    #[must_use]
    pub fn settable<O: Object, T: PropertyValue>(self, set: fn(&O, T) -> Result<(), PropertyError>) -> Self {
        let name = self.name.clone();
        self.set(move |object, input| set(cast::<O>(object)?, T::read(&name, input)?))
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

    /// Not for users: absent from lists, and neither command line nor monitor can set it. Rust code can.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// It is a part's and only passed on by the object: pictures of the devices leave it out.
    #[must_use]
    pub fn of_part(mut self) -> Self {
        self.of_part = true;
        self
    }

    /// Users who set it are warned, with the reason or what to use instead.
    #[must_use]
    pub fn deprecated(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.deprecated = Some(reason.into());
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

    /// Whether it is a part's that the object passes on.
    #[must_use]
    pub fn is_of_part(&self) -> bool {
        self.of_part
    }

    /// Whether it is hidden from users.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.internal
    }

    /// Why users should not set it any more, if they should not.
    #[must_use]
    pub fn deprecation(&self) -> Option<&str> {
        self.deprecated.as_deref()
    }

    /// Whether a device's property can still be written when the device is realized.
    #[must_use]
    pub fn is_settable_after_realize(&self) -> bool {
        self.settable_after_realize
    }

    /// The names that an enumeration takes; empty for other types.
    #[must_use]
    pub fn members(&self) -> &[&'static str] {
        &self.members
    }

    /// Whether it is a link, and so a step of paths.
    pub(crate) fn is_link(&self) -> bool {
        self.target.is_some() || self.alias.is_some()
    }

    /// Whether it can be written at all.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.set.is_some() || self.alias.is_some()
    }

    /// Whether it can be read at all.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.get.is_some() || self.alias.is_some()
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

/// One line of `qom-list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyEntry {
    /// The property's name.
    pub name: Cow<'static, str>,
    /// Its type; `child<…>` for a child object.
    pub type_name: Cow<'static, str>,
}

/// Refuses a number outside its property's limits. `#[derive(Object)]` calls it for `minimum` and `maximum`.
///
/// # Errors
/// [`PropertyError::OutOfRange`].
pub fn check_range<T: Number>(
    object: &impl Object,
    property: &str,
    value: &T,
    minimum: &T,
    maximum: &T,
) -> Result<(), PropertyError> {
    if (minimum..=maximum).contains(&value) {
        return Ok(());
    }
    Err(PropertyError::OutOfRange(Box::new(OutOfRange {
        type_name: object.core().class().name().to_owned(),
        property: property.to_owned(),
        value: value.to_string(),
        minimum: minimum.to_string(),
        maximum: maximum.to_string(),
    })))
}
