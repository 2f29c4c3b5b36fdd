//! What CPU models cost: expanding one, all, all of all machine types, the list of them, and the CPUID tables of many
//! CPUs.
//!
//! `cargo bench -p target-i386`. The figures beside QEMU's are in the benchmark `against_reference` of the crate `tests`.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use target_i386::config::CpuConfig;
use target_i386::describe;
use target_i386::model::{AliasPolicy, Catalogue, TYPE_SUFFIX};
use target_i386::source::Tcg;
use target_i386::topology::{CpuIds, CpuTopology, Placement};

fn models(criterion: &mut Criterion) {
    let catalogue = Catalogue::builtin();
    let topology = CpuTopology::single();
    let expand = |name: &str| {
        let entry =
            catalogue.find(name).expect("a model of this crate").clone().under(AliasPolicy::default());
        CpuConfig::new(&entry, &Tcg).expand(&topology, &Tcg).expect("a model expands")
    };
    criterion.bench_function("expand one model", |bencher| bencher.iter(|| expand(black_box("Haswell"))));
    let names: Vec<&str> =
        catalogue.entries().iter().map(|entry| entry.name()).filter(|name| *name != "host").collect();
    let mut group = criterion.benchmark_group("expand all models");
    group.throughput(Throughput::Elements(names.len() as u64));
    group.bench_function(BenchmarkId::from_parameter(names.len()), |bencher| {
        bencher.iter(|| names.iter().map(|name| expand(name)).for_each(|expanded| drop(black_box(expanded))));
    });
    group.finish();
    criterion.bench_function("-cpu help", |bencher| {
        bencher.iter(|| Catalogue::builtin().help(black_box(AliasPolicy::default())));
    });
}

/// All models as each machine type has them: with what it sets on CPUs, and the versions that names mean there.
fn machines(criterion: &mut Criterion) {
    let compat: BTreeMap<String, Vec<[String; 3]>> =
        serde_json::from_str(include_str!("../tests/fixtures/cpu-compat.json")).expect("a fixture");
    let (catalogue, topology) = (Catalogue::builtin(), CpuTopology::single());
    let entries = || catalogue.entries().into_iter().filter(|entry| entry.name() != "host");
    let mut group = criterion.benchmark_group("expand all models of all machine types");
    let count = entries().count() * compat.len();
    group.sample_size(10).throughput(Throughput::Elements(count as u64));
    group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
        bencher.iter(|| {
            for (machine, properties) in &compat {
                let policy = match machine.as_str() {
                    "microvm" => AliasPolicy::Latest,
                    "isapc" => AliasPolicy::Unversioned,
                    _ => AliasPolicy::default(),
                };
                for entry in entries() {
                    let mut config = CpuConfig::new(&entry.clone().under(policy), &Tcg);
                    for [of, name, value] in properties {
                        let of_model = of.strip_suffix(TYPE_SUFFIX) == Some(entry.name());
                        if of == "x86_64-cpu" || of_model {
                            config.set_text(name, value).expect("a property");
                        }
                    }
                    drop(black_box(config.expand(&topology, &Tcg).expect("a model expands")));
                }
            }
        });
    });
    group.finish();
}

/// Tables of all CPUs of one socket after another, each from text to table.
fn tables(criterion: &mut Criterion) {
    let topology = CpuTopology::new(1, 1, 64, 2).expect("a topology");
    let mut group = criterion.benchmark_group("tables of CPUs");
    group.sample_size(10);
    for count in [64_u32, 512, 4096] {
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                for at in 0..count {
                    let ids =
                        CpuIds { socket: at / 128, die: 0, module: 0, core: at / 2 % 64, thread: at % 2 };
                    let apic_id = topology.encode(ids).expect("within the topology");
                    let cpu = describe("EPYC", Placement { topology, apic_id }, &Tcg).expect("a CPU");
                    black_box(cpu.cpu.table);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, models, machines, tables);
criterion_main!(benches);
