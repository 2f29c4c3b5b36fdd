//! The table and how it is read.

use std::collections::BTreeMap;

use super::CpuidRegs;
use crate::topology::ApicId;
use crate::xsave::{COMPONENTS, XsaveComponent, area_size};

/// What sub-leaves after the last one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// Zeros.
    Zero,
    /// As leaves 0Bh and 1Fh: the sub-leaf's number in ECX and the APIC ID in EDX.
    Topology(ApicId),
}

/// A complete run of sub-leaves from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubLeaves {
    first: CpuidRegs,
    more: Vec<CpuidRegs>,
    beyond: Beyond,
}

impl SubLeaves {
    /// Sub-leaf 0 and those that follow it.
    #[must_use]
    pub fn new(first: CpuidRegs, more: Vec<CpuidRegs>, beyond: Beyond) -> Self {
        Self { first, more, beyond }
    }

    /// A sub-leaf.
    #[must_use]
    pub fn get(&self, subleaf: u32) -> CpuidRegs {
        let stored = match subleaf.checked_sub(1) {
            None => Some(self.first),
            Some(i) => usize::try_from(i).ok().and_then(|i| self.more.get(i)).copied(),
        };
        stored.unwrap_or(match self.beyond {
            Beyond::Zero => CpuidRegs::ZERO,
            Beyond::Topology(apic_id) => CpuidRegs { ecx: subleaf & 0xff, edx: apic_id.0, ..CpuidRegs::ZERO },
        })
    }

    /// The stored sub-leaves, from 0.
    pub fn iter(&self) -> impl Iterator<Item = (u32, CpuidRegs)> {
        (0..).zip(std::iter::once(self.first).chain(self.more.iter().copied()))
    }
}

/// A leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// Does not look at ECX.
    Plain(CpuidRegs),
    /// Has sub-leaves.
    Indexed(SubLeaves),
}

impl Leaf {
    /// The leaf's answer.
    #[must_use]
    pub fn get(&self, subleaf: u32) -> CpuidRegs {
        match self {
            Self::Plain(regs) => *regs,
            Self::Indexed(subleaves) => subleaves.get(subleaf),
        }
    }
}

/// Highest leaves of the ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From 0.
    pub basic: u32,
    /// From 4000_0000h.
    pub hypervisor: u32,
    /// From 4000_0100h, where a second hypervisor's interface is shown; else 0.
    pub second_hypervisor: u32,
    /// From 8000_0000h.
    pub extended: u32,
    /// From C000_0000h.
    pub centaur: u32,
}

impl Limits {
    /// The highest leaf of the range that a leaf is in.
    #[must_use]
    pub const fn of(&self, leaf: u32) -> u32 {
        match leaf {
            0xc000_0000.. => self.centaur,
            0x8000_0000.. => self.extended,
            0x4000_0100..=0x4000_01ff => self.second_hypervisor,
            0x4000_0000.. => self.hypervisor,
            _ => self.basic,
        }
    }
}

/// A leaf cannot be put into a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It is there already.
    #[error("CPUID leaf {0:#x} is in the table twice")]
    Duplicate(u32),
    /// It is above its range's limit.
    #[error("CPUID leaf {leaf:#x} is above the highest leaf of its range, {limit:#x}")]
    OutOfRange {
        /// The leaf.
        leaf: u32,
        /// The limit.
        limit: u32,
    },
}

/// The guest's state that CPUID's answer follows; see the [module](super) for the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunState {
    /// CR4.OSXSAVE (bit 18).
    pub cr4_osxsave: bool,
    /// CR4.PKE (bit 22).
    pub cr4_pke: bool,
    /// XCR0.
    pub xcr0: u64,
    /// EFER.LMA.
    pub long_mode: bool,
}

impl RunState {
    /// After reset.
    pub const RESET: Self = Self { cr4_osxsave: false, cr4_pke: false, xcr0: 1, long_mode: false };
}

/// What the dynamic rules need to know besides the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dynamics {
    /// Bytes and places of XSAVE components.
    pub(super) components: [XsaveComponent; COMPONENTS],
    /// SYSCALL shows in long mode only.
    pub(super) syscall_needs_long_mode: bool,
}

const XSAVE: u32 = 1 << 26;
const OSXSAVE: u32 = 1 << 27;
const PKU: u32 = 1 << 3;
const OSPKE: u32 = 1 << 4;
const SYSCALL: u32 = 1 << 11;

/// All that CPUID answers on one CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuidTable {
    leaves: BTreeMap<u32, Leaf>,
    limits: Limits,
    dynamics: Dynamics,
}

impl CpuidTable {
    pub(super) fn new(limits: Limits, dynamics: Dynamics) -> Self {
        Self { leaves: BTreeMap::new(), limits, dynamics }
    }

    pub(super) fn insert(&mut self, leaf: u32, content: Leaf) -> Result<(), TableError> {
        let limit = self.limits.of(leaf);
        if leaf > limit {
            return Err(TableError::OutOfRange { leaf, limit });
        }
        match self.leaves.entry(leaf) {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(content);
                Ok(())
            }
            std::collections::btree_map::Entry::Occupied(_) => Err(TableError::Duplicate(leaf)),
        }
    }

    /// Highest leaves.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The leaves in ascending order; leaves within the limits that are not listed are zero.
    pub fn leaves(&self) -> impl Iterator<Item = (u32, &Leaf)> {
        self.leaves.iter().map(|(leaf, content)| (*leaf, content))
    }

    /// All stored answers: leaf, sub-leaf (where the leaf has any) and registers, in the order
    /// in which KVM is given them.
    pub fn rows(&self) -> impl Iterator<Item = (u32, Option<u32>, CpuidRegs)> {
        self.leaves().flat_map(|(leaf, content)| {
            let rows: Vec<_> = match content {
                Leaf::Plain(regs) => vec![(leaf, None, *regs)],
                Leaf::Indexed(subleaves) => subleaves.iter().map(|(i, regs)| (leaf, Some(i), regs)).collect(),
            };
            rows
        })
    }

    /// What CPUID answers in a state of the guest.
    ///
    /// A leaf above the limit of its range reads as the highest basic leaf, as on Intel's
    /// processors (Intel SDM volume 2A, CPUID, "input limits"); QEMU does so for all vendors.
    #[must_use]
    pub fn read(&self, leaf: u32, subleaf: u32, state: &RunState) -> CpuidRegs {
        let leaf = if leaf > self.limits.of(leaf) { self.limits.basic } else { leaf };
        let mut regs = self.stored(leaf, subleaf);
        match (leaf, subleaf) {
            (1, _) if regs.ecx & XSAVE != 0 && state.cr4_osxsave => regs.ecx |= OSXSAVE,
            (7, 0) if regs.ecx & PKU != 0 && state.cr4_pke => regs.ecx |= OSPKE,
            (0xd, 0) if regs != CpuidRegs::ZERO => {
                regs.ebx = area_size(&self.dynamics.components, state.xcr0, false);
            }
            (0x8000_0001, _) if self.dynamics.syscall_needs_long_mode && !state.long_mode => {
                regs.edx &= !SYSCALL;
            }
            _ => {}
        }
        regs
    }

    /// What CPUID answers after reset.
    #[must_use]
    pub fn read_at_reset(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        self.read(leaf, subleaf, &RunState::RESET)
    }

    /// A leaf as set up, without limits and dynamic bits; zeros where the table has none.
    #[must_use]
    pub fn stored(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        self.leaves.get(&leaf).map(|content| content.get(subleaf)).unwrap_or_default()
    }
}
