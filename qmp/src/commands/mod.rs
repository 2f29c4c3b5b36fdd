//! The QMP commands that are about any machine and any object, with what they take and return. A command's type is named as on the
//! wire, with underscores; a [client](crate::client) executes it by that type.
//!
//! They are listed and not put into the link-time table: an entry there is a static in a link section of its
//! own, which this crate's ban on unsafe code does not allow. A command that is declared and not listed is
//! reported by the compiler as never used.

use crate::command::CommandEntry;

/// Declares the commands of a module as [`crate::command!`] does, and lists them in `COMMANDS`.
macro_rules! commands {
    ($(
        $(#[doc = $doc:literal])*
        $name:literal $(($($flag:ident),+))? $(kept while $revision:path)? =>
        fn $ident:ident $signature:tt -> Result<$Return:ty, $Error:ty> $body:block
    )*) => {
        $($crate::__command_type! {
            $(#[doc = $doc])* $name $(($($flag),+))? $(kept while $revision)? =>
            pub fn $ident $signature -> Result<$Return, $Error> $body
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

pub use control::{
    CommandInfo, HumanMonitorCommand, human_monitor_command, qmp_capabilities, query_commands,
    query_qmp_schema, query_version,
};
pub use object::{ObjectAdd, ObjectDel, object_add, object_del};
pub use qdev::{DeviceAdd, DeviceDel, DeviceListProperties, device_add, device_del, device_list_properties};
pub use qom::{
    ObjectPropertyInfo, ObjectTree, ObjectTypeInfo, PropertiesValues, PropertyEntry, PropertyExplanation,
    PropertyValue, QomGet, QomList, QomListGet, QomListProperties, QomListTypes, QomSet, SettingInfo,
    qom_get, qom_list, qom_list_get, qom_list_properties, qom_list_types, qom_set, qom_tree_get,
    x_qom_explain,
};
pub use run_state::{StatusInfo, cont, query_kvm, query_status, quit, stop, system_powerdown, system_reset};

/// The commands of this crate.
pub(crate) fn builtin() -> impl Iterator<Item = CommandEntry> {
    [control::COMMANDS, object::COMMANDS, qdev::COMMANDS, qom::COMMANDS, run_state::COMMANDS]
        .into_iter()
        .flatten()
        .copied()
}
