//! What QEMU's own test of `-smp` asks, of machines that no program has: with and without dies and modules, with a minimum.
//!
//! A line is an argument of `-smp` and what comes of it: cpus, sockets, dies, modules, cores, threads, maxcpus, for machines
//! that compute sockets first and for those that compute cores first.

use super::*;

const MIN: u32 = 1;
const MAX: u32 = 512;

fn machine(prefer_sockets: bool, dies: bool, modules: bool) -> SmpLimits<'static> {
    SmpLimits { machine: "test", min_cpus: MIN, max_cpus: MAX, prefer_sockets, dies, modules }
}

fn resolve(limits: &SmpLimits<'_>, text: &str) -> Result<[u32; 7], String> {
    let tree = qom::text::keyval::parse(text, Some("cpus")).expect("pairs");
    let configuration = SmpConfiguration::from_properties(&tree).expect("counts");
    let CpuTopology { cpus, max_cpus, sockets, dies, modules, cores, threads } =
        configuration.resolve(limits).map_err(|error| error.to_string())?;
    Ok([cpus, sockets, dies, modules, cores, threads, max_cpus])
}

/// Counts without dies and modules: every way to leave some out.
const VALID: &[(&str, [u32; 5], [u32; 5])] = &[
    // cpus, sockets, cores, threads, maxcpus: sockets first, cores first.
    ("", [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
    ("cpus=8", [8, 8, 1, 1, 8], [8, 1, 8, 1, 8]),
    ("sockets=2", [2, 2, 1, 1, 2], [2, 2, 1, 1, 2]),
    ("cores=4", [4, 1, 4, 1, 4], [4, 1, 4, 1, 4]),
    ("threads=2", [2, 1, 1, 2, 2], [2, 1, 1, 2, 2]),
    ("maxcpus=16", [16, 16, 1, 1, 16], [16, 1, 16, 1, 16]),
    ("cpus=8,sockets=2", [8, 2, 4, 1, 8], [8, 2, 4, 1, 8]),
    ("cpus=8,cores=4", [8, 2, 4, 1, 8], [8, 2, 4, 1, 8]),
    ("cpus=8,threads=2", [8, 4, 1, 2, 8], [8, 1, 4, 2, 8]),
    ("cpus=8,maxcpus=16", [8, 16, 1, 1, 16], [8, 1, 16, 1, 16]),
    ("sockets=2,cores=4", [8, 2, 4, 1, 8], [8, 2, 4, 1, 8]),
    ("sockets=2,threads=2", [4, 2, 1, 2, 4], [4, 2, 1, 2, 4]),
    ("sockets=2,maxcpus=16", [16, 2, 8, 1, 16], [16, 2, 8, 1, 16]),
    ("cores=4,threads=2", [8, 1, 4, 2, 8], [8, 1, 4, 2, 8]),
    ("cores=4,maxcpus=16", [16, 4, 4, 1, 16], [16, 4, 4, 1, 16]),
    ("threads=2,maxcpus=16", [16, 8, 1, 2, 16], [16, 1, 8, 2, 16]),
    ("cpus=8,sockets=2,cores=4", [8, 2, 4, 1, 8], [8, 2, 4, 1, 8]),
    ("cpus=8,sockets=2,threads=2", [8, 2, 2, 2, 8], [8, 2, 2, 2, 8]),
    ("cpus=8,sockets=2,maxcpus=16", [8, 2, 8, 1, 16], [8, 2, 8, 1, 16]),
    ("cpus=8,cores=4,threads=2", [8, 1, 4, 2, 8], [8, 1, 4, 2, 8]),
    ("cpus=8,cores=4,maxcpus=16", [8, 4, 4, 1, 16], [8, 4, 4, 1, 16]),
    ("cpus=8,threads=2,maxcpus=16", [8, 8, 1, 2, 16], [8, 1, 8, 2, 16]),
    ("sockets=2,cores=4,threads=2", [16, 2, 4, 2, 16], [16, 2, 4, 2, 16]),
    ("sockets=2,cores=4,maxcpus=16", [16, 2, 4, 2, 16], [16, 2, 4, 2, 16]),
    ("sockets=2,threads=2,maxcpus=16", [16, 2, 4, 2, 16], [16, 2, 4, 2, 16]),
    ("cores=4,threads=2,maxcpus=16", [16, 2, 4, 2, 16], [16, 2, 4, 2, 16]),
    ("cpus=8,sockets=2,cores=4,threads=1", [8, 2, 4, 1, 8], [8, 2, 4, 1, 8]),
    ("cpus=8,sockets=2,cores=4,maxcpus=16", [8, 2, 4, 2, 16], [8, 2, 4, 2, 16]),
    ("cpus=8,sockets=2,threads=2,maxcpus=16", [8, 2, 4, 2, 16], [8, 2, 4, 2, 16]),
    ("cpus=8,cores=4,threads=2,maxcpus=16", [8, 2, 4, 2, 16], [8, 2, 4, 2, 16]),
    ("sockets=2,cores=4,threads=2,maxcpus=16", [16, 2, 4, 2, 16], [16, 2, 4, 2, 16]),
    ("cpus=8,sockets=2,cores=4,threads=2,maxcpus=16", [8, 2, 4, 2, 16], [8, 2, 4, 2, 16]),
];

/// Whichever levels the machine has, and whether those of one unit are named or not.
#[test]
fn what_is_left_out_is_computed() {
    for (text, sockets_first, cores_first) in VALID {
        for (dies, modules) in [(false, false), (true, false), (false, true), (true, true)] {
            for more in
                ["", ",dies=1", ",modules=1", ",clusters=1", ",dies=1,modules=1,clusters=1,books=1,drawers=1"]
            {
                let text = format!("{text}{more}");
                let text = text.trim_start_matches(',');
                for (prefer_sockets, [cpus, sockets, cores, threads, maxcpus]) in
                    [(true, *sockets_first), (false, *cores_first)]
                {
                    let expected = Ok([cpus, sockets, 1, 1, cores, threads, maxcpus]);
                    assert_eq!(resolve(&machine(prefer_sockets, dies, modules), text), expected, "{text}");
                }
            }
        }
    }
}

/// Each of two dies, or of two modules, has what a socket has without: totals that are given are doubled by the user.
#[test]
fn dies_and_modules_multiply() {
    for (text, sockets_first, cores_first) in VALID {
        let (dies, modules) = (2, 3);
        for (level, factor, dies, modules) in [
            (format!("dies={dies}"), dies, dies, 1),
            (format!("modules={modules}"), modules, 1, modules),
            (format!("dies={dies},modules={modules}"), dies * modules, dies, modules),
        ] {
            let multiplied =
                text.split(',').filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
                    Some((key @ ("cpus" | "maxcpus"), count)) => {
                        format!("{key}={}", count.parse::<u32>().expect("a count") * factor)
                    }
                    _ => pair.to_owned(),
                });
            let text = multiplied.chain([level]).collect::<Vec<_>>().join(",");
            for (prefer_sockets, [cpus, sockets, cores, threads, maxcpus]) in
                [(true, *sockets_first), (false, *cores_first)]
            {
                let expected = [cpus * factor, sockets, dies, modules, cores, threads, maxcpus * factor];
                assert_eq!(resolve(&machine(prefer_sockets, true, true), &text), Ok(expected), "{text}");
            }
        }
    }
}

#[test]
fn what_is_no_topology_is_refused() {
    const ZERO: &str = "Invalid CPU topology: CPU topology parameters must be greater than zero";
    let product = |levels: &str, maxcpus: u32| {
        format!(
            "Invalid CPU topology: product of the hierarchy must match maxcpus: {levels} != maxcpus ({maxcpus})"
        )
    };
    let below = |levels: &str, maxcpus: u32, cpus: u32| {
        format!(
            "Invalid CPU topology: maxcpus must be equal to or greater than smp: \
             {levels} == maxcpus ({maxcpus}) < smp_cpus ({cpus})"
        )
    };
    let missing = |level: &str| format!("{level} > 1 not supported by this machine's CPU topology");
    let (none, dies, modules, both) = (
        machine(false, false, false),
        machine(false, true, false),
        machine(false, false, true),
        machine(false, true, true),
    );
    for key in ["cpus", "sockets", "dies", "modules", "cores", "threads", "maxcpus"] {
        let all = ["cpus=8", "sockets=2", "dies=1", "modules=1", "cores=4", "threads=2", "maxcpus=16"];
        let zero = |pair: &str| {
            if pair.starts_with(&format!("{key}=")) { format!("{key}=0") } else { pair.to_owned() }
        };
        let text = all.map(zero).join(",");
        assert_eq!(resolve(&both, &text), Err(ZERO.to_owned()), "{text}");
    }
    for (limits, text, error) in [
        (&none, "cpus=8,sockets=2,cores=4,threads=2", product("sockets (2) * cores (4) * threads (2)", 8)),
        (
            &none,
            "cpus=8,sockets=2,cores=5,threads=2,maxcpus=16",
            product("sockets (2) * cores (5) * threads (2)", 16),
        ),
        (
            &none,
            "cpus=18,sockets=2,cores=4,threads=2,maxcpus=16",
            below("sockets (2) * cores (4) * threads (2)", 16, 18),
        ),
        (&none, "cpus=8,dies=2", missing("dies")),
        (&none, "cpus=8,modules=2", missing("modules")),
        (&none, "cpus=8,dies=2,modules=2", missing("modules")),
        (&dies, "cpus=8,modules=2", missing("modules")),
        (&modules, "cpus=8,dies=2", missing("dies")),
        (&both, "cpus=8,clusters=2", missing("clusters")),
        (&both, "cpus=8,books=2,drawers=2", missing("books")),
        (&both, "cpus=8,drawers=2", missing("drawers")),
        (
            &dies,
            "cpus=16,sockets=2,dies=2,cores=4,threads=2,maxcpus=16",
            product("sockets (2) * dies (2) * cores (4) * threads (2)", 16),
        ),
        (
            &dies,
            "cpus=34,sockets=2,dies=2,cores=4,threads=2,maxcpus=32",
            below("sockets (2) * dies (2) * cores (4) * threads (2)", 32, 34),
        ),
        (
            &modules,
            "cpus=8,sockets=2,modules=2,cores=4,threads=2,maxcpus=16",
            product("sockets (2) * modules (2) * cores (4) * threads (2)", 16),
        ),
        (
            &modules,
            "cpus=34,sockets=2,modules=2,cores=4,threads=2,maxcpus=32",
            below("sockets (2) * modules (2) * cores (4) * threads (2)", 32, 34),
        ),
        (
            &both,
            "cpus=200,sockets=3,dies=5,modules=2,cores=4,threads=2,maxcpus=200",
            product("sockets (3) * dies (5) * modules (2) * cores (4) * threads (2)", 200),
        ),
        (
            &both,
            "cpus=242,sockets=3,dies=5,modules=2,cores=4,threads=2,maxcpus=240",
            below("sockets (3) * dies (5) * modules (2) * cores (4) * threads (2)", 240, 242),
        ),
    ] {
        assert_eq!(resolve(limits, text), Err(error), "{text}");
    }
}

#[test]
fn a_machine_has_a_least_and_a_most() {
    let limits = SmpLimits { min_cpus: 2, max_cpus: 511, ..machine(false, false, false) };
    for (text, error) in [
        ("", "Invalid SMP CPUs 1. The min CPUs supported by machine 'test' is 2"),
        ("cpus=1,maxcpus=512", "Invalid SMP CPUs 1. The min CPUs supported by machine 'test' is 2"),
        ("cpus=512", "Invalid SMP CPUs 512. The max CPUs supported by machine 'test' is 511"),
        ("cpus=4,maxcpus=512", "Invalid SMP CPUs 512. The max CPUs supported by machine 'test' is 511"),
    ] {
        assert_eq!(resolve(&limits, text), Err(error.to_owned()), "{text}");
    }
    assert_eq!(resolve(&limits, "cpus=2,maxcpus=511"), Ok([2, 1, 1, 1, 511, 1, 511]));
}

mod text {
    use proptest::prelude::*;

    use super::*;

    /// Pairs as people write them, right and wrong.
    fn pair() -> impl Strategy<Value = String> {
        let key = prop_oneof![8 => prop::sample::select(SMP_KEYS.to_vec()).prop_map(str::to_owned), 1 => "[a-z.0-9-]{0,6}"];
        let count = prop_oneof![6 => (0i64..20).prop_map(|n| n.to_string()), 1 => any::<i64>().prop_map(|n| n.to_string()),
                        1 => "[0-9a-fx+ -]{0,8}", 1 => "\\PC{0,4}"];
        (key, count).prop_map(|(key, count)| format!("{key}={count}"))
    }

    proptest! {
        /// Whatever is written is read or refused by a text that names a key that is there.
        #[test]
        fn any_text_is_read_or_refused(first in prop::option::of("[0-9x-]{0,5}"), pairs in prop::collection::vec(pair(), 0..5)) {
            let text = first.into_iter().chain(pairs).collect::<Vec<_>>().join(",");
            let Ok(tree) = qom::text::keyval::parse(&text, Some("cpus")) else { return Ok(()) };
            match SmpConfiguration::from_properties(&tree) {
                Ok(configuration) => drop(configuration.resolve(&machine(false, true, true))),
                Err(error) => {
                    let named = |key: &String| error.to_string().contains(&format!("'smp.{key}'"));
                    prop_assert!(tree.keys().any(named), "{text}: {error}");
                }
            }
        }

        /// A topology that is written out in full is read as itself.
        #[test]
        fn round_trip(sockets in 1u32..4, dies in 1u32..4, modules in 1u32..4, cores in 1u32..4, threads in 1u32..4, less in 0u32..4) {
            let maxcpus = sockets * dies * modules * cores * threads;
            let cpus = maxcpus.saturating_sub(less).max(1);
            let text = format!(
                "{cpus},sockets={sockets},dies={dies},modules={modules},cores={cores},threads={threads},maxcpus={maxcpus}"
            );
            let read = resolve(&SmpLimits { max_cpus: 4096, ..machine(false, true, true) }, &text);
            prop_assert_eq!(read, Ok([cpus, sockets, dies, modules, cores, threads, maxcpus]));
        }
    }
}
