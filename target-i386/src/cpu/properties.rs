//! The properties of `x86_64-cpu`, declared once from the tables of this crate.
//!
//! Missing is the link `memory`: this crate has no memory regions.

use qom::{ClassInit, Input, Object, Property, PropertyError, ValueError};
use serde_json::json;

use super::x86::X86Cpu;
use crate::config::{self, CpuConfig, PROPERTIES, PropertyDef, Value, ValueKind, property::Scope};
use crate::feature::{self, ALIASES, FeatureSet, FeatureWord, WordSource};

/// Declares what all x86 CPUs have.
pub(super) fn declare(class: &mut ClassInit<'_>) {
    for def in PROPERTIES.iter().filter(|def| def.scope == Scope::All) {
        class.add_property(setting(def, def.name, def.default));
    }
    // Another spelling, which the reference shows without a default.
    if let Some(def) = config::property::property("lbr-fmt") {
        class.add_property(setting(def, "lbr_fmt", None));
    }
    let features = FeatureWord::all().flat_map(|word| word.def().bits).filter(|bit| !bit.hidden);
    for name in features.map(|bit| bit.name).chain(ALIASES.iter().map(|(spelling, _)| *spelling)) {
        class.add_property(switch(name));
    }
    for report in reports() {
        class.add_property(report);
    }
}

/// Declares what `max` and `host` have on top.
pub(super) fn declare_max(class: &mut ClassInit<'_>) {
    for def in PROPERTIES.iter().filter(|def| def.scope == Scope::Max) {
        class.add_property(setting(def, def.name, def.default));
    }
}

fn cpu(object: &dyn Object) -> Result<&X86Cpu, PropertyError> {
    object
        .downcast_ref()
        .ok_or_else(|| PropertyError::Refused(format!("'{}' is not an x86 CPU", object.class().name())))
}

fn setting(
    def: &'static PropertyDef,
    name: &'static str,
    default: Option<config::property::Default>,
) -> Property {
    let property = Property::new(name, def.kind.name())
        .get(move |object| {
            let value = cpu(object)?.with_config(|config| config.get(name));
            value.map(to_json).ok_or_else(|| not_found(object, name))
        })
        .set(move |object, input| {
            cpu(object)?
                .write_property(object, name, |config| write(config, name, def.kind, input))
                .map_err(|error| refused(object, name, input, error))
        });
    match default {
        // The reference describes those switches that have a default of their own.
        Some(config::property::Default::Bool(on)) => property.description("on/off").default(on),
        Some(default) => {
            let property = property.default(to_json(default.into()));
            if def.kind == ValueKind::OnOffAuto { property.description("on/off/auto") } else { property }
        }
        None => property,
    }
}

fn switch(name: &'static str) -> Property {
    Property::new(name, ValueKind::Bool.name())
        .get(move |object| {
            let on = cpu(object)?.with_config(|config| feature::find(name).map(|f| config.features.has(f)));
            on.map(qom::Value::from).ok_or_else(|| not_found(object, name))
        })
        .set(move |object, input| {
            cpu(object)?
                .write_property(object, name, |config| write(config, name, ValueKind::Bool, input))
                .map_err(|error| refused(object, name, input, error))
        })
}

/// What a CPU tells of itself.
fn reports() -> [Property; 4] {
    [
        Property::new("feature-words", "X86CPUFeatureWordInfo")
            .get(|object| Ok(cpu(object)?.with_config(|config| words(&config.features)))),
        Property::new("filtered-features", "X86CPUFeatureWordInfo").get(|object| {
            let realized = cpu(object)?.realized();
            Ok(words(&realized.map_or(FeatureSet::EMPTY, |cpu| cpu.filtered)))
        }),
        Property::new("unavailable-features", "strList").get(|object| {
            let realized = cpu(object)?.realized();
            Ok(json!(realized.map(|cpu| cpu.unavailable_features()).unwrap_or_default()))
        }),
        // A guest reports a crash through Hyper-V's MSRs, which KVM keeps to itself until somebody asks.
        Property::new("crash-information", "GuestPanicInformation")
            .get(|_| Err(PropertyError::Refused("No crash occurred".to_owned()))),
    ]
}

/// The words that are CPUID registers, last word first, as the reference gives them.
fn words(set: &FeatureSet) -> qom::Value {
    FeatureWord::all()
        .rev()
        .filter_map(|word| {
            let WordSource::Cpuid { leaf, subleaf, register } = word.def().source else { return None };
            let mut entry = serde_json::Map::new();
            entry.insert("cpuid-register".to_owned(), register.to_string().into());
            if let Some(subleaf) = subleaf {
                entry.insert("cpuid-input-ecx".to_owned(), subleaf.into());
            }
            entry.insert("cpuid-input-eax".to_owned(), leaf.into());
            entry.insert("features".to_owned(), set.word(word).into());
            Some(qom::Value::Object(entry))
        })
        .collect()
}

fn to_json(value: Value) -> qom::Value {
    match value {
        Value::Bool(on) => on.into(),
        Value::Int(n) => n.into(),
        Value::Uint(n) => n.into(),
        Value::Str(text) => text.into(),
    }
}

fn write(
    config: &mut CpuConfig,
    name: &str,
    kind: ValueKind,
    input: &Input<'_>,
) -> Result<(), config::PropertyError> {
    let json = match input {
        Input::Keyval(text) | Input::Text(text) => return config.set_text(name, text),
        Input::Json(json) | Input::KeyvalTree(json) => json,
    };
    let value = match json {
        qom::Value::Bool(on) => Value::Bool(*on),
        qom::Value::String(text) => Value::Str(text.clone()),
        _ => match (json.as_i64(), json.as_u64()) {
            (Some(n), _) => Value::Int(n),
            (None, Some(n)) => Value::Uint(n),
            // A fraction, null or a structure: no property is of such a type. The settings word the refusal.
            (None, None) if kind.is_text() => Value::Bool(false),
            (None, None) => Value::Str(String::new()),
        },
    };
    config.set(name, value)
}

fn not_found(object: &dyn Object, name: &str) -> PropertyError {
    PropertyError::NotFound { type_name: object.class().name().to_owned(), property: name.to_owned() }
}

fn refused(
    object: &dyn Object,
    name: &str,
    input: &Input<'_>,
    error: config::PropertyError,
) -> PropertyError {
    match error {
        config::PropertyError::NotFound { .. } => not_found(object, name),
        config::PropertyError::Malformed { name, expected } => {
            // Structured command lines do not tell the widest types apart.
            let expected = match (input, expected) {
                (Input::Keyval(_), "uint64" | "int64") => "integer",
                _ => expected,
            };
            ValueError::Expects { name, expected: expected.to_owned() }.into()
        }
        config::PropertyError::Type { name, expected } => ValueError::Kind { name, expected }.into(),
        error => PropertyError::Refused(error.to_string()),
    }
}
