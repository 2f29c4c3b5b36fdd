//! The guest, against the board's registers, those of old, and what the reference's registers answer.

mod dialogue;
mod manners;
mod sequences;
mod threads;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::AcpiPorts;
use super::guest::{Counters, Guest};
use super::policy::{Manner, Policy};
use super::registers::Registers;
use crate::acpi::{CpuHotplug, CpuHotplugDevice, Gpe, HotplugMode, SlotInit};
use crate::clock::GuestClock;
use crate::io_bus::{IoBus, IoDevice};
use crate::irq::SharedIrqLine;
use crate::irq::tests::RecordedLine;
use crate::pm::{self, PowerManagement};
use crate::timer::Timers;
use crate::vm_event::VmEvent;

const PORTS: AcpiPorts = AcpiPorts {
    gpe0: 0xafe0,
    gpe0_len: 4,
    pm1_event: 0x600,
    pm1_control: 0x604,
    soft_off: 0,
    cpu_hotplug: 0xaf00,
    reset: 0xcf9,
};

/// A reset register, and whether it was used.
#[derive(Default)]
struct Reset(Mutex<bool>);

impl IoDevice for Reset {
    fn read(&self, _: u64, _: u8) -> u64 {
        0
    }

    fn write(&self, _: u64, _: u8, value: u64) {
        *self.0.lock().unwrap() |= value & 4 != 0;
    }
}

/// The controllers that a guest sees, and the guest.
struct Rig {
    hotplug: Arc<CpuHotplugDevice>,
    gpe: Arc<Gpe>,
    pm: Arc<PowerManagement>,
    sci: Arc<RecordedLine>,
    reset: Arc<Reset>,
    told: Arc<Mutex<Vec<VmEvent>>>,
    counters: Arc<Counters>,
    guest: Guest,
    manner: Manner,
    now: Duration,
}

impl Rig {
    fn new(slots: u32, mode: HotplugMode, policy: Policy) -> Self {
        let sci = Arc::new(RecordedLine::default());
        let line = SharedIrqLine::new(sci.clone());
        let gpe = Arc::new(Gpe::new(PORTS.gpe0_len, line.input()));
        let told: Arc<Mutex<Vec<VmEvent>>> = Arc::default();
        let sink = told.clone();
        let asked = told.clone();
        let pm = PowerManagement::new(
            Arc::new(GuestClock::default()),
            line.input(),
            &Timers::default(),
            Arc::new(move |event| asked.lock().unwrap().push(event)),
        );
        let slots = (0..slots).map(|slot| SlotInit { arch_id: slot.into(), present: slot == 0 });
        let hotplug = Arc::new(CpuHotplugDevice::new(
            CpuHotplug::new(slots, mode),
            gpe.clone(),
            Arc::new(move |event| sink.lock().unwrap().push(event)),
        ));
        let reset = Arc::new(Reset::default());
        let pio = IoBus::pio();
        pio.insert("hotplug", PORTS.cpu_hotplug, hotplug.port_len(), hotplug.clone()).unwrap();
        pio.insert("gpe0", PORTS.gpe0, gpe.len(), gpe.clone()).unwrap();
        pio.insert("acpi-evt", PORTS.pm1_event, pm::EVENT_BLOCK.1, pm.event_block()).unwrap();
        pio.insert("acpi-cnt", PORTS.pm1_control, pm::CONTROL_BLOCK.1, pm.control_block()).unwrap();
        pio.insert("reset", PORTS.reset, 1, reset.clone()).unwrap();
        let counters = Arc::<Counters>::default();
        let guest = Guest::new(Registers::new(Arc::new(pio), PORTS), counters.clone());
        let manner = Manner { policy, ..Manner::default() };
        Self { hotplug, gpe, pm, sci, reset, told, counters, guest, manner, now: Duration::ZERO }
    }

    /// Gives the guest turns for as long as it wants one at once.
    fn turn(&mut self) -> Option<Duration> {
        for _ in 0..1000 {
            match self.guest.turn(self.manner, self.now) {
                Some(due) if due <= self.now => {}
                later => return later,
            }
        }
        panic!("the guest never rests");
    }

    /// What the guest asked of the machine since the last look, in a short form.
    fn told(&self) -> Vec<String> {
        let short = |event| match event {
            VmEvent::CpuEject { slot } => Some(format!("eject {slot}")),
            VmEvent::CpuOst { slot, source_event, status } => {
                Some(format!("ost {slot} {source_event} {status:#x}"))
            }
            // That it looked is no answer.
            VmEvent::CpuSeen { .. } => None,
            other => Some(format!("{other:?}")),
        };
        std::mem::take(&mut *self.told.lock().unwrap()).into_iter().filter_map(short).collect()
    }

    /// The machine is reset, and the guest with it.
    fn reset(&mut self) {
        self.guest.power_off();
        self.gpe.reset();
        self.pm.reset();
        *self.reset.0.lock().unwrap() = false;
    }
}

/// A manner's counters: boots, CPUs, events, ejects, reports.
fn counted(counters: &Counters) -> [u64; 5] {
    let Counters { boots, cpus, events, ejects, reports } = counters;
    [boots, cpus, events, ejects, reports].map(|counter| counter.load(std::sync::atomic::Ordering::Relaxed))
}
