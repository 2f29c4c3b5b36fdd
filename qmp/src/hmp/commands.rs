//! The monitor commands that are about any machine and any object.

use std::sync::Arc;

use qom::text::keyval;
use qom::user_creatable::Form as ObjectForm;
use qom::{Input, Object, Origin};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{HmpArguments, HmpEntry, Monitor, find};
use crate::Error;
use crate::commands::qom::resolve;
use crate::device::{self, AddDevice, Form};
use crate::json::{Reader, Writer};
use crate::object;
use crate::run_control::{RunControl, RunState, ShutdownCause};
use crate::version::VERSION;

/// Declares monitor commands as [`crate::hmp_command!`] does, and lists them. (Why listed: see the module of
/// the QMP commands.)
macro_rules! table {
    ($table:ident: $($names:literal, $arguments:literal, $parameters:literal, $help:literal $(($flag:ident))? =>
        fn $ident:ident($monitor:ident, $args:ident) $body:block)*) => {
        $(fn $ident($monitor: &mut Monitor<'_>, $args: &HmpArguments) -> Result<(), Error> $body)*

        pub(crate) const $table: &[HmpEntry] =
            &[$(crate::__hmp_entry!($names, $arguments, $parameters, $help, $ident $(, $flag)?)),*];
    };
}

/// What the embedding program provides.
type Control = Box<dyn RunControl>;

/// Before the machine is built, only what can be used then is shown.
fn print_help(monitor: &mut Monitor<'_>, prefix: &str, entry: &HmpEntry) {
    if monitor.context.is_preconfig() && !entry.allow_preconfig {
        return;
    }
    monitor.print(format_args!("{prefix}{} {} -- {}\n", entry.names, entry.parameters, entry.help));
}

/// `help`, `help COMMAND`, `help info TOPIC`.
fn help(monitor: &mut Monitor<'_>, words: &str) {
    let mut words = words.split_ascii_whitespace();
    let commands = monitor.context.commands().clone();
    let (first, second) = (words.next(), words.next());
    match (first, second) {
        (None, _) => commands.hmp().iter().for_each(|entry| print_help(monitor, "", entry)),
        (Some("info"), None) => commands.info().iter().for_each(|entry| print_help(monitor, "info ", entry)),
        (Some("info"), Some(topic)) => match find(commands.info(), topic) {
            Some(entry) => print_help(monitor, "info ", &entry),
            None => monitor.print(format_args!("unknown command: 'info {topic}'\n")),
        },
        (Some(name), _) => match find(commands.hmp(), name) {
            Some(entry) => print_help(monitor, "", &entry),
            None => monitor.print(format_args!("unknown command: '{name}'\n")),
        },
    }
}

/// One JSON value and nothing else.
fn json(text: &str) -> Result<Value, Error> {
    let line = [text.as_bytes(), b"\n"].concat();
    let mut reader = Reader::new();
    let (used, value) = reader.feed(&line);
    let value = value.ok_or_else(|| Error::generic("JSON parse error, premature end of input"))?;
    let value = value.map_err(Error::generic)?;
    match reader.feed(&line[used..]) {
        (_, None) => Ok(value),
        (_, Some(_)) => Err(Error::generic("Expecting at most one JSON value")),
    }
}

/// Reads the description of a new object and makes it, or prints the help that is asked for.
fn object_add(monitor: &mut Monitor<'_>, text: &str) -> Result<(), Error> {
    let (values, form) = if text.starts_with('{') {
        match json(text)? {
            Value::Object(values) => (values, ObjectForm::Json),
            _ => return Err(Error::generic("Expecting at most one JSON value")),
        }
    } else {
        let keyval = keyval::parse_with_help(text, Some("qom-type")).map_err(Error::generic)?;
        let type_name = keyval.tree.get("qom-type").and_then(Value::as_str);
        if keyval.help || type_name.is_some_and(keyval::is_help) {
            let qom = monitor.context.qom();
            let help = type_name.and_then(|name| object::type_help(qom, name));
            let help = help.unwrap_or_else(|| object::types_help(qom, &[]));
            monitor.print(format_args!("{help}"));
            return Ok(());
        }
        (keyval.tree, ObjectForm::Keyval)
    };
    if let Err(error) = object::add(monitor.context.qom(), values, form, Origin::Monitor) {
        monitor.print(format_args!("Error: {error}\n"));
        if let Some(hint) = error.hint() {
            monitor.print(format_args!("{hint}\n"));
        }
    }
    Ok(())
}

/// Prints an object and what it holds, children sorted by name. The stack is our own: a tree may be deep.
fn print_tree(monitor: &mut Monitor<'_>, object: &Arc<dyn Object>, name: &str) {
    let mut waiting = vec![(0, Arc::from(name), object.clone())];
    while let Some((depth, name, object)) = waiting.pop() {
        let indent = 2 * depth;
        monitor.print(format_args!("{:indent$}/{name} ({})\n", "", object.class().name()));
        let mut children = object.core().children();
        children.sort_by(|(a, _), (b, _)| b.cmp(a));
        waiting.extend(children.into_iter().map(|(name, child)| (depth + 1, name, child)));
    }
}

table! { COMMANDS:
    "help|?", "name:S?", "[cmd]", "show the help" (allow_preconfig) =>
    fn help_command(monitor, arguments) {
        help(monitor, arguments.str("name").unwrap_or_default());
        Ok(())
    }

    "info", "item:s?", "[subcommand]", "show various information about the system state" (allow_preconfig) =>
    fn info(monitor, _arguments) {
        help(monitor, "info");
        Ok(())
    }

    "clear", "", "", "clear the monitor screen" (allow_preconfig) =>
    fn clear(monitor, _arguments) {
        // To the top left, everything erased, and what a terminal keeps of it too.
        monitor.print(format_args!("\x1b[H\x1b[2J\x1b[3J"));
        Ok(())
    }

    "quit|q", "", "", "quit the emulator" (allow_preconfig) =>
    fn quit(monitor, _arguments) {
        monitor.context.require_mut::<Control>()?.shutdown(ShutdownCause::HostQmpQuit);
        Ok(())
    }

    "stop|s", "", "", "stop emulation" =>
    fn stop(monitor, _arguments) {
        monitor.context.require_mut::<Control>()?.stop()
    }

    "cont|c", "", "", "resume emulation" =>
    fn cont(monitor, _arguments) {
        monitor.context.require_mut::<Control>()?.cont()
    }

    "system_reset", "", "", "reset the system" =>
    fn system_reset(monitor, _arguments) {
        monitor.context.require_mut::<Control>()?.reset(ShutdownCause::HostQmpSystemReset);
        Ok(())
    }

    "system_powerdown", "", "", "send system power down event" =>
    fn system_powerdown(monitor, _arguments) {
        monitor.context.require_mut::<Control>()?.powerdown();
        Ok(())
    }

    "print|p", "fmt:/,val:l", "/fmt expr", "print expression value (use $reg for CPU register access)" =>
    fn print(monitor, arguments) {
        let value = arguments.format().number(arguments.int("val").unwrap_or_default());
        monitor.print(format_args!("{value}\n"));
        Ok(())
    }

    "device_add", "device:O", "driver[,prop=value][,...]", "add device, like -device on the command line" =>
    fn device_add(monitor, arguments) {
        let opts = qom::text::opts::parse(arguments.str("device").unwrap_or_default(), Some("driver"));
        for deprecation in &opts.deprecations {
            monitor.print(format_args!("warning: {deprecation}\n"));
        }
        let mut members: Map<String, Value> =
            opts.pairs.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
        members.extend(opts.id.map(|id| ("id".to_owned(), Value::String(id))));
        device::add(monitor.context.qom(), members, AddDevice::hotplug(Form::Keyval))?;
        Ok(())
    }

    "device_del", "id:s", "device", "remove device" =>
    fn device_del(monitor, arguments) {
        device::delete(monitor.context.qom(), arguments.str("id").unwrap_or_default())
    }

    "object_add", "object:S", "[qom-type=]type,id=str[,prop=value][,...]", "create QOM object" (allow_preconfig) =>
    fn object_add_command(monitor, arguments) {
        object_add(monitor, arguments.str("object").unwrap_or_default())
    }

    "object_del", "id:s", "id", "destroy QOM object" (allow_preconfig) =>
    fn object_del(monitor, arguments) {
        object::delete(monitor.context.qom(), arguments.str("id").unwrap_or_default())
    }

    "qom-list", "path:s?", "path", "list QOM properties" (allow_preconfig) =>
    fn qom_list(monitor, arguments) {
        let Some(path) = arguments.str("path") else {
            monitor.print(format_args!("/\n"));
            return Ok(());
        };
        for entry in monitor.context.qom().resolve(path)?.properties() {
            monitor.print(format_args!("{} ({})\n", entry.name, entry.type_name));
        }
        Ok(())
    }

    "qom-get", "path:s,property:s", "path property", "print QOM property" (allow_preconfig) =>
    fn qom_get(monitor, arguments) {
        let object = resolve(monitor.context.qom(), arguments.str("path").unwrap_or_default())?;
        let value = object.get(arguments.str("property").unwrap_or_default())?;
        let mut writer = Writer::new(true);
        value.serialize(&mut writer).map_err(Error::generic)?;
        monitor.print(format_args!("{}\n", String::from_utf8_lossy(writer.text())));
        Ok(())
    }

    "qom-set", "json:-j,path:s,property:s,value:S", "[-j] path property value",
    "set QOM property.\n\t\t\t-j: the value is specified in json format." (allow_preconfig) =>
    fn qom_set(monitor, arguments) {
        let object = resolve(monitor.context.qom(), arguments.str("path").unwrap_or_default())?;
        let property = arguments.str("property").unwrap_or_default();
        let text = arguments.str("value").unwrap_or_default();
        if arguments.flag("json") {
            object.set(property, &Input::Json(&json(text)?), Origin::Monitor)?;
        } else {
            object.set(property, &Input::Text(text), Origin::Monitor)?;
        }
        Ok(())
    }
}

table! { INFO:
    "history", "", "", "show the command line history" (allow_preconfig) =>
    fn info_history(monitor, _arguments) {
        let mut text = String::new();
        for (number, line) in monitor.state.lines.iter().enumerate() {
            text.push_str(&format!("{number}: '{line}'\n"));
        }
        monitor.print(format_args!("{text}"));
        Ok(())
    }

    "version", "", "", "show the version of QEMU" (allow_preconfig) =>
    fn info_version(monitor, _arguments) {
        let version = VERSION.qemu;
        monitor.print(format_args!(
            "{}.{}.{} ({})\n",
            version.major, version.minor, version.micro, VERSION.package
        ));
        Ok(())
    }

    "status", "", "", "show the current VM status (running|paused)" (allow_preconfig) =>
    fn info_status(monitor, _arguments) {
        let state = monitor.context.require::<Control>()?.state();
        let running = if state == RunState::Running { "running" } else { "paused" };
        let detail = match state {
            RunState::Running | RunState::Paused => String::new(),
            other => format!(" ({})", other.as_str()),
        };
        monitor.print(format_args!("VM status: {running}{detail}\n"));
        Ok(())
    }

    "kvm", "", "", "show KVM information" =>
    fn info_kvm(monitor, _arguments) {
        let kvm = monitor.context.require::<Control>()?.kvm();
        let state = match (kvm.present, kvm.enabled) {
            (false, _) => "not compiled",
            (true, false) => "disabled",
            (true, true) => "enabled",
        };
        monitor.print(format_args!("kvm support: {state}\n"));
        Ok(())
    }

    "qom-tree", "path:s?", "[path]", "show QOM composition tree" (allow_preconfig) =>
    fn info_qom_tree(monitor, arguments) {
        let path = arguments.str("path").unwrap_or("/machine");
        match monitor.context.qom().resolve(path) {
            Ok(object) => {
                let name = object.core().parent().map(|(_, name)| name.to_string()).unwrap_or_default();
                print_tree(monitor, &object, &name);
            }
            Err(qom::ResolveError::Ambiguous { .. }) => {
                monitor.print(format_args!("Warning: Path '{path}' is ambiguous.\n"));
            }
            Err(_) => monitor.print(format_args!("Path '{path}' could not be resolved.\n")),
        }
        Ok(())
    }
}
