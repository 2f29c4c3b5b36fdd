//! The topology check: an independent decoder reads finished tables back, and what leaves 1, 4, 0Bh, 1Fh,
//! 8000_0008h, 8000_001Dh and 8000_001Eh say must agree with each other, with the APIC ID and with the topology.
//!
//! Nothing of the crate's own arithmetic is used for what is expected but the place that each CPU was given.

use proptest::prelude::*;
use raw_cpuid::{CacheType, CpuId, CpuIdReader, CpuIdResult, TopologyType};
use target_i386::cpuid::CpuidTable;
use target_i386::source::{CpuidSource, HostCpuid, Irqchip, Kvm, Tcg};
use target_i386::topology::{
    ApicId, CacheName, CacheSharing, CacheSharingError, CpuIds, CpuTopology, Level, Placement,
};
use target_i386::{Vendor, describe};

/// Lets the decoder read a table.
#[derive(Clone)]
struct Reader<'a>(&'a CpuidTable);

impl CpuIdReader for Reader<'_> {
    fn cpuid2(&self, eax: u32, ecx: u32) -> CpuIdResult {
        let r = self.0.read_at_reset(eax, ecx);
        CpuIdResult { eax: r.eax, ebx: r.ebx, ecx: r.ecx, edx: r.edx }
    }
}

/// Counts of a machine.
#[derive(Debug, Clone, Copy)]
struct Counts {
    sockets: u32,
    dies: u32,
    modules: u32,
    cores: u32,
    threads: u32,
}

impl Counts {
    fn topology(self, caches: CacheSharing) -> CpuTopology {
        CpuTopology::new(self.dies, self.modules, self.cores, self.threads)
            .expect("small counts fit")
            .with_caches(caches)
    }

    /// Places of all CPUs.
    fn places(self) -> impl Iterator<Item = CpuIds> {
        let Self { sockets, dies, modules, cores, threads } = self;
        (0..sockets * dies * modules * cores * threads).map(move |i| CpuIds {
            thread: i % threads,
            core: i / threads % cores,
            module: i / threads / cores % modules,
            die: i / threads / cores / modules % dies,
            socket: i / threads / cores / modules / dies,
        })
    }

    fn within(self, level: Level) -> u32 {
        match level {
            Level::Thread => 1,
            Level::Core => self.threads,
            Level::Module => self.threads * self.cores,
            Level::Die => self.threads * self.cores * self.modules,
            Level::Socket => self.threads * self.cores * self.modules * self.dies,
        }
    }
}

/// The unit of a level that a CPU is in, by the place alone.
fn unit(ids: CpuIds, level: Level) -> [u32; 5] {
    match level {
        Level::Thread => [ids.socket, ids.die, ids.module, ids.core, ids.thread],
        Level::Core => [ids.socket, ids.die, ids.module, ids.core, 0],
        Level::Module => [ids.socket, ids.die, ids.module, 0, 0],
        Level::Die => [ids.socket, ids.die, 0, 0, 0],
        Level::Socket => [ids.socket, 0, 0, 0, 0],
    }
}

/// A unit of CPUs as one leaf tells of it: its level by the leaf, and how far to shift an APIC ID.
type Shifts = Vec<(Level, u32)>;

/// Checks one CPU's table and returns what it says of units.
fn check_one(
    table: &CpuidTable,
    vendor: Vendor,
    counts: Counts,
    apic_id: ApicId,
    ids: CpuIds,
) -> Result<Shifts, TestCaseError> {
    let decoder = CpuId::with_cpuid_reader(Reader(table));
    let per_socket = counts.within(Level::Socket);

    // Leaf 0Bh: threads of a core, then of a package.
    let levels: Vec<_> = decoder.get_extended_topology_info().expect("leaf 0Bh").collect();
    prop_assert_eq!(levels.len(), 2);
    prop_assert!(levels.iter().all(|level| level.x2apic_id() == apic_id.0));
    prop_assert_eq!(levels[0].level_type(), TopologyType::SMT);
    prop_assert_eq!(u32::from(levels[0].processors()), counts.threads);
    prop_assert_eq!(levels[1].level_type(), TopologyType::Core);
    prop_assert_eq!(u32::from(levels[1].processors()), per_socket);
    let core_shift = levels[0].shift_right_for_next_apic_id();
    let package_shift = levels[1].shift_right_for_next_apic_id();
    let mut shifts = vec![(Level::Core, core_shift), (Level::Socket, package_shift)];

    // Leaf 1Fh, where there are modules or dies: the levels between as well. AMD does not have it.
    let extended = counts.modules > 1 || counts.dies > 1;
    prop_assert!(!(vendor.is_intel() && extended) || table.limits().basic >= 0x1f);
    if extended && table.limits().basic >= 0x1f {
        let outer = |kind| match kind {
            TopologyType::SMT => Some(Level::Core),
            TopologyType::Core if counts.modules > 1 => Some(Level::Module),
            TopologyType::Core | TopologyType::Module if counts.dies > 1 => Some(Level::Die),
            TopologyType::Core | TopologyType::Module | TopologyType::Die => Some(Level::Socket),
            _ => None,
        };
        let read = |subleaf| table.read_at_reset(0x1f, subleaf);
        let mut said = Vec::new();
        for subleaf in 0..8 {
            let r = read(subleaf);
            let kind = match r.ecx >> 8 & 0xff {
                0 => break,
                1 => TopologyType::SMT,
                2 => TopologyType::Core,
                3 => TopologyType::Module,
                5 => TopologyType::Die,
                other => return Err(TestCaseError::fail(format!("level type {other}"))),
            };
            prop_assert_eq!(r.ecx & 0xff, subleaf);
            prop_assert_eq!(r.edx, apic_id.0);
            let level = outer(kind).expect("a level");
            prop_assert_eq!(r.ebx & 0xffff, counts.within(level));
            said.push((level, r.eax & 0x1f));
        }
        let decoded: Vec<_> = decoder.get_extended_topology_info_v2().expect("leaf 1Fh").collect();
        prop_assert_eq!(decoded.len(), said.len());
        for (level, (_, shift)) in decoded.iter().zip(&said) {
            prop_assert_eq!(level.shift_right_for_next_apic_id(), *shift);
            prop_assert_eq!(level.x2apic_id(), apic_id.0);
        }
        prop_assert!(said.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
        prop_assert_eq!(said.first(), Some(&(Level::Core, core_shift)));
        prop_assert_eq!(said.last(), Some(&(Level::Socket, package_shift)));
        shifts = said;
    }

    // Leaf 1: the low bits of the APIC ID, and how many a package has room for.
    let info = decoder.get_feature_info().expect("leaf 1");
    prop_assert_eq!(u32::from(info.initial_local_apic_id()), apic_id.0 & 0xff);
    prop_assert_eq!(info.has_htt(), per_socket > 1);
    if per_socket > 1 {
        let room = if vendor.is_amd() { per_socket } else { 1 << package_shift };
        prop_assert_eq!(u32::from(info.max_logical_processor_ids()), room.min(255));
    }

    // Caches: leaf 4 or 8000_001Dh.
    let mut caches = Vec::new();
    for cache in decoder.get_cache_parameters().into_iter().flatten() {
        prop_assert!(cache.cache_type() != CacheType::Null && cache.cache_type() != CacheType::Reserved);
        let ids = u32::try_from(cache.max_cores_for_cache()).expect("12 bits");
        prop_assert!(ids.is_power_of_two());
        let shift = ids.trailing_zeros();
        // It is the room of some level of leaf 0Bh or 1Fh, as far as 12 bits tell.
        let known = shifts.iter().any(|(_, known)| (*known).min(12) == shift);
        prop_assert!(vendor.is_amd() || known, "cache of level {} shares {ids}", cache.level());
        caches.push((cache.level(), shift));
        if !vendor.is_amd() {
            let cores = 1usize << (package_shift - core_shift).min(6);
            prop_assert_eq!(cache.max_cores_for_package(), cores);
        }
    }
    for (inner, outer) in caches.iter().flat_map(|inner| caches.iter().map(move |outer| (inner, outer))) {
        prop_assert!(inner.0 >= outer.0 || inner.1 <= outer.1, "{caches:?}");
    }
    if vendor.is_amd() {
        // Leaf 8000_0008h: threads of a package, and the width of their IDs.
        let r = table.read_at_reset(0x8000_0008, 0);
        if per_socket > 1 {
            let info = decoder.get_processor_capacity_feature_info().expect("leaf 8000_0008h");
            prop_assert_eq!(u32::try_from(info.num_phys_threads()).ok(), Some((per_socket - 1) % 256 + 1));
            prop_assert_eq!(r.ecx >> 12 & 0xf, package_shift & 0xf);
        } else {
            prop_assert_eq!(r.ecx, 0);
        }
        if table.limits().extended >= 0x8000_001e {
            let info = decoder.get_processor_topology_info().expect("leaf 8000_001Eh");
            if ids.core > 255 {
                prop_assert_eq!(info.x2apic_id(), 0);
            } else {
                prop_assert_eq!(info.x2apic_id(), apic_id.0);
                prop_assert_eq!(u32::from(info.threads_per_core()), counts.threads);
                prop_assert_eq!(u32::from(info.core_id()), ids.core);
                prop_assert_eq!(u32::from(info.node_id()), apic_id.0 >> package_shift & 0xff);
                prop_assert_eq!(info.nodes_per_processor(), 1);
            }
        }
    }
    Ok(shifts)
}

/// A CPU's unit by its place, and by the shifted APIC ID.
type Member = ([u32; 5], u32);

/// Checks all CPUs of a machine: the units that the tables tell of are those of the topology, and APIC IDs
/// are different.
fn check(
    model: &str,
    counts: Counts,
    caches: CacheSharing,
    source: &dyn CpuidSource,
) -> Result<(), TestCaseError> {
    let topology = counts.topology(caches);
    let mut units: Vec<(Level, u32, Vec<Member>)> = Vec::new();
    let mut all_ids = Vec::new();
    for ids in counts.places() {
        let apic_id = topology.encode(ids).expect("small IDs fit");
        let cpu = match describe(model, Placement { topology, apic_id }, source) {
            Ok(described) => described.cpu,
            Err(error) => {
                let text = error.to_string();
                prop_assert!(text.contains("smp cache topology"), "{}", text);
                return Ok(());
            }
        };
        let shifts = check_one(&cpu.table, cpu.config.vendor, counts, apic_id, ids)?;
        for (i, (level, shift)) in shifts.iter().enumerate() {
            if units.len() <= i {
                units.push((*level, *shift, Vec::new()));
            }
            prop_assert_eq!((units[i].0, units[i].1), (*level, *shift));
            units[i]
                .2
                .push((unit(ids, *level), u64::from(apic_id.0).checked_shr(*shift).unwrap_or(0) as u32));
        }
        all_ids.push(apic_id);
    }
    let count = all_ids.len();
    all_ids.sort();
    all_ids.dedup();
    prop_assert_eq!(all_ids.len(), count);
    for (level, _, mut members) in units {
        members.sort_unstable();
        members.dedup();
        // One number for each unit and one unit for each number.
        let mut by_place: Vec<_> = members.iter().map(|(place, _)| place).collect();
        by_place.dedup();
        let mut by_number: Vec<_> = members.iter().map(|(_, number)| number).collect();
        by_number.sort_unstable();
        by_number.dedup();
        prop_assert_eq!(by_place.len(), members.len(), "{:?}", level);
        prop_assert_eq!(by_number.len(), members.len(), "{:?}", level);
    }
    Ok(())
}

fn counts() -> impl Strategy<Value = Counts> {
    (1u32..4, 1u32..4, 1u32..4, prop_oneof![1u32..6, Just(17), Just(24)], 1u32..4).prop_map(
        |(sockets, dies, modules, cores, threads)| Counts { sockets, dies, modules, cores, threads },
    )
}

fn sharing() -> impl Strategy<Value = CacheSharing> {
    let level = || {
        prop::sample::select(vec![
            None,
            None,
            Some(Level::Core),
            Some(Level::Module),
            Some(Level::Die),
            Some(Level::Socket),
        ])
    };
    (level(), level(), level(), level()).prop_map(|(l1d, l1i, l2, l3)| {
        let wishes = [(CacheName::L1d, l1d), (CacheName::L1i, l1i), (CacheName::L2, l2), (CacheName::L3, l3)];
        let sharing: Result<_, CacheSharingError> = CacheSharing::new(wishes);
        sharing.expect("no cache of a thread, none twice")
    })
}

fn hosts() -> [Kvm; 2] {
    [include_str!("../hosts/sapphire-rapids.json"), include_str!("../hosts/epyc-genoa.json")]
        .map(|text| Kvm::new(HostCpuid::from_json(text).expect("a host file"), Irqchip::Kernel))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn tables_agree_with_themselves_and_the_topology(
        model in prop::sample::select(vec!["Haswell", "EPYC", "EPYC-v4", "max", "qemu64"]),
        counts in counts(),
        caches in sharing(),
        host in prop::sample::select(vec![0usize, 1, 2]),
    ) {
        let hosts = hosts();
        let source: &dyn CpuidSource = match host {
            0 => &Tcg,
            other => &hosts[other - 1],
        };
        check(model, counts, caches, source)?;
    }
}

/// More CPUs than an xAPIC has IDs, in one socket and in several.
#[test]
fn more_than_255_cpus() {
    for counts in [
        Counts { sockets: 1, dies: 1, modules: 1, cores: 300, threads: 1 },
        Counts { sockets: 2, dies: 3, modules: 1, cores: 33, threads: 3 },
        Counts { sockets: 7, dies: 1, modules: 3, cores: 5, threads: 3 },
    ] {
        for model in ["Haswell", "EPYC", "max"] {
            check(model, counts, CacheSharing::AS_MODEL, &Tcg)
                .unwrap_or_else(|e| panic!("{model} {counts:?}: {e}"));
        }
    }
}

/// The check can fail: a table that tells of another place or another topology is found out.
#[test]
fn a_wrong_table_is_found() {
    let counts = Counts { sockets: 2, dies: 1, modules: 1, cores: 3, threads: 2 };
    let topology = counts.topology(CacheSharing::AS_MODEL);
    let ids = CpuIds { socket: 1, core: 2, ..CpuIds::default() };
    let apic_id = topology.encode(ids).expect("an ID");
    for model in ["Haswell", "EPYC"] {
        let right = describe(model, Placement { topology, apic_id }, &Tcg).expect("a CPU").cpu;
        let vendor = right.config.vendor;
        assert!(check_one(&right.table, vendor, counts, apic_id, ids).is_ok());
        let elsewhere = describe(model, Placement { topology, apic_id: ApicId(0) }, &Tcg).expect("a CPU").cpu;
        assert!(check_one(&elsewhere.table, vendor, counts, apic_id, ids).is_err());
        let other = CpuTopology::new(1, 1, 4, 2).expect("a topology");
        let other = describe(model, Placement { topology: other, apic_id }, &Tcg).expect("a CPU").cpu;
        assert!(check_one(&other.table, vendor, counts, apic_id, ids).is_err());
    }
}
