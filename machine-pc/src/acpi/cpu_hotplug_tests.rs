//! The expected values were read from the reference with `-accel qtest -smp 2,sockets=4`, except
//! where a test says otherwise.

use super::*;
use proptest::prelude::*;

/// Four slots, two present, APIC IDs 0 to 3, as `-smp 2,sockets=4,maxcpus=4`.
fn block() -> CpuHotplug {
    let init = |i| SlotInit { arch_id: i, present: i < 2 };
    CpuHotplug::new((0..4).map(init), HotplugMode::Modern)
}

#[test]
fn reset_values_and_register_widths() {
    let mut b = block();
    assert_eq!(b.read(0, 1), 0, "modern from the start: no bitmap of present CPUs");
    assert_eq!((b.read(4, 4), b.read(4, 1)), (1, 1));
    b.write(0, 4, 1);
    assert_eq!((b.read(4, 1), b.read(4, 2), b.read(4, 4), b.read(5, 1)), (1, 1, 1, 0));
    assert_eq!((b.read(8, 4), b.read(8, 1), b.read(9, 1), b.read(8, 2)), (1, 1, 0, 1));
}

#[test]
fn accesses_off_a_register_reach_nothing() {
    let mut b = block();
    assert_eq!(b.write(2, 4, 1), None);
    assert_eq!(b.read(8, 4), 0, "a misaligned write does not select");
    assert_eq!((b.read(2, 4), b.read(5, 2), b.read(10, 4), b.read(11, 2)), (0, 0, 0, 0));
    b.write(0, 1, 2);
    assert_eq!(b.read(4, 1), 0);
    assert_eq!(b.read(8, 4), 2);
}

#[test]
fn a_selector_out_of_range_reads_zero_and_ignores_writes() {
    let mut b = block();
    b.write(5, 1, 2);
    b.write(0, 4, 77);
    assert_eq!(b.write(8, 4, 0x84), None);
    b.write(5, 1, 0);
    assert_eq!((b.read(4, 1), b.read(8, 4), b.read(0, 4)), (0, 0, 0));
    b.write(0, 4, 0);
    assert_eq!(b.read(8, 4), 0, "the command is still the one from before");
    assert_eq!(b.write(8, 4, 5), Some(Effect::Ost { slot: 0, source_event: 0, status: 5 }));
}

#[test]
fn command_three_gives_all_64_bits_of_the_arch_id() {
    let slots = [0, 0x1_0000_0005].map(|arch_id| SlotInit { arch_id, present: true });
    let mut b = CpuHotplug::new(slots, HotplugMode::Modern);
    b.write(0, 4, 1);
    assert_eq!(b.read(0, 4), 0, "command 0: command data 2 reads 0");
    b.write(5, 1, 3);
    assert_eq!((b.read(8, 4), b.read(0, 4)), (5, 1));
    assert_eq!((b.read(8, 2), b.read(0, 1)), (5, 1));
}

#[test]
fn a_hot_plug_is_announced_and_ejected() {
    let mut b = block();
    b.write(0, 4, 2);
    b.plug(3, true).unwrap();
    assert!(b.event_pending());
    assert_eq!(b.read(4, 1), 0, "another slot is selected");
    b.write(5, 1, 0);
    assert_eq!((b.read(4, 1), b.read(8, 4)), (3, 3));
    // Clearing the insert event has precedence over an eject in the same write.
    assert_eq!(b.write(4, 4, 0xa), None);
    assert_eq!(b.read(4, 1), 1);
    assert!(!b.event_pending());
    assert_eq!(b.write(4, 1, 8), Some(Effect::Eject { slot: 3 }));
    assert_eq!(b.read(4, 1), 0);
    assert_eq!(b.write(4, 1, 8), None, "no second eject");
}

#[test]
fn both_events_of_a_slot_are_cleared_one_at_a_time() {
    let mut b = block();
    b.plug(3, true).unwrap();
    b.request_unplug(3).unwrap();
    b.write(0, 4, 3);
    assert_eq!(b.read(4, 1), 7);
    b.write(4, 1, 6);
    assert_eq!(b.read(4, 1), 5);
    b.write(4, 1, 4);
    assert_eq!(b.read(4, 1), 1);
}

#[test]
fn firmware_may_eject_later() {
    let mut b = block();
    b.plug(3, false).unwrap();
    b.request_unplug(3).unwrap();
    b.write(0, 4, 3);
    assert_eq!(b.read(4, 1), 5);
    b.write(4, 1, 0x10);
    assert_eq!(b.read(4, 1), 0x15);
    assert_eq!(b.write(4, 1, 8), Some(Effect::Eject { slot: 3 }));
    // The reference reads 4 here; see the module's text.
    assert_eq!(b.read(4, 1), 0);
}

#[test]
fn the_boot_cpu_stays() {
    let mut b = block();
    assert_eq!(b.write(4, 1, 8), None);
    assert_eq!(b.write(4, 1, 0x10), None);
    assert_eq!(b.read(4, 1), 1);
}

#[test]
fn ost_reports_carry_the_stored_source() {
    let mut b = block();
    b.write(0, 4, 3);
    b.write(5, 1, 9);
    assert_eq!(b.read(8, 4), 3, "an unknown command leaves the last one");
    b.write(5, 1, 1);
    assert_eq!(b.read(8, 4), 0);
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
    assert_eq!((b.read(0, 1), b.read(1, 1), b.read(0, 4), b.read(31, 1)), (1, 2, 0x201, 0));
    b.write(4, 1, 0);
    b.write(0, 1, 1);
    assert!(b.is_legacy());
    b.write(0, 4, 0);
    assert!(!b.is_legacy());
    assert_eq!((b.read(0, 1), b.read(4, 1)), (0, 1));
    assert_eq!(b.read(12, 1), u32::MAX);
}

/// A step of the stateful test.
#[derive(Debug, Clone)]
enum Step {
    Read(u64, u8),
    Write(u64, u8, u32),
    Plug(u32),
    Request(u32),
    Withdraw(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop::sample::select(vec![1u8, 2, 4]);
    let offset = prop_oneof![prop::sample::select(vec![0u64, 4, 5, 8]), 0u64..12];
    let value = prop_oneof![0u32..32, any::<u32>()];
    prop_oneof![
        1 => (offset.clone(), size.clone()).prop_map(|(o, s)| Step::Read(o, s)),
        6 => (offset, size, value).prop_map(|(o, s, v)| Step::Write(o, s, v)),
        2 => (0u32..6).prop_map(Step::Plug),
        2 => (0u32..6).prop_map(Step::Request),
        1 => (0u32..6).prop_map(Step::Withdraw),
    ]
}

proptest! {
    /// An eject only by the eject bit on a present slot other than 0; no event goes but by being
    /// acknowledged or with its CPU; what is absent has no flags; what the guest writes never
    /// makes a CPU appear.
    #[test]
    fn random_guests_and_machines(steps in prop::collection::vec(step(), 0..200)) {
        let mut b = block();
        let mut selector = 0u32;
        for step in steps {
            let before: Vec<_> = b.statuses().collect();
            let mut selected = None;
            match step.clone() {
                Step::Read(o, s) => { b.read(o, s); }
                Step::Write(o, s, v) => {
                    let v = v & mask(s);
                    selected = before.get(selector as usize).map(|_| selector);
                    let effect = b.write(o, s, v);
                    if o == 0 { selector = v; }
                    if o == 5 && v == 0 && s == 1 && selected.is_some() {
                        // The next slot with an event, from the selected one on, if any.
                        let next = (0..4).map(|i| (selector + i) % 4)
                            .find(|&i| before[i as usize].inserting || before[i as usize].removing);
                        selector = next.unwrap_or(selector);
                    }
                    match effect {
                        Some(Effect::Eject { slot }) => {
                            prop_assert!(o == 4 && v & 8 != 0 && v & 6 == 0 && slot != 0);
                            prop_assert_eq!(Some(slot), selected);
                            prop_assert!(before[slot as usize].present);
                            prop_assert_eq!(b.status(slot).unwrap().present, false);
                        }
                        Some(Effect::Ost { slot, status, .. }) => {
                            prop_assert_eq!(o, 8);
                            prop_assert_eq!((Some(slot), status), (selected, v));
                        }
                        None => for (now, was) in b.statuses().zip(&before) {
                            prop_assert_eq!(now.present, was.present);
                        }
                    }
                }
                Step::Plug(slot) => {
                    let ok = before.get(slot as usize).is_some_and(|s| !s.present);
                    prop_assert_eq!(b.plug(slot, true).is_ok(), ok);
                    if ok { prop_assert!(b.status(slot).unwrap().inserting); }
                }
                Step::Request(slot) => {
                    let ok = before.get(slot as usize).is_some_and(|s| s.present);
                    prop_assert_eq!(b.request_unplug(slot).is_ok(), ok);
                    if ok { prop_assert!(b.status(slot).unwrap().removing); }
                }
                Step::Withdraw(slot) => { let _ = b.withdraw(slot); }
            }
            for (i, (now, was)) in b.statuses().zip(&before).enumerate() {
                prop_assert!(now.present || !(now.inserting || now.removing || now.firmware_eject));
                if let Step::Write(o, _, v) = step {
                    let lost_insert = was.inserting && !now.inserting && now.present;
                    let lost_remove = was.removing && !now.removing && now.present;
                    if lost_insert || lost_remove {
                        prop_assert_eq!(Some(i as u32), selected);
                        let bit = if lost_insert { 2 } else { 4 };
                        prop_assert!(o == 4 && v & bit != 0);
                    }
                }
            }
            // The guest's own way of finding an event agrees with the fact.
            let mut guest = b.clone();
            guest.write(0, 4, 0);
            guest.write(5, 1, 0);
            prop_assert_eq!(guest.read(4, 1) & 6 != 0, b.event_pending());
        }
    }

    /// Anything written to the legacy bitmap, then modern: no panic, nobody appears or goes.
    #[test]
    fn random_legacy_guests(writes in prop::collection::vec((0u64..32, 1u8..5, any::<u32>()), 0..50)) {
        let init = |i: u64| SlotInit { arch_id: i * 7, present: i == 0 };
        let mut b = CpuHotplug::new((0..40).map(init), HotplugMode::LegacyBitmap);
        for (offset, size, value) in writes {
            b.write(offset, size, value);
            b.read(offset, size);
            prop_assert_eq!(b.statuses().filter(|s| s.present).count(), 1);
        }
    }
}
