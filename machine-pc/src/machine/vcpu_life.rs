//! The life of a vCPU as a client sees it: the states, what leads from one to another, and nothing else.
//!
//! ```text
//! plugged ── notified ── seen ─┬─ online ──┐        ┌─ refused ──┐
//!                              └─ unknown ─┴─ eject-requested    ├─ eject-requested …
//!                                                   │└─ timed-out┘
//!                                                   └─ ejected
//! ```
//!
//! Steps may be left out: a guest may start a CPU of which it was not told, or eject one that nobody wanted back. A
//! guest's reset makes every CPU *plugged* again. This module knows no object, no register and no clock: it is told
//! *causes*, and [`VcpuState::after`] is a function from a state and a cause to a state.

use std::fmt;

/// How far a vCPU has come. (Not in QEMU.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub enum VcpuState {
    /// It is in its slot. The guest has not been told of it, or reads of it in its tables as it starts.
    Plugged,
    /// It came while the machine was running, and the guest was told to look.
    Notified,
    /// The guest has looked at it and has done nothing yet that could be seen from here.
    Seen,
    /// The guest has started it, or has reported (`_OST`) that it took it in.
    Online,
    /// The guest has looked at it, and then has reported a failure or nothing for too long.
    Unknown,
    /// The guest was asked to let it go.
    EjectRequested,
    /// The guest has reported that it does not let it go.
    Refused,
    /// The guest has not answered in time; it still may.
    TimedOut,
    /// It has left its slot. The last state.
    Ejected,
}

/// What can happen to a vCPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The guest is told that it came.
    Announced,
    /// The guest looked at it.
    Looked,
    /// The guest started it.
    Started,
    /// The guest reported that it took it in.
    TakenIn,
    /// The guest reported that it could not take it in.
    NotTakenIn,
    /// The guest is asked to let it go.
    EjectWanted,
    /// The guest reported that it does not let it go.
    EjectRefused,
    /// What the state waits for has not come in time.
    Timeout,
    /// It leaves its slot: the guest let it go, or the machine took it back.
    Left,
    /// The machine is reset.
    Reset {
        /// The registers still tell the guest that it is wanted back.
        wanted: bool,
    },
}

impl VcpuState {
    /// The name for clients.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plugged => "plugged",
            Self::Notified => "notified",
            Self::Seen => "seen",
            Self::Online => "online",
            Self::Unknown => "unknown",
            Self::EjectRequested => "eject-requested",
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::Ejected => "ejected",
        }
    }

    /// The state after a cause: the same where the cause says nothing new.
    #[must_use]
    pub const fn after(self, cause: Cause) -> Self {
        use VcpuState::{
            EjectRequested, Ejected, Notified, Online, Plugged, Refused, Seen, TimedOut, Unknown,
        };
        match (self, cause) {
            // Nothing happens to one that has left.
            (Ejected, _) | (_, Cause::Left) => Ejected,
            (_, Cause::EjectWanted) => EjectRequested,
            (Plugged, Cause::Announced) => Notified,
            (Plugged | Notified, Cause::Looked) => Seen,
            (Plugged | Notified | Seen | Unknown, Cause::Started | Cause::TakenIn) => Online,
            (Plugged | Notified | Seen, Cause::NotTakenIn) | (Seen, Cause::Timeout) => Unknown,
            (EjectRequested | TimedOut, Cause::EjectRefused) => Refused,
            (EjectRequested, Cause::Timeout) => TimedOut,
            // A guest that had taken note of the request has forgotten it; nobody will answer.
            (EjectRequested, Cause::Reset { wanted: false }) => TimedOut,
            (EjectRequested, Cause::Reset { wanted: true }) => EjectRequested,
            (_, Cause::Reset { .. }) => Plugged,
            (state, _) => state,
        }
    }

    /// The state ends by itself after some time: what is waited for may never come.
    pub const fn waits(self) -> bool {
        matches!(self, Self::Seen | Self::EjectRequested)
    }

    /// A request to let the CPU go has ended here without its going.
    pub const fn is_failed_request(self) -> bool {
        matches!(self, Self::Refused | Self::TimedOut)
    }
}

impl fmt::Display for VcpuState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an `_OST` report (ACPI 6.5, 6.3.5) says of a CPU's life; none for reports of progress and on other events.
pub const fn reported(source_event: u32, status: u32) -> Option<Cause> {
    /// Source events: notifications of arrival (bus check, device check, insertion processing) and of removal (ejection
    /// request, ejection by the operating system).
    const BUS_CHECK: u32 = 0;
    const DEVICE_CHECK: u32 = 1;
    const INSERTION: u32 = 0x200;
    const EJECTION_REQUEST: u32 = 3;
    const EJECTION_BY_OS: u32 = 0x103;
    const SUCCESS: u32 = 0;
    const INSERTION_IN_PROGRESS: u32 = 0x80;
    const EJECTION_IN_PROGRESS: u32 = 0x84;
    match (source_event, status) {
        (BUS_CHECK | DEVICE_CHECK | INSERTION, SUCCESS) => Some(Cause::TakenIn),
        (INSERTION, INSERTION_IN_PROGRESS) => None,
        (BUS_CHECK | DEVICE_CHECK | INSERTION, _) => Some(Cause::NotTakenIn),
        // That it has gone, the eject itself says.
        (EJECTION_REQUEST | EJECTION_BY_OS, SUCCESS | EJECTION_IN_PROGRESS) => None,
        (EJECTION_REQUEST | EJECTION_BY_OS, _) => Some(Cause::EjectRefused),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATES: [VcpuState; 9] = [
        VcpuState::Plugged,
        VcpuState::Notified,
        VcpuState::Seen,
        VcpuState::Online,
        VcpuState::Unknown,
        VcpuState::EjectRequested,
        VcpuState::Refused,
        VcpuState::TimedOut,
        VcpuState::Ejected,
    ];

    const CAUSES: [Cause; 11] = [
        Cause::Announced,
        Cause::Looked,
        Cause::Started,
        Cause::TakenIn,
        Cause::NotTakenIn,
        Cause::EjectWanted,
        Cause::EjectRefused,
        Cause::Timeout,
        Cause::Left,
        Cause::Reset { wanted: false },
        Cause::Reset { wanted: true },
    ];

    fn life(causes: &[Cause]) -> Vec<&'static str> {
        let mut state = VcpuState::Plugged;
        let mut states = vec![state.name()];
        for cause in causes {
            state = state.after(*cause);
            states.push(state.name());
        }
        states
    }

    #[test]
    fn a_hot_added_cpu_comes_and_goes() {
        use Cause::{Announced, EjectRefused, EjectWanted, Left, Looked, Started, TakenIn, Timeout};
        assert_eq!(
            life(&[
                Announced,
                Looked,
                Started,
                TakenIn,
                EjectWanted,
                EjectRefused,
                EjectWanted,
                Timeout,
                Left
            ]),
            [
                "plugged",
                "notified",
                "seen",
                "online",
                "online",
                "eject-requested",
                "refused",
                "eject-requested",
                "timed-out",
                "ejected"
            ]
        );
        assert_eq!(life(&[Announced, Left]), ["plugged", "notified", "ejected"]);
        assert_eq!(life(&[Looked, Timeout, TakenIn]), ["plugged", "seen", "unknown", "online"]);
    }

    /// The names are told to clients and must not change.
    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = STATES.iter().map(|state| state.name()).collect();
        assert_eq!(names.len(), STATES.len());
        assert_eq!(VcpuState::EjectRequested.to_string(), "eject-requested");
    }

    #[test]
    fn a_request_fails_only_by_the_guest_or_the_clock() {
        for state in STATES {
            for cause in CAUSES {
                let next = state.after(cause);
                if next.is_failed_request() && next != state {
                    assert!(
                        matches!(state, VcpuState::EjectRequested | VcpuState::TimedOut),
                        "{state} {cause:?}"
                    );
                }
                // One that has left does not come back, and none leaves but by leaving.
                assert_eq!(next == VcpuState::Ejected, state == VcpuState::Ejected || cause == Cause::Left);
                // From wherever it is in its slot it can be asked for.
                if state != VcpuState::Ejected {
                    assert_eq!(state.after(Cause::EjectWanted), VcpuState::EjectRequested);
                }
            }
        }
    }

    /// Causes that a guest can repeat at will change nothing the second time: no guest makes events without end.
    #[test]
    fn a_guest_cannot_make_states_alternate() {
        use Cause::{EjectRefused, Looked, NotTakenIn, Started, TakenIn};
        let guests = [Looked, Started, TakenIn, NotTakenIn, EjectRefused];
        let strategy = prop::collection::vec(prop::sample::select(guests.to_vec()), 0..100);
        proptest!(|(start in prop::sample::select(STATES.to_vec()), causes in strategy)| {
            let mut state = start;
            let mut changes = 0;
            for cause in causes {
                let next = state.after(cause);
                changes += usize::from(next != state);
                state = next;
            }
            prop_assert!(changes <= 3, "{changes}");
        });
    }

    /// The codes that Linux's `drivers/acpi` sends.
    #[test]
    fn reports_mean_what_linux_means_by_them() {
        assert_eq!(reported(1, 0), Some(Cause::TakenIn));
        assert_eq!(reported(1, 1), Some(Cause::NotTakenIn));
        assert_eq!(reported(3, 0x84), None);
        assert_eq!(reported(3, 0), None);
        for failure in [1, 0x80, 0x81, 0x82, 0x83] {
            assert_eq!(reported(3, failure), Some(Cause::EjectRefused));
            assert_eq!(reported(0x103, failure), Some(Cause::EjectRefused));
        }
        assert_eq!(reported(0x200, 0x80), None);
        assert_eq!(reported(0x100, 0x80), None, "a shutdown is about no CPU");
    }
}
