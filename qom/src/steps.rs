//! The index behind partial paths: from a step to the objects in which it exists.
//!
//! A partial path may start anywhere, so its first step is looked up here instead of in every object of the tree. A step
//! is the name of a child or of a link. An object stands here under the names of its children and of the links that are its
//! own, wherever it hangs, and under the names of its class's links while it has a parent; so a subtree that comes or goes as a whole needs no
//! change here, and whoever asks checks that what he gets hangs where he looks.
//!
//! The index is changed under the tree's lock, and by the drop of an object. It has a lock of its own, held for
//! moments, under which no other is taken, nothing is upgraded and so nothing dropped: references are weak here.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::{Arc, Weak};

use indexmap::IndexMap;
use parking_lot::RwLock;

use crate::bus::Bus;
use crate::class::Class;
use crate::object::{Instance, Object};

/// From steps to objects.
#[derive(Default)]
pub(crate) struct Steps(RwLock<Index>);

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steps").field("names", &self.0.read().holders.len()).finish()
    }
}

#[derive(Default)]
struct Index {
    holders: HashMap<Arc<str>, Holders>,
    /// The names of each class's links. The weak reference keeps the address from being that of another class.
    links: HashMap<usize, (Weak<Class>, Names)>,
}

type Names = Arc<[Arc<str>]>;

/// Under this name stand the buses, which may have any link of that form. No child and no property has the name.
const ON_BUS: &str = "child[*]";

/// The objects that have one step: one, mostly.
enum Holders {
    One(Weak<dyn Object>),
    Many(IndexMap<usize, Weak<dyn Object>, RandomState>),
}

fn address(object: &Weak<dyn Object>) -> usize {
    object.as_ptr().cast::<()>().addr()
}

impl Index {
    fn add(&mut self, step: &Arc<str>, holder: &Weak<dyn Object>) {
        use std::collections::hash_map::Entry;
        match self.holders.entry(step.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Holders::One(holder.clone()));
            }
            Entry::Occupied(mut occupied) => match occupied.get_mut() {
                Holders::One(other) if other.ptr_eq(holder) => (),
                Holders::One(other) => {
                    let both = [other.clone(), holder.clone()].map(|one| (address(&one), one));
                    occupied.insert(Holders::Many(both.into_iter().collect()));
                }
                Holders::Many(holders) => {
                    holders.insert(address(holder), holder.clone());
                }
            },
        }
    }

    fn remove(&mut self, step: &str, holder: &Weak<dyn Object>) {
        let empty = match self.holders.get_mut(step) {
            None => false,
            Some(Holders::One(one)) => one.ptr_eq(holder),
            Some(Holders::Many(holders)) => {
                holders.swap_remove(&address(holder));
                holders.is_empty()
            }
        };
        if empty {
            self.holders.remove(step);
        }
    }

    fn links(&mut self, class: &Arc<Class>) -> Names {
        let (_, names) = self.links.entry(Arc::as_ptr(class).addr()).or_insert_with(|| {
            let links = class.properties().filter(|property| property.is_link());
            let names = links.map(|property| Arc::from(property.name()));
            // A bus's links to its devices change too often to be listed one by one.
            let on_bus = class.is_a(Bus::TYPE_NAME).then(|| Arc::from(ON_BUS));
            (Arc::downgrade(class), names.chain(on_bus).collect())
        });
        names.clone()
    }
}

impl Steps {
    /// A parent took in a child.
    pub(crate) fn add_child(&self, parent: &dyn Object, name: &Arc<str>, child: &dyn Object) {
        let mut index = self.0.write();
        index.add(name, parent.core().weak());
        for link in index.links(child.class()).iter() {
            index.add(link, child.core().weak());
        }
    }

    /// A parent lost a child.
    pub(crate) fn remove_child(&self, parent: &dyn Object, name: &str, child: &dyn Object) {
        let mut index = self.0.write();
        index.remove(name, parent.core().weak());
        for link in index.links(child.class()).iter() {
            index.remove(link, child.core().weak());
        }
    }

    /// An object got a link of its own.
    pub(crate) fn add_link(&self, object: &dyn Object, name: &str) {
        self.0.write().add(&Arc::from(name), object.core().weak());
    }

    /// An object lost a link of its own.
    pub(crate) fn remove_link(&self, object: &dyn Object, name: &str) {
        self.0.write().remove(name, object.core().weak());
    }

    /// An object is being dropped that had these children and links of its own.
    pub(crate) fn forget<'a>(&self, object: &dyn Object, names: impl Iterator<Item = &'a str>) {
        let mut index = self.0.write();
        for name in names {
            index.remove(name, object.core().weak());
        }
        for link in index.links(object.class()).iter() {
            index.remove(link, object.core().weak());
        }
    }

    /// Keeps the index locked.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Drop + '_ {
        self.0.write()
    }

    /// At most `limit` of the objects in which the step exists, buses that may have such a link among them.
    pub(crate) fn holders(&self, step: &str, limit: usize) -> Vec<Weak<dyn Object>> {
        let index = self.0.read();
        let mut found = Vec::new();
        let names = std::iter::once(step).chain(step.starts_with("child[").then_some(ON_BUS));
        for holders in names.filter_map(|name| index.holders.get(name)) {
            let more: Vec<Weak<dyn Object>> = match holders {
                Holders::One(holder) => vec![holder.clone()],
                Holders::Many(holders) => holders.values().take(limit).cloned().collect(),
            };
            // A bus may have a child of that name besides.
            let known = std::mem::replace(&mut found, more);
            found.retain(|holder| !known.iter().any(|other| other.ptr_eq(holder)));
            found.extend(known);
        }
        found.truncate(limit);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::Holders;
    use crate::{Bootstrap, Instance, Link, Object, ObjectCore};

    #[derive(Debug, qom_derive::Object)]
    #[object(name = "linked")]
    struct Linked {
        parent: ObjectCore,
        #[property(get, set, link = "linked")]
        friend: Link,
    }

    /// The steps that are known, sorted, with the number of their holders.
    fn known(root: &dyn Object) -> Vec<(String, usize)> {
        let index = root.core().shared().steps().0.read();
        let count = |holders: &Holders| match holders {
            Holders::One(_) => 1,
            Holders::Many(holders) => holders.len(),
        };
        let mut known: Vec<_> =
            index.holders.iter().map(|(step, holders)| (step.to_string(), count(holders))).collect();
        known.sort();
        known
    }

    #[test]
    fn only_what_is_there_is_known() {
        let mut types = Bootstrap::empty();
        types.register(Linked::type_info()).expect("a new name");
        let accel = types.create("container").expect("a known type");
        let qom = types.accel_ready(accel).expect("sound types").seal().expect("sound types");
        let root = &**qom.root();
        let linked = || qom.create("linked").expect("a known type");
        let known_as = |expected: &[(&str, usize)]| {
            let expected: Vec<_> =
                expected.iter().map(|(step, count)| ((*step).to_owned(), *count)).collect();
            assert_eq!(known(root), expected);
        };
        known_as(&[]);
        let (a, b, c) = (linked(), linked(), linked());
        known_as(&[]);
        root.add_child("a", &a).expect("a free name");
        a.add_child("x", &b).expect("a free name");
        b.add_child("x", &c).expect("a free name");
        known_as(&[("a", 1), ("friend", 3), ("x", 2)]);
        assert!(c.unparent());
        known_as(&[("a", 1), ("friend", 2), ("x", 1)]);
        b.add_child("x", &c).expect("a free name");
        // A subtree goes and comes back as a whole.
        assert!(a.unparent());
        known_as(&[("friend", 2), ("x", 2)]);
        root.add_child("a", &a).expect("a free name");
        known_as(&[("a", 1), ("friend", 3), ("x", 2)]);
        // What is dropped is forgotten with all that it held.
        drop(b);
        assert!(a.unparent());
        drop(a);
        known_as(&[("friend", 1)]);
        drop(c);
        known_as(&[]);
    }
}
