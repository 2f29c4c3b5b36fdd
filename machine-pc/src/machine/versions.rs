//! The versions of the PC machines, and how each differs from the next one.
//!
//! A guest that was started on a machine of a version finds the same machine under every later program. So a new program
//! that does something otherwise writes down here what the machines before it did: as a property with the old value
//! (*compat property*), which is set on every new object of a type, weaker than anything that a user says.
//!
//! The table forbids a property that the program does not have. So what the reference's table says of other devices
//! (disks, networks, PCI) and of migration is not here: it would be a promise about nothing.
//!
//! Which model version a CPU name without one means is the same for all of these machines: version 1.
//!
//! Source: `query-machines` with `compat-props` of QEMU 11.1, and `-smp` and CPUs without long mode tried with every version.

use std::iter;

/// A property with the value that it had on machines of older versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompatProperty {
    /// The type whose objects it is set on, descendants' included.
    pub driver: &'static str,
    /// The property.
    pub property: &'static str,
    /// The value, as text.
    pub value: &'static str,
}

/// A version of both PC machines.
#[derive(Debug, Clone, Copy)]
pub struct PcVersion {
    /// MAJOR.MINOR, as in the machine's name.
    pub version: &'static str,
    /// It is older than three years, and so may go.
    pub deprecated: bool,
    /// How many CPUs a Q35 takes at most.
    pub q35_max_cpus: u32,
    /// `-smp` computes sockets before cores.
    pub prefer_sockets: bool,
    /// RAM may lie beyond the addresses of CPUs without long mode.
    pub broken_32bit_mem_addr_check: bool,
    /// What it does otherwise than the next version.
    compat: &'static [CompatProperty],
}

const fn property(driver: &'static str, property: &'static str, value: &'static str) -> CompatProperty {
    CompatProperty { driver, property, value }
}

const fn cpu(name: &'static str, value: &'static str) -> CompatProperty {
    property("x86_64-cpu", name, value)
}

const fn qemu64(name: &'static str, value: &'static str) -> CompatProperty {
    property("qemu64-x86_64-cpu", name, value)
}

/// The newest version, which has no compat properties and is what the others are told apart from.
const NEWEST: PcVersion = PcVersion {
    version: "11.1",
    deprecated: false,
    q35_max_cpus: 4096,
    prefer_sockets: false,
    broken_32bit_mem_addr_check: false,
    compat: &[],
};
const WITH_1024_CPUS: PcVersion = PcVersion { q35_max_cpus: 1024, ..NEWEST };
const DEPRECATED: PcVersion =
    PcVersion { deprecated: true, q35_max_cpus: 288, broken_32bit_mem_addr_check: true, ..NEWEST };
const SOCKETS_FIRST: PcVersion = PcVersion { prefer_sockets: true, ..DEPRECATED };

/// All versions, the newest first.
pub const PC_VERSIONS: [PcVersion; 18] = [
    NEWEST,
    PcVersion { version: "11.0", ..NEWEST },
    PcVersion { version: "10.2", ..NEWEST },
    PcVersion { version: "10.1", compat: &[cpu("x-migrate-error-code", "false")], ..NEWEST },
    PcVersion {
        version: "10.0",
        compat: &[
            cpu("x-consistent-cache", "false"),
            cpu("x-vendor-cpuid-only-v2", "false"),
            cpu("x-arch-cap-always-on", "true"),
            cpu("x-pdcm-on-even-without-pmu", "true"),
        ],
        ..NEWEST
    },
    PcVersion { version: "9.2", ..NEWEST },
    PcVersion { version: "9.1", ..NEWEST },
    PcVersion {
        version: "9.0",
        compat: &[
            cpu("x-amd-topoext-features-only", "false"),
            cpu("x-l1-cache-per-thread", "false"),
            cpu("guest-phys-bits", "0"),
            cpu("legacy-multi-node", "on"),
        ],
        ..NEWEST
    },
    PcVersion { version: "8.2", ..WITH_1024_CPUS },
    PcVersion { version: "8.1", deprecated: true, broken_32bit_mem_addr_check: true, ..WITH_1024_CPUS },
    PcVersion { version: "8.0", ..DEPRECATED },
    PcVersion { version: "7.2", compat: &[property("ICH9-LPC", "noreboot", "true")], ..DEPRECATED },
    PcVersion { version: "7.1", ..DEPRECATED },
    PcVersion { version: "7.0", ..DEPRECATED },
    PcVersion { version: "6.2", ..DEPRECATED },
    PcVersion {
        version: "6.1",
        compat: &[
            cpu("hv-version-id-build", "0x1bbc"),
            cpu("hv-version-id-major", "0x0006"),
            cpu("hv-version-id-minor", "0x0001"),
        ],
        ..SOCKETS_FIRST
    },
    PcVersion {
        version: "6.0",
        compat: &[
            qemu64("family", "6"),
            qemu64("model", "6"),
            qemu64("stepping", "3"),
            cpu("x-vendor-cpuid-only", "off"),
        ],
        ..SOCKETS_FIRST
    },
    PcVersion { version: "5.2", ..SOCKETS_FIRST },
];

/// The compat properties of a version: its own and those of all later ones, the latest version's first, as they are applied.
pub fn compat_properties(version: &str) -> Vec<CompatProperty> {
    let mut found = false;
    let mut versions = PC_VERSIONS.iter();
    iter::from_fn(|| versions.next().filter(|_| !found).inspect(|at| found = at.version == version))
        .flat_map(|at| at.compat)
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_differs_by_what_all_later_ones_changed() {
        assert_eq!(compat_properties("11.1"), []);
        assert_eq!(compat_properties("10.1"), [cpu("x-migrate-error-code", "false")]);
        let oldest = compat_properties("5.2");
        assert_eq!(oldest.len(), PC_VERSIONS.iter().map(|version| version.compat.len()).sum::<usize>());
        assert_eq!(
            (oldest[0].property, oldest.last().unwrap().property),
            ("x-migrate-error-code", "x-vendor-cpuid-only")
        );
    }
}
