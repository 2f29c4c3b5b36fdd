#![forbid(unsafe_code)]
//! (doc)
