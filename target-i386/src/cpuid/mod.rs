//! CPUID tables: what a guest reads.
//!
//! [`CpuidTable`] is the immutable result. A leaf either has no sub-leaves or a complete run of
//! them from 0, and says what is read beyond the last: a table with some sub-leaves missing
//! cannot be built.
//!
//! *Dynamic bits.* A few bits follow the guest's control registers while it runs. The table
//! holds them as they are when set up and [`CpuidTable::read`] applies the [`RunState`]:
//!
//! | leaf | bit | rule |
//! | --- | --- | --- |
//! | 1 ECX | 27 OSXSAVE | CR4.OSXSAVE, where XSAVE is there |
//! | 7.0 ECX | 4 OSPKE | CR4.PKE, where PKU is there |
//! | 0Dh.0 EBX | all | size for the components enabled in XCR0; what KVM is given is the size for all |
//! | 8000_0001h EDX | 11 SYSCALL | with TCG an Intel CPU shows it in long mode only |
//! | 1 EDX | 9 APIC | KVM clears it while IA32_APIC_BASE disables the APIC; not modelled |
//!
//! Under KVM these are KVM's affair: [`CpuidTable::read`] predicts them.
//!
//! Forbidden here: looking at the host. Leaves that come from it are handed in.

mod build;
mod cache_leaves;
mod features;
mod hyperv;
mod hypervisor;
#[cfg(feature = "kvm")]
mod kvm_entries;
mod table;
mod topology_leaves;

pub(crate) use build::{BuildInput, CacheLeaves, build};
#[cfg(feature = "kvm")]
pub use kvm_entries::KvmCpuidError;
pub use table::{Beyond, CpuidTable, Leaf, Limits, RunState, SubLeaves, TableError};

use std::fmt;
use std::ops::Index;

use serde::{Deserialize, Serialize};

/// A register of CPUID's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Register {
    /// EAX
    Eax,
    /// EBX
    Ebx,
    /// ECX
    Ecx,
    /// EDX
    Edx,
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eax => "EAX",
            Self::Ebx => "EBX",
            Self::Ecx => "ECX",
            Self::Edx => "EDX",
        })
    }
}

/// CPUID's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the registers")]
pub struct CpuidRegs {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
}

impl CpuidRegs {
    /// All zero.
    pub const ZERO: Self = Self { eax: 0, ebx: 0, ecx: 0, edx: 0 };
}

impl Index<Register> for CpuidRegs {
    type Output = u32;

    fn index(&self, register: Register) -> &u32 {
        match register {
            Register::Eax => &self.eax,
            Register::Ebx => &self.ebx,
            Register::Ecx => &self.ecx,
            Register::Edx => &self.edx,
        }
    }
}

#[cfg(test)]
mod tests;
