//! What happens where the user has a choice: QMP and the human monitor.

use qmp::{Context, Empty, Error, command, hmp_command};
use serde::Deserialize;

use crate::run_actions::{PanicAction, RebootAction, RunActions, ShutdownAction, WatchdogAction};
use crate::vm::Vm;

#[derive(Debug, Deserialize, qmp::QapiType)]
struct SetAction {
    reboot: Option<RebootAction>,
    shutdown: Option<ShutdownAction>,
    panic: Option<PanicAction>,
    watchdog: Option<WatchdogAction>,
}

command! {
    /// Says what is done from now on when the guest resets or powers off, panics, or a watchdog runs out.
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

#[derive(Debug, Deserialize, qmp::QapiType)]
struct WatchdogSetAction {
    action: WatchdogAction,
}

command! {
    /// Says what is done from now on when a watchdog runs out.
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
