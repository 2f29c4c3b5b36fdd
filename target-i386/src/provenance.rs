//! How each bit of a CPU came to be: every change of the feature words, with its cause, in order.
//!
//! The steps are noted while the pipeline works, as masks, so that a question about a feature is answered
//! from them and nothing is computed again. What a person set by name is noted also where it changed nothing.
//! A history is not part of what a CPU *is*: two settings with different histories compare equal.

use std::fmt;

use crate::expand::Reason;
use crate::feature::{Feature, FeatureSet, FeatureWord};
use crate::source::Accelerator;

/// Who set a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Setter {
    /// A program that uses this crate.
    #[default]
    Program,
    /// A compat property of the machine version.
    MachineCompat,
    /// `-global`.
    Global,
    /// `name=value` of `-cpu`.
    CpuOption,
    /// `+name` or `-name` of `-cpu`, which win over the others.
    Sign,
    /// `-device` on the command line.
    CommandLine,
    /// The machine's own code.
    Machine,
    /// A QMP or HMP command.
    Monitor,
}

/// Why bits changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The model's data.
    Model(&'static str),
    /// A version of the model.
    Version(u16),
    /// What the accelerator sets for all models.
    AcceleratorDefault(Accelerator),
    /// A property was set.
    Property {
        /// Its name.
        name: &'static str,
        /// Who set it.
        by: Setter,
    },
    /// `max` and `host` take what the accelerator offers.
    Offered(Accelerator),
    /// It follows from the number of threads in a socket.
    Topology,
    /// There is no PMU, without which it means nothing.
    NoPmu,
    /// The format of last-branch records, set as a number.
    LbrFormat,
    /// It needs this feature (or any bit of it), which is absent.
    Needs(Feature),
    /// It cannot go together with another one.
    Conflict(Reason),
    /// KVM is not there, or hidden.
    KvmHidden,
    /// XSAVE components follow from the features that use them.
    XsaveComponents,
    /// AMD repeats bits of leaf 1 in leaf 8000_0001h.
    AmdRepeats,
    /// The accelerator lacks it.
    Unsupported(Accelerator),
}

/// The end of a sentence that begins with "on" or "off".
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accelerator = |accelerator| match accelerator {
            Accelerator::Tcg => "tcg",
            Accelerator::Kvm => "kvm",
        };
        match *self {
            Self::Model(name) => write!(f, "model {name}"),
            Self::Version(number) => write!(f, "version {number} of the model"),
            Self::AcceleratorDefault(of) => write!(f, "default of {} for all models", accelerator(of)),
            Self::Property { name, by } => {
                let by = match by {
                    Setter::Program => "the program",
                    Setter::MachineCompat => "the machine version",
                    Setter::Global => "-global",
                    Setter::CpuOption => "-cpu",
                    Setter::Sign => "+ or - of -cpu",
                    Setter::CommandLine => "the command line",
                    Setter::Machine => "the machine",
                    Setter::Monitor => "the monitor",
                };
                write!(f, "property {name} set by {by}")
            }
            Self::Offered(of) => write!(f, "taken from what {} offers", accelerator(of)),
            Self::Topology => f.write_str("several threads in a socket"),
            Self::NoPmu => f.write_str("no PMU"),
            Self::LbrFormat => f.write_str("property lbr-fmt"),
            Self::Needs(feature) => write!(f, "needs {}", feature.name),
            Self::Conflict(reason) => reason.fmt(f),
            Self::KvmHidden => f.write_str("KVM is not there or hidden"),
            Self::XsaveComponents => f.write_str("XSAVE components follow features"),
            Self::AmdRepeats => f.write_str("repeated from leaf 1 on AMD"),
            Self::Unsupported(of) => write!(f, "not supported by {}", accelerator(of)),
        }
    }
}

/// One change of one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Why.
    pub cause: Cause,
    /// The word.
    pub word: FeatureWord,
    /// Bits that were set.
    pub on: u64,
    /// Bits that were cleared.
    pub off: u64,
}

/// All changes of a CPU's feature words, from the model's data on.
#[derive(Debug, Clone, Default)]
pub struct History {
    steps: Vec<Step>,
    /// Who sets properties from now on.
    setter: Setter,
    /// The first step of the property that was set last: who set it may be told later.
    last: Option<usize>,
}

/// How a CPU came to be is not part of what it is.
impl PartialEq for History {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl History {
    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Says who sets properties from now on.
    pub fn set_setter(&mut self, setter: Setter) {
        self.setter = setter;
        self.last = None;
    }

    /// Says who set the property that was set last.
    #[cfg(feature = "qom")]
    pub(crate) fn claim(&mut self, setter: Setter) {
        if let Some(first) = self.last.take() {
            for step in self.steps.iter_mut().skip(first) {
                if let Cause::Property { by, .. } = &mut step.cause {
                    *by = setter;
                }
            }
        }
    }

    /// Notes a change of bits of a word, if any bit is named.
    pub(crate) fn note(&mut self, cause: Cause, word: FeatureWord, on: u64, off: u64) {
        if on | off != 0 {
            self.steps.push(Step { cause, word, on, off });
        }
    }

    /// Notes what differs between two sets.
    pub(crate) fn compare(&mut self, cause: Cause, before: &FeatureSet, after: &FeatureSet) {
        for word in FeatureWord::all() {
            let (old, new) = (before.word(word), after.word(word));
            self.note(cause, word, new & !old, old & !new);
        }
    }

    /// Notes that a property was set: the feature's bits, or whatever differs.
    pub(crate) fn property(&mut self, name: &'static str, changed: Changed<'_>) {
        let first = self.steps.len();
        let cause = Cause::Property { name, by: self.setter };
        match changed {
            Changed::Feature(f, true) => self.note(cause, f.word, f.mask, 0),
            Changed::Feature(f, false) => self.note(cause, f.word, 0, f.mask),
            Changed::From(before, after) => self.compare(cause, before, after),
        }
        self.last = Some(first);
    }
}

/// What setting a property did to the feature words.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Changed<'a> {
    /// It is a feature's own property.
    Feature(Feature, bool),
    /// From one set to another.
    From(&'a FeatureSet, &'a FeatureSet),
}

/// One link of the chain that made a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Why.
    pub cause: Cause,
    /// Whether it was set; else it was cleared.
    pub on: bool,
}

/// The chain that made a feature what it is. A feature that nothing ever touched has an empty one and is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the feature is on: all bits of it.
    pub on: bool,
    /// Whether it was asked for and is missing, or forced against the accelerator.
    pub filtered: bool,
    /// The changes, in order; the last one decided.
    pub links: Vec<Link>,
}

impl Explanation {
    /// Reads the steps that touch any bit of a mask.
    pub(crate) fn of(
        word: FeatureWord,
        mask: u64,
        features: &FeatureSet,
        filtered: &FeatureSet,
        history: &History,
    ) -> Self {
        let links = history
            .steps()
            .iter()
            .filter(|step| step.word == word && (step.on | step.off) & mask != 0)
            .map(|step| Link { cause: step.cause, on: step.on & mask != 0 })
            .collect();
        Self {
            on: mask != 0 && features.word(word) & mask == mask,
            filtered: filtered.word(word) & mask != 0,
            links,
        }
    }
}
