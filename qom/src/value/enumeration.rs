//! Values that are one of a set of names.

use super::{Input, scalar_kind};
use crate::error::ValueError;

/// An enumeration whose members have names on the wire.
pub trait PropertyEnum: Copy + Send + Sync + 'static {
    /// The enumeration's name in `qom-list`.
    const TYPE_NAME: &'static str;
    /// Every member with its name.
    const MEMBERS: &'static [(&'static str, Self)];
    /// What it is, for people.
    const DOC: &'static str;
    /// What each member means, in the same order.
    const MEMBER_DOCS: &'static [&'static str];

    /// The member's name.
    fn name(self) -> &'static str;
}

/// Declares an enumeration that can be a property's type.
///
/// ```
/// qom::property_enum! {
///     /// Where a cache lies.
///     pub enum CacheLevel("CacheLevel") {
///         /// In each core.
///         Core = "core",
///         /// Shared by a socket.
///         Socket = "socket",
///     }
/// }
/// assert_eq!(qom::PropertyEnum::name(CacheLevel::Socket), "socket");
/// assert_eq!(<CacheLevel as qom::PropertyEnum>::MEMBER_DOCS[1].trim(), "Shared by a socket.");
/// ```
#[macro_export]
macro_rules! property_enum {
    ($(#[$($meta:tt)*])* $vis:vis enum $name:ident($type_name:literal) {
        $($(#[$($member_meta:tt)*])* $member:ident = $text:literal,)+
    }) => {
        $(#[$($meta)*])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $name { $($(#[$($member_meta)*])* $member,)+ }

        impl $crate::PropertyEnum for $name {
            const TYPE_NAME: &'static str = $type_name;
            const MEMBERS: &'static [(&'static str, Self)] = &[$(($text, Self::$member),)+];
            const DOC: &'static str = $crate::__documentation!($(#[$($meta)*])*);
            const MEMBER_DOCS: &'static [&'static str] =
                &[$($crate::__documentation!($(#[$($member_meta)*])*),)+];

            fn name(self) -> &'static str {
                match self { $(Self::$member => $text,)+ }
            }
        }

        impl $crate::PropertyValue for $name {
            fn type_name() -> &'static str {
                $type_name
            }

            fn members() -> ::std::vec::Vec<&'static str> {
                <Self as $crate::PropertyEnum>::MEMBERS.iter().map(|(name, _)| *name).collect()
            }

            fn read(name: &str, input: &$crate::Input<'_>) -> Result<Self, $crate::ValueError> {
                $crate::read_enum(name, input)
            }

            fn to_value(&self) -> $crate::Value {
                $crate::Value::from($crate::PropertyEnum::name(*self))
            }
        }
    };
}

/// The text of the documentation comments among attributes, a line each.
#[doc(hidden)]
#[macro_export]
macro_rules! __documentation {
    () => { "" };
    (#[doc = $doc:literal] $($rest:tt)*) => {
        ::std::concat!($doc, "\n", $crate::__documentation!($($rest)*))
    };
    (#[$($other:tt)*] $($rest:tt)*) => { $crate::__documentation!($($rest)*) };
}

/// Reads a member of an enumeration by its name. [`property_enum!`] uses it. As in the reference, the error about an unknown
/// member of a structure's enumeration names the structure's member alone.
///
/// # Errors
/// [`ValueError::Kind`] if it is no string, [`ValueError::Enumeration`] if there is no such member.
pub fn read_enum<E: PropertyEnum>(name: &str, input: &Input<'_>) -> Result<E, ValueError> {
    let text = input.as_str().ok_or_else(|| scalar_kind(name, input, "string"))?;
    E::MEMBERS.iter().find(|(member, _)| *member == text).map(|(_, value)| *value).ok_or_else(|| {
        let name = name.rsplit('.').next().unwrap_or(name).to_owned();
        ValueError::Enumeration { name, value: text.to_owned() }
    })
}

property_enum! {
    /// Yes, no, or what the machine finds best.
    pub enum OnOffAuto("OnOffAuto") {
        /// The machine decides.
        Auto = "auto",
        /// Yes.
        On = "on",
        /// No.
        Off = "off",
    }
}
