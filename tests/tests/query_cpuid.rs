//! `x-query-cpuid`: tables of CPUs that are there and of those that would be, against what guests of QEMU 11.1.2
//! read, and the chains of causes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Program, Qmp};

type Rows = BTreeMap<(u64, u64), [u64; 4]>;

fn rows(answer: &Value) -> Rows {
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{row}: {name}"));
    answer["cpuid"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let subleaf = row.get("subleaf").map_or(0, |n| n.as_u64().expect("a number"));
            let registers = ["eax", "ebx", "ecx", "edx"].map(|register| number(row, register));
            ((number(row, "leaf"), subleaf), registers)
        })
        .collect()
}

fn query(qmp: &mut Qmp, arguments: &Value) -> Value {
    qmp.ok("x-query-cpuid", arguments)
}

/// What the first CPU of the reference read under TCG (`guest-cpuid.json`), but for what follows the guest's
/// control registers: OSXSAVE, OSPKE, XSAVE's current size, and SYSCALL outside long mode.
#[test]
fn models_have_the_tables_that_guests_read() {
    let fixture: Value =
        serde_json::from_str(include_str!("../../target-i386/tests/fixtures/guest-cpuid.json"))
            .expect("a fixture");
    let program = Program::start(&["-M", "none", "-accel", "tcg"]);
    let mut qmp = program.qmp();
    let mut compared = 0;
    for model in ["qemu64", "Haswell-v1", "Haswell-v4", "EPYC-v4", "max"] {
        let answer = query(&mut qmp, &json!({"model": {"name": model}}));
        let ours = rows(&answer);
        for row in fixture[model]["tcg"].as_array().unwrap_or_else(|| panic!("{model}")) {
            let row: Vec<u64> = row.as_array().expect("a row").iter().filter_map(Value::as_u64).collect();
            let [leaf, subleaf, theirs @ ..] = row.as_slice() else { panic!("{row:?}") };
            // A leaf that does not look at ECX reads the same for any.
            let Some(mine) = ours.get(&(*leaf, *subleaf)).or_else(|| ours.get(&(*leaf, 0))) else { continue };
            let mut ignored = [0u64; 4];
            match (leaf, subleaf) {
                (0xd, 0) => ignored[1] = u64::MAX,
                (0x8000_0001, _) => ignored[3] = 1 << 11,
                _ => {}
            }
            if !ours.contains_key(&(*leaf, *subleaf)) && ours.contains_key(&(*leaf, 1)) {
                continue;
            }
            for i in 0..4 {
                let differs = (mine[i] ^ theirs[i]) & !ignored[i];
                assert_eq!(differs, 0, "{model}: leaf {leaf:#x}.{subleaf} register {i}");
            }
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn a_cpu_that_is_there_is_as_its_model_would_be() {
    let program =
        Program::start(&["-accel", "tcg", "-cpu", "Haswell,+avx512f,-hle", "-smp", "4,cores=2,threads=2"]);
    let mut qmp = program.qmp();
    for (index, apic_id) in [(0, 0), (3, 3)] {
        let path = format!("/machine/unattached/device[{index}]");
        let there = query(&mut qmp, &json!({"qom-path": path, "explain": ["hle", "avx512f", "avx2"]}));
        assert_eq!(there["apic-id"], apic_id);
        let would_be = query(
            &mut qmp,
            &json!({
                "model": {"name": "Haswell"}, "topology": {"cores": 2, "threads": 2}, "apic-id": apic_id,
            }),
        );
        assert_eq!(there["cpuid"], would_be["cpuid"]);
        assert_eq!(
            there["explanations"],
            json!([
                {"name": "hle", "enabled": false, "filtered": false, "chain": [
                    {"enabled": true, "cause": "model Haswell"},
                    {"enabled": false, "cause": "property hle set by + or - of -cpu"},
                ]},
                {"name": "avx512f", "enabled": false, "filtered": true, "chain": [
                    {"enabled": true, "cause": "property avx512f set by + or - of -cpu"},
                    {"enabled": false, "cause": "not supported by tcg"},
                ]},
                {"name": "avx2", "enabled": true, "filtered": false,
                 "chain": [{"enabled": true, "cause": "model Haswell"}]},
            ])
        );
        let warned = would_be["warnings"].as_array().expect("warnings");
        assert!(
            warned.iter().any(|text| text
                == "TCG doesn't support requested feature: CPUID[eax=07h,ecx=00h].EBX.avx512f [bit 16]"),
            "{warned:?}"
        );
        // Leaf 0Bh EDX is the x2APIC ID; leaf 0 has no sub-leaf.
        let list = there["cpuid"].as_array().expect("rows");
        assert_eq!(list[0]["leaf"], 0);
        assert!(list[0].get("subleaf").is_none());
        assert_eq!(rows(&there)[&(0xb, 1)][3], apic_id);
    }
    // Asking makes no CPU.
    assert_eq!(qmp.ok("query-cpus-fast", &json!({})).as_array().map(Vec::len), Some(4));
}

#[test]
fn properties_and_wrong_questions() {
    let program = Program::start(&["-M", "none", "-accel", "tcg"]);
    let mut qmp = program.qmp();
    let answer = query(
        &mut qmp,
        &json!({"model": {"name": "base", "props": {"family": 6, "vendor": "GenuineIntel", "sse": true}},
                "explain": ["sse"]}),
    );
    assert_eq!(rows(&answer)[&(1, 0)][0], 0x600);
    assert_eq!(
        answer["explanations"][0]["chain"],
        json!([{"enabled": true, "cause": "property sse set by the monitor"}])
    );
    for (arguments, text) in [
        (json!({}), "one of 'qom-path' and 'model' is needed"),
        (
            json!({"model": {"name": "base"}, "qom-path": "/machine"}),
            "one of 'qom-path' and 'model' is needed",
        ),
        (
            json!({"qom-path": "/machine", "apic-id": 1}),
            "'topology' and 'apic-id' are of a CPU that a 'model' would make",
        ),
        (json!({"model": {"name": "nope"}}), "unable to find CPU model 'nope'"),
        (json!({"model": {"name": "host"}}), "CPU model 'host' requires KVM or HVF"),
        (json!({"model": {"name": "base", "props": {"foo": 1}}}), "Property 'base-x86_64-cpu.foo' not found"),
        (json!({"model": {"name": "base"}, "explain": ["foo"]}), "'foo' is not the name of a CPU feature"),
        (json!({"model": {"name": "base"}, "apic-id": 1}), "1"),
        (
            json!({"model": {"name": "base"}, "topology": {"cores": 3}, "apic-id": 3}),
            "the topology has no CPU with APIC ID 3",
        ),
        (
            json!({"model": {"name": "base"}, "topology": {"cores": 0}}),
            "a CPU topology needs at least one of each level, but there are 0 cores",
        ),
        (
            json!({"model": {"name": "base", "props": {"enforce": true, "avx512f": true}}}),
            "TCG doesn't support requested features",
        ),
    ] {
        // APIC ID 1 is the second socket's, which is as good as the first.
        if text == "1" {
            assert_eq!(query(&mut qmp, &arguments)["apic-id"], 1);
            continue;
        }
        let (class, desc) = qmp.error("x-query-cpuid", &arguments);
        assert_eq!((class.as_str(), desc.as_str()), ("GenericError", text), "{arguments}");
    }
    let (class, _) = qmp.error("x-query-cpuid", &json!({"qom-path": "/machine/nothing"}));
    assert_eq!(class, "DeviceNotFound");
}
