//! What happens where the user has a choice: QMP and the human monitor.

use qmp::{Context, Empty, Error, command, hmp_command};
use serde::Deserialize;

use crate::run_actions::{PanicAction, RebootAction, RunActions, ShutdownAction, WatchdogAction};
use crate::vm::Vm;

/// What `set-action` takes: what is to be done on each event; what is left out stays as it is.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct SetAction {
    /// On a reset that the guest asks for, or `system_reset`.
    reboot: Option<RebootAction>,
    /// On a power-off by the guest.
    shutdown: Option<ShutdownAction>,
    /// On a panic that the guest reports.
    panic: Option<PanicAction>,
    /// When a watchdog runs out.
    watchdog: Option<WatchdogAction>,
}

command! {
    /// Says what is done from now on when the guest resets or powers off, panics, or a watchdog runs out. What is left out stays as
    /// it is. At the start it is what `-action` says. No machine here has a device that reports panics, nor a watchdog: those two
    /// are kept and have no effect.
    "set-action" (allow_preconfig) =>
    fn set_action(context: &mut Context, arguments: SetAction) -> Result<Empty, Error> {
        let vm = context.require::<Vm>()?;
        let old = vm.actions();
        vm.set_actions(RunActions {
            reboot: arguments.reboot.unwrap_or(old.reboot),
            shutdown: arguments.shutdown.unwrap_or(old.shutdown),
            panic: arguments.panic.unwrap_or(old.panic),
            watchdog: arguments.watchdog.unwrap_or(old.watchdog),
        });
        Ok(Empty)
    }
}

/// What `watchdog-set-action` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct WatchdogSetAction {
    /// What is to be done.
    action: WatchdogAction,
}

command! {
    /// Says what is done from now on when a watchdog runs out, as `set-action` with `watchdog` does. It is kept and has no effect:
    /// no machine here has a watchdog.
    "watchdog-set-action" =>
    fn watchdog_set_action(context: &mut Context, arguments: WatchdogSetAction) -> Result<Empty, Error> {
        let vm = context.require::<Vm>()?;
        vm.set_actions(RunActions { watchdog: arguments.action, ..vm.actions() });
        Ok(Empty)
    }
}

hmp_command! {
    "watchdog_action", "action:s", "[reset|shutdown|poweroff|pause|debug|none]", "change watchdog action" =>
    fn hmp_watchdog_action(monitor, arguments) {
        let vm = monitor.context.require::<Vm>()?;
        let action = arguments.str("action").unwrap_or_default();
        let mut actions = vm.actions();
        if !actions.set("watchdog", action) {
            return Err(Error::generic(format_args!("invalid parameter value: {action}")));
        }
        vm.set_actions(actions);
        Ok(())
    }
}
