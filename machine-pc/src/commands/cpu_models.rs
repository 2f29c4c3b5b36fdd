//! QMP: what a CPU model comes to.
//!
//! A CPU is made, configured and expanded, and never realized: it has no place in the machine, and features that the
//! accelerator lacks are still in it, as a manager that compares hosts wants.

use qmp::{Context, Error, command};
use qom::{Class, Input, Obj, Origin, PropertyError, PropertyValue, Qom, ValueError, property_enum};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use target_i386::cpu::{X86Cpu, cpu_class_by_name};
use target_i386::model::{ExpansionType as Extent, ModelExpansion};

property_enum! {
    /// How an expansion is written down (QAPI `CpuModelExpansionType`).
    enum ExpansionType("CpuModelExpansionType") {
        /// As `base` and the properties that it takes to be the model, which mean the same on every host and version.
        Static = "static",
        /// As the model with the values of all its properties.
        Full = "full",
    }
}

/// A CPU model and properties (QAPI `CpuModelInfo`).
#[derive(Debug, Serialize, Deserialize, qmp::QapiType)]
pub(super) struct CpuModelInfo {
    /// The model's name, as `query-cpu-definitions` lists it.
    pub(super) name: String,
    /// Properties of the CPU with their values, as an object; those that are not named are the model's. Absent means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) props: Option<Map<String, Value>>,
}

/// What `query-cpu-model-expansion` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct QueryCpuModelExpansion {
    /// How to write the answer.
    #[serde(rename = "type")]
    #[qapi(as = qmp::schema::EnumName<ExpansionType>)]
    kind: String,
    /// The model with what is changed of it.
    model: CpuModelInfo,
}

/// What a model comes to (QAPI `CpuModelExpansionInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct CpuModelExpansionInfo {
    /// The same CPU, written out.
    model: CpuModelInfo,
}

/// A CPU of a model's class with properties, which hangs nowhere: nothing is left of it.
pub(super) fn make(
    qom: &Qom,
    class: &Class,
    props: &Option<Map<String, Value>>,
) -> Result<Obj<X86Cpu>, Error> {
    let not_x86 = |_| Error::generic(format_args!("'{}' is no x86 CPU", class.name()));
    let cpu = Obj::<X86Cpu>::new(qom.create(class.name())?).map_err(not_x86)?;
    // Some properties change others, so the order is part of the answer.
    for (name, value) in props.iter().flat_map(qmp::json::qdict_order) {
        let set = cpu.as_object().set(name, &Input::Json(value), Origin::Monitor);
        set.map_err(|error| match error {
            // As in the reference, a number out of its type's range is named without the path.
            PropertyError::Value(ValueError::Expects { ref expected, .. }) if expected.ends_with("_t") => {
                error
            }
            PropertyError::Value(error) => PropertyError::Value(error.within("model.props")),
            error => error,
        })?;
    }
    Ok(cpu)
}

fn expansion(qom: &Qom, kind: ExpansionType, model: CpuModelInfo) -> Result<CpuModelInfo, Error> {
    let unknown = |_| Error::generic(format_args!("CPU model '{}' not found", model.name));
    let cpu = make(qom, cpu_class_by_name(qom, &model.name).map_err(unknown)?, &model.props)?;
    let expanded = cpu.expanded().map_err(Error::generic)?;
    let (name, extent) = match kind {
        ExpansionType::Static => ("base".to_owned(), Extent::Static),
        ExpansionType::Full => (model.name, Extent::Full),
    };
    let settings = ModelExpansion::of(&expanded, extent).props;
    let mut props: Map<_, _> =
        settings.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    if kind == ExpansionType::Full {
        // What is no setting of a CPU is the object's.
        let object = cpu.as_object();
        let both_ways = object
            .class()
            .properties()
            .filter(|property| property.is_readable() && property.is_writable() && !property.is_internal());
        for property in both_ways {
            if !props.contains_key(property.name())
                && let Ok(value) = object.get(property.name())
            {
                props.insert(property.name().to_owned(), value);
            }
        }
    }
    Ok(CpuModelInfo { name, props: Some(props) })
}

command! {
    /// Returns what a CPU model with properties comes to under this accelerator. Features that the accelerator lacks are still on
    /// in the answer. Nothing is left of the CPU that is made for it.
    ///
    /// Fails if there is no such model (`CPU model 'NAME' not found`), or if a property is unknown or does not take its value.
    "query-cpu-model-expansion" =>
    fn query_cpu_model_expansion(context: &mut Context, arguments: QueryCpuModelExpansion)
        -> Result<CpuModelExpansionInfo, Error>
    {
        let kind = ExpansionType::read("type", &Input::Json(&arguments.kind.as_str().into()))?;
        Ok(CpuModelExpansionInfo { model: expansion(context.qom(), kind, arguments.model)? })
    }
}
