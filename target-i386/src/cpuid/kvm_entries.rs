//! The table in the form that `KVM_SET_CPUID2` takes.

use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};

use super::{CpuidRegs, CpuidTable};

/// The table does not fit into KVM's list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the CPUID table has {0} entries, which is more than KVM takes")]
pub struct KvmCpuidError(pub usize);

impl CpuidTable {
    /// The table's entries for KVM, in ascending order.
    ///
    /// Entries without any bit are left out, as KVM answers zeros for them, except sub-leaf 0 of
    /// a leaf with sub-leaves, which tells KVM that the leaf has them, and the sub-leaves that leaf 7
    /// counts in EAX: some KVMs put bits of their own into an entry that is there. The table holds the
    /// XSAVE area's size for all components in leaf 0Dh EBX; KVM puts in the current one.
    ///
    /// # Errors
    ///
    /// If there are more entries than KVM takes (256).
    pub fn to_kvm(&self) -> Result<CpuId, KvmCpuidError> {
        let counted = self.stored(7, 0).eax;
        let listed = |leaf, subleaf| subleaf == 0 || leaf == 7 && subleaf <= counted;
        let entries: Vec<_> = self
            .rows()
            .filter(|(leaf, subleaf, regs)| {
                *regs != CpuidRegs::ZERO || subleaf.is_some_and(|subleaf| listed(*leaf, subleaf))
            })
            .map(|(function, subleaf, regs)| kvm_cpuid_entry2 {
                function,
                index: subleaf.unwrap_or(0),
                flags: if subleaf.is_some() { KVM_CPUID_FLAG_SIGNIFCANT_INDEX } else { 0 },
                eax: regs.eax,
                ebx: regs.ebx,
                ecx: regs.ecx,
                edx: regs.edx,
                ..Default::default()
            })
            .collect();
        CpuId::from_entries(&entries).map_err(|_| KvmCpuidError(entries.len()))
    }
}
