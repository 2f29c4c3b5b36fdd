//! Running, pausing and ending the machine.

use serde::{Deserialize, Serialize};

use crate::run_control::{KvmInfo, RunControl, RunState, ShutdownCause};
use crate::{Context, Empty, Error};

/// What the embedding program provides.
type Control = Box<dyn RunControl>;

/// Whether a machine runs (QAPI `StatusInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct StatusInfo {
    /// The machine's state.
    pub status: RunState,
    /// Whether that is `running`.
    pub running: bool,
}

commands! {
    /// Returns whether the machine runs, and if not, why.
    "query-status" (allow_preconfig) =>
    fn query_status(context: &mut Context, (): ()) -> Result<StatusInfo, Error> {
        let status = context.require::<Control>()?.state();
        Ok(StatusInfo { status, running: status == RunState::Running })
    }

    /// Pauses the machine, which the event `STOP` tells. Nothing happens if it does not run.
    "stop" => fn stop(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.stop()?;
        Ok(Empty)
    }

    /// Starts the machine or lets it go on, which the event `RESUME` tells. Nothing happens if it runs.
    ///
    /// Fails after a guest's shutdown and after an internal error, until the machine is reset (`Resetting the Virtual Machine is
    /// required`).
    "cont" => fn cont(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.cont()?;
        Ok(Empty)
    }

    /// Resets the machine at once, as its button would, which the event `RESET` tells. A machine that had stopped for good can then
    /// go on with `cont`. Where the action on a reset is `shutdown`, the machine shuts down instead.
    "system_reset" => fn system_reset(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.reset(ShutdownCause::HostQmpSystemReset);
        Ok(Empty)
    }

    /// Asks the guest to power itself off, as the power button does, which the event `POWERDOWN` tells. A guest that does not
    /// listen stays; one that does ends with the event `SHUTDOWN`.
    "system_powerdown" => fn system_powerdown(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.powerdown();
        Ok(Empty)
    }

    /// Ends the program, which the event `SHUTDOWN` tells, also with `-no-shutdown`. The guest is not asked: what it keeps in
    /// memory is lost.
    "quit" (allow_preconfig) => fn quit(context: &mut Context, (): ()) -> Result<Empty, Error> {
        context.require_mut::<Control>()?.shutdown(ShutdownCause::HostQmpQuit);
        Ok(Empty)
    }

    /// Returns whether KVM is there and in use. `query-accelerators` tells the same of all accelerators.
    "query-kvm" (deprecated) => fn query_kvm(context: &mut Context, (): ()) -> Result<KvmInfo, Error> {
        Ok(context.require::<Control>()?.kvm())
    }
}
