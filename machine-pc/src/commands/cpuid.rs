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
    /// A CPU that is there and realized.
    qom_path: Option<String>,
    /// A CPU that would be.
    model: Option<CpuModelInfo>,
    /// Where it would be; one thread in one core by default.
    topology: Option<Topology>,
    /// Its APIC ID; 0 by default.
    apic_id: Option<u32>,
    /// Features to explain.
    explain: Option<Vec<String>>,
}

/// How many of each level the next one holds; 1 by default.
#[derive(Debug, Default, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct Topology {
    dies: Option<u32>,
    modules: Option<u32>,
    cores: Option<u32>,
    threads: Option<u32>,
}

/// One answer of CPUID.
#[derive(Debug, Serialize, qmp::QapiType)]
struct Row {
    leaf: u32,
    /// Absent for a leaf that does not look at ECX.
    #[serde(skip_serializing_if = "Option::is_none")]
    subleaf: Option<u32>,
    eax: u32,
    ebx: u32,
    ecx: u32,
    edx: u32,
}

/// One change of a feature.
#[derive(Debug, Serialize, qmp::QapiType)]
struct Change {
    enabled: bool,
    cause: String,
}

/// Why a feature is as it is.
#[derive(Debug, Serialize, qmp::QapiType)]
struct FeatureExplanation {
    name: String,
    enabled: bool,
    /// It was asked for and is missing.
    filtered: bool,
    /// The changes, in order; the last one decided.
    chain: Vec<Change>,
}

/// The table.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct CpuidInfo {
    apic_id: u32,
    cpuid: Vec<Row>,
    unavailable_features: Vec<&'static str>,
    /// What realizing the CPU would warn of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanations: Option<Vec<FeatureExplanation>>,
}

command! {
    /// Returns what CPUID answers on a CPU: of one that is there by its `qom-path`, or of one that a `model`
    /// (`name` and `props`) would make with an `apic-id` in a `topology` (`dies`, `modules`, `cores` and
    /// `threads`, each in the one before). A row has `leaf`, `subleaf` where the leaf looks at ECX, and the
    /// registers as numbers; leaves that are not listed are zero. For each feature named in `explain` the answer
    /// tells what switched it on or off, in order.
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

fn rows(cpu: &RealizedCpu) -> Vec<Row> {
    cpu.table
        .rows()
        .map(|(leaf, subleaf, regs)| Row {
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
            .map(|link| Change { enabled: link.on, cause: link.cause.to_string() })
            .collect();
        Ok(FeatureExplanation { name, enabled: on, filtered, chain })
    };
    names.into_iter().map(one).collect()
}
