//! What is done with bytes that come from outside, one function for each kind.
//!
//! A fuzzer calls them with bytes of its making (`fuzz_targets`), the workspace's tests with bytes of theirs
//! (`tests/tests/fuzz_targets.rs`). None may panic, take memory without bound, or touch a file.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use machine_pc::accel::AccelChoice;
use machine_pc::acpi::{CpuHotplug, CpuHotplugDevice, Gpe, HotplugMode, SlotInit};
use machine_pc::boot::DirectBoot;
use machine_pc::boot::image::{Initrd, Kernel};
use machine_pc::cmdline::CommandLine;
use machine_pc::io_bus::IoDevice;
use machine_pc::irq::IrqLine;
use machine_pc::machine::Chipset;
use machine_pc::machine::board::{Board, BoardConfig, BootRom, RamConfig};
use machine_pc::main_loop::MainLoop;
use machine_pc::memory::{GuestMemory, RamLayout};
use machine_pc::reset_ports::{I8042, Port92, ResetControl};
use machine_pc::rtc::RtcConfig;
use machine_pc::rtc::cmos::BootOrder;
use machine_pc::run_actions::RunActions;
use machine_pc::serial::{COM_PORTS, SERIAL_LEN, SerialPort};
use machine_pc::smp::SmpConfiguration;
use machine_pc::startup::{self, Connections, MachineSpec};
use machine_pc::vm::Vm;
use machine_pc::vm_event::VmEvent;
use qmp::hmp::{Echo, HmpSession};
use qmp::json::Reader;
use qmp::{Commands, Context, RunControl, Session};
use qom::text::{keyval as keyval_text, opts};

/// The words of a command line, one a line. Files that options name are not there.
pub(crate) fn command_line(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let no_file = |_: &Path| Err(io::ErrorKind::NotFound.into());
    if let Err(error) = CommandLine::parse_with(text.lines(), no_file) {
        assert!(error.report("qom").starts_with("qom: "));
    }
}

/// Text in both of the forms of an option's argument.
pub(crate) fn keyval(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for implied_key in [None, Some("type")] {
        if let Ok(tree) = keyval_text::parse(&text, implied_key)
            && let Some(written) = keyval_text::format(&tree)
        {
            assert_eq!(keyval_text::parse(&written, None), Ok(tree), "{written}");
        }
        let _ = opts::parse(&text, implied_key).check(&[]);
    }
}

/// Bytes of JSON, up to their end or the first mistakes.
pub(crate) fn json(bytes: &[u8]) {
    let mut reader = Reader::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (used, _) = reader.feed(rest);
        if used == 0 {
            break;
        }
        rest = &rest[used..];
    }
}

/// A kernel's file, booted with an initial RAM disk, if it can be, in a machine of 32 MiB.
pub(crate) fn kernel(bytes: &[u8]) {
    let ram = RamLayout { below_4g: 32 << 20, above_4g: 0 };
    let Ok(kernel) = Kernel::new(bytes.to_vec()) else { return };
    let initrd = Initrd::new(vec![1; 5000]);
    let Ok(boot) = DirectBoot::of(kernel, initrd, "quiet", ram, None) else { return };
    let Ok(memory) = GuestMemory::new(ram, None) else { panic!("memory") };
    if let Err(error) = boot.load(memory.ram(), &|_| true) {
        panic!("what was laid out is not loaded: {error}");
    }
}

thread_local! {
    static CONFIG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A configuration file.
pub(crate) fn read_config(bytes: &[u8]) {
    CONFIG.with(|config| bytes.clone_into(&mut config.borrow_mut()));
    let file = |_: &Path| Ok(CONFIG.with(|config| config.borrow().clone()));
    let _ = CommandLine::parse_with(["-readconfig", "file"], file);
}

/// What a client of QMP sends after negotiation. There is no machine and no chardev behind it.
pub(crate) fn qmp(bytes: &[u8]) {
    let Ok(types) = qom::Bootstrap::from_link_time() else { panic!("types") };
    let Ok(accel) = types.create("tcg-accel") else { panic!("an accelerator") };
    let Ok(types) = types.accel_ready(accel) else { panic!("an accelerator") };
    let (Ok(qom), Ok(commands)) = (types.seal(), Commands::linked()) else { panic!("commands") };
    let mut context = Context::new(qom, commands);
    let mut session = Session::new(false);
    let mut events = Vec::new();
    for part in [b"{\"execute\":\"qmp_capabilities\"}", bytes] {
        let mut rest = part;
        while !rest.is_empty() {
            let used = session.feed(rest, &mut context, &mut events);
            rest = &rest[used..];
            let written = session.output().len();
            session.sent(written);
            if used == 0 && written == 0 {
                break;
            }
        }
    }
}

/// What a person types into the human monitor of a machine that runs no guest code: keys of a terminal if the number of bytes is odd, lines of a
/// pipe if it is even. A fuzzer that is to run for long does so as nobody, in an empty directory: commands may name files.
pub(crate) fn hmp(bytes: &[u8]) {
    let accel = AccelChoice { name: "tcg".to_owned(), properties: Vec::new(), location: None };
    let Ok(qom) = startup::accel_ready(&[accel], drop) else { panic!("an accelerator") };
    let connections =
        Connections { serials: Default::default(), chardevs: Arc::default(), events: Arc::new(|_| ()) };
    let spec = MachineSpec {
        ram_size: Some(8 << 20),
        smp: SmpConfiguration { cpus: Some(1), maxcpus: Some(4), ..SmpConfiguration::default() },
        ..MachineSpec::default()
    };
    let (Ok(machine), Ok(commands)) = (startup::build_machine(&qom, spec, connections), Commands::linked())
    else {
        panic!("a machine and commands")
    };
    let mut context = Context::new(qom, commands);
    // Posted requests are taken by nobody.
    let Ok(main_loop) = MainLoop::new() else { panic!("a main loop") };
    let vm = Vm::new(machine, false, RunActions::default(), context.events().clone(), main_loop.handle());
    context.insert::<Box<dyn RunControl>>(Box::new(vm.clone()));
    context.insert(vm);
    let echo = if bytes.len().is_multiple_of(2) { Echo::Lines } else { Echo::Terminal };
    let mut session = HmpSession::new(echo);
    let mut events = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() && !context.is_shutting_down() {
        let used = session.feed(rest, &mut context, &mut events);
        rest = &rest[used..];
        let written = session.output().len();
        session.sent(written);
        assert!(used > 0 || written > 0 || context.is_shutting_down(), "the session is stuck");
    }
    session.end_of_input(&mut context, &mut events);
}

/// A line that nobody listens to.
struct NoLine;

impl IrqLine for NoLine {
    fn set_level(&self, _asserted: bool) {}
}

/// Reads and writes of a guest: eight bytes each, which are the device, its offset, the size and direction, a spare one, and four of
/// the value.
pub(crate) fn guest_registers(bytes: &[u8]) {
    let line: Arc<dyn IrqLine> = Arc::new(NoLine);
    let slots = || (0..4_u64).map(|id| SlotInit { arch_id: id, present: id < 2 });
    let keyboard = I8042::new(Arc::new(|_| {}));
    let hotplug = |mode| {
        let gpe = Arc::new(Gpe::new(4, line.clone()));
        CpuHotplugDevice::new(CpuHotplug::new(slots(), mode), gpe, Arc::new(|_| {}))
    };
    let devices: [(Arc<dyn IoDevice>, u64); 7] = [
        (Arc::new(hotplug(HotplugMode::Modern)), 12),
        (Arc::new(hotplug(HotplugMode::LegacyBitmap)), 32),
        (Arc::new(Gpe::new(4, line.clone())), 4),
        (keyboard.data_port(), 1),
        (keyboard.command_port(), 1),
        (Arc::new(SerialPort::new(Box::new(io::sink()), line.clone(), Arc::new(|| {}))), 8),
        (Arc::new(Port92::new(Arc::new(|_| {}))), 1),
    ];
    let reset = ResetControl::new(0, Arc::new(|_| {}));
    for access in bytes.chunks_exact(8) {
        let &[device, offset, how, _, a, b, c, d] = access else { continue };
        let value = u64::from(u32::from_le_bytes([a, b, c, d]));
        let size = [1, 2, 4][usize::from(how % 3)];
        let (device, len): (&dyn IoDevice, u64) = match devices.get(usize::from(device) % (devices.len() + 1))
        {
            Some((device, len)) => (&**device, *len),
            None => (&reset, 1),
        };
        // As the bus promises: an access does not leave the range.
        let size = if u64::from(size) > len { 1 } else { size };
        let offset = u64::from(offset) % (len - u64::from(size) + 1);
        if how < 128 {
            let read = device.read(offset, size);
            assert!(size == 8 || read >> (8 * u32::from(size)) == 0, "{read:#x} of {size} bytes");
        } else {
            device.write(offset, size, value & (u64::MAX >> (64 - 8 * u32::from(size))));
        }
    }
}

/// A whole board that runs no vCPU: eight bytes each, which are what is done, the range of ports, an offset from its start, a size, and
/// four of a value. Accesses to any ports, CPUs that come and are asked to go, resets, and the machine stopped and running.
pub(crate) fn board_ports(bytes: &[u8]) {
    const SLOTS: u32 = 8;
    let told: Arc<Mutex<Vec<VmEvent>>> = Arc::default();
    let events = told.clone();
    let config = BoardConfig {
        chipset: if bytes.len().is_multiple_of(2) { Chipset::Q35 } else { Chipset::I440fx },
        kvm: false,
        idle_threads: "TCG",
        ram: RamConfig { size: 32 << 20, ..RamConfig::default() },
        acpi: true,
        i8042: true,
        rtc: RtcConfig::default(),
        boot_order: BootOrder::default(),
        boot_once: None,
        rom: BootRom::BuiltIn,
        tables: None,
        apic_ids: (0..SLOTS).collect(),
        events: Arc::new(move |event| events.lock().unwrap_or_else(PoisonError::into_inner).push(event)),
    };
    let Ok(board) = Board::new(config) else { panic!("a board") };
    let serials = [COM_PORTS[0], COM_PORTS[2]].map(|port| {
        let Some(line) = board.isa_irq(port.irq) else { panic!("an interrupt of the bus") };
        let serial = Arc::new(SerialPort::new(Box::new(io::sink()), line, Arc::new(|| {})));
        let inserted = board.pio().insert("serial", port.base.into(), SERIAL_LEN, serial.clone());
        assert!(inserted.is_ok(), "nothing is there");
        serial
    });
    // As its devices do in a machine.
    let reset = || {
        board.gpe().reset();
        if let Some(pm) = board.pm() {
            pm.reset();
        }
        board.rtc().reset();
        board.port92().reset();
        board.i8042().reset();
        board.reset_control().reset();
        serials.iter().for_each(|serial| serial.reset());
        board.reset_rest();
    };
    let cpus = board.cpu_hotplug();
    let Ok(()) = cpus.plug_cold(0) else { panic!("the boot CPU") };
    let mut present = [false; SLOTS as usize];
    present[0] = true;
    let ranges = board.pio().ranges();
    for step in bytes.chunks_exact(8) {
        let &[how, range, offset, size, a, b, c, d] = step else { continue };
        let slot = u32::from(a) % SLOTS;
        let there = &mut present[slot as usize];
        match how % 16 {
            0 => {
                assert_eq!(cpus.plug_hot(slot).is_ok(), !*there, "a slot holds one CPU");
                *there = true;
            }
            1 => assert_eq!(cpus.request_unplug(slot).is_ok(), *there, "who is not there cannot go"),
            2 => reset(),
            3 => board.resume(),
            4 => assert!(board.pause().is_ok(), "there is no vCPU"),
            5 => board.powerdown(),
            6 => {
                for serial in &serials {
                    let _ = serial.receive(&[a, b, c, d]);
                }
            }
            access => {
                // Some begin before a range, and end behind it.
                let (base, ..) = ranges[usize::from(range) % ranges.len()];
                let address = base.saturating_add_signed(i64::from(offset % 40) - 4);
                let mut data = [a, b, c, d];
                let data = &mut data[..[1, 2, 4][usize::from(size % 3)]];
                if access % 2 == 0 {
                    board.pio().read(address, data);
                } else {
                    board.pio().write(address, data);
                }
            }
        }
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(told.len() <= 8, "one step makes so many events: {told:?}");
        for event in told.drain(..) {
            if let VmEvent::CpuEject { slot } = event {
                assert!(
                    std::mem::take(&mut present[slot as usize]),
                    "CPU {slot} is ejected, and was not there"
                );
            }
        }
        for (status, there) in cpus.statuses().iter().zip(present) {
            assert_eq!(status.present, there, "{status:?}");
            let half = status.inserting || status.removing || status.firmware_eject;
            assert!(there || !half, "a CPU is half there: {status:?}");
        }
    }
}
