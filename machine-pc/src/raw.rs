//! All `unsafe` code of this crate.
//!
//! KVM maps host memory into a guest by address, and shares a page with each vCPU thread; a
//! signal handler writes to that page. What makes this sound is kept here, behind types that cannot be
//! misused from outside:
//!
//! * host memory that a guest sees stays mapped as long as the VM *or any of its vCPUs* exists:
//!   [`GuestVm`] holds the regions, and every [`RawVcpu`] holds its `GuestVm`;
//! * a signal handler finds its thread's `kvm_run` page only while an [`ArmedVcpu`] lives on that
//!   thread.
//!
//! Nothing here decides anything: policy lies in [`crate::kvm`].

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::atomic::{AtomicU16, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::{ptr, slice};

use kvm_bindings::{
    CpuId, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, KVM_CAP_HYPERV_ENFORCE_CPUID, KVM_CAP_HYPERV_ENLIGHTENED_VMCS,
    KVM_CAP_HYPERV_SYNIC2, KVM_EXIT_IO_OUT, KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER,
    KVM_IRQCHIP_PIC_SLAVE, KVM_MAX_CPUID_ENTRIES, KVM_MEM_READONLY, KVM_X86_XCOMP_GUEST_SUPP, KVMIO, Xsave,
    kvm_cpuid2, kvm_device_attr, kvm_enable_cap, kvm_irqchip, kvm_pic_state, kvm_userspace_memory_region,
    kvm_x86_mce, kvm_xsave,
};
use kvm_ioctls::{Cap, Kvm, VcpuExit, VcpuFd, VmFd};
use target_i386::realize::VcpuCapability;
use vm_memory::MmapRegion;
use vmm_sys_util::errno;
use vmm_sys_util::ioctl::{ioctl, ioctl_with_mut_ptr, ioctl_with_mut_ref, ioctl_with_ref};
use vmm_sys_util::signal::{SIGRTMIN, register_signal_handler};

use crate::memory::MemorySlot;

/// An I/O APIC's registers (82093AA): what is selected, its id, pending inputs, and the redirection table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IoApic {
    pub(crate) selected: u32,
    pub(crate) id: u32,
    pub(crate) pending: u32,
    pub(crate) redirections: [u64; 24],
}

/// A VM's descriptor with the host memory that its guest sees.
pub(crate) struct GuestVm {
    fd: VmFd,
    regions: Mutex<Vec<Arc<MmapRegion>>>,
}

impl fmt::Debug for GuestVm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestVm").finish_non_exhaustive()
    }
}

impl GuestVm {
    pub(crate) fn new(fd: VmFd) -> Arc<Self> {
        Arc::new(Self { fd, regions: Mutex::new(Vec::new()) })
    }

    /// For ioctls that neither map memory nor make vCPUs: those go through `map` and
    /// `create_vcpu`.
    pub(crate) fn fd(&self) -> &VmFd {
        &self.fd
    }

    /// The frequency in kHz of the time stamp counters of vCPUs that it will have; an error before Linux 5.18.
    pub(crate) fn tsc_khz(&self) -> errno::Result<u32> {
        // SAFETY: the request takes no argument and changes nothing.
        let khz = unsafe { ioctl(&self.fd, KVM_GET_TSC_KHZ()) };
        u32::try_from(khz).map_err(|_| errno::Error::last())
    }

    /// The VM's statistics, as a file of their own.
    pub(crate) fn statistics(&self) -> errno::Result<File> {
        statistics(&self.fd)
    }

    /// Maps `slot` as KVM's memory slot `number`. A number is used once.
    pub(crate) fn map(&self, number: u32, slot: &MemorySlot, read_only: bool) -> errno::Result<()> {
        let size = slot.region.size() as u64;
        if slot.offset.checked_add(slot.len).is_none_or(|end| end > size) {
            return Err(errno::Error::new(libc::EINVAL));
        }
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let region = kvm_userspace_memory_region {
            slot: number,
            flags: if read_only { KVM_MEM_READONLY } else { 0 },
            guest_phys_addr: slot.guest_base,
            memory_size: slot.len,
            userspace_addr: slot.region.as_ptr() as u64 + slot.offset,
        };
        // SAFETY: the range lies within `slot.region` (checked above), which is kept mapped by
        // the clone of its Arc below for as long as this value lives, and every vCPU that could
        // run the guest holds this value. Rust code reaches the memory only through vm-memory's
        // volatile accesses, so the guest's concurrent writes break no reference's promise.
        unsafe { self.fd.set_user_memory_region(region)? };
        regions.push(Arc::clone(&slot.region));
        Ok(())
    }

    /// The state of one of the 8259s.
    pub(crate) fn pic(&self, master: bool) -> errno::Result<kvm_pic_state> {
        let chip_id = if master { KVM_IRQCHIP_PIC_MASTER } else { KVM_IRQCHIP_PIC_SLAVE };
        let mut chip = kvm_irqchip { chip_id, ..kvm_irqchip::default() };
        self.fd.get_irqchip(&mut chip)?;
        // SAFETY: for this chip the kernel fills the union's field `pic`; it is plain numbers.
        Ok(unsafe { chip.chip.pic })
    }

    /// The state of the I/O APIC.
    pub(crate) fn io_apic(&self) -> errno::Result<IoApic> {
        let mut chip = kvm_irqchip { chip_id: KVM_IRQCHIP_IOAPIC, ..kvm_irqchip::default() };
        self.fd.get_irqchip(&mut chip)?;
        // SAFETY: for this chip the kernel fills the union's field `ioapic`; it is plain numbers.
        let state = unsafe { chip.chip.ioapic };
        // SAFETY: an entry is 64 bits, whichever way they are looked at.
        let redirections = state.redirtbl.map(|entry| unsafe { entry.bits });
        Ok(IoApic { selected: state.ioregsel, id: state.id, pending: state.irr, redirections })
    }

    /// `KVM_CREATE_VCPU`.
    pub(crate) fn create_vcpu(self: &Arc<Self>, id: u32) -> errno::Result<RawVcpu> {
        let fd = self.fd.create_vcpu(id.into())?;
        Ok(RawVcpu { fd, vm: Arc::clone(self) })
    }
}

/// A vCPU's descriptor, not bound to a thread.
pub(crate) struct RawVcpu {
    fd: VcpuFd,
    vm: Arc<GuestVm>,
}

impl fmt::Debug for RawVcpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawVcpu").field("vm", &self.vm).finish_non_exhaustive()
    }
}

impl RawVcpu {
    /// For all ioctls but `KVM_RUN`.
    pub(crate) fn fd(&self) -> &VcpuFd {
        &self.fd
    }

    /// The vCPU's statistics, as a file of their own, which can be read while the guest runs.
    pub(crate) fn statistics(&self) -> errno::Result<File> {
        statistics(&self.fd)
    }

    /// `KVM_ENABLE_CAP` of a vCPU.
    pub(crate) fn enable(&self, capability: VcpuCapability) -> errno::Result<()> {
        // KVM writes here within the call, for the one capability that has an address for argument.
        let versions = AtomicU16::new(0);
        let (cap, argument) = match capability {
            VcpuCapability::HypervSynic => (KVM_CAP_HYPERV_SYNIC2, 0),
            VcpuCapability::HypervEvmcs => {
                (KVM_CAP_HYPERV_ENLIGHTENED_VMCS, versions.as_ptr().expose_provenance() as u64)
            }
            VcpuCapability::HypervEnforceCpuid => (KVM_CAP_HYPERV_ENFORCE_CPUID, 1),
            VcpuCapability::EnforcePvCpuid => (KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1),
        };
        let mut request = kvm_enable_cap { cap, ..kvm_enable_cap::default() };
        request.args[0] = argument;
        self.fd.enable_cap(&request)
    }

    /// Puts every extended state component into its initial configuration (Intel SDM vol. 1, 13.6).
    pub(crate) fn init_xsave(&self) -> errno::Result<()> {
        // 0 where KVM knows no states beyond the structure.
        let size = usize::try_from(self.vm.fd.check_extension_int(Cap::Xsave2)).unwrap_or(0);
        let beyond = size.saturating_sub(size_of::<kvm_xsave>()).div_ceil(size_of::<u32>());
        let mut xsave = Xsave::new(beyond).map_err(|_| errno::Error::new(libc::ENOMEM))?;
        // Legacy area: FCW 0x37f; MXCSR 0x1f80 at byte 24. XSTATE_BV stays 0.
        let mut area = kvm_xsave::default();
        area.region[0] = 0x37f;
        area.region[6] = 0x1f80;
        // SAFETY: only the fixed part is replaced; the entries behind it, whose number `len` says, stay.
        unsafe { xsave.as_mut_fam_struct() }.xsave = area;
        // SAFETY: the kernel reads at most as many bytes as KVM_CAP_XSAVE2 says for the states that this process may give
        // to guests, and `xsave` has as many. Which states those are is settled before the first vCPU is made: the
        // kernel grants none from then on.
        unsafe { self.fd.set_xsave2(&xsave) }
    }

    /// `KVM_X86_SETUP_MCE`: the vCPU's IA32_MCG_CAP.
    pub(crate) fn set_up_machine_check(&self, capabilities: u64) -> errno::Result<()> {
        // SAFETY: the kernel reads one 64-bit number.
        let result = unsafe { ioctl_with_ref(&self.fd, KVM_X86_SETUP_MCE(), &capabilities) };
        if result == 0 { Ok(()) } else { errno::errno_result() }
    }

    /// `KVM_X86_SET_MCE`: a bank's registers, and an exception if they say so.
    pub(crate) fn give_machine_check(&self, check: &kvm_x86_mce) -> errno::Result<()> {
        // SAFETY: the kernel reads the structure and nothing else.
        let result = unsafe { ioctl_with_ref(&self.fd, KVM_X86_SET_MCE(), check) };
        if result == 0 { Ok(()) } else { errno::errno_result() }
    }
}

thread_local! {
    /// Where this thread's signal handler writes: `immediate_exit` of the armed vCPU, or null.
    static IMMEDIATE_EXIT: Cell<*mut u8> = const { Cell::new(ptr::null_mut()) };
}

/// The signal that gets a vCPU thread out of the guest.
pub(crate) fn kick_signal() -> libc::c_int {
    SIGRTMIN()
}

/// Installs the handler of [`kick_signal`]; doing so again changes nothing.
pub(crate) fn install_kick_handler() -> errno::Result<()> {
    extern "C" fn on_kick(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        let target = IMMEDIATE_EXIT.get();
        if !target.is_null() {
            // SAFETY: non-null only while an `ArmedVcpu` lives on this very thread, which keeps
            // the page mapped; the write is one volatile byte, and the handler cannot run at the same
            // time as the code it interrupts. A const-initialised thread-local without a
            // destructor is a plain memory access, allowed in a signal handler.
            unsafe { target.write_volatile(1) };
        }
    }
    register_signal_handler(kick_signal(), on_kick)
}

/// A vCPU bound to the current thread, which kicks can reach.
pub(crate) struct ArmedVcpu {
    /// First, so that the handler is cut off before the page is unmapped.
    binding: Binding,
    vcpu: RawVcpu,
}

/// Ends when dropped, also by a panic; it stays on its thread.
struct Binding {
    _not_send: PhantomData<*const ()>,
}

impl Drop for Binding {
    fn drop(&mut self) {
        IMMEDIATE_EXIT.set(ptr::null_mut());
    }
}

/// What `KVM_RUN` came back with.
#[derive(Debug)]
pub(crate) enum Exit<'a> {
    /// Ports: `data` holds one or more elements of `size` bytes to fill.
    PioRead { port: u16, size: usize, data: &'a mut [u8] },
    /// Ports: `data` holds one or more elements of `size` bytes.
    PioWrite { port: u16, size: usize, data: &'a [u8] },
    /// Memory with no slot.
    MmioRead { address: u64, data: &'a mut [u8] },
    /// Memory with no slot, or read-only.
    MmioWrite { address: u64, data: &'a [u8] },
    /// A signal, or a vCPU that became runnable: enter again.
    Interrupted,
    /// Triple fault.
    Shutdown,
    /// `KVM_EXIT_SYSTEM_EVENT` with its type.
    SystemEvent(u32),
    /// The vCPU cannot go on, and why.
    Failed(String),
}

impl ArmedVcpu {
    /// Binds `vcpu` to this thread. A thread has one at a time.
    pub(crate) fn new(mut vcpu: RawVcpu) -> Self {
        assert!(IMMEDIATE_EXIT.get().is_null(), "a thread runs one vCPU");
        // The page is the kernel's mapping: it stays where it is when the descriptor moves.
        IMMEDIATE_EXIT.set(&raw mut vcpu.fd.get_kvm_run().immediate_exit);
        Self { binding: Binding { _not_send: PhantomData }, vcpu }
    }

    /// Unbinds it.
    pub(crate) fn disarm(self) -> RawVcpu {
        drop(self.binding);
        self.vcpu
    }

    pub(crate) fn raw(&self) -> &RawVcpu {
        &self.vcpu
    }

    /// Forgets kicks until now. What they were for must be looked up after this call.
    pub(crate) fn clear_kick(&mut self) {
        let target = IMMEDIATE_EXIT.get();
        // SAFETY: set by `new` to this vCPU's page, mapped while `self` lives.
        unsafe { target.write_volatile(0) };
        std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
    }

    /// Completes the instruction whose access was answered last, without running further.
    pub(crate) fn complete_io(&mut self) {
        self.vcpu.fd.set_kvm_immediate_exit(1);
        // Comes back with EINTR by design; whatever else it says, the next real entry says again.
        let _ = self.vcpu.fd.run();
        self.vcpu.fd.set_kvm_immediate_exit(0);
    }

    /// `KVM_RUN`.
    pub(crate) fn run(&mut self) -> Exit<'_> {
        let fd = &mut self.vcpu.fd;
        match fd.run() {
            Err(e) if e.errno() == libc::EINTR || e.errno() == libc::EAGAIN => {
                return Exit::Interrupted;
            }
            Err(e) => return Exit::Failed(format!("KVM_RUN failed: {e}")),
            // Answered below: their operand size is not part of kvm-ioctls' value.
            Ok(VcpuExit::IoIn(..) | VcpuExit::IoOut(..)) => {}
            // Looked at below: its numbers are not part of kvm-ioctls' value.
            Ok(VcpuExit::InternalError) => return self.internal_error(),
            Ok(VcpuExit::MmioRead(address, data)) => {
                // SAFETY: `data` borrows this vCPU's page, mapped while `self` is borrowed. Only
                // the borrow's name changes: the borrow checker cannot see that the other arms do not use it.
                let data = unsafe { slice::from_raw_parts_mut(data.as_mut_ptr(), data.len()) };
                return Exit::MmioRead { address, data };
            }
            Ok(VcpuExit::MmioWrite(address, data)) => {
                // SAFETY: as for `MmioRead`.
                let data = unsafe { slice::from_raw_parts(data.as_ptr(), data.len()) };
                return Exit::MmioWrite { address, data };
            }
            Ok(VcpuExit::Intr | VcpuExit::IrqWindowOpen | VcpuExit::Hlt) => return Exit::Interrupted,
            Ok(VcpuExit::Shutdown) => return Exit::Shutdown,
            Ok(VcpuExit::SystemEvent(kind, _)) => return Exit::SystemEvent(kind),
            Ok(VcpuExit::FailEntry(reason, cpu)) => {
                return Exit::Failed(format!(
                    "hardware error: entry to the guest failed with reason {reason:#x} on host CPU {cpu}"
                ));
            }
            Ok(other) => return Exit::Failed(format!("unhandled exit: {other:?}")),
        }
        let run = fd.get_kvm_run();
        // SAFETY: the exit's reason is KVM_EXIT_IO (matched above), so `io` is the union's live field.
        let io = unsafe { run.__bindgen_anon_1.io };
        let size = usize::from(io.size.max(1));
        let page: *mut u8 = ptr::from_mut(run).cast();
        // SAFETY: the kernel puts `count` elements of `size` bytes at `data_offset` in the
        // mapping that begins at `run`; it is mapped while `self` is borrowed and nobody
        // else writes there between exits.
        let data =
            unsafe { slice::from_raw_parts_mut(page.add(io.data_offset as usize), size * io.count as usize) };
        if u32::from(io.direction) == KVM_EXIT_IO_OUT {
            Exit::PioWrite { port: io.port, size, data }
        } else {
            Exit::PioRead { port: io.port, size, data }
        }
    }

    fn internal_error(&mut self) -> Exit<'static> {
        // SAFETY: the exit's reason is KVM_EXIT_INTERNAL_ERROR (matched by the caller), so
        // `internal` is the union's live field; it is plain numbers.
        let internal = unsafe { self.vcpu.fd.get_kvm_run().__bindgen_anon_1.internal };
        let known = internal.data.len().min(internal.ndata as usize);
        let data: Vec<_> = internal.data[..known].iter().map(|d| format!("{d:#x}")).collect();
        let what = match internal.suberror {
            kvm_bindings::KVM_INTERNAL_ERROR_EMULATION => "emulation failure",
            kvm_bindings::KVM_INTERNAL_ERROR_SIMUL_EX => "simultaneous exceptions",
            kvm_bindings::KVM_INTERNAL_ERROR_DELIVERY_EV => "event delivery failure",
            kvm_bindings::KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON => "unexpected exit reason",
            _ => "unknown suberror",
        };
        let suberror = internal.suberror;
        Exit::Failed(format!(
            "KVM internal error. Suberror: {suberror} ({what}); data: [{}]",
            data.join(", ")
        ))
    }
}

/// What the kernel is told of a region's pages; none of it changes what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Pages that are equal may be shared behind the scenes (KSM).
    Mergeable,
    /// They may not.
    Unmergeable,
    /// They are part of a core dump.
    Dump,
    /// They are not.
    DontDump,
}

/// `madvise` on a whole region.
pub(crate) fn advise(region: &MmapRegion, advice: Advice) -> io::Result<()> {
    let advice = match advice {
        Advice::Mergeable => libc::MADV_MERGEABLE,
        Advice::Unmergeable => libc::MADV_UNMERGEABLE,
        Advice::Dump => libc::MADV_DODUMP,
        Advice::DontDump => libc::MADV_DONTDUMP,
    };
    // SAFETY: the range is that of a mapping which `region` keeps; these four advices change neither what the memory holds
    // nor that it is mapped.
    let result = unsafe { libc::madvise(region.as_ptr().cast(), region.size(), advice) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the kernel provide pages `offset..offset + len` of a region for writing, without changing what they hold.
pub(crate) fn populate(region: &MmapRegion, offset: usize, len: usize) -> io::Result<()> {
    if offset.checked_add(len).is_none_or(|end| end > region.size()) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: the range lies within the mapping (checked above), which `region` keeps; populating it for writing keeps what
    // the memory holds.
    let result = unsafe { libc::madvise(region.as_ptr().add(offset).cast(), len, libc::MADV_POPULATE_WRITE) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `mbind` of a whole region to the host's NUMA nodes in `nodes` (a bit each, node 0 the lowest), moving pages that lie
/// elsewhere. `mode` is one of Linux's `MPOL_` values.
pub(crate) fn bind(region: &MmapRegion, mode: libc::c_int, nodes: u128) -> io::Result<()> {
    /// The kernel takes one bit less than it is told.
    const BITS: libc::c_ulong = 128 + 1;
    /// Linux's `linux/mempolicy.h`: fail where pages lie elsewhere, after moving those that can be moved.
    const MPOL_MF_STRICT: libc::c_uint = 1;
    const MPOL_MF_MOVE: libc::c_uint = 2;
    let low = |nodes: u128| (nodes & u128::from(u64::MAX)) as libc::c_ulong;
    let mask: [libc::c_ulong; 3] = [low(nodes), low(nodes >> 64), 0];
    // SAFETY: the range is that of a mapping which `region` keeps, `mask` has more than `BITS` bits and is only read; where the
    // pages lie is nothing that code can tell by what they hold.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mbind,
            region.as_ptr(),
            region.size(),
            mode,
            mask.as_ptr(),
            BITS,
            MPOL_MF_STRICT | MPOL_MF_MOVE,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

vmm_sys_util::ioctl_iowr_nr!(KVM_GET_SUPPORTED_HV_CPUID, KVMIO, 0xc1, kvm_cpuid2);

/// The leaves of Hyper-V that KVM offers (`KVM_CAP_SYS_HYPERV_CPUID`).
pub(crate) fn supported_hyperv_cpuid(kvm: &Kvm) -> errno::Result<CpuId> {
    let mut table = CpuId::new(KVM_MAX_CPUID_ENTRIES).map_err(|_| errno::Error::new(libc::ENOMEM))?;
    // SAFETY: the table's header says how many entries it has room for, and the kernel writes no more.
    let result =
        unsafe { ioctl_with_mut_ptr(kvm, KVM_GET_SUPPORTED_HV_CPUID(), table.as_mut_fam_struct_ptr()) };
    if result == 0 { Ok(table) } else { errno::errno_result() }
}

vmm_sys_util::ioctl_io_nr!(KVM_GET_TSC_KHZ, KVMIO, 0xa3);
vmm_sys_util::ioctl_io_nr!(KVM_GET_STATS_FD, KVMIO, 0xce);
vmm_sys_util::ioctl_iow_nr!(KVM_X86_SETUP_MCE, KVMIO, 0x9c, u64);
vmm_sys_util::ioctl_ior_nr!(KVM_X86_GET_MCE_CAP_SUPPORTED, KVMIO, 0x9d, u64);
vmm_sys_util::ioctl_iow_nr!(KVM_X86_SET_MCE, KVMIO, 0x9e, kvm_x86_mce);
vmm_sys_util::ioctl_iow_nr!(KVM_GET_DEVICE_ATTR, KVMIO, 0xe2, kvm_device_attr);

/// A descriptor of the statistics of a VM or vCPU (`KVM_CAP_BINARY_STATS_FD`).
fn statistics(of: &impl AsRawFd) -> errno::Result<File> {
    // SAFETY: the request takes no argument and changes nothing but the table of descriptors.
    let fd = unsafe { ioctl(of, KVM_GET_STATS_FD()) };
    if fd < 0 {
        return errno::errno_result();
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// What KVM has of IA32_MCG_CAP (`KVM_CAP_MCE`).
pub(crate) fn machine_check_capabilities(kvm: &Kvm) -> errno::Result<u64> {
    let mut capabilities = 0;
    // SAFETY: the kernel writes one 64-bit number.
    let result = unsafe { ioctl_with_mut_ref(kvm, KVM_X86_GET_MCE_CAP_SUPPORTED(), &mut capabilities) };
    if result == 0 { Ok(capabilities) } else { errno::errno_result() }
}

/// The states (bits of XCR0) that guests can be given, those included that a process has to ask for
/// (`KVM_CAP_SYS_ATTRIBUTES`).
pub(crate) fn guest_xcr0(kvm: &Kvm) -> errno::Result<u64> {
    // The kernel writes here within the call.
    let states = AtomicU64::new(0);
    let request = kvm_device_attr {
        attr: KVM_X86_XCOMP_GUEST_SUPP.into(),
        addr: states.as_ptr().expose_provenance() as u64,
        ..kvm_device_attr::default()
    };
    // SAFETY: for this attribute the kernel reads the request and writes one 64-bit number to the address in it, which is
    // that of `states`, alive until after the call.
    let result = unsafe { ioctl_with_ref(kvm, KVM_GET_DEVICE_ATTR(), &request) };
    if result == 0 { Ok(states.into_inner()) } else { errno::errno_result() }
}

/// Asks the kernel to let guests of this process have a state (its bit in XCR0). It is too late once the process has
/// made a vCPU.
pub(crate) fn request_guest_state(bit: u32) -> io::Result<()> {
    /// `asm/prctl.h`
    const ARCH_REQ_XCOMP_GUEST_PERM: libc::c_long = 0x1025;
    // SAFETY: takes two numbers and touches no memory of the process.
    let result =
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_GUEST_PERM, libc::c_ulong::from(bit)) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Linux's id of the current thread.
pub(crate) fn gettid() -> u32 {
    // SAFETY: takes nothing, touches no memory, cannot fail.
    let id = unsafe { libc::gettid() };
    id.unsigned_abs()
}

/// The machine code between the two labels of the built-in guest.
pub(crate) fn built_in_guest_code() -> &'static [u8] {
    // SAFETY: both are labels in one section of this program, in this order, which `global_asm!`
    // in `guest::code` defines; between them lie initialised, read-only bytes.
    unsafe extern "C" {
        static qom_guest_code_start: u8;
        static qom_guest_code_end: u8;
    }
    let (start, end) = (&raw const qom_guest_code_start, &raw const qom_guest_code_end);
    // SAFETY: as above; the bytes are never written.
    unsafe { slice::from_raw_parts(start, end.addr() - start.addr()) }
}
