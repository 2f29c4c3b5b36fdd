//! Kinds of properties beyond a plain value: a bit of a word, a link, an alias.

use std::borrow::Cow;
use std::sync::Arc;

use super::access::declared;
use super::{Alias, Property, cast};
use crate::error::PropertyError;
use crate::field::{Field, Link};
use crate::object::Object;
use crate::value::{PropertyValue, Word};

/// A check that an object makes before a link of its points elsewhere; none means nowhere.
pub type LinkCheck<O> = fn(&O, Option<&Arc<dyn Object>>) -> Result<(), PropertyError>;

impl Property {
    /// A boolean that is one bit of a word, counted from 0 at the low end.
    ///
    /// # Panics
    /// If the word has no such bit: a mistake in the program.
    #[must_use]
    pub fn bit<O: Object, W: Word>(
        name: impl Into<Cow<'static, str>>,
        word: fn(&O) -> &Field<W>,
        bit: u32,
    ) -> Self {
        let name = name.into();
        assert!(bit < W::BITS, "property '{name}': a word of {} bits has no bit {bit}", W::BITS);
        let for_error = name.clone();
        Self::typed::<bool>(name)
            .get(move |object| Ok(word(cast::<O>(object)?).get().bit(bit).to_value()))
            .set(move |object, input| {
                let on = bool::read(&for_error, input)?;
                word(cast::<O>(object)?).update(|word| *word = word.with_bit(bit, on));
                Ok(())
            })
    }

    /// A `link<target_type>`, read and written as a path.
    #[must_use]
    pub fn link<O: Object>(
        name: impl Into<Cow<'static, str>>,
        target_type: &'static str,
        link: fn(&O) -> &Link,
    ) -> Self {
        Self::checked_link(name, target_type, link, |_, _| Ok(()))
    }

    /// A `link<target_type>` that its object may refuse to point somewhere, as QEMU's links with a check hook.
    #[must_use]
    pub fn checked_link<O: Object>(
        name: impl Into<Cow<'static, str>>,
        target_type: &'static str,
        link: fn(&O) -> &Link,
        check: LinkCheck<O>,
    ) -> Self {
        let name = name.into();
        let for_error = name.clone();
        let mut property = Self::new(name, format!("link<{target_type}>"));
        property.target = Some(Arc::new(move |object| link(object.downcast_ref::<O>()?).get()));
        property.get(move |object| Ok(link(cast::<O>(object)?).to_value())).set(move |object, input| {
            let path = String::read(&for_error, input)?;
            let target = Link::find(object, &for_error, target_type, &path)?;
            let owner = cast::<O>(object)?;
            check(owner, target.as_ref())?;
            link(owner).set(target.as_ref());
            Ok(())
        })
    }

    /// A `link<target_type>` of one object that points to a fixed other one; for `add_property`.
    #[must_use]
    pub fn fixed_link(name: impl Into<Cow<'static, str>>, target: &Arc<dyn Object>) -> Self {
        let link = Link::new();
        link.set(Some(target));
        let link = Arc::new(link);
        let type_name = format!("link<{}>", target.class().name());
        let mut property = Self::new(name, type_name);
        let reader = link.clone();
        property.target = Some(Arc::new(move |_| link.get()));
        property.get(move |_| Ok(reader.to_value()))
    }

    /// A property that stands for the property `of` of `target`: reads and writes go there. A child becomes a link.
    ///
    /// # Errors
    /// [`PropertyError::NotFound`] if the target has no such property.
    pub fn alias(
        name: impl Into<Cow<'static, str>>,
        target: &Arc<dyn Object>,
        of: &str,
    ) -> Result<Self, PropertyError> {
        let mut property = match (declared(&**target, of), target.core().child(of)) {
            (Some(there), _) => {
                let mut property = Self::new(name, there.type_name.clone());
                property.description.clone_from(&there.description);
                property.members.clone_from(&there.members);
                property
            }
            (None, Some(child)) => Self::new(name, format!("link<{}>", child.class().name())),
            (None, None) => {
                return Err(PropertyError::NotFound {
                    type_name: target.class().name().to_owned(),
                    property: of.to_owned(),
                });
            }
        };
        property.alias = Some(Alias { target: Arc::downgrade(target), name: of.to_owned().into() });
        Ok(property)
    }
}
