//! The composition tree: who owns whom, and paths.
//!
//! A parent owns its children (strong), a child knows its parent (weak). Every change of the tree holds
//! the system's one tree lock, so that checks and change are one step; each node's own lock is held only for
//! the moment of reading or writing it. No property setter, virtual method or drop runs under either lock.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use indexmap::IndexMap;

use crate::error::{ResolveError, TreeError};
use crate::object::{Object, ObjectCore};

/// An object's place in the tree.
#[derive(Default)]
pub(crate) struct Node {
    parent: Option<(Weak<dyn Object>, Arc<str>)>,
    children: IndexMap<Arc<str>, Arc<dyn Object>>,
    /// For each stem that was given as `stem[*]`, an index below which all are taken.
    next_index: HashMap<Box<str>, usize>,
}

impl ObjectCore {
    /// The child of that name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<Arc<dyn Object>> {
        self.node.read().children.get(name).cloned()
    }

    /// The children with their names, in the order in which they came.
    #[must_use]
    pub fn children(&self) -> Vec<(Arc<str>, Arc<dyn Object>)> {
        self.node.read().children.iter().map(|(name, child)| (name.clone(), child.clone())).collect()
    }

    /// The parent and the name under which it knows this object.
    #[must_use]
    pub fn parent(&self) -> Option<(Arc<dyn Object>, Arc<str>)> {
        let node = self.node.read();
        let (parent, name) = node.parent.as_ref()?;
        Some((parent.upgrade()?, name.clone()))
    }
}

impl dyn Object {
    /// Adds a child. A name that ends in `[*]` gets the first free index in its place. Returns the name.
    ///
    /// # Errors
    /// [`TreeError`]: the name is taken or no name, the child has a parent, or is an ancestor of this object.
    pub fn add_child(&self, name: &str, child: &Arc<dyn Object>) -> Result<Arc<str>, TreeError> {
        let core = self.core();
        let bad_name = || TreeError::BadName { name: name.to_owned() };
        if name.is_empty() || name.contains('/') {
            return Err(bad_name());
        }
        let this = core.upgrade().ok_or_else(bad_name)?;
        let _changing = core.shared().tree_lock();
        if child.core().node.read().parent.is_some() {
            return Err(TreeError::HasParent { path: child.canonical_path() });
        }
        let mut ancestor = Some(this.clone());
        while let Some(at) = ancestor {
            if Arc::ptr_eq(&at, child) {
                return Err(TreeError::Cycle { path: this.canonical_path() });
            }
            ancestor = at.core().parent().map(|(parent, _)| parent);
        }
        let name: Arc<str> = match name.strip_suffix("[*]") {
            Some(stem) => core.free_name(stem),
            None => name.into(),
        };
        if self.class().property(&name).is_some() || core.node.read().children.contains_key(&name) {
            return Err(TreeError::Duplicate {
                name: name.to_string(),
                type_name: self.class().name().to_owned(),
            });
        }
        child.core().node.write().parent = Some((Arc::downgrade(&this), name.clone()));
        core.node.write().children.insert(name.clone(), child.clone());
        Ok(name)
    }

    /// Takes the object out of the tree. It lives on while somebody holds it; its own children stay with it.
    /// Returns whether it had a parent.
    pub fn unparent(&self) -> bool {
        let core = self.core();
        // Declared first, so that it is dropped after the lock is released.
        let removed;
        let _changing = core.shared().tree_lock();
        let Some((parent, name)) = core.node.write().parent.take() else {
            return false;
        };
        removed = parent.upgrade().and_then(|parent| {
            let mut node = parent.core().node.write();
            if let Some((stem, index)) = array_name(&name)
                && let Some(next) = node.next_index.get_mut(stem)
            {
                *next = index.min(*next);
            }
            node.children.shift_remove(&*name)
        });
        removed.is_some()
    }

    /// The path from the root, or from the topmost object if this does not hang in the system's tree.
    #[must_use]
    pub fn canonical_path(&self) -> String {
        let mut names = Vec::new();
        let mut at = self.core().parent();
        while let Some((parent, name)) = at {
            names.push(name);
            at = parent.core().parent();
        }
        if names.is_empty() {
            return "/".to_owned();
        }
        names.iter().rev().fold(String::new(), |mut path, name| {
            path.push('/');
            path.push_str(name);
            path
        })
    }
}

impl ObjectCore {
    fn free_name(&self, stem: &str) -> Arc<str> {
        let mut node = self.node.write();
        let mut index = node.next_index.get(stem).copied().unwrap_or(0);
        let name = loop {
            let name = format!("{stem}[{index}]");
            index += 1;
            if !node.children.contains_key(name.as_str()) {
                break name;
            }
        };
        node.next_index.insert(stem.into(), index);
        name.into()
    }
}

/// The stem and index of a name such as `device[3]`.
fn array_name(name: &str) -> Option<(&str, usize)> {
    let (stem, index) = name.strip_suffix(']')?.rsplit_once('[')?;
    Some((stem, index.parse().ok()?))
}

/// Finds an object. A path with a leading `/` starts at `root`; any other is a partial path, which any object
/// whose canonical path ends in it matches.
///
/// # Errors
/// [`ResolveError::NotFound`]; [`ResolveError::Ambiguous`] if a partial path fits several objects.
pub fn resolve(root: &Arc<dyn Object>, path: &str) -> Result<Arc<dyn Object>, ResolveError> {
    let missing = || ResolveError::NotFound { path: path.to_owned() };
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    if path.starts_with('/') {
        return walk(root.clone(), &steps).ok_or_else(missing);
    }
    if steps.is_empty() {
        return Err(missing());
    }
    let mut found: Option<Arc<dyn Object>> = None;
    let mut waiting = vec![root.clone()];
    while let Some(at) = waiting.pop() {
        if let Some(object) = walk(at.clone(), &steps)
            && !found.as_ref().is_some_and(|found| Arc::ptr_eq(found, &object))
        {
            if found.is_some() {
                return Err(ResolveError::Ambiguous { path: path.to_owned() });
            }
            found = Some(object);
        }
        waiting.extend(at.core().children().into_iter().map(|(_, child)| child));
    }
    found.ok_or_else(missing)
}

fn walk(from: Arc<dyn Object>, steps: &[&str]) -> Option<Arc<dyn Object>> {
    steps.iter().try_fold(from, |at, step| match at.core().child(step) {
        Some(child) => Some(child),
        None => crate::property::link_target(&*at, step),
    })
}
