//! The protocol itself: which version, which commands.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::hmp::{GuestCpus, MonitorState};
use crate::schema::SchemaInfo;
use crate::session::Negotiation;
use crate::version::{VERSION, VersionInfo};
use crate::{Context, Error};

/// A command that there is (QAPI `CommandInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct CommandInfo {
    /// Its name, as `execute` takes it.
    pub name: Cow<'static, str>,
}

/// What `human-monitor-command` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct HumanMonitorCommand {
    /// The line, without a line end.
    pub command_line: String,
    /// The number of the CPU that the command looks at (`query-cpus-fast`); the first that is there by default.
    pub cpu_index: Option<i64>,
}

commands! {
    /// Returns the version of the protocol and of the program, as the greeting does.
    "query-version" (allow_preconfig) =>
    fn query_version(_: &mut Context, (): ()) -> Result<VersionInfo, Error> {
        Ok(VERSION)
    }

    /// Returns the names of all commands.
    "query-commands" (allow_preconfig) kept while crate::forever =>
    fn query_commands(context: &mut Context, (): ()) -> Result<Vec<CommandInfo>, Error> {
        Ok(context.commands().qmp().iter().map(|entry| CommandInfo { name: entry.name.into() }).collect())
    }

    /// Returns the commands, the events and their types for programs: what this text tells people. The answer is the same as long
    /// as the program runs. Names of types are numbers and mean nothing from one version to another.
    "query-qmp-schema" (allow_preconfig) kept while crate::forever =>
    fn query_qmp_schema(context: &mut Context, (): ()) -> Result<Vec<SchemaInfo>, Error> {
        Ok(crate::schema::schema(context.commands(), context.qom().clone()))
    }

    /// Enables optional capabilities of the protocol and ends negotiation. It has to be the first command of a session.
    ///
    /// Any other command before it fails with class `CommandNotFound` (`Expecting capabilities negotiation with
    /// 'qmp_capabilities'`), and so does a second one of it (`Capabilities negotiation is already complete, command ignored`).
    "qmp_capabilities" (allow_preconfig) =>
    fn qmp_capabilities(_: &mut Context, _: Negotiation) -> Result<crate::Empty, Error> {
        let desc = "Capabilities negotiation is already complete, command ignored";
        Err(Error::new(::qom::ErrorClass::CommandNotFound, desc))
    }

    /// Runs a line of the human monitor and returns what it prints. What goes wrong in the line is a part of that text and no
    /// error. Each line starts anew: `cpu` in one means nothing to the next.
    ///
    /// Fails if there is no such CPU (`Parameter 'cpu-index' expects a CPU number`).
    "human-monitor-command" =>
    fn human_monitor_command(context: &mut Context, arguments: HumanMonitorCommand) -> Result<String, Error> {
        let mut state = MonitorState::default();
        if let Some(index) = arguments.cpu_index {
            let index = usize::try_from(index).ok();
            let cpus = context.get::<GuestCpus>().copied();
            state.cpu = index.filter(|&index| cpus.is_some_and(|cpus| (cpus.exists)(context, index)));
            if state.cpu.is_none() {
                return Err(Error::generic("Parameter 'cpu-index' expects a CPU number"));
            }
        }
        Ok(crate::hmp::execute_in(&arguments.command_line, context, &mut state))
    }
}
