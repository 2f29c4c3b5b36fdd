//! The type registry and its phases.
//!
//! The registry is a value that belongs to one virtual machine. It goes through three phases, each a Rust type
//! of its own, so that what is impossible in a phase cannot be written down:
//!
//! 1. [`Bootstrap`]: the types that registered at link time. Accelerators can be made, and nothing is known of
//!    types that depend on them.
//! 2. [`AccelReady`]: an accelerator is initialised. The [`PostAccelInit`] hooks register what depends on it (CPU classes).
//! 3. [`Qom`]: sealed. The set of types never changes again and is read without a lock.
//!
//! `inventory` gives its entries in no order and takes duplicates in silence. So entries are sorted, and a duplicate,
//! an unknown parent or a cycle is an error that names the crates.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, btree_map};
use std::sync::{Arc, OnceLock};

use crate::class::{Class, Implements};
use crate::error::{CreateError, LookupError, RegistryError};
use crate::object::{Object, Seed};
use crate::system::{Qom, Shared};
use crate::type_info::{ClassInitFn, Site, TypeInfo, TypeRegistration, TypeTableRegistration};

/// A function that runs once the accelerator is initialised and registers the types that depend on it.
#[derive(Debug, Clone, Copy)]
pub struct PostAccelInit {
    /// The hook's name; hooks run in the order of their names.
    pub name: &'static str,
    /// The abstract type whose subclasses the hook registers.
    pub parent: &'static str,
    /// Whether a type name is one that the hook would register: makes a look-up before the hook ran an error
    /// that says so.
    pub claims: fn(&str) -> bool,
    /// Where the hook is declared: [`site!`](crate::site!).
    pub site: Site,
    /// Registers.
    pub run: fn(&mut AccelReady) -> Result<(), RegistryError>,
}

inventory::collect!(PostAccelInit);

struct Entry {
    info: TypeInfo,
    class: OnceLock<Arc<Class>>,
    /// Set once its whole lineage is known to be in order. Types are only ever added, so this stays true.
    sound: OnceLock<Sound>,
}

/// What is known of a type whose lineage is in order.
struct Sound {
    /// Whether it or an ancestor can be made.
    constructible: bool,
    parent: Option<Arc<Entry>>,
}

/// All types by name, each with its class once somebody asked for it.
#[derive(Default)]
pub(crate) struct TypeTable {
    // Entries are large, and a tree moves them about while it grows.
    entries: BTreeMap<Cow<'static, str>, Arc<Entry>>,
}

impl TypeTable {
    fn register(&mut self, info: TypeInfo) -> Result<(), RegistryError> {
        match self.entries.entry(info.name.clone()) {
            btree_map::Entry::Vacant(place) => {
                let entry = Entry { info, class: OnceLock::new(), sound: OnceLock::new() };
                place.insert(Arc::new(entry));
                Ok(())
            }
            btree_map::Entry::Occupied(place) => {
                let other = place.get().info.site;
                let (first, second) = (other.min(info.site), other.max(info.site));
                Err(RegistryError::Duplicate {
                    name: info.name().to_owned(),
                    first: first.krate,
                    first_at: first.to_string(),
                    second: second.krate,
                    second_at: second.to_string(),
                })
            }
        }
    }

    /// Every parent and interface is known and of the right kind, no type is its own ancestor, every concrete type can
    /// be made. What is missing and `expected` is no mistake. Types that an earlier check found in order are not looked at
    /// again, nor is any type for everything that builds on it.
    fn check(&self, expected: impl Fn(&str) -> bool) -> Result<(), RegistryError> {
        for entry in self.entries.values() {
            if entry.sound.get().is_some() {
                continue;
            }
            let mut lineage: Vec<&Arc<Entry>> = Vec::new();
            let mut at = entry;
            // Whether nothing is missing, expected or not.
            let mut complete = true;
            let (mut constructible, mut parent) = loop {
                if let Some(sound) = at.sound.get() {
                    break (sound.constructible, Some(at));
                }
                if lineage.len() > self.entries.len() {
                    return Err(self.cycle(&at.info));
                }
                complete &= self.check_interfaces(&at.info, &expected)?;
                lineage.push(at);
                let Some(parent) = &at.info.parent else { break (false, None) };
                at = match self.entries.get(parent.as_ref()) {
                    Some(parent) if parent.info.is_interface != at.info.is_interface => {
                        return Err(wrong_kind(&at.info, parent.info.name()));
                    }
                    Some(parent) => parent,
                    None if expected(parent) => {
                        complete = false;
                        break (true, None);
                    }
                    None => {
                        return Err(RegistryError::UnknownParent {
                            name: at.info.name().to_owned(),
                            parent: parent.to_string(),
                            krate: at.info.site.krate,
                        });
                    }
                };
            };
            for ancestor in lineage.into_iter().rev() {
                constructible |= ancestor.info.construct.is_some();
                if complete {
                    let _ = ancestor.sound.set(Sound { constructible, parent: parent.cloned() });
                }
                parent = Some(ancestor);
            }
            if !constructible && !entry.info.is_abstract {
                return Err(RegistryError::NoConstructor { name: entry.info.name().to_owned() });
            }
        }
        Ok(())
    }

    /// The error about the cycle that a type is on.
    fn cycle(&self, on: &TypeInfo) -> RegistryError {
        let mut types = vec![(on.name().to_owned(), on.site.krate)];
        let mut at = on.parent.as_deref();
        while let Some(info) = at.filter(|name| *name != on.name()).and_then(|name| self.info(name)) {
            types.push((info.name().to_owned(), info.site.krate));
            at = info.parent.as_deref();
        }
        // From the first in order, whichever type the cycle was found from.
        let first = types.iter().enumerate().min_by(|a, b| a.1.cmp(b.1)).map_or(0, |(at, _)| at);
        types.rotate_left(first);
        RegistryError::Cycle { types }
    }

    /// Whether all interfaces are there, and none is merely expected.
    fn check_interfaces(
        &self,
        info: &TypeInfo,
        expected: impl Fn(&str) -> bool,
    ) -> Result<bool, RegistryError> {
        let mut complete = true;
        for interface in &info.interfaces {
            match self.entries.get(interface.name()) {
                Some(entry) if entry.info.is_interface && !info.is_interface => (),
                Some(_) => return Err(wrong_kind(info, interface.name())),
                None if expected(interface.name()) => complete = false,
                None => {
                    return Err(RegistryError::UnknownInterface {
                        name: info.name().to_owned(),
                        interface: interface.name().to_owned(),
                        krate: info.site.krate,
                    });
                }
            }
        }
        Ok(complete)
    }

    /// The name of the first ancestor or interface without which the class cannot be built; the type's own
    /// name if it is unknown or its own ancestor. None if nothing is missing.
    fn missing<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut at = name;
        for _ in 0..=self.entries.len() {
            let Some(entry) = self.entries.get(at) else { return Some(at) };
            if entry.class.get().is_some() {
                return None;
            }
            for interface in &entry.info.interfaces {
                let lineage = std::iter::successors(Some(interface.name()), |name| {
                    self.entries.get(*name).and_then(|entry| entry.info.parent.as_deref())
                });
                for (depth, name) in lineage.enumerate() {
                    if depth > self.entries.len() || !self.entries.contains_key(name) {
                        return Some(name);
                    }
                }
            }
            match &entry.info.parent {
                Some(parent) => at = parent,
                None => return None,
            }
        }
        Some(name)
    }

    /// The class of a type, built at the first look. None if the type or something that it builds on is unknown.
    pub(crate) fn class(&self, name: &str) -> Option<&Arc<Class>> {
        let entry = self.entries.get(name)?;
        if let Some(class) = entry.class.get() {
            return Some(class);
        }
        if self.missing(name).is_some() {
            return None;
        }
        let parent = match &entry.info.parent {
            Some(parent) => Some(self.class(parent)?.clone()),
            None => None,
        };
        Some(entry.class.get_or_init(|| {
            let implements = self.implements(&entry.info);
            let tables = self.method_tables(&implements, parent.as_deref());
            Arc::new(Class::build(&entry.info, parent, implements, &tables))
        }))
    }

    /// The class inits of the interfaces that a type adds to its parent's, extended interfaces first: they give the
    /// class the interfaces' method tables.
    fn method_tables(&self, implements: &[Implements], parent: Option<&Class>) -> Vec<ClassInitFn> {
        let mut tables: Vec<&TypeInfo> = Vec::new();
        for one in implements.iter().rev() {
            let known = parent.is_some_and(|parent| parent.is_a(&one.name))
                || tables.iter().any(|info| info.name() == one.name);
            if !known {
                tables.extend(self.info(&one.name));
            }
        }
        tables.into_iter().flat_map(|info| info.class_init.iter().cloned()).collect()
    }

    /// What a type itself implements: its interfaces, each followed by those that it extends.
    fn implements(&self, info: &TypeInfo) -> Vec<Implements> {
        let mut all: Vec<Implements> = Vec::new();
        for interface in &info.interfaces {
            let mut cast = Some(interface.clone());
            let mut at = self.entries.get(interface.name());
            while let Some(entry) = at {
                all.push(Implements { name: entry.info.name().to_owned(), cast: cast.clone() });
                cast = cast.and_then(|cast| entry.info.upcast.as_ref().and_then(|upcast| upcast(&cast)));
                at = entry.info.parent.as_deref().and_then(|parent| self.entries.get(parent));
            }
        }
        all
    }

    /// The names of all types that are, implement or extend `wanted`, or of all types, in order.
    pub(crate) fn names(&self, wanted: Option<&str>, include_abstract: bool) -> Vec<&str> {
        // Nothing is a type that there is not.
        let wanted = wanted.map(|name| self.entries.get(name));
        self.entries
            .values()
            .filter(|entry| include_abstract || !entry.info.is_abstract)
            .filter(|entry| match wanted {
                None => true,
                Some(wanted) => wanted.is_some_and(|wanted| self.is_a(entry, wanted)),
            })
            .map(|entry| entry.info.name())
            .collect()
    }

    /// Whether a type is, implements or extends another one.
    fn is_a(&self, entry: &Entry, wanted: &Arc<Entry>) -> bool {
        let mut lineage = std::iter::successors(Some(entry), |entry| entry.sound.get()?.parent.as_deref());
        lineage.any(|entry| {
            std::ptr::eq(entry, Arc::as_ptr(wanted))
                || wanted.info.is_interface
                    && entry.info.interfaces.iter().any(|interface| {
                        let interface = self.entries.get(interface.name());
                        interface.is_some_and(|interface| self.is_a(interface, wanted))
                    })
        })
    }

    pub(crate) fn info(&self, name: &str) -> Option<&TypeInfo> {
        self.entries.get(name).map(|entry| &entry.info)
    }

    pub(crate) fn create(&self, shared: &Arc<Shared>, name: &str) -> Result<Arc<dyn Object>, CreateError> {
        let class = self.class(name).ok_or_else(|| LookupError::Unknown { name: name.to_owned() })?;
        let construct = match class.constructor() {
            Some(construct) if !class.is_abstract() => construct,
            _ => return Err(CreateError::Abstract { name: name.to_owned() }),
        };
        let object = construct(Seed { class: class.clone(), shared: shared.clone() });
        for (property, value) in class.default_overrides() {
            object.set(property, &crate::Input::Json(value), crate::Origin::Default).map_err(|source| {
                CreateError::Default {
                    type_name: name.to_owned(),
                    property: property.to_owned(),
                    source: Box::new(source),
                }
            })?;
        }
        class.run_init(&*object, false);
        shared.apply_globals(&*object)?;
        class.run_init(&*object, true);
        Ok(object)
    }
}

fn wrong_kind(info: &TypeInfo, other: &str) -> RegistryError {
    RegistryError::WrongKind { name: info.name().to_owned(), other: other.to_owned(), krate: info.site.krate }
}

/// The first phase: link-time types, no accelerator.
pub struct Bootstrap {
    types: TypeTable,
    hooks: Vec<PostAccelInit>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bootstrap").field("types", &self.types.entries.len()).finish_non_exhaustive()
    }
}

impl Bootstrap {
    /// A registry with the types of this crate alone (`object`, `container`, `device`, …), to be filled by hand:
    /// for tests, Miri and platforms where link-time registration does not run.
    ///
    /// # Panics
    /// Never: the types of this crate have distinct names.
    #[must_use]
    pub fn empty() -> Self {
        let mut types = TypeTable::default();
        for info in crate::builtin_types() {
            if let Err(error) = types.register(info) {
                unreachable!("{error}");
            }
        }
        Self { types, hooks: Vec::new(), shared: Arc::default() }
    }

    /// A registry with all types and hooks that registered at link time.
    ///
    /// # Errors
    /// [`RegistryError::Empty`] if none did; [`RegistryError::Duplicate`].
    pub fn from_link_time() -> Result<Self, RegistryError> {
        let mut infos: Vec<TypeInfo> =
            inventory::iter::<TypeRegistration>.into_iter().map(|registration| (registration.0)()).collect();
        infos.extend(inventory::iter::<TypeTableRegistration>.into_iter().flat_map(|table| (table.0)()));
        if infos.is_empty() {
            return Err(RegistryError::Empty);
        }
        infos.sort_by(|a, b| (a.name(), a.site).cmp(&(b.name(), b.site)));
        let mut this = Self::empty();
        for info in infos {
            this.register(info)?;
        }
        for hook in inventory::iter::<PostAccelInit> {
            this.add_hook(*hook);
        }
        Ok(this)
    }

    /// Registers one more type.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`].
    pub fn register(&mut self, info: TypeInfo) -> Result<(), RegistryError> {
        self.types.register(info)
    }

    /// Adds one more hook.
    pub fn add_hook(&mut self, hook: PostAccelInit) {
        self.hooks.push(hook);
    }

    /// A class that needs no accelerator.
    ///
    /// # Errors
    /// [`LookupError::TooEarly`] for a type that a hook will register, or that builds on one; else
    /// [`LookupError::Unknown`], also if an ancestor is unknown or the type is its own ancestor.
    pub fn class(&self, name: &str) -> Result<&Arc<Class>, LookupError> {
        self.types.class(name).ok_or_else(|| {
            let missing = self.types.missing(name).unwrap_or(name);
            match self.hooks.iter().find(|hook| (hook.claims)(missing)) {
                Some(hook) => {
                    LookupError::TooEarly { name: name.to_owned(), hook: hook.name, parent: hook.parent }
                }
                None => LookupError::Unknown { name: name.to_owned() },
            }
        })
    }

    /// Makes an object, which for this phase means an accelerator.
    ///
    /// # Errors
    /// [`CreateError`]; a type that a hook will register is [`LookupError::TooEarly`].
    pub fn create(&self, name: &str) -> Result<Arc<dyn Object>, CreateError> {
        self.class(name)?;
        self.types.create(&self.shared, name)
    }

    /// Goes on to the second phase with an initialised accelerator and runs the hooks.
    ///
    /// # Errors
    /// A hook's error, or what is wrong with the types.
    pub fn accel_ready(mut self, accel: Arc<dyn Object>) -> Result<AccelReady, RegistryError> {
        self.types.check(|name| self.hooks.iter().any(|hook| (hook.claims)(name)))?;
        self.hooks.sort_by_key(|hook| (hook.name, hook.site));
        if let Some(pair) = self.hooks.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(RegistryError::DuplicateHook {
                hook: pair[0].name,
                first: pair[0].site.krate,
                first_at: pair[0].site.to_string(),
                second: pair[1].site.krate,
                second_at: pair[1].site.to_string(),
            });
        }
        let mut ready =
            AccelReady { types: self.types, shared: self.shared, accel, values: Values::default() };
        for hook in self.hooks {
            (hook.run)(&mut ready)?;
        }
        Ok(ready)
    }
}

/// The second phase: the accelerator is initialised, types that depend on it are being registered.
pub struct AccelReady {
    types: TypeTable,
    shared: Arc<Shared>,
    accel: Arc<dyn Object>,
    values: Values,
}

/// What hooks leave for the sealed system, by Rust type.
pub(crate) type Values = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

impl std::fmt::Debug for AccelReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccelReady").field("accel", &self.accel).finish_non_exhaustive()
    }
}

impl AccelReady {
    /// The accelerator.
    #[must_use]
    pub fn accel(&self) -> &Arc<dyn Object> {
        &self.accel
    }

    /// Registers one more type.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`].
    pub fn register(&mut self, info: TypeInfo) -> Result<(), RegistryError> {
        self.types.register(info)
    }

    /// Leaves a value for the sealed system, where [`Qom::value`] finds it by its Rust type without a class having to be
    /// built. A later value of the same type takes the place of the former.
    pub fn leave<T: Any + Send + Sync>(&mut self, value: Arc<T>) {
        self.values.insert(TypeId::of::<T>(), value);
    }

    /// Goes on to the last phase: from here on the set of types is immutable.
    ///
    /// # Errors
    /// What is wrong with the types.
    pub fn seal(self) -> Result<Arc<Qom>, RegistryError> {
        self.types.check(|_| false)?;
        Ok(Qom::new(self.types, self.shared, self.accel, self.values))
    }
}
