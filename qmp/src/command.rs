//! Commands as types.
//!
//! A command is a type that implements [`Command`]; [`command!`](crate::command) declares one and puts it
//! into the table of all commands of the program, from which dispatch and `query-commands` are made. A
//! command runs to its end on the thread that serves the sessions and must not wait for anything that
//! takes long.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::json::Writer;
use crate::kept_replies::KeptReplies;
use crate::schema::{QapiType, TypeRef, Types};
use crate::{Context, Error, arguments};

/// Where a command may be used beyond the usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// It works before the machine is built (`--preconfig`).
    pub allow_preconfig: bool,
    /// It may be executed out of band: it is quick and takes no lock for long.
    pub allow_oob: bool,
    /// It will go in a later version.
    pub deprecated: bool,
    /// What it takes is also taken by the command line's option of the same purpose, as JSON.
    pub json_cli: bool,
}

impl Flags {
    /// None of them.
    pub const NONE: Self =
        Self { allow_preconfig: false, allow_oob: false, deprecated: false, json_cli: false };

    /// Also before the machine is built.
    #[must_use]
    pub const fn allow_preconfig(self) -> Self {
        Self { allow_preconfig: true, ..self }
    }

    /// Also out of band.
    #[must_use]
    pub const fn allow_oob(self) -> Self {
        Self { allow_oob: true, ..self }
    }

    /// It will go in a later version.
    #[must_use]
    pub const fn deprecated(self) -> Self {
        Self { deprecated: true, ..self }
    }

    /// The command line takes the same as JSON.
    #[must_use]
    pub const fn json_cli(self) -> Self {
        Self { json_cli: true, ..self }
    }
}

/// A QMP command.
pub trait Command {
    /// The name on the wire.
    const NAME: &'static str;
    /// Where it may be used beyond the usual.
    const FLAGS: Flags = Flags::NONE;
    /// What it does, for people.
    const DOC: &'static str;
    /// Where its replies may be kept: a number that changes whenever the same arguments may get another answer. Such a command
    /// does nothing but look.
    const REVISION: Option<Revision> = None;
    /// What it takes: a struct whose `Option` fields are the optional arguments, `()` for nothing, a
    /// `serde_json::Map` for anything.
    type Arguments: DeserializeOwned + QapiType;
    /// What it returns; [`Empty`] for nothing.
    type Return: Serialize + QapiType;

    /// Does it.
    ///
    /// # Errors
    /// Why it was not done; then nothing has changed.
    fn run(context: &mut Context, arguments: Self::Arguments) -> Result<Self::Return, Error>;
}

/// The return value of commands that return nothing: `{}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Empty;

/// A client does not look at what may be in it one day.
impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Tells the revision of what a command returns; nothing while it is not to be kept.
pub type Revision = fn(&Context) -> Option<u64>;

type Run = fn(&mut Context, Map<String, Value>, &mut Writer) -> Result<(), Error>;

/// A command as the table has it.
#[derive(Debug, Clone, Copy)]
pub struct CommandEntry {
    /// The name on the wire.
    pub name: &'static str,
    /// Where it may be used beyond the usual.
    pub flags: Flags,
    /// What it does, for people.
    pub doc: &'static str,
    /// Who declared it: module, file and line.
    pub declared_at: &'static str,
    revision: Option<Revision>,
    run: Run,
    describe: fn(&mut Types) -> CommandTypes,
}

/// The types of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTypes {
    /// What it takes: an object.
    pub arguments: TypeRef,
    /// What it returns.
    pub returned: TypeRef,
}

impl CommandEntry {
    /// The entry of a command that is declared at `declared_at`.
    #[must_use]
    pub const fn of<C: Command>(declared_at: &'static str) -> Self {
        Self {
            name: C::NAME,
            flags: C::FLAGS,
            doc: C::DOC,
            declared_at,
            revision: C::REVISION,
            run: run::<C>,
            describe: describe::<C>,
        }
    }

    /// Describes what it takes and returns.
    #[must_use]
    pub fn describe(&self, types: &mut Types) -> CommandTypes {
        (self.describe)(types)
    }

    /// What clients are told of it, in QEMU's words.
    #[must_use]
    pub fn features(&self) -> Vec<&'static str> {
        [
            (self.flags.deprecated, "deprecated"),
            (self.name.starts_with("x-"), "unstable"),
            (self.flags.json_cli, "json-cli"),
            (self.flags.json_cli, "json-cli-hotplug"),
        ]
        .into_iter()
        .filter_map(|(has, feature)| has.then_some(feature))
        .collect()
    }

    /// Checks the arguments, runs the command and writes what it returns.
    ///
    /// # Errors
    /// The arguments' or the command's; the writer then holds nothing of use.
    pub fn run(
        &self,
        context: &mut Context,
        arguments: Map<String, Value>,
        to: &mut Writer,
    ) -> Result<(), Error> {
        let Some(revision) = self.revision.filter(|_| !to.is_pretty() && KeptReplies::keeps(&arguments))
        else {
            return (self.run)(context, arguments, to);
        };
        let Some(revision) = revision(context) else { return (self.run)(context, arguments, to) };
        if let Some(text) = context.kept_replies().get(self.name, &arguments, revision) {
            to.put(text);
            return Ok(());
        }
        let start = to.text().len();
        (self.run)(context, arguments.clone(), to)?;
        context.kept_replies().keep(self.name, arguments, revision, &to.text()[start..]);
        Ok(())
    }
}

fn describe<C: Command>(types: &mut Types) -> CommandTypes {
    CommandTypes { arguments: C::Arguments::describe(types), returned: C::Return::describe(types) }
}

fn run<C: Command>(
    context: &mut Context,
    arguments: Map<String, Value>,
    to: &mut Writer,
) -> Result<(), Error> {
    let arguments = arguments::from_members(arguments)?;
    let value = C::run(context, arguments)?;
    value.serialize(to).map_err(Error::generic)
}

/// The commands that the program's crates add to those of this one, in no order.
/// [`Commands::linked`](crate::Commands::linked) joins, sorts and checks them.
#[linkme::distributed_slice]
pub static COMMANDS: [CommandEntry];

/// Declares a QMP command and registers it.
///
/// The documentation comment becomes the command's own. Flags follow the name in parentheses, and `kept while FUNCTION` follows them where
/// replies may be kept ([`Command::REVISION`]).
///
/// ```
/// use qmp::{Context, Empty, Error};
///
/// /// What the embedding program provides.
/// struct Fan { speed: u32 }
///
/// #[derive(serde::Deserialize, qmp::QapiType)]
/// struct SetFan { speed: u32, quiet: Option<bool> }
///
/// qmp::command! {
///     /// Sets the speed of the fan in turns per minute.
///     "x-set-fan" (allow_preconfig) => fn x_set_fan(context: &mut Context, arguments: SetFan) -> Result<Empty, Error> {
///         context.require_mut::<Fan>()?.speed = arguments.speed;
///         Ok(Empty)
///     }
/// }
///
/// qmp::command! {
///     /// Tells the speed of the fan in turns per minute.
///     "x-query-fan" => fn x_query_fan(context: &mut Context, _: ()) -> Result<u32, Error> {
///         Ok(context.require::<Fan>()?.speed)
///     }
/// }
///
/// assert!(qmp::COMMANDS.iter().any(|command| command.name == "x-set-fan" && command.flags.allow_preconfig));
/// ```
#[macro_export]
macro_rules! command {
    (
        $(#[doc = $doc:literal])*
        $name:literal $(($($flag:ident),+))? $(kept while $revision:path)? =>
        $vis:vis fn $ident:ident $signature:tt -> Result<$Return:ty, $Error:ty> $body:block
    ) => {
        $crate::__command_type! {
            $(#[doc = $doc])* $name $(($($flag),+))? $(kept while $revision)? =>
            $vis fn $ident $signature -> Result<$Return, $Error> $body
        }

        const _: () = {
            #[$crate::__private::linkme::distributed_slice($crate::COMMANDS)]
            #[linkme(crate = $crate::__private::linkme)]
            static ENTRY: $crate::CommandEntry = $crate::__command_entry!($ident);
        };
    };
}

/// The type of a command, without its registration.
#[doc(hidden)]
#[macro_export]
macro_rules! __command_type {
    (
        $(#[doc = $doc:literal])*
        $name:literal $(($($flag:ident),+))? $(kept while $revision:path)? =>
        $vis:vis fn $ident:ident($context:tt: $Context:ty, $arguments:tt: $Arguments:ty $(,)?)
        -> Result<$Return:ty, $Error:ty> $body:block
    ) => {
        $(#[doc = $doc])*
        #[expect(non_camel_case_types, reason = "a command is named like the function that runs it")]
        #[derive(Debug)]
        $vis struct $ident;

        impl $crate::Command for $ident {
            const NAME: &'static str = $name;
            const FLAGS: $crate::Flags = $crate::Flags::NONE$($(.$flag())+)?;
            const DOC: &'static str = concat!($($doc, "\n"),*);
            $(const REVISION: Option<$crate::Revision> = Some($revision);)?
            type Arguments = $Arguments;
            type Return = $Return;

            fn run($context: $Context, $arguments: $Arguments) -> ::std::result::Result<$Return, $Error> $body
        }
    };
}

/// The table entry of a command, declared here.
#[doc(hidden)]
#[macro_export]
macro_rules! __command_entry {
    ($ident:ident) => {
        $crate::CommandEntry::of::<$ident>(concat!(module_path!(), " (", file!(), ":", line!(), ")"))
    };
}
