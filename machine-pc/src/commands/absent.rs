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

/// What `query-blockstats` and `query-named-block-nodes` may be told; it makes no difference here.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct QueryBlockstats {
    #[expect(dead_code, reason = "accepted as the reference does")]
    query_nodes: Option<bool>,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct QueryBlock {
    #[expect(dead_code, reason = "accepted as the reference does")]
    flat: Option<bool>,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct QueryNamedBlockNodes {
    #[expect(dead_code, reason = "accepted as the reference does")]
    flat: Option<bool>,
}

command! {
    /// Returns the block devices: none.
    "query-block" (allow_preconfig) => fn query_block(_context: &mut Context, _: QueryBlock) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns what was read from and written to block devices: there are none.
    "query-blockstats" (allow_preconfig) =>
    fn query_blockstats(_context: &mut Context, _: QueryBlockstats) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the nodes of block devices: none.
    "query-named-block-nodes" (allow_preconfig) =>
    fn query_named_block_nodes(_context: &mut Context, _: QueryNamedBlockNodes) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the jobs about block devices: none.
    "query-block-jobs" (allow_preconfig) =>
    fn query_block_jobs(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the jobs: none.
    "query-jobs" => fn query_jobs(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the memory that was added while the machine runs: none.
    "query-memory-devices" =>
    fn query_memory_devices(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the TPMs: none.
    "query-tpm" => fn query_tpm(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the models of TPMs: none.
    "query-tpm-models" => fn query_tpm_models(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the types of TPMs: none.
    "query-tpm-types" => fn query_tpm_types(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the PCI buses with their devices: none.
    "query-pci" => fn query_pci(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

command! {
    /// Returns the mice and tablets: none.
    "query-mice" => fn query_mice(_context: &mut Context, (): ()) -> Result<Vec<Nothing>, Error> {
        Ok(Vec::new())
    }
}

/// QAPI `BalloonInfo`.
#[derive(Debug, Serialize, qmp::QapiType)]
struct BalloonInfo {
    actual: u64,
}

command! {
    /// Returns how much memory a balloon has left to the guest: there is no balloon.
    "query-balloon" => fn query_balloon(_context: &mut Context, (): ()) -> Result<BalloonInfo, Error> {
        Err(Error::new(ErrorClass::DeviceNotActive, "No balloon device has been activated"))
    }
}

fn no_suspension() -> Error {
    Error::generic("wake-up from suspend is not supported by this guest")
}

command! {
    /// Wakes a guest that is suspended, which none can be.
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
    /// Forgets the ticks of the clock that the guest missed. They are not counted, so it is done.
    "rtc-reset-reinjection" => fn rtc_reset_reinjection(_context: &mut Context, (): ()) -> Result<Empty, Error> {
        Ok(Empty)
    }
}

/// QAPI `DisplayType`, of those that there are.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum DisplayType {
    None,
}

/// QAPI `DisplayOptions`.
#[derive(Debug, Serialize, qmp::QapiType)]
struct DisplayOptions {
    #[serde(rename = "type")]
    kind: DisplayType,
}

command! {
    /// Returns which display there is: none.
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
