//! NUMA nodes: QMP and the human monitor.

use std::fmt::Write;

use qmp::{Context, Empty, Error, command, hmp_command};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cpus::{cpus, pc};
use super::preconfig::Preconfig;
use crate::numa::NumaOptions;

/// What `set-numa-node` takes, as the command line's words are read.
#[derive(Debug, Deserialize, qmp::QapiType)]
struct SetNumaNode(#[qapi(as = NumaOptions)] Map<String, Value>);

command! {
    /// Adds a NUMA node, or says what belongs to one: as `-numa`, before the machine is built. It takes what QAPI's `NumaOptions`
    /// has.
    ///
    /// Fails once the machine is built (`The command is permitted only before the machine has been created`), and as `-numa` does,
    /// for example for a node that is there (`Duplicate NUMA nodeid: N`); then nothing has changed.
    "set-numa-node" (allow_preconfig) =>
    fn set_numa_node(context: &mut Context, members: SetNumaNode) -> Result<Empty, Error> {
        let options = NumaOptions::from_json(members.0).map_err(Error::generic)?;
        let qom = context.qom().clone();
        let prepared = context.get_mut::<Preconfig>().and_then(Preconfig::machine);
        let prepared = prepared
            .ok_or_else(|| Error::generic("The command is permitted only before the machine has been created"))?;
        prepared.set_numa(&qom, &options).map_err(Error::generic)?;
        Ok(Empty)
    }
}

/// The nodes, for a person.
fn text(context: &Context) -> Result<String, Error> {
    let machine = pc(context)?;
    let nodes = machine.as_ref().and_then(|machine| machine.numa()).map_or(&[][..], |numa| &numa.nodes);
    let cpus = machine.as_ref().map(|machine| cpus(machine)).unwrap_or_default();
    let mut text = format!("{} nodes\n", nodes.len());
    for (number, node) in nodes.iter().enumerate() {
        let inside = cpus.iter().filter(|cpu| cpu.props.node_id.is_some_and(|id| usize::from(id) == number));
        let inside: String = inside.map(|cpu| format!(" {}", cpu.cpu_index)).collect();
        // Memory is never plugged in later, so none of it was.
        write!(
            text,
            "node {number} cpus:{inside}\nnode {number} size: {} MB\nnode {number} plugged: 0 MB\n",
            node.mem >> 20
        )
        .map_err(Error::generic)?;
    }
    Ok(text)
}

/// Text for a person (QAPI `HumanReadableText`).
#[derive(Debug, Serialize, qmp::QapiType)]
#[serde(rename_all = "kebab-case")]
pub(super) struct HumanReadableText {
    /// The text, of any number of lines; how it is laid out may change. It is what the command of the human monitor prints.
    pub(super) human_readable_text: String,
}

command! {
    /// Returns the NUMA nodes with their CPUs and their memory, for a person to read: `0 nodes` on a machine without them.
    "x-query-numa" => fn x_query_numa(context: &mut Context, (): ()) -> Result<HumanReadableText, Error> {
        Ok(HumanReadableText { human_readable_text: text(context)? })
    }
}

hmp_command! {
    info "numa", "", "", "show NUMA information" =>
    fn info_numa(monitor, _arguments) {
        let text = text(monitor.context)?;
        monitor.print(format_args!("{text}"));
        Ok(())
    }
}
