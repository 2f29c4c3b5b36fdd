//! CPU topology: from what `-smp` says to how many CPUs there are and how they are grouped.
//!
//! The hierarchy is sockets, dies, modules, cores, threads, each level counted per unit of the one
//! above. *CPUs* are logical ones (threads); `cpus` are there at start, `maxcpus` can ever be, and their
//! difference is what can be plugged. What is left out is computed from what was given.
//!
//! Two steps, kept apart: [`SmpConfiguration`] is what the user said, with no machine known yet;
//! [`SmpConfiguration::resolve`] holds it against a machine's limits. The module forbids a
//! [`CpuTopology`] whose levels do not multiply to `max_cpus`: there is no other way to make one.
//! Counts are computed without wrapping, unlike QEMU's 32-bit ones, so that no absurd product happens
//! to fit.
//!
//! Source: QEMU's `-smp` documentation and the behaviour of QEMU 11.1.

use qom::text::ParameterError;
use serde_json::{Map, Value};

/// Counts as the user gave them; `None` is to be computed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SmpConfiguration {
    /// CPUs at start.
    pub cpus: Option<i64>,
    /// Drawers of the machine (s390x only: PC machines refuse more than one).
    pub drawers: Option<i64>,
    /// Books in a drawer (s390x only).
    pub books: Option<i64>,
    /// Sockets.
    pub sockets: Option<i64>,
    /// Dies in a socket.
    pub dies: Option<i64>,
    /// Clusters in a die (Arm and RISC-V only).
    pub clusters: Option<i64>,
    /// Modules in a die.
    pub modules: Option<i64>,
    /// Cores in a module.
    pub cores: Option<i64>,
    /// Threads in a core.
    pub threads: Option<i64>,
    /// CPUs that there can ever be.
    pub maxcpus: Option<i64>,
}

/// The keys, in the order in which QEMU reads them; errors appear in that order.
pub const SMP_KEYS: [&str; 10] =
    ["cpus", "drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads", "maxcpus"];

/// What a machine type makes of `-smp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmpLimits<'a> {
    /// Name of the machine type, for messages (`pc-i440fx-11.1`).
    pub machine: &'a str,
    /// Fewest CPUs at start.
    pub min_cpus: u32,
    /// Most CPUs that there can be.
    pub max_cpus: u32,
    /// Compute sockets before cores, as machines before 6.2 do.
    pub prefer_sockets: bool,
    /// Sockets have dies.
    pub dies: bool,
    /// Dies have modules.
    pub modules: bool,
}

impl<'a> SmpLimits<'a> {
    /// Limits of a PC machine.
    #[must_use]
    pub fn pc(machine: &'a str, max_cpus: u32, prefer_sockets: bool) -> Self {
        Self { machine, min_cpus: 1, max_cpus, prefer_sockets, dies: true, modules: true }
    }
}

/// How many CPUs there are and how they are grouped; every count is at least 1 and
/// `sockets * dies * modules * cores * threads == max_cpus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CpuTopology {
    cpus: u32,
    max_cpus: u32,
    sockets: u32,
    dies: u32,
    modules: u32,
    cores: u32,
    threads: u32,
}

impl CpuTopology {
    /// CPUs at start.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        self.cpus
    }

    /// CPUs that there can ever be.
    #[must_use]
    pub fn max_cpus(&self) -> u32 {
        self.max_cpus
    }

    /// Sockets of the machine.
    #[must_use]
    pub fn sockets(&self) -> u32 {
        self.sockets
    }

    /// Dies in a socket.
    #[must_use]
    pub fn dies(&self) -> u32 {
        self.dies
    }

    /// Modules in a die.
    #[must_use]
    pub fn modules(&self) -> u32 {
        self.modules
    }

    /// Cores in a module.
    #[must_use]
    pub fn cores(&self) -> u32 {
        self.cores
    }

    /// Threads in a core.
    #[must_use]
    pub fn threads(&self) -> u32 {
        self.threads
    }
}

/// Why a configuration is no topology of a machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SmpError {
    /// A count of zero was given.
    #[error("Invalid CPU topology: CPU topology parameters must be greater than zero")]
    Zero,
    /// A level that the machine does not have.
    #[error("{level} > 1 not supported by this machine's CPU topology")]
    UnsupportedLevel {
        /// The level's key.
        level: &'static str,
    },
    /// The levels do not multiply to the number of CPUs.
    #[error(
        "Invalid CPU topology: product of the hierarchy must match maxcpus: {hierarchy} != maxcpus ({maxcpus})"
    )]
    Product {
        /// The levels with their counts.
        hierarchy: String,
        /// CPUs that there can ever be.
        maxcpus: i128,
    },
    /// More CPUs at start than there can ever be.
    #[error(
        "Invalid CPU topology: maxcpus must be equal to or greater than smp: \
         {hierarchy} == maxcpus ({maxcpus}) < smp_cpus ({cpus})"
    )]
    MaxBelowCpus {
        /// The levels with their counts.
        hierarchy: String,
        /// CPUs that there can ever be.
        maxcpus: i128,
        /// CPUs at start.
        cpus: i128,
    },
    /// Fewer CPUs than the machine has to have.
    #[error("Invalid SMP CPUs {cpus}. The min CPUs supported by machine '{machine}' is {min}")]
    TooFew {
        /// CPUs at start.
        cpus: i128,
        /// The machine type.
        machine: String,
        /// Its fewest.
        min: u32,
    },
    /// More CPUs than the machine can have.
    #[error("Invalid SMP CPUs {cpus}. The max CPUs supported by machine '{machine}' is {max}")]
    TooMany {
        /// CPUs that there can ever be.
        cpus: i128,
        /// The machine type.
        machine: String,
        /// Its most.
        max: u32,
    },
}

impl SmpConfiguration {
    /// Reads the structure `smp` of a machine's properties; its leaves are text or JSON numbers.
    ///
    /// # Errors
    /// The first [`ParameterError`] in the order of [`SMP_KEYS`], then that of an unknown key; the
    /// parameter's name is `smp.KEY`.
    pub fn from_properties(properties: &Map<String, Value>) -> Result<Self, ParameterError> {
        let count = |key: &str| count(properties, key);
        let configuration = Self {
            cpus: count("cpus")?,
            drawers: count("drawers")?,
            books: count("books")?,
            sockets: count("sockets")?,
            dies: count("dies")?,
            clusters: count("clusters")?,
            modules: count("modules")?,
            cores: count("cores")?,
            threads: count("threads")?,
            maxcpus: count("maxcpus")?,
        };
        match properties.keys().find(|key| !SMP_KEYS.contains(&key.as_str())) {
            Some(key) => Err(ParameterError::Unexpected { name: format!("smp.{key}") }),
            None => Ok(configuration),
        }
    }

    /// Computes what was left out and checks all of it.
    ///
    /// # Errors
    /// The first [`SmpError`], in the reference's order.
    pub fn resolve(&self, limits: &SmpLimits<'_>) -> Result<CpuTopology, SmpError> {
        let given = [
            self.cpus,
            self.drawers,
            self.books,
            self.sockets,
            self.dies,
            self.clusters,
            self.modules,
            self.cores,
            self.threads,
            self.maxcpus,
        ];
        if given.contains(&Some(0)) {
            return Err(SmpError::Zero);
        }
        for (level, count, supported) in [
            ("modules", self.modules, limits.modules),
            ("clusters", self.clusters, false),
            ("dies", self.dies, limits.dies),
            ("books", self.books, false),
            ("drawers", self.drawers, false),
        ] {
            if !supported && count.is_some_and(|count| count > 1) {
                return Err(SmpError::UnsupportedLevel { level });
            }
        }

        let counts = self.compute(limits.prefer_sockets);
        let hierarchy = || counts.hierarchy(limits);
        let (cpus, maxcpus) = (counts.cpus, counts.maxcpus);
        if counts.product() != maxcpus {
            return Err(SmpError::Product { hierarchy: hierarchy(), maxcpus });
        }
        if maxcpus < cpus {
            return Err(SmpError::MaxBelowCpus { hierarchy: hierarchy(), maxcpus, cpus });
        }
        let machine = || limits.machine.to_owned();
        if cpus < i128::from(limits.min_cpus) {
            return Err(SmpError::TooFew { cpus, machine: machine(), min: limits.min_cpus });
        }
        if maxcpus > i128::from(limits.max_cpus) {
            // A negative number of CPUs is quoted as it was given.
            let cpus = self.maxcpus.or(self.cpus).filter(|given| *given < 0).map_or(maxcpus, i128::from);
            return Err(SmpError::TooMany { cpus, machine: machine(), max: limits.max_cpus });
        }
        // Every level divides max_cpus, which is a u32.
        let narrow = |count: i128| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(CpuTopology {
            cpus: narrow(cpus),
            max_cpus: narrow(maxcpus),
            sockets: narrow(counts.sockets),
            dies: narrow(counts.dies),
            modules: narrow(counts.modules),
            cores: narrow(counts.cores),
            threads: narrow(counts.threads),
        })
    }

    fn compute(&self, prefer_sockets: bool) -> Counts {
        // A negative count stands for a very large one, as in 32-bit unsigned arithmetic.
        let wide = |count: i64| {
            if count < 0 {
                i128::from(u32::MAX) + 1 + i128::from(count.max(i64::from(i32::MIN)))
            } else {
                count.into()
            }
        };
        let or_one = |count: Option<i64>| count.map_or(1, wide);
        let given = |count: Option<i64>| count.map(wide);

        let outer = [self.drawers, self.books, self.clusters].map(or_one);
        let (dies, modules) = (or_one(self.dies), or_one(self.modules));
        let (mut sockets, mut cores, mut threads) =
            (given(self.sockets), given(self.cores), given(self.threads));
        let fixed = product([outer[0], outer[1], outer[2], dies, modules]);
        let maxcpus = given(self.maxcpus).or(given(self.cpus));
        if let Some(maxcpus) = maxcpus {
            let quotient = |known: [Option<i128>; 2]| {
                maxcpus / product([fixed, known[0].unwrap_or(1), known[1].unwrap_or(1)])
            };
            if sockets.is_none() && (prefer_sockets || cores.is_some()) {
                sockets = Some(quotient([cores, threads]));
            } else if cores.is_none() {
                cores = Some(quotient([sockets, threads]));
            } else if threads.is_none() {
                threads = Some(quotient([sockets, cores]));
            }
        }
        let mut counts = Counts {
            outer,
            sockets: sockets.unwrap_or(1),
            dies,
            modules,
            cores: cores.unwrap_or(1),
            threads: threads.unwrap_or(1),
            cpus: 0,
            maxcpus: 0,
        };
        counts.maxcpus = maxcpus.unwrap_or_else(|| counts.product());
        counts.cpus = given(self.cpus).unwrap_or(counts.maxcpus);
        counts
    }
}

/// All counts, computed but not checked.
struct Counts {
    /// Drawers, books and clusters: 1 each where a topology can come of it.
    outer: [i128; 3],
    sockets: i128,
    dies: i128,
    modules: i128,
    cores: i128,
    threads: i128,
    cpus: i128,
    maxcpus: i128,
}

fn product<const N: usize>(counts: [i128; N]) -> i128 {
    counts.into_iter().fold(1, i128::saturating_mul)
}

impl Counts {
    fn product(&self) -> i128 {
        let inner = product([self.sockets, self.dies, self.modules, self.cores, self.threads]);
        product(self.outer).saturating_mul(inner)
    }

    /// The levels that the machine has, from the outermost on.
    fn hierarchy(&self, limits: &SmpLimits<'_>) -> String {
        let levels = [
            ("sockets", self.sockets, true),
            ("dies", self.dies, limits.dies),
            ("modules", self.modules, limits.modules),
            ("cores", self.cores, true),
            ("threads", self.threads, true),
        ];
        let shown = levels.into_iter().filter(|(.., supported)| *supported);
        shown.map(|(name, count, _)| format!("{name} ({count})")).collect::<Vec<_>>().join(" * ")
    }
}

fn count(properties: &Map<String, Value>, key: &str) -> Result<Option<i64>, ParameterError> {
    let name = || format!("smp.{key}");
    let value = match properties.get(key) {
        None => return Ok(None),
        Some(Value::String(text)) => qom::text::parse_i64(text),
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::Object(_) | Value::Array(_)) => {
            return Err(ParameterError::UnexpectedMembers { name: name() });
        }
        Some(_) => None,
    };
    value.map(Some).ok_or_else(|| ParameterError::Expects { name: name(), expected: "integer" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn configuration(text: &str) -> Result<SmpConfiguration, ParameterError> {
        SmpConfiguration::from_properties(&qom::text::keyval::parse(text, Some("cpus")).unwrap())
    }

    fn limits(machine: &str) -> SmpLimits<'_> {
        match machine {
            "none" => SmpLimits { dies: false, modules: false, ..SmpLimits::pc(machine, 1, false) },
            "pc-i440fx-6.1" => SmpLimits::pc(machine, 255, true),
            "pc-q35-11.1" => SmpLimits::pc(machine, 4096, false),
            _ => SmpLimits::pc(machine, 255, false),
        }
    }

    fn describe(machine: &str, text: &str) -> String {
        let topology = match configuration(text) {
            Ok(configuration) => configuration.resolve(&limits(machine)).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match topology {
            Ok(t) => format!(
                "cpus={} maxcpus={} sockets={} dies={} modules={} cores={} threads={}",
                t.cpus, t.max_cpus, t.sockets, t.dies, t.modules, t.cores, t.threads
            ),
            Err(message) => message,
        }
    }

    #[test]
    fn as_the_reference_resolves_it() {
        let mut cases = 0;
        for line in include_str!("cmdline/fixtures/smp.txt").lines().filter(|line| !line.starts_with('#')) {
            let [machine, text, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("not three columns: {line:?}")
            };
            assert_eq!(describe(machine, text), expected, "-M {machine} -smp {text}");
            cases += 1;
        }
        assert!(cases > 100);
    }

    #[test]
    fn nothing_given_is_one_cpu() {
        assert_eq!(
            describe("pc-i440fx-11.1", ""),
            "cpus=1 maxcpus=1 sockets=1 dies=1 modules=1 cores=1 threads=1"
        );
    }

    #[test]
    fn counts_do_not_wrap() {
        let too_many =
            "Invalid SMP CPUs 4294967297. The max CPUs supported by machine 'pc-i440fx-11.1' is 255";
        assert_eq!(describe("pc-i440fx-11.1", "4294967297"), too_many);
        // 65536 * 65536 is 0 in 32 bits.
        let wrapped = describe("pc-i440fx-11.1", "1,sockets=65536,cores=65536,threads=65536,dies=65536");
        assert!(wrapped.starts_with("Invalid CPU topology: product"), "{wrapped}");
        // QEMU divides by zero here.
        let zero = describe("pc-i440fx-11.1", "2,sockets=2,cores=-2147483648");
        assert!(zero.starts_with("Invalid CPU topology: product"), "{zero}");
        let huge = "9223372036854775807";
        let all = SMP_KEYS.map(|key| format!("{key}={huge}")).join(",");
        assert!(describe("pc-i440fx-11.1", &all).contains("> 1 not supported"));
    }

    #[test]
    fn json_numbers_count_as_text_does() {
        let properties = serde_json::json!({"cpus": 2, "maxcpus": 4});
        let configuration = SmpConfiguration::from_properties(properties.as_object().unwrap()).unwrap();
        assert_eq!((configuration.cpus, configuration.maxcpus), (Some(2), Some(4)));
        let properties = serde_json::json!({"cpus": true});
        assert_eq!(
            SmpConfiguration::from_properties(properties.as_object().unwrap()).unwrap_err().to_string(),
            "Parameter 'smp.cpus' expects integer"
        );
    }

    fn count_strategy() -> impl Strategy<Value = Option<i64>> {
        prop_oneof![4 => Just(None), 4 => (1i64..9).prop_map(Some), 1 => any::<i64>().prop_map(Some)]
    }

    prop_compose! {
        fn any_configuration()(counts in prop::array::uniform10(count_strategy())) -> SmpConfiguration {
            let [cpus, drawers, books, sockets, dies, clusters, modules, cores, threads, maxcpus] = counts;
            SmpConfiguration { cpus, drawers, books, sockets, dies, clusters, modules, cores, threads, maxcpus }
        }
    }

    proptest! {
        #[test]
        fn a_topology_is_whole_and_keeps_what_was_given(
            configuration in any_configuration(),
            prefer_sockets: bool,
            plain: bool,
        ) {
            let mut configuration = configuration;
            if plain {
                (configuration.drawers, configuration.books, configuration.clusters) = (None, None, None);
            }
            let limits = SmpLimits::pc("m", 255, prefer_sockets);
            if let Ok(topology) = configuration.resolve(&limits) {
                let levels = [topology.sockets, topology.dies, topology.modules, topology.cores, topology.threads];
                prop_assert!(levels.iter().all(|count| *count > 0));
                prop_assert_eq!(levels.iter().product::<u32>(), topology.max_cpus);
                prop_assert!(topology.cpus >= 1 && topology.cpus <= topology.max_cpus && topology.max_cpus <= 255);
                for (given, count) in [
                    (configuration.cpus, topology.cpus),
                    (configuration.maxcpus, topology.max_cpus),
                    (configuration.sockets, topology.sockets),
                    (configuration.dies, topology.dies),
                    (configuration.modules, topology.modules),
                    (configuration.cores, topology.cores),
                    (configuration.threads, topology.threads),
                ] {
                    prop_assert!(given.is_none_or(|given| given == i64::from(count)));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "smp_cases.rs"]
mod cases;
