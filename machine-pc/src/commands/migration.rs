//! What managers ask about migration before they start any machine. A machine cannot be migrated, so there is one capability
//! without effect, nothing has ever been migrated, and the commands that would begin to do not exist.

use qmp::{Context, Empty, Error, command, hmp_command};
use serde::{Deserialize, Serialize};

/// QAPI `MigrationCapability`, of those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum MigrationCapability {
    /// Changes of a migration are told as events: there are none to tell.
    Events,
}

/// QAPI `MigrationCapabilityStatus`.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, qmp::QapiType)]
struct MigrationCapabilityStatus {
    state: bool,
    capability: MigrationCapability,
}

/// As a client gives it: errors come in QAPI's order of members.
#[derive(Debug, Clone, Copy, Deserialize, qmp::QapiType)]
struct GivenCapability {
    capability: MigrationCapability,
    state: bool,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
struct MigrateSetCapabilities {
    capabilities: Vec<GivenCapability>,
}

/// What a client has switched on.
#[derive(Debug, Default)]
struct Capabilities {
    events: bool,
}

/// QAPI `TimeUnit`.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum TimeUnit {
    #[default]
    Second,
    Millisecond,
}

/// QAPI `DirtyRateStatus`, of what can be.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum DirtyRateStatus {
    Unstarted,
}

/// QAPI `DirtyRateMeasureMode`, of what can be.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum DirtyRateMeasureMode {
    PageSampling,
}

#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct QueryDirtyRate {
    calc_time_unit: Option<TimeUnit>,
}

/// QAPI `DirtyRateInfo`.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct DirtyRateInfo {
    status: DirtyRateStatus,
    sample_pages: u64,
    mode: DirtyRateMeasureMode,
    calc_time_unit: TimeUnit,
    start_time: i64,
    calc_time: i64,
}

/// QAPI `MigrationInfo` before any migration.
#[derive(Debug, Serialize, qmp::QapiType)]
struct MigrationInfo {}

command! {
    /// Returns what can be switched on for migrations, and whether it is.
    "query-migrate-capabilities" =>
    fn query_migrate_capabilities(context: &mut Context, (): ()) -> Result<Vec<MigrationCapabilityStatus>, Error> {
        let state = context.get::<Capabilities>().is_some_and(|capabilities| capabilities.events);
        Ok(vec![MigrationCapabilityStatus { state, capability: MigrationCapability::Events }])
    }
}

command! {
    /// Switches on and off what there is for migrations.
    "migrate-set-capabilities" =>
    fn migrate_set_capabilities(context: &mut Context, arguments: MigrateSetCapabilities) -> Result<Empty, Error> {
        for GivenCapability { capability: MigrationCapability::Events, state } in arguments.capabilities {
            context.insert(Capabilities { events: state });
        }
        Ok(Empty)
    }
}

command! {
    /// Returns how the last migration went: nothing, as there was none.
    "query-migrate" => fn query_migrate(_context: &mut Context, (): ()) -> Result<MigrationInfo, Error> {
        Ok(MigrationInfo {})
    }
}

command! {
    /// Returns how fast the guest was found to write to its memory: nobody has measured it.
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
