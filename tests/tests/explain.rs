//! Where a CPU's settings come from, asked of the whole program.

use serde_json::{Value, json};
use tests::Program;

/// Origin and value of the setting that counts and of those that it replaced.
fn explain(program: &Program, property: &str) -> Vec<(String, Value)> {
    let arguments = json!({"path": "/machine/unattached/device[0]", "property": property});
    let found = program.qmp().ok("x-qom-explain", &arguments);
    let one = |setting: &Value| {
        (setting["origin"].as_str().map(str::to_owned).unwrap_or_default(), setting["value"].clone())
    };
    let overrode = found["overrode"].as_array().cloned().unwrap_or_default();
    std::iter::once(&found["setting"]).chain(&overrode).map(one).collect()
}

#[test]
fn a_cpus_settings_tell_who_made_them() {
    let program = Program::start(&[
        "-accel",
        "tcg",
        "-cpu",
        "qemu64,phys-bits=41,-sse3,+avx,-pclmulqdq,+pclmulqdq,x2apic=off,+x2apic",
        "-global",
        "qemu64-x86_64-cpu.phys-bits=42",
        "-global",
        "cpu.l3-cache=off",
        "-global",
        "cpu.avx=off",
    ]);
    let given = |origin: &str, value: &str| (origin.to_owned(), json!(value));
    let phys_bits = explain(&program, "phys-bits");
    assert_eq!(phys_bits[..2], [given("cpu", "41"), given("global", "42")]);
    assert_eq!(explain(&program, "l3-cache")[0], given("global", "off"));
    // `+` and `-` win over all properties, and `-` over `+`.
    for (name, value) in [("pni", "off"), ("sse3", "off"), ("pclmulqdq", "off"), ("x2apic", "on")] {
        assert_eq!(explain(&program, name), [given("cpu", value)], "{name}");
    }
    assert_eq!(explain(&program, "avx")[..2], [given("cpu", "on"), given("global", "off")]);
    let vendor = explain(&program, "vendor");
    assert_eq!(vendor[0].0, "default");
}
