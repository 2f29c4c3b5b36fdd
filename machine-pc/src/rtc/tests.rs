//! The chip in time: what passes in it, and what interrupts. Dialogues with the reference are replayed by the board's tests.

use proptest::prelude::*;

use super::registers::Registers;
use super::*;
use crate::irq::tests::RecordedLine;

const SECOND: i64 = NANOS_PER_SECOND;

/// 2024-02-29 23:59:58.
const START: i64 = 1_709_251_198;

fn chip() -> Registers {
    Registers::new(START, 0)
}

fn get(chip: &mut Registers, register: u8, now: i64) -> u8 {
    let _ = chip.write(0, register, now);
    chip.read(1, now)
}

fn put(chip: &mut Registers, register: u8, value: u8, now: i64) {
    let _ = chip.write(0, register, now);
    let _ = chip.write(1, value, now);
}

/// Seconds, minutes, hours, day of week, day, month, year, century.
fn shown(chip: &mut Registers, now: i64) -> [u8; 8] {
    [0, 2, 4, 6, 7, 8, 9, 0x32].map(|register| get(chip, register, now))
}

#[test]
fn time_passes_over_a_leap_day() {
    let mut chip = chip();
    assert_eq!(shown(&mut chip, 0), [0x58, 0x59, 0x23, 0x05, 0x29, 0x02, 0x24, 0x20]);
    assert_eq!(shown(&mut chip, 2 * SECOND - 1), [0x59, 0x59, 0x23, 0x05, 0x29, 0x02, 0x24, 0x20]);
    assert_eq!(shown(&mut chip, 2 * SECOND), [0, 0, 0, 0x06, 0x01, 0x03, 0x24, 0x20]);
}

#[test]
fn an_update_is_in_progress_for_the_end_of_a_second() {
    let mut chip = chip();
    let length = 8 * SECOND / 32768;
    for (at, updating) in [
        (0, false),
        (SECOND - length - 1, false),
        (SECOND - length, true),
        (SECOND - 1, true),
        (SECOND, false),
    ] {
        assert_eq!(get(&mut chip, 10, at) & 0x80 != 0, updating, "{at}");
    }
    put(&mut chip, 11, 0x82, SECOND);
    assert_eq!(get(&mut chip, 10, 2 * SECOND - 1) & 0x80, 0, "not while it is being set");
}

#[test]
fn flags_come_with_their_times_and_go_when_they_are_read() {
    let mut chip = chip();
    assert_eq!(get(&mut chip, 12, SECOND - 1), 0);
    assert_eq!(get(&mut chip, 12, SECOND), 0x10, "update ended, not enabled");
    assert_eq!(get(&mut chip, 12, SECOND), 0);
    // The alarm at 0:00:05.
    for (register, value) in [(1, 5), (3, 0), (5, 0)] {
        put(&mut chip, register, value, SECOND);
    }
    put(&mut chip, 11, 0x22, SECOND);
    assert_eq!(get(&mut chip, 12, 7 * SECOND - 1), 0x10);
    assert_eq!(chip.next_interrupt(), Some(7 * SECOND));
    chip.advance(7 * SECOND);
    assert!(chip.interrupts());
    assert_eq!(get(&mut chip, 12, 7 * SECOND), 0xb0);
    assert!(!chip.interrupts());
    // Again a day later, not before.
    assert_eq!(get(&mut chip, 12, 86406 * SECOND), 0x10);
    assert_eq!(get(&mut chip, 12, 86407 * SECOND), 0xb0);
}

#[test]
fn periodic_interrupts_are_as_often_as_their_rate_says() {
    let mut chip = chip();
    put(&mut chip, 11, 0x42, 0);
    assert_eq!(chip.next_interrupt(), Some(976_563), "rate 6");
    assert_eq!(get(&mut chip, 12, 976_563), 0xc0);
    assert_eq!(chip.next_interrupt(), Some(SECOND / 512));
    // Those that nobody acknowledged are one.
    assert_eq!(get(&mut chip, 12, SECOND), 0xd0);
    assert_eq!(get(&mut chip, 12, SECOND), 0);
    for (rate, hertz) in [(1, 256), (2, 128), (3, 8192), (15, 2)] {
        put(&mut chip, 10, 0x20 | rate, SECOND);
        assert_eq!(chip.next_interrupt(), Some(SECOND + (SECOND + hertz - 1) / hertz), "rate {rate}");
    }
    put(&mut chip, 10, 0x20, SECOND);
    assert_eq!(chip.next_interrupt(), None);
    put(&mut chip, 10, 0x2f, SECOND);
    chip.reset(SECOND);
    assert_eq!(chip.next_interrupt(), None);
}

#[test]
fn a_guest_sets_the_time_and_the_machine_is_told_by_how_much() {
    let (sender, events) = std::sync::mpsc::channel();
    let timers = Timers::default();
    let rtc = Rtc::new(
        RtcConfig { base: RtcBase::At(START), clock: RtcClock::Guest },
        Arc::default(),
        Arc::new(RecordedLine::default()),
        &timers,
        Arc::new(move |event| sender.send(event).unwrap()),
    );
    rtc.write(0, 1, 4);
    rtc.write(1, 1, 0x20);
    assert_eq!(rtc.time(), START - 3 * 3600);
    assert_eq!(events.try_iter().collect::<Vec<_>>(), [VmEvent::RtcChange { offset: -3 * 3600 }]);
}

/// The thread of the timers raises the line with no access.
#[test]
fn the_line_rises_in_time() {
    let (timers, line) = (Timers::default(), Arc::new(RecordedLine::default()));
    let rtc = Rtc::new(RtcConfig::default(), Arc::default(), line.clone(), &timers, Arc::new(|_| ()));
    let began = Instant::now();
    rtc.write(0, 1, 11);
    rtc.write(1, 1, 0x42);
    while !line.is_high() {
        assert!(began.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(1));
    }
    rtc.write(0, 1, 12);
    assert_eq!(rtc.read(1, 1) & 0xc0, 0xc0);
    rtc.write(0, 1, 11);
    rtc.write(1, 1, 2);
    assert!(!line.is_high());
}

#[test]
fn the_hosts_time_is_shown_at_first() {
    let timers = Timers::default();
    let new = |base| {
        Rtc::new(
            RtcConfig { base, clock: RtcClock::Host },
            Arc::default(),
            Arc::new(RecordedLine::default()),
            &timers,
            Arc::new(|_| ()),
        )
    };
    let now = jiff::Timestamp::now().as_second();
    assert!((now..now + 30).contains(&new(RtcBase::Utc).time()));
    let local = now + i64::from(ZonedDateTime::now().offset().seconds());
    assert!((local..local + 30).contains(&new(RtcBase::LocalTime).time()));
}

proptest! {
    /// In every mode what is written is what is shown, and time goes on from it.
    #[test]
    fn a_time_that_is_set_is_shown(at in 0_i64..4_102_444_800, binary: bool, hours24: bool, later in 0_i64..10_000) {
        let mut chip = chip();
        let mode = if binary { 4 } else { 0 } | if hours24 { 2 } else { 0 };
        // A second chip that shows the time at first says how it is written.
        let mut other = Registers::new(at, 0);
        put(&mut other, 11, mode, 0);
        let written = shown(&mut other, 0);
        put(&mut chip, 11, 0x80 | mode, 0);
        for (register, value) in [0, 2, 4, 6, 7, 8, 9, 0x37].into_iter().zip(written) {
            put(&mut chip, register, value, 5);
        }
        prop_assert_eq!(shown(&mut chip, 5 * SECOND), written, "it stands while it is being set");
        put(&mut chip, 11, mode, 5 * SECOND);
        prop_assert_eq!(chip.time(5 * SECOND), at);
        prop_assert_eq!(chip.time((5 + later) * SECOND), at + later);
        prop_assert_eq!(shown(&mut chip, (5 + later) * SECOND), shown(&mut other, later * SECOND));
    }

    /// The time of the next alarm is the first that fits, found one second after the other.
    #[test]
    fn alarms_come_at_the_first_time_that_fits(
        at in 0_i64..86400,
        second in prop::option::of(0_i64..62), minute in prop::option::of(0_i64..62), hour in prop::option::of(0_i64..25),
    ) {
        let fits = |wanted: Option<i64>, is: i64| wanted.is_none_or(|wanted| wanted == is);
        let expected = (1..=86400).find(|after| {
            let then = (at + after) % 86400;
            fits(hour, then / 3600) && fits(minute, then / 60 % 60) && fits(second, then % 60)
        });
        let mut chip = Registers::new(at, 0);
        put(&mut chip, 11, 0x06, 0);
        for (register, wanted) in [(1, second), (3, minute), (5, hour)] {
            put(&mut chip, register, wanted.map_or(0xff, |wanted| wanted as u8), 0);
        }
        let (day, mut found) = (86400, None);
        // With the update's flag set, the next change is the alarm's.
        chip.advance(SECOND);
        let first = get(&mut chip, 12, SECOND);
        if first & 0x20 != 0 {
            found = Some(1);
        } else {
            put(&mut chip, 11, 0x26, SECOND);
            chip.advance(2 * SECOND);
            if chip.interrupts() {
                found = Some(2);
            } else if let Some(next) = chip.next_interrupt() {
                found = Some(next / SECOND);
            }
        }
        prop_assert_eq!(found, expected.filter(|after| *after <= day));
    }

    /// Whatever is written, every access is answered, and memory keeps what it is given.
    #[test]
    fn every_access_is_answered(
        accesses in prop::collection::vec((any::<u8>(), any::<u8>(), 0_i64..100 * SECOND, any::<bool>()), 0..60),
    ) {
        let mut chip = chip();
        let (mut now, mut memory) = (0, [None; 128]);
        for (register, value, later, write) in accesses {
            now += later;
            let register = register & 0x7f;
            let is_memory = register >= 14 && !matches!(register, 0x32 | 0x37);
            if write {
                put(&mut chip, register, value, now);
                memory[usize::from(register)] = is_memory.then_some(value);
            } else {
                let read = get(&mut chip, register, now);
                if let Some(kept) = memory[usize::from(register)] {
                    prop_assert_eq!(read, kept);
                }
            }
            prop_assert!(chip.next_interrupt().is_none_or(|next| next > now), "at {}: {:?}", now, chip);
            let _ = chip.time(now);
        }
    }
}
