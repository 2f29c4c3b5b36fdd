//! A virtual machine: its memory slots, interrupt controllers, and set of vCPUs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use kvm_bindings::{
    CpuId, KVM_CAP_BINARY_STATS_FD, KVM_CAP_MAX_VCPU_ID, KVM_CAP_X2APIC_API, KVM_IRQ_ROUTING_IRQCHIP,
    KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_PIT_SPEAKER_DUMMY,
    KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK, KVM_X2APIC_API_USE_32BIT_IDS, KvmIrqRouting, kvm_clock_data,
    kvm_enable_cap, kvm_irq_routing_entry, kvm_irq_routing_irqchip, kvm_irqchip, kvm_msr_entry,
    kvm_pic_state, kvm_pit_config, kvm_pit_state2,
};
use kvm_ioctls::{Cap, Kvm};

use super::caps::Capabilities;
use super::cpu_state::{self, PowerOnState};
use super::error::{KvmError, PlugError, VcpuError};
use super::ports::{self, PortRange};
use super::stats::Statistics;
use super::tsc;
use super::vcpu::{Vcpu, VcpuConfig, VcpuId};
use crate::boot::CpuEntry;
use crate::io_bus::IoBus;
use crate::irq::IrqLine;
use crate::memory::GuestMemory;
use crate::raw::{self, GuestVm, IoApic, RawVcpu};
use crate::vm_event::EventSink;

/// Three pages for old Intel hosts, and one for the identity map, below the largest firmware.
const IDENTITY_MAP: u64 = 0xfeff_c000;
const TSS: usize = 0xfeff_d000;
/// The same where the identity map cannot be moved.
const TSS_DEFAULT: usize = 0xfffb_d000;
/// Above this, an interrupt's destination does not fit in the xAPIC's 8 bits.
const MAX_XAPIC_ID: u32 = 254;

/// What a VM is made for.
#[derive(Debug, Clone, Copy, Default)]
pub struct VmOptions {
    /// The highest APIC ID that any of its CPUs may have.
    pub max_apic_id: u32,
}

/// What vCPU threads reach.
#[derive(Clone)]
pub struct VmBuses {
    /// I/O ports.
    pub pio: Arc<IoBus>,
    /// Memory without a slot.
    pub mmio: Arc<IoBus>,
    /// The main loop.
    pub events: EventSink,
}

impl fmt::Debug for VmBuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pio, mmio, .. } = self;
        f.debug_struct("VmBuses").field("pio", pio).field("mmio", mmio).finish_non_exhaustive()
    }
}

/// An unplugged vCPU, kept for the next CPU with its id.
struct Parked {
    raw: RawVcpu,
    /// The table it has; `None` if KVM refused one.
    cpuid: Option<CpuId>,
}

#[derive(Default)]
struct Cpus {
    running: bool,
    plugged: BTreeMap<VcpuId, Arc<Vcpu>>,
    /// Unplugged, and their threads are about to end.
    leaving: Vec<(VcpuId, Arc<Vcpu>)>,
    parked: BTreeMap<VcpuId, Parked>,
    /// The guest's clock when it was stopped.
    clock: Option<kvm_clock_data>,
}

/// Devices in the kernel as they were at power-on.
struct IrqChips {
    chips: Vec<kvm_irqchip>,
    pit: Option<kvm_pit_state2>,
}

/// A VM on `/dev/kvm`, stopped at first.
///
/// Its methods are for the main loop's thread and others that are no vCPU's: they may wait
/// for vCPUs.
pub struct KvmVm {
    vm: Arc<GuestVm>,
    caps: Capabilities,
    buses: OnceLock<VmBuses>,
    cpus: Mutex<Cpus>,
    slots: AtomicU32,
    irqchips: IrqChips,
    power_on: OnceLock<PowerOnState>,
    /// Where the boot CPU starts, if not at the reset vector.
    entry: OnceLock<CpuEntry>,
    reset_msrs: Arc<[kvm_msr_entry]>,
    memory: Mutex<Vec<GuestMemory>>,
}

impl fmt::Debug for KvmVm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvmVm").field("caps", &self.caps).finish_non_exhaustive()
    }
}

impl KvmVm {
    /// Makes a VM with the PC's interrupt controllers and timer in the kernel.
    pub fn new(options: VmOptions) -> Result<Self, KvmError> {
        let kvm = Kvm::new().map_err(|e| KvmError::Open(std::io::Error::from_raw_os_error(e.errno())))?;
        let caps = Capabilities::probe(&kvm)?;
        raw::install_kick_handler().map_err(KvmError::ioctl("sigaction"))?;
        let fd = loop {
            match kvm.create_vm() {
                // A signal during the making of a VM: the kernel wants to be asked again.
                Err(e) if e.errno() == libc::EINTR => {}
                other => break other.map_err(KvmError::ioctl("KVM_CREATE_VM"))?,
            }
        };
        enable_ids(&fd, &caps, options.max_apic_id)?;
        let tss = if caps.has(Cap::SetIdentityMapAddr) {
            fd.set_identity_map_address(IDENTITY_MAP)
                .map_err(KvmError::ioctl("KVM_SET_IDENTITY_MAP_ADDR"))?;
            TSS
        } else {
            TSS_DEFAULT
        };
        if caps.has(Cap::SetTssAddr) {
            fd.set_tss_address(tss).map_err(KvmError::ioctl("KVM_SET_TSS_ADDR"))?;
        }
        fd.create_irq_chip().map_err(KvmError::ioctl("KVM_CREATE_IRQCHIP"))?;
        if caps.has(Cap::IrqRouting) {
            let routes = KvmIrqRouting::from_entries(&routes())
                // Some forty fit.
                .map_err(|_| KvmError::MissingCapability("room for interrupt routes"))?;
            fd.set_gsi_routing(&routes).map_err(KvmError::ioctl("KVM_SET_GSI_ROUTING"))?;
        }
        if caps.has(Cap::Pit2) {
            let config = kvm_pit_config { flags: KVM_PIT_SPEAKER_DUMMY, ..Default::default() };
            fd.create_pit2(config).map_err(KvmError::ioctl("KVM_CREATE_PIT2"))?;
        }
        let irqchips = IrqChips::capture(&fd, &caps);
        Ok(Self {
            vm: GuestVm::new(fd),
            buses: OnceLock::new(),
            cpus: Mutex::default(),
            slots: AtomicU32::new(0),
            irqchips,
            power_on: OnceLock::new(),
            entry: OnceLock::new(),
            reset_msrs: cpu_state::reset_msrs(&kvm).into(),
            memory: Mutex::default(),
            caps,
        })
    }

    /// What the host can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.caps
    }

    /// The I/O ports that it answers itself.
    pub fn ports(&self) -> impl Iterator<Item = PortRange> + use<> {
        ports::of(&self.caps)
    }

    /// The frequency in kHz of the time stamp counter of a vCPU that it will have; `None` where a VM does not tell.
    pub fn tsc_khz(&self) -> Option<u32> {
        tsc::own_frequency(&self.vm)
    }

    /// Shows `memory` to the guest.
    pub fn map(&self, memory: &GuestMemory) -> Result<(), KvmError> {
        let may_protect = self.caps.has(Cap::ReadonlyMem);
        for slot in memory.slots() {
            let number = self.slots.fetch_add(1, Ordering::Relaxed);
            self.vm
                .map(number, &slot, slot.read_only && may_protect)
                .map_err(KvmError::ioctl("KVM_SET_USER_MEMORY_REGION"))?;
        }
        lock(&self.memory).push(memory.clone());
        Ok(())
    }

    /// Gives vCPUs their buses; once, before the first is plugged.
    pub fn attach(&self, buses: VmBuses) -> Result<(), KvmError> {
        self.buses.set(buses).map_err(|_| KvmError::BusesAttached)
    }

    /// Has the boot CPU start in a kernel instead of at the reset vector. It is said once, before that CPU is plugged.
    pub fn start_at(&self, entry: CpuEntry) {
        let _ = self.entry.set(entry);
    }

    /// Input `gsi` of the interrupt controllers: 0 to 15 reach PIC and IOAPIC, up to 23 the IOAPIC.
    pub fn irq_line(&self, gsi: u32) -> Arc<dyn IrqLine> {
        Arc::new(KvmIrqLine { vm: Arc::clone(&self.vm), gsi, warned: AtomicBool::new(false) })
    }

    /// The state of one of the 8259s.
    pub(crate) fn pic(&self, master: bool) -> Result<kvm_pic_state, KvmError> {
        self.vm.pic(master).map_err(KvmError::ioctl("KVM_GET_IRQCHIP"))
    }

    /// The state of the I/O APIC.
    pub(crate) fn io_apic(&self) -> Result<IoApic, KvmError> {
        self.vm.io_apic().map_err(KvmError::ioctl("KVM_GET_IRQCHIP"))
    }

    /// Plugs a vCPU: a new one, or the parked one of its id. It runs at once if the VM does.
    pub fn plug(&self, config: VcpuConfig) -> Result<Arc<Vcpu>, PlugError> {
        let id = config.id;
        let buses = self.buses.get().ok_or(PlugError::NoBuses(id))?.clone();
        let mut cpus = self.lock();
        if cpus.plugged.contains_key(&id) {
            return Err(PlugError::Exists(id));
        }
        Self::reap_locked(&mut cpus);
        let mut parked = match cpus.parked.remove(&id) {
            Some(parked) => parked,
            None => Parked { raw: self.create(id)?, cpuid: None },
        };
        if let Err(error) = self.prepare(&mut parked, &config) {
            // KVM has no way to destroy it: it waits for a better table.
            cpus.parked.insert(id, parked);
            return Err(error);
        }
        let Parked { raw, cpuid } = parked;
        match Vcpu::start(raw, config, buses, cpus.running) {
            Ok(vcpu) => {
                let vcpu = Arc::new(vcpu);
                cpus.plugged.insert(id, Arc::clone(&vcpu));
                Ok(vcpu)
            }
            Err((raw, source)) => {
                cpus.parked.insert(id, Parked { raw, cpuid });
                Err(PlugError::Thread { id, source })
            }
        }
    }

    fn create(&self, id: VcpuId) -> Result<RawVcpu, PlugError> {
        self.vm
            .create_vcpu(id.0)
            .map_err(|e| PlugError::Create { id, source: std::io::Error::from_raw_os_error(e.errno()) })
    }

    /// Sets CPUID and initial state of a vCPU that is new (no table yet) or was parked.
    fn prepare(&self, vcpu: &mut Parked, config: &VcpuConfig) -> Result<(), PlugError> {
        let id = config.id;
        let is_new = vcpu.cpuid.is_none();
        match config.tsc_khz {
            Some(wanted) => tsc::set_frequency(&vcpu.raw, id, wanted, &self.caps)?,
            None if is_new => {}
            None => tsc::reset_frequency(&vcpu.raw),
        }
        self.set_machine_check(&vcpu.raw, config)?;
        let same = vcpu.cpuid.as_ref().is_some_and(|c| c.as_slice() == config.cpuid.as_slice());
        if !same {
            vcpu.raw.fd().set_cpuid2(&config.cpuid).map_err(|e| match is_new {
                true => {
                    let source = std::io::Error::from_raw_os_error(e.errno());
                    PlugError::Cpuid { id, source }
                }
                false => PlugError::CpuidFixed { id },
            })?;
            vcpu.cpuid = Some(config.cpuid.clone());
        }
        let power_on = match self.power_on.get() {
            Some(state) => state,
            None => {
                let state = PowerOnState::capture(&vcpu.raw, id)?;
                self.power_on.get_or_init(|| state)
            }
        };
        if is_new {
            for capability in &config.capabilities {
                vcpu.raw.enable(*capability).map_err(VcpuError::ioctl(id, "KVM_ENABLE_CAP"))?;
            }
            cpu_state::initialise(&vcpu.raw, config, power_on, self.entry.get())?;
        } else {
            let (entry, msrs) = (self.entry.get(), &self.reset_msrs);
            cpu_state::reset(&vcpu.raw, config, power_on, entry, msrs, &self.caps)?;
        }
        Ok(())
    }

    fn set_machine_check(&self, vcpu: &RawVcpu, config: &VcpuConfig) -> Result<(), PlugError> {
        /// The number of banks in IA32_MCG_CAP, which is no capability.
        const BANKS: u64 = 0xff;
        let (Some(wanted), Some(supported)) = (config.machine_check, self.caps.machine_check()) else {
            return Ok(());
        };
        let capabilities = wanted & (supported | BANKS);
        vcpu.set_up_machine_check(capabilities).map_err(|e| PlugError::MachineCheck {
            id: config.id,
            capabilities,
            source: std::io::Error::from_raw_os_error(e.errno()),
        })
    }

    /// Unplugs a vCPU: its thread is told to end, and its descriptor is parked. Whoever has time calls [`reap`](Self::reap)
    /// soon: nobody who waits for the CPU to be gone need wait for the thread too.
    pub fn unplug(&self, id: VcpuId) -> Result<(), VcpuError> {
        let mut cpus = self.lock();
        let vcpu = cpus.plugged.get(&id).cloned().ok_or(VcpuError::NotPlugged(id))?;
        vcpu.check_other_thread()?;
        vcpu.request_quit();
        cpus.plugged.remove(&id);
        cpus.leaving.push((id, vcpu));
        Ok(())
    }

    /// Waits for the threads of unplugged vCPUs.
    pub fn reap(&self) {
        Self::reap_locked(&mut self.lock());
    }

    /// A vCPU's thread takes no lock of the VM.
    fn reap_locked(cpus: &mut Cpus) {
        for (id, vcpu) in std::mem::take(&mut cpus.leaving) {
            // An error: this is that vCPU's own thread, which `unplug` has ruled out.
            if let Ok(Some(raw)) = vcpu.join() {
                let cpuid = Some(vcpu.config().cpuid.clone());
                cpus.parked.insert(id, Parked { raw, cpuid });
            }
        }
    }

    /// A plugged vCPU.
    pub fn vcpu(&self, id: VcpuId) -> Option<Arc<Vcpu>> {
        self.lock().plugged.get(&id).cloned()
    }

    /// All plugged vCPUs, in order of their ids.
    pub fn vcpus(&self) -> Vec<Arc<Vcpu>> {
        self.lock().plugged.values().cloned().collect()
    }

    /// KVM keeps statistics that can be read (Linux 5.14).
    pub fn has_statistics(&self) -> bool {
        self.vm.fd().check_extension_raw(KVM_CAP_BINARY_STATS_FD.into()) > 0
    }

    /// The statistics of the VM itself.
    pub fn statistics(&self) -> Result<Statistics, KvmError> {
        let file = self.vm.statistics().map_err(KvmError::ioctl("KVM_GET_STATS_FD"))?;
        Statistics::new(file).map_err(|source| KvmError::Ioctl { what: "reading statistics", source })
    }

    /// How many vCPUs are parked.
    pub fn parked(&self) -> usize {
        let mut cpus = self.lock();
        Self::reap_locked(&mut cpus);
        cpus.parked.len()
    }

    /// The VM is not stopped.
    pub fn is_running(&self) -> bool {
        self.lock().running
    }

    /// Lets all vCPUs run, with the guest's clock where it was stopped.
    pub fn resume(&self) {
        let mut cpus = self.lock();
        if std::mem::replace(&mut cpus.running, true) {
            return;
        }
        if let Some(clock) = cpus.clock.take() {
            let clock = kvm_clock_data { flags: 0, ..clock };
            if let Err(error) = self.vm.fd().set_clock(&clock) {
                tracing::debug!("KVM_SET_CLOCK: {error}");
            }
        }
        for vcpu in cpus.plugged.values() {
            vcpu.resume();
        }
    }

    /// Stops all vCPUs; when it returns none is in the guest.
    pub fn pause(&self) -> Result<(), VcpuError> {
        let mut cpus = self.lock();
        Self::reap_locked(&mut cpus);
        let was_running = std::mem::replace(&mut cpus.running, false);
        for vcpu in cpus.plugged.values() {
            vcpu.request_pause();
        }
        for vcpu in cpus.plugged.values() {
            vcpu.wait_paused()?;
        }
        if was_running && self.caps.has(Cap::AdjustClock) {
            cpus.clock = self.vm.fd().get_clock().ok();
        }
        if was_running && self.caps.has(Cap::KvmclockCtrl) {
            for vcpu in cpus.plugged.values() {
                // Guests without the paravirtual clock have nothing to be told: EINVAL.
                vcpu.on_thread(|raw| raw.fd().kvmclock_ctrl().is_ok())?;
            }
        }
        Ok(())
    }

    /// Brings interrupt controllers, timer and ROM to their power-on state. The VM is stopped.
    pub fn reset_chips(&self) -> Result<(), KvmError> {
        // Where KVM protects the ROM nobody can have written to it.
        if !self.caps.has(Cap::ReadonlyMem) {
            for rom in lock(&self.memory).iter().filter_map(GuestMemory::rom) {
                rom.restore()?;
            }
        }
        self.irqchips.restore(&self.vm);
        Ok(())
    }

    /// Brings a plugged vCPU to its power-on state. The VM is stopped. Other devices are the board's to reset.
    pub fn reset_vcpu(&self, id: VcpuId) -> Result<(), VcpuError> {
        let vcpu = self.vcpu(id).ok_or(VcpuError::NotPlugged(id))?;
        // There is a power-on state since the first vCPU was plugged.
        if let Some(power_on) = self.power_on.get().cloned() {
            let config = vcpu.config().clone();
            let msrs = Arc::clone(&self.reset_msrs);
            let caps = self.caps.clone();
            let entry = self.entry.get().copied();
            vcpu.on_thread(move |raw| {
                cpu_state::reset(raw, &config, &power_on, entry.as_ref(), &msrs, &caps)
            })??;
            vcpu.forget_start();
            vcpu.clear_stall();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Cpus> {
        lock(&self.cpus)
    }
}

impl Drop for KvmVm {
    /// Ends all vCPU threads.
    fn drop(&mut self) {
        self.reap();
        let vcpus = std::mem::take(&mut self.lock().plugged);
        for vcpu in vcpus.values() {
            vcpu.request_quit();
        }
        for vcpu in vcpus.values() {
            // Fails only on a vCPU's own thread, which holds no VM.
            let _ = vcpu.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which inputs of the interrupt controllers each interrupt reaches: the 8259s' of its number, and the IOAPIC's of its number but
/// for the timer's, 0, which is wired to input 2, where the 8259s are cascaded. The MADT tells guests so (ACPI 6.5, 5.2.12.5).
fn routes() -> Vec<kvm_irq_routing_entry> {
    /// Inputs of one 8259.
    const PIC_INPUTS: u32 = 8;
    const IOAPIC_INPUTS: u32 = 24;
    const TIMER: (u32, u32) = (0, 2);
    let route = |gsi, irqchip, pin| {
        let mut entry = kvm_irq_routing_entry { gsi, type_: KVM_IRQ_ROUTING_IRQCHIP, ..Default::default() };
        entry.u.irqchip = kvm_irq_routing_irqchip { irqchip, pin };
        entry
    };
    let pics =
        (0..2 * PIC_INPUTS).filter(|gsi| *gsi != TIMER.1).map(|gsi| match gsi.checked_sub(PIC_INPUTS) {
            None => route(gsi, KVM_IRQCHIP_PIC_MASTER, gsi),
            Some(pin) => route(gsi, KVM_IRQCHIP_PIC_SLAVE, pin),
        });
    let ioapic = (0..IOAPIC_INPUTS).filter(|gsi| *gsi != TIMER.1);
    let ioapic = ioapic.map(|gsi| route(gsi, KVM_IRQCHIP_IOAPIC, if gsi == TIMER.0 { TIMER.1 } else { gsi }));
    pics.chain(ioapic).collect()
}

/// Prepares KVM for the highest APIC ID.
fn enable_ids(fd: &kvm_ioctls::VmFd, caps: &Capabilities, max: u32) -> Result<(), KvmError> {
    // Saves memory in the kernel; where it is not known, nothing is lost.
    let mut limit = kvm_enable_cap { cap: KVM_CAP_MAX_VCPU_ID, ..Default::default() };
    limit.args[0] = u64::from(max) + 1;
    let _ = fd.enable_cap(&limit);
    if max <= MAX_XAPIC_ID {
        return Ok(());
    }
    if !caps.has(Cap::X2ApicApi) {
        return Err(KvmError::NoX2Apic);
    }
    let mut x2apic = kvm_enable_cap { cap: KVM_CAP_X2APIC_API, ..Default::default() };
    x2apic.args[0] = (KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK).into();
    fd.enable_cap(&x2apic).map_err(|_| KvmError::NoX2Apic)
}

impl IrqChips {
    /// What the host does not give is not restored.
    fn capture(fd: &kvm_ioctls::VmFd, caps: &Capabilities) -> Self {
        let ids = [KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC];
        let chips = ids.into_iter().filter_map(|chip_id| {
            let mut chip = kvm_irqchip { chip_id, ..kvm_irqchip::default() };
            fd.get_irqchip(&mut chip).is_ok().then_some(chip)
        });
        let pit = if caps.has(Cap::Pit2) { fd.get_pit2().ok() } else { None };
        Self { chips: chips.collect(), pit }
    }

    fn restore(&self, vm: &GuestVm) {
        for chip in &self.chips {
            if let Err(error) = vm.fd().set_irqchip(chip) {
                tracing::debug!("KVM_SET_IRQCHIP {} at reset: {error}", chip.chip_id);
            }
        }
        if let Some(Err(error)) = self.pit.as_ref().map(|pit| vm.fd().set_pit2(pit)) {
            tracing::debug!("KVM_SET_PIT2 at reset: {error}");
        }
    }
}

struct KvmIrqLine {
    vm: Arc<GuestVm>,
    gsi: u32,
    warned: AtomicBool,
}

impl IrqLine for KvmIrqLine {
    fn set_level(&self, asserted: bool) {
        if let Err(error) = self.vm.fd().set_irq_line(self.gsi, asserted)
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("KVM_IRQ_LINE {}: {error}", self.gsi);
        }
    }
}
