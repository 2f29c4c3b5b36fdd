//! Which version clients are told.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

// Declared as QAPI does: of two members with one place in the table of the reference, the later one is written first.
/// The three numbers of a version (QAPI `VersionTriple`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct VersionTriple {
    /// The first number, of a year.
    pub major: u32,
    /// The second, of a release in that year.
    pub minor: u32,
    /// The third, of a bug-fix release.
    pub micro: u32,
}

/// What the greeting and `query-version` report (QAPI `VersionInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct VersionInfo {
    /// The QEMU whose protocol this is. Managers read from it what a program can do, so it is the version
    /// that this one behaves like and not its own.
    pub qemu: VersionTriple,
    /// The program that is really speaking, with its own version, for people.
    pub package: Cow<'static, str>,
}

/// The version of the protocol and of this program.
pub const VERSION: VersionInfo = VersionInfo {
    qemu: VersionTriple { micro: 2, minor: 1, major: 11 },
    package: Cow::Borrowed(concat!("qom-system ", env!("CARGO_PKG_VERSION"))),
};
