//! The guest's accesses to ports, held against what the reference's registers answer to the same accesses.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::guest::{Counters, Guest};
use super::super::policy::{Manner, Policy};
use super::super::registers::Registers;
use crate::io_bus::{IoBus, IoDevice};
use crate::machine::Chipset;
use crate::machine::board::{Board, BoardConfig, BootRom, RamConfig};
use crate::rtc::RtcConfig;
use crate::rtc::cmos::{BootOrder, DEFAULT_BOOT_ORDER};

/// All ports of a board, with a record of what passes.
struct Recorder {
    pio: Arc<IoBus>,
    log: Arc<Mutex<String>>,
}

fn letter(size: u8) -> char {
    match size {
        1 => 'b',
        2 => 'w',
        _ => 'l',
    }
}

impl IoDevice for Recorder {
    fn read(&self, port: u64, size: u8) -> u64 {
        let mut data = [0; 8];
        self.pio.read(port, &mut data[..size.into()]);
        let value = u64::from_le_bytes(data);
        let _ = writeln!(self.log.lock().unwrap(), "in{} {port:#x} = {value:#x}", letter(size));
        value
    }

    fn write(&self, port: u64, size: u8, value: u64) {
        let _ = writeln!(self.log.lock().unwrap(), "out{} {port:#x} {value:#x}", letter(size));
        self.pio.write(port, &value.to_le_bytes()[..size.into()]);
    }
}

fn dialogue(chipset: Chipset) -> String {
    let board = Board::new(BoardConfig {
        chipset,
        kvm: false,
        idle_threads: "TCG",
        ram: RamConfig::default(),
        acpi: true,
        i8042: true,
        rom: BootRom::BuiltIn,
        tables: None,
        rtc: RtcConfig::default(),
        boot_order: BootOrder::read(DEFAULT_BOOT_ORDER).unwrap(),
        boot_once: None,
        apic_ids: (0..4).collect(),
        events: Arc::new(|_| ()),
    })
    .unwrap();
    let ports = board.seat().unwrap().ports().unwrap();
    let hotplug = board.cpu_hotplug();
    hotplug.plug_cold(0).unwrap();
    let log: Arc<Mutex<String>> = Arc::default();
    let recorder = Recorder { pio: board.pio().clone(), log: log.clone() };
    let bus = IoBus::pio();
    bus.insert("all", 0, 0x10000, Arc::new(recorder)).unwrap();
    let mut guest = Guest::new(Registers::new(Arc::new(bus), ports), Arc::<Counters>::default());
    let mut manner = Manner::default();
    let turn = |guest: &mut Guest, manner, what: &str| {
        let _ = writeln!(log.lock().unwrap(), "# {what}");
        let _ = guest.turn(manner, Duration::ZERO);
    };
    turn(&mut guest, manner, "start");
    hotplug.plug_hot(2).unwrap();
    turn(&mut guest, manner, "add 2");
    hotplug.plug_hot(1).unwrap();
    hotplug.request_unplug(2).unwrap();
    turn(&mut guest, manner, "add 1, del 2");
    manner.policy = Policy::RefusesEject;
    hotplug.request_unplug(1).unwrap();
    turn(&mut guest, manner, "del 1");
    manner.policy = Policy::OstError;
    hotplug.plug_hot(3).unwrap();
    turn(&mut guest, manner, "add 3");
    manner.policy = Policy::Cooperative;
    hotplug.request_unplug(3).unwrap();
    hotplug.request_unplug(1).unwrap();
    turn(&mut guest, manner, "del 3, del 1");
    manner.policy = Policy::LegacyBitmap;
    turn(&mut guest, manner, "bitmap");
    manner.policy = Policy::Cooperative;
    turn(&mut guest, manner, "modern");
    board.powerdown();
    turn(&mut guest, manner, "powerdown");
    let log = log.lock().unwrap();
    log.clone()
}

/// What was recorded, without what is about events.
fn recorded(fixture: &str) -> String {
    fixture.lines().filter(|line| !line.starts_with(['%', '!'])).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_pcs_registers_answer_the_guest_as_the_references_do() {
    assert_eq!(dialogue(Chipset::I440fx), recorded(include_str!("../fixtures/dialogue-pc.txt")));
}

#[test]
fn the_q35s_registers_answer_the_guest_as_the_references_do() {
    assert_eq!(dialogue(Chipset::Q35), recorded(include_str!("../fixtures/dialogue-q35.txt")));
}
