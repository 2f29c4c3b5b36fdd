//! Text forms of values: what people write on a command line or in HMP, and how it is read.
//!
//! * Scalars: [`parse_u64`], [`parse_i64`], [`parse_size`], [`parse_bool`], and lists of integers with
//!   ranges ([`list`]).
//! * *Keyval* ([`keyval`]): `a=b,c.d=e,list.0=x`, a tree of strings.
//! * *Options* ([`opts`]): the older flat form `first,flag,noflag,key=value`.
//!
//! The module forbids itself any knowledge of properties and types: it turns text into plain values and
//! says why it cannot. It is about bytes from outside, so nothing here panics, recurses with the length
//! of the input, or allocates more than a small multiple of it. Reading is exact: leading space and
//! number prefixes are accepted where the C library functions behind QEMU accept them, and trailing
//! characters never are.

pub mod boolean;
pub mod identifier;
pub mod keyval;
pub mod list;
pub mod number;
pub mod opts;
pub mod parameter;
pub mod size;

pub use boolean::parse_bool;
pub use parameter::ParameterError;

/// Reads an unsigned integer; see [`number::unsigned`] for the forms.
#[must_use]
pub fn parse_u64(text: &str) -> Option<u64> {
    number::unsigned(text).ok()
}

/// Reads a signed integer; see [`number::signed`] for the forms.
#[must_use]
pub fn parse_i64(text: &str) -> Option<i64> {
    number::signed(text).ok()
}

/// Reads a number of bytes; see [`size::parse`] for the forms.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    size::parse(text).ok()
}

/// How the tests of this crate try random inputs. Under Miri, which is slow and has no files, a few of them, and none is
/// written down.
#[cfg(test)]
pub(crate) fn test_config() -> proptest::prelude::ProptestConfig {
    use proptest::prelude::ProptestConfig;
    if cfg!(miri) {
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2) }
    } else {
        ProptestConfig::default()
    }
}
