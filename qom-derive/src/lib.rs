//! The derive macros of the `qom` crate.
//!
//! `#[derive(Object)]` on a struct whose field `parent` is the parent type's struct writes the type's
//! `#[derive(QapiType)]` describes a type of the crate `qmp` for `query-qmp-schema` by what serde's attributes say of its
//! wire form. It knows `rename_all`, `rename`, `default`, `skip`, `skip_serializing_if`, `flatten`, `tag`, `content` and
//! `untagged`; where a field is read or written by functions of its own, `#[qapi(as = Type)]` says what stands on the wire.
//!
//! [`TypeInfo`], its constructor and its properties. The grammar:
//!
//! ```text
//! #[object(name = "lamp", abstract, interfaces(dyn HotplugHandler), class_init = path, instance_init = path,
//!          instance_post_init = path)]
//! struct Lamp {
//!     parent: Device,
//!     /// The doc comment is the property's description.
//!     #[property(get, set, default = 10, minimum = 1, maximum = 100)]
//!     brightness: Field<u8>,
//!     #[object(default = expression)]
//!     other: State,
//! }
//! ```
//!
//! `name` is required. A field without a default starts at `Default::default()`. A mistake is a compile error at the
//! place where it is. A property's field is a `Field<T>`, whose `T` decides the property's type, or a `Link`. What
//! `#[property(…)]` takes:
//!
//! | | |
//! | --- | --- |
//! | `get`, `set` | it can be read, written; one of them at the least |
//! | `name = "…"` | its name, if not the field's with `-` for `_` |
//! | `description = "…"` | one line for people, if not the first line of the field's doc comment |
//! | `default = expression` | the value of a new object, and the default that introspection shows |
//! | `minimum = …`, `maximum = …` | the limits of a number |
//! | `check = function` | `fn(&Self, &T) -> Result<(), PropertyError>`, asked before a value is taken; for a link, a `qom::LinkCheck` |
//! | `bit = n` | a boolean: bit `n` of the field's word, which then may have several `#[property]`, each with a `name` |
//! | `link = "type"` | a `link<type>`; the field is a `Link` |
//! | `deprecated = "reason"` | users who set it are warned |
//! | `internal` | hidden from users |
//! | `settable_after_realize` | of a device: can be written when the device is realized |
//!
//! `#[derive(CpuModel)]` on a unit struct writes a CPU model of the crate `target-i386` and registers it at link time:
//!
//! ```text
//! #[cpu_model(name = "Haswell", vendor = Vendor::INTEL, signature(6, 60, 4), levels(0xd, 0x8000_0008),
//!             model_id = "Intel Core Processor (Haswell)", caches = &CACHES, deprecated = "reason", avx10 = 1,
//!             cpuid_0x1f)]
//! #[cpu_model(features("avx", "aes", A_CONSTANT_LIST))]
//! #[version(2, alias = "Haswell-noTSX", note = "for lists", off("hle", "rtm"), on("spec-ctrl"), stepping(1),
//!           model_id("…"), caches = &OTHER)]
//! struct Haswell;
//! ```
//!
//! `name` and `vendor` are required. Each version changes the one before; version 1 needs no attribute. A version
//! also takes `family`, `model`, `level`, `xlevel`, `min_level`, `min_xlevel`, `cpuid_0x1f` and `avx10`, each with a
//! value in parentheses.
//!
//! `#[derive(QapiType)]` describes a type of the crate `qmp` for `query-qmp-schema` by what serde's attributes say of its
//! wire form. It knows `rename_all`, `rename`, `default`, `skip`, `skip_serializing_if`, `flatten`, `tag`, `content` and
//! `untagged`; where a field is read or written by functions of its own, `#[qapi(as = Type)]` says what stands on the wire.
//!
//! [`TypeInfo`]: https://docs.rs/qom

#![forbid(unsafe_code)]

mod cpu_model;
mod object;
mod qapi_type;

use proc_macro::TokenStream;

/// Makes a struct the state of a QOM type. See the crate's documentation for the grammar.
#[proc_macro_derive(Object, attributes(object, property))]
pub fn derive_object(input: TokenStream) -> TokenStream {
    object::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a unit struct a CPU model of `target-i386`. See the crate's documentation for the grammar.
#[proc_macro_derive(CpuModel, attributes(cpu_model, version))]
pub fn derive_cpu_model(input: TokenStream) -> TokenStream {
    cpu_model::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Describes a type for `query-qmp-schema`. See the crate's documentation for the grammar.
#[proc_macro_derive(QapiType, attributes(qapi, serde))]
pub fn derive_qapi_type(input: TokenStream) -> TokenStream {
    qapi_type::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
