//! `event-loop-base`: what all objects with an event loop have in common.

use qom::user_creatable::{Member, MemberType, UserCreatableClass};
use qom::{ClassInit, Error, Field, Instance, ObjectCore, PropertyError, UserCreatable};
use qom_derive::Object;
use thiserror::Error as ThisError;

use super::property;

/// How many threads a pool has at most where nobody says.
const DEFAULT_POOL_THREADS: i64 = 64;

/// Why an event loop cannot be as it was described.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum EventLoopError {
    /// More threads at least than at most, none at most, or too many.
    #[error("bad thread-pool-min/thread-pool-max values")]
    ThreadPool,
    /// The system has no thread for it.
    #[error("cannot start the thread of '{id}': {reason}")]
    Thread {
        /// The object's id.
        id: String,
        /// What the host said.
        reason: String,
    },
}

/// The class data that `event-loop-base` introduces.
#[derive(Debug, Clone)]
pub struct EventLoopClass {
    /// Starts the loop of an object whose figures are checked.
    pub start: fn(&EventLoopBase) -> Result<(), Error>,
}

impl Default for EventLoopClass {
    fn default() -> Self {
        Self { start: |_| Ok(()) }
    }
}

/// The state of every object with an event loop. The figures can be changed while the loop runs.
#[derive(Debug, Object)]
#[object(
    name = "event-loop-base",
    abstract,
    class_init = EventLoopBase::class_init,
    interfaces(dyn UserCreatable)
)]
pub struct EventLoopBase {
    parent: ObjectCore,
    aio_max_batch: Field<i64>,
    thread_pool_min: Field<i64>,
    #[object(default = Field::new(DEFAULT_POOL_THREADS))]
    thread_pool_max: Field<i64>,
    started: Field<bool>,
}

qom::register_types!(<EventLoopBase as Instance>::type_info);

/// Refuses a figure that is not in `0..=max`.
pub(super) fn in_range(name: &str, value: i64, max: i64) -> Result<i64, PropertyError> {
    if (0..=max).contains(&value) {
        Ok(value)
    } else {
        Err(PropertyError::Refused(format!("{name} value must be in range [0, {max}]")))
    }
}

fn pool_is_possible(min: i64, max: i64) -> bool {
    max > 0 && min <= max && i32::try_from(max).is_ok()
}

impl EventLoopBase {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<EventLoopClass>();
        class.add_property(property::<Self, i64>(
            "aio-max-batch",
            "int",
            |this| this.aio_max_batch.get(),
            |this, value| {
                this.aio_max_batch.set(in_range("aio-max-batch", value, i64::MAX)?);
                Ok(())
            },
        ));
        class.add_property(property::<Self, i64>(
            "thread-pool-min",
            "int",
            |this| this.thread_pool_min.get(),
            |this, value| {
                let value = in_range("thread-pool-min", value, i64::MAX)?;
                this.check_pool(value, this.thread_pool_max.get())?;
                this.thread_pool_min.set(value);
                Ok(())
            },
        ));
        class.add_property(property::<Self, i64>(
            "thread-pool-max",
            "int",
            |this| this.thread_pool_max.get(),
            |this, value| {
                let value = in_range("thread-pool-max", value, i64::MAX)?;
                this.check_pool(this.thread_pool_min.get(), value)?;
                this.thread_pool_max.set(value);
                Ok(())
            },
        ));
        class.data_mut::<UserCreatableClass>().members.extend([
            Member::optional("aio-max-batch", MemberType::Int)
                .doc("The most requests that are given to the host at once, at least 0; 0, the default: as many as the program finds best."),
            Member::optional("thread-pool-min", MemberType::Int)
                .doc("How many threads of its pool are kept at least; 0 by default, and at most `thread-pool-max`."),
            Member::optional("thread-pool-max", MemberType::Int)
                .doc("How many threads its pool has at most, 1 to 2147483647; 64 by default."),
        ]);
    }

    /// Until the loop starts the two figures may contradict each other: they are set one by one.
    fn check_pool(&self, min: i64, max: i64) -> Result<(), PropertyError> {
        if self.started.get() && !pool_is_possible(min, max) {
            return Err(PropertyError::Refused(EventLoopError::ThreadPool.to_string()));
        }
        Ok(())
    }

    /// How many requests of a batch are submitted at once; 0 leaves it to the one who submits.
    pub fn aio_max_batch(&self) -> i64 {
        self.aio_max_batch.get()
    }
}

impl UserCreatable for EventLoopBase {
    fn complete(&self) -> Result<(), Error> {
        if !pool_is_possible(self.thread_pool_min.get(), self.thread_pool_max.get()) {
            return Err(Error::new(EventLoopError::ThreadPool));
        }
        if let Some(class) = qom::Object::core(self).class().data::<EventLoopClass>() {
            (class.start)(self)?;
        }
        self.started.set(true);
        Ok(())
    }
}
