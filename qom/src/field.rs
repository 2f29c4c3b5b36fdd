//! Cells for the state behind properties: an object is shared, so what a setter changes lies in one of these.

use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use crate::error::{PropertyError, ResolveError, ValueError};
use crate::object::Object;
use crate::tree::{resolve, resolve_type};
use crate::value::Value;

/// A property's value inside an object. Reads copy it out; no lock is held when `get` returns.
#[derive(Debug, Default)]
pub struct Field<T>(RwLock<T>);

impl<T> Field<T> {
    /// A cell with a first value.
    pub const fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    /// Replaces the value.
    pub fn set(&self, value: T) {
        // The old value is dropped after the lock is released.
        let _old = std::mem::replace(&mut *self.0.write(), value);
    }

    /// Looks at the value without copying it. `look` must not touch the same field.
    pub fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0.read())
    }

    /// Changes the value in place. `change` must not touch the same field.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.0.write())
    }
}

impl<T: Clone> Field<T> {
    /// A copy of the value.
    pub fn get(&self) -> T {
        self.0.read().clone()
    }
}

/// A `link<>`: a weak reference to another object, seen from outside as its canonical path.
///
/// It is weak so that no cycle of strong references can arise; the composition tree alone keeps objects alive.
#[derive(Default)]
pub struct Link(RwLock<Option<Weak<dyn Object>>>);

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({:?})", self.get().map(|object| object.canonical_path()))
    }
}

impl Link {
    /// A link that points nowhere.
    #[must_use]
    pub const fn new() -> Self {
        Self(RwLock::new(None))
    }

    /// The target, while it lives.
    #[must_use]
    pub fn get(&self) -> Option<Arc<dyn Object>> {
        self.0.read().as_ref().and_then(Weak::upgrade)
    }

    /// Points to `target`, or nowhere.
    pub fn set(&self, target: Option<&Arc<dyn Object>>) {
        *self.0.write() = target.map(Arc::downgrade);
    }

    /// The target's canonical path; empty if it points nowhere, or to an object outside the tree.
    pub(crate) fn to_value(&self) -> Value {
        let target = self.get().filter(|object| object.is_in_tree());
        Value::from(target.map(|object| object.canonical_path()).unwrap_or_default())
    }

    /// What `path` names in the tree of `owner`; nothing for an empty path. `name` is the property's.
    pub(crate) fn find(
        owner: &dyn Object,
        name: &str,
        target_type: &str,
        path: &str,
    ) -> Result<Option<Arc<dyn Object>>, PropertyError> {
        if path.is_empty() {
            return Ok(None);
        }
        let root = owner.core().root().ok_or_else(|| ResolveError::NotFound { path: path.to_owned() })?;
        // Objects of other types are looked at only to say what is wrong with the path.
        match resolve_type(&root, path, target_type) {
            Ok(target) => Ok(Some(target)),
            Err(ResolveError::Ambiguous { path }) => Err(PropertyError::AmbiguousTarget { path }),
            Err(error) => Err(match resolve(&root, path) {
                Err(ResolveError::NotFound { .. }) => error.into(),
                _ => ValueError::ExpectedType { name: name.to_owned(), expected: target_type.to_owned() }
                    .into(),
            }),
        }
    }
}
