//! Random plugs, requests, presses of the button, changes of mind, resets and turns, against a model of a few lines.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use qom::PropertyEnum;

use super::*;

const SLOTS: u32 = 6;

#[derive(Debug, Clone)]
enum Step {
    Plug(u32),
    Request(u32),
    Mind(Policy),
    Button,
    Pass(u64),
    Reset,
    Turn,
}

fn step() -> impl Strategy<Value = Step> {
    let policy = prop::sample::select(Policy::MEMBERS).prop_map(|(_, policy)| policy);
    prop_oneof![
        4 => (1..SLOTS).prop_map(Step::Plug),
        4 => (1..SLOTS).prop_map(Step::Request),
        2 => policy.prop_map(Step::Mind),
        1 => Just(Step::Button),
        1 => (0u64..2000).prop_map(Step::Pass),
        1 => Just(Step::Reset),
        6 => Just(Step::Turn),
    ]
}

proptest! {
    /// A CPU goes only when it was asked for, and once for each time it came; what is asked of a guest that answers
    /// is answered in the turn that follows.
    #[test]
    fn nothing_is_lost_and_nothing_is_ejected_unasked(steps in prop::collection::vec(step(), 0..80)) {
        let mut rig = Rig::new(SLOTS, HotplugMode::Modern, Policy::Cooperative);
        // The CPUs that are there, and whether each was ever asked for.
        let mut there: BTreeMap<u32, bool> = BTreeMap::new();
        let mut resets = 0;
        // The button was pressed since the last reset; the machine was switched off since.
        let (mut pressed, mut off) = (false, false);
        for step in steps {
            match step {
                Step::Plug(slot) => {
                    prop_assert_eq!(rig.hotplug.plug_hot(slot).is_ok(), !there.contains_key(&slot));
                    there.entry(slot).or_insert(false);
                }
                Step::Request(slot) => {
                    prop_assert_eq!(rig.hotplug.request_unplug(slot).is_ok(), there.contains_key(&slot));
                    there.entry(slot).and_modify(|asked| *asked = true);
                }
                Step::Mind(policy) => rig.manner.policy = policy,
                Step::Button => {
                    rig.pm.press_power_button();
                    pressed = true;
                }
                Step::Pass(ms) => rig.now += Duration::from_millis(ms),
                Step::Reset => {
                    rig.reset();
                    resets += 1;
                    (pressed, off) = (false, false);
                }
                Step::Turn => {
                    let due = rig.turn();
                    prop_assert_eq!(due.is_some(), due.is_some_and(|due| due > rig.now));
                    prop_assert!(due.is_none() || rig.manner.policy == Policy::AnswersLate);
                }
            }
            for told in rig.told() {
                prop_assert!(!off, "it is off, and yet {}", told);
                if told == "ShutdownRequest" {
                    prop_assert!(pressed);
                    off = true;
                }
                if let Some(slot) = told.strip_prefix("eject ") {
                    prop_assert_eq!(there.remove(&slot.parse().unwrap()), Some(true), "{}", told);
                }
            }
            for slot in 1..SLOTS {
                prop_assert_eq!(rig.hotplug.status(slot).unwrap().present, there.contains_key(&slot));
            }
        }
        // In the end a guest that was not cooperative is, and has power.
        if off || *rig.reset.0.lock().unwrap() {
            rig.reset();
            resets += 1;
        }
        rig.manner.policy = Policy::Cooperative;
        if rig.turn().is_none() && rig.told().last().is_some_and(|told| told == "ShutdownRequest") {
            // It had the press still to answer.
            rig.reset();
            resets += 1;
        }
        for slot in there.keys() {
            // One that was asked for before may have gone in that turn.
            let _ = rig.hotplug.request_unplug(*slot);
        }
        prop_assert_eq!(rig.turn(), None);
        prop_assert!(rig.hotplug.statuses().iter().skip(1).all(|slot| !slot.present && !slot.inserting));
        prop_assert!(!rig.sci.is_high());
        let [boots, cpus, _, _, _] = counted(&rig.counters);
        prop_assert_eq!(cpus, 1);
        prop_assert!((1..=resets + 1).contains(&boots));
    }
}
