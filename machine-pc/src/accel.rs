//! The `kvm` accelerator as a type, and the choice of an accelerator.
//!
//! An accelerator is initialised before any CPU class exists: what it supports decides which CPU classes there are and
//! what their defaults are. `tcg` and `qtest` are in `target-i386`: they give TCG's CPU features and run no guest.

use std::io::Read;
use std::sync::{Arc, OnceLock};

use kvm_ioctls::{Cap, Kvm};
use qom::{Bootstrap, ClassInit, Field, Input, Instance, Object, Origin, Property};
use qom_derive::Object;
use target_i386::cpu::{Accel, SharedSource, X86Accel};
use target_i386::cpuid::CpuidRegs;
use target_i386::source::{
    CpuidEntry, HostCpuid, Irqchip, Kvm as KvmSource, LiveHost, RecordError, native_cpuid,
};
use thiserror::Error;

use crate::kvm::{KvmVm, TooManyCpus, VcpuLimits, frequency_of};
use crate::raw;

/// `kvm-accel`: CPUs as the host's KVM has them, or as a host file says. With a host file no device is opened,
/// and so no guest is run.
#[derive(Debug, Object)]
#[object(name = "kvm-accel", interfaces(dyn X86Accel), class_init = KvmAccel::class_init)]
pub struct KvmAccel {
    parent: Accel,
    host_file: Field<String>,
    source: OnceLock<Arc<KvmSource>>,
    this_host: Arc<ThisHost>,
    limits: OnceLock<VcpuLimits>,
    /// The option that named it, with a colon, for messages; empty if it was none.
    place: OnceLock<String>,
}

impl KvmAccel {
    fn class_init(class: &mut ClassInit<'_>) {
        class.add_property(
            Property::of::<Self, String>("host", |accel| accel.host_file.get())
                .settable::<Self, String>(|accel, path| {
                    accel.host_file.set(path);
                    Ok(())
                })
                .description("Take what KVM supports from this host file; no guest code is run"),
        );
    }

    /// The host file, if what KVM supports comes from one; then guests do not run.
    #[must_use]
    pub fn host_file(&self) -> Option<String> {
        Some(self.host_file.get()).filter(|path| !path.is_empty())
    }

    /// Asks the host, or its file, what it supports.
    fn init(&self, place: &str) -> Result<(), AccelError> {
        let source = match self.host_file() {
            Some(path) => KvmSource::new(read_host(&path)?, Irqchip::Kernel),
            None => {
                let kvm = open()?;
                let _ = self.limits.set(VcpuLimits::of(&kvm));
                let host = HostCpuid::record_kvm(&kvm).map_err(|error| record_failed(&error))?;
                KvmSource::live(complete(host, &kvm)?, Irqchip::Kernel, self.this_host.clone())
            }
        };
        // Initialised once, right after it was made.
        let _ = self.place.set(place.to_owned());
        let _ = self.source.set(Arc::new(source));
        Ok(())
    }
}

impl KvmAccel {
    /// Whether this host runs a machine's CPUs: so many at the start, and at most so many. That it is not recommended goes to
    /// `report`. With a host file no vCPU is made, and there is no limit.
    ///
    /// # Errors
    /// [`AccelError::TooManyCpus`].
    pub fn check_cpus(
        &self,
        cpus: u32,
        max_cpus: u32,
        mut report: impl FnMut(String),
    ) -> Result<(), AccelError> {
        let Some(limits) = self.limits.get() else { return Ok(()) };
        let place = self.place.get().map(String::as_str).unwrap_or_default();
        limits
            .check(cpus, max_cpus, |warning| report(format!("{place}warning: {warning}")))
            .map_err(|source| AccelError::TooManyCpus { place: place.to_owned(), source })
    }
}

impl KvmAccel {
    /// Lets CPUs learn from a VM what would else take another one to know.
    pub fn learn_from(&self, vm: &KvmVm) {
        if let Some(khz) = vm.tsc_khz() {
            let _ = self.this_host.tsc_khz.set(Some(khz));
        }
    }
}

/// The machine that the program runs on.
#[derive(Debug, Default)]
struct ThisHost {
    tsc_khz: OnceLock<Option<u32>>,
}

impl LiveHost for ThisHost {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        native_cpuid(leaf, subleaf)
    }

    fn tsc_khz(&self) -> Option<u32> {
        *self.tsc_khz.get_or_init(|| match open().and_then(|kvm| tsc_khz(&kvm)) {
            Ok(khz) => khz,
            Err(error) => {
                tracing::debug!("frequency of time stamp counters: {error}");
                None
            }
        })
    }
}

impl X86Accel for KvmAccel {
    fn source(&self) -> SharedSource {
        match self.source.get() {
            Some(source) => source.clone(),
            None => unreachable!("an accelerator is initialised before it is used"),
        }
    }
}

/// The longest host file that is read: many times what a processor can have to say.
const MAX_HOST_FILE: u64 = 4 << 20;

fn read_host(path: &str) -> Result<HostCpuid, AccelError> {
    let failed = |reason: &dyn std::fmt::Display| AccelError::HostFile {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_HOST_FILE).read_to_string(&mut text))
        .map_err(|error| failed(&crate::os_error::text(&error)))?;
    HostCpuid::from_json(&text).map_err(|error| match std::error::Error::source(&error) {
        Some(reason) => failed(&format_args!("{error}: {reason}")),
        None => failed(&error),
    })
}

fn open() -> Result<Kvm, AccelError> {
    Kvm::new().map_err(|error| AccelError::Kvm { source: std::io::Error::from_raw_os_error(error.errno()) })
}

/// What this machine's KVM supports. Guests of this process may have all of it afterwards: states that the kernel grants
/// on request are asked for.
///
/// # Errors
/// [`AccelError::Kvm`] without a usable `/dev/kvm`, [`AccelError::Record`] if it does not answer.
pub fn record_host() -> Result<HostCpuid, AccelError> {
    record(&open()?)
}

fn failed(request: &'static str) -> impl Fn(vmm_sys_util::errno::Error) -> AccelError {
    move |error| AccelError::Record(format!("{request} failed: {error}"))
}

fn record_failed(error: &RecordError) -> AccelError {
    AccelError::Record(error.to_string())
}

fn record(kvm: &Kvm) -> Result<HostCpuid, AccelError> {
    let host = complete(HostCpuid::record(kvm).map_err(|error| record_failed(&error))?, kvm)?;
    // May make a vCPU, after which no state can be asked for.
    Ok(HostCpuid { tsc_khz: tsc_khz(kvm)?, ..host })
}

/// Adds what requests without a safe wrapper tell.
fn complete(mut host: HostCpuid, kvm: &Kvm) -> Result<HostCpuid, AccelError> {
    host.guest_xcr0 = guest_states(kvm)?;
    host.lmce = kvm.check_extension(Cap::Mce)
        && raw::machine_check_capabilities(kvm).map_err(failed("KVM_X86_GET_MCE_CAP_SUPPORTED"))? & LMCE != 0;
    if kvm.check_extension_raw(kvm_bindings::KVM_CAP_SYS_HYPERV_CPUID.into()) > 0 {
        let leaves = raw::supported_hyperv_cpuid(kvm).map_err(failed("KVM_GET_SUPPORTED_HV_CPUID"))?;
        host.hyperv = Some(
            leaves
                .as_slice()
                .iter()
                .map(|e| CpuidEntry {
                    leaf: e.function,
                    subleaf: e.index,
                    regs: CpuidRegs { eax: e.eax, ebx: e.ebx, ecx: e.ecx, edx: e.edx },
                })
                .collect(),
        );
    }
    Ok(host)
}

/// Local machine check exceptions in IA32_MCG_CAP.
const LMCE: u64 = 1 << 27;

/// The one state so far that a process has to ask for: the tiles of AMX (bit of XCR0).
const TILE_DATA: u32 = 18;

/// The states that guests can have, once those among them that have to be asked for are; `None` where KVM does not tell.
fn guest_states(kvm: &Kvm) -> Result<Option<u64>, AccelError> {
    if kvm.check_extension_raw(kvm_bindings::KVM_CAP_SYS_ATTRIBUTES.into()) <= 0 {
        return Ok(None);
    }
    let states = match raw::guest_xcr0(kvm) {
        Ok(states) => states,
        // Attributes, but not this one.
        Err(error) if error.errno() == libc::ENXIO => return Ok(None),
        Err(error) => return Err(failed("KVM_GET_DEVICE_ATTR")(error)),
    };
    if states >> TILE_DATA & 1 == 1
        && let Err(error) = raw::request_guest_state(TILE_DATA)
    {
        // It was asked for before the first vCPU of the process, or a CPU with AMX will be refused by KVM.
        tracing::debug!("prctl(ARCH_REQ_XCOMP_GUEST_PERM) failure for feature bit {TILE_DATA}: {error}");
    }
    Ok(Some(states))
}

/// The frequency of a new vCPU's time stamp counter in kHz.
fn tsc_khz(kvm: &Kvm) -> Result<Option<u32>, AccelError> {
    frequency_of(kvm).map_err(|(request, error)| failed(request)(error))
}

qom::register_types!(<KvmAccel as Instance>::type_info);

/// Why no accelerator could be had.
#[derive(Debug, Error)]
pub enum AccelError {
    /// There is no such accelerator.
    #[error("invalid accelerator {0}")]
    Unknown(String),
    /// `/dev/kvm` is not usable.
    #[error("Could not access KVM kernel module: {}", crate::os_error::text(source))]
    Kvm {
        /// What the host said.
        source: std::io::Error,
    },
    /// KVM does not tell what it supports.
    #[error("KVM: {0}")]
    Record(String),
    /// A host file.
    #[error("host file '{path}': {reason}")]
    HostFile {
        /// The file.
        path: String,
        /// Why it is none.
        reason: String,
    },
    /// The machine has more CPUs than KVM runs.
    #[error("{place}{source}")]
    TooManyCpus {
        /// The option that named the accelerator, with a colon; empty if it was none.
        place: String,
        /// Which.
        source: TooManyCpus,
    },
    /// A property that it does not have or take.
    #[error("{place}{source}")]
    Property {
        /// The option that set it, with a colon; empty if it was none.
        place: String,
        /// Why.
        source: qom::PropertyError,
    },
    /// None of those that the user named works; why was reported one by one.
    #[error("no accelerator found")]
    None,
}

/// An accelerator to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccelChoice {
    /// `kvm`, `tcg`, `qtest`, or a name that does not exist.
    pub name: String,
    /// Its properties, in order: name and text.
    pub properties: Vec<(String, String)>,
    /// The option that named it, for messages.
    pub location: Option<String>,
}

/// Makes the first of `choices` that works; why the others do not goes to `report`. With no choice it is KVM where it is
/// usable, else TCG, without a word.
///
/// # Errors
/// [`AccelError::None`] if none works.
pub fn initialise(
    types: &Bootstrap,
    choices: &[AccelChoice],
    mut report: impl FnMut(String),
) -> Result<Arc<dyn Object>, AccelError> {
    if choices.is_empty() {
        return attempt(types, "kvm", &[], "").or_else(|_| attempt(types, "tcg", &[], ""));
    }
    for (at, choice) in choices.iter().enumerate() {
        let AccelChoice { name, properties, location } = choice;
        let place = location.as_ref().map(|location| format!("{location}: ")).unwrap_or_default();
        match attempt(types, name, properties, &place) {
            Ok(accel) => {
                if at > 0 {
                    report(format!("falling back to {name}"));
                }
                return Ok(accel);
            }
            Err(AccelError::Kvm { source }) => {
                let reason = crate::os_error::text(&source);
                report(format!("{place}{}", AccelError::Kvm { source }));
                report(format!("{place}failed to initialize {name}: {reason}"));
            }
            // Wrong words are no reason to try another accelerator.
            Err(error @ (AccelError::Property { .. } | AccelError::HostFile { .. })) => return Err(error),
            Err(error) => report(format!("{place}{error}")),
        }
    }
    Err(AccelError::None)
}

fn attempt(
    types: &Bootstrap,
    name: &str,
    properties: &[(String, String)],
    place: &str,
) -> Result<Arc<dyn Object>, AccelError> {
    let accel = types.create(&format!("{name}-accel")).map_err(|_| AccelError::Unknown(name.to_owned()))?;
    for (property, value) in properties {
        accel
            .set(property, &Input::Keyval(value), Origin::CommandLine)
            .map_err(|source| AccelError::Property { place: place.to_owned(), source })?;
    }
    if let Some(kvm) = accel.downcast_ref::<KvmAccel>() {
        kvm.init(place)?;
    }
    Ok(accel)
}
