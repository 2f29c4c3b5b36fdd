//! Where an operating system sits on a board that no vCPU runs: the far end of the SCI, and whether time passes.
//!
//! The board has one seat, and has it exactly where there is no KVM: two systems on the same registers would take each
//! other's events.

use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;

use crate::irq::IrqLine;

/// Where an operating system finds the registers that it needs, as tables of the firmware would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcpiPorts {
    /// First port of general-purpose event block 0 (FADT's GPE0_BLK).
    pub gpe0: u64,
    /// Its length in bytes, status and enable together (FADT's GPE0_BLK_LEN).
    pub gpe0_len: u8,
    /// First port of PM1 status and enable, a word each (FADT's PM1a_EVT_BLK).
    pub pm1_event: u64,
    /// The port of PM1 control, a word (FADT's PM1a_CNT_BLK).
    pub pm1_control: u64,
    /// The sleep type of soft off, 0 to 7 (`\_S5` of the DSDT).
    pub soft_off: u8,
    /// First port of the CPU hotplug registers.
    pub cpu_hotplug: u64,
    /// The reset register (FADT's RESET_REG).
    pub reset: u64,
}

/// What sits there. Its methods are called on the main loop's thread and on those of devices.
pub trait OperatingSystem: Send + Sync {
    /// The SCI has risen. Called with locks of devices held: it must not wait, nor reach for a port.
    fn interrupt(&self);

    /// The machine runs, or no longer. It does nothing more when this has returned from telling it to stop.
    fn run(&self, running: bool);
}

/// Why nobody can sit down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the machine has a scripted guest already")]
pub struct SeatError;

#[derive(Default)]
struct State {
    running: bool,
    who: Option<Arc<dyn OperatingSystem>>,
}

/// The place of a scripted guest.
pub struct Seat {
    ports: Option<AcpiPorts>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl Seat {
    /// An empty seat of a machine that does not run. A board without ACPI has no ports.
    pub fn new(ports: Option<AcpiPorts>) -> Self {
        Self { ports, state: Mutex::default() }
    }

    /// Where the registers are; none where the board has no ACPI.
    pub fn ports(&self) -> Option<AcpiPorts> {
        self.ports
    }

    /// Sits down. The newcomer is told first whether the machine runs.
    ///
    /// # Errors
    /// [`SeatError`]: somebody sits there.
    pub fn sit(&self, who: &Arc<dyn OperatingSystem>) -> Result<(), SeatError> {
        let running = {
            let mut state = self.state.lock();
            if state.who.is_some() {
                return Err(SeatError);
            }
            state.who = Some(who.clone());
            state.running
        };
        who.run(running);
        Ok(())
    }

    /// Gets up.
    pub fn leave(&self) {
        // Dropped after the lock is released.
        let _gone = self.state.lock().who.take();
    }

    /// The machine runs, or no longer; whoever sits here has stopped when this returns.
    pub fn set_running(&self, running: bool) {
        let who = {
            let mut state = self.state.lock();
            state.running = running;
            state.who.clone()
        };
        if let Some(who) = who {
            who.run(running);
        }
    }
}

impl IrqLine for Seat {
    fn set_level(&self, asserted: bool) {
        if asserted {
            let who = self.state.lock().who.clone();
            if let Some(who) = who {
                who.interrupt();
            }
        }
    }
}
