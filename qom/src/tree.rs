//! The composition tree: who owns whom, and paths.
//!
//! A parent owns its children (strong), a child knows its parent (weak). Every change of the tree holds
//! the system's one tree lock, so that checks and change are one step; each node's own lock is held only for
//! the moment of reading or writing it. No property setter, virtual method or drop runs under either lock.
//!
//! What a path costs depends on its steps, not on the number of objects: a step is a look-up in the [children](crate::children)
//! of one object, and the first step of a partial path a look-up in the [index of steps](crate::steps).

use std::sync::{Arc, Weak};

use crate::children::Children;
use crate::error::{ResolveError, TreeError};
use crate::object::{Object, ObjectCore};

/// An object's place in the tree.
#[derive(Default)]
pub(crate) struct Node {
    parent: Option<(Weak<dyn Object>, Arc<str>)>,
    children: Children,
    /// Whether it ever had a parent or a child: whether the index of steps may know of it.
    indexed: bool,
}

impl ObjectCore {
    /// The child of that name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<Arc<dyn Object>> {
        self.node.read().children.get(name).cloned()
    }

    /// Whether there is a child of that name.
    pub(crate) fn has_child(&self, name: &str) -> bool {
        self.node.read().children.contains(name)
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

/// Why a child was not added, found out under the tree lock. The message is made after the lock is released: it
/// needs paths, and walking a path lets go of references.
enum Refusal {
    HasParent,
    Cycle,
    Duplicate(Arc<str>),
}

impl dyn Object {
    /// Adds a child. A name that ends in `[*]` gets the first free index in its place. Returns the name.
    ///
    /// # Errors
    /// [`TreeError`]: the name is taken or no name, the child has a parent, is an ancestor of this object, is the
    /// root, or belongs to another system.
    pub fn add_child(&self, name: &str, child: &Arc<dyn Object>) -> Result<Arc<str>, TreeError> {
        let core = self.core();
        let type_name = || self.class().name().to_owned();
        if name.is_empty() || name.contains('/') {
            return Err(TreeError::BadName { name: name.to_owned() });
        }
        let this = core.upgrade().ok_or_else(|| TreeError::NotAlive { type_name: type_name() })?;
        if !Arc::ptr_eq(core.shared(), child.core().shared()) {
            return Err(TreeError::OtherSystem {
                parent: type_name(),
                child: child.class().name().to_owned(),
            });
        }
        if core.root().is_some_and(|root| Arc::ptr_eq(&root, child)) {
            return Err(TreeError::Root);
        }
        // References that come up under the lock and may be the last ones: they are let go of after it.
        let mut held = Vec::new();
        let changing = core.shared().tree_lock();
        let result = add_locked(&this, name, child, &mut held);
        drop(changing);
        result.map_err(|refusal| match refusal {
            Refusal::HasParent => TreeError::HasParent { path: child.canonical_path() },
            Refusal::Cycle => TreeError::Cycle { path: self.canonical_path() },
            Refusal::Duplicate(name) => {
                TreeError::Duplicate { name: name.to_string(), type_name: type_name() }
            }
        })
    }

    /// Takes the object out of the tree. It lives on while somebody holds it; its own children stay with it.
    /// Devices among it and its descendants are unrealized first and leave buses that stay; devices on buses among them
    /// leave the tree too, wherever they hang. Returns whether it had a parent.
    pub fn unparent(&self) -> bool {
        if self.core().parent().is_none() {
            return false;
        }
        if let Some(this) = self.core().upgrade() {
            crate::device::leave_tree(&this);
        }
        let removed = self.take_out();
        // What another thread finished realizing in between; it checks its place after that, so one of the two sees it.
        crate::device::unrealize_below(self);
        removed
    }

    /// Takes the object out of the tree as it is. Returns whether it had a parent.
    pub(crate) fn take_out(&self) -> bool {
        let core = self.core();
        // Declared first, so that they are let go of after the lock is released.
        let parent;
        let removed: Option<Arc<dyn Object>>;
        let _changing = core.shared().tree_lock();
        let Some((at, name)) = core.parent() else {
            return false;
        };
        parent = at;
        core.shared().steps().remove_child(&*parent, &name, self);
        removed = parent.core().node.write().children.remove(&name);
        core.node.write().parent = None;
        removed.is_some()
    }

    /// Whether the object hangs in its system's tree, that is, whether `canonical_path`
    /// is the path of an object of that tree.
    #[must_use]
    pub fn is_in_tree(&self) -> bool {
        self.path_names().1
    }

    /// The path from the root, with a leading `/`. An object that does not hang in the system's tree has
    /// no such path; what it gets is its path from the topmost object above it, without a leading `/` (empty for the
    /// topmost itself), which is for messages and resolves to nothing.
    #[must_use]
    pub fn canonical_path(&self) -> String {
        let (names, in_tree) = self.path_names();
        if in_tree && names.is_empty() {
            return "/".to_owned();
        }
        let mut path = String::with_capacity(names.iter().map(|name| 1 + name.len()).sum());
        for name in names.iter().rev() {
            if in_tree || !path.is_empty() {
                path.push('/');
            }
            path.push_str(name);
        }
        path
    }

    /// The names up to the topmost object, nearest first, and whether that object is the root.
    fn path_names(&self) -> (Vec<Arc<str>>, bool) {
        let core = self.core();
        let mut names = Vec::new();
        let mut top = None;
        let mut at = core.parent();
        while let Some((parent, name)) = at {
            names.push(name);
            at = parent.core().parent();
            top = Some(parent);
        }
        let top = top.or_else(|| core.upgrade());
        let in_tree = top.is_some_and(|top| core.root().is_some_and(|root| Arc::ptr_eq(&top, &root)));
        (names, in_tree)
    }
}

/// The part of adding a child that needs the tree lock.
fn add_locked(
    this: &Arc<dyn Object>,
    name: &str,
    child: &Arc<dyn Object>,
    held: &mut Vec<Arc<dyn Object>>,
) -> Result<Arc<str>, Refusal> {
    // A parent that is gone is none.
    if let Some((parent, _)) = child.core().parent() {
        held.push(parent);
        return Err(Refusal::HasParent);
    }
    if Arc::ptr_eq(this, child) {
        return Err(Refusal::Cycle);
    }
    let mut ancestor = this.core().parent();
    while let Some((at, _)) = ancestor {
        let is_child = Arc::ptr_eq(&at, child);
        ancestor = at.core().parent();
        held.push(at);
        if is_child {
            held.extend(ancestor.map(|(at, _)| at));
            return Err(Refusal::Cycle);
        }
    }
    let reserved = |name: &str| crate::property::access::declared(&**this, name).is_some();
    let mut node = this.core().node.write();
    let name: Arc<str> = match name.strip_suffix("[*]") {
        Some(stem) => node.children.free_name(stem, reserved),
        None if node.children.contains(name) || reserved(name) => {
            return Err(Refusal::Duplicate(name.into()));
        }
        None => name.into(),
    };
    node.indexed = true;
    drop(node);
    // In this order, so that what is found by a path has a parent.
    let mut node = child.core().node.write();
    node.parent = Some((Arc::downgrade(this), name.clone()));
    node.indexed = true;
    drop(node);
    this.core().node.write().children.insert(name.clone(), child.clone());
    this.core().shared().steps().add_child(&**this, &name, &**child);
    Ok(name)
}

impl Drop for ObjectCore {
    fn drop(&mut self) {
        let node = self.node.read();
        let links = self.own_links();
        if node.indexed || !links.is_empty() {
            let children = node.children.iter().map(|(name, _)| &**name);
            self.shared().steps().forget(self, children.chain(links.iter().map(|link| link.name())));
        }
    }
}

/// Finds an object. A path with a leading `/` starts at `root`; any other is a partial path, which is tried from
/// each object of the tree. A step is the name of a child or of a link.
///
/// # Errors
/// [`ResolveError::NotFound`]; [`ResolveError::Ambiguous`] if a partial path leads somewhere from several objects.
pub fn resolve(root: &Arc<dyn Object>, path: &str) -> Result<Arc<dyn Object>, ResolveError> {
    search(root, path, |_| true)
}

/// As [`resolve`], but sees only objects that are of the type `type_name` or implement it: what else lies at a
/// partial path makes it neither found nor ambiguous.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_type(
    root: &Arc<dyn Object>,
    path: &str,
    type_name: &str,
) -> Result<Arc<dyn Object>, ResolveError> {
    search(root, path, |object| object.class().is_a(type_name))
}

fn search(
    root: &Arc<dyn Object>,
    path: &str,
    fits: impl Fn(&dyn Object) -> bool,
) -> Result<Arc<dyn Object>, ResolveError> {
    let missing = || ResolveError::NotFound { path: path.to_owned() };
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    if path.starts_with('/') {
        return walk(root, &steps).filter(|object| fits(&**object)).ok_or_else(missing);
    }
    let Some(first) = steps.first() else {
        // No step at all leads from each object to itself.
        return one_of(everything(root).filter(|object| fits(&**object)), path);
    };
    let attempt = |limit: usize| {
        let holders = root.core().shared().steps().holders(first, limit);
        let starts = holders
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|holder| !Arc::ptr_eq(holder, root) && is_below(holder, root));
        let found = std::iter::once(root.clone())
            .chain(starts)
            .filter_map(|start| walk(&start, &steps))
            .filter(|object| fits(&**object));
        (one_of(found, path), holders.len() < limit)
    };
    // Few are enough to tell that a path is ambiguous, so many are not even copied out then.
    match attempt(FEW) {
        (Err(ResolveError::NotFound { .. }) | Ok(_), false) => attempt(usize::MAX).0,
        (result, _) => result,
    }
}

/// So many objects with a step are tried before all of them are.
const FEW: usize = 8;

/// The only object there is. As in the reference, two ways to one object are two.
fn one_of(
    mut found: impl Iterator<Item = Arc<dyn Object>>,
    path: &str,
) -> Result<Arc<dyn Object>, ResolveError> {
    match (found.next(), found.next()) {
        (Some(object), None) => Ok(object),
        (None, _) => Err(ResolveError::NotFound { path: path.to_owned() }),
        (Some(_), Some(_)) => Err(ResolveError::Ambiguous { path: path.to_owned() }),
    }
}

/// The object and all below it.
fn everything(root: &Arc<dyn Object>) -> impl Iterator<Item = Arc<dyn Object>> + use<> {
    let mut waiting = vec![root.clone()];
    std::iter::from_fn(move || {
        let at = waiting.pop()?;
        waiting.extend(at.core().children().into_iter().map(|(_, child)| child));
        Some(at)
    })
}

/// Whether one object hangs somewhere below another.
fn is_below(object: &Arc<dyn Object>, top: &Arc<dyn Object>) -> bool {
    let mut at = object.core().parent();
    while let Some((parent, _)) = at {
        if Arc::ptr_eq(&parent, top) {
            return true;
        }
        at = parent.core().parent();
    }
    false
}

fn walk(from: &Arc<dyn Object>, steps: &[&str]) -> Option<Arc<dyn Object>> {
    steps.iter().try_fold(from.clone(), |at, step| {
        at.core().child(step).or_else(|| crate::property::access::link_target(&*at, step))
    })
}
