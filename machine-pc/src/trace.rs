//! What the program logs of itself: `-trace`, `-d trace:PATTERN`, `-D`.
//!
//! An *event* here is all that one part of the program has to say; the reference has one for nearly every line. Nothing is logged
//! unless somebody asks, and then each line goes to standard error or to the file that was named. Both can be changed while the
//! machine runs. The log belongs to the process, as the reference's does. Until the first event is switched on there is no
//! subscriber, and where none is on no event is made.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use parking_lot::Mutex;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// Name of each event, and the module whose doings it is.
const EVENTS: &[(&str, &str)] = &[
    ("backends", "machine_pc::backends"),
    ("boot", "machine_pc::boot"),
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
pub enum LogError {
    /// The file cannot be written.
    #[error("Error opening logfile {}: {}", path.display(), crate::os_error::text(source))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A `%` in a file's name is not that of one `%d`.
    #[error("Bad logfile template: {}", .0.display())]
    Template(PathBuf),
    /// There is no event of that name.
    #[error("unknown event \"{0}\"")]
    UnknownEvent(String),
    /// The program that the machine is a part of gathers events itself.
    #[error("this program gathers trace events in its own way, and they cannot be changed from here")]
    Foreign,
}

/// Which events are on, in the order of [`EVENTS`], and where lines go.
struct Log {
    on: [bool; EVENTS.len()],
    /// Standard error if there is none.
    file: Option<File>,
}

static LOG: Mutex<Log> = Mutex::new(Log { on: [false; EVENTS.len()], file: None });

/// What passes events on, made with the first one that is switched on. None: the process has another subscriber.
static FILTER: OnceLock<Option<reload::Handle<Targets, Registry>>> = OnceLock::new();

/// Where lines go at the moment.
struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut LOG.lock().file {
            Some(file) => file.write(bytes),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn subscribe() -> Option<reload::Handle<Targets, Registry>> {
    let (filter, handle) = reload::Layer::new(Targets::new());
    let lines = tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(|| Output);
    tracing_subscriber::registry().with(filter).with(lines).try_init().ok()?;
    Some(handle)
}

/// Whether there is an event of that name.
fn exists(name: &str) -> bool {
    EVENTS.iter().any(|(event, _)| *event == name)
}

/// The names of all events, a line each.
pub(crate) fn help() -> String {
    EVENTS.iter().map(|(name, _)| format!("{name}\n")).collect()
}

/// Whether a text is a pattern, and no name. As in the reference a `?` alone does not make it one.
fn is_pattern(text: &str) -> bool {
    text.contains('*')
}

/// Whether a name fits a pattern, in which `*` stands for any text and `?` for a character. In time that rises with the product of
/// their lengths: patterns come from clients.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut done) = (0, 0);
    // Behind the last `*`, and how much of the name it stands for, up to where.
    let mut last_star = None;
    while done < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                last_star = Some((at, done));
            }
            Some(byte) if *byte == b'?' || name.get(done) == Some(byte) => {
                at += 1;
                done += 1;
            }
            _ => {
                let Some((behind, end)) = last_star else { return false };
                last_star = Some((behind, end + 1));
                (at, done) = (behind, end + 1);
            }
        }
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// The places of events that a name or pattern means.
fn meant(name: &str) -> Result<Vec<usize>, LogError> {
    let fits = |event: &str| if is_pattern(name) { fits(name, event) } else { name == event };
    let meant: Vec<usize> = (0..EVENTS.len()).filter(|at| fits(EVENTS[*at].0)).collect();
    if meant.is_empty() && !is_pattern(name) {
        return Err(LogError::UnknownEvent(name.to_owned()));
    }
    Ok(meant)
}

/// The events that a name or pattern means and whether they are on, the last one first as in the reference.
///
/// # Errors
/// [`LogError::UnknownEvent`]: a name of none. A pattern may fit none.
pub(crate) fn states(name: &str) -> Result<Vec<(&'static str, bool)>, LogError> {
    let meant = meant(name)?;
    let log = LOG.lock();
    Ok(meant.into_iter().rev().map(|at| (EVENTS[at].0, log.on[at])).collect())
}

/// Switches the events on or off that a name or pattern means.
///
/// # Errors
/// [`LogError::UnknownEvent`], [`LogError::Foreign`]; nothing has changed then.
pub(crate) fn set(name: &str, on: bool) -> Result<(), LogError> {
    let meant = meant(name)?;
    // One change at a time reaches the filter. Its lock is not that of the output, as the filter's own events may be written.
    static CHANGE: Mutex<()> = Mutex::new(());
    let _change = CHANGE.lock();
    let mut wanted = LOG.lock().on;
    for at in meant {
        wanted[at] = on;
    }
    if wanted == LOG.lock().on {
        return Ok(());
    }
    let filter = FILTER.get_or_init(subscribe).as_ref().ok_or(LogError::Foreign)?;
    filter.reload(targets(wanted)).map_err(|_| LogError::Foreign)?;
    LOG.lock().on = wanted;
    Ok(())
}

/// The name in what [`apply`] takes, if it is one that no event has.
pub(crate) fn missing(pattern: &str) -> Option<&str> {
    let name = pattern.strip_prefix('-').unwrap_or(pattern);
    (!is_pattern(name) && !exists(name)).then_some(name)
}

/// The warning about it.
pub(crate) fn missing_text(name: &str) -> String {
    format!("trace event '{name}' does not exist")
}

/// What `-d`, `-trace` and `log` say of an event or of those that fit a pattern; a `-` in front switches off.
///
/// # Errors
/// As [`set`].
pub(crate) fn apply(pattern: &str) -> Result<(), LogError> {
    match pattern.strip_prefix('-') {
        Some(name) => set(name, false),
        None => set(pattern, true),
    }
}

/// The modules of the events that are on.
fn targets(on: [bool; EVENTS.len()]) -> Targets {
    let chosen = EVENTS.iter().zip(on).filter(|(_, on)| *on);
    chosen.map(|((_, module), _)| (*module, LevelFilter::TRACE)).collect()
}

/// Where `%d` in a file's name becomes the process's number.
fn file_name(path: &Path) -> Result<PathBuf, LogError> {
    let Some(text) = path.to_str() else { return Ok(path.to_owned()) };
    match text.split_once('%') {
        None => Ok(path.to_owned()),
        Some((start, end)) => match end.strip_prefix('d') {
            Some(end) if !end.contains('%') => Ok(format!("{start}{}{end}", std::process::id()).into()),
            _ => Err(LogError::Template(path.to_owned())),
        },
    }
}

/// Logs into that file from now on. What was in it is gone.
///
/// # Errors
/// [`LogError::Template`], [`LogError::File`]; lines go where they went.
pub(crate) fn set_file(path: &Path) -> Result<(), LogError> {
    let path = file_name(path)?;
    let file = File::create(&path).map_err(|source| LogError::File { path, source })?;
    LOG.lock().file = Some(file);
    Ok(())
}

/// Logs from now on what was asked for. The log belongs to the process: a second machine's wishes are added to the first one's.
///
/// # Errors
/// [`LogError`].
pub fn start(options: &LogOptions) -> Result<(), LogError> {
    if let Some(path) = options.trace_file.as_ref().or(options.file.as_ref()) {
        set_file(path)?;
    }
    options.patterns.iter().try_for_each(|pattern| apply(pattern))
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
            ("k?*", "kvm", true),
            ("k??*", "kvm", true),
            ("k???*", "kvm", false),
            ("*l*p", "main_loop", true),
            ("*n*n*", "main_loop", false),
            ("**", "kvm", true),
            ("", "kvm", false),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern}");
        }
        // A client's pattern is done with at once, whatever it is.
        assert!(!fits(&"*?".repeat(100_000), "main_loop"));
        assert!(!fits(&("*a".repeat(100_000) + "b"), "main_loop"));
        let wanted = |names: &[&str], module: &str| {
            let on = std::array::from_fn(|at| names.contains(&EVENTS[at].0));
            targets(on).would_enable(module, &Level::DEBUG)
        };
        assert!(wanted(&["kvm"], "machine_pc::kvm::vcpu"));
        assert!(!wanted(&["kvm"], "machine_pc::vm"));
        assert!(wanted(&["vm", "qmp"], "machine_pc::vm"));
        assert!(!wanted(&[], "machine_pc::vm"));
    }

    #[test]
    fn every_event_has_a_module_of_its_own() {
        for (at, (name, module)) in EVENTS.iter().enumerate() {
            assert!(exists(name) && !OTHER_ITEMS.contains(name));
            assert!(EVENTS[..at].iter().all(|(other, same)| other != name && same != module));
        }
    }

    #[test]
    fn states_are_those_that_were_set() {
        // The log is the process's: tests of other parts set none.
        let all = |on: bool| states("*").unwrap().iter().all(|(_, state)| *state == on);
        assert!(all(false));
        assert!(!tracing::enabled!(target: "machine_pc::reset_ports", Level::ERROR));
        set("*", true).unwrap();
        assert!(all(true));
        apply("-k*").unwrap();
        assert_eq!(states("*m").unwrap(), [("vm", true), ("kvm", false)]);
        assert_eq!(states("zzz*").unwrap(), []);
        for name in ["nope", "", "?", "k?m"] {
            assert_eq!(set(name, true).unwrap_err().to_string(), format!("unknown event \"{name}\""));
            assert!(states(name).is_err());
        }
        set("*", false).unwrap();
        assert!(all(false));
        assert_eq!(LevelFilter::current(), LevelFilter::OFF, "no event is made");
    }

    #[test]
    fn file_names_have_one_place_for_the_process() {
        assert_eq!(
            file_name(Path::new("a-%d.log")).unwrap(),
            PathBuf::from(format!("a-{}.log", std::process::id()))
        );
        for name in ["%d%d", "a%s", "%", "%d%"] {
            let error = file_name(Path::new(name)).unwrap_err();
            assert_eq!(error.to_string(), format!("Bad logfile template: {name}"));
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
