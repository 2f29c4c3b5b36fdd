//! CPUs as objects: phases, classes, properties, and the same result as the pure pipeline.
//!
//! Texts and lists are those of QEMU 11.1.2, from the fixtures or, where a test quotes them, from
//! `qemu-system-x86_64 -accel tcg` with the same `-cpu`, `qom-get` or `device_add`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use qom::derive::Object;
use qom::{
    AccelReady, Bootstrap, CreateError, Device, Error, GlobalProperty, Input, Instance, LookupError, Obj,
    Origin, Qom, RegistryError, Site,
};
use serde_json::{Value as Json, json};
use target_i386::config::PlaceIds;
use target_i386::cpu::{
    self, Accel, CpuClassError, CpuModelRegistration, CpuOptionError, SharedSource, X86_CPU_TYPE, X86Accel,
    X86Cpu, apply_cpu_option, cpu_class_by_name, cpu_models, register_models,
};
use target_i386::model::intel::Haswell;
use target_i386::model::{AliasPolicy, CpuModel, CpuModelDef, ModelVersion};
use target_i386::source::{CpuidSource, HostCpuid, Irqchip, Kvm, Tcg};
use target_i386::topology::{ApicId, CpuTopology, Placement};
use target_i386::{Vendor, describe};

/// An accelerator that says what a recorded host said to KVM.
#[derive(Debug, Object)]
#[object(name = "recorded-kvm-accel", interfaces(dyn X86Accel))]
struct RecordedKvm {
    parent: Accel,
}

fn recorded() -> Kvm {
    let host = HostCpuid::from_json(include_str!("fixtures/kvm-host.json")).expect("a host file");
    Kvm::new(host, Irqchip::Kernel)
}

impl X86Accel for RecordedKvm {
    fn source(&self) -> SharedSource {
        Arc::new(recorded())
    }
}

fn bootstrap() -> Bootstrap {
    let mut types = Bootstrap::from_link_time().expect("types are linked in");
    types.register(RecordedKvm::type_info()).expect("a new name");
    types
}

fn ready(accel: &str) -> AccelReady {
    let types = bootstrap();
    let accel = types.create(accel).expect("an accelerator");
    types.accel_ready(accel).expect("models")
}

fn sealed(accel: &str) -> Arc<Qom> {
    ready(accel).seal().expect("sound types")
}

/// A system whose warnings are kept.
fn listening(accel: &str) -> (Arc<Qom>, Arc<Mutex<Vec<String>>>) {
    let qom = sealed(accel);
    let said = Arc::new(Mutex::new(Vec::new()));
    let sink = said.clone();
    let models = cpu_models(&qom).expect("models");
    models.set_warning_sink(Arc::new(move |text| {
        sink.lock().expect("no panic").push(format!("warning: {text}"));
    }));
    (qom, said)
}

const NOWHERE: PlaceIds = PlaceIds { socket: -1, die: -1, module: -1, core: -1, thread: -1, node: -1 };

fn create(qom: &Qom, model: &str) -> Result<Obj<X86Cpu>, CreateError> {
    let class = cpu_class_by_name(qom, model).expect("a model");
    Ok(Obj::new(qom.create(class.name())?).expect("an x86 CPU"))
}

fn realize(cpu: &Obj<X86Cpu>, placement: Placement) -> Result<(), Error> {
    cpu.set_placement(placement, NOWHERE);
    Device::realize(&cpu.cast().expect("a device"))
}

fn boot() -> Placement {
    Placement::boot(CpuTopology::single())
}

fn vendor(cpu: &Obj<X86Cpu>) -> Json {
    cpu.as_object().get("vendor").expect("a vendor")
}

#[test]
fn host_exists_exactly_under_kvm() {
    let (tcg, qtest, kvm) = (sealed("tcg-accel"), sealed("qtest-accel"), sealed("recorded-kvm-accel"));
    assert!(tcg.class("host-x86_64-cpu").is_err() && qtest.class("host-x86_64-cpu").is_err());
    let class = cpu_class_by_name(&kvm, "host").unwrap();
    assert!(class.is_a("max-x86_64-cpu") && class.is_a(X86_CPU_TYPE) && class.is_a("cpu"));
    // As the reference says it of `-accel tcg -cpu host`.
    assert_eq!(
        cpu_class_by_name(&tcg, "host").unwrap_err().to_string(),
        "CPU model 'host' requires KVM or HVF"
    );
    assert_eq!(
        cpu_class_by_name(&tcg, "Hoswell").unwrap_err().to_string(),
        "unable to find CPU model 'Hoswell'"
    );
    // All three still live, with their own models.
    assert_eq!(
        tcg.type_names(Some(X86_CPU_TYPE), false).len() + 1,
        kvm.type_names(Some(X86_CPU_TYPE), false).len()
    );
}

#[test]
fn vendor_is_the_hosts_under_kvm_and_the_users_anywhere() {
    let host = recorded().host_identity().unwrap().vendor;
    for model in ["Haswell", "EPYC", "qemu64", "max"] {
        let built_in = if model == "Haswell" { Vendor::INTEL } else { Vendor::AMD };
        let user = "CentaurHauls";
        for (accel, expected) in [("tcg-accel", built_in), ("recorded-kvm-accel", host)] {
            let qom = sealed(accel);
            assert_eq!(vendor(&create(&qom, model).unwrap()), expected.to_string(), "{model} {accel}");
            apply_cpu_option(&qom, &format!("{model},vendor={user}")).unwrap();
            let cpu = create(&qom, model).unwrap();
            assert_eq!(vendor(&cpu), user, "{model} {accel}");
            realize(&cpu, boot()).unwrap();
            assert_eq!(cpu.realized().unwrap().config.vendor.to_string(), user);
        }
    }
}

#[test]
fn a_class_looked_up_too_early_is_an_error_that_says_so() {
    let types = bootstrap();
    let error = types.class("Haswell-x86_64-cpu").unwrap_err();
    assert!(matches!(&error, LookupError::TooEarly { hook: "x86-cpu-models", .. }), "{error}");
    assert!(error.to_string().contains("too early"), "{error}");
    assert!(matches!(types.create("max-x86_64-cpu"), Err(CreateError::Lookup(LookupError::TooEarly { .. }))));
    assert!(matches!(types.class("Haswell"), Err(LookupError::Unknown { .. })));
}

/// A model by hand, as a derived one would be registered for good.
static ANOTHER_HASWELL: CpuModelDef = CpuModelDef::new("Another", Vendor::INTEL)
    .versions(&[ModelVersion::new(1), ModelVersion::new(2).alias("Haswell-noTSX")]);

#[test]
fn two_models_of_one_name_name_both_crates() {
    let site = |krate| Site { krate, file: "src/lib.rs", line: 7 };
    let models = [
        CpuModelRegistration { def: &Haswell::DEF, site: site("one-crate") },
        CpuModelRegistration { def: &ANOTHER_HASWELL, site: site("another-crate") },
    ];
    let mut types = Bootstrap::empty();
    for info in cpu::types() {
        types.register(info).unwrap();
    }
    let accel = types.create("tcg-accel").unwrap();
    let mut ready = types.accel_ready(accel).unwrap();
    let error = register_models(&mut ready, &models).unwrap_err();
    assert!(matches!(&error, RegistryError::Duplicate { .. }), "{error}");
    let text = error.to_string();
    for part in ["'Haswell-noTSX-x86_64-cpu'", "'one-crate'", "'another-crate'"] {
        assert!(text.contains(part), "{text}");
    }
    // One of them alone is fine, in a registry that was filled by hand.
    register_models(&mut ready, &models[1..]).unwrap();
    let qom = ready.seal().unwrap();
    assert_eq!(cpu_class_by_name(&qom, "Haswell-noTSX").unwrap().name(), "Haswell-noTSX-x86_64-cpu");
    assert!(cpu_class_by_name(&qom, "Haswell").is_err());
}

#[test]
fn every_model_is_registered_at_link_time() {
    let qom = sealed("tcg-accel");
    let ours: BTreeSet<_> = qom.type_names(Some(X86_CPU_TYPE), false).into_iter().collect();
    let fixture: Json = serde_json::from_str(include_str!("fixtures/cpu-definitions-tcg.json")).unwrap();
    let theirs: BTreeSet<_> = fixture["none"]
        .as_array()
        .unwrap()
        .iter()
        .map(|definition| definition["typename"].as_str().unwrap())
        .filter(|name| *name != "host-x86_64-cpu")
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn lists_of_models_are_the_same() {
    let qom = sealed("tcg-accel");
    let models = cpu_models(&qom).unwrap();
    // The reference lists `host` whatever the accelerator; here it is listed where its class is.
    let theirs = include_str!("fixtures/cpu-help.txt");
    let without_host: String =
        theirs.split_inclusive('\n').filter(|line| !line.starts_with("  host ")).collect();
    assert_ne!(without_host, theirs);
    assert_eq!(models.help(), without_host);
    let fixture: Json = serde_json::from_str(include_str!("fixtures/cpu-definitions-tcg.json")).unwrap();
    let mut names: BTreeSet<_> =
        models.definitions(&qom).into_iter().map(|definition| definition.name).collect();
    assert!(names.insert("host".to_owned()), "host is listed under tcg");
    let theirs = fixture["none"].as_array().unwrap().iter().map(|definition| &definition["name"]);
    assert_eq!(names, theirs.map(|name| name.as_str().unwrap().to_owned()).collect());
}

#[test]
fn a_refused_option_changes_nothing() {
    let (qom, said) = listening("tcg-accel");
    for text in ["", "Hoswell,+avx", "base,+avx,family=7,tsc-freq=foo", "host,+avx,avx=off"] {
        assert!(apply_cpu_option(&qom, text).is_err(), "{text}");
    }
    assert!(qom.globals().is_empty() && cpu_models(&qom).unwrap().forced().is_empty());
    assert!(said.lock().unwrap().is_empty());
    // A system without x86 models has none to offer.
    let types = Bootstrap::empty();
    let accel = types.create("container").unwrap();
    let bare = types.accel_ready(accel).unwrap().seal().unwrap();
    assert!(cpu_models(&bare).is_none());
    assert!(matches!(apply_cpu_option(&bare, "host"), Err(CpuOptionError::Class(CpuClassError::Unknown(_)))));
}

#[test]
fn an_accelerator_for_something_else_is_refused() {
    let types = bootstrap();
    let accel = types.create("container").unwrap();
    let error = types.accel_ready(accel).unwrap_err().to_string();
    assert!(error.contains("x86-cpu-models") && error.contains("'container'"), "{error}");
}

/// What `device-list-properties` leaves out: what all objects and devices have.
fn of_any_device(name: &str) -> bool {
    matches!(name, "type" | "realized" | "hotplugged" | "hotpluggable" | "parent_bus")
}

/// What is not there yet.
fn missing(name: &str) -> bool {
    name == "memory"
}

#[test]
fn classes_list_the_same_properties() {
    let fixture: Json = serde_json::from_str(include_str!("fixtures/cpu-properties.json")).unwrap();
    let qom = sealed("tcg-accel");
    let constructed = qom.constructions();
    // The list of any model but `max` is that of `base`.
    for (class, like) in [("base", "base"), ("qemu64", "qemu64"), ("Haswell-v4", "base"), ("max", "max")] {
        let mut ours: BTreeMap<String, Json> = cpu_class_by_name(&qom, class)
            .unwrap()
            .properties()
            .filter(|property| !of_any_device(property.name()))
            .map(|property| {
                let mut json = json!({ "name": property.name(), "type": property.type_name() });
                if let Some(description) = property.description_text() {
                    json["description"] = description.into();
                }
                let class = cpu_class_by_name(&qom, class).unwrap();
                if let Some(default) = class.default_value(property.name()) {
                    json["default-value"] = default.clone();
                }
                (property.name().to_owned(), json)
            })
            .collect();
        // What is here alone.
        assert_eq!(ours.remove("x-vcpu-state").unwrap()["type"], "str", "{class}");
        let theirs: BTreeMap<String, Json> = fixture[format!("{like}-x86_64-cpu")]
            .as_array()
            .unwrap()
            .iter()
            .map(|property| (property["name"].as_str().unwrap().to_owned(), property.clone()))
            .filter(|(name, _)| !missing(name))
            .collect();
        let names = |list: &BTreeMap<String, Json>| list.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&ours), names(&theirs), "{class}");
        for (name, property) in &theirs {
            assert_eq!(&ours[name], property, "{class}");
        }
    }
    assert_eq!(qom.constructions(), constructed);
}

#[test]
fn the_default_shown_is_the_value_of_a_new_object() {
    let qom = sealed("tcg-accel");
    let cpu = create(&qom, "base").unwrap();
    let class = cpu.as_object().class().clone();
    for property in class.properties() {
        let Some(default) = class.default_value(property.name()) else { continue };
        let value = cpu.as_object().get(property.name()).unwrap();
        assert_eq!(&value, default, "{}", property.name());
    }
}

/// What a person sees, and whether there is a CPU at the end.
fn messages(text: &str) -> Vec<String> {
    let (qom, said) = listening("tcg-accel");
    let outcome = (|| {
        let option = apply_cpu_option(&qom, text).map_err(|e| e.to_string())?;
        let object = qom.create(option.class.name()).map_err(|e| e.to_string())?;
        realize(&Obj::new(object).expect("an x86 CPU"), boot()).map_err(|e| e.to_string())
    })();
    let mut said = said.lock().expect("no panic").clone();
    said.extend(outcome.err());
    said
}

#[test]
fn messages_are_the_same() {
    let fixture: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("fixtures/messages-tcg.json")).unwrap();
    let mut differing = Vec::new();
    for (text, expected) in &fixture {
        let ours = messages(text);
        if ours != *expected {
            differing.push(format!("{text}:\n  ours   {ours:#?}\n  theirs {expected:#?}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(messages(""), ["-cpu option cannot be empty"]);
    assert_eq!(messages(",base"), ["unable to find CPU model ''"]);
    assert_eq!(messages("host"), ["CPU model 'host' requires KVM or HVF"]);
    assert_eq!(messages("base,tsc-freq=foo"), ["bad numerical value foo"]);
}

#[test]
fn realizing_gives_what_the_pure_pipeline_gives() {
    let topology = CpuTopology::new(1, 2, 3, 2).unwrap();
    let kvm = recorded();
    for (accel, source) in [("tcg-accel", &Tcg as &dyn CpuidSource), ("recorded-kvm-accel", &kvm)] {
        for text in [
            "base",
            "max",
            "qemu64",
            "qemu32,+lm",
            "Haswell,-hle,rtm=off",
            "Haswell-noTSX-IBRS,vmx=on,l3-cache=off",
            "EPYC-v4,topoext=off,phys-bits=45",
            "EPYC,+avx512f,avx512f=off,level=0x10,model-id=Some brand,family=270",
            "max,-avx,migratable=off,tsc-freq=2.5G,legacy-cache=off",
            "qemu64,x-force-features=on,+avx10,avx10-version=2,check=off",
        ] {
            let placement = Placement { topology, apic_id: ApicId(5) };
            let pure = describe(text, placement, source);
            let (qom, _) = listening(accel);
            let option = apply_cpu_option(&qom, text).unwrap();
            let cpu = Obj::<X86Cpu>::new(qom.create(option.class.name()).unwrap()).unwrap();
            match (realize(&cpu, placement), pure) {
                (Ok(()), Ok(pure)) => {
                    let realized = cpu.realized().unwrap();
                    assert_eq!(realized.table, pure.cpu.table, "{text} {accel}");
                    assert_eq!(realized.filtered, pure.cpu.filtered, "{text} {accel}");
                    assert_eq!(realized.config.features, pure.cpu.config.features, "{text} {accel}");
                }
                (Err(ours), Err(pure)) => assert_eq!(ours.to_string(), pure.to_string()),
                (ours, pure) => panic!("{text} {accel}: {ours:?}, but {pure:?}"),
            }
        }
    }
}

#[test]
fn stronger_origins_win_and_signs_win_over_all() {
    let qom = sealed("tcg-accel");
    let global = |driver: &str, property: &str, value: &str, origin| {
        qom.add_global(GlobalProperty::new(driver, property, value, origin));
    };
    apply_cpu_option(&qom, "qemu64,family=7,+avx,-pae").unwrap();
    global("x86_64-cpu", "family", "6", Origin::Global);
    global("qemu64-x86_64-cpu", "family", "5", Origin::MachineCompat);
    global("qemu64-x86_64-cpu", "model", "5", Origin::MachineCompat);
    global("x86_64-cpu", "x-vendor-cpuid-only", "off", Origin::MachineCompat);
    global("x86_64-cpu", "x-vendor-cpuid-only-v2", "off", Origin::MachineCompat);
    global("EPYC-x86_64-cpu", "stepping", "9", Origin::MachineCompat);
    let cpu = create(&qom, "qemu64").unwrap();
    let get = |name| cpu.as_object().get(name).unwrap();
    assert_eq!((get("family"), get("model"), get("stepping")), (json!(7), json!(5), json!(1)));
    assert_eq!(cpu.as_object().origin_of("family"), Origin::Cpu);
    cpu.as_object().set("avx", &Input::Json(&json!(false)), Origin::Machine).unwrap();
    cpu.as_object().set("pae", &Input::Json(&json!(true)), Origin::Machine).unwrap();
    cpu.as_object().set("xsave", &Input::Json(&json!(true)), Origin::Machine).unwrap();
    realize(&cpu, boot()).unwrap();
    assert_eq!(
        (get("avx"), get("pae"), get("x-vendor-cpuid-only")),
        (json!(true), json!(false), json!(false))
    );
}

#[test]
fn a_machine_says_what_names_without_version_mean() {
    let qom = sealed("tcg-accel");
    cpu_models(&qom).unwrap().set_alias_policy(AliasPolicy::Latest);
    let brand = |model| create(&qom, model).unwrap().as_object().get("model-id").unwrap();
    assert_eq!(brand("EPYC"), "AMD EPYC-v5 Processor");
    assert_eq!(brand("EPYC-v1"), "AMD EPYC Processor");
}

/// The forms and texts are those of QMP `device_add`, HMP `device_add` and `-cpu`.
#[test]
fn wrong_values_read_as_the_reference_words_them() {
    let qom = sealed("tcg-accel");
    let cpu = create(&qom, "Haswell").unwrap();
    let error = |name: &str, input: Input<'_>| {
        cpu.as_object().set(name, &input, Origin::Monitor).err().map(|e| e.to_string()).unwrap_or_default()
    };
    for (name, value, expected) in [
        ("apic-id", json!("x"), "Parameter 'apic-id' expects uint64"),
        ("apic-id", json!(1.5), "Parameter 'apic-id' expects uint64"),
        ("family", json!(true), "Parameter 'family' expects uint64"),
        ("socket-id", json!("x"), "Invalid parameter type for 'socket-id', expected: integer"),
        ("socket-id", json!(1.5), "Invalid parameter type for 'socket-id', expected: integer"),
        ("tsc-frequency", json!("x"), "Invalid parameter type for 'tsc-frequency', expected: integer"),
        ("ucode-rev", json!(true), "Parameter 'ucode-rev' expects uint64"),
        ("vendor", json!(1), "Invalid parameter type for 'vendor', expected: string"),
        ("vendor", json!(1.5), "Invalid parameter type for 'vendor', expected: string"),
        ("avx", json!(1), "Invalid parameter type for 'avx', expected: boolean"),
        ("tsc-freq", json!(1), "Property 'Haswell-x86_64-cpu.tsc-freq' not found"),
        ("migratable", json!(true), "Property 'Haswell-x86_64-cpu.migratable' not found"),
        ("feature-words", json!(1), "Property 'Haswell-x86_64-cpu.feature-words' is not writable"),
        ("ucode-rev", json!(-1), ""),
    ] {
        assert_eq!(error(name, Input::Json(&value)), expected, "{value}");
    }
    for (name, text, expected) in [
        ("apic-id", "x", "Parameter 'apic-id' expects integer"),
        ("apic-id", "-1", "Parameter 'apic-id' expects uint32_t"),
        ("family", "x", "Parameter 'family' expects integer"),
        ("family", "999", "parameter 'family' can be at most 270"),
        ("socket-id", "x", "Parameter 'socket-id' expects integer"),
        ("socket-id", "99999999999", "Parameter 'socket-id' expects int32_t"),
        ("tsc-frequency", "x", "Parameter 'tsc-frequency' expects integer"),
        ("avx", "x", "Parameter 'avx' expects 'on' or 'off'"),
        ("lbr-fmt", "99", "Property value for 'lbr-fmt' has bits outside mask '0x3f'"),
        ("ucode-rev", "-1", ""),
    ] {
        assert_eq!(error(name, Input::Keyval(text)), expected, "{text}");
    }
    assert_eq!(error("level", Input::Text("x")), "Parameter 'level' expects uint64");
}

#[test]
fn a_realized_cpu_reports_on_itself() {
    let (qom, _) = listening("tcg-accel");
    let cpu = create(&qom, "Haswell").unwrap();
    let get = |name| cpu.as_object().get(name).unwrap();
    assert_eq!(get("unavailable-features"), json!([]));
    assert_eq!(get("hle"), true);
    // As in the reference's run, with `-smp 1,maxcpus=4`: one socket of four cores.
    realize(&cpu, Placement::boot(CpuTopology::new(1, 1, 4, 1).unwrap())).unwrap();
    assert_eq!(get("unavailable-features"), json!(["pcid", "tsc-deadline", "hle", "invpcid", "rtm"]));
    assert_eq!(get("hle"), false);
    let (words, filtered) = (get("feature-words"), get("filtered-features"));
    let (words, filtered) = (words.as_array().unwrap(), filtered.as_array().unwrap());
    assert_eq!((words.len(), filtered.len()), (36, 36));
    assert_eq!(
        words[0].to_string(),
        r#"{"cpuid-register":"ECX","cpuid-input-ecx":1,"cpuid-input-eax":36,"features":0}"#
    );
    assert_eq!(words[35].to_string(), r#"{"cpuid-register":"EDX","cpuid-input-eax":1,"features":395049981}"#);
    assert_eq!(
        words[33].to_string(),
        r#"{"cpuid-register":"EBX","cpuid-input-ecx":0,"cpuid-input-eax":7,"features":937}"#
    );
    assert_eq!(filtered[33]["features"], 3088);
    assert_eq!(filtered[34]["features"], 16_908_288);
    assert_eq!(cpu.as_object().get("crash-information").unwrap_err().to_string(), "No crash occurred");
    let off = Input::Json(&Json::Bool(false));
    assert_eq!(
        cpu.as_object().set("avx", &off, Origin::Monitor).unwrap_err().to_string(),
        "Attempt to set property 'avx' on anonymous device (type 'Haswell-x86_64-cpu') after it was realized"
    );
    cpu.as_object().set("start-powered-off", &off, Origin::Monitor).unwrap();
    Device::unplug(&cpu.cast().unwrap()).unwrap();
    assert!(cpu.realized().is_none());
}

#[test]
fn a_cpu_without_a_place_is_not_realized() {
    let (qom, said) = listening("tcg-accel");
    let cpu = create(&qom, "Haswell").unwrap();
    let error = Device::realize(&cpu.cast().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "apic-id property was not initialized properly");
    assert!(cpu.realized().is_none() && said.lock().unwrap().is_empty());
    // A failure leaves nothing behind: it can be put right and realized.
    apply_cpu_option(&qom, "Haswell,enforce").unwrap();
    let strict = create(&qom, "Haswell").unwrap();
    assert_eq!(realize(&strict, boot()).unwrap_err().to_string(), "TCG doesn't support requested features");
    strict.as_object().set_value("enforce", &false).unwrap();
    realize(&strict, boot()).unwrap();
    realize(&cpu, Placement { topology: CpuTopology::single(), apic_id: ApicId(3) }).unwrap();
    assert_eq!(cpu.as_object().get("apic-id").unwrap(), 3);
    assert_eq!(cpu.apic_id(), Some(ApicId(3)));
}

#[test]
fn what_concerns_the_machine_is_said_once() {
    let (qom, said) = listening("tcg-accel");
    let topology = CpuTopology::new(1, 1, 2, 2).unwrap();
    for id in 0..3 {
        let cpu = create(&qom, "EPYC").unwrap();
        cpu.as_object().set_value("topoext", &false).unwrap();
        realize(&cpu, Placement { topology, apic_id: ApicId(id) }).unwrap();
    }
    let said = said.lock().unwrap();
    let count = |text| said.iter().filter(|line| line.contains(text)).count();
    assert_eq!((count("hyperthreading(2)"), count("fxsr-opt")), (1, 3));
}

/// Machine compat, `-global`, `-cpu` and QMP set one feature after the other, by two of its names.
#[test]
fn a_chain_tells_who_set_a_property() {
    use target_i386::provenance::{Cause, Setter};

    let qom = sealed("tcg-accel");
    for (value, origin) in
        [("on", Origin::Cpu), ("off", Origin::MachineCompat), ("on", Origin::Global), ("off", Origin::Cpu)]
    {
        let name = if origin == Origin::Global { "sse4-1" } else { "sse4.1" };
        qom.add_global(GlobalProperty::new("qemu64-x86_64-cpu", name, value, origin));
    }
    let cpu = create(&qom, "qemu64").unwrap();
    cpu.as_object().set("sse4_1", &Input::Json(&json!(true)), Origin::Monitor).unwrap();
    cpu_models(&qom).unwrap();
    realize(&cpu, boot()).unwrap();
    let explanation = cpu.realized().unwrap().explain(target_i386::feature::feature("sse4.1"));
    let chain: Vec<_> = explanation
        .links
        .iter()
        .map(|link| match link.cause {
            Cause::Property { by, .. } => (link.on, by),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        chain,
        [
            (false, Setter::MachineCompat),
            (true, Setter::Global),
            (true, Setter::CpuOption),
            (false, Setter::CpuOption),
            (true, Setter::Monitor),
        ]
    );
    assert!(explanation.on);
}
