//! The guest's thread: who stops it has stopped it, and it ends.

use std::time::{Duration, Instant};

use super::super::worker::Worker;
use super::super::{OperatingSystem, Seat};
use super::*;
use crate::irq::IrqLine;

/// The controllers of a [`Rig`] with the guest on its thread.
fn seated(slots: u32, manner: Manner) -> (Arc<Seat>, Worker, Arc<CpuHotplugDevice>, Arc<Counters>) {
    let seat = Arc::new(Seat::new(Some(PORTS)));
    let sci = SharedIrqLine::new(seat.clone());
    let gpe = Arc::new(Gpe::new(PORTS.gpe0_len, sci.input()));
    let clock = Arc::new(GuestClock::default());
    let pm = PowerManagement::new(clock, sci.input(), &Timers::default(), Arc::new(|_| ()));
    let slots = (0..slots).map(|slot| SlotInit { arch_id: slot.into(), present: slot == 0 });
    let hotplug = Arc::new(CpuHotplugDevice::new(
        CpuHotplug::new(slots, HotplugMode::Modern),
        gpe.clone(),
        Arc::new(|_| ()),
    ));
    let pio = IoBus::pio();
    pio.insert("hotplug", PORTS.cpu_hotplug, hotplug.port_len(), hotplug.clone()).unwrap();
    pio.insert("gpe0", PORTS.gpe0, gpe.len(), gpe).unwrap();
    pio.insert("acpi-evt", PORTS.pm1_event, pm::EVENT_BLOCK.1, pm.event_block()).unwrap();
    let counters = Arc::<Counters>::default();
    let guest = Guest::new(Registers::new(Arc::new(pio), PORTS), counters.clone());
    let worker = Worker::start(guest, &seat, manner, true).unwrap();
    (seat, worker, hotplug, counters)
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn it_runs_while_the_machine_runs() {
    let (seat, worker, hotplug, counters) = seated(1000, Manner::default());
    hotplug.plug_hot(1).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(counted(&counters), [0; 5]);
    seat.set_running(true);
    wait("a boot", || counted(&counters) == [1, 2, 1, 0, 1]);
    // Stopped in the middle of its work it does no more of it.
    for round in 0..20 {
        for slot in 2..1000 {
            let _ = hotplug.plug_hot(slot);
        }
        seat.set_running(false);
        let before = counted(&counters);
        for slot in 2..1000 {
            let _ = hotplug.request_unplug(slot);
        }
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(counted(&counters), before, "round {round}");
        seat.set_running(true);
        wait("all to go", || hotplug.statuses().iter().skip(2).all(|slot| !slot.present));
    }
    drop(worker);
    let before = counted(&counters);
    hotplug.request_unplug(1).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(counted(&counters), before);
}

/// Its time stands still while the machine does.
#[test]
fn a_delay_is_in_the_guests_time() {
    let manner = Manner { policy: Policy::AnswersLate, delay_ms: 60, ..Manner::default() };
    let (seat, worker, hotplug, counters) = seated(4, manner);
    seat.set_running(true);
    hotplug.plug_hot(1).unwrap();
    let start = Instant::now();
    wait("an event", || counted(&counters)[2] == 1);
    seat.set_running(false);
    std::thread::sleep(Duration::from_millis(200));
    let stopped = start.elapsed();
    assert_eq!(counted(&counters)[4], 0);
    seat.set_running(true);
    wait("an answer", || counted(&counters)[4] == 1);
    assert!(start.elapsed() - stopped < Duration::from_secs(30));
    assert!(start.elapsed() >= Duration::from_millis(260));
    drop(worker);
}

#[test]
fn power_comes_back_as_a_boot_and_the_seat_is_for_one() {
    let (seat, worker, hotplug, counters) = seated(4, Manner::default());
    seat.set_running(true);
    wait("a boot", || counted(&counters)[0] == 1);
    worker.power_off();
    hotplug.plug_hot(1).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(counted(&counters), [1, 0, 0, 0, 0]);
    worker.power_on();
    wait("a second boot", || counted(&counters) == [2, 2, 1, 0, 1]);

    struct Nobody;
    impl OperatingSystem for Nobody {
        fn interrupt(&self) {}
        fn run(&self, _: bool) {}
    }
    let nobody: Arc<dyn OperatingSystem> = Arc::new(Nobody);
    assert_eq!(seat.sit(&nobody).unwrap_err().to_string(), "the machine has a scripted guest already");
    drop(worker);
    seat.sit(&nobody).unwrap();
    seat.set_level(true);
}
