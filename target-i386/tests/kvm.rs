//! KVM: a recorded host against what QEMU 11.1.2 said on it, and tables against this machine's KVM.

use std::collections::BTreeMap;

use kvm_ioctls::Kvm as Device;
use serde_json::Value as Json;
use target_i386::config::CpuConfig;
use target_i386::cpu_string::CpuString;
use target_i386::feature::{FeatureSet, FeatureWord, WordSource};
use target_i386::model::{AliasPolicy, Catalogue};
use target_i386::realize::RealizedCpu;
use target_i386::source::{HostCpuid, Irqchip, Kvm};
use target_i386::topology::{ApicId, CpuTopology, Placement};

fn recorded() -> Kvm {
    let host = HostCpuid::from_json(include_str!("fixtures/kvm-host.json")).expect("a host file");
    Kvm::new(host, Irqchip::Kernel)
}

fn answers() -> Json {
    serde_json::from_str(include_str!("fixtures/kvm-host-answers.json")).expect("fixtures are JSON")
}

fn elsewhere(name: &str) -> bool {
    name == "start-powered-off"
}

#[test]
fn expansion_gives_the_same_properties() {
    let (source, answers, catalogue) = (recorded(), answers(), Catalogue::builtin());
    let base = answers["base"]["expansion"].as_object().unwrap().clone();
    for (model, answer) in answers.as_object().unwrap() {
        let Some(delta) = answer.get("expansion").and_then(Json::as_object) else { continue };
        let config = CpuConfig::new(catalogue.find(model).unwrap(), &source);
        let expanded = config.expand(&CpuTopology::single(), &source).unwrap().config;
        let mut expected = base.clone();
        expected.extend(delta.clone());
        for (name, value) in expected.iter().filter(|(name, _)| !elsewhere(name)) {
            assert_eq!(expanded.get(name).map(Json::from).as_ref(), Some(value), "{model}: {name}");
        }
    }
}

fn realize(text: &str, source: &Kvm) -> (Vec<String>, Option<RealizedCpu>) {
    let text = CpuString::parse(text);
    let catalogue = Catalogue::builtin();
    let mut config = CpuConfig::new(catalogue.find(&text.model).expect("a model"), source);
    text.apply(&mut config).expect("settings");
    let mut warnings = Vec::new();
    let outcome = config.realize(Placement::boot(CpuTopology::single()), source, &mut warnings);
    let mut said: Vec<_> = warnings.iter().map(|w| format!("warning: {w}")).collect();
    match outcome {
        Ok(cpu) => (said, Some(cpu)),
        Err(error) => {
            said.push(error.to_string());
            (said, None)
        }
    }
}

fn words(set: &FeatureSet) -> Json {
    FeatureWord::all()
        .filter_map(|word| match word.def().source {
            WordSource::Cpuid { leaf, subleaf, register } => {
                Some(serde_json::json!([leaf, subleaf, register.to_string(), set.word(word)]))
            }
            WordSource::Msr { .. } => None,
        })
        .collect()
}

#[test]
fn realization_gives_the_same_words_and_messages() {
    let (source, answers) = (recorded(), answers());
    let mut seen = 0;
    for (name, answer) in answers.as_object().unwrap() {
        let Some(text) = name.strip_prefix("cpu:") else { continue };
        let (said, cpu) = realize(text, &source);
        assert_eq!(serde_json::json!(said), answer["messages"], "{text}");
        let Some(qom) = answer.get("qom") else { continue };
        let cpu = cpu.unwrap();
        assert_eq!(words(&cpu.config.features), qom["feature-words"], "{text}");
        assert_eq!(words(&cpu.filtered), qom["filtered-features"], "{text}");
        assert_eq!(serde_json::json!(cpu.unavailable_features()), qom["unavailable-features"], "{text}");
        for property in ["phys-bits", "guest-phys-bits", "vendor", "level", "xlevel", "ucode-rev"] {
            assert_eq!(
                cpu.config.get(property).map(Json::from).as_ref(),
                Some(&qom[property]),
                "{text}: {property}"
            );
        }
        seen += 1;
    }
    assert!(seen >= 14, "{seen}");
}

/// Address widths that are too small, and `lmce`, on a KVM without it whose addresses have 48 bits. That a vCPU could not
/// be made is told once here.
#[test]
fn refusals_are_the_same() {
    let expected: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("fixtures/kvm-messages.json")).unwrap();
    assert_eq!(expected.len(), 8);
    for (text, mut messages) in expected {
        messages.retain(|line| !line.starts_with("kvm_init_vcpu: "));
        assert_eq!(realize(&text, &recorded()).0, messages, "{text}");
    }
}

fn definitions(source: &Kvm) -> BTreeMap<String, Vec<String>> {
    Catalogue::builtin()
        .definitions(AliasPolicy::default(), source)
        .into_iter()
        .map(|d| (d.name, d.unavailable_features.into_iter().map(ToString::to_string).collect()))
        .collect()
}

/// Of the models that the fixture tells of.
#[test]
fn definitions_are_the_same() {
    let expected: BTreeMap<String, Vec<String>> =
        serde_json::from_value(answers()["definitions"].clone()).unwrap();
    assert_eq!(expected.len(), 22);
    let mut ours = definitions(&recorded());
    ours.retain(|name, _| expected.contains_key(name));
    assert_eq!(ours, expected);
}

/// On a later host, of all models.
#[test]
fn definitions_of_all_models_are_the_same() {
    let host = HostCpuid::from_json(include_str!("fixtures/kvm-definitions-host.json")).expect("a host file");
    let expected: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("fixtures/kvm-definitions.json")).unwrap();
    assert_eq!(expected.len(), 189);
    let ours = definitions(&Kvm::new(host, Irqchip::Kernel));
    for (name, unavailable) in &expected {
        assert_eq!(ours.get(name), Some(unavailable), "{name}");
    }
    assert!(ours.keys().eq(expected.keys()));
}

#[test]
fn entries_for_kvm() {
    let source = recorded();
    let (_, cpu) = realize("host,-xsave", &source);
    let cpu = cpu.unwrap();
    let entries = cpu.table.to_kvm().unwrap();
    let find = |leaf, index| entries.as_slice().iter().find(|e| e.function == leaf && e.index == index);
    // The paravirtual interface, by its signature (kernel documentation, virt/kvm/x86/cpuid).
    let signature = find(0x4000_0000, 0).unwrap();
    assert_eq!((signature.ebx, signature.ecx, signature.edx), (0x4b4d_564b, 0x564b_4d56, 0x4d));
    assert_eq!(
        u64::from(find(0x4000_0001, 0).unwrap().eax),
        cpu.config.features.word(FeatureWord::KvmFeatures)
    );
    // A leaf with sub-leaves says so even when it is empty; others are left out then.
    assert_eq!(find(0xd, 0).unwrap().flags, 1);
    assert_eq!(find(0xd, 1), None);
    assert_eq!(find(3, 0), None);
    assert_eq!(find(1, 0).unwrap().flags, 0);
    let order: Vec<_> = entries.as_slice().iter().map(|e| (e.function, e.index)).collect();
    assert!(order.is_sorted());
}

/// What the reference gave to `KVM_SET_CPUID2` for the same settings, seen by a debugger: empty sub-leaves that leaf 7
/// counts are there, as some KVMs change entries that they are given.
#[test]
fn leaf_7_has_an_entry_for_each_sub_leaf_that_it_counts() {
    for (text, expected) in [
        ("qemu64,check=off", vec![(0, 0)]),
        ("qemu64,check=off,level-func7=1", vec![(0, 1), (1, 0)]),
        ("qemu64,check=off,level-func7=2", vec![(0, 2), (1, 0), (2, 0)]),
    ] {
        let entries = realize(text, &recorded()).1.unwrap().table.to_kvm().unwrap();
        let listed: Vec<_> =
            entries.as_slice().iter().filter(|e| e.function == 7).map(|e| (e.index, e.eax)).collect();
        assert_eq!(listed, expected, "{text}");
    }
}

/// Needs `/dev/kvm`; passes without it.
#[test]
fn this_machines_kvm_takes_the_tables() {
    let Ok(device) = Device::new() else { return };
    let host = HostCpuid::record(&device).unwrap();
    let again = HostCpuid::from_json(&host.to_json().unwrap()).unwrap();
    assert_eq!(again, host);
    let source = Kvm::new(host, Irqchip::Kernel);
    let vm = device.create_vm().unwrap();
    vm.create_irq_chip().unwrap();
    let vcpu = vm.create_vcpu(0).unwrap();
    for model in ["host", "max", "qemu64", "Haswell", "EPYC"] {
        let (_, cpu) = realize(model, &source);
        let cpu = cpu.unwrap();
        assert_eq!(cpu.placement.apic_id, ApicId(0));
        vcpu.set_cpuid2(&cpu.table.to_kvm().unwrap()).unwrap();
        let got = vcpu.get_cpuid2(256).unwrap();
        let vendor = got.as_slice().iter().find(|e| e.function == 0).unwrap();
        assert_eq!((vendor.ebx, vendor.edx, vendor.ecx), cpu.config.vendor.registers(), "{model}");
    }
}
