//! Interfaces: Rust traits that a type offers beside its line of parents.
//!
//! A trait becomes an interface by `impl Interface for dyn Trait`. A type's [`InterfaceImpl`]s hold one
//! typed cast function each; casting an object looks the function up by the trait's `TypeId`, so there is
//! no `unsafe` and no cast that the type did not declare.
//!
//! An interface can also bring a **method table**: class data that its [`TypeInfo`](crate::TypeInfo)'s class init puts into
//! every class that implements it, to be overridden there and cloned and overridden below. That is how a type without a
//! Rust struct overrides a method of an interface.

use std::any::{Any, TypeId};
use std::sync::Arc;

use crate::object::{Instance, Object};

/// A trait (as `dyn Trait`) that types can declare to implement.
pub trait Interface: 'static {
    /// The interface's name among the types, e.g. `hotplug-handler`.
    const NAME: &'static str;
    /// The name of the interface that this one extends. What implements the one implements the other too; for casts to
    /// work as well, the interface is registered with [`TypeInfo::extends`](crate::TypeInfo::extends).
    const PARENT: &'static str = "interface";
}

type Cast<I> = Arc<dyn for<'a> Fn(&'a dyn Object) -> Option<&'a I> + Send + Sync>;

/// Makes, of the implementation of an interface, that of the interface that it extends.
pub(crate) type Upcast = Arc<dyn Fn(&InterfaceImpl) -> Option<InterfaceImpl> + Send + Sync>;

/// The [`Upcast`] from `I` to `P`.
pub(crate) fn upcast<I: Interface + ?Sized, P: Interface + ?Sized>(up: fn(&I) -> &P) -> Upcast {
    Arc::new(move |extending| {
        let cast = extending.cast.downcast_ref::<Cast<I>>()?.clone();
        let cast: Cast<P> = Arc::new(move |object| cast(object).map(up));
        Some(InterfaceImpl { name: P::NAME, id: TypeId::of::<P>(), cast: Arc::new(cast) })
    })
}

/// One type's implementation of one interface.
#[derive(Clone)]
pub struct InterfaceImpl {
    name: &'static str,
    id: TypeId,
    cast: Arc<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for InterfaceImpl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("InterfaceImpl").field(&self.name).finish()
    }
}

impl InterfaceImpl {
    /// Declares that objects of `T` can be seen as `I` through `cast`. [`interface!`](crate::interface!) writes the function.
    #[must_use]
    pub fn new<T: Instance, I: Interface + ?Sized>(cast: fn(&dyn Object) -> Option<&I>) -> Self {
        let cast: Cast<I> = Arc::new(cast);
        Self { name: I::NAME, id: TypeId::of::<I>(), cast: Arc::new(cast) }
    }

    /// The interface's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn cast<'a, I: Interface + ?Sized>(&self, object: &'a dyn Object) -> Option<&'a I> {
        if self.id != TypeId::of::<I>() {
            return None;
        }
        self.cast.downcast_ref::<Cast<I>>().and_then(|cast| cast(object))
    }
}

/// The [`InterfaceImpl`] of a trait for a type: `interface!(Pc: dyn HotplugHandler)`.
#[macro_export]
macro_rules! interface {
    ($type:ty: $interface:ty) => {
        $crate::InterfaceImpl::new::<$type, $interface>(|object| {
            object.downcast_ref::<$type>().map(|this| this as &$interface)
        })
    };
}
