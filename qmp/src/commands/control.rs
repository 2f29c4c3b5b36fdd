//! The protocol itself: which version, which commands.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::schema::SchemaInfo;
use crate::session::Negotiation;
use crate::version::{VERSION, VersionInfo};
use crate::{Context, Error};

/// A command that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
pub struct CommandInfo {
    /// Its name.
    pub name: Cow<'static, str>,
}

/// What `human-monitor-command` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub struct HumanMonitorCommand {
    /// The line, without its end.
    pub command_line: String,
    /// The CPU that the command looks at.
    pub cpu_index: Option<i64>,
}

commands! {
    /// Returns the version of the protocol and of the program.
    "query-version" (allow_preconfig) =>
    fn query_version(_: &mut Context, (): ()) -> Result<VersionInfo, Error> {
        Ok(VERSION)
    }

    /// Returns the names of all commands.
    "query-commands" (allow_preconfig) =>
    fn query_commands(context: &mut Context, (): ()) -> Result<Vec<CommandInfo>, Error> {
        Ok(context.commands().qmp().iter().map(|entry| CommandInfo { name: entry.name.into() }).collect())
    }

    /// Returns the commands, the events and their types.
    "query-qmp-schema" (allow_preconfig) =>
    fn query_qmp_schema(context: &mut Context, (): ()) -> Result<Vec<SchemaInfo>, Error> {
        Ok(crate::schema::schema(context.commands(), context.qom().clone()))
    }

    /// Enables the protocol's optional capabilities and ends negotiation. The session answers it, and a
    /// second one is refused there.
    "qmp_capabilities" (allow_preconfig) =>
    fn qmp_capabilities(_: &mut Context, _: Negotiation) -> Result<crate::Empty, Error> {
        let desc = "Capabilities negotiation is already complete, command ignored";
        Err(Error::new(::qom::ErrorClass::CommandNotFound, desc))
    }

    /// Runs a line of the human monitor and returns what it prints. Errors are part of that text.
    "human-monitor-command" =>
    fn human_monitor_command(context: &mut Context, arguments: HumanMonitorCommand) -> Result<String, Error> {
        if let Some(index) = arguments.cpu_index {
            // Monitor commands that look at one CPU take it as an argument of their own.
            tracing::debug!("human-monitor-command: cpu-index {index} has no effect on these commands");
        }
        Ok(crate::hmp::execute(&arguments.command_line, context))
    }
}
