//! The chains of causes: what they say of known CPUs, and that they account for every bit.

use proptest::prelude::*;
use target_i386::expand::Reason;
use target_i386::feature::{FeatureSet, FeatureWord, feature, find, recognized_flags};
use target_i386::model::Catalogue;
use target_i386::provenance::{Cause, Link, Setter};
use target_i386::realize::RealizedCpu;
use target_i386::source::{Accelerator, CpuidSource, HostCpuid, Irqchip, Kvm, Tcg};
use target_i386::topology::{CpuTopology, Placement};
use target_i386::{DescribeError, describe};

fn genoa() -> Kvm {
    let host = HostCpuid::from_json(include_str!("../hosts/epyc-genoa.json")).expect("a host file");
    Kvm::new(host, Irqchip::Kernel)
}

fn cpu(text: &str, source: &dyn CpuidSource) -> RealizedCpu {
    describe(text, Placement::boot(CpuTopology::single()), source).expect("a CPU").cpu
}

fn chain(cpu: &RealizedCpu, name: &str) -> Vec<(bool, Cause)> {
    cpu.explain(find(name).expect("a feature"))
        .links
        .into_iter()
        .map(|Link { cause, on }| (on, cause))
        .collect()
}

fn set_by(name: &'static str, by: Setter) -> Cause {
    Cause::Property { name, by }
}

#[test]
fn every_kind_of_cause_is_told() {
    let tcg = Cause::Unsupported(Accelerator::Tcg);
    let kvm = Cause::Unsupported(Accelerator::Kvm);

    let haswell = cpu("Haswell-v4,-rtm,hle=off,+hle", &Tcg);
    assert_eq!(chain(&haswell, "pcid"), [(true, Cause::Model("Haswell")), (false, tcg)]);
    assert!(haswell.explain(feature("pcid")).filtered);
    // Version 2 takes TSX away, version 3 gives it back with IBRS, version 4 takes it again.
    assert_eq!(
        chain(&haswell, "rtm"),
        [
            (true, Cause::Model("Haswell")),
            (false, Cause::Version(2)),
            (true, Cause::Version(3)),
            (false, Cause::Version(4)),
            (false, set_by("rtm", Setter::Sign)),
        ]
    );
    let hle = chain(&haswell, "hle");
    assert_eq!(
        hle[hle.len() - 3..],
        [(false, set_by("hle", Setter::CpuOption)), (true, set_by("hle", Setter::Sign)), (false, tcg)]
    );
    assert_eq!(chain(&haswell, "avx512f"), []);
    assert_eq!(
        chain(&haswell, "vme"),
        [(true, Cause::Model("Haswell")), (false, Cause::AcceleratorDefault(Accelerator::Tcg))]
    );

    let host = genoa();
    let epyc = cpu("EPYC,-svm,kvm=off", &host);
    assert_eq!(chain(&epyc, "npt")[1..], [(false, Cause::Needs(feature("svm")))]);
    assert_eq!(
        chain(&epyc, "kvm-pv-eoi"),
        [(true, Cause::AcceleratorDefault(Accelerator::Kvm)), (false, Cause::KvmHidden)]
    );
    assert_eq!(
        cpu("max", &host).explain(feature("avx512f")).links,
        [Link { cause: Cause::Offered(Accelerator::Kvm), on: true }]
    );
    let wished = cpu("qemu64,+amx-tile", &host);
    assert_eq!(chain(&wished, "amx-tile"), [(true, set_by("amx-tile", Setter::Sign)), (false, kvm)]);
    let both = cpu("base,+mpx,+apxf,+xsave,+lm", &Tcg);
    assert_eq!(
        chain(&both, "apxf"),
        [(true, set_by("apxf", Setter::Sign)), (false, Cause::Conflict(Reason::ConflictsWithMpx))]
    );
    // XCR0 bit 2 is AVX's state.
    let states = cpu("Haswell", &Tcg).explain_bit(FeatureWord::Xcr0Low, 2);
    assert!(states.on);
    assert_eq!(states.links, [Link { cause: Cause::XsaveComponents, on: true }]);
    // AMD's copy of the FPU bit in leaf 8000_0001h.
    let copy = cpu("EPYC", &Tcg).explain_bit(FeatureWord::Leaf80000001Edx, 0);
    assert_eq!((copy.on, copy.links.last().map(|link| link.cause)), (true, Some(Cause::AmdRepeats)));

    let threads = Placement::boot(CpuTopology::new(1, 1, 2, 2).expect("a topology"));
    let several = describe("Haswell", threads, &Tcg).expect("a CPU").cpu;
    assert_eq!(several.explain(feature("ht")).links, [Link { cause: Cause::Topology, on: true }]);
    assert!(several.explain(feature("pdcm")).links.is_empty());
    let unmeasured = cpu("qemu64,pdcm=on", &Tcg);
    assert_eq!(
        chain(&unmeasured, "pdcm"),
        [(true, set_by("pdcm", Setter::CpuOption)), (false, Cause::NoPmu)]
    );
}

#[test]
fn forced_features_stay_and_are_told_of() {
    let forced = cpu("qemu64,+avx512f,x-force-features=on", &Tcg);
    let explanation = forced.explain(feature("avx512f"));
    assert!(explanation.on && explanation.filtered);
    assert_eq!(explanation.links.last().map(|link| link.on), Some(true));
}

#[test]
fn causes_are_sentences() {
    let all = cpu("Haswell-v4,+hle", &Tcg);
    let said: Vec<_> = all.explain(feature("hle")).links.iter().map(|l| l.cause.to_string()).collect();
    assert_eq!(said[0], "model Haswell");
    assert_eq!(said[said.len() - 2], "property hle set by + or - of -cpu");
    assert_eq!(said[said.len() - 1], "not supported by tcg");
}

/// The words that the steps give when they are done again, one after the other.
fn replay(cpu: &RealizedCpu) -> FeatureSet {
    let mut words = FeatureSet::EMPTY;
    for step in cpu.config.history.steps() {
        words.insert(step.word, step.on);
        words.remove(step.word, step.off);
    }
    words
}

fn settings() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = recognized_flags();
    prop::collection::vec((prop::sample::select(names), 0..4usize), 0..6).prop_map(|list| {
        list.into_iter().fold(String::new(), |text, (name, form)| match form {
            0 => format!("{text},+{name}"),
            1 => format!("{text},-{name}"),
            2 => format!("{text},{name}=on"),
            _ => format!("{text},{name}=off"),
        })
    })
}

proptest! {
    /// Nothing changes a bit without being noted.
    #[test]
    fn the_steps_account_for_every_bit(model in 0usize..64, rest in settings(), threads in 1u32..4, kvm: bool, pmu: bool) {
        let catalogue = Catalogue::builtin();
        let entries = catalogue.entries();
        let name = entries[model % entries.len()].name();
        let host = genoa();
        let source: &dyn CpuidSource = if kvm { &host } else { &Tcg };
        let topology = CpuTopology::new(1, 1, 2, threads).expect("a topology");
        let pmu = if pmu { ",pmu=on" } else { "" };
        match describe(&format!("{name}{pmu}{rest}"), Placement::boot(topology), source) {
            Ok(described) => prop_assert_eq!(replay(&described.cpu), described.cpu.config.features),
            Err(DescribeError::Realize(_)) => {}
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
