//! QMP: which options the command line has.

use std::collections::BTreeSet;

use qmp::{Context, Error, command};
use qom::Qom;
use qom::text::opts::{OptDescription, OptKind};
use serde::{Deserialize, Serialize};

use crate::cmdline::groups::{OptionGroup, Parameters, groups};
use crate::machine::{TYPE_SUFFIX, absent, machine_classes};

/// What a parameter of an option takes (QAPI `CommandLineParameterType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
enum ParameterType {
    /// Any text.
    String,
    /// `on` or `off`.
    Boolean,
    /// A number.
    Number,
    /// A number of bytes, which may have a suffix such as `K`, `M` or `G`.
    Size,
}

/// A parameter of an option (QAPI `CommandLineParameterInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct CommandLineParameterInfo {
    /// Its name.
    name: String,
    /// What it is for, for people; absent where nobody wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// What it takes.
    #[serde(rename = "type")]
    kind: ParameterType,
}

/// An option of the command line (QAPI `CommandLineOptionInfo`).
#[derive(Debug, Serialize, qmp::QapiType)]
struct CommandLineOptionInfo {
    /// Its parameters. Empty where they depend on a type, as those of `-device` do.
    parameters: Vec<CommandLineParameterInfo>,
    /// The name of its group, which is the option's without the hyphen but for some old ones (`smp-opts`, `boot-opts`).
    option: &'static str,
}

/// What `query-command-line-options` takes.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct QueryCommandLineOptions {
    /// The one to tell of; all of them by default.
    option: Option<String>,
}

fn of_table(description: &OptDescription) -> CommandLineParameterInfo {
    let kind = match description.kind {
        OptKind::String => ParameterType::String,
        OptKind::Bool => ParameterType::Boolean,
        OptKind::Number => ParameterType::Number,
        OptKind::Size => ParameterType::Size,
    };
    let help = (!description.help.is_empty()).then(|| description.help.to_owned());
    CommandLineParameterInfo { name: description.name.to_owned(), help, kind }
}

/// The properties that any machine type has, each once.
fn of_machines(qom: &Qom) -> Vec<CommandLineParameterInfo> {
    let help = Some("machine type".to_owned());
    let mut parameters =
        vec![CommandLineParameterInfo { name: "type".to_owned(), help, kind: ParameterType::String }];
    let mut seen = BTreeSet::new();
    for machine in machine_classes(qom) {
        let Ok(class) = qom.class(&format!("{}{TYPE_SUFFIX}", machine.name)) else { continue };
        for property in class.properties().filter(|property| property.is_writable()) {
            let name = property.name();
            if absent::NOT_IN_HELP.contains(&name) || !seen.insert(name.to_owned()) {
                continue;
            }
            let kind = match property.type_name() {
                "bool" | "OnOffAuto" => ParameterType::Boolean,
                "size" => ParameterType::Size,
                number if number.trim_start_matches('u').starts_with("int") => ParameterType::Number,
                _ => ParameterType::String,
            };
            let help = property.description_text().map(str::to_owned);
            parameters.push(CommandLineParameterInfo { name: name.to_owned(), help, kind });
        }
    }
    parameters
}

fn info(qom: &Qom, group: &OptionGroup) -> CommandLineOptionInfo {
    let parameters = match &group.parameters {
        // The last one first, as the reference has them.
        Parameters::These(table) => table.iter().rev().map(of_table).collect(),
        Parameters::OfMachines => of_machines(qom),
    };
    CommandLineOptionInfo { parameters, option: group.name }
}

command! {
    /// Returns the options of the command line that take parameters, each with these, or one of them. Options that the program
    /// refuses are not listed.
    ///
    /// Fails if there is no such option (`invalid option name: NAME`).
    "query-command-line-options" (allow_preconfig) =>
    fn query_command_line_options(context: &mut Context, arguments: QueryCommandLineOptions)
        -> Result<Vec<CommandLineOptionInfo>, Error>
    {
        let all = groups();
        let wanted = |group: &&OptionGroup| arguments.option.as_ref().is_none_or(|name| name == group.name);
        let infos: Vec<_> = all.iter().filter(wanted).map(|group| info(context.qom(), group)).collect();
        match arguments.option {
            Some(name) if infos.is_empty() => Err(Error::generic(format_args!("invalid option name: {name}"))),
            _ => Ok(infos),
        }
    }
}
