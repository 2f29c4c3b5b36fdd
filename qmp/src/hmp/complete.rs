//! What a word that was begun may be: names of commands and of `info` topics, and what they take.
//!
//! What a command's argument may be is told by an entry of a table, to which a program's crates add theirs
//! ([`HMP_COMPLETIONS`]). A word is proposed if it begins with what was typed; whether the command would take it is for the
//! command to say.

use qom::device::device_class;
use qom::{Device, Instance, user_creatable};

use super::editor::Completions;
use super::{HmpEntry, find, is_named};
use crate::Context;

/// What an argument of a command may be.
#[derive(Debug, Clone, Copy)]
pub struct HmpCompletion {
    /// The command's first name, or `info TOPIC`.
    pub command: &'static str,
    /// Which of its words, from 0, flags not counted.
    pub argument: usize,
    /// Words that it may be. What was typed of it says what to look at; those that do not begin with it are left out later.
    pub words: fn(&Context, &[&str], &str) -> Vec<String>,
}

/// The completions that the program's crates add to those of this one.
#[linkme::distributed_slice]
pub static HMP_COMPLETIONS: [HmpCompletion];

/// Names of an object's children.
fn children(context: &Context, path: &str) -> Vec<String> {
    let object = context.qom().resolve(path).ok();
    let children = object.map(|object| object.core().children()).unwrap_or_default();
    children.into_iter().map(|(name, _)| name.to_string()).collect()
}

fn commands(context: &Context, _: &[&str], _: &str) -> Vec<String> {
    names(context, context.commands().hmp())
}

fn topics(context: &Context, _: &[&str], _: &str) -> Vec<String> {
    names(context, context.commands().info())
}

/// All names of those that can be used now.
fn names(context: &Context, entries: &[HmpEntry]) -> Vec<String> {
    let usable = entries.iter().filter(|entry| !context.is_preconfig() || entry.allow_preconfig);
    usable.flat_map(|entry| entry.names.split('|')).map(str::to_owned).collect()
}

fn devices(context: &Context, _: &[&str], _: &str) -> Vec<String> {
    children(context, "/machine/peripheral")
}

fn objects(context: &Context, _: &[&str], _: &str) -> Vec<String> {
    children(context, "/objects")
}

fn device_types(context: &Context, _: &[&str], _: &str) -> Vec<String> {
    let qom = context.qom();
    let classes =
        qom.type_names(Some(Device::TYPE_NAME), false).into_iter().filter_map(|name| qom.class(name).ok());
    let creatable = classes.filter(|class| device_class(class).is_some_and(|class| class.user_creatable));
    creatable.map(|class| class.name().to_owned()).collect()
}

fn object_types(context: &Context, _: &[&str], _: &str) -> Vec<String> {
    user_creatable::type_names(context.qom()).into_iter().map(str::to_owned).collect()
}

/// Objects one step below the path that was typed. Those that have something below them end in a slash.
fn paths(context: &Context, _: &[&str], typed: &str) -> Vec<String> {
    let Some(slash) = typed.rfind('/') else { return vec!["/".to_owned()] };
    let above = &typed[..slash];
    let Ok(object) = context.qom().resolve(if above.is_empty() { "/" } else { above }) else {
        return Vec::new();
    };
    let path = |(name, child): (_, std::sync::Arc<dyn qom::Object>)| {
        let end = if child.core().children().is_empty() { "" } else { "/" };
        format!("{above}/{name}{end}")
    };
    object.core().children().into_iter().map(path).collect()
}

/// Properties of the object that the word before names.
fn properties(context: &Context, before: &[&str], _: &str) -> Vec<String> {
    let object = before.last().and_then(|path| context.qom().resolve(path).ok());
    object
        .map(|object| object.properties().into_iter().map(|entry| entry.name.into_owned()).collect())
        .unwrap_or_default()
}

macro_rules! completions {
    ($($command:literal $argument:literal $words:ident),* $(,)?) => {
        &[$(HmpCompletion { command: $command, argument: $argument, words: $words }),*]
    };
}

const COMPLETIONS: &[HmpCompletion] = completions![
    "help" 0 commands,
    "info" 0 topics,
    "help info" 0 topics,
    "device_add" 0 device_types,
    "device_del" 0 devices,
    "object_add" 0 object_types,
    "object_del" 0 objects,
    "qom-list" 0 paths,
    "qom-get" 0 paths,
    "qom-get" 1 properties,
    "qom-set" 0 paths,
    "qom-set" 1 properties,
    "info qom-tree" 0 paths,
];

/// The command that the words before the last one name, and which of its arguments comes next.
fn command<'a>(context: &Context, words: &[&'a str]) -> Option<(String, Vec<&'a str>)> {
    let (first, mut rest) = words.split_first()?;
    let first = first.split('/').next().unwrap_or_default();
    let entry = find(context.commands().hmp(), first)?;
    let mut command = entry.names.split('|').next().unwrap_or_default().to_owned();
    if let Some((topic, after)) = rest.split_first() {
        if is_named(entry.names, "info") {
            command = format!("info {}", find(context.commands().info(), topic)?.names);
            rest = after;
        } else if is_named(entry.names, "help") && *topic == "info" {
            "help info".clone_into(&mut command);
            rest = after;
        }
    }
    Some((command, rest.iter().copied().filter(|word| !word.starts_with('-')).collect()))
}

/// What the last word of a line that was begun may be.
pub(super) fn completions(context: &Context, line: &str) -> Completions {
    let start = line.rfind(|c: char| c.is_ascii_whitespace()).map_or(0, |space| space + 1);
    let (before, typed) = line.split_at(start);
    let before: Vec<&str> = before.split_ascii_whitespace().collect();
    let mut words = if before.is_empty() {
        commands(context, &[], typed)
    } else {
        let Some((command, arguments)) = command(context, &before) else { return Completions::default() };
        let all = COMPLETIONS.iter().chain(HMP_COMPLETIONS.iter());
        let fits = |entry: &&HmpCompletion| entry.command == command && entry.argument == arguments.len();
        all.filter(fits).flat_map(|entry| (entry.words)(context, &arguments, typed)).collect()
    };
    words.retain(|word| word.starts_with(typed));
    words.sort_unstable();
    words.dedup();
    Completions { start, words }
}
