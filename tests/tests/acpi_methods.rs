//! The methods of the CPUs against the CPU hotplug registers that they are made for: what the AML reads and writes reaches the
//! registers' state machine, in accesses of the size and at the port that its fields say.

mod aml_interpreter;

use aml_interpreter::{Interpreter, Ports, Value};
use machine_pc::acpi::{AcpiCpu, AcpiDescription, CpuHotplug, Effect, HotplugMode, OemIds, SlotInit, tables};
use machine_pc::machine::Chipset;
use machine_pc::memory::RamLayout;
use machine_pc::serial::COM_PORTS;
use proptest::prelude::*;

const PORTS: u16 = 0xcd8;

/// The registers, and what came of accesses to them.
struct Board {
    registers: CpuHotplug,
    effects: Vec<Effect>,
    /// Slots and values.
    notified: Vec<(u32, u32)>,
}

impl Ports for Board {
    fn read(&mut self, port: u16, size: u8) -> u32 {
        self.registers.read(u64::from(port - PORTS), size).value
    }

    fn write(&mut self, port: u16, size: u8, value: u32) {
        self.effects.extend(self.registers.write(u64::from(port - PORTS), size, value));
    }

    fn notify(&mut self, object: &str, value: u32) {
        let slot = object.strip_prefix("_SB_.CPUS.C").expect(object);
        self.notified.push((u32::from_str_radix(slot, 16).expect(object), value));
    }
}

/// A guest that has loaded the DSDT.
struct Guest {
    board: Board,
    interpreter: Interpreter,
}

/// APIC IDs with gaps: two threads a core, three cores a socket.
fn apic_id(slot: u32) -> u32 {
    slot / 6 * 8 + slot % 6
}

impl Guest {
    fn new(cpus: u32, present: impl Fn(u32) -> bool) -> Self {
        let cpu = |slot| AcpiCpu { apic_id: apic_id(slot), present: present(slot), node: Some(slot % 5) };
        let built = tables::build(
            &AcpiDescription {
                chipset: Chipset::Q35,
                cpus: (0..cpus).map(cpu).collect(),
                numa: None,
                ram: RamLayout { below_4g: 1 << 30, above_4g: 0 },
                cpu_hotplug: Some(PORTS),
                i8042: true,
                serials: [Some(COM_PORTS[0]), None, None, None],
                oem: OemIds::default(),
            },
            0xe_0000,
        );
        // It follows the FACS.
        let dsdt = &built.tables[64..];
        let length = u32::from_le_bytes(dsdt[4..8].try_into().expect("4 bytes")) as usize;
        let slots = (0..cpus).map(|slot| SlotInit { arch_id: apic_id(slot).into(), present: present(slot) });
        let registers = CpuHotplug::new(slots, HotplugMode::Modern);
        let board = Board { registers, effects: Vec::new(), notified: Vec::new() };
        Self { board, interpreter: Interpreter::new(&dsdt[36..length]) }
    }

    /// Evaluates what a CPU has by a name.
    fn cpu(&mut self, slot: u32, name: &str, arguments: &[u32]) -> Option<Value> {
        self.interpreter.evaluate(&format!("\\_SB.CPUS.C{slot:03X}.{name}"), arguments, &mut self.board)
    }

    fn is_there(&mut self, slot: u32) -> bool {
        match self.cpu(slot, "_STA", &[]) {
            Some(Value::Integer(0xf)) => true,
            Some(Value::Integer(0)) => false,
            other => panic!("{other:?}"),
        }
    }

    /// Whom the scan notifies, and of what.
    fn scan(&mut self) -> Vec<(u32, u32)> {
        self.interpreter.evaluate("\\_GPE._E02", &[], &mut self.board).expect("a method");
        std::mem::take(&mut self.board.notified)
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.board.effects)
    }
}

#[test]
fn every_cpu_says_what_the_machine_has() {
    let mut guest = Guest::new(300, |slot| slot % 3 == 0);
    for slot in 0..300 {
        assert_eq!(guest.is_there(slot), slot % 3 == 0, "{slot}");
        assert_eq!(guest.cpu(slot, "_PXM", &[]), Some(Value::Integer(slot % 5)));
        let id = apic_id(slot);
        let entry = match (u8::try_from(slot), u8::try_from(id)) {
            (Ok(uid), Ok(id)) if id != 255 => vec![0, 8, uid, id, 1, 0, 0, 0],
            _ => [&[9, 16, 0, 0], &id.to_le_bytes()[..], &[1, 0, 0, 0], &slot.to_le_bytes()].concat(),
        };
        assert_eq!(guest.cpu(slot, "_MAT", &[]), Some(Value::Buffer(entry)));
        guest.cpu(slot, "_OST", &[0x103, slot, 0]).expect("a method");
        assert_eq!(guest.effects(), [Effect::Ost { slot, source_event: 0x103, status: slot }]);
        let ejectable = guest.cpu(slot, "_EJ0", &[1]).is_some();
        assert_eq!(ejectable, slot != 0, "{slot}");
        // What is not there cannot be ejected.
        let expected = (ejectable && slot % 3 == 0).then_some(Effect::Eject { slot });
        assert_eq!(guest.effects(), Vec::from_iter(expected));
        assert_eq!(guest.is_there(slot), slot == 0, "{slot}");
    }
}

/// An eject that is left to firmware, whatever left it, hides no event of another CPU.
#[test]
fn a_scan_passes_cpus_that_firmware_is_to_eject() {
    let mut guest = Guest::new(6, |slot| slot < 4);
    let registers = &mut guest.board.registers;
    for slot in [1, 3] {
        registers.write(0, 4, slot);
        registers.write(4, 1, 1 << 4);
    }
    registers.request_unplug(2).expect("a CPU");
    registers.plug(5, true).expect("a slot");
    assert_eq!(guest.scan(), [(2, 3), (5, 1)]);
    assert_eq!(guest.scan(), []);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Plug(u32),
    RequestUnplug(u32),
    Scan,
    Eject(u32),
}

fn any_steps() -> impl Strategy<Value = (u32, Vec<Step>)> {
    (1..40u32).prop_flat_map(|cpus| {
        let step = prop_oneof![
            (0..cpus).prop_map(Step::Plug),
            (0..cpus).prop_map(Step::RequestUnplug),
            Just(Step::Scan),
            (0..cpus).prop_map(Step::Eject),
        ];
        (Just(cpus), prop::collection::vec(step, 0..60))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the machine plugs and asks for in between: a scan announces all of it once, in order of the slots, and
    /// an eject takes what is there.
    #[test]
    fn a_scan_announces_each_event_once((cpus, steps) in any_steps()) {
        let mut guest = Guest::new(cpus, |slot| slot == 0);
        for step in steps.into_iter().chain([Step::Scan]) {
            match step {
                // Refused where the slot is taken, or empty.
                Step::Plug(slot) => drop(guest.board.registers.plug(slot, true)),
                Step::RequestUnplug(slot) => drop(guest.board.registers.request_unplug(slot)),
                Step::Scan => {
                    let pending: Vec<(u32, u32)> = (0..)
                        .zip(guest.board.registers.statuses())
                        .flat_map(|(slot, status)| {
                            [status.inserting.then_some((slot, 1)), status.removing.then_some((slot, 3))]
                        })
                        .flatten()
                        .collect();
                    prop_assert_eq!(guest.scan(), pending);
                    prop_assert!(!guest.board.registers.event_pending());
                }
                Step::Eject(slot) => {
                    let there = guest.is_there(slot);
                    guest.cpu(slot, "_EJ0", &[1]);
                    let ejected = there && slot != 0;
                    prop_assert_eq!(guest.effects(), Vec::from_iter(ejected.then_some(Effect::Eject { slot })));
                    prop_assert_eq!(guest.is_there(slot), there && !ejected);
                }
            }
        }
    }
}
