//! Reset in three phases, down the tree of devices and buses.
//!
//! An object that can be reset is [`Resettable`]: devices, whose children are their buses; buses, whose children are
//! the devices on them; and [`ResettableContainer`]s for what has no bus. [`assert_reset`] brings a whole subtree into
//! reset: *enter* of every object (it may not touch others), and when all have done so *hold* (it may, for
//! example to lower an interrupt line). [`release_reset`] lets the subtree go: *exit*. In each phase children come before
//! their parent.
//!
//! Resets are counted: an object that is held in reset twice leaves it with the second release, and its methods run
//! once. All counts of a subtree change in one step, under one lock of the system that is held while no method runs;
//! the methods then run on the thread that resets. An object takes part from the moment it is realized: if what it hangs
//! on is in reset then, so is it.
//!
//! Two threads may reset at a time, and the counts stay right; but which of them runs a method first is then open, so
//! a machine resets from one thread.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use qom_derive::Object;
use thiserror::Error as ThisError;

use crate::bus::Bus;
use crate::device::Device;
use crate::interface::Interface;
use crate::object::{Obj, Object, ObjectCore};

/// What kind of reset it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResetType {
    /// As if power had gone and come back.
    Cold,
    /// To a state into which a snapshot is loaded next.
    SnapshotLoad,
    /// Waking up from suspension: what keeps its state in that is not reset.
    Wakeup,
}

/// Why a reset was refused; then nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum ResetError {
    /// The type does not implement `resettable`.
    #[error("'{0}' cannot be reset")]
    NotResettable(String),
    /// A release without a reset before it.
    #[error("'{0}' is not held in reset")]
    NotInReset(String),
    /// From within a phase, something that would begin or end the reset of which it is a part.
    #[error("'{0}' is entering or leaving reset")]
    Busy(String),
    /// A device on a bus is reset with its bus, and a container is reset by one other at most.
    #[error("'{0}' is reset by what it hangs on")]
    HasParent(String),
}

/// What can be reset. The methods of the phases are called without a lock of the object model held; other code
/// calls [`assert_reset`], [`release_reset`] or [`reset`] instead.
pub trait Resettable: Object {
    /// The state of its reset.
    fn reset_state(&self) -> &ResetState;

    /// What is reset with it. Called with the lock of the counts held: it looks at nothing but what hangs where.
    fn reset_children(&self) -> Vec<Arc<dyn Object>>;

    /// Sets the own state; must not touch other objects.
    fn reset_enter(&self, kind: ResetType);

    /// Acts on others, which have all entered the reset.
    fn reset_hold(&self, kind: ResetType);

    /// Begins to work again.
    fn reset_exit(&self, kind: ResetType);
}

impl Interface for dyn Resettable {
    const NAME: &'static str = "resettable";
}

/// A virtual method of one phase.
pub type ResetPhase<T> = fn(&Obj<T>, ResetType);

/// The virtual methods of the three phases, as class data. An override that needs its parent's finds it with
/// [`Class::parent_of`](crate::Class::parent_of) and calls it.
pub struct ResetPhases<T: Object> {
    /// Sets the own state; must not touch other objects.
    pub enter: ResetPhase<T>,
    /// Acts on others, which have all entered the reset.
    pub hold: ResetPhase<T>,
    /// Begins to work again.
    pub exit: ResetPhase<T>,
}

impl<T: Object> Clone for ResetPhases<T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T: Object> Default for ResetPhases<T> {
    fn default() -> Self {
        Self { enter: |_, _| (), hold: |_, _| (), exit: |_, _| () }
    }
}

impl<T: Object> fmt::Debug for ResetPhases<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetPhases")
    }
}

#[derive(Debug, Default)]
struct Counts {
    /// How many resets hold it.
    count: u32,
    /// `enter` is to be run, or was and `hold` is still to be run.
    entering: bool,
    /// `exit` is to be run, or is running.
    exiting: bool,
    /// It is realized, and reset with the device or bus that it hangs on.
    attached: bool,
}

/// The state of an object's reset.
#[derive(Debug, Default)]
pub struct ResetState(Mutex<Counts>);

impl ResetState {
    /// How many resets hold the object.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.lock().count
    }

    /// Whether the object is held in reset.
    #[must_use]
    pub fn is_in_reset(&self) -> bool {
        self.count() > 0
    }
}

fn state(object: &dyn Object) -> Option<&ResetState> {
    object.interface::<dyn Resettable>().map(Resettable::reset_state)
}

fn is_device_or_bus(object: &dyn Object) -> bool {
    object.downcast_ref::<Device>().is_some() || object.downcast_ref::<Bus>().is_some()
}

fn is_attached(object: &dyn Object) -> bool {
    state(object).is_some_and(|state| state.0.lock().attached)
}

fn name(object: &dyn Object) -> String {
    let path = object.canonical_path();
    if path.is_empty() { object.class().name().to_owned() } else { path }
}

/// Objects that came up under the reset lock, to be let go of after it.
type Held = Vec<Arc<dyn Object>>;

/// The object and all that is reset with it, children before parents. The reset lock is held.
fn subtree(root: &Arc<dyn Object>, held: &mut Held) -> Vec<Arc<dyn Object>> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    let mut waiting = vec![root.clone()];
    while let Some(at) = waiting.pop() {
        if seen.insert(Arc::as_ptr(&at).cast::<()>()) {
            let by_place = is_device_or_bus(&*at);
            let children = at.interface::<dyn Resettable>().map(Resettable::reset_children);
            for child in children.unwrap_or_default() {
                // What hangs on a device or bus takes part while it is realized; a container's members always do.
                let idle = by_place && is_device_or_bus(&*child) && !is_attached(&*child);
                if idle { &mut *held } else { &mut waiting }.push(child);
            }
            all.push(at);
        } else {
            held.push(at);
        }
    }
    all.reverse();
    all
}

/// Changes the counts of all these and returns those of which `change` says that they are concerned.
fn change_all(
    all: Vec<Arc<dyn Object>>,
    held: &mut Held,
    change: impl Fn(&mut Counts) -> bool,
) -> Vec<Arc<dyn Object>> {
    let (concerned, others) =
        all.into_iter().partition(|object| state(&**object).is_some_and(|state| change(&mut state.0.lock())));
    held.extend::<Vec<_>>(others);
    concerned
}

/// Adds `times` resets to a subtree and returns what enters the reset by that. On a refusal returns what refuses.
/// The reset lock is held.
fn add(root: &Arc<dyn Object>, times: u32, held: &mut Held) -> Result<Vec<Arc<dyn Object>>, Arc<dyn Object>> {
    let all = subtree(root, held);
    if let Some(busy) = all.iter().find(|object| state(&***object).is_some_and(|it| it.0.lock().exiting)) {
        let busy = busy.clone();
        held.extend(all);
        return Err(busy);
    }
    Ok(change_all(all, held, |counts| {
        let enters = counts.count == 0;
        counts.entering |= enters;
        counts.count = counts.count.saturating_add(times);
        enters
    }))
}

/// Runs the first two phases of what enters.
fn run_enter_and_hold(entering: &[Arc<dyn Object>], kind: ResetType) {
    let entering: Vec<&dyn Resettable> =
        entering.iter().filter_map(|object| object.interface::<dyn Resettable>()).collect();
    for object in &entering {
        object.reset_enter(kind);
    }
    for object in &entering {
        // One that was taken out meanwhile has no reset to hold.
        if std::mem::take(&mut object.reset_state().0.lock().entering) {
            object.reset_hold(kind);
        }
    }
}

fn check(object: &Arc<dyn Object>) -> Result<(), ResetError> {
    match state(&**object) {
        Some(_) => Ok(()),
        None => Err(ResetError::NotResettable(name(&**object))),
    }
}

/// Brings an object and all below it into reset, or counts one more reset if they are.
///
/// # Errors
/// [`ResetError::NotResettable`]; [`ResetError::Busy`] from within the exit phase of something in that subtree.
pub fn assert_reset(object: &Arc<dyn Object>, kind: ResetType) -> Result<(), ResetError> {
    check(object)?;
    let mut held = Held::new();
    let changing = object.core().shared().reset_lock();
    let result = add(object, 1, &mut held);
    drop(changing);
    run_enter_and_hold(&result.map_err(|busy| ResetError::Busy(name(&*busy)))?, kind);
    Ok(())
}

/// Ends one reset of an object and of all below it; what no other reset holds leaves the reset.
///
/// # Errors
/// [`ResetError::NotResettable`], [`ResetError::NotInReset`]; [`ResetError::Busy`] where something in that subtree
/// would leave a reset that it is still entering.
pub fn release_reset(object: &Arc<dyn Object>, kind: ResetType) -> Result<(), ResetError> {
    check(object)?;
    let mut held = Held::new();
    let changing = object.core().shared().reset_lock();
    let mut all = subtree(object, &mut held);
    let leaves_too_soon = |object: &&Arc<dyn Object>| {
        state(&***object).is_some_and(|state| {
            let counts = state.0.lock();
            counts.count == 1 && counts.entering
        })
    };
    let held_at_all = state(&**object).is_some_and(ResetState::is_in_reset);
    let busy = all.iter().find(leaves_too_soon).cloned();
    if held_at_all && busy.is_none() {
        all = change_all(all, &mut held, |counts| {
            let exits = counts.count == 1;
            counts.exiting |= exits;
            counts.count = counts.count.saturating_sub(1);
            exits
        });
    }
    drop(changing);
    if !held_at_all {
        return Err(ResetError::NotInReset(name(&**object)));
    }
    if let Some(busy) = busy {
        return Err(ResetError::Busy(name(&*busy)));
    }
    for object in all.iter().filter_map(|object| object.interface::<dyn Resettable>()) {
        // One that was taken out meanwhile has no reset to leave.
        if object.reset_state().0.lock().exiting {
            object.reset_exit(kind);
            object.reset_state().0.lock().exiting = false;
        }
    }
    Ok(())
}

/// Resets an object and all below it: into the reset and out of it.
///
/// # Errors
/// As [`assert_reset`].
pub fn reset(object: &Arc<dyn Object>, kind: ResetType) -> Result<(), ResetError> {
    assert_reset(object, kind)?;
    release_reset(object, kind)
}

/// From now on the object is reset with `parent`. If that is in reset, so is the object and all below it.
pub(crate) fn attach(object: &Arc<dyn Object>, parent: Option<&dyn Object>) {
    let mut held = Held::new();
    let changing = object.core().shared().reset_lock();
    let times = parent.and_then(state).map_or(0, ResetState::count);
    if let Some(state) = state(&**object) {
        state.0.lock().attached = true;
    }
    // Nothing below something that is being realized is on its way out of a reset.
    let entered = if times > 0 { add(object, times, &mut held).unwrap_or_default() } else { Vec::new() };
    drop(changing);
    run_enter_and_hold(&entered, ResetType::Cold);
}

/// From now on nothing resets the object, and no reset holds it. No method is called.
pub(crate) fn detach(object: &dyn Object) {
    let _changing = object.core().shared().reset_lock();
    if let Some(state) = state(object) {
        *state.0.lock() = Counts::default();
    }
}

/// Resets what has no bus: its members are reset with it.
#[derive(Debug, Object)]
#[object(name = "resettable-container", interfaces(dyn Resettable))]
pub struct ResettableContainer {
    parent: ObjectCore,
    #[object(default = Mutex::default())]
    members: Mutex<Vec<Weak<dyn Object>>>,
    #[object(default = ResetState::default())]
    reset: ResetState,
}

impl ResettableContainer {
    /// Adds a member, which the container does not keep alive. A container in reset takes it into the reset. A
    /// member is not added twice. Members are reset in the order in which they came.
    ///
    /// # Errors
    /// [`ResetError::NotResettable`]; [`ResetError::HasParent`] for a device on a bus.
    pub fn add(container: &Obj<Self>, member: &Arc<dyn Object>) -> Result<(), ResetError> {
        check(member)?;
        if member.downcast_ref::<Device>().is_some_and(|device| device.parent_bus().is_some()) {
            return Err(ResetError::HasParent(name(&**member)));
        }
        {
            let mut members = container.members.lock();
            // Those that are gone are looked for when there is no room: to fill a container costs no look at all for each.
            if members.len() == members.capacity() {
                members.retain(|one| one.strong_count() > 0);
            }
            if members.iter().any(|one| is_same(one, member)) {
                return Ok(());
            }
            members.push(Arc::downgrade(member));
        }
        attach(member, Some(&**container.as_object()));
        Ok(())
    }

    /// Takes a member out; a reset of the container holds it no longer. Returns whether it was one.
    pub fn remove(container: &Obj<Self>, member: &Arc<dyn Object>) -> bool {
        let mut members = container.members.lock();
        let before = members.len();
        members.retain(|one| !is_same(one, member));
        let was_one = members.len() < before;
        drop(members);
        if was_one {
            detach(&**member);
        }
        was_one
    }
}

fn is_same(one: &Weak<dyn Object>, other: &Arc<dyn Object>) -> bool {
    std::ptr::addr_eq(one.as_ptr(), Arc::as_ptr(other))
}

impl Resettable for ResettableContainer {
    fn reset_state(&self) -> &ResetState {
        &self.reset
    }

    fn reset_children(&self) -> Vec<Arc<dyn Object>> {
        self.members.lock().iter().filter_map(Weak::upgrade).collect()
    }

    fn reset_enter(&self, _: ResetType) {}

    fn reset_hold(&self, _: ResetType) {}

    fn reset_exit(&self, _: ResetType) {}
}
