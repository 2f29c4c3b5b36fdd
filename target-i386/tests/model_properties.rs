//! Properties that hold of every model with any settings, under TCG and on a recorded host.

use proptest::prelude::*;
use target_i386::XsaveComponent;
use target_i386::config::{CpuConfig, Value};
use target_i386::cpu_string::CpuString;
use target_i386::cpuid::CpuidRegs;
use target_i386::expand::Expanded;
use target_i386::feature::{FeatureSet, FeatureWord, WORD_COUNT, WordSource, recognized_flags};
use target_i386::model::{AliasPolicy, Catalogue, ExpansionType, ModelExpansion};
use target_i386::source::{Accelerator, CpuidSource, HostCpuid, HostIdentity, Irqchip, Kvm, Tcg};
use target_i386::topology::{CpuTopology, Placement};

fn models() -> impl Strategy<Value = &'static str> {
    prop::sample::select(Catalogue::builtin().entries().iter().map(|e| e.name()).collect::<Vec<_>>())
}

fn names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(recognized_flags())
}

/// `,+name`, `,-name`, `,name=on` and `,name=off`.
fn features() -> impl Strategy<Value = String> {
    let one = (names(), 0u8..4).prop_map(|(name, form)| match form {
        0 => format!(",+{name}"),
        1 => format!(",-{name}"),
        2 => format!(",{name}=on"),
        _ => format!(",{name}=off"),
    });
    prop::collection::vec(one, 0..10).prop_map(|parts| parts.concat())
}

fn recorded() -> Kvm {
    let host = HostCpuid::from_json(include_str!("../hosts/sapphire-rapids.json")).expect("a host file");
    Kvm::new(host, Irqchip::Kernel)
}

/// TCG or the recorded host.
fn source(kvm: bool) -> Box<dyn CpuidSource> {
    if kvm { Box::new(recorded()) } else { Box::new(Tcg) }
}

fn config(text: &str, source: &dyn CpuidSource) -> CpuConfig {
    let text = CpuString::parse(text);
    let mut config = CpuConfig::new(Catalogue::builtin().find(&text.model).expect("a model"), source);
    text.apply(&mut config).expect("settings of features are valid");
    config
}

fn expand(text: &str, source: &dyn CpuidSource) -> Expanded {
    config(text, source).expand(&CpuTopology::single(), source).expect("names of features are valid")
}

fn any_words() -> impl Strategy<Value = FeatureSet> {
    prop::collection::vec(any::<u64>(), WORD_COUNT).prop_map(|bits| {
        let mut set = FeatureSet::EMPTY;
        for (word, bits) in FeatureWord::all().zip(bits) {
            set.set_word(word, bits);
        }
        set
    })
}

/// A host that lacks some of what another one has.
struct Less<'a> {
    whole: &'a dyn CpuidSource,
    kept: FeatureSet,
}

impl CpuidSource for Less<'_> {
    fn accelerator(&self) -> Accelerator {
        self.whole.accelerator()
    }

    fn supported(&self, word: FeatureWord) -> u64 {
        self.whole.supported(word) & self.kept.word(word)
    }

    fn supported_cpuid(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        self.whole.supported_cpuid(leaf, subleaf)
    }

    fn host_cpuid(&self, leaf: u32, subleaf: u32) -> CpuidRegs {
        self.whole.host_cpuid(leaf, subleaf)
    }

    fn host_identity(&self) -> Option<HostIdentity> {
        self.whole.host_identity()
    }

    fn xsave_components(&self) -> [XsaveComponent; target_i386::XSAVE_COMPONENTS] {
        self.whole.xsave_components()
    }

    fn hyperv_cpuid(&self, leaf: u32) -> Option<CpuidRegs> {
        self.whole.hyperv_cpuid(leaf)
    }

    fn irqchip(&self) -> Irqchip {
        self.whole.irqchip()
    }

    fn lmce(&self) -> bool {
        self.whole.lmce()
    }

    fn microcode_revision(&self) -> u64 {
        self.whole.microcode_revision()
    }
}

fn is_subset(small: &FeatureSet, large: &FeatureSet) -> bool {
    small.difference(large).is_empty()
}

/// The features that a property names, without those that only follow from others.
fn named(set: &FeatureSet) -> FeatureSet {
    let mut named = FeatureSet::EMPTY;
    for (word, bit) in set.iter().filter(|(word, bit)| word.bit_name(*bit).is_some()) {
        named.insert(word, 1 << bit);
    }
    named
}

fn static_expansion(model: &str, set: Vec<(String, Value)>, source: &dyn CpuidSource) -> ModelExpansion {
    let catalogue = Catalogue::builtin();
    let mut config = CpuConfig::new(catalogue.find(model).expect("a model"), source);
    for (name, value) in set {
        config.set(&name, value).expect("valid properties");
    }
    config.expansion(ExpansionType::Static, source).expect("an expansion")
}

/// Words whose leaf does not raise a level in QEMU, so that a CPU with them may not show them.
fn raises_no_level(word: FeatureWord) -> bool {
    use FeatureWord as W;
    matches!(
        word,
        // The leaf is raised for by another register of it, or by the feature that it belongs to.
        W::Leaf7Sub0Edx | W::Leaf80000007Ebx | W::Leaf80000021Ebx | W::Leaf80000021Ecx | W::Leaf14Sub0Ecx
            | W::Leaf12Sub0Eax | W::Leaf12Sub0Ebx | W::Leaf12Sub1Eax | W::Leaf24Sub0Ebx | W::Leaf24Sub1Ecx
            | W::Leaf29Sub0Ebx | W::Xcr0Low | W::Xcr0High | W::XssLow | W::XssHigh
            // Described only with a PMU, and with AMX.
            | W::Leaf80000022Eax | W::Leaf1ESub1Eax
            // The hypervisor's range has its own limit.
            | W::KvmFeatures | W::KvmHints
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn enabling_then_disabling_is_the_identity(
        model in models(), settings in features(), name in names(), kvm: bool,
    ) {
        let source = source(kvm);
        let mut config = config(&format!("{model}{settings}"), &*source);
        config.set(name, Value::Bool(false)).unwrap();
        let before = config.clone();
        config.set(name, Value::Bool(true)).unwrap();
        prop_assert_eq!(config.get(name), Some(Value::Bool(true)));
        config.set(name, Value::Bool(false)).unwrap();
        prop_assert_eq!(&config, &before);
        let there_and_back = expand(&format!("{model}{settings},{name}=on,{name}=off"), &*source);
        let off = expand(&format!("{model}{settings},{name}=off"), &*source);
        prop_assert_eq!(there_and_back, off);
    }

    #[test]
    fn filtering_is_idempotent(model in models(), settings in features(), kept in any_words(), kvm: bool) {
        let whole = source(kvm);
        let host = Less { whole: &*whole, kept };
        let mut once = expand(&format!("{model}{settings}"), &*whole);
        once.filter(&host, false);
        let mut twice = once.clone();
        twice.filter(&host, false);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn filtering_is_monotone_in_the_host(
        model in models(), settings in features(), kept in any_words(), more in any_words(), kvm: bool,
    ) {
        let whole = source(kvm);
        let (less, more) = (
            Less { whole: &*whole, kept },
            Less { whole: &*whole, kept: kept.union(&more) },
        );
        let expanded = expand(&format!("{model}{settings}"), &*whole);
        let (mut on_less, mut on_more) = (expanded.clone(), expanded.clone());
        on_less.filter(&less, false);
        on_more.filter(&more, false);
        prop_assert!(is_subset(&on_less.config.features, &on_more.config.features));
        prop_assert!(is_subset(&on_more.filtered, &on_less.filtered));
        prop_assert!(is_subset(&on_more.config.features, &expanded.config.features));
        // Nothing is lost without being reported.
        let lost = expanded.config.features.difference(&on_less.config.features);
        prop_assert!(is_subset(&lost, &on_less.filtered));
    }

    #[test]
    fn a_static_expansion_fed_back_gives_the_same_cpu(model in models(), settings in features(), kvm: bool) {
        let source = source(kvm);
        prop_assume!(model != "host" || kvm);
        let asked = config(&format!("{model}{settings}"), &*source);
        // The two go out together after what depends on APX was kept, and the next expansion takes that out: `DiamondRapids`
        // with `mpx=on`, fed back to QEMU 11.1, loses `apx-nci-ndd-nf` as it does here.
        let has = |name| target_i386::feature::find(name).is_some_and(|f| asked.features.has(f));
        prop_assume!(!(has("mpx") && has("apxf")));
        let set = asked.forced.iter().filter(|(_, on)| *on).chain(asked.forced.iter().filter(|(_, on)| !*on));
        let mut all: Vec<(String, Value)> = recognized_flags()
            .into_iter()
            .filter_map(|name| {
                let f = target_i386::feature::find(name)?;
                let user = asked.user_features.word(f.word) & f.mask != 0;
                user.then(|| (name.to_owned(), Value::Bool(asked.features.has(f))))
            })
            .collect();
        all.extend(set.map(|(name, on)| (name.clone(), Value::Bool(*on))));
        // Without a PMU, `base` keeps no PDCM, and a host that has one gives it to `max` and `host`.
        all.push(("pmu".to_owned(), Value::Bool(false)));
        let first = static_expansion(model, all, &*source);
        prop_assert_eq!(first.name, "base");
        // `base` has no vendor, which cannot be said.
        let said = first.props.iter().filter(|(_, value)| *value != Value::Str(String::new()));
        let props: Vec<_> = said.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let second = static_expansion("base", props.clone(), &*source);
        prop_assert_eq!(&second.props, &first.props);
        // And the guest finds the same features.
        let catalogue = Catalogue::builtin();
        let mut base = CpuConfig::new(catalogue.find("base").unwrap(), &*source);
        for (name, value) in props {
            base.set(&name, value).unwrap();
        }
        let mut original = asked;
        original.set("pmu", Value::Bool(false)).unwrap();
        let place = Placement::boot(CpuTopology::single());
        let realize = |config: &CpuConfig| config.realize(place, &*source, &mut Vec::new());
        if let (Ok(base), Ok(original)) = (realize(&base), realize(&original)) {
            prop_assert_eq!(named(&base.config.features), named(&original.config.features));
            // What lacked something that it depends on is gone already.
            prop_assert!(is_subset(&named(&base.filtered), &named(&original.filtered)));
            if model != "max" || kvm {
                // Under TCG `max` chooses its signature when it is realized, after expansion.
                prop_assert_eq!(base.config.signature, original.config.signature);
            }
            prop_assert_eq!(base.config.vendor, original.config.vendor);
            prop_assert_eq!(base.config.model_id_text(), original.config.model_id_text());
        }
    }

    /// Levels are those of the model, or the least that cover the leaves in use.
    #[test]
    fn levels_are_the_least_that_cover_the_leaves_in_use(
        model in models(), settings in features(), kvm: bool,
    ) {
        let source = source(kvm);
        let text = format!("{model}{settings}");
        let (before, after) = (config(&text, &*source), expand(&text, &*source).config);
        let has = |name: &str| after.features.test(name).unwrap();
        let mut used = vec![0u32];
        for word in FeatureWord::all().filter(|word| after.features.word(*word) != 0 && !raises_no_level(*word)) {
            let WordSource::Cpuid { leaf, .. } = word.def().source else { continue };
            used.push(leaf);
        }
        for (needed, leaf) in [
            (has("intel-pt"), 0x14),
            (has("avx10"), 0x24),
            (has("apxf"), 0x29),
            (has("sgx"), 0x12),
            (has("svm"), 0x8000_000a),
            (after.force_cpuid_0x1f && after.vendor.is_intel(), 0x1f),
        ] {
            if needed {
                used.push(leaf);
            }
        }
        for (range, level, min) in [
            (0, after.level, before.min_level),
            (8, after.xlevel, before.min_xlevel),
            (0xc, after.xlevel2, before.min_xlevel2),
        ] {
            let least = used.iter().copied().filter(|leaf| leaf >> 28 == range).max().unwrap_or(0);
            prop_assert_eq!(level, least.max(min), "{:x}", range);
        }
        let func7 = FeatureWord::all()
            .filter(|word| after.features.word(*word) != 0)
            .filter_map(|word| match word.def().source {
                WordSource::Cpuid { leaf: 7, subleaf, .. } => subleaf,
                _ => None,
            })
            .max();
        prop_assert_eq!(after.level_func7, func7.unwrap_or(0));
    }
}

/// A model reads the same however its version is named.
#[test]
fn aliases_are_what_they_stand_for() {
    let catalogue = Catalogue::builtin();
    let mut aliases = 0;
    for policy in [AliasPolicy::Version(1), AliasPolicy::Version(3), AliasPolicy::Latest] {
        for entry in catalogue.entries() {
            let entry = entry.clone().under(policy);
            let Some(target) = entry.alias_of() else { continue };
            aliases += 1;
            let mut alias = CpuConfig::new(&entry, &Tcg);
            let target = CpuConfig::new(catalogue.find(&target).unwrap(), &Tcg);
            assert_ne!(alias.model_name, target.model_name);
            alias.model_name = target.model_name;
            assert_eq!(alias, target);
        }
    }
    assert_eq!(aliases, 3 * 63);
}
