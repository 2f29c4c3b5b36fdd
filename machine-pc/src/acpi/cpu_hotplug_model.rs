//! The register block against a second one that was written from the specification alone, by random guests and machines.
//!
//! [`Model`] keeps sets of slots and a written-out list of rules; it shares no code and no representation with the block. The
//! invariants of the machine are checked on both: a CPU is never half there, an event goes only when the guest takes note of
//! it or its CPU leaves, an eject happens only when the guest asks for one.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use proptest::prelude::*;

/// The specification: what the machine and the guest have said of each slot.
#[derive(Debug, Default)]
struct Model {
    count: u32,
    here: BTreeSet<u32>,
    inserted: BTreeSet<u32>,
    wanted: BTreeSet<u32>,
    left_to_firmware: BTreeSet<u32>,
    looked_at: BTreeSet<u32>,
    event: BTreeMap<u32, u32>,
    status: BTreeMap<u32, u32>,
    selected: u32,
    command: u32,
}

const fn arch_id(slot: u32) -> u64 {
    slot as u64 * 3 + ((slot as u64) << 33)
}

impl Model {
    fn leave(&mut self, slot: u32) {
        let sets = [
            &mut self.here,
            &mut self.inserted,
            &mut self.wanted,
            &mut self.left_to_firmware,
            &mut self.looked_at,
        ];
        for set in sets {
            set.remove(&slot);
        }
    }

    fn read(&mut self, offset: u64, size: u8) -> u32 {
        let whole = if self.selected >= self.count {
            0
        } else if offset == 0 && self.command == 3 {
            (arch_id(self.selected) / (1 << 32)) as u32
        } else if offset == 4 {
            let slot = self.selected;
            let here = self.here.contains(&slot);
            if here {
                self.looked_at.insert(slot);
            }
            u32::from(here)
                + 2 * u32::from(self.inserted.contains(&slot))
                + 4 * u32::from(self.wanted.contains(&slot))
                + 16 * u32::from(self.left_to_firmware.contains(&slot))
        } else if offset == 8 && self.command == 0 {
            self.selected
        } else if offset == 8 && self.command == 3 {
            (arch_id(self.selected) % (1 << 32)) as u32
        } else {
            0
        };
        // A byte of a register is its low one, whatever its size.
        (u64::from(whole) % (1 << (8 * size))) as u32
    }

    fn write(&mut self, offset: u64, value: u32) -> Option<Effect> {
        let slot = self.selected;
        if offset == 0 {
            self.selected = value;
            return None;
        }
        if slot >= self.count {
            return None;
        }
        match offset {
            4 if value & 2 != 0 => {
                self.inserted.remove(&slot);
            }
            4 if value & 4 != 0 => {
                self.wanted.remove(&slot);
            }
            4 if slot == 0 || !self.here.contains(&slot) => {}
            4 if value & 8 != 0 => {
                self.leave(slot);
                return Some(Effect::Eject { slot });
            }
            4 if value & 16 != 0 => {
                self.left_to_firmware.insert(slot);
            }
            5 if value <= 3 => {
                self.command = value;
                if value == 0 {
                    let all: BTreeSet<u32> = self
                        .inserted
                        .iter()
                        .chain(&self.wanted)
                        .chain(&self.left_to_firmware)
                        .copied()
                        .collect();
                    let from_here = all.range(slot..).next().or_else(|| all.first());
                    self.selected = from_here.copied().unwrap_or(slot);
                }
            }
            8 if self.command == 1 => {
                self.event.insert(slot, value);
            }
            8 if self.command == 2 => {
                self.status.insert(slot, value);
                let source_event = self.event.get(&slot).copied().unwrap_or(0);
                return Some(Effect::Ost { slot, source_event, status: value });
            }
            _ => {}
        }
        None
    }

    fn statuses(&self) -> Vec<SlotStatus> {
        let of = |slot| SlotStatus {
            present: self.here.contains(&slot),
            inserting: self.inserted.contains(&slot),
            removing: self.wanted.contains(&slot),
            firmware_eject: self.left_to_firmware.contains(&slot),
            seen: self.looked_at.contains(&slot),
            ost_event: self.event.get(&slot).copied().unwrap_or(0),
            ost_status: self.status.get(&slot).copied().unwrap_or(0),
        };
        (0..self.count).map(of).collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Read(u64, u8),
    Write(u64, u8, u32),
    Plug(u32, bool),
    Request(u32),
    Withdraw(u32),
    WithdrawUnseen(u32),
    Reset,
}

fn step(count: u32) -> impl Strategy<Value = Step> {
    let size = prop::sample::select(vec![1u8, 2, 4]);
    let offset = prop_oneof![4 => prop::sample::select(vec![0u64, 4, 5, 8]), 1 => 0u64..12];
    let value = prop_oneof![4 => 0u32..32, 2 => 0..count + 2, 1 => any::<u32>()];
    let slot = || 0..count + 2;
    prop_oneof![
        6 => (offset.clone(), size.clone()).prop_map(|(o, s)| Step::Read(o, s)),
        12 => (offset, size, value).prop_map(|(o, s, v)| Step::Write(o, s, v)),
        3 => (slot(), any::<bool>()).prop_map(|(slot, hot)| Step::Plug(slot, hot)),
        3 => slot().prop_map(Step::Request),
        1 => slot().prop_map(Step::Withdraw),
        1 => slot().prop_map(Step::WithdrawUnseen),
        1 => Just(Step::Reset),
    ]
}

fn runs() -> impl Strategy<Value = (u32, Vec<Step>)> {
    prop_oneof![Just(1u32), 2u32..6, 60u32..200]
        .prop_flat_map(|count| (Just(count), prop::collection::vec(step(count), 0..300)))
}

fn sees(block: &CpuHotplug) -> Vec<SlotStatus> {
    block.statuses().collect()
}

proptest! {
    #[test]
    fn the_block_is_what_the_specification_says((count, steps) in runs()) {
        let init = |slot| SlotInit { arch_id: arch_id(slot), present: slot == 0 };
        let mut block = CpuHotplug::new((0..count).map(init), HotplugMode::Modern);
        let mut model = Model { count, here: BTreeSet::from([0]), ..Model::default() };
        for step in steps {
            let before = sees(&block);
            match step {
                Step::Read(offset, size) => {
                    let looked = model.looked_at.clone();
                    let (whole, read) = (offset % u64::from(size) == 0, block.read(offset, size));
                    let expected = if whole { model.read(offset, size) } else { 0 };
                    prop_assert_eq!(read.value, expected, "{:?}", step);
                    let new: Vec<u32> = model.looked_at.difference(&looked).copied().collect();
                    prop_assert_eq!(read.seen.collect::<Vec<_>>(), new);
                }
                Step::Write(offset, size, value) => {
                    let bits = 8 * u32::from(size);
                    let value = if bits == 32 { value } else { value % (1 << bits) };
                    let selected = model.selected;
                    let effect = block.write(offset, size, value);
                    let whole = offset % u64::from(size) == 0;
                    let byte = if matches!(offset, 4 | 5) { value & 0xff } else { value };
                    prop_assert_eq!(effect, if whole { model.write(offset, byte) } else { None }, "{:?}", step);
                    for (slot, (was, is)) in before.iter().zip(sees(&block)).enumerate() {
                        let gone = was.present && !is.present;
                        let mine = slot as u32 == selected && offset == 4;
                        prop_assert!(!is.present || was.present, "a guest makes no CPU");
                        prop_assert!(!gone || mine && byte & 8 != 0 && slot != 0);
                        prop_assert_eq!(gone, effect == Some(Effect::Eject { slot: slot as u32 }));
                        prop_assert!(is.inserting || !was.inserting || gone || mine && byte & 2 != 0);
                        prop_assert!(is.removing || !was.removing || gone || mine && byte & 4 != 0);
                    }
                }
                Step::Plug(slot, hot) => {
                    let fits = slot < count && !model.here.contains(&slot);
                    prop_assert_eq!(block.plug(slot, hot).is_ok(), fits);
                    if fits {
                        model.here.insert(slot);
                        if hot { model.inserted.insert(slot); }
                    }
                }
                Step::Request(slot) => {
                    let there = model.here.contains(&slot);
                    prop_assert_eq!(block.request_unplug(slot).is_ok(), there);
                    if there { model.wanted.insert(slot); }
                }
                Step::Withdraw(slot) => {
                    prop_assert_eq!(block.withdraw(slot).is_ok(), model.here.contains(&slot));
                    model.leave(slot);
                }
                Step::WithdrawUnseen(slot) => {
                    let unseen = model.inserted.contains(&slot) && !model.looked_at.contains(&slot)
                        && model.here.contains(&slot);
                    prop_assert_eq!(block.withdraw_unseen(slot).unwrap_or(false), unseen);
                    if unseen { model.leave(slot); }
                }
                Step::Reset => {
                    block.forget_sightings();
                    model.looked_at.clear();
                }
            }
            let statuses = sees(&block);
            prop_assert_eq!(&statuses, &model.statuses());
            for status in &statuses {
                let SlotStatus { present, inserting, removing, firmware_eject, seen, .. } = *status;
                prop_assert!(present || !(inserting || removing || firmware_eject || seen), "half there");
            }
            let told = |s: &SlotStatus| s.inserting || s.removing || s.firmware_eject;
            prop_assert_eq!(block.event_pending(), statuses.iter().any(told));
        }
    }
}
