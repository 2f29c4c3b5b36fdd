//! What arguments of the monitor commands of this crate may be: what a user gets with the Tab key.

use qmp::Context;
use qmp::hmp::{HMP_COMPLETIONS, HmpCompletion};

use crate::cmdline::chardev::BACKENDS;
use crate::main_loop::Chardevs;
use crate::trace;

/// Names of what can be done when a watchdog runs out.
const WATCHDOG_ACTIONS: &[&str] = &["debug", "inject-nmi", "none", "pause", "poweroff", "reset", "shutdown"];

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn chardevs(context: &Context, _: &[&str], _: &str) -> Vec<String> {
    let infos = context.get::<Chardevs>().map(Chardevs::infos).unwrap_or_default();
    infos.into_iter().map(|info| info.label).collect()
}

/// Those whose memory can be written and read.
fn rings(context: &Context, before: &[&str], typed: &str) -> Vec<String> {
    let Some(all) = context.get::<Chardevs>() else { return Vec::new() };
    let mut ids = chardevs(context, before, typed);
    ids.retain(|id| all.ring(id).is_ok());
    ids
}

fn backends(_: &Context, _: &[&str], _: &str) -> Vec<String> {
    owned(BACKENDS)
}

fn trace_events(_: &Context, _: &[&str], _: &str) -> Vec<String> {
    let states = trace::states("*").unwrap_or_default();
    states.into_iter().map(|(name, _)| name.to_owned()).collect()
}

fn switches(_: &Context, _: &[&str], _: &str) -> Vec<String> {
    owned(&["on", "off"])
}

fn watchdog_actions(_: &Context, _: &[&str], _: &str) -> Vec<String> {
    owned(WATCHDOG_ACTIONS)
}

macro_rules! completions {
    ($($name:ident: $command:literal $argument:literal $words:ident;)*) => {$(
        #[linkme::distributed_slice(HMP_COMPLETIONS)]
        static $name: HmpCompletion = HmpCompletion { command: $command, argument: $argument, words: $words };
    )*};
}

completions! {
    CHARDEV_ADD: "chardev-add" 0 backends;
    CHARDEV_CHANGE: "chardev-change" 0 chardevs;
    CHARDEV_CHANGE_BACKEND: "chardev-change" 1 backends;
    CHARDEV_REMOVE: "chardev-remove" 0 chardevs;
    CHARDEV_SEND_BREAK: "chardev-send-break" 0 chardevs;
    RINGBUF_WRITE: "ringbuf_write" 0 rings;
    RINGBUF_READ: "ringbuf_read" 0 rings;
    TRACE_EVENT: "trace-event" 0 trace_events;
    TRACE_EVENT_STATE: "trace-event" 1 switches;
    INFO_TRACE_EVENTS: "info trace-events" 0 trace_events;
    WATCHDOG_ACTION: "watchdog_action" 0 watchdog_actions;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_actions::RunActions;

    /// What the reference completes, all of which there is.
    #[test]
    fn actions_have_these_names() {
        for name in WATCHDOG_ACTIONS {
            assert!(RunActions::default().set("watchdog", name), "{name}");
        }
    }
}
