//! Running, pausing and ending the machine: what the generic commands need of whoever owns it.

use serde::{Deserialize, Serialize};

/// The machine's state as `query-status` names it (QAPI's `RunState`), as far as a machine without
/// migration and snapshots can be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Stopped by a debugger.
    Debug,
    /// An error of the accelerator or of this program; the guest cannot go on.
    InternalError,
    /// Stopped by `stop`.
    Paused,
    /// Built, and not started yet (`-S`).
    Prelaunch,
    /// The guest runs.
    Running,
    /// The guest powered itself off, and the program stays (`-no-shutdown`).
    Shutdown,
    /// The guest sleeps (ACPI S3).
    Suspended,
    /// The guest reported that it panicked.
    GuestPanicked,
    /// A watchdog ran out, and the action is to pause.
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

/// Why the machine is reset or the program ends (QAPI's `ShutdownCause`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum ShutdownCause {
    /// An error of the host.
    HostError,
    /// The command `quit`.
    HostQmpQuit,
    /// The command `system_reset`.
    HostQmpSystemReset,
    /// A signal such as SIGTERM.
    HostSignal,
    /// The user interface.
    HostUi,
    /// The guest powered itself off.
    GuestShutdown,
    /// The guest reset itself.
    GuestReset,
    /// The guest panicked.
    GuestPanic,
    /// A device asks for a reset of the machine.
    SubsystemReset,
}

impl ShutdownCause {
    /// Whether the guest caused it.
    #[must_use]
    pub fn is_guest(self) -> bool {
        matches!(self, Self::GuestShutdown | Self::GuestReset | Self::GuestPanic | Self::SubsystemReset)
    }
}

/// Whether KVM is there and in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
pub struct KvmInfo {
    /// The machine runs under KVM.
    pub enabled: bool,
    /// The program knows KVM.
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
