//! `-readconfig` and `-set`: options by the name of their group.
//!
//! A configuration file has headings and arguments, a line each:
//!
//! ```text
//! # a comment
//! [chardev "serial0"]
//!   backend = "file"
//!   path = "/tmp/log"
//! ```
//!
//! QEMU reads it with `sscanf`, and what that overlooks is overlooked here: a missing quotation mark or bracket at the end, and
//! what follows the closing one. Most groups are options of the same name; a group is read as its option is, with errors of its
//! keys placed at the option `-readconfig` and later ones at the file and line.

use std::io::{self, Read};
use std::path::Path;

use qom::text::ParameterError;
use qom::text::keyval::{self, KeyvalError};
use qom::text::opts::{OptDescription, Opts};
use qom::user_creatable::Form;
use serde_json::{Map, Value};

use super::boot::RTC_OPTIONS;
use super::build::Builder;
use super::chardev::CHARDEV_OPTIONS;
use super::device::{GLOBAL_OPTIONS, missing};
use super::error::{ErrorKind, Failure};
use super::process::{ACTION_OPTIONS, ADD_FD_OPTIONS, OVERCOMMIT_OPTIONS, SANDBOX_OPTIONS};
use super::table::{self, Support};

/// Longest line; a longer one is read as several.
const LINE_BYTES: usize = 1023;
/// Longest name of a group, ID or argument; what follows is left to the next part of the line.
const NAME_BYTES: usize = 63;
/// Largest file.
const FILE_BYTES: u64 = 1 << 20;

/// Groups whose members are keyval trees and which `-set` cannot reach.
const TREES: &[&str] = &["object", "audiodev", "machine", "smp-opts", "boot-opts"];

/// QEMU's other groups, as far as they are the options of this name that are refused here.
const REFUSED: &[&str] = &[
    "drive",
    "fsdev",
    "fw_cfg",
    "icount",
    "iscsi",
    "option-rom",
    "plugin",
    "run-with",
    "smbios",
    "tpmdev",
    "vnc",
];

/// Groups that are options which are provided.
const PROVIDED: &[&str] = &[
    "accel",
    "action",
    "add-fd",
    "chardev",
    "device",
    "global",
    "memory",
    "mon",
    "msg",
    "name",
    "net",
    "netdev",
    "nic",
    "numa",
    "overcommit",
    "rtc",
    "sandbox",
    "trace",
];

/// Groups of which there is one set of options, which has no ID.
const SINGLE: &[&str] = &["action", "memory", "name", "rtc"];

/// How files are read while the command line is.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileReader(pub(super) fn(&Path) -> io::Result<Vec<u8>>);

impl Default for FileReader {
    fn default() -> Self {
        Self(read)
    }
}

/// Reads a file that is not too large.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = std::fs::File::open(path)?.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(count).is_ok_and(|count| count <= FILE_BYTES) {
        Ok(bytes)
    } else {
        Err(io::Error::from_raw_os_error(libc::EFBIG))
    }
}

/// A heading with its arguments.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    name: String,
    id: Option<String>,
    /// The last value of each key.
    pairs: Vec<(String, String)>,
    /// The last line that belongs to it.
    line: usize,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    Heading { name: String, id: Option<String> },
    Pair(String, String),
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Splits off the first bytes that fit, at most so many.
fn span(bytes: &[u8], most: usize, fits: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().take(most).position(|&byte| !fits(byte)).unwrap_or(bytes.len().min(most));
    bytes.split_at(end)
}

fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    span(bytes.trim_ascii_start(), NAME_BYTES, |byte| !byte.is_ascii_whitespace())
}

/// Reads the text behind a quotation mark; none if there is no mark or no text.
fn quoted(bytes: &[u8], most: usize) -> Option<&[u8]> {
    let (value, _) = span(bytes.trim_ascii_start().strip_prefix(b"\"")?, most, |byte| byte != b'"');
    (!value.is_empty()).then_some(value)
}

/// Reads `[NAME "ID"]` or `[NAME]` behind its bracket.
fn heading(bytes: &[u8]) -> Option<Line> {
    let (name, rest) = word(bytes);
    if !name.is_empty()
        && let Some(id) = quoted(rest, NAME_BYTES)
    {
        return Some(Line::Heading { name: text(name), id: Some(text(id)) });
    }
    let (name, _) = span(bytes, NAME_BYTES, |byte| byte != b']');
    (!name.is_empty()).then(|| Line::Heading { name: text(name), id: None })
}

fn line(bytes: &[u8]) -> Result<Line, ErrorKind> {
    match bytes.first() {
        None | Some(b'\n' | b'#') => return Ok(Line::Nothing),
        Some(b'[') => {
            if let Some(heading) = heading(&bytes[1..]) {
                return Ok(heading);
            }
        }
        Some(_) => {}
    }
    let (key, rest) = word(bytes);
    if key.is_empty() {
        return Err(ErrorKind::ConfigSyntax);
    }
    let value = rest.trim_ascii_start().strip_prefix(b"=").and_then(|rest| quoted(rest, LINE_BYTES));
    Ok(Line::Pair(text(key), text(value.unwrap_or_default())))
}

/// Lines with their ends, none longer than [`LINE_BYTES`].
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').flat_map(|line| line.chunks(LINE_BYTES))
}

/// Reads a file, up to the first mistake.
fn groups(bytes: &[u8]) -> (Vec<Group>, Option<ErrorKind>) {
    let mut groups: Vec<Group> = Vec::new();
    for (number, bytes) in (1..).zip(lines(bytes)) {
        match line(bytes) {
            Err(error) => return (groups, Some(error)),
            Ok(Line::Nothing) => {}
            Ok(Line::Heading { name, id }) => {
                groups.push(Group { name, id, pairs: Vec::new(), line: number });
            }
            Ok(Line::Pair(key, value)) => {
                let Some(group) = groups.last_mut() else { return (groups, Some(ErrorKind::NoConfigGroup)) };
                group.line = number;
                match group.pairs.iter_mut().find(|(known, _)| *known == key) {
                    _ if key == "id" => group.id = Some(value),
                    Some((_, old)) => *old = value,
                    None => group.pairs.push((key, value)),
                }
            }
        }
    }
    (groups, None)
}

impl Group {
    /// The members as a tree, the ID among them.
    fn tree(self) -> Result<Map<String, Value>, ErrorKind> {
        let id = self.id.map(|id| ("id".to_owned(), id));
        let mut words = Vec::new();
        let element = |key: &str| key.starts_with(|first: char| first.is_ascii_digit());
        if self.pairs.iter().any(|(key, _)| element(key)) {
            let all = id.is_none() && self.pairs.iter().all(|(key, _)| element(key));
            return Err(if all { ErrorKind::ConfigList } else { ErrorKind::ConfigMixedList });
        }
        for (key, value) in id.into_iter().chain(self.pairs) {
            if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
                return Err(ParameterError::Invalid { name: key }.into());
            }
            words.push(format!("{key}={}", keyval::escape(&value)));
        }
        keyval::parse(&words.join(","), None).map_err(|error| match error {
            KeyvalError::Inconsistent { .. } => ErrorKind::ConfigMixed,
            error => error.into(),
        })
    }
}

impl Builder {
    /// Reads a file as text.
    pub(super) fn read_file(&self, path: &Path) -> io::Result<String> {
        Ok(text(&(self.files.0)(path)?))
    }

    pub(super) fn read_config(&mut self, path: &str, location: &str) -> Result<(), Failure> {
        let bytes = (self.files.0)(path.as_ref()).map_err(|source| {
            let reason = crate::os_error::text(&source);
            let kind = if source.kind() == io::ErrorKind::IsADirectory {
                ErrorKind::ConfigRead { reason }
            } else {
                ErrorKind::ConfigOpen { path: path.to_owned(), reason }
            };
            Failure::at(location, kind)
        })?;
        let (mut groups, error) = groups(&bytes);
        // The group in which a mistake was found is not looked at.
        if error.is_some() {
            groups.pop();
        }
        for group in groups {
            let place = format!("{path}:{}", group.line);
            self.config_group(group, &place, location)?;
        }
        match error {
            Some(error) => Err(Failure::at(location, error)),
            None => Ok(()),
        }
    }

    fn config_group(&mut self, group: Group, place: &str, location: &str) -> Result<(), Failure> {
        let at = |error: ErrorKind| Failure::at(location, error);
        let name = group.name.clone();
        if TREES.contains(&name.as_str()) {
            let tree = group.tree().map_err(at)?;
            return match name.as_str() {
                "object" => self.add_object(tree, Form::Keyval, place).map(drop),
                "audiodev" => self.audiodev_tree(tree, false, location),
                "machine" => self.machine.machine_tree(tree, location),
                "smp-opts" => self.machine.property_tree("smp", tree, location),
                _ => self.machine.property_tree("boot", tree, location),
            };
        }
        if SINGLE.contains(&name.as_str()) && group.id.is_some() {
            return Err(at(ParameterError::Invalid { name: "id".to_owned() }.into()));
        }
        let opts = Opts { pairs: group.pairs, id: group.id, ..Opts::default() };
        let check = |table: &[OptDescription]| opts.check(table).map_err(|error| at(error.error.into()));
        match name.as_str() {
            "accel" if opts.get("accel").is_none() => Err(Failure::at(place, missing("accel"))),
            "accel" => self.accelerator_opts(opts, place).map(drop),
            "action" => {
                check(ACTION_OPTIONS)?;
                self.action_opts(opts, place);
                Ok(())
            }
            "add-fd" => {
                check(ADD_FD_OPTIONS)?;
                self.add_fd_opts(opts, place);
                Ok(())
            }
            "chardev" => {
                check(CHARDEV_OPTIONS)?;
                self.chardev_opts(opts, place).map_err(at)
            }
            "device" => {
                if let Some(id) = opts.id.as_ref().filter(|id| self.devices.has_id(id)) {
                    return Err(at(ErrorKind::DuplicateId { id: id.clone(), group: "device" }));
                }
                self.device_opts(opts, place)
            }
            "global" => {
                check(GLOBAL_OPTIONS)?;
                self.global_opts(&opts, place)
            }
            "memory" => {
                check(super::machine::MEMORY_OPTIONS)?;
                self.memory_opts(&opts, location)
            }
            "mon" => {
                check(super::monitor::MON_OPTIONS)?;
                self.mon_opts(opts, place)
            }
            "msg" => {
                check(super::build::MESSAGE_OPTIONS)?;
                self.message_opts(&opts);
                Ok(())
            }
            "name" => {
                check(super::build::NAME_OPTIONS)?;
                self.name_opts(&opts, place);
                Ok(())
            }
            "net" | "netdev" | "nic" => self.network_opts(&opts, place),
            "numa" => self.numa_opts(opts, place).map_err(at),
            "overcommit" => {
                check(OVERCOMMIT_OPTIONS)?;
                self.overcommit_opts(&opts, place)
            }
            "rtc" => {
                check(RTC_OPTIONS)?;
                self.rtc_opts(opts);
                Ok(())
            }
            "sandbox" => {
                check(SANDBOX_OPTIONS)?;
                self.sandbox_opts(opts, place);
                Ok(())
            }
            "trace" => {
                check(super::process::TRACE_OPTIONS)?;
                self.trace_opts(&opts, place)
            }
            refused if REFUSED.contains(&refused) => {
                let reason = match table::look_up(refused) {
                    Some((Support::Refused(reason), _)) => reason,
                    _ => "it has no configuration group",
                };
                Err(at(ErrorKind::NotSupported { reason }))
            }
            _ => Err(at(ErrorKind::NoOptionGroup { group: name })),
        }
    }

    pub(super) fn set(&mut self, argument: &str, location: &str) -> Result<(), Failure> {
        let at = |error: ErrorKind| Failure::at(location, error);
        let (group, id, key, value) =
            set_words(argument).ok_or_else(|| at(ErrorKind::SetSyntax { text: argument.to_owned() }))?;
        if TREES.contains(&group) {
            return Err(at(ErrorKind::SetNotSupported { group: group.to_owned() }));
        }
        if !PROVIDED.contains(&group) && !REFUSED.contains(&group) {
            return Err(at(ErrorKind::NoOptionGroup { group: group.to_owned() }));
        }
        let done = match group {
            "chardev" => self.monitors.set_chardev(id, key, value),
            "mon" => self.monitors.set_mon(id, key, value),
            "device" => Ok(self.devices.set(id, key, value)),
            "accel" => Ok(self.set_accelerator(id, key, value)),
            "numa" => Ok(self.set_numa(id, key, value)),
            _ => Ok(false),
        };
        if done.map_err(|error| at(ErrorKind::SetParameter(error)))? {
            Ok(())
        } else {
            Err(at(ErrorKind::NothingToSet { group: group.to_owned(), id: id.to_owned() }))
        }
    }
}

/// Splits `GROUP.ID.KEY=VALUE`.
fn set_words(text: &str) -> Option<(&str, &str, &str, &str)> {
    let fits = |name: &&str| (1..=NAME_BYTES).contains(&name.len());
    let (group, rest) = text.split_once('.').filter(|(group, _)| fits(group))?;
    let (id, rest) = rest.split_once('.').filter(|(id, _)| fits(id))?;
    let (key, value) = rest.split_once('=').filter(|(key, _)| fits(key))?;
    Some((group, id, key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What QEMU 11.1.2 makes of such lines.
    #[test]
    fn lines_are_read_as_scanf_reads_them() {
        let pair = |key: &str, value: &str| Ok(Line::Pair(key.to_owned(), value.to_owned()));
        let head = |name: &str, id: Option<&str>| {
            Ok(Line::Heading { name: name.to_owned(), id: id.map(str::to_owned) })
        };
        for (text, expected) in [
            ("\n", Ok(Line::Nothing)),
            ("# x\n", Ok(Line::Nothing)),
            ("  \n", Err(ErrorKind::ConfigSyntax)),
            ("[chardev \"c\"]\n", head("chardev", Some("c"))),
            ("[chardev  \"c\"\n", head("chardev", Some("c"))),
            ("[name]\n", head("name", None)),
            ("[name ]\n", head("name ", None)),
            ("[]\n", pair("[]", "")),
            (" a = \"b c\" d\n", pair("a", "b c")),
            ("a=\"b\"\n", pair("a=\"b\"", "")),
            ("a = b\n", pair("a", "")),
            ("a = \"\"\n", pair("a", "")),
            ("a\n", pair("a", "")),
        ] {
            assert_eq!(line(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn the_last_value_and_line_count() {
        let (groups, error) = groups(b"[a \"x\"]\n k = \"1\"\n\n k = \"2\"\n[b]\n");
        assert_eq!(error, None);
        assert_eq!(groups[0].pairs, [("k".to_owned(), "2".to_owned())]);
        assert_eq!((groups[0].line, groups[1].line, groups.len()), (4, 5, 2));
    }

    #[test]
    fn a_file_that_does_not_end_is_an_error() {
        assert_eq!(read("/dev/zero".as_ref()).unwrap_err().raw_os_error(), Some(libc::EFBIG));
    }

    proptest! {
        #[test]
        fn any_file_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = groups(&bytes);
        }

        #[test]
        fn groups_read_back(name in "[a-z-]{1,20}", id in prop::option::of("[a-z]{1,20}"),
                            pairs in prop::collection::btree_map("[a-hj-z][a-z]{0,10}", "[^\"\n]{0,20}", 0..5)) {
            let id_text = id.as_ref().map(|id| format!(" \"{id}\"")).unwrap_or_default();
            let body: String = pairs.iter().map(|(key, value)| format!("  {key} = \"{value}\"\n")).collect();
            let (groups, error) = groups(format!("[{name}{id_text}]\n{body}").as_bytes());
            prop_assert_eq!(error, None);
            prop_assert_eq!(&groups[0].name, &name);
            prop_assert_eq!(&groups[0].id, &id);
            prop_assert_eq!(&groups[0].pairs, &pairs.into_iter().collect::<Vec<_>>());
        }
    }
}
