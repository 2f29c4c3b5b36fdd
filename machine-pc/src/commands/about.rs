//! What the machine is called, how large it is, and what runs it: QMP and the human monitor.

use std::fmt::Write as _;

use qmp::{Context, Error, command, hmp_command};
use qom::Qom;
use serde::Serialize;

use super::cpus::SysEmuTarget;
use crate::machine::Machine;

/// What the user calls the machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    /// `-name guest=`.
    pub(crate) name: Option<String>,
    /// `-uuid`; zeroes where nobody gave one.
    pub(crate) uuid: [u8; 16],
}

impl Identity {
    /// As RFC 9562 writes it.
    fn uuid_text(&self) -> String {
        let mut text = String::new();
        for (index, byte) in self.uuid.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            // Appending to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// What the machine is called (QAPI `NameInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct NameInfo {
    /// The name given by `-name` or `-name guest=`; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// The machine's UUID (QAPI `UuidInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct UuidInfo {
    /// 32 hexadecimal digits in lower case, grouped by hyphens as RFC 9562 has it; all zero where nobody gave one.
    #[serde(rename = "UUID")]
    uuid: String,
}

/// The architecture (QAPI `TargetInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct TargetInfo {
    /// What the program emulates: always `x86_64`.
    arch: SysEmuTarget,
}

/// What the machine can do beyond running (QAPI `CurrentMachineParams`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct CurrentMachineParams {
    /// Whether a suspended guest can be woken; always false, as no guest can be suspended to RAM.
    wakeup_suspend_support: bool,
}

/// How much RAM the machine has (QAPI `MemoryInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct MemoryInfo {
    /// RAM from the start (`-m`), in bytes; 0 on a machine without any.
    base_memory: u64,
    /// RAM added since, in bytes: always 0, as none can be added.
    plugged_memory: u64,
}

/// An accelerator (QAPI `Accelerator`), of those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Accelerator {
    /// The guest runs under Linux's KVM.
    Kvm,
    /// For tests: no guest code runs.
    Qtest,
    /// Stands for QEMU's translator: CPUs have what that one emulates, and no guest code runs.
    Tcg,
}

/// The accelerators (QAPI `AcceleratorInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct AcceleratorInfo {
    /// The one in use.
    enabled: Accelerator,
    /// All that the program has, whether or not the host can run them.
    present: Vec<Accelerator>,
}

impl Accelerator {
    const ALL: [(&'static str, Self); 3] = [("kvm", Self::Kvm), ("qtest", Self::Qtest), ("tcg", Self::Tcg)];

    /// The one in use, with its name.
    pub(super) fn in_use(qom: &Qom) -> Option<(&'static str, Self)> {
        let class = qom.accel().class().name();
        Self::ALL.into_iter().find(|(name, _)| class.strip_suffix("-accel") == Some(name))
    }
}

fn identity(context: &Context) -> Result<Identity, Error> {
    context.require::<Identity>().cloned()
}

fn ram_size(context: &Context) -> u64 {
    let machine = context.qom().resolve("/machine").ok();
    machine.and_then(|machine| Some(machine.downcast_ref::<Machine>()?.ram_size())).unwrap_or(0)
}

command! {
    /// Returns what the machine is called (`-name`).
    "query-name" (allow_preconfig) => fn query_name(context: &mut Context, (): ()) -> Result<NameInfo, Error> {
        Ok(NameInfo { name: identity(context)?.name })
    }
}

command! {
    /// Returns the machine's UUID (`-uuid`).
    "query-uuid" (allow_preconfig) => fn query_uuid(context: &mut Context, (): ()) -> Result<UuidInfo, Error> {
        Ok(UuidInfo { uuid: identity(context)?.uuid_text() })
    }
}

command! {
    /// Returns which architecture's machines these are: always `x86_64`.
    "query-target" => fn query_target(_context: &mut Context, (): ()) -> Result<TargetInfo, Error> {
        Ok(TargetInfo { arch: SysEmuTarget::X86_64 })
    }
}

command! {
    /// Returns what the machine can do. The answer never changes: a guest cannot be suspended to RAM, so it cannot be woken either.
    "query-current-machine" =>
    fn query_current_machine(_context: &mut Context, (): ()) -> Result<CurrentMachineParams, Error> {
        Ok(CurrentMachineParams { wakeup_suspend_support: false })
    }
}

command! {
    /// Returns how much RAM the machine has, in bytes.
    "query-memory-size-summary" =>
    fn query_memory_size_summary(context: &mut Context, (): ()) -> Result<MemoryInfo, Error> {
        Ok(MemoryInfo { base_memory: ram_size(context), plugged_memory: 0 })
    }
}

command! {
    /// Returns the accelerator in use, and those that there are. Whether KVM works on this host is not told by `present` but by
    /// starting with it.
    "query-accelerators" =>
    fn query_accelerators(context: &mut Context, (): ()) -> Result<AcceleratorInfo, Error> {
        let (_, enabled) =
            Accelerator::in_use(context.qom()).ok_or_else(|| Error::generic("no accelerator is in use"))?;
        Ok(AcceleratorInfo { enabled, present: Accelerator::ALL.map(|(_, one)| one).to_vec() })
    }
}

hmp_command! {
    info "name", "", "", "show the current VM name" (allow_preconfig) =>
    fn info_name(monitor, _arguments) {
        if let Some(name) = identity(monitor.context)?.name {
            monitor.print(format_args!("{name}\n"));
        }
        Ok(())
    }
}

hmp_command! {
    info "uuid", "", "", "show the current VM UUID" (allow_preconfig) =>
    fn info_uuid(monitor, _arguments) {
        let uuid = identity(monitor.context)?.uuid_text();
        monitor.print(format_args!("{uuid}\n"));
        Ok(())
    }
}

hmp_command! {
    info "memory_size_summary", "", "", "show the amount of initially allocated and present hotpluggable (if enabled) memory in bytes." =>
    fn info_memory_size_summary(monitor, _arguments) {
        let size = ram_size(monitor.context);
        monitor.print(format_args!("base memory: {size}\nplugged memory: 0\n"));
        Ok(())
    }
}

hmp_command! {
    info "accelerators", "", "", "show present and enabled information" =>
    fn info_accelerators(monitor, _arguments) {
        let in_use = Accelerator::in_use(monitor.context.qom()).map(|(name, _)| name);
        let names = Accelerator::ALL.map(|(name, _)| {
            if in_use == Some(name) { format!("[{name}]") } else { name.to_owned() }
        });
        monitor.print(format_args!("{}\n", names.join(" ")));
        Ok(())
    }
}
