//! The CPU hotplug register block on the port bus, with its GPE.
//!
//! This is where the pure state machine of [`super::cpu_hotplug`] meets the machine: what a guest
//! asks for goes to the main loop as a [`VmEvent`], and what the machine does raises the GPE.
//! The registers change at once; the machine's objects follow when the main loop gets there. A
//! guest that hammers the ports waits only for this block's own lock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cpu_hotplug::{CpuHotplug, Effect, Read, SlotError, SlotStatus};
use super::gpe::{GPE_CPU_HOTPLUG, Gpe};
use crate::io_bus::IoDevice;
use crate::vm_event::{EventSink, VmEvent};

/// The block as a device.
pub struct CpuHotplugDevice {
    state: Mutex<CpuHotplug>,
    gpe: Arc<Gpe>,
    events: EventSink,
}

impl fmt::Debug for CpuHotplugDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuHotplugDevice").field("state", &self.state).finish_non_exhaustive()
    }
}

impl CpuHotplugDevice {
    /// A device around `state`, which raises events on `gpe` and reports to `events`.
    pub fn new(state: CpuHotplug, gpe: Arc<Gpe>, events: EventSink) -> Self {
        Self { state: Mutex::new(state), gpe, events }
    }

    fn lock(&self) -> MutexGuard<'_, CpuHotplug> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Length in bytes of its port range.
    pub fn port_len(&self) -> u64 {
        self.lock().port_len()
    }

    /// A CPU that is there before the guest runs, or that the guest need not be told of.
    pub fn plug_cold(&self, slot: u32) -> Result<(), SlotError> {
        self.lock().plug(slot, false)
    }

    /// A CPU arrives while the guest runs: the guest is told.
    pub fn plug_hot(&self, slot: u32) -> Result<(), SlotError> {
        self.lock().plug(slot, true)?;
        self.gpe.raise(GPE_CPU_HOTPLUG);
        Ok(())
    }

    /// Asks the guest to let the CPU go.
    pub fn request_unplug(&self, slot: u32) -> Result<(), SlotError> {
        self.lock().request_unplug(slot)?;
        self.gpe.raise(GPE_CPU_HOTPLUG);
        Ok(())
    }

    /// Takes the CPU away without asking.
    pub fn withdraw(&self, slot: u32) -> Result<(), SlotError> {
        self.lock().withdraw(slot)
    }

    /// Takes an announced CPU away if the guest has not looked at it; false: it has.
    pub fn withdraw_unseen(&self, slot: u32) -> Result<bool, SlotError> {
        self.lock().withdraw_unseen(slot)
    }

    /// The machine was reset: the guest has seen no CPU yet. The registers keep their state.
    pub fn forget_sightings(&self) {
        self.lock().forget_sightings();
    }

    /// One slot's state; `None` if there is no such slot.
    pub fn status(&self, slot: u32) -> Option<SlotStatus> {
        self.lock().status(slot)
    }

    /// Every slot's state, in order.
    pub fn statuses(&self) -> Vec<SlotStatus> {
        self.lock().statuses().collect()
    }
}

impl IoDevice for CpuHotplugDevice {
    fn read(&self, offset: u64, size: u8) -> u64 {
        let Read { value, seen } = self.lock().read(offset, size);
        for slot in seen {
            (self.events)(VmEvent::CpuSeen { slot });
        }
        value.into()
    }

    fn write(&self, offset: u64, size: u8, value: u64) {
        let effect = self.lock().write(offset, size, value as u32);
        match effect {
            None => {}
            Some(Effect::Eject { slot }) => (self.events)(VmEvent::CpuEject { slot }),
            Some(Effect::Ost { slot, source_event, status }) => {
                (self.events)(VmEvent::CpuOst { slot, source_event, status });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acpi::cpu_hotplug::{HotplugMode, SlotInit};
    use crate::irq::tests::RecordedLine;

    #[test]
    fn plugs_raise_the_gpe_and_writes_reach_the_main_loop() {
        let line = Arc::new(RecordedLine::default());
        let gpe = Arc::new(Gpe::new(4, line.clone()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let slots = (0..2).map(|i| SlotInit { arch_id: i, present: i == 0 });
        let device = CpuHotplugDevice::new(
            CpuHotplug::new(slots, HotplugMode::Modern),
            gpe.clone(),
            Arc::new(move |e| sink.lock().unwrap().push(e)),
        );
        gpe.write(2, 1, 4);
        device.plug_hot(1).unwrap();
        assert!(line.is_high());
        device.write(5, 1, 0);
        assert_eq!(device.read(4, 1), 3);
        device.write(5, 1, 1);
        device.write(8, 4, 1);
        device.write(5, 1, 2);
        device.write(8, 4, 0);
        device.write(4, 1, 8);
        let expected = [
            VmEvent::CpuSeen { slot: 1 },
            VmEvent::CpuOst { slot: 1, source_event: 1, status: 0 },
            VmEvent::CpuEject { slot: 1 },
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
        assert!(!device.status(1).unwrap().present);
    }
}
