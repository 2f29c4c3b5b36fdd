//! A board for tests: RAM, the built-in guest, hotplug registers, COM1, reset ports, and a small
//! main loop in the place of the machine's.

use std::io::Write;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2};
use kvm_ioctls::Kvm;

use crate::acpi::{CpuHotplug, CpuHotplugDevice, Gpe, HotplugMode, SlotInit};
use crate::guest::{self, BoardInfo};
use crate::io_bus::IoBus;
use crate::irq::SharedIrqLine;
use crate::kvm::{KvmVm, VcpuConfig, VcpuId, VmBuses, VmOptions};
use crate::memory::{GuestMemory, RamLayout, Rom};
use crate::reset_ports::{I8042, Port92, ResetControl, reset_control};
use crate::serial::{COM_PORTS, SERIAL_LEN, SerialPort};
use crate::vm_event::VmEvent;

/// Why KVM tests cannot run here.
pub(super) fn skip_reason() -> Option<String> {
    let vm = KvmVm::new(VmOptions::default());
    let reason = vm.err()?;
    println!("SKIPPED: /dev/kvm cannot be used: {reason}");
    Some(reason.to_string())
}

/// Returns from the test, saying so, where there is no KVM.
macro_rules! need_kvm {
    () => {
        if super::board::skip_reason().is_some() {
            return;
        }
    };
}
pub(super) use need_kvm;

/// Resets a VM's chips and vCPUs while it is stopped, as a machine does; it runs after it if it ran before.
pub(super) fn reset_vm(vm: &KvmVm) {
    let was_running = vm.is_running();
    vm.pause().unwrap();
    vm.reset_chips().unwrap();
    for vcpu in vm.vcpus() {
        vm.reset_vcpu(vcpu.config().id).unwrap();
    }
    if was_running {
        vm.resume();
    }
}

/// What the guest printed.
#[derive(Clone, Default)]
pub(super) struct Console(Arc<(Mutex<Printed>, Condvar)>);

#[derive(Default)]
struct Printed {
    text: Vec<u8>,
    /// When lines began: offset of their first byte.
    began: Vec<(usize, Instant)>,
}

impl Write for Console {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let mut printed = self.0.0.lock().unwrap();
        if printed.text.last().is_none_or(|b| *b == b'\n') {
            let at = printed.text.len();
            printed.began.push((at, Instant::now()));
        }
        printed.text.extend_from_slice(buf);
        drop(printed);
        self.0.1.notify_all();
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Console {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().unwrap().text).into_owned()
    }

    /// When the line at or after byte `at` began.
    pub(super) fn time_of(&self, at: usize) -> Instant {
        let printed = self.0.0.lock().unwrap();
        printed.began.iter().find(|(offset, _)| *offset >= at).unwrap().1
    }

    /// Complete lines from byte `from` on.
    pub(super) fn lines(&self, from: usize) -> Vec<String> {
        let text = self.text();
        let text = &text[from.min(text.len())..];
        let end = text.rfind('\n').map_or(0, |i| i + 1);
        text[..end].lines().map(str::to_owned).collect()
    }
}

/// How a board is made.
#[derive(Clone, Copy)]
pub(super) struct Options {
    pub(super) info: BoardInfo,
    pub(super) slots: u32,
    pub(super) present: u32,
    /// APIC ID of a slot.
    pub(super) apic_id: fn(u32) -> u32,
    pub(super) x2apic: bool,
    pub(super) ram: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            info: BoardInfo::I440FX,
            slots: 4,
            present: 1,
            apic_id: |slot| slot,
            x2apic: false,
            ram: 1 << 20,
        }
    }
}

pub(super) struct Board {
    pub(super) vm: KvmVm,
    pub(super) hotplug: Arc<CpuHotplugDevice>,
    pub(super) console: Console,
    pub(super) com1: Arc<SerialPort>,
    pub(super) pio: Arc<IoBus>,
    options: Options,
    gpe: Arc<Gpe>,
    events: Receiver<VmEvent>,
    /// That CPUs were seen and started, apart.
    lives: Receiver<VmEvent>,
    reset: Vec<Box<dyn Fn()>>,
    pub(super) read: usize,
}

/// The host's table with identity of our own and the vCPU's APIC ID.
pub(super) fn cpuid(apic_id: u32, x2apic: bool) -> CpuId {
    let kvm = Kvm::new().unwrap();
    let host = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).unwrap();
    let mut entries: Vec<_> = host.as_slice().to_vec();
    entries.retain(|e| !matches!(e.function, 0xb | 0x1f | 0x8000_0002..=0x8000_0004));
    for entry in &mut entries {
        match entry.function {
            0 => {
                entry.eax = entry.eax.max(0xb);
                [entry.ebx, entry.edx, entry.ecx] = words(b"AuthenticAMD");
            }
            1 => {
                entry.ebx = entry.ebx & 0x00ff_ffff | apic_id << 24;
                entry.ecx = entry.ecx & !(1 << 21) | u32::from(x2apic) << 21;
            }
            0x8000_0000 => entry.eax = entry.eax.max(0x8000_0004),
            _ => {}
        }
    }
    let leaf_b = kvm_cpuid_entry2 {
        function: 0xb,
        flags: 1,
        ebx: 1,
        ecx: 0x100,
        edx: apic_id,
        ..kvm_cpuid_entry2::default()
    };
    entries.push(leaf_b);
    let brand: [u32; 12] =
        words(b"  A test CPU version 1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    for (i, regs) in brand.chunks(4).enumerate() {
        entries.push(kvm_cpuid_entry2 {
            function: 0x8000_0002 + i as u32,
            eax: regs[0],
            ebx: regs[1],
            ecx: regs[2],
            edx: regs[3],
            ..kvm_cpuid_entry2::default()
        });
    }
    CpuId::from_entries(&entries).unwrap()
}

fn words<const N: usize>(text: &[u8]) -> [u32; N] {
    std::array::from_fn(|i| u32::from_le_bytes(text[4 * i..4 * i + 4].try_into().unwrap()))
}

impl Board {
    /// A stopped board with its boot CPUs plugged.
    pub(super) fn new(options: Options) -> Self {
        let max_apic_id = (0..options.slots).map(options.apic_id).max().unwrap();
        let vm = KvmVm::new(VmOptions { max_apic_id }).unwrap();
        let image = guest::image(options.info, options.ram, options.slots).unwrap();
        let layout = RamLayout::i440fx(options.ram, None);
        let memory = GuestMemory::new(layout, Some(Rom::new(image).unwrap())).unwrap();
        vm.map(&memory).unwrap();
        let (sender, events) = channel();
        let (signs, lives) = channel();
        let sink: crate::vm_event::EventSink = Arc::new(move |e| {
            let is_sign = matches!(e, VmEvent::CpuSeen { .. } | VmEvent::CpuStarted { .. });
            let _ = if is_sign { signs.send(e) } else { sender.send(e) };
        });
        let sci = SharedIrqLine::new(vm.irq_line(9));
        let gpe = Arc::new(Gpe::new(options.info.gpe0_len as u8, sci.input()));
        let slots = (0..options.slots)
            .map(|i| SlotInit { arch_id: (options.apic_id)(i).into(), present: i < options.present });
        let state = CpuHotplug::new(slots, HotplugMode::Modern);
        let hotplug = Arc::new(CpuHotplugDevice::new(state, gpe.clone(), sink.clone()));
        let console = Console::default();
        let com1 = Arc::new(SerialPort::new(
            Box::new(console.clone()),
            vm.irq_line(COM_PORTS[0].irq.into()),
            Arc::new(|| {}),
        ));
        let i8042 = I8042::new(sink.clone());
        let port92 = Arc::new(Port92::new(sink.clone()));
        let cf9 = Arc::new(ResetControl::new(reset_control::PIIX_KEPT_BITS, sink.clone()));
        let pio = IoBus::pio();
        let base = options.info.hotplug_base.into();
        pio.insert("acpi-cpu-hotplug", base, hotplug.port_len(), hotplug.clone()).unwrap();
        pio.insert("acpi-gpe0", options.info.gpe0_base.into(), gpe.len(), gpe.clone()).unwrap();
        pio.insert("serial", COM_PORTS[0].base.into(), SERIAL_LEN, com1.clone()).unwrap();
        pio.insert("i8042-data", 0x60, 1, i8042.data_port()).unwrap();
        pio.insert("i8042-cmd", 0x64, 1, i8042.command_port()).unwrap();
        pio.insert("port92", 0x92, 1, port92.clone()).unwrap();
        pio.insert("reset-control", 0xcf9, 1, cf9.clone()).unwrap();
        let pio = Arc::new(pio);
        vm.attach(VmBuses { pio: pio.clone(), mmio: Arc::new(IoBus::mmio()), events: sink }).unwrap();
        let (g, c) = (gpe.clone(), com1.clone());
        let reset: Vec<Box<dyn Fn()>> = vec![
            Box::new(move || g.reset()),
            Box::new(move || c.reset()),
            Box::new(move || cf9.reset()),
            Box::new(move || port92.reset()),
            Box::new(move || i8042.reset()),
        ];
        let board = Self { vm, hotplug, console, com1, pio, options, gpe, events, lives, reset, read: 0 };
        for slot in 0..options.present {
            board.plug_vcpu(slot);
        }
        board
    }

    /// A running board whose boot CPUs are all up.
    pub(super) fn boot(options: Options) -> Self {
        let mut board = Self::new(options);
        board.vm.resume();
        board.expect_boot();
        board
    }

    pub(super) fn expect_boot(&mut self) {
        let Options { present, slots, .. } = self.options;
        let mut lines = vec![format!("qom guest: {present} of {slots} CPUs present")];
        lines.extend((0..present).map(|slot| self.up_line(slot)));
        self.expect(&lines);
    }

    pub(super) fn up_line(&self, slot: u32) -> String {
        let id = (self.options.apic_id)(slot);
        format!("qom guest: cpu {slot}: up, APIC ID {id}, AuthenticAMD, A test CPU version 1")
    }

    pub(super) fn config(&self, slot: u32) -> VcpuConfig {
        let id = (self.options.apic_id)(slot);
        let cpuid = cpuid(id, self.options.x2apic);
        VcpuConfig {
            id: VcpuId(id),
            index: slot,
            boot: slot == 0,
            cpuid,
            tsc_khz: None,
            machine_check: None,
            capabilities: Vec::new(),
            msrs: Vec::new(),
        }
    }

    pub(super) fn plug_vcpu(&self, slot: u32) {
        self.vm.plug(self.config(slot)).unwrap();
    }

    /// `device_add`.
    pub(super) fn plug(&self, slot: u32) {
        self.plug_vcpu(slot);
        self.hotplug.plug_hot(slot).unwrap();
    }

    /// `device_del`.
    pub(super) fn request_unplug(&self, slot: u32) {
        self.hotplug.request_unplug(slot).unwrap();
    }

    /// The next lines of the guest, exactly.
    #[track_caller]
    pub(super) fn expect(&mut self, lines: &[String]) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let seen = self.console.lines(self.read);
            let same = seen.iter().zip(lines).all(|(a, b)| a == b);
            if same && seen.len() >= lines.len() {
                self.read += lines.iter().map(|l| l.len() + 1).sum::<usize>();
                return;
            }
            assert!(same && Instant::now() < deadline, "expected {lines:?}, seen {seen:?}");
            let lock = self.console.0.0.lock().unwrap();
            drop(self.console.0.1.wait_timeout(lock, Duration::from_millis(5)).unwrap());
        }
    }

    /// What the main loop gets next.
    #[track_caller]
    pub(super) fn event(&self) -> VmEvent {
        self.events.recv_timeout(Duration::from_secs(30)).expect("an event")
    }

    /// What vCPUs have told of CPUs that were seen and started.
    pub(super) fn lives(&self) -> Vec<VmEvent> {
        self.lives.try_iter().collect()
    }

    #[track_caller]
    pub(super) fn expect_ost(&self, slot: u32, source_event: u32, status: u32) {
        assert_eq!(self.event(), VmEvent::CpuOst { slot, source_event, status });
    }

    pub(super) fn no_events(&self) -> bool {
        self.events.try_recv().is_err()
    }

    /// Plugs a CPU and sees it come up.
    #[track_caller]
    pub(super) fn plug_and_wait(&mut self, slot: u32) {
        drop(self.lives());
        self.plug(slot);
        self.expect(&[self.up_line(slot)]);
        self.expect_ost(slot, 1, 0);
        assert_eq!(self.lives(), [VmEvent::CpuSeen { slot }, VmEvent::CpuStarted { slot }]);
    }

    /// Unplugs a CPU with the guest's consent.
    #[track_caller]
    pub(super) fn unplug_and_wait(&mut self, slot: u32) {
        self.request_unplug(slot);
        self.expect_ost(slot, 3, 0x84);
        assert_eq!(self.event(), VmEvent::CpuEject { slot });
        self.vm.unplug(VcpuId((self.options.apic_id)(slot))).unwrap();
        self.expect_ost(slot, 3, 0);
        self.expect(&[format!("qom guest: cpu {slot}: gone")]);
    }

    /// What the main loop does at a reset.
    pub(super) fn reset(&self) {
        self.vm.pause().unwrap();
        for device in &self.reset {
            device();
        }
        reset_vm(&self.vm);
        self.vm.resume();
    }

    pub(super) fn gpe(&self) -> &Gpe {
        &self.gpe
    }
}
