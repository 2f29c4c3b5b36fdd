//! Hyper-V enlightenments: what a Windows guest may use of KVM as if it ran on Hyper-V.
//!
//! Source of leaves and bits: Microsoft's Hypervisor Top Level Functional Specification, "Feature and
//! Interface Discovery". Each `hv-*` switch is an [`Enlightenment`]: some bits of the leaves from
//! 4000_0000h, and others that it needs. They take effect under KVM alone; other accelerators accept the
//! settings and show nothing of them, as in QEMU.
//!
//! The leaves themselves are laid out in `cpuid::hyperv`. Forbidden here: asking KVM. What it offers comes
//! in through [`CpuidSource::hyperv_cpuid`].

mod table;

pub use table::{ENLIGHTENMENTS, Enlightenment, EnlightenmentDef};

use crate::cpuid::{CpuidRegs, Register};
use crate::source::CpuidSource;

/// Leaf of the vendor and the highest leaf.
pub const LEAF_VENDOR: u32 = 0x4000_0000;
/// Leaf of the interface's signature.
pub const LEAF_INTERFACE: u32 = 0x4000_0001;
/// Leaf of the hypervisor's version.
pub const LEAF_VERSION: u32 = 0x4000_0002;
/// Leaf of features and privileges.
pub const LEAF_FEATURES: u32 = 0x4000_0003;
/// Leaf of recommendations.
pub const LEAF_RECOMMENDATIONS: u32 = 0x4000_0004;
/// Leaf of implementation limits.
pub const LEAF_LIMITS: u32 = 0x4000_0005;
/// Leaf of nested virtualisation.
pub const LEAF_NESTED: u32 = 0x4000_000a;
/// First leaf of the synthetic debugger.
pub const LEAF_SYNDBG: u32 = 0x4000_0080;

/// Recommendation: no core is shared by CPUs of other guests, unless as the topology says.
pub const NO_NONARCH_CORESHARING: u32 = 1 << 18;

/// `hv-spinlocks` of a guest that never tells of long waits.
pub const NEVER_NOTIFY: u32 = u32::MAX;

/// `hv-vendor-id` of a CPU for which nobody set one.
pub const DEFAULT_VENDOR: &str = "Microsoft Hv";

/// MSR of the number that the hypervisor knows a CPU by; `hv-vpindex`.
pub const MSR_VP_INDEX: u32 = 0x4000_0002;

/// On, off, or as the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnOffAuto {
    /// As the accelerator says.
    Auto,
    /// On.
    On,
    /// Off.
    #[default]
    Off,
}

impl OnOffAuto {
    /// The text of a property.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        }
    }

    /// From the text of a property.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Auto, Self::On, Self::Off].into_iter().find(|value| value.name() == text)
    }
}

/// A set of enlightenments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Enlightenments(u32);

impl Enlightenments {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one is there.
    #[must_use]
    pub const fn has(self, one: Enlightenment) -> bool {
        self.0 >> one as u32 & 1 == 1
    }

    /// Adds one or takes it away.
    pub const fn assign(&mut self, one: Enlightenment, on: bool) {
        let bit = 1 << one as u32;
        if on {
            self.0 |= bit;
        } else {
            self.0 &= !bit;
        }
    }

    /// Those that are there, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = &'static EnlightenmentDef> {
        ENLIGHTENMENTS.iter().filter(move |def| self.has(def.which))
    }

    /// The bits that those which are there set in a register of a leaf.
    #[must_use]
    pub fn bits(self, leaf: u32, register: Register) -> u32 {
        let flags = self.iter().flat_map(|def| def.flags);
        let bits =
            flags.filter(|(at, reg, _)| (*at, *reg) == (leaf, register)).fold(0, |all, (.., b)| all | b);
        // The nested leaf also holds the range of versions of the enlightened VMCS: 1 to 1.
        let evmcs = (leaf, register) == (LEAF_NESTED, Register::Eax) && self.has(Enlightenment::Evmcs);
        bits | u32::from(evmcs)
    }
}

/// The version that the hypervisor claims, `hv-version-id-*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// `hv-version-id-build`
    pub build: u32,
    /// `hv-version-id-major`
    pub major: u16,
    /// `hv-version-id-minor`
    pub minor: u16,
    /// `hv-version-id-spack`
    pub service_pack: u32,
    /// `hv-version-id-sbranch`
    pub service_branch: u8,
    /// `hv-version-id-snumber`; the leaf holds 24 bits of it.
    pub service_number: u32,
}

/// All that a CPU's `hv-*` properties say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The switches.
    pub features: Enlightenments,
    /// `hv-passthrough`: all that KVM offers.
    pub passthrough: bool,
    /// `hv-enforce-cpuid`: what CPUID does not show, KVM refuses.
    pub enforce_cpuid: bool,
    /// `hv-no-nonarch-coresharing`
    pub no_nonarch_coresharing: OnOffAuto,
    /// `hv-spinlocks`: how often a guest tries a lock before it tells, or [`NEVER_NOTIFY`].
    pub spinlock_retries: u32,
    /// `hv-vendor-id`; realizing gives the default to a CPU for which nobody set one.
    pub vendor: Option<String>,
    /// The version.
    pub version: Version,
    /// `x-hv-max-vps`: most virtual processors, -1 for no statement.
    pub max_vps: i32,
    /// The interface's signature; no property.
    pub interface: [u32; 4],
    /// EBX, ECX and EDX of the leaf of limits; no property.
    pub limits: [u32; 3],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            features: Enlightenments::default(),
            passthrough: false,
            enforce_cpuid: false,
            no_nonarch_coresharing: OnOffAuto::Off,
            spinlock_retries: NEVER_NOTIFY,
            vendor: None,
            version: Version {
                build: 14393,
                major: 10,
                minor: 0,
                service_pack: 0,
                service_branch: 0,
                service_number: 0,
            },
            max_vps: -1,
            interface: [u32::from_le_bytes(*b"Hv#1"), 0, 0, 0],
            limits: [64, 0, 0],
        }
    }
}

/// The enlightenments of a CPU contradict each other or KVM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HypervError {
    /// KVM does not have one.
    #[error("Hyper-V {0} is not supported by kernel")]
    Unsupported(Enlightenment),
    /// One needs another.
    #[error("Hyper-V {which} requires Hyper-V {needs}")]
    Requires {
        /// The one that was asked for.
        which: Enlightenment,
        /// What it needs.
        needs: Enlightenment,
    },
}

impl Settings {
    /// Whether anything was asked for that shows Hyper-V to the guest.
    #[must_use]
    pub fn wanted(&self) -> bool {
        self.spinlock_retries != NEVER_NOTIFY || !self.features.is_empty() || self.passthrough
    }

    /// Whether the guest sees Hyper-V under an accelerator.
    #[must_use]
    pub fn active(&self, source: &dyn CpuidSource) -> bool {
        self.wanted() && source.hyperv_cpuid(LEAF_VENDOR).is_some()
    }

    /// The vendor in registers: EBX, ECX, EDX.
    #[must_use]
    pub fn vendor_registers(&self) -> [u32; 3] {
        let mut bytes = [0; 12];
        for (to, from) in bytes.iter_mut().zip(self.vendor.iter().flat_map(String::as_bytes)) {
            *to = *from;
        }
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_le_bytes)
    }

    /// Gives the vendor its default. Returns whether it is too long for CPUID.
    pub(crate) fn settle_vendor(&mut self) -> bool {
        self.vendor.get_or_insert_with(|| DEFAULT_VENDOR.to_owned()).len() > 12
    }

    /// Takes what KVM offers where that was asked for, else checks what was asked for against it.
    pub(crate) fn expand(&mut self, source: &dyn CpuidSource) -> Result<(), HypervError> {
        if !self.active(source) {
            return Ok(());
        }
        let offered = |leaf| source.hyperv_cpuid(leaf).unwrap_or_default();
        if self.passthrough {
            self.take(&offered);
        } else {
            for def in self.features.iter() {
                if !def.is_in(&offered) {
                    return Err(HypervError::Unsupported(def.which));
                }
                if let Some(needs) = def.needs.iter().find(|needed| !self.features.has(**needed)) {
                    return Err(HypervError::Requires { which: def.which, needs: *needs });
                }
            }
        }
        // Messages to a CPU go by its number.
        let (which, needs) = (Enlightenment::Synic, Enlightenment::Vpindex);
        if self.features.has(which) && !self.features.has(needs) {
            return Err(HypervError::Requires { which, needs });
        }
        Ok(())
    }

    fn take(&mut self, offered: &dyn Fn(u32) -> CpuidRegs) {
        let id = offered(LEAF_VENDOR);
        let bytes: Vec<u8> = [id.ebx, id.ecx, id.edx].iter().flat_map(|r| r.to_le_bytes()).collect();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        self.vendor = Some(String::from_utf8_lossy(&bytes[..end]).into_owned());
        let interface = offered(LEAF_INTERFACE);
        self.interface = [interface.eax, interface.ebx, interface.ecx, interface.edx];
        let version = offered(LEAF_VERSION);
        let [low, high] = [version.ebx & 0xffff, version.ebx >> 16].map(|half| {
            // Half of a register fits.
            u16::try_from(half).unwrap_or(u16::MAX)
        });
        let [n0, n1, n2, branch] = version.edx.to_le_bytes();
        self.version = Version {
            build: version.eax,
            major: high,
            minor: low,
            service_pack: version.ecx,
            service_branch: branch,
            service_number: u32::from_le_bytes([n0, n1, n2, 0]),
        };
        let limits = offered(LEAF_LIMITS);
        self.max_vps = limits.eax.cast_signed();
        self.limits = [limits.ebx, limits.ecx, limits.edx];
        self.spinlock_retries = offered(LEAF_RECOMMENDATIONS).ebx;
        for def in ENLIGHTENMENTS.iter().filter(|def| def.passed_through && def.is_in(offered)) {
            self.features.assign(def.which, true);
        }
    }
}

impl EnlightenmentDef {
    fn is_in(&self, offered: &dyn Fn(u32) -> CpuidRegs) -> bool {
        self.flags.iter().all(|(leaf, register, bits)| offered(*leaf)[*register] & bits == *bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_needs_come_from_it() {
        for (i, def) in ENLIGHTENMENTS.iter().enumerate() {
            assert_eq!(def.which as usize, i);
            assert!(!def.needs.contains(&def.which));
            assert!(def.needs.is_sorted_by_key(|needed| *needed as u32), "{}", def.which);
        }
    }

    #[test]
    fn vendors_of_any_length() {
        let mut settings = Settings::default();
        assert!(!settings.settle_vendor());
        // Top Level Functional Specification: "Microsoft Hv" in EBX, ECX, EDX.
        assert_eq!(settings.vendor_registers(), [0x7263_694d, 0x666f_736f, 0x7648_2074]);
        settings.vendor = Some("KVM".to_owned());
        assert!(!settings.settle_vendor());
        assert_eq!(settings.vendor_registers(), [0x004d_564b, 0, 0]);
        settings.vendor = Some("more than twelve".to_owned());
        assert!(settings.settle_vendor());
        settings.vendor = Some(String::new());
        assert!(!settings.settle_vendor());
        assert_eq!(settings.vendor_registers(), [0, 0, 0]);
    }
}
