//! What the program logs of itself: `-trace`, `-d trace:PATTERN`, `-D`.
//!
//! An *event* here is all that one part of the program has to say; the reference has one for nearly every line. Nothing is logged
//! unless somebody asks, and then each line goes to standard error or to the file that was named.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Name of each event, and the module whose doings it is.
const EVENTS: &[(&str, &str)] = &[
    ("backends", "machine_pc::backends"),
    ("kvm", "machine_pc::kvm"),
    ("main_loop", "machine_pc::main_loop"),
    ("qmp", "qmp"),
    ("reset", "machine_pc::machine::reset"),
    ("vm", "machine_pc::vm"),
];

/// The reference's other items of `-d`.
pub(crate) const OTHER_ITEMS: &[&str] = &[
    "cpu",
    "cpu_reset",
    "exec",
    "fpu",
    "guest_errors",
    "in_asm",
    "int",
    "invalid_mem",
    "mmu",
    "nochain",
    "op",
    "op_ind",
    "op_opt",
    "op_plugin",
    "out_asm",
    "page",
    "pcall",
    "plugin",
    "strace",
    "tid",
    "unimp",
    "vpu",
];

/// What is to be logged, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Patterns of names of events, in order; a `-` in front switches off. All are well formed, and name an event or have a
    /// wildcard.
    pub patterns: Vec<String>,
    /// `-D`: where to log.
    pub file: Option<PathBuf>,
    /// `-trace file=`: the same, for events only; it wins.
    pub trace_file: Option<PathBuf>,
}

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
#[error("Error opening logfile {}: {}", path.display(), crate::os_error::text(source))]
pub struct LogError {
    path: PathBuf,
    source: io::Error,
}

/// Whether there is an event of that name.
pub(crate) fn exists(name: &str) -> bool {
    EVENTS.iter().any(|(event, _)| *event == name)
}

/// The names of all events, a line each.
pub(crate) fn help() -> String {
    EVENTS.iter().map(|(name, _)| format!("{name}\n")).collect()
}

/// Whether a name fits a pattern, in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let mut tails = name.char_indices().map(|(at, _)| &name[at..]).chain([""]);
            tails.any(|tail| fits(rest, tail))
        }),
    }
}

/// Which modules are logged.
fn targets(patterns: &[String]) -> Targets {
    let mut targets = Targets::new();
    for pattern in patterns {
        let (pattern, level) = match pattern.strip_prefix('-') {
            Some(pattern) => (pattern, LevelFilter::OFF),
            None => (pattern.as_str(), LevelFilter::TRACE),
        };
        for (_, module) in EVENTS.iter().filter(|(name, _)| fits(pattern, name)) {
            targets = targets.with_target(*module, level);
        }
    }
    targets
}

/// Where `%d` in a file's name becomes the process's number.
fn file_name(path: &std::path::Path) -> PathBuf {
    match path.to_str() {
        Some(text) => text.replacen("%d", &std::process::id().to_string(), 1).into(),
        None => path.to_owned(),
    }
}

/// Logs from now on what was asked for. The log belongs to the process; the first call counts.
///
/// # Errors
/// [`LogError`]: the file cannot be written.
pub fn start(options: &LogOptions) -> Result<(), LogError> {
    let path = options.trace_file.as_ref().or(options.file.as_ref()).map(|path| file_name(path));
    let file = match path {
        None => None,
        Some(path) => match File::create(&path) {
            Ok(file) => Some(file),
            Err(source) => return Err(LogError { path, source }),
        },
    };
    if options.patterns.is_empty() {
        return Ok(());
    }
    let layer = tracing_subscriber::fmt::layer().without_time().with_ansi(false);
    let log = tracing_subscriber::registry().with(targets(&options.patterns));
    // A second machine in one process finds the first one's log in place, which is where both belong.
    let _ = match file {
        Some(file) => log.with(layer.with_writer(Mutex::new(file))).try_init(),
        None => log.with(layer.with_writer(io::stderr)).try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn patterns_name_events() {
        for (pattern, name, fit) in [
            ("kvm", "kvm", true),
            ("k*", "kvm", true),
            ("*", "kvm", true),
            ("*m", "kvm", true),
            ("*v*m", "kvm", true),
            ("*x*", "kvm", false),
            ("kvm*m", "kvm", false),
            ("", "kvm", false),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern}");
        }
        let wanted = |patterns: &[&str], module: &str| {
            let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            targets(&patterns).would_enable(module, &Level::DEBUG)
        };
        assert!(wanted(&["kvm"], "machine_pc::kvm::vcpu"));
        assert!(!wanted(&["kvm"], "machine_pc::vm"));
        assert!(!wanted(&["*", "-kvm"], "machine_pc::kvm::vcpu"));
        assert!(wanted(&["*", "-kvm"], "machine_pc::vm"));
    }

    #[test]
    fn every_event_has_a_module_of_its_own() {
        for (at, (name, module)) in EVENTS.iter().enumerate() {
            assert!(exists(name) && !OTHER_ITEMS.contains(name));
            assert!(EVENTS[..at].iter().all(|(other, same)| other != name && same != module));
        }
    }

    #[test]
    fn a_log_file_that_cannot_be_is_an_error() {
        let options = LogOptions { file: Some("/nonexistent/x".into()), ..LogOptions::default() };
        assert_eq!(
            start(&options).unwrap_err().to_string(),
            "Error opening logfile /nonexistent/x: No such file or directory"
        );
    }
}
