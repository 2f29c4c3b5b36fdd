//! `#[derive(Object)]`: mistakes are compile errors that say what would be right, and all of the grammar works.
//!
//! The `.stderr` files hold the compiler's words; after a change of the compiler they are made anew with
//! `TRYBUILD=overwrite cargo test -p qom --test derive` and read before they are kept.

#[test]
#[cfg_attr(miri, ignore = "starts a compiler")]
fn the_derive_macro() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/every_attribute.rs");
    cases.compile_fail("tests/ui/[!e]*.rs");
}
