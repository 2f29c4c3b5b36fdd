//! QMP: a CPU's whole CPUID table, and why its features are as they are.
//!
//! `x-query-cpuid` is this program's own. It asks either about a CPU that is there (`qom-path`), or about one
//! that would be: a model with properties, in a place of a topology. The latter is made as any CPU of this
//! machine is, with global properties, `+feature` and `-feature`, but is not plugged and leaves nothing behind.

use std::sync::Arc;

use qmp::{Context, Error, command};
use serde::{Deserialize, Serialize};
use target_i386::cpu::{X86Cpu, cpu_class_by_name};
use target_i386::feature;
use target_i386::provenance::Explanation;
use target_i386::realize::RealizedCpu;
use target_i386::topology::{ApicId, CpuTopology, Placement};

use super::cpu_models::{CpuModelInfo, make};

/// The CPU that is asked about, and what.
#[derive(Debug, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct QueryCpuid {
    /// The path of a CPU that is there and realized. Either this or `model` is needed.
    qom_path: Option<String>,
    /// The model and properties of a CPU that is not there, made as any CPU of this machine is.
    model: Option<CpuModelInfo>,
    /// Where that CPU would be; one thread in one core by default. Only with `model`.
    topology: Option<Topology>,
    /// That CPU's APIC ID, which the topology must have; 0 by default. Only with `model`.
    apic_id: Option<u32>,
    /// Names of features to explain; none by default.
    explain: Option<Vec<String>>,
}

/// How many of each level the next one holds.
#[derive(Debug, Default, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct Topology {
    /// Dies in a socket; 1 by default.
    dies: Option<u32>,
    /// Modules in a die; 1 by default.
    modules: Option<u32>,
    /// Cores in a module; 1 by default.
    cores: Option<u32>,
    /// Threads in a core; 1 by default.
    threads: Option<u32>,
}

/// What CPUID answers on one leaf.
#[derive(Debug, Serialize, qmp::QapiType)]
struct CpuidRow {
    /// EAX at the instruction.
    leaf: u32,
    /// ECX at the instruction; absent for a leaf that does not look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    subleaf: Option<u32>,
    /// EAX after it, of 32 bits.
    eax: u32,
    /// EBX after it, of 32 bits.
    ebx: u32,
    /// ECX after it, of 32 bits.
    ecx: u32,
    /// EDX after it, of 32 bits.
    edx: u32,
}

/// One change of a feature.
#[derive(Debug, Serialize, qmp::QapiType)]
struct FeatureChange {
    /// Whether the feature was on after it.
    enabled: bool,
    /// What it came from, for people: the model, a property, a feature that this one depends on, the accelerator.
    cause: String,
}

/// Why a feature is as it is.
#[derive(Debug, Serialize, qmp::QapiType)]
struct FeatureExplanation {
    /// The feature, by the name of its property.
    name: String,
    /// Whether the guest has it.
    enabled: bool,
    /// Whether it was asked for and is missing, as the accelerator cannot give it.
    filtered: bool,
    /// The changes, in order; the last one decided.
    chain: Vec<FeatureChange>,
}

/// What CPUID answers on one CPU.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct CpuidInfo {
    /// The CPU's APIC ID.
    apic_id: u32,
    /// The answers, by leaf; those that are not listed are zero.
    cpuid: Vec<CpuidRow>,
    /// Names of features that were asked for and that the accelerator cannot give.
    unavailable_features: Vec<&'static str>,
    /// What the program would warn of in making the CPU, for people; absent where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// Why the features that were named in `explain` are as they are, in that order; absent without `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanations: Option<Vec<FeatureExplanation>>,
}

command! {
    /// Returns all that CPUID answers on a CPU: of one that is there (`qom-path`), or of one that a `model` would make in a place.
    /// On request it tells what switched features on or off. (Not in QEMU.)
    ///
    /// Fails if not exactly one of `qom-path` and `model` is given, if the CPU at the path is not realized, if there is no such
    /// model or feature, if a property does not take its value, if the topology has no CPU with that APIC ID, or if a CPU like that
    /// could not be made.
    "x-query-cpuid" => fn x_query_cpuid(context: &mut Context, arguments: QueryCpuid) -> Result<CpuidInfo, Error> {
        let mut warnings = Vec::new();
        let cpu = match (&arguments.qom_path, &arguments.model) {
            (Some(path), None) if arguments.topology.is_none() && arguments.apic_id.is_none() => {
                realized(context, path)?
            }
            (None, Some(model)) => hypothetical(context, model, &arguments, &mut warnings)?,
            (Some(_), None) => {
                return Err(Error::generic("'topology' and 'apic-id' are of a CPU that a 'model' would make"));
            }
            _ => return Err(Error::generic("one of 'qom-path' and 'model' is needed")),
        };
        let explanations = arguments.explain.map(|names| explain(&cpu, names)).transpose()?;
        Ok(CpuidInfo {
            apic_id: cpu.placement.apic_id.0,
            cpuid: rows(&cpu),
            unavailable_features: cpu.unavailable_features(),
            warnings,
            explanations,
        })
    }
}

fn rows(cpu: &RealizedCpu) -> Vec<CpuidRow> {
    cpu.table
        .rows()
        .map(|(leaf, subleaf, regs)| CpuidRow {
            leaf,
            subleaf,
            eax: regs.eax,
            ebx: regs.ebx,
            ecx: regs.ecx,
            edx: regs.edx,
        })
        .collect()
}

fn realized(context: &Context, path: &str) -> Result<Arc<RealizedCpu>, Error> {
    let cpu = context.qom().resolve_as::<X86Cpu>(path)?;
    cpu.realized().ok_or_else(|| Error::generic(format!("the CPU '{path}' is not realized")))
}

fn hypothetical(
    context: &Context,
    model: &CpuModelInfo,
    arguments: &QueryCpuid,
    warnings: &mut Vec<String>,
) -> Result<Arc<RealizedCpu>, Error> {
    let class = cpu_class_by_name(context.qom(), &model.name).map_err(Error::generic)?;
    let count = |get: fn(&Topology) -> Option<u32>| arguments.topology.as_ref().and_then(get).unwrap_or(1);
    let topology =
        CpuTopology::new(count(|t| t.dies), count(|t| t.modules), count(|t| t.cores), count(|t| t.threads))
            .map_err(Error::generic)?;
    let cpu = make(context.qom(), class, &model.props)?;
    let apic_id = ApicId(arguments.apic_id.unwrap_or(0));
    if topology.encode(topology.decode(apic_id)) != Some(apic_id) {
        return Err(Error::generic(format!("the topology has no CPU with APIC ID {apic_id}")));
    }
    let mut said = Vec::new();
    let outcome = X86Cpu::preview(&cpu, Placement { topology, apic_id }, &mut said)
        .ok_or_else(|| Error::generic("the model is no x86 CPU"))?;
    warnings.extend(said.iter().map(ToString::to_string));
    outcome.map(Arc::new).map_err(Error::generic)
}

fn explain(cpu: &RealizedCpu, names: Vec<String>) -> Result<Vec<FeatureExplanation>, Error> {
    let one = |name: String| {
        let f = feature::find(&name).ok_or_else(|| Error::generic(feature::UnknownFeature(name.clone())))?;
        let Explanation { on, filtered, links } = cpu.explain(f);
        let chain = links
            .into_iter()
            .map(|link| FeatureChange { enabled: link.on, cause: link.cause.to_string() })
            .collect();
        Ok(FeatureExplanation { name, enabled: on, filtered, chain })
    };
    names.into_iter().map(one).collect()
}
