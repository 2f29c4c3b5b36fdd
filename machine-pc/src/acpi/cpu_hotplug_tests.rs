//! The expected values were read from the reference with `-accel qtest -smp 2,sockets=4`, except
//! where a test says otherwise.

use super::*;
use proptest::prelude::*;

/// Four slots, two present, APIC IDs 0 to 3, as `-smp 2,sockets=4,maxcpus=4`.
fn block() -> CpuHotplug {
    let init = |i| SlotInit { arch_id: i, present: i < 2 };
    CpuHotplug::new((0..4).map(init), HotplugMode::Modern)
}

impl CpuHotplug {
    fn peek(&mut self, offset: u64, size: u8) -> u32 {
        self.read(offset, size).value
    }
}

#[test]
fn reset_values_and_register_widths() {
    let mut b = block();
    assert_eq!(b.peek(0, 1), 0, "modern from the start: no bitmap of present CPUs");
    assert_eq!((b.peek(4, 4), b.peek(4, 1)), (1, 1));
    b.write(0, 4, 1);
    assert_eq!((b.peek(4, 1), b.peek(4, 2), b.peek(4, 4), b.peek(5, 1)), (1, 1, 1, 0));
    assert_eq!((b.peek(8, 4), b.peek(8, 1), b.peek(9, 1), b.peek(8, 2)), (1, 1, 0, 1));
}

#[test]
fn accesses_off_a_register_reach_nothing() {
    let mut b = block();
    assert_eq!(b.write(2, 4, 1), None);
    assert_eq!(b.peek(8, 4), 0, "a misaligned write does not select");
    assert_eq!((b.peek(2, 4), b.peek(5, 2), b.peek(10, 4), b.peek(11, 2)), (0, 0, 0, 0));
    b.write(0, 1, 2);
    assert_eq!(b.peek(4, 1), 0);
    assert_eq!(b.peek(8, 4), 2);
}

#[test]
fn a_selector_out_of_range_reads_zero_and_ignores_writes() {
    let mut b = block();
    b.write(5, 1, 2);
    b.write(0, 4, 77);
    assert_eq!(b.write(8, 4, 0x84), None);
    b.write(5, 1, 0);
    assert_eq!((b.peek(4, 1), b.peek(8, 4), b.peek(0, 4)), (0, 0, 0));
    b.write(0, 4, 0);
    assert_eq!(b.peek(8, 4), 0, "the command is still the one from before");
    assert_eq!(b.write(8, 4, 5), Some(Effect::Ost { slot: 0, source_event: 0, status: 5 }));
}

#[test]
fn command_three_gives_all_64_bits_of_the_arch_id() {
    let slots = [0, 0x1_0000_0005].map(|arch_id| SlotInit { arch_id, present: true });
    let mut b = CpuHotplug::new(slots, HotplugMode::Modern);
    b.write(0, 4, 1);
    assert_eq!(b.peek(0, 4), 0, "command 0: command data 2 reads 0");
    b.write(5, 1, 3);
    assert_eq!((b.peek(8, 4), b.peek(0, 4)), (5, 1));
    assert_eq!((b.peek(8, 2), b.peek(0, 1)), (5, 1));
}

#[test]
fn a_hot_plug_is_announced_and_ejected() {
    let mut b = block();
    b.write(0, 4, 2);
    b.plug(3, true).unwrap();
    assert!(b.event_pending());
    assert_eq!(b.peek(4, 1), 0, "another slot is selected");
    b.write(5, 1, 0);
    assert_eq!((b.peek(4, 1), b.peek(8, 4)), (3, 3));
    // Clearing the insert event has precedence over an eject in the same write.
    assert_eq!(b.write(4, 4, 0xa), None);
    assert_eq!(b.peek(4, 1), 1);
    assert!(!b.event_pending());
    assert_eq!(b.write(4, 1, 8), Some(Effect::Eject { slot: 3 }));
    assert_eq!(b.peek(4, 1), 0);
    assert_eq!(b.write(4, 1, 8), None, "no second eject");
}

#[test]
fn both_events_of_a_slot_are_cleared_one_at_a_time() {
    let mut b = block();
    b.plug(3, true).unwrap();
    b.request_unplug(3).unwrap();
    b.write(0, 4, 3);
    assert_eq!(b.peek(4, 1), 7);
    b.write(4, 1, 6);
    assert_eq!(b.peek(4, 1), 5);
    b.write(4, 1, 4);
    assert_eq!(b.peek(4, 1), 1);
}

#[test]
fn firmware_may_eject_later() {
    let mut b = block();
    b.plug(3, false).unwrap();
    b.request_unplug(3).unwrap();
    b.write(0, 4, 3);
    assert_eq!(b.peek(4, 1), 5);
    b.write(4, 1, 0x10);
    assert_eq!(b.peek(4, 1), 0x15);
    assert_eq!(b.write(4, 1, 8), Some(Effect::Eject { slot: 3 }));
    // The reference reads 4 here; see the module's text.
    assert_eq!(b.peek(4, 1), 0);
}

#[test]
fn what_firmware_is_to_eject_is_found_by_command_zero() {
    let mut b = block();
    b.plug(3, false).unwrap();
    b.write(0, 4, 3);
    b.write(4, 1, 0x10);
    b.write(0, 4, 1);
    b.write(5, 1, 0);
    assert_eq!((b.peek(8, 4), b.peek(4, 1)), (3, 0x11));
    b.write(4, 1, 0x10);
    assert_eq!(b.peek(4, 1), 0x11, "set, not toggled");
    // Both bits: the eject has precedence, and ends the wish.
    assert_eq!(b.write(4, 1, 0x18), Some(Effect::Eject { slot: 3 }));
    assert_eq!(b.peek(4, 1), 0);
    assert!(!b.event_pending());
}

#[test]
fn a_first_look_is_told_once() {
    let mut b = block();
    b.plug(3, true).unwrap();
    assert_eq!(b.read(4, 1), Read { value: 1, seen: 0..1 });
    b.write(0, 4, 3);
    assert_eq!(b.read(8, 4).seen, 0..0, "data is no look");
    assert_eq!(b.read(4, 4), Read { value: 3, seen: 3..4 });
    assert_eq!(b.read(4, 4), Read { value: 3, seen: 0..0 });
    assert_eq!(b.withdraw_unseen(3), Ok(false));
    b.forget_sightings();
    assert_eq!(b.read(4, 4), Read { value: 3, seen: 3..4 });
    b.plug(2, true).unwrap();
    assert_eq!(b.withdraw_unseen(2), Ok(true));
    assert_eq!(b.withdraw_unseen(2), Ok(false), "nobody is there");
    assert_eq!(b.withdraw_unseen(1), Ok(false), "it was there from the start");
    b.write(0, 4, 2);
    assert_eq!(b.peek(4, 1), 0);
    // The events of the others are still found.
    b.write(5, 1, 0);
    assert_eq!(b.peek(8, 4), 3);
}

#[test]
fn the_boot_cpu_stays() {
    let mut b = block();
    assert_eq!(b.write(4, 1, 8), None);
    assert_eq!(b.write(4, 1, 0x10), None);
    assert_eq!(b.peek(4, 1), 1);
}

#[test]
fn ost_reports_carry_the_stored_source() {
    let mut b = block();
    b.write(0, 4, 3);
    b.write(5, 1, 9);
    assert_eq!(b.peek(8, 4), 3, "an unknown command leaves the last one");
    b.write(5, 1, 1);
    assert_eq!(b.peek(8, 4), 0);
    assert_eq!(b.write(8, 4, 0x103), None);
    b.write(5, 1, 2);
    let ost = |status| Some(Effect::Ost { slot: 3, source_event: 0x103, status });
    assert_eq!(b.write(8, 4, 0x84), ost(0x84));
    assert_eq!(b.write(8, 1, 0x5), ost(5));
    assert_eq!(b.write(8, 2, 0x1234), ost(0x1234));
    assert_eq!(b.write(8, 4, 0x1234_5678), ost(0x1234_5678));
    let status = b.status(3).unwrap();
    assert_eq!((status.ost_event, status.ost_status), (0x103, 0x1234_5678));
}

#[test]
fn the_machine_is_told_of_impossible_slots() {
    let mut b = block();
    assert_eq!(b.plug(1, true), Err(SlotError::Taken { slot: 1 }));
    assert_eq!(b.plug(4, true), Err(SlotError::NoSuchSlot { slot: 4, slots: 4 }));
    assert_eq!(b.request_unplug(2), Err(SlotError::Empty { slot: 2 }));
    assert_eq!(b.withdraw(2), Err(SlotError::Empty { slot: 2 }));
}

/// Not the reference of today, which has no such mode: the behaviour of its older machines.
#[test]
fn the_legacy_bitmap_ends_with_a_zero_in_its_first_byte() {
    let slots = [0u64, 1, 9, 300].map(|arch_id| SlotInit { arch_id, present: arch_id != 1 });
    let mut b = CpuHotplug::new(slots, HotplugMode::LegacyBitmap);
    assert_eq!(b.port_len(), 32);
    assert_eq!((b.peek(0, 1), b.peek(1, 1), b.peek(0, 4), b.peek(31, 1)), (1, 2, 0x201, 0));
    b.write(4, 1, 0);
    b.write(0, 1, 1);
    assert!(b.is_legacy());
    assert_eq!(b.read(0, 2), Read { value: 0x201, seen: 0..0 }, "all were looked at above");
    b.plug(1, true).unwrap();
    assert_eq!(b.read(0, 4), Read { value: 0x203, seen: 1..2 });
    b.withdraw(1).unwrap();
    b.write(0, 4, 0);
    assert!(!b.is_legacy());
    assert_eq!((b.peek(0, 1), b.peek(4, 1)), (0, 1));
    // Behind the registers there is nothing, and no more of it than was asked for.
    assert_eq!((b.peek(12, 1), b.peek(12, 2), b.peek(28, 4)), (0xff, 0xffff, u32::MAX));
}

proptest! {
    /// Anything written to the legacy bitmap, then modern: no panic, nobody appears or goes.
    #[test]
    fn random_legacy_guests(writes in prop::collection::vec((0u64..32, 1u8..5, any::<u32>()), 0..50)) {
        let init = |i: u64| SlotInit { arch_id: i * 7, present: i == 0 };
        let mut b = CpuHotplug::new((0..40).map(init), HotplugMode::LegacyBitmap);
        for (offset, size, value) in writes {
            b.write(offset, size, value);
            b.peek(offset, size);
            prop_assert_eq!(b.statuses().filter(|s| s.present).count(), 1);
        }
    }
}
