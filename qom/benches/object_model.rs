//! What the object model costs, in look-ups of a `std` hash map: of the same names, in the same run.
//!
//! `cargo bench -p qom --bench object_model` measures and ends with a table of medians and ratios. Figures of one run are
//! comparable with each other, not with another machine's; the ratios are what `docs/performance.md` quotes.

#![expect(clippy::unwrap_used, reason = "a failed step of a benchmark is a failed benchmark")]

use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion};
use qom::{
    Bootstrap, ClassInit, Container, Device, Field, Input, Instance, Obj, Origin, Property, Qom, TypeInfo,
    site,
};

const PROPERTIES: usize = 500;
const CLASSES: usize = 500;
const SIBLINGS: [usize; 3] = [10, 1_000, 100_000];

/// An object with many properties.
#[derive(Debug, qom::derive::Object)]
#[object(name = "wide", class_init = Wide::class_init)]
struct Wide {
    parent: Container,
    number: Field<u64>,
}

impl Wide {
    fn class_init(class: &mut ClassInit<'_>) {
        for n in 0..PROPERTIES {
            let property = Property::of::<Self, u64>(format!("property-{n}"), |wide| wide.number.get())
                .settable(|wide: &Self, number| {
                    wide.number.set(number);
                    Ok(())
                });
            class.add_property(property);
        }
    }
}

/// A device with nothing to do.
#[derive(Debug, qom::derive::Object)]
#[object(name = "plain")]
struct Plain {
    parent: Device,
    #[property(get, set, default = 1)]
    number: Field<u32>,
}

fn system() -> Arc<Qom> {
    let mut types = Bootstrap::empty();
    types.register(Wide::type_info()).unwrap();
    types.register(Plain::type_info()).unwrap();
    for n in 0..CLASSES {
        types.register(TypeInfo::new(format!("class-{n}"), "container", site!())).unwrap();
    }
    let accel = types.create("container").unwrap();
    types.accel_ready(accel).unwrap().seal().unwrap()
}

/// A system with so many containers side by side below `/machine/peripheral`.
fn with_siblings(count: usize) -> Arc<Qom> {
    let qom = system();
    qom.container("/machine/unattached").unwrap();
    let home = qom.container("/machine/peripheral").unwrap();
    for name in names("cpu", count) {
        home.add_child(&name, &qom.create("container").unwrap()).unwrap();
    }
    qom
}

fn names(stem: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{stem}-{n}")).collect()
}

/// The names one after the other in an order that no cache foresees, again and again.
fn shuffled(names: &[String]) -> impl Iterator<Item = &str> {
    // A prime that none of the counts is a multiple of.
    (0..).map(move |n: usize| names[n.wrapping_mul(7919) % names.len()].as_str())
}

/// The yardstick: the same names in a map of the standard library.
fn look_up(criterion: &mut Criterion, group: &str, names: &[String]) {
    let map: HashMap<String, Arc<str>> =
        names.iter().map(|name| (name.clone(), Arc::from(name.as_str()))).collect();
    let mut next = shuffled(names);
    criterion.benchmark_group(group).bench_function("look-up", |bencher| {
        bencher.iter(|| map.get(black_box(next.next().unwrap())).cloned());
    });
}

fn properties(criterion: &mut Criterion) {
    let qom = system();
    let object = qom.create("wide").unwrap();
    let names = names("property", PROPERTIES);
    look_up(criterion, "properties", &names);
    let mut group = criterion.benchmark_group("properties");
    let mut next = shuffled(&names);
    group.bench_function("get", |bencher| {
        bencher.iter(|| object.get(black_box(next.next().unwrap())).unwrap());
    });
    let value = 5.into();
    group.bench_function("set one", |bencher| {
        bencher.iter(|| object.set(black_box("property-77"), &Input::Json(&value), Origin::Monitor).unwrap());
    });
    let mut next = shuffled(&names);
    group.bench_function("set", |bencher| {
        bencher.iter(|| {
            object.set(black_box(next.next().unwrap()), &Input::Json(&value), Origin::Monitor).unwrap();
        });
    });
}

fn classes(criterion: &mut Criterion) {
    let qom = system();
    let names = names("class", CLASSES);
    // A class is built when it is first asked for.
    names.iter().for_each(|name| assert!(qom.class(name).is_ok()));
    look_up(criterion, "classes", &names);
    let mut next = shuffled(&names);
    criterion.benchmark_group("classes").bench_function("class", |bencher| {
        bencher.iter(|| qom.class(black_box(next.next().unwrap())).unwrap().name().len());
    });
}

fn paths(criterion: &mut Criterion) {
    for count in SIBLINGS {
        let group_name = format!("paths among {count}");
        let qom = with_siblings(count);
        let names = names("cpu", count);
        look_up(criterion, &group_name, &names);
        let mut group = criterion.benchmark_group(&group_name);
        let absolute: Vec<String> = names.iter().map(|name| format!("/machine/peripheral/{name}")).collect();
        let mut next = shuffled(&absolute);
        group.bench_function("absolute", |bencher| {
            bencher.iter(|| qom.resolve(black_box(next.next().unwrap())).unwrap());
        });
        let mut next = shuffled(&names);
        group.bench_function("partial", |bencher| {
            bencher.iter(|| qom.resolve(black_box(next.next().unwrap())).unwrap());
        });
        let home = qom.resolve("/machine/peripheral").unwrap();
        let mut next = shuffled(&names);
        group.bench_function("child", |bencher| {
            bencher.iter(|| home.core().child(black_box(next.next().unwrap())).unwrap());
        });
        // An old sibling goes and comes back as the youngest.
        let mut next = shuffled(&names);
        group.bench_function("unparent and add_child", |bencher| {
            bencher.iter(|| {
                let name = next.next().unwrap();
                let child = home.core().child(name).unwrap();
                assert!(child.unparent());
                home.add_child(black_box(name), &child).unwrap()
            });
        });
        group.bench_with_input(
            BenchmarkId::from_parameter("add_child [*] and unparent"),
            &home,
            |bencher, home| {
                bencher.iter_batched(
                    || qom.create("container").unwrap(),
                    |child| {
                        home.add_child("device[*]", &child).unwrap();
                        child.unparent();
                        child
                    },
                    BatchSize::SmallInput,
                );
            },
        );
    }
}

fn devices(criterion: &mut Criterion) {
    let qom = with_siblings(1_000);
    look_up(criterion, "devices", &names("cpu", 1_000));
    let mut group = criterion.benchmark_group("devices");
    group.bench_function("create and drop an object", |bencher| {
        bencher.iter(|| qom.create(black_box("container")).unwrap());
    });
    group.bench_function("create, realize, unplug, drop", |bencher| {
        bencher.iter(|| {
            let device = Obj::<Device>::new(qom.create(black_box("plain")).unwrap()).unwrap();
            Device::realize(&device).unwrap();
            Device::unplug(&device).unwrap();
        });
    });
}

/// Median time in nanoseconds as the benchmark library wrote it down; none if this run measured nothing.
fn median(directory: &Path, group: &str, what: &str) -> Option<f64> {
    // The library makes file names of titles in this way.
    let file_name = |title: &str| title.replace(['?', '"', '/', '\\', '*', '<', '>', ':', '|', '^'], "_");
    let path: PathBuf = directory.join(file_name(group)).join(file_name(what)).join("new/estimates.json");
    let text = std::fs::read_to_string(path).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

fn summarise(directory: &Path) {
    let mut groups: Vec<(String, Vec<&str>)> = vec![
        ("properties".into(), vec!["get", "set one", "set"]),
        ("classes".into(), vec!["class"]),
        ("devices".into(), vec!["create and drop an object", "create, realize, unplug, drop"]),
    ];
    for count in SIBLINGS {
        let figures =
            vec!["absolute", "partial", "child", "unparent and add_child", "add_child [*] and unparent"];
        groups.push((format!("paths among {count}"), figures));
    }
    for (group, figures) in groups {
        let Some(yardstick) = median(directory, &group, "look-up") else { continue };
        println!("{group}: look-up {yardstick:.1} ns");
        for what in figures {
            if let Some(time) = median(directory, &group, what) {
                println!("    {what}: {time:.1} ns, {:.1} look-ups", time / yardstick);
            }
        }
    }
}

fn main() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("object_model");
    let started = Instant::now();
    // Figures of an earlier run are not this one's.
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    let mut criterion = Criterion::default()
        .output_directory(&directory)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    properties(&mut criterion);
    classes(&mut criterion);
    devices(&mut criterion);
    paths(&mut criterion);
    criterion.final_summary();
    summarise(&directory);
    println!("measured in {:.0?}", started.elapsed());
}
