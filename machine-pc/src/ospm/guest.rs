//! What the scripted guest does: a state machine over the registers, with no thread and no clock.
//!
//! What it does of an event is what Linux does: it acknowledges the event while it looks for events, and then reports
//! (`_OST`) a CPU that came as a success, and a CPU that is wanted back as being ejected, as ejected, or as busy. The power
//! button switches it off, as Linux does where nobody sits at it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::policy::{Driver, Manner, Policy, ost};
use super::registers::{BITMAP_LEN, Event, Registers};

/// How many events are dealt with before others get a turn: who stops the machine waits for so many at most.
const EVENTS_A_TURN: usize = 64;

/// What the guest has done since it was made; resets do not clear it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Times it has started.
    pub(super) boots: AtomicU64,
    /// Events that it has acknowledged, the power button too; changes of the bitmap that it has noticed.
    pub(super) events: AtomicU64,
    /// CPUs that it has let go.
    pub(super) ejects: AtomicU64,
    /// Reports that it has made.
    pub(super) reports: AtomicU64,
    /// CPUs that it has now.
    pub(super) cpus: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    Off,
    On,
    /// It has asked for a reset, or to be switched off, and waits for that.
    Leaving,
}

/// The guest.
#[derive(Debug)]
pub(super) struct Guest {
    registers: Registers,
    counters: Arc<Counters>,
    power: Power,
    driver: Driver,
    /// There may be events that no interrupt tells of any more.
    more: bool,
    /// When the power button was pressed, in the guest's time, if it has not gone yet.
    button: Option<Duration>,
    /// Slots of the CPUs that it has; APIC IDs with the bitmap.
    cpus: BTreeSet<u32>,
    /// Events that are not answered yet, by slot, and when they came, in the guest's time.
    unanswered: BTreeMap<u32, (Event, Duration)>,
}

impl Guest {
    /// A guest that is off.
    pub(super) fn new(registers: Registers, counters: Arc<Counters>) -> Self {
        Self {
            registers,
            counters,
            power: Power::Off,
            driver: Driver::None,
            more: false,
            button: None,
            cpus: BTreeSet::new(),
            unanswered: BTreeMap::new(),
        }
    }

    /// The machine is reset: it forgets everything. It boots with the next [`turn`](Self::turn).
    pub(super) fn power_off(&mut self) {
        self.power = Power::Off;
        self.driver = Driver::None;
        self.more = false;
        self.button = None;
        self.unanswered.clear();
        self.cpus.clear();
        self.tell_cpus();
    }

    /// Does what there is to do at the time `now`. Returns when it wants another turn, if no interrupt comes before.
    pub(super) fn turn(&mut self, manner: Manner, now: Duration) -> Option<Duration> {
        match self.power {
            Power::Leaving => return None,
            Power::Off => {
                count(&self.counters.boots);
                self.power = Power::On;
            }
            Power::On => {}
        }
        if self.driver != manner.policy.driver() {
            self.load(manner.policy.driver());
        }
        // What comes while something is pending raises no line that is high already: then it looks again.
        let again = self.listen_to_button(manner, now);
        if self.power != Power::On {
            return None;
        }
        let due = match self.driver {
            Driver::None => None,
            Driver::Legacy => {
                // Without a bitmap there is nobody, not even the CPU that runs it.
                let raised = !self.cpus.is_empty() && self.registers.take_gpe();
                if raised {
                    self.compare_bitmap();
                }
                raised.then_some(now)
            }
            Driver::Modern => self.serve(manner, now),
        };
        if self.power != Power::On {
            return None;
        }
        let off = self.button.map(|since| since + delay(manner));
        [again.then_some(now), due, off].into_iter().flatten().min()
    }

    /// Looks whether the button was pressed, and goes when it is time to. Returns whether it was pressed.
    fn listen_to_button(&mut self, manner: Manner, now: Duration) -> bool {
        let pressed = self.driver != Driver::None && self.registers.take_button();
        if pressed {
            count(&self.counters.events);
            self.button.get_or_insert(now);
        }
        if self.button.is_some_and(|since| since + delay(manner) <= now) {
            self.power = Power::Leaving;
            self.registers.soft_off();
        }
        pressed
    }

    /// Changes the driver. A new one finds out which CPUs there are and which events are pending.
    fn load(&mut self, driver: Driver) {
        self.driver = driver;
        self.more = false;
        if driver == Driver::None {
            self.button = None;
        }
        self.registers.enable_button(driver != Driver::None);
        match driver {
            Driver::None => self.registers.enable_gpe(false),
            Driver::Modern => {
                self.cpus = self.registers.present().into_iter().collect();
                self.more = true;
                self.registers.enable_gpe(true);
            }
            Driver::Legacy => {
                self.unanswered.clear();
                self.cpus = apic_ids(&self.registers.bitmap());
                // What does not show the CPU that reads it is no bitmap of CPUs.
                if !self.cpus.contains(&0) {
                    self.cpus.clear();
                }
                self.registers.enable_gpe(!self.cpus.is_empty());
            }
        }
        self.tell_cpus();
    }

    fn tell_cpus(&self) {
        self.counters.cpus.store(self.cpus.len() as u64, Ordering::Relaxed);
    }

    /// The bitmap tells who is there, and not what is wanted: CPUs come, and nobody is asked to let one go.
    fn compare_bitmap(&mut self) {
        let now = apic_ids(&self.registers.bitmap());
        for _ in now.symmetric_difference(&self.cpus) {
            count(&self.counters.events);
        }
        self.cpus = now;
        self.tell_cpus();
    }

    fn serve(&mut self, manner: Manner, now: Duration) -> Option<Duration> {
        // First, so that an event that comes while others are looked for raises the GPE again.
        let raised = self.registers.take_gpe();
        let mut looking = raised || self.more;
        let mut left = EVENTS_A_TURN;
        while looking && left > 0 && self.power == Power::On {
            match self.registers.next_event() {
                Some((slot, event)) => {
                    count(&self.counters.events);
                    self.seen(slot, event, manner, now);
                    left -= 1;
                }
                None => looking = false,
            }
        }
        self.more = looking;
        self.answer_late(manner, now, left);
        let due = self.unanswered.values().map(|(_, since)| *since + delay(manner)).min();
        if self.more || raised { Some(now) } else { due }
    }

    fn seen(&mut self, slot: u32, event: Event, manner: Manner, now: Duration) {
        // The newest event of a slot is the one that is answered.
        self.unanswered.remove(&slot);
        match manner.policy {
            Policy::AnswersLate => {
                self.unanswered.insert(slot, (event, now));
            }
            Policy::RebootsInMidPlug if event == Event::Insert => {
                self.power = Power::Leaving;
                self.registers.reset_system();
            }
            _ => self.answer(slot, event, manner),
        }
    }

    /// Answers what has waited long enough, or does not need to wait any more.
    fn answer_late(&mut self, manner: Manner, now: Duration, most: usize) {
        if self.power != Power::On {
            return;
        }
        let is_due = |since: Duration| since + delay(manner) <= now;
        let due: Vec<(u32, Event)> = self
            .unanswered
            .iter()
            .filter(|(_, (_, since))| is_due(*since))
            .map(|(slot, (event, _))| (*slot, *event))
            .take(most)
            .collect();
        for (slot, event) in due {
            self.unanswered.remove(&slot);
            self.answer(slot, event, manner);
        }
    }

    fn answer(&mut self, slot: u32, event: Event, manner: Manner) {
        match (event, manner.policy) {
            (Event::Insert, Policy::OstError) => self.report(slot, ost::DEVICE_CHECK, manner.ost_status),
            (Event::Remove, Policy::OstError) => self.report(slot, ost::EJECT_REQUEST, manner.ost_status),
            (Event::Insert, _) => {
                // It may have gone while the guest was thinking.
                if self.registers.is_present(slot) {
                    self.cpus.insert(slot);
                    self.report(slot, ost::DEVICE_CHECK, ost::SUCCESS);
                }
            }
            (Event::Remove, policy) => {
                self.report(slot, ost::EJECT_REQUEST, ost::EJECT_IN_PROGRESS);
                if policy == Policy::RefusesEject {
                    self.report(slot, ost::EJECT_REQUEST, ost::DEVICE_BUSY);
                } else if self.registers.is_present(slot) {
                    self.cpus.remove(&slot);
                    self.registers.eject(slot);
                    count(&self.counters.ejects);
                    self.report(slot, ost::EJECT_REQUEST, ost::SUCCESS);
                }
            }
        }
        self.tell_cpus();
    }

    fn report(&self, slot: u32, event: u32, status: u32) {
        self.registers.report(slot, event, status);
        count(&self.counters.reports);
    }
}

/// How long an event waits for its answer.
fn delay(manner: Manner) -> Duration {
    match manner.policy {
        Policy::AnswersLate => Duration::from_millis(manner.delay_ms.into()),
        _ => Duration::ZERO,
    }
}

/// The APIC IDs whose bits are set.
fn apic_ids(bits: &[u8; BITMAP_LEN]) -> BTreeSet<u32> {
    (0..)
        .zip(bits)
        .flat_map(|(at, byte)| (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| at * 8 + bit))
        .collect()
}
