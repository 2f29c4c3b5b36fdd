use super::*;
use proptest::prelude::*;

#[test]
fn places_read_as_in_messages() {
    assert_eq!(FeatureWord::Leaf7Sub0Ebx.to_string(), "CPUID[eax=07h,ecx=00h].EBX");
    assert_eq!(FeatureWord::Leaf80000001Ecx.to_string(), "CPUID[eax=80000001h].ECX");
    assert_eq!(FeatureWord::CoreCapability.to_string(), "MSR(CFh)");
}

#[test]
fn known_positions() {
    // Intel SDM volume 2A, table 3-8 and following.
    for (name, word, bit) in [
        ("avx", FeatureWord::Leaf1Ecx, 28),
        ("sse2", FeatureWord::Leaf1Edx, 26),
        ("avx512f", FeatureWord::Leaf7Sub0Ebx, 16),
        ("lm", FeatureWord::Leaf80000001Edx, 29),
        ("its-no", FeatureWord::ArchCapabilities, 62),
        ("vmx-true-ctls", FeatureWord::VmxBasic, 55),
    ] {
        let f = find(name).unwrap();
        assert_eq!((f.word, f.mask), (word, 1 << bit), "{name}");
    }
    assert_eq!(find("kvmclock").unwrap().mask, 0b1001);
    assert_eq!(find("vmx-invept-single-context").unwrap().mask, 1 << 25 | 1 << 41);
}

#[test]
fn other_spellings() {
    for (spelling, name) in ALIASES {
        assert_eq!(find(spelling), find(name), "{spelling}");
        assert!(find(name).is_some(), "{name}");
    }
    assert_eq!(find("avx512_bf16"), None);
    assert_eq!(find("vmx-ept-wb"), None, "a hidden bit has no property");
}

#[test]
fn shared_bits_of_amd() {
    // AMD APM volume 3, appendix E: CPUID Fn8000_0001_EDX repeats these.
    assert_eq!(AMD_SHARED, 0x0183_f3ff);
}

#[test]
fn dependencies_refer_to_other_bits() {
    for dep in DEPENDENCIES {
        assert!(dep.needs.word != dep.word || dep.needs.mask & dep.mask == 0, "{dep:?}");
    }
}

fn any_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(recognized_flags())
}

proptest! {
    #[test]
    fn enable_then_disable_is_identity(words in prop::collection::vec(any::<u64>(), WORD_COUNT), name in any_name()) {
        let mut set = FeatureSet::EMPTY;
        for (word, bits) in FeatureWord::all().zip(words) {
            set.set_word(word, bits);
        }
        set.assign_name(name, false).unwrap();
        let before = set;
        set.assign_name(name, true).unwrap();
        prop_assert!(set.test(name).unwrap());
        set.assign_name(name, false).unwrap();
        prop_assert_eq!(set, before);
    }

    #[test]
    fn iteration_visits_exactly_the_set_bits(words in prop::collection::vec(any::<u64>(), WORD_COUNT)) {
        let mut set = FeatureSet::EMPTY;
        for (word, bits) in FeatureWord::all().zip(words) {
            set.set_word(word, bits);
        }
        let mut again = FeatureSet::EMPTY;
        for (word, bit) in &set {
            prop_assert_eq!(again.word(word) & 1 << bit, 0);
            again.insert(word, 1 << bit);
        }
        prop_assert_eq!(again, set);
    }

    #[test]
    fn any_text_may_be_looked_up(name in ".{0,24}") {
        let mut set = FeatureSet::EMPTY;
        let known = find(&name).is_some();
        prop_assert_eq!(set.assign_name(&name, true).is_ok(), known);
    }
}
