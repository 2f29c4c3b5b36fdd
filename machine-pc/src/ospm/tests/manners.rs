//! What each policy makes of a CPU that comes and of one that is wanted back.

use std::time::Duration;

use qom::PropertyEnum;

use super::*;

fn told(rig: &mut Rig) -> Vec<String> {
    let _ = rig.turn();
    rig.told()
}

/// A guest that has booted, was given CPU 2, and asked for it back; what it did each time.
fn plug_and_unplug(policy: Policy) -> (Rig, Vec<String>, Vec<String>) {
    let mut rig = Rig::new(4, HotplugMode::Modern, policy);
    assert_eq!(told(&mut rig), [""; 0]);
    rig.hotplug.plug_hot(2).unwrap();
    let plugged = told(&mut rig);
    rig.hotplug.request_unplug(2).unwrap();
    let unplugged = told(&mut rig);
    (rig, plugged, unplugged)
}

#[test]
fn a_cooperative_guest_does_as_linux_does() {
    let (rig, plugged, unplugged) = plug_and_unplug(Policy::Cooperative);
    assert_eq!(plugged, ["ost 2 1 0x0"]);
    assert_eq!(unplugged, ["ost 2 3 0x84", "eject 2", "ost 2 3 0x0"]);
    assert!(!rig.sci.is_high());
    assert_eq!(counted(&rig.counters), [1, 1, 2, 1, 3]);
}

#[test]
fn one_that_refuses_says_that_the_device_is_busy_and_may_be_asked_again() {
    let (mut rig, plugged, unplugged) = plug_and_unplug(Policy::RefusesEject);
    assert_eq!(plugged, ["ost 2 1 0x0"]);
    assert_eq!(unplugged, ["ost 2 3 0x84", "ost 2 3 0x82"]);
    rig.manner.policy = Policy::Cooperative;
    assert_eq!(told(&mut rig), [""; 0], "it was answered");
    rig.hotplug.request_unplug(2).unwrap();
    assert_eq!(told(&mut rig), ["ost 2 3 0x84", "eject 2", "ost 2 3 0x0"]);
}

#[test]
fn one_that_never_answers_sees_nothing_until_it_changes_its_mind() {
    let (mut rig, plugged, unplugged) = plug_and_unplug(Policy::NeverAnswers);
    assert_eq!((plugged.len(), unplugged.len()), (0, 0));
    let status = rig.hotplug.status(2).unwrap();
    assert!(status.inserting && status.removing && !rig.sci.is_high());
    assert_eq!(counted(&rig.counters), [1, 0, 0, 0, 0]);
    rig.manner.policy = Policy::Cooperative;
    assert_eq!(told(&mut rig), ["ost 2 1 0x0", "ost 2 3 0x84", "eject 2", "ost 2 3 0x0"]);
    assert_eq!(counted(&rig.counters), [1, 1, 2, 1, 3]);
}

#[test]
fn one_that_is_late_has_seen_the_event_and_answers_in_its_time() {
    let mut rig = Rig::new(4, HotplugMode::Modern, Policy::AnswersLate);
    rig.manner.delay_ms = 250;
    assert_eq!(rig.turn(), None);
    rig.hotplug.plug_hot(3).unwrap();
    rig.now = Duration::from_millis(10);
    assert_eq!(rig.turn(), Some(Duration::from_millis(260)));
    assert!(!rig.hotplug.status(3).unwrap().inserting);
    rig.now = Duration::from_millis(259);
    assert_eq!(told(&mut rig), [""; 0]);
    rig.now = Duration::from_millis(260);
    assert_eq!(told(&mut rig), ["ost 3 1 0x0"]);
    // Two at their own times, and one that does not wait any more.
    rig.hotplug.plug_hot(1).unwrap();
    rig.turn();
    rig.now = Duration::from_millis(300);
    rig.hotplug.request_unplug(3).unwrap();
    assert_eq!(rig.turn(), Some(Duration::from_millis(510)));
    rig.now = Duration::from_millis(510);
    assert_eq!(rig.turn(), Some(Duration::from_millis(550)));
    assert_eq!(rig.told(), ["ost 1 1 0x0"]);
    rig.manner.policy = Policy::RefusesEject;
    assert_eq!(told(&mut rig), ["ost 3 3 0x84", "ost 3 3 0x82"]);
}

/// What was promised to a CPU that went, or was taken back, is not done to the next one in its slot.
#[test]
fn a_late_answer_is_of_its_own_cpu() {
    let mut rig = Rig::new(4, HotplugMode::Modern, Policy::AnswersLate);
    rig.turn();
    rig.hotplug.plug_hot(1).unwrap();
    rig.turn();
    rig.hotplug.withdraw(1).unwrap();
    rig.now = Duration::from_secs(5);
    assert_eq!(told(&mut rig), [""; 0]);
    // A reset forgets what was to be answered.
    rig.hotplug.plug_hot(1).unwrap();
    rig.turn();
    rig.hotplug.request_unplug(1).unwrap();
    rig.turn();
    rig.reset();
    rig.now = Duration::from_secs(50);
    assert_eq!(told(&mut rig), [""; 0]);
    assert!(rig.hotplug.status(1).unwrap().present);
    assert_eq!(counted(&rig.counters)[..2], [2, 2]);
}

#[test]
fn one_that_reboots_does_so_once_and_then_has_the_cpu() {
    let mut rig = Rig::new(4, HotplugMode::Modern, Policy::RebootsInMidPlug);
    rig.turn();
    rig.hotplug.plug_hot(2).unwrap();
    assert_eq!(told(&mut rig), [""; 0]);
    assert!(*rig.reset.0.lock().unwrap());
    rig.hotplug.plug_hot(1).unwrap();
    assert_eq!(told(&mut rig), [""; 0], "it waits for the reset");
    assert!(rig.hotplug.status(1).unwrap().inserting);
    // CPU 1 is news to the next boot too, which ends as the first did; then it has both.
    rig.reset();
    rig.turn();
    assert!(*rig.reset.0.lock().unwrap());
    rig.reset();
    rig.turn();
    assert!(!*rig.reset.0.lock().unwrap());
    assert_eq!(counted(&rig.counters), [3, 3, 2, 0, 0]);
    rig.hotplug.request_unplug(2).unwrap();
    assert_eq!(told(&mut rig), ["ost 2 3 0x84", "eject 2", "ost 2 3 0x0"]);
}

#[test]
fn one_that_fails_reports_the_status_that_was_chosen() {
    let (mut rig, plugged, unplugged) = plug_and_unplug(Policy::OstError);
    assert_eq!((plugged, unplugged), (vec!["ost 2 1 0x1".to_owned()], vec!["ost 2 3 0x1".to_owned()]));
    assert_eq!(counted(&rig.counters), [1, 1, 2, 0, 2]);
    rig.manner.ost_status = 0xffff_ffff;
    rig.hotplug.request_unplug(2).unwrap();
    assert_eq!(told(&mut rig), ["ost 2 3 0xffffffff"]);
    assert!(rig.hotplug.status(2).unwrap().present);
}

#[test]
fn the_bitmap_of_old_shows_who_is_there_and_asks_for_nothing() {
    let mut rig = Rig::new(40, HotplugMode::LegacyBitmap, Policy::LegacyBitmap);
    rig.turn();
    assert_eq!(counted(&rig.counters), [1, 1, 0, 0, 0]);
    rig.hotplug.plug_hot(33).unwrap();
    rig.hotplug.plug_hot(7).unwrap();
    assert!(rig.sci.is_high());
    assert_eq!(told(&mut rig), [""; 0]);
    assert_eq!(counted(&rig.counters), [1, 3, 2, 0, 0]);
    rig.hotplug.request_unplug(7).unwrap();
    assert_eq!(told(&mut rig), [""; 0]);
    assert!(!rig.sci.is_high());
    assert_eq!(counted(&rig.counters), [1, 3, 2, 0, 0]);
    // The modern driver makes the registers modern, and finds the events there.
    rig.manner.policy = Policy::Cooperative;
    let expected = ["ost 7 1 0x0", "ost 7 3 0x84", "eject 7", "ost 7 3 0x0", "ost 33 1 0x0"];
    assert_eq!(told(&mut rig), expected);
}

/// The modern registers do not show a CPU where the bitmap has that of the one that reads it.
#[test]
fn who_knows_the_bitmap_only_sees_nothing_on_modern_registers() {
    let (rig, plugged, unplugged) = plug_and_unplug(Policy::LegacyBitmap);
    assert_eq!((plugged.len(), unplugged.len()), (0, 0));
    assert_eq!(counted(&rig.counters), [1, 0, 0, 0, 0]);
    assert!(rig.hotplug.status(2).unwrap().inserting && !rig.sci.is_high());
}

/// Events of before the start are answered with the first turn, whatever became of the GPE.
#[test]
fn a_booting_guest_finds_what_is_pending() {
    let mut rig = Rig::new(4, HotplugMode::Modern, Policy::Cooperative);
    rig.hotplug.plug_hot(1).unwrap();
    rig.hotplug.plug_cold(2).unwrap();
    rig.gpe.reset();
    assert_eq!(told(&mut rig), ["ost 1 1 0x0"]);
    assert_eq!(counted(&rig.counters), [1, 3, 1, 0, 1]);
    rig.reset();
    assert_eq!(told(&mut rig), [""; 0]);
    assert_eq!(counted(&rig.counters), [2, 3, 1, 0, 1]);
    assert_eq!(rig.gpe.read(2, 1), 4, "it listens again");
}

/// Other users of the block of events keep their bits.
#[test]
fn only_the_gpe_of_cpu_hotplug_is_touched() {
    let mut rig = Rig::new(4, HotplugMode::Modern, Policy::Cooperative);
    rig.gpe.raise(1);
    rig.gpe.write(2, 1, 0x10);
    rig.hotplug.plug_hot(1).unwrap();
    rig.turn();
    assert_eq!(rig.gpe.read(0, 1), 2);
    assert_eq!(rig.gpe.read(2, 1), 0x14);
    rig.manner.policy = Policy::NeverAnswers;
    rig.turn();
    assert_eq!(rig.gpe.read(2, 1), 0x10);
}

/// What a guest of this manner asks of the machine when the power button is pressed.
fn pressed(rig: &mut Rig) -> Vec<String> {
    rig.pm.press_power_button();
    told(rig)
}

#[test]
fn the_power_button_switches_off_a_guest_that_listens() {
    for (_, policy) in Policy::MEMBERS {
        let mut rig = Rig::new(4, HotplugMode::Modern, *policy);
        rig.manner.delay_ms = 0;
        assert_eq!(told(&mut rig), [""; 0]);
        if *policy == Policy::NeverAnswers {
            assert_eq!(pressed(&mut rig), [""; 0]);
            // Nobody listened; who listens later does not hear of it.
            rig.manner.policy = Policy::Cooperative;
            assert_eq!(told(&mut rig), [""; 0]);
        }
        assert_eq!(pressed(&mut rig), ["ShutdownRequest"], "{policy:?}");
        assert!(!rig.sci.is_high());
        // It waits for the end, and does nothing more until there is a reset.
        rig.hotplug.plug_hot(1).unwrap();
        assert_eq!(pressed(&mut rig), [""; 0]);
        rig.reset();
        assert_eq!(counted(&rig.counters)[..2], [1, 0]);
        rig.manner.policy = Policy::Cooperative;
        assert_eq!(told(&mut rig), ["ost 1 1 0x0"]);
        assert_eq!(pressed(&mut rig), ["ShutdownRequest"], "{policy:?}");
    }
}

#[test]
fn one_that_is_late_switches_off_in_its_time() {
    let mut rig = Rig::new(4, HotplugMode::Modern, Policy::AnswersLate);
    rig.manner.delay_ms = 250;
    assert_eq!(rig.turn(), None);
    rig.pm.press_power_button();
    assert_eq!(rig.turn(), Some(Duration::from_millis(250)));
    assert!(!rig.sci.is_high(), "it has seen it");
    // Pressing it again makes it neither later nor twice.
    rig.now = Duration::from_millis(200);
    assert_eq!(pressed(&mut rig), [""; 0]);
    rig.now = Duration::from_millis(250);
    assert_eq!(told(&mut rig), ["ShutdownRequest"]);
    // Who stops listening does not go.
    rig.reset();
    rig.turn();
    rig.pm.press_power_button();
    rig.turn();
    rig.manner.policy = Policy::NeverAnswers;
    rig.now = Duration::from_secs(5);
    assert_eq!(told(&mut rig), [""; 0]);
}

/// The line is shared and does not rise twice: what comes while the other is pending is found all the same.
#[test]
fn a_button_beside_a_cpu_is_heard() {
    let mut rig = Rig::new(4, HotplugMode::Modern, Policy::AnswersLate);
    rig.manner.delay_ms = 0;
    rig.turn();
    rig.hotplug.plug_hot(1).unwrap();
    rig.pm.press_power_button();
    assert_eq!(rig.sci.rises.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(told(&mut rig), ["ShutdownRequest"]);
    assert!(rig.hotplug.status(1).unwrap().inserting, "it went before it looked at the CPU");
}
