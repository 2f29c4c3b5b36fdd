//! The QMP commands that are about any machine and any object.
//!
//! They are listed and not put into the link-time table: an entry there is a static in a link section of its
//! own, which this crate's ban on unsafe code does not allow. A command that is declared and not listed is
//! reported by the compiler as never used.

use crate::command::CommandEntry;

/// Declares the commands of a module as [`crate::command!`] does, and lists them in `COMMANDS`.
macro_rules! commands {
    ($(
        $(#[doc = $doc:literal])*
        $name:literal $(($($flag:ident),+))? => fn $ident:ident $signature:tt -> Result<$Return:ty, $Error:ty> $body:block
    )*) => {
        $($crate::__command_type! {
            $(#[doc = $doc])* $name $(($($flag),+))? => fn $ident $signature -> Result<$Return, $Error> $body
        })*

        /// The commands of this module.
        pub(super) const COMMANDS: &[$crate::CommandEntry] = &[$($crate::__command_entry!($ident)),*];
    };
}

mod control;
mod object;
mod qdev;
pub(crate) mod qom;
mod run_state;

/// The commands of this crate.
pub(crate) fn builtin() -> impl Iterator<Item = CommandEntry> {
    [control::COMMANDS, object::COMMANDS, qdev::COMMANDS, qom::COMMANDS, run_state::COMMANDS]
        .into_iter()
        .flatten()
        .copied()
}
