//! See `hmp` in `targets.rs`.
#![no_main]

#[path = "../targets.rs"]
#[expect(dead_code, reason = "one program calls one target")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::hmp(bytes));
