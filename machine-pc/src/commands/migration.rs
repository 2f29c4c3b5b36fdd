//! What managers ask about migration before they start any machine. A machine cannot be migrated, so there is one capability
//! without effect, nothing has ever been migrated, and the commands that would begin to do not exist.

use qmp::{Context, Empty, Error, command, hmp_command};
use serde::{Deserialize, Serialize};

/// Something that can be switched on for migrations (QAPI `MigrationCapability`), of what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum MigrationCapability {
    /// Events tell how a migration goes. There are none to tell.
    Events,
}

/// Whether something is switched on for migrations (QAPI `MigrationCapabilityStatus`).
#[derive(Debug, Clone, Copy, Deserialize, Serialize, qmp::QapiType)]
struct MigrationCapabilityStatus {
    /// Whether it is on.
    state: bool,
    /// What it is about.
    capability: MigrationCapability,
}

// Errors come in QAPI's order of members, which is not that in which they are sent.
/// What to switch on or off for migrations (QAPI `MigrationCapabilityStatus`).
#[derive(Debug, Clone, Copy, Deserialize, qmp::QapiType)]
struct GivenCapability {
    /// What it is about.
    capability: MigrationCapability,
    /// Whether it is to be on.
    state: bool,
}

/// What `migrate-set-capabilities` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct MigrateSetCapabilities {
    /// What to switch, in order; all that is not named stays as it is.
    capabilities: Vec<GivenCapability>,
}

/// What a client has switched on.
#[derive(Debug, Default)]
struct Capabilities {
    events: bool,
}

/// A unit of time (QAPI `TimeUnit`).
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum TimeUnit {
    /// Seconds.
    #[default]
    Second,
    /// Milliseconds.
    Millisecond,
}

/// How far a measurement is (QAPI `DirtyRateStatus`), of what can be.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum DirtyRateStatus {
    /// None was begun.
    Unstarted,
}

/// How it is measured (QAPI `DirtyRateMeasureMode`), of what can be.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum DirtyRateMeasureMode {
    /// By looking at some pages again.
    PageSampling,
}

/// What `query-dirty-rate` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct QueryDirtyRate {
    /// The unit in which `calc-time` is told; `second` by default.
    calc_time_unit: Option<TimeUnit>,
}

/// How fast the guest was found to write to its memory (QAPI `DirtyRateInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct DirtyRateInfo {
    /// How far the measurement is: always `unstarted`.
    status: DirtyRateStatus,
    /// How many pages of each GiB were looked at: always 0.
    sample_pages: u64,
    /// How it was measured: always `page-sampling`.
    mode: DirtyRateMeasureMode,
    /// The unit of `calc-time`: the one that was asked for.
    calc_time_unit: TimeUnit,
    /// When the measurement began, in seconds of the host's clock: always 0.
    start_time: i64,
    /// How long it took: always 0.
    calc_time: i64,
}

/// QAPI `MigrationInfo` before any migration.
#[derive(Debug, Serialize, qmp::QapiType)]
struct MigrationInfo {}

command! {
    /// Returns what can be switched on for migrations, and whether it is. A machine cannot be migrated: there is one capability,
    /// which nothing follows from, so that managers that switch it on can go on.
    "query-migrate-capabilities" =>
    fn query_migrate_capabilities(context: &mut Context, (): ()) -> Result<Vec<MigrationCapabilityStatus>, Error> {
        let state = context.get::<Capabilities>().is_some_and(|capabilities| capabilities.events);
        Ok(vec![MigrationCapabilityStatus { state, capability: MigrationCapability::Events }])
    }
}

command! {
    /// Switches on or off what `query-migrate-capabilities` lists. It is kept, and nothing follows from it.
    ///
    /// Fails for a capability that there is not (`Parameter 'capability' does not accept value 'NAME'`); then nothing has changed.
    "migrate-set-capabilities" =>
    fn migrate_set_capabilities(context: &mut Context, arguments: MigrateSetCapabilities) -> Result<Empty, Error> {
        for GivenCapability { capability: MigrationCapability::Events, state } in arguments.capabilities {
            context.insert(Capabilities { events: state });
        }
        Ok(Empty)
    }
}

command! {
    /// Returns how the last migration went. Always an empty object: a machine cannot be migrated, and `migrate` does not exist.
    "query-migrate" => fn query_migrate(_context: &mut Context, (): ()) -> Result<MigrationInfo, Error> {
        Ok(MigrationInfo {})
    }
}

command! {
    /// Returns how fast the guest was found to write to its memory. The answer never changes but for the unit: nothing here
    /// measures it.
    "query-dirty-rate" =>
    fn query_dirty_rate(_context: &mut Context, arguments: QueryDirtyRate) -> Result<DirtyRateInfo, Error> {
        Ok(DirtyRateInfo {
            status: DirtyRateStatus::Unstarted,
            sample_pages: 0,
            mode: DirtyRateMeasureMode::PageSampling,
            calc_time_unit: arguments.calc_time_unit.unwrap_or_default(),
            start_time: 0,
            calc_time: 0,
        })
    }
}

hmp_command! {
    info "migrate", "", "", "show migration status" =>
    fn info_migrate(_monitor, _arguments) {
        Ok(())
    }
}

hmp_command! {
    info "migrate_capabilities", "", "", "show current migration capabilities" =>
    fn info_migrate_capabilities(monitor, _arguments) {
        let events = monitor.context.get::<Capabilities>().is_some_and(|capabilities| capabilities.events);
        monitor.print(format_args!("events: {}\n", if events { "on" } else { "off" }));
        Ok(())
    }
}

hmp_command! {
    info "dirty_rate", "", "", "show dirty rate information" =>
    fn info_dirty_rate(monitor, _arguments) {
        monitor.print(format_args!(
            "Status: unstarted\nStart Time: 0 (ms)\nSample Pages: 0 (per GB)\nPeriod: 0 (sec)\n\
             Mode: page-sampling\nDirty rate: (not ready)\n"
        ));
        Ok(())
    }
}
