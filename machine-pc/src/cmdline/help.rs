//! Texts that options ask for: `-help`, `-version`, `-smp help` and their like. All of them are made from tables.

use qom::text::opts::{OptDescription, OptKind};

use super::table::{OptionSpec, SECTIONS};
use crate::smp::SMP_KEYS;

/// Column at which the help of an option starts.
const HELP_COLUMN: usize = 16;

/// The answer to `-version`. It has the form that scripts cut QEMU's version from, with this program's own in the
/// place where packagers put theirs.
#[must_use]
pub fn version_text(program: &str, qemu_version: &str) -> String {
    format!(
        "QEMU emulator version {qemu_version} ({program} {})\n\
         An independent program that answers as that version of QEMU does\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// The answer to `-help`.
#[must_use]
pub fn help_text(program: &str, qemu_version: &str) -> String {
    let mut text = version_text(program, qemu_version);
    text.push_str(&format!("usage: {program} [options]\n"));
    for section in SECTIONS {
        text.push_str(&format!("\n{}:\n", section.title));
        for option in section.options {
            push_option(&mut text, option);
        }
    }
    text
}

fn push_option(text: &mut String, option: &OptionSpec) {
    let mut head = option.names.iter().map(|name| format!("-{name}")).collect::<Vec<_>>().join(" or ");
    if let Some(argument) = option.argument {
        head.push(' ');
        head.push_str(argument);
    }
    let mut lines = option.help.iter();
    if head.len() < HELP_COLUMN {
        let first = lines.next().copied().unwrap_or_default();
        text.push_str(&format!("{head:<HELP_COLUMN$}{first}\n"));
    } else {
        text.push_str(&format!("{head}\n"));
    }
    for line in lines {
        text.push_str(&format!("{:HELP_COLUMN$}{line}\n", ""));
    }
}

/// The answer to `-smp help`.
pub(super) fn smp_help() -> String {
    let mut keys = SMP_KEYS;
    keys.sort_unstable();
    keys.iter().fold("smp-opts options:\n".to_owned(), |text, key| text + &format!("  {key}=<num>\n"))
}

/// The answer to `help` in an option with a table of parameters.
pub(super) fn parameters_help(group: &str, table: &[OptDescription]) -> String {
    let mut table: Vec<_> = table.iter().collect();
    table.sort_unstable_by_key(|description| description.name);
    let mut text = format!("{group} options:\n");
    for OptDescription { name, kind, help } in table {
        let start = format!("  {name}=<{}>", kind.name());
        text.push_str(&if help.is_empty() { format!("{start}\n") } else { format!("{start} - {help}\n") });
    }
    text
}

/// What can be logged, as `-d help` and the human monitor's `log help` say it: an item in each line.
pub(crate) fn log_items_help(command: &str) -> String {
    let none = match command {
        "log" => format!("{:<HELP_COLUMN$}remove all logs\n", "none"),
        _ => String::new(),
    };
    format!(
        "Log items (comma separated):\n{none}{:<HELP_COLUMN$}log what these parts of the program do\n\n\
         Use \"{command} trace:help\" to get a list of trace events.\n",
        "trace:PATTERN"
    )
}

/// One parameter of a table.
pub(super) const fn parameter(name: &'static str, kind: OptKind, help: &'static str) -> OptDescription {
    OptDescription { name, kind, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_option_in_narrow_lines() {
        let text = help_text("qom-system-x86_64", "11.1.2");
        assert!(text.contains("usage: qom-system-x86_64 [options]\n"));
        for option in SECTIONS.iter().flat_map(|section| section.options) {
            for name in option.names {
                assert!(text.contains(&format!("-{name}")), "{name}");
            }
        }
        for line in text.lines() {
            assert!(line.len() <= 112, "{line}");
        }
        assert!(text.contains("\n-S              do not start"));
        assert!(text.contains("\n-cpu model[,prop=value[,...]]\n                use this CPU model"));
    }

    /// As QEMU 11.1.2 prints it.
    #[test]
    fn smp_help_lists_the_keys() {
        assert_eq!(
            smp_help(),
            "smp-opts options:\n  books=<num>\n  clusters=<num>\n  cores=<num>\n  cpus=<num>\n  dies=<num>\n  \
             drawers=<num>\n  maxcpus=<num>\n  modules=<num>\n  sockets=<num>\n  threads=<num>\n"
        );
    }

    #[test]
    fn parameters_are_sorted_and_explained() {
        let table = [parameter("b", OptKind::Bool, "why"), parameter("a", OptKind::String, "")];
        assert_eq!(parameters_help("x", &table), "x options:\n  a=<str>\n  b=<bool (on/off)> - why\n");
    }
}
