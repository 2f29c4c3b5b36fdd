//! One virtual machine's object system, sealed: its types, its global properties and its composition tree.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::class::Class;
use crate::error::{CreateError, Error, LookupError, ResolveError};
use crate::global::GlobalProperty;
use crate::object::{Instance, Obj, Object};
use crate::registry::{TypeTable, Values};
use crate::steps::Steps;
use crate::tree;

/// Where a warning goes: called with its text, without `warning: `.
#[derive(Clone)]
struct WarningSink(Arc<dyn Fn(&str) + Send + Sync>);

impl std::fmt::Debug for WarningSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WarningSink")
    }
}

/// What all objects of a system share: the tree lock, the index of steps, the global properties, the way to the root.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    tree: Mutex<()>,
    steps: Steps,
    globals: RwLock<Vec<Arc<GlobalProperty>>>,
    root: OnceLock<Weak<dyn Object>>,
    /// Held while the counts of a subtree's resets change.
    reset: Mutex<()>,
    /// For each bus type, the number of its next bus that is named after it.
    bus_numbers: Mutex<HashMap<Box<str>, usize>>,
    constructions: AtomicU64,
    warnings: RwLock<Option<WarningSink>>,
    /// Whether a global property that does not fit is passed over.
    lenient: AtomicBool,
}

impl Shared {
    pub(crate) fn tree_lock(&self) -> MutexGuard<'_, ()> {
        self.tree.lock()
    }

    pub(crate) fn reset_lock(&self) -> MutexGuard<'_, ()> {
        self.reset.lock()
    }

    pub(crate) fn next_bus_number(&self, type_name: &str) -> usize {
        let mut numbers = self.bus_numbers.lock();
        let next = numbers.entry(type_name.into()).or_default();
        *next += 1;
        *next - 1
    }

    /// Where partial paths can start. Changed under the tree lock.
    pub(crate) fn steps(&self) -> &Steps {
        &self.steps
    }

    pub(crate) fn root(&self) -> Option<Arc<dyn Object>> {
        self.root.get().and_then(Weak::upgrade)
    }

    pub(crate) fn count_construction(&self) {
        self.constructions.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells the user something. Called without a lock held.
    pub(crate) fn warn(&self, text: &str) {
        let sink = self.warnings.read().clone();
        if let Some(WarningSink(sink)) = sink {
            sink(text);
        }
    }

    pub(crate) fn apply_globals(&self, object: &dyn Object) -> Result<(), CreateError> {
        // Copied out: a setter may run any code, and no lock is held while it does.
        let globals = self.globals.read().clone();
        let lenient = self.lenient.load(Ordering::Relaxed);
        globals.iter().try_for_each(|global| match global.apply(object) {
            Err(error) if lenient => {
                self.warn(&error.to_string());
                Ok(())
            }
            outcome => outcome,
        })
    }
}

/// A sealed object system: the third phase of the registry, and the tree of the objects.
pub struct Qom {
    types: TypeTable,
    shared: Arc<Shared>,
    accel: Arc<dyn Object>,
    values: Values,
    root: Arc<dyn Object>,
}

impl std::fmt::Debug for Qom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qom").field("accel", &self.accel).finish_non_exhaustive()
    }
}

impl Qom {
    pub(crate) fn new(
        types: TypeTable,
        shared: Arc<Shared>,
        accel: Arc<dyn Object>,
        values: Values,
    ) -> Arc<Self> {
        let root = match types.create(&shared, crate::Container::TYPE_NAME) {
            Ok(root) => root,
            Err(error) => unreachable!("'container' is a type of this crate without properties: {error}"),
        };
        // A fresh system has no root yet, so this cannot be refused.
        let _ = shared.root.set(Arc::downgrade(&root));
        Arc::new(Self { types, shared, accel, values, root })
    }

    /// The accelerator that the types were registered for.
    #[must_use]
    pub fn accel(&self) -> &Arc<dyn Object> {
        &self.accel
    }

    /// The value of a Rust type that a hook left with [`AccelReady::leave`](crate::AccelReady::leave).
    #[must_use]
    pub fn value<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.values.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// The root of the composition tree.
    #[must_use]
    pub fn root(&self) -> &Arc<dyn Object> {
        &self.root
    }

    /// A class by its type name.
    ///
    /// # Errors
    /// [`LookupError::Unknown`].
    pub fn class(&self, name: &str) -> Result<&Arc<Class>, LookupError> {
        self.types.class(name).ok_or_else(|| LookupError::Unknown { name: name.to_owned() })
    }

    /// The names of all types, sorted, that are or implement `implements` (all if none is given). Builds no class.
    #[must_use]
    pub fn type_names(&self, implements: Option<&str>, include_abstract: bool) -> Vec<&str> {
        self.types.names(implements, include_abstract)
    }

    /// Whether a type is abstract; none if there is no such type. Builds no class.
    #[must_use]
    pub fn is_abstract(&self, name: &str) -> Option<bool> {
        self.types.info(name).map(|info| info.is_abstract)
    }

    /// The parent of a type. Builds no class.
    #[must_use]
    pub fn parent_name(&self, name: &str) -> Option<&str> {
        self.types.info(name).and_then(|info| info.parent.as_deref())
    }

    /// Adds a global property. It concerns objects made from now on. Globals are applied in the order of
    /// their origin's strength, and among equals in the order in which they were added.
    pub fn add_global(&self, global: GlobalProperty) {
        let mut globals = self.shared.globals.write();
        let at = globals.partition_point(|other| other.origin <= global.origin);
        globals.insert(at, Arc::new(global));
    }

    /// From now on a global property that does not fit a new object is told of and passed over, instead of being an
    /// error: a program says so once its machine is made, as later objects are of its monitors' asking.
    pub fn pass_over_globals(&self) {
        self.shared.lenient.store(true, Ordering::Relaxed);
    }

    /// All global properties, weakest first.
    #[must_use]
    pub fn globals(&self) -> Vec<Arc<GlobalProperty>> {
        self.shared.globals.read().clone()
    }

    /// What there is to tell the user about global properties that had no effect, in the order of
    /// [`globals`](Self::globals): asked once the machine is made.
    #[must_use]
    pub fn global_warnings(&self) -> Vec<String> {
        let class = |name: &str| self.class(name).ok().map(|class| &**class);
        self.globals().iter().filter_map(|global| global.warning(class(&global.driver))).collect()
    }

    /// Says where warnings go (the use of a deprecated property); nowhere until then.
    pub fn on_warning(&self, sink: impl Fn(&str) + Send + Sync + 'static) {
        *self.shared.warnings.write() = Some(WarningSink(Arc::new(sink)));
    }

    /// How many objects were constructed in this system: introspection of classes leaves it as it is.
    #[must_use]
    pub fn constructions(&self) -> u64 {
        self.shared.constructions.load(Ordering::Relaxed)
    }

    /// Makes an object and applies the global properties. It hangs nowhere yet.
    ///
    /// # Errors
    /// [`CreateError`].
    pub fn create(&self, name: &str) -> Result<Arc<dyn Object>, CreateError> {
        self.types.create(&self.shared, name)
    }

    /// Makes an object of a Rust type.
    ///
    /// # Errors
    /// [`CreateError`].
    pub fn create_of<T: Instance>(&self) -> Result<Obj<T>, CreateError> {
        let object = self.create(T::TYPE_NAME)?;
        Obj::new(object).map_err(|object| CreateError::Abstract { name: object.class().name().to_owned() })
    }

    /// Finds an object by an absolute (`/machine/peripheral/cpu1`) or partial (`cpu1`) path.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn resolve(&self, path: &str) -> Result<Arc<dyn Object>, ResolveError> {
        tree::resolve(&self.root, path)
    }

    /// Finds an object of a Rust type.
    ///
    /// # Errors
    /// [`ResolveError`], [`ResolveError::WrongType`] included.
    pub fn resolve_as<T: Instance>(&self, path: &str) -> Result<Obj<T>, ResolveError> {
        Obj::new(self.resolve(path)?).map_err(|object| ResolveError::WrongType {
            path: path.to_owned(),
            expected: T::TYPE_NAME.to_owned(),
            found: object.class().name().to_owned(),
        })
    }

    /// The container at an absolute path, made with its ancestors where it does not exist.
    ///
    /// # Errors
    /// [`ResolveError::WrongType`] if what lies there is no container, or what is wrong with the path.
    pub fn container(&self, path: &str) -> Result<Arc<dyn Object>, Error> {
        let mut steps = path.split('/').filter(|step| !step.is_empty());
        let found = steps.try_fold(self.root.clone(), |at, step| match at.core().child(step) {
            Some(child) => Ok::<_, Error>(child),
            None => {
                let child = self.create(crate::Container::TYPE_NAME)?;
                at.add_child(step, &child)?;
                Ok(child)
            }
        })?;
        if !found.class().is_a(crate::Container::TYPE_NAME) {
            return Err(Error::Resolve(ResolveError::WrongType {
                path: path.to_owned(),
                expected: crate::Container::TYPE_NAME.to_owned(),
                found: found.class().name().to_owned(),
            }));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use crate::{Bootstrap, Class, Device};

    /// While one thread holds the tree's lock, the index's, the global properties' and those of every object, another reads
    /// classes to its end.
    #[test]
    fn sealed_classes_are_read_without_a_lock() {
        let types = Bootstrap::empty();
        let accel = types.create("container").expect("a known type");
        let qom = types.accel_ready(accel).expect("sound types").seal().expect("sound types");
        let (done, finished) = mpsc::channel();
        let objects = (qom.root().core().hold(), qom.accel().core().hold());
        let shared = (qom.shared.tree_lock(), qom.shared.steps().hold(), qom.shared.globals.write());
        let reader = thread::spawn({
            let qom = qom.clone();
            move || {
                let class = qom.class("device").expect("a known type");
                assert!(class.is_a("object") && !class.is_a("container"));
                assert_eq!(class.lineage().map(Class::name).collect::<Vec<_>>(), ["device", "object"]);
                assert_eq!(class.property("realized").map(crate::Property::type_name), Some("bool"));
                assert!(class.properties().len() > 3 && class.default_value("realized").is_none());
                assert!(crate::device::device_class(class).is_some());
                assert!(qom.type_names(Some("object"), true).contains(&"device"));
                assert_eq!(
                    (qom.is_abstract("device"), qom.parent_name("device")),
                    (Some(true), Some("object"))
                );
                assert!(qom.root().downcast_ref::<Device>().is_none(), "casts ask the class, too");
                assert_eq!(qom.root().class().name(), "container");
                // Gone only if the wait below was given up.
                let _ = done.send(());
            }
        });
        let result = finished.recv_timeout(Duration::from_secs(120));
        assert_ne!(result, Err(mpsc::RecvTimeoutError::Timeout), "the reader waits for a lock");
        drop((shared, objects));
        reader.join().expect("what the reader found is right");
    }
}
