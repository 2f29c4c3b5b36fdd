//! What devices say against what the ports of their board do, and what a reset leaves.

use std::sync::Arc;

use qom::{Obj, Qom};
use serde_json::{Value, json};

use super::chardev_ends::{ChardevEnds, ChardevSource, InputSlot};
use super::*;
use crate::accel::AccelChoice;
use crate::rtc::{RtcBase, RtcClock, RtcConfig};
use crate::startup::{Connections, MachineSpec, accel_ready, build_machine};

/// A machine on which no guest code runs, with COM1 and COM3 to nowhere.
fn machine(name: &str) -> (Arc<Qom>, Obj<PcMachine>) {
    machine_with(name, ChardevSource::default())
}

/// The same with other chardevs besides.
fn machine_with(name: &str, chardevs: ChardevSource) -> (Arc<Qom>, Obj<PcMachine>) {
    let accel = AccelChoice { name: "tcg".to_owned(), properties: Vec::new(), location: None };
    let qom = accel_ready(&[accel], |_| ()).unwrap();
    for chardev in ["a", "b"] {
        chardevs.add(chardev, ChardevEnds::nowhere());
    }
    let serials = [Some("a".to_owned()), None, Some("b".to_owned()), None];
    let connections = Connections { serials, chardevs: Arc::new(chardevs), events: Arc::new(|_| ()) };
    // 2020-03-04 05:06:07
    let rtc = RtcConfig { base: RtcBase::At(1_583_298_367), clock: RtcClock::Guest };
    let spec = MachineSpec { machine: Some(name.to_owned()), rtc, ..MachineSpec::default() };
    let machine = build_machine(&qom, spec, connections).unwrap().unwrap();
    (qom, machine)
}

fn read(board: &Board, port: u64, size: usize) -> u64 {
    let mut data = [0; 8];
    board.pio().read(port, &mut data[..size]);
    u64::from_le_bytes(data)
}

fn number(object: &dyn Object, property: &str) -> u64 {
    object.get(property).unwrap().as_u64().unwrap()
}

/// All devices of a type, in the order of their paths.
fn devices_of(qom: &Qom, type_name: &str) -> Vec<Arc<dyn Object>> {
    let unattached = qom.resolve("/machine/unattached").unwrap();
    let children = unattached.core().children().into_iter().map(|(_, child)| child);
    children.filter(|child| child.class().is_a(type_name)).collect()
}

#[test]
fn serial_ports_are_where_they_say() {
    let (qom, machine) = machine("pc");
    let board = machine.board().unwrap();
    let ports = devices_of(&qom, "isa-serial");
    let places: Vec<_> = ports.iter().map(|port| number(&**port, "iobase")).collect();
    assert_eq!(places, [0x3f8, 0x3e8]);
    assert_eq!(ports.iter().map(|port| number(&**port, "index")).collect::<Vec<_>>(), [0, 2]);
    for base in places {
        // The scratch register keeps what is written.
        board.pio().write(base + 7, &[0x5a]);
        assert_eq!(read(board, base + 7, 1), 0x5a);
    }
    assert_eq!(read(board, 0x2f8 + 7, 1), 0xff, "there is no COM2");
    // One that goes takes its port along.
    let port = Obj::<Device>::new(ports[1].clone()).unwrap();
    Device::unrealize(&port).unwrap();
    assert_eq!(read(board, 0x3e8 + 7, 1), 0xff);
    assert_eq!(read(board, 0x3f8 + 7, 1), 0x5a);
}

/// What a guest writes, for somebody to look at.
#[derive(Clone, Default)]
struct Written(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// As often as one likes, with the same chardev both ways, and nothing stays while it does not work.
#[test]
fn a_device_can_be_put_out_of_work_and_to_work_again() {
    let (serial, debug, input) = (Written::default(), Written::default(), InputSlot::default());
    let chardevs = ChardevSource::default();
    let ends = |output: &Written, input: &InputSlot| ChardevEnds {
        output: Box::new(output.clone()),
        input: input.clone(),
        attachment: None,
    };
    chardevs.add("serial", ends(&serial, &input));
    chardevs.add("debug", ends(&debug, &InputSlot::default()));
    let (qom, machine) = machine_with("pc", chardevs);
    let board = machine.board().unwrap();
    let before = board.pio().ranges();
    let how = || qmp::device::AddDevice {
        form: qmp::device::Form::Json,
        origin: qom::Origin::CommandLine,
        hotplug: false,
    };
    let added =
        [("isa-serial", "serial", 0x2f8), ("isa-debugcon", "debug", 0xe9)].map(|(driver, chardev, base)| {
            let members = json!({"driver": driver, "id": chardev, "chardev": chardev, "iobase": base});
            qmp::device::add(&qom, members.as_object().unwrap().clone(), how()).unwrap();
            (Obj::<Device>::new(qom.resolve(chardev).unwrap()).unwrap(), base)
        });
    let with = board.pio().ranges();
    for round in 1..=3_usize {
        board.pio().write(0x2f8, b"s");
        board.pio().write(0xe9, b"d");
        assert_eq!(input.receive(b"i"), 1);
        assert_eq!(read(board, 0x2f8, 1), u64::from(b'i'));
        assert_eq!((serial.0.lock().len(), debug.0.lock().len()), (round, round));
        for (device, _) in &added {
            Device::unrealize(device).unwrap();
        }
        assert_eq!(board.pio().ranges(), before);
        for (_, base) in &added {
            assert_eq!(read(board, *base, 1), 0xff);
        }
        // It waits where it comes from.
        assert_eq!(input.receive(b"later"), 0);
        for (device, _) in &added {
            Device::realize(device).unwrap();
        }
        assert_eq!(board.pio().ranges(), with);
    }
    // One that cannot be has its chardev still when it can.
    let [(port, _), _] = &added;
    Device::unrealize(port).unwrap();
    for (base, works) in [(0x3f8, false), (0x3e0, true)] {
        port.as_object().set_value("iobase", &base).unwrap();
        assert_eq!(Device::realize(port).is_ok(), works);
    }
    board.pio().write(0x3e0, b"s");
    assert_eq!(serial.0.lock().len(), 4);
}

#[test]
fn the_clock_shows_what_its_registers_hold() {
    let (qom, machine) = machine("q35");
    let board = machine.board().unwrap();
    let clock = machine.clock().unwrap();
    let base = number(&*clock, "iobase");
    let register = |at: u8| {
        board.pio().write(base, &[at]);
        read(board, base + 1, 1)
    };
    // Two decimal digits each.
    assert_eq!([0, 2, 4, 7, 8, 9].map(register), [0x07, 0x06, 0x05, 0x04, 0x03, 0x20]);
    let date = clock.get("date").unwrap();
    assert_eq!(
        date,
        json!({"tm_year": 120, "tm_mon": 2, "tm_mday": 4, "tm_hour": 5, "tm_min": 6, "tm_sec": 7})
    );
    assert_eq!(machine.as_object().get("rtc-time").unwrap(), date);
    assert!(Arc::ptr_eq(&qom.resolve("rtc").unwrap(), &clock));
}

/// Where a bridge says that power management is, PM1 and GPE0 are.
#[test]
fn power_management_is_where_it_says() {
    for (name, path) in [("pc", "pm"), ("q35", "/machine/unattached/device[1]")] {
        let (qom, machine) = machine(name);
        let board = machine.board().unwrap();
        let device = qom.resolve(path).unwrap();
        let (pm, gpe, len) =
            (number(&*device, "pm_io_base"), number(&*device, "gpe0_blk"), number(&*device, "gpe0_blk_len"));
        // PM1 enable and the enable half of GPE0 keep what is written.
        for port in [pm + 2, gpe + len / 2] {
            board.pio().write(port, &[0x01]);
            assert_eq!(read(board, port, 1), 0x01, "{name}: {port:#x}");
        }
        assert_eq!(number(&*device, "sci_int"), u64::from(crate::machine::board::SCI_IRQ));
        machine.reset().unwrap();
        for port in [pm + 2, gpe + len / 2] {
            assert_eq!(read(board, port, 1), 0, "{name}: {port:#x}");
        }
    }
}

/// A register of each device, before and after a reset of the machine.
#[test]
fn a_reset_reaches_every_device() {
    let (_qom, machine) = machine("pc");
    let board = machine.board().unwrap();
    let changes: [(u64, u8, u64, u64); 5] = [
        // Serial ports: interrupt enable.
        (0x3f9, 5, 5, 0),
        (0x3e9, 5, 5, 0),
        // Port 92: all but the reset bit stays.
        (0x92, 2, 2, 2),
        // The chipset's reset control: its type of reset.
        (0xcf9, 2, 2, 0),
        // The keyboard controller's status: a command's answer waits.
        (0x64, 0xaa, 0x1d, 0x18),
    ];
    for (port, value, after, _) in changes {
        board.pio().write(port, &[value]);
        assert_eq!(read(board, port, 1), after, "{port:#x}");
    }
    // The clock: its periodic interrupt is enabled, and no more after a reset.
    let clock_b = || {
        board.pio().write(0x70, &[0x0b]);
        read(board, 0x71, 1)
    };
    clock_b();
    board.pio().write(0x71, &[0x42]);
    assert_eq!(clock_b(), 0x42);
    machine.reset().unwrap();
    for (port, _, _, reset) in changes {
        assert_eq!(read(board, port, 1), reset, "{port:#x}");
    }
    assert_eq!(clock_b(), 0x02);
}

/// A device that cannot be leaves nothing behind.
#[test]
fn a_refused_device_leaves_nothing() {
    let (qom, machine) = machine("pc");
    let board = machine.board().unwrap();
    let (ranges, objects) = (board.pio().ranges(), qom.resolve("/machine/peripheral").unwrap().properties());
    let isa = qom.resolve("isa.0").unwrap().properties();
    for wrong in [json!({"iobase": 0x70}), json!({"irq": 16}), json!({"index": 4}), json!({"chardev": "a"})] {
        let mut members = wrong.as_object().unwrap().clone();
        members.insert("driver".to_owned(), Value::from("isa-serial"));
        members.insert("id".to_owned(), Value::from("x"));
        let how = qmp::device::AddDevice {
            form: qmp::device::Form::Json,
            origin: qom::Origin::CommandLine,
            hotplug: false,
        };
        assert!(qmp::device::add(&qom, members, how).is_err(), "{wrong}");
        assert_eq!(board.pio().ranges(), ranges, "{wrong}");
        assert_eq!(qom.resolve("/machine/peripheral").unwrap().properties(), objects, "{wrong}");
        assert_eq!(qom.resolve("isa.0").unwrap().properties(), isa, "{wrong}");
    }
}
