//! A machine's CPU hotplug registers, monitor and events against a dialogue that was held with the reference.

use std::sync::{Arc, Mutex};

use qmp::device::{AddDevice, Form};
use qmp::{Commands, Context, RunControl, ShutdownCause};
use serde_json::{Map, Value, json};

use super::PcMachine;
use crate::accel::AccelChoice;
use crate::main_loop::MainLoop;
use crate::run_actions::RunActions;
use crate::smp::SmpConfiguration;
use crate::startup::{Connections, MachineSpec, accel_ready, build_machine};
use crate::vm::Vm;
use crate::vm_event::VmEvent;

/// A machine without vCPUs, whose guest is the dialogue.
struct Party {
    context: Context,
    vm: Vm,
    machine: qom::Obj<PcMachine>,
    reported: Arc<Mutex<Vec<VmEvent>>>,
    hotplug: u64,
    gpe: u64,
    /// What clients were told in all, also what the reference does not tell.
    told: Vec<String>,
    _main_loop: MainLoop,
}

impl Party {
    fn new(arguments: &[String]) -> Self {
        let [_, machine, _, smp] = arguments else { panic!("{arguments:?}") };
        let accel = AccelChoice { name: "qtest".to_owned(), properties: Vec::new(), location: None };
        let qom = accel_ready(&[accel], |_| ()).unwrap();
        let reported: Arc<Mutex<Vec<VmEvent>>> = Arc::default();
        let sink = reported.clone();
        let connections = Connections {
            serials: Default::default(),
            chardevs: Default::default(),
            events: Arc::new(move |event| sink.lock().unwrap().push(event)),
        };
        let maxcpus = smp.strip_prefix("1,maxcpus=").unwrap().parse().unwrap();
        let smp = SmpConfiguration { cpus: Some(1), maxcpus: Some(maxcpus), ..SmpConfiguration::default() };
        let spec = MachineSpec { machine: Some(machine.clone()), smp, ..MachineSpec::default() };
        let machine = build_machine(&qom, spec, connections).unwrap().unwrap();
        let context = Context::new(qom, Commands::linked().unwrap());
        let main_loop = MainLoop::new().unwrap();
        let sender = context.events().clone();
        let vm = Vm::new(Some(machine.clone()), false, RunActions::default(), sender, main_loop.handle());
        let (hotplug, gpe) = if arguments[1] == "pc" { (0xaf00, 0xafe0) } else { (0xcd8, 0x620) };
        Self { context, vm, machine, reported, hotplug, gpe, told: Vec::new(), _main_loop: main_loop }
    }

    fn read(&self, port: u64, size: usize) -> u32 {
        let mut data = [0; 4];
        self.machine.board().unwrap().pio().read(port, &mut data[..size]);
        u32::from_le_bytes(data)
    }

    /// One step; what the monitor's clients and the guest get of it.
    fn step(&mut self, words: &[&str]) -> Vec<String> {
        let number = |at: usize| u32::from_str_radix(words[at], 16).unwrap();
        let mut seen = vec![match words[0] {
            "add" => {
                let core: u32 = words[1].parse().unwrap();
                let mut members = Map::new();
                for (name, value) in [
                    ("driver", json!("qemu64-x86_64-cpu")),
                    ("id", json!(format!("c{core}"))),
                    ("socket-id", json!(0)),
                    ("core-id", json!(core)),
                    ("thread-id", json!(0)),
                ] {
                    members.insert(name.to_owned(), value);
                }
                qmp::device::add(self.context.qom(), members, AddDevice::hotplug(Form::Json)).unwrap();
                words.join(" ")
            }
            "del" => {
                qmp::device::delete(self.context.qom(), &format!("c{}", words[1])).unwrap();
                words.join(" ")
            }
            "reset" => {
                RunControl::reset(&mut self.vm, ShutdownCause::HostQmpSystemReset);
                "reset".to_owned()
            }
            "w" => {
                let data = number(3).to_le_bytes();
                let size: usize = words[2].parse().unwrap();
                let pio = self.machine.board().unwrap().pio();
                pio.write(self.hotplug + u64::from(number(1)), &data[..size]);
                words.join(" ")
            }
            "r" => {
                let value = self.read(self.hotplug + u64::from(number(1)), words[2].parse().unwrap());
                format!("r {} {} {value:x}", words[1], words[2])
            }
            "gpe" => format!("gpe {:x}", self.read(self.gpe, 4)),
            "ost" => {
                let slots = self.machine.possible_cpus().unwrap().len() as u32;
                let all: Vec<_> = (0..slots).map(|slot| self.vm.ost_info(slot)).collect();
                format!("ost {}", serde_json::to_value(all).unwrap())
            }
            other => panic!("{other}"),
        }];
        let reported = std::mem::take(&mut *self.reported.lock().unwrap());
        reported.into_iter().for_each(|event| self.vm.handle(event));
        for event in self.context.event_queue().take() {
            self.told.push(format!("{} {}", event.name(), event.data().unwrap_or(&Value::Null)));
            // What the reference does not tell.
            if !event.name().starts_with("x-") && event.name() != "DEVICE_UNPLUG_GUEST_ERROR" {
                seen.push(format!("! {} {}", event.name(), event.data().unwrap_or(&Value::Null)));
            }
        }
        seen
    }
}

/// JSON in one form.
fn normal(line: &str) -> String {
    match line.find(['{', '[']) {
        Some(at) => {
            let value: Value = serde_json::from_str(&line[at..]).unwrap();
            format!("{}{value}", &line[..at])
        }
        None => line.to_owned(),
    }
}

/// An access that is not aligned. Where it was recorded, without KVM, the reference drops it; a guest under KVM, the only one that
/// runs here, has it taken apart by the reference as by the bus here (`io_bus`).
fn reaches_nothing(words: &[&str]) -> bool {
    let ["w" | "r", port, size, ..] = *words else { return false };
    !u32::from_str_radix(port, 16).unwrap().is_multiple_of(size.parse().unwrap())
}

#[test]
fn registers_monitor_and_events_are_the_references() {
    let text = include_str!("../../../tests/transcripts/cpu-hotplug-registers.txt");
    let mut party = None;
    let mut pending: Vec<String> = Vec::new();
    let mut steps = 0;
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with("##")) {
        let at = at + 1;
        if let Some(arguments) = line.strip_prefix("# ") {
            assert_eq!(pending, [""; 0], "before line {at}");
            party = Some(Party::new(&serde_json::from_str::<Vec<String>>(arguments).unwrap()));
            continue;
        }
        if !line.starts_with('!') {
            assert_eq!(pending, [""; 0], "before line {at}");
            let words: Vec<&str> = line.split(' ').collect();
            if reaches_nothing(&words) {
                continue;
            }
            pending = party.as_mut().unwrap().step(&words);
            steps += 1;
        }
        assert!(!pending.is_empty(), "line {at}: nothing, and not {line}");
        assert_eq!(pending.remove(0), normal(line), "line {at}");
    }
    assert_eq!(pending, [""; 0]);
    assert!(steps > 2500, "{steps}");
}

/// The steps of a guest, and all that clients are told of them.
fn told(party: &mut Party, steps: &[&str]) -> Vec<String> {
    let mut told = Vec::new();
    for step in steps {
        let _ = party.step(&step.split(' ').collect::<Vec<_>>());
        told.append(&mut party.told);
    }
    told
}

/// Members in the order of the wire.
fn changed(slot: u32, old: &str, new: &str) -> String {
    let data = json!({"device": format!("c{slot}"), "qom-path": format!("/machine/peripheral/c{slot}"), "slot": slot, "new": new, "old": old});
    format!("x-VCPU_STATE {data}")
}

fn of_device(event: &str) -> String {
    format!("{event} {}", json!({"device": "c1", "path": "/machine/peripheral/c1"}))
}

const LOOK: [&str; 2] = ["w 0 4 1", "r 4 1"];

/// A report `event`, `status` on the selected CPU.
fn report(event: u32, status: u32) -> [String; 4] {
    ["w 5 1 1".to_owned(), format!("w 8 4 {event:x}"), "w 5 1 2".to_owned(), format!("w 8 4 {status:x}")]
}

#[test]
fn a_refusal_is_an_end_and_a_request_can_be_made_again() {
    let arguments = ["-M", "q35", "-smp", "1,maxcpus=4"].map(str::to_owned);
    for (event, status) in [(3, 0x81), (0x103, 1)] {
        let mut party = Party::new(&arguments);
        let _ = told(&mut party, &["add 1"]);
        assert_eq!(told(&mut party, &LOOK), [changed(1, "notified", "seen")]);
        let taken_in = report(1, 0);
        let taken_in = told(&mut party, &taken_in.each_ref().map(String::as_str));
        assert_eq!(taken_in[1..], [changed(1, "seen", "online")]);
        for before in ["online", "refused"] {
            assert_eq!(told(&mut party, &["del 1"]), [changed(1, before, "eject-requested")]);
            let refused = report(event, status);
            let refused = told(&mut party, &refused.each_ref().map(String::as_str));
            // First the report itself, as the reference tells it.
            assert!(refused[0].starts_with("ACPI_DEVICE_OST"), "{refused:?}");
            let end = [changed(1, "eject-requested", "refused"), of_device("DEVICE_UNPLUG_GUEST_ERROR")];
            assert_eq!(refused[1..], end);
            // The same once more is nothing new.
            let again = report(event, status);
            assert_eq!(told(&mut party, &again.each_ref().map(String::as_str)).len(), 1);
        }
        // Both ways of ejecting, the second by way of firmware.
        let _ = told(&mut party, &["del 1"]);
        let eject: &[&str] =
            if event == 3 { &["w 4 1 8"] } else { &["w 4 1 4", "w 4 1 10", "w 5 1 0", "w 4 1 8"] };
        let gone = [changed(1, "eject-requested", "ejected"), of_device("DEVICE_DELETED")];
        assert_eq!(told(&mut party, eject), gone);
        assert!(party.machine.possible_cpus().unwrap().get(1).unwrap().state().is_none());
    }
}

/// A report that comes after its CPU has gone is about nobody, also when another CPU is there by then.
#[test]
fn what_was_said_of_one_cpu_is_not_held_against_the_next() {
    let mut party = Party::new(&["-M", "pc", "-smp", "1,maxcpus=4"].map(str::to_owned));
    let _ = told(&mut party, &["add 1", "w 0 4 1", "r 4 1", "del 1", "w 4 1 8", "add 1"]);
    let late = report(3, 0);
    assert_eq!(told(&mut party, &late.each_ref().map(String::as_str)).len(), 1);
    let refusal = report(3, 0x81);
    assert_eq!(told(&mut party, &refusal.each_ref().map(String::as_str)).len(), 1, "nobody had asked");
    // The new one has not been looked at, and can be taken back.
    let expected = [changed(1, "notified", "ejected"), of_device("DEVICE_DELETED")];
    assert_eq!(told(&mut party, &["del 1"]), expected);
}
