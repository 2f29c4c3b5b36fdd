//! Which options there are with which parameters, for those who ask over a monitor. It tells what the readers of the options read by,
//! and nothing of options that are refused.

use qom::text::opts::{OptDescription, OptKind};

use super::boot::{BOOT_OPTIONS, RTC_OPTIONS};
use super::build::{MESSAGE_OPTIONS, NAME_OPTIONS};
use super::chardev::CHARDEV_OPTIONS;
use super::device::GLOBAL_OPTIONS;
use super::help::parameter;
use super::machine::MEMORY_OPTIONS;
use super::monitor::MON_OPTIONS;
use super::process::{
    ACTION_OPTIONS, ADD_FD_OPTIONS, OVERCOMMIT_OPTIONS, RUN_WITH_OPTIONS, SANDBOX_OPTIONS, TRACE_OPTIONS,
};
use crate::smp::SMP_KEYS;

/// What an option's parameters are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameters {
    /// These.
    These(Vec<OptDescription>),
    /// The properties of the machine types.
    OfMachines,
}

/// An option in QEMU's terms: the name of its group, and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionGroup {
    pub(crate) name: &'static str,
    pub(crate) parameters: Parameters,
}

/// The groups of the options that are provided, in the reference's order. One without parameters takes what fits its type.
pub(crate) fn groups() -> Vec<OptionGroup> {
    let smp = SMP_KEYS.map(|key| parameter(key, OptKind::Number, ""));
    let tables: [(&str, &[OptDescription]); 21] = [
        ("sandbox", SANDBOX_OPTIONS),
        ("run-with", RUN_WITH_OPTIONS),
        ("action", ACTION_OPTIONS),
        ("numa", &[]),
        ("name", NAME_OPTIONS),
        ("msg", MESSAGE_OPTIONS),
        ("overcommit", OVERCOMMIT_OPTIONS),
        ("object", &[]),
        ("add-fd", ADD_FD_OPTIONS),
        ("boot-opts", BOOT_OPTIONS),
        ("smp-opts", &smp),
        ("memory", MEMORY_OPTIONS),
        ("accel", &[]),
        ("trace", TRACE_OPTIONS),
        ("mon", MON_OPTIONS),
        ("global", GLOBAL_OPTIONS),
        ("rtc", RTC_OPTIONS),
        ("net", &[]),
        ("nic", &[]),
        ("device", &[]),
        ("chardev", CHARDEV_OPTIONS),
    ];
    let of_machines = OptionGroup { name: "machine", parameters: Parameters::OfMachines };
    let others =
        tables.map(|(name, table)| OptionGroup { name, parameters: Parameters::These(table.to_vec()) });
    std::iter::once(of_machines).chain(others).collect()
}
