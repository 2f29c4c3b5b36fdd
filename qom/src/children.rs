//! The children of one object: by name, in the order in which they came, and the free indices of array names.
//!
//! Looking a child up, adding one and taking one out cost the same whatever the number of siblings; taking the first
//! free index of `stem[*]` costs the logarithm of the indices that became free. Nothing here takes a lock or knows of
//! parents.

use std::collections::{BTreeSet, HashMap};
use std::hash::RandomState;
use std::sync::Arc;

use hashlink::LinkedHashMap;

use crate::object::Object;

/// An object's children.
///
/// Names come from outside, so they are hashed with a seed that nobody outside knows.
#[derive(Default)]
pub(crate) struct Children {
    by_name: LinkedHashMap<Arc<str>, Arc<dyn Object>, RandomState>,
    /// By stem, what is known of the indices of `stem[*]`; nothing where the first free one is 0.
    indices: HashMap<Box<str>, Indices>,
}

/// The indices of one stem. Those below `end` are taken, but for the free ones.
#[derive(Default)]
struct Indices {
    free: BTreeSet<usize>,
    end: usize,
}

impl Children {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<dyn Object>> {
        self.by_name.get(name)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<dyn Object>)> {
        self.by_name.iter()
    }

    /// Adds a child of a name that is free.
    pub(crate) fn insert(&mut self, name: Arc<str>, child: Arc<dyn Object>) {
        if let Some((stem, index)) = array_name(&name)
            && let Some(indices) = self.indices.get_mut(stem)
        {
            indices.free.remove(&index);
        }
        self.by_name.insert(name, child);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<dyn Object>> {
        let child = self.by_name.remove(name)?;
        if let Some((stem, index)) = array_name(name)
            && let Some(indices) = self.indices.get_mut(stem)
            && index < indices.end
        {
            indices.free.insert(index);
            if indices.free.len() == indices.end {
                self.indices.remove(stem);
            }
        }
        Some(child)
    }

    /// The name `stem[n]` with the smallest free `n`, to be inserted next. `reserved` names are never free.
    pub(crate) fn free_name(&mut self, stem: &str, reserved: impl Fn(&str) -> bool) -> Arc<str> {
        let first_free = self.indices.get(stem).and_then(|indices| indices.free.first().copied());
        if let Some(index) = first_free {
            return format!("{stem}[{index}]").into();
        }
        let mut end = self.indices.get(stem).map_or(0, |indices| indices.end);
        let name = loop {
            let name = format!("{stem}[{end}]");
            end += 1;
            if !self.contains(&name) && !reserved(&name) {
                break name;
            }
        };
        self.indices.entry(stem.into()).or_default().end = end;
        name.into()
    }
}

/// The stem and index of a name such as `device[3]`, if it is spelled as [`Children::free_name`] would spell it.
fn array_name(name: &str) -> Option<(&str, usize)> {
    let (stem, index) = name.strip_suffix(']')?.rsplit_once('[')?;
    let canonical = index == "0" || index.starts_with(|first: char| matches!(first, '1'..='9'));
    Some((stem, index.parse().ok().filter(|_| canonical)?))
}
