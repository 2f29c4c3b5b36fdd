//! The derive macros of the `qom` crate.
//!
//! `#[derive(Object)]` on a struct whose field `parent` is the parent type's struct writes the type's
//! [`TypeInfo`], its constructor and its properties. The grammar:
//!
//! ```text
//! #[object(name = "lamp", abstract, interfaces(dyn HotplugHandler), class_init = path, instance_init = path,
//!          instance_post_init = path)]
//! struct Lamp {
//!     parent: Device,
//!     /// The doc comment is the property's description.
//!     #[property(get, set, name = "brightness", default = 10, link = "type", settable_after_realize)]
//!     brightness: Field<u8>,
//!     #[object(default = expression)]
//!     other: State,
//! }
//! ```
//!
//! `name` is required; a property's name is the field's with `-` for `_` unless given. A field without a default starts
//! at `Default::default()`. A mistake is a compile error at the place where it is.
//!
//! [`TypeInfo`]: https://docs.rs/qom

#![forbid(unsafe_code)]

mod object;

use proc_macro::TokenStream;

/// Makes a struct the state of a QOM type. See the crate's documentation for the grammar.
#[proc_macro_derive(Object, attributes(object, property))]
pub fn derive_object(input: TokenStream) -> TokenStream {
    object::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
