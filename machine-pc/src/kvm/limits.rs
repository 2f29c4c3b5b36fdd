//! How many vCPUs KVM runs, and how many it runs well.

use kvm_ioctls::Kvm;
use thiserror::Error;

/// Limits of a VM on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VcpuLimits {
    /// How many are recommended: the host's CPUs (`KVM_CAP_NR_VCPUS`).
    pub recommended: u32,
    /// How many there can be (`KVM_CAP_MAX_VCPUS`).
    pub maximum: u32,
}

/// Which of a machine's numbers of CPUs is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuCount {
    /// Those that are there from the start.
    Boot,
    /// Those that there can be.
    Possible,
}

impl std::fmt::Display for CpuCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Boot => "SMP",
            Self::Possible => "hotpluggable",
        })
    }
}

/// A machine has more CPUs than is recommended. `Display` gives the reference's warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "Number of {which} cpus requested ({requested}) exceeds the recommended cpus supported by KVM ({limit})"
)]
pub struct MoreThanRecommended {
    /// Which number.
    pub which: CpuCount,
    /// The machine's.
    pub requested: u32,
    /// KVM's.
    pub limit: u32,
}

/// A machine has more CPUs than KVM runs. The text is the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Number of {which} cpus requested ({requested}) exceeds the maximum cpus supported by KVM ({limit})")]
pub struct TooManyCpus {
    /// Which number.
    pub which: CpuCount,
    /// The machine's.
    pub requested: u32,
    /// KVM's.
    pub limit: u32,
}

impl VcpuLimits {
    /// Asks the kernel.
    pub fn of(kvm: &Kvm) -> Self {
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Self { recommended: count(kvm.get_nr_vcpus()), maximum: count(kvm.get_max_vcpus()) }
    }

    /// Holds a machine's numbers of CPUs, at the start and at most, against the limits.
    ///
    /// # Errors
    /// [`TooManyCpus`] for the first number that is above the maximum.
    pub fn check(
        self,
        cpus: u32,
        max_cpus: u32,
        mut warn: impl FnMut(MoreThanRecommended),
    ) -> Result<(), TooManyCpus> {
        for (which, requested) in [(CpuCount::Boot, cpus), (CpuCount::Possible, max_cpus)] {
            if requested > self.recommended {
                warn(MoreThanRecommended { which, requested, limit: self.recommended });
                if requested > self.maximum {
                    return Err(TooManyCpus { which, requested, limit: self.maximum });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As QEMU 11.1.2 says it on a host of 2 CPUs whose KVM runs 1024.
    fn said(cpus: u32, max_cpus: u32) -> Vec<String> {
        let limits = VcpuLimits { recommended: 2, maximum: 1024 };
        let mut said = Vec::new();
        let outcome = limits.check(cpus, max_cpus, |warning| said.push(format!("warning: {warning}")));
        said.extend(outcome.err().map(|error| error.to_string()));
        said
    }

    #[test]
    fn as_the_reference_says_it() {
        assert_eq!(said(2, 2), [""; 0]);
        assert_eq!(
            said(200, 250),
            [
                "warning: Number of SMP cpus requested (200) exceeds the recommended cpus supported by KVM (2)",
                "warning: Number of hotpluggable cpus requested (250) exceeds the recommended cpus supported by KVM (2)",
            ]
        );
        assert_eq!(
            said(1, 255),
            [
                "warning: Number of hotpluggable cpus requested (255) exceeds the recommended cpus supported by KVM (2)"
            ]
        );
        assert_eq!(
            said(2000, 2000),
            [
                "warning: Number of SMP cpus requested (2000) exceeds the recommended cpus supported by KVM (2)",
                "Number of SMP cpus requested (2000) exceeds the maximum cpus supported by KVM (1024)",
            ]
        );
    }
}
