//! A PC's hardware: what the guest reaches through ports and memory, and the vCPUs that run it.
//!
//! The board is made from plain values and exports plain values: it knows no objects, no properties and no QMP.
//! Without KVM there is no memory and no vCPU, but the devices are there, so that CPUs can be plugged, listed and
//! reported on under every accelerator.

use std::path::PathBuf;
use std::sync::Arc;

use kvm_bindings::CpuId;
use parking_lot::Mutex;
use target_i386::realize::VcpuCapability;
use thiserror::Error;
use vm_memory::MmapRegion;

use super::Chipset;
use super::idle_threads::IdleThreads;
use crate::acpi::gpe::{ICH9_GPE0_LEN, PIIX4_GPE0_LEN};
use crate::acpi::{AcpiDescription, CpuHotplug, CpuHotplugDevice, Gpe, HotplugMode, SlotInit};
use crate::boot::{BootError, DirectBoot, KernelOptions};
use crate::clock::GuestClock;
use crate::firmware::{self, FirmwareError};
use crate::guest::{self, BoardInfo, GuestError};
use crate::io_bus::{InsertError, IoBus, IoDevice};
use crate::irq::{IrqLine, SharedIrqLine};
use crate::kvm::{InKvm, KvmError, KvmVm, VcpuConfig, VmBuses, VmOptions};
use crate::memory::{GuestMemory, MemoryError, RamLayout, Rom};
use crate::ospm::{AcpiPorts, Seat};
use crate::pm::{self, PowerManagement};
use crate::reset_ports::reset_control::{ICH9_KEPT_BITS, PIIX_KEPT_BITS};
use crate::reset_ports::{I8042, Port92, ResetControl};
use crate::rtc::cmos::{self, BootOrder};
use crate::rtc::{RTC_BASE, RTC_IRQ, RTC_LEN, Rtc, RtcConfig};
use crate::serial::ComPort;
use crate::timer::Timers;
use crate::vm_event::EventSink;

/// The interrupt of ACPI events.
pub const SCI_IRQ: u8 = 9;
/// First port of GPE0: PIIX4's own block, and ICH9's at its power-management base.
pub const PIIX4_GPE0_BASE: u64 = 0xafe0;
/// The same of ICH9.
pub const ICH9_GPE0_BASE: u64 = 0x620;
/// How many interrupts the ISA bus has.
pub const ISA_IRQS: u8 = 16;
/// First port of the CPU hotplug registers, by chipset (QEMU's `docs/specs/acpi_cpu_hotplug`).
const I440FX_CPU_HOTPLUG_BASE: u16 = 0xaf00;
const Q35_CPU_HOTPLUG_BASE: u16 = 0xcd8;

/// First port of the CPU hotplug registers.
pub fn cpu_hotplug_base(chipset: Chipset) -> u16 {
    match chipset {
        Chipset::I440fx => I440FX_CPU_HOTPLUG_BASE,
        Chipset::Q35 => Q35_CPU_HOTPLUG_BASE,
    }
}

/// The chipset's reset control register.
const RESET_CONTROL: u64 = 0xcf9;

/// What runs first.
#[derive(Debug, Clone)]
pub enum BootRom {
    /// The image in a file (`-bios`).
    File(PathBuf),
    /// The guest that comes with the program.
    BuiltIn,
    /// A kernel, with no firmware before it.
    Kernel(KernelOptions),
}

/// A board's RAM.
#[derive(Debug, Clone, Default)]
pub struct RamConfig {
    /// Bytes.
    pub size: u64,
    /// How far it may reach below 4 GiB, in bytes; 0 is the chipset's own limit.
    pub max_below_4g: u64,
    /// The memory that it is, piece by piece from address 0 on, of that size; empty for new memory.
    pub backends: Vec<Arc<MmapRegion>>,
    /// New memory is part of a core dump of the program.
    pub dump: bool,
    /// The host may merge equal pages of new memory.
    pub merge: bool,
}

/// What a board is made from.
pub struct BoardConfig {
    /// The chipset.
    pub chipset: Chipset,
    /// vCPUs run under KVM; else none runs.
    pub kvm: bool,
    /// How the name of a CPU's thread ends where no vCPU runs on it.
    pub idle_threads: &'static str,
    /// RAM.
    pub ram: RamConfig,
    /// There are the registers through which the guest learns of CPUs that come and go.
    pub acpi: bool,
    /// There is a keyboard controller.
    pub i8042: bool,
    /// What the real-time clock shows.
    pub rtc: RtcConfig,
    /// What firmware is told to boot from.
    pub boot_order: BootOrder,
    /// The same until the first reset, where it is another.
    pub boot_once: Option<BootOrder>,
    /// What runs first.
    pub rom: BootRom,
    /// What a kernel is told by ACPI, if anything; firmware and the built-in guest are told nothing.
    pub tables: Option<AcpiDescription>,
    /// APIC IDs of the CPUs that there can be, rising.
    pub apic_ids: Vec<u32>,
    /// Where guests' requests go.
    pub events: EventSink,
}

impl std::fmt::Debug for BoardConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { chipset, kvm, ram, rom, acpi, i8042, .. } = self;
        f.debug_struct("BoardConfig")
            .field("chipset", chipset)
            .field("kvm", kvm)
            .field("ram", ram)
            .field("rom", rom)
            .field("acpi", acpi)
            .field("i8042", i8042)
            .finish_non_exhaustive()
    }
}

/// Why a board cannot be made.
#[derive(Debug, Error)]
pub enum BoardError {
    /// The firmware image.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// The kernel.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// The built-in guest does not fit the machine.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// Guest memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// KVM.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// Two devices at one place: a mistake in the board.
    #[error(transparent)]
    Ports(#[from] InsertError),
}

/// A line into nothing, where no interrupt controller is.
struct NoLine;

impl IrqLine for NoLine {
    fn set_level(&self, _asserted: bool) {}
}

/// A PC's hardware.
#[derive(Debug)]
pub struct Board {
    chipset: Chipset,
    vm: Option<KvmVm>,
    seat: Option<Arc<Seat>>,
    pio: Arc<IoBus>,
    cpu_hotplug: Arc<CpuHotplugDevice>,
    gpe: Arc<Gpe>,
    clock: Arc<GuestClock>,
    _timers: Timers,
    /// The interrupts of the ISA bus. Any number of devices can be on each.
    isa_irqs: Vec<Arc<SharedIrqLine>>,
    pm: Option<Arc<PowerManagement>>,
    rtc: Arc<Rtc>,
    /// What firmware is told to boot from after the first reset, where it is told otherwise before.
    boot_order_after_reset: Mutex<Option<BootOrder>>,
    port92: Arc<Port92>,
    i8042: Arc<I8042>,
    reset_control: Arc<ResetControl>,
    /// The kernel that is loaded at every reset.
    kernel: Option<DirectBoot>,
    /// Memory, where there is any.
    memory: Option<GuestMemory>,
    /// What went wrong first in the reset that is under way: the methods of its phases cannot fail.
    reset_error: Mutex<Option<BoardError>>,
    /// Threads of CPUs where no vCPUs run.
    idle_threads: IdleThreads,
}

impl Board {
    /// Builds the hardware; no CPU is there yet and nothing runs.
    ///
    /// # Errors
    /// [`BoardError`]; nothing is left behind.
    pub fn new(config: BoardConfig) -> Result<Self, BoardError> {
        let max_apic_id = config.apic_ids.last().copied().unwrap_or(0);
        // Read under every accelerator: an image that cannot be used is the user's mistake, whoever would run it.
        let layout = config.chipset.ram_layout(config.ram.size, config.ram.max_below_4g);
        let (firmware, kernel) = match &config.rom {
            BootRom::File(path) => (Some(firmware::load(path)?), None),
            BootRom::BuiltIn => (None, None),
            BootRom::Kernel(options) => {
                (None, Some(DirectBoot::new(options, layout, config.tables.clone())?))
            }
        };
        let vm = config.kvm.then(|| KvmVm::new(VmOptions { max_apic_id })).transpose()?;
        let mut guest_memory = None;
        if let Some(vm) = &vm {
            let memory = memory(&config, layout, firmware)?;
            vm.map(&memory)?;
            guest_memory = Some(memory);
            if let Some(kernel) = &kernel {
                vm.start_at(kernel.entry());
            }
        }
        let line =
            |irq| vm.as_ref().map_or_else(|| Arc::new(NoLine) as Arc<dyn IrqLine>, |vm| vm.irq_line(irq));

        let (gpe_base, gpe_len, kept, reset_name) = match config.chipset {
            Chipset::I440fx => (PIIX4_GPE0_BASE, PIIX4_GPE0_LEN, PIIX_KEPT_BITS, "piix-reset-control"),
            Chipset::Q35 => (ICH9_GPE0_BASE, ICH9_GPE0_LEN, ICH9_KEPT_BITS, "lpc-reset-control"),
        };
        let hotplug_base = u64::from(cpu_hotplug_base(config.chipset));
        let acpi_ports = AcpiPorts {
            gpe0: gpe_base,
            gpe0_len: gpe_len,
            pm1_event: pm::PM_BASE + pm::EVENT_BLOCK.0,
            pm1_control: pm::PM_BASE + pm::CONTROL_BLOCK.0,
            soft_off: pm::SOFT_OFF,
            cpu_hotplug: hotplug_base,
            reset: RESET_CONTROL,
        };
        let seat = vm.is_none().then(|| Arc::new(Seat::new(config.acpi.then_some(acpi_ports))));
        let isa_irqs: Vec<_> = (0..ISA_IRQS)
            .map(|irq| {
                SharedIrqLine::new(match &seat {
                    // Where no guest code runs, a scripted guest is what listens.
                    Some(seat) if irq == SCI_IRQ => seat.clone(),
                    _ => line(irq.into()),
                })
            })
            .collect();
        let irq = |irq: u8| isa_irqs[usize::from(irq)].input();
        let gpe = Arc::new(Gpe::new(gpe_len, irq(SCI_IRQ)));
        let (clock, timers) = (Arc::new(GuestClock::default()), Timers::default());
        let pm = config
            .acpi
            .then(|| PowerManagement::new(clock.clone(), irq(SCI_IRQ), &timers, config.events.clone()));
        let rtc = Rtc::new(config.rtc, clock.clone(), irq(RTC_IRQ), &timers, config.events.clone());
        cmos::set_memory(&rtc, config.chipset.ram_layout(config.ram.size, config.ram.max_below_4g));
        cmos::set_boot_order(&rtc, config.boot_once.unwrap_or(config.boot_order));
        let slots = config.apic_ids.iter().map(|id| SlotInit { arch_id: u64::from(*id), present: false });
        let cpu_hotplug = Arc::new(CpuHotplugDevice::new(
            CpuHotplug::new(slots, HotplugMode::Modern),
            gpe.clone(),
            config.events.clone(),
        ));
        let port92 = Arc::new(Port92::new(config.events.clone()));
        let i8042 = I8042::new(config.events.clone());
        let reset_control = Arc::new(ResetControl::new(kept, config.events.clone()));

        let pio = IoBus::pio();
        let insert = |name, base, len, device: Arc<dyn IoDevice>| pio.insert(name, base, len, device);
        if config.acpi {
            insert("acpi-cpu-hotplug", hotplug_base, cpu_hotplug.port_len(), cpu_hotplug.clone())?;
            insert("acpi-gpe0", gpe_base, gpe.len(), gpe.clone())?;
        }
        if let Some(pm) = &pm {
            for (name, (offset, len), device) in [
                ("acpi-evt", pm::EVENT_BLOCK, pm.event_block()),
                ("acpi-cnt", pm::CONTROL_BLOCK, pm.control_block()),
                ("acpi-tmr", pm::TIMER_BLOCK, pm.timer_block()),
            ] {
                insert(name, pm::PM_BASE + offset, len, device)?;
            }
            insert("apm-io", pm::APM_BASE, 2, pm.apm_ports())?;
        }
        for (base, len, name) in vm.iter().flat_map(KvmVm::ports) {
            insert(name, base, len, Arc::new(InKvm))?;
        }
        insert("rtc", RTC_BASE, RTC_LEN, rtc.clone())?;
        if config.i8042 {
            insert("i8042-data", 0x60, 1, i8042.data_port())?;
            insert("i8042-cmd", 0x64, 1, i8042.command_port())?;
        }
        insert("port92", 0x92, 1, port92.clone())?;
        insert(reset_name, RESET_CONTROL, 1, reset_control.clone())?;
        let pio = Arc::new(pio);
        if let Some(vm) = &vm {
            vm.attach(VmBuses { pio: pio.clone(), mmio: Arc::new(IoBus::mmio()), events: config.events })?;
        }
        Ok(Self {
            chipset: config.chipset,
            vm,
            seat,
            pio,
            cpu_hotplug,
            gpe,
            clock,
            _timers: timers,
            isa_irqs,
            pm,
            rtc,
            boot_order_after_reset: Mutex::new(config.boot_once.map(|_| config.boot_order)),
            port92,
            i8042,
            reset_control,
            kernel,
            memory: guest_memory,
            reset_error: Mutex::new(None),
            idle_threads: IdleThreads::new(config.idle_threads),
        })
    }

    /// Its chipset.
    pub fn chipset(&self) -> Chipset {
        self.chipset
    }

    /// The virtual machine, where KVM runs it.
    pub fn vm(&self) -> Option<&KvmVm> {
        self.vm.as_ref()
    }

    /// The place of a scripted guest, where no vCPU runs.
    pub fn seat(&self) -> Option<&Arc<Seat>> {
        self.seat.as_ref()
    }

    /// Its memory, where guest code runs.
    pub fn memory(&self) -> Option<&GuestMemory> {
        self.memory.as_ref()
    }

    /// The I/O ports, which are there under every accelerator.
    pub fn pio(&self) -> &Arc<IoBus> {
        &self.pio
    }

    /// The CPU hotplug registers.
    pub fn cpu_hotplug(&self) -> &CpuHotplugDevice {
        &self.cpu_hotplug
    }

    /// The real-time clock.
    pub fn rtc(&self) -> &Rtc {
        &self.rtc
    }

    /// Power management, where there is any.
    pub fn pm(&self) -> Option<&Arc<PowerManagement>> {
        self.pm.as_ref()
    }

    /// The general-purpose events.
    pub fn gpe(&self) -> &Gpe {
        &self.gpe
    }

    /// The keyboard controller; whether it is on the bus is the configuration's.
    pub fn i8042(&self) -> &I8042 {
        &self.i8042
    }

    /// System control port A.
    pub fn port92(&self) -> &Port92 {
        &self.port92
    }

    /// The chipset's reset control register.
    pub fn reset_control(&self) -> &ResetControl {
        &self.reset_control
    }

    /// One more device's input to an interrupt of the ISA bus; none beyond [`ISA_IRQS`].
    pub fn isa_irq(&self, irq: u8) -> Option<Arc<dyn IrqLine>> {
        Some(self.isa_irqs.get(usize::from(irq))?.input())
    }

    /// Tells the guest of a serial port of that index, from the next load of the kernel on: COM1 is the first of index 0 that is there.
    pub fn show_serial(&self, index: usize, port: ComPort) {
        if let Some(kernel) = &self.kernel {
            kernel.show_serial(index, port);
        }
    }

    /// Tells the guest no more of the serial port that begins there.
    pub fn hide_serial(&self, base: u32) {
        if let Some(kernel) = &self.kernel {
            kernel.hide_serial(base);
        }
    }

    /// Presses the power button. A guest that listens for it begins to shut down.
    pub fn powerdown(&self) {
        if let Some(pm) = &self.pm {
            pm.press_power_button();
        }
    }

    /// Lets the guest's clock and the vCPUs run.
    pub fn resume(&self) {
        self.clock.start();
        self.clock_changed();
        if let Some(vm) = &self.vm {
            vm.resume();
        }
    }

    /// Stops the vCPUs and the guest's clock; when it returns no vCPU is in the guest.
    ///
    /// # Errors
    /// A vCPU does not stop.
    pub fn pause(&self) -> Result<(), KvmError> {
        if let Some(vm) = &self.vm {
            vm.pause()?;
        }
        self.clock.stop();
        self.clock_changed();
        Ok(())
    }

    fn clock_changed(&self) {
        if let Some(pm) = &self.pm {
            pm.clock_changed();
        }
        self.rtc.clock_changed();
    }

    /// Stops the vCPUs for a reset of the machine; whether they ran is for [`end_reset`](Self::end_reset).
    ///
    /// # Errors
    /// A vCPU does not stop; then nothing was reset.
    pub fn begin_reset(&self) -> Result<bool, BoardError> {
        let was_running = self.vm.as_ref().is_some_and(KvmVm::is_running);
        if let Some(vm) = &self.vm {
            vm.pause().map_err(KvmError::from)?;
        }
        *self.reset_error.lock() = None;
        Ok(was_running)
    }

    /// Says what firmware is to boot from, from now on, and after resets unless the command line says otherwise for the first one.
    pub fn set_boot_order(&self, order: BootOrder) {
        cmos::set_boot_order(&self.rtc, order);
    }

    /// Resets what is no device: what firmware is told to boot from, the chips inside KVM, the kernel in memory. The devices
    /// on the board reset themselves.
    pub fn reset_rest(&self) {
        let order = self.boot_order_after_reset.lock().take();
        if let Some(order) = order {
            self.set_boot_order(order);
        }
        if let Some(vm) = &self.vm {
            self.note_reset(vm.reset_chips().map_err(BoardError::from));
        }
        self.note_reset(self.load_kernel());
    }

    /// Writes the kernel to memory with all that it is booted with, where one is booted and vCPUs run here.
    ///
    /// # Errors
    /// [`BootError`].
    pub fn load_kernel(&self) -> Result<(), BoardError> {
        let (Some(kernel), Some(memory)) = (&self.kernel, &self.memory) else { return Ok(()) };
        let present = |slot| {
            let status = u32::try_from(slot).ok().and_then(|slot| self.cpu_hotplug.status(slot));
            status.is_some_and(|status| status.present)
        };
        Ok(kernel.load(memory.ram(), &present)?)
    }

    /// The kernel that is booted, if one is.
    pub fn kernel(&self) -> Option<&DirectBoot> {
        self.kernel.as_ref()
    }

    /// Brings a vCPU to its power-on state, if vCPUs run here.
    pub fn reset_vcpu(&self, apic_id: u32) {
        if let Some(vm) = &self.vm {
            let outcome = vm.reset_vcpu(crate::kvm::VcpuId(apic_id)).map_err(KvmError::from);
            self.note_reset(outcome.map_err(BoardError::from));
        }
    }

    fn note_reset(&self, outcome: Result<(), BoardError>) {
        if let Err(error) = outcome {
            self.reset_error.lock().get_or_insert(error);
        }
    }

    /// Lets the vCPUs run after a reset if they did before.
    ///
    /// # Errors
    /// What went wrong first in the reset; the vCPUs are then stopped.
    pub fn end_reset(&self, was_running: bool) -> Result<(), BoardError> {
        if let Some(error) = self.reset_error.lock().take() {
            return Err(error);
        }
        if let Some(vm) = self.vm.as_ref().filter(|_| was_running) {
            vm.resume();
        }
        Ok(())
    }

    /// Plugs a vCPU, if vCPUs run here.
    ///
    /// # Errors
    /// KVM's refusal.
    pub fn plug_vcpu(&self, cpu: VcpuPlug) -> Result<(), crate::kvm::PlugError> {
        let Some(vm) = &self.vm else { return Ok(()) };
        let VcpuPlug { apic_id, slot, cpuid, tsc_khz, machine_check, capabilities, msrs } = cpu;
        vm.plug(VcpuConfig {
            id: crate::kvm::VcpuId(apic_id),
            index: slot,
            boot: slot == 0,
            cpuid,
            tsc_khz,
            machine_check,
            capabilities,
            msrs,
        })?;
        Ok(())
    }

    /// Takes away what a CPU has beside its vCPU.
    pub fn end_idle_thread(&self, apic_id: u32) {
        self.idle_threads.end(apic_id);
    }

    /// Linux's id of the thread of the CPU in a slot; none where it has no thread.
    pub fn thread_id(&self, apic_id: u32, slot: usize) -> Option<u32> {
        match &self.vm {
            Some(vm) => vm.vcpu(crate::kvm::VcpuId(apic_id))?.tid(),
            None => self.idle_threads.id(apic_id, slot),
        }
    }
}

/// A vCPU to plug.
#[derive(Debug)]
pub struct VcpuPlug {
    /// Its APIC ID, which is KVM's id.
    pub apic_id: u32,
    /// Its slot in the list of possible CPUs; slot 0 boots.
    pub slot: u32,
    /// Its CPUID table.
    pub cpuid: CpuId,
    /// Frequency of its time stamp counter in kHz; `None` for KVM's own.
    pub tsc_khz: Option<i64>,
    /// Its IA32_MCG_CAP; `None` for a CPU without a machine check architecture.
    pub machine_check: Option<u64>,
    /// What KVM is asked to do for it.
    pub capabilities: Vec<VcpuCapability>,
    /// MSRs that describe the CPU: index and value.
    pub msrs: Vec<(u32, u64)>,
}

fn memory(
    config: &BoardConfig,
    layout: RamLayout,
    firmware: Option<Vec<u8>>,
) -> Result<GuestMemory, BoardError> {
    let RamConfig { size, backends, dump, merge, .. } = &config.ram;
    let image = match firmware {
        Some(image) => Some(image),
        // Where it would lie the kernel's guest sees RAM, and nothing below 4 GiB.
        None if matches!(config.rom, BootRom::Kernel(_)) => None,
        None => {
            let board = match config.chipset {
                Chipset::I440fx => BoardInfo::I440FX,
                Chipset::Q35 => BoardInfo::Q35,
            };
            let slots = u32::try_from(config.apic_ids.len()).unwrap_or(u32::MAX);
            Some(guest::image(board, *size, slots)?)
        }
    };
    let rom = image.map(Rom::new).transpose()?;
    Ok(match backends.as_slice() {
        [] => {
            let memory = GuestMemory::new(layout, rom)?;
            memory.advise(*dump, *merge);
            memory
        }
        regions => GuestMemory::of(regions, layout, rom)?,
    })
}
