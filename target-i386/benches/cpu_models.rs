//! What CPU models cost: expanding one, expanding all, the list of them, and the CPUID tables of many CPUs.
//!
//! `cargo bench -p target-i386`. The figures beside QEMU's are in the benchmark `against_reference` of the crate `tests`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use target_i386::config::CpuConfig;
use target_i386::describe;
use target_i386::model::{AliasPolicy, Catalogue};
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

criterion_group!(benches, models, tables);
criterion_main!(benches);
