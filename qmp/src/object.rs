//! Objects that come and go by command: `object-add` and `object-del`, for any type that users may make, and the lists
//! that help prints of them.

use std::fmt::Write as _;

use qom::user_creatable::{self, AddError, Form, NewObject};
use qom::{Class, Instance, ObjectCore, Origin, Qom};
use serde_json::{Map, Value};
use thiserror::Error as ThisError;

use crate::Error;

/// Why there is no new object.
#[derive(Debug, Clone, ThisError)]
pub enum NewObjectError {
    /// The description is wrong.
    #[error(transparent)]
    Description(#[from] qom::text::ParameterError),
    /// The object could not be made; nothing is left of it.
    #[error(transparent)]
    Add(#[from] AddError),
}

impl NewObjectError {
    /// Further lines for a person, without a line end after the last.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Description(error) => error.hint(),
            Self::Add(error) => error.hint(),
        }
    }
}

impl From<NewObjectError> for Error {
    fn from(error: NewObjectError) -> Self {
        match error {
            NewObjectError::Description(error) => Self::generic(error),
            NewObjectError::Add(error) => qom::Error::from(error).into(),
        }
    }
}

/// Makes an object below `/objects`: `values` holds its type as `qom-type`, its name as `id`, and what it is made with.
///
/// # Errors
/// [`NewObjectError`], in the reference's words; then nothing is left of the object.
pub fn add(qom: &Qom, values: Map<String, Value>, form: Form, origin: Origin) -> Result<(), NewObjectError> {
    NewObject::read(qom, values, form)?.add(qom, origin)?;
    Ok(())
}

/// Removes an object below `/objects` by its id.
///
/// # Errors
/// That there is none, or who needs it.
pub fn delete(qom: &Qom, id: &str) -> Result<(), Error> {
    user_creatable::remove(qom, id).map_err(|error| qom::Error::from(error).into())
}

/// The list of the types whose objects users can make; `more` names types that the program makes in another way.
#[must_use]
pub fn types_help(qom: &Qom, more: &[&str]) -> String {
    let mut names = user_creatable::type_names(qom);
    names.extend_from_slice(more);
    names.sort_unstable();
    names.iter().fold("List of user creatable objects:\n".to_owned(), |mut text, name| {
        // Appending to a String cannot fail.
        let _ = writeln!(text, "  {name}");
        text
    })
}

/// The list of what a type's objects can be made with; none if there is no such type of objects.
#[must_use]
pub fn type_help(qom: &Qom, name: &str) -> Option<String> {
    let class = qom.class(name).ok().filter(|class| class.is_a(ObjectCore::TYPE_NAME))?;
    Some(options_help(class))
}

fn options_help(class: &Class) -> String {
    let mut lines: Vec<String> = class
        .properties()
        .filter(|property| property.is_writable())
        .map(|property| {
            let option = format!("  {}=<{}>", property.name(), property.type_name());
            match property.description_text() {
                Some(description) => format!("{option:<24} - {description}\n"),
                None => format!("{option}\n"),
            }
        })
        .collect();
    if lines.is_empty() {
        return format!("There are no options for {}.\n", class.name());
    }
    lines.sort_unstable();
    format!("{} options:\n{}", class.name(), lines.concat())
}
