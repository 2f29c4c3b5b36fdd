//! Values with named members.
//!
//! [`property_struct!`](crate::property_struct!) declares one. A member is named by its path in errors (`boot.order`), as in
//! the reference; nothing is taken from a structure with a member that is missing, unexpected or wrong.

use serde_json::Map;

use super::{Input, PropertyValue, Value, kind};
use crate::error::ValueError;

/// Takes the members out of a structured value. [`property_struct!`](crate::property_struct!) uses it.
#[derive(Debug)]
pub struct StructReader<'a> {
    name: &'a str,
    input: Input<'a>,
    members: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> StructReader<'a> {
    /// A reader of the property `name`.
    ///
    /// # Errors
    /// [`ValueError::Kind`] if the value has no members.
    pub fn new(name: &'a str, input: &Input<'a>) -> Result<Self, ValueError> {
        let members = input.tree().and_then(Value::as_object).ok_or_else(|| kind(name, "object"))?;
        Ok(Self { name, input: *input, members, known: Vec::new() })
    }

    /// A member that may be left out.
    ///
    /// # Errors
    /// The member's own.
    pub fn optional<T: PropertyValue>(&mut self, member: &'static str) -> Result<Option<T>, ValueError> {
        self.known.push(member);
        let Some(value) = self.members.get(member) else { return Ok(None) };
        T::read(&format!("{}.{member}", self.name), &self.input.part(value)).map(Some)
    }

    /// A member that must be there.
    ///
    /// # Errors
    /// [`ValueError::Missing`], or the member's own.
    pub fn required<T: PropertyValue>(&mut self, member: &'static str) -> Result<T, ValueError> {
        self.optional(member)?.ok_or_else(|| ValueError::Missing { name: format!("{}.{member}", self.name) })
    }

    /// The end: no other member may be there.
    ///
    /// # Errors
    /// [`ValueError::Unexpected`].
    pub fn finish(self) -> Result<(), ValueError> {
        match self.members.keys().find(|member| !self.known.contains(&member.as_str())) {
            Some(member) => Err(ValueError::Unexpected { name: format!("{}.{member}", self.name) }),
            None => Ok(()),
        }
    }
}

/// Puts members together to a structured value. [`property_struct!`](crate::property_struct!) uses it.
#[derive(Debug, Default)]
pub struct StructWriter(Map<String, Value>);

impl StructWriter {
    /// Adds a member that is always there.
    pub fn required<T: PropertyValue>(&mut self, member: &str, value: &T) {
        self.0.insert(member.to_owned(), value.to_value());
    }

    /// Adds a member, if it is there.
    pub fn optional<T: PropertyValue>(&mut self, member: &str, value: &Option<T>) {
        if let Some(value) = value {
            self.required(member, value);
        }
    }

    /// The value.
    #[must_use]
    pub fn finish(self) -> Value {
        Value::Object(self.0)
    }
}

/// Declares a structure that can be a property's type. An `optional` member may be left out and is an `Option`.
///
/// ```
/// use qom::{Input, PropertyValue, property_struct};
///
/// property_struct! {
///     /// How a machine boots.
///     pub struct Boot("BootConfiguration") {
///         /// The drives to try, in order.
///         required order: String = "order",
///         /// Milliseconds to show the splash screen for.
///         optional splash_time: u32 = "splash-time",
///     }
/// }
///
/// let boot = Boot::read("boot", &Input::Json(&serde_json::json!({"order": "cd"})))?;
/// assert_eq!((boot.order.as_str(), boot.splash_time), ("cd", None));
/// let error = Boot::read("boot", &Input::Json(&serde_json::json!({"order": "c", "once": "d"}))).unwrap_err();
/// assert_eq!(error.to_string(), "Parameter 'boot.once' is unexpected");
/// # Ok::<(), qom::ValueError>(())
/// ```
#[macro_export]
macro_rules! property_struct {
    ($(#[$meta:meta])* $vis:vis struct $name:ident($type_name:literal) {
        $($(#[$member_meta:meta])* $kind:ident $member:ident: $type:ty = $text:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name { $($(#[$member_meta])* pub $member: $crate::__member_type!($kind $type),)+ }

        impl $crate::PropertyValue for $name {
            fn type_name() -> &'static str {
                $type_name
            }

            fn read(name: &str, input: &$crate::Input<'_>) -> ::core::result::Result<Self, $crate::ValueError> {
                let mut reader = $crate::StructReader::new(name, input)?;
                let read = Self { $($member: reader.$kind::<$type>($text)?,)+ };
                reader.finish()?;
                ::core::result::Result::Ok(read)
            }

            fn to_value(&self) -> $crate::Value {
                let mut writer = $crate::StructWriter::default();
                $(writer.$kind::<$type>($text, &self.$member);)+
                writer.finish()
            }
        }
    };
}

/// The Rust type of a structure's member.
#[doc(hidden)]
#[macro_export]
macro_rules! __member_type {
    (required $type:ty) => { $type };
    (optional $type:ty) => { ::core::option::Option<$type> };
}
