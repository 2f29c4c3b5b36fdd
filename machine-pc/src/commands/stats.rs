//! Statistics of the machine and its vCPUs, from those who keep them: KVM, where it does. Without one there are none.

use std::sync::Arc;

use qmp::schema::{Members, QapiType, Shape, TypeRef, Types};
use qmp::{Context, Error, command, hmp_command};
use qom::Obj;
use serde::{Deserialize, Serialize};

use super::cpus::pc;
use crate::inspect::Guest;
use crate::kvm::{KvmVm, Statistic, StatisticKind, StatisticUnit, Statistics, Vcpu, VcpuId};
use crate::machine::PcMachine;

/// Who keeps statistics (QAPI `StatsProvider`), of those that do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum StatsProvider {
    /// The host's KVM, since Linux 5.14.
    Kvm,
}

/// What statistics are of (QAPI `StatsTarget`), of what has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum StatsTarget {
    /// The whole machine.
    Vm,
    /// A vCPU.
    Vcpu,
}

/// Some of a provider's statistics (QAPI `StatsRequest`).
#[derive(Debug, Deserialize, qmp::QapiType)]
struct StatsRequest {
    /// Whose statistics.
    provider: StatsProvider,
    /// Their names, of which those that do not exist are passed over; all of them by default.
    names: Option<Vec<String>>,
}

/// What `query-stats` takes (QAPI `StatsFilter`).
#[derive(Debug, Deserialize)]
struct StatsFilter {
    target: StatsTarget,
    providers: Option<Vec<StatsRequest>>,
    /// Only where the target is vCPUs.
    vcpus: Option<Vec<String>>,
}

/// As a union, which it is: `providers` stands beside the tag, as every target takes it.
impl QapiType for StatsFilter {
    fn describe(types: &mut Types) -> TypeRef {
        types.define(concat!(module_path!(), "::StatsFilter"), "", |types| {
            let tag = StatsTarget::describe(types);
            let vcpu = types.define(concat!(module_path!(), "::StatsFilter::vcpu"), "", |types| {
                let mut members = Members::default();
                members.add::<Vec<String>>(
                    types,
                    "vcpus",
                    true,
                    "Paths of the CPUs; all of them by default.",
                );
                Shape::Object(members)
            });
            let variants = vec![("vm".into(), types.empty()), ("vcpu".into(), vcpu)];
            let mut members = Members::union("target", tag, variants);
            members.members[0].doc = "What the statistics are of; the other members depend on it.";
            members.add::<Vec<StatsRequest>>(
                types,
                "providers",
                true,
                "Whose statistics, and which; all of them by default.",
            );
            Shape::Object(members)
        })
    }
}

/// A value of a statistic (QAPI `StatsValue`): a number, whether something is so, or for a histogram how often each range was met.
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(untagged)]
enum StatsValue {
    /// A number.
    Scalar(u64),
    /// Whether it is so.
    Boolean(bool),
    /// A histogram's numbers.
    List(Vec<u64>),
}

/// A statistic (QAPI `Stats`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct Stats {
    /// Its name.
    name: String,
    /// Its value now; `query-stats-schemas` tells its unit.
    value: StatsValue,
}

/// Statistics of one machine or vCPU (QAPI `StatsResult`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct StatsResult {
    /// Whose statistics.
    provider: StatsProvider,
    /// The statistics.
    stats: Vec<Stats>,
    /// The path of the CPU; absent where they are of the whole machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    qom_path: Option<String>,
}

/// What a statistic counts (QAPI `StatsUnit`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum StatsUnit {
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Cycles of the CPU's clock.
    Cycles,
    /// Nothing: it says whether something is so.
    Boolean,
}

/// What a statistic's number says (QAPI `StatsType`).
#[derive(Debug, Serialize, qmp::QapiType)]
enum StatsType {
    /// A sum, which only grows.
    #[serde(rename = "cumulative")]
    Cumulative,
    /// How it is at this moment.
    #[serde(rename = "instant")]
    Instant,
    /// The highest so far.
    #[serde(rename = "peak")]
    Peak,
    /// How often a value lay in each range of the width `bucket-size`; the last range has no end.
    #[serde(rename = "linear-histogram")]
    LinearHistogram,
    /// How often a value lay in each range; from the second one on each is twice as wide as the one before, and the last one has no
    /// end.
    #[serde(rename = "log2-histogram")]
    Log2Histogram,
}

/// What a statistic is (QAPI `StatsSchemaValue`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
struct StatsSchemaValue {
    /// Its name.
    name: String,
    /// What it counts; absent if that is things of some kind, such as exits.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<StatsUnit>,
    /// 2 or 10: values are to be multiplied by this to the power of `exponent`; absent where `exponent` is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<u8>,
    /// See `base`: 10 and -9 with the unit `seconds` are nanoseconds.
    exponent: i16,
    /// The width of a range; absent if it is no linear histogram.
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket_size: Option<u32>,
    /// What its number says.
    #[serde(rename = "type")]
    kind: StatsType,
}

/// The statistics that there are of one kind of thing (QAPI `StatsSchema`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct StatsSchema {
    /// Who keeps them.
    provider: StatsProvider,
    /// Which there are.
    stats: Vec<StatsSchemaValue>,
    /// What they are of.
    target: StatsTarget,
}

/// What `query-stats-schemas` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct QueryStatsSchemas {
    /// Whose statistics; all by default. There is one provider.
    #[expect(dead_code, reason = "there is one provider, and another is refused by its name")]
    provider: Option<StatsProvider>,
}

impl From<&Statistic> for StatsSchemaValue {
    fn from(statistic: &Statistic) -> Self {
        let (kind, bucket_size) = match statistic.kind {
            StatisticKind::Cumulative => (StatsType::Cumulative, None),
            StatisticKind::Instant => (StatsType::Instant, None),
            StatisticKind::Peak => (StatsType::Peak, None),
            StatisticKind::LinearHistogram { bucket_size } => (StatsType::LinearHistogram, Some(bucket_size)),
            StatisticKind::Log2Histogram => (StatsType::Log2Histogram, None),
        };
        let unit = match statistic.unit {
            StatisticUnit::None => None,
            StatisticUnit::Bytes => Some(StatsUnit::Bytes),
            StatisticUnit::Seconds => Some(StatsUnit::Seconds),
            StatisticUnit::Cycles => Some(StatsUnit::Cycles),
            StatisticUnit::Boolean => Some(StatsUnit::Boolean),
        };
        Self {
            name: statistic.name.clone(),
            unit,
            base: (statistic.exponent != 0).then_some(statistic.base),
            exponent: statistic.exponent,
            bucket_size,
            kind,
        }
    }
}

fn value(statistic: &Statistic, numbers: Vec<u64>) -> StatsValue {
    match (statistic.unit, numbers.as_slice()) {
        (StatisticUnit::Boolean, [one]) => StatsValue::Boolean(*one != 0),
        (_, [one]) => StatsValue::Scalar(*one),
        _ => StatsValue::List(numbers),
    }
}

/// Those of `names` now, the kernel's last one first, as the reference has them.
fn read(statistics: &Statistics, names: Option<&[String]>) -> Result<Vec<Stats>, Error> {
    let values = statistics.values().map_err(Error::generic)?;
    let all = statistics.described().iter().zip(values).rev();
    let wanted = all.filter(|(one, _)| names.is_none_or(|names| names.contains(&one.name)));
    Ok(wanted.map(|(one, numbers)| Stats { name: one.name.clone(), value: value(one, numbers) }).collect())
}

/// How often statistics may be wished for in one command: each wish is answered with all of them.
const REQUESTS: usize = 16;

/// Whether no more is wished for than may be.
fn check_wishes(providers: Option<&Vec<StatsRequest>>) -> Result<(), Error> {
    match providers {
        Some(requests) if requests.len() > REQUESTS => {
            Err(Error::generic(format_args!("Parameter 'providers' expects at most {REQUESTS} elements")))
        }
        _ => Ok(()),
    }
}

/// Does `each` for every wish, the last one first as in the reference, with the names that it is about.
fn for_wishes(
    providers: Option<Vec<StatsRequest>>,
    mut each: impl FnMut(Option<&[String]>) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(requests) = providers else { return each(None) };
    for request in requests.iter().rev() {
        let StatsProvider::Kvm = request.provider;
        each(request.names.as_deref())?;
    }
    Ok(())
}

/// The machine and its VM, if that keeps statistics.
fn kept<T>(
    context: &Context,
    read: impl FnOnce(&PcMachine, &KvmVm) -> Result<Vec<T>, Error>,
) -> Result<Vec<T>, Error> {
    let Some(machine): Option<Obj<PcMachine>> = pc(context)? else { return Ok(Vec::new()) };
    match machine.board().and_then(|board| board.vm()).filter(|vm| vm.has_statistics()) {
        Some(vm) => read(&machine, vm),
        None => Ok(Vec::new()),
    }
}

/// The CPUs of these paths with their vCPUs, the last one plugged first, as the reference lists them.
fn plugged(machine: &PcMachine, vm: &KvmVm, paths: Option<&[String]>) -> Vec<(String, Arc<Vcpu>)> {
    let Some(slots) = machine.possible_cpus() else { return Vec::new() };
    let cpu = |index| {
        let slot = slots.get(index)?;
        Some((slot.cpu()?.canonical_path(), vm.vcpu(VcpuId(slot.apic_id.0))?))
    };
    let all = slots.plugged().into_iter().rev().filter_map(cpu);
    all.filter(|(path, _)| paths.is_none_or(|paths| paths.contains(path))).collect()
}

fn result(qom_path: Option<&str>, stats: Vec<Stats>) -> Option<StatsResult> {
    let qom_path = qom_path.map(str::to_owned);
    (!stats.is_empty()).then_some(StatsResult { provider: StatsProvider::Kvm, stats, qom_path })
}

command! {
    /// Returns statistics of the machine or of its vCPUs, by their names or all of them. Empty where nobody keeps any: without KVM,
    /// or on a kernel before Linux 5.14.
    ///
    /// Fails for vCPUs where the target is the machine (`Parameter 'vcpus' is unexpected`), and for more than 16 requests
    /// (`Parameter 'providers' expects at most 16 elements`).
    "query-stats" => fn query_stats(context: &mut Context, filter: StatsFilter) -> Result<Vec<StatsResult>, Error> {
        let StatsFilter { target, providers, vcpus } = filter;
        if target == StatsTarget::Vm && vcpus.is_some() {
            return Err(Error::generic("Parameter 'vcpus' is unexpected"));
        }
        check_wishes(providers.as_ref())?;
        kept(context, |machine, vm| {
            let mut results = Vec::new();
            match target {
                StatsTarget::Vm => {
                    let statistics = vm.statistics().map_err(Error::generic)?;
                    for_wishes(providers, |names| {
                        results.extend(result(None, read(&statistics, names)?));
                        Ok(())
                    })?;
                }
                StatsTarget::Vcpu => {
                    let cpus = plugged(machine, vm, vcpus.as_deref());
                    for_wishes(providers, |names| {
                        for (path, vcpu) in &cpus {
                            let statistics = vcpu.statistics().map_err(Error::generic)?;
                            results.extend(result(Some(path), read(statistics, names)?));
                        }
                        Ok(())
                    })?;
                }
            }
            Ok(results)
        })
    }
}

command! {
    /// Returns which statistics there are of vCPUs and of the machine. Empty where nobody keeps any: without KVM, or on a kernel
    /// before Linux 5.14.
    "query-stats-schemas" =>
    fn query_stats_schemas(context: &mut Context, _: QueryStatsSchemas) -> Result<Vec<StatsSchema>, Error> {
        kept(context, |_, vm| {
            let schema = |target, statistics: &Statistics| StatsSchema {
                provider: StatsProvider::Kvm,
                stats: statistics.described().iter().rev().map(StatsSchemaValue::from).collect(),
                target,
            };
            let mut schemas = Vec::new();
            // All vCPUs have the same.
            if let Some(vcpu) = vm.vcpus().first() {
                schemas.push(schema(StatsTarget::Vcpu, vcpu.statistics().map_err(Error::generic)?));
            }
            schemas.push(schema(StatsTarget::Vm, &vm.statistics().map_err(Error::generic)?));
            Ok(schemas)
        })
    }
}

/// What is before a unit, for its power of 1000 or 1024.
fn prefix(statistic: &Statistic) -> Option<&'static str> {
    const DECIMAL: [&str; 13] = ["a", "f", "p", "n", "u", "m", "", "K", "M", "G", "T", "P", "E"];
    const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let (step, first, names): (i16, i16, &[&str]) = match statistic.base {
        10 => (3, -6, &DECIMAL),
        2 => (10, 0, &BINARY),
        _ => return None,
    };
    let at = (statistic.exponent % step == 0).then_some(statistic.exponent / step - first)?;
    names.get(usize::try_from(at).ok()?).copied()
}

/// A line about one statistic.
fn line(statistic: &Statistic, numbers: &[u64]) -> String {
    let kind = match statistic.kind {
        StatisticKind::Cumulative => "cumulative",
        StatisticKind::Instant => "instant",
        StatisticKind::Peak => "peak",
        StatisticKind::LinearHistogram { .. } => "linear-histogram",
        StatisticKind::Log2Histogram => "log2-histogram",
    };
    let unit = match statistic.unit {
        StatisticUnit::None => "",
        StatisticUnit::Bytes => "B",
        StatisticUnit::Seconds => "s",
        StatisticUnit::Cycles => "cycles",
        StatisticUnit::Boolean => "boolean",
    };
    let unit = match (statistic.exponent, prefix(statistic)) {
        (0, _) => unit.to_owned(),
        (_, Some(prefix)) => format!("{prefix}{unit}"),
        (exponent, None) => format!("* {}^{exponent} {unit}", statistic.base).trim_end().to_owned(),
    };
    let separator = if unit.is_empty() { "" } else { ", " };
    let bucket = match statistic.kind {
        StatisticKind::LinearHistogram { bucket_size } => format!(", bucket size={bucket_size}"),
        _ => String::new(),
    };
    let value = match (statistic.unit, numbers) {
        (StatisticUnit::Boolean, [one]) => if *one == 0 { "no" } else { "yes" }.to_owned(),
        (_, [one]) => one.to_string(),
        _ => numbers.iter().enumerate().map(|(at, number)| format!("[{}]={number} ", at + 1)).collect(),
    };
    format!("    {} ({kind}{separator}{unit}{bucket}): {value}\n", statistic.name)
}

/// Lines about those of `names`, the kernel's last one first.
fn lines(statistics: &Statistics, names: Option<&[&str]>) -> Result<String, Error> {
    let values = statistics.values().map_err(Error::generic)?;
    let all = statistics.described().iter().zip(&values).rev();
    let wanted = all.filter(|(one, _)| names.is_none_or(|names| names.contains(&one.name.as_str())));
    Ok(wanted.map(|(one, numbers)| line(one, numbers)).collect())
}

hmp_command! {
    info "stats", "target:s,names:s?,provider:s?", "target [names] [provider]",
    "show statistics for the given target (vm or vcpu); optionally filter by name (comma-separated list, or * for all) and provider" =>
    fn info_stats(monitor, arguments) {
        let target = match arguments.str("target") {
            Some("vm") => StatsTarget::Vm,
            Some("vcpu") => StatsTarget::Vcpu,
            other => {
                monitor.print(format_args!("invalid stats target {}\n", other.unwrap_or_default()));
                return Ok(());
            }
        };
        let provider = arguments.str("provider");
        if let Some(unknown) = provider.filter(|name| *name != "kvm") {
            monitor.print(format_args!("invalid stats provider {unknown}\n"));
            return Ok(());
        }
        let names: Option<Vec<&str>> =
            arguments.str("names").filter(|names| *names != "*").map(|names| names.split(',').collect());
        let current = monitor.state.cpu;
        let context = &*monitor.context;
        let texts = kept(context, |_, vm| {
            let (names, guest) = (names.as_deref(), Guest::of(context)?);
            match target {
                StatsTarget::Vm => Ok(vec![lines(&vm.statistics().map_err(Error::generic)?, names)?]),
                StatsTarget::Vcpu => {
                    let vcpu = guest.vcpu(guest.current(current)?)?;
                    Ok(vec![lines(vcpu.statistics().map_err(Error::generic)?, names)?])
                }
            }
        })?;
        for text in texts.iter().filter(|text| !text.is_empty()) {
            if provider.is_none() {
                monitor.print(format_args!("provider: kvm\n"));
            }
            monitor.print(format_args!("{text}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kvm/fixtures");

    fn read(fixture: &str) -> Statistics {
        Statistics::new(File::open(format!("{FIXTURES}/{fixture}")).unwrap()).unwrap()
    }

    /// What the reference said of the same kernel's statistics where nothing had run (`tests/differential/record_kvm_stats.py`).
    #[test]
    fn a_kernels_statistics_are_shown_as_by_the_reference() {
        let mut text = String::new();
        for fixture in ["stats-vm.bin", "stats-vcpu.bin"] {
            let statistics = read(fixture);
            assert!(statistics.values().unwrap().iter().flatten().all(|number| *number == 0));
            text += &format!("provider: kvm\n{}", lines(&statistics, None).unwrap());
        }
        assert!(text.lines().count() > 60);
        assert_eq!(text, include_str!("../kvm/fixtures/stats-info.txt"));
    }

    #[test]
    fn units_have_prefixes() {
        use StatisticKind::{Cumulative, LinearHistogram};
        for (kind, unit, base, exponent, numbers, expected) in [
            (Cumulative, StatisticUnit::Bytes, 2, 20, &[5][..], "(cumulative, MiB): 5"),
            (Cumulative, StatisticUnit::Seconds, 10, -6, &[5], "(cumulative, us): 5"),
            (Cumulative, StatisticUnit::Seconds, 10, -4, &[5], "(cumulative, * 10^-4 s): 5"),
            (Cumulative, StatisticUnit::None, 10, 100, &[5], "(cumulative, * 10^100): 5"),
            (Cumulative, StatisticUnit::None, 2, i16::MIN, &[5], "(cumulative, * 2^-32768): 5"),
            (Cumulative, StatisticUnit::Boolean, 10, 0, &[1], "(cumulative, boolean): yes"),
            (
                LinearHistogram { bucket_size: 8 },
                StatisticUnit::Cycles,
                10,
                0,
                &[1, 2],
                "(linear-histogram, cycles, bucket size=8): [1]=1 [2]=2 ",
            ),
        ] {
            let mut statistic = read("stats-vm.bin").described()[0].clone();
            "x".clone_into(&mut statistic.name);
            (statistic.kind, statistic.unit) = (kind, unit);
            (statistic.base, statistic.exponent) = (base, exponent);
            assert_eq!(line(&statistic, numbers), format!("    x {expected}\n"));
        }
    }
}
