//! Host files: written by the program, and taken in the place of this machine's KVM.

use serde_json::{Value, json};
use tests::{Program, kvm_or_skip, run};

fn shipped(name: &str) -> String {
    format!("{}/../target-i386/hosts/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

fn property(qmp: &mut tests::Qmp, name: &str) -> Value {
    qmp.ok("qom-get", &json!({"path": "/machine/unattached/device[0]", "property": name}))
}

#[test]
fn a_host_file_stands_for_kvm_without_its_device() {
    let accel = format!("kvm,host={}", shipped("epyc-genoa"));
    let program = Program::start(&["-accel", &accel, "-cpu", "host", "-smp", "1,maxcpus=2"]);
    let mut qmp = program.qmp();
    assert_eq!(property(&mut qmp, "vendor"), json!("AuthenticAMD"));
    assert_eq!(property(&mut qmp, "family"), json!(0x19));
    assert_eq!(property(&mut qmp, "avx512f"), json!(true));
    assert_eq!(property(&mut qmp, "unavailable-features"), json!([]));
    // CPUs come and go as under any accelerator that runs no guest.
    let slots = qmp.ok("query-hotpluggable-cpus", &json!({}));
    assert_eq!(slots.as_array().map(Vec::len), Some(2));
    let _ = qmp.ok("cpu-add", &json!({"id": 1}));
    assert_eq!(qmp.ok("query-cpus-fast", &json!({})).as_array().map(Vec::len), Some(2));
}

#[test]
fn lists_follow_the_host_file() {
    let accel = format!("kvm,host={}", shipped("skylake-server"));
    let help = run(&["-accel", &accel, "-cpu", "help"]);
    assert_eq!(help.status, Some(0), "{help:?}");
    assert!(help.stdout.lines().any(|line| line.trim_start().starts_with("host ")), "{}", help.stdout);
    let program = Program::start(&["-M", "none", "-accel", &accel]);
    let definitions = program.qmp().ok("query-cpu-definitions", &json!({}));
    let of = |name: &str| {
        let all = definitions.as_array().expect("a list");
        all.iter().find(|d| d["name"] == name).expect("the model")["unavailable-features"].clone()
    };
    assert_eq!(of("Haswell-v1"), json!([]));
    assert_eq!(of("host"), json!([]));
    assert!(of("EPYC-v1").as_array().expect("a list").contains(&json!("sse4a")));
}

#[test]
fn files_that_are_none_are_refused() {
    let refused = |path: &str| {
        let accel = format!("kvm,host={path}");
        let finished = run(&["-accel", &accel, "-accel", "tcg", "-display", "none"]);
        assert_eq!(finished.status, Some(1), "{finished:?}");
        finished.stderr
    };
    assert_eq!(
        refused("/nonexistent"),
        "qom-system-x86_64: host file '/nonexistent': No such file or directory\n"
    );
    let text = refused(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    assert!(text.contains("this is no host file: expected value"), "{text}");
    let other = run(&["-accel", "tcg,host=x", "-display", "none"]);
    assert!(other.stderr.contains("Property 'tcg-accel.host' not found"), "{other:?}");
}

/// A host file without the leaves that tell of the core on which the host was asked: two runs may be on two cores.
fn but_for_the_core(text: &str) -> Value {
    let mut file: Value = serde_json::from_str(text).expect("a host file is JSON");
    for list in ["supported", "processor"] {
        let rows = file[list].as_array_mut().expect("a host file has leaves");
        rows.retain(|row| {
            ![1, 0xb, 0x1f, 0x8000_001e_u64].contains(&row["leaf"].as_u64().unwrap_or_default())
        });
        assert!(rows.len() > 10, "{text}");
    }
    file
}

#[test]
fn what_is_dumped_is_taken() {
    if !kvm_or_skip("what_is_dumped_is_taken") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("host.json").display().to_string();
    let finished = run(&["-dump-host", &path]);
    assert_eq!((finished.status, finished.stdout.as_str(), finished.stderr.as_str()), (Some(0), "", ""));
    assert_eq!(
        but_for_the_core(&run(&["-dump-host", "-"]).stdout),
        but_for_the_core(&std::fs::read_to_string(&path).expect("the file"))
    );
    // The same CPU, from the device and from the file.
    let words = |accel: &str| {
        let program = Program::start(&["-accel", accel, "-cpu", "host"]);
        let mut qmp = program.qmp();
        (property(&mut qmp, "feature-words"), property(&mut qmp, "model-id"))
    };
    assert_eq!(words(&format!("kvm,host={path}")), words("kvm"));
    let finished = run(&["-dump-host", "/nonexistent/host.json"]);
    assert_eq!(finished.status, Some(1));
    assert_eq!(finished.stderr, "qom-system-x86_64: /nonexistent/host.json: No such file or directory\n");
}
