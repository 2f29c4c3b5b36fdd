//! Which version clients are told.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The three numbers of a version, declared as QAPI does: of two members with one place in the table of the
/// reference, the later one is written first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct VersionTriple {
    /// Year's number.
    pub major: u32,
    /// Feature release of a year.
    pub minor: u32,
    /// Bug-fix release.
    pub micro: u32,
}

/// What the greeting and `query-version` report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct VersionInfo {
    /// The QEMU whose protocol this is. Managers read from it what a program can do, so it is the version
    /// that this one behaves like and not its own.
    pub qemu: VersionTriple,
    /// Who is really speaking, for people.
    pub package: Cow<'static, str>,
}

/// The version of the protocol and of this program.
pub const VERSION: VersionInfo = VersionInfo {
    qemu: VersionTriple { micro: 2, minor: 1, major: 11 },
    package: Cow::Borrowed(concat!("qom-system ", env!("CARGO_PKG_VERSION"))),
};
