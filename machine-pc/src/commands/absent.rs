//! What managers ask every machine for and these have none of: block devices, jobs, TPMs, PCI devices, mice, a balloon, memory that was
//! added. The lists are empty, as they are in QEMU for a machine without such devices, and what else is said is what it says.
//!
//! A command is here if a manager cannot do without its answer. All others about such devices do not exist, so that a manager that
//! looks sees the truth.

use qmp::schema::{QapiType, TypeRef, Types};
use qmp::{Context, Empty, Error, command, hmp_command};
use qom::ErrorClass;
use serde::{Deserialize, Serialize, Serializer};

/// An entry of a list that is always empty.
#[derive(Debug)]
enum Nothing {}

impl Serialize for Nothing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl QapiType for Nothing {
    fn describe(types: &mut Types) -> TypeRef {
        types.empty()
    }
}

/// What `query-blockstats` may be told; it makes no difference here.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct QueryBlockstats {
    /// Whether to go by nodes instead of by devices; accepted, and makes no difference as there are neither.
    #[expect(dead_code, reason = "accepted as the reference does")]
    query_nodes: Option<bool>,
}

/// What `query-block` may be told; it makes no difference here.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct QueryBlock {
    /// Whether to leave out what nodes are made from; accepted, and makes no difference as there are no nodes.
    #[expect(dead_code, reason = "accepted as the reference does")]
    flat: Option<bool>,
}

/// What `query-named-block-nodes` may be told; it makes no difference here.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct QueryNamedBlockNodes {
    /// Whether to leave out what nodes are made from; accepted, and makes no difference as there are no nodes.
    #[expect(dead_code, reason = "accepted as the reference does")]
    flat: Option<bool>,
}

command! {
    /// Returns the block devices. Always empty: a machine has none.
    "query-block" (allow_preconfig) => fn query_block(_context: &mut Context, _: QueryBlock) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns what was read from and written to block devices. Always empty: a machine has none.
    "query-blockstats" (allow_preconfig) =>
    fn query_blockstats(_context: &mut Context, _: QueryBlockstats) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the nodes that block devices are made from. Always empty: a machine has no block devices.
    "query-named-block-nodes" (allow_preconfig) =>
    fn query_named_block_nodes(_context: &mut Context, _: QueryNamedBlockNodes) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the jobs about block devices. Always empty: there are no block devices.
    "query-block-jobs" (allow_preconfig) =>
    fn query_block_jobs(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the jobs that run in the background. Always empty: no command starts one.
    "query-jobs" => fn query_jobs(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the memory that was added as devices. Always empty: there are no such devices.
    "query-memory-devices" =>
    fn query_memory_devices(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the machine's TPMs. Always empty: there is no such device.
    "query-tpm" => fn query_tpm(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the models of TPMs that the program has. Always empty: it has none.
    "query-tpm-models" => fn query_tpm_models(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the backends for TPMs that the program has. Always empty: it has none.
    "query-tpm-types" => fn query_tpm_types(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the PCI buses with their devices. Always empty: the machines have no PCI.
    "query-pci" => fn query_pci(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the pointing devices of the guest. Always empty: there are none.
    "query-mice" => fn query_mice(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

/// How large the guest's memory is (QAPI `BalloonInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct BalloonInfo {
    /// Bytes of RAM that the balloon has left to the guest.
    actual: u64,
}

command! {
    /// Returns how much memory a balloon has left to the guest. Always fails, with class `DeviceNotActive`: there is no balloon
    /// (`No balloon device has been activated`).
    "query-balloon" => fn query_balloon(_context: &mut Context, (): ()) -> Result<BalloonInfo, Error> {
        Err(Error::new(ErrorClass::DeviceNotActive, "No balloon device has been activated"))
    }
}

fn no_suspension() -> Error {
    Error::generic("wake-up from suspend is not supported by this guest")
}

command! {
    /// Wakes a suspended guest. Always fails: no guest can be suspended to RAM (`wake-up from suspend is not supported by this
    /// guest`). `query-current-machine` tells the same.
    "system_wakeup" => fn system_wakeup(_context: &mut Context, (): ()) -> Result<Empty, Error> {
        Err(no_suspension())
    }
}

hmp_command! {
    "system_wakeup", "", "", "wakeup guest from suspend" =>
    fn hmp_system_wakeup(_monitor, _arguments) {
        Err(no_suspension())
    }
}

command! {
    /// Forgets ticks of the clock that the guest has missed. Always succeeds and does nothing: missed ticks are not kept.
    "rtc-reset-reinjection" => fn rtc_reset_reinjection(_context: &mut Context, (): ()) -> Result<Empty, Error> {
        Ok(Empty)
    }
}

/// A kind of display (QAPI `DisplayType`), of those that there are.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum DisplayType {
    /// No display: a guest is seen over its serial ports.
    None,
}

/// How the guest's display is shown (QAPI `DisplayOptions`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct DisplayOptions {
    /// The kind of display: always `none`.
    #[serde(rename = "type")]
    kind: DisplayType,
}

command! {
    /// Returns how the guest's display is shown. The answer never changes: there is no display.
    "query-display-options" =>
    fn query_display_options(_context: &mut Context, (): ()) -> Result<DisplayOptions, Error> {
        Ok(DisplayOptions { kind: DisplayType::None })
    }
}

hmp_command! {
    info "block", "nodes:-n,verbose:-v,device:s?", "[-n] [-v] [device]", "show info of one block device or all block devices (-n: show named nodes; -v: show details)" =>
    fn info_block(_monitor, _arguments) {
        Ok(())
    }
}

hmp_command! {
    info "blockstats", "", "", "show block device statistics" =>
    fn info_blockstats(_monitor, _arguments) {
        Ok(())
    }
}

hmp_command! {
    info "block-jobs", "", "", "show progress of ongoing block device operations" =>
    fn info_block_jobs(monitor, _arguments) {
        monitor.print(format_args!("No active jobs\n"));
        Ok(())
    }
}

hmp_command! {
    info "memory-devices", "", "", "show memory devices" =>
    fn info_memory_devices(_monitor, _arguments) {
        Ok(())
    }
}

hmp_command! {
    info "network", "", "", "show the network state" =>
    fn info_network(_monitor, _arguments) {
        Ok(())
    }
}

hmp_command! {
    info "balloon", "", "", "show balloon information" =>
    fn info_balloon(_monitor, _arguments) {
        Err(Error::generic("No balloon device has been activated"))
    }
}

hmp_command! {
    info "pci", "", "", "show PCI info" =>
    fn info_pci(_monitor, _arguments) {
        Ok(())
    }
}

hmp_command! {
    info "mice", "", "", "show which guest mouse is receiving events" =>
    fn info_mice(monitor, _arguments) {
        monitor.print(format_args!("No mouse devices connected\n"));
        Ok(())
    }
}

hmp_command! {
    info "tpm", "", "", "show the TPM device" =>
    fn info_tpm(_monitor, _arguments) {
        Ok(())
    }
}
