//! `rng-backend` and `rng-builtin`: sources of random bytes.

use qom::user_creatable::{Member, MemberType, UserCreatableClass};
use qom::{ClassInit, Error, Field, Instance, ObjectCore, Property, TypeInfo, UserCreatable};
use qom_derive::Object;
use thiserror::Error as ThisError;

/// The host gives no random bytes.
#[derive(Debug, Clone, ThisError)]
#[error("no random bytes from the host: {0}")]
pub struct RngError(getrandom::Error);

/// The class data that `rng-backend` introduces.
#[derive(Debug, Clone)]
pub struct RngClass {
    /// Fills a buffer with random bytes; may wait for the host to have them.
    pub fill: fn(&RngBackend, &mut [u8]) -> Result<(), Error>,
}

impl Default for RngClass {
    fn default() -> Self {
        Self { fill: |_, _| Err(Error::msg("this source of randomness gives nothing")) }
    }
}

/// The state of every source of random bytes.
#[derive(Debug, Object)]
#[object(
    name = "rng-backend",
    abstract,
    class_init = RngBackend::class_init,
    interfaces(dyn UserCreatable)
)]
pub struct RngBackend {
    parent: ObjectCore,
    opened: Field<bool>,
}

impl RngBackend {
    fn class_init(class: &mut ClassInit<'_>) {
        class.data_mut::<RngClass>();
        class.add_property(Property::of::<Self, bool>("opened", |this| this.opened.get()));
        // The reference lets a user say it and then refuses to set it.
        let members = &mut class.data_mut::<UserCreatableClass>().members;
        members.push(
            Member::optional("opened", MemberType::Bool)
                .doc("Refused, whatever it is: an object opens itself."),
        );
    }

    /// Fills a buffer with random bytes; may wait for the host to have them.
    ///
    /// # Errors
    /// That the host has none.
    pub fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        match qom::Object::core(self).class().data::<RngClass>() {
            Some(class) => (class.fill)(self, bytes),
            None => unreachable!("the class of an rng-backend has its class data"),
        }
    }
}

impl UserCreatable for RngBackend {
    fn complete(&self) -> Result<(), Error> {
        self.opened.set(true);
        Ok(())
    }
}

/// `rng-builtin`: the host's own generator.
fn builtin() -> TypeInfo {
    TypeInfo::new("rng-builtin", RngBackend::TYPE_NAME, qom::site!()).class_init(|class| {
        class.data_mut::<RngClass>().fill =
            |_, bytes| getrandom::fill(bytes).map_err(|error| Error::new(RngError(error)));
        class.data_mut::<UserCreatableClass>().doc = "Random bytes from the host's generator.";
    })
}

qom::register_types!(<RngBackend as Instance>::type_info, builtin);
