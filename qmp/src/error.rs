//! The error of a command, as a client sees it.

use qom::ErrorClass;

/// Why a command was refused: a class for programs and a sentence for people.
///
/// Every error type of the object model turns into one by `?`; other errors do through
/// [`Error::generic`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{desc}")]
pub struct Error {
    /// What clients decide by.
    pub class: ErrorClass,
    /// The sentence, in the reference's words where the reference has this error.
    pub desc: String,
}

impl Error {
    /// An error of a class that some client decides by.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass texts made on the spot")]
    pub fn new(class: ErrorClass, desc: impl ToString) -> Self {
        Self { class, desc: desc.to_string() }
    }

    /// An error of [`ErrorClass::GenericError`]: a sentence, or any error's own text.
    pub fn generic(desc: impl ToString) -> Self {
        Self::new(ErrorClass::GenericError, desc)
    }

    /// An error of [`ErrorClass::DeviceNotFound`] in the usual words.
    #[must_use]
    pub fn device_not_found(name: &str) -> Self {
        Self::new(ErrorClass::DeviceNotFound, format_args!("Device '{name}' not found"))
    }
}

impl From<qom::Error> for Error {
    fn from(error: qom::Error) -> Self {
        Self::new(error.class(), error)
    }
}

/// The object model's narrower errors go through its wide one, which knows their classes.
macro_rules! from_object_model {
    ($($narrow:ty),*) => {$(
        impl From<$narrow> for Error {
            fn from(error: $narrow) -> Self {
                qom::Error::from(error).into()
            }
        }
    )*};
}

from_object_model!(
    qom::PropertyError,
    qom::ResolveError,
    qom::TreeError,
    qom::LookupError,
    qom::CreateError,
    qom::ValueError
);
