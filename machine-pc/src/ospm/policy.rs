//! The manners that a scripted guest can have.

qom::property_enum! {
    /// How a scripted guest behaves.
    pub enum Policy("OspmPolicy") {
        /// Takes every CPU and lets every CPU go, at once.
        Cooperative = "cooperative",
        /// Takes CPUs, and refuses to let one go: the device is busy.
        RefusesEject = "refuses-eject",
        /// Has no ACPI driver: events stay pending.
        NeverAnswers = "never-answers",
        /// As `cooperative`, after a time. It has seen the event meanwhile.
        AnswersLate = "answers-late",
        /// Resets the machine when it has seen a CPU come and not yet taken it.
        RebootsInMidPlug = "reboots-in-mid-plug",
        /// Knows only the bitmap of present CPUs that machines of old start with.
        LegacyBitmap = "legacy-bitmap",
        /// Reports a failure for every event, and takes and lets go of nothing.
        OstError = "ost-error",
    }
}

/// The driver by which a guest talks to the hotplug registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    /// None: it listens to no event.
    None,
    /// The register block with a selector.
    Modern,
    /// The bitmap.
    Legacy,
}

impl Policy {
    /// The driver that a guest of this manner has.
    pub(super) fn driver(self) -> Driver {
        match self {
            Self::NeverAnswers => Driver::None,
            Self::LegacyBitmap => Driver::Legacy,
            _ => Driver::Modern,
        }
    }
}

/// A policy with its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// How it behaves.
    pub(super) policy: Policy,
    /// After how many milliseconds [`Policy::AnswersLate`] answers.
    pub(super) delay_ms: u32,
    /// What [`Policy::OstError`] reports.
    pub(super) ost_status: u32,
}

impl Default for Manner {
    fn default() -> Self {
        Self { policy: Policy::Cooperative, delay_ms: 1000, ost_status: ost::FAILURE }
    }
}

/// Figures of `_OST` (ACPI 6.5, 6.3.5).
pub(super) mod ost {
    /// Source event: a device came (device check).
    pub(in crate::ospm) const DEVICE_CHECK: u32 = 1;
    /// Source event: a device is wanted back.
    pub(in crate::ospm) const EJECT_REQUEST: u32 = 3;
    /// Status: done.
    pub(in crate::ospm) const SUCCESS: u32 = 0;
    /// Status: failed, for no particular reason.
    pub(in crate::ospm) const FAILURE: u32 = 1;
    /// Status of an ejection: the device is busy. What Linux reports of a CPU that cannot be taken offline.
    pub(in crate::ospm) const DEVICE_BUSY: u32 = 0x82;
    /// Status of an ejection: it has begun. Linux reports it before each.
    pub(in crate::ospm) const EJECT_IN_PROGRESS: u32 = 0x84;
}
