//! What the fixtures of port dialogues do not show: the interrupt, the timer and what is asked of the machine.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::*;
use crate::irq::tests::RecordedLine;

struct Board {
    pm: Arc<PowerManagement>,
    line: Arc<RecordedLine>,
    clock: Arc<GuestClock>,
    events: std::sync::mpsc::Receiver<VmEvent>,
    _timers: Timers,
}

fn board() -> Board {
    let (sender, events) = channel();
    let (line, clock, timers) =
        (Arc::new(RecordedLine::default()), Arc::new(GuestClock::default()), Timers::default());
    let sink: EventSink = Arc::new(move |event| sender.send(event).unwrap());
    let pm = PowerManagement::new(clock.clone(), line.clone(), &timers, sink);
    Board { pm, line, clock, events, _timers: timers }
}

#[test]
fn the_power_button_interrupts_where_it_is_enabled() {
    let Board { pm, line, .. } = board();
    let events = pm.event_block();
    pm.press_power_button();
    events.write(2, 2, 0x100);
    assert!(!line.is_high(), "it was not enabled");
    pm.press_power_button();
    assert_eq!(events.read(0, 2) & 0x100, 0x100);
    assert!(line.is_high());
    events.write(0, 2, !0x100 & 0xffff);
    assert!(line.is_high(), "only ones clear");
    events.write(0, 2, 0x100);
    assert!(!line.is_high());
    pm.press_power_button();
    assert!(line.is_high());
    pm.reset();
    assert!(!line.is_high());
    assert_eq!((events.read(2, 2), pm.control_block().read(0, 2)), (0, 1));
}

#[test]
fn only_sleep_types_that_the_guest_is_told_of_switch_off() {
    let Board { pm, events, .. } = board();
    let control = pm.control_block();
    for kind in 0..8 {
        control.write(0, 2, 1 | kind << 10);
    }
    assert!(events.try_recv().is_err(), "without the enable bit");
    for kind in 0..8 {
        control.write(0, 2, 1 | kind << 10 | 1 << 13);
        assert_eq!(control.read(0, 2), 1 | kind << 10, "the enable bit reads as 0");
    }
    assert_eq!(events.try_iter().collect::<Vec<_>>(), [VmEvent::ShutdownRequest, VmEvent::SuspendToDisk]);
}

#[test]
fn the_timer_interrupts_when_its_highest_bit_changes() {
    let Board { pm, line, clock, _timers, .. } = board();
    let events = pm.event_block();
    assert_eq!(events.read(0, 2), 1, "as the reference's after power-on");
    events.write(0, 2, 1);
    events.write(2, 2, 1);
    let half = Duration::from_nanos(u64::try_from(pm1::nanos(1 << 23)).unwrap());
    let began = Instant::now();
    clock.start();
    pm.clock_changed();
    assert!(!line.is_high());
    while !line.is_high() {
        assert!(began.elapsed() < half + Duration::from_secs(20), "no interrupt");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(began.elapsed() >= half);
    assert_eq!(pm.timer_block().read(0, 4) >> 23, 1);
}

#[test]
fn ticks_and_nanoseconds_are_each_others() {
    assert_eq!(timer_ticks(1_000_000_000), TIMER_HZ);
    for ticks in [0, 1, 1 << 23, TIMER_HZ * 86400 * 365 * 50] {
        assert_eq!(timer_ticks(pm1::nanos(ticks)), ticks);
        assert!(ticks == 0 || timer_ticks(pm1::nanos(ticks) - 1) == ticks - 1);
    }
}
