//! What the machine does where the user has a choice: `-action`, `-no-shutdown`, `-no-reboot`, `set-action`.

use serde::Deserialize;

/// What is done on a reset (QAPI `RebootAction`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum RebootAction {
    /// The machine is reset.
    #[default]
    Reset,
    /// The machine shuts down (`-no-reboot`).
    Shutdown,
}

/// What is done on a power-off by the guest (QAPI `ShutdownAction`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum ShutdownAction {
    /// The program ends.
    #[default]
    Poweroff,
    /// The machine stops and the program stays (`-no-shutdown`).
    Pause,
}

/// What is done on a panic that the guest reports (QAPI `PanicAction`). No device takes such a report yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum PanicAction {
    /// Nothing but an event.
    None,
    /// The machine stops.
    Pause,
    /// The program ends.
    #[default]
    Shutdown,
    /// The program ends with status 1.
    ExitFailure,
}

/// What is done when a watchdog runs out (QAPI `WatchdogAction`). There is no watchdog yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum WatchdogAction {
    /// The machine is reset.
    #[default]
    Reset,
    /// The guest is asked to power off.
    Shutdown,
    /// The program ends.
    Poweroff,
    /// The machine stops.
    Pause,
    /// Nothing but an event and a line on standard error.
    Debug,
    /// Nothing but an event.
    None,
    /// The guest gets a non-maskable interrupt.
    InjectNmi,
}

/// All of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunActions {
    /// On a reset by the guest.
    pub reboot: RebootAction,
    /// On a power-off by the guest.
    pub shutdown: ShutdownAction,
    /// On a guest's panic.
    pub panic: PanicAction,
    /// On a watchdog that ran out.
    pub watchdog: WatchdogAction,
}

/// Reads the name of a value of an enumeration.
fn named<'de, T: Deserialize<'de>>(name: &'de str) -> Option<T> {
    use serde::de::value::{Error, StrDeserializer};
    T::deserialize(StrDeserializer::<Error>::new(name)).ok()
}

impl RunActions {
    /// Sets one by its name and its value's; whether there is such a value. There must be such a name.
    pub fn set(&mut self, event: &str, action: &str) -> bool {
        fn put<T>(place: &mut T, value: Option<T>) -> bool {
            value.map(|value| *place = value).is_some()
        }
        match event {
            "reboot" => put(&mut self.reboot, named(action)),
            "shutdown" => put(&mut self.shutdown, named(action)),
            "panic" => put(&mut self.panic, named(action)),
            "watchdog" => put(&mut self.watchdog, named(action)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of QAPI's enumerations.
    #[test]
    fn actions_have_their_names() {
        for (event, actions) in [
            ("reboot", &["reset", "shutdown"][..]),
            ("shutdown", &["poweroff", "pause"]),
            ("panic", &["none", "pause", "shutdown", "exit-failure"]),
            ("watchdog", &["reset", "shutdown", "poweroff", "pause", "debug", "none", "inject-nmi"]),
        ] {
            let mut seen = Vec::new();
            for action in actions {
                let mut set = RunActions::default();
                assert!(set.set(event, action), "{event}={action}");
                assert!(!seen.contains(&set), "{event}={action}");
                seen.push(set);
            }
            assert!(!RunActions::default().set(event, "Reset"));
        }
        assert!(!RunActions::default().set("foo", "reset"));
    }
}
