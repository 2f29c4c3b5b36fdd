//! Objects that a user makes by name: `object-add` and `-object`.
//!
//! A type whose objects users may make implements the interface [`UserCreatable`] and lists in its class data
//! ([`UserCreatableClass`]) what a user may say of one. Making one has two steps. [`NewObject::read`] holds the
//! description against the class, as a whole and before anything exists. [`NewObject::add`] makes the object, sets its
//! properties, puts it below `/objects` under its id and lets it [complete](UserCreatable::complete) itself; where one of
//! these fails, nothing is left. [`remove`] is the way back.

mod member;

use std::sync::Arc;

use serde_json::{Map, Value};
use thiserror::Error as ThisError;

pub use member::{Form, Member, MemberType};

use crate::class::Class;
use crate::error::{CreateError, Error, PropertyError, TreeError};
use crate::interface::Interface;
use crate::object::Object;
use crate::property::Origin;
use crate::system::Qom;
use crate::text::{ParameterError, identifier};
use crate::value::Input;

/// The container of the users' objects.
pub const CONTAINER: &str = "/objects";

/// An object that a user can make and remove by name.
pub trait UserCreatable: Object {
    /// Puts the object to work, once: its properties are set and it hangs in the tree. Undoes its own work when it fails.
    ///
    /// # Errors
    /// Why the object cannot work as it was described.
    fn complete(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Whether the object can go.
    ///
    /// # Errors
    /// Who needs it.
    fn can_be_deleted(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Interface for dyn UserCreatable {
    const NAME: &'static str = "user-creatable";
}

/// The class data of types whose objects a user can make. A subclass starts with its parent's.
#[derive(Debug, Clone, Default)]
pub struct UserCreatableClass {
    /// What a user may say of a new object besides its type and id, in the order in which it is looked at and set.
    pub members: Vec<Member>,
    /// What its objects are for, for people.
    pub doc: &'static str,
}

/// Why an object that was described well could not be made. Nothing is left of it.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum AddError {
    /// The id is none.
    #[error(transparent)]
    Id(#[from] ParameterError),
    /// Making the object itself.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A property does not take its value.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The id is taken.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The object's own reason, or that there is no place for it.
    #[error(transparent)]
    Object(#[from] Error),
}

impl AddError {
    /// Further lines for a person, without a line end after the last.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Id(error) => error.hint(),
            _ => None,
        }
    }
}

impl From<AddError> for Error {
    fn from(error: AddError) -> Self {
        match error {
            AddError::Id(error) => Self::new(error),
            AddError::Create(error) => error.into(),
            AddError::Property(error) => error.into(),
            AddError::Tree(error) => error.into(),
            AddError::Object(error) => error,
        }
    }
}

/// Why an object was not removed.
#[derive(Debug, Clone, ThisError)]
pub enum RemoveError {
    /// No user's object has that id.
    #[error("object '{0}' not found")]
    NotFound(String),
    /// It is needed.
    #[error(transparent)]
    InUse(Error),
}

impl From<RemoveError> for Error {
    fn from(error: RemoveError) -> Self {
        match error {
            RemoveError::InUse(error) => error,
            error @ RemoveError::NotFound(_) => Self::new(error),
        }
    }
}

/// The names of the types whose objects users can make, sorted.
#[must_use]
pub fn type_names(qom: &Qom) -> Vec<&str> {
    qom.type_names(Some(<dyn UserCreatable>::NAME), false)
}

/// The description of a new object, found to be well formed.
#[derive(Debug, Clone)]
pub struct NewObject {
    class: Arc<Class>,
    id: String,
    properties: Vec<(&'static str, Value)>,
}

impl NewObject {
    /// Reads a description: `values` holds the type as `qom-type`, the name as `id`, and the object's members.
    ///
    /// # Errors
    /// The first thing that is wrong, in the reference's order: the type, that there is an id, each member of the type, what
    /// the type does not have.
    pub fn read(qom: &Qom, mut values: Map<String, Value>, form: Form) -> Result<Self, ParameterError> {
        const TYPE: &str = "qom-type";
        let type_name = member::take_text(&mut values, TYPE, form)?;
        let class = qom
            .class(&type_name)
            .ok()
            .filter(|class| class.is_a(<dyn UserCreatable>::NAME) && !class.is_abstract());
        let Some(class) = class.cloned() else {
            return Err(ParameterError::NotAccepted { name: TYPE.to_owned(), value: type_name });
        };
        let id = member::take_text(&mut values, "id", form)?;
        let members = class.data::<UserCreatableClass>().map(|data| data.members.as_slice());
        let properties = member::read_all(members.unwrap_or_default(), values, form)?;
        Ok(Self { class, id, properties })
    }

    /// The name that the object will have below `/objects`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The type's name.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.class.name()
    }

    /// Makes the object and puts it to work.
    ///
    /// # Errors
    /// [`AddError`]; then nothing is left.
    pub fn add(self, qom: &Qom, origin: Origin) -> Result<Arc<dyn Object>, AddError> {
        identifier::check(&self.id)?;
        let object = qom.create(self.class.name())?;
        for (name, value) in &self.properties {
            object.set(name, &Input::Json(value), origin)?;
        }
        qom.container(CONTAINER)?.add_child(&self.id, &object)?;
        let completed = object.interface::<dyn UserCreatable>().map_or(Ok(()), UserCreatable::complete);
        if let Err(error) = completed {
            object.unparent();
            return Err(error.into());
        }
        Ok(object)
    }
}

/// Removes an object of the users' by its id.
///
/// # Errors
/// [`RemoveError`]; then nothing happened.
pub fn remove(qom: &Qom, id: &str) -> Result<(), RemoveError> {
    let missing = || RemoveError::NotFound(id.to_owned());
    let home = qom.resolve(CONTAINER).map_err(|_| missing())?;
    let object = home.core().child(id).ok_or_else(missing)?;
    let removable = object.interface::<dyn UserCreatable>().ok_or_else(missing)?;
    removable.can_be_deleted().map_err(RemoveError::InUse)?;
    object.unparent();
    Ok(())
}
