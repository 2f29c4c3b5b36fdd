//! The shipped host files: each is read, gives a `host`, and filters models as its processor would.

use std::path::PathBuf;

use target_i386::source::{CpuidSource, HostCpuid, HostFileError, HostOrigin, Irqchip, Kvm};
use target_i386::topology::{CpuTopology, Placement};
use target_i386::{Vendor, describe};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("hosts")
}

fn source(name: &str) -> Kvm {
    let text = std::fs::read_to_string(directory().join(format!("{name}.json"))).expect("a shipped file");
    Kvm::new(HostCpuid::from_json(&text).expect("a host file"), Irqchip::Kernel)
}

fn boot() -> Placement {
    Placement::boot(CpuTopology::single())
}

fn missing(model: &str, host: &str) -> Vec<&'static str> {
    describe(model, boot(), &source(host)).expect("a CPU").cpu.unavailable_features()
}

/// Facts of the manufacturers' manuals about a shipped file.
struct Shipped {
    name: &'static str,
    vendor: Vendor,
    /// Family and model.
    signature: (u32, u32),
    /// Width of physical addresses.
    bits: u32,
    origin: HostOrigin,
}

const fn by_hand(name: &'static str, vendor: Vendor, signature: (u32, u32), bits: u32) -> Shipped {
    Shipped { name, vendor, signature, bits, origin: HostOrigin::ByHand }
}

const fn recorded(name: &'static str, vendor: Vendor, signature: (u32, u32), bits: u32) -> Shipped {
    Shipped { name, vendor, signature, bits, origin: HostOrigin::Recorded }
}

const SHIPPED: &[Shipped] = &[
    by_hand("skylake-server", Vendor::INTEL, (6, 0x55), 46),
    by_hand("sapphire-rapids", Vendor::INTEL, (6, 0x8f), 52),
    by_hand("epyc-milan", Vendor::AMD, (0x19, 0x01), 48),
    by_hand("epyc-genoa", Vendor::AMD, (0x19, 0x11), 52),
    recorded("software-kvm-epyc", Vendor::AMD, (0x19, 0x11), 48),
    recorded("emulated-epyc-svm", Vendor::AMD, (0x17, 0x01), 40),
];

#[test]
fn every_file_that_is_shipped_is_known_here_and_in_the_list() {
    let list = std::fs::read_to_string(directory().join("README.md")).unwrap();
    let mut found: Vec<String> = std::fs::read_dir(directory())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    found.sort();
    let mut known: Vec<_> = SHIPPED.iter().map(|shipped| shipped.name.to_owned()).collect();
    known.sort();
    assert_eq!(found, known);
    for Shipped { name, origin, .. } in SHIPPED {
        let line = list.lines().find(|line| line.contains(&format!("`{name}.json`"))).expect("a line");
        assert_eq!(line.contains("| by hand |"), *origin == HostOrigin::ByHand, "{name}");
        assert_eq!(source(name).host().origin, *origin, "{name}");
    }
}

#[test]
fn host_is_the_processor() {
    for Shipped { name, vendor, signature: (family, model), bits, .. } in SHIPPED {
        let source = source(name);
        let described = describe("host", boot(), &source).expect("a CPU");
        let cpu = &described.cpu;
        assert!(cpu.filtered.is_empty(), "{name}: {:?}", cpu.unavailable_features());
        assert_eq!(described.warnings, [], "{name}");
        assert_eq!(cpu.config.vendor, *vendor, "{name}");
        let signature = cpu.config.signature;
        assert_eq!((signature.family(), signature.model()), (*family, *model), "{name}");
        assert_eq!(cpu.phys_bits, *bits, "{name}");
        // Every bit of the guest is one that the host offers.
        for (word, bit) in &cpu.config.features {
            assert_eq!(source.supported(word) >> bit & 1, 1, "{name}: {word} [bit {bit}]");
        }
        // The area of XSAVE holds its components.
        let area = cpu.table.stored(0xd, 0);
        for component in (2..63).filter(|i| (u64::from(area.edx) << 32 | u64::from(area.eax)) >> i & 1 == 1) {
            let at = cpu.table.stored(0xd, component);
            assert!(at.eax > 0 && at.eax + at.ebx <= area.ecx, "{name}: component {component}");
        }
    }
}

#[test]
fn models_are_filtered_as_the_processors_would() {
    // Later Intel servers have all of Haswell.
    assert_eq!(missing("Haswell", "skylake-server"), [""; 0]);
    assert_eq!(missing("Haswell", "sapphire-rapids"), [""; 0]);
    // AMD has no transactional memory.
    for host in ["epyc-milan", "epyc-genoa"] {
        assert_eq!(missing("Haswell", host), ["hle", "rtm"], "{host}");
        assert_eq!(missing("EPYC", host), [""; 0], "{host}");
        assert_eq!(missing("EPYC-v4", host), [""; 0], "{host}");
    }
    // What AMD alone has.
    for host in ["skylake-server", "sapphire-rapids"] {
        let missing = missing("EPYC", host);
        for name in ["mmxext", "cr8legacy", "sse4a", "misalignsse", "osvw"] {
            assert!(missing.contains(&name), "{host}: {missing:?}");
        }
    }
    assert_eq!(missing("qemu64,+avx512vnni", "skylake-server"), ["avx512vnni"]);
    assert_eq!(missing("qemu64,+avx512vnni", "sapphire-rapids"), [""; 0]);
    assert_eq!(missing("qemu64,+mpx", "sapphire-rapids"), ["mpx"]);
}

#[test]
fn files_that_are_none_are_refused() {
    let text = std::fs::read_to_string(directory().join("epyc-milan.json")).unwrap();
    for (from, to) in
        [("\"format\": 1", "\"format\": 1.5"), ("\"by-hand\"", "\"invented\""), ("\"lmce\"", "\"lmcf\"")]
    {
        assert!(text.contains(from));
        assert!(matches!(HostCpuid::from_json(&text.replace(from, to)), Err(HostFileError::Json(_))), "{to}");
    }
    assert!(matches!(
        HostCpuid::from_json(&text.replace("\"format\": 1,", "\"format\": 7,")),
        Err(HostFileError::Format(7))
    ));
}
