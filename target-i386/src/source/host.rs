//! A recorded host: what KVM and the processor of one machine say of themselves.
//!
//! The record is plain data, as JSON a *host file*: made on one machine, it lets any other
//! compute what a guest would see there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cpuid::CpuidRegs;

/// One answer of CPUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuidEntry {
    /// Leaf.
    pub leaf: u32,
    /// Sub-leaf; 0 for leaves without.
    #[serde(default)]
    pub subleaf: u32,
    /// The registers.
    #[serde(flatten)]
    pub regs: CpuidRegs,
}

/// How a host file came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostOrigin {
    /// A KVM and its processor answered.
    #[default]
    Recorded,
    /// A person wrote down what manuals say of a processor, and what a current KVM passes on of that: a
    /// plausible host, which no machine answered for.
    ByHand,
}

/// The record of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostCpuid {
    /// Format of the record: 1.
    pub format: u32,
    /// How the file came to be.
    #[serde(default)]
    pub origin: HostOrigin,
    /// Which host it is, for people.
    #[serde(default)]
    pub description: String,
    /// Kernel release, for people.
    #[serde(default)]
    pub kernel: String,
    /// `KVM_GET_SUPPORTED_CPUID`.
    pub supported: Vec<CpuidEntry>,
    /// What the processor answers.
    pub processor: Vec<CpuidEntry>,
    /// Feature MSRs and their values (`KVM_GET_MSR_FEATURE_INDEX_LIST`, `KVM_GET_MSRS`).
    pub feature_msrs: BTreeMap<u32, u64>,
    /// MSRs that KVM saves and restores for guests (`KVM_GET_MSR_INDEX_LIST`).
    pub guest_msrs: Vec<u32>,
    /// `KVM_CAP_TSC_DEADLINE_TIMER`.
    pub tsc_deadline_timer: bool,
    /// XCR0 bits that guests can be given after asking for them (`KVM_X86_XCOMP_GUEST_SUPP`).
    #[serde(default)]
    pub guest_xcr0: Option<u64>,
    /// Hyper-V's leaves that KVM offers (`KVM_GET_SUPPORTED_HV_CPUID`); none without `KVM_CAP_HYPERV`.
    #[serde(default)]
    pub hyperv: Option<Vec<CpuidEntry>>,
    /// Local machine check exceptions (`KVM_X86_GET_MCE_CAP_SUPPORTED`, bit 27).
    #[serde(default)]
    pub lmce: bool,
    /// Frequency of a new vCPU's time stamp counter in kHz (`KVM_GET_TSC_KHZ`); none where nobody asked.
    #[serde(default)]
    pub tsc_khz: Option<u32>,
}

/// A host file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HostFileError {
    /// It is not the JSON of a record.
    #[error("this is no host file")]
    Json(#[from] serde_json::Error),
    /// It is of another format.
    #[error("the host file has format {0}, and only format 1 is known")]
    Format(u32),
}

impl HostCpuid {
    /// The format that this version writes and reads.
    pub const FORMAT: u32 = 1;

    /// Reads a host file.
    ///
    /// # Errors
    ///
    /// If the text is no host file of a known format.
    pub fn from_json(text: &str) -> Result<Self, HostFileError> {
        let host: Self = serde_json::from_str(text)?;
        match host.format {
            Self::FORMAT => Ok(host),
            other => Err(HostFileError::Format(other)),
        }
    }

    /// The host file's text.
    ///
    /// # Errors
    ///
    /// If memory runs out.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    pub(super) fn find(entries: &[CpuidEntry], leaf: u32, subleaf: u32) -> CpuidRegs {
        entries.iter().find(|e| e.leaf == leaf && e.subleaf == subleaf).map(|e| e.regs).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn round_trip_and_refusal() {
        let host = HostCpuid {
            format: 1,
            origin: HostOrigin::ByHand,
            description: "a test".into(),
            kernel: "6.1.0".into(),
            supported: vec![CpuidEntry {
                leaf: 7,
                subleaf: 1,
                regs: CpuidRegs { eax: 5, ..CpuidRegs::default() },
            }],
            processor: vec![],
            feature_msrs: [(0x10a, 7)].into(),
            guest_msrs: vec![0x10a],
            tsc_deadline_timer: true,
            guest_xcr0: Some(7),
            hyperv: Some(vec![CpuidEntry { leaf: 0x4000_0000, subleaf: 0, regs: CpuidRegs::ZERO }]),
            lmce: false,
            tsc_khz: Some(2_596_146),
        };
        let text = host.to_json().unwrap();
        assert_eq!(HostCpuid::from_json(&text).unwrap(), host);
        let other = text.replace("\"format\": 1", "\"format\": 2");
        assert!(matches!(HostCpuid::from_json(&other), Err(HostFileError::Format(2))));
    }

    proptest! {
        #[test]
        fn any_text(text in ".{0,80}") {
            let _ = HostCpuid::from_json(&text);
        }
    }
}
