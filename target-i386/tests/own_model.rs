//! A model of somebody else's crate: derived, registered at link time, and as good as the built-in ones.

use qom::{Bootstrap, Device, Instance, LookupError, Obj};
use target_i386::config::PlaceIds;
use target_i386::cpu::{X86Cpu, apply_cpu_option, cpu_class_by_name, cpu_models};
use target_i386::model::{BUILTIN, Catalogue, CpuModel, ModelVersion};
use target_i386::topology::{CpuTopology, Placement};
use target_i386::{Signature, Vendor};

const COMMON: &[&str] = &["fpu", "tsc", "cx8"];

#[derive(CpuModel)]
#[cpu_model(name = "Example", vendor = Vendor::INTEL, signature(6, 143, 4), levels(0xd, 0x8000_0008))]
#[cpu_model(model_id = "Example 1", features("avx", COMMON, "lm"), deprecated = "an example")]
#[version(2, alias = "Example-NX", note = "NX", on("nx"), off("avx"), stepping(5), model_id("Example 2"))]
#[version(3, min_level(0x10), off("tsc", "lm"), on("avx"))]
struct Example;

#[test]
fn the_derive_writes_what_the_builder_would() {
    let def = Example::DEF;
    assert_eq!(
        (def.name, def.vendor, def.family, def.model, def.stepping),
        ("Example", Vendor::INTEL, 6, 143, 4)
    );
    assert_eq!((def.level, def.xlevel, def.model_id), (0xd, 0x8000_0008, "Example 1"));
    assert_eq!(def.deprecation_note, Some("an example"));
    for (feature, has) in [("avx", true), ("fpu", true), ("cx8", true), ("lm", true), ("nx", false)] {
        assert_eq!(def.features.test(feature), Ok(has), "{feature}");
    }
    let numbers: Vec<_> = def.versions.iter().map(|version: &ModelVersion| version.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!((def.versions[1].alias, def.versions[1].note), (Some("Example-NX"), Some("NX")));
    assert_eq!(def.versions[1].changes.len(), 4);
    assert_eq!(def.versions[2].changes.len(), 4);
}

#[test]
fn it_is_a_type_among_the_others() {
    let types = Bootstrap::from_link_time().unwrap();
    assert!(matches!(types.class("Example-x86_64-cpu"), Err(LookupError::TooEarly { .. })));
    let accel = types.create("tcg-accel").unwrap();
    let qom = types.accel_ready(accel).unwrap().seal().unwrap();
    for name in Catalogue::names_of(const { &Example::DEF }) {
        assert!(cpu_class_by_name(&qom, name).unwrap().is_a(X86Cpu::TYPE_NAME), "{name}");
    }
    assert_eq!(
        cpu_models(&qom).unwrap().catalogue().entries().len(),
        // Those of this crate's catalogue under TCG, and one more with three versions and an alias.
        Catalogue::with_models(BUILTIN.iter().copied()).unwrap().without_host().entries().len() + 5
    );
    let option = apply_cpu_option(&qom, "Example-NX,+pae").unwrap();
    let cpu = Obj::<X86Cpu>::new(qom.create(option.class.name()).unwrap()).unwrap();
    let place = PlaceIds { socket: 0, die: 0, module: 0, core: 0, thread: 0, node: -1 };
    cpu.set_placement(Placement::boot(CpuTopology::single()), place);
    Device::realize(&cpu.cast().unwrap()).unwrap();
    let realized = cpu.realized().unwrap();
    assert_eq!(realized.config.signature, Signature::new(6, 143, 5));
    assert_eq!(realized.config.model_id_text(), "Example 2");
    for (feature, has) in [("nx", true), ("avx", false), ("pae", true), ("lm", true)] {
        assert_eq!(realized.config.features.test(feature), Ok(has), "{feature}");
    }
}
