//! Hyper-V enlightenments against QEMU 11.1.2 on a KVM that has them: messages, properties, and the
//! leaves from 4000_0000h as a guest read them (`fixtures/kvm-hyperv.json`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use target_i386::config::CpuConfig;
use target_i386::cpu_string::CpuString;
use target_i386::model::Catalogue;
use target_i386::realize::RealizedCpu;
use target_i386::source::{CpuidSource, HostCpuid, Irqchip, Kvm, Tcg};
use target_i386::topology::{CpuTopology, Placement};

#[derive(Deserialize)]
struct Case {
    messages: Vec<String>,
    properties: Option<BTreeMap<String, Json>>,
    leaves: Option<Vec<[u32; 5]>>,
}

fn cases() -> BTreeMap<String, Case> {
    serde_json::from_str(include_str!("fixtures/kvm-hyperv.json")).expect("a fixture")
}

fn recorded() -> Kvm {
    let host = HostCpuid::from_json(include_str!("../hosts/emulated-epyc-svm.json")).expect("a host file");
    Kvm::new(host, Irqchip::Kernel)
}

fn realize(text: &str, source: &dyn CpuidSource) -> (Vec<String>, Option<RealizedCpu>) {
    let text = CpuString::parse(text);
    let catalogue = Catalogue::builtin();
    let mut config = CpuConfig::new(catalogue.find(&text.model).expect("a model"), source);
    text.apply(&mut config).expect("settings");
    let mut warnings = Vec::new();
    let outcome = config.realize(Placement::boot(CpuTopology::single()), source, &mut warnings);
    let mut said: Vec<_> = warnings.iter().map(|w| format!("warning: {w}")).collect();
    said.extend(outcome.as_ref().err().map(ToString::to_string));
    (said, outcome.ok())
}

#[test]
fn messages_properties_and_leaves_are_the_same() {
    let source = recorded();
    let cases = cases();
    assert!(cases.len() > 35);
    for (text, case) in &cases {
        let (said, cpu) = realize(text, &source);
        assert_eq!(&said, &case.messages, "{text}");
        let Some(properties) = &case.properties else {
            assert!(cpu.is_none(), "{text}");
            continue;
        };
        let cpu = cpu.expect("no error");
        for (name, value) in properties {
            assert_eq!(cpu.config.get(name).map(Json::from).as_ref(), Some(value), "{text}: {name}");
        }
        let ours: Vec<_> = cpu
            .table
            .rows()
            .filter(|(leaf, _, regs)| leaf >> 16 == 0x4000 && *regs != target_i386::cpuid::CpuidRegs::ZERO)
            .map(|(leaf, _, r)| [leaf, r.eax, r.ebx, r.ecx, r.edx])
            .collect();
        assert_eq!(Some(&ours), case.leaves.as_ref(), "{text}");
    }
}

/// As the reference: accepted, readable, without effect; the vendor gets its default and its warning.
#[test]
fn other_accelerators_show_nothing() {
    for text in cases().keys().filter(|text| !text.starts_with("host")) {
        let (said, cpu) = realize(text, &Tcg);
        let cpu = cpu.expect("no error");
        assert!(said.iter().all(|m| m == "warning: hv-vendor-id truncated to 12 characters"), "{said:?}");
        assert_eq!(cpu.table.stored(0x4000_0000, 0).ebx, u32::from_le_bytes(*b"TCGT"), "{text}");
        assert_eq!(cpu.table.limits().hypervisor, 0x4000_0001);
    }
}

#[test]
fn a_kvm_without_hyperv_shows_nothing() {
    let mut host = recorded().host().clone();
    host.hyperv = None;
    let source = Kvm::new(host, Irqchip::Kernel);
    for (text, case) in cases().iter().filter(|(text, _)| !text.contains("kvm=off")) {
        let (_, cpu) = realize(text, &source);
        let cpu = cpu.unwrap_or_else(|| panic!("{text}: {:?}", case.messages));
        assert_eq!(cpu.table.stored(0x4000_0000, 0).ebx, u32::from_le_bytes(*b"KVMK"), "{text}");
    }
}
