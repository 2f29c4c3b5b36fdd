//! Caches shared as the machine says (`smp-cache`), against what the first CPU of QEMU 11.1.2 reads
//! (`fixtures/guest-cpuid-smp-cache.json`).

use serde::Deserialize;
use target_i386::source::Tcg;
use target_i386::topology::{CacheName, CacheSharing, CacheSharingError, CpuTopology, Level, Placement};
use target_i386::{Described, describe};

#[derive(Deserialize)]
struct Case {
    cpu: String,
    smp: String,
    /// `l2=module l3=die`
    cache: String,
    #[serde(default)]
    rows: Vec<[u32; 6]>,
    error: Option<String>,
}

fn topology(smp: &str) -> CpuTopology {
    let count = |name: &str| {
        let value = smp.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        value.map_or(1, |n| n.parse().expect("a count"))
    };
    CpuTopology::new(count("dies"), count("modules"), count("cores"), count("threads")).expect("a topology")
}

fn sharing(text: &str) -> Result<CacheSharing, CacheSharingError> {
    CacheSharing::new(text.split_whitespace().map(|wish| {
        let (cache, level) = wish.split_once('=').expect("a wish");
        let cache = [CacheName::L1d, CacheName::L1i, CacheName::L2, CacheName::L3]
            .into_iter()
            .find(|known| known.name() == cache)
            .expect("a cache");
        let level = match level {
            "default" => None,
            "thread" => Some(Level::Thread),
            "core" => Some(Level::Core),
            "module" => Some(Level::Module),
            "die" => Some(Level::Die),
            "socket" => Some(Level::Socket),
            other => panic!("{other}"),
        };
        (cache, level)
    }))
}

#[test]
fn guests_read_the_same() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("fixtures/guest-cpuid-smp-cache.json")).expect("a fixture");
    assert!(cases.len() >= 150);
    for Case { cpu, smp, cache, rows, error } in cases {
        let topology = topology(&smp).with_caches(sharing(&cache).expect("allowed wishes"));
        let described = describe(&cpu, Placement::boot(topology), &Tcg);
        let what = format!("-cpu {cpu} -smp {smp} {cache}");
        if let Some(error) = error {
            assert_eq!(described.expect_err(&what).to_string(), error, "{what}");
            continue;
        }
        let Described { cpu, .. } = described.expect(&what);
        assert!(!rows.is_empty());
        for [leaf, subleaf, eax, ebx, ecx, edx] in rows {
            let r = cpu.table.read_at_reset(leaf, subleaf);
            assert_eq!([r.eax, r.ebx, r.ecx, r.edx], [eax, ebx, ecx, edx], "{what}: {leaf:#x}.{subleaf}");
        }
    }
}

/// The texts are the reference's, version 11.1.2.
#[test]
fn wishes_that_cannot_be() {
    let said = |text| sharing(text).expect_err(text).to_string();
    assert_eq!(said("l2=thread"), "thread level cache not supported by this machine");
    assert_eq!(
        said("l1d=core l1d=core"),
        "Invalid cache properties: l1d. The cache properties are duplicated"
    );
    assert_eq!(sharing("l3=default l2=default"), Ok(CacheSharing::AS_MODEL));
}
