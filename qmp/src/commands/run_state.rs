//! Running, pausing and ending the machine.

use serde::{Deserialize, Serialize};

use crate::run_control::{KvmInfo, RunControl, RunState, ShutdownCause};
use crate::{Context, Empty, Error};

/// What the embedding program provides.
type Control = Box<dyn RunControl>;

/// Whether a machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct StatusInfo {
    /// What it does.
    pub status: RunState,
    /// Whether that is to run.
    pub running: bool,
}

commands! {
    /// Returns whether the machine runs, and if not, why.
    "query-status" (allow_preconfig) =>
    fn query_status(context: &mut Context, (): ()) -> Result<StatusInfo, Error> {
        let status = context.require::<Control>()?.state();
        Ok(StatusInfo { status, running: status == RunState::Running })
    }

    /// Pauses the machine.
    "stop" => fn stop(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.stop()?;
        Ok(Empty)
    }

    /// Starts the machine or lets it go on.
    "cont" => fn cont(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.cont()?;
        Ok(Empty)
    }

    /// Resets the machine.
    "system_reset" => fn system_reset(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.reset(ShutdownCause::HostQmpSystemReset);
        Ok(Empty)
    }

    /// Asks the guest to power itself off.
    "system_powerdown" => fn system_powerdown(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.powerdown();
        Ok(Empty)
    }

    /// Ends the program. What the guest has not written to its disks is lost.
    "quit" (allow_preconfig) => fn quit(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.shutdown(ShutdownCause::HostQmpQuit);
        Ok(Empty)
    }

    /// Returns whether KVM is there and in use.
    "query-kvm" (deprecated) => fn query_kvm(context: &mut Context, (): ()) -> Result<KvmInfo, Error> {
        Ok(context.require::<Control>()?.kvm())
    }
}
