//! Objects: the trait that all of them share, the state at the root of each, and casts between views.
//!
//! A Rust struct with state embeds its parent's struct; `#[derive(Object)]` writes the walk through the
//! embedded parts. A cast asks the object for the part of a Rust type and checks it, so casts up and down
//! are safe without `unsafe`. Casts across go through the class's interfaces.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use indexmap::IndexMap;
use parking_lot::{Mutex, RwLock};

use crate::class::Class;
use crate::error::{CastError, PropertyError, TreeError};
use crate::interface::Interface;
use crate::property::origin::Settings;
use crate::property::{Explanation, Origin, Property, PropertyEntry, Setting, access};
use crate::system::Shared;
use crate::tree::Node;
use crate::type_info::TypeInfo;
use crate::value::{Input, PropertyValue, Value};

/// An object: something with a class, properties and a place in the composition tree.
///
/// `#[derive(Object)]` implements it; the methods for users are on `dyn Object`.
pub trait Object: Any + fmt::Debug + Send + Sync {
    /// The state at the root.
    fn core(&self) -> &ObjectCore;

    /// The embedded part of that Rust type, the object itself included.
    fn embedded(&self, id: TypeId) -> Option<&dyn Any>;
}

/// A Rust struct that is a type's state.
pub trait Instance: Object + Sized {
    /// The type's name.
    const TYPE_NAME: &'static str;

    /// Builds the struct around its core, each property at its declared default.
    fn construct(core: ObjectCore) -> Self;

    /// The type, ready to be registered.
    fn type_info() -> TypeInfo;
}

/// Properties of one object, by name.
type OwnProperties = IndexMap<Cow<'static, str>, Arc<Property>>;

/// The state at the root of every object: its class, its place in the tree, and who set what.
pub struct ObjectCore {
    class: Arc<Class>,
    shared: Arc<Shared>,
    this: Weak<dyn Object>,
    pub(crate) node: RwLock<Node>,
    /// Properties of this object alone. Few objects have any.
    own: RwLock<Option<Box<OwnProperties>>>,
    settings: Mutex<Settings>,
}

impl fmt::Debug for ObjectCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.class.name())
    }
}

impl Object for ObjectCore {
    fn core(&self) -> &ObjectCore {
        self
    }

    fn embedded(&self, id: TypeId) -> Option<&dyn Any> {
        (id == TypeId::of::<Self>()).then_some(self as &dyn Any)
    }
}

impl Instance for ObjectCore {
    const TYPE_NAME: &'static str = "object";

    fn construct(core: ObjectCore) -> Self {
        core
    }

    fn type_info() -> TypeInfo {
        TypeInfo::root()
    }
}

/// What a constructor needs: the class of the object and the system that it will live in.
#[derive(Debug)]
pub struct Seed {
    pub(crate) class: Arc<Class>,
    pub(crate) shared: Arc<Shared>,
}

impl Seed {
    /// Makes the object's Rust value.
    #[must_use]
    pub fn finish<T: Instance>(self) -> Arc<dyn Object> {
        self.shared.count_construction();
        Arc::new_cyclic(|this: &Weak<T>| {
            T::construct(ObjectCore {
                class: self.class,
                shared: self.shared,
                this: Weak::<T>::clone(this) as Weak<dyn Object>,
                node: RwLock::default(),
                own: RwLock::default(),
                settings: Mutex::default(),
            })
        })
    }
}

impl ObjectCore {
    /// The object's class.
    #[must_use]
    pub fn class(&self) -> &Arc<Class> {
        &self.class
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The object itself, weakly; not yet or no longer there while it is constructed or dropped.
    pub(crate) fn weak(&self) -> &Weak<dyn Object> {
        &self.this
    }

    /// The object itself, as a reference to keep. None only while it is constructed or dropped.
    #[must_use]
    pub fn upgrade(&self) -> Option<Arc<dyn Object>> {
        self.this.upgrade()
    }

    /// Keeps the object's own locks, as if somebody were changing it.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Sized + '_ {
        (self.node.write(), self.own.write(), self.settings.lock())
    }

    /// The root of the system's composition tree; none before the system is sealed.
    #[must_use]
    pub fn root(&self) -> Option<Arc<dyn Object>> {
        self.shared.root()
    }

    pub(crate) fn note_setting(&self, property: &str, setting: Setting) {
        self.settings.lock().note(property, setting);
    }

    pub(crate) fn settings_of(&self, property: &str) -> Vec<Setting> {
        self.settings.lock().of(property).to_vec()
    }

    /// A property of this object alone.
    pub(crate) fn own_property(&self, name: &str) -> Option<Arc<Property>> {
        self.own.read().as_ref()?.get(name).cloned()
    }

    /// The properties of this object alone that are steps of paths.
    pub(crate) fn own_links(&self) -> Vec<Arc<Property>> {
        self.own_properties().into_iter().filter(|property| property.is_link()).collect()
    }

    /// The properties of this object alone, in the order in which they were added.
    #[must_use]
    pub fn own_properties(&self) -> Vec<Arc<Property>> {
        self.own.read().as_ref().map(|own| own.values().cloned().collect()).unwrap_or_default()
    }
}

/// The use of any object.
impl dyn Object {
    /// The object's class.
    #[must_use]
    pub fn class(&self) -> &Arc<Class> {
        self.core().class()
    }

    /// The view of the object as the Rust type `T`, if `T` is its type's or an ancestor's struct.
    #[must_use]
    pub fn downcast_ref<T: Object>(&self) -> Option<&T> {
        self.embedded(TypeId::of::<T>()).and_then(<dyn Any>::downcast_ref)
    }

    /// The view of the object as an interface, if its type declares it.
    #[must_use]
    pub fn interface<I: Interface + ?Sized>(&self) -> Option<&I> {
        self.class().cast_interface::<I>(self)
    }

    /// A property's value.
    ///
    /// # Errors
    /// [`PropertyError::NotFound`], [`PropertyError::NotReadable`], or the getter's own.
    pub fn get(&self, name: &str) -> Result<Value, PropertyError> {
        access::get(self, name)
    }

    /// Sets a property.
    ///
    /// # Errors
    /// [`PropertyError`]: no such property, not writable, not writable any more, or not a value of its type.
    pub fn set(&self, name: &str, input: &Input<'_>, origin: Origin) -> Result<(), PropertyError> {
        access::set(self, name, input, origin, None)
    }

    /// Sets a property from Rust code, on behalf of the machine.
    ///
    /// # Errors
    /// As `set`.
    pub fn set_value(&self, name: &str, value: &impl PropertyValue) -> Result<(), PropertyError> {
        self.set(name, &Input::Json(&value.to_value()), Origin::Machine)
    }

    /// Remembers a setting that took another way than `set`, for those who ask where a value came from. The value itself
    /// is not touched.
    ///
    /// # Errors
    /// [`PropertyError::NotFound`], [`PropertyError::BrokenAlias`].
    pub fn note_set(&self, name: &str, value: Value, origin: Origin) -> Result<(), PropertyError> {
        access::note(self, name, value, origin)
    }

    /// Who set a property last; [`Origin::Default`] if nobody did.
    #[must_use]
    pub fn origin_of(&self, property: &str) -> Origin {
        self.core().settings.lock().of(property).last().map_or(Origin::Default, |setting| setting.origin)
    }

    /// Tells where a property's value came from: who set it, in which words, and what that replaced.
    ///
    /// # Errors
    /// [`PropertyError::NotFound`], or the getter's own.
    pub fn explain(&self, property: &str) -> Result<Explanation, PropertyError> {
        access::explain(self, property)
    }

    /// The object as one of type `type_name`: its own type, an ancestor, or an interface that it implements.
    ///
    /// # Errors
    /// [`CastError`] if it is not of that type.
    pub fn dynamic_cast(&self, type_name: &str) -> Result<&dyn Object, CastError> {
        if self.class().is_a(type_name) {
            Ok(self)
        } else {
            Err(CastError { type_name: self.class().name().to_owned(), wanted: type_name.to_owned() })
        }
    }

    /// Adds a property to this object alone. What can be known of all objects of a type belongs on the class.
    ///
    /// # Errors
    /// [`TreeError::Duplicate`] if the object has a property or child of that name, [`TreeError::BadName`] if it is
    /// no name.
    pub fn add_property(&self, property: Property) -> Result<(), TreeError> {
        let name = property.name.clone();
        if name.is_empty() || name.contains('/') {
            return Err(TreeError::BadName { name: name.into_owned() });
        }
        let core = self.core();
        // Children and properties share their names: a new one of either is checked and added in one step.
        let _changing = core.shared().tree_lock();
        if access::declared(self, &name).is_some() || core.has_child(&name) {
            return Err(TreeError::Duplicate {
                name: name.into_owned(),
                type_name: self.class().name().to_owned(),
            });
        }
        if property.is_link() {
            core.shared().steps().add_link(self, &name);
        }
        core.own.write().get_or_insert_default().insert(name, Arc::new(property));
        Ok(())
    }

    /// Takes away a property of this object alone. Returns whether there was one.
    pub fn remove_property(&self, name: &str) -> bool {
        let core = self.core();
        let changing = core.shared().tree_lock();
        let removed = core.own.write().as_mut().and_then(|own| own.shift_remove(name));
        if removed.as_ref().is_some_and(|property| property.is_link()) {
            core.shared().steps().remove_link(self, name);
        }
        core.settings.lock().forget(name);
        // What the property holds may be the last reference to an object: it is let go of after the locks.
        drop(changing);
        removed.is_some()
    }

    /// All properties but internal ones: the class's, the object's own, then the children.
    #[must_use]
    pub fn properties(&self) -> Vec<PropertyEntry> {
        access::list(self)
    }
}

/// An object that is known to have a part of the Rust type `T`: a checked, counted reference.
pub struct Obj<T: Object> {
    object: Arc<dyn Object>,
    part: PhantomData<fn() -> T>,
}

impl<T: Object> Obj<T> {
    /// Checks the object's type; gives the object back if it does not fit.
    ///
    /// # Errors
    /// The object, unchanged, if it has no part of type `T`.
    pub fn new(object: Arc<dyn Object>) -> Result<Self, Arc<dyn Object>> {
        if object.downcast_ref::<T>().is_some() {
            Ok(Self { object, part: PhantomData })
        } else {
            Err(object)
        }
    }

    /// The object without its static type.
    #[must_use]
    pub fn as_object(&self) -> &Arc<dyn Object> {
        &self.object
    }

    /// The object without its static type.
    #[must_use]
    pub fn into_object(self) -> Arc<dyn Object> {
        self.object
    }

    /// The view as a descendant's or an ancestor's Rust type.
    #[must_use]
    pub fn cast<U: Object>(&self) -> Option<Obj<U>> {
        Obj::new(self.object.clone()).ok()
    }
}

impl<T: Object> Clone for Obj<T> {
    fn clone(&self) -> Self {
        Self { object: self.object.clone(), part: PhantomData }
    }
}

impl<T: Object> fmt::Debug for Obj<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(f)
    }
}

impl<T: Object> Deref for Obj<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self.object.downcast_ref() {
            Some(part) => part,
            None => unreachable!("Obj::new checked the type, and an object's type never changes"),
        }
    }
}
