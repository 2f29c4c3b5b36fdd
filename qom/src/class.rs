//! Classes: what all objects of a type share.
//!
//! A class starts as a clone of its parent's class data and is then overridden by the type's class init.
//! After that it never changes and is read without a lock. Class data is a set of plain Rust structs, one
//! a level of the hierarchy ([`DeviceClass`](crate::DeviceClass), for example), found by their Rust type.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::interface::{Interface, InterfaceImpl};
use crate::object::Object;
use crate::property::Property;
use crate::type_info::{ClassInitFn, TypeInfo};
use crate::value::Value;

/// One level's class data. Implemented for everything that can be cloned and shared.
trait Data: Any + Send + Sync {
    fn clone_data(&self) -> Box<dyn Data>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Clone + Send + Sync + 'static> Data for T {
    fn clone_data(&self) -> Box<dyn Data> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// An interface of a type: by name, and by cast where the type or the extending interface gives one.
pub(crate) struct Implements {
    pub(crate) name: String,
    pub(crate) cast: Option<InterfaceImpl>,
}

/// What all objects of a type share: class data, properties, interfaces.
pub struct Class {
    info: TypeInfo,
    parent: Option<Arc<Class>>,
    data: Vec<(TypeId, Box<dyn Data>)>,
    /// All properties, inherited ones first. A class that declares none shares its parent's.
    properties: Arc<IndexMap<Cow<'static, str>, Arc<Property>>>,
    /// Overrides of property defaults, inherited ones included.
    defaults: IndexMap<Cow<'static, str>, Value>,
    /// What this level implements: its own interfaces, then what they extend.
    implements: Vec<Implements>,
    construct: Option<crate::type_info::Construct>,
}

impl std::fmt::Debug for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Class").field(&self.info.name).finish()
    }
}

impl Class {
    pub(crate) fn build(
        info: &TypeInfo,
        parent: Option<Arc<Class>>,
        implements: Vec<Implements>,
        method_tables: &[ClassInitFn],
    ) -> Self {
        let data = parent.as_ref().map_or_else(Vec::new, |parent| {
            parent.data.iter().map(|(id, data)| (*id, (**data).clone_data())).collect()
        });
        let defaults = parent.as_ref().map_or_else(IndexMap::new, |parent| parent.defaults.clone());
        let properties = parent.as_ref().map_or_else(Arc::default, |parent| parent.properties.clone());
        let mut class = Self {
            construct: info.construct.or_else(|| parent.as_ref().and_then(|parent| parent.construct)),
            info: info.clone(),
            parent,
            data,
            properties,
            defaults,
            implements,
        };
        for init in method_tables.iter().chain(&info.class_init) {
            init(&mut ClassInit { class: &mut class });
        }
        class
    }

    /// The type's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// The parent's class; the root `object` and `interface` have none.
    #[must_use]
    pub fn parent(&self) -> Option<&Arc<Class>> {
        self.parent.as_ref()
    }

    /// Whether objects can be made only of descendants.
    #[must_use]
    pub fn is_abstract(&self) -> bool {
        self.info.is_abstract
    }

    /// Whether this stands for an interface.
    #[must_use]
    pub fn is_interface(&self) -> bool {
        self.info.is_interface
    }

    pub(crate) fn constructor(&self) -> Option<crate::type_info::Construct> {
        self.construct
    }

    /// This class and its ancestors, nearest first.
    pub fn lineage(&self) -> impl Iterator<Item = &Class> {
        std::iter::successors(Some(self), |class| class.parent.as_deref())
    }

    /// Whether this is the type, a descendant of it, or implements it as an interface.
    #[must_use]
    pub fn is_a(&self, type_name: &str) -> bool {
        self.lineage().any(|class| {
            class.name() == type_name || class.implements.iter().any(|one| one.name == type_name)
        })
    }

    /// The class data of one level, `T` being that level's struct. None where no ancestor has it.
    #[must_use]
    pub fn data<T: 'static>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        self.data.iter().find(|(at, _)| *at == id).and_then(|(_, data)| (**data).as_any().downcast_ref())
    }

    /// The class of the parent of type `type_name` in this lineage: where an overriding method finds the
    /// one that it overrides, however far down the object's own class is.
    #[must_use]
    pub fn parent_of(&self, type_name: &str) -> Option<&Class> {
        self.lineage().find(|class| class.name() == type_name).and_then(|class| class.parent.as_deref())
    }

    /// A property by its name, inherited ones included. No allocation.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.get(name).map(|property| &**property)
    }

    /// All properties, the root's first.
    pub fn properties(&self) -> impl ExactSizeIterator<Item = &Arc<Property>> {
        self.properties.values()
    }

    /// The default value of a property for objects of this class: the nearest override, else the property's own.
    #[must_use]
    pub fn default_value(&self, name: &str) -> Option<&Value> {
        self.defaults.get(name).or_else(|| self.property(name)?.default.as_ref())
    }

    /// The overrides of property defaults that count for objects of this class, ancestors' first.
    pub(crate) fn default_overrides(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.defaults.iter().map(|(name, value)| (name.as_ref(), value))
    }

    pub(crate) fn cast_interface<'a, I: Interface + ?Sized>(&self, object: &'a dyn Object) -> Option<&'a I> {
        self.lineage()
            .flat_map(|class| &class.implements)
            .filter_map(|one| one.cast.as_ref())
            .find_map(|cast| cast.cast::<I>(object))
    }

    /// The interfaces that the type and its ancestors declare, without those that these extend.
    pub fn interfaces(&self) -> impl Iterator<Item = &InterfaceImpl> {
        self.lineage().flat_map(|class| &class.info.interfaces)
    }

    /// The instance-init functions, the root's first.
    pub(crate) fn run_init(&self, object: &dyn Object, post: bool) {
        if let Some(parent) = &self.parent {
            parent.run_init(object, post);
        }
        let init = if post { self.info.instance_post_init } else { self.info.instance_init };
        if let Some(init) = init {
            init(object);
        }
    }
}

/// A class under construction, as class-init functions see it.
#[derive(Debug)]
pub struct ClassInit<'a> {
    class: &'a mut Class,
}

impl ClassInit<'_> {
    /// The type's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.class.name()
    }

    /// The class data of one level, to override: the clone of the parent's, or the default if this is the
    /// level that introduces it.
    pub fn data_mut<T: Clone + Default + Send + Sync + 'static>(&mut self) -> &mut T {
        let id = TypeId::of::<T>();
        let at = match self.class.data.iter().position(|(at, _)| *at == id) {
            Some(at) => at,
            None => {
                self.class.data.push((id, Box::new(T::default())));
                self.class.data.len() - 1
            }
        };
        match (*self.class.data[at].1).as_any_mut().downcast_mut() {
            Some(data) => data,
            None => unreachable!("class data is filed under its own type id"),
        }
    }

    /// Declares a property, or redeclares an inherited one; then overrides of its default do not count any more.
    pub fn add_property(&mut self, property: Property) {
        self.class.defaults.shift_remove(&property.name);
        let properties = Arc::make_mut(&mut self.class.properties);
        properties.insert(property.name.clone(), Arc::new(property));
    }

    /// Gives a property another default for objects of this class and its descendants.
    pub fn set_default(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.class.defaults.insert(name.into(), value.into());
    }
}
