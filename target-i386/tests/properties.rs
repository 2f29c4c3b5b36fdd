//! Properties that hold of every CPU.

use proptest::prelude::*;
use raw_cpuid::{CpuIdReader, CpuIdResult, TopologyType};
use target_i386::config::CpuConfig;
use target_i386::cpu_string::CpuString;
use target_i386::cpuid::{CpuidRegs, CpuidTable, Leaf};
use target_i386::describe;
use target_i386::feature::{FeatureWord, recognized_flags};
use target_i386::model::Catalogue;
use target_i386::source::{HostCpuid, Irqchip, Kvm, Tcg};
use target_i386::topology::{CpuTopology, Level, Placement};

fn models() -> impl Strategy<Value = &'static str> {
    prop::sample::select(Catalogue::builtin().entries().iter().map(|e| e.name()).collect::<Vec<_>>())
}

fn settings() -> impl Strategy<Value = String> {
    let name = prop::sample::select(recognized_flags());
    let signed = (name.clone(), "[+-]").prop_map(|(name, sign)| format!(",{sign}{name}"));
    let assigned =
        (name, any::<bool>()).prop_map(|(n, on)| format!(",{n}={}", if on { "on" } else { "off" }));
    let number = (
        prop::sample::select(vec!["level", "xlevel", "xlevel2", "min-level", "level-func7", "phys-bits"]),
        any::<u32>(),
    )
        .prop_map(|(name, n)| format!(",{name}={n}"));
    let switch = prop::sample::select(vec![
        ",x-force-features=on",
        ",enforce",
        ",check=off",
        ",pmu=on",
        ",l3-cache=off",
        ",legacy-cache=on",
        ",x-consistent-cache=off",
        ",x-vendor-cpuid-only-v2=off",
        ",vendor=GenuineIntel",
        ",vendor=AuthenticAMD",
        ",x-force-cpuid-0x1f=on",
        ",cpuid-0xb=off",
        ",avx10-version=2",
        ",kvm=off",
        ",legacy-multi-node=on",
        ",tsc-freq=2G",
        ",lbr-fmt=5",
    ])
    .prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![4 => signed, 2 => assigned, 1 => number, 2 => switch], 0..12)
        .prop_map(|parts| parts.concat())
}

fn topologies() -> impl Strategy<Value = (CpuTopology, u32)> {
    (1u32..4, 1u32..3, 1u32..9, 1u32..4, any::<u32>())
        .prop_map(|(d, m, c, t, index)| (CpuTopology::new(d, m, c, t).expect("small counts fit"), index % 64))
}

fn placement(topology: CpuTopology, index: u32) -> Placement {
    Placement { topology, apic_id: topology.encode(topology.ids_of_index(index)).expect("small IDs fit") }
}

fn recorded() -> Kvm {
    let host = HostCpuid::from_json(include_str!("fixtures/kvm-host.json")).expect("a host file");
    Kvm::new(host, Irqchip::Split)
}

/// Lets an independent decoder read a table.
#[derive(Clone)]
struct Reader(CpuidTable);

impl CpuIdReader for Reader {
    fn cpuid2(&self, eax: u32, ecx: u32) -> CpuIdResult {
        let r = self.0.read_at_reset(eax, ecx);
        CpuIdResult { eax: r.eax, ebx: r.ebx, ecx: r.ecx, edx: r.edx }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "[a-zA-Z0-9,=+._-]{0,40}", topology in topologies()) {
        let _ = describe(&text, placement(topology.0, topology.1), &Tcg);
    }

    #[test]
    fn any_model_with_any_settings_is_answered(model in models(), settings in settings(), topology in topologies()) {
        let text = format!("{model}{settings}");
        let place = placement(topology.0, topology.1);
        let kvm = recorded();
        for cpu in [describe(&text, place, &Tcg), describe(&text, place, &kvm)].into_iter().flatten() {
            // No leaf is above its limit, sub-leaves run from 0 without gaps.
            for (leaf, content) in cpu.cpu.table.leaves() {
                prop_assert!(leaf <= cpu.cpu.table.limits().of(leaf));
                if let Leaf::Indexed(subleaves) = content {
                    prop_assert!(subleaves.iter().map(|(i, _)| i).eq(0..u32::try_from(subleaves.iter().count()).unwrap()));
                }
            }
            // Without force, the guest has nothing that the accelerator lacks.
            if !cpu.cpu.config.force_features {
                for word in FeatureWord::all() {
                    let missing = cpu.cpu.filtered.word(word) & cpu.cpu.config.features.word(word);
                    let repeated = if word == FeatureWord::Leaf80000001Edx { target_i386::feature::AMD_SHARED } else { 0 };
                    prop_assert_eq!(missing & !repeated, 0, "{}", word);
                }
            }
        }
    }

    #[test]
    fn filtering_again_changes_nothing(model in models(), settings in settings()) {
        let text = CpuString::parse(&format!("{model}{settings}"));
        let catalogue = Catalogue::builtin();
        let mut config = CpuConfig::new(catalogue.find(&text.model).unwrap(), &Tcg);
        prop_assume!(text.apply(&mut config).is_ok());
        let Ok(mut once) = config.expand(&CpuTopology::single(), &Tcg) else { return Ok(()) };
        once.filter(&Tcg, false);
        let mut twice = once.clone();
        twice.filter(&Tcg, false);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn reading_any_leaf(model in models(), leaf: u32, subleaf: u32) {
        if let Ok(cpu) = describe(model, Placement::boot(CpuTopology::single()), &Tcg) {
            let table = &cpu.cpu.table;
            let regs = table.read_at_reset(leaf, subleaf);
            if leaf > table.limits().of(leaf) {
                prop_assert_eq!(regs, table.read_at_reset(table.limits().basic, subleaf));
            }
            if table.leaves().all(|(known, _)| known != leaf) && leaf <= table.limits().of(leaf) {
                prop_assert_eq!(regs, CpuidRegs::ZERO);
            }
        }
    }

    /// The independent decoder finds the topology that went in.
    #[test]
    fn decoder_agrees_on_topology(topology in topologies()) {
        let (topology, index) = topology;
        let place = placement(topology, index);
        for model in ["Haswell", "EPYC", "max"] {
            let cpu = describe(model, place, &Tcg).unwrap().cpu;
            let decoded = raw_cpuid::CpuId::with_cpuid_reader(Reader(cpu.table.clone()));
            let vendor = decoded.get_vendor_info().unwrap();
            prop_assert_eq!(vendor.as_str(), cpu.config.vendor.to_string());
            let info = decoded.get_feature_info().unwrap();
            prop_assert_eq!(u32::from(info.initial_local_apic_id()), place.apic_id.0 & 0xff);
            prop_assert_eq!(u32::from(info.family_id()), cpu.config.signature.family());
            prop_assert_eq!(u32::from(info.model_id()), cpu.config.signature.model());
            let levels: Vec<_> = decoded.get_extended_topology_info().unwrap().collect();
            prop_assert_eq!(levels.len(), 2);
            prop_assert_eq!(levels[0].level_type(), TopologyType::SMT);
            prop_assert_eq!(levels[0].shift_right_for_next_apic_id(), topology.offset(Level::Core));
            prop_assert_eq!(u32::from(levels[0].processors()), topology.threads_per_core());
            prop_assert_eq!(levels[1].level_type(), TopologyType::Core);
            prop_assert_eq!(levels[1].shift_right_for_next_apic_id(), topology.offset(Level::Socket));
            prop_assert_eq!(u32::from(levels[1].processors()), topology.threads_per(Level::Socket));
            prop_assert!(levels.iter().all(|l| l.x2apic_id() == place.apic_id.0));
            if let Some(caches) = decoded.get_cache_parameters() {
                for cache in caches {
                    let of = if cache.level() == 3 { Level::Die } else { Level::Core };
                    let cores = 1 << (topology.offset(Level::Socket) - topology.offset(Level::Core));
                    prop_assert_eq!(cache.max_cores_for_cache(), 1 << topology.offset(of));
                    // AMD's leaf 8000_001Dh has no such field.
                    if !cpu.config.vendor.is_amd() {
                        prop_assert_eq!(cache.max_cores_for_package(), cores);
                    }
                }
            }
        }
    }
}
