//! What the program says on standard error: `qom-system-x86_64: …`, as the reference's `error_report`.
//!
//! With `-msg timestamp=on` the time (UTC) comes first, with `-msg guest-name=on` the guest's name. Both are said once, at the
//! start, for the whole process: standard error belongs to the process.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The program's name in its messages.
pub const PROGRAM: &str = "qom-system-x86_64";

/// What comes before the program's name.
#[derive(Debug, Clone, Default)]
pub struct Prefix {
    /// The time.
    pub timestamp: bool,
    /// The guest's name.
    pub guest_name: Option<String>,
}

static PREFIX: OnceLock<Prefix> = OnceLock::new();

/// Says what comes before the program's name from now on. The first call counts.
pub fn set_prefix(prefix: Prefix) {
    let _ = PREFIX.set(prefix);
}

fn say(message: impl Display) {
    let mut before = String::new();
    if let Some(prefix) = PREFIX.get() {
        if prefix.timestamp {
            before = format!("{} ", humantime::format_rfc3339_micros(SystemTime::now()));
        }
        if let Some(name) = &prefix.guest_name {
            before.push_str(name);
            before.push(' ');
        }
    }
    // Where standard error cannot be written, on a full disk say, nobody can be told; that is no reason to end.
    let _ = writeln!(std::io::stderr(), "{before}{PROGRAM}: {message}");
}

/// An error.
pub fn error(message: impl Display) {
    say(message);
}

thread_local! {
    /// The option that this thread is about.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does something that an option asks for: warnings that come of it name the option.
pub fn at<T>(place: &str, work: impl FnOnce() -> T) -> T {
    PLACE.set(Some(place.to_owned()));
    let done = work();
    PLACE.set(None);
    done
}

/// A warning: the program goes on.
pub fn warning(message: impl Display) {
    let place = PLACE.with_borrow(|place| place.as_ref().map(|place| format!("{place}: ")));
    say(format_args!("{}warning: {message}", place.unwrap_or_default()));
}

/// Something to know.
pub fn info(message: impl Display) {
    say(format_args!("info: {message}"));
}

/// Further lines for a person, to be put behind a message.
pub(crate) fn hint(lines: Option<&str>) -> String {
    lines.map(|lines| format!("\n{lines}")).unwrap_or_default()
}
