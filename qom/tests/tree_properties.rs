//! Any sequence of creates, parents, unparents and sets leaves the tree whole: each object has one path and each
//! path one object, and when the system goes, everything goes.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use proptest::prelude::*;
use qom::{Bootstrap, Field, Input, Instance, Link, Object, ObjectCore, Origin, Qom};

#[derive(Debug, qom::derive::Object)]
#[object(name = "thing")]
struct Thing {
    parent: ObjectCore,
    #[property(get, set, default = 1)]
    number: Field<u8>,
    #[property(get, set, link = "thing")]
    friend: Link,
    #[object(default = Field::new(None))]
    living: Field<Option<Arc<AtomicIsize>>>,
}

impl Drop for Thing {
    fn drop(&mut self) {
        if let Some(living) = self.living.get() {
            living.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Numbers name objects: the n-th made, modulo how many there are.
#[derive(Debug, Clone)]
enum Step {
    Create,
    Parent { parent: usize, name: &'static str, child: usize },
    ParentToRoot { name: &'static str, child: usize },
    Unparent(usize),
    Forget(usize),
    Link { from: usize, to: usize },
    SetNumber { of: usize, to: i64 },
    SetText { of: usize, property: String, text: String },
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop::sample::select(vec!["a", "b", "c", "n[*]", "n[1]", "type", "", "x/y"]);
    let n = 0..12_usize;
    prop_oneof![
        3 => Just(Step::Create),
        4 => (n.clone(), name.clone(), n.clone()).prop_map(|(parent, name, child)| Step::Parent { parent, name, child }),
        2 => (name, n.clone()).prop_map(|(name, child)| Step::ParentToRoot { name, child }),
        2 => n.clone().prop_map(Step::Unparent),
        1 => n.clone().prop_map(Step::Forget),
        2 => (n.clone(), n.clone()).prop_map(|(from, to)| Step::Link { from, to }),
        1 => (n.clone(), -10..300_i64).prop_map(|(of, to)| Step::SetNumber { of, to }),
        1 => (n, "[a-z]{0,8}|number|friend|type", "[ -~]{0,6}")
            .prop_map(|(of, property, text)| Step::SetText { of, property, text }),
    ]
}

fn system() -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    types.register(Thing::type_info()).unwrap();
    let accel = types.create("container").unwrap();
    types.accel_ready(accel).unwrap().seal().unwrap()
}

fn key(object: &Arc<dyn Object>) -> usize {
    Arc::as_ptr(object).cast::<()>() as usize
}

/// Walks the tree and checks each object's place against every other's.
fn check(qom: &Qom, held: &[Arc<dyn Object>]) {
    let mut paths: HashMap<String, usize> = HashMap::new();
    let mut seen: HashMap<usize, String> = HashMap::new();
    let mut waiting = vec![qom.root().clone()];
    while let Some(at) = waiting.pop() {
        let path = at.canonical_path();
        assert!(path.starts_with('/') && at.is_in_tree());
        assert!(Arc::ptr_eq(&qom.resolve(&path).unwrap(), &at), "{path}");
        assert!(paths.insert(path.clone(), key(&at)).is_none(), "two objects at {path}");
        assert!(seen.insert(key(&at), path.clone()).is_none(), "{path} is there twice");
        for (name, child) in at.core().children() {
            let (parent, known_as) = child.core().parent().unwrap();
            assert!(Arc::ptr_eq(&parent, &at) && known_as == name);
            assert_eq!(child.canonical_path(), format!("{}/{name}", path.trim_end_matches('/')));
            assert_eq!(at.get(&name).unwrap(), child.canonical_path());
            waiting.push(child);
        }
    }
    for object in held {
        assert_eq!(object.is_in_tree(), seen.contains_key(&key(object)));
        assert_eq!(object.canonical_path().starts_with('/'), object.is_in_tree());
        if let Some(friend) = object.downcast_ref::<Thing>().unwrap().friend.get() {
            let expected = seen.get(&key(&friend)).cloned().unwrap_or_default();
            assert_eq!(object.get("friend").unwrap(), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_tree_stays_whole(steps in prop::collection::vec(step(), 1..60)) {
        let qom = system();
        let living = Arc::new(AtomicIsize::new(0));
        let mut held: Vec<Arc<dyn Object>> = Vec::new();
        for step in steps {
            let pick = |n: usize| held.get(n % held.len().max(1)).cloned();
            match step {
                Step::Create => {
                    let object = qom.create("thing").unwrap();
                    object.downcast_ref::<Thing>().unwrap().living.set(Some(living.clone()));
                    living.fetch_add(1, Ordering::Relaxed);
                    held.push(object);
                }
                Step::Parent { parent, name, child } => {
                    if let (Some(parent), Some(child)) = (pick(parent), pick(child)) {
                        let had_parent = child.core().parent().is_some();
                        let before = parent.core().children().len();
                        let result = parent.add_child(name, &child);
                        prop_assert!(!(had_parent && result.is_ok()));
                        prop_assert_eq!(parent.core().children().len(), before + usize::from(result.is_ok()));
                        prop_assert_eq!(child.core().parent().is_some(), had_parent || result.is_ok());
                    }
                }
                Step::ParentToRoot { name, child } => {
                    if let Some(child) = pick(child) {
                        let _ = qom.root().add_child(name, &child);
                    }
                }
                Step::Unparent(n) => {
                    if let Some(object) = pick(n) {
                        let had_parent = object.core().parent().is_some();
                        prop_assert_eq!(object.unparent(), had_parent);
                        prop_assert!(object.core().parent().is_none());
                    }
                }
                Step::Forget(n) => {
                    if !held.is_empty() {
                        held.swap_remove(n % held.len());
                    }
                }
                Step::Link { from, to } => {
                    if let (Some(from), Some(to)) = (pick(from), pick(to)) {
                        let path = to.canonical_path();
                        if to.is_in_tree() {
                            from.set("friend", &Input::Text(&path), Origin::Monitor).unwrap();
                            prop_assert_eq!(from.get("friend").unwrap(), path);
                        } else {
                            from.downcast_ref::<Thing>().unwrap().friend.set(Some(&to));
                        }
                    }
                }
                Step::SetNumber { of, to } => {
                    if let Some(object) = pick(of) {
                        let before = object.get("number").unwrap();
                        let value = serde_json::json!(to);
                        let result = object.set("number", &Input::Json(&value), Origin::Monitor);
                        prop_assert_eq!(result.is_ok(), u8::try_from(to).is_ok());
                        prop_assert_eq!(object.get("number").unwrap(), if result.is_ok() { value } else { before });
                    }
                }
                Step::SetText { of, property, text } => {
                    if let Some(object) = pick(of) {
                        let _ = object.set(&property, &Input::Text(&text), Origin::Monitor);
                    }
                }
            }
            check(&qom, &held);
        }
        // Everything goes with what holds it: first the tree, then our own references.
        drop(qom);
        prop_assert!(held.iter().all(|object| !object.is_in_tree()));
        held.clear();
        prop_assert_eq!(living.load(Ordering::Relaxed), 0);
    }
}
