//! Running, pausing and ending the machine: what the generic commands need of whoever owns it.

use serde::{Deserialize, Serialize};

/// The machine's state as `query-status` names it (QAPI `RunState`), as far as a machine without migration and snapshots can be in
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Stopped by a debugger. No machine here has one.
    Debug,
    /// An error of the accelerator or of this program; the guest cannot go on.
    InternalError,
    /// Stopped by `stop`.
    Paused,
    /// Not started yet: not built (`-preconfig`) or built (`-S`); or reset while it did not run.
    Prelaunch,
    /// The guest runs.
    Running,
    /// The guest powered itself off, and the program stays (`-no-shutdown`).
    Shutdown,
    /// The guest sleeps (ACPI S3). None can here.
    Suspended,
    /// The guest reported that it panicked. No device here takes such a report.
    GuestPanicked,
    /// A watchdog ran out, and the action is to pause. No machine here has one.
    Watchdog,
}

impl RunState {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::InternalError => "internal-error",
            Self::Paused => "paused",
            Self::Prelaunch => "prelaunch",
            Self::Running => "running",
            Self::Shutdown => "shutdown",
            Self::Suspended => "suspended",
            Self::GuestPanicked => "guest-panicked",
            Self::Watchdog => "watchdog",
        }
    }
}

/// Why the machine is reset or shut down (QAPI `ShutdownCause`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum ShutdownCause {
    /// An error of the host, such as a machine that could not be built (`x-exit-preconfig`).
    HostError,
    /// The command `quit`.
    HostQmpQuit,
    /// The command `system_reset`.
    HostQmpSystemReset,
    /// A signal such as SIGTERM.
    HostSignal,
    /// A person at the console, by the keys that end the program.
    HostUi,
    /// The guest powered itself off.
    GuestShutdown,
    /// The guest reset itself.
    GuestReset,
    /// The guest panicked. No device here takes a report of it.
    GuestPanic,
    /// A device asked for a reset of the machine. None does here.
    SubsystemReset,
}

impl ShutdownCause {
    /// Whether the guest caused it.
    #[must_use]
    pub fn is_guest(self) -> bool {
        matches!(self, Self::GuestShutdown | Self::GuestReset | Self::GuestPanic | Self::SubsystemReset)
    }
}

/// Whether KVM is there and in use (QAPI `KvmInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
pub struct KvmInfo {
    /// Whether the machine runs under KVM.
    pub enabled: bool,
    /// Whether the program knows KVM, whatever the host has: always true.
    pub present: bool,
}

/// The machine, as `stop`, `cont`, `system_reset`, `quit` and their like see it.
///
/// The embedding program provides one as a service of type `Box<dyn RunControl>` in the
/// [`Context`](crate::Context). It emits the events ([`crate::events`]) itself, since the guest and signals cause
/// them too; it emits none where nothing changes.
pub trait RunControl: std::fmt::Debug {
    /// The state the machine is in.
    fn state(&self) -> RunState;

    /// Pauses the machine, if it runs.
    ///
    /// # Errors
    /// Why it cannot be paused.
    fn stop(&mut self) -> Result<(), crate::Error>;

    /// Starts the machine or lets it go on, if it does not run.
    ///
    /// # Errors
    /// Why it cannot go on; after a guest's shutdown it needs a reset first.
    fn cont(&mut self) -> Result<(), crate::Error>;

    /// Resets the machine.
    fn reset(&mut self, cause: ShutdownCause);

    /// Asks the guest to power itself off, as the power button does.
    fn powerdown(&mut self);

    /// Ends the program as soon as the current command was answered.
    fn shutdown(&mut self, cause: ShutdownCause);

    /// Whether the program is about to end.
    fn is_shutting_down(&self) -> bool;

    /// Whether KVM is there and in use.
    fn kvm(&self) -> KvmInfo;
}
