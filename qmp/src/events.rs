//! The events that any machine has. Those of a particular device are declared beside it.

use serde::{Deserialize, Serialize};

use crate::run_control::ShutdownCause;
use crate::{EventInfo, EventType, QapiType};

macro_rules! event {
    ($(#[$meta:meta])* $name:literal $type:ident { $($(#[$field_meta:meta])* $field:ident: $field_type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QapiType)]
        pub struct $type { $($(#[$field_meta])* pub $field: $field_type,)* }
        event!(@ $name $type);
    };
    ($(#[$meta:meta])* $name:literal $type:ident;) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, QapiType)]
        pub struct $type;
        event!(@ $name $type);
    };
    (@ $name:literal $type:ident) => {
        impl EventType for $type {
            const NAME: &'static str = $name;
        }
    };
}

event! {
    /// The machine was paused: by `stop`, or by what `set-action` says of something that happened. None is told where the machine
    /// did not run (QAPI `STOP`).
    "STOP" Stop;
}

event! {
    /// The machine goes on, or starts (QAPI `RESUME`).
    "RESUME" Resume;
}

event! {
    /// The guest was asked to power itself off, by `system_powerdown`. Whether it does `SHUTDOWN` tells (QAPI `POWERDOWN`).
    "POWERDOWN" Powerdown;
}

event! {
    /// The guest put its memory on its disk, and is about to power itself off (QAPI `SUSPEND_DISK`).
    "SUSPEND_DISK" SuspendDisk;
}

event! {
    /// The machine was reset (QAPI `RESET`).
    "RESET" Reset {
        /// Whether the guest caused it.
        guest: bool,
        /// What caused it.
        reason: ShutdownCause,
    }
}

event! {
    /// The machine has shut down, or the program is about to end (QAPI `SHUTDOWN`). With `-no-shutdown` a guest's power-off stops
    /// the machine, and the program stays.
    "SHUTDOWN" Shutdown {
        /// Whether the guest caused it.
        guest: bool,
        /// What caused it.
        reason: ShutdownCause,
    }
}

impl Reset {
    /// A reset of that cause.
    #[must_use]
    pub fn new(reason: ShutdownCause) -> Self {
        Self { guest: reason.is_guest(), reason }
    }
}

impl Shutdown {
    /// A shutdown of that cause.
    #[must_use]
    pub fn new(reason: ShutdownCause) -> Self {
        Self { guest: reason.is_guest(), reason }
    }
}

event! {
    /// A device was removed, and its id can be used again (QAPI `DEVICE_DELETED`). It is how a `device_del` ends that succeeds.
    "DEVICE_DELETED" DeviceDeleted {
        /// The user's id, if it had one.
        device: Option<String>,
        /// Where it was in the composition tree.
        path: String,
    }
}

event! {
    /// The guest refused to let go of a device, or has not answered in time (QAPI `DEVICE_UNPLUG_GUEST_ERROR`). It is how a
    /// `device_del` ends that fails after its reply; the device is as it was, and it can be asked for again.
    "DEVICE_UNPLUG_GUEST_ERROR" DeviceUnplugGuestError {
        /// The user's id, if it has one.
        device: Option<String>,
        /// Where it is in the composition tree.
        path: String,
    }
}

macro_rules! infos {
    ($($type:ident)*) => { [$(EventInfo::of::<$type>(concat!(module_path!(), "::", stringify!($type)))),*] };
}

/// The events of this crate.
pub(crate) const EVENTS: [EventInfo; 7] =
    infos![Stop Resume Powerdown Reset Shutdown DeviceDeleted DeviceUnplugGuestError];
